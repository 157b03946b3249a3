"""A token as a person reads it: shortened, with its claims beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zego import token04

SHOWN_CHARACTERS = 10


def shortened(token: str) -> str:
    """The beginning of a token and its length: enough to recognize it, too little to use it."""
    return f"{token[:SHOWN_CHARACTERS]}... ({len(token)} characters)"


def table(token: str, server_secret: str) -> str:
    """The token's claims, a line each. Raises `token04.Token04Error` where it cannot be decoded."""
    decoded = token04.decode(token, server_secret)
    claims = decoded.claims
    lifetime = claims.expires_at - claims.issued_at
    rows = {
        "token": f"{shortened(token)}, AES-{decoded.cipher.upper()}",
        "app_id": str(claims.app_id),
        "user_id": claims.user_id,
        "payload": _payload(claims.payload),
        "issued_at": _moment(claims.issued_at),
        "expires_at": f"{_moment(claims.expires_at)}, {lifetime} s later",
        "nonce": str(claims.nonce),
    }
    return "\n".join(f"{name:<12}{value}" for name, value in rows.items())


def _payload(payload: str) -> str:
    if not payload:
        return "none: an identity token"
    grant: Mapping[str, Any] = json.loads(payload)
    privileges = grant["privilege"]
    said = {"1": "login", "2": "publish"}
    may = ", ".join(
        f"{name} {'yes' if privileges.get(key) else 'no'}" for key, name in said.items()
    )
    streams = grant["stream_id_list"]
    which = "any stream" if streams is None else f"streams {', '.join(streams)}"
    return f"room {grant['room_id']}: {may}, {which}"


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
