"""The two Secrets Manager calls that the issuer makes: ``GetSecretValue``, and a secret's tags.

A Lambda function finds its AWS credentials in its environment or, under SnapStart, whose snapshots
must contain none, at the container credentials endpoint. It signs each call with them: a POST of
JSON to the root of the service. botocore could do this too, but importing its signer would slow
down a cold start as much as the issuer's slowest import does now (``make bench`` shows it). The
tests compare the signature with botocore's.

Sources: the Secrets Manager API reference; "SDK container credential provider" in the AWS SDKs and
Tools reference guide; "Create a signed AWS API request" in the IAM user guide.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from zego import strict_json
from zego.bounded_http import HttpError, Response, check_url, request

#: A secret has at most 64 KiB; JSON may double it.
_MAX_BYTES: Final = 200_000
_THROTTLED: Final = frozenset({"ThrottlingException", "TooManyRequestsException"})
#: How long before their expiry credentials are fetched again.
_REFRESH_SECONDS: Final = 300.0
_MAX_CREDENTIALS_BYTES: Final = 16384
_ALGORITHM: Final = "AWS4-HMAC-SHA256"


class SecretsReaderError(Exception):
    """Secrets Manager gave no usable response. Safe to log.

    :ivar code: AWS' error code, or ``Unreachable`` if no response came.
    :ivar temporary: whether another attempt may succeed.
    """

    def __init__(self, code: str, message: str, *, temporary: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.temporary = temporary


class CredentialsError(Exception):
    """There are no AWS credentials. The message says what is missing and contains no credential."""


@dataclass(frozen=True, slots=True)
class SecretValue:
    """One version of a secret.

    :ivar created_at: when this version was stored, Unix seconds.
    """

    text: str = field(repr=False)
    version_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class Credentials:
    """AWS credentials. Their text form shows only the access key's id.

    :ivar expires_at: Unix seconds; ``None`` if they do not expire while the function runs.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(repr=False, default=None)
    expires_at: float | None = None


class SecretsReader:
    """Reads secrets in one region, each by its ARN or name.

    :param endpoint: the URL to call instead of AWS' own; plain http only to this machine.
    :param attempt_seconds: the time limit of one attempt; there are at most two.
    """

    def __init__(
        self,
        region: str,
        credentials: AwsCredentials,
        *,
        endpoint: str | None = None,
        attempt_seconds: float = 1.5,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._region = region
        self._credentials = credentials
        domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        self._url = endpoint or f"https://secretsmanager.{region}.{domain}/"
        try:
            self._host = urlsplit(check_url(self._url, allow_loopback=True)).netloc
        except ValueError as error:
            raise ValueError(f"the Secrets Manager endpoint: {error}") from None
        self._attempt_seconds = attempt_seconds
        self._clock = clock
        self._sleep = sleep

    def get_secret_value(self, secret_id: str, *, version_stage: str) -> SecretValue:
        """Read the version that has the staging label. Retries once if that may help.

        :param version_stage: a label such as ``AWSCURRENT``.
        :raises SecretsReaderError: refused, unreachable, too slow, or without a text value.
        """
        asked = {"SecretId": secret_id, "VersionStage": version_stage}
        values = self._call("GetSecretValue", asked)
        try:
            text, version_id = values["SecretString"], values["VersionId"]
            created_at = float(values["CreatedDate"])
        except KeyError:
            raise SecretsReaderError("NoText", "the version has no text value") from None
        except (ValueError, TypeError, OverflowError):
            raise _unreadable() from None
        if not isinstance(text, str) or not isinstance(version_id, str):
            raise SecretsReaderError("NoText", "the version has no text value")
        return SecretValue(text, version_id, created_at)

    def describe_tags(self, secret_id: str) -> dict[str, str]:
        """Read the secret's tags. Retries once if that may help.

        :raises SecretsReaderError: refused, unreachable, too slow, or not a valid response.
        """
        values = self._call("DescribeSecret", {"SecretId": secret_id})
        try:
            return {str(tag["Key"]): str(tag["Value"]) for tag in values.get("Tags", ())}
        except (KeyError, TypeError):
            raise _unreadable() from None

    def _call(self, action: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
        body = strict_json.dumps(asked).encode()
        try:
            return self._attempt(action, body)
        except SecretsReaderError as error:
            if not error.temporary:
                raise
        self._sleep(0.1)
        return self._attempt(action, body)

    def _attempt(self, action: str, body: bytes) -> Mapping[str, Any]:
        try:
            headers = signed_headers(
                service="secretsmanager",
                region=self._region,
                host=self._host,
                target=f"secretsmanager.{action}",
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
                max_bytes=_MAX_BYTES,
            )
        except CredentialsError as error:
            raise SecretsReaderError("CredentialsUnavailable", str(error)) from None
        except HttpError as error:
            raise SecretsReaderError("Unreachable", str(error), temporary=True) from None
        return _document(response)


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
    *,
    service: str,
    region: str,
    host: str,
    target: str,
    body: bytes,
    credentials: Credentials,
    now: float,
) -> dict[str, str]:
    """The headers of a signed ``POST /`` of JSON 1.1.

    :param host: as in the URL, with the port unless it is the scheme's default.
    :param target: ``X-Amz-Target``, the service's action.
    :param now: Unix seconds; AWS refuses a request whose time is more than 5 minutes off.
    """
    timestamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": host,
        "x-amz-date": timestamp,
        "x-amz-target": target,
    }
    if credentials.session_token is not None:
        headers["x-amz-security-token"] = credentials.session_token
    names = sorted(headers)
    canonical_headers = "".join(f"{name}:{headers[name]}\n" for name in names)
    signed = ";".join(names)
    payload_hash = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\n{canonical_headers}\n{signed}\n{payload_hash}"

    date = timestamp[:8]
    scope = f"{date}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    key = signing_key(credentials.secret_access_key, date, region, service)
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


def _document(response: Response) -> Mapping[str, Any]:
    if response.status != 200:
        raise _refusal(response)
    try:
        return strict_json.loads_object(response.body)
    except ValueError:
        raise _unreadable() from None


def _unreadable() -> SecretsReaderError:
    return SecretsReaderError("Unreadable", "the response is not valid")


def _refusal(response: Response) -> SecretsReaderError:
    try:
        code = str(strict_json.loads_object(response.body)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError):
        code = f"Http{response.status}"
    temporary = response.status >= 500 or response.status == 429 or code in _THROTTLED
    message = f"Secrets Manager refused the call with HTTP status {response.status}"
    return SecretsReaderError(code, message, temporary=temporary)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    return value


def _hmac(key: bytes, message: str) -> bytes:
    return hmac.new(key, message.encode(), hashlib.sha256).digest()
