"""The service as deployed, on this machine, and a client that fails if a secret leaks.

The client remembers every bearer token that it sent and every token that it got. After each
exchange, it searches the function's log and the response for them, for the ServerSecret and for the
function's credentials. A response may contain only its own tokens.
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


@dataclass
class Service:
    """A function behind an API, with the other parts of a local stack.

    :ivar function: it has one worker, so there is one cache.
    :ivar stack: the other parts; the stack's own function and API are not used.
    """

    stack: LocalStack
    function: LambdaHost
    gateway: ApiGateway
    _secrets: set[str] = field(default_factory=set)
    _lines_seen: int = 0

    def bearer(self, **changes: object) -> str:
        """Return a bearer token for alice, with changed claims. ``...`` omits a claim."""
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
        """Send a request and return the response. A body that is not bytes is sent as JSON."""
        sent = {"content-type": "application/json"} | dict(headers or {})
        if bearer is not None:
            sent["authorization"] = f"Bearer {bearer}"
            self._secrets.update(part for part in bearer.split(".") if len(part) > 16)
        return self._exchange(route, content(body), sent)

    def send_signed(self, route: str, body: object = b"") -> Answer:
        """Send a request signed with the backend's access key and return the response."""
        method, path = route.split(" ")
        headers = {"content-type": "application/json"}
        request = AWSRequest(method, self.gateway.url + path, headers, content(body))
        key = self.stack.access_key
        credentials = Credentials(key.access_key_id, key.secret_access_key)
        SigV4Auth(credentials, "execute-api", self.stack.region).add_auth(request)
        return self._exchange(route, content(body), dict(request.headers.items()))

    def token(self, bearer: str | None = None) -> Answer:
        """Send a valid token request and return the response."""
        return self.send("POST /v1/tokens", {"room_id": "call_1"}, bearer=bearer or self.bearer())

    def restart(self) -> None:
        """End the function's processes, which empties its caches."""
        self.function.recycle()

    def log(self, *, since: int = 0) -> str:
        """Return the function's log, without the first ``since`` lines."""
        return "\n".join(self.function.log_lines()[since:])

    def lines(self) -> int:
        """Return the number of lines in the function's log."""
        return len(self.function.log_lines())

    def last_audit(self) -> dict[str, Any]:
        """Return the last audit event."""
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
        self._refuse_secrets("the response", text, self._everything_secret())
        self._secrets |= tokens
        lines = self.function.log_lines()
        written = "\n".join(lines[self._lines_seen :])
        self._lines_seen = len(lines)
        self._refuse_secrets("the log", written, self._everything_secret())
        return answer

    def _everything_secret(self) -> set[str]:
        credential = self.stack.function_keys["issuer"].secret_access_key
        return self._secrets | {self.stack.secrets_manager.server_secret, credential}

    def _refuse_secrets(self, place: str, text: str, secrets: set[str]) -> None:
        for secret in secrets:
            assert secret not in text, f"{place} contains a secret: {secret[:8]}..."

    def keep_secret(self, text: str) -> None:
        """From now on, search for this text too."""
        self._secrets.add(text)


@contextlib.contextmanager
def service(
    stack: LocalStack, handler: str = "issuer.app.handler", **changes: str
) -> Iterator[Service]:
    """Run the issuer with changed variables, with the stack's other parts."""
    function = LambdaHost(
        handler,
        environment=stack.function_environment() | changes,
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
    """Return the bytes of a body."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def until(ask: Callable[[], _T], holds: Callable[[_T], bool], seconds: float = 60.0) -> _T:
    """Call ``ask`` until its result holds or the time is up. Return the last result."""
    deadline = time.monotonic() + seconds
    while not holds(answer := ask()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return answer


def _tokens(answer: Answer) -> Iterator[str]:
    """Yield the ZEGO tokens in a response."""
    if answer.status not in (200, 201):
        return
    document = answer.json()
    for holder in (document, document.get("zegoRoom", {}), *document.get("results", [])):
        token = holder.get("token")
        if isinstance(token, dict):
            token = token.get("token")
        if isinstance(token, str):
            yield token
