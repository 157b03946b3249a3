"""The whole issuer in this process, without HTTP; its outgoing requests go to counting fakes."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from local.aws.dynamodb import DynamoDb
from local.aws.events import EventBus
from local.loopback import HttpRequest
from tests.support.bearer import AUDIENCE, ISSUER, JWKS_URI, JwksEndpoint, claims, signer
from zego.bounded_http import HttpError, Response

APP_ID: Final = 1234567890
SERVER_SECRET: Final = "0123456789abcdef0123456789abcdef"
ROLE_SESSION: Final = "arn:aws:sts::111122223333:assumed-role/Backend/session-1"
OPERATOR_SESSION: Final = "arn:aws:sts::111122223333:assumed-role/Operators/alice"
SUPPORT_SESSION: Final = "arn:aws:sts::111122223333:assumed-role/Support/bob"

POLICY: Final = f"""
[identities.web]
issuer = "{ISSUER}"
audience = ["{AUDIENCE}"]
jwks_uri = "{JWKS_URI}"

[identities.backend]
role = "arn:aws:iam::111122223333:role/Backend"

[identities.operators]
role = "arn:aws:iam::111122223333:role/Operators"
read_status = true

[identities.support]
role = "arn:aws:iam::111122223333:role/Support"
diagnose_tokens = true

[[rules]]
name = "suspended users get nothing"
callers = ["web"]
claims = {{ suspended = true }}
deny = true

[[rules]]
name = "users enter calls"
callers = ["web"]
rooms = ["call_*"]
callees = ["bob", "team.{{user_id}}.*", "user_*"]
max_lifetime_seconds = 7200

[[rules]]
name = "users have identity tokens"
callers = ["web"]
identity_tokens = true
max_lifetime_seconds = 600

[[rules]]
name = "the backend names users"
callers = ["backend"]
users = ["*"]
rooms = ["*"]
callees = ["*"]
max_lifetime_seconds = 86400
"""


class SecretsManager:
    """A fake of Secrets Manager over HTTP: two values with tags, or a failure; keeps the requests.

    :ivar previous: the value of AWSPREVIOUS; ``None`` before the first rotation.
    :ivar tags: ``None`` if the issuer may not describe the secret.
    """

    def __init__(self) -> None:
        self.value = json.dumps({"app_id": APP_ID, "server_secret": SERVER_SECRET})
        self.previous: str | None = None
        self.tags: dict[str, str] | None = {}
        self.requests: list[dict[str, Any]] = []
        self.down = False

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, **bounds: object
    ) -> Response:
        self.requests.append(json.loads(body))
        if self.down:
            raise HttpError("secretsmanager.us-east-1.amazonaws.com cannot be reached: OSError")
        if headers["x-amz-target"] == "secretsmanager.DescribeSecret":
            return self._description()
        of_previous = self.requests[-1]["VersionStage"] == "AWSPREVIOUS"
        value = self.previous if of_previous else self.value
        if value is None:
            return Response(400, {}, b'{"__type": "ResourceNotFoundException"}')
        document = {"SecretString": value, "VersionId": "version-1", "CreatedDate": 1.7e9}
        return Response(200, {}, json.dumps(document).encode())

    def _description(self) -> Response:
        if self.tags is None:
            return Response(400, {}, b'{"__type": "AccessDeniedException"}')
        tags = [{"Key": key, "Value": value} for key, value in self.tags.items()]
        return Response(200, {}, json.dumps({"Tags": tags}).encode())


class DynamoDbFaults:
    """The local stack's DynamoDB as the issuer's HTTP client sees it; keeps the actions.

    :ivar down: no response comes.
    :ivar response: is sent instead of DynamoDB's.
    """

    def __init__(self, dynamodb: DynamoDb) -> None:
        self.actions: list[str] = []
        self.down = False
        self.response: Response | None = None
        self._dynamodb = dynamodb

    def __call__(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, **bounds: object
    ) -> Response:
        self.actions.append(headers["x-amz-target"].rpartition(".")[2])
        if self.down:
            raise HttpError("dynamodb.us-east-1.amazonaws.com cannot be reached: OSError")
        if self.response is not None:
            return self.response
        answer = self._dynamodb.respond(HttpRequest(method, "/", tuple(headers.items()), body))
        return Response(answer.status, {}, answer.body)


class EventBridge:
    """The local stack's event bus as the issuer's HTTP client sees it; keeps the time limits.

    :ivar responses: are sent first, each once, instead of the event bus'; an error is raised.
    """

    def __init__(self) -> None:
        self.bus = EventBus()
        self.responses: list[Response | HttpError] = []
        self.timeouts: list[float] = []

    def __call__(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout_seconds: float,
        **bounds: object,
    ) -> Response:
        self.timeouts.append(timeout_seconds)
        if not self.responses:
            answer = self.bus.respond(HttpRequest(method, "/", tuple(headers.items()), body))
            return Response(answer.status, {}, answer.body)
        response = self.responses.pop(0)
        if isinstance(response, HttpError):
            raise response
        return response


class Answer:
    """The handler's response."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.status: int = raw["statusCode"]
        self.headers: dict[str, str] = raw["headers"]
        self.text: str = raw["body"]

    @property
    def document(self) -> dict[str, Any]:
        """The body, decoded from JSON."""
        document: dict[str, Any] = json.loads(self.text)
        return document


class Application:
    """``issuer.app``, newly imported, so that its caches are empty.

    :ivar app: the module.
    :ivar jwks: the identity provider's keys.
    :ivar dynamodb: what it sees of the DynamoDB given; without one, there are no limits.
    :ivar eventbridge: takes the events of calls.
    """

    def __init__(
        self,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        policy_text: str = POLICY,
        dynamodb: DynamoDb | None = None,
        **environment: str,
    ) -> None:
        policy = folder / "policy.toml"
        policy.write_text(policy_text, encoding="utf-8")
        settings = {
            "STAGE": "dev",
            "SERVER_SECRET_ARN": "zego/server-secret",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "aws-secret-access-key",
            "ACCESS_POLICY_FILE": str(policy),
            "BUILD_VERSION": "build-1",
        }
        if dynamodb is not None:
            self.dynamodb = DynamoDbFaults(dynamodb)
            settings["LIMITS_TABLE"] = dynamodb.table
        for name, value in (settings | environment).items():
            monkeypatch.setenv(name, value)
        self.jwks = JwksEndpoint(signer().jwk)
        self.secrets_manager = SecretsManager()
        self.eventbridge = EventBridge()
        monkeypatch.setattr("issuer.jwks.request", lambda _method, uri, **_: self.jwks(uri))
        monkeypatch.setattr("zego.aws.request", self._call_aws)
        monkeypatch.delitem(sys.modules, "issuer.app", raising=False)
        self.app: Any = importlib.import_module("issuer.app")
        self._output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        monkeypatch.setattr(self.app.telemetry.logger.registered_handler, "stream", self._output)

    def _call_aws(self, method: str, url: str, **request: Any) -> Response:
        if url == "https://dynamodb.us-east-1.amazonaws.com/":
            return self.dynamodb(method, url, **request)
        if url == "https://events.us-east-1.amazonaws.com/":
            return self.eventbridge(method, url, **request)
        return self.secrets_manager(method, url, **request)

    def handle(self, event: Mapping[str, Any]) -> Answer:
        """Return the handler's response to an event."""
        with self.writing():
            return Answer(self.app.handler(event, object()))

    def writing(self) -> contextlib.AbstractContextManager[object]:
        """While the context lasts, printed text is added to the output."""
        return contextlib.redirect_stdout(self._output)

    def output(self) -> str:
        """Return everything written so far: the log and the metrics."""
        buffer = self._output.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()

    def forget_output(self) -> None:
        """Forget everything written so far."""
        self._output.seek(0)
        self._output.truncate()

    def lines(self) -> list[dict[str, Any]]:
        """Return the lines written so far, decoded from JSON."""
        return [json.loads(line) for line in self.output().splitlines()]

    def audit_events(self) -> list[dict[str, Any]]:
        """Return the audit events so far."""
        return [line["audit"] for line in self.lines() if "audit" in line]

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metric lines so far, in CloudWatch's embedded metric format."""
        return [line for line in self.lines() if "_aws" in line]

    def count_of(self, name: str) -> float:
        """Return the sum of a metric so far."""
        return float(sum(sum(line[name]) for line in self.metrics() if name in line))


def event(
    route: str,
    body: object = None,
    *,
    bearer: str | None = None,
    role: str | None = None,
    **changes: object,
) -> dict[str, Any]:
    """Return an event of the HTTP API. A body that is not text is encoded as JSON."""
    method, path = route.split(" ")
    context: dict[str, Any] = {
        "accountId": "111122223333",
        "http": {"method": method, "path": path, "sourceIp": "192.0.2.1"},
        "requestId": "request-1",
        "routeKey": route,
        "stage": "$default",
    }
    if role is not None:
        context["authorizer"] = {"iam": {"accountId": "111122223333", "userArn": role}}
    headers = {"content-type": "application/json", "host": "calls.example.com"}
    if bearer is not None:
        headers["authorization"] = f"Bearer {bearer}"
    made: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route,
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": context,
        "isBase64Encoded": False,
    }
    if body is not None:
        made["body"] = body if isinstance(body, str) else json.dumps(body)
    return made | changes


def bearer(**changes: object) -> str:
    """Return a valid bearer token for alice, with changed claims."""
    return signer().sign(claims(**changes))
