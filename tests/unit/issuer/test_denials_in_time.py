"""A model of many environments in virtual time: when a denial is in force in each of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any, cast

import pytest

from issuer.http_event import GatewayClock
from issuer.limits import Limits
from issuer.problems import Problem
from tests.support.bearer import policy
from tests.support.clock import Clock
from tests.support.tiers import seed, tier
from zego.aws import AwsClient, AwsError
from zego.cache import Clocks
from zego.denials import Denial, Item
from zego.policy.model import Caller

ENVIRONMENTS = 500
#: Half of what is promised: a read takes no time here.
IN_FORCE_SECONDS = 30.0
OUTAGE_SECONDS = 20.0
#: How long after an outage an environment may still wait before it reads again.
RETRY_SECONDS = 5.0
ALICE = Caller("web", "https://login.example.com/ alice", "alice", {"sub": "alice"})
DENIAL = Denial("user", "alice", "spam", "op", 1_700_000_000)


class Table:
    """The denials as of now, unless DynamoDB is down."""

    def __init__(self, time: Clock) -> None:
        self.items: list[Item] = []
        self.down_until = 0.0
        self.reads = 0
        self._time = time

    def call(self, action: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        assert action == "Query"
        self.reads += 1
        if self._time.now < self.down_until:
            raise AwsError("Unreachable", "down", temporary=True)
        return {"Items": list(self.items)}


class Environment:
    """One environment. Its monotonic clock stops between requests; its wall clock may jump."""

    def __init__(self, table: Table, time: Clock, chance: random.Random) -> None:
        self._table = table
        self._time = time
        self._chance = chance
        self._wall = Clock(time.now)
        self._monotonic = Clock(chance.uniform(0, 1e6))
        self._seen = time.now
        self.restart()

    def restart(self) -> None:
        """Begin again with empty caches."""
        self._gateway = GatewayClock(self._monotonic)
        client = cast("AwsClient", self._table)
        self.limits = Limits("limits", policy(), client, client, self._gateway)
        clocks = Clocks(self._wall, self._monotonic, self._gateway)
        self.limits._clocks = self.limits._denials._clocks = clocks

    def outcome(self) -> str:
        """Alice sends a request now: the code of the refusal, or ``ok``."""
        passed = self._time.now - self._seen
        self._seen = self._time.now
        self._wall.turn(passed)
        if self._chance.random() < 0.5:  # else Lambda froze the environment in the meantime
            self._monotonic.turn(passed)
        if self._chance.random() < 0.02:
            self._wall.turn(self._chance.choice([-1, 1]) * 10 ** self._chance.uniform(0, 9))
        self._gateway.set(self._time.now)
        try:
            self.limits.check_caller(ALICE)
        except Problem as problem:
            return problem.code
        return "ok"


@pytest.mark.exhaustive
@pytest.mark.parametrize("number", range(tier(test=2, prove=40)))
def test_a_denial_is_in_force_in_500_environments_in_time_whatever_their_clocks_show(
    number: int,
) -> None:
    chance = random.Random(seed() + number)
    time = Clock()
    table = Table(time)
    environments = [Environment(table, time, chance) for _ in range(ENVIRONMENTS)]
    denied_at, lifted_at = time.now + 120, time.now + 300
    early: Counter[str] = Counter()
    table.down_until = time.now + OUTAGE_SECONDS  # others follow by chance
    while time.now < lifted_at + 120:
        time.turn(chance.expovariate(20))
        if chance.random() < 0.0005 and time.now > table.down_until + 30:
            table.down_until = time.now + OUTAGE_SECONDS
        table.items = [DENIAL.to_item()] if denied_at <= time.now < lifted_at else []
        environment = chance.choice(environments)
        if chance.random() < 0.01:
            environment.restart()
        outcome = environment.outcome()
        responds = time.now >= table.down_until + RETRY_SECONDS
        if denied_at <= time.now < denied_at + IN_FORCE_SECONDS:
            early[outcome] += 1
        elif denied_at <= time.now < lifted_at and responds:
            assert outcome == "not_granted"
        elif (time.now < denied_at or time.now >= lifted_at + IN_FORCE_SECONDS) and responds:
            assert outcome == "ok"
    assert early.keys() >= {"ok", "not_granted"}
