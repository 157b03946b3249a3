"""The recipe for asyncio in the client's README: the event loop goes on, and calls do not mix."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import pytest

import zego_token_client
from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from tests.clients.python.backend import ISSUED, KEY_ID, REGION, SECRET_KEY
from zego_token_client import IssuedToken

README: Final = Path(zego_token_client.__file__).parents[1] / "README.md"
TOGETHER: Final = 4


class WaitingApi(LoopbackServer):
    """Responds once all requests have arrived and the event loop has said so."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Barrier(TOGETHER + 1)
        self.loop_goes_on = threading.Event()

    def respond(self, request: HttpRequest) -> HttpResponse:
        self.arrived.wait(30)
        if not self.loop_goes_on.wait(30):
            return HttpResponse(503)
        asked = json.loads(request.body)
        issued = {**ISSUED, "user_id": asked["user_id"], "room_id": asked["room_id"]}
        headers = (("content-type", "application/json"),)
        return HttpResponse(201, headers, json.dumps(issued).encode())


def recipe(url: str) -> Callable[[str, str], Awaitable[IssuedToken]]:
    """The function `token_for` of the README, for another API."""
    (text,) = re.findall(
        r"^```python\n(import asyncio\n(?s:.*?))^```$", README.read_text("utf-8"), re.MULTILINE
    )
    names: dict[str, Any] = {}
    exec(text.replace("https://tokens.example.com", url), names)
    recipe: Callable[[str, str], Awaitable[IssuedToken]] = names["token_for"]
    return recipe


def test_calls_run_at_the_same_time_and_the_event_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_REGION", REGION)
    users = [f"user-{number}" for number in range(TOGETHER)]

    async def ask(api: WaitingApi) -> list[IssuedToken]:
        token_for = recipe(api.url)
        waiting = [asyncio.ensure_future(token_for(user, f"room-of-{user}")) for user in users]
        await asyncio.to_thread(api.arrived.wait, 30)
        api.loop_goes_on.set()
        return await asyncio.gather(*waiting)

    # In another thread: a browser of another test may have left a running loop in this one.
    with WaitingApi() as api, ThreadPoolExecutor() as executor:
        issued = executor.submit(asyncio.run, ask(api)).result()
    assert [(each.user_id, each.room_id) for each in issued] == [
        (user, f"room-of-{user}") for user in users
    ]
