"""Token04: any text, any envelope and any sealed bytes."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from tests.fuzz.choices import Choices, as_text
from tests.fuzz.targets import check_message
from zego import token04
from zego.token04 import Cipher, Claims, Token04Error

INVARIANT: Final = (
    "A text is refused with a Token04Error, or opens to claims that seal to the same token again."
)

SECRET: Final = "0123456789abcdef" * 2
KEYS: Final = (SECRET, SECRET[:24], SECRET[:16])
OTHER_SECRET: Final = SECRET[::-1]
CIPHERS: Final[tuple[Cipher, ...]] = get_args(Cipher)
IV: Final[dict[Cipher, bytes]] = {"gcm": bytes(range(12)), "cbc": bytes(range(16))}
VECTORS: Final = Path(__file__).parents[2] / "vectors" / "token04.json"
CLAIMS: Final = (
    '{"app_id":1234567890,"user_id":"user1","nonce":7,"ctime":1700000000,"expire":1700003600,'
    '"payload":""}'
)
INTEGERS: Final = (0, 1, -1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, -(2**63), 1700003600)

WORDS: Final = (
    *('"app_id":', '"user_id":', '"nonce":', '"ctime":', '"expire":', '"payload":', "1700003600"),
    *("9223372036854775807", "4294967295", "1e400", "-0", "1.0", "true", "null", "[]", "{}"),
    *("\\ud800", "\\u0000", "04", "==", "\x00\x0c", "\x00\x10", "NaN", "[[[[[[[["),
)


def check(data: bytes) -> None:
    """Read a text, an envelope, or a token with these bytes sealed in it; or seal claims."""
    choices = Choices(data)
    match choices.byte() % 4:
        case 0:
            check_token(choices.text(), SECRET)
        case 1:
            check_token(_token(choices.rest()), SECRET)
        case 2:
            _check_sealed(choices)
        case 3:
            _check_claims(choices)


def seeds() -> Iterator[bytes]:
    """The vendors' tokens, in each form that the target takes, and parts that do not fit."""
    for vector in json.loads(VECTORS.read_text(encoding="utf-8")):
        token = str(vector["token"])
        yield b"\0" + token.encode()
        yield b"\1" + base64.b64decode(token[2:])
    for cipher in range(2):
        for key in range(3):
            yield bytes([2, cipher, key, 1, 0]) + CLAIMS.encode()
            yield bytes([2, cipher, key, 0, 9, 9]) + CLAIMS.replace("user1", "é\\n").encode()
    for cipher_iv in IV.values():
        for mode in (b"", b"\0", b"\1", b"\2", b"\1\1"):
            head = struct.pack(f">qH{len(cipher_iv)}sH", 0, len(cipher_iv), cipher_iv, 32)
            yield b"\1" + head + bytes(32) + mode
    yield bytes([3, 0, 1, 7, 9, 9]) + b"user1\xffpayload"
    yield bytes([3, 1, 4, 2, 1, 6]) + "ü\n".encode()


def check_token(token: str, secret: str) -> None:
    """Check the invariant for one text."""
    try:
        envelope = token04.parse(token)
    except Token04Error as error:
        _refuses_quietly(error, token, secret)
        envelope = None
    try:
        decoded = token04.decode(token, secret)
    except Token04Error as error:
        _refuses_quietly(error, token, secret)
        return
    assert envelope is not None, "decode opens what parse refuses"
    key, cipher = secret.encode(), decoded.cipher
    plaintext = token04.to_plaintext(decoded.claims)
    again = token04.seal(plaintext, decoded.claims.expires_at, key, cipher=cipher, iv=envelope.iv)
    assert token04.decode(again, secret) == decoded
    if token04.unseal(envelope, key) == plaintext and token04.parse(again) == envelope:
        mode_is_written = cipher == "cbc" and len(token) != len(again)
        assert again == token or mode_is_written, "the same parts are another token"
    if cipher == "gcm":
        _opens_no_other_way(token, secret)


def _check_sealed(choices: Choices) -> None:
    cipher, secret = choices.pick(CIPHERS), choices.pick(KEYS)
    expires_at = 1700003600 if choices.flag() else choices.pick(INTEGERS)
    if not -(2**63) <= expires_at < 2**63:
        expires_at = 0
    plaintext = choices.rest()
    iv = IV[cipher]
    token = token04.seal(plaintext, expires_at, secret.encode(), cipher=cipher, iv=iv)
    if plaintext or cipher == "cbc":
        envelope = token04.parse(token)
        assert (envelope.expires_at, envelope.cipher, envelope.iv) == (expires_at, cipher, iv)
        assert token04.unseal(envelope, secret.encode()) == plaintext
    check_token(token, secret)


def _check_claims(choices: Choices) -> None:
    cipher = choices.pick(CIPHERS)
    numbers = [choices.pick(INTEGERS) for _ in range(4)]
    user_id, payload = map(as_text, choices.parts(2))
    claims = Claims(numbers[0], user_id, numbers[1], numbers[2], numbers[3], payload)
    try:
        token = token04.encode(claims, SECRET, cipher=cipher, iv=IV[cipher])
    except Token04Error as error:
        _refuses_quietly(error, SECRET)
        return
    decoded = token04.decode(token, SECRET)
    assert decoded.claims == claims
    assert decoded.header_expires_at == claims.expires_at
    check_token(token, SECRET)


def _opens_no_other_way(token: str, secret: str) -> None:
    """No other secret opens a GCM token, and no token with a changed bit opens."""
    binary = base64.b64decode(token[2:])
    place = sum(binary) % len(binary)
    altered = bytearray(binary)
    altered[place] ^= 1 << sum(binary) % 8
    for text, key in ((token, OTHER_SECRET[: len(secret)]), (_token(altered), secret)):
        try:
            token04.decode(text, key)
        except Token04Error:
            continue
        raise AssertionError(f"opened after byte {place} was changed, or with another secret")


def _refuses_quietly(error: Token04Error, *hidden: str) -> None:
    assert type(error) is not Token04Error, f"no kind of error: {error}"
    check_message(error, *hidden)


def _token(binary: bytes | bytearray) -> str:
    return "04" + base64.b64encode(binary).decode()
