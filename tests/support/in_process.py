"""boto3 clients that call a part of the local stack in this process, without HTTP."""

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
    """Responds to requests: a ``LoopbackServer``, or a wrapper of one."""

    def answer(self, request: HttpRequest) -> HttpResponse: ...


def secrets_manager_client(secrets_manager: SecretsManager) -> SecretsManagerClient:
    """Return a client of a Secrets Manager, which need not be started."""
    client: SecretsManagerClient = client_of("secretsmanager", secrets_manager)
    return client


def client_of(service: str, part: Part, *, attempts: int = 1) -> Any:
    """Return a client of the service that this part of the stack imitates.

    Errors of the part's ``intercept`` reach the caller, unless boto3 retries that kind of error and
    has attempts left.
    """
    # The standard mode has a quota of retries, which one test could use up for the next.
    retries: Any = {"mode": "legacy", "total_max_attempts": attempts}
    # Botocore composes its default for each request, which takes a fifth of the request's time.
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
    """Return one session for all clients, which caches botocore's data and parsed times."""
    session = botocore.session.get_session()
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=functools.cache(parse_timestamp))
    return session


@dataclass(frozen=True)
class _Body:
    """The part of a response's body that botocore uses."""

    content: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.content


def _header(pair: tuple[str, str | bytes]) -> tuple[str, str]:
    name, value = pair
    return name, value.decode() if isinstance(value, bytes) else value
