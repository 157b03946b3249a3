"""Who may use an HTTP API: signatures of AWS Signature Version 4, and pages of allowed origins.

`verify_signature` is what API Gateway does on routes with IAM authorization, and each AWS service
for its calls (`local.aws.SignedService`). The algorithm:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Only the
Authorization header counts, not a signature in the query string. As that page requires, the headers
host and x-amz-* are part of the signature; others may be. Session tokens are otherwise ignored: the
stack has its own key pair. The body is always part of the signature. This implementation is
independent of the client's, so the client's tests prove something.

`Cors` is cross-origin resource sharing as an API's CorsConfiguration sets it up. API Gateway
responds to preflight requests itself, adds CORS headers to other responses if the origin is
allowed, and drops those that a function sends
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from local.loopback import Headers, HttpRequest, HttpResponse
from zego.aws import signing_key

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "execute-api"
MAX_SKEW_SECONDS = 300
ADDED_BY_CLOUDFRONT = frozenset({"x-amz-cf-id"})
"""Headers that an edge adds after the client has signed."""

_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Credential=([^/,\s]+)/(\d{{8}})/([^/,]+)/([^/,]+)/aws4_request,\s*"
    r"SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})"
)
_ORIGIN = re.compile(
    r"(https?)://(?:[0-9a-z-]+(?:\.[0-9a-z-]+)*|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?"
)
_OWN_PORTS = {"http": 80, "https": 443}
_LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
MAX_NAMED_ORIGINS = 50
"""How many refused origins `RefusedOrigins` names: any program here can send any origin."""


@dataclass(frozen=True)
class AccessKey:
    """An access key pair, and the identity it proves: the ARN of an assumed role."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    user_arn: str


class SignatureRefusedError(Exception):
    """A request has no valid signature. The message tells why, for the stack's own log.

    `code` is the one of AWS' common errors:
    https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html.
    """

    def __init__(self, message: str, code: str = "InvalidSignatureException") -> None:
        super().__init__(message)
        self.code = code


def verify_signature(
    request: HttpRequest,
    access_keys: Iterable[AccessKey],
    *,
    region: str | None,
    now: float,
    service: str = SERVICE,
) -> AccessKey:
    """Returns the access key that signed the request. Raises `SignatureRefusedError`.

    With `region` None, any region is allowed. `now` is in Unix seconds.
    """
    authorization = request.header("authorization")
    if authorization is None:
        raise SignatureRefusedError("the request is not signed", "MissingAuthenticationToken")
    match = _AUTHORIZATION.fullmatch(authorization)
    if match is None:
        raise SignatureRefusedError(
            "the Authorization header is not in the form of Signature Version 4"
        )
    key_id, day, signed_region, signed_service, signed_headers, signature = match.groups()

    timestamp = _timestamp(request, now)
    if timestamp[:8] != day:
        raise SignatureRefusedError("the credential scope and x-amz-date name different days")
    region = region or signed_region
    if (signed_region, signed_service) != (region, service):
        raise SignatureRefusedError(
            f"signed for {signed_region}/{signed_service}, not {region}/{service}"
        )
    access_key = next((key for key in access_keys if key.access_key_id == key_id), None)
    if access_key is None:
        raise SignatureRefusedError("the access key is unknown", "UnrecognizedClientException")

    payload_hash = hashlib.sha256(request.body).hexdigest()
    if (request.header("x-amz-content-sha256") or payload_hash) != payload_hash:
        raise SignatureRefusedError("x-amz-content-sha256 is not the hash of the body")
    canonical = canonical_request(request, signed_headers.split(";"), payload_hash)
    scope = f"{day}/{region}/{service}/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    string_to_sign = f"{ALGORITHM}\n{timestamp}\n{scope}\n{hashed}"
    key = signing_key(access_key.secret_access_key, day, region, service)
    expected = hmac.new(key, string_to_sign.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected, signature):
        raise SignatureRefusedError("the signature does not match the request")
    return access_key


def canonical_request(request: HttpRequest, signed_headers: list[str], payload_hash: str) -> str:
    """Returns the canonical request, from which the signature is made."""
    sent = {"host", *(name.lower() for name, _ in request.headers)}
    for name in sorted(sent - ADDED_BY_CLOUDFRONT - set(signed_headers)):
        if name == "host" or name.startswith("x-amz-"):
            raise SignatureRefusedError(f"the {name} header is not signed")
    if signed_headers != sorted(set(signed_headers)):
        raise SignatureRefusedError("the signed headers are not sorted")
    lines = [
        request.method,
        quote(request.path, safe="/~"),
        _canonical_query(request.query),
        *(f"{name}:{_canonical_header(request, name)}" for name in signed_headers),
        "",
        ";".join(signed_headers),
        payload_hash,
    ]
    return "\n".join(lines)


def _timestamp(request: HttpRequest, now: float) -> str:
    timestamp = request.header("x-amz-date") or ""
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise SignatureRefusedError("x-amz-date is missing or invalid") from None
    if abs(now - signed_at.timestamp()) > MAX_SKEW_SECONDS:
        raise SignatureRefusedError(f"signed at {timestamp}, which is more than 5 minutes off")
    return timestamp


def _canonical_header(request: HttpRequest, name: str) -> str:
    value = request.header(name)
    if value is None:
        raise SignatureRefusedError(f"the header {name} is signed but not sent")
    return " ".join(value.split())


def _canonical_query(query: str) -> str:
    pairs = [part.partition("=") for part in query.split("&") if part]
    encoded = [(_encode(name), _encode(value)) for name, _, value in pairs]
    return "&".join(f"{name}={value}" for name, value in sorted(encoded))


def _encode(text: str) -> str:
    return quote(unquote(text), safe="~")


@dataclass(frozen=True)
class Cors:
    """The origins whose pages may read responses. The defaults are those of template.yaml.

    `on_refused`, if set, is called with the origin of each request that is not allowed.
    """

    origins: Sequence[str] = ()
    methods: Sequence[str] = ("GET", "POST")
    headers: Sequence[str] = ("authorization", "content-type", "idempotency-key")
    expose: Sequence[str] = ("retry-after", "apigw-requestid")
    max_age_seconds: int = 3600
    on_refused: Callable[[str], None] | None = None

    def preflight(self, request: HttpRequest) -> HttpResponse | None:
        """Returns the response to a preflight request, or None if it is not one."""
        asked = request.header("origin") and request.header("access-control-request-method")
        if request.method != "OPTIONS" or not asked:
            return None
        if not self._allows(request):
            return HttpResponse(204)
        return HttpResponse(
            204,
            (
                ("access-control-allow-origin", request.header("origin") or ""),
                ("access-control-allow-methods", ",".join(self.methods)),
                ("access-control-allow-headers", ",".join(self.headers)),
                ("access-control-max-age", str(self.max_age_seconds)),
                ("vary", "origin"),
            ),
        )

    def on_answer(self, request: HttpRequest) -> Headers:
        """Returns the headers to add to any other response."""
        if not self._allows(request):
            return ()
        return (
            ("access-control-allow-origin", request.header("origin") or ""),
            ("access-control-expose-headers", ",".join(self.expose)),
            ("vary", "origin"),
        )

    def _allows(self, request: HttpRequest) -> bool:
        origin = request.header("origin")
        allowed = origin in self.origins
        if origin is not None and not allowed and self.on_refused:
            self.on_refused(origin)
        return allowed


class RefusedOrigins:
    """Says once per origin that its pages may not call the stack, and which option allows them.

    `say` gets the sentence. `allowed` are the origins that are allowed, though not at every part.
    """

    def __init__(self, say: Callable[[str], object], allowed: Iterable[str] = ()) -> None:
        self._say = say
        self._known = set(allowed)
        self._left = MAX_NAMED_ORIGINS
        self._lock = threading.Lock()

    def __call__(self, origin: str) -> None:
        """Names the origin, unless it is known or no browser would send it."""
        with self._lock:
            if (
                origin in self._known
                or not self._left
                or not (origin == "null" or is_origin(origin))
            ):
                return
            self._known.update(loopback_names(origin))
            self._left -= 1
        if origin == "null":
            self._say(
                "A page without an origin, such as a file opened from the disk, may not call this"
                " stack. Serve the page with a web server and allow that server's origin."
            )
        else:
            self._say(
                f"Pages of {origin} may not call this stack. To allow them, restart it with this"
                f" as well: RUN_ARGS='--allow-origin {origin}'"
            )


def loopback_names(origin: str) -> tuple[str, ...]:
    """Returns the origin, and for one of this machine also those of its other names.

    A browser takes http://localhost:5173 and http://127.0.0.1:5173 for two origins, although one
    server serves both.
    """
    scheme, _, rest = origin.partition("://")
    host = next(
        (host for host in _LOOPBACK_HOSTS if rest == host or rest.startswith(f"{host}:")), ""
    )
    if not host:
        return (origin,)
    port = rest.removeprefix(host)
    return (origin, *(f"{scheme}://{other}{port}" for other in _LOOPBACK_HOSTS if other != host))


def is_origin(text: str) -> bool:
    """Whether a browser would write a page's origin like this (RFC 6454, 6.2).

    That is http or https and a host in lower case, with a port unless it is the scheme's default,
    without a path or wildcard. AllowedOrigins of template.yaml allows http for localhost only.
    """
    origin = _ORIGIN.fullmatch(text)
    if origin is None:
        return False
    port = int(origin[2] or 0)
    return port <= 65535 and port != _OWN_PORTS[origin[1]]
