"""Stand-ins for the AWS services that the service uses; each is a server on loopback."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from typing import ClassVar

from local.aws.http_api_access import AccessKey, SignatureRefusedError, verify_signature
from local.loopback import HttpRequest, HttpResponse, LoopbackServer

ACCOUNT_ID = "000000000000"
IMPORTING_MOTO = threading.Lock()
"""Held while a part imports moto in the background: two threads that import it at the same time
may find a module that is not complete yet."""
_HEADERS = (("content-type", "application/x-amz-json-1.1"),)


class SignedService(LoopbackServer):
    """A stand-in for an AWS service.

    If `access_keys` is set, each request must be signed with one of them: other users of this
    machine reach the same ports. Until then, signatures are not verified.
    """

    signing_name: ClassVar[str]
    """The service in a signature's scope."""

    unsigned: ClassVar[tuple[tuple[str, str], ...]] = ()
    """The requests that need no signature, by method and path."""

    access_keys: Sequence[AccessKey] | None = None

    def refused(self, request: HttpRequest) -> HttpResponse | None:
        """Returns the response to a request without a valid signature, else None."""
        is_open = (request.method, request.path) in self.unsigned
        if self.access_keys is not None and not is_open:
            try:
                verify_signature(
                    request,
                    self.access_keys,
                    region=None,
                    now=time.time(),
                    service=self.signing_name,
                )
            except SignatureRefusedError as refused:
                return self.refusal(refused.code, f"{refused}; stack.json has the access key")
        return None

    def refusal(self, code: str, message: str) -> HttpResponse:
        """Returns the service's error response."""
        return refusal(code, message)


def success(body: str) -> HttpResponse:
    """Returns a successful response of a JSON 1.1 service with this text."""
    return HttpResponse(200, _HEADERS, body.encode())


def refusal(code: str, message: str) -> HttpResponse:
    """Returns an error response of a JSON 1.1 service."""
    body = json.dumps({"__type": code, "message": message}).encode()
    return HttpResponse(400, _HEADERS, body)
