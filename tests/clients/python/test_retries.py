"""Limits of retries. test_cases.py has the failures that are retried, and the others."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.clients.python.backend import ISSUED, TOKEN, Backend, answer, problem
from tests.unit.zego.scripted_server import SILENCE, Reply, closed_port, reply, serving
from zego_token_client import (
    BadAnswerError,
    NoAnswerError,
    TokenClient,
    TokenProblem,
)
from zego_token_client.retries import retry_after_seconds

THROTTLED = answer({"message": "Too Many Requests"}, 429)


def unavailable(**headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return problem("secret_unavailable", 503, retryable=True, headers=named)


@pytest.mark.parametrize("attempts", [1, 2, 8])
def test_attempts_are_limited(attempts: int, backend: Backend) -> None:
    with serving(THROTTLED) as server:
        with pytest.raises(TokenProblem):
            backend.client(server, attempts=attempts).token("bob")
        assert len(server.received) == attempts


def test_jitter_never_shortens_retry_after(backend: Backend) -> None:
    with serving(THROTTLED, unavailable(Retry_After="7"), answer(ISSUED)) as server:
        backend.client(server, random=lambda: 0.25).token("bob")
    assert backend.waits == pytest.approx([0.05, 7.1])


def test_a_refused_connection_is_retried_and_reported(backend: Backend) -> None:
    url = f"http://127.0.0.1:{closed_port()}"
    client = TokenClient(
        url, session=backend.session, region="us-east-1", sleep=backend.waits.append
    )
    with pytest.raises(NoAnswerError, match=r"^127\.0\.0\.1 cannot be reached"):
        client.token("bob")
    assert len(backend.waits) == 2


@pytest.mark.parametrize(
    "silent",
    [SILENCE, Reply(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{", hangs=True)],
    ids=["before", "within"],
)
def test_silence_ends_with_a_timeout(silent: Reply, backend: Backend) -> None:
    started = time.monotonic()
    with serving(silent) as server, pytest.raises(NoAnswerError, match="did not respond in time"):
        backend.client(server, timeout_seconds=0.05, attempts=1).token("bob")
    assert time.monotonic() - started < 5


def test_a_kept_connection_that_went_silent_is_replaced(backend: Backend) -> None:
    kept = reply(201, b"[]", {"Content-Type": "application/json"})
    with serving(kept, answer(ISSUED)) as server:
        client = backend.client(server, timeout_seconds=2.0)
        with pytest.raises(BadAnswerError):
            client.token("bob")
        assert client.token("bob").token == TOKEN  # the server responds once per connection


def test_a_hundred_attempts_are_possible(backend: Backend) -> None:
    with serving(THROTTLED) as server:
        with pytest.raises(TokenProblem):
            backend.client(server, attempts=100, patience_seconds=86_400).token("bob")
        assert len(server.received) == 100


@pytest.mark.parametrize("attempts", [0, -1, 101, 2.5, 2.0, True, "3", None, float("nan")])
def test_invalid_attempts_are_an_error(attempts: Any) -> None:
    with pytest.raises(ValueError, match="attempts must be a whole number from 1 to 100"):
        TokenClient("https://tokens.example.com", region="us-east-1", attempts=attempts)


@pytest.mark.parametrize(
    "seconds",
    [-1, 86_401, float("nan"), float("inf"), 10**400, True, "20", None],
    ids=lambda value: str(value)[:16],
)
def test_an_invalid_patience_is_an_error(seconds: Any) -> None:
    with pytest.raises(ValueError, match="patience_seconds must be from 0 to 86400"):
        TokenClient("https://tokens.example.com", region="us-east-1", patience_seconds=seconds)


def test_only_ascii_digits_are_seconds() -> None:
    assert retry_after_seconds({"retry-after": "\u0661\u0662"}) is None
