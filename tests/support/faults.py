"""Faults of a part of the local stack, and a count of what it was asked.

``Faults`` stands before a part as its ``intercept``: healthy, until it is told otherwise::

    with faults.of(slow(2.0)):
        ...
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator

from local.loopback import HttpRequest, HttpResponse, Intercept, LoopbackServer


class Faults:
    """What is wrong with a part at the moment: nothing, or one fault.

    :ivar requests: those that came, in their order, whatever became of them.
    """

    def __init__(self, part: LoopbackServer) -> None:
        self.requests: list[HttpRequest] = []
        self._fault: Intercept | None = None
        self._lock = threading.Lock()
        part.intercept = self._intercept

    @contextlib.contextmanager
    def of(self, fault: Intercept) -> Iterator[None]:
        """Have the fault while the block runs."""
        self._fault = fault
        try:
            yield
        finally:
            self._fault = None

    def _intercept(self, request: HttpRequest) -> HttpResponse | None:
        with self._lock:
            self.requests.append(request)
        return self._fault(request) if self._fault else None


@contextlib.contextmanager
def down(part: LoopbackServer) -> Iterator[None]:
    """The part is stopped while the block runs: nobody listens at its port."""
    part.stop()
    try:
        yield
    finally:
        part.start()


def slow(seconds: float) -> Intercept:
    """It answers as ever, but late."""

    def wait(_request: HttpRequest) -> None:
        time.sleep(seconds)

    return wait


def hanging_up(_request: HttpRequest) -> HttpResponse:
    """It closes the connection without an answer."""
    raise ConnectionAbortedError


def redirecting(location: str, status: int = 302) -> Intercept:
    """It sends elsewhere."""
    return answering(status, b"", ("location", location))


def answering(status: int, body: bytes, *headers: tuple[str, str]) -> Intercept:
    """It answers something of its own."""
    return lambda _request: HttpResponse(status, headers, body)


def refusing(code: str, status: int = 400) -> Intercept:
    """AWS refuses with an error code, as its JSON protocol has it."""
    body = json.dumps({"__type": code, "message": f"{code}, as a test wants it"}).encode()
    return answering(status, body, ("content-type", "application/x-amz-json-1.1"))
