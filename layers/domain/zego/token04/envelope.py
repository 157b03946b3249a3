"""The binary envelope around the sealed claims, and its base64. See :mod:`zego.token04`."""

from __future__ import annotations

import struct
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from zego.token04.errors import (
    ClaimsError,
    FormatError,
    SealError,
    Token04Error,
    TrailingBytesError,
    TruncatedError,
)

Cipher = Literal["gcm", "cbc"]

PREFIX: Final = "04"

_IV_LENGTH: Final[dict[Cipher, int]] = {"gcm": 12, "cbc": 16}
_GCM_TAG_LENGTH: Final = 16
_GCM_MODE: Final = b"\x01"
_UINT16_MAX: Final = 2**16 - 1

_uint16 = struct.Struct(">H")
_expire_and_iv_length = struct.Struct(">qH")
_gcm_head = struct.Struct(">qH12sH")
_cbc_head = struct.Struct(">qH16sH")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What can be read of a token without the secret."""

    expires_at: int
    cipher: Cipher
    iv: bytes
    sealed: bytes


def parse(token: str) -> Envelope:
    """Read the envelope of a token; needs no secret and proves nothing.

    :raises FormatError: not a Token04, or a damaged one; the message says where.
    """
    expires_at, iv, sealed, mode = _take_apart(_binary(token))
    if mode not in (b"", b"\x00", _GCM_MODE):
        raise FormatError(f"unknown mode {mode[0]}; 1 is GCM, 0 or none is CBC")
    cipher: Cipher = "gcm" if mode == _GCM_MODE else "cbc"
    if len(iv) != _IV_LENGTH[cipher]:
        expected = _IV_LENGTH[cipher]
        raise FormatError(f"the IV has {len(iv)} bytes; {cipher.upper()} takes {expected}")
    if cipher == "gcm" and len(sealed) <= _GCM_TAG_LENGTH:
        raise FormatError(f"{len(sealed)} sealed bytes are too few to hold claims and a tag")
    if cipher == "cbc" and (not sealed or len(sealed) % 16):
        raise FormatError(f"{len(sealed)} sealed bytes are not a number of whole CBC blocks")
    return Envelope(expires_at, cipher, iv, sealed)


def seal(plaintext: bytes, expires_at: int, key: bytes, *, cipher: Cipher, iv: bytes) -> str:
    """Encrypt a plaintext and wrap it as a token. :func:`encode` is this after its checks.

    :raises ClaimsError: the plaintext is too long for the envelope's 16-bit length.
    """
    if cipher == "gcm":
        _refuse_too_long(len(plaintext), _UINT16_MAX - _GCM_TAG_LENGTH)
        sealed = AESGCM(key).encrypt(iv, plaintext, None)
        binary = _gcm_head.pack(expires_at, 12, iv, len(sealed)) + sealed + _GCM_MODE
    else:
        _refuse_too_long(len(plaintext), _UINT16_MAX // 16 * 16 - 1)
        sealed = _seal_cbc(plaintext, key, iv)
        binary = _cbc_head.pack(expires_at, 16, iv, len(sealed)) + sealed
    return PREFIX + b64encode(binary).decode()


def unseal(envelope: Envelope, key: bytes) -> bytes:
    """Decrypt the claims. CBC has no tag: it may give other bytes than were sealed.

    :raises SealError: the key is another one, or the token was altered.
    """
    return _open_gcm(envelope, key) if envelope.cipher == "gcm" else _open_cbc(envelope, key)


def iv_length(cipher: Cipher) -> int:
    """Bytes of the IV: 12 for GCM, 16 for CBC.

    :raises Token04Error: there is no such cipher.
    """
    if cipher not in _IV_LENGTH:
        raise Token04Error(f"cipher is {cipher!r}; it must be 'gcm' or 'cbc'")
    return _IV_LENGTH[cipher]


def not_opened() -> SealError:
    """The refusal of a token that the secret does not open."""
    return SealError(
        "the secret does not open this token: another secret sealed it, or it was altered"
    )


def _binary(token: str) -> bytes:
    """The envelope's bytes. One token has one spelling: padded base64, nothing around it."""
    if not isinstance(token, str):
        raise FormatError(f"a token is text, not {type(token).__name__}")
    if not token.startswith(PREFIX):
        raise FormatError('a Token04 begins with "04"')
    text = token[len(PREFIX) :]
    try:
        binary = b64decode(text, validate=True)
    except ValueError:
        raise FormatError("what follows the 04 is not base64 with padding") from None
    if b64encode(binary).decode() != text:
        raise FormatError("the base64 has bits set after its end")
    return binary


def _take_apart(binary: bytes) -> tuple[int, bytes, bytes, bytes]:
    """Expiry, IV, sealed claims and mode, by the lengths that the envelope gives."""
    if len(binary) < _expire_and_iv_length.size:
        raise TruncatedError(f"the token ends after {len(binary)} bytes, within its expiry")
    expires_at, iv_length = _expire_and_iv_length.unpack_from(binary)
    iv_end = _expire_and_iv_length.size + iv_length
    sealed_start = iv_end + _uint16.size
    if len(binary) < sealed_start:
        raise TruncatedError("the token ends within its IV")
    (sealed_length,) = _uint16.unpack_from(binary, iv_end)
    sealed_end = sealed_start + sealed_length
    if len(binary) < sealed_end:
        missing = sealed_end - len(binary)
        raise TruncatedError(f"the token ends {missing} bytes before its sealed claims do")
    if len(binary) > sealed_end + 1:
        raise TrailingBytesError(len(binary) - sealed_end)
    iv = binary[_expire_and_iv_length.size : iv_end]
    return expires_at, iv, binary[sealed_start:sealed_end], binary[sealed_end:]


def _refuse_too_long(length: int, limit: int) -> None:
    if length > limit:
        raise ClaimsError(f"the claims take {length} bytes; a token holds at most {limit}")


def _open_gcm(envelope: Envelope, key: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(envelope.iv, envelope.sealed, None)
    except InvalidTag:
        raise not_opened() from None


def _seal_cbc(plaintext: bytes, key: bytes, iv: bytes) -> bytes:
    padder = PKCS7(AES.block_size).padder()
    padded = padder.update(plaintext) + padder.finalize()
    encryptor = BlockCipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(padded) + encryptor.finalize()


def _open_cbc(envelope: Envelope, key: bytes) -> bytes:
    decryptor = BlockCipher(AES(key), CBC(envelope.iv)).decryptor()
    padded = decryptor.update(envelope.sealed) + decryptor.finalize()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise not_opened() from None
