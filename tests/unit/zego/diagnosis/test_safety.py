"""zego.diagnosis reveals nothing that only the owner of the secret may know, and is valid JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.table import table
from tests.unit.zego.diagnosis.builders import (
    APP_ID,
    APP_SIGN,
    CBC,
    CURRENT,
    GCM,
    NO_SECRETS,
    NOW,
    OTHER_SECRET,
    SECRET,
    Case,
    claims,
    expecting,
    kit_details,
    payload,
    sealed,
    token,
)
from tests.unit.zego.diagnosis.not_tokens import jwt
from tests.unit.zego.diagnosis.test_findings import ALL, CASES
from zego import strict_json
from zego.diagnosis.kinds import KINDS
from zego.diagnosis.model import Diagnosis, Expected, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.server_secret import ServerSecret
from zego.token04 import Cipher

LONGEST_PART = 8
#: What a diagnosis always contains: its words, the names of fields, the expected AppID.
VOCABULARY = " ".join(
    (
        *(text for kind in KINDS.values() for text in (kind.cause, kind.remedy)),
        json.dumps(diagnose("hello", {}, Expected(NOW)).document() | {"header_expires_at": NOW}),
        f"{APP_ID} JavaScript's undefined, a function that was not called, a coroutine that",
    )
)


def said(diagnosis: Diagnosis) -> str:
    """All text of the diagnosis, except the sealed claims."""
    document = diagnosis.document()
    if diagnosis.opened_by is not None:
        document["claims"] = None
    return repr(diagnosis) + json.dumps(document, ensure_ascii=False)


def parts(text: str) -> Iterator[str]:
    """Every part that is long enough to be useful."""
    return (text[at : at + LONGEST_PART] for at in range(len(text) - LONGEST_PART + 1))


class TestWhatIsNotShown:
    @table("case", CASES)
    def test_no_part_of_a_token_or_a_secret_is_shown(self, case: Case) -> None:
        words = said(case.diagnosis)
        texts = (case.text[:1000], *(candidate.value for candidate in case.secrets.values()))
        found = {part for text in texts for part in parts(text) if part in words}
        assert {part for part in found if part not in VOCABULARY} == set()

    def test_claims_are_shown_only_if_the_token_was_opened(self) -> None:
        for case in ALL:
            diagnosis = case.diagnosis
            is_opened = diagnosis.opened_by is not None
            assert (diagnosis.claims is not None) == is_opened, case
            assert (diagnosis.document()["claims"] is not None) == is_opened, case

    @pytest.mark.parametrize("cipher", get_args(Cipher))
    @pytest.mark.parametrize("secrets", [NO_SECRETS, {"given": TriedSecret(OTHER_SECRET, 5)}])
    def test_no_content_of_an_unopened_token_is_shown(
        self, cipher: Cipher, secrets: dict[str, TriedSecret]
    ) -> None:
        made = token(cipher, user_id="sealed-user", payload=payload(room_id="sealed-room"))
        words = said(diagnose(made, secrets, Expected(NOW)))
        assert not [one for one in ("sealed-user", "sealed-room", "1234567890") if one in words]

    def test_neither_claims_nor_a_strange_algorithm_of_a_jwt_are_shown(self) -> None:
        words = said(diagnose(jwt(alg="c29tZS1zZWNyZXQ"), CURRENT, Expected(NOW)))
        assert "c29tZS1zZWNyZXQ" not in words

    def test_no_details_of_a_kit_token_are_shown(self) -> None:
        text = f"{GCM}#{kit_details(userID='somebody-else', appID=77777777)}"
        words = said(diagnose(text, NO_SECRETS, expecting(user_id="alice", app_id=5)))
        assert not [one for one in ("somebody-else", "77777777") if one in words]

    def test_another_users_id_is_not_in_the_text_of_a_finding(self) -> None:
        finding = diagnose(token(user_id="somebody"), CURRENT, expecting(user_id="me")).findings[0]
        assert "somebody" not in finding.cause + finding.remedy

    @pytest.mark.parametrize("value", [SECRET, f'"{SECRET}"', APP_SIGN, "short"])
    def test_a_tried_secret_shows_no_value(self, value: str) -> None:
        assert value not in repr(TriedSecret(value))

    def test_a_tried_secret_has_the_value_and_the_app_id_of_the_secret(self) -> None:
        secret = ServerSecret(5, OTHER_SECRET)
        assert TriedSecret.of(secret) == TriedSecret(OTHER_SECRET, 5)


class TestDocument:
    """It is valid JSON in UTF-8, whatever was sealed and whatever was expected."""

    @staticmethod
    def sent(diagnosis: Diagnosis) -> Any:
        text = json.dumps(diagnosis.document(), ensure_ascii=False, allow_nan=False)
        return strict_json.loads(text.encode())

    @table("case", CASES)
    def test_it_can_be_sent_and_read_again(self, case: Case) -> None:
        diagnosis = case.diagnosis
        sent = self.sent(diagnosis)
        assert sent == diagnosis.document()
        assert sent["verdict"] == case.verdict
        assert [finding["kind"] for finding in sent["findings"]] == list(case.finds)

    def test_it_contains_everything_that_is_known(self) -> None:
        made = token("cbc", user_id="bob", nonce=5)
        diagnosis = diagnose(made, CURRENT, expecting(user_id="alice", sdk="native"))
        (finding,) = diagnosis.findings
        assert diagnosis.document() == {
            "verdict": "refused",
            "form": "token04",
            "cipher": "cbc",
            "header_expires_at": NOW + 3540,
            "opened_by": "AWSCURRENT",
            "claims": claims(user_id="bob", nonce=5),
            "findings": [
                {
                    "kind": "user-id-mismatch",
                    "severity": "refused",
                    "codes": {"native": [1002077]},
                    "cause": finding.cause,
                    "remedy": finding.remedy,
                }
            ],
        }

    def test_for_an_unopened_token_it_contains_what_is_readable(self) -> None:
        document = diagnose(CBC, NO_SECRETS, Expected(NOW)).document()
        assert (document["cipher"], document["header_expires_at"]) == ("cbc", NOW + 3540)
        assert (document["opened_by"], document["claims"]) == (None, None)

    def test_for_a_cut_token_it_contains_the_expiry(self) -> None:
        assert diagnose(GCM[:24], CURRENT, Expected(NOW)).header_expires_at == NOW + 3540

    @pytest.mark.parametrize(
        ("plaintext", "shown"),
        [
            (b'{"nonce":1e999}', math.inf),
            (b'{"nonce":-1e999}', -math.inf),
            (b'{"user_id":"\\ud83d"}', "\ud83d"),
            (b'{"payload":{"\\ud83d":1}}', {"\ud83d": 1}),
            (b'{"payload":' + b"[" * 900 + b"]" * 900 + b"}", None),
            (b'{"nonce":1' + b"0" * 4000 + b"}", 10**4000),
            (b'{"nonce":1' + b"0" * 5000 + b"}", None),
        ],
        ids=["inf", "-inf", "surrogate", "surrogate name", "nested", "4000 digits", "5000 digits"],
    )
    def test_it_can_be_sent_whatever_was_sealed(self, plaintext: bytes, shown: object) -> None:
        diagnosis = diagnose(sealed(plaintext), CURRENT, Expected(NOW))
        assert self.sent(diagnosis)["verdict"] == "refused"
        if shown is not None:
            assert diagnosis.claims is not None
            assert shown in diagnosis.claims.values()

    def test_claims_that_zego_does_not_use_are_left_out(self) -> None:
        diagnosis = diagnose(token(note="x", role="admin"), CURRENT, Expected(NOW))
        assert diagnosis.document()["claims"] == claims()

    def test_what_was_expected_can_be_sent_whatever_it_was(self) -> None:
        expected = expecting(user_id="\udc80" + "u" * 10_000, room_id="\ud83d")
        made = token(payload=payload())
        document = self.sent(diagnose(made, {"\udc80": TriedSecret(SECRET)}, expected))
        kinds = [finding["kind"] for finding in document["findings"]]
        assert kinds == ["user-id-mismatch", "room-mismatch"]
        assert all(len(finding["cause"]) < 500 for finding in document["findings"])

    @given(
        st.recursive(
            st.one_of(
                st.none(),
                st.booleans(),
                st.integers(),
                st.floats(),
                st.text(st.characters(codec=None)),
            ),
            lambda inner: (
                st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner)
            ),
            max_leaves=6,
        ),
        st.sampled_from(tuple(claims())),
    )
    def test_it_can_be_sent_whatever_a_claim_is(self, value: object, name: str) -> None:
        changes: dict[str, Any] = {name: value}
        self.sent(diagnose(token(**changes), CURRENT, Expected(NOW)))
