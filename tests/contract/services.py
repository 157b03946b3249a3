"""The service as the contract tests reach it: over HTTP, or by an event to its Lambda host."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.aws import http_api_events
from local.aws.http_api import ApiGateway
from local.aws.http_api_access import AccessKey
from local.aws.lambda_host import LambdaHost
from local.identity_provider import IdentityProvider
from local.loopback import LOOPBACK
from tests.contract.openapi import Answer, load

EVENTS = Path(__file__).parents[2] / "events"
BEARER_PLACE = "Bearer {alice}"
BACKEND_PLACE = "Bearer {local-backend}"

Headers = Mapping[str, str]
NO_HEADERS: Headers = MappingProxyType({})


class Service(Protocol):
    """A service to send requests to, and the identity provider that it trusts."""

    @property
    def identity_provider(self) -> IdentityProvider:
        """Signs the bearer tokens."""

    def send(
        self, route: str, body: bytes, authorization: str | None, headers: Headers = NO_HEADERS
    ) -> Answer:
        """Its response to a request with these headers besides the usual ones."""


@dataclass(frozen=True)
class Api:
    """The service behind its API, over HTTP."""

    gateway: ApiGateway
    identity_provider: IdentityProvider
    access_key: AccessKey
    region: str

    def send(
        self, route: str, body: bytes, authorization: str | None, headers: Headers = NO_HEADERS
    ) -> Answer:
        """Its response to a request, which AWS' own library signs if the route requires that."""
        sent = {} if authorization is None else {"authorization": authorization}
        if load().security[route] == "sigv4":
            method, path = route.split(" ")
            request = AWSRequest(method, f"{self.gateway.url}{path}", data=body)
            key = Credentials(self.access_key.access_key_id, self.access_key.secret_access_key)
            SigV4Auth(key, "execute-api", self.region).add_auth(request)
            sent = {name: str(value) for name, value in request.headers.items()}
        return self.send_as_it_is(route, body, {**sent, **headers})

    def send_as_it_is(
        self, route: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Its response to a request that has only these headers and the content type."""
        method, path = route.split(" ")
        connection = http.client.HTTPConnection(LOOPBACK, self.gateway.port, timeout=60)
        try:
            sent = {"content-type": "application/json"} | dict(headers or {})
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            fields = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, fields, response.read())
        finally:
            connection.close()


@dataclass(frozen=True)
class Function:
    """The function without an API in front, so that an event can be one that no API makes."""

    host: LambdaHost
    identity_provider: IdentityProvider

    def send(
        self, route: str, body: bytes, authorization: str | None, headers: Headers = NO_HEADERS
    ) -> Answer:
        """Its response to an event without an IAM identity."""
        event = sample_event("tokens_without_bearer")
        event["routeKey"] = event["requestContext"]["routeKey"] = route
        event["body"] = body.decode()
        if authorization is not None:
            event["headers"]["authorization"] = authorization
        event["headers"] |= headers
        return self.invoke(event)

    def invoke(self, event: dict[str, Any]) -> Answer:
        """Its response to an event, as API Gateway would pass it on."""
        if event["headers"].get("authorization") == BEARER_PLACE:
            event["headers"]["authorization"] = f"Bearer {self.identity_provider.bearer('alice')}"
        if event["headers"].get("authorization") == BACKEND_PLACE:
            bearer = self.identity_provider.bearer("local-backend")
            event["headers"]["authorization"] = f"Bearer {bearer}"
        result = self.host.invoke(event)
        assert result.function_error is None, result.payload
        response = http_api_events.response(result.payload)
        return Answer(response.status, dict(response.headers), response.body)


def sample_event(name: str) -> dict[str, Any]:
    """An event of the folder events/."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event
