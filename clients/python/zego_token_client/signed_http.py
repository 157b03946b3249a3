"""One request to the API, signed or with a bearer token, over botocore's HTTP session."""

from __future__ import annotations

import abc
import ipaddress
import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import botocore.session
import urllib3.exceptions
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from zego_token_client.errors import BadAnswerError, CredentialsError, NoAnswerError
from zego_token_client.retries import is_number

if TYPE_CHECKING:
    import boto3

    Session = botocore.session.Session | boto3.Session

#: A bearer token, or a function that returns one.
Bearer = str | Callable[[], str]

_SERVICE: Final = "execute-api"
#: The connections that stay open, one per sending thread. More threads open new ones.
_CONNECTIONS: Final = 50
_LONGEST_TIMEOUT_SECONDS: Final = 3600
#: Lambda's limit for a response, so the service sends none that is larger.
_LARGEST_ANSWER_BYTES: Final = 6 * 1024 * 1024
_CHUNK_BYTES: Final = 1 << 16
_SHORTEST_PART: Final = 8
_PRINTABLE: Final = re.compile(r"[!-~]+")
_HOST_NAME: Final = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?")
_REGION: Final = re.compile(r"[A-Za-z0-9-]+")
_GATEWAY_HOST: Final = re.compile(
    r".+\.execute-api\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)"
)
#: Why no response arrived, by the exception of botocore or, while the body is read, of urllib3. The
#: first match counts.
_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ConnectTimeoutError, "cannot be reached in time"),
    (ReadTimeoutError, "did not respond in time"),
    (urllib3.exceptions.ReadTimeoutError, "did not respond in time"),
    (urllib3.exceptions.ProtocolError, "cut its response short"),
    (ValueError, "sent a chunk of a negative size"),
    (SSLError, "cannot be reached: TLS failed. Is its certificate trusted (AWS_CA_BUNDLE)?"),
    (ProxyConnectionError, "cannot be reached: the proxy refused the connection"),
    (EndpointConnectionError, "cannot be reached. Is the URL right?"),
    (IncompleteReadError, "cut its response short"),
    (ConnectionClosedError, "closed the connection without a response"),
    (Exception, "sent no response"),
)


@dataclass(frozen=True, slots=True)
class Request:
    """A request before signing. ``repr`` omits the body, which may contain a token.

    :ivar body: JSON; ``None`` for a request without one.
    :ivar headers: those that only this request has.
    """

    method: str
    path: str
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Proof:
    """What was sent to prove who this backend is: a signature and credentials, or a bearer token.

    ``repr`` omits it. No error may repeat a part of it.
    """

    texts: tuple[str, ...] = field(default=(), repr=False)

    def is_in(self, text: str) -> bool:
        """Whether a text repeats a part of it, of eight characters or more."""
        for secret in filter(None, self.texts):
            size = min(_SHORTEST_PART, len(secret))
            starts = range(len(text) - size + 1)
            if any(text[start : start + size] in secret for start in starts):
                return True
        return False


@dataclass(frozen=True, slots=True)
class Answer:
    """A response with any status. ``repr`` omits the body, which may contain a token.

    :ivar headers: the names are lower-case.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    proof: Proof = Proof()


def post(
    path: str, document: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Request:
    """Return a POST request with a JSON object."""
    body = json.dumps(document, separators=(",", ":")).encode()
    return Request("POST", path, body, headers or {})


class Http(abc.ABC):
    """Sends requests to one API. Threads can share it; it keeps up to 50 connections.

    The parameters are those of :class:`.client.TokenClient`.

    :raises ValueError: a setting is invalid.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        if not is_number(timeout_seconds) or not 0 < timeout_seconds <= _LONGEST_TIMEOUT_SECONDS:
            raise ValueError(
                f"timeout_seconds must be more than 0 and at most {_LONGEST_TIMEOUT_SECONDS}"
            )
        self._host = _host_of(url)
        self._url = url.rstrip("/")
        self._lock = threading.Lock()
        trusted = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
        self._http = URLLib3Session(  # the stubs are narrower than the code
            verify=trusted or True,  # type: ignore[arg-type]
            proxies={} if _is_loopback(self._host) else _proxies_for(url),
            timeout=timeout_seconds,  # type: ignore[arg-type]
            max_pool_connections=_CONNECTIONS,
        )

    def send(self, request: Request) -> Answer:
        """Send a request and read the whole response. Redirects are not followed.

        :raises CredentialsError: there is nothing usable to prove who this backend is.
        :raises NoAnswerError: no complete response arrived.
        :raises BadAnswerError: the response is larger than any of the service.
        """
        headers = {
            "Accept": "application/json",
            "User-Agent": "zego-token-client",
            **request.headers,
        }
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        proven = AWSRequest(
            method=request.method,
            url=self._url + request.path,
            headers=headers,
            data=request.body or b"",
            stream_output=True,
        )
        proof = self._prove(proven)
        try:
            return _whole(self._http.send(proven.prepare()), proof)
        except (BotoCoreError, urllib3.exceptions.HTTPError, ValueError) as error:
            reason = next(reason for kind, reason in _REASONS if isinstance(error, kind))
        # Raised outside of the except block: otherwise this error would keep the one above, which
        # contains the signed request, and its traceback the variables.
        del proven
        raise NoAnswerError(f"{self._host} {reason}")

    def close(self) -> None:
        """Close the open connections."""
        self._http.close()

    @abc.abstractmethod
    def _prove(self, request: AWSRequest) -> Proof:
        """Add the proof of who this backend is to a request.

        :raises CredentialsError: there is none.
        """


class BearerHttp(Http):
    """Sends requests with a bearer token. It gets a new one if the service refuses the last.

    :raises ValueError: a setting is invalid.
    """

    def __init__(self, url: str, bearer: Bearer, timeout_seconds: float) -> None:
        super().__init__(url, timeout_seconds)
        if not (callable(bearer) or isinstance(bearer, str)):
            raise ValueError("bearer must be a string, or a function that returns one")
        self._get = bearer if callable(bearer) else None
        self._bearer = None if callable(bearer) else bearer

    def send(self, request: Request) -> Answer:
        """Send a request, and after a 401 once more with a new bearer token, if there is one."""
        answer = super().send(request)
        if answer.status != 401 or self._get is None:
            return answer
        with self._lock:
            if (self._bearer,) == answer.proof.texts:  # else another thread has a new one already
                self._bearer = None
        del answer  # would stay in the traceback of an error
        return super().send(request)

    def _prove(self, request: AWSRequest) -> Proof:
        with self._lock:
            if self._bearer is None:
                self._bearer = self._new()
            bearer = self._bearer
        mistake = _mistake_in(bearer)
        if mistake:
            del bearer
            raise CredentialsError(f"no bearer token to send: {mistake}")
        request.headers["Authorization"] = f"Bearer {bearer}"
        return Proof((bearer,))

    def _new(self) -> str:
        try:
            return self._get() if self._get else ""
        except Exception as error:  # noqa: BLE001  a function of the backend may fail in any way
            reason = type(error).__name__  # its text may show a secret
        raise CredentialsError(f"no bearer token to send: bearer() failed: {reason}")


class SignedHttp(Http):
    """Sends requests that AWS credentials sign.

    :raises ValueError: a setting is invalid.
    """

    def __init__(
        self, url: str, session: Session | None, region: str | None, timeout_seconds: float
    ) -> None:
        super().__init__(url, timeout_seconds)
        self._session = botocore.session.Session() if session is None else session
        self._region = region or _region_in(self._host) or _region_of(self._session)
        if not _REGION.fullmatch(self._region):
            raise ValueError("region is not the name of an AWS region, such as eu-central-1")

    def _prove(self, request: AWSRequest) -> Proof:
        signer = SigV4Auth(self._credentials(), _SERVICE, self._region)
        signer.add_auth(request)
        signature = request.headers["Authorization"].rpartition("=")[2]
        return Proof(
            (signature, signer.credentials.access_key or "", signer.credentials.token or "")
        )

    def _credentials(self) -> ReadOnlyCredentials:
        credentials = frozen = None
        try:
            with self._lock:  # threads cannot share a session, only its credentials
                credentials = self._session.get_credentials()
            if credentials is not None:
                frozen = credentials.get_frozen_credentials()
                unusable = _unusable_in(frozen)
                if unusable is None:
                    return frozen
                reason = f"the {unusable} is not printable ASCII, or contains a space or a newline"
            else:
                reason = "none are set up. Use a role, a profile, environment variables or session="
        except Exception as error:  # noqa: BLE001  a profile's process may fail in any way
            reason = type(error).__name__  # its text may show a secret
        del credentials, frozen  # would stay in the error's traceback
        raise CredentialsError(f"no AWS credentials to sign with: {reason}")


def _mistake_in(bearer: object) -> str | None:
    """Return what is wrong with a bearer token, without showing it; ``None`` if it can be sent."""
    if not isinstance(bearer, str):
        return f"bearer() returned {type(bearer).__name__} instead of str"
    if not bearer:
        return "it is empty"
    if bearer.lower().startswith("bearer "):
        return 'it begins with "Bearer ". Leave that out'
    if not _PRINTABLE.fullmatch(bearer):
        return "it is not printable ASCII, or contains a space or a newline"
    return None


def _unusable_in(credentials: ReadOnlyCredentials) -> str | None:
    """Return the name of the part of the credentials that is unusable, if any."""
    texts: dict[str, object] = {
        "access key id": credentials.access_key,
        "secret access key": credentials.secret_key,
    }
    if credentials.token:
        texts["session token"] = credentials.token
    for name, text in texts.items():
        if not isinstance(text, str) or not _PRINTABLE.fullmatch(text):
            return name
    return None


def _whole(response: AWSResponse, proof: Proof) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    content = bytearray()
    # Nothing is decompressed: the request accepts no compression, and little can become much.
    for chunk in response.raw.stream(_CHUNK_BYTES, decode_content=False):
        content += chunk
        if len(content) > _LARGEST_ANSWER_BYTES:
            response.raw.close()
            del content, chunk  # may contain a token, and would stay in the error's traceback
            raise BadAnswerError(
                "the response is larger than any of this API; check the URL and any proxy",
                response.status_code,
            )
    body = bytes(content)
    expected = headers.get("content-length", "")
    if expected.isascii() and expected.isdigit():
        length = int(expected[:18])  # int() limits the digits
        if length != len(body):
            raise IncompleteReadError(actual_bytes=len(body), expected_bytes=length)
    return Answer(response.status_code, headers, body, proof)


def _host_of(url: str) -> str:
    """Return the host of a URL to which a signed request may be sent.

    :raises ValueError: the URL is invalid or unsafe. The message does not show it.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("url is not a valid URL") from None
    if not host or not _PRINTABLE.fullmatch(url):
        raise ValueError("url is not a valid URL")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("url must not contain a user, a query or a fragment")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError("url must be https; http is allowed for localhost only")
    if not _has_host(parts):
        raise ValueError("url has an invalid host")
    return host


def _proxies_for(url: str) -> dict[str, str]:
    """Return the proxies that the environment names for an https URL.

    :raises ValueError: a proxy is invalid. The message does not show it: it may have a password.
    """
    proxies = get_environ_proxies(url)
    proxy = proxies.get("https")
    if proxy and not _is_proxy(proxy):
        del proxy, proxies  # would stay in the error's traceback
        raise ValueError("HTTPS_PROXY is not a valid URL of an HTTP proxy")
    return proxies


def _is_proxy(proxy: str) -> bool:
    has_scheme = proxy.startswith(("http:", "https:"))
    try:  # botocore assumes http if there is no scheme
        parts = urlsplit(proxy if has_scheme else f"http://{proxy.removeprefix('//')}")
        _port = parts.port
    except ValueError:
        return False
    printable = proxy.isascii() and proxy.isprintable()
    return printable and not parts.path.startswith("//") and _has_host(parts)


def _has_host(parts: SplitResult) -> bool:
    """Whether the host of a URL is a valid name or address."""
    host = parts.hostname or ""
    if "[" not in parts.netloc.rpartition("@")[2]:
        return _HOST_NAME.fullmatch(host) is not None
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _region_in(host: str) -> str | None:
    found = _GATEWAY_HOST.fullmatch(host)
    return found[1] if found else None


def _region_of(session: Session) -> str:
    reason = "no AWS region is set. Use region= or AWS_REGION"
    try:
        if isinstance(session, botocore.session.Session):
            region = session.get_config_variable("region")
        else:
            region = session.region_name
        region = region or os.environ.get("AWS_REGION")  # Lambda sets it; boto3 does not read it
        if region:
            return str(region)
    except BotoCoreError as error:
        reason = f"the AWS configuration is invalid: {type(error).__name__}"
    raise ValueError(reason)
