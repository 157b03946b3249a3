"""Ops, ZEGO's console, the vendor's bad days and the watcher, in any order: what is always true.

Secrets Manager's reads lag by up to three writes and versions without a label vanish. After every
write (``World.look``): AWSCURRENT is a value that ZEGO had accepted when it was promoted,
AWSPREVIOUS the one before it; what ops staged keeps its label until it is promoted or replaced; a
heal brings an old value back only after two checks with a rejection, and nothing brings back a
compromised one; the issuer seals with AWSCURRENT or with nothing. After every rule: no value is
healed with twice within a cool-down, no event but for a change of verdict, and a stuck rotation is
reported by the second check after 15 minutes.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from local.aws.secrets_manager import APP_ID
from local.aws.secrets_manager.conditions import Conditions
from local.fake_zego import Trouble
from tests.rotation.wire import Fault, Killed
from tests.rotation.world import COOLDOWN_SECONDS, World, network
from tests.support.tiers import IS_REPEATABLE, tier
from zego.rotation import STEPS, STUCK_SECONDS
from zego.secret_store import CURRENT, PREVIOUS
from zego.secret_store.versions import (
    AlreadyCurrentError,
    RotationInFlightError,
    SecretStoreError,
)

pytestmark = pytest.mark.exhaustive

WRONG: Final = "0123456789abcdef" * 2
#: Without false rejections, which rules below add: at most one is among the checks that count.
FAULTS: Final = st.dictionaries(
    st.integers(0, 30),
    st.sampled_from([fault for fault in Fault if fault is not Fault.FALSE]),
    max_size=3,
)
TROUBLES: Final = st.sampled_from(
    [
        Trouble("hang-up"),
        Trouble("rate-limit"),
        Trouble("bad-gateway"),
        Trouble("garbage"),
        Trouble(clock_skew_seconds=3600.0),
    ]
)


class Rotations(RuleBasedStateMachine):
    """One world, and everything that can happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()
        self.network.__enter__()

    def teardown(self) -> None:
        self.network.__exit__(None, None, None)

    @initialize()
    def begin(self) -> None:
        self.world = World(conditions=Conditions(delete_unlabelled=True))
        self.token: str | None = None
        self.seen: dict[str, float] = {}
        self.late_looks: Counter[str] = Counter()
        self.world.stage(self.world.reset(keep_old=True))
        assert self.world.rotate()

    # Ops.

    @rule(which=st.integers(0, 5))
    def ops_stages_a_value_of_the_consoles(self, which: int) -> None:
        made = self.world.zego.project.made
        self._stage(made[which % len(made)].value)

    @rule()
    def ops_stages_a_wrong_value(self) -> None:
        self._stage(WRONG)

    def _stage(self, value: str) -> None:
        try:
            self.world.stage(value)
        except RotationInFlightError:
            assert self._pending() is not None
        except AlreadyCurrentError:
            assert self.world.value(CURRENT) == value

    @rule(faults=FAULTS)
    def ops_rotates(self, faults: dict[int, Fault]) -> None:
        self._rotate(faults)

    @rule()
    def ops_asks_for_a_rotation_that_does_not_begin_yet(self) -> None:
        with contextlib.suppress(RotationInFlightError):
            self.token = self.world.begin()

    @rule(which=st.integers(0, 5))
    def somebody_stages_past_every_check(self, which: int) -> None:
        made = self.world.zego.project.made
        value = {"app_id": APP_ID, "server_secret": made[which % len(made)].value}
        self.world.store(json.dumps(value))

    @rule()
    def ops_restores_the_one_before(self) -> None:
        with contextlib.suppress(RotationInFlightError):
            self.token = self.world.begin_restore()
            assert self.token is not None
            self._run(self.token, {})

    @rule()
    def ops_finds_that_the_present_value_has_leaked(self) -> None:
        self.world.mark_compromised()
        self.ops_rotates_to_the_newest()

    @rule()
    def ops_gives_up_a_rotation(self) -> None:
        self.world.unstick()
        assert self._pending() is None

    def _rotate(self, faults: dict[int, Fault]) -> None:
        waiting = self._pending()
        try:
            self.token = self.world.begin()
        except RotationInFlightError:
            assert waiting is not None, "AWSPENDING was not off AWSCURRENT"
            return
        assert waiting is None
        self._run(self.token, faults)

    def _run(self, token: str, faults: dict[int, Fault]) -> None:
        self._with(faults)
        self.world.driver.run(token)
        self._with({})

    # Secrets Manager, which tries again, or calls twice.

    @precondition(lambda self: self.token is not None)
    @rule(faults=FAULTS)
    def secrets_manager_tries_again(self, faults: dict[int, Fault]) -> None:
        assert self.token is not None
        self._run(self.token, faults)

    @precondition(lambda self: self.token is not None)
    @rule(step=st.sampled_from(STEPS))
    def somebody_runs_one_step(self, step: str) -> None:
        assert self.token is not None
        self.world.step(step, self.token)

    # ZEGO.

    @rule(keep_old=st.booleans())
    def the_console_resets(self, keep_old: bool) -> None:
        self.world.reset(keep_old=keep_old)

    @rule(which=st.integers(0, 5))
    def zego_accepts_one_alone(self, which: int) -> None:
        project = self.world.zego.project
        project.accepted = (project.made[which % len(project.made)],)

    @rule(accepts=st.booleans())
    def zego_accepts_all_or_none(self, accepts: bool) -> None:
        project = self.world.zego.project
        project.accepted = project.made if accepts else ()

    @rule(trouble=TROUBLES)
    def zego_has_trouble(self, trouble: Trouble) -> None:
        self.world.zego.trouble = trouble

    @rule()
    def zego_recovers(self) -> None:
        self.world.zego.trouble = Trouble()

    @rule(which=st.integers(0, 5), call=st.integers(0, 6))
    def zego_answers_falsely_once_while_the_watcher_ticks(self, which: int, call: int) -> None:
        self.zego_recovers()
        self.the_watcher_ticks({call: Fault.FALSE}, 300.0)

    # The watcher.

    @rule(faults=FAULTS, seconds=st.sampled_from([1.0, 300.0, STUCK_SECONDS, COOLDOWN_SECONDS]))
    def the_watcher_ticks(self, faults: dict[int, Fault], seconds: float) -> None:
        self.world.clock.turn(seconds)
        told = len(self.world.published)
        waiting = self._pending()
        self._with(faults)
        self._tick()
        self._with({})
        news = self.world.published[told:]
        verdicts = [each for each in news if not each["stuck"]]
        assert len(verdicts) <= 1
        assert all(each["verdict"] != each["previous_verdict"] for each in verdicts)
        if waiting is not None and not faults:
            self._stuck_is_reported(waiting)

    def _stuck_is_reported(self, waiting: str) -> None:
        """By the second check after a rotation has been seen for 15 minutes."""
        now = self.world.clock.now
        if now - self.seen.setdefault(waiting, now) < STUCK_SECONDS:
            return
        self.late_looks[waiting] += 1
        reported = {each["in_flight"] for each in self.world.published if each["stuck"]}
        assert waiting in reported or self.late_looks[waiting] < 2

    @rule(call=st.integers(0, 9), who=st.sampled_from(["another tick", "ops"]))
    def the_watcher_ticks_and_meanwhile_somebody_acts(self, call: int, who: str) -> None:
        act = self._tick if who == "another tick" else self.ops_rotates_to_the_newest
        self.world.wire.meanwhile = {len(self.world.wire.calls) + call: act}
        self._tick()
        self.world.wire.meanwhile = {}

    def ops_rotates_to_the_newest(self) -> None:
        self._stage(self.world.zego.project.made[-1].value)
        self._rotate({})

    def _tick(self) -> None:
        """Check, heal, publish; Secrets Manager runs the rotation if the check started one."""
        heals = len(self.world.heals)
        with contextlib.suppress(Killed, SecretStoreError):
            self.world.tick()
        pending = self._pending()
        if len(self.world.heals) > heals and pending is not None:
            self.token = pending
            self._run(pending, {})

    @rule(which=st.integers(0, 5))
    def zego_flaps_and_the_watcher_ticks(self, which: int) -> None:
        self.zego_recovers()
        self.zego_accepts_one_alone(which)
        self.the_watcher_ticks({}, 300.0)

    # The rules that hold after every step.

    @invariant()
    def nothing_of_what_was_promised_is_broken(self) -> None:
        self.world.look()
        assert self.world.problems == []

    @invariant()
    def no_value_is_healed_with_twice_in_a_cool_down(self) -> None:
        last: dict[str, float] = {}
        for value, when in self.world.heals:
            assert when - last.get(value, -1e9) >= COOLDOWN_SECONDS
            last[value] = when

    @invariant()
    def the_labels_are_sound(self) -> None:
        with self.world.calm():
            labels = self.world.versions.describe().labels
        assert {CURRENT, PREVIOUS} <= set(labels)
        assert self.world.value(CURRENT) != self.world.value(PREVIOUS), "the last good one is lost"

    def _pending(self) -> str | None:
        with self.world.calm():
            return self.world.versions.describe().in_flight

    def _with(self, faults: dict[int, Fault]) -> None:
        begun = len(self.world.wire.calls)
        self.world.wire.schedule = {begun + number: fault for number, fault in faults.items()}


TestRotations = Rotations.TestCase
TestRotations.settings = settings(
    max_examples=tier(test=30, prove=500),
    stateful_step_count=30,
    derandomize=IS_REPEATABLE,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
