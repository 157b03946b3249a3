"""zego.bounded_http: a response in time and within the size limit, or an HttpError."""

from __future__ import annotations

import socket
import ssl
import time
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import Mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from tests.support.table import table
from tests.unit.zego.scripted_server import (
    GRACE_SECONDS,
    LOOPBACK,
    SILENCE,
    Reply,
    closed_port,
    drip,
    reply,
    serving,
)
from zego.bounded_http import HttpError, Response, check_url, request

# How long to wait. The slow replies take longer than this plus `GRACE_SECONDS`.
BOUND_SECONDS = 0.2

MAX_BYTES = 1000
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\n\r\n"


def get(url: str, headers: Mapping[str, str] | None = None) -> Response:
    return request("GET", url, headers=headers, timeout_seconds=5.0, max_bytes=MAX_BYTES)


def refusal(
    url: str, *, headers: Mapping[str, str] | None = None, timeout_seconds: float = 5.0
) -> HttpError:
    with pytest.raises(HttpError) as caught:
        request("GET", url, headers=headers, timeout_seconds=timeout_seconds, max_bytes=MAX_BYTES)
    return caught.value


class TestResponses:
    def test_a_response_has_status_headers_and_body(self) -> None:
        with serving(reply(200, b"hello", {"X-Kind": "Greeting"})) as server:
            answer = get(server.url)
        assert answer == Response(200, {"content-length": "5", "x-kind": "Greeting"}, b"hello")

    @pytest.mark.parametrize("status", [201, 204, 400, 403, 404, 429, 500, 503])
    def test_every_status_is_returned(self, status: int) -> None:
        with serving(reply(status)) as server:
            assert get(server.url).status == status

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_no_redirect_is_followed(self, status: int) -> None:
        with serving(reply(200, b"elsewhere")) as elsewhere:
            with serving(reply(status, b"moved", {"Location": elsewhere.url})) as server:
                answer = get(server.url)
            assert (answer.status, answer.body, elsewhere.received) == (status, b"moved", [])

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
            b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
            b"HTTP/1.0 200 OK\r\n\r\nhello",
            CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            CHUNKED + b"5;name=value\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more",
        ],
        ids=[
            "length",
            "length-then-close",
            "http-1.0-length",
            "until-close",
            "http-1.0-until-close",
            "chunked",
            "chunked-with-extras",
            "after-100-continue",
            "no-more-than-its-length",
        ],
    )
    def test_a_body_is_read_however_it_is_framed(self, raw: bytes) -> None:
        with serving(Reply(raw)) as server:
            assert get(server.url).body == b"hello"

    def test_an_empty_body_is_returned(self) -> None:
        raw = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        with serving(Reply(raw)) as server:
            assert get(server.url).body == b""


class TestRequests:
    @pytest.mark.parametrize(
        ("path", "target"),
        [
            ("", "/"),
            ("a/b?c=d&e=%20", "/a/b?c=d&e=%20"),
            ("?c=d", "/?c=d"),
            ("a#fragment", "/a"),
        ],
    )
    def test_path_and_query_are_sent_unchanged(self, path: str, target: str) -> None:
        with serving(reply()) as server:
            get(server.url + path)
        assert [received.target for received in server.received] == [target]

    def test_a_url_without_a_path_requests_the_root(self) -> None:
        with serving(reply()) as server:
            get(server.url.rstrip("/"))
        assert server.received[0].target == "/"

    def test_headers_are_sent(self) -> None:
        with serving(reply()) as server:
            get(server.url, {"authorization": "token"})
        assert server.received[0].headers["authorization"] == "token"

    def test_the_host_header_is_the_host_of_the_url(self) -> None:
        with serving(reply()) as server:
            get(server.url)
        assert server.received[0].headers["host"] == server.host

    def test_a_body_is_sent_with_its_length(self) -> None:
        with serving(reply()) as server:
            request("POST", server.url, body=b"\0\xff", timeout_seconds=5.0, max_bytes=MAX_BYTES)
        received = server.received[0]
        assert (received.method, received.body) == ("POST", b"\0\xff")


class TestSize:
    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + bytes(1000),
            UNTIL_CLOSED + bytes(1000),
            CHUNKED + b"3E8\r\n" + bytes(1000) + b"\r\n0\r\n\r\n",
        ],
        ids=["length", "until-close", "chunked"],
    )
    def test_a_response_of_the_largest_size_is_accepted(self, raw: bytes) -> None:
        with serving(Reply(raw)) as server:
            assert len(get(server.url).body) == MAX_BYTES

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + bytes(1001),
            UNTIL_CLOSED + bytes(1001),
            CHUNKED + b"3E8\r\n" + bytes(1000) + b"\r\n1\r\n.\r\n0\r\n\r\n",
        ],
        ids=["length", "until-close", "chunked"],
    )
    def test_one_byte_more_is_refused(self, raw: bytes) -> None:
        with serving(Reply(raw)) as server:
            assert str(refusal(server.url)) == "the response is larger than 1000 bytes"

    @pytest.mark.parametrize(
        ("head", "piece"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", bytes(10_000)),
            (UNTIL_CLOSED, bytes(10_000)),
            (CHUNKED, b"2710\r\n" + bytes(10_000) + b"\r\n"),
            (CHUNKED, b"1\r\n.\r\n" * 1000),
        ],
        ids=["length", "until-close", "chunked", "small-chunks"],
    )
    def test_an_endless_response_is_refused_for_its_size_before_the_deadline(
        self, head: bytes, piece: bytes
    ) -> None:
        with serving(Reply(head, for_ever=piece)) as server:
            assert str(refusal(server.url)) == "the response is larger than 1000 bytes"

    def test_endless_headers_are_refused(self) -> None:
        with serving(Reply(b"HTTP/1.1 200 OK\r\n", for_ever=b"X: y\r\n" * 100)) as server:
            refusal(server.url)

    def test_an_endless_header_is_refused(self) -> None:
        with serving(Reply(b"HTTP/1.1 200 OK\r\nX: ", for_ever=b"y" * 10_000)) as server:
            refusal(server.url)


class TestTime:
    """The limit is for everything together."""

    @pytest.mark.parametrize(
        "slow",
        [
            SILENCE,
            Reply(b"HTTP/1.1 200 OK\r\n", hangs=True),
            Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", hangs=True),
            Reply(UNTIL_CLOSED + b"hello", hangs=True),
            Reply(CHUNKED + b"5\r\nhello\r\n", hangs=True),
            Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", drip(bytes(200))),
            Reply(UNTIL_CLOSED, drip(bytes(200))),
            Reply(CHUNKED, (b"1\r\n.\r\n",) * 200),
            Reply(CHUNKED + b"C8\r\n", drip(bytes(200))),
            Reply(b"", drip(b"HTTP/1.1 200 " + b"O" * 200)),
            Reply(b"HTTP/1.1 200 OK\r\nX-Slow: ", drip(b"y" * 200)),
            Reply(b"HTTP/1.1 200 OK\r\n", (b"X: y\r\n",) * 90),
            Reply(b"", (b"HTTP/1.1 100 Continue\r\n\r\n",) * 200),
            Reply(CHUNKED, drip(b"1;" + b"x" * 200)),
            Reply(CHUNKED + b"0\r\n", drip(b"X-Slow: " + b"y" * 200)),
        ],
        ids=[
            "silence",
            "hangs-in-headers",
            "hangs-in-body",
            "hangs-at-end",
            "hangs-between-chunks",
            "drips-body",
            "drips-body-until-close",
            "drips-chunks",
            "drips-one-chunk",
            "drips-status-line",
            "drips-one-header",
            "drips-headers",
            "drips-100-continue",
            "drips-chunk-size",
            "drips-trailer",
        ],
    )
    def test_a_slow_response_is_given_up_in_time(self, slow: Reply) -> None:
        with serving(slow) as server:
            started = time.monotonic()
            error = refusal(server.url, timeout_seconds=BOUND_SECONDS)
            took = time.monotonic() - started
        assert str(error) == "127.0.0.1 did not respond in 0.2 s"
        assert BOUND_SECONDS - 0.01 <= took < BOUND_SECONDS + GRACE_SECONDS

    def test_a_tls_handshake_that_hangs_is_given_up_in_time(self) -> None:
        with socket.create_server((LOOPBACK, 0)) as deaf:
            url = f"https://{LOOPBACK}:{deaf.getsockname()[1]}/"
            started = time.monotonic()
            error = refusal(url, timeout_seconds=BOUND_SECONDS)
            took = time.monotonic() - started
        assert str(error) == "127.0.0.1 did not respond in 0.2 s"
        assert took < BOUND_SECONDS + GRACE_SECONDS

    def test_a_slow_response_within_the_limit_is_returned(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
        with serving(Reply(head, drip(b"hello"))) as server:
            assert get(server.url).body == b"hello"


class TestBrokenResponses:
    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\r\n\r\n",
            b"SSH-2.0-OpenSSH_9.6\r\n",
            b"HTTP/1.1 OK\r\n\r\n",
            b"HTTP/1.1 99999 OK\r\n\r\n",
            b"\x15\x03\x01\x00\x02\x02\x16",
            CHUNKED + b"not a size\r\n",
        ],
        ids=["nothing", "blank", "ssh", "no-status", "status", "tls-alert", "chunk-size"],
    )
    def test_a_response_that_is_not_http_is_refused(self, raw: bytes) -> None:
        with serving(Reply(raw)) as server:
            assert str(refusal(server.url)).startswith("127.0.0.1 cannot be reached: ")

    @pytest.mark.parametrize("size", [b"-5", b"-2"])
    def test_a_chunk_of_a_negative_size_is_refused(self, size: bytes) -> None:
        with serving(Reply(CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")) as server:
            assert str(refusal(server.url)) == "the response of 127.0.0.1 has an invalid chunk"

    def test_a_chunk_without_end_is_refused_for_its_size(self) -> None:
        with serving(Reply(CHUNKED + b"-1\r\n", for_ever=bytes(1 << 16))) as server:
            error = refusal(server.url, timeout_seconds=60)
        assert str(error) == "the response is larger than 1000 bytes"

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n",
            CHUNKED + b"5\r\nhel",
            CHUNKED + b"5\r\nhello\r\n",
        ],
        ids=["length", "length-and-nothing", "in-a-chunk", "between-chunks"],
    )
    def test_a_response_that_was_cut_short_is_refused(self, raw: bytes) -> None:
        with serving(Reply(raw)) as server:
            refusal(server.url)


class TestUnreachable:
    def test_a_port_on_which_nothing_listens(self) -> None:
        error = refusal(f"http://{LOOPBACK}:{closed_port()}/")
        assert str(error) == "127.0.0.1 cannot be reached: it refused the connection"

    def test_a_name_that_is_not_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", Mock(side_effect=socket.gaierror))
        error = refusal("https://login.example.com/")
        assert str(error) == "login.example.com cannot be reached: its name was not found"

    def test_tls_with_a_server_without_tls(self) -> None:
        with serving(reply()) as server:
            error = refusal(f"https://{server.host}/")
        assert str(error).startswith("127.0.0.1 cannot be reached: ")
        assert server.received == []

    def test_an_untrusted_certificate(self, self_signed: ssl.SSLContext) -> None:
        with serving(reply(), tls=self_signed) as server:
            error = refusal(server.url)
        assert str(error) == "127.0.0.1 cannot be reached: its certificate is not trusted"
        assert server.received == []

    @pytest.mark.parametrize("url", ["", "/path", "ftp://127.0.0.1/", "http://127.0.0.1:99999/"])
    def test_an_invalid_url(self, url: str) -> None:
        assert str(refusal(url)).startswith("it is not ")

    def test_another_machine_without_tls(self) -> None:
        assert str(refusal("http://example.com/")) == "it is not an https URL"

    def test_an_ipv6_host_without_a_port_uses_the_schemes_port(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
            asked.append((host, port))
            raise OSError

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        refusal("http://[::1]/")
        assert asked == [("::1", 80)]

    def test_many_silent_addresses_share_the_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(30)]  # no TLS ever
        found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each.getsockname()) for each in silent]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        started = time.monotonic()
        error = refusal("https://login.example.com/", timeout_seconds=0.3)
        assert time.monotonic() - started < 0.3 + GRACE_SECONDS
        assert "did not respond in 0.3 s" in str(error)
        for each in silent:
            each.close()

    def test_the_next_address_is_tried_if_one_refuses(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with serving(reply(200, b"second")) as server, socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = int(server.url.rpartition(":")[2].strip("/"))
            addresses = [closed.getsockname(), ("127.0.0.1", port)]
            found = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", each) for each in addresses]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            answer = request("GET", server.url, timeout_seconds=2, max_bytes=100)
        assert answer.body == b"second"

    @pytest.mark.parametrize("value", ["secret\n", "secret\r\nX-Other: 1", "secret\u20ac"])
    def test_a_header_that_cannot_be_sent_is_refused_without_being_shown(self, value: str) -> None:
        with serving(reply()) as server:
            error = refusal(server.url, headers={"authorization": value})
        assert "secret" not in "".join(traceback.format_exception(error)).replace(__file__, "")


class TestConnections:
    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        ],
        ids=["keep-alive", "close"],
    )
    def test_the_connection_is_closed_after_a_response(self, raw: bytes) -> None:
        with serving(Reply(raw, hangs=True)) as server:
            get(server.url)
            assert server.client_left.wait(10.0)

    @pytest.mark.parametrize(
        "raw",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + bytes(5000),
            UNTIL_CLOSED + bytes(5000),
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\n",
        ],
        ids=["too-large", "too-large-until-close", "too-slow-body", "too-slow-headers"],
    )
    def test_the_connection_is_closed_after_a_refusal(self, raw: bytes) -> None:
        with serving(Reply(raw, hangs=True)) as server:
            error = refusal(server.url, timeout_seconds=BOUND_SECONDS)
            # At once, and not only when the error is garbage-collected.
            assert server.client_left.wait(10.0), error


class TestSafeToLog:
    @pytest.mark.parametrize(
        "bad",
        [
            SILENCE,
            Reply(b"secret-of-the-answer\r\n\r\n"),
            Reply(UNTIL_CLOSED + b"secret-of-the-answer" * 100),
            Reply(CHUNKED + b"secret-of-the-answer\r\n"),
        ],
        ids=["silence", "not-http", "too-large", "bad-chunk"],
    )
    def test_no_error_shows_a_part_of_request_or_response(self, bad: Reply) -> None:
        with serving(bad) as server, pytest.raises(HttpError) as caught:
            request(
                "POST",
                f"http://user:secret-password@{server.host}/secret-path?secret-query",
                headers={"authorization": "secret-header"},
                body=b"secret-body",
                timeout_seconds=BOUND_SECONDS,
                max_bytes=MAX_BYTES,
            )
        assert "secret" not in str(caught.value) + repr(caught.value)


class TestCheckUrl:
    @pytest.mark.parametrize("allow_loopback", [True, False])
    @pytest.mark.parametrize(
        "url",
        [
            "https://login.example.com",
            "https://login.example.com/",
            "https://login.example.com./a",
            "https://login.example.com:8443/.well-known/jwks.json?a=b&c=%20#d",
            "https://xn--bcher-kva.example/",
            "https://my_host/",
            "https://LOGIN.EXAMPLE.COM/",
            "https://192.0.2.1/",
            "https://[2001:db8::1]:8443/",
            f"https://{'a' * 63}.example/",
        ],
    )
    def test_https_may_go_anywhere(self, url: str, allow_loopback: bool) -> None:
        assert check_url(url, allow_loopback=allow_loopback) == url

    @pytest.mark.parametrize(
        "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.10", "[::1]", "localhost:8080"]
    )
    def test_http_may_go_to_this_machine_if_that_is_allowed(self, host: str) -> None:
        url = f"http://{host}/path"
        assert check_url(url, allow_loopback=True) == url

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]:8080"])
    def test_http_may_not_go_to_this_machine_otherwise(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"^it is not an https URL$"):
            check_url(f"http://{host}/", allow_loopback=False)

    @pytest.mark.parametrize(
        "host",
        [
            "0.0.0.0",
            "[::]",
            "10.0.0.1",
            "128.0.0.1",
            "169.254.170.2",
            "192.168.0.1",
            "2130706433",
            "0x7f000001",
            "127.1",
            "example.com",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "127.0.0.1@example.com",
            "localhost:80@example.com",
        ],
    )
    def test_http_may_not_go_to_another_machine(self, host: str) -> None:
        with pytest.raises(ValueError, match=r"^it is not an https URL$"):
            check_url(f"http://{host}/", allow_loopback=True)

    @pytest.mark.parametrize(
        "url",
        [
            "file://localhost/etc/passwd",
            "ftp://localhost/",
            "gopher://localhost/",
            "//localhost/",
            "ws://localhost/",
        ],
    )
    def test_no_other_scheme_is_accepted(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"^it is not an https URL$"):
            check_url(url, allow_loopback=True)

    @table(
        "url",
        [
            "",
            "localhost",
            "/path",
            "file:///etc/passwd",
            "https:",
            "https://",
            "https:///path",
            "https://:443/",
            "https://login.example.com:99999/",
            "https://login.example.com:port/",
            "https://login.example.com:-1/",
            "https://[::1/",
            "https://[::1%25lo]/",
            "https://login..example.com/",
            "https://.example.com/",
            f"https://{'a' * 64}.example/",
            "https://login.example.com/a b",
            " https://login.example.com/",
            "https://login.example.com/\n",
            "https://login.exa\tmple.com/",
            "https://login.example.com/\x00",
            "https://login.example.com/\x7f",
            "https://login.example.com/é",
            "https://bücher.example/",
            "https://login.example.com/\ud83d",
            "https://login.example.com\\@other.example.com:x/",
        ],
    )
    def test_an_invalid_url_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"^it is not a URL$"):
            check_url(url, allow_loopback=True)

    @given(st.text(st.characters(codec=None)), st.sampled_from(["", "http://", "https://"]))
    def test_any_text_is_returned_unchanged_or_refused(self, text: str, start: str) -> None:
        try:
            outcome = check_url(start + text, allow_loopback=True)
        except ValueError as error:
            outcome = str(error)
        refusals = ("it is not a URL", "it is not an https URL", "it contains a user name")
        assert outcome in (start + text, *refusals)

    @pytest.mark.parametrize(
        "url",
        [
            "https://alice@login.example.com/",
            "https://alice:password@login.example.com/",
            "http://alice@localhost/",
        ],
    )
    def test_a_url_that_names_a_user_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"^it contains a user name$"):
            check_url(url, allow_loopback=True)


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS settings with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LOOPBACK)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    key_text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tmp_path / "server"
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + key_text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
