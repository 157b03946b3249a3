"""What can go wrong with a call. One family; none holds a token, a credential or a signature,
and no variable of this package's in its traceback shows one."""

from __future__ import annotations


class TokenServiceError(Exception):
    """A call came to nothing. The base of every error here but those of wrong settings.

    :ivar retryable: whether the same call can succeed later. It was tried again already.
    :ivar retry_after_seconds: how long to wait first, at most 3600; ``None`` where nobody said.
    :ivar request_id: names the request in the service's logs; ``None`` where it did not get there.
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
    :ivar field: the field at fault, where it is one.
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
    """No answer came: unreachable, too slow, or cut short."""

    retryable = True


class BadAnswerError(TokenServiceError):
    """An answer came that is none of this API's, or to something else than was asked: is the URL
    right, and what stands in between?

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
    """There are no AWS credentials to sign with, or none that a request can carry."""


def can_pass(status: int) -> bool:
    """Whether what is answered with this status may pass by itself: 429, and any 5xx."""
    return status == 429 or status >= 500


def _place(status: int, request_id: str | None) -> str:
    return f"(status {status}, request {request_id or 'unknown'})"
