"""A threaded HTTP/1.1 server on 127.0.0.1, its request and response types, and `post`.

Every part of the local stack that speaks HTTP is a `LoopbackServer` with its own `respond`.
Connections are kept alive, and `stop` closes them: a stopped part no longer responds.

A web page of another site must not reach the stack. It could rebind its own name to 127.0.0.1, so
requests with another Host name are refused. And a form or script needs no permission to send a
POST that it cannot read the response of, so requests of other origins are refused too, unless a
part decides itself which pages may call it.
"""

from __future__ import annotations

import abc
import contextlib
import errno
import json
import re
import socket
import socketserver
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar

from local import Part

LOOPBACK = "127.0.0.1"
TIMEOUT_SECONDS = 30
"""How long `post` waits for a response."""
NAMES = frozenset({LOOPBACK, "localhost"})
_CHUNK_BYTES = 1 << 16
_LENGTH = re.compile(r"[0-9]{1,15}")
_CHUNK_LENGTH = re.compile(rb"[0-9A-Fa-f]{1,12}")

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class HttpRequest:
    """A request as it arrived: neither `target` nor header values are decoded."""

    method: str
    target: str
    headers: Headers
    body: bytes = b""
    protocol: str = "HTTP/1.1"
    client_ip: str = LOOPBACK
    body_too_large: bool = False
    """The body exceeded the server's limit, and `body` is empty."""

    @property
    def path(self) -> str:
        """The target without its query string, percent-encoded as it arrived."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query string without its question mark, as it arrived."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """The values of a header joined by commas, or None if it is absent."""
        return _header(self.headers, name)

    def json_object(self) -> dict[str, Any] | None:
        """The JSON object in the body; empty for an empty body, None for anything else."""
        try:
            content = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            return None
        return content if isinstance(content, dict) else None

    @property
    def media_type(self) -> str:
        """The content type without parameters, in lower case; empty if the header is missing."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class HttpResponse:
    """A response. The server adds `content-length`, `connection` and, unless given, `date`.

    If there is a `stream`, it is sent instead of `body`, each chunk at once, and the connection
    ends after it. The stream is closed when a chunk cannot be delivered.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    stream: Generator[bytes, None, None] | None = None

    def header(self, name: str) -> str | None:
        """The values of a header joined by commas, or None if it is absent."""
        return _header(self.headers, name)

    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    def with_headers(self, headers: Headers) -> HttpResponse:
        """The same response with more headers."""
        return replace(self, headers=(*self.headers, *headers))


def _header(headers: Headers, name: str) -> str | None:
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ",".join(values) if values else None


def post(url: str, content: object, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """POSTs bytes, or anything else as JSON, to a part of the stack.

    Returns the response, whatever its status. The content type is JSON unless `headers` name one.
    """
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    sent = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, body, sent, method="POST")  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return HttpResponse(answer.status, tuple(answer.headers.items()), answer.read())


Intercept = Callable[[HttpRequest], HttpResponse | None]


class PortTakenError(Exception):
    """The requested port is in use by another program. The message names it."""


class LoopbackServer(Part):
    """Serves on 127.0.0.1 what `respond` returns, with one thread per connection.

    With `port` 0 the system chooses a port; `start` raises `PortTakenError` if the port is in use.
    A body over `max_body_bytes` is read and dropped, and `respond` sees `body_too_large`. If
    `intercept` is set, it is called before `respond`: it may wait, respond itself, or raise
    `ConnectionAbortedError` to hang up without a response. Tests use it to count requests and to
    make a part slow, wrong or absent.
    """

    open_to_pages: ClassVar[bool] = False
    """Whether `respond` decides which web pages may call it. Otherwise none may."""

    def __init__(self, *, port: int = 0, max_body_bytes: int = 1 << 20) -> None:
        self.intercept: Intercept | None = None
        self._requested_port = port
        self._max_body_bytes = max_body_bytes
        self._listener: _Listener | None = None

    @abc.abstractmethod
    def respond(self, request: HttpRequest) -> HttpResponse:
        """Returns the response to a request. Called from several threads."""

    @property
    def port(self) -> int:
        """The port it listens on; only while started."""
        if self._listener is None:
            raise RuntimeError("the server is not started")
        return int(self._listener.server_address[1])

    @property
    def url(self) -> str:
        """Its base URL, without a slash at the end; only while started."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def origins(self) -> tuple[str, str]:
        """The origins that a browser may send for its pages; only while started."""
        return self.url, f"http://localhost:{self.port}"

    def start(self) -> None:
        """Binds the port and serves until `stop`. Requests are accepted once this returns."""
        handler = partial(_Connection, self.answer, self.unreadable, self._max_body_bytes)
        self._listener = _Listener(self._requested_port, handler)
        self._requested_port = self.port  # a restart keeps the address
        self._listener.start()

    def stop(self) -> None:
        """Closes the port and every open connection."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.stop()

    def answer(self, request: HttpRequest) -> HttpResponse:
        """Returns the server's response to a request, without the network."""
        host = (request.header("host") or "").rpartition(":")
        if (host[0] or host[2]) not in NAMES:
            return HttpResponse(
                403, body=b"This server accepts only 127.0.0.1 and localhost as Host.\n"
            )
        if not self.open_to_pages and _is_from_a_page(request):
            return HttpResponse(403, body=b"This server accepts no requests of web pages.\n")
        if refused := self.refused(request):
            return refused
        early = self.intercept(request) if self.intercept else None
        return early or self.respond(request)

    def refused(self, _request: HttpRequest) -> HttpResponse | None:
        """Returns the response to a request whose sender may not use the part, else None."""
        return None

    def unreadable(self, status: int) -> HttpResponse:
        """Returns the response to a request that is not HTTP, or larger than the parser reads."""
        return HttpResponse(status, body=f"{HTTPStatus(status).phrase}.\n".encode())


def _is_from_a_page(request: HttpRequest) -> bool:
    """Whether a web page sent the request.

    A browser says so in one of these headers, except for some GET and HEAD requests. Those change
    nothing here, and a page of another origin cannot read the response.
    """
    origin, site = request.header("origin"), request.header("sec-fetch-site")
    reads = request.method in ("GET", "HEAD")
    return origin is not None or (site not in (None, "none") and not reads)


def check_free(port: int) -> None:
    """Raises `PortTakenError` if the port is in use at this moment."""
    _Listener(port, _Connection).server_close()


def port_or_any(port: int) -> int:
    """Returns `port` if it is free at this moment, else 0: the system then chooses one."""
    try:
        check_free(port)
    except PortTakenError:
        return 0
    return port


class _Listener(socketserver.ThreadingTCPServer):
    """The standard library's threaded server, extended to close its open connections.

    `http.server.HTTPServer` is not used because it looks up the host's name in the DNS.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: Callable[..., _Connection]) -> None:
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._accept, daemon=True)
        try:
            super().__init__((LOOPBACK, port), handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortTakenError(f"port {port} is in use") from None
            raise

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping = True
        with contextlib.suppress(OSError):  # wakes the wait for a connection, on every system
            socket.create_connection((LOOPBACK, self.server_address[1]), timeout=1).close()
        self._thread.join()
        self.server_close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while not self._stopping:
            self.handle_request()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                self.finish_request(request, client_address)
        finally:
            with self._lock:
                self._open.discard(request)
            self.shutdown_request(request)


class _UnknownCodingError(Exception):
    """The body has a transfer coding other than chunked, so its length is unknown."""


def _number(form: re.Pattern[Any], text: Any, base: int) -> int:
    """A length. `int` alone would also take signs, underscores and a prefix."""
    if not form.fullmatch(text):
        raise ValueError(text)
    return int(text, base)


class _Connection(BaseHTTPRequestHandler):
    """The standard library's HTTP parser; every method goes to the server's `answer`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def __init__(
        self,
        answer: Callable[[HttpRequest], HttpResponse],
        unreadable: Callable[[int], HttpResponse],
        max_body_bytes: int,
        *connection: Any,
    ) -> None:
        self._answer = answer
        self._unreadable = unreadable
        self._max_body_bytes = max_body_bytes
        super().__init__(*connection)

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._exchange
        raise AttributeError(name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Logs nothing: the parts keep their own logs."""

    def send_error(self, code: int, *_texts: str | None) -> None:
        """Responds to what the parser refuses; the standard library would send an HTML page."""
        self.close_connection = True
        self._send(self._unreadable(code))

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def _exchange(self) -> None:
        try:
            body = self._body()
        except _UnknownCodingError:
            self.send_error(501)
            return
        except ValueError:
            self.send_error(400)
            return
        request = HttpRequest(
            method=self.command,
            target=self.requestline.split()[1],  # `path` merges leading slashes
            headers=tuple(self.headers.items()),
            body=body or b"",
            protocol=self.request_version,
            client_ip=self.client_address[0],
            body_too_large=body is None,
        )
        self._send(self._answer(request))

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

    def _body(self) -> bytes | None:
        """Returns the body, or None if it is too large.

        Raises `_UnknownCodingError`, or `ValueError` for a length that is not one.
        """
        kept, size = bytearray(), 0
        for chunk in self._chunks():
            size += len(chunk)
            if size <= self._max_body_bytes:
                kept += chunk
            else:
                kept.clear()
        return None if size > self._max_body_bytes else bytes(kept)

    def _chunks(self) -> Iterator[bytes]:
        coding = ",".join(self.headers.get_all("transfer-encoding", []))
        lengths = self.headers.get_all("content-length", ["0"])
        if not coding:
            (length,) = set(lengths)  # two lengths are two ways to read what follows
            yield from self._read(_number(_LENGTH, length, 10))
            return
        if coding.strip().lower() != "chunked":
            raise _UnknownCodingError(coding)  # RFC 9112, 6.1
        self.close_connection |= "content-length" in self.headers  # RFC 9112, 6.1
        while size := self._chunk_size():
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass  # trailers

    def _chunk_size(self) -> int:
        line = self.rfile.readline().partition(b";")[0].strip()
        return _number(_CHUNK_LENGTH, line, 16)

    def _read(self, size: int) -> Iterator[bytes]:
        while size > 0:
            chunk = self.rfile.read(min(size, _CHUNK_BYTES))
            if not chunk:
                raise ConnectionAbortedError("the client hung up within its body")
            size -= len(chunk)
            yield chunk
