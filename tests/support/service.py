"""The service as it is deployed, on this machine, and a client that never lets a secret pass.

The client knows every bearer token that it sent and every token that it was given. After each
exchange it looks for them, for the ServerSecret and for the function's credentials: in the log of
the function, and in the answers where they do not belong.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.aws.http_api import ApiGateway
from local.aws.lambda_host import LambdaHost
from local.stack import PYTHON_PATH, LocalStack
from tests.local.exchange import Answer, exchange
from tests.support.routes import UNTHROTTLED

_T = TypeVar("_T")

HANDLERS = Path(__file__).parent / "handlers"
CREDENTIAL = "function-secret-access-key"


@dataclass
class Service:
    """A function with an API in front of it, on the parts of a local stack.

    :ivar function: has one worker, so that its caches are one.
    :ivar stack: the other parts; its own function and API are left alone.
    """

    stack: LocalStack
    function: LambdaHost
    gateway: ApiGateway
    _secrets: set[str] = field(default_factory=set)
    _lines_seen: int = 0

    def bearer(self, **changes: object) -> str:
        """A bearer token for alice, with changed claims; ``...`` leaves a claim out."""
        said = self.stack.identity_provider.claims("alice", **changes)
        kept = {name: value for name, value in said.items() if value is not ...}
        return self.stack.identity_provider.sign(kept)

    def send(
        self,
        route: str,
        body: object = b"",
        *,
        bearer: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The answer to a request; a body that is not bytes goes as JSON."""
        sent = {"content-type": "application/json"} | dict(headers or {})
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer}"
            self._secrets.update(part for part in bearer.split(".") if len(part) > 16)
        return self._exchange(route, content(body), sent)

    def send_signed(self, route: str, body: object = b"") -> Answer:
        """The answer to a request that the backend's access key signed."""
        method, path = route.split(" ")
        headers = {"content-type": "application/json"}
        request = AWSRequest(method, self.gateway.url + path, headers, content(body))
        key = self.stack.access_key
        credentials = Credentials(key.access_key_id, key.secret_access_key)
        SigV4Auth(credentials, "execute-api", self.stack.region).add_auth(request)
        return self._exchange(route, content(body), dict(request.headers.items()))

    def token(self, bearer: str | None = None) -> Answer:
        """The answer to a good request for a token, which may be granted or not."""
        return self.send("POST /v1/tokens", {"room_id": "call_1"}, bearer=bearer or self.bearer())

    def restart(self) -> None:
        """End the function's processes, and with them what it has cached."""
        self.function.recycle()

    def log(self, *, since: int = 0) -> str:
        """What the function wrote so far; ``since`` leaves out so many lines of it."""
        return "\n".join(self.function.log_lines()[since:])

    def lines(self) -> int:
        """How many lines the function wrote so far."""
        return len(self.function.log_lines())

    def last_audit(self) -> dict[str, Any]:
        """The audit event that was written last."""
        for line in reversed(self.function.log_lines()):
            if '"audit"' in line:
                event: dict[str, Any] = json.loads(line)["audit"]
                return event
        raise AssertionError("the log has no audit event")

    def _exchange(self, route: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        method, path = route.split(" ")
        answer = exchange(self.gateway.url + path, method, list(headers.items()), body)
        tokens = set(_tokens(answer))
        text = answer.body.decode() + json.dumps(answer.headers)
        self._refuse_secrets("the answer", text, self._everything_secret())
        self._secrets |= tokens
        lines = self.function.log_lines()
        written = "\n".join(lines[self._lines_seen :])
        self._lines_seen = len(lines)
        self._refuse_secrets("the log", written, self._everything_secret())
        return answer

    def _everything_secret(self) -> set[str]:
        return self._secrets | {self.stack.secrets_manager.server_secret, CREDENTIAL}

    def _refuse_secrets(self, place: str, text: str, secrets: set[str]) -> None:
        for secret in secrets:
            assert secret not in text, f"{place} holds what it must not: {secret[:8]}..."

    def keep_secret(self, text: str) -> None:
        """Look for this text too, from now on."""
        self._secrets.add(text)


@contextlib.contextmanager
def service(
    stack: LocalStack, handler: str = "issuer.app.handler", **changes: str
) -> Iterator[Service]:
    """The issuer with changed variables, on the stack's other parts."""
    environment = stack.function_environment() | {"AWS_SECRET_ACCESS_KEY": CREDENTIAL}
    function = LambdaHost(
        handler,
        environment=environment | changes,
        python_path=(*PYTHON_PATH, HANDLERS),
        concurrency=1,
        region=stack.region,
    )
    gateway = ApiGateway(
        function, routes=UNTHROTTLED, region=stack.region, access_keys=[stack.access_key]
    )
    with function, gateway:
        yield Service(stack, function, gateway)


def content(body: object) -> bytes:
    """A body's bytes."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def until(ask: Callable[[], _T], holds: Callable[[_T], bool], seconds: float = 60.0) -> _T:
    """Ask again and again until the answer holds; the last answer, whatever it is by then."""
    deadline = time.monotonic() + seconds
    while not holds(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def _tokens(answer: Answer) -> Iterator[str]:
    """The ZEGO tokens in an answer."""
    if answer.status not in (200, 201):
        return
    document = answer.json()
    for holder in (document, document.get("zegoRoom", {}), *document.get("results", [])):
        token = holder.get("token")
        if isinstance(token, dict):
            token = token.get("token")
        if isinstance(token, str):
            yield token
