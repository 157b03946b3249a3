"""The services that the issuer calls, its environments, and the verdict on each response.

In ``simulated`` time all clocks move only in ``turn``, so hours pass in seconds and the caches
behave the same on a busy machine. The environments are real processes under AWS' runtime client and
every call is real HTTP: only the clocks are set (``handlers/clocked_issuer.py``).
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import struct
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from local.access_policy import LocalPolicy
from local.aws.dynamodb import DynamoDb
from local.aws.lambda_host import InvocationResult, LambdaHost
from local.aws.secrets_manager import SecretsManager
from local.fake_zego.cloud import Project, ZegoCloud
from local.identity_provider import IdentityProvider
from local.loopback import LoopbackServer
from local.stack import PYTHON_PATH
from tests.load.generator import SERVED
from tests.support.faults import Faults
from zego import token04
from zego.denials import Denial
from zego.server_secret import ServerSecret
from zego.token04 import Claims, Token04Error

HANDLERS: Final = Path(__file__).parent / "handlers"
SECRET, KEYS, DENIALS = "ServerSecret", "signing keys", "denials"
#: What an environment reads and caches, with the documented time to live in seconds.
TTL_SECONDS: Final = {SECRET: 60.0, KEYS: 600.0, DENIALS: 30.0}
#: How long after a rotation tokens may still have the old secret, and after it was written a denied
#: user may still get tokens: docs/rotation.md and docs/operations.md promise this.
PROMISED_SECONDS: Final = 60.0
#: A token with the old secret, in the time that the documents allow.
OLD_SECRET: Final = "old secret"
#: The environment died, so the caller gets 502 or 500 from API Gateway and no response of ours.
LOST: Final = "lost"
WRONG: Final = "wrong: "
DENIED: Final = "mallory"

_EVENT: Final = json.loads(
    (Path(__file__).parents[2] / "events" / "tokens_room.json").read_text(encoding="utf-8")
)


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a token."""

    user: str
    room: str


class Judge:
    """Decides whether a response is right, from what ZEGO accepts and whom operators denied.

    :ivar replaced_at: when each old secret was replaced, by its value.
    :ivar denied_at: when each user was denied.
    """

    def __init__(self, project: Project, now: Callable[[], float]) -> None:
        self._project = project
        self._now = now
        self.replaced_at: dict[str, float] = {}
        self.denied_at: dict[str, float] = {}

    def verdict(self, ask: Ask, result: InvocationResult) -> str:
        """The outcome of a request: ``SERVED``, a problem's code, or what is wrong with it."""
        if result.function_error:
            died = result.payload.get("errorType") == "Runtime.ExitError"
            return LOST if died else WRONG + result.error_message
        response = result.payload
        return self.verdict_on(ask, response["statusCode"], json.loads(response["body"]))

    def verdict_on(self, ask: Ask, status: int, document: dict[str, Any]) -> str:
        """The outcome of a request, from the response's status and body."""
        if status != 201:
            return str(document["code"])
        secret, claims = self._opened(document["token"])
        if secret is None or claims is None:
            return f"{WRONG}no secret opens the token"
        sealed_for = claims.user_id, json.loads(claims.payload)["room_id"]
        wrong = {
            "a token for a user who is denied": self._is_over(self.denied_at.get(ask.user)),
            "a token for another user or room": sealed_for != (ask.user, ask.room),
            "a token that has expired": claims.expires_at <= self._now(),
            "a token with a secret that was replaced too long ago": self._is_over(
                self.replaced_at.get(secret.value)
            ),
        }
        for what, is_so in wrong.items():
            if is_so:
                return WRONG + what
        return SERVED if secret in self._project.accepted else OLD_SECRET

    def _opened(self, token: str) -> tuple[ServerSecret | None, Claims | None]:
        for secret in reversed(self._project.made):
            with contextlib.suppress(Token04Error):
                return secret, token04.decode(token, secret.value).claims
        return None, None

    def _is_over(self, since: float | None) -> bool:
        return since is not None and self._now() - since > PROMISED_SECONDS


class Services:
    """Secrets Manager, DynamoDB, an identity provider and a project at ZEGO, which run.

    :ivar reads: the requests that each of them got, and its faults.
    """

    def __init__(self, running: ExitStack, *, simulated: bool) -> None:
        self._now = time.time() if simulated else None
        self._directory = Path(running.enter_context(TemporaryDirectory()))
        self._running = running
        self.secrets_manager = running.enter_context(SecretsManager(clock=self.now))
        self.identity_provider = running.enter_context(IdentityProvider(clock=self.now))
        self.dynamodb = running.enter_context(DynamoDb())
        first = self.secrets_manager.server_secret
        self.zego = running.enter_context(ZegoCloud(self.secrets_manager.app_id, first))
        self.secrets_manager.call("ListSecrets")  # waits until it is ready
        self.dynamodb.wait()
        self.reads = {name: Faults(self.part(name)) for name in (SECRET, KEYS, DENIALS)}
        self.environments: list[Environment] = []
        self.judge = Judge(self.zego.project, self.now)
        self.deny(DENIED)
        self.judge.denied_at[DENIED] = 0.0
        self._policy = self._directory / "access_policy.toml"
        self._policy.write_text(LocalPolicy().text(self.identity_provider.url), encoding="utf-8")

    def now(self) -> float:
        """The right time, in Unix seconds."""
        return time.time() if self._now is None else self._now

    def turn(self, seconds: float) -> None:
        """Let simulated time pass, everywhere."""
        assert self._now is not None
        self._now += seconds
        for environment in self.environments:
            environment.set_clocks()

    def variables(self) -> dict[str, str]:
        """The issuer's variables. What is not here has its default."""
        return {
            "STAGE": "local",
            "ACCESS_POLICY_FILE": str(self._policy),
            "SERVER_SECRET_ARN": self.secrets_manager.secret_id,
            "AWS_REGION": self.secrets_manager.region,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.secrets_manager.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "LIMITS_TABLE": self.dynamodb.table,
            "AWS_ACCESS_KEY_ID": "invented",
            "AWS_SECRET_ACCESS_KEY": "invented",
        }

    def host(self, environments: int) -> LambdaHost:
        """The issuer with up to so many environments, with the system's clocks."""
        return self._running.enter_context(
            LambdaHost(
                environment=self.variables(),
                python_path=PYTHON_PATH,
                concurrency=environments,
                lazy=True,
            )
        )

    def start_environments(self, count: int) -> None:
        """Start environments, each on a separate host, and wait until they are initialized."""
        for number in range(count):
            clocks = self._directory / f"clocks-{number}"
            self.environments.append(Environment(self, clocks))
            self._running.callback(self.environments[-1].close)
            self.environments[-1].host.start()
        with ThreadPoolExecutor(os.cpu_count()) as starting:
            for failure in starting.map(lambda one: one.host.prepare(), self.environments):
                assert failure is None, failure

    def bearer(self, user: str, *, age: float = 0.0) -> str:
        """A bearer token of the identity provider for a user, so many seconds after the login."""
        provider, at = self.identity_provider, int(self.now() - age)
        return provider.sign(provider.claims(user, iat=at, nbf=at))

    def deny(self, user: str) -> None:
        """Write a denial."""
        denial = Denial("user", user, "spam", "op", int(self.now()))
        self.dynamodb.call("PutItem", Item=denial.to_item())
        self.judge.denied_at[user] = self.now()

    def allow(self, user: str) -> None:
        """Lift a denial."""
        denial = Denial("user", user, "spam", "op", int(self.now()))
        item = denial.to_item()
        self.dynamodb.call("DeleteItem", Key={name: item[name] for name in ("pk", "sk")})
        del self.judge.denied_at[user]

    def part(self, name: str) -> LoopbackServer:
        """The service from which environments read that."""
        parts: dict[str, LoopbackServer] = {
            SECRET: self.secrets_manager,
            KEYS: self.identity_provider,
            DENIALS: self.dynamodb,
        }
        return parts[name]

    def replace_secret(self) -> None:
        """Replace the secret at ZEGO, which then accepts only the new one, and make it current."""
        old = self.zego.project.accepted[-1]
        new = self.zego.project.reset()
        self.secrets_manager.put(secret_text(new))
        self.replaced(old)

    def replaced(self, old: ServerSecret) -> None:
        """Note that a secret is not current any more."""
        self.judge.replaced_at[old.value] = self.now()

    def counts(self) -> dict[str, int]:
        """How often each of the services was called."""
        return {name: len(faults.requests) for name, faults in self.reads.items()}

    @contextlib.contextmanager
    def counting(self) -> Iterator[dict[str, int]]:
        """Count the calls of a block. The result is complete when it ends."""
        before, during = self.counts(), dict.fromkeys(self.reads, 0)
        yield during
        during.update({name: count - before[name] for name, count in self.counts().items()})


class Environment:
    """One environment of the issuer, whose clocks the test sets.

    :ivar wall_ahead: how far its wall clock is wrong, in seconds.
    :ivar slept: how long it was frozen: as in Lambda, its monotonic clock did not notice.
    """

    def __init__(self, services: Services, clocks: Path) -> None:
        self._services = services
        self._clocks = os.open(clocks, os.O_WRONLY | os.O_CREAT, 0o600)
        self.wall_ahead = 0.0
        self.slept = 0.0
        self.set_clocks()
        self.host = LambdaHost(
            "clocked_issuer.handler",
            environment=services.variables() | {"CLOCKS_FILE": str(clocks)},
            python_path=(*PYTHON_PATH, HANDLERS),
            concurrency=1,
        )

    def set_clocks(self) -> None:
        """Set its clocks to the services' time and its faults."""
        now = self._services.now()
        os.pwrite(self._clocks, struct.pack("dd", now + self.wall_ahead, now - self.slept), 0)

    def send(self, ask: Ask, bearer: str) -> tuple[str, float]:
        """Send a request to it. Returns the outcome, and how long it took in real seconds."""
        result = self.host.invoke(event(ask, bearer, self._services.now()))
        return self._services.judge.verdict(ask, result), result.duration

    def kill(self) -> None:
        """Kill its process, and wait for its end. The next request gets a new one."""
        self.signal(signal.SIGKILL)
        for process_id in self.host.process_ids():
            os.waitid(os.P_PID, process_id, os.WEXITED | os.WNOWAIT)

    def signal(self, number: int) -> None:
        """Send a signal to its process, such as SIGSTOP to freeze it."""
        for process_id in self.host.process_ids():
            os.kill(process_id, number)

    def close(self) -> None:
        """End its process."""
        self.host.stop()
        os.close(self._clocks)


@contextlib.contextmanager
def services(*, simulated: bool = True) -> Iterator[Services]:
    """Run the services; end them and all environments."""
    with ExitStack() as running:
        yield Services(running, simulated=simulated)


def processes(count: int) -> ProcessPoolExecutor:
    """Processes for measurements that run at the same time. They end at Ctrl-C, as this one."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(count, spawn, signal.signal, (signal.SIGINT, signal.SIG_DFL))


def secret_text(secret: ServerSecret) -> str:
    """A ServerSecret as Secrets Manager stores it."""
    return json.dumps({"app_id": secret.app_id, "server_secret": secret.value})


def event(ask: Ask, bearer: str, now: float) -> bytes:
    """API Gateway's event for a request that arrives now."""
    made = _EVENT | {
        "headers": _EVENT["headers"] | {"authorization": f"Bearer {bearer}"},
        "requestContext": _EVENT["requestContext"] | {"timeEpoch": int(now * 1000)},
        "body": json.dumps({"room_id": ask.room}),
    }
    return json.dumps(made).encode()
