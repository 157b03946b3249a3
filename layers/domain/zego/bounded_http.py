"""One HTTP request with limits on everything: time, size and destination.

Used for the identity providers' keys, for AWS and for ZEGO's server API. It uses ``http.client``:
docs/performance.md says what a client library would cost at a cold start.
"""

from __future__ import annotations

import functools
import http.client
import io
import ipaddress
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

_URL_CHARACTERS: Final = re.compile(r"[!-~]+")
#: A name with labels of up to 63 characters, or an IPv6 address.
_HOST: Final = re.compile(r"(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?|[0-9a-f:.]+", re.ASCII)


#: Why a host cannot be reached, in words. Any other error is named by its type.
_REASONS: Final = (
    (socket.gaierror, "its name was not found"),
    (ConnectionRefusedError, "it refused the connection"),
    (ssl.SSLCertVerificationError, "its certificate is not trusted"),
)
#: What may come around a body: its headers, and for a body in chunks of one byte five times more.
_MOST_BYTES_AROUND: Final = 8 << 20


class HttpError(Exception):
    """No usable response: unreachable, too slow or too large. Safe to log."""


class Response(NamedTuple):
    """A response, whatever its status. ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def request(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout_seconds: float,
    max_bytes: int,
) -> Response:
    """Send one request and read the whole response. Redirects are returned, never followed.

    :param timeout_seconds: the limit for everything together, however slowly the server sends;
        except the look-up of its name, which the system's resolver limits.
    :param max_bytes: the largest body that is accepted.
    :raises HttpError: unreachable, TLS refused, too slow, too large, or not HTTP.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        check_url(url, allow_loopback=True)
    except ValueError as error:
        raise HttpError(str(error)) from None
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.sock = _connect(parts, deadline)
        try:
            connection.request(method, target, body, dict(headers or {}))
        except ValueError:  # its text would contain the header
            raise HttpError("a header cannot be sent as it is") from None
        wire = _Wire(connection.sock, deadline, _MOST_BYTES_AROUND + 8 * max_bytes)
        # HTTPResponse uses only the makefile() of a socket.
        with http.client.HTTPResponse(wire, method=method) as response:  # type: ignore[arg-type]
            response.begin()
            content = response.read(max_bytes + 1)
            if len(content) > max_bytes:
                raise HttpError(f"the response is larger than {max_bytes} bytes")
            if response.length:
                raise HttpError("the response was cut short")
            names = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, names, content)
    except TimeoutError:
        raise HttpError(f"{parts.hostname} did not respond in {timeout_seconds:g} s") from None
    except _TooMuchError:
        raise HttpError(f"the response is larger than {max_bytes} bytes") from None
    except (OSError, http.client.HTTPException) as error:
        known = (reason for kind, reason in _REASONS if isinstance(error, kind))
        reason = next(known, type(error).__name__)
        raise HttpError(f"{parts.hostname} cannot be reached: {reason}") from None
    except ValueError:
        raise HttpError(f"the response of {parts.hostname} has an invalid chunk") from None
    finally:
        connection.close()


def check_url(url: str, *, allow_loopback: bool) -> str:
    """Return the URL if a request may go there: https, or plain http to this machine.

    :param allow_loopback: whether plain http to this machine is allowed.
    :raises ValueError: it may not, or it is not a URL.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    if not host or not _URL_CHARACTERS.fullmatch(url) or not _HOST.fullmatch(host):
        raise ValueError("it is not a URL")
    plain = parts.scheme == "http" and allow_loopback and _is_loopback(host)
    if parts.scheme != "https" and not plain:
        raise ValueError("it is not an https URL")
    if "@" in parts.netloc:
        raise ValueError("it contains a user name")
    return url


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _connect(parts: SplitResult, deadline: float) -> socket.socket:
    """Connect to the first address that responds, with TLS if the URL is https."""
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    failure: OSError = OSError("the name has no address")
    port = parts.port or (443 if secure else 80)
    for family, kind, protocol, _, address in socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        wire = socket.socket(family, kind, protocol)
        try:
            wire.settimeout(_remaining(deadline))
            wire.connect(address)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.settimeout(_remaining(deadline))
            return load_trusted_roots().wrap_socket(wire, server_hostname=host) if secure else wire
        except OSError as error:
            failure = error
            wire.close()
    raise failure


def _remaining(deadline: float) -> float:
    """The seconds until the deadline.

    :raises TimeoutError: it has passed.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


def load_trusted_roots() -> ssl.SSLContext:
    """The TLS settings. The first call makes them, which takes some 10 ms."""
    with _tls_once:
        return _make_tls()


def renew_randomness() -> None:
    """Give OpenSSL new randomness, to call after the restore of a snapshot.

    Making the TLS settings starts OpenSSL's generator. Without this, all environments of a snapshot
    could continue it alike, and would make the same keys for their connections.
    """
    ssl.RAND_add(os.urandom(32), 32.0)


_make_tls = functools.cache(ssl.create_default_context)
#: Threads that need them at the same time share them.
_tls_once: Final = threading.Lock()


class _TooMuchError(Exception):
    """The response is longer than any that is accepted, with headers and chunks."""


class _Wire(io.RawIOBase):
    """Reads a socket until a deadline, however slowly the data arrives, and only so many bytes.

    ``http.client`` reads without limit if a chunk claims to have -1 bytes.
    """

    def __init__(self, wire: socket.socket, deadline: float, max_bytes: int) -> None:
        self._wire = wire
        self._deadline = deadline
        self._left = max_bytes

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        self._wire.settimeout(_remaining(self._deadline))
        size = self._wire.recv_into(buffer)
        self._left -= size
        if self._left < 0:
            raise _TooMuchError
        return size
