"""CloudFront in front of an API, as far as ``deploy/edge.yaml`` configures it.

What it does to a request is from "Request and response behavior for custom origins", "Add custom
headers to origin requests" and "Use managed origin request policies" (AllViewer) in the Amazon
CloudFront Developer Guide: it overwrites the origin's custom header, forwards every other header of
the caller except those in :data:`REMOVED`, and adds three more.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from tests.local.exchange import exchange

HEADER: Final = "x-origin-verify"
REMOVED: Final = frozenset(
    {"connection", "expect", "proxy-authorization", "proxy-connection", "te", "trailer"}
)
#: Two values of the header, and what ``printf %s <value> | sha256sum`` prints for each.
OLD, OLD_SHA256 = (
    "old-0123456789-0123456789-0123456789-012345",
    "d83698a4674248f1453e02c1cea81fb91b58f70a35172a89364a1d607e76dfca",
)
NEW, NEW_SHA256 = (
    "new-0123456789-0123456789-0123456789-012345",
    "b3539b85142e010292a21ef46fc6e7e499792a830b07b9659b8cfb309e005387",
)
#: What ``sha256sum < /dev/null`` prints.
EMPTY_SHA256: Final = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class Edge(LoopbackServer):
    """Forwards every request to an API, with the header.

    :param forwards_host: with the policy AllViewerExceptHostHeader, CloudFront sends the origin's
        name as Host instead.
    """

    def __init__(self, origin: str, value: str, *, forwards_host: bool = True) -> None:
        super().__init__()
        self._origin = origin
        self._value = value
        self._forwards_host = forwards_host

    def respond(self, request: HttpRequest) -> HttpResponse:
        """The API's response."""
        left_out = REMOVED | {HEADER, "host", "content-length"}
        headers = [(name, text) for name, text in request.headers if name.lower() not in left_out]
        headers += [
            (HEADER, self._value),
            ("via", "1.1 abcdef.cloudfront.net (CloudFront)"),
            ("x-amz-cf-id", "made-up"),
            ("x-forwarded-for", request.client_ip),
        ]
        host = request.header("host") if self._forwards_host else urlsplit(self._origin).netloc
        url = self._origin + request.target
        answer = exchange(url, request.method, headers, request.body, host=host)
        kept = answer.headers.items() - {("connection", "close")}
        response = [(name, text) for name, text in kept if name != "content-length"]
        return HttpResponse(answer.status, tuple(response), answer.body)
