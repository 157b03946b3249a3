"""The routes of the HTTP API, as template.yaml deploys them and docs/openapi.yaml describes them.

A table of its own, so that the local stack starts without parsing CloudFormation, whose functions
and transforms it would have to imitate. Tests hold the three to be the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Auth = Literal["NONE", "AWS_IAM"]
"""Who authenticates the caller: the function itself (a bearer token, or nobody), or API Gateway."""


@dataclass(frozen=True)
class Route:
    """One route; its key is what API Gateway calls `routeKey`.

    `rate` is how many requests a second it takes in the long run, `burst` how many at once.
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
    Route("POST", "/v1/service/tokens", "AWS_IAM"),
    Route("POST", "/v1/service/tokens/batch", "AWS_IAM", rate=10, burst=20),
    Route("POST", "/api/v1/calls/initiate", "NONE"),
    Route("POST", "/v1/service/calls/initiate", "AWS_IAM"),
    Route("GET", "/v1/health", "NONE", rate=10, burst=20),
    Route("GET", "/v1/status", "AWS_IAM", rate=5, burst=10),
    Route("POST", "/v1/diagnose", "AWS_IAM", rate=5, burst=10),
)
