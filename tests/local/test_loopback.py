"""The loopback server: body limits, and responses sent in pieces."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Generator, Iterator

import pytest

from local.loopback import HttpRequest, HttpResponse, LoopbackServer


class Streaming(LoopbackServer):
    """Sends the pieces that a test puts into the queue `pieces`; None ends the response."""

    def __init__(self) -> None:
        super().__init__()
        self.there_is_more = threading.Semaphore(0)
        self.pieces: list[bytes | None] = []
        self.closed = threading.Event()

    def put(self, piece: bytes | None) -> None:
        self.pieces.append(piece)
        self.there_is_more.release()

    def respond(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, (("content-type", "text/plain"),), stream=self._stream())

    def _stream(self) -> Generator[bytes, None, None]:
        try:
            while self.there_is_more.acquire():
                piece = self.pieces.pop(0)
                if piece is None:
                    return
                yield piece
        finally:
            self.closed.set()


class Measuring(LoopbackServer):
    """Responds with the size of the body it got, and whether that was too large."""

    def __init__(self) -> None:
        super().__init__(max_body_bytes=100_000)

    def respond(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(200, body=f"{len(request.body)} {request.body_too_large}".encode())


@pytest.mark.parametrize("in_chunks", [False, True])
@pytest.mark.parametrize(("size", "said"), [(100_000, b"100000 False"), (100_001, b"0 True")])
def test_a_body_is_kept_up_to_the_limit_and_dropped_above_it(
    size: int, said: bytes, in_chunks: bool
) -> None:
    body = iter([b"x" * (size - 1), b"x"]) if in_chunks else b"x" * size
    with Measuring() as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        for _ in range(2):  # the body is read to its end, so the connection stays usable
            connection.request("POST", "/", body)
            assert connection.getresponse().read() == said
            body = iter([b"x" * (size - 1), b"x"]) if in_chunks else b"x" * size
        connection.close()


def test_a_restarted_server_has_the_same_port() -> None:
    server = Measuring()
    with server:
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=60).connect()
    with server:
        assert server.port == port


@pytest.fixture
def server() -> Iterator[Streaming]:
    with Streaming() as running:
        yield running
        running.put(None)


@pytest.fixture
def connection(server: Streaming) -> Iterator[http.client.HTTPConnection]:
    opened = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    yield opened
    opened.close()


def test_each_piece_is_sent_at_once(
    server: Streaming, connection: http.client.HTTPConnection
) -> None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    for piece in (b"first", b"then"):
        server.put(piece)
        assert answer.read(len(piece)) == piece


def test_the_connection_ends_with_the_stream(
    server: Streaming, connection: http.client.HTTPConnection
) -> None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.getheader("content-length") is None
    assert answer.getheader("connection") == "close"
    server.put(b"all of it")
    server.put(None)
    assert answer.read() == b"all of it"


def test_a_head_request_gets_only_the_headers(
    server: Streaming, connection: http.client.HTTPConnection
) -> None:
    connection.request("HEAD", "/")
    assert connection.getresponse().read() == b""
    assert not server.closed.is_set()  # the stream was never started


def test_a_client_that_goes_away_ends_its_stream(
    server: Streaming, connection: http.client.HTTPConnection
) -> None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    server.put(b"x")
    assert answer.read(1) == b"x"
    answer.close()
    connection.close()
    for _ in range(1000):  # the first ones fill the system's buffer
        server.put(b"x" * 65536)
        if server.closed.wait(0.005):
            break
    assert server.closed.is_set()


def test_stopping_the_server_ends_every_stream(
    server: Streaming, connection: http.client.HTTPConnection
) -> None:
    connection.request("GET", "/")
    answer = connection.getresponse()
    server.stop()
    assert answer.read() == b""


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/x\r\n\r\n",
        b"GET / HTTP/3.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\x00\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=lambda sent: repr(sent[:20]),
)
def test_what_cannot_be_read_gets_a_line_of_text_and_no_page(sent: bytes) -> None:
    with Measuring() as server, socket.create_connection(("127.0.0.1", server.port), 60) as wire:
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: wire.recv(65536), b""))
    assert b"<" not in received
    assert received.count(b"\n") <= 8


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("POST", {}, 200),
        ("POST", {"sec-fetch-site": "none"}, 200),
        ("POST", {"origin": "https://evil.example"}, 403),
        ("POST", {"origin": "null"}, 403),
        ("POST", {"sec-fetch-site": "same-site"}, 403),
        ("DELETE", {"sec-fetch-site": "cross-site"}, 403),
        ("OPTIONS", {"origin": "https://evil.example"}, 403),
        ("GET", {"sec-fetch-site": "cross-site"}, 200),  # a link that was followed
        ("GET", {"origin": "https://evil.example"}, 403),
        ("POST", {"host": "rebound.example"}, 403),
        ("POST", {"host": "127.0.0.1.rebound.example"}, 403),
    ],
)
def test_no_web_page_reaches_a_part_that_is_not_open_to_pages(
    method: str, headers: dict[str, str], status: int
) -> None:
    with Measuring() as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request(method, "/", headers=headers)
        assert connection.getresponse().status == status
        connection.close()
