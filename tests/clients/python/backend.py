"""A backend with the client under test. Its clock moves only when the client waits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import botocore.session

from local.loopback import LoopbackServer
from tests.support.clock import Clock
from tests.unit.zego.scripted_server import Reply, ScriptedServer, reply
from zego_token_client import TokenClient

REGION: Final = "eu-central-1"
KEY_ID: Final = "invented-key-id"
SECRET_KEY: Final = "made-up-secret-access-key"
SESSION_TOKEN: Final = "invented-session-token"
#: Has the form of a Token04 but is clearly not one of ZEGO's.
TOKEN: Final = "04" + "QUJD" * 30
REQUEST_ID: Final = "made-up-request-0001"

#: The response to a request for a token for Bob without a room.
ISSUED: Final[Mapping[str, Any]] = {
    "token": TOKEN,
    "app_id": 1234567890,
    "user_id": "bob",
    "room_id": None,
    "privileges": {"login": True, "publish": True},
    "stream_ids": None,
    "issued_at": 1700000000,
    "expires_at": 1700003600,
    "renew_at": 1700003300,
    "request_id": REQUEST_ID,
}

#: The response to a request for a call.
CALL: Final[Mapping[str, Any]] = {
    **ISSUED,
    "room_id": "call_1",
    "call_id": "1",
    "callees": [],
    "event_accepted": None,
}


def answer(
    values: object,
    status: int = 201,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """A response, after which the server closes the connection."""
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    named = {"Content-Type": media_type, "Connection": "close", **(headers or {})}
    return reply(status, body, named)


def problem(
    code: str, status: int, *, retryable: bool = False, headers: Mapping[str, str] | None = None
) -> Reply:
    """A refusal of the service."""
    values = {
        "type": f"urn:zego-token-service:problem:{code}",
        "title": "Made up",
        "status": status,
        "detail": "Made up.",
        "code": code,
        "request_id": REQUEST_ID,
        "retryable": retryable,
    }
    return answer(values, status, "application/problem+json", headers)


class Backend:
    """Creates clients whose waits take no time and have the longest possible jitter.

    :ivar waits: the seconds of each wait, in order.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.waits: list[float] = []
        self.session = _session()

    def client(self, server: ScriptedServer | LoopbackServer, **settings: Any) -> TokenClient:
        """A client of a server that plays API Gateway."""
        given: dict[str, Any] = {
            "session": self.session,
            "region": REGION,
            "clock": self.clock,
            "sleep": self._wait,
            "random": lambda: 1.0,
        }
        return TokenClient(server.url, **(given | settings))

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.clock.turn(seconds)


@cache
def _session() -> botocore.session.Session:
    """One session for all backends, because creating one is slow."""
    session = botocore.session.Session()
    session.set_credentials(KEY_ID, SECRET_KEY, SESSION_TOKEN)
    return session
