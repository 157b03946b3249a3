"""Sends what happens on the stack as server-sent events; pages may connect at any time.

Source: "Server-sent events" in the HTML standard: fields `id`, `event` and `data`, then a blank
line. A line that begins with a colon is a comment. A browser that reconnects sends the last id that
it got as `Last-Event-ID`.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

KEPT = 200
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"
UP_TO_DATE = b"event: up-to-date\ndata: {}\n\n"
"""Sent after the kept messages. It has no id, so each connection gets it."""
RETRY_MS = 1000
"""How long a browser waits before it reconnects."""


@dataclass(frozen=True)
class Message:
    """One event of the stream. Numbers rise; a page gets each message once."""

    number: int
    name: str
    data: Mapping[str, Any]

    def encoded(self, run: str) -> bytes:
        """Returns the message as a stream sends it; JSON adds no line break to `data`."""
        data = json.dumps(self.data, separators=(",", ":"))
        return f"id: {run}-{self.number}\nevent: {self.name}\ndata: {data}\n\n".encode()


class Live:
    """Takes messages from any thread and sends them to any number of streams.

    `tell` adds to the history: the last `kept` messages are kept for pages that connect later.
    `show` replaces a state: only its last message counts. A stream is silent for at most
    `heartbeat_seconds`, so both ends notice if the other is gone. Ids begin with the name of this
    run; ids of earlier runs are ignored.
    """

    def __init__(self, *, kept: int = KEPT, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self.run = secrets.token_hex(4)
        self._told: deque[Message] = deque(maxlen=kept)
        self._shown: dict[str, Message] = {}
        self._number = 0
        self._closed = 0
        self._heartbeat_seconds = heartbeat_seconds
        self._changed = threading.Condition()

    def tell(self, name: str, data: Mapping[str, Any]) -> None:
        """Sends something that has happened."""
        with self._changed:
            self._told.append(self._next(name, data))

    def show(self, name: str, data: Mapping[str, Any]) -> None:
        """Sends a new state, unless it is the same as before."""
        with self._changed:
            if name not in self._shown or self._shown[name].data != data:
                self._shown[name] = self._next(name, data)

    def close(self) -> None:
        """Ends all open streams; browsers reconnect if they can."""
        with self._changed:
            self._closed += 1
            self._changed.notify_all()

    def stream(self, last_id: str | None = None) -> Generator[bytes, None, None]:
        """Yields the kept messages after `last_id`, `UP_TO_DATE`, then new ones until `close`."""
        seen, closed = self._number_of(last_id), self._closed
        yield f"retry: {RETRY_MS}\n\n".encode()
        with self._changed:
            kept, seen = self._after(seen), self._number
        yield self._encoded(kept) + UP_TO_DATE
        while True:
            with self._changed:
                if self._closed == closed and self._number == seen:
                    self._changed.wait(self._heartbeat_seconds)
                if self._closed != closed:
                    return
                messages, seen = self._after(seen), self._number
            yield self._encoded(messages) or HEARTBEAT

    def _encoded(self, messages: list[Message]) -> bytes:
        return b"".join(message.encoded(self.run) for message in messages)

    def _next(self, name: str, data: Mapping[str, Any]) -> Message:
        self._number += 1
        self._changed.notify_all()
        return Message(self._number, name, data)

    def _after(self, number: int) -> list[Message]:
        new = [one for one in (*self._told, *self._shown.values()) if one.number > number]
        return sorted(new, key=lambda message: message.number)

    def _number_of(self, last_id: str | None) -> int:
        run, _, number = (last_id or "").rpartition("-")
        is_ours = run == self.run and number.isascii() and number.isdigit()
        return min(int(number), self._number) if is_ours and len(number) < 16 else 0
