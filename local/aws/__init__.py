"""Stand-ins for the AWS services that the service uses; each is a server on loopback."""

from __future__ import annotations

import json
import threading

from local.loopback import HttpResponse

ACCOUNT_ID = "000000000000"
IMPORTING_MOTO = threading.Lock()
"""Held while a part imports moto in the background: two threads that import it at the same time
may find a module that is not complete yet."""
_HEADERS = (("content-type", "application/x-amz-json-1.1"),)


def success(body: str) -> HttpResponse:
    """Returns a successful response of a JSON 1.1 service with this text."""
    return HttpResponse(200, _HEADERS, body.encode())


def refusal(code: str, message: str) -> HttpResponse:
    """Returns an error response of a JSON 1.1 service."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return HttpResponse(400, _HEADERS, body)
