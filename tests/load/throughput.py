"""Throughput and latency of the Lambda host with 1 to 64 environments, and of the local stack."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from local.aws.http_api import ApiGateway
from local.aws.lambda_host import LambdaHost
from local.stack import LocalStack
from tests.load.generator import LoadRun, Send, capacity, poisson, run
from tests.load.services import Ask, Judge, Services, event, services
from tests.support.routes import UNTHROTTLED

#: How much of its capacity a row offers. An open loop at the full capacity has an endless queue.
OFFERED: Final = 0.6
_USERS: Final = 200
_SEED: Final = 1
#: So many bursts start all environments, even if some end before the last one begins.
_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class ThroughputRow:
    """One row of the table.

    :ivar capacity: requests per second of a closed loop, in which the next request does not wait.
    :ivar offered: requests per second of the open loop.
    """

    what: str
    capacity: float
    offered: float
    run: LoadRun

    @property
    def problems(self) -> list[str]:
        """What went wrong, in sentences."""
        errors = {name: count for name, count in self.run.outcomes.items() if name != "served"}
        return [f"{self.what}: {count} x {name}" for name, count in errors.items()]


def measure(environments: Sequence[int], seconds: float) -> Iterator[ThroughputRow]:
    """Measure the Lambda host, and then the local stack over HTTP."""
    for count in environments:
        with services(simulated=False) as running:
            host = running.host(count)
            yield _row(f"Lambda host, {count}", _on_host(running, host), host, count, seconds)
    with TemporaryDirectory() as directory, _over_http(Path(directory), 4) as (send, host):
        yield _row("local stack over HTTP, 4", send, host, 4, seconds)


def _row(
    what: str, send: Send, host: LambdaHost, environments: int, seconds: float
) -> ThroughputRow:
    for _ in range(_ROUNDS):
        run(send, [0.0] * environments, environments)
        if len(host.process_ids()) == environments:
            break
    most = capacity(send, environments, max(1.0, seconds / 4))
    offered = OFFERED * most
    return ThroughputRow(
        what, most, offered, run(send, poisson(offered, seconds, _SEED), environments)
    )


def _on_host(running: Services, host: LambdaHost) -> Send:
    asks = [(ask, running.bearer(ask.user)) for ask in _asks()]

    def send(number: int) -> str:
        ask, bearer = asks[number % len(asks)]
        return running.judge.verdict(ask, host.invoke(event(ask, bearer, time.time())))

    return send


def _asks() -> list[Ask]:
    return [Ask(f"user{number}", f"call_{number}") for number in range(_USERS)]


@contextmanager
def _over_http(directory: Path, environments: int) -> Iterator[tuple[Send, LambdaHost]]:
    """A local stack whose API has no rate limit; each sender keeps its connection."""
    with LocalStack(directory=directory, workers=environments, watch_seconds=None) as stack:
        gateway = ApiGateway(stack.function, routes=UNTHROTTLED, region=stack.region)
        asks = [(ask, stack.identity_provider.bearer(ask.user)) for ask in _asks()]
        judge, kept = Judge(stack.zego.project, time.time), threading.local()
        with gateway:
            address = urlsplit(gateway.url).netloc

            def send(number: int) -> str:
                ask, bearer = asks[number % len(asks)]
                if not hasattr(kept, "connection"):
                    kept.connection = http.client.HTTPConnection(address, timeout=30)
                headers = {
                    "authorization": f"Bearer {bearer}",
                    "content-type": "application/json",
                }
                body = json.dumps({"room_id": ask.room})
                kept.connection.request("POST", "/v1/tokens", body, headers)
                response = kept.connection.getresponse()
                document = json.loads(response.read())
                return judge.verdict_on(ask, response.status, document)

            yield send, stack.function
