"""Makes a part of the local stack fail, and keeps the requests that it got.

``Faults`` becomes the ``intercept`` of a part, which works until a fault is set::

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
    """The current fault of a part, if any.

    :ivar requests: all requests in order, whatever their outcome.
    """

    def __init__(self, part: LoopbackServer) -> None:
        self.requests: list[HttpRequest] = []
        self._fault: Intercept | None = None
        self._lock = threading.Lock()
        part.intercept = self._intercept

    @contextlib.contextmanager
    def of(self, fault: Intercept) -> Iterator[None]:
        """Cause the fault while the block runs."""
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
    """Stop the part while the block runs, so that its port is closed."""
    part.stop()
    try:
        yield
    finally:
        part.start()


def slow(seconds: float) -> Intercept:
    """Delay the usual response."""

    def wait(_request: HttpRequest) -> None:
        time.sleep(seconds)

    return wait


def hanging_up(_request: HttpRequest) -> HttpResponse:
    """Close the connection without a response."""
    raise ConnectionAbortedError


def redirecting(location: str, status: int = 302) -> Intercept:
    """Redirect every request."""
    return answering(status, b"", ("location", location))


def answering(status: int, body: bytes, *headers: tuple[str, str]) -> Intercept:
    """Send this response instead of the usual one."""
    return lambda _request: HttpResponse(status, headers, body)


def refusing(code: str, status: int = 400) -> Intercept:
    """Refuse with an error code, in the form of AWS' JSON protocol."""
    body = json.dumps({"__type": code, "message": f"{code}, made by a test"}).encode()
    return answering(status, body, ("content-type", "application/x-amz-json-1.1"))
