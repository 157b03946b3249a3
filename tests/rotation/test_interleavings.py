"""Other actors act between two calls of a rotation or of a check; reads lag and calls fail too.

Every actor of the secret is let in before every call of everything that changes it: operators, the
console, another check, Secrets Manager that repeats a step, ZEGO's own console. Afterwards Secrets
Manager retries what hangs and the watcher checks every five minutes. What must hold is checked
after every write (``World.look``); in the end nothing is in flight, and AWSCURRENT is accepted if
anything that is stored and may be promoted is.

`make prove` runs every interleaving, and a sample with a fault at a later call;
`make test` a smaller sample of both.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import pytest

from local.aws.secrets_manager.conditions import Conditions
from tests.rotation.looks import pair
from tests.rotation.wire import STALE, Fault, Killed
from tests.rotation.world import World
from tests.support.tiers import IS_EXHAUSTIVE, tier
from zego.rotation import STEPS, STUCK_SECONDS
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.notes import compromised
from zego.secret_store.versions import SecretStoreError

pytestmark = pytest.mark.exhaustive

#: How many interleavings are drawn for each work.
DRAWN: Final = 8
DRAWN_WITH_A_FAULT: Final = tier(test=8, prove=100)
LOOKS: Final = 8
#: Two readings of what AWS leaves undocumented, each of which has every other call.
READINGS: Final = (
    Conditions(delete_unlabelled=True, keep_pending=True),
    Conditions(delete_unlabelled=True, abandon_on_any_version=True),
)

Act = Callable[[World], object]
Record = Callable[[str, object], None]


# What runs: it changes the secret, call by call.


@dataclass(frozen=True)
class Work:
    """Something that takes many calls; ``prepare`` makes the state before it."""

    prepare: Act
    run: Act


def _rotated(world: World) -> None:
    world.stage(world.reset(keep_old=True))
    assert world.rotate()


def _staged(world: World) -> None:
    _rotated(world)
    world.stage(world.reset(keep_old=True))


def _only_the_candidate_accepted(world: World) -> None:
    _staged(world)
    world.zego.project.accepted = world.zego.project.made[-1:]


def _only_the_previous_accepted(world: World) -> None:
    _rotated(world)
    world.zego.project.accepted = world.zego.project.made[:1]
    world.tick()
    world.clock.turn(300)


def _stuck(world: World) -> None:
    _only_the_candidate_accepted(world)
    world.begin()
    world.tick()
    world.clock.turn(STUCK_SECONDS)


def _rotate(world: World) -> None:
    world.driver.run(world.begin())


def _restore(world: World) -> None:
    world.driver.run(world.begin_restore() or "")


def _look(world: World) -> None:
    """A check, and the rotation that it may start."""
    with contextlib.suppress(SecretStoreError, Killed):
        world.tick()
    if (pending := world.in_flight) is not None:
        world.driver.run(pending)


WORK: Final = {
    "a rotation": Work(_staged, _rotate),
    "a restore": Work(_staged, _restore),
    "a check that heals with the staged value": Work(_only_the_candidate_accepted, _look),
    "a check that heals with AWSPREVIOUS": Work(_only_the_previous_accepted, _look),
    "a check that gives up a rotation and heals": Work(_stuck, _look),
}


# Who acts in between.


def _gives_up(world: World) -> None:
    world.unstick()


def _gives_up_and_rotates_to_another(world: World) -> None:
    world.unstick()
    world.stage(world.reset(keep_old=True))
    _rotate(world)


def _gives_up_and_begins_another(world: World) -> None:
    world.unstick()
    world.stage(world.reset(keep_old=True))
    world.begin()


def _restores(world: World) -> None:
    _restore(world)


def _stages_past_every_check(world: World) -> None:
    world.store(pair(world.reset(keep_old=True)))


def _stores_a_current_value_by_hand(world: World) -> None:
    world.store(pair(world.reset(keep_old=True)), CURRENT)


def _cancels_rotation(world: World) -> None:
    world.aws.call("CancelRotateSecret", SecretId=world.aws.secret_id)


def _marks_the_present_value(world: World) -> None:
    world.mark_compromised()


def _resets_at_zegos_console(world: World) -> None:
    world.reset()


def _looks_too(world: World) -> None:
    _look(world)


def _repeats_every_step(world: World) -> None:
    pending = world.in_flight
    for step in STEPS if pending else ():
        world.step(step, pending or "")


ACTORS: Final[tuple[Act, ...]] = (
    _gives_up,
    _gives_up_and_rotates_to_another,
    _gives_up_and_begins_another,
    _restores,
    _stages_past_every_check,
    _stores_a_current_value_by_hand,
    _cancels_rotation,
    _marks_the_present_value,
    _resets_at_zegos_console,
    _looks_too,
    _repeats_every_step,
)


@dataclass(frozen=True)
class Interleaving:
    """An actor before one call, and a fault at a later one."""

    call: int
    actor: Act
    fault: tuple[int, Fault] | None = None


def run(work: Work, interleaving: Interleaving) -> World:
    """Run it, let everything come to rest, and assert what must hold."""
    world = World(conditions=READINGS[interleaving.call % 2], seconds_a_call=1.0)
    with world.calm():
        work.prepare(world)
    tokens = {world.in_flight}

    def act() -> None:
        tokens.add(world.in_flight)
        with world.calm(), contextlib.suppress(SecretStoreError):
            interleaving.actor(world)
        tokens.add(world.in_flight)

    world.wire.meanwhile = {interleaving.call: act}
    if interleaving.fault is not None:
        world.wire.schedule = dict([interleaving.fault])
    work.run(world)
    with world.calm():
        _come_to_rest(world)
        for token in filter(None, tokens):  # delivered late: all of that is over
            for step in STEPS:
                world.step(step, token)
    assert world.problems == []
    assert world.in_flight is None, "a rotation hangs"
    _is_accepted_if_it_can_be(world)
    return world


def _come_to_rest(world: World) -> None:
    """Secrets Manager reattempts what is pending, and the watcher checks for 40 minutes."""
    if (pending := world.in_flight) is not None:
        world.driver.run(pending)
    for _ in range(LOOKS):
        world.clock.turn(300)
        _look(world)


def _is_accepted_if_it_can_be(world: World) -> None:
    with world.calm():
        state = world.versions.describe()
        stored = [world.versions.version(state, label) for label in (CANDIDATE, PREVIOUS)]
        current = world.versions.version(state, CURRENT)
    if state.is_rotation_off or (current and current.secret in world.zego.project.accepted):
        return
    usable = [
        version.fingerprint
        for version in stored
        if version is not None
        and version.secret in world.zego.project.accepted
        and version.fingerprint not in compromised(state.tags)
    ]
    assert usable == [], "ZEGO rejects AWSCURRENT, and accepts what is stored"


def interleavings(work: Work) -> Iterator[Interleaving]:
    """Every actor before every call, and after the last."""
    for call in range(_calls(work) + 1):
        for actor in ACTORS:
            yield Interleaving(call, actor)


def with_a_fault(work: Work) -> Iterator[Interleaving]:
    """Every actor before every call, with a fault at a later one: every other time a stale read."""
    draw = random.Random(0)
    calls = _calls(work)
    faults = [fault for fault in Fault if fault not in STALE] + [*STALE] * 2
    for one in interleavings(work):
        later = draw.randrange(one.call, calls + 6)
        yield Interleaving(one.call, one.actor, (later, draw.choice(faults)))


def _calls(work: Work) -> int:
    """How many calls it takes without any disturbance."""
    world = World(conditions=READINGS[0], seconds_a_call=1.0)
    with world.calm():
        work.prepare(world)
    work.run(world)
    return len(world.wire.calls)


@pytest.mark.parametrize("name", WORK)
class TestInterleavings:
    def test_an_actor_before_every_call(self, name: str, record_property: Record) -> None:
        runs = list(interleavings(WORK[name]))
        if not IS_EXHAUSTIVE:
            runs = random.Random(name).sample(runs, DRAWN)
        for one in runs:
            run(WORK[name], one)
        record_property("how much", f"{len(runs)} interleavings")

    def test_an_actor_and_a_fault(self, name: str, record_property: Record) -> None:
        every = list(with_a_fault(WORK[name]))
        runs = random.Random(name).sample(every, min(DRAWN_WITH_A_FAULT, len(every)))
        for one in runs:
            run(WORK[name], one)
        record_property("how much", f"{len(runs)} interleavings")
