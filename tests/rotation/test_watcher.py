"""The watcher: what it checks, reports and notes, stuck rotations, and how long it takes."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

import watcher.app
from local.aws.secrets_manager import APP_ID
from local.fake_zego import Trouble
from tests.infrastructure.stacks import stack
from tests.rotation.looks import HEX, SCHEDULE, TICK_SECONDS, heal, healthy
from tests.rotation.wire import Fault, Killed
from tests.rotation.world import World
from watcher.watch import UNKNOWN_LOOKS, Tick
from zego.rotation import STEPS, STUCK_SECONDS
from zego.secret_store import CANDIDATE, CURRENT, PENDING
from zego.secret_store.notes import (
    GIVEN_UP_TAG,
    IN_FLIGHT_TAG,
    VERDICT_TAG,
    InFlightNote,
    VerdictNote,
    given_up,
)
from zego.secret_store.versions import (
    CLIENT_CONFIG,
    SLOWEST_CALL_SECONDS,
    NoResponseError,
    SecretStoreError,
)


def test_an_accepted_secret_is_left_alone() -> None:
    world = healthy()
    calls = len(world.wire.calls)
    tick = world.tick()
    assert tick.verdict.accepted
    assert (tick.action, tick.healed_with, world.published) == ("", None, [])
    assert world.wire.calls[calls:] == ["DescribeSecret", "GetSecretValue", "ZEGO"]


class TestARotationInFlight:
    def stuck(self) -> World:
        world = healthy()
        new = world.reset(keep_old=True)
        world.stage(new)
        world.zego.trouble = Trouble("hang-up")
        assert not world.rotate()
        world.zego.trouble = Trouble()
        world.zego.project.switch_off(world.zego.project.accepted[0].fingerprint)
        world.zego.project.switch_off(world.zego.project.accepted[0].fingerprint)
        return world

    def test_the_watcher_waits_for_its_end(self) -> None:
        world = self.stuck()
        tick = world.tick()
        assert tick.verdict.rejected
        assert tick.action == "A rotation is in flight; the watcher waits for its end."
        assert world.versions.describe().in_flight is not None

    def test_one_that_will_not_end_is_given_up(self) -> None:
        world = self.stuck()
        waiting = world.value(PENDING)
        looks = [heal(world) for _ in range(4)]
        assert [look.is_stuck for look in looks] == [False, False, False, True]
        assert "was stuck and was given up. Started a rotation" in looks[-1].action
        assert world.value(CURRENT) == waiting

    def begun(self) -> tuple[World, str]:
        """A rotation whose first step never runs: its version has no value (H1)."""
        world = healthy()
        world.stage(world.reset(keep_old=True))
        return world, world.begin()

    def test_one_whose_version_has_no_value_is_given_up_whatever_the_verdict(self) -> None:
        world, token = self.begun()
        began = world.clock.now
        looks = [heal(world) for _ in range(3)]
        assert [look.verdict.outcome for look in looks] == ["accepted"] * 3
        noted = InFlightNote.from_tag(world.versions.describe().tags[IN_FLIGHT_TAG])
        assert noted == InFlightNote(token, int(began))
        last = heal(world)
        assert world.clock.now - began == STUCK_SECONDS + TICK_SECONDS
        assert last.verdict.accepted
        assert last.action == f"The rotation to version {token} was stuck and was given up."
        state = world.versions.describe()
        assert state.in_flight is None
        assert given_up(state.tags) == (token,)
        assert world.rotate(), "the way is free"

    def test_then_what_is_staged_is_healed_with(self) -> None:
        world, _token = self.begun()
        new = world.value(CANDIDATE)
        for _ in range(3):
            heal(world)
        world.zego.project.accepted = world.zego.project.made[-1:]
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == new

    def test_it_is_published_and_measured_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        world, token = self.begun()
        capsys.readouterr()
        world.aws.intercept = None
        types: list[str] = []
        world.watch._publish = lambda tick: types.append(tick.event_type)
        stuck = []
        for _ in range(6):
            watcher.app.handler(SCHEDULE, None)
            stuck.append(metrics(capsys.readouterr().out)[-1]["RotationStuck"])
            world.clock.turn(TICK_SECONDS)
        assert types == ["ServerSecret Rotation Stuck"]
        assert stuck == [0, 0, 0, 1, 0, 0]
        assert token not in world.versions.describe().labels.values()

    def test_one_that_cannot_be_given_up_is_published_once_and_measured_at_every_check(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world, token = self.begun()
        types: list[str] = []
        world.watch._publish = lambda tick: types.append(tick.event_type)
        stuck: list[int] = []
        for _ in range(6):
            world.deny = ("UpdateSecretVersionStage",)
            capsys.readouterr()
            watcher.app.handler(SCHEDULE, None)
            stuck.append(metrics(capsys.readouterr().out)[-1]["RotationStuck"])
            world.clock.turn(TICK_SECONDS)
        assert types == ["ServerSecret Rotation Stuck"]
        assert stuck == [0, 0, 0, 1, 1, 1]
        assert world.versions.describe().in_flight == token

    def test_one_whose_event_is_lost_is_published_by_the_next_check(self) -> None:
        world, token = self.begun()
        told: list[Tick] = []

        def fail_once(tick: Tick) -> None:
            told.append(tick)
            if len(told) == 1:
                raise watcher.app.WatchError("EventBridge rejected the event: Throttled")

        world.watch._publish = fail_once
        for _ in range(6):
            with contextlib.suppress(watcher.app.WatchError):
                watcher.app.handler(SCHEDULE, None)
            world.clock.turn(TICK_SECONDS)
        assert [tick.event_type for tick in told] == ["ServerSecret Rotation Stuck"] * 2
        assert {tick.in_flight.token for tick in told if tick.in_flight} == {token}

    def test_reporting_one_does_not_report_the_next(self) -> None:
        """Another check has noted the heal that this one started."""
        world, token = self.begun()
        for _ in range(3):
            heal(world)
        tick = world.watch.tick()
        assert tick.is_stuck
        other = InFlightNote("b" * 32, int(world.clock.now))
        world.versions.note(IN_FLIGHT_TAG, other.to_tag())
        world.watch.tell(tick)
        assert world.versions.describe().tags[IN_FLIGHT_TAG] == other.to_tag()
        assert [each["in_flight"] for each in world.published] == [token]

    @pytest.mark.parametrize("when", [9999999999, 999999999999])
    def test_a_time_in_the_future_counts_as_now(self, when: int) -> None:
        world, token = self.begun()
        world.versions.note(IN_FLIGHT_TAG, InFlightNote(token, when).to_tag())
        looks = [heal(world) for _ in range(4)]
        assert [look.is_stuck for look in looks] == [False, False, False, True]

    @pytest.mark.parametrize("tag", [IN_FLIGHT_TAG, GIVEN_UP_TAG, VERDICT_TAG])
    def test_an_invalid_tag_counts_as_absent(self, tag: str) -> None:
        world, _token = self.begun()
        world.versions.note(tag, "what another tool wrote @ 12:30")
        looks = [heal(world) for _ in range(4)]
        assert looks[-1].is_stuck
        assert world.versions.describe().in_flight is None


class TestNotesThatCannotBeWritten:
    """H7: TagResource is denied, or 50 other tags are there."""

    def denied(self, *, by_quota: bool) -> World:
        world = healthy()
        arn = world.aws.secret_id
        if by_quota:
            kept = world.versions.describe().tags
            world.aws.call("UntagResource", SecretId=arn, TagKeys=list(kept))
            tags = [{"Key": f"tag-{number}", "Value": "x"} for number in range(50)]
            world.aws.call("TagResource", SecretId=arn, Tags=tags)
        else:
            world.deny = ("TagResource",)
        return world

    @pytest.mark.parametrize("by_quota", [False, True])
    def test_a_candidate_is_promoted_all_the_same(self, by_quota: bool) -> None:
        world = self.denied(by_quota=by_quota)
        new = world.reset()
        world.stage(new)
        with pytest.raises(watcher.app.WatchError, match="tag_resource"):
            watcher.app.handler(SCHEDULE, None)
        assert world.driver.run(world.versions.describe().in_flight or "")
        assert world.value(CURRENT) == new

    @pytest.mark.parametrize("by_quota", [False, True])
    def test_the_environment_remembers_what_it_could_not_note(self, by_quota: bool) -> None:
        """So AWSPREVIOUS is promoted, and a change is published once."""
        world = self.denied(by_quota=by_quota)
        world.zego.project.accepted = world.zego.project.made[:1]
        for _ in range(2):
            with contextlib.suppress(SecretStoreError):
                world.tick()
            world.clock.turn(TICK_SECONDS)
        assert world.driver.run(world.versions.describe().in_flight or "")
        assert world.value(CURRENT) == world.first
        assert [each["verdict"] for each in world.published] == ["rejected"]

    def test_a_stuck_rotation_is_given_up(self) -> None:
        world = self.denied(by_quota=False)
        world.stage(world.reset(keep_old=True))
        world.begin()
        for _ in range(4):
            with contextlib.suppress(SecretStoreError):
                world.tick()
            world.clock.turn(TICK_SECONDS)
        assert world.versions.describe().in_flight is None

    def test_a_note_that_failed_once_is_written_by_the_next_check(self) -> None:
        """Otherwise another environment would count from its first check."""
        world = healthy()
        world.stage(world.reset(keep_old=True))
        token = world.begin()
        began = int(world.clock.now)
        for denied in (("TagResource",), ()):
            world.deny = denied
            with contextlib.suppress(SecretStoreError):
                world.tick()
            world.clock.turn(TICK_SECONDS)
        tags = world.versions.describe().tags
        assert tags[IN_FLIGHT_TAG] == InFlightNote(token, began).to_tag()

    def test_a_verdict_that_failed_once_is_written_by_the_next_check(self) -> None:
        world = healthy()
        world.reset()
        since = int(world.clock.now)
        for denied in (("TagResource",), ()):
            world.deny = denied
            with contextlib.suppress(SecretStoreError):
                world.tick()
            world.clock.turn(TICK_SECONDS)
        note = VerdictNote.from_tag(world.versions.describe().tags[VERDICT_TAG])
        assert note is not None
        assert (note.outcome, note.since) == ("rejected", since)
        assert len(world.published) == 1

    def test_a_note_of_another_check_counts(self) -> None:
        world = self.denied(by_quota=False)
        world.zego.project.accepted = world.zego.project.made[:1]
        with contextlib.suppress(SecretStoreError):
            world.tick()
        world.deny = ()
        world.clock.turn(TICK_SECONDS)
        current = world.zego.project.made[-1].fingerprint
        note = VerdictNote("accepted", current, int(world.clock.now), 0)
        world.versions.note(VERDICT_TAG, note.to_tag())
        assert world.tick().healed_with is None, "this rejection is the first again"


class TestNews:
    def test_a_change_is_published_once(self) -> None:
        world = World()
        verdicts = []
        for accepted in (True, True, False, False, True):
            world.zego.project.accepted = world.zego.project.made if accepted else ()
            world.tick()
            verdicts.append([each["verdict"] for each in world.published])
        assert verdicts[-1] == ["accepted", "rejected", "accepted"]
        assert [len(each) for each in verdicts] == [1, 1, 2, 2, 3]
        assert world.published[1]["previous_verdict"] == "accepted"

    def test_it_is_noted_with_its_time(self) -> None:
        world = healthy()
        fingerprint = world.zego.project.made[-1].fingerprint
        world.reset()
        began = world.clock.now
        for _ in range(3):
            world.tick()
            world.clock.turn(300)
        note = VerdictNote.from_tag(world.versions.describe().tags[VERDICT_TAG])
        assert note == VerdictNote("rejected", fingerprint, int(began), 100000005)

    def test_a_change_that_could_not_be_published_is_published_by_the_next_tick(self) -> None:
        world = healthy()
        world.reset()
        told: list[Tick] = []

        def fail_once(tick: Tick) -> None:
            told.append(tick)
            if len(told) == 1:
                raise watcher.app.WatchError("EventBridge rejected the event: Throttled")

        world.watch._publish = fail_once
        with pytest.raises(watcher.app.WatchError):
            watcher.app.handler(SCHEDULE, None)
        watcher.app.handler(SCHEDULE, None)
        watcher.app.handler(SCHEDULE, None)
        assert len(told) == 2

    def test_a_change_that_could_not_be_noted_fails_the_tick(self) -> None:
        world = healthy()
        world.reset()
        world.deny = ("TagResource",)
        with pytest.raises(watcher.app.WatchError, match="tag_resource"):
            watcher.app.handler(SCHEDULE, None)

    @pytest.mark.parametrize("denied", ["PutEvents", "TagResource"])
    def test_the_metrics_do_not_depend_on_publishing(
        self,
        denied: str,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        world = healthy()
        world.reset()
        if denied == "PutEvents":

            def refuse(_tick: Tick) -> None:
                raise watcher.app.WatchError("EventBridge rejected the event: AccessDenied")

            world.watch._publish = refuse
        else:
            world.deny = ("TagResource",)
        with pytest.raises(watcher.app.WatchError):
            watcher.app.handler(SCHEDULE, None)
        assert metrics(capsys.readouterr().out)[-1]["SecretAccepted"] == 0
        assert "AWSCURRENT is rejected" in caplog.text

    def test_another_value_with_the_same_verdict_is_noted_and_not_published(self) -> None:
        world = healthy()
        new = world.zego.project.reset(keep_old=True)
        world.stage(new.value)
        assert world.rotate()
        world.tick()
        note = VerdictNote.from_tag(world.versions.describe().tags[VERDICT_TAG])
        assert note is not None
        assert (note.outcome, note.fingerprint) == ("accepted", new.fingerprint)
        assert world.published == []

    def test_checks_without_a_verdict_are_an_event_only_if_several_follow_each_other(self) -> None:
        """E1: ZEGO responds to every second check; then not at all for a while."""
        world = healthy()
        for trouble in [Trouble("bad-gateway"), Trouble()] * 12:
            world.zego.trouble = trouble
            heal(world)
        assert world.published == []
        world.zego.trouble = Trouble("bad-gateway")
        for look in range(UNKNOWN_LOOKS + 2):
            heal(world)
            assert len(world.published) == (look >= UNKNOWN_LOOKS - 1)
        world.zego.trouble = Trouble()
        heal(world)
        verdicts = [(each["previous_verdict"], each["verdict"]) for each in world.published]
        assert verdicts == [("accepted", "unknown"), ("unknown", "accepted")]

    def test_the_first_checks_ever_without_a_verdict_are_not_an_event_either(self) -> None:
        world = World()
        world.zego.trouble = Trouble("bad-gateway")
        heal(world)
        heal(world)
        world.zego.trouble = Trouble()
        heal(world)
        verdicts = [(each["previous_verdict"], each["verdict"]) for each in world.published]
        assert verdicts == [(None, "accepted")]

    def test_a_check_without_a_verdict_does_not_make_a_rejection_younger(self) -> None:
        world = healthy()
        world.reset()
        since = int(world.clock.now)
        heal(world)
        world.zego.trouble = Trouble("bad-gateway")
        heal(world)
        world.zego.trouble = Trouble()
        heal(world)
        note = VerdictNote.from_tag(world.versions.describe().tags[VERDICT_TAG])
        assert note is not None
        assert (note.outcome, note.since, note.unknown_looks) == ("rejected", since, 0)

    def test_of_two_ticks_at_once_one_publishes(self) -> None:
        world = healthy()
        world.reset()
        first = world.watch.tick()
        second = world.watch.tick()
        world.watch.tell(first)
        world.watch.tell(second)
        assert len(world.published) == 1


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.LOST_REQUEST])
def test_a_secret_that_cannot_be_read_is_unknown_and_not_published(fault: Fault) -> None:
    world = healthy()
    world.wire.schedule = dict.fromkeys(range(1000), fault)
    tick = world.tick()
    assert tick.verdict.outcome == "unknown"
    assert "AWSCURRENT cannot be read: describe_secret" in tick.verdict.reason
    assert world.published == []


def metrics(printed: str) -> list[dict[str, Any]]:
    """The lines of metrics; values come as lists of one."""
    lines = [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]
    return [
        {
            name: value[0] if isinstance(value, list) else value
            for name, value in line.items()
            if name != "_aws"
        }
        for line in lines
    ]


class TestTime:
    """N1: every call to Secrets Manager and to ZEGO takes as long as its attempts can."""

    def slow(self, world: World) -> World:
        world.seconds_a_call = SLOWEST_CALL_SECONDS
        world.seconds_a_probe = 11.0  # three attempts of 3 s, and the pauses between them
        return world

    def timeout(self, function: str) -> float:
        timeout = stack().properties(function)["Timeout"]
        assert isinstance(timeout, int)
        return timeout

    def test_the_bound_is_that_of_botocores_settings(self) -> None:
        attempts = CLIENT_CONFIG.retries["total_max_attempts"]  # type: ignore[attr-defined]
        seconds = CLIENT_CONFIG.connect_timeout + CLIENT_CONFIG.read_timeout  # type: ignore[attr-defined]
        assert attempts * seconds + sum(2**retry for retry in range(attempts - 1)) == (
            SLOWEST_CALL_SECONDS
        )

    def test_a_check_that_gives_up_a_rotation_and_heals_ends_in_time(self) -> None:
        world = healthy()
        world.stage(HEX)
        world.begin()
        world.zego.project.accepted = world.zego.project.made[:1]
        for _ in range(3):
            heal(world)
        self.slow(world)
        began = world.clock.now
        tick = world.tick()
        assert (tick.is_stuck, tick.healed_with is not None) == (True, True)
        events = 2 * SLOWEST_CALL_SECONDS  # the publisher of the tests takes no time
        assert world.clock.now - began + events <= self.timeout("WatcherFunction")

    @pytest.mark.parametrize("step", STEPS)
    def test_so_does_every_step_of_a_rotation(self, step: str) -> None:
        world = healthy()
        world.stage(world.reset(keep_old=True))
        token = world.begin()
        for earlier in STEPS[: STEPS.index(step)]:
            world.step(earlier, token)
        self.slow(world)
        began = world.clock.now
        assert world.step(step, token).function_error is None
        assert world.clock.now - began <= self.timeout("RotatorFunction")

    def test_so_does_the_promotion_of_a_heal(self) -> None:
        """The rotator asks ZEGO about AWSCURRENT as well."""
        world = healthy()
        world.stage(world.reset())
        assert world.tick().healed_with is not None
        token = world.in_flight or ""
        for step in STEPS[:3]:
            world.step(step, token)
        self.slow(world)
        began = world.clock.now
        assert world.step("finishSecret", token).function_error is None
        assert world.clock.now - began == 213
        assert self.timeout("RotatorFunction") >= 213

    def test_the_verdict_is_measured_before_the_heal(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world = healthy()
        world.stage(world.reset())
        calls = len(world.wire.calls)
        world.wire.schedule = {calls + 3: Fault.KILLED_BEFORE}
        capsys.readouterr()
        with pytest.raises(Killed):
            watcher.app.handler(SCHEDULE, None)
        assert world.wire.calls[calls:] == [
            "DescribeSecret",
            "GetSecretValue",
            "ZEGO",
            "GetSecretValue",
        ]
        (line,) = metrics(capsys.readouterr().out)
        assert line["SecretAccepted"] == 0


class TestHandler:
    def test_it_measures(self, capsys: pytest.CaptureFixture[str]) -> None:
        world = healthy()
        world.clock.turn(86400 * 3)
        capsys.readouterr()
        found = watcher.app.handler(SCHEDULE, None)
        assert found["verdict"] == "accepted"
        (line,) = metrics(capsys.readouterr().out)
        assert line == {
            "stage": "dev",
            "service": "watcher",
            "SecretAccepted": 1,
            "SecretVerdictUnknown": 0,
            "RotationStuck": 0,
            "SecretAgeDays": 3.0,
            "ClockSkewSeconds": 0.0,
        }

    def test_a_rejection_is_a_zero_and_an_unknown_verdict_none(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        world = healthy()
        world.reset()
        watcher.app.handler(SCHEDULE, None)
        world.zego.trouble = Trouble("garbage")
        watcher.app.handler(SCHEDULE, None)
        rejected, unknown = metrics(capsys.readouterr().out)[-2:]
        assert (rejected["SecretAccepted"], rejected["SecretVerdictUnknown"]) == (0, 0)
        assert "SecretAccepted" not in unknown
        assert unknown["SecretVerdictUnknown"] == 1

    def test_zegos_clock_is_compared(self, capsys: pytest.CaptureFixture[str]) -> None:
        world = healthy()
        world.zego.trouble = Trouble(clock_skew_seconds=700.0)
        found = watcher.app.handler(SCHEDULE, None)
        assert found["verdict"] == "unknown"
        assert "700 s behind ZEGO's" in str(found["reason"])
        assert metrics(capsys.readouterr().out)[-1]["ClockSkewSeconds"] == -700.0

    @pytest.mark.parametrize(
        ("name", "outcome"),
        [
            ("RotationSucceeded", "succeeded"),
            ("RotationFailed", "failed"),
            ("RotationAbandoned", "abandoned"),
            ("TestRotationFailed", "test-failed"),
        ],
    )
    def test_it_counts_the_rotations_that_secrets_manager_reports(
        self, name: str, outcome: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        healthy()
        capsys.readouterr()
        watcher.app.handler({"source": "aws.secretsmanager", "detail": {"eventName": name}}, None)
        counted, ticked = metrics(capsys.readouterr().out)
        assert (counted["RotationOutcome"], counted["outcome"]) == (1, outcome)
        assert ticked["SecretAccepted"] == 1

    @pytest.mark.parametrize(
        "event",
        [
            {},
            {"source": "aws.secretsmanager"},
            {"source": "aws.secretsmanager", "detail": None},
            {"source": "aws.secretsmanager", "detail": {"eventName": ["RotationFailed"]}},
            {"source": "aws.secretsmanager", "detail": {"eventName": "RotationStarted"}},
            {"source": "zego", "detail": {"eventName": "RotationFailed"}},
        ],
    )
    def test_any_other_event_is_a_tick(
        self, event: dict[str, Any], capsys: pytest.CaptureFixture[str]
    ) -> None:
        healthy()
        capsys.readouterr()
        assert watcher.app.handler(event, None)["verdict"] == "accepted"
        assert len(metrics(capsys.readouterr().out)) == 1

    def test_an_unexpected_error_is_reported_without_its_text(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = healthy()

        def broken(_secret: object) -> None:
            raise ValueError(world.first)

        monkeypatch.setattr(world.watch._zego, "probe", broken)
        with pytest.raises(watcher.app.WatchError, match="watcher failed: ValueError") as raised:
            watcher.app.handler(SCHEDULE, None)
        assert raised.value.__suppress_context__
        assert world.first not in capsys.readouterr().out


def test_its_messages_contain_no_secret() -> None:
    world = healthy()
    new = world.reset()
    world.stage(new)
    heal(world)
    heal(world)
    said = repr(world.published) + repr(world.versions.describe())
    for secret in world.zego.project.made:
        assert secret.value not in said


def test_every_error_of_the_store_is_a_secret_store_error() -> None:
    """The watcher and the rotator catch the family by its base."""
    world = World()
    world.wire.schedule = dict.fromkeys(range(3), Fault.LOST_ANSWER)
    with pytest.raises(NoResponseError, match="describe_secret: no response") as raised:
        world.versions.describe()
    assert raised.value.code == "ReadTimeoutError"
    assert str(APP_ID) not in str(raised.value)
    assert CANDIDATE not in world.versions.describe().labels
