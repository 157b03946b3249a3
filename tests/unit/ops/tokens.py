"""Valid and invalid tokens for the tests of `zego-token inspect`."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from zego import token04
from zego.token04 import Cipher

SECRET = "0123456789abcdef" * 2
OTHER_SECRET = "fedcba9876543210" * 2
APP_ID = 1234567890
#: Unix seconds.
NOW = 1_800_000_000
PAYLOAD = token04.room_payload("call_0123", login=True, publish=True)


def token(
    secret: str = SECRET,
    *,
    issued_at: int = NOW - 60,
    user_id: str = "alice",
    payload: str = "",
    cipher: Cipher = "gcm",
) -> str:
    """A token that lives for an hour."""
    return token04.mint(
        APP_ID,
        user_id,
        secret,
        issued_at=issued_at,
        lifetime_seconds=3600,
        payload=payload,
        cipher=cipher,
    )


def room_token() -> str:
    """A token for the room ``call_0123``."""
    return token(payload=PAYLOAD)


def sealed(claims: Mapping[str, object], *, expires_at: int = NOW + 3600) -> str:
    """A token with any claims in a valid envelope."""
    plaintext = json.dumps(claims).encode()
    return token04.seal(plaintext, expires_at, SECRET.encode(), cipher="gcm", iv=bytes(range(12)))


def kit_token() -> str:
    """A kit token for UIKit, made from a valid token."""
    details = {"userID": "alice", "roomID": "call_0123", "userName": "Alice", "appID": APP_ID}
    return f"{room_token()}#{base64.b64encode(json.dumps(details).encode()).decode()}"


def jwt() -> str:
    """The JWT that was used as a token in the incident that led to this project."""
    head, body = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in ({"alg": "HS256", "typ": "JWT"}, {"userId": "alice", "exp": NOW + 3600})
    )
    return f"{head}.{body}.{'q' * 43}"


def broken(text: str, width: int = 76) -> str:
    """A text, broken into lines as a mail program does."""
    return "\n".join(text[start : start + width] for start in range(0, len(text), width))
