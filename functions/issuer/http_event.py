"""API Gateway's HTTP API events, payload format 2.0: reads a request, makes a response."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from issuer.problems import Problem
from zego import strict_json

#: Times in milliseconds from this one on are invalid: it is in the year 33658.
_TIMES_END: Final = 10**15

#: A response as API Gateway takes it, payload format 2.0.
ApiResponse = dict[str, object]


class ApiRequest(NamedTuple):
    """A request as API Gateway passes it to the function.

    :ivar route: API Gateway's route key, such as ``POST /v1/tokens``.
    :ivar headers: their names are in lower case.
    :ivar sent: the body as it was sent, for :attr:`body`.
    :ivar iam: the identity that API Gateway verified, on routes that it protects with IAM.
    :ivar request_id: API Gateway's id, which its access log has too.
    :ivar received_at: when API Gateway received it, by its clock, Unix seconds; ``None`` if the
        event has no such time.
    :ivar base_url: the API's address as the caller used it, without a slash at the end.
    """

    route: str
    headers: Mapping[str, str]
    sent: bytes
    iam: Mapping[str, object] | None
    request_id: str
    received_at: float | None
    base_url: str

    @property
    def body(self) -> bytes:
        """The body. The service decodes no content coding: a small body could become a huge one.

        :raises Problem: ``content_encoding_refused``.
        """
        if self.headers.get("content-encoding", "").strip().lower() not in {"", "identity"}:
            detail = "Send the body without compression, and without the header Content-Encoding."
            raise Problem("content_encoding_refused", detail)
        return self.sent


class GatewayClock:
    """API Gateway's clock: the time of the latest request, plus the time since then.

    Lambda can freeze this environment, and its wall clock can be set back; neither changes the time
    that the next request contains. Creating this reads no clock.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ahead_seconds: float | None = None

    def set(self, received_at: float | None) -> None:
        """Set the clock to the time of a request, if the request has one."""
        if received_at is not None:
            self._ahead_seconds = received_at - self._monotonic()

    def __call__(self) -> float | None:
        """The time in Unix seconds; ``None`` before the first request that contains a time."""
        ahead = self._ahead_seconds
        return None if ahead is None else self._monotonic() + ahead


class ApiEventError(ValueError):
    """The event does not come from an HTTP API. Safe to log."""


def read(event: Mapping[str, Any]) -> ApiRequest:
    """Read an event. The identity that API Gateway verified comes from ``requestContext`` only.

    :raises ApiEventError: the function was invoked with another event.
    """
    try:
        context = event["requestContext"]
        headers = event.get("headers") or {}
        return ApiRequest(
            route=event["routeKey"],
            headers=headers,
            sent=_body(event),
            iam=_iam(context.get("authorizer")),
            request_id=context["requestId"],
            received_at=_received_at(context.get("timeEpoch")),
            base_url=_base_url(event, headers.get("host") or context.get("domainName", "")),
        )
    except (KeyError, TypeError, AttributeError):
        raise ApiEventError("not an event of an HTTP API in payload format 2.0") from None


def respond(status: int, document: object, headers: Mapping[str, str] | None = None) -> ApiResponse:
    """A response in payload format 2.0, which no cache may store."""
    return {
        "statusCode": status,
        "headers": {
            "content-type": "application/json",
            "cache-control": "no-store",
            **(headers or {}),
        },
        "body": strict_json.dumps(document),
    }


def _iam(authorizer: object) -> Mapping[str, object] | None:
    """The identity that API Gateway verified; ``None`` for anything that is not one."""
    iam = authorizer.get("iam") if isinstance(authorizer, Mapping) else None
    return iam if isinstance(iam, Mapping) else None


def _received_at(milliseconds: object) -> float | None:
    if type(milliseconds) is int and 0 <= milliseconds < _TIMES_END:
        return milliseconds / 1000
    return None


def _base_url(event: Mapping[str, Any], host: str) -> str:
    """The scheme and host, and the path that a custom domain may put before ours."""
    forwarded = (event.get("headers") or {}).get("x-forwarded-proto")
    scheme = "http" if forwarded == "http" else "https"
    path, own_path = event.get("rawPath", ""), event["routeKey"].partition(" ")[2]
    before = path.removesuffix(own_path) if path.endswith(own_path) else ""
    return f"{scheme}://{host}{before}"


def _body(event: Mapping[str, Any]) -> bytes:
    text: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b"\xff"  # not UTF-8, so it is refused like any body that is not JSON
