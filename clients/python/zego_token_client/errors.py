"""The errors of a call. No error holds a token, a credential or a signature, and no variable of
this package in its traceback shows one."""

from __future__ import annotations


class TokenServiceError(Exception):
    """A call failed. The base of every error here except those for invalid settings.

    :ivar retryable: whether the same call can succeed later. It was retried already.
    :ivar retry_after_seconds: how long to wait first, at most 3600; ``None`` if unknown.
    :ivar request_id: names the request in the service's logs; ``None`` if it did not arrive.
    """

    retryable: bool = False
    retry_after_seconds: int | None = None
    request_id: str | None = None


class TokenProblem(TokenServiceError):  # noqa: N818  the name in RFC 9457
    """The service refused, or API Gateway in front of it did. Decide on :attr:`code`.

    :ivar code: the service's, of those that ``docs/openapi.yaml`` lists under ``x-problems``; or
        one of :data:`zego_token_client.answers.GATEWAY_CODES`. Stable.
    :ivar status: the HTTP status.
    :ivar detail: what was wrong and what to do, for people. Its wording may change.
    :ivar field: the invalid field, if there is one.
    """

    def __init__(
        self,
        code: str,
        status: int,
        detail: str,
        request_id: str | None = None,
        retryable: bool = False,
        retry_after_seconds: int | None = None,
        field: str | None = None,
    ) -> None:
        # All of them, in order: so an error can be pickled, as pools of processes do.
        super().__init__(code, status, detail, request_id, retryable, retry_after_seconds, field)
        self.code = code
        self.status = status
        self.detail = detail
        self.request_id = request_id
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds
        self.field = field

    def __str__(self) -> str:
        return f"{self.code}: {self.detail} {_place(self.status, self.request_id)}"


class NoAnswerError(TokenServiceError):
    """No response arrived: the service is unreachable, too slow, or cut it short."""

    retryable = True


class BadAnswerError(TokenServiceError):
    """The response is not from this API, or not for this request. Check the URL, and any proxy
    in between.

    :ivar reason: what is wrong with it.
    :ivar status: the HTTP status.
    """

    def __init__(
        self,
        reason: str,
        status: int,
        request_id: str | None = None,
        retry_after_seconds: int | None = None,
    ) -> None:
        super().__init__(reason, status, request_id, retry_after_seconds)
        self.reason = reason
        self.status = status
        self.request_id = request_id
        self.retryable = can_pass(status)
        self.retry_after_seconds = retry_after_seconds

    def __str__(self) -> str:
        return f"{self.reason} {_place(self.status, self.request_id)}"


class CredentialsError(TokenServiceError):
    """There are no AWS credentials to sign with, or they cannot be sent in a request."""


def can_pass(status: int) -> bool:
    """Whether a failure with this status can be temporary: 429, and any 5xx."""
    return status == 429 or status >= 500


def _place(status: int, request_id: str | None) -> str:
    return f"(status {status}, request {request_id or 'unknown'})"
