"""Of Secrets Manager what the issuer may call: ``GetSecretValue``, and a secret's tags.

Source: the Secrets Manager API reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from zego import strict_json
from zego.aws_credentials import AwsCredentials, CredentialsError
from zego.aws_signature import signed_headers
from zego.bounded_http import HttpError, Response, check_url, request

#: A secret has at most 64 KiB; JSON may double it.
_MAX_BYTES: Final = 200_000
_THROTTLED: Final = frozenset({"ThrottlingException", "TooManyRequestsException"})


class SecretsManagerError(Exception):
    """Secrets Manager gave no answer, or none that is of use. Safe to log.

    :ivar code: AWS' error code, or ``Unreachable`` where no answer came.
    :ivar passing: whether another attempt may be answered.
    """

    def __init__(self, code: str, message: str, *, passing: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.passing = passing


@dataclass(frozen=True, slots=True)
class SecretValue:
    """One version of a secret.

    :ivar created_at: when this version was stored, Unix seconds.
    """

    text: str = field(repr=False)
    version_id: str
    created_at: float


class SecretsManager:
    """Reads secrets of one region.

    :param endpoint: the URL to call instead of AWS' own; plain http only to this machine.
    :param attempt_seconds: bound on one attempt; there are at most two.
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
        self._url = endpoint or f"https://secretsmanager.{region}.{_domain(region)}/"
        try:
            self._host = urlsplit(check_url(self._url, allow_loopback=True)).netloc
        except ValueError as error:
            raise ValueError(f"the Secrets Manager endpoint: {error}") from None
        self._attempt_seconds = attempt_seconds
        self._clock = clock
        self._sleep = sleep

    def get_secret_value(self, secret_id: str, *, version_stage: str) -> SecretValue:
        """The version that has the staging label. Tried once more where that may help.

        :param secret_id: the secret's ARN or name.
        :param version_stage: a label such as ``AWSCURRENT``.
        :raises SecretsManagerError: refused, unreachable, too slow, or without a text value.
        """
        asked = {"SecretId": secret_id, "VersionStage": version_stage}
        return _value(self._call("GetSecretValue", asked))

    def describe_tags(self, secret_id: str) -> dict[str, str]:
        """The secret's tags. Tried once more where that may help.

        :param secret_id: the secret's ARN or name.
        :raises SecretsManagerError: refused, unreachable, too slow, or not to be read.
        """
        return _tags(self._call("DescribeSecret", {"SecretId": secret_id}))

    def _call(self, action: str, asked: Mapping[str, str]) -> Mapping[str, Any]:
        body = strict_json.dumps(asked).encode()
        try:
            return self._attempt(action, body)
        except SecretsManagerError as error:
            if not error.passing:
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
            answer = request(
                "POST",
                self._url,
                headers=headers,
                body=body,
                timeout_seconds=self._attempt_seconds,
                max_bytes=_MAX_BYTES,
            )
        except CredentialsError as error:
            raise SecretsManagerError("CredentialsUnavailable", str(error)) from None
        except HttpError as error:
            raise SecretsManagerError("Unreachable", str(error), passing=True) from None
        return _document(answer)


def _document(answer: Response) -> Mapping[str, Any]:
    if answer.status != 200:
        raise _refusal(answer)
    try:
        return strict_json.loads_object(answer.body)
    except ValueError:
        raise _unreadable() from None


def _value(values: Mapping[str, Any]) -> SecretValue:
    try:
        text, version_id = values["SecretString"], values["VersionId"]
        created_at = float(values["CreatedDate"])
    except KeyError:
        raise SecretsManagerError("NoText", "the version has no text value") from None
    except (ValueError, TypeError, OverflowError):
        raise _unreadable() from None
    if not isinstance(text, str) or not isinstance(version_id, str):
        raise SecretsManagerError("NoText", "the version has no text value")
    return SecretValue(text, version_id, created_at)


def _tags(values: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {str(tag["Key"]): str(tag["Value"]) for tag in values.get("Tags", ())}
    except (KeyError, TypeError):
        raise _unreadable() from None


def _unreadable() -> SecretsManagerError:
    return SecretsManagerError("Unreadable", "the answer cannot be read")


def _refusal(answer: Response) -> SecretsManagerError:
    try:
        code = str(strict_json.loads_object(answer.body)["__type"]).rpartition("#")[2]
    except (ValueError, KeyError):
        code = f"Http{answer.status}"
    passing = answer.status >= 500 or answer.status == 429 or code in _THROTTLED
    message = f"Secrets Manager refused, HTTP {answer.status}"
    return SecretsManagerError(code, message, passing=passing)


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
