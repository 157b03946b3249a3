"""Compares invocations of the issuer with those of an empty handler and of its peers.

All run on the same host, in turns, under a client of Lambda's Runtime API: AWS' for Python, and
``handlers/node_runtime.mjs`` for Node.js. The Python services run from trees built as for Lambda,
with bytecode. The secret and the denials come from moto over HTTP, the keys from the local identity
provider over HTTP. The issuer runs with the denials of ``Limits=On``, and without.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.aws.dynamodb import DynamoDb
from local.aws.lambda_host import InvocationResult, LambdaHost
from local.aws.secrets_manager import SecretsManager
from local.identity_provider import AUDIENCE, IdentityProvider
from tests.benchmarks import peers
from tests.benchmarks.rows import EMPTY, Row, absolute, difference, ratio
from zego import token04
from zego.denials import Denial

_ROOT = Path(__file__).resolve().parents[2]
_HANDLERS = Path(__file__).parent / "handlers"
_WARM_UP = 50
_WARM_BLOCKS = 30
_WARM_BLOCK = 50
_COLD = 21
#: The start of an empty handler on the machine where the budgets in milliseconds were set. On a
#: slower or busier one they grow in proportion; on a quicker one they do not shrink.
_REFERENCE_START_MS = 28.0
_ROUNDS = 3
_RESTORED = 10
_TTL_SECONDS = 60
_DENIALS = 10
#: The names of the issuer's rows, and of its peers.
ISSUER = "issuer"
WITHOUT_LIMITS = "issuer, Limits=Off"
EVERYDAY_PYTHON = "everyday Python"
BUNDLED_NODE = "Node.js, bundled"


@dataclass(frozen=True, slots=True)
class Subjects:
    """The subjects of a measurement: hosts to start, and the event that requests a token.

    :ivar environment: the issuer's variables; ``limits`` has those of ``Limits=On``.
    :ivar peer_environment: the variables of the peers.
    :ivar server_secret: what opens the tokens.
    """

    event: dict[str, Any]
    environment: dict[str, str]
    limits: dict[str, str]
    peer_environment: dict[str, str]
    python_path: Sequence[Path]
    server_secret: str

    def all(self, built: peers.Peers) -> dict[str, LambdaHost]:
        """Return all subjects by name."""
        return {
            EMPTY: self.empty(),
            ISSUER: self.with_limits(),
            WITHOUT_LIMITS: self.issuer(),
            EVERYDAY_PYTHON: self._host("everyday.handler", [built.python], self.peer_environment),
        } | ({BUNDLED_NODE: self._node(built.node)} if built.node is not None else {})

    def issuer(self, **environment: str) -> LambdaHost:
        return self._host("issuer.app.handler", self.python_path, environment)

    def with_limits(self) -> LambdaHost:
        return self.issuer(**self.limits)

    def empty(self, **environment: str) -> LambdaHost:
        return self._host("empty.handler", [_HANDLERS, *self.python_path], environment)

    def issue(self, host: LambdaHost) -> InvocationResult:
        """Request one token.

        :raises RuntimeError: there is none.
        """
        result = host.invoke(self.event)
        if result.function_error or result.payload["statusCode"] != 201:
            raise RuntimeError(f"no token was issued: {result.raw.decode()[:500]}")
        return result

    def check(self, host: LambdaHost) -> None:
        """Raise an error unless the host issues a token that opens and is for the right user."""
        token = json.loads(self.issue(host).payload["body"])["token"]
        if token04.decode(token, self.server_secret).claims.user_id != "alice":
            raise RuntimeError("the token is for another user")

    def _node(self, script: Path) -> LambdaHost:
        command = peers.node_command()
        return self._host(str(script), [script.parent], self.peer_environment, command)

    def _host(
        self,
        handler: str,
        python_path: Sequence[Path],
        environment: Mapping[str, str],
        command: Sequence[str] = (),
    ) -> LambdaHost:
        return LambdaHost(
            handler,
            environment={**self.environment, **environment},
            python_path=python_path,
            concurrency=1,
            command=command,
        )


@contextmanager
def subjects(tree: Path) -> Iterator[Subjects]:
    """Run the services that the issuer needs; yield the issuer from a built tree."""
    with ExitStack() as stack:
        secrets_manager = stack.enter_context(SecretsManager())
        identity_provider = stack.enter_context(IdentityProvider())
        dynamodb = stack.enter_context(DynamoDb())
        secrets_manager.call("ListSecrets")  # waits until it is ready
        for number in range(_DENIALS):
            denial = Denial("user", f"user{number}", "spam", "op", 1_700_000_000)
            dynamodb.call("PutItem", Item=denial.to_item())
        directory = Path(stack.enter_context(TemporaryDirectory()))
        policy = (_ROOT / "local" / "access_policy.toml").read_text()
        policy_file = directory / "access_policy.toml"
        policy_file.write_text(policy.replace("{identity_provider}", identity_provider.url))
        bearer = identity_provider.sign(identity_provider.claims("alice"))
        event = json.loads((_ROOT / "events" / "tokens_room.json").read_text())
        event["headers"]["authorization"] = f"Bearer {bearer}"
        environment = {
            "STAGE": "local",
            "ACCESS_POLICY_FILE": str(policy_file),
            "SERVER_SECRET_ARN": secrets_manager.secret_id,
            "AWS_REGION": secrets_manager.region,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_manager.url,
            "AWS_ACCESS_KEY_ID": "invented",
            "AWS_SECRET_ACCESS_KEY": "invented",
            "SECRET_TTL_SECONDS": str(_TTL_SECONDS),
        }
        layers = tree / "layers"
        python_path = [
            tree / "functions",
            layers / "domain" / "python",
            layers / "dependencies" / "python",
        ]
        limits = {"LIMITS_TABLE": dynamodb.table, "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.url}
        peer_environment = {
            "ISSUER": identity_provider.issuer,
            "JWKS_URI": identity_provider.jwks_uri,
            "AUDIENCE": AUDIENCE,
        }
        yield Subjects(
            *(event, environment, limits, peer_environment, python_path),
            secrets_manager.server_secret,
        )


def measure(tree: Path, built: peers.Peers) -> list[Row]:
    """Measure cold, warm and restored invocations, memory, and how often the secret is read."""
    with subjects(tree) as measured:
        slower = max(1.0, _quickest_start(measured) / _REFERENCE_START_MS)
        return [
            *_best(lambda: [cold(measured, built)]),
            *_best(lambda: warm(measured, built, slower=slower)),
            *_best(lambda: _restored(measured, slower)),
        ]


def _quickest_start(measured: Subjects) -> float:
    """The milliseconds in which an empty handler starts and responds, when nothing disturbs it."""
    with measured.empty() as host:
        taken = []
        for _ in range(_COLD):
            host.recycle()
            taken.append(host.invoke(measured.event).duration * 1000)
    return min(taken)


def _best(measure_once: Callable[[], list[Row]]) -> list[Row]:
    """Return the best of up to three rounds: other load can only make a round slower."""
    rounds = [measure_once()]
    while len(rounds) < _ROUNDS and any(row.over_budget for row in rounds[-1]):
        rounds.append(measure_once())
    return min(rounds, key=_worst)


def _worst(rows: Sequence[Row]) -> float:
    return max(row.result / row.budget for row in rows if row.budget is not None)


@contextmanager
def _started(hosts: Mapping[str, LambdaHost]) -> Iterator[Mapping[str, LambdaHost]]:
    with ExitStack() as stack:
        for host in hosts.values():
            stack.enter_context(host)
        yield hosts


def cold(measured: Subjects, built: peers.Peers, *, starts: int = _COLD) -> Row:
    """Start each subject in turn, so that other load disturbs all of them."""
    with _started(measured.all(built)) as hosts:
        taken: dict[str, list[float]] = {name: [] for name in hosts}
        for _ in range(starts):
            for name, host in hosts.items():
                host.recycle()
                taken[name].append(measured.issue(host).duration * 1000)
    medians = {name: statistics.median(values) for name, values in taken.items()}
    return ratio(
        "cold: process start -> first token",
        EMPTY,
        unit="ms",
        value=medians.pop(ISSUER),
        baseline=medians.pop(EMPTY),
        budget=4.4,
        aim=3.8,
        peers=medians,
    )


def warm(
    measured: Subjects, built: peers.Peers, *, blocks: int = _WARM_BLOCKS, slower: float = 1.0
) -> list[Row]:
    """Run the subjects in alternating blocks, so that each is warm.

    Only the quickest half of the blocks counts: the others were disturbed by other load.
    """
    with _started(measured.all(built)) as hosts:
        for name, host in hosts.items():
            if name != EMPTY:
                measured.check(host)
        for host in [*hosts.values()] * (_WARM_UP - 1):
            measured.issue(host)
        taken = []
        for _ in range(blocks):
            block = {}
            for name, host in hosts.items():
                block[name] = [measured.issue(host).duration * 1000 for _ in range(_WARM_BLOCK)]
            taken.append(block)
        reads = sum("ServerSecret read" in line for line in hosts[ISSUER].log_lines())
        memory = {name: _peak_memory_mb(host) for name, host in hosts.items()}
    tokens = _WARM_UP + blocks * _WARM_BLOCK
    quick = _quietest_half(taken)
    medians = {name: statistics.median(values) for name, values in quick.items()}
    slowest = {name: _p99(values) for name, values in quick.items()}
    rows = [
        difference(
            "warm request, p50",
            EMPTY,
            unit="ms",
            value=medians.pop(ISSUER),
            baseline=medians.pop(EMPTY),
            budget=0.4 * slower,
            aim=0.35 * slower,
            peers=medians,
        ),
        difference(
            "warm request, p99",
            EMPTY,
            unit="ms",
            value=slowest.pop(ISSUER),
            baseline=slowest.pop(EMPTY),
            budget=2.0 * slower,
            aim=0.8 * slower,
            peers=slowest,
        ),
    ]
    if None not in memory.values():
        known = {name: value for name, value in memory.items() if value is not None}
        used = known.pop(ISSUER)
        rows.append(absolute(f"peak memory after {tokens} requests", "MB", used, peers=known))
    calls = f"Secrets Manager calls for {tokens} tokens within one TTL"
    return [*rows, absolute(calls, "calls", reads, budget=1)]


def _quietest_half(blocks: list[dict[str, list[float]]]) -> dict[str, list[float]]:
    """The durations of each subject in the quickest half of the blocks."""
    by_time = sorted(blocks, key=lambda block: sum(map(statistics.median, block.values())))
    quick = by_time[: len(by_time) // 2]
    return {name: [one for block in quick for one in block[name]] for name in blocks[0]}


def _peak_memory_mb(host: LambdaHost) -> float | None:
    """The largest memory that the runtime's process had, where the system tells it."""
    (process_id,) = host.process_ids()
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except FileNotFoundError:
        return None
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 / 1e6


def _restored(measured: Subjects, slower: float) -> list[Row]:
    durations = []
    snap_start = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    with measured.issuer(**measured.limits, **snap_start) as issuer:
        for _ in range(_RESTORED):
            issuer.prepare()
            durations.append(measured.issue(issuer).duration * 1000)
            issuer.recycle()
    restored = statistics.median(durations)
    what = "SnapStart: restore -> first token"
    return [absolute(what, "ms", restored, budget=50 * slower, aim=20 * slower)]


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
