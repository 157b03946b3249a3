"""Connections: TLS, proxies, and the errors if no response arrives."""

from __future__ import annotations

import ipaddress
import json
import logging
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients.python.backend import ISSUED, TOKEN, Backend, answer
from tests.unit.zego.scripted_server import LOOPBACK, Reply, json_reply, reply, serving
from zego_token_client import BadAnswerError, NoAnswerError, TokenClient

CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "closed the connection without a response"),
        (b"SSH-2.0-made-up\r\n", "closed the connection without a response"),
        (b"HTTP/1.1 abc\r\n\r\n", "closed the connection without a response"),
        (CHUNKED + b"not a size\r\n", "cut its response short"),
        (CHUNKED + b"9\r\n{", "cut its response short"),
        (CHUNKED + b"-1\r\n{", "cut its response short"),
        (CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n", "sent a chunk of a negative size"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{", "cut its response short"),
    ],
    ids=[
        "nothing",
        "ssh",
        "no-status",
        "no-chunk",
        "half-a-chunk",
        "chunk-1",
        "chunk-5",
        "half-a-body",
    ],
)
def test_a_missing_response_has_a_reason(raw: bytes, reason: str, backend: Backend) -> None:
    with serving(Reply(raw)) as server, pytest.raises(NoAnswerError) as failed:
        backend.client(server, attempts=1).token("bob")
    assert str(failed.value) == f"127.0.0.1 {reason}"
    assert failed.value.retryable


@pytest.mark.parametrize(
    ("length", "error"),
    [
        ("\u00b2", BadAnswerError),
        ("+9", BadAnswerError),
        ("9" * 5000, NoAnswerError),
    ],
    ids=["other-digits", "signed", "endless"],
)
def test_an_invalid_content_length_is_an_error(
    length: str, error: type[Exception], backend: Backend
) -> None:
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n\r\n"
    raw = head.encode("latin-1") + b"{}"
    with serving(Reply(raw)) as server, pytest.raises(error):
        backend.client(server, attempts=1).token("bob")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A self-signed certificate of a server, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOOPBACK)])
    address = x509.IPAddress(ipaddress.ip_address(LOOPBACK))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return file


class Api(BaseHTTPRequestHandler):
    """Issues a token for every request."""

    def do_POST(self) -> None:
        body = json.dumps(ISSUED).encode()
        self.send_response(201)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


@pytest.fixture
def url(certificate: Path) -> Iterator[str]:
    """The address of an API with TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with HTTPServer((LOOPBACK, 0), Api) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://{LOOPBACK}:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_untrusted_certificate_is_refused(url: str, backend: Backend) -> None:
    client = TokenClient(url, session=backend.session, region="us-east-1", attempts=1)
    with pytest.raises(NoAnswerError, match="TLS failed"):
        client.token("bob")


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_the_environment_can_name_trusted_certificates(
    variable: str, url: str, certificate: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(certificate))
    client = TokenClient(url, session=backend.session, region="us-east-1")
    assert client.token("bob").token == TOKEN
    client.close()


def test_https_uses_the_proxy_of_the_environment(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(reply(403)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:made-up-password@{proxy.host}")
        client = TokenClient(
            "https://tokens.example.com", session=backend.session, region="us-east-1", attempts=1
        )
        with pytest.raises(NoAnswerError, match="the proxy refused the connection") as failed:
            client.token("bob")
        (received,) = proxy.received
    assert (received.method, received.target) == ("CONNECT", "tokens.example.com:443")
    assert "authorization" not in received.headers
    assert "made-up-password" not in str(failed.value)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://user:made-up-password@127.0.0.1:port",
        "http://user:made-up-password@127.0.0.1:99999",
        "http://user:made-up-password@a..b:1",
        "http://user:made-up-password@[::1",
        "http://user:made-up-password@127.0.0.1:1\n",
        "http://us\u20acr:made-up-password@127.0.0.1:1",
        "http://",
        "socks5://127.0.0.1:1",
    ],
)
def test_an_invalid_proxy_is_an_error(
    proxy: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    url = "https://tokens.example.com"
    with pytest.raises(ValueError, match="HTTPS_PROXY") as refused:
        TokenClient(url, session=backend.session, region="us-east-1")
    shown = traceback.TracebackException.from_exception(refused.value, capture_locals=True)
    of_the_package = [frame for frame in shown.stack if frame.filename != __file__]
    assert of_the_package
    assert [frame for frame in of_the_package if "made-up-password" in str(frame.locals)] == []
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "proxy", ["127.0.0.1:1", "//127.0.0.1:1", "http://[::1]:1/", "https://user:p w@proxy_1.:1"]
)
def test_a_proxy_may_have_any_form_that_botocore_accepts(
    proxy: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    TokenClient("https://tokens.example.com", session=backend.session, region="us-east-1")


def test_requests_to_this_machine_use_no_proxy(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with serving(answer(ISSUED)) as server:
        backend.client(server).token("bob")


def test_a_closed_client_opens_new_connections(backend: Backend) -> None:
    with serving(answer(ISSUED)) as server:
        client = backend.client(server)
        client.close()
        client.token("bob")
        client.close()


def test_a_with_block_closes_the_connections(backend: Backend) -> None:
    with serving(json_reply(ISSUED, 201)) as server:
        with backend.client(server) as client:
            client.token("bob")
        assert server.client_left.wait(60)


THREADS = 40


class KeptApi(Api):
    """Keeps its connections, and responds once all threads are waiting."""

    protocol_version = "HTTP/1.1"
    together = threading.Barrier(THREADS)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.together.wait(30)
        super().do_POST()


class CountingServer(ThreadingHTTPServer):
    """Counts the opened connections."""

    request_queue_size = THREADS
    opened = 0

    def get_request(self) -> tuple[socket.socket, object]:
        self.opened += 1
        return super().get_request()


@pytest.fixture
def counting_server() -> Iterator[CountingServer]:
    with CountingServer((LOOPBACK, 0), KeptApi) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_forty_threads_keep_a_connection_each(
    counting_server: CountingServer, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://{LOOPBACK}:{counting_server.server_port}"
    with (
        ThreadPoolExecutor(THREADS) as threads,
        TokenClient(
            url, session=backend.session, region="us-east-1", timeout_seconds=30, attempts=1
        ) as client,
    ):
        for _burst in range(3):
            list(threads.map(client.token, ["bob"] * THREADS))
    assert counting_server.opened == THREADS
    assert [one.message for one in caplog.records if one.levelno >= logging.WARNING] == []
