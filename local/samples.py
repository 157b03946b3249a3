"""Sample requests to the stack, sent from here or as curl commands, and the token they return.

A token is shown shortened, with its claims.
"""

from __future__ import annotations

import json
import shlex
import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.identity_provider import PASSWORD
from local.loopback import HttpResponse, post
from local.stack_file import StackDescription
from zego import token04

SHOWN_CHARACTERS = 10
ROOM = "call_1"

_CURL = "curl -sS -w '\\n'"
_JSON = "-H 'content-type: application/json'"
_EXTRACT = 'sed \'s/.*"access_token": *"\\([^"]*\\)".*/\\1/\''


def log_in(identity_provider: str, username: str) -> str:
    """Returns a bearer token of the development identity provider for `username`."""
    form = {"grant_type": "password", "username": username, "password": PASSWORD}
    answer = post(
        f"{identity_provider}/token",
        urllib.parse.urlencode(form).encode(),
        {"content-type": "application/x-www-form-urlencoded"},
    )
    return str(answer.json()["access_token"])


def request_token(
    api: str, identity_provider: str, username: str, room_id: str = ROOM
) -> HttpResponse:
    """Returns the response to a request for a token for a room, as a user's frontend sends it."""
    bearer = log_in(identity_provider, username)
    return post(f"{api}/v1/tokens", {"room_id": room_id}, {"authorization": f"Bearer {bearer}"})


def curl_bearer(stack: StackDescription) -> str:
    """The request of a frontend: gets a bearer token, then with it a token for a room."""
    return _with_bearer(stack, "/v1/tokens", '{"room_id": "call_1"}')


def curl_call(stack: StackDescription) -> str:
    """The request with which a frontend calls another user."""
    return _with_bearer(stack, "/v1/calls", '{"callees": ["bob"]}')


def _with_bearer(stack: StackDescription, path: str, body: str) -> str:
    login = f"grant_type=password&username=alice&password={PASSWORD}"
    return _lines(
        f"{_CURL} {stack.api}{path}",
        f"{_JSON} -d '{body}'",
        f"""-H "authorization: Bearer $(curl -sS {stack.identity_provider}/token""",
        f"""  -d '{login}' | {_EXTRACT})\"""",
    )


def curl_signed(stack: StackDescription) -> str:
    """The request of a backend for one of its users, signed with the development key pair."""
    keys = f"{stack.access_key_id}:{stack.secret_access_key}"
    return _lines(
        f"{_CURL} {stack.api}/v1/service/tokens",
        _JSON + """ -d '{"user_id": "bob", "room_id": "call_1"}'""",
        f"--aws-sigv4 aws:amz:{stack.region}:execute-api --user {shlex.quote(keys)}",
    )


def curl_health(stack: StackDescription) -> str:
    """The health check."""
    return f"{_CURL} {stack.api}/v1/health"


def curl_reset(stack: StackDescription) -> str:
    """Resets the secret at the stand-in for ZEGO's console, which responds with the new one."""
    return f"curl -sS {_JSON} -d '{{}}' {stack.zego}/console/reset"


def shortened(token: str) -> str:
    """Returns a token's start and length: enough to recognise it, too little to use it."""
    return f"{token[:SHOWN_CHARACTERS]}... ({len(token)} characters)"


def token_table(token: str, server_secret: str) -> str:
    """Returns the token's claims, one per line. Raises `Token04Error` if it cannot be decoded."""
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


def _lines(*parts: str) -> str:
    return " \\\n  ".join(parts)


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
