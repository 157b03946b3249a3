"""The example backends give a user's own tokens to the user, and calls to the callees' pages."""

from __future__ import annotations

import http.client
import json
import runpy
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from fastapi import HTTPException

from local.loopback import HttpResponse, post
from local.stack import LocalStack
from tests.support.example_apps import COMMANDS, EXAMPLES, KEY, OLD_KEY, ringing_stack, serving_app
from zego import token04

LINES: Final = 40


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    with ringing_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture(scope="module", params=sorted(COMMANDS))
def app(
    request: pytest.FixtureRequest, stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with serving_app(request.param, stack, tmp_path_factory.mktemp("app")) as url:
        yield url


class User:
    """A user who has signed in to the app."""

    def __init__(self, app: str, name: str) -> None:
        self._app = app
        started = send(app, "/login", {"user": name})
        assert started.status == 204
        cookie = {name.lower(): value for name, value in started.headers}["set-cookie"]
        assert "HttpOnly" in cookie
        self.cookie = {"cookie": cookie.partition(";")[0]}

    def post(self, path: str, document: object) -> HttpResponse:
        return send(self._app, path, document, self.cookie)

    @contextmanager
    def page(self) -> Iterator[Iterator[dict[str, Any]]]:
        """The calls that an open page gets. The page is open when the block begins."""
        connection = http.client.HTTPConnection(urlsplit(self._app).netloc, timeout=60)
        with closing(connection):
            connection.request("GET", "/events", headers=self.cookie)
            stream = connection.getresponse()
            assert stream.headers.get_content_type() == "text/event-stream"
            assert stream.readline().startswith(b":")

            def calls() -> Iterator[dict[str, Any]]:
                while line := stream.readline():
                    if line.startswith(b"data: "):
                        yield json.loads(line.removeprefix(b"data: "))

            yield calls()


def send(
    app: str, path: str, document: object, headers: dict[str, str] | None = None
) -> HttpResponse:
    named = {"content-type": "application/json", **(headers or {})}
    return post(f"{app}{path}", json.dumps(document).encode(), named)


def event(call_id: str, *callees: str, caller: str = "carol") -> dict[str, Any]:
    """The event of a call as EventBridge posts it, with the fields that DESIGN names."""
    now = int(time.time())
    detail = {
        "call_id": call_id,
        "room_id": f"call_{call_id}",
        "app_id": 1234567890,
        "caller": caller,
        "callees": list(callees),
        "called_at": now,
        "expires_at": now + 7200,
        "request_id": "made-up",
    }
    return {"source": "zego-token-service", "detail-type": "Incoming Call", "detail": detail}


def notify(app: str, document: object, key: str = KEY) -> int:
    return send(app, "/incoming-call", document, {"x-incoming-call-key": key}).status


def named(issued: dict[str, Any], name: str) -> Any:
    """A field of a token, which the app sends in snake_case or camelCase."""
    first, *rest = name.split("_")
    return issued.get(name, issued.get(first + "".join(map(str.capitalize, rest))))


def test_a_call_reaches_the_callees_page_and_both_get_their_own_tokens(
    app: str, stack: LocalStack
) -> None:
    alice, bob, eve = (User(app, name) for name in ("alice", "bob", "eve"))
    with bob.page() as calls:
        started = alice.post("/calls", {"callees": ["bob"], "idempotencyKey": "invitation-1"})
        assert started.status == 201
        call = started.json()
        assert (named(call, "user_id"), named(call, "event_accepted")) == ("alice", True)
        ring = next(calls)
    assert (ring["caller"], ring["call_id"]) == ("alice", named(call, "call_id"))
    room = {"roomId": ring["room_id"]}

    answered = bob.post("/zego-token", room)
    assert answered.status == 201
    for issued, user in ((call, "alice"), (answered.json(), "bob")):
        claims = token04.decode(issued["token"], stack.secrets_manager.server_secret).claims
        assert (claims.user_id, named(issued, "user_id")) == (user, user)
        assert json.loads(claims.payload)["room_id"] == ring["room_id"]

    assert eve.post("/zego-token", room).status == 403
    assert send(app, "/zego-token", room).status == 401
    assert bob.post("/zego-token", {"roomId": "call_of_others"}).status == 403


def test_the_body_of_a_request_does_not_choose_the_user(app: str) -> None:
    alice, bob = User(app, "alice"), User(app, "bob")
    room = named(alice.post("/calls", {"callees": ["bob"]}).json(), "room_id")
    for name in ("userId", "user_id"):
        chosen = bob.post("/zego-token", {"roomId": room, name: "alice"})
        assert chosen.status == 422 or named(chosen.json(), "user_id") == "bob"


@pytest.mark.parametrize("key", ["", "another", KEY[:-1], f"{OLD_KEY} {KEY}"], ids=repr)
def test_an_event_with_a_wrong_key_is_refused(app: str, key: str) -> None:
    assert notify(app, event("forged", "bob"), key) == 401


def test_the_right_to_enter_a_room_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEGO_TOKENS_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("INCOMING_CALL_KEYS", KEY)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    app = runpy.run_path(str(EXAMPLES / "fastapi" / "app.py"))
    app["may_enter"]["call_1", "bob"] = time.time() - 1
    with pytest.raises(HTTPException, match="not in this call"):
        app["issue_token"]("bob", app["TokenRequest"](roomId="call_1"))


def test_an_event_opens_no_room(app: str) -> None:
    """Whoever has the key can make pages ring, and gets no token with it: docs/calls.md."""
    assert notify(app, event("leaked", "eve")) == 204
    assert User(app, "eve").post("/zego-token", {"roomId": "call_leaked"}).status == 403


def test_a_repeated_event_is_not_shown_again(app: str) -> None:
    dave = User(app, "dave")
    with dave.page() as calls:
        assert notify(app, event("first", "dave")) == 204
        assert notify(app, event("first", "dave"), OLD_KEY) == 204  # while the key is rotated
        assert notify(app, event("second", "dave")) == 204
        assert [next(calls)["call_id"], next(calls)["call_id"]] == ["first", "second"]


def test_a_user_who_is_added_to_a_call_is_notified(app: str) -> None:
    dave, erin = User(app, "dave"), User(app, "erin")
    with dave.page() as of_dave, erin.page() as of_erin:
        assert notify(app, event("grows", "dave")) == 204
        assert notify(app, event("grows", "dave", "erin")) == 204
        assert next(of_erin)["call_id"] == "grows"
        assert notify(app, event("later", "dave")) == 204
        assert [next(of_dave)["call_id"], next(of_dave)["call_id"]] == ["grows", "later"]


def test_a_refusal_of_the_service_has_its_code_and_no_detail(app: str) -> None:
    refused = User(app, "alice").post("/calls", {"callees": ["alice"]})
    said = refused.json()
    assert (refused.status, said["code"], said["retryable"]) == (403, "invalid_callees", False)
    assert said["request_id"]
    assert "log has the reason" in said["detail"]


def test_events_and_calls_need_a_session(app: str) -> None:
    assert send(app, "/calls", {"callees": ["bob"]}).status == 401
    with closing(http.client.HTTPConnection(urlsplit(app).netloc, timeout=60)) as connection:
        connection.request("GET", "/events", headers={"cookie": "session=made-up"})
        assert connection.getresponse().status == 401


def test_a_body_that_is_not_json_is_refused_without_a_stack_trace(app: str) -> None:
    headers = {"content-type": "application/json", "x-incoming-call-key": KEY}
    refused = post(f"{app}/incoming-call", b"{", headers)
    assert 400 <= refused.status < 500
    assert b".js:" not in refused.body
    assert b".py" not in refused.body


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_readme_is_short(name: str) -> None:
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= LINES
