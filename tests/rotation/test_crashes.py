"""Whatever goes wrong, at whichever call of a rotation: nothing is promoted unproven, nothing lost.

A rotation is run on the local stack's driver, retries and all, once for every fault at every call
of it, to AWS and to ZEGO; then with faults at two calls, and with a fault that lasts. Secrets
Manager is at its least friendly: reads lag by one to three writes, versions without a label vanish,
and AWSPENDING stays after a success. What must hold is checked after every write (``World.look``).
A rotation that meets fewer faults than Secrets Manager has attempts succeeds by itself; in the end
a healthy retry converges.

`make test` runs one fault at every call, each kind in its turn, and a small seeded sample of the
rest. `make prove` runs all but the pairs, of which it runs a larger sample.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from local.aws.secrets_manager.conditions import Conditions
from tests.rotation.wire import STALE, Fault, faults_at
from tests.rotation.world import World
from tests.support.tiers import IS_EXHAUSTIVE, tier
from zego.secret_store import CURRENT, PENDING, PREVIOUS

pytestmark = pytest.mark.exhaustive

Schedule = Mapping[int, Fault]
Record = Callable[[str, object], None]

WRONG: Final = "0123456789abcdef" * 2
PLACEHOLDER: Final = '{"app_id": 1234567890, "server_secret": "REPLACE-WITH-THE-CONSOLES-VALUE!"}'
#: How many schedules of a kind are drawn for a scenario. There are some 30,000 pairs for each.
DRAWN: Final = tier(test=5, prove=300)
UNFRIENDLY: Final = Conditions(delete_unlabelled=True, keep_pending=True)


def _begin(world: World) -> str:
    return world.begin()


@dataclass(frozen=True)
class Scenario:
    """The state before the rotation. ``prepare`` returns the value to promote."""

    name: str
    prepare: Callable[[World], str]
    promotes: bool = True
    begin: Callable[[World], str] = _begin


def _both_accepted(world: World) -> str:
    value = world.reset(keep_old=True)
    world.stage(value)
    return value


def _new_one_alone_accepted(world: World) -> str:
    value = world.reset()
    world.stage(value)
    return value


def _wrong_value(world: World) -> str:
    world.reset(keep_old=True)
    world.stage(WRONG)
    return WRONG


def _placeholder_is_current(world: World) -> str:
    world.store(PLACEHOLDER, CURRENT)
    world.stage(world.first)
    return world.first


def _rotated(world: World) -> str:
    """Another value is staged, which no heal and no restore may displace."""
    with world.calm():
        world.stage(world.reset(keep_old=True))
        assert world.rotate()
        world.stage(WRONG)
    return world.first


def _first_alone_accepted(world: World) -> str:
    value = _rotated(world)
    world.zego.project.accepted = world.zego.project.made[:1]
    with world.calm():
        world.tick()
    return value


def _restore(world: World) -> str:
    token = world.begin_restore()
    assert token is not None
    return token


def _heal(world: World) -> str:
    with world.calm():
        world.tick()
        token = world.versions.describe().in_flight
    assert token is not None
    return token


SCENARIOS: Final = (
    Scenario("both accepted", _both_accepted),
    Scenario("cutover", _new_one_alone_accepted),
    Scenario("new stack", _placeholder_is_current),
    Scenario("wrong value", _wrong_value, promotes=False),
    Scenario("restore", _rotated, begin=_restore),
    Scenario("heal", _first_alone_accepted, begin=_heal),
)


def run(scenario: Scenario, schedule: Schedule, *, is_lasting: bool = False) -> World:
    """One rotation with these faults, then a healthy retry; asserts all that must hold.

    :param is_lasting: there are more faults than attempts.
    """
    world = World(schedule, seconds_a_call=7.0, conditions=UNFRIENDLY)
    value = scenario.prepare(world)
    before = world.value(CURRENT)
    world.driver.run(scenario.begin(world))
    world.look()
    if world.value(CURRENT) == value:
        assert scenario.promotes
    else:
        assert world.value(CURRENT) == before
        final = {("ZEGO", fault) for fault in (Fault.FALSE, *STALE)}  # ZEGO rejects the value
        is_refused = not scenario.promotes or not final.isdisjoint(world.wire.met)
        assert is_lasting or is_refused, f"a healthy retry would have promoted it: {world.outcome}"
        with world.calm():
            _retry(world, scenario)
        assert world.value(CURRENT) == (value if scenario.promotes else before)
    if scenario.promotes:
        assert world.text(PREVIOUS) == world.promoted[-2]
    assert world.text(PENDING) in (None, world.text(CURRENT)), "the next rotation cannot begin"
    assert world.problems == []
    return world


def _retry(world: World, scenario: Scenario) -> None:
    """Ops (or the watcher) gives up a stuck rotation and rotates again."""
    world.unstick()
    assert world.driver.run(scenario.begin(world)) == scenario.promotes, world.outcome
    assert scenario.promotes or world.outcome == "rejected"


def calls_of(scenario: Scenario) -> list[str]:
    """The calls of a rotation without faults."""
    return run(scenario, {}).wire.calls


def points_of(scenario: Scenario) -> list[tuple[int, Fault]]:
    """Every fault at every call."""
    return [
        (number, fault)
        for number, call in enumerate(calls_of(scenario))
        for fault in faults_at(call)
    ]


def one_for_each_call(scenario: Scenario) -> list[Schedule]:
    """A fault at every call, each kind in its turn."""
    faults = [(number, [*faults_at(call)]) for number, call in enumerate(calls_of(scenario))]
    return [{number: kinds[number % len(kinds)]} for number, kinds in faults if kinds]


def drawn(schedules: Sequence[Schedule], scenario: Scenario) -> Sequence[Schedule]:
    """All of them, or the same sample each time."""
    if len(schedules) <= DRAWN:
        return schedules
    return random.Random(scenario.name).sample(schedules, DRAWN)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
class TestFaults:
    def test_one_at_every_call(self, scenario: Scenario, record_property: Record) -> None:
        schedules = [{number: fault} for number, fault in points_of(scenario)]
        chosen = schedules if IS_EXHAUSTIVE else one_for_each_call(scenario)
        worlds = [run(scenario, schedule) for schedule in chosen]
        assert all(world.wire.met for world in worlds), "a fault was not come to"
        record_property("how much", f"{len(worlds)} of {len(schedules)} schedules")

    def test_one_at_all_attempts_of_every_call(
        self, scenario: Scenario, record_property: Record
    ) -> None:
        """What boto3 tries again by itself fails again, and again."""
        again = (Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.THROTTLED)
        schedules = [
            dict.fromkeys(range(number, number + 3), fault)
            for number, fault in points_of(scenario)
            if fault in again
        ]
        chosen = drawn(schedules, scenario)
        for schedule in chosen:
            run(scenario, schedule, is_lasting=True)
        record_property("how much", f"{len(chosen)} of {len(schedules)} schedules")

    def test_one_that_lasts(self, scenario: Scenario, record_property: Record) -> None:
        """From one call on, none succeeds: a permission is missing, a network is gone."""
        lasting = (Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.THROTTLED, Fault.DENIED)
        schedules = [
            dict.fromkeys(range(number, number + 1000), fault)
            for number, fault in points_of(scenario)
            if fault in lasting
        ]
        chosen = drawn(schedules, scenario)
        for schedule in chosen:
            run(scenario, schedule, is_lasting=True)
        record_property("how much", f"{len(chosen)} of {len(schedules)} schedules")

    def test_two_at_any_calls(self, scenario: Scenario, record_property: Record) -> None:
        pairs = itertools.combinations(points_of(scenario), 2)
        schedules = [dict(pair) for pair in pairs if pair[0][0] < pair[1][0]]
        chosen = drawn(schedules, scenario)
        for schedule in chosen:
            run(scenario, schedule)
        record_property("how much", f"{len(chosen)} of {len(schedules)} schedules")
