"""The issuer's API, called as operators, backends and pages call it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from ops.errors import CommandError, ExitCode
from zego import strict_json
from zego.bounded_http import HttpError, Response
from zego.server_api import clock_skew

if TYPE_CHECKING:
    import boto3

#: Includes a cold start, and the time that the issuer itself may wait.
_TIMEOUT_SECONDS: Final = 15.0
_MAX_BYTES: Final = 262144
_REGION: Final = re.compile(r"\.execute-api\.([a-z0-9-]+)\.")
_CODE: Final = re.compile(r"[a-z_]{1,40}")


@dataclass(frozen=True, slots=True)
class IssuerResponse:
    """A response, whatever its status.

    :ivar document: the body's JSON object; empty if the body is not one.
    :ivar seconds: how long it took.
    :ivar clock_skew_seconds: how far this machine's clock is ahead, if the response has a time.
    """

    status: int
    headers: Mapping[str, str]
    document: Mapping[str, Any]
    seconds: float
    clock_skew_seconds: float | None

    @property
    def code(self) -> str | None:
        """The problem's code; ``None`` if the service did not report a problem."""
        code = self.document.get("code")
        return code if isinstance(code, str) and _CODE.fullmatch(code) else None

    def part(self, name: str) -> Mapping[str, Any]:
        """An object in the document; empty if it is missing."""
        part = self.document.get(name)
        return part if isinstance(part, dict) else {}

    def __str__(self) -> str:
        """The status and the problem's code, without the rest of the content."""
        return f"HTTP {self.status}" + (f", {self.code}" if self.code else "")


@dataclass(frozen=True, slots=True)
class IssuerApi:
    """The API at one address.

    Every method raises :class:`CommandError` if no response comes.

    :param url: without a slash at the end.
    :param session: has the credentials that sign requests.
    :param send: see :func:`zego.bounded_http.request`.
    :param region: the API's region, if its address does not contain it.
    """

    url: str
    session: boto3.Session
    region: str
    send: Callable[..., Response]
    clock: Callable[[], float]

    def get(self, path: str, *, origin: str | None = None) -> IssuerResponse:
        """Send a request without credentials, optionally as a page of an origin."""
        return self._ask("GET", path, {} if origin is None else {"origin": origin}, None)

    def signed(self, method: str, path: str, document: object = None) -> IssuerResponse:
        """Send a request as a role does: signed with Signature Version 4."""
        headers, body = _json(document)
        request = AWSRequest(method, self.url + path, headers, body or b"")
        found = _REGION.search(urlsplit(self.url).hostname or "")
        credentials = self.session.get_credentials()
        if credentials is None:
            raise CommandError("No AWS credentials were found to sign with.", "", ExitCode.AWS)
        frozen = credentials.get_frozen_credentials()
        region = found[1] if found else self.region
        SigV4Auth(frozen, "execute-api", region).add_auth(request)
        return self._ask(method, path, dict(request.headers.items()), body)

    def unsigned(self, method: str, path: str, document: object = None) -> IssuerResponse:
        """Send a request that does not prove who sends it."""
        headers, body = _json(document)
        return self._ask(method, path, headers, body)

    def with_bearer(self, path: str, bearer: str, document: object) -> IssuerResponse:
        """Send a request as a frontend does."""
        headers, body = _json(document)
        return self._ask("POST", path, headers | {"authorization": f"Bearer {bearer}"}, body)

    def preflight(self, path: str, origin: str) -> IssuerResponse:
        """Send what a browser sends before a page may post JSON with a bearer token."""
        headers = {
            "origin": origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        }
        return self._ask("OPTIONS", path, headers, None)

    def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> IssuerResponse:
        began = time.monotonic()
        try:
            response = self.send(
                method,
                self.url + path,
                headers=headers,
                body=body,
                timeout_seconds=_TIMEOUT_SECONDS,
                max_bytes=_MAX_BYTES,
            )
        except HttpError as error:
            raise CommandError(
                f"The issuer did not respond: {error}.",
                "Check your network and --api; with --local, check that `make run` is running.",
                ExitCode.AWS,
            ) from None
        return IssuerResponse(
            response.status,
            response.headers,
            _document(response.body),
            time.monotonic() - began,
            clock_skew(response, self.clock()),
        )


def _json(document: object) -> tuple[dict[str, str], bytes | None]:
    if document is None:
        return {}, None
    return {"content-type": "application/json"}, json.dumps(document).encode()


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        return strict_json.loads_object(body)
    except ValueError:
        return {}
