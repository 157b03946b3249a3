"""The HTTP side of Lambda's Runtime API, as one worker process uses it.

The worker asks, this side answers: `GET .../invocation/next` is held open until there is something
to do, and so on (https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html). There is no
thread here. Whoever owns the worker calls `next_request`, which waits on the sockets itself, and
`reply`; so an invocation costs no hand-over between threads. What the worker sends meanwhile waits
in the sockets.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from local.loopback import LOOPBACK

_CHUNK = 1 << 16


@dataclass(frozen=True)
class RuntimeRequest:
    """One request of the worker; `path` is without the version prefix: `/runtime/...`."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: socket.socket


class WorkerGoneError(Exception):
    """The worker process ended: it can ask nothing more."""


class RuntimeApi:
    """Listens for one worker on a port of its own, and watches two of its pipes.

    `lifeline` is the reading end of a pipe that only the worker holds: its end is the worker's end.
    `output` is the worker's standard output and error; what arrives there goes to `on_output` at
    once, so that a worker never waits for a reader.
    """

    def __init__(self, lifeline: int, output: int, on_output: Callable[[bytes], None]) -> None:
        self._lifeline = lifeline
        self._output = output
        self._on_output = on_output
        self._buffers: dict[socket.socket, _Inbox] = {}
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        for source in (self._listener, lifeline, output):
            self._selector.register(source, selectors.EVENT_READ)

    @property
    def address(self) -> str:
        """What the worker finds in AWS_LAMBDA_RUNTIME_API."""
        return f"{LOOPBACK}:{self._listener.getsockname()[1]}"

    def next_request(self, deadline: float) -> RuntimeRequest:
        """The worker's next request.

        Raises `TimeoutError` at `deadline`, of the monotonic clock, and `WorkerGoneError`.
        """
        while True:
            for connection, inbox in self._buffers.items():
                if request := inbox.take(connection):
                    return request
            left = deadline - time.monotonic()
            ready = [key.fileobj for key, _ in self._selector.select(max(left, 0))]
            if not ready and left <= 0:
                raise TimeoutError
            for source in ready:
                if source == self._output:
                    self._read_output()
                elif source == self._listener:
                    self._accept()
                elif isinstance(source, socket.socket):
                    self._receive(source)
            if ready == [self._lifeline]:
                raise WorkerGoneError

    def reply(
        self,
        request: RuntimeRequest,
        status: HTTPStatus,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        """Answers a request that `next_request` gave; a worker that died since is seen there."""
        lines = [f"HTTP/1.1 {status.value} {status.phrase}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        with contextlib.suppress(ConnectionError):
            request.connection.sendall("\r\n".join([*lines, "\r\n"]).encode() + body)

    def drain_output(self) -> None:
        """Hands over what the worker has written so far, without waiting."""
        while self._output >= 0 and self._read_output():
            pass

    def close(self) -> None:
        """Closes the port and all connections; the pipes stay with their owner."""
        self._selector.close()
        self._listener.close()
        for connection in self._buffers:
            connection.close()
        self._buffers.clear()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(True)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffers[connection] = _Inbox()
        self._selector.register(connection, selectors.EVENT_READ)

    def _receive(self, connection: socket.socket) -> None:
        try:
            chunk = connection.recv(_CHUNK)
        except ConnectionError:
            chunk = b""
        if chunk:
            self._buffers[connection].bytes.extend(chunk)
        else:
            self._selector.unregister(connection)
            del self._buffers[connection]
            connection.close()

    def _read_output(self) -> bool:
        try:
            chunk = os.read(self._output, _CHUNK)
        except BlockingIOError:
            return False
        if chunk:
            self._on_output(chunk)
        else:
            self._selector.unregister(self._output)
            self._output = -1
        return bool(chunk)


@dataclass
class _Inbox:
    """What one connection has sent and nobody has taken yet."""

    bytes: bytearray = field(default_factory=bytearray)

    def take(self, connection: socket.socket) -> RuntimeRequest | None:
        """The first whole request in the buffer, which it leaves, or None."""
        end = self.bytes.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self.bytes[:end].decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        start, size = end + 4, int(headers.get("content-length", "0"))
        if len(self.bytes) < start + size:
            return None
        body = bytes(self.bytes[start : start + size])
        del self.bytes[: start + size]
        method, target, _ = first.split(" ", 2)
        return RuntimeRequest(method, target.removeprefix("/2018-06-01"), headers, body, connection)
