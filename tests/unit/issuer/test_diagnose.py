"""``POST /v1/diagnose``: which secrets it tries on a token, and what the response shows."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import string
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issuer.body import MAX_BYTES
from issuer.diagnose import MAX_APP_ID, MAX_ID_LENGTH, DiagnosisRequest, read_request
from issuer.problems import Problem
from tests.support.application import (
    APP_ID,
    OPERATOR_SESSION,
    ROLE_SESSION,
    SERVER_SECRET,
    SUPPORT_SESSION,
    Answer,
    Application,
    bearer,
    event,
)
from tests.support.bearer import jws, signer
from tests.support.routes import DIAGNOSE, SERVICE_TOKENS, TOKENS
from zego import token04
from zego.cache import Clocks
from zego.server_secret import ServerSecret
from zego.token04 import Cipher

OTHER_SECRET: Final = "fedcba9876543210" * 2
FINGERPRINT: Final = ServerSecret(APP_ID, SERVER_SECRET).fingerprint


def minted(
    secret: str = SERVER_SECRET,
    *,
    user_id: str = "alice",
    room_id: str = "call_1",
    ago: int = 60,
    cipher: Cipher = "gcm",
) -> str:
    """A token that lives two hours, made this many seconds ago."""
    payload = token04.room_payload(room_id, login=True, publish=True, stream_ids=None)
    return token04.mint(
        APP_ID,
        user_id,
        secret,
        issued_at=int(time.time()) - ago,
        lifetime_seconds=7200,
        payload=payload,
        cipher=cipher,
    )


def stored(secret: str) -> str:
    """A secret as Secrets Manager stores it."""
    return json.dumps({"app_id": APP_ID, "server_secret": secret})


def diagnose(issuer: Application, token: str, **expected: object) -> Answer:
    """The response to a support tool."""
    return issuer.handle(event(DIAGNOSE, {"token": token} | expected, role=SUPPORT_SESSION))


def kinds(answer: Answer) -> list[str]:
    return [finding["kind"] for finding in answer.document["findings"]]


def problem(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.document["code"]


class TestFindings:
    def test_for_a_good_token_it_shows_its_claims_and_its_secret(self, issuer: Application) -> None:
        token = minted()
        answer = diagnose(issuer, token)
        claims = token04.decode(token, SERVER_SECRET).claims
        assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
        assert answer.document == {
            "verdict": "good",
            "form": "token04",
            "cipher": "gcm",
            "header_expires_at": claims.expires_at,
            "secrets_tried": ["AWSCURRENT"],
            "opened_by": "AWSCURRENT",
            "secret_fingerprint": FINGERPRINT,
            "claims": {
                "app_id": APP_ID,
                "user_id": "alice",
                "nonce": claims.nonce,
                "ctime": claims.issued_at,
                "expire": claims.expires_at,
                "payload": claims.payload,
            },
            "findings": [],
            "request_id": "request-1",
        }

    def test_a_token_that_the_service_issued_is_good(self, issuer: Application) -> None:
        asked = {"user_id": "bob", "room_id": "standup"}
        issued = issuer.handle(event(SERVICE_TOKENS, asked, role=ROLE_SESSION)).document
        answer = diagnose(issuer, issued["token"], user_id="bob", room_id="standup", sdk="web")
        assert (answer.document["verdict"], kinds(answer)) == ("good", [])

    def test_a_jwt_is_recognised_without_a_secret(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        answer = diagnose(issuer, signer().sign({"sub": "alice"}), sdk="web")
        assert (answer.document["form"], answer.document["verdict"]) == ("jwt", "refused")
        finding = answer.document["findings"][0]
        assert finding["kind"] == "jwt"
        assert finding["codes"] == {"web": [20014, 50119, 1102016]}
        assert issuer.secrets_manager.requests == []
        assert answer.document["secrets_tried"] == []

    def test_a_missing_token_is_a_finding_too(self, issuer: Application) -> None:
        answer = diagnose(issuer, "")
        assert (answer.status, kinds(answer)) == (200, ["empty"])

    @pytest.mark.parametrize(
        ("expected", "kind"),
        [
            ({"user_id": "bob"}, "user-id-mismatch"),
            ({"user_id": "not an id: ü"}, "user-id-mismatch"),
            ({"room_id": "call_2"}, "room-mismatch"),
            ({"app_id": 5}, "app-id-mismatch"),
            ({"app_id": 0}, "app-id-mismatch"),
            ({"sdk": "uikit"}, "kit-details-missing"),
        ],
        ids=str,
    )
    def test_what_was_expected_is_compared(
        self, issuer: Application, expected: dict[str, object], kind: str
    ) -> None:
        assert kinds(diagnose(issuer, minted(), **expected))[0] == kind

    def test_the_app_id_that_is_expected_is_the_current_secrets(self, issuer: Application) -> None:
        issuer.secrets_manager.value = json.dumps({"app_id": 5, "server_secret": SERVER_SECRET})
        assert kinds(diagnose(issuer, minted())) == ["app-id-mismatch"]

    def test_the_time_is_the_services(self, issuer: Application) -> None:
        assert kinds(diagnose(issuer, minted(ago=7201))) == ["expired"]
        assert kinds(diagnose(issuer, minted(ago=7199)))[0] == "expires-within-30s"

    @pytest.mark.parametrize("text", ["\ud800", "04\ud800", "\0", "x" * 16_000, "04" + "A" * 9_000])
    def test_any_text_gets_a_diagnosis(self, issuer: Application, text: str) -> None:
        answer = diagnose(issuer, text)
        assert (answer.status, answer.document["verdict"]) == (200, "refused")
        assert answer.text.isascii()


class TestSecrets:
    def test_the_previous_secret_is_tried_if_the_current_one_does_not_open_it(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        answer = diagnose(issuer, minted(OTHER_SECRET))
        document = answer.document
        assert kinds(answer) == ["made-with-previous"]
        assert document["secrets_tried"] == ["AWSCURRENT", "AWSPREVIOUS"]
        assert document["opened_by"] == "AWSPREVIOUS"
        assert document["secret_fingerprint"] == ServerSecret(APP_ID, OTHER_SECRET).fingerprint
        assert document["claims"]["user_id"] == "alice"

    def test_it_is_not_read_if_the_current_one_opens_it(self, issuer: Application) -> None:
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        diagnose(issuer, minted())
        assert [asked["VersionStage"] for asked in issuer.secrets_manager.requests] == [
            "AWSCURRENT"
        ]

    def test_a_token_that_neither_opens_says_nothing_about_the_secrets(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        answer = diagnose(issuer, minted("another secret, of 32 characters"))
        document = answer.document
        (finding,) = document["findings"]
        assert (document["verdict"], finding["kind"]) == ("unknown", "not-opened-here")
        assert (finding["severity"], finding["codes"]) == ("note", {})
        assert document["secrets_tried"] == ["AWSCURRENT", "AWSPREVIOUS"]
        assert (document["opened_by"], document["secret_fingerprint"]) == (None, None)

    def test_it_recommends_no_rotation(self, issuer: Application) -> None:
        (finding,) = diagnose(issuer, minted(OTHER_SECRET)).document["findings"]
        assert "zego-token inspect" in finding["remedy"]
        assert "last_verdict" in finding["remedy"]
        assert "rotat" not in finding["cause"] + finding["remedy"]

    @pytest.mark.parametrize("cipher", ["gcm", "cbc"])
    def test_what_the_text_shows_comes_first(self, issuer: Application, cipher: Cipher) -> None:
        token = minted(OTHER_SECRET, ago=9000, cipher=cipher)
        answer = diagnose(issuer, f'"{token}"', sdk="uikit")
        assert answer.document["verdict"] == "refused"
        assert kinds(answer) == ["quoted", "kit-details-missing", "expired", "not-opened-here"]

    def test_no_secret_is_read_for_cbc(self, issuer: Application) -> None:
        answer = diagnose(issuer, minted(cipher="cbc"))
        assert (answer.document["cipher"], kinds(answer)) == ("cbc", ["not-opened-here"])
        assert answer.document["secrets_tried"] == []
        assert issuer.secrets_manager.requests == []

    def test_a_kit_token_that_is_not_opened_is_not_compared_with_the_secrets_app_id(
        self, issuer: Application
    ) -> None:
        details = {"userID": "alice", "roomID": "call_1", "userName": "Alice", "appID": 5}
        kit = f"{minted(OTHER_SECRET)}#{base64.b64encode(json.dumps(details).encode()).decode()}"
        assert kinds(diagnose(issuer, kit, sdk="uikit")) == ["not-opened-here"]
        assert "kit-mismatch" in kinds(diagnose(issuer, kit, sdk="uikit", app_id=APP_ID))

    @pytest.mark.parametrize(
        ("previous", "reason"),
        [
            (None, "ResourceNotFoundException"),
            ("not JSON", "the secret is not JSON"),
            (json.dumps({"app_id": 5, "server_secret": "REPLACE-ME"}), "placeholder"),
        ],
        ids=["none", "malformed", "a placeholder"],
    )
    def test_an_unreadable_previous_secret_is_skipped_with_a_warning(
        self, issuer: Application, previous: str | None, reason: str
    ) -> None:
        issuer.secrets_manager.previous = previous
        answer = diagnose(issuer, minted(OTHER_SECRET))
        assert (answer.status, kinds(answer)) == (200, ["not-opened-here"])
        assert answer.document["secrets_tried"] == ["AWSCURRENT"]
        (line,) = (line for line in issuer.lines() if line.get("level") == "WARNING")
        assert line["message"] == "AWSPREVIOUS cannot be read"
        assert reason in line["reason"]

    def test_many_diagnoses_read_a_missing_one_once_and_warn_once(
        self, issuer: Application
    ) -> None:
        for _ in range(5):
            diagnose(issuer, minted(OTHER_SECRET))
        assert len(issuer.secrets_manager.requests) == 2
        assert issuer.output().count("AWSPREVIOUS cannot be read") == 1

    def test_an_unreadable_previous_secret_raises_no_alarm(self, issuer: Application) -> None:
        diagnose(issuer, minted(OTHER_SECRET))
        assert issuer.count_of("SecretRefreshFailed") == 0
        assert issuer.count_of("SecretStale") == 0
        assert "ERROR" not in {line.get("level") for line in issuer.lines()}

    def test_a_previous_secret_stays_in_use_while_it_cannot_be_read_again(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        diagnose(issuer, minted(OTHER_SECRET))
        monkeypatch.setattr(
            issuer.app._service.previous, "_clocks", Clocks(lambda: time.time() + 11)
        )
        issuer.secrets_manager.previous = None
        assert kinds(diagnose(issuer, minted(OTHER_SECRET))) == ["made-with-previous"]
        assert "AWSPREVIOUS cannot be read" in issuer.output()

    def test_without_the_current_secret_it_reports_what_the_text_shows(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.down = True
        answer = diagnose(issuer, minted())
        assert (answer.status, answer.document["verdict"]) == (200, "unknown")
        assert answer.document["secrets_tried"] == []
        assert (answer.document["claims"], answer.document["opened_by"]) == (None, None)
        assert issuer.count_of("SecretRefreshFailed") == 1

    def test_without_the_current_secret_the_previous_one_is_not_tried(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.value = "not JSON"
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        answer = diagnose(issuer, minted(OTHER_SECRET))
        assert (answer.document["verdict"], answer.document["secrets_tried"]) == ("unknown", [])

    def test_an_expired_token_is_refused_without_a_secret_too(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        answer = diagnose(issuer, minted(ago=9000))
        assert answer.document["verdict"] == "refused"
        assert kinds(answer) == ["expired", "not-opened-here"]

    def test_a_secret_that_was_promoted_meanwhile_is_found_at_once(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issuer.handle(event(TOKENS, bearer=bearer()))
        monkeypatch.setattr(
            issuer.app._service.current, "_clocks", Clocks(lambda: time.time() + 11)
        )
        issuer.secrets_manager.value = stored(OTHER_SECRET)
        answer = diagnose(issuer, minted(OTHER_SECRET))
        assert (answer.document["verdict"], answer.document["opened_by"]) == ("good", "AWSCURRENT")

    def test_many_diagnoses_read_each_secret_once(self, issuer: Application) -> None:
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        for _ in range(20):
            diagnose(issuer, minted(OTHER_SECRET))
        assert [asked["VersionStage"] for asked in issuer.secrets_manager.requests] == [
            "AWSCURRENT",
            "AWSPREVIOUS",
        ]

    def test_the_previous_secret_seals_nothing(self, issuer: Application) -> None:
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        diagnose(issuer, minted(OTHER_SECRET))
        token = issuer.handle(event(TOKENS, bearer=bearer())).document["token"]
        assert token04.decode(token, SERVER_SECRET).claims.user_id == "alice"


class TestWhoMayAsk:
    @pytest.mark.parametrize(
        "role", [ROLE_SESSION, OPERATOR_SESSION], ids=["a backend", "an operator"]
    )
    def test_a_role_without_that_right_is_refused(self, issuer: Application, role: str) -> None:
        answer = issuer.handle(event(DIAGNOSE, {"token": minted()}, role=role))
        assert problem(answer) == (403, "not_granted")
        assert issuer.secrets_manager.requests == []
        (said,) = issuer.audit_events()
        assert said["reason"] == "the identity does not have diagnose_tokens"

    def test_a_bearer_token_proves_nothing_here(self, issuer: Application) -> None:
        answer = issuer.handle(event(DIAGNOSE, {"token": minted()}, bearer=bearer()))
        assert problem(answer) == (401, "iam_identity_missing")

    def test_a_role_that_the_policy_does_not_name_is_refused(self, issuer: Application) -> None:
        stranger = SUPPORT_SESSION.replace("Support", "Stranger")
        answer = issuer.handle(event(DIAGNOSE, {"token": minted()}, role=stranger))
        assert problem(answer) == (403, "not_granted")

    def test_the_role_is_checked_before_the_body_is_read(self, issuer: Application) -> None:
        assert problem(issuer.handle(event(DIAGNOSE, "{", role=ROLE_SESSION)))[0] == 403
        assert problem(issuer.handle(event(DIAGNOSE, "{", role=SUPPORT_SESSION)))[0] == 400

    def test_a_role_that_may_diagnose_gets_no_token(self, issuer: Application) -> None:
        asked = {"user_id": "bob", "room_id": "call_1"}
        answer = issuer.handle(event(SERVICE_TOKENS, asked, role=SUPPORT_SESSION))
        assert problem(answer) == (403, "not_granted")


def read(body: object) -> DiagnosisRequest:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_request(content)


class TestRequests:
    def test_all_fields_are_read(self) -> None:
        body = {"token": "04", "user_id": "u", "room_id": "r", "app_id": 5, "sdk": "zim"}
        assert read(body) == DiagnosisRequest("04", "u", "r", 5, "zim")

    def test_only_the_token_is_required(self) -> None:
        assert read({"token": ""}) == DiagnosisRequest("", None, None, None, None)

    @pytest.mark.parametrize("value", ["", "a b", "auth0|123", "ü", "x" * MAX_ID_LENGTH])
    def test_an_id_need_not_be_valid(self, value: str) -> None:
        request = read({"token": "", "user_id": value, "room_id": value})
        assert (request.user_id, request.room_id) == (value, value)

    @pytest.mark.parametrize("value", [0, -1, 2**32, MAX_APP_ID, -MAX_APP_ID])
    def test_an_app_id_need_not_be_valid(self, value: int) -> None:
        assert read({"token": "", "app_id": value}).app_id == value

    @pytest.mark.parametrize(
        ("body", "code", "field"),
        [
            ({}, "missing_field", "token"),
            (b"", "missing_field", "token"),
            ({"user_id": "alice"}, "missing_field", "token"),
            ({"token": None}, "wrong_type", "token"),
            ({"token": ["04"]}, "wrong_type", "token"),
            ({"token": "", "colour": 1}, "unknown_field", "colour"),
            ({"token": "", "publish": True}, "unknown_field", "publish"),
            ({"token": "", "user_id": 5}, "wrong_type", "user_id"),
            ({"token": "", "user_id": None}, "wrong_type", "user_id"),
            ({"token": "", "user_id": "x" * 1025}, "invalid_identifier", "user_id"),
            ({"token": "", "room_id": {}}, "wrong_type", "room_id"),
            ({"token": "", "room_id": "x" * 1025}, "invalid_identifier", "room_id"),
            ({"token": "", "app_id": "5"}, "wrong_type", "app_id"),
            ({"token": "", "app_id": 5.5}, "wrong_type", "app_id"),
            ({"token": "", "app_id": True}, "wrong_type", "app_id"),
            ({"token": "", "app_id": 2**53}, "invalid_identifier", "app_id"),
            ({"token": "", "app_id": -(2**53)}, "invalid_identifier", "app_id"),
            ({"token": "", "sdk": 1}, "wrong_type", "sdk"),
            ({"token": "", "sdk": "Web"}, "invalid_sdk", "sdk"),
            ({"token": "", "sdk": ""}, "invalid_sdk", "sdk"),
        ],
        ids=lambda value: repr(value)[:40],
    )
    def test_an_invalid_request_is_refused_with_its_field(
        self, body: object, code: str, field: str
    ) -> None:
        with pytest.raises(Problem) as refused:
            read(body)
        assert (refused.value.code, refused.value.field) == (code, field)

    def test_a_body_over_16_kibibytes_is_too_large(self, issuer: Application) -> None:
        room = MAX_BYTES - len('{"token": ""}')
        assert diagnose(issuer, "x" * room).status == 200
        assert problem(diagnose(issuer, "x" * (room + 1))) == (413, "body_too_large")

    @pytest.mark.parametrize(("length", "status"), [(32, 200), (127, 200), (255, 413)])
    def test_a_token_for_fifty_streams_fits_unless_their_ids_are_the_longest(
        self, issuer: Application, length: int, status: int
    ) -> None:
        streams = tuple(f"{n:0{length}}" for n in range(50))
        payload = token04.room_payload("r" * 127, login=True, publish=True, stream_ids=streams)
        token = token04.mint(
            APP_ID,
            "u" * 63,
            SERVER_SECRET,
            issued_at=int(time.time()),
            lifetime_seconds=7200,
            payload=payload,
            cipher="gcm",
        )
        assert diagnose(issuer, token).status == status


class TestAudit:
    def test_its_event_has_the_caller_and_the_result(self, issuer: Application) -> None:
        token = minted(ago=9000)
        diagnose(issuer, token)
        assert issuer.audit_events() == [
            {
                "decision": "granted",
                "request_id": "request-1",
                "route": DIAGNOSE,
                "identity": "support",
                "subject": SUPPORT_SESSION,
                "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
                "verdict": "refused",
                "finding": "expired",
                "opened_by": "AWSCURRENT",
                "secret_fingerprint": FINGERPRINT,
            }
        ]

    def test_a_good_token_has_no_finding(self, issuer: Application) -> None:
        diagnose(issuer, minted())
        (said,) = issuer.audit_events()
        assert (said["verdict"], said["finding"]) == ("good", None)

    @pytest.mark.parametrize(
        "token",
        ["", minted(OTHER_SECRET), minted(cipher="cbc")],
        ids=["no token", "another secret", "CBC"],
    )
    def test_its_event_shows_if_no_secret_opened_the_token(
        self, issuer: Application, token: str
    ) -> None:
        diagnose(issuer, token)
        (said,) = issuer.audit_events()
        assert (said["opened_by"], said["secret_fingerprint"]) == ("none", None)

    def test_its_log_line_can_be_found_by_text(self, issuer: Application) -> None:
        diagnose(issuer, minted())
        diagnose(issuer, "")
        lines = [line for line in issuer.lines() if "audit" in line]
        assert [(line["level"], line["message"]) for line in lines] == [
            ("INFO", "Token diagnosed: good, no finding"),
            ("INFO", "Token diagnosed: refused, empty"),
        ]

    def test_an_invalid_request_is_audited_as_a_refusal(self, issuer: Application) -> None:
        diagnose(issuer, "", sdk="x")
        (said,) = issuer.audit_events()
        assert (said["decision"], said["code"], said["field"]) == ("refused", "invalid_sdk", "sdk")

    def test_no_token_is_counted_as_issued(self, issuer: Application) -> None:
        diagnose(issuer, minted())
        assert issuer.count_of("TokensIssued") == 0

    @pytest.mark.parametrize("token", ["\ud800", "\0", "ü", "\n"])
    def test_a_text_of_any_characters_is_audited(
        self, issuer: Application, token: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert diagnose(issuer, token).status == 200
        assert [said["decision"] for said in issuer.audit_events()] == ["granted"]
        assert capsys.readouterr().err == ""


#: Words that do not occur in the service's own log lines.
WORDS: Final = st.text(string.ascii_letters + string.digits, min_size=10, max_size=40).map(
    lambda word: f"qz{word}"
)
TEXTS: Final = st.text("qzQZ0489+/=#%{}[]:,.-_ \"'\n\t", min_size=21)
SECRETS: Final = st.text("0123456789abcdef", min_size=32, max_size=32).filter(
    lambda secret: secret not in (SERVER_SECRET, OTHER_SECRET) and len(set(secret)) > 1
)
MANGLINGS: Final[dict[str, Callable[[str], str]]] = {
    "whole": lambda token: token,
    "cut off": lambda token: token[:-7],
    "quoted": lambda token: f'"{token}"',
    "twice": lambda token: token + token,
    "without prefix": lambda token: token[2:],
    "URL-encoded": lambda token: token.replace("+", "%2B").replace("/", "%2F"),
    "in base64url": lambda token: token.replace("+", "-").replace("/", "_"),
    "in a header": lambda token: f"Bearer {token}",
    "in a response": lambda token: json.dumps({"token": token}),
    "in lines": lambda token: "\n".join(token[n : n + 64] for n in range(0, len(token), 64)),
}
FIXTURE_IS_SHARED: Final = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def told(issuer: Application, token: str, **expected: object) -> tuple[Answer, str]:
    """The response, and all output about a token: the response's text and the log."""
    before = len(issuer.output())
    answer = diagnose(issuer, token, **expected)
    return answer, answer.text + issuer.output()[before:]


def shown(text: str, token: str, *hidden: str) -> list[str]:
    """The parts of a token, the secrets and other hidden texts that a text contains."""
    parts = [token[start : start + 20] for start in range(0, len(token) - 19, 10)]
    return [one for one in (*parts, *hidden, SERVER_SECRET, OTHER_SECRET) if one in text]


class TestSecrecy:
    """The service reveals nothing that is in a token which no stored secret opens."""

    @FIXTURE_IS_SHARED
    @given(
        secret=SECRETS,
        user_id=WORDS,
        room_id=WORDS,
        cipher=st.sampled_from(["gcm", "cbc"]),
        mangling=st.sampled_from(sorted(MANGLINGS)),
    )
    def test_the_claims_of_a_token_with_another_secret_are_not_shown(
        self,
        issuer: Application,
        secret: str,
        user_id: str,
        room_id: str,
        cipher: Cipher,
        mangling: str,
    ) -> None:
        issuer.secrets_manager.previous = stored(OTHER_SECRET)
        token = minted(secret, user_id=user_id, room_id=room_id, cipher=cipher)
        nonce = str(token04.decode(token, secret).claims.nonce)
        answer, text = told(issuer, MANGLINGS[mangling](token))
        hidden = [user_id, room_id, secret, *([nonce] if len(nonce) > 8 else [])]
        assert shown(text, token, *hidden) == []
        assert answer.document["claims"] is None
        assert answer.document["opened_by"] is None

    @FIXTURE_IS_SHARED
    @given(secret=SECRETS, user_id=WORDS, room_id=WORDS, well_formed=st.booleans())
    def test_nor_are_those_of_a_kit_token_and_its_details(
        self, issuer: Application, secret: str, user_id: str, room_id: str, well_formed: bool
    ) -> None:
        token = minted(secret, user_id=user_id, room_id=room_id)
        details = {"userID": user_id, "roomID": room_id, "userName": room_id, "appID": APP_ID}
        encoded = base64.b64encode(json.dumps(details if well_formed else [details]).encode())
        answer, text = told(issuer, f"{token}#{encoded.decode()}", sdk="uikit")
        assert shown(text, token, user_id, room_id, encoded.decode()) == []
        assert (answer.document["form"], answer.document["claims"]) == ("kit-token", None)

    @FIXTURE_IS_SHARED
    @given(claims=st.dictionaries(WORDS, WORDS, min_size=1), key=WORDS, key_id=WORDS)
    def test_nor_are_those_of_a_jwt(
        self, issuer: Application, claims: dict[str, str], key: str, key_id: str
    ) -> None:
        token = jws({"alg": "HS256", "kid": key_id}, claims, lambda _: key.encode())
        answer, text = told(issuer, token)
        assert shown(text, token, *claims, *claims.values(), key, key_id) == []
        assert answer.document["claims"] is None

    @FIXTURE_IS_SHARED
    @given(algorithm=WORDS.filter(lambda word: len(word) > 20))
    def test_nor_is_a_header_without_an_algorithm(
        self, issuer: Application, algorithm: str
    ) -> None:
        _, text = told(issuer, jws({"alg": algorithm}, {"sub": "a"}))
        assert shown(text, "", algorithm) == []

    @FIXTURE_IS_SHARED
    @given(text=TEXTS)
    def test_no_other_text_is_repeated(self, issuer: Application, text: str) -> None:
        assert shown(told(issuer, text)[1], text) == []

    def test_a_secret_that_is_sent_as_a_token_is_not_repeated(self, issuer: Application) -> None:
        for text in (SERVER_SECRET, f" {SERVER_SECRET}", SERVER_SECRET * 2, f"04{SERVER_SECRET}"):
            assert shown(told(issuer, text)[1], text) == []

    def test_the_log_has_only_the_hash_of_an_opened_token(self, issuer: Application) -> None:
        token = minted(user_id="alice-in-the-token", room_id="room-in-the-token")
        answer = diagnose(issuer, token)
        assert answer.document["claims"]["user_id"] == "alice-in-the-token"
        assert shown(answer.text, token) == []
        assert shown(issuer.output(), token, "alice-in-the-token", "room-in-the-token") == []

    def test_what_was_expected_is_not_in_the_log(self, issuer: Application) -> None:
        diagnose(issuer, minted(), user_id="expected-user", room_id="expected-room")
        assert "expected" not in issuer.output()


def test_a_cold_start_does_not_import_what_only_a_diagnosis_needs(issuer: Application) -> None:
    program = "import sys, issuer.app; print([m for m in sys.modules if 'diagnosis' in m])"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.strip() == "[]"
