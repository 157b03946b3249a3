"""What the watcher does if ZEGO rejects the current secret, and what it leaves alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from urllib.parse import parse_qs

import pytest

import watcher.app
from local.aws.secrets_manager import APP_ID
from local.fake_zego import Trouble
from local.fake_zego.server_api import signature
from local.loopback import HttpRequest, HttpResponse
from tests.rotation.looks import HEX, SCHEDULE, TICK_SECONDS, heal, healthy
from tests.rotation.wire import Fault, Killed
from tests.rotation.world import COOLDOWN_SECONDS, World
from watcher.healing import PATIENCE_SECONDS
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.versions import (
    VersionNotFoundError,
)
from zego.secrets_manager import SecretValue
from zego.server_secret import ServerSecret


class TestHealing:
    def test_a_staged_candidate_is_promoted(self) -> None:
        world = healthy()
        new = world.reset()
        world.stage(new)
        tick = heal(world)
        assert tick.verdict.rejected
        assert tick.healed_with is not None
        assert tick.action == f"Started a rotation to {tick.healed_with} (CANDIDATE)."
        assert world.value(CURRENT) == new
        assert heal(world).verdict.accepted

    def test_awsprevious_is_promoted_if_two_checks_find_a_rejection(self) -> None:
        world = healthy()
        newest = world.value(CURRENT)
        (first, _second) = world.zego.project.made
        world.zego.project.accepted = (first,)
        waiting = heal(world)
        assert waiting.healed_with is None
        assert "promoted if the next check finds AWSCURRENT rejected too" in waiting.action
        tick = heal(world)
        assert tick.action == f"Started a rotation to {first.fingerprint} (AWSPREVIOUS)."
        assert (world.value(CURRENT), world.value(PREVIOUS)) == (world.first, newest)

    def test_a_check_after_a_rotation_does_not_count_as_one_of_the_two(self) -> None:
        """It may come seconds before or after one of the schedule, and meet the same fault."""
        world = healthy()
        after_a_rotation = {
            "source": "aws.secretsmanager",
            "detail": {"eventName": "RotationSucceeded"},
        }
        world.zego.project.accepted = world.zego.project.made[:1]
        for event in (after_a_rotation, SCHEDULE, after_a_rotation):
            watcher.app.handler(event, None)
            assert world.versions.describe().in_flight is None
        assert [each["verdict"] for each in world.published] == ["rejected"]
        watcher.app.handler(SCHEDULE, None)
        assert world.versions.describe().in_flight is not None

    def test_a_candidate_that_a_read_does_not_show_yet_is_waited_for(self) -> None:
        world = healthy()
        staged = world.reset(keep_old=True)
        world.stage(staged)
        world.zego.project.accepted = tuple(
            secret for secret in world.zego.project.made if secret.value != world.value(CURRENT)
        )
        world.tick()  # so that AWSPREVIOUS could be promoted
        world.unstick()
        world.wire.behind[len(world.wire.calls) + 3] = 20
        tick = heal(world)
        assert f"The next check tries {CANDIDATE}" in tick.action

    def test_a_candidate_with_the_value_of_awsprevious_needs_two_checks_too(self) -> None:
        """One that was promoted and rejected right after keeps its label."""
        world = healthy()
        first, current = world.zego.project.made
        world.store(json.dumps({"app_id": APP_ID, "server_secret": first.value}))
        world.zego.project.accepted = (first,)
        assert heal(world).healed_with is None
        assert heal(world).healed_with == first.fingerprint
        assert world.value(PREVIOUS) == current.value

    def test_one_false_rejection_moves_nothing(self) -> None:
        """H4: both secrets are accepted, as after a rotation that ZEGO's support arranged."""
        world = healthy()
        current = world.value(CURRENT)
        for _ in range(3):
            world.wire.schedule = {len(world.wire.calls) + 2: Fault.FALSE}
            assert heal(world).verdict.rejected
            assert heal(world).verdict.accepted
        assert world.value(CURRENT) == current

    @pytest.mark.parametrize("code", [100000010, 100000011])
    def test_a_code_that_may_be_a_gateways_fault_counts_once_it_is_repeated(
        self, code: int
    ) -> None:
        world = healthy()
        new = world.reset()
        world.stage(new)
        world.zego.intercept = _answering(code, times=1)
        first = heal(world)
        assert (first.verdict.rejected, first.healed_with) == (True, None)
        assert first.action == f"ZEGO's code {code} counts only if the next check gets it again."
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == new

    def test_if_zego_rejects_the_candidate_awsprevious_is_tried(self) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.stage(HEX)
        assert heal(world).healed_with is None
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == world.first

    @pytest.mark.parametrize("text", ["garbage", json.dumps({"app_id": 42, "server_secret": HEX})])
    def test_if_the_candidate_is_unusable_awsprevious_is_tried(self, text: str) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.store(text)
        heal(world)
        assert heal(world).healed_with is not None
        assert world.text(CANDIDATE) == text

    def test_what_is_staged_keeps_its_label_and_is_promoted_once_zego_has_switched(self) -> None:
        """H5: staged before the reset, and the one before heals in between."""
        world = healthy()
        first, _current = world.zego.project.made
        staged = world.zego.project.reset(keep_old=True)
        world.stage(staged.value)
        world.zego.project.accepted = (first,)
        heal(world)
        heal(world)
        assert (world.value(CURRENT), world.value(CANDIDATE)) == (first.value, staged.value)
        world.zego.project.accepted = (staged,)
        assert heal(world).healed_with == staged.fingerprint
        assert world.value(CURRENT) == staged.value
        assert world.text(CANDIDATE) is None

    def test_an_invalid_current_value_is_healed_with_awsprevious(self) -> None:
        """A1: only AWSPREVIOUS shows the AppID, so it is tried first."""
        world = healthy()
        good = world.value(CURRENT)
        world.stage(world.reset(keep_old=True))
        world.store("garbage", CURRENT)
        tick = heal(world)
        assert tick.verdict.rejected
        assert (tick.fingerprint, tick.healed_with) == (None, None)
        assert "ZEGO accepts AWSPREVIOUS" in tick.action
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == good

    def test_a_heal_never_changes_the_app_id(self) -> None:
        """A1: ZEGO accepts the candidate for another project."""
        world = healthy()
        world.store("garbage", CURRENT)
        world.zego.project.accepted = ()
        world.store(json.dumps({"app_id": 42, "server_secret": HEX}))
        looks = [heal(world) for _ in range(6)]
        assert [look.healed_with for look in looks] == [None] * 6
        staged = ServerSecret(42, HEX).fingerprint
        assert f"{CANDIDATE} {staged}: it is for another AppID" in looks[-1].action

    def test_nothing_is_healed_while_the_app_id_is_unknown(self) -> None:
        world = healthy()
        good = world.text(CURRENT) or ""
        world.store("garbage", PREVIOUS)
        world.look = lambda: None  # type: ignore[method-assign]  # AWSPREVIOUS was overwritten
        world.wire.look = world.look
        world.store("garbage", CURRENT)
        world.store("garbage", PREVIOUS)
        world.store(good)
        for _ in range(3):
            tick = heal(world)
            assert tick.healed_with is None
            assert tick.action.startswith("A heal never changes the AppID, and AWSCURRENT and")

    def test_a_candidate_without_a_verdict_is_waited_for_only_for_a_while(self) -> None:
        """H6: ZEGO's code 3 for the candidate, for good."""
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.stage(HEX)
        world.zego.intercept = _answering(3, signed_by=ServerSecret(APP_ID, HEX))
        looks = [heal(world) for _ in range(4)]
        assert all(f"The next check tries {CANDIDATE}" in look.action for look in looks[:3])
        assert looks[3].healed_with == world.zego.project.made[0].fingerprint
        assert 2 * TICK_SECONDS < PATIENCE_SECONDS < 3 * TICK_SECONDS
        assert world.value(CANDIDATE) == HEX

    def test_a_compromised_value_is_never_healed_with(self) -> None:
        world = World()
        world.tick()
        world.mark_compromised()
        world.stage(world.reset(keep_old=True))
        assert world.rotate()
        world.zego.project.accepted = world.zego.project.made[:1]
        for _ in range(5):
            tick = heal(world)
            assert tick.healed_with is None
            assert "it is marked as compromised" in tick.action

    def test_nothing_is_healed_while_rotation_is_turned_off(self) -> None:
        world = healthy()
        world.stage(world.reset())
        world.aws.call("CancelRotateSecret", SecretId=world.aws.secret_id)
        assert heal(world).action.startswith("Rotation was turned off (CancelRotateSecret)")
        world.aws.call("RotateSecret", SecretId=world.aws.secret_id, RotateImmediately=False)
        world.driver.run(world.versions.describe().in_flight or "")
        assert heal(world).healed_with is not None

    def test_it_reports_if_no_version_is_accepted(self) -> None:
        world = healthy()
        world.reset()
        world.stage(HEX)
        tick = heal(world)
        assert tick.healed_with is None
        assert tick.action.startswith("No version can replace AWSCURRENT (CANDIDATE ")
        assert tick.action.endswith(
            "Rotate with the value from ZEGO's console: zego-token secret rotate."
        )

    def test_it_says_what_is_wrong_with_each(self) -> None:
        world = healthy()
        current = world.text(CURRENT)
        world.store(json.dumps({"app_id": 42, "server_secret": HEX}), PREVIOUS)
        world.store(current or "")
        world.reset()
        action = heal(world).action
        fingerprint = world.zego.project.made[1].fingerprint
        assert f"CANDIDATE {fingerprint}: it is the same value as AWSCURRENT" in action
        assert ": it is for another AppID" in action

    def test_a_verdict_that_is_unknown_heals_nothing(self) -> None:
        world = healthy()
        world.stage(world.reset())
        world.zego.trouble = Trouble("bad-gateway")
        tick = heal(world)
        assert tick.verdict.outcome == "unknown"
        assert tick.action == ""


class TestCoolDown:
    def broken_again(self) -> World:
        """The value that a heal has just promoted is rejected, and then accepted again."""
        world = healthy()
        older, newer = world.zego.project.made
        for accepted in (older, newer):
            world.zego.project.accepted = (accepted,)
            assert heal(world).healed_with is None
            assert heal(world).healed_with == accepted.fingerprint
        world.zego.project.accepted = (older,)
        return world

    def test_the_same_value_is_not_promoted_again_before_the_cool_down_ends(self) -> None:
        world = self.broken_again()
        heals = len(world.heals)
        (since,) = {when for value, when in world.heals if value == world.first}
        heal(world)
        tick = heal(world)
        assert f"a heal promoted it recently; it may do so again in {_left(world, since)} s" in (
            tick.action
        )
        while world.clock.now - since < COOLDOWN_SECONDS:
            assert heal(world).healed_with is None
        assert len(world.heals) == heals
        assert heal(world).healed_with is not None

    def test_a_value_that_is_staged_again_does_not_wait_for_it(self) -> None:
        world = self.broken_again()
        older, _newer = world.zego.project.made
        world.stage(older.value)
        heal(world)
        assert heal(world).healed_with == older.fingerprint

    def test_it_counts_from_a_promotion_and_not_from_an_attempt(self) -> None:
        """H3: a reset that has not reached all of ZEGO accepts it for the watcher alone."""
        world = healthy()
        new = world.reset()
        world.stage(new)
        tick = world.tick()
        assert tick.healed_with is not None
        world.zego.intercept = _answering(100000005)
        assert not world.driver.run(world.versions.describe().in_flight or "")
        assert world.outcome == "rejected"
        world.zego.intercept = None
        world.clock.turn(TICK_SECONDS)
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == new

    def test_a_heals_note_of_an_earlier_release_means_nothing(self) -> None:
        """Not even one with a time in the future."""
        world = healthy()
        new = world.zego.project.reset()
        world.stage(new.value)
        world.versions.note("zego-token-service:heals", f"{new.fingerprint}@999999999999")
        assert heal(world).healed_with == new.fingerprint

    @pytest.mark.parametrize("fault", [Fault.DENIED, Fault.LOST_ANSWER, Fault.KILLED_AFTER])
    def test_a_heal_that_could_not_be_started_is_started_by_the_next_check(
        self, fault: Fault
    ) -> None:
        world = healthy()
        new = world.reset()
        world.stage(new)
        calls = ["DescribeSecret", "GetSecretValue", "ZEGO", "GetSecretValue", "GetSecretValue"]
        calls += ["ZEGO", "DescribeSecret", "RotateSecret"]
        world.wire.schedule = {len(world.wire.calls) + calls.index("RotateSecret"): fault}
        with contextlib.suppress(Killed):
            world.tick()
        assert world.wire.met == [("RotateSecret", fault)]
        pending = world.versions.describe().in_flight
        assert (pending is None) is (fault is Fault.DENIED)
        if pending is not None:
            assert world.driver.run(pending)
        world.clock.turn(TICK_SECONDS)
        heal(world)
        assert world.value(CURRENT) == new


def _left(world: World, since: float) -> str:
    """The rest of the cool-down at the last check."""
    return f"{since + COOLDOWN_SECONDS - (world.clock.now - TICK_SECONDS):.0f}"


def _answering(
    code: int, *, times: int | None = None, signed_by: ServerSecret | None = None
) -> Callable[[HttpRequest], HttpResponse | None]:
    """ZEGO responds with a code: this many times, or to calls signed with one secret."""
    left = [times]

    def answer(request: HttpRequest) -> HttpResponse | None:
        named = {name: each[0] for name, each in parse_qs(request.query).items()}
        signed = (named["AppId"], named["SignatureNonce"], named["Timestamp"])
        if signed_by is not None and named["Signature"] != signature(
            signed[0], signed[1], signed_by.value, signed[2]
        ):
            return None
        if left[0] is not None:
            if left[0] == 0:
                return None
            left[0] -= 1
        return HttpResponse(200, body=json.dumps({"Code": code}).encode())

    return answer


class TestWhatHappensMeanwhile:
    """A tick takes seconds; other actors act meanwhile."""

    def test_a_value_that_lags_behind_its_label_is_unknown(self) -> None:
        """Else a healthy promotion would be rolled back."""
        world = healthy()
        current = world.value(CURRENT)
        read = world.versions.read

        def lagging(*, version_id: str | None = None, label: str | None = None) -> SecretValue:
            world.versions.read = read  # type: ignore[method-assign]
            raise VersionNotFoundError("no such version")

        world.versions.read = lagging  # type: ignore[method-assign]
        tick = heal(world)
        assert (tick.verdict.outcome, tick.healed_with) == ("unknown", None)
        assert world.value(CURRENT) == current

    def test_what_ops_has_rotated_to_meanwhile_stays(self) -> None:
        world = healthy()
        old, _current = world.zego.project.made
        newest = world.zego.project.reset()
        world.zego.project.accepted = (old, newest)

        def ops_rotates() -> None:
            world.stage(newest.value)
            assert world.rotate()

        asking_zego = len(world.wire.calls) + 2
        world.wire.meanwhile = {asking_zego: ops_rotates}
        tick = heal(world)
        assert tick.healed_with is None
        assert world.value(CURRENT) == newest.value

    def test_if_another_check_is_quicker_only_its_rotation_starts(self) -> None:
        world = healthy()
        new = world.zego.project.reset()
        world.stage(new.value)
        calls = ["DescribeSecret", "GetSecretValue", "ZEGO", "GetSecretValue", "GetSecretValue"]
        calls += ["ZEGO", "DescribeSecret", "RotateSecret"]
        world.wire.meanwhile = {len(world.wire.calls) + len(calls) - 1: world.tick}
        tick = world.tick()
        assert "The heal failed: rotate_secret: not now" in tick.action
        assert world.driver.run(world.versions.describe().in_flight or "")
        assert world.value(CURRENT) == new.value

    @pytest.mark.parametrize("call", range(3, 7))
    def test_a_value_that_ops_rotates_to_during_a_check_is_not_replaced(self, call: int) -> None:
        """The heal's token names what it replaces, so a rotation is safe up to the last moment."""
        world = healthy()
        old, _current = world.zego.project.made
        world.zego.project.accepted = (old,)
        assert world.tick().healed_with is None
        newest = world.zego.project.reset()
        world.zego.project.accepted = (old, newest)

        def ops_rotates() -> None:
            world.stage(newest.value)
            assert world.rotate()

        world.wire.meanwhile = {len(world.wire.calls) + call: ops_rotates}
        heal(world)
        assert world.wire.meanwhile == {}
        assert world.value(CURRENT) == newest.value

    def test_a_binary_value_is_rejected_and_healed(self) -> None:
        world = healthy()
        good = world.value(CURRENT)
        world.look = lambda: None  # type: ignore[method-assign]  # stored by hand
        world.wire.look = world.look
        world.aws.call(
            "PutSecretValue",
            SecretId=world.aws.secret_id,
            SecretBinary="AAEC",
            VersionStages=[CURRENT],
        )
        tick = heal(world)
        assert tick.verdict.rejected
        assert "binary" in tick.verdict.reason
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == good

    def test_a_candidate_without_a_verdict_is_still_tried_first(self) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.stage(HEX)
        asking_about_it = len(world.wire.calls) + 5
        world.wire.schedule = {asking_about_it: Fault.LOST_REQUEST}
        tick = world.tick()
        assert world.wire.met == [("ZEGO", Fault.LOST_REQUEST)]
        assert tick.healed_with is None
        assert tick.action.startswith("The next check tries CANDIDATE ")
        assert "again: ZEGO gave no usable response" in tick.action
        assert world.value(CANDIDATE) == HEX

    def test_a_skipped_candidate_is_named(self) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.stage(HEX)
        fingerprint = ServerSecret(APP_ID, HEX).fingerprint
        heal(world)
        assert f"CANDIDATE {fingerprint}: it is not the ServerSecret" in heal(world).action
