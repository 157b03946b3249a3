"""Whatever goes wrong, at whichever call of a rotation: nothing is promoted unproven, nothing lost.

A rotation is run on the local stack's driver, retries and all, once for every fault at every call
of it, to AWS and to ZEGO; then with faults at two calls, and with a fault that stays. What must
hold is looked at after every call (``World.look``), and in the end a healthy retry converges.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pytest

from tests.rotation.wire import Fault, is_read
from tests.rotation.world import World
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS

Schedule = Mapping[int, Fault]

WRONG: Final = "0123456789abcdef" * 2
PLACEHOLDER: Final = '{"app_id": 1234567890, "server_secret": "REPLACE-WITH-THE-CONSOLES-VALUE!"}'
#: How many schedules of two faults are drawn for a scenario. There are some ten thousand.
PAIRS: Final = 60


@dataclass(frozen=True)
class Scenario:
    """What is so before the rotation. It gives the value that is to be promoted."""

    name: str
    prepare: Callable[[World], str]
    promotes: bool = True


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


SCENARIOS: Final = (
    Scenario("both accepted", _both_accepted),
    Scenario("cutover", _new_one_alone_accepted),
    Scenario("new stack", _placeholder_is_current),
    Scenario("wrong value", _wrong_value, promotes=False),
)


def run(scenario: Scenario, schedule: Schedule) -> World:
    """One rotation with these faults, then a healthy retry; asserts all that must hold."""
    world = World(schedule, seconds_a_call=7.0)
    value = scenario.prepare(world)
    before = world.value(CURRENT)
    world.driver.run(world.begin())
    world.look()
    if world.value(CURRENT) == value:
        assert scenario.promotes
    else:
        assert world.value(CURRENT) == before
        assert world.value(CANDIDATE) == value, "what ops staged is lost"
        with world.calm():
            _retry(world, promotes=scenario.promotes)
        assert world.value(CURRENT) == (value if scenario.promotes else before)
    if scenario.promotes:
        assert world.text(PREVIOUS) == world.promoted[-2]
    assert world.text(PENDING) in (None, world.text(CURRENT)), "the next rotation cannot begin"
    assert world.problems == []
    return world


def _retry(world: World, *, promotes: bool) -> None:
    """Ops looks after it: gives up what hangs, and rotates again."""
    world.unstick()
    assert world.rotate() == promotes, world.outcome
    assert promotes or world.outcome == "rejected"


def calls_of(scenario: Scenario) -> list[str]:
    """The calls of a rotation without faults."""
    return run(scenario, {}).wire.calls


def faults_at(call: str) -> Iterator[Fault]:
    """The faults that this call can have: an answer can be stale only to a question."""
    for fault in Fault:
        if fault is not Fault.STALE or call == "ZEGO" or is_read(call):
            yield fault


def points_of(scenario: Scenario) -> list[tuple[int, Fault]]:
    """Every fault at every call."""
    return [
        (number, fault)
        for number, call in enumerate(calls_of(scenario))
        for fault in faults_at(call)
    ]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
class TestFaults:
    def test_one_at_every_call(self, scenario: Scenario, record: Record) -> None:
        points = points_of(scenario)
        worlds = [run(scenario, {number: fault}) for number, fault in points]
        assert all(world.wire.met for world in worlds), "a fault was not come to"
        record(scenario, "one fault at every call", points, len(worlds))

    def test_one_at_all_attempts_of_every_call(self, scenario: Scenario, record: Record) -> None:
        """What boto3 tries again by itself fails again, and again."""
        again = (Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.THROTTLED)
        points = [point for point in points_of(scenario) if point[1] in again]
        for number, fault in points:
            run(scenario, dict.fromkeys(range(number, number + 3), fault))
        record(scenario, "one fault at all attempts of every call", points, len(points))

    def test_one_that_stays(self, scenario: Scenario, record: Record) -> None:
        """From one call on, none succeeds: a permission is missing, a network is gone."""
        lasting = (Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.THROTTLED, Fault.DENIED)
        points = [point for point in points_of(scenario) if point[1] in lasting]
        for number, fault in points:
            run(scenario, dict.fromkeys(range(number, number + 1000), fault))
        record(scenario, "a fault that stays, from every call on", points, len(points))

    def test_two_at_any_calls(self, scenario: Scenario, record: Record) -> None:
        points = points_of(scenario)
        pairs = [pair for pair in itertools.combinations(points, 2) if pair[0][0] < pair[1][0]]
        drawn = random.Random(scenario.name).sample(pairs, PAIRS)
        for pair in drawn:
            run(scenario, dict(pair))
        record(scenario, f"two faults, {PAIRS} of {len(pairs)} pairs", points, len(drawn))


Record = Callable[[Scenario, str, list[tuple[int, Fault]], int], None]


@pytest.fixture(scope="module")
def record(pytestconfig: pytest.Config) -> Iterator[Record]:
    """Prints how much was run, at the end, whether or not output is captured."""
    lines: list[str] = []
    total: Counter[str] = Counter()

    def note(scenario: Scenario, what: str, points: list[tuple[int, Fault]], runs: int) -> None:
        lines.append(f"  {scenario.name}: {what}: {len(points)} fault points, {runs} schedules")
        total["schedules"] += runs

    yield note
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print("\nrotations with faults:", *lines, f"  {total['schedules']} schedules", sep="\n")
