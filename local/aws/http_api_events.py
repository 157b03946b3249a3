"""Translates between HTTP and a Lambda proxy integration: payload format 2.0 of an HTTP API.

The format:
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html.
Beyond that page, it follows events and responses captured from API Gateway: `rawPath` is
percent-decoded, only text, JSON, XML and JavaScript arrive as text, and a response without a
content type is text/plain.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.aws import ACCOUNT_ID
from local.aws.http_api_access import AccessKey
from local.loopback import HttpRequest, HttpResponse

API_ID = "local"
TEXT_TYPES = frozenset({"application/json", "application/xml", "application/javascript"})
HOP_BY_HOP = frozenset({"connection", "expect", "keep-alive", "transfer-encoding", "upgrade"})
SET_BY_GATEWAY = frozenset({"connection", "content-length", "date", "transfer-encoding"})


class MalformedAnswerError(Exception):
    """API Gateway cannot turn a function's result into an HTTP response."""


def event(
    request: HttpRequest,
    route_key: str,
    *,
    port: int,
    request_id: str,
    now: float,
    access_key: AccessKey | None,
) -> dict[str, Any]:
    """Returns the event for a request to the API on `port`.

    `access_key` is the verified one on an IAM route, else None. Only what the gateway itself knows
    becomes part of `requestContext`, never what a client sends.
    """
    headers = _headers(request, port, now)
    host = headers.get("host", "").partition(":")[0]
    cookies = [value for name, value in request.headers if name.lower() == "cookie"]
    path = unquote(request.path)
    result: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT_ID,
            "apiId": API_ID,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": request.method,
                "path": path,
                "protocol": request.protocol,
                "sourceIp": request.client_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route_key,
            "stage": "$default",
            "time": datetime.fromtimestamp(now, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        result["cookies"] = [part.strip() for line in cookies for part in line.split(";")]
    if request.query:
        result["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if access_key is not None:
        result["requestContext"]["authorizer"] = {"iam": iam_identity(access_key)}
    if request.body and (
        request.media_type.startswith("text/") or request.media_type in TEXT_TYPES
    ):
        result["body"] = request.body.decode("utf-8", "replace")
    elif request.body:
        result["body"] = base64.b64encode(request.body).decode()
        result["isBase64Encoded"] = True
    return result


def iam_identity(access_key: AccessKey) -> dict[str, Any]:
    """Returns `requestContext.authorizer.iam` for an assumed role."""
    account_id = access_key.user_arn.split(":")[4]
    session = access_key.user_arn.rpartition("/")[2]
    user_id = f"AROA{access_key.access_key_id[4:]}:{session}"
    return {
        "accessKey": access_key.access_key_id,
        "accountId": account_id,
        "callerId": user_id,
        "cognitoIdentity": None,
        "principalOrgId": "aws:PrincipalOrgID",
        "userArn": access_key.user_arn,
        "userId": user_id,
    }


def response(answer: Any) -> HttpResponse:
    """Returns the HTTP response for a function's result. Raises `MalformedAnswerError`."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        # Format 2.0 takes any other JSON as the body of a 200.
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return HttpResponse(200, (("content-type", "application/json"),), text.encode())
    status, body = answer["statusCode"], answer.get("body") or ""
    headers, cookies = answer.get("headers") or {}, answer.get("cookies") or []
    well_formed = (
        type(status) is int
        and 200 <= status <= 599
        and isinstance(body, str)
        and isinstance(headers, Mapping)
        and all(_is_header_text(text) for pair in headers.items() for text in pair)
        and isinstance(cookies, list)
        and all(_is_header_text(cookie) for cookie in cookies)
    )
    if not well_formed:
        raise MalformedAnswerError(
            "status, headers, cookies or body do not have the form of format 2.0"
        )
    pairs = [
        (name, value)
        for name, value in ((name.lower(), value) for name, value in headers.items())
        if name not in SET_BY_GATEWAY and not name.startswith("access-control-")
    ]
    if not any(name == "content-type" for name, _ in pairs):
        pairs.append(("content-type", "text/plain; charset=utf-8"))
    pairs += [("set-cookie", cookie) for cookie in cookies]
    return HttpResponse(status, tuple(pairs), _decoded(body, answer.get("isBase64Encoded")))


def new_request_id() -> str:
    """Returns an id like those of API Gateway's HTTP APIs."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode()


def _headers(request: HttpRequest, port: int, now: float) -> dict[str, str]:
    headers = _joined((name.lower(), value) for name, value in request.headers)
    for name in (*HOP_BY_HOP, "cookie"):
        headers.pop(name, None)
    forwarded = headers.get("x-forwarded-for")
    return headers | {
        "content-length": str(len(request.body)),
        "x-amzn-trace-id": f"Root=1-{int(now):08x}-{secrets.token_hex(12)}",
        "x-forwarded-for": f"{forwarded}, {request.client_ip}" if forwarded else request.client_ip,
        "x-forwarded-port": str(port),
        "x-forwarded-proto": "http",
    }


def _joined(pairs: Any) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _is_header_text(text: object) -> bool:
    return isinstance(text, str) and text.isprintable() and text.isascii()


def _decoded(body: str, is_base64: object) -> bytes:
    if is_base64 is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise MalformedAnswerError("the body is not base64") from None
