"""zego.token04 with any input: claims survive the round trip, and nothing else is accepted."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any, get_args

from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.unit.zego.refusals import decoded_or_refused, refusal, refusal_of_token
from tests.unit.zego.vendor_tokens import plaintext
from zego import token04
from zego.token04 import (
    Cipher,
    Claims,
    ClaimsError,
    DecodedToken,
    ExpiryMismatchError,
    FormatError,
    SealError,
    SecretError,
    Token04Error,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
TIMES = st.integers(0, 2**63 - 1)
IV_LENGTHS: dict[Cipher, int] = {"gcm": 12, "cbc": 16}

CIPHERS = st.sampled_from(get_args(Cipher))
SECRETS = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=32, max_size=32)
#: Any text that UTF-8 can encode, some of it long.
TEXTS = st.one_of(
    st.text(),
    st.builds(lambda text, times: text * times, st.text(max_size=20), st.integers(1, 150)),
)
CONTROL_CHARACTERS = st.text(st.characters(max_codepoint=0x9F), min_size=1)
ASTRAL_CHARACTERS = st.text(st.characters(min_codepoint=0x10000), min_size=1)
USER_IDS = st.one_of(TEXTS.filter(bool), CONTROL_CHARACTERS, ASTRAL_CHARACTERS)
PAYLOADS = st.one_of(TEXTS, CONTROL_CHARACTERS, ASTRAL_CHARACTERS)
CLAIMS = st.builds(
    Claims,
    app_id=st.integers(1, 2**32 - 1),
    user_id=USER_IDS,
    nonce=INT64,
    issued_at=TIMES,
    expires_at=TIMES,
    payload=PAYLOADS,
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
JSON_VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(max_size=5), inner)),
    max_leaves=8,
)
JSON_NAMES = ("app_id", "user_id", "nonce", "ctime", "expire", "payload")

SECRET = "0123456789abcdef" * 2
SOME_CLAIMS = Claims(1234567890, "user1", 7, 1700000000, 1700003600, "payload")


def binary_of(token: str) -> bytes:
    return base64.b64decode(token[2:])


def token_of(binary: bytes) -> str:
    return "04" + base64.b64encode(binary).decode()


def flipped(binary: bytes, bit: int) -> bytes:
    """The same bytes with one bit changed, counted from the highest bit of the first byte."""
    changed = bytearray(binary)
    changed[bit // 8] ^= 0x80 >> bit % 8
    return bytes(changed)


def some_token(cipher: Cipher) -> str:
    return token04.encode(SOME_CLAIMS, SECRET, cipher=cipher, iv=b"i" * IV_LENGTHS[cipher])


class TestRoundTrip:
    @given(CLAIMS, SECRETS, CIPHERS)
    def test_claims_are_decoded_unchanged(
        self, claims: Claims, secret: str, cipher: Cipher
    ) -> None:
        token = token04.encode(claims, secret, cipher=cipher)
        assert token04.decode(token, secret) == DecodedToken(claims, cipher, claims.expires_at)

    @given(CLAIMS, SECRETS, CIPHERS, st.data())
    def test_the_same_claims_and_iv_give_the_same_token(
        self, claims: Claims, secret: str, cipher: Cipher, data: st.DataObject
    ) -> None:
        iv = data.draw(st.binary(min_size=IV_LENGTHS[cipher], max_size=IV_LENGTHS[cipher]))
        tokens = {token04.encode(claims, secret, cipher=cipher, iv=iv) for _ in range(2)}
        assert [token04.parse(token).iv for token in tokens] == [iv]

    @given(CLAIMS, SECRETS, CIPHERS)
    def test_the_sealed_json_is_what_a_json_library_would_write(
        self, claims: Claims, secret: str, cipher: Cipher
    ) -> None:
        token = token04.encode(claims, secret, cipher=cipher)
        values = dict(zip(JSON_NAMES, claims, strict=True))
        expected = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        assert plaintext(token, cipher, secret) == expected

    @given(
        app_id=st.integers(1, 2**32 - 1),
        user_id=USER_IDS,
        secret=SECRETS,
        issued_at=st.integers(0, 2**40),
        lifetime=st.integers(1, 24 * 86400),
        payload=PAYLOADS,
        cipher=CIPHERS,
    )
    def test_a_minted_token_contains_the_arguments(
        self,
        app_id: int,
        user_id: str,
        secret: str,
        issued_at: int,
        lifetime: int,
        payload: str,
        cipher: Cipher,
    ) -> None:
        token = token04.mint(
            app_id,
            user_id,
            secret,
            issued_at=issued_at,
            lifetime_seconds=lifetime,
            payload=payload,
            cipher=cipher,
        )
        claims = token04.decode(token, secret).claims
        assert claims == Claims(
            app_id, user_id, claims.nonce, issued_at, issued_at + lifetime, payload
        )

    @given(
        st.lists(SECRETS, min_size=1, max_size=4, unique=True),
        st.lists(st.tuples(st.integers(0, 3), USER_IDS, PAYLOADS, CIPHERS), max_size=12),
    )
    def test_tokens_of_several_secrets_in_any_order_open_with_another_implementation(
        self, secrets: list[str], tokens: list[tuple[int, str, str, Cipher]]
    ) -> None:
        for number, user_id, payload, cipher in tokens:
            secret = secrets[number % len(secrets)]
            token = token04.mint(
                7, user_id, secret, issued_at=1, lifetime_seconds=9, payload=payload, cipher=cipher
            )
            values = json.loads(plaintext(token, cipher, secret))
            assert 0 <= values.pop("nonce") < 2**31
            assert list(values.values()) == [7, user_id, 1, 10, payload]

    @given(st.text(), st.booleans(), st.booleans(), st.none() | st.lists(st.text()))
    def test_a_room_payload_is_what_a_json_library_would_write(
        self, room_id: str, login: bool, publish: bool, streams: list[str] | None
    ) -> None:
        payload = token04.room_payload(
            room_id,
            login=login,
            publish=publish,
            stream_ids=None if streams is None else tuple(streams),
        )
        values = {
            "room_id": room_id,
            "privilege": {"1": int(login), "2": int(publish)},
            "stream_id_list": streams,
        }
        assert payload == json.dumps(values, ensure_ascii=False, separators=(",", ":"))


def kind_by_byte(token: str) -> list[type[Token04Error]]:
    """The error that a change of each byte of a GCM token must cause."""
    sealed = len(token04.parse(token).sealed)
    return [
        *[ExpiryMismatchError] * 8,
        *[FormatError] * 2,
        *[SealError] * 12,
        *[FormatError] * 2,
        *[SealError] * sealed,
        FormatError,
    ]


class TestDamagedGcm:
    """GCM protects all of a token but its expiry, and that is compared."""

    def test_every_bit_of_a_token_matters(self) -> None:
        token = some_token("gcm")
        binary, kinds = binary_of(token), kind_by_byte(token)
        assert len(kinds) == len(binary)
        for bit in range(8 * len(binary)):
            error = refusal_of_token(token_of(flipped(binary, bit)), SECRET)
            assert isinstance(error, kinds[bit // 8]), bit

    def test_every_bit_of_its_text_matters(self) -> None:
        text = some_token("gcm").encode()
        kinds = {
            type(refusal_of_token(flipped(text, bit).decode("latin-1"), SECRET))
            for bit in range(8 * len(text))
        }
        assert {FormatError, SealError, ExpiryMismatchError} <= kinds
        assert kinds <= {*FormatError.__subclasses__(), FormatError, SealError, ExpiryMismatchError}

    def test_every_shorter_text_is_refused(self) -> None:
        token = some_token("gcm")
        for length in range(len(token)):
            assert isinstance(refusal_of_token(token[:length], SECRET), FormatError)

    def test_every_shorter_binary_is_refused(self) -> None:
        binary = binary_of(some_token("gcm"))
        for length in range(len(binary)):
            assert isinstance(refusal_of_token(token_of(binary[:length]), SECRET), FormatError)

    @given(CLAIMS, SECRETS, st.data())
    def test_a_flipped_bit_is_refused(
        self, claims: Claims, secret: str, data: st.DataObject
    ) -> None:
        token = token04.encode(claims, secret)
        binary = binary_of(token)
        bit = data.draw(st.integers(0, 8 * len(binary) - 1))
        error = refusal_of_token(token_of(flipped(binary, bit)), secret)
        assert isinstance(error, kind_by_byte(token)[bit // 8])

    @given(CLAIMS, SECRETS, st.data())
    def test_a_changed_character_is_refused(
        self, claims: Claims, secret: str, data: st.DataObject
    ) -> None:
        token = token04.encode(claims, secret)
        place = data.draw(st.integers(0, len(token) - 1))
        character = data.draw(st.characters())
        assume(character != token[place])
        refusal_of_token(token[:place] + character + token[place + 1 :], secret)

    @given(CLAIMS, SECRETS, st.data())
    def test_a_token_cut_short_is_refused(
        self, claims: Claims, secret: str, data: st.DataObject
    ) -> None:
        token = token04.encode(claims, secret)
        length = data.draw(st.integers(0, len(token) - 1))
        assert isinstance(refusal_of_token(token[:length], secret), FormatError)

    @given(CLAIMS, SECRETS, st.text(min_size=1))
    def test_a_token_with_text_after_it_is_refused(
        self, claims: Claims, secret: str, more: str
    ) -> None:
        token = token04.encode(claims, secret)
        assert isinstance(refusal_of_token(token + more, secret), FormatError)

    @given(CLAIMS, SECRETS, st.binary(min_size=1))
    def test_a_token_with_bytes_after_it_is_refused(
        self, claims: Claims, secret: str, more: bytes
    ) -> None:
        binary = binary_of(token04.encode(claims, secret))
        assert isinstance(refusal_of_token(token_of(binary + more), secret), FormatError)

    @given(CLAIMS, SECRETS, SECRETS)
    def test_another_secret_opens_no_token(self, claims: Claims, secret: str, other: str) -> None:
        assume(secret != other)
        assert type(refusal_of_token(token04.encode(claims, secret), other)) is SealError

    @given(CLAIMS, SECRETS, TIMES)
    def test_a_changed_expiry_is_refused(
        self, claims: Claims, secret: str, expires_at: int
    ) -> None:
        assume(expires_at != claims.expires_at)
        binary = struct.pack(">q", expires_at) + binary_of(token04.encode(claims, secret))[8:]
        assert type(refusal_of_token(token_of(binary), secret)) is ExpiryMismatchError


class TestDamagedCbc:
    """CBC proves nothing: a change may decode to other claims, but causes no other exception."""

    def test_no_flipped_bit_causes_another_exception(self) -> None:
        binary = binary_of(some_token("cbc"))
        for bit in range(8 * len(binary)):
            decoded_or_refused(token_of(flipped(binary, bit)), SECRET)

    def test_no_flipped_bit_of_the_text_causes_another_exception(self) -> None:
        text = some_token("cbc").encode()
        for bit in range(8 * len(text)):
            decoded_or_refused(flipped(text, bit).decode("latin-1"), SECRET)

    def test_every_shorter_text_is_refused(self) -> None:
        token = some_token("cbc")
        for length in range(len(token)):
            assert isinstance(refusal_of_token(token[:length], SECRET), FormatError)

    def test_every_shorter_binary_is_refused(self) -> None:
        binary = binary_of(some_token("cbc"))
        for length in range(len(binary)):
            assert isinstance(refusal_of_token(token_of(binary[:length]), SECRET), FormatError)

    @given(CLAIMS, SECRETS, st.binary(min_size=1).filter(lambda more: more != b"\x00"))
    def test_a_token_with_bytes_after_it_is_refused(
        self, claims: Claims, secret: str, more: bytes
    ) -> None:
        binary = binary_of(token04.encode(claims, secret, cipher="cbc"))
        assert isinstance(refusal_of_token(token_of(binary + more), secret), FormatError)

    @given(CLAIMS, SECRETS, SECRETS)
    def test_another_secret_opens_no_token(self, claims: Claims, secret: str, other: str) -> None:
        assume(secret != other)
        refusal_of_token(token04.encode(claims, secret, cipher="cbc"), other)

    @given(CLAIMS, SECRETS, st.data())
    def test_an_accepted_token_has_good_claims(
        self, claims: Claims, secret: str, data: st.DataObject
    ) -> None:
        binary = binary_of(token04.encode(claims, secret, cipher="cbc"))
        bits = data.draw(st.lists(st.integers(64, 8 * len(binary) - 1), min_size=1, max_size=4))
        for bit in bits:
            binary = flipped(binary, bit)
        outcome = decoded_or_refused(token_of(binary), secret)
        if isinstance(outcome, DecodedToken):
            token04.encode(outcome.claims, secret, cipher="cbc")


class TestArbitraryInput:
    @given(st.text(), SECRETS)
    @example("04", SECRET)
    @example("04AAAA", SECRET)
    def test_text_is_refused(self, text: str, secret: str) -> None:
        assert isinstance(refusal_of_token(text, secret), FormatError)

    @given(st.text(st.characters(codec=None)), SECRETS)
    def test_text_after_04_is_refused(self, text: str, secret: str) -> None:
        refusal_of_token("04" + text, secret)

    @given(st.binary(max_size=200), SECRETS)
    def test_bytes_as_base64_are_refused(self, binary: bytes, secret: str) -> None:
        refusal_of_token(token_of(binary), secret)

    @given(
        expires_at=INT64,
        iv=st.binary(max_size=20)
        | st.binary(min_size=12, max_size=12)
        | st.binary(min_size=16, max_size=16),
        sealed=st.binary(max_size=80),
        mode=st.sampled_from([b"", b"\x00", b"\x01", b"\x02"]) | st.binary(max_size=3),
        iv_length_off=st.sampled_from([0, 0, 0, 1, -1]),
        sealed_length_off=st.sampled_from([0, 0, 0, 1, -1]),
    )
    def test_an_envelope_of_garbage_is_refused(
        self,
        expires_at: int,
        iv: bytes,
        sealed: bytes,
        mode: bytes,
        iv_length_off: int,
        sealed_length_off: int,
    ) -> None:
        iv_length = max(0, len(iv) + iv_length_off)
        sealed_length = max(0, len(sealed) + sealed_length_off)
        head = struct.pack(">qH", expires_at, iv_length) + iv + struct.pack(">H", sealed_length)
        refusal_of_token(token_of(head + sealed + mode), SECRET)

    @given(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(),
            st.binary(),
            st.lists(st.text()),
            st.dictionaries(st.text(), st.text()),
        )
    )
    def test_a_value_that_is_not_text_is_refused(self, token: Any) -> None:
        assert type(refusal(lambda: token04.decode(token, SECRET))) is FormatError

    @given(st.text(st.characters(codec=None)), CIPHERS)
    def test_a_secret_of_another_length_is_refused(self, secret: str, cipher: Cipher) -> None:
        assume(len(secret.encode(errors="replace")) not in (16, 24, 32))
        assert type(refusal_of_token(some_token(cipher), secret)) is SecretError

    @given(st.one_of(st.none(), st.integers(), st.binary(), st.lists(st.text())))
    def test_a_secret_that_is_not_text_is_refused(self, secret: Any) -> None:
        assert type(refusal(lambda: token04.decode(some_token("gcm"), secret))) is SecretError


class TestArbitraryPlaintext:
    """Any plaintext, sealed with the right secret."""

    @staticmethod
    def seal(text: bytes, cipher: Cipher) -> str:
        return token04.seal(
            text,
            SOME_CLAIMS.expires_at,
            SECRET.encode(),
            cipher=cipher,
            iv=bytes(IV_LENGTHS[cipher]),
        )

    @given(st.binary(), CIPHERS)
    def test_bytes_are_refused(self, text: bytes, cipher: Cipher) -> None:
        refusal_of_token(self.seal(text, cipher), SECRET)

    @given(JSON_VALUES, CIPHERS)
    @example({}, "gcm")
    @example(float("nan"), "gcm")
    def test_other_json_is_refused(self, values: Any, cipher: Cipher) -> None:
        token = self.seal(json.dumps(values).encode(), cipher)
        assert type(refusal_of_token(token, SECRET)) is ClaimsError

    @given(st.fixed_dictionaries(dict.fromkeys(JSON_NAMES, SCALARS)), CIPHERS)
    def test_claims_of_any_types_are_refused_or_good(
        self, values: dict[str, Any], cipher: Cipher
    ) -> None:
        outcome = decoded_or_refused(self.seal(json.dumps(values).encode(), cipher), SECRET)
        assert isinstance(outcome, DecodedToken | ClaimsError | ExpiryMismatchError)

    @given(
        st.sampled_from(Claims._fields),
        st.one_of(st.none(), st.booleans(), st.floats(), st.lists(st.text()), st.binary()),
    )
    def test_a_claim_of_another_type_is_not_encoded(self, field: str, value: Any) -> None:
        claims = SOME_CLAIMS._replace(**{field: value})
        assert type(refusal(lambda: token04.encode(claims, SECRET))) is ClaimsError

    @given(st.sampled_from(["app_id", "nonce", "issued_at", "expires_at"]), st.text())
    def test_a_number_as_text_is_not_encoded(self, field: str, value: Any) -> None:
        claims = SOME_CLAIMS._replace(**{field: value})
        assert type(refusal(lambda: token04.encode(claims, SECRET))) is ClaimsError

    @given(st.sampled_from(["user_id", "payload"]), st.integers())
    def test_text_as_a_number_is_not_encoded(self, field: str, value: Any) -> None:
        claims = SOME_CLAIMS._replace(**{field: value})
        assert type(refusal(lambda: token04.encode(claims, SECRET))) is ClaimsError
