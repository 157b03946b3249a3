"""The Token04 codec: what ZEGO's SDKs take as a token, byte for byte.

A token is ``"04"`` followed by the base64 of a binary envelope, integers big-endian::

    expire      int64   Unix seconds; readable without the secret, and not authenticated
    iv length   uint16  16 for CBC, 12 for GCM
    iv          bytes
    length      uint16  of the sealed claims
    sealed      bytes   AES-CBC with PKCS#7, or AES-GCM ciphertext and its 16-byte tag (no AAD)
    mode        uint8   1 for GCM; absent (or 0) for CBC

The sealed plaintext is a JSON object, the :class:`Claims`. The key is the raw text of the
ServerSecret: it looks like hexadecimal and is *not* decoded. It is neither a JWT nor an HMAC.

Source: the vendor's published token generators in seven languages, whose tokens are in
``tests/vectors/token04.json``.
"""

from __future__ import annotations

import os
from typing import Final

from zego.token04.claims import (
    MAX_APP_ID,
    Claims,
    Decoded,
    from_plaintext,
    room_payload,
    to_plaintext,
)
from zego.token04.envelope import PREFIX, Cipher, Envelope, iv_length, parse, seal, unseal
from zego.token04.errors import (
    ClaimsError,
    ExpiryMismatchError,
    FormatError,
    SealError,
    SecretError,
    Token04Error,
    TrailingBytesError,
    TruncatedError,
)

__all__ = [
    "MAX_APP_ID",
    "MAX_LIFETIME_SECONDS",
    "PREFIX",
    "Cipher",
    "Claims",
    "ClaimsError",
    "Decoded",
    "Envelope",
    "ExpiryMismatchError",
    "FormatError",
    "SealError",
    "SecretError",
    "Token04Error",
    "TrailingBytesError",
    "TruncatedError",
    "decode",
    "encode",
    "mint",
    "parse",
    "room_payload",
    "seal",
    "unseal",
]

#: Longest lifetime that both ZIM and the web SDK's timers can follow: 24 days, in seconds.
MAX_LIFETIME_SECONDS: Final = 24 * 24 * 3600

_NONCE_MASK: Final = 2**31 - 1


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
    """Make a fresh token: its nonces come from the operating system, so no two are alike.

    :param issued_at: now, in Unix seconds.
    :param lifetime_seconds: 1 to 2 073 600 (24 days).
    :raises ClaimsError: a value is outside its bounds.
    :raises SecretError: the secret is not 32 bytes long.
    """
    if not 1 <= lifetime_seconds <= MAX_LIFETIME_SECONDS:
        raise ClaimsError(f"lifetime_seconds must be 1 to {MAX_LIFETIME_SECONDS}")
    random = os.urandom(4 + iv_length(cipher))
    nonce = int.from_bytes(random[:4], "big") & _NONCE_MASK
    expires_at = issued_at + lifetime_seconds
    claims = Claims(app_id, user_id, nonce, issued_at, expires_at, payload)
    return encode(claims, server_secret, cipher=cipher, iv=random[4:])


def encode(
    claims: Claims, server_secret: str, *, cipher: Cipher = "gcm", iv: bytes | None = None
) -> str:
    """Seal claims into a token.

    :param iv: 12 bytes for GCM, 16 for CBC; drawn from the operating system unless given.
        Never give the same one twice with the same secret, except in tests.
    :raises ClaimsError: a claim is outside its bounds, or all of them are too long for a token.
    :raises SecretError: the secret is not 32 bytes long.
    """
    length = iv_length(cipher)
    if iv is None:
        iv = os.urandom(length)
    elif len(iv) != length:
        raise Token04Error(f"the IV has {len(iv)} bytes; {cipher} takes {length}")
    key = _key(server_secret, lengths=(32,))
    return seal(to_plaintext(claims), claims.expires_at, key, cipher=cipher, iv=iv)


def decode(token: str, server_secret: str) -> Decoded:
    """Open a token and read its claims. Whether it has expired is the caller's question.

    :param server_secret: 32 bytes; 16 and 24 are taken too, as the vendor's decoders do.
    :raises FormatError: not a Token04, or a damaged one.
    :raises SealError: made with another secret, or altered.
    :raises ClaimsError: opened, but the claims are not what ZEGO takes.
    :raises ExpiryMismatchError: opened, but the readable expiry was changed.
    :raises SecretError: the secret cannot be an AES key.
    """
    envelope = parse(token)
    key = _key(server_secret, lengths=(32, 24, 16))
    claims = from_plaintext(unseal(envelope, key), envelope.cipher)
    decoded = Decoded(claims, envelope.cipher, envelope.expires_at)
    if claims.expires_at != envelope.expires_at:
        raise ExpiryMismatchError(
            f"the readable expiry is {envelope.expires_at}, the sealed one {claims.expires_at}:"
            " the token was altered after it was made",
            decoded,
        )
    return decoded


def _key(server_secret: str, *, lengths: tuple[int, ...]) -> bytes:
    if not isinstance(server_secret, str):
        raise SecretError(f"a ServerSecret is text, not {type(server_secret).__name__}")
    try:
        key = server_secret.encode()
    except UnicodeEncodeError:
        raise SecretError("the ServerSecret holds half of a surrogate pair") from None
    if len(key) not in lengths:
        raise SecretError(f"the ServerSecret has {len(key)} bytes; ZEGO's have {lengths[0]}")
    return key
