"""Tokens and a secret that ZEGO refuses, each as somebody once made it by mistake."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zego import token04
from zego.server_secret import ServerSecret

LIFETIME_SECONDS = 3600


@dataclass(frozen=True)
class Mistake:
    """A way to make a token that is refused.

    `make` takes the current secret, a user id and the time, in Unix seconds.
    """

    says: str
    make: Callable[[ServerSecret, str, int], str]


def _jwt(_secret: ServerSecret, user_id: str, now: int) -> str:
    """Looks as if a JWT library had made it; the signature is chance."""
    claims = {"sub": user_id, "iat": now, "exp": now + LIFETIME_SECONDS}
    parts = (json.dumps({"alg": "HS256", "typ": "JWT"}).encode(), json.dumps(claims).encode())
    return ".".join(map(_base64url, (*parts, secrets.token_bytes(32))))


def _of_another_secret(secret: ServerSecret, user_id: str, now: int) -> str:
    return _minted(ServerSecret(secret.app_id, secrets.token_hex(16)), user_id, now)


def _of_another_app(secret: ServerSecret, user_id: str, now: int) -> str:
    return _minted(ServerSecret(secret.app_id + 1, secret.value), user_id, now)


def _expired(secret: ServerSecret, user_id: str, now: int) -> str:
    return _minted(secret, user_id, now - 2 * LIFETIME_SECONDS)


def _of_nobody(secret: ServerSecret, user_id: str, now: int) -> str:
    return _minted(secret, f"{user_id}_2", now)


def _quoted(secret: ServerSecret, user_id: str, now: int) -> str:
    return json.dumps(_minted(secret, user_id, now))


def _cut(secret: ServerSecret, user_id: str, now: int) -> str:
    return _minted(secret, user_id, now)[:80]


MISTAKES: Mapping[str, Mistake] = {
    "jwt": Mistake("A JWT", _jwt),
    "other-secret": Mistake("Another secret", _of_another_secret),
    "other-app": Mistake("Another AppID", _of_another_app),
    "other-user": Mistake("Another user", _of_nobody),
    "expired": Mistake("Expired", _expired),
    "quoted": Mistake("In quotes", _quoted),
    "cut": Mistake("Cut off", _cut),
}


def mistyped(secret: ServerSecret) -> ServerSecret:
    """Returns the secret with its last character mistyped."""
    last = "1" if secret.value.endswith("0") else "0"
    return ServerSecret(secret.app_id, secret.value[:-1] + last)


def _minted(secret: ServerSecret, user_id: str, now: int) -> str:
    return token04.mint(
        secret.app_id, user_id, secret.value, issued_at=now, lifetime_seconds=LIFETIME_SECONDS
    )


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
