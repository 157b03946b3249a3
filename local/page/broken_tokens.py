"""Tokens and a secret with common mistakes, which ZEGO refuses."""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64encode
from collections.abc import Mapping

import jwt

from zego import token04
from zego.server_secret import ServerSecret

LIFETIME_SECONDS = 3600
MISTAKES: Mapping[str, str] = {
    "jwt": "A JWT",
    "other-secret": "Another secret",
    "other-app": "Another AppID",
    "other-user": "Another user",
    "expired": "Expired",
    "quoted": "In quotes",
    "cut": "Cut off",
    "signed": "Signed, not encrypted",
    "hex-key": "Key hex-decoded",
    "little-endian": "Expiry little-endian",
}
"""The mistakes that `broken_token` can make, and what the page calls them."""


def broken_token(mistake: str, secret: ServerSecret, user_id: str, now: int) -> str:
    """Returns a token with one of `MISTAKES`; `secret` is the current one, `now` in Unix seconds.

    Raises `ClaimsError` if no token can be for this user.
    """
    app_id, value, issued_at = secret.app_id, secret.value, now
    match mistake:
        case "jwt":
            claims = {"sub": user_id, "iat": now, "exp": now + LIFETIME_SECONDS}
            return jwt.encode(claims, secrets.token_bytes(32))
        case "other-secret":
            value = secrets.token_hex(16)
        case "other-app":
            app_id += 1
        case "other-user":
            user_id += "_2"
        case "expired":
            issued_at -= 2 * LIFETIME_SECONDS
        case "signed" | "hex-key" | "little-endian":
            return _of_own_generator(mistake, secret, user_id, now)
    token = token04.mint(
        app_id, user_id, value, issued_at=issued_at, lifetime_seconds=LIFETIME_SECONDS
    )
    if mistake == "quoted":
        return json.dumps(token)
    return token[:80] if mistake == "cut" else token


def _of_own_generator(mistake: str, secret: ServerSecret, user_id: str, now: int) -> str:
    """A token as code makes it that someone wrote instead of using one of ZEGO's generators."""
    expires_at, key = now + LIFETIME_SECONDS, secret.value.encode()
    claims = token04.to_plaintext(token04.Claims(secret.app_id, user_id, 1, now, expires_at))
    if mistake == "signed":
        signed = claims + hmac.digest(key, claims, "sha256")
        return token04.PREFIX + b64encode(signed).decode()
    if mistake == "hex-key":
        key = bytes.fromhex(secret.value)
    else:
        expires_at = int.from_bytes(expires_at.to_bytes(8), "little", signed=True)
    return token04.seal(claims, expires_at, key, cipher="cbc", iv=secrets.token_bytes(16))


def mistyped(secret: ServerSecret) -> ServerSecret:
    """Returns the secret with its last character mistyped."""
    last = "1" if secret.value.endswith("0") else "0"
    return ServerSecret(secret.app_id, secret.value[:-1] + last)
