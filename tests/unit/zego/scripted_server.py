"""An HTTP server on loopback that sends the responses of a test, byte for byte."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

LOOPBACK = "127.0.0.1"

#: How fast a slow reply is sent: one of 90 pieces takes longer than `GRACE_SECONDS`.
PIECES_PER_SECOND = 15
#: How much longer a test may wait on a busy machine.
GRACE_SECONDS = 4.0

_TLS_HANDSHAKE = b"\x16"


@dataclass(frozen=True)
class Received:
    """A request as received. Header names are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """The bytes to send back.

    :ivar slowly: sent after ``at_once``, piece by piece, `PIECES_PER_SECOND`.
    :ivar for_ever: sent repeatedly after that, as long as the client listens.
    :ivar hangs: the connection is left open in the end, and nothing more is sent.
    """

    at_once: bytes = b""
    slowly: tuple[bytes, ...] = ()
    for_ever: bytes = b""
    hangs: bool = False

    @property
    def is_slow(self) -> bool:
        """Whether a client may wait for the reply in vain."""
        return bool(self.slowly) or (self.hangs and not self.at_once)


SILENCE = Reply(hangs=True)


def drip(text: bytes) -> tuple[bytes, ...]:
    """The bytes of a reply, to be sent slowly."""
    return tuple(bytes([byte]) for byte in text)


def reply(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
    """A complete response with its length. The connection stays open after it."""
    lines = [f"HTTP/1.1 {status} {http.client.responses[status]}"]
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        lines.append(f"{name}: {value}")
    return Reply("\r\n".join([*lines, "", ""]).encode() + body, hangs=True)


def json_reply(values: object, status: int = 200) -> Reply:
    """A complete response with JSON."""
    return reply(status, json.dumps(values).encode(), {"Content-Type": "application/json"})


class ScriptedServer:
    """Sends its replies in turn, and repeats the last one.

    :param tls: speak TLS, and end the connection after the handshake.
    :ivar received: the requests that came, in order.
    :ivar client_left: set when a client has closed its end of a connection that was left open.
    """

    def __init__(self, replies: tuple[Reply, ...], tls: ssl.SSLContext | None) -> None:
        self.received: list[Received] = []
        self.client_left = threading.Event()
        self._replies = replies
        self._tls = tls
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def bound_seconds(self) -> float:
        """How long to wait for a response: long for a busy machine, less if none may come."""
        slow = [each.is_slow for each in self._replies]
        if all(slow):
            return 0.3
        return 1.0 if any(slow) else 10.0

    @property
    def host(self) -> str:
        """Its host and port, as in a URL."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of its root."""
        return f"{'http' if self._tls is None else 'https'}://{self.host}/"

    def stop(self) -> None:
        """End every connection, and wait for it."""
        self._stopped.set()
        socket.create_connection((LOOPBACK, self.port)).close()  # wakes the listener
        self._threads[0].join()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self._stopped.is_set():
                connection.close()
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # raised if the client has disconnected
            if self._tls is not None:
                self._tls.wrap_socket(connection, server_side=True).close()
                return
            received = _read(connection)
            with self._lock:
                place = min(len(self.received), len(self._replies) - 1)
                self.received.append(received)
            self._send(connection, self._replies[place])

    def _send(self, connection: socket.socket, answer: Reply) -> None:
        connection.sendall(answer.at_once)
        for piece in answer.slowly:
            if self._stopped.wait(1 / PIECES_PER_SECOND):
                return
            connection.sendall(piece)
        while answer.for_ever:
            connection.sendall(answer.for_ever)
        if answer.hangs:
            try:
                while connection.recv(1):
                    pass
            finally:
                self.client_left.set()


@contextmanager
def serving(*replies: Reply, tls: ssl.SSLContext | None = None) -> Iterator[ScriptedServer]:
    """A server that runs until the block ends."""
    server = ScriptedServer(replies, tls)
    try:
        yield server
    finally:
        server.stop()


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _read(connection: socket.socket) -> Received:
    if connection.recv(1, socket.MSG_PEEK) in (b"", _TLS_HANDSHAKE):
        raise ConnectionAbortedError("no HTTP")
    with connection.makefile("rb") as stream:
        method, target, _ = stream.readline().decode("latin-1").split(" ")
        headers = {name.lower(): value for name, value in http.client.parse_headers(stream).items()}
        body = stream.read(int(headers.get("content-length", "0")))
    return Received(method, target, headers, body)
