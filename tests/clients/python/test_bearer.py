"""A backend outside AWS proves who it is with a bearer token instead of a signature."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from tests.clients.python.backend import CALL, ISSUED, TOKEN, Backend, answer, problem
from tests.clients.python.test_secrecy import BATCH, failure, variables_held, variables_shown
from tests.unit.zego.scripted_server import ScriptedServer, serving
from zego_token_client import CredentialsError, TokenClient, TokenProblem, TokenRequest
from zego_token_client.signed_http import Answer

OLD, NEW = "eyJhbGciOiJFUzI1NiJ9.b2xk.c2lnbmVk", "eyJhbGciOiJFUzI1NiJ9.bmV3.c2lnbmVk"
EXPIRED = problem("bearer_expired", 401)


def client(server: ScriptedServer | LoopbackServer, bearer: Any, **settings: Any) -> TokenClient:
    return Backend().client(server, session=None, region=None, bearer=bearer, **settings)


class Bearers:
    """Returns bearer tokens in turn, the last one again and again."""

    def __init__(self, *bearers: str) -> None:
        self.bearers = bearers
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        return self.bearers[min(self.calls, len(self.bearers)) - 1]


def sent(server: ScriptedServer) -> list[str]:
    return [received.headers["authorization"] for received in server.received]


@pytest.mark.parametrize(
    ("ask", "values", "status", "target", "body"),
    [
        (
            lambda client: client.token("bob", lifetime_seconds=60),
            ISSUED,
            201,
            "/v1/tokens",
            {"user_id": "bob", "lifetime_seconds": 60},
        ),
        (
            lambda client: client.tokens([TokenRequest("bob")]),
            BATCH,
            200,
            "/v1/tokens/batch",
            {"requests": [{"user_id": "bob"}]},
        ),
        (
            lambda client: client.start_call("bob"),
            CALL,
            201,
            "/v1/calls",
            {"user_id": "bob"},
        ),
    ],
    ids=["token", "batch", "call"],
)
def test_a_call_uses_the_routes_for_bearer_tokens_and_names_the_user(
    ask: Callable[[TokenClient], object], values: object, status: int, target: str, body: object
) -> None:
    with serving(answer(values, status)) as server:
        ask(client(server, OLD))
        (received,) = server.received
    assert (received.method, received.target) == ("POST", target)
    assert json.loads(received.body) == body
    assert received.headers["authorization"] == f"Bearer {OLD}"
    assert [name for name in received.headers if name.startswith("x-amz-")] == []


def test_a_function_is_called_again_only_after_a_401() -> None:
    bearers = Bearers(OLD, NEW)
    with serving(answer(ISSUED), answer(ISSUED), EXPIRED, answer(ISSUED), answer(ISSUED)) as server:
        backend = client(server, bearers)
        for _ in range(4):
            assert backend.token("bob").token == TOKEN
        assert sent(server) == [f"Bearer {bearer}" for bearer in (OLD, OLD, OLD, NEW, NEW)]
    assert bearers.calls == 2


def test_a_new_bearer_token_that_is_refused_too_is_an_error() -> None:
    bearers = Bearers(OLD, NEW)
    with serving(EXPIRED, EXPIRED) as server, pytest.raises(TokenProblem) as refused:
        client(server, bearers).token("bob")
    assert (refused.value.code, refused.value.retryable) == ("bearer_expired", False)
    assert bearers.calls == len(server.received) == 2


def test_a_string_is_sent_once() -> None:
    with serving(EXPIRED) as server, pytest.raises(TokenProblem) as refused:
        client(server, OLD).token("bob")
    assert refused.value.code == "bearer_expired"
    assert len(server.received) == 1


def test_a_temporary_failure_is_retried_with_the_same_bearer_token() -> None:
    bearers = Bearers(OLD, NEW)
    with serving(problem("secret_unavailable", 503, retryable=True), answer(ISSUED)) as server:
        client(server, bearers).token("bob")
        assert sent(server) == [f"Bearer {OLD}"] * 2


class Refusing(LoopbackServer):
    """Refuses the old bearer token, and repeats parts of any other in a problem."""

    def respond(self, request: HttpRequest) -> HttpResponse:
        bearer = (request.header("authorization") or "").removeprefix("Bearer ")
        if bearer == NEW:
            return HttpResponse(201, (("content-type", "application/json"),), _json(ISSUED))
        values = {"code": "bearer_expired", "retryable": False, "request_id": bearer[:33]}
        values |= {"detail": f"Not with {bearer[5:14]}.", "help": f"https://x/{bearer}"}
        return HttpResponse(401, (("content-type", "application/problem+json"),), _json(values))


def _json(values: object) -> bytes:
    return json.dumps(values).encode()


def test_threads_whose_bearer_token_has_expired_share_the_next_one() -> None:
    bearers = Bearers(OLD, NEW)
    with Refusing() as server, ThreadPoolExecutor(8) as threads:
        backend = client(server, bearers)
        tokens = list(threads.map(lambda _: backend.token("bob").token, range(32)))
    assert tokens == [TOKEN] * 32
    assert bearers.calls == 2


def test_no_part_of_a_bearer_token_is_in_an_error() -> None:
    with Refusing() as server:
        error = failure(client(server, OLD), lambda client: client.token("bob"))
    assert isinstance(error, TokenProblem)
    assert error.code == "bearer_expired"
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    shown += "".join(variables_shown(error))
    parts = [OLD[start : start + 8] for start in range(len(OLD) - 7)]
    assert [part for part in parts if part in shown] == []
    assert [held for held in variables_held(error) if isinstance(held, Answer)] == []


def _raise() -> str:
    raise RuntimeError(OLD)


@pytest.mark.parametrize(
    ("bearer", "named"),
    [
        ("", "it is empty"),
        (f"Bearer {OLD}", 'begins with "Bearer "'),
        (f"{OLD}\r\nX: y", "contains a space or a newline"),
        (f"{OLD}é", "not printable ASCII"),
        (lambda: None, "returned NoneType"),
        (lambda: {"access_token": OLD}, "returned dict"),
        (lambda: f"{OLD}\n", "contains a space or a newline"),
        (_raise, "RuntimeError"),
    ],
)
def test_an_invalid_bearer_token_is_not_sent_and_not_shown(bearer: Any, named: str) -> None:
    with serving(answer(ISSUED)) as server:
        error = failure(client(server, bearer), lambda client: client.token("bob"))
        assert server.received == []
    assert isinstance(error, CredentialsError)
    assert named in str(error)
    assert error.__context__ is None
    assert [shown for shown in (*variables_shown(error), str(error)) if OLD in shown] == []


@pytest.mark.parametrize(
    "settings",
    [
        {"bearer": 5},
        {"bearer": b"x"},
        {"bearer": OLD, "region": "us-east-1"},
        {"bearer": OLD, "session": object()},
    ],
    ids=["number", "bytes", "region", "session"],
)
def test_an_invalid_setting_is_an_error(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bearer"):
        TokenClient("https://tokens.example.com", **settings)


@pytest.mark.parametrize(
    "ask",
    [lambda client: client.status(), lambda client: client.diagnose(TOKEN)],
    ids=["status", "diagnose"],
)
def test_a_route_for_roles_is_not_called(ask: Callable[[TokenClient], object]) -> None:
    with serving(answer({})) as server:
        with pytest.raises(ValueError, match="for IAM roles only") as refused:
            ask(client(server, OLD))
        assert server.received == []
    assert [shown for shown in variables_shown(refused.value) if TOKEN in shown] == []
