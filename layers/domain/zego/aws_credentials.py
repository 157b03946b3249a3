"""Where a Lambda function finds its credentials: in its environment, or under SnapStart, whose
snapshots must hold none, from the container credentials endpoint.

Source: "SDK container credential provider" in the AWS SDKs and Tools reference guide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from zego import strict_json
from zego.aws_signature import Credentials
from zego.bounded_http import HttpError, request

#: How long before they expire credentials are fetched anew.
_REFRESH_SECONDS: Final = 300.0
_MAX_BYTES: Final = 16384


class CredentialsError(Exception):
    """No credentials can be had. The message says what is missing, and holds no credential."""


class AwsCredentials:
    """The function's credentials, fetched when first asked for and again before they expire."""

    def __init__(
        self, environment: Mapping[str, str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._environment = environment
        self._clock = clock
        self._fetched: Credentials | None = None

    def get(self) -> Credentials:
        """Credentials that are good for some minutes at least.

        :raises CredentialsError: the environment names none, or their endpoint does not answer.
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
            answer = request(
                "GET",
                url,
                headers={"authorization": token} if token else {},
                timeout_seconds=2.0,
                max_bytes=_MAX_BYTES,
            )
        except HttpError as error:
            raise CredentialsError(f"the container credentials endpoint: {error}") from None
        if answer.status != 200:
            raise CredentialsError(f"the container credentials endpoint answered {answer.status}")
        try:
            values = strict_json.loads_object(answer.body)
            expiration = values.get("Expiration")
            return Credentials(
                _text(values["AccessKeyId"]),
                _text(values["SecretAccessKey"]),
                _text(values["Token"]) if values.get("Token") else None,
                datetime.fromisoformat(expiration).timestamp() if expiration else None,
            )
        except (ValueError, KeyError, TypeError):
            raise CredentialsError(
                "the container credentials endpoint's answer cannot be read"
            ) from None


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    return value
