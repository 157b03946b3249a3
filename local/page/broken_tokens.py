"""Tokens and a secret with common mistakes, which ZEGO refuses."""

from __future__ import annotations

import json
import secrets
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
    token = token04.mint(
        app_id, user_id, value, issued_at=issued_at, lifetime_seconds=LIFETIME_SECONDS
    )
    if mistake == "quoted":
        return json.dumps(token)
    return token[:80] if mistake == "cut" else token


def mistyped(secret: ServerSecret) -> ServerSecret:
    """Returns the secret with its last character mistyped."""
    last = "1" if secret.value.endswith("0") else "0"
    return ServerSecret(secret.app_id, secret.value[:-1] + last)
