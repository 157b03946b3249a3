"""Encodes and decodes Token04, the token that ZEGO's SDKs accept, byte for byte.

A token is ``"04"`` followed by the base64 of a binary envelope, integers big-endian::

    expire      int64   Unix seconds; readable without the secret, and not authenticated
    iv length   uint16  16 for CBC, 12 for GCM
    iv          bytes
    length      uint16  of the sealed claims
    sealed      bytes   AES-CBC with PKCS#7, or AES-GCM ciphertext and its 16-byte tag (no AAD)
    mode        uint8   1 for GCM; absent (or 0) for CBC

The sealed plaintext is a JSON object, the :class:`Claims`. The key is the raw text of the
ServerSecret: it looks like hexadecimal but is *not* decoded. The token is not a JWT or an HMAC.

:func:`mint`, :func:`encode` and :func:`decode` are for whole tokens; :func:`parse`, :func:`seal`
and :func:`unseal` for the envelope only. Every error is a :class:`Token04Error`, and no message
contains a secret or a token.

Source: the vendor's published token generators in seven languages, whose tokens are in
``tests/vectors/token04.json``.
"""

from __future__ import annotations

import json
import os
import struct
from base64 import b64decode, b64encode
from binascii import b2a_base64
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Final, Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from zego import strict_json

Cipher = Literal["gcm", "cbc"]

PREFIX: Final = "04"
MAX_APP_ID: Final = 2**32 - 1
#: The longest lifetime that both ZIM and the web SDK's timers support: 24 days, in seconds.
MAX_LIFETIME_SECONDS: Final = 24 * 24 * 3600

_NONCE_MASK: Final = 2**31 - 1
_INT64_MAX: Final = 2**63 - 1
_UINT16_MAX: Final = 2**16 - 1
_IV_LENGTH: Final[dict[Cipher, int]] = {"gcm": 12, "cbc": 16}
_GCM_TAG_LENGTH: Final = 16
_GCM_MODE: Final = b"\x01"
#: The longest plaintext, in bytes: with the tag or the padding, 16 bits count its sealed form.
_LONGEST: Final = _UINT16_MAX - _GCM_TAG_LENGTH
#: Names in the JSON, in the order of the fields of :class:`Claims`.
_JSON_NAMES: Final = ("app_id", "user_id", "nonce", "ctime", "expire", "payload")

_uint16 = struct.Struct(">H")
_expire_and_iv_length = struct.Struct(">qH")
_nonce_and_iv = struct.Struct(">I12s")
_gcm_head = struct.Struct(">qH12sH")
_cbc_head = struct.Struct(">qH16sH")
#: Writes text as json.JSONEncoder(ensure_ascii=False) does, but does not check that it is text.
_json_string: Final = encode_basestring


class Token04Error(ValueError):
    """The token, or the claims for one, are invalid. The message says what is wrong."""


class FormatError(Token04Error):
    """The text is not a Token04, or its envelope is damaged. Detected without a secret."""


class TruncatedError(FormatError):
    """The token is shorter than its lengths say."""


class TrailingBytesError(FormatError):
    """More bytes than the mode follow the sealed claims.

    :ivar extra: how many bytes follow; at most 1 is allowed.
    """

    def __init__(self, extra: int) -> None:
        super().__init__(f"{extra} bytes follow the sealed claims; at most 1 is allowed")
        self.extra = extra


class SecretError(Token04Error):
    """The ServerSecret cannot be an AES key."""


class SealError(Token04Error):
    """The secret does not open the token: another secret sealed it, or it was altered."""


class ClaimsError(Token04Error):
    """ZEGO does not accept such claims."""


class ExpiryMismatchError(Token04Error):
    """The readable expiry differs from the sealed one, so it was changed."""


class Claims(NamedTuple):
    """The content of a token.

    :ivar app_id: the project's AppID, 1 to 2^32-1.
    :ivar user_id: who may log in with it; any non-empty text (the SDKs accept less, see
        :mod:`zego.identifiers`).
    :ivar nonce: any 64-bit integer; :func:`mint` draws 31 random bits.
    :ivar issued_at: Unix seconds (``ctime``).
    :ivar expires_at: Unix seconds (``expire``).
    :ivar payload: ``""``, or JSON as text, such as :func:`room_payload` returns.
    """

    app_id: int
    user_id: str
    nonce: int
    issued_at: int
    expires_at: int
    payload: str = ""


class DecodedToken(NamedTuple):
    """An opened token.

    :ivar claims: what was sealed in it.
    :ivar cipher: how it was sealed.
    :ivar header_expires_at: the expiry that is readable without the secret, Unix seconds.
    """

    claims: Claims
    cipher: Cipher
    header_expires_at: int


class Envelope(NamedTuple):
    """The parts of a token that are readable without the secret."""

    expires_at: int
    cipher: Cipher
    iv: bytes
    sealed: bytes


def mint(
    app_id: int,
    user_id: str,
    server_secret: str,
    *,
    issued_at: int,
    lifetime_seconds: int,
    payload: str = "",
    cipher: Cipher = "gcm",
) -> str:
    """Make a new token. Its nonces come from the operating system, so no two tokens are alike.

    It checks every argument; the secret only once, because it keeps the cipher for the next tokens.
    It does not parse the payload, which :func:`room_payload` writes, and accepts users that the
    SDKs do not: callers check those with :mod:`zego.identifiers`.

    :param issued_at: now, in Unix seconds.
    :param lifetime_seconds: 1 to 2 073 600 (24 days).
    :raises ClaimsError: a value is outside its bounds.
    :raises SecretError: the secret is not 32 bytes long.
    """
    if not 1 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
        raise ClaimsError(f"lifetime_seconds must be 1 to {MAX_LIFETIME_SECONDS}")
    expires_at = issued_at + lifetime_seconds
    if cipher != "gcm" or type(server_secret) is not str:
        nonce = int.from_bytes(os.urandom(4), "big") & _NONCE_MASK
        claims = Claims(app_id, user_id, nonce, issued_at, expires_at, payload)
        return encode(claims, server_secret, cipher=cipher)
    nonce, iv = _nonce_and_iv.unpack(os.urandom(4 + 12))
    plaintext = _plaintext(app_id, user_id, nonce & _NONCE_MASK, issued_at, expires_at, payload)
    return _seal_gcm(_kept_gcm(server_secret), plaintext, expires_at, iv)


def encode(
    claims: Claims, server_secret: str, *, cipher: Cipher = "gcm", iv: bytes | None = None
) -> str:
    """Seal claims into a token.

    :param iv: 12 bytes for GCM, 16 for CBC; drawn from the operating system unless given.
        Never give the same one twice with the same secret, except in tests.
    :raises ClaimsError: a claim is outside its bounds, or the claims are too long for a token.
    :raises SecretError: the secret is not 32 bytes long.
    """
    length = _iv_length(cipher)
    if iv is None:
        iv = os.urandom(length)
    elif len(iv) != length:
        raise Token04Error(f"the IV has {len(iv)} bytes; {cipher} takes {length}")
    key = _key(server_secret, lengths=(32,))
    return seal(to_plaintext(claims), claims.expires_at, key, cipher=cipher, iv=iv)


def decode(token: str, server_secret: str) -> DecodedToken:
    """Open a token and read its claims. The caller must check whether it has expired.

    :param server_secret: 32 bytes; 16 and 24 are also accepted, as in the vendor's decoders.
    :raises FormatError: it is not a Token04, or is damaged.
    :raises SealError: it was made with another secret, or altered.
    :raises ClaimsError: it opens, but ZEGO does not accept the claims.
    :raises ExpiryMismatchError: it opens, but the readable expiry was changed.
    :raises SecretError: the secret cannot be an AES key.
    """
    envelope = parse(token)
    key = _key(server_secret, lengths=(32, 24, 16))
    claims = _from_plaintext(unseal(envelope, key), envelope.cipher)
    if claims.expires_at != envelope.expires_at:
        raise ExpiryMismatchError(
            f"the readable expiry is {envelope.expires_at}, the sealed one {claims.expires_at}:"
            " the token was altered after it was made"
        )
    return DecodedToken(claims, envelope.cipher, envelope.expires_at)


def room_payload(
    room_id: str, *, login: bool, publish: bool, stream_ids: tuple[str, ...] | None = None
) -> str:
    """The payload of a privilege token: what the user may do in one room.

    :param stream_ids: the streams that may be published; ``None`` allows any.

    ZEGO enforces it only if its support has switched privileges on for the AppID.
    """
    streams = "null" if stream_ids is None else f"[{','.join(map(_json_string, stream_ids))}]"
    return (
        f'{{"room_id":{_json_string(room_id)},"privilege":{{"1":{login:d},"2":{publish:d}}},'
        f'"stream_id_list":{streams}}}'
    )


def parse(token: str) -> Envelope:
    """Read the envelope of a token. This needs no secret and proves nothing.

    :raises FormatError: it is not a Token04, or is damaged; the message says where.
    """
    expires_at, iv, sealed, mode = _take_apart(_binary(token))
    if mode not in (b"", b"\x00", _GCM_MODE):
        raise FormatError(f"unknown mode {mode[0]}; 1 is GCM, 0 or no mode is CBC")
    cipher: Cipher = "gcm" if mode == _GCM_MODE else "cbc"
    if len(iv) != _IV_LENGTH[cipher]:
        expected = _IV_LENGTH[cipher]
        raise FormatError(f"the IV has {len(iv)} bytes; {cipher.upper()} takes {expected}")
    if cipher == "gcm" and len(sealed) <= _GCM_TAG_LENGTH:
        raise FormatError(f"{len(sealed)} sealed bytes are too few for claims and a tag")
    if cipher == "cbc" and (not sealed or len(sealed) % 16):
        raise FormatError(f"{len(sealed)} sealed bytes are not a whole number of CBC blocks")
    return Envelope(expires_at, cipher, iv, sealed)


def seal(plaintext: bytes, expires_at: int, key: bytes, *, cipher: Cipher, iv: bytes) -> str:
    """Encrypt a plaintext and wrap it as a token. Use :func:`encode`, which also checks claims.

    :raises ClaimsError: the plaintext is too long for the envelope's 16-bit length.
    """
    if cipher == "gcm":
        return _seal_gcm(AESGCM(key), plaintext, expires_at, iv)
    return _seal_cbc(key, plaintext, expires_at, iv)


def unseal(envelope: Envelope, key: bytes) -> bytes:
    """Decrypt the claims. CBC has no tag: it may return other bytes than were sealed.

    :raises SealError: the key is wrong, or the token was altered.
    """
    return _open_gcm(envelope, key) if envelope.cipher == "gcm" else _open_cbc(envelope, key)


def to_plaintext(claims: Claims) -> bytes:
    """The claims as ZEGO's generators write them: UTF-8, no white space, keys in this order.

    :raises ClaimsError: a claim is outside its bounds.
    """
    nonce = claims.nonce
    if type(nonce) is not int or not -_INT64_MAX - 1 <= nonce <= _INT64_MAX:
        raise ClaimsError(_wrong("nonce", nonce, "a 64-bit integer"))
    return _plaintext(*claims)


def _plaintext(
    app_id: int, user_id: str, nonce: int, issued_at: int, expires_at: int, payload: str
) -> bytes:
    """Check the claims and write them. The nonce is a 64-bit integer: the caller has checked it."""
    if type(app_id) is not int or not 0 < app_id <= MAX_APP_ID:
        raise ClaimsError(_wrong("app_id", app_id, "a number from 1 to 4294967295"))
    if type(user_id) is not str or not user_id:
        raise ClaimsError(_wrong("user_id", user_id, "a non-empty string"))
    if type(issued_at) is not int or not 0 <= issued_at <= _INT64_MAX:
        raise ClaimsError(_wrong("ctime", issued_at, "a time in Unix seconds"))
    if type(expires_at) is not int or not 0 <= expires_at <= _INT64_MAX:
        raise ClaimsError(_wrong("expire", expires_at, "a time in Unix seconds"))
    if type(payload) is not str:
        raise ClaimsError(_wrong("payload", payload, "a string (JSON as text, or empty)"))
    try:
        return (
            f'{{"app_id":{app_id},"user_id":{_json_string(user_id)},"nonce":{nonce},'
            f'"ctime":{issued_at},"expire":{expires_at},"payload":{_json_string(payload)}}}'
        ).encode()
    except UnicodeEncodeError:
        raise ClaimsError("user_id or payload contains an unpaired surrogate") from None


def _from_plaintext(plaintext: bytes, cipher: Cipher) -> Claims:
    """Read the claims; the keys may be in any order.

    :raises SealError: it is not JSON, and CBC cannot tell whether the key was the right one.
    :raises ClaimsError: :func:`to_plaintext` would not write such claims.
    """
    try:
        values = json.loads(plaintext.decode())
    except (ValueError, RecursionError):
        if cipher == "cbc":  # it has no tag that would show a wrong key
            raise _not_opened() from None
        raise ClaimsError("the sealed claims are not JSON") from None
    if not isinstance(values, dict):
        raise ClaimsError("the sealed claims are JSON, but not an object")
    missing = [name for name in _JSON_NAMES if name not in values]
    if missing:
        raise ClaimsError(f"the sealed claims lack {', '.join(missing)}")
    claims = Claims(*(values[name] for name in _JSON_NAMES))
    to_plaintext(claims)  # refuses what encode would refuse
    return claims


def _wrong(name: str, value: object, expected: str) -> str:
    """Describe a wrong claim by its type, or by its value if that is a number."""
    if type(value) is int:
        shown = str(value) if abs(value) < 2**64 else "one out of range"
    else:
        shown = "an empty one" if value == "" else strict_json.type_name(value)
    return f"{name} must be {expected}, not {shown}"


def _key(server_secret: str, *, lengths: tuple[int, ...]) -> bytes:
    if not isinstance(server_secret, str):
        raise SecretError(f"a ServerSecret is text, not {type(server_secret).__name__}")
    try:
        key = server_secret.encode()
    except UnicodeEncodeError:
        raise SecretError("the ServerSecret contains an unpaired surrogate") from None
    if len(key) not in lengths:
        raise SecretError(f"the ServerSecret has {len(key)} bytes; ZEGO's have {lengths[0]}")
    return key


def _iv_length(cipher: Cipher) -> int:
    if cipher not in _IV_LENGTH:
        raise Token04Error(f"cipher is {cipher!r}; it must be 'gcm' or 'cbc'")
    return _IV_LENGTH[cipher]


def _binary(token: str) -> bytes:
    """The envelope's bytes. A token can be written in one way only: padded base64."""
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
    """Split into expiry, IV, sealed claims and mode, by the lengths in the envelope."""
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
        raise TruncatedError(f"the token ends {missing} bytes before the end of its sealed claims")
    if len(binary) > sealed_end + 1:
        raise TrailingBytesError(len(binary) - sealed_end)
    iv = binary[_expire_and_iv_length.size : iv_end]
    return expires_at, iv, binary[sealed_start:sealed_end], binary[sealed_end:]


def _not_opened() -> SealError:
    return SealError(
        "the secret does not open this token: another secret sealed it, or it was altered"
    )


@lru_cache(maxsize=2)
def _kept_gcm(server_secret: str) -> AESGCM:
    """The cipher of a secret that mints: of the current one and, in a rotation, of the next one.

    Building it takes almost half as long as the rest of a token. The cache finds it by the whole
    secret, so a secret never gets the cipher of another one. Threads can share it: each call of
    ``encrypt`` works on a copy of its state.
    """
    return AESGCM(_key(server_secret, lengths=(32,)))


def _seal_gcm(gcm: AESGCM, plaintext: bytes, expires_at: int, iv: bytes) -> str:
    if len(plaintext) > _LONGEST:
        raise _too_long(plaintext)
    sealed = gcm.encrypt(iv, plaintext, None)
    binary = _gcm_head.pack(expires_at, 12, iv, len(sealed)) + sealed + _GCM_MODE
    return PREFIX + b2a_base64(binary, newline=False).decode()


def _seal_cbc(key: bytes, plaintext: bytes, expires_at: int, iv: bytes) -> str:
    if len(plaintext) > _LONGEST:
        raise _too_long(plaintext)
    padder = PKCS7(AES.block_size).padder()
    padded = padder.update(plaintext) + padder.finalize()
    encryptor = BlockCipher(AES(key), CBC(iv)).encryptor()
    sealed = encryptor.update(padded) + encryptor.finalize()
    binary = _cbc_head.pack(expires_at, 16, iv, len(sealed)) + sealed
    return PREFIX + b2a_base64(binary, newline=False).decode()


def _too_long(plaintext: bytes) -> ClaimsError:
    return ClaimsError(f"the claims take {len(plaintext)} bytes; a token has room for {_LONGEST}")


def _open_gcm(envelope: Envelope, key: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(envelope.iv, envelope.sealed, None)
    except InvalidTag:
        raise _not_opened() from None


def _open_cbc(envelope: Envelope, key: bytes) -> bytes:
    decryptor = BlockCipher(AES(key), CBC(envelope.iv)).decryptor()
    padded = decryptor.update(envelope.sealed) + decryptor.finalize()
    unpadder = PKCS7(AES.block_size).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise _not_opened() from None
