"""zego.diagnosis agrees with the codec, the id rules and the stand-in for ZEGO's cloud."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from local.fake_zego import room_login
from local.fake_zego.rooms import Rooms
from tests.support.table import table
from tests.unit.zego.diagnosis.builders import (
    APP_ID,
    CURRENT,
    GCM,
    NOW,
    OTHER_SECRET,
    SECRET,
    claims,
    payload,
    sealed,
    token,
)
from zego import identifiers, token04
from zego.diagnosis.model import Expected, Sdk, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.identifiers import REFUSED_CHARACTERS
from zego.server_secret import ServerSecret
from zego.token04 import Cipher, Claims, Token04Error

CIPHERS = st.sampled_from(get_args(Cipher))
_CHARACTERS = st.characters(min_codepoint=0x21, max_codepoint=0x7E).filter(
    lambda one: one not in REFUSED_CHARACTERS
)
USER_IDS = st.text(_CHARACTERS, min_size=1, max_size=identifiers.MAX_BYTES["user_id"])
ROOM_IDS = st.text(_CHARACTERS, min_size=1, max_size=identifiers.MAX_BYTES["room_id"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(st.characters(codec=None), max_size=8),
)
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
#: Times near now and far from it, right and wrong.
TIMES = st.one_of(st.integers(NOW - 10**6, NOW + 10**7), JSON_VALUES, st.integers(0, 2**63))


class TestCodec:
    @given(
        app_id=st.integers(1, 2**32 - 1),
        user_id=USER_IDS,
        room_id=st.none() | ROOM_IDS,
        publish=st.booleans(),
        lifetime=st.integers(60, 24 * 86400),
        cipher=CIPHERS,
        sdk=st.none() | st.sampled_from(("web", "native")),
    )
    def test_a_token_that_the_issuer_mints_is_good(
        self,
        app_id: int,
        user_id: str,
        room_id: str | None,
        publish: bool,
        lifetime: int,
        cipher: Cipher,
        sdk: Sdk | None,
    ) -> None:
        grant = token04.room_payload(room_id, login=True, publish=publish) if room_id else ""
        minted = token04.mint(
            app_id,
            user_id,
            SECRET,
            issued_at=NOW,
            lifetime_seconds=lifetime,
            payload=grant,
            cipher=cipher,
        )
        expected = Expected(NOW, app_id, user_id, room_id, publish if room_id else None, sdk)
        diagnosis = diagnose(minted, {"AWSCURRENT": TriedSecret(SECRET, app_id)}, expected)
        kinds = {finding.kind for finding in diagnosis.findings}
        assert diagnosis.verdict == "good"
        assert kinds <= {"user-id-too-long-for-zim"}

    @given(
        changes=st.fixed_dictionaries(
            {},
            optional={
                "app_id": JSON_VALUES,
                "user_id": JSON_VALUES,
                "nonce": JSON_VALUES,
                "ctime": TIMES,
                "expire": TIMES,
                "payload": JSON_VALUES,
            },
        ),
        cipher=CIPHERS,
        sdk=st.none() | st.sampled_from(get_args(Sdk)),
    )
    def test_a_token_called_good_decodes(
        self, changes: dict[str, Any], cipher: Cipher, sdk: Sdk | None
    ) -> None:
        made = token(cipher, **changes)
        if diagnose(made, CURRENT, Expected(NOW, sdk=sdk)).verdict == "good":
            token04.decode(made, SECRET)

    @given(st.binary(max_size=300), CIPHERS)
    def test_random_plaintext_is_never_called_good(self, plaintext: bytes, cipher: Cipher) -> None:
        made = sealed(plaintext, cipher)
        assert diagnose(made, CURRENT, Expected(NOW)).verdict == "refused"

    @given(place=st.integers(0, len(GCM) - 1), character=st.characters(codec=None))
    def test_a_changed_character_is_never_called_good(self, place: int, character: str) -> None:
        assume(character != GCM[place])
        changed = GCM[:place] + character + GCM[place + 1 :]
        with pytest.raises(Token04Error):
            token04.decode(changed, SECRET)
        assert diagnose(changed, CURRENT, Expected(NOW)).verdict == "refused"

    @given(
        user_id=st.text(min_size=1),
        times=st.tuples(st.integers(0, 2**40), st.integers(0, 2**40)),
        nonce=st.integers(-(2**63), 2**63 - 1),
        cipher=CIPHERS,
    )
    def test_a_token_that_decodes_is_opened_with_the_same_claims(
        self, user_id: str, times: tuple[int, int], nonce: int, cipher: Cipher
    ) -> None:
        said = Claims(APP_ID, user_id, nonce, *times, "")
        made = token04.encode(said, SECRET, cipher=cipher)
        diagnosis = diagnose(made, CURRENT, Expected(NOW))
        assert (diagnosis.opened_by, diagnosis.header_expires_at) == ("AWSCURRENT", times[1])
        assert diagnosis.claims == {
            "app_id": APP_ID,
            "user_id": user_id,
            "nonce": nonce,
            "ctime": times[0],
            "expire": times[1],
            "payload": "",
        }


#: Logins to room1 as alice. The stand-in refuses each token, for the reason given.
LOGINS = {
    "nothing": ("", "empty"),
    "a word": ("hello", "not-a-token"),
    "a JWT": ("eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "jwt"),
    "a Token03": ("03" + GCM[2:], "older-token"),
    "a cut token": (GCM[:99], "truncated"),
    "a token in quotes": (f'"{GCM}"', "quoted"),
    "a URL-encoded token": (GCM.replace("=", "%3D"), "url-encoded"),
    "a token and a newline": (GCM + "\n", "white-space"),
    "another secret": (token(key=OTHER_SECRET), "other-secret"),
    "another secret, CBC": (token("cbc", key=OTHER_SECRET), "other-secret"),
    "a hex-decoded secret": (token(key=bytes.fromhex(SECRET)), "hex-decoded-secret"),
    "a changed expiry": (
        sealed(json.dumps(claims()).encode(), expires_at=NOW + 9),
        "expiry-mismatch",
    ),
    "another AppID": (token(app_id=5), "app-id-mismatch"),
    "AppID as text": (token(app_id=str(APP_ID)), "app-id-wrong-type"),
    "no AppID": (token(app_id=...), "claims-missing"),
    "another user": (token(user_id="bob"), "user-id-mismatch"),
    "a user that is a number": (token(user_id=5), "user-id-wrong-type"),
    "an empty user": (token(user_id=""), "user-id-empty"),
    "a nonce as text": (token(nonce="5"), "nonce-wrong-type"),
    "a negative ctime": (token(ctime=-5), "ctime-wrong-type"),
    "an expiry as text": (token(expire=str(NOW)), "expire-wrong-type"),
    "a payload that is an object": (token(payload={}), "payload-wrong-type"),
    "no JSON": (sealed(b"hello"), "claims-not-json"),
    "an array": (sealed(b"[]"), "claims-not-object"),
    "expired": (token(expire=NOW - 5), "expired"),
    "a lifetime as expiry": (token(expire=3600), "expire-is-a-lifetime"),
    "another room": (token(payload=payload(room_id="room2")), "room-mismatch"),
    "no login": (token(payload=payload(privilege={"1": 0, "2": 1})), "no-login"),
}


class TestStandInOfZego:
    """A login on `make run` returns the codes that a diagnosis names."""

    @staticmethod
    def login(text: str) -> dict[str, Any]:
        request = {"token": text, "app_id": APP_ID, "user_id": "alice", "room_id": "room1"}
        accepted = [ServerSecret(APP_ID, SECRET)]
        return room_login.answer(request, APP_ID, accepted, Rooms(), NOW)

    @table("name", LOGINS)
    def test_a_login_shows_the_codes_of_the_first_finding(self, name: str) -> None:
        text, kind = LOGINS[name]
        expected = Expected(NOW, APP_ID, "alice", "room1", sdk="web")
        finding = diagnose(text, CURRENT, expected).findings[0]
        answer = self.login(text)
        shown = tuple(dict.fromkeys((*answer["logged"], answer["code"])))
        assert (finding.kind, finding.codes["web"]) == (kind, shown)
        assert answer["raw"] is None or answer["raw"] in shown

    @pytest.mark.parametrize("text", [GCM, token("cbc"), token(payload=payload())])
    def test_a_good_token_logs_in(self, text: str) -> None:
        expected = Expected(NOW, APP_ID, "alice", "room1", sdk="web")
        assert self.login(text)["code"] == 0
        assert diagnose(text, CURRENT, expected).verdict == "good"
