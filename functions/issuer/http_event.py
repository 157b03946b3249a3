"""API Gateway's HTTP API events, payload format 2.0: what of them the routes use."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zego import strict_json


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request as API Gateway handed it over.

    :ivar route: API Gateway's route key, such as ``POST /v1/tokens``.
    :ivar headers: with lower-case names.
    :ivar iam: the identity that API Gateway verified, on routes that it protects with IAM.
    :ivar request_id: API Gateway's, which its access log has too.
    """

    route: str
    headers: Mapping[str, str]
    body: bytes
    iam: Mapping[str, object] | None
    request_id: str


class EventError(ValueError):
    """The event is not one of an HTTP API. Safe to log."""


def read(event: Mapping[str, Any]) -> HttpRequest:
    """Read an event. Nothing but ``requestContext`` says who API Gateway verified.

    :raises EventError: somebody invoked the function with something else.
    """
    try:
        context = event["requestContext"]
        return HttpRequest(
            route=event["routeKey"],
            headers=event.get("headers") or {},
            body=_body(event),
            iam=(context.get("authorizer") or {}).get("iam"),
            request_id=context["requestId"],
        )
    except (KeyError, TypeError, AttributeError):
        raise EventError("this is no event of an HTTP API in payload format 2.0") from None


def answer(
    status: int, document: object, headers: Mapping[str, str] | None = None
) -> dict[str, object]:
    """An answer in payload format 2.0. Nothing here may be cached by anybody."""
    return {
        "statusCode": status,
        "headers": {
            "content-type": "application/json",
            "cache-control": "no-store",
            **(headers or {}),
        },
        "body": strict_json.dumps(document),
    }


def _body(event: Mapping[str, Any]) -> bytes:
    text: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return text.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b"\xff"  # not UTF-8, so it is refused as any body that is not JSON
