"""zego.token04: the tokens of the vendor's generators, and every way a token can be wrong."""

from __future__ import annotations

import base64
import json
import math
import os
import struct
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.support.table import table
from tests.unit.zego.refusals import refusal, refusal_of_token
from tests.unit.zego.vendor_tokens import (
    KnownAnswer,
    VendorToken,
    known_answers,
    plaintext,
    vendor_tokens,
)
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
    TrailingBytesError,
    TruncatedError,
)

SECRET = "0123456789abcdef" * 2
OTHER_SECRET = "fedcba9876543210" * 2
KEY = SECRET.encode()
IV: dict[Cipher, bytes] = {"gcm": b"i" * 12, "cbc": b"i" * 16}
CIPHERS: tuple[Cipher, ...] = get_args(Cipher)

CLAIMS = Claims(
    app_id=1234567890,
    user_id="user1",
    nonce=1073741824,
    issued_at=1700000000,
    expires_at=1700003600,
)

# The example tokens that the format's description gives for those claims.
DESCRIBED: dict[Cipher, str] = {
    "cbc": (
        "04AAAAAGVT/xAAEGlpaWlpaWlpaWlpaWlpaWkAcFWabs0WrbT/39KGT9LX/DSptzXv/mhgVw0bYgYrT/Zd4SVPhvQ"
        "ugo45bod1Ah+dh/Bc1mrIV0RVT8qS+/RqsBUMpyOffxA54DWds/bOb2ZpIeRSK5zSSyMV045tFZKGX5lRXZVxbCCG"
        "K3UTc0mAkTU="
    ),
    "gcm": (
        "04AAAAAGVT/xAADGlpaWlpaWlpaWlpaQB+Hh4N1qSwuoGYXfNKhqB5s/whFPGSLH57FT/XCHp6yo+BGOtSUslQwFi"
        "kF8AQUjfa67N/7QIb0fB8L/JgKhZ75GDh5d4w/w65j48IW2gPwBzhH81FQp9QSodVVpNCQsQekgNY4crno8DI69wC"
        "MTOww0UbUQ4KCzPZWUBVPNIoAQ=="
    ),
}
GCM_TOKEN = DESCRIBED["gcm"]
CBC_TOKEN = DESCRIBED["cbc"]

VENDOR_TOKENS = vendor_tokens()
KNOWN_ANSWERS = known_answers()


def same_json_as_ours(answer: KnownAnswer) -> bool:
    """Whether the generator writes these claims the way ours does.

    PHP's escapes non-ASCII characters and "/", and its GCM puts the keys in another order.
    """
    if answer.generator == "python":
        return True
    text = answer.claims.user_id + answer.claims.payload
    return answer.cipher == "cbc" and text.isascii() and "/" not in text


# A known token is made in the first way, from claims, or else in the second, from plaintext.
FROM_CLAIMS = [answer for answer in KNOWN_ANSWERS if same_json_as_ours(answer)]
FROM_PLAINTEXT = [answer for answer in KNOWN_ANSWERS if not same_json_as_ours(answer)]


def binary_of(token: str) -> bytes:
    return base64.b64decode(token[2:])


def token_of(binary: bytes) -> str:
    return "04" + base64.b64encode(binary).decode()


def envelope(
    *, expires_at: int = 1, iv: bytes = IV["gcm"], sealed: bytes = b"s" * 32, mode: bytes = b"\x01"
) -> str:
    """A token with any parts, right or wrong; its lengths are right."""
    head = struct.pack(">qH", expires_at, len(iv)) + iv + struct.pack(">H", len(sealed))
    return token_of(head + sealed + mode)


def sealed_json(values: object, cipher: Cipher = "gcm") -> str:
    """A correctly sealed token with wrong content."""
    return sealed(json.dumps(values).encode(), cipher)


def sealed(text: bytes, cipher: Cipher = "gcm") -> str:
    return token04.seal(text, CLAIMS.expires_at, KEY, cipher=cipher, iv=IV[cipher])


def json_claims(**changes: object) -> dict[str, object]:
    """The claims as in the JSON, with some changed."""
    return {
        "app_id": CLAIMS.app_id,
        "user_id": CLAIMS.user_id,
        "nonce": CLAIMS.nonce,
        "ctime": CLAIMS.issued_at,
        "expire": CLAIMS.expires_at,
        "payload": CLAIMS.payload,
    } | changes


class TestVendorTokens:
    def test_there_are_56_and_28_of_them_can_be_reproduced(self) -> None:
        assert (len(VENDOR_TOKENS), len(KNOWN_ANSWERS)) == (56, 28)

    @table("vendor", VENDOR_TOKENS, ids=str)
    def test_each_decodes_to_the_claims_given_to_its_generator(self, vendor: VendorToken) -> None:
        decoded = token04.decode(vendor.token, vendor.secret)
        claims = decoded.claims
        assert (claims.app_id, claims.user_id, claims.payload, decoded.cipher) == (
            vendor.app_id,
            vendor.user_id,
            vendor.payload,
            vendor.cipher,
        )
        assert claims.expires_at - claims.issued_at == vendor.lifetime_seconds
        assert decoded.header_expires_at == claims.expires_at

    @table("answer", KNOWN_ANSWERS, ids=str)
    def test_a_reproducible_token_decodes_to_exactly_its_claims(self, answer: KnownAnswer) -> None:
        assert token04.decode(answer.token, answer.secret).claims == answer.claims

    @pytest.mark.parametrize("answer", FROM_CLAIMS, ids=str)
    def test_its_claims_encode_to_the_same_bytes(self, answer: KnownAnswer) -> None:
        token = token04.encode(answer.claims, answer.secret, cipher=answer.cipher, iv=answer.iv)
        assert token == answer.token

    @pytest.mark.parametrize("answer", FROM_PLAINTEXT, ids=str)
    def test_if_the_json_differs_its_plaintext_seals_to_the_same_bytes(
        self, answer: KnownAnswer
    ) -> None:
        token = token04.seal(
            plaintext(answer.token, answer.cipher, answer.secret),
            answer.claims.expires_at,
            answer.secret.encode(),
            cipher=answer.cipher,
            iv=answer.iv,
        )
        assert token == answer.token

    def test_18_are_reproduced_from_claims_and_the_other_10_from_plaintext(self) -> None:
        assert (len(FROM_CLAIMS), len(FROM_PLAINTEXT)) == (18, 10)

    @pytest.mark.parametrize("answer", FROM_PLAINTEXT, ids=str)
    def test_none_is_made_from_plaintext_without_need(self, answer: KnownAnswer) -> None:
        ours = token04.encode(answer.claims, answer.secret, cipher=answer.cipher, iv=answer.iv)
        our_text = plaintext(ours, answer.cipher, answer.secret)
        vendors_text = plaintext(answer.token, answer.cipher, answer.secret)
        assert our_text != vendors_text
        assert json.loads(our_text) == json.loads(vendors_text)

    @table("vendor", [one for one in VENDOR_TOKENS if one.generator != "php"], ids=str)
    def test_python_and_node_tokens_encode_again_from_their_content(
        self, vendor: VendorToken
    ) -> None:
        claims = token04.decode(vendor.token, vendor.secret).claims
        iv = token04.parse(vendor.token).iv
        assert token04.encode(claims, vendor.secret, cipher=vendor.cipher, iv=iv) == vendor.token

    @pytest.mark.parametrize("cipher", CIPHERS)
    def test_the_described_claims_encode_to_the_described_token(self, cipher: Cipher) -> None:
        token = token04.encode(CLAIMS, SECRET, cipher=cipher, iv=IV[cipher])
        assert token == DESCRIBED[cipher]

    @pytest.mark.parametrize("cipher", CIPHERS)
    def test_the_described_token_decodes_to_the_described_claims(self, cipher: Cipher) -> None:
        decoded = token04.decode(DESCRIBED[cipher], SECRET)
        assert decoded == DecodedToken(CLAIMS, cipher, CLAIMS.expires_at)


class TestEncode:
    def test_gcm_is_the_default(self) -> None:
        assert token04.encode(CLAIMS, SECRET, iv=IV["gcm"]) == GCM_TOKEN

    def test_the_secret_is_used_as_it_is_written_not_as_hexadecimal(self) -> None:
        binary = binary_of(token04.encode(CLAIMS, SECRET, iv=IV["gcm"]))
        opened = AESGCM(SECRET.encode()).decrypt(IV["gcm"], binary[24:-1], None)
        assert json.loads(opened) == json_claims()

    def test_the_plaintext_is_compact_with_its_keys_in_order_and_nothing_escaped(self) -> None:
        claims = CLAIMS._replace(user_id="用/é", payload='{"a": 1}')
        text = plaintext(token04.encode(claims, SECRET), "gcm", SECRET).decode()
        assert text == (
            '{"app_id":1234567890,"user_id":"用/é","nonce":1073741824,"ctime":1700000000,'
            '"expire":1700003600,"payload":"{\\"a\\": 1}"}'
        )

    @pytest.mark.parametrize("cipher", CIPHERS)
    def test_without_an_iv_no_two_tokens_have_the_same(self, cipher: Cipher) -> None:
        tokens = [token04.encode(CLAIMS, SECRET, cipher=cipher) for _ in range(100)]
        assert len({token04.parse(token).iv for token in tokens}) == 100

    @pytest.mark.parametrize("cipher", CIPHERS)
    @pytest.mark.parametrize("length", [0, 1, 11, 13, 15, 17, 32])
    def test_an_iv_of_another_length_is_refused(self, cipher: Cipher, length: int) -> None:
        error = refusal(lambda: token04.encode(CLAIMS, SECRET, cipher=cipher, iv=bytes(length)))
        assert str(error) == f"the IV has {length} bytes; {cipher} takes {len(IV[cipher])}"

    def test_an_unknown_cipher_is_refused(self) -> None:
        cipher: Any = "ecb"
        error = refusal(lambda: token04.encode(CLAIMS, SECRET, cipher=cipher))
        assert str(error) == "cipher is 'ecb'; it must be 'gcm' or 'cbc'"

    @pytest.mark.parametrize("length", [0, 16, 24, 31, 33, 64])
    def test_a_secret_of_other_than_32_bytes_is_refused(self, length: int) -> None:
        error = refusal(lambda: token04.encode(CLAIMS, "s" * length))
        assert type(error) is SecretError
        assert str(error) == f"the ServerSecret has {length} bytes; ZEGO's have 32"

    def test_the_secrets_length_is_counted_in_bytes(self) -> None:
        secret = "é" * 16
        assert token04.decode(token04.encode(CLAIMS, secret), secret).claims == CLAIMS

    @pytest.mark.parametrize("field", ["user_id", "payload"])
    def test_an_unpaired_surrogate_is_refused(self, field: str) -> None:
        changes: dict[str, Any] = {field: "\ud83d"}
        claims = CLAIMS._replace(**changes)
        assert type(refusal(lambda: token04.encode(claims, SECRET))) is ClaimsError


class TestLengths:
    """The envelope counts the sealed claims in 16 bits, the tag or the padding included."""

    LONGEST = 65519

    @staticmethod
    def claims_of(length: int) -> Claims:
        """Claims whose plaintext has that many bytes, some of them in two-byte characters."""
        taken = len(plaintext(GCM_TOKEN, "gcm", SECRET))
        room = length - taken
        return CLAIMS._replace(payload="é" * (room // 2) + "x" * (room % 2))

    @pytest.mark.parametrize("cipher", CIPHERS)
    @pytest.mark.parametrize("length", [LONGEST - 1, LONGEST])
    def test_claims_that_fit_are_decoded_unchanged(self, cipher: Cipher, length: int) -> None:
        claims = self.claims_of(length)
        token = token04.encode(claims, SECRET, cipher=cipher)
        assert len(plaintext(token, cipher, SECRET)) == length
        assert token04.decode(token, SECRET).claims == claims

    @pytest.mark.parametrize("cipher", CIPHERS)
    @pytest.mark.parametrize("length", [LONGEST + 1, LONGEST + 2, 2 * LONGEST])
    def test_longer_claims_are_refused_and_not_wrapped(self, cipher: Cipher, length: int) -> None:
        claims = self.claims_of(length)
        error = refusal(lambda: token04.encode(claims, SECRET, cipher=cipher))
        assert type(error) is ClaimsError
        assert str(error) == f"the claims take {length} bytes; a token has room for {self.LONGEST}"

    @table("length", range(100, 133))
    def test_cbc_pads_every_length_as_pkcs7_does(self, length: int) -> None:
        token = sealed(b"x" * length, "cbc")
        assert len(token04.parse(token).sealed) == (length // 16 + 1) * 16
        assert plaintext(token, "cbc", SECRET) == b"x" * length


WRONG_CLAIMS: list[tuple[str, object, str]] = [
    ("app_id", 0, "app_id must be a number from 1 to 4294967295, not 0"),
    ("app_id", -1, "app_id must be a number from 1 to 4294967295, not -1"),
    ("app_id", 2**32, "app_id must be a number from 1 to 4294967295, not 4294967296"),
    ("app_id", 10**100, "app_id must be a number from 1 to 4294967295, not one out of range"),
    ("app_id", "1234567890", "app_id must be a number from 1 to 4294967295, not a string"),
    ("app_id", 1.0, "app_id must be a number from 1 to 4294967295, not a fraction"),
    ("app_id", True, "app_id must be a number from 1 to 4294967295, not a boolean"),
    ("app_id", None, "app_id must be a number from 1 to 4294967295, not null"),
    ("app_id", [1], "app_id must be a number from 1 to 4294967295, not an array"),
    ("user_id", "", "user_id must be a non-empty string, not an empty one"),
    ("user_id", 7, "user_id must be a non-empty string, not 7"),
    ("user_id", None, "user_id must be a non-empty string, not null"),
    ("user_id", ["a"], "user_id must be a non-empty string, not an array"),
    ("nonce", 2**63, "nonce must be a 64-bit integer, not 9223372036854775808"),
    ("nonce", -(2**63) - 1, "nonce must be a 64-bit integer, not -9223372036854775809"),
    ("nonce", "7", "nonce must be a 64-bit integer, not a string"),
    ("nonce", 7.5, "nonce must be a 64-bit integer, not a fraction"),
    ("nonce", math.nan, "nonce must be a 64-bit integer, not a fraction"),
    ("nonce", False, "nonce must be a 64-bit integer, not a boolean"),
    ("issued_at", -1, "ctime must be a time in Unix seconds, not -1"),
    ("issued_at", 2**63, "ctime must be a time in Unix seconds, not 9223372036854775808"),
    ("issued_at", 1700000000.5, "ctime must be a time in Unix seconds, not a fraction"),
    ("issued_at", "1700000000", "ctime must be a time in Unix seconds, not a string"),
    ("issued_at", True, "ctime must be a time in Unix seconds, not a boolean"),
    ("expires_at", -1, "expire must be a time in Unix seconds, not -1"),
    ("expires_at", 2**63, "expire must be a time in Unix seconds, not 9223372036854775808"),
    ("expires_at", math.inf, "expire must be a time in Unix seconds, not a fraction"),
    ("expires_at", None, "expire must be a time in Unix seconds, not null"),
    ("expires_at", True, "expire must be a time in Unix seconds, not a boolean"),
    ("payload", None, "payload must be a string (JSON as text, or empty), not null"),
    ("payload", {"room_id": 1}, "payload must be a string (JSON as text, or empty), not an object"),
    ("payload", 0, "payload must be a string (JSON as text, or empty), not 0"),
]
WRONG_CLAIM_IDS = [f"{field}={value!r:.30}" for field, value, _ in WRONG_CLAIMS]
JSON_NAMES = {"issued_at": "ctime", "expires_at": "expire"}


class TestClaims:
    @table(("field", "value", "message"), WRONG_CLAIMS, ids=WRONG_CLAIM_IDS)
    def test_a_wrong_claim_is_not_encoded(self, field: str, value: Any, message: str) -> None:
        claims = CLAIMS._replace(**{field: value})
        error = refusal(lambda: token04.encode(claims, SECRET))
        assert (type(error), str(error)) == (ClaimsError, message)

    @table(("field", "value", "message"), WRONG_CLAIMS, ids=WRONG_CLAIM_IDS)
    def test_a_wrong_claim_is_not_decoded(self, field: str, value: Any, message: str) -> None:
        token = sealed_json(json_claims(**{JSON_NAMES.get(field, field): value}))
        error = refusal_of_token(token, SECRET)
        assert (type(error), str(error)) == (ClaimsError, message)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("app_id", 1),
            ("app_id", 2**32 - 1),
            ("nonce", -(2**63)),
            ("nonce", 2**63 - 1),
            ("issued_at", 0),
            ("issued_at", 2**63 - 1),
            ("expires_at", 0),
            ("expires_at", 2**63 - 1),
            ("user_id", "\x00"),
            ("payload", "\x7f\u2028😀"),
        ],
    )
    def test_a_claim_at_its_bound_is_decoded_unchanged(self, field: str, value: Any) -> None:
        claims = CLAIMS._replace(**{field: value})
        assert token04.decode(token04.encode(claims, SECRET), SECRET).claims == claims

    @pytest.mark.parametrize("name", json_claims())
    def test_a_missing_claim_is_named(self, name: str) -> None:
        values = json_claims()
        del values[name]
        error = refusal_of_token(sealed_json(values), SECRET)
        assert (type(error), str(error)) == (ClaimsError, f"the sealed claims lack {name}")

    def test_all_missing_claims_are_named(self) -> None:
        error = refusal_of_token(sealed(b"{}"), SECRET)
        assert str(error) == (
            "the sealed claims lack app_id, user_id, nonce, ctime, expire, payload"
        )

    def test_further_claims_are_ignored(self) -> None:
        token = sealed_json(json_claims(region="eu"))
        assert token04.decode(token, SECRET).claims == CLAIMS

    @pytest.mark.parametrize("values", [None, True, 7, "text", [], [json_claims()]])
    def test_json_that_is_not_an_object_is_refused(self, values: object) -> None:
        error = refusal_of_token(sealed_json(values), SECRET)
        assert (type(error), str(error)) == (
            ClaimsError,
            "the sealed claims are JSON, but not an object",
        )

    @pytest.mark.parametrize(
        "text",
        [
            b"not JSON",
            b"{",
            b"\xff\xfe",
            b'{"user_id":"\xc3"}',
            b"\xef\xbb\xbf{}",
            b"[" * 30000,
            b'{"app_id":' * 6000,
            b'{"app_id":' + b"1" * 5000 + b"}",
        ],
        ids=["text", "cut", "utf16", "half-utf8", "byte-order-mark", "arrays", "objects", "digits"],
    )
    def test_a_gcm_token_without_json_is_not_blamed_on_the_secret(self, text: bytes) -> None:
        # The tag has proved the secret, so the claims are at fault.
        assert type(refusal_of_token(sealed(text), SECRET)) is ClaimsError

    @pytest.mark.parametrize("text", [b"not JSON", b"\xff\xfe", b"", b"[" * 30000])
    def test_a_cbc_token_without_json_has_another_secret(self, text: bytes) -> None:
        # CBC proves nothing: the wrong key looks like this, whenever the padding is right.
        assert type(refusal_of_token(sealed(text, "cbc"), SECRET)) is SealError

    @pytest.mark.parametrize("name", ["user_id", "payload"])
    def test_an_unpaired_surrogate_is_not_decoded(self, name: str) -> None:
        # encode refuses it, and printing it fails.
        token = sealed_json(json_claims(**{name: "\ud83d"}))
        assert type(refusal_of_token(token, SECRET)) is ClaimsError


class TestFormat:
    @pytest.mark.parametrize(
        "token",
        [
            "",
            "0",
            "03" + GCM_TOKEN[2:],
            " " + GCM_TOKEN,
            "\u0660\u0664" + GCM_TOKEN[2:],
            "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        ],
        ids=["empty", "cut", "03", "space", "arabic-digits", "jwt"],
    )
    def test_text_that_does_not_begin_with_04_is_not_a_token(self, token: str) -> None:
        error = refusal_of_token(token, SECRET)
        assert (type(error), str(error)) == (FormatError, 'a Token04 begins with "04"')

    @pytest.mark.parametrize(
        "token",
        [
            GCM_TOKEN + "\n",
            GCM_TOKEN + "=",
            GCM_TOKEN.rstrip("="),
            "04 " + GCM_TOKEN[2:],
            GCM_TOKEN[:40] + "\n" + GCM_TOKEN[40:],
            GCM_TOKEN[:40] + "é" + GCM_TOKEN[41:],
            GCM_TOKEN[:40] + "_" + GCM_TOKEN[41:],
            "04====",
            "04\ud83d",
        ],
        ids=range(9),
    )
    def test_base64_must_have_the_standard_alphabet_and_padding(self, token: str) -> None:
        error = refusal_of_token(token, SECRET)
        assert (type(error), str(error)) == (
            FormatError,
            "what follows the 04 is not base64 with padding",
        )

    def test_base64_with_bits_after_its_end_is_refused(self) -> None:
        # "AQ==" and "AR==" are the same byte to a lenient decoder.
        assert GCM_TOKEN.endswith("AQ==")
        error = refusal_of_token(GCM_TOKEN[:-4] + "AR==", SECRET)
        assert (type(error), str(error)) == (FormatError, "the base64 has bits set after its end")

    @pytest.mark.parametrize(
        ("binary", "message"),
        [
            (b"", "the token ends after 0 bytes, within its expiry"),
            (bytes(9), "the token ends after 9 bytes, within its expiry"),
            (bytes(9) + b"\x0c", "the token ends within its IV"),
            (bytes(9) + b"\x0c" + bytes(13), "the token ends within its IV"),
            (
                bytes(9) + b"\x0c" + bytes(13) + b"\x20" + bytes(30),
                "the token ends 2 bytes before the end of its sealed claims",
            ),
        ],
    )
    def test_the_message_says_where_a_binary_ends_early(self, binary: bytes, message: str) -> None:
        error = refusal_of_token(token_of(binary), SECRET)
        assert (type(error), str(error)) == (TruncatedError, message)

    def test_a_single_missing_byte_is_noticed(self) -> None:
        binary = binary_of(CBC_TOKEN)
        error = refusal_of_token(token_of(binary[:-1]), SECRET)
        assert str(error).startswith("the token ends 1 byte")

    @pytest.mark.parametrize(
        ("token", "message"),
        [
            (envelope(mode=b"\x02"), "unknown mode 2; 1 is GCM, 0 or no mode is CBC"),
            (envelope(mode=b"\xff"), "unknown mode 255; 1 is GCM, 0 or no mode is CBC"),
            (envelope(iv=bytes(16)), "the IV has 16 bytes; GCM takes 12"),
            (envelope(iv=b""), "the IV has 0 bytes; GCM takes 12"),
            (envelope(mode=b""), "the IV has 12 bytes; CBC takes 16"),
            (envelope(mode=b"\x00"), "the IV has 12 bytes; CBC takes 16"),
            (envelope(sealed=b""), "0 sealed bytes are too few for claims and a tag"),
            (envelope(sealed=bytes(16)), "16 sealed bytes are too few for claims and a tag"),
            (
                envelope(iv=IV["cbc"], mode=b"", sealed=b""),
                "0 sealed bytes are not a whole number of CBC blocks",
            ),
            (
                envelope(iv=IV["cbc"], mode=b"", sealed=bytes(31)),
                "31 sealed bytes are not a whole number of CBC blocks",
            ),
        ],
        ids=range(10),
    )
    def test_the_message_names_the_wrong_part_of_an_envelope(
        self, token: str, message: str
    ) -> None:
        error = refusal_of_token(token, SECRET)
        assert (type(error), str(error)) == (FormatError, message)

    def test_bytes_after_the_mode_are_counted(self) -> None:
        error = refusal_of_token(envelope(mode=b"\x01\x00"), SECRET)
        assert isinstance(error, TrailingBytesError)
        assert (error.extra, str(error)) == (
            2,
            "2 bytes follow the sealed claims; at most 1 is allowed",
        )

    def test_cbc_may_be_marked_by_a_mode_of_0(self) -> None:
        token = token_of(binary_of(CBC_TOKEN) + b"\x00")
        assert token04.decode(token, SECRET) == token04.decode(CBC_TOKEN, SECRET)

    @pytest.mark.parametrize(
        "token", [None, 4, 4.0, True, b"04", GCM_TOKEN.encode(), ["04"], {}], ids=range(8)
    )
    def test_a_value_that_is_not_text_is_refused_by_its_type(self, token: Any) -> None:
        error = refusal(lambda: token04.decode(token, SECRET))
        message = f"a token is text, not {type(token).__name__}"
        assert (type(error), str(error)) == (FormatError, message)

    def test_the_envelope_is_read_without_a_secret(self) -> None:
        binary = binary_of(GCM_TOKEN)
        assert token04.parse(GCM_TOKEN) == token04.Envelope(
            expires_at=CLAIMS.expires_at, cipher="gcm", iv=IV["gcm"], sealed=binary[24:-1]
        )


class TestSecrets:
    @pytest.mark.parametrize("token", [GCM_TOKEN, CBC_TOKEN], ids=["gcm", "cbc"])
    @pytest.mark.parametrize(
        "secret",
        [OTHER_SECRET, SECRET.upper(), "0" + SECRET[:-1]],
        ids=["other", "upper", "shifted"],
    )
    def test_another_secret_does_not_open_a_token(self, token: str, secret: str) -> None:
        error = refusal_of_token(token, secret)
        assert (type(error), str(error)) == (
            SealError,
            "the secret does not open this token: another secret sealed it, or it was altered",
        )

    @pytest.mark.parametrize("cipher", CIPHERS)
    @pytest.mark.parametrize("length", [16, 24, 32])
    def test_shorter_aes_keys_open_tokens_as_the_vendors_decoders_do(
        self, cipher: Cipher, length: int
    ) -> None:
        secret = SECRET[:length]
        text = json.dumps(json_claims()).encode()
        token = token04.seal(text, CLAIMS.expires_at, secret.encode(), cipher=cipher, iv=IV[cipher])
        assert token04.decode(token, secret).claims == CLAIMS

    @pytest.mark.parametrize("length", [0, 1, 15, 17, 31, 33, 64])
    def test_no_other_length_of_secret_is_tried(self, length: int) -> None:
        error = refusal_of_token(GCM_TOKEN, "s" * length)
        message = f"the ServerSecret has {length} bytes; ZEGO's have 32"
        assert (type(error), str(error)) == (SecretError, message)

    @pytest.mark.parametrize("secret", [None, 7, KEY, bytearray(32), [SECRET]], ids=range(5))
    def test_a_secret_that_is_not_text_is_refused_by_its_type(self, secret: Any) -> None:
        error = refusal(lambda: token04.decode(GCM_TOKEN, secret))
        message = f"a ServerSecret is text, not {type(secret).__name__}"
        assert (type(error), str(error)) == (SecretError, message)

    def test_a_secret_with_an_unpaired_surrogate_is_refused(self) -> None:
        error = refusal_of_token(GCM_TOKEN, "\ud83d" * 32)
        assert type(error) is SecretError

    def test_no_traceback_shows_the_secret_or_the_token(self) -> None:
        error = refusal_of_token(GCM_TOKEN, OTHER_SECRET)
        shown = "".join(traceback.format_exception(error))
        assert OTHER_SECRET not in shown
        assert GCM_TOKEN not in shown


class TestReadableExpiry:
    @staticmethod
    def altered(token: str, expires_at: int) -> str:
        return token_of(struct.pack(">q", expires_at) + binary_of(token)[8:])

    @pytest.mark.parametrize("token", [GCM_TOKEN, CBC_TOKEN], ids=["gcm", "cbc"])
    @pytest.mark.parametrize("expires_at", [1700003599, 1700003601, 0, -1, 2**63 - 1])
    def test_an_altered_expiry_has_its_own_error(self, token: str, expires_at: int) -> None:
        error = refusal_of_token(self.altered(token, expires_at), SECRET)
        assert type(error) is ExpiryMismatchError
        assert str(error) == (
            f"the readable expiry is {expires_at}, the sealed one 1700003600:"
            " the token was altered after it was made"
        )


class TestMint:
    @staticmethod
    def mint(**changes: Any) -> str:
        arguments = {"issued_at": CLAIMS.issued_at, "lifetime_seconds": 3600} | changes
        return token04.mint(CLAIMS.app_id, CLAIMS.user_id, SECRET, **arguments)

    def test_it_contains_user_times_and_payload(self) -> None:
        claims = token04.decode(self.mint(payload="text"), SECRET).claims
        expected = CLAIMS._replace(nonce=claims.nonce, payload="text")
        assert claims == expected

    def test_it_is_gcm_by_default(self) -> None:
        assert token04.parse(self.mint()).cipher == "gcm"

    def test_it_is_cbc_if_requested(self) -> None:
        assert token04.parse(self.mint(cipher="cbc")).cipher == "cbc"

    @pytest.mark.parametrize("lifetime", [1, 60, 24 * 86400])
    def test_it_lives_as_long_as_requested(self, lifetime: int) -> None:
        token = self.mint(lifetime_seconds=lifetime)
        assert token04.parse(token).expires_at == CLAIMS.issued_at + lifetime

    @pytest.mark.parametrize("lifetime", [0, -1, -3600, 24 * 86400 + 1, 2**63])
    def test_a_lifetime_out_of_bounds_is_refused(self, lifetime: int) -> None:
        error = refusal(lambda: self.mint(lifetime_seconds=lifetime))
        message = "lifetime_seconds must be 1 to 2073600"
        assert (type(error), str(error)) == (ClaimsError, message)

    @pytest.mark.parametrize("lifetime", [1.5, math.nan, math.inf])
    def test_a_lifetime_that_is_not_a_whole_number_is_refused(self, lifetime: float) -> None:
        assert type(refusal(lambda: self.mint(lifetime_seconds=lifetime))) is ClaimsError

    @pytest.mark.parametrize("lifetime", [10**5000, -(10**5000)], ids=["huge", "-huge"])
    def test_a_lifetime_too_large_to_be_written_is_refused(self, lifetime: int) -> None:
        assert type(refusal(lambda: self.mint(lifetime_seconds=lifetime))) is ClaimsError

    def test_an_unknown_cipher_is_refused(self) -> None:
        error = refusal(lambda: self.mint(cipher="ecb"))
        assert str(error) == "cipher is 'ecb'; it must be 'gcm' or 'cbc'"

    @pytest.mark.parametrize("cipher", CIPHERS)
    def test_no_two_of_1000_tokens_of_one_second_share_an_iv(self, cipher: Cipher) -> None:
        tokens = [self.mint(cipher=cipher) for _ in range(1000)]
        assert len(set(tokens)) == 1000
        assert len({token04.parse(token).iv for token in tokens}) == 1000

    def test_the_nonce_has_31_bits_and_differs_from_token_to_token(self) -> None:
        nonces = {token04.decode(self.mint(), SECRET).claims.nonce for _ in range(1000)}
        assert all(0 <= nonce < 2**31 for nonce in nonces)
        assert len(nonces) > 990
        assert max(nonces) >= 2**30

    @pytest.mark.parametrize("cipher", CIPHERS)
    def test_the_nonce_and_the_iv_come_from_the_operating_system(
        self, cipher: Cipher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn = bytearray()

        def urandom(size: int) -> bytes:
            fresh = bytes(range(0x81 + len(drawn), 0x81 + len(drawn) + size))
            drawn.extend(fresh)
            return fresh

        monkeypatch.setattr(os, "urandom", urandom)
        token = self.mint(cipher=cipher)
        iv = token04.parse(token).iv
        nonce = token04.decode(token, SECRET).claims.nonce
        unused = bytes(drawn).replace(iv, b"")
        assert len(unused) == len(drawn) - len(iv) == 4
        assert nonce == int.from_bytes(unused, "big") % 2**31


class TestKeptCipher:
    """mint keeps the ciphers of the last secrets: each token must still get its own secret's."""

    @staticmethod
    def mint(secret: Any, cipher: Cipher = "gcm") -> str:
        return token04.mint(
            CLAIMS.app_id,
            CLAIMS.user_id,
            secret,
            issued_at=CLAIMS.issued_at,
            lifetime_seconds=3600,
            cipher=cipher,
        )

    @pytest.mark.parametrize("cipher", CIPHERS)
    def test_after_a_rotation_tokens_open_with_the_new_secret_only(self, cipher: Cipher) -> None:
        old, new = self.mint(SECRET, cipher), self.mint(OTHER_SECRET, cipher)
        for token, secret, other in [(old, SECRET, OTHER_SECRET), (new, OTHER_SECRET, SECRET)]:
            assert json.loads(plaintext(token, cipher, secret))["user_id"] == CLAIMS.user_id
            assert type(refusal_of_token(token, other)) is SealError

    def test_a_secret_that_returns_after_many_others_gets_its_own_cipher(self) -> None:
        secrets = [f"{number:032}" for number in range(50)]
        for secret in [*secrets, *secrets]:
            assert json.loads(plaintext(self.mint(secret), "gcm", secret))["app_id"]

    def test_the_cipher_of_a_secret_is_built_once_and_at_most_two_are_kept(self) -> None:
        before = token04._kept_gcm.cache_info().misses
        for number in range(10):
            for _ in range(10):
                self.mint(f"once-{number:027}")
        kept = token04._kept_gcm.cache_info()
        assert (kept.misses - before, kept.currsize) == (10, 2)

    def test_threads_that_share_a_cipher_do_not_disturb_each_other(self) -> None:
        secrets = [SECRET, OTHER_SECRET] * 400
        with ThreadPoolExecutor(8) as pool:
            tokens = list(pool.map(self.mint, secrets))
        assert len({token04.parse(token).iv for token in tokens}) == len(tokens)
        for token, secret in zip(tokens, secrets, strict=True):
            assert json.loads(plaintext(token, "gcm", secret))["user_id"] == CLAIMS.user_id

    @pytest.mark.parametrize("cipher", CIPHERS)
    @pytest.mark.parametrize("length", [0, 16, 31, 33])
    def test_a_secret_of_another_length_is_refused_each_time(
        self, cipher: Cipher, length: int
    ) -> None:
        for _ in range(2):
            error = refusal(lambda: self.mint("s" * length, cipher))
            message = f"the ServerSecret has {length} bytes; ZEGO's have 32"
            assert (type(error), str(error)) == (SecretError, message)

    @pytest.mark.parametrize("cipher", CIPHERS)
    @pytest.mark.parametrize("secret", [None, 7, KEY, [SECRET]], ids=range(4))
    def test_a_secret_that_is_not_text_is_refused(self, secret: Any, cipher: Cipher) -> None:
        self.mint(SECRET, cipher)
        error = refusal(lambda: self.mint(secret, cipher))
        message = f"a ServerSecret is text, not {type(secret).__name__}"
        assert (type(error), str(error)) == (SecretError, message)


class TestRoomPayload:
    @staticmethod
    def of_vendor(case: str) -> set[str]:
        return {one.payload for one in VENDOR_TOKENS if one.case.endswith(case)}

    def test_login_only_is_written_as_the_vendor_does(self) -> None:
        payload = token04.room_payload("room1", login=True, publish=False)
        assert {payload} == self.of_vendor("rtc_login_only")

    def test_streams_are_written_as_the_vendor_does(self) -> None:
        payload = token04.room_payload("房间/1", login=True, publish=True, stream_ids=("s1", "s2"))
        assert {payload} == self.of_vendor("rtc_publish_streams_24d")

    @pytest.mark.parametrize("login", [True, False])
    @pytest.mark.parametrize("publish", [True, False])
    @pytest.mark.parametrize("stream_ids", [None, (), ("s",), ('"\\', "é")])
    def test_it_is_the_json_of_the_arguments(
        self, login: bool, publish: bool, stream_ids: tuple[str, ...] | None
    ) -> None:
        room_id = 'r"\\\n'
        payload = token04.room_payload(room_id, login=login, publish=publish, stream_ids=stream_ids)
        assert json.loads(payload) == {
            "room_id": room_id,
            "privilege": {"1": int(login), "2": int(publish)},
            "stream_id_list": None if stream_ids is None else list(stream_ids),
        }


class TestErrors:
    @pytest.mark.parametrize(
        "kind", [FormatError, SecretError, SealError, ClaimsError, ExpiryMismatchError]
    )
    def test_every_kind_is_a_token04_error(self, kind: type[Exception]) -> None:
        assert issubclass(kind, Token04Error)

    @pytest.mark.parametrize("kind", [TruncatedError, TrailingBytesError])
    def test_errors_about_lengths_are_format_errors(self, kind: type[Exception]) -> None:
        assert issubclass(kind, FormatError)
