"""One HTTP request with a bound on everything: time, size, and where it may lead.

Used for the identity providers' keys, for AWS and for ZEGO's server API. Plain ``http.client``:
a client library would double the issuer's cold start, see docs/design-notes.md.
"""

from __future__ import annotations

import functools
import http.client
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

_URL_CHARACTERS: Final = re.compile(r"[!-~]+")
#: A name of labels up to 63 characters, or an IPv6 address.
_HOST: Final = re.compile(r"(?:[\w-]{1,63}\.)*[\w-]{1,63}\.?|[0-9a-f:.]+", re.ASCII)


class HttpError(Exception):
    """No usable answer came: unreachable, too slow or too large. Safe to log."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status. ``headers`` have lower-case names."""

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
    """Send one request and read the whole answer. Redirects are answers: none is followed.

    :param timeout_seconds: for everything together, however slowly the other side drips.
    :param max_bytes: the largest body taken.
    :raises HttpError: unreachable, TLS refused, too slow, too large, or not HTTP.
    """
    deadline = time.monotonic() + timeout_seconds
    try:
        check_url(url, allow_loopback=True)
    except ValueError as error:
        raise HttpError(str(error)) from None
    parts = urlsplit(url)
    connection = _connection(parts, timeout_seconds)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.request(method, target, body, dict(headers or {}))
        wire = connection.sock
        _bound(wire, deadline)
        answer = connection.getresponse()
        content = _read(answer, wire, deadline, max_bytes)
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Response(answer.status, names, content)
    except TimeoutError:
        raise HttpError(f"{parts.hostname} did not answer in {timeout_seconds:g} s") from None
    except (OSError, http.client.HTTPException) as error:
        raise HttpError(f"{parts.hostname} cannot be reached: {type(error).__name__}") from None
    finally:
        connection.close()


def check_url(url: str, *, allow_loopback: bool) -> str:
    """Return the URL if a request may go there: https, or plain http to this very machine.

    :param allow_loopback: whether plain http to this machine is taken.
    :raises ValueError: it may not, or it is no URL.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("it is not a URL") from None
    if not host or not _URL_CHARACTERS.fullmatch(url) or not _HOST.fullmatch(host):
        raise ValueError("it is not a URL")
    if parts.scheme == "https":
        return url
    if parts.scheme == "http" and allow_loopback and _is_loopback(host):
        return url
    raise ValueError("it is not an https URL")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _connection(parts: SplitResult, timeout_seconds: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    if parts.scheme == "https":
        return http.client.HTTPSConnection(
            host, parts.port, timeout=timeout_seconds, context=_tls()
        )
    return http.client.HTTPConnection(host, parts.port, timeout=timeout_seconds)


@functools.cache
def _tls() -> ssl.SSLContext:
    """The TLS settings, made at the first use: reading the trusted roots takes milliseconds."""
    return ssl.create_default_context()


def _read(
    answer: http.client.HTTPResponse, wire: socket.socket, deadline: float, max_bytes: int
) -> bytes:
    content = bytearray()
    while True:
        _bound(wire, deadline)
        chunk = answer.read1(65536)
        if not chunk:
            return bytes(content)
        content += chunk
        if len(content) > max_bytes:
            raise HttpError(f"the answer is larger than {max_bytes} bytes")


def _bound(wire: socket.socket, deadline: float) -> None:
    """Let the next read wait no longer than what is left of the time."""
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimeoutError
    wire.settimeout(remaining)
