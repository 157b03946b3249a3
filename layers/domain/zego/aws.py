"""Calls AWS services that take signed JSON. The issuer makes all its AWS calls through this module.

A Lambda function finds its AWS credentials in its environment or, under SnapStart, whose snapshots
must contain none, at the container credentials endpoint. It signs each call with them: a POST of
JSON to the root of the service. botocore could do this too, but importing its signer would slow
down a cold start as much as the issuer's slowest import does now (``make bench`` shows it). The
tests compare the signature with botocore's.

Sources: the API references of the services; "SDK container credential provider" in the AWS SDKs and
Tools reference guide; "Create a signed AWS API request" in the IAM user guide; "Programming with
DynamoDB: error handling" in the DynamoDB developer guide.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from zego import strict_json
from zego.bounded_http import HttpError, Response, check_url, request

_THROTTLED: Final = frozenset(
    {
        "ThrottlingException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    }
)
#: How long before their expiry credentials are fetched again.
_REFRESH_SECONDS: Final = 300.0
_MAX_CREDENTIALS_BYTES: Final = 16384
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class AwsError(Exception):
    """An AWS service gave no usable response. Safe to log.

    :ivar code: AWS' error code, or ``Unreachable`` if no response came.
    :ivar temporary: whether another attempt may succeed.
    """

    def __init__(self, code: str, message: str, *, temporary: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.temporary = temporary


class CredentialsError(Exception):
    """There are no AWS credentials. The message says what is missing and contains no credential."""


class ServiceType(NamedTuple):
    """An AWS service.

    :ivar name: for messages.
    :ivar signing_name: its name in signatures and in the names of its endpoints.
    :ivar target: what precedes the action in ``X-Amz-Target``.
    :ivar content_type: the version of its JSON protocol.
    :ivar max_bytes: the largest response that is accepted.
    """

    name: str
    signing_name: str
    target: str
    content_type: str
    max_bytes: int


#: A secret has at most 64 KiB; JSON may double it.
SECRETS_MANAGER: Final = ServiceType(
    "Secrets Manager", "secretsmanager", "secretsmanager", "application/x-amz-json-1.1", 200_000
)
#: A page of a query has at most 1 MB; JSON may double it, and attributes have names and types.
DYNAMODB: Final = ServiceType(
    "DynamoDB", "dynamodb", "DynamoDB_20120810", "application/x-amz-json-1.0", 4_000_000
)
#: A response to one event has its id, or an error's code and message.
EVENTBRIDGE: Final = ServiceType(
    "EventBridge", "events", "AWSEvents", "application/x-amz-json-1.1", 16_384
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """AWS credentials. Their text form shows only the access key's id.

    :ivar expires_at: Unix seconds; ``None`` if they do not expire while the function runs.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)
    expires_at: float | None = None


class AwsClient:
    """Calls one AWS service in one region.

    :param endpoint: the URL to call instead of AWS' own; plain http only to this machine.
    :param attempt_seconds: the time limit of one attempt.
    :param attempts: how many there are at most, if another one may help.
    """

    def __init__(
        self,
        service: ServiceType,
        region: str,
        credentials: AwsCredentials,
        *,
        endpoint: str | None = None,
        attempt_seconds: float = 1.5,
        attempts: int = 2,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.type = service
        self._region = region
        self._credentials = credentials
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._url = endpoint or f"https://{service.signing_name}.{region}.{domain}/"
        try:
            self._host = urlsplit(check_url(self._url, allow_loopback=True)).netloc
        except ValueError as error:
            raise ValueError(f"the {service.name} endpoint: {error}") from None
        self._attempt_seconds = attempt_seconds
        self._attempts = attempts
        self._clock = clock
        self._sleep = sleep

    def call(self, action: str, parameters: Mapping[str, object]) -> Mapping[str, Any]:
        """Call an action. Returns the response's JSON object.

        :raises AwsError: refused, unreachable, too slow, or not a valid response.
        """
        body = strict_json.dumps(parameters).encode()
        for _ in range(self._attempts - 1):
            try:
                return self._attempt(action, body)
            except AwsError as error:
                if not error.temporary:
                    raise
            self._sleep(0.1)
        return self._attempt(action, body)

    def _attempt(self, action: str, body: bytes) -> Mapping[str, Any]:
        service = self.type
        try:
            headers = signed_headers(
                service,
                region=self._region,
                host=self._host,
                action=action,
                body=body,
                credentials=self._credentials.get(),
                now=self._clock(),
            )
            response = request(
                "POST",
                self._url,
                headers=headers,
                body=body,
                timeout_seconds=self._attempt_seconds,
                max_bytes=service.max_bytes,
            )
        except CredentialsError as error:
            raise AwsError("CredentialsUnavailable", str(error)) from None
        except HttpError as error:
            raise AwsError("Unreachable", str(error), temporary=True) from None
        return _document(service, response)


class AwsCredentials:
    """The function's credentials. They are fetched on first use, and again before they expire."""

    def __init__(
        self, environment: Mapping[str, str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._fetched: Credentials | None = None

    def get(self) -> Credentials:
        """Credentials that stay valid for some minutes, unless fetching new ones fails.

        :raises CredentialsError: the environment names none, or their endpoint does not respond.
        """
        environment = self._environment
        access_key_id = environment.get("AWS_ACCESS_KEY_ID")
        secret_access_key = environment.get("AWS_SECRET_ACCESS_KEY")
        if access_key_id and secret_access_key:
            token = environment.get("AWS_SESSION_TOKEN") or None
            return Credentials(access_key_id, secret_access_key, token)
        if self._fetched is None or self._expires_within(_REFRESH_SECONDS, self._fetched):
            try:
                self._fetched = self._fetch()
            except CredentialsError:
                if self._fetched is None or self._expires_within(0, self._fetched):
                    raise
        return self._fetched

    def _expires_within(self, seconds: float, credentials: Credentials) -> bool:
        expires_at = credentials.expires_at
        return expires_at is not None and expires_at - self._clock() < seconds

    def _fetch(self) -> Credentials:
        url = self._environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        if not url:
            raise CredentialsError(
                "the environment has neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                " nor AWS_CONTAINER_CREDENTIALS_FULL_URI"
            )
        token = self._environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
        try:
            response = request(
                "GET",
                url,
                headers={"authorization": token} if token else {},
                timeout_seconds=2.0,
                max_bytes=_MAX_CREDENTIALS_BYTES,
            )
        except HttpError as error:
            raise CredentialsError(f"the container credentials endpoint: {error}") from None
        if response.status != 200:
            status = response.status
            raise CredentialsError(f"the container credentials endpoint responded with {status}")
        try:
            values = strict_json.loads_object(response.body)
            expiration = values.get("Expiration")
            return Credentials(
                _text(values["AccessKeyId"]),
                _text(values["SecretAccessKey"]),
                _text(values["Token"]) if values.get("Token") else None,
                datetime.fromisoformat(expiration).timestamp() if expiration else None,
            )
        except (ValueError, KeyError, TypeError):
            raise CredentialsError(
                "the container credentials endpoint's response is not valid"
            ) from None


def signed_headers(
    service: ServiceType,
    *,
    region: str,
    host: str,
    action: str,
    body: bytes,
    credentials: Credentials,
    now: float,
) -> dict[str, str]:
    """The headers of a signed ``POST /`` of JSON.

    :param host: as in the URL, with the port unless it is the scheme's default.
    :param now: Unix seconds; AWS refuses a request whose time is more than 5 minutes off.
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {
        "content-type": service.content_type,
        "host": host,
        "x-amz-date": timestamp,
        "x-amz-target": f"{service.target}.{action}",
    }
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    names = sorted(headers)
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in names)
    signed = ";".join(names)
    payload_hash = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\n{canonical_headers}\n{signed}\n{payload_hash}"

    date = timestamp[:8]
    scope = f"{date}/{region}/{service.signing_name}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = signing_key(credentials.secret_access_key, date, region, service.signing_name)
    signature = _hmac(key, f"{_ALGORITHM}\n{timestamp}\n{scope}\n{hashed}").hex()
    headers["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key_id}/{scope},"
        f" SignedHeaders={signed}, Signature={signature}"
    )
    return headers


def signing_key(secret_access_key: str, date: str, region: str, service: str) -> bytes:
    """The key that is derived for one day (``YYYYMMDD``), region and service."""
    key = f"AWS4{secret_access_key}".encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def unreadable() -> AwsError:
    """The error of a response that is not what the service's API reference says."""
    return AwsError("Unreadable", "the response is not valid")


def _document(service: ServiceType, response: Response) -> Mapping[str, Any]:
    if response.status != 200:
        raise _refusal(service, response)
    try:
        return strict_json.loads_object(response.body)
    except ValueError:
        raise unreadable() from None


def _refusal(service: ServiceType, response: Response) -> AwsError:
    try:
        code = str(strict_json.loads_object(response.body)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError):
        code = f"Http{response.status}"
    temporary = response.status >= 500 or response.status == 429 or code in _THROTTLED
    message = f"{service.name} refused the call with HTTP status {response.status}"
    return AwsError(code, message, temporary=temporary)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    return value


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()
