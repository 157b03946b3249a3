"""Cross-origin resource sharing as an HTTP API does it, by its CorsConfiguration.

API Gateway answers preflight requests itself, adds the CORS headers to other answers where the
origin is an allowed one, and drops those that a function sends
(https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from local.loopback import Headers, HttpRequest, HttpResponse

_ORIGIN = re.compile(
    r"(https?)://(?:[0-9a-z-]+(?:\.[0-9a-z-]+)*|\[[0-9a-f:]+\])(?::([1-9][0-9]{0,4}))?"
)
_OWN_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Cors:
    """Whose pages may read the answers: exactly these origins. The rest is as in template.yaml."""

    origins: Sequence[str] = ()
    methods: Sequence[str] = ("GET", "POST")
    headers: Sequence[str] = ("authorization", "content-type")
    expose: Sequence[str] = ("retry-after", "apigw-requestid")
    max_age_seconds: int = 3600

    def preflight(self, request: HttpRequest) -> HttpResponse | None:
        """The answer to a preflight request; None where the request is no preflight."""
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
        """The headers that are added to any other answer."""
        if not self._allows(request):
            return ()
        return (
            ("access-control-allow-origin", request.header("origin") or ""),
            ("access-control-expose-headers", ",".join(self.expose)),
            ("vary", "origin"),
        )

    def _allows(self, request: HttpRequest) -> bool:
        return request.header("origin") in self.origins


def is_origin(text: str) -> bool:
    """Whether a browser may name a page's origin exactly so (RFC 6454, 6.2).

    It is http or https and a host in lower case, with a port unless that is the scheme's own; no
    path, no wildcard. AllowedOrigins of template.yaml takes plain http of localhost alone.
    """
    origin = _ORIGIN.fullmatch(text)
    if origin is None:
        return False
    port = int(origin[2] or 0)
    return port <= 65535 and port != _OWN_PORTS[origin[1]]
