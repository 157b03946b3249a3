"""A small threaded HTTP/1.1 server on 127.0.0.1, and the request and response that its users see.

Every part of the local stack that answers HTTP is one of these, with a `respond` of its own.
Nagle's algorithm is off, connections are kept alive, and `stop` closes them, so that a part that
was stopped answers nobody. Requests whose Host is another name are refused, so that no web page can
reach the stack by rebinding its own name to 127.0.0.1.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import selectors
import socket
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import ClassVar, Self

LOOPBACK = "127.0.0.1"
NAMES = frozenset({LOOPBACK, "localhost"})

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came: neither `target` nor header values are decoded."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    protocol: str = "HTTP/1.1"
    client_ip: str = LOOPBACK
    body_too_large: bool = False
    """The body was over the server's limit and is not in `body`."""

    @property
    def path(self) -> str:
        """The target without its query string, percent-encoded as it came."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query string without its question mark, as it came."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The values of a header joined by commas, or None where it is absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ",".join(values) if values else None


@dataclass(frozen=True)
class HttpResponse:
    """An answer; `content-length`, `connection` and, unless given, `date` are the server's own.

    `stream`, where there is one, is sent in the place of `body`, each chunk as it comes; the
    connection ends with it. It is closed once a chunk reaches nobody.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    stream: Generator[bytes, None, None] | None = None


Intercept = Callable[[HttpRequest], HttpResponse | None]


class PortTakenError(Exception):
    """A port that was asked for is in use by another program."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is taken")
        self.port = port


class LoopbackServer(abc.ABC):
    """Answers on 127.0.0.1 what `respond` says, one thread a connection.

    `port` 0 lets the system choose one; a taken port raises `PortTakenError` from `start`. Bodies
    over `max_body_bytes` are read and dropped, and `respond` sees `body_too_large`. `intercept`,
    where set, is called before `respond`: it may wait, answer in its place, or raise
    `ConnectionAbortedError` to hang up without an answer. Tests use it to count requests and to
    make a part slow, wrong or absent.
    """

    def __init__(self, *, port: int = 0, max_body_bytes: int = 1 << 20) -> None:
        self.intercept: Intercept | None = None
        self._wanted_port = port
        self._max_body_bytes = max_body_bytes
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._closing = contextlib.ExitStack()
        self._address: tuple[str, int] | None = None

    @abc.abstractmethod
    def respond(self, request: HttpRequest) -> HttpResponse:
        """The answer to a request; called from several threads."""

    @property
    def port(self) -> int:
        """The port it listens on; only while started."""
        if self._address is None:
            raise RuntimeError("the server is not started")
        return self._address[1]

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end; only while started."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Binds the port and serves until `stop`; answers are given as soon as this returns."""
        listener = _listen(self._wanted_port)
        wake, waker = socket.socketpair()
        thread = threading.Thread(target=self._accept, args=(listener, wake), daemon=True)
        self._closing.callback(listener.close)
        self._closing.callback(wake.close)
        self._closing.callback(self._hang_up)
        self._closing.callback(thread.join)
        self._closing.callback(waker.close)
        self._address = (LOOPBACK, listener.getsockname()[1])
        self._wanted_port = self.port  # one that is started again keeps its address
        thread.start()

    def stop(self) -> None:
        """Closes the port and every open connection."""
        self._closing.close()
        self._address = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def answer(self, request: HttpRequest) -> HttpResponse:
        """What the server says to a request, without the network."""
        host = (request.header("host") or "").rpartition(":")
        if (host[0] or host[2]) not in NAMES:
            return HttpResponse(403, body=b"This server answers to 127.0.0.1 and localhost only.\n")
        early = self.intercept(request) if self.intercept else None
        return early or self.respond(request)

    def _accept(self, listener: socket.socket, wake: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(listener, selectors.EVENT_READ)
            selector.register(wake, selectors.EVENT_READ)
            while all(key.fileobj is listener for key, _ in selector.select()):
                with contextlib.suppress(OSError):
                    connection, peer = listener.accept()
                    connection.setblocking(True)
                    with self._lock:
                        self._connections.add(connection)
                    threading.Thread(
                        target=self._serve, args=(connection, peer), daemon=True
                    ).start()

    def _serve(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                _Exchange(self, self._max_body_bytes, connection, peer)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _hang_up(self) -> None:
        with self._lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def check_free(port: int) -> None:
    """Raises `PortTakenError` where the port is in use at this moment."""
    _listen(port).close()


def port_or_any(port: int) -> int:
    """`port` where it is free at this moment, else 0, by which the system chooses one."""
    try:
        check_free(port)
    except PortTakenError:
        return 0
    return port


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTakenError(port) from None
        raise
    return listener


@dataclass
class _Body:
    """A request body while it is read: kept up to a limit, dropped above it."""

    limit: int
    chunks: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.too_large:
            self.chunks.clear()
        else:
            self.chunks.append(chunk)

    @property
    def too_large(self) -> bool:
        return self.size > self.limit


class _Exchange(BaseHTTPRequestHandler):
    """The standard library's HTTP parser, with all methods led to the server's `answer`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    _chunk: ClassVar[int] = 1 << 16

    def __init__(
        self,
        loopback: LoopbackServer,
        max_body_bytes: int,
        connection: socket.socket,
        peer: tuple[str, int],
    ) -> None:
        self._loopback = loopback
        self._max_body_bytes = max_body_bytes
        super().__init__(connection, peer, None)  # type: ignore[arg-type]  # no server is needed

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Says nothing: the parts keep their own logs."""

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _answer(self) -> None:
        try:
            body = self._read_body()
        except ValueError:
            self.close_connection = True
            self._send(HttpResponse(400, body=b"The length of the body makes no sense.\n"))
            return
        request = HttpRequest(
            method=self.command,
            target=self.requestline.split()[1],  # `path` has leading slashes made one
            headers=tuple(self.headers.items()),
            body=b"".join(body.chunks),
            protocol=self.request_version,
            client_ip=self.client_address[0],
            body_too_large=body.too_large,
        )
        self._send(self._loopback.answer(request))

    def _send(self, response: HttpResponse) -> None:
        self.close_connection = self.close_connection or response.stream is not None
        self.send_response_only(response.status)
        if not any(name == "date" for name, _ in response.headers):
            self.send_header("date", self.date_time_string())
        for name, value in response.headers:
            self.send_header(name, value)
        has_body = response.status >= 200 and response.status not in (204, 304)
        if has_body and response.stream is None:
            self.send_header("content-length", str(len(response.body)))
        if self.close_connection:
            self.send_header("connection", "close")
        self.end_headers()
        if self.command == "HEAD" or response.status in (204, 304):
            return
        self.wfile.write(response.body)
        if response.stream is not None:
            self._send_chunks(response.stream)

    def _send_chunks(self, stream: Generator[bytes, None, None]) -> None:
        with contextlib.closing(stream):
            self.wfile.flush()
            for chunk in stream:
                self.wfile.write(chunk)
                self.wfile.flush()

    def _read_body(self) -> _Body:
        body = _Body(self._max_body_bytes)
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                self._read_into(body, size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
        else:
            length = int(self.headers.get("content-length", "0"))
            if length < 0:
                raise ValueError(length)
            self._read_into(body, length)
        return body

    def _read_into(self, body: _Body, size: int) -> None:
        while size > 0:
            chunk = self.rfile.read(min(size, self._chunk))
            if not chunk:
                raise ConnectionAbortedError("the client hung up within its body")
            size -= len(chunk)
            body.add(chunk)
