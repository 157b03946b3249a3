"""Which rotations are refused for good, which are retried, and what remains of each."""

from __future__ import annotations

import pytest

from tests.rotation.looks import HEX, pair
from tests.rotation.wire import Fault
from tests.rotation.world import World
from zego.rotation import STEPS, CopyToken, Purpose
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.notes import FAILURE_TAG, RotationNote


class TestARotationThatCopiesAStoredVersion:
    """Its token names the version to copy and the one to replace (a heal, a restore)."""

    def rotated(self) -> World:
        world = World()
        world.stage(world.reset(keep_old=True))
        assert world.rotate()
        return world

    def begin(self, world: World, purpose: Purpose, label: str = PREVIOUS) -> str:
        labels = world.versions.describe().labels
        token = CopyToken.make(purpose, copy=labels[label], replace=labels[CURRENT])
        return world.versions.start_rotation(token)

    def test_the_previous_value_is_current_again_and_what_is_staged_stays(self) -> None:
        world = self.rotated()
        staged = world.reset(keep_old=True)
        world.stage(staged)
        assert world.driver.run(self.begin(world, "restore"))
        assert world.value(CURRENT) == world.first
        assert world.value(CANDIDATE) == staged

    def test_what_zego_rejects_is_refused(self) -> None:
        world = self.rotated()
        world.zego.project.switch_off(world.zego.project.made[0].fingerprint)
        current = world.value(CURRENT)
        assert not world.driver.run(self.begin(world, "restore"))
        assert (world.outcome, world.value(CURRENT)) == ("rejected", current)

    def test_it_is_outdated_if_awscurrent_has_moved_since(self) -> None:
        world = self.rotated()
        labels = world.versions.describe().labels
        token = CopyToken.make("restore", copy=labels[PREVIOUS], replace=labels[CURRENT])
        newest = world.reset(keep_old=True)
        world.stage(newest)
        assert world.rotate()
        assert not world.driver.run(world.versions.start_rotation(token))
        assert (world.outcome, world.value(CURRENT)) == ("outdated", newest)
        assert world.versions.describe().in_flight is None

    def test_it_is_outdated_if_what_it_copies_has_lost_its_label(self) -> None:
        world = self.rotated()
        world.stage(world.reset(keep_old=True))
        token = self.begin(world, "heal", CANDIDATE)
        world.store(pair(world.reset(keep_old=True)))
        assert not world.driver.run(token)
        assert world.outcome == "outdated"

    @pytest.mark.parametrize(("purpose", "is_promoted"), [("heal", False), ("restore", True)])
    def test_a_heal_needs_an_app_id_to_compare_with(
        self, purpose: Purpose, is_promoted: bool
    ) -> None:
        """Without one only a person chooses the AppID, at the first set-up."""
        world = World()
        world.store("garbage", CURRENT)
        world.store("garbage", PREVIOUS)
        world.stage(world.first)
        assert world.driver.run(self.begin(world, purpose, CANDIDATE)) is is_promoted
        assert world.outcome == ("promoted" if is_promoted else "other-app-id")


def test_if_awscurrent_is_invalid_the_app_id_of_awsprevious_counts() -> None:
    world = World()
    world.store("garbage", CURRENT)
    assert world.value(PREVIOUS) == world.first
    world.store(pair(HEX, 42))
    assert not world.rotate()
    assert world.outcome == "other-app-id"


def test_a_compromised_value_is_refused_whoever_stages_it() -> None:
    world = World()
    world.mark_compromised()
    world.stage(world.reset(keep_old=True))
    assert world.rotate()
    world.store(pair(world.first))
    assert not world.rotate()
    assert world.outcome == "compromised"


class TestALaggingRead:
    """AWS says that DescribeSecret can lag; one read is never final."""

    def begun(self) -> tuple[World, str]:
        world = World()
        world.stage(world.reset(keep_old=True))
        return world, world.begin()

    @pytest.mark.parametrize("step", STEPS)
    def test_a_rotation_that_one_read_does_not_show_is_retried_and_promoted(
        self, step: str
    ) -> None:
        world, token = self.begun()
        for earlier in STEPS[: STEPS.index(step)]:
            assert world.step(earlier, token).function_error is None
        behind = {"createSecret": 1, "setSecret": 3, "testSecret": 4, "finishSecret": 6}[step]
        world.lag(behind)
        assert world.step(step, token).function_error == "Unhandled"
        assert world.outcome == "not-pending"
        assert world.versions.describe().in_flight == token, "the label stays"
        assert world.driver.run(token)

    def test_it_is_noted_and_counted(self, capsys: pytest.CaptureFixture[str]) -> None:
        world, token = self.begun()
        world.lag(1)
        capsys.readouterr()
        world.step("createSecret", token)
        assert '"outcome":"failed","RotationOutcome":[1.0]' in capsys.readouterr().out
        failure = RotationNote.from_tag(world.versions.describe().tags[FAILURE_TAG])
        assert failure is not None
        assert (failure.token, failure.outcome) == (token, "not-pending")


class TestARefusalThatTheLabelsContradict:
    """AWSPENDING could not be removed, so Secrets Manager retries: this is not a refusal yet."""

    @pytest.mark.parametrize("fault", [Fault.THROTTLED, Fault.LOST_REQUEST])
    def test_one_whose_label_stays_has_failed(self, fault: Fault) -> None:
        world = World()
        world.stage(HEX)
        token = world.begin()
        for step in STEPS[:2]:
            world.step(step, token)
        calls = ["DescribeSecret", "GetSecretValue", "ZEGO", "DescribeSecret"]
        calls += ["GetSecretValue", "GetSecretValue"]
        dropping = len(world.wire.calls) + len(calls)
        world.wire.schedule = dict.fromkeys(range(dropping, dropping + 3), fault)
        assert world.step("testSecret", token).function_error == "Unhandled"
        assert world.wire.met[0] == ("UpdateSecretVersionStage", fault)
        assert world.outcome == "store-failed"
        world.wire.schedule = {}
        assert not world.driver.run(token)
        assert world.outcome == "rejected"
        assert world.versions.describe().in_flight is None

    def test_awspending_is_removed_even_if_a_stale_read_does_not_show_it(self) -> None:
        world = World()
        world.stage(HEX)
        token = world.begin()
        for step in STEPS[:2]:
            world.step(step, token)
        world.wire.behind[len(world.wire.calls) + 3] = 6
        world.step("testSecret", token)
        assert world.outcome == "rejected"
        assert world.versions.describe().in_flight is None


class TestAHealThatIsNotNeededAnyMore:
    def test_it_is_refused_if_zego_accepts_the_current_value_again(self) -> None:
        world = World()
        world.stage(world.reset(keep_old=True))
        assert world.rotate()
        labels = world.versions.describe().labels
        current = world.value(CURRENT)
        token = CopyToken.make("heal", copy=labels[PREVIOUS], replace=labels[CURRENT])
        assert not world.driver.run(world.versions.start_rotation(token))
        assert (world.outcome, world.value(CURRENT)) == ("recovered", current)
        assert world.versions.describe().in_flight is None


class TestARotationThatWasGivenUp:
    def given_up(self, world: World) -> str:
        world.stage(world.reset(keep_old=True))
        token = world.begin()
        world.unstick()
        return token

    def test_a_late_step_is_refused_quietly(
        self, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        world = World()
        token = self.given_up(world)
        tags = world.versions.describe().tags
        capsys.readouterr()
        for step in STEPS:
            assert world.step(step, token).function_error == "Unhandled"
        assert [record.levelname for record in caplog.records[-4:]] == ["INFO"] * 4
        assert "was already refused or given up" in caplog.text
        assert "RotationOutcome" not in capsys.readouterr().out, "not counted"
        assert world.versions.describe().tags == tags, "not noted"

    def test_a_late_step_after_a_refusal_is_refused_quietly_too(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world = World()
        world.stage(HEX)
        token = world.begin()
        assert not world.driver.run(token)
        assert world.outcome == "rejected"
        capsys.readouterr()
        assert world.step("createSecret", token).function_error == "Unhandled"
        assert "RotationOutcome" not in capsys.readouterr().out

    @pytest.mark.parametrize("call", range(4))
    def test_filling_its_version_does_not_affect_the_next_rotation(self, call: int) -> None:
        """R1: given up between two calls of createSecret, and another rotation begun."""
        world = World()
        first = world.reset(keep_old=True)
        world.stage(first)
        token = world.begin()
        begun: list[str] = []

        def give_up_and_rotate_to_another() -> None:
            world.unstick()
            world.stage(world.reset(keep_old=True))
            begun.append(world.begin())

        world.wire.meanwhile = {len(world.wire.calls) + call: give_up_and_rotate_to_another}
        world.step("createSecret", token)
        assert world.versions.describe().in_flight == begun[0]
        assert world.driver.run(begun[0])
        assert world.value(CURRENT) not in {first, world.first}
        assert not world.driver.run(token)

    def test_one_that_is_given_up_during_the_call_to_zego_is_not_promoted(self) -> None:
        """R2: the labels are read for the last time right before the promotion."""
        world = World()
        world.stage(world.reset(keep_old=True))
        token = world.begin()
        for step in STEPS[:3]:
            world.step(step, token)
        calls = ["DescribeSecret", "GetSecretValue", "GetSecretValue", "ZEGO"]
        world.wire.meanwhile = {len(world.wire.calls) + len(calls) - 1: world.unstick}
        assert world.step("finishSecret", token).function_error == "Unhandled"
        assert world.value(CURRENT) == world.first


def test_a_label_on_a_deleted_version_fails_and_loses_nothing() -> None:
    world = World()
    world.stage(world.reset(keep_old=True))
    token = world.begin()
    secret = world.aws.storage.secret(world.aws.secret_id, world.aws.region)
    candidate = world.versions.describe().labels[CANDIDATE]
    del secret.versions[candidate]["secret_string"]
    world.staged = None  # the test took it
    assert world.step("createSecret", token).function_error == "Unhandled"
    assert world.outcome == "store-failed"
    assert world.versions.describe().labels[CANDIDATE] == candidate
