"""What callers get while something fails: a table of scenarios, each with what is promised.

Each environment gets a request per step of simulated time: before the fault, during it and after
its end. A fault lasts as long as in reality for the service, whose times to live are those in AWS.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from local.aws.lambda_host import LambdaHost
from local.aws.secrets_manager.rotation import RotationDriver
from local.fake_zego.cloud import Trouble
from local.stack import PYTHON_PATH
from tests.load.generator import SERVED, poisson, run
from tests.load.services import (
    DENIALS,
    DENIED,
    KEYS,
    LOST,
    OLD_SECRET,
    SECRET,
    WRONG,
    Ask,
    Environment,
    Services,
    event,
    processes,
    secret_text,
    services,
)
from tests.support import faults
from zego.secret_store import CANDIDATE

MINUTE: Final = 60
#: A failed read is repeated after 5 s, at the next request.
RETRY: Final = 6
#: The end of a fault, in which a request arrives each second.
_LAST: Final = 10
_ALICE: Final = Ask("alice", "call_1")
_DENIED: Final = Ask(DENIED, "call_1")

Disturb = Callable[[Services], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class FaultScenario:
    """A fault and what is promised while it lasts.

    :ivar fault: causes it; its end ends the fault.
    :ivar refused: the problems that callers may get, each from so many seconds after the beginning.
    :ivar recovers: how many seconds after the end the last caller may be refused.
    :ivar each_minute: happens once per simulated minute.
    :ivar ask: whose requests are counted.
    :ivar is_silent: no requests arrive during the fault.
    :ivar bearer_age: how long ago the users have logged in, in seconds.
    :ivar in_small: whether the small run has it.
    """

    what: str
    seconds: int
    fault: Disturb = lambda _services: nullcontext()
    refused: Mapping[str, int] = field(default_factory=dict)
    recovers: int = 0
    each_minute: Callable[[Services, int], object] = lambda _services, _minute: None
    ask: Ask = _ALICE
    is_silent: bool = False
    bearer_age: float = 0.0
    in_small: bool = False


@dataclass(slots=True)
class FaultResult:
    """What the callers got.

    :ivar outcomes: of all requests during the fault and after it.
    :ivar refusals: those of them that are promised.
    :ivar recovered: seconds from the end of the fault until no caller was refused.
    :ivar slowest: the longest request, in real seconds.
    """

    what: str
    lasted: str
    outcomes: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    recovered: float = 0.0
    slowest: float = 0.0
    problems: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> int:
        """How many outcomes break a promise."""
        expected = self.refusals.total() + self.outcomes[SERVED] + self.outcomes[OLD_SECRET]
        return self.outcomes.total() - expected


def measure(environments: int, *, small: bool) -> Iterator[FaultResult]:
    """Run the scenarios, as many at the same time as there are cores, with separate services."""
    chosen = [at for at, each in enumerate(SCENARIOS) if each.in_small or not small]
    steps = 60 if small else 300
    with processes(os.cpu_count() or 1) as pool:
        yield from pool.map(partial(scenario_result, environments, steps), chosen)
    yield killed_in_flight(environments, seconds=3.0 if small else 20.0)


def scenario_result(environments: int, steps: int, number: int) -> FaultResult:
    """Run one of the scenarios.

    :param steps: about how many requests each environment gets during the fault.
    """
    return _Course(SCENARIOS[number], environments, steps).run()


class _Course:
    """The course of one scenario."""

    def __init__(self, scenario: FaultScenario, environments: int, steps: int) -> None:
        self._scenario = scenario
        self._environments = environments
        self._step = max(1.0, scenario.seconds / steps)
        self._result = FaultResult(scenario.what, _duration(scenario.seconds))
        self._began: float | None = None
        self._ended: float | None = None

    def run(self) -> FaultResult:
        """Run it."""
        scenario, result = self._scenario, self._result
        with services() as running:
            running.start_environments(self._environments)
            for _ in range(12):  # a minute, after which the caches are of different ages
                self._ask_each(running)
                running.turn(5)
            result.outcomes.clear()
            began = self._began = running.now()
            with scenario.fault(running):
                self._during(running, began)
            ended = self._ended = running.now()
            while running.now() - ended <= scenario.recovers + MINUTE:
                self._ask_each(running)
                running.turn(1)
        if result.recovered > scenario.recovers:
            result.problems.append(f"{scenario.what}: recovered after {result.recovered:.0f} s")
        for outcome, count in (result.outcomes - result.refusals).items():
            if outcome not in (SERVED, OLD_SECRET):
                result.problems.append(f"{scenario.what}: {count} x {outcome}")
        return result

    def _during(self, running: Services, began: float) -> None:
        minutes = 0
        while (since := running.now() - began) < self._scenario.seconds:
            if since >= minutes * MINUTE:
                self._scenario.each_minute(running, minutes)
                minutes += 1
            if not self._scenario.is_silent:
                self._ask_each(running)
            is_nearly_over = self._scenario.seconds - since <= _LAST
            running.turn(1.0 if is_nearly_over else self._step)
        if not self._scenario.is_silent:
            self._ask_each(running)  # the fault ends right after a failed attempt

    def _ask_each(self, running: Services) -> None:
        """Send a request to each environment, and one for a user who is denied."""
        ask = self._scenario.ask
        bearer = running.bearer(ask.user, age=self._scenario.bearer_age)
        denied = running.bearer(DENIED)

        def send(environment: Environment) -> tuple[str, float, str]:
            outcome, took = environment.send(ask, bearer)
            return outcome, took, environment.send(_DENIED, denied)[0]

        with ThreadPoolExecutor(len(running.environments)) as pool:
            for outcome, took, for_denied in pool.map(send, running.environments):
                self._note(running.now(), outcome, took)
                if for_denied in (SERVED, OLD_SECRET) or for_denied.startswith(WRONG):
                    self._result.problems.append(f"{self._scenario.what}: {for_denied}")

    def _note(self, now: float, outcome: str, took: float) -> None:
        result, promised = self._result, self._scenario.refused
        result.outcomes[outcome] += 1
        if self._began is None:
            return
        result.slowest = max(result.slowest, took)
        if outcome not in (SERVED, OLD_SECRET):
            if now - self._began >= promised.get(outcome, math.inf):
                result.refusals[outcome] += 1
            if self._ended is not None:
                result.recovered = now - self._ended + 1


def killed_in_flight(environments: int, seconds: float) -> FaultResult:
    """Kill an environment twice per second under an open loop, in real time."""
    what = "an environment is killed twice per second, also while it serves a request"
    result = FaultResult(what, f"{seconds:.0f} s, real")
    with services(simulated=False) as running:
        host = running.host(environments)
        bearer = running.bearer(_ALICE.user)
        ended, kills = threading.Event(), 0

        def kill() -> None:
            nonlocal kills
            while not ended.wait(0.5):
                with contextlib.suppress(ProcessLookupError, IndexError):
                    os.kill(random.choice(host.process_ids()), signal.SIGKILL)
                    kills += 1

        def send(_number: int) -> str:
            return running.judge.verdict(_ALICE, host.invoke(event(_ALICE, bearer, running.now())))

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        try:
            loaded = run(send, poisson(40, seconds, seed=1), environments)
        finally:
            ended.set()
            killer.join()
        result.outcomes, result.slowest = loaded.outcomes, loaded.latency(1.0)
        if loaded.outcomes[LOST] <= kills:
            result.refusals[LOST] = loaded.outcomes[LOST]
        after = Counter(send(number) for number in range(10 * environments))
        if after.total() != after[SERVED]:
            result.problems.append(f"{what}: after the last kill {dict(after)}")
    for outcome, count in (result.outcomes - result.refusals).items():
        if outcome != SERVED:
            result.problems.append(f"{what}: {count} x {outcome}")
    return result


def _duration(seconds: int) -> str:
    return f"{seconds // MINUTE} min" if seconds % MINUTE == 0 else f"{seconds} s"


# The faults.


def _down(part: str) -> Disturb:
    return lambda running: faults.down(running.part(part))


def _hanging_up(running: Services) -> AbstractContextManager[object]:
    """The identity provider accepts connections and closes them: its port stays open to us."""
    return running.reads[KEYS].of(faults.hanging_up)


def _slow(part: str, seconds: float) -> Disturb:
    return lambda running: running.reads[part].of(faults.slow(seconds))


def _throttling(running: Services) -> AbstractContextManager[object]:
    return running.reads[SECRET].of(faults.refusing("ThrottlingException"))


@contextmanager
def _new_environments_without(running: Services, part: str) -> Iterator[None]:
    with faults.down(running.part(part)):
        for environment in running.environments:
            environment.kill()
        yield


@contextmanager
def _invalid_secret(running: Services) -> Iterator[None]:
    running.secrets_manager.put("not a ServerSecret")
    yield
    running.secrets_manager.put(secret_text(running.zego.project.accepted[-1]))


@contextmanager
def _replaced_secret(running: Services) -> Iterator[None]:
    running.replace_secret()
    yield


@contextmanager
def _new_keys(running: Services) -> Iterator[None]:
    running.identity_provider.rotate_keys()
    yield


@contextmanager
def _denial(running: Services) -> Iterator[None]:
    running.deny("eve")
    yield
    running.allow("eve")


def _wall_clocks(seconds: float) -> Disturb:
    @contextmanager
    def wrong(running: Services) -> Iterator[None]:
        for environment in running.environments:
            environment.wall_ahead = seconds
        running.turn(0)
        yield
        for environment in running.environments:
            environment.wall_ahead = 0.0
        running.turn(0)

    return wrong


def _frozen(*, wall_too: bool) -> Disturb:
    @contextmanager
    def frozen(running: Services) -> Iterator[None]:
        for environment in running.environments:
            environment.signal(signal.SIGSTOP)
        running.replace_secret()
        began = running.now()
        yield
        for environment in running.environments:
            environment.slept += running.now() - began
            if wall_too:
                environment.wall_ahead -= running.now() - began
            environment.set_clocks()
            environment.signal(signal.SIGCONT)

    return frozen


def _zego(trouble: Trouble) -> Disturb:
    """A rotation begins while ZEGO has this trouble, and is tried again at its end."""

    @contextmanager
    def troubled(running: Services) -> Iterator[None]:
        with ExitStack() as started:
            rotator = started.enter_context(_rotator(running))
            driver = started.enter_context(
                RotationDriver(
                    running.secrets_manager,
                    rotator.invoke,
                    attempts=1,
                    background=False,
                    sleep=lambda _seconds: None,
                )
            )
            old = running.zego.project.accepted[-1]
            running.zego.trouble = trouble
            new = running.zego.project.reset(keep_old=True)
            names = {"SecretId": running.secrets_manager.secret_id}
            running.secrets_manager.call(
                "PutSecretValue",
                SecretString=secret_text(new),
                VersionStages=[CANDIDATE],
                **names,
            )
            token = str(uuid.uuid4())
            running.secrets_manager.call("RotateSecret", ClientRequestToken=token, **names)
            assert driver.run(token) is False, "ZEGO gave no verdict, and the secret was promoted"
            yield
            running.zego.trouble = Trouble()
            assert driver.run(token) is True, "the rotation does not recover"
            running.zego.project.switch_off(old.fingerprint)
            running.replaced(old)

    return troubled


def _rotator(running: Services) -> LambdaHost:
    return LambdaHost(
        "rotator.app.handler",
        environment=running.variables() | {"ZEGO_SERVER_API_URL": running.zego.url},
        python_path=PYTHON_PATH,
        function_name="rotator",
        concurrency=1,
        timeout_seconds=300.0,
    )


def _kill_one(running: Services, minute: int) -> None:
    running.environments[minute % len(running.environments)].kill()


_GONE: Final = "secret_unavailable"

#: The caches live for 48 to 60 s (secret), 24 to 30 s (denials) and 10 min (keys), and stay in use
#: for 15, 15 and 60 min after their last read.
SCENARIOS: Final = (
    FaultScenario(
        "an environment is killed each minute", 10 * MINUTE, each_minute=_kill_one, in_small=True
    ),
    FaultScenario("Secrets Manager cannot be reached", 10 * MINUTE, _down(SECRET)),
    FaultScenario(
        "Secrets Manager cannot be reached",
        20 * MINUTE,
        _down(SECRET),
        {_GONE: 14 * MINUTE},
        RETRY,
        in_small=True,
    ),
    FaultScenario(
        "Secrets Manager cannot be reached, and all environments are new",
        2 * MINUTE,
        lambda running: _new_environments_without(running, SECRET),
        {_GONE: 0},
        RETRY,
    ),
    FaultScenario("Secrets Manager throttles every call", 10 * MINUTE, _throttling),
    FaultScenario("Secrets Manager takes 5 s", 2 * MINUTE, _slow(SECRET, 5.0)),
    FaultScenario("AWSCURRENT is not a ServerSecret", 10 * MINUTE, _invalid_secret),
    FaultScenario("the identity provider closes all connections", 50 * MINUTE, _hanging_up),
    FaultScenario(
        "the identity provider closes all connections",
        70 * MINUTE,
        _hanging_up,
        {"signing_keys_unavailable": 50 * MINUTE},
        RETRY,
        in_small=True,
    ),
    FaultScenario("the identity provider takes 5 s", 12 * MINUTE, _slow(KEYS, 5.0)),
    FaultScenario(
        "the identity provider replaces all keys at once",
        MINUTE,
        _new_keys,
        {"bearer_unknown_key": 0},
    ),
    FaultScenario("DynamoDB cannot be reached", 10 * MINUTE, _down(DENIALS)),
    FaultScenario(
        "DynamoDB cannot be reached",
        20 * MINUTE,
        _down(DENIALS),
        {"denials_unavailable": 14 * MINUTE},
        RETRY,
        in_small=True,
    ),
    FaultScenario("DynamoDB takes 5 s", 2 * MINUTE, _slow(DENIALS, 5.0)),
    FaultScenario(
        "the user is denied, and the denial is lifted",
        5 * MINUTE,
        _denial,
        {"not_granted": 0},
        30,
        ask=Ask("eve", "call_1"),
    ),
    FaultScenario(
        "ZEGO cannot be reached, while a secret is rotated", 10 * MINUTE, _zego(Trouble("hang-up"))
    ),
    FaultScenario(
        "ZEGO takes 10 s, while a secret is rotated",
        10 * MINUTE,
        _zego(Trouble(slow_seconds=10.0)),
    ),
    FaultScenario(
        "the secret is replaced, and ZEGO accepts only the new one",
        2 * MINUTE,
        _replaced_secret,
        in_small=True,
    ),
    FaultScenario(
        "environments are frozen, and the secret is replaced meanwhile",
        10 * MINUTE,
        _frozen(wall_too=False),
        is_silent=True,
        in_small=True,
    ),
    FaultScenario(
        "the same, and their wall clocks are set back by as long",
        10 * MINUTE,
        _frozen(wall_too=True),
        is_silent=True,
        bearer_age=30 * MINUTE,
    ),
    FaultScenario("the wall clocks are 10 min ahead", 10 * MINUTE, _wall_clocks(10 * MINUTE)),
    FaultScenario(
        "the wall clocks are 10 min behind",
        10 * MINUTE,
        _wall_clocks(-10 * MINUTE),
        {"bearer_not_yet_valid": 0},
    ),
    FaultScenario(
        "the same, and the users have logged in half an hour before",
        10 * MINUTE,
        _wall_clocks(-10 * MINUTE),
        bearer_age=30 * MINUTE,
        in_small=True,
    ),
)
