"""What AWS does for the service, on this machine: each part is a server on loopback."""

from __future__ import annotations

import json

from local.loopback import HttpResponse

ACCOUNT_ID = "000000000000"
_HEADERS = (("content-type", "application/x-amz-json-1.1"),)


def success(body: str) -> HttpResponse:
    """The response of a JSON 1.1 service, of which `body` is the text."""
    return HttpResponse(200, _HEADERS, body.encode())


def refusal(code: str, message: str) -> HttpResponse:
    """The error response of a JSON 1.1 service."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return HttpResponse(400, _HEADERS, body)
