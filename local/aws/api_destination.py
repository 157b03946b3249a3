"""An API destination of EventBridge: posts each event to a URL, with a key in a header.

As AWS does: the whole event as JSON, 5 seconds for a response, no redirects. No response, 401, 407,
409, 429 and 5xx are retried with growing delays, or after `Retry-After` if that is later; any other
status that is not 2xx ends the event. Events may arrive twice or out of order: if the server takes
one but responds too late, it gets it again.

Unlike in AWS, an event is given up after the last of `DELAYS` and then lost, because there is no
dead-letter queue; and only `MAX_WAITING` events wait.

Source: "API destinations as targets" and "How EventBridge retries delivering events" in the
EventBridge user guide.
"""

from __future__ import annotations

import heapq
import itertools
import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from local import Part
from local.aws.events import Event
from zego.bounded_http import HttpError, check_url, request

KEY_HEADER = "x-incoming-call-key"
TIMEOUT_SECONDS = 5.0
DELAYS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""The seconds before each retry. In AWS they are random, and template.yaml ends them at 120 s."""
MAX_WAITING = 100
MAX_RESPONSE_BYTES = 1 << 20
_RETRIED = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.CONFLICT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)


@dataclass(order=True)
class _Delivery:
    due: float
    number: int
    """Orders deliveries that are due at the same time."""
    event: Event
    failures: int = 0


class ApiDestination(Part):
    """Delivers the events that it `take`s, one at a time, in its own thread.

    `url` is https, or http to this machine; `ValueError` if it is not. If `key` is None, a new one
    is made. `on_line` gets one line for each delivery, failure and dropped event. No line contains
    the key, nor the query of the URL, which may be a secret too.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        on_line: Callable[[str], object],
        *,
        delays: Sequence[float] = DELAYS,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self.url = check_url(url, allow_loopback=True)
        self.key = key or secrets.token_urlsafe(32)
        self.is_new_key = key is None
        parts = urlsplit(url)
        self.shown_url = f"{parts.scheme}://{parts.netloc}{parts.path}"
        """Without the query."""
        self._on_line = on_line
        self._delays = delays
        self._timeout_seconds = timeout_seconds
        self._numbers = itertools.count()
        self._waiting: list[_Delivery] = []
        self._stopping = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Starts to deliver."""
        self._thread.start()

    def stop(self) -> None:
        """Ends all deliveries; one that has begun may end by itself."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def take(self, event: Event) -> None:
        """Delivers an event later. Drops it if too many wait."""
        with self._changed:
            is_full = len(self._waiting) >= MAX_WAITING
            if not is_full:
                self._wait(_Delivery(time.monotonic(), next(self._numbers), event))
        if is_full:
            self._tell(event, f"dropped, because {MAX_WAITING} others wait")

    def _wait(self, delivery: _Delivery) -> None:
        heapq.heappush(self._waiting, delivery)
        self._changed.notify_all()

    def _run(self) -> None:
        while delivery := self._next():
            self._deliver(delivery)

    def _next(self) -> _Delivery | None:
        """Returns the next delivery once it is due, or None at the end."""
        with self._changed:
            while not self._stopping:
                left = self._waiting[0].due - time.monotonic() if self._waiting else None
                if left is not None and left <= 0:
                    return heapq.heappop(self._waiting)
                self._changed.wait(left)
        return None

    def _deliver(self, delivery: _Delivery) -> None:
        started, retry_after = time.monotonic(), 0.0
        try:
            answer = request(
                "POST",
                self.url,
                headers={
                    "content-type": "application/json; charset=utf-8",
                    "user-agent": "Amazon/EventBridge/ApiDestinations",
                    KEY_HEADER: self.key,
                },
                body=json.dumps(delivery.event).encode(),
                timeout_seconds=self._timeout_seconds,
                max_bytes=MAX_RESPONSE_BYTES,
            )
        except HttpError as error:
            problem, is_retried = f"{error}", True
        else:
            if 200 <= answer.status < 300:
                milliseconds = (time.monotonic() - started) * 1000
                how = f"{answer.status} in {milliseconds:.0f} ms"
                self._tell(delivery.event, f"delivered to {self.shown_url}: {how}")
                return
            problem = f"it responded {answer.status}"
            if 300 <= answer.status < 400:
                problem += ", and redirects are not followed"
            is_retried = answer.status >= 500 or answer.status in _RETRIED
            retry_after = _seconds(answer.headers.get("retry-after", ""))
        self._failed(delivery, problem, is_retried, retry_after)

    def _failed(
        self, delivery: _Delivery, problem: str, is_retried: bool, retry_after: float
    ) -> None:
        what = f"not delivered to {self.shown_url}: {problem}"
        if not is_retried:
            self._tell(delivery.event, f"{what}; not retried")
        elif delivery.failures == len(self._delays):
            attempts = delivery.failures + 1
            self._tell(delivery.event, f"{what}; given up after {attempts} attempts")
        else:
            delay = max(self._delays[delivery.failures], retry_after)
            self._tell(delivery.event, f"{what}; retried in {delay:g} s")
            delivery.failures += 1
            delivery.due = time.monotonic() + delay
            with self._changed:
                self._wait(delivery)

    def _tell(self, event: Event, what: str) -> None:
        clock = time.strftime("%H:%M:%S")
        self._on_line(f"{clock} incoming call {_printable(event['detail'].get('call_id'))} {what}")


def _seconds(text: str) -> float:
    """The seconds in a Retry-After header, within the longest delay; 0 if it is not a number."""
    return min(float(text), max(DELAYS)) if text.isascii() and text.isdigit() else 0.0


def _printable(call_id: Any) -> str:
    """A call id for a line: anyone may put events on the bus."""
    return "".join(char if "!" <= char <= "~" else "?" for char in str(call_id)[:64])
