"""boto3 clients whose requests a part of the local stack answers in this process, without HTTP."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import botocore.session
from botocore import UNSIGNED
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.utils import parse_timestamp

from local.aws.secrets_manager import SecretsManager
from local.loopback import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient


class Part(Protocol):
    """Who answers: a ``LoopbackServer``, or who stands before one."""

    def answer(self, request: HttpRequest) -> HttpResponse: ...


def secrets_manager_client(secrets_manager: SecretsManager) -> SecretsManagerClient:
    """A client of a Secrets Manager, which need not be started."""
    client: SecretsManagerClient = client_of("secretsmanager", secrets_manager)
    return client


def client_of(service: str, part: Part, *, attempts: int = 1) -> Any:
    """A client of any service that a part of the stack stands for.

    What the part's ``intercept`` raises, the caller of the client sees, unless it is of a kind that
    boto3 tries again and there are attempts left.
    """
    # The standard mode has a quota of second attempts, which one test would use up for the next.
    retries: Any = {"mode": "legacy", "total_max_attempts": attempts}
    # Botocore composes its own anew for each request, which takes a fifth of all the time of one.
    user_agent = "in-process"
    client: Any = _session().create_client(
        service,
        region_name="us-east-1",
        endpoint_url="http://127.0.0.1",
        config=Config(signature_version=UNSIGNED, retries=retries, user_agent=user_agent),
    )

    def answer(request: AWSPreparedRequest, **_kwargs: object) -> AWSResponse:
        sent = [("host", "127.0.0.1"), *map(_header, request.headers.items())]
        body = request.body if isinstance(request.body, bytes) else b""
        response = part.answer(HttpRequest(request.method, "/", sent, body))
        headers = dict(response.headers)
        raw = _Body(response.body)
        return AWSResponse(request.url, response.status, headers, raw)  # type: ignore[arg-type]  # any mapping

    client.meta.events.register("before-send", answer)
    return client


@functools.cache
def _session() -> botocore.session.Session:
    """One for all clients: it keeps what it has read of botocore's data, and of times."""
    session = botocore.session.get_session()
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=functools.cache(parse_timestamp))
    return session


@dataclass(frozen=True)
class _Body:
    """All that botocore asks of a response's body."""

    content: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.content


def _header(pair: tuple[str, str | bytes]) -> tuple[str, str]:
    name, value = pair
    return name, value.decode() if isinstance(value, bytes) else value
