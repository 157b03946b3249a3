"""The errors of a call. No error, and no variable of this package in its traceback, contains a
token, a credential or a signature."""

from __future__ import annotations

from dataclasses import astuple, dataclass


class TokenServiceError(Exception):
    """A call failed. The base class of all errors except those for invalid settings.

    :ivar retryable: whether the same call can succeed later. The client has retried it already.
    :ivar retry_after_seconds: how long to wait first, at most 3600; ``None`` if unknown.
    :ivar request_id: identifies the request in the service's logs; ``None`` if unknown.
    """

    retryable: bool = False
    retry_after_seconds: int | None = None
    request_id: str | None = None


@dataclass(eq=False, repr=False)
class TokenProblem(TokenServiceError):  # noqa: N818  the name in RFC 9457
    """The service or API Gateway refused the request. Use :attr:`code` to decide what to do.

    :ivar code: a code of the service, listed under ``x-problems`` in ``docs/openapi.yaml``, or one
        of :data:`zego_token_client.answers.GATEWAY_CODES`. Stable.
    :ivar status: the HTTP status.
    :ivar detail: human-readable: what was wrong and what to do. The wording may change.
    :ivar field: the invalid field, if there is one.
    :ivar help: the address of a page that explains the code; ``None`` for one of API Gateway.
    """

    code: str
    status: int
    detail: str
    request_id: str | None = None
    retryable: bool = False
    retry_after_seconds: int | None = None
    field: str | None = None
    help: str | None = None

    def __post_init__(self) -> None:
        super().__init__(*astuple(self))  # so that process pools can pickle it

    def __str__(self) -> str:
        return f"{self.code}: {self.detail} {_place(self.status, self.request_id)}"


class NoAnswerError(TokenServiceError):
    """No complete response arrived: the service is unreachable or too slow, or it was cut short."""

    retryable: bool = True


@dataclass(eq=False, repr=False)
class BadAnswerError(TokenServiceError):
    """The response is not from this API, or not for this request. Check the URL and any proxy.

    :ivar reason: what is wrong with it.
    :ivar status: the HTTP status.
    """

    reason: str
    status: int
    request_id: str | None = None
    retry_after_seconds: int | None = None

    def __post_init__(self) -> None:
        super().__init__(*astuple(self))
        self.retryable: bool = can_pass(self.status)

    def __str__(self) -> str:
        return f"{self.reason} {_place(self.status, self.request_id)}"


class CredentialsError(TokenServiceError):
    """There are no AWS credentials to sign with, or they cannot be sent in a request."""


def can_pass(status: int) -> bool:
    """Whether a failure with this status can be temporary: 429, and any 5xx."""
    return status == 429 or status >= 500


def _place(status: int, request_id: str | None) -> str:
    return f"(status {status}, request {request_id or 'unknown'})"
