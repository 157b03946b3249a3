"""POST /v1/diagnose decrypts only GCM tokens whose tag verifies, so it is not a decryption oracle.

CBC has no tag. A caller who learns what CBC blocks decrypt to can build tokens without the secret,
even if the service encrypts with GCM: both ciphers use the same AES key. Each attack below got
claims from an earlier version. Now each of them gets the same response as random bytes.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.application import (
    APP_ID,
    SERVER_SECRET,
    SUPPORT_SESSION,
    Application,
    bearer,
    event,
)
from tests.support.routes import DIAGNOSE, TOKENS
from tests.unit.zego.diagnosis.builders import of_binary
from tests.unit.zego.diagnosis.generators import CBC, CLAIMS, GCM, MISTAKES, with_mistakes
from tests.unit.zego.diagnosis.generators import SECRET as GENERATORS_SECRET
from tests.unit.zego.diagnosis.test_findings import ALL
from tests.unit.zego.vendor_tokens import vendor_tokens
from zego import token04
from zego.diagnosis.model import Expected, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.token04 import Claims, Envelope, to_plaintext

PREVIOUS_SECRET: Final = "fedcba9876543210" * 2
EXPIRES_AT: Final = int(time.time()) + 7200
#: A request's body has at most 16 KiB.
LONGEST_TOKEN: Final = 16_000
FIXTURE_IS_SHARED: Final = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(params=["gcm", "cbc"])
def issuer(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Application:
    """The issuer with each TOKEN_CIPHER, after one rotation."""
    issuer = Application(tmp_path, monkeypatch, TOKEN_CIPHER=request.param)
    previous = {"app_id": APP_ID, "server_secret": PREVIOUS_SECRET}
    issuer.secrets_manager.previous = json.dumps(previous)
    return issuer


def diagnosed(issuer: Application, token: str) -> dict[str, Any]:
    """Returns the response to a role that may diagnose tokens and nothing else."""
    answer = issuer.handle(event(DIAGNOSE, {"token": token}, role=SUPPORT_SESSION))
    assert answer.status == 200, answer.text
    return answer.document


# --- What an attacker builds without the secret --------------------------------------------------


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def blocks_of(content: bytes) -> list[bytes]:
    return [content[at : at + 16] for at in range(0, len(content), 16)]


def token_of(iv: bytes, sealed: bytes) -> str:
    """Returns an envelope of any bytes: CBC for an IV of 16 bytes, GCM for one of 12."""
    mode = b"\x01" if len(iv) == 12 else b""
    lengths = [len(part).to_bytes(2, "big") for part in (iv, sealed)]
    return of_binary(EXPIRES_AT.to_bytes(8, "big") + lengths[0] + iv + lengths[1] + sealed + mode)


#: The claims of the attacker's own tokens, as any user gets them.
OWN_CLAIMS: Final = Claims(APP_ID, "mallory", 1, EXPIRES_AT - 7200, EXPIRES_AT)
FIXED_CLAIMS: Final = Claims(APP_ID, "mallory", 1, 1_700_000_000, 1_700_007_200)


def opened_blocks(envelope: Envelope, plaintext: bytes) -> list[tuple[bytes, bytes]]:
    """Returns pairs of x and AES(x), from a GCM token with a known plaintext.

    x is the IV with a counter; AES(x) is ciphertext XOR plaintext. The tag uses the counter 1.
    """
    known = [envelope.iv + count.to_bytes(4, "big") for count in range(2, 2 + len(plaintext) // 16)]
    sealed = zip(blocks_of(envelope.sealed), blocks_of(plaintext), strict=False)
    return [(block, xor(*pair)) for block, pair in zip(known, sealed, strict=False)]


#: The token's IV is fixed, because the number of queries below depends on it.
KEYSTREAM: Final = opened_blocks(
    token04.parse(token04.encode(FIXED_CLAIMS, SERVER_SECRET, iv=b"made-up-iv12")),
    to_plaintext(FIXED_CLAIMS),
)
#: The query with which an earlier version revealed 16 bytes unknown to the attacker.
QUERIES: Final = 168_757


def known_block() -> str:
    """One block of keystream, with an IV that makes it decrypt to chosen claims."""
    known, block = KEYSTREAM[0]
    return token_of(xor(known, b'{"user_id":"a"}\x01'), block)


def unknown_block(query: int) -> str:
    """A block with an unknown decryption, between a chosen beginning and a chosen end."""
    (known_first, first), (known_last, last) = KEYSTREAM[:2]
    unknown = xor(known_last, b'%013d"}\x01' % (query - 1))
    return token_of(xor(known_first, b'{"user_id":"aaaa'), first + unknown + last)


def changed_app_id() -> str:
    """The attacker's own CBC token with another IV, which changes bits in its first block."""
    own = token04.parse(token04.encode(OWN_CLAIMS, SERVER_SECRET, cipher="cbc"))
    change = xor(b'{"app_id":123456', b'{"app_id":223456')
    return token_of(xor(own.iv, change), own.sealed)


def whole_token() -> str:
    """Claims of the attacker's choice, built from the end: each block determines the one before it.

    The secret replaces what 3.8 million queries revealed about the decryption of these blocks.
    """
    claims = Claims(APP_ID, "admin", 7, EXPIRES_AT - 7200, EXPIRES_AT)
    plaintext = to_plaintext(claims)
    padding = 16 - len(plaintext) % 16
    learned = BlockCipher(AES(SERVER_SECRET.encode()), ECB()).decryptor()
    chain = [KEYSTREAM[0][1]]
    for part in reversed(blocks_of(plaintext + bytes([padding]) * padding)):
        chain.insert(0, xor(learned.update(chain[0]), part))
    return token_of(chain[0], b"".join(chain[1:]))


ATTACKS: Final = {
    "a block of keystream as claims": known_block(),
    "an unknown block between known ones": unknown_block(QUERIES),
    "another AppID in an own token": changed_app_id(),
    "a whole token for admin": whole_token(),
}


def random_cbc(length: int) -> str:
    """An envelope of the same form around random bytes."""
    digest = hashlib.shake_256(b"nothing").digest(16 + length)
    return token_of(digest[:16], digest[16:])


RANDOM_GCM: Final = token_of(b"random-iv-12", hashlib.shake_256(b"nothing").digest(100))


def test_zego_would_accept_the_whole_token() -> None:
    assert token04.decode(ATTACKS["a whole token for admin"], SERVER_SECRET).claims.user_id == (
        "admin"
    )


@pytest.mark.parametrize("attack", ATTACKS)
class TestAttacks:
    def test_it_gets_no_claims_and_no_verdict_on_a_secret(
        self, issuer: Application, attack: str
    ) -> None:
        said = diagnosed(issuer, ATTACKS[attack])
        assert (said["claims"], said["opened_by"], said["secret_fingerprint"]) == (None,) * 3
        assert (said["verdict"], said["cipher"]) == ("unknown", "cbc")
        assert [finding["kind"] for finding in said["findings"]] == ["not-opened-here"]

    def test_it_gets_the_same_response_as_random_bytes(
        self, issuer: Application, attack: str
    ) -> None:
        length = len(token04.parse(ATTACKS[attack]).sealed)
        assert diagnosed(issuer, ATTACKS[attack]) == diagnosed(issuer, random_cbc(length))

    def test_no_secret_is_read_for_it(self, issuer: Application, attack: str) -> None:
        assert diagnosed(issuer, ATTACKS[attack])["secrets_tried"] == []
        assert issuer.secrets_manager.requests == []


def test_a_cbc_token_of_the_service_itself_is_not_decrypted_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Application(tmp_path, monkeypatch, TOKEN_CIPHER="cbc")
    issued = issuer.handle(event(TOKENS, {"room_id": "call_1"}, bearer=bearer())).document
    said = diagnosed(issuer, issued["token"])
    assert (said["cipher"], said["verdict"], said["claims"]) == ("cbc", "unknown", None)
    granted, asked_about = issuer.audit_events()
    assert granted["token_sha256"] == asked_about["token_sha256"]


@FIXTURE_IS_SHARED
@given(iv=st.binary(min_size=16, max_size=16), blocks=st.integers(1, 20), data=st.data())
def test_every_cbc_token_gets_the_same_response(
    issuer: Application, iv: bytes, blocks: int, data: st.DataObject
) -> None:
    sealed = data.draw(st.binary(min_size=16 * blocks, max_size=16 * blocks))
    said, of_nothing = diagnosed(issuer, token_of(iv, sealed)), diagnosed(issuer, random_cbc(16))
    for one in (said, of_nothing):  # a weak IV is visible without the secret
        one["findings"] = [each for each in one["findings"] if each["kind"] != "weak-iv"]
    assert said == of_nothing


@FIXTURE_IS_SHARED
@given(bit=st.integers(0, 8 * 100 - 1))
def test_a_gcm_token_with_a_changed_bit_gets_the_same_response_as_random_bytes(
    issuer: Application, bit: int
) -> None:
    own = token04.parse(token04.encode(OWN_CLAIMS, SERVER_SECRET))
    sealed = bytearray(own.sealed)
    sealed[bit // 8] ^= 1 << bit % 8
    said = diagnosed(issuer, token_of(own.iv, bytes(sealed)))
    assert said == diagnosed(issuer, RANDOM_GCM)
    assert [finding["kind"] for finding in said["findings"]] == ["not-opened-here"]


@pytest.mark.parametrize(
    "key",
    [
        bytes.fromhex(SERVER_SECRET),
        SERVER_SECRET[:16].encode(),
        SERVER_SECRET.upper().encode(),
        hashlib.sha256(SERVER_SECRET.encode()).digest(),
    ],
    ids=["hex-decoded", "cut to 16 bytes", "in upper case", "hashed"],
)
def test_a_key_derived_from_the_secret_is_not_tried(issuer: Application, key: bytes) -> None:
    token = token04.seal(
        to_plaintext(OWN_CLAIMS), EXPIRES_AT, key, cipher="gcm", iv=b"made-up-iv12"
    )
    assert diagnosed(issuer, token) == diagnosed(issuer, RANDOM_GCM)


def test_the_route_decrypts_only_with_gcm_and_a_stored_secret(
    issuer: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [vendor.token for vendor in vendor_tokens()] + [case.text for case in ALL]
    texts += [*ATTACKS.values(), RANDOM_GCM]
    keys = set[bytes]()

    def gcm(key: bytes) -> AESGCM:
        keys.add(key)
        return AESGCM(key)

    def refused(*_: object) -> None:
        raise AssertionError("the route reached a cipher of the codec")

    for cipher in ("AESGCM", "BlockCipher"):
        monkeypatch.setattr(f"zego.token04.{cipher}", refused)
    monkeypatch.setattr("zego.diagnosis.verified.AESGCM", gcm)
    said = [diagnosed(issuer, text) for text in texts if len(text) <= LONGEST_TOKEN]
    assert {one["cipher"] for one in said} == {None, "cbc", "gcm"}
    assert {one["opened_by"] for one in said if one["cipher"] != "gcm"} == {None}
    assert "AWSCURRENT" in {one["opened_by"] for one in said}
    assert keys == {SERVER_SECRET.encode(), PREVIOUS_SECRET.encode()}


def of_generators() -> dict[str, tuple[str, frozenset[str]]]:
    """A token with each mistake of a generator, and the kinds of findings that name it."""
    claims = {**CLAIMS, "app_id": APP_ID, "ctime": EXPIRES_AT - 7200, "expire": EXPIRES_AT}
    return {
        f"{base.mode}, {mistake}": (made.token(), mistake.kinds)
        for base in (GCM, CBC)
        for mistake in MISTAKES
        if not mistake.given
        if (made := with_mistakes(replace(base, claims=claims), mistake))
    }


def test_of_a_generators_mistakes_only_those_behind_a_valid_tag_depend_on_the_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What :mod:`zego.diagnosis.generators` finds with a secret is never reported over HTTP."""
    made = of_generators()

    def responses(secret: str) -> dict[str, dict[str, Any]]:
        issuer = Application(tmp_path, monkeypatch)
        issuer.secrets_manager.value = json.dumps({"app_id": APP_ID, "server_secret": secret})
        return {name: diagnosed(issuer, token) for name, (token, _) in made.items()}

    with_the_secret, with_another = responses(GENERATORS_SECRET), responses(SERVER_SECRET)
    named = set[str]()
    for name, (_, kinds) in made.items():
        said = with_the_secret[name]
        if said["opened_by"] is None:
            assert said == with_another[name], name
        else:
            assert {one["kind"] for one in said["findings"]} == kinds, name
            named |= kinds
    assert named == {
        *("app-id-wrong-type", "user-id-wrong-type", "nonce-wrong-type", "payload-wrong-type"),
        *("ctime-wrong-type", "expire-wrong-type", "time-in-milliseconds", "expiry-field"),
        *("claims-not-json", "claims-encoding", "claim-names", "claims-extra", "payload-missing"),
        *("mode-missing", "prefix-missing", "padding-missing", "base64url", "base64-twice"),
        "wrong-padding",
    }


@pytest.mark.parametrize(
    ("rest", "kind"),
    [(b"\0" * 9, "wrong-padding"), (b"\0" * 300, "wrong-padding"), (b'{"a":1}', "claims-not-json")],
    ids=["zero bytes", "many zero bytes", "more JSON"],
)
def test_bytes_after_the_claims_are_refused_behind_a_valid_tag_too(
    issuer: Application, rest: bytes, kind: str
) -> None:
    token = token04.seal(
        to_plaintext(OWN_CLAIMS) + rest,
        EXPIRES_AT,
        SERVER_SECRET.encode(),
        cipher="gcm",
        iv=b"made-up-iv12",
    )
    said = diagnosed(issuer, token)
    assert (said["opened_by"], said["verdict"]) == ("AWSCURRENT", "refused")
    assert [one["kind"] for one in said["findings"]] == [kind]
    stored = {"AWSCURRENT": TriedSecret(SERVER_SECRET, APP_ID)}
    with_the_secret = diagnose(token, stored, Expected(time.time()))
    assert [one.kind for one in with_the_secret.findings] == [kind]
