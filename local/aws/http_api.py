"""An HTTP API of API Gateway with one function behind it: its routes, their rates, the gateway.

It responds itself where API Gateway does: to preflight requests, with 404 to an unknown path or
method, 429 above a route's rate, 413 over 10 MB, 431 if the request line and header values are too
long, 403 on IAM routes without a valid signature, 500 if the function fails and 503 if it is
throttled. Any other request goes to the function as an
event, and its result becomes the response (`local.aws.http_api_events`).
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, Protocol

from local.aws import http_api_events
from local.aws.http_api_access import AccessKey, Cors, SignatureRefusedError, verify_signature
from local.aws.lambda_host import InvocationResult, ThrottledError
from local.loopback import HttpRequest, HttpResponse, LoopbackServer

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_HEADER_BYTES = 10_240
"""Of the request line and all header values together. Names do not count.

AWS documents the quota (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html)
but not the response. People report 431. Its body is a guess: the form of API Gateway's others.
"""

Auth = Literal["NONE", "AWS_IAM"]
"""Who authenticates the caller: the function (by bearer token, or not at all) or API Gateway."""


@dataclass(frozen=True)
class Route:
    """One route; its key is what API Gateway calls `routeKey`.

    `rate` is how many requests per second it takes in the long run, `burst` how many at once.
    """

    method: str
    path: str
    auth: Auth
    rate: float = 100
    burst: float = 200

    @property
    def key(self) -> str:
        """The route key, `POST /v1/tokens`."""
        return f"{self.method} {self.path}"


ROUTES = (
    Route("POST", "/v1/tokens", "NONE"),
    Route("POST", "/v1/tokens/batch", "NONE", rate=10, burst=20),
    Route("POST", "/v1/service/tokens", "AWS_IAM"),
    Route("POST", "/v1/service/tokens/batch", "AWS_IAM", rate=10, burst=20),
    Route("POST", "/v1/calls", "NONE"),
    Route("POST", "/v1/service/calls", "AWS_IAM"),
    Route("POST", "/api/v1/calls/initiate", "NONE"),
    Route("POST", "/v1/service/calls/initiate", "AWS_IAM"),
    Route("GET", "/v1/health", "NONE", rate=10, burst=20),
    Route("GET", "/v1/problems", "NONE", rate=10, burst=20),
    Route("GET", "/v1/status", "AWS_IAM", rate=5, burst=10),
    Route("POST", "/v1/diagnose", "AWS_IAM", rate=5, burst=10),
)
"""The routes that template.yaml deploys and docs/openapi.yaml describes; tests keep them equal.

They are repeated here so that the local stack need not parse CloudFormation, whose functions and
transforms it would have to imitate.
"""


class Function(Protocol):
    """The part of a `LambdaHost` that the gateway uses."""

    def invoke(self, event: object) -> InvocationResult:
        """Runs one event."""


@dataclass(frozen=True)
class AccessRecord:
    """One line of the access log: no query string, header or body."""

    at: float
    request_id: str
    method: str
    path: str
    status: int
    seconds: float
    note: str
    """Why the gateway responded itself. It is empty if the function did; the stack adds why that
    refused the request."""

    def __str__(self) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self.at))
        what = f"{self.method} {self.path}".encode("ascii", "backslashreplace").decode()
        printable = "".join(char if char.isprintable() else "?" for char in what)
        line = f"{clock} {self.status} {printable} {self.seconds * 1000:.1f} ms {self.request_id}"
        return f"{line} ({self.note})" if self.note else line


class ApiGateway(LoopbackServer):
    """An HTTP API on 127.0.0.1 in front of `function`.

    `access_keys` are the key pairs that IAM routes accept, each with its role. `on_access` is
    called once per request, after the response is made.
    """

    open_to_pages = True

    def __init__(
        self,
        function: Function,
        *,
        routes: Sequence[Route] = ROUTES,
        port: int = 0,
        region: str = "us-east-1",
        access_keys: Sequence[AccessKey] = (),
        cors: Cors | None = None,
        on_access: Callable[[AccessRecord], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port, max_body_bytes=MAX_BODY_BYTES)
        self._function = function
        self._routes = {route.key: route for route in routes}
        self._throttle = Throttle(clock)
        self._region = region
        self._access_keys = access_keys
        self._cors = cors or Cors()
        self._on_access = on_access
        self._clock = clock

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to one request and logs the access."""
        started, now = time.perf_counter(), self._clock()
        request_id = http_api_events.new_request_id()
        if _header_bytes(request) > MAX_HEADER_BYTES:
            answer = self.unreadable(431)
            note = f"the request line and header values have over {MAX_HEADER_BYTES} bytes"
        elif preflight := self._cors.preflight(request):
            answer = preflight
            note = "preflight" if answer.headers else "preflight of an origin that is not allowed"
        else:
            answer, note = self._route(request, request_id, now)
            answer = answer.with_headers(self._cors.on_answer(request))
        if self._on_access:
            seconds = time.perf_counter() - started
            record = AccessRecord(
                now, request_id, request.method, request.path, answer.status, seconds, note
            )
            self._on_access(record)
        return answer.with_headers((("apigw-requestid", request_id),))

    def unreadable(self, status: int) -> HttpResponse:
        """Returns API Gateway's response to a request that it does not read."""
        return _message(status, HTTPStatus(status).phrase)

    def _route(self, request: HttpRequest, request_id: str, now: float) -> tuple[HttpResponse, str]:
        """Returns the response, and a note for the access log if it is the gateway's own."""
        route = self._routes.get(f"{request.method} {request.path}")
        if route is None:
            return _message(404, "Not Found"), "unknown route"
        if not self._throttle.takes(route):
            return _message(429, "Too Many Requests"), "above the route's rate limit"
        if request.body_too_large:
            return _message(413, "Request Entity Too Large"), "the body is larger than 10 MB"
        access_key = None
        if route.auth == "AWS_IAM":
            try:
                access_key = verify_signature(
                    request, self._access_keys, region=self._region, now=now
                )
            except SignatureRefusedError as refused:
                return _message(403, "Forbidden"), str(refused)
        event = http_api_events.event(
            request,
            route.key,
            port=self.port,
            request_id=request_id,
            now=now,
            access_key=access_key,
        )
        return self._invoke(event)

    def _invoke(self, event: dict[str, object]) -> tuple[HttpResponse, str]:
        try:
            result = self._function.invoke(event)
        except ThrottledError as throttled:
            return _message(503, "Service Unavailable"), str(throttled)
        if result.function_error:
            note = f"function error: {result.error_message}"
            return _message(500, "Internal Server Error"), note
        try:
            return http_api_events.response(result.payload), ""
        except http_api_events.MalformedAnswerError as malformed:
            return _message(500, "Internal Server Error"), str(malformed)


class Throttle:
    """Token buckets, one per route and full at first. Called from several threads.

    A bucket has room for `burst` tokens and is refilled with `rate` of them per second. A request
    takes one, or is refused. API Gateway applies both on a best-effort basis
    (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html) and does
    not document whether requests that it would refuse anyway count. Here both are exact, and every
    request to a route counts.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        """Per route: the tokens left, and when they were counted."""
        self._lock = threading.Lock()

    def takes(self, route: Route) -> bool:
        """Whether the route accepts one more request."""
        with self._lock:
            now = self._clock()
            tokens, counted_at = self._buckets.get(route.key, (route.burst, now))
            refill = max(0.0, now - counted_at) * route.rate
            tokens = min(route.burst, tokens + refill)
            takes = tokens >= 1
            self._buckets[route.key] = (tokens - takes, now)
            return takes


def _header_bytes(request: HttpRequest) -> int:
    line = f"{request.method} {request.target} {request.protocol}"
    return len(line) + sum(len(value) for _, value in request.headers)


def _message(status: int, message: str) -> HttpResponse:
    body = json.dumps({"message": message}, separators=(",", ":")).encode()
    return HttpResponse(status, (("content-type", "application/json"),), body)
