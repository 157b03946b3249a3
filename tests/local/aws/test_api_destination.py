"""The stand-in for an API destination posts events as EventBridge documents it."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from local.aws.api_destination import DELAYS, MAX_WAITING, ApiDestination
from local.aws.events import make_event
from local.loopback import HttpRequest, HttpResponse, LoopbackServer

KEY = "the-key-that-no-line-shows"
CALL = "3f9a" * 8
EVENT = make_event(
    "zego-token-service",
    "Incoming Call",
    {"call_id": CALL, "caller": "alice", "callees": ["bob"]},
    region="us-east-1",
    now=1_700_000_000,
)
Respond = Callable[[HttpRequest], HttpResponse]


class SocketServer(LoopbackServer):
    """An app's server for incoming calls: responds with each of `answers`, then with 204."""

    def __init__(self, *answers: int | HttpResponse | Respond) -> None:
        super().__init__()
        self.requests: queue.Queue[HttpRequest] = queue.Queue()
        self._answers = iter(answers)

    def respond(self, request: HttpRequest) -> HttpResponse:
        self.requests.put(request)
        answer = next(self._answers, 204)
        if isinstance(answer, int):
            return HttpResponse(answer)
        return answer if isinstance(answer, HttpResponse) else answer(request)


class Destination:
    """A destination whose lines a test reads."""

    def __init__(self, url: str, **options: Any) -> None:
        self._lines: queue.Queue[str] = queue.Queue()
        quick = {"delays": (0.0, 0.0)} | options
        self.part = ApiDestination(url, KEY, self._lines.put, **quick)

    def line(self) -> str:
        """Returns the next line without its time, the milliseconds and the server's address."""
        line = self._lines.get(timeout=30)
        assert KEY not in line
        assert re.match(rf"\d\d:\d\d:\d\d incoming call {CALL} ", line)
        line = line.partition(f"{CALL} ")[2]
        return re.sub(r"\d+ ms", "N ms", re.sub(r"http://127\.0\.0\.1:\d+", "SERVER", line))

    def lines(self, count: int) -> list[str]:
        return [self.line() for _ in range(count)]


Start = Callable[..., tuple[SocketServer, Destination]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a server and a destination that has taken one event."""
    with ExitStack() as running:

        def start(
            *answers: int | HttpResponse | Respond, target: str = "/hook", **options: Any
        ) -> tuple[SocketServer, Destination]:
            server = running.enter_context(SocketServer(*answers))
            destination = Destination(server.url + target, **options)
            running.enter_context(destination.part)
            destination.part.take(EVENT)
            return server, destination

        yield start


def test_it_posts_the_whole_event_with_the_key(start: Start) -> None:
    server, destination = start()
    request = server.requests.get(timeout=30)
    assert (request.method, request.target) == ("POST", "/hook")
    assert request.json_object() == EVENT
    assert request.header("x-incoming-call-key") == KEY
    assert request.media_type == "application/json"
    assert destination.line() == "delivered to SERVER/hook: 204 in N ms"


@pytest.mark.parametrize("status", [500, 503, 429, 409, 407, 401])
def test_these_responses_are_retried(start: Start, status: int) -> None:
    server, destination = start(status)
    assert destination.lines(2) == [
        f"not delivered to SERVER/hook: it responded {status}; retried in 0 s",
        "delivered to SERVER/hook: 204 in N ms",
    ]
    bodies = [server.requests.get(timeout=30).json_object() for _ in range(2)]
    assert bodies == [EVENT, EVENT]


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_any_other_error_ends_the_event(start: Start, status: int) -> None:
    server, destination = start(status)
    line = f"not delivered to SERVER/hook: it responded {status}; not retried"
    assert destination.line() == line
    destination.part.take(EVENT)
    assert destination.line() == "delivered to SERVER/hook: 204 in N ms"
    assert server.requests.qsize() == 2


def test_a_redirect_is_not_followed_and_ends_the_event(start: Start) -> None:
    elsewhere, _ = start()
    elsewhere.requests.get(timeout=30)
    _, destination = start(HttpResponse(307, (("location", f"{elsewhere.url}/hook"),)))
    line = (
        "not delivered to SERVER/hook: it responded 307, and redirects are not followed;"
        " not retried"
    )
    assert destination.line() == line
    assert elsewhere.requests.empty()


def test_a_server_that_never_recovers_is_given_up(start: Start) -> None:
    server, destination = start(500, 500, 500, 500)
    *retried, last = destination.lines(3)
    assert all(line.endswith("retried in 0 s") for line in retried)
    assert last == "not delivered to SERVER/hook: it responded 500; given up after 3 attempts"
    assert server.requests.qsize() == 3


def test_a_server_that_does_not_run_is_retried_and_given_up(start: Start) -> None:
    server, destination = start()
    destination.line()
    server.stop()
    destination.part.take(EVENT)
    assert destination.lines(3)[-1].endswith("given up after 3 attempts")


def test_a_server_that_is_too_slow_is_retried(start: Start) -> None:
    go_on = threading.Event()

    def slow(_request: HttpRequest) -> HttpResponse:
        go_on.wait(30)
        return HttpResponse(204)

    server, destination = start(slow, timeout_seconds=0.3)
    failed = destination.line()
    go_on.set()
    assert failed.startswith("not delivered to SERVER/hook: ")
    assert failed.endswith("; retried in 0 s")
    assert destination.line().startswith("delivered to")
    assert server.requests.qsize() == 2


def test_a_later_retry_after_counts(start: Start) -> None:
    soon = HttpResponse(429, (("retry-after", "20"),))
    _, destination = start(soon)
    assert destination.line().endswith("it responded 429; retried in 20 s")


@pytest.mark.parametrize("text", ["-1", "soon", "", "1e9", "99999999999"])
def test_a_retry_after_is_bounded(start: Start, text: str) -> None:
    _, destination = start(HttpResponse(503, (("retry-after", text),)))
    seconds = float(destination.line().rpartition(" in ")[2].removesuffix(" s"))
    assert 0 <= seconds <= max(DELAYS)


def test_waiting_events_are_bounded() -> None:
    destination = Destination("http://127.0.0.1:9/hook")  # it is not started, so all wait
    for _ in range(MAX_WAITING + 1):
        destination.part.take(EVENT)
    assert destination.line() == f"dropped, because {MAX_WAITING} others wait"


def test_the_query_of_the_url_is_not_shown(start: Start) -> None:
    server, destination = start(target="/hook?token=secret")
    assert server.requests.get(timeout=30).query == "token=secret"
    assert "secret" not in destination.line()


def test_a_call_id_from_the_bus_cannot_write_to_the_terminal(start: Start) -> None:
    lines: queue.Queue[str] = queue.Queue()
    server, _ = start()
    with ApiDestination(server.url, KEY, lines.put) as destination:
        destination.take({**EVENT, "detail": {"call_id": "\x1b[2J\n" + "x" * 500}})
        line = lines.get(timeout=30)
    assert line.isprintable()
    assert len(line) < 200


@pytest.mark.parametrize(
    "url", ["http://example.com/hook", "ftp://127.0.0.1", "hook", "https://user:word@example.com"]
)
def test_only_https_or_this_machine_gets_events(url: str) -> None:
    with pytest.raises(ValueError, match="it"):
        Destination(url)
