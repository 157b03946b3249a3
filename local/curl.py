"""The same requests as curl commands, to be pasted into a shell as they are."""

from __future__ import annotations

import shlex

from local.identity_provider import PASSWORD
from local.stack_file import StackDescription

_CURL = "curl -sS -w '\\n'"
_JSON = "-H 'content-type: application/json'"
_EXTRACT = 'sed \'s/.*"access_token": *"\\([^"]*\\)".*/\\1/\''


def bearer(stack: StackDescription, *, username: str = "alice") -> str:
    """A frontend's way: a bearer token from the identity provider, then a token for a room."""
    login = f"grant_type=password&username={username}&password={PASSWORD}"
    return _lines(
        f"{_CURL} {stack.api}/v1/tokens",
        _JSON + """ -d '{"room_id": "call_1"}'""",
        f"""-H "authorization: Bearer $(curl -sS {stack.identity_provider}/token""",
        f"""  -d '{login}' | {_EXTRACT})\"""",
    )


def signed(stack: StackDescription) -> str:
    """A backend's way: a request signed with the development key pair, for a named user."""
    keys = f"{stack.access_key_id}:{stack.secret_access_key}"
    return _lines(
        f"{_CURL} {stack.api}/v1/service/tokens",
        _JSON + """ -d '{"user_id": "bob", "room_id": "call_1"}'""",
        f"--aws-sigv4 aws:amz:{stack.region}:execute-api --user {shlex.quote(keys)}",
    )


def health(stack: StackDescription) -> str:
    """Whether the API is alive."""
    return f"{_CURL} {stack.api}/v1/health"


def reset(stack: StackDescription) -> str:
    """Reset the secret at the console of ZEGO's stand-in; it answers with the new one."""
    return f"curl -sS {_JSON} -d '{{}}' {stack.zego}/console/reset"


def _lines(*parts: str) -> str:
    return " \\\n  ".join(parts)
