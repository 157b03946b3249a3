"""Temporary failures are retried after a wait, within limits. Nothing else is retried."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest

from tests.clients.python.backend import ISSUED, TOKEN, Backend, answer, problem
from tests.unit.zego.scripted_server import SILENCE, Reply, closed_port, reply, serving
from zego_token_client import (
    BadAnswerError,
    NoAnswerError,
    TokenClient,
    TokenProblem,
    TokenServiceError,
)
from zego_token_client.retries import retry_after_seconds

THROTTLED = answer({"message": "Too Many Requests"}, 429)
NOBODY = Reply()
PAGE = answer(b"<html>", 502, "text/html")


def unavailable(**headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return problem("secret_unavailable", 503, retryable=True, headers=named)


@pytest.mark.parametrize(
    "failure",
    [
        THROTTLED,
        unavailable(),
        answer({"message": "Service Unavailable"}, 503),
        answer({"message": "Internal Server Error"}, 500),
        problem("internal_error", 500, retryable=True),
        problem("bearer_unknown_key", 401, retryable=True),
        PAGE,
        answer(b"slow down", 429, "text/plain"),
        NOBODY,
        Reply(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\nContent-Type: a/b\r\n\r\n{"),
    ],
    ids=[
        "throttled",
        "unavailable",
        "gateway-503",
        "gateway-500",
        "internal-error",
        "unknown-key",
        "proxys-page",
        "proxys-429",
        "hung-up",
        "cut-short",
    ],
)
def test_a_temporary_failure_is_retried(failure: Reply, backend: Backend) -> None:
    with serving(failure, answer(ISSUED)) as server:
        assert backend.client(server).token("bob").token == TOKEN
        assert len(server.received) == 2
    assert backend.waits == [0.2]


@pytest.mark.parametrize(
    "lasting",
    [
        problem("not_granted", 403),
        problem("bearer_unknown_key", 401),
        problem("invalid_identifier", 422),
        problem("wrong_type", 400),
        problem("internal_error", 500),
        problem("secret_unavailable", 503),
        problem("not_granted", 403, retryable=True),
        answer({"message": "Forbidden"}, 403),
        answer({"message": "Not Found"}, 404),
        answer({"message": "Request Entity Too Large"}, 413),
        answer(b"<html>", 403, "text/html"),
        answer(b"", 302, "text/html", {"Location": "/elsewhere"}),
        answer(b"{", 201),
    ],
    ids=[
        "not-granted",
        "401-not-retryable",
        "invalid",
        "bad-request",
        "500-not-retryable",
        "503-not-retryable",
        "403-retryable",
        "gateway-403",
        "gateway-404",
        "gateway-413",
        "proxys-403",
        "redirect",
        "unreadable",
    ],
)
def test_a_lasting_failure_is_not_retried(lasting: Reply, backend: Backend) -> None:
    with serving(lasting, answer(ISSUED)) as server:
        with pytest.raises(TokenServiceError) as failed:
            backend.client(server).token("bob")
        assert len(server.received) == 1
    assert not failed.value.retryable
    assert backend.waits == []


def test_the_error_is_that_of_the_last_attempt(backend: Backend) -> None:
    with serving(NOBODY, THROTTLED, unavailable()) as server:
        with pytest.raises(TokenProblem) as failed:
            backend.client(server).token("bob")
        assert len(server.received) == 3
    assert failed.value.code == "secret_unavailable"


@pytest.mark.parametrize("attempts", [1, 2, 8])
def test_attempts_are_limited(attempts: int, backend: Backend) -> None:
    with serving(THROTTLED) as server:
        with pytest.raises(TokenProblem):
            backend.client(server, attempts=attempts).token("bob")
        assert len(server.received) == attempts


def test_waits_double_up_to_a_limit(backend: Backend) -> None:
    with serving(THROTTLED) as server, pytest.raises(TokenProblem):
        backend.client(server, attempts=8).token("bob")
    assert backend.waits == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_jitter_never_shortens_retry_after(backend: Backend) -> None:
    with serving(THROTTLED, unavailable(Retry_After="7"), answer(ISSUED)) as server:
        backend.client(server, random=lambda: 0.25).token("bob")
    assert backend.waits == pytest.approx([0.05, 7.1])


def test_no_attempt_starts_after_patience_seconds(backend: Backend) -> None:
    with serving(unavailable(Retry_After="7")) as server:
        with pytest.raises(TokenProblem) as failed:
            backend.client(server, attempts=9, patience_seconds=15).token("bob")
        assert len(server.received) == 3
    assert sum(backend.waits) <= 15
    assert failed.value.retry_after_seconds == 7


def test_a_retry_after_beyond_patience_seconds_is_an_error(backend: Backend) -> None:
    with serving(unavailable(Retry_After="3600")) as server:
        with pytest.raises(TokenProblem) as failed:
            backend.client(server).token("bob")
        assert len(server.received) == 1
    assert backend.waits == []
    assert failed.value.retry_after_seconds == 3600


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


def test_patience_of_zero_allows_one_attempt(backend: Backend) -> None:
    with serving(THROTTLED) as server:
        with pytest.raises(TokenProblem):
            backend.client(server, patience_seconds=0).token("bob")
        assert len(server.received) == 1


DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "12"}, 12),
        ({"retry-after": "3600"}, 3600),
        ({"retry-after": "3601"}, 3600),
        ({"retry-after": "9" * 5000}, 3600),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1.5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "\u0661\u0662"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", "date": DATE}, 30),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT", "date": DATE}, 0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT", "date": DATE}, 3600),
        ({"retry-after": f"Tue, 14 Nov {'9' * 20} 22:13:50 GMT", "date": DATE}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 -0000", "date": DATE}, None),
    ],
    ids=[
        "missing",
        "at-once",
        "seconds",
        "longest",
        "too-long",
        "endless",
        "negative",
        "fraction",
        "word",
        "other-digits",
        "date",
        "date-past",
        "date-far",
        "invalid-date",
        "date-alone",
        "date-without-zone",
    ],
)
def test_retry_after_has_seconds_or_a_date(headers: Mapping[str, str], seconds: int | None) -> None:
    assert retry_after_seconds(headers) == seconds
