"""The watcher: what it asks, what it heals, what it leaves, and what it says."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Final

import pytest

import watcher.app
from local.secrets_manager import APP_ID
from local.zego_cloud import Trouble
from tests.rotation.wire import Fault, Killed
from tests.rotation.world import COOLDOWN_SECONDS, World
from watcher.healing import STUCK_SECONDS
from watcher.watch import Tick
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import HEALS_TAG, VERDICT_TAG, HealsNote, VerdictNote
from zego.secret_store.versions import NoAnswerError, VersionNotFoundError
from zego.secrets_manager import SecretValue
from zego.server_secret import ServerSecret

HEX: Final = "0123456789abcdef" * 2
SCHEDULE: Final = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def healthy() -> World:
    """A world whose secret was rotated once, and told to be accepted."""
    world = World()
    world.stage(world.reset(keep_old=True))
    assert world.rotate()
    world.tick()
    world.published.clear()
    return world


def heal(world: World) -> Tick:
    """A tick, and the rotation that it may have asked for."""
    tick = world.tick()
    pending = world.versions.describe().in_flight
    if pending is not None and tick.healed_with is not None:
        world.driver.run(pending)
    return tick


def test_an_accepted_secret_is_left_alone() -> None:
    world = healthy()
    calls = len(world.wire.calls)
    tick = world.tick()
    assert tick.verdict.accepted
    assert (tick.action, tick.healed_with, world.published) == ("", None, [])
    assert world.wire.calls[calls:] == ["DescribeSecret", "GetSecretValue", "ZEGO"]


class TestHealing:
    def test_a_staged_candidate_is_promoted(self) -> None:
        world = healthy()
        new = world.reset()
        world.stage(new)
        tick = heal(world)
        assert tick.verdict.rejected
        assert tick.healed_with is not None
        assert "(CANDIDATE) was asked for" in tick.action
        assert world.value(CURRENT) == new
        assert heal(world).verdict.accepted

    def test_else_the_one_before_is_promoted(self) -> None:
        world = healthy()
        newest = world.value(CURRENT)
        (first, _second) = world.zego.project.made
        world.zego.project.accepted = (first,)
        tick = heal(world)
        assert "(AWSPREVIOUS) was asked for" in tick.action
        assert (world.value(CURRENT), world.value(PREVIOUS)) == (world.first, newest)

    def test_a_candidate_that_zego_rejects_gives_way_to_the_one_before(self) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.stage(HEX)
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == world.first

    @pytest.mark.parametrize("text", ["garbage", json.dumps({"app_id": 42, "server_secret": HEX})])
    def test_a_candidate_that_cannot_be_meant_gives_way_too(self, text: str) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.store(text)
        assert heal(world).healed_with is not None

    def test_a_current_value_that_cannot_be_read_is_healed_as_well(self) -> None:
        world = healthy()
        good = world.value(CURRENT)
        world.store("garbage", CURRENT)
        tick = heal(world)
        assert tick.verdict.rejected
        assert tick.fingerprint is None
        assert world.value(CURRENT) == good

    def test_where_nothing_is_accepted_it_says_so(self) -> None:
        world = healthy()
        world.reset()
        world.stage(HEX)
        tick = heal(world)
        assert tick.healed_with is None
        assert tick.action.startswith("Nothing to heal with (CANDIDATE ")
        assert tick.action.endswith("rotate with the console's value.")

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
        """The value that was just healed with is rejected by now, and then accepted again."""
        world = healthy()
        older, newer = world.zego.project.made
        world.zego.project.accepted = (older,)
        assert heal(world).healed_with == older.fingerprint
        world.zego.project.accepted = (newer,)
        assert heal(world).healed_with == newer.fingerprint
        world.zego.project.accepted = (older,)
        return world

    def test_the_same_value_is_not_promoted_again_before_its_end(self) -> None:
        world = self.broken_again()
        world.clock.turn(COOLDOWN_SECONDS - 1)
        tick = heal(world)
        assert tick.healed_with is None
        assert "was promoted lately; again in 1 s" in tick.action

    def test_and_is_after_it(self) -> None:
        world = self.broken_again()
        world.clock.turn(COOLDOWN_SECONDS)
        assert heal(world).healed_with is not None
        assert heal(world).verdict.accepted

    def test_a_refused_rotation_begins_none(self) -> None:
        world = self.at_rotate_secret(Fault.DENIED)
        tick = world.tick()
        assert world.wire.met == [("RotateSecret", Fault.DENIED)]
        assert "It could not be healed: rotate_secret" in tick.action
        assert heal(world).healed_with is not None

    @pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.KILLED_AFTER])
    def test_a_rotation_that_may_have_begun_begins_one(self, fault: Fault) -> None:
        world = self.at_rotate_secret(fault)
        with contextlib.suppress(Killed):
            world.tick()
        assert world.wire.met == [("RotateSecret", fault)]
        tags = world.versions.describe().tags
        healed = HealsNote.from_tag(tags[HEALS_TAG]).at
        assert set(healed) == {world.zego.project.made[-1].fingerprint}

    def at_rotate_secret(self, fault: Fault) -> World:
        """A world where a heal has this fault when it asks for the rotation."""
        world = healthy()
        world.stage(world.reset())
        calls = ["DescribeSecret", "GetSecretValue", "ZEGO", "GetSecretValue", "ZEGO"]
        calls += ["DescribeSecret", "DescribeSecret", "TagResource", "RotateSecret"]
        world.wire.schedule = {len(world.wire.calls) + calls.index("RotateSecret"): fault}
        return world


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

    def test_its_end_is_waited_for(self) -> None:
        world = self.stuck()
        tick = world.tick()
        assert tick.verdict.rejected
        assert tick.action == "A rotation is in flight; its end is waited for."
        assert world.versions.describe().in_flight is not None

    def test_one_that_will_not_end_is_taken_out_of_the_way(self) -> None:
        world = self.stuck()
        waiting = world.value(PENDING)
        world.clock.turn(STUCK_SECONDS)
        assert heal(world).healed_with is not None
        assert world.value(CURRENT) == waiting

    def test_so_is_one_whose_version_has_no_value_yet(self) -> None:
        world = healthy()
        world.stage(world.reset())
        world.begin()
        assert world.tick().healed_with is None
        world.clock.turn(STUCK_SECONDS)
        assert heal(world).healed_with is not None
        assert heal(world).verdict.accepted


class TestNews:
    def test_a_change_is_told_once(self) -> None:
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

    def test_a_change_that_could_not_be_told_is_told_by_the_next_tick(self) -> None:
        world = healthy()
        world.reset()
        told: list[Tick] = []

        def fail_once(tick: Tick) -> None:
            told.append(tick)
            if len(told) == 1:
                raise watcher.app.WatchError("EventBridge took no event: Throttled")

        world.watch._publish = fail_once
        with pytest.raises(watcher.app.WatchError):
            watcher.app.handler(SCHEDULE, None)
        watcher.app.handler(SCHEDULE, None)
        watcher.app.handler(SCHEDULE, None)
        assert len(told) == 2

    def test_a_change_that_could_not_be_noted_fails_the_tick(self) -> None:
        world = healthy()
        world.reset()
        calls = ["DescribeSecret", "GetSecretValue", "ZEGO", "GetSecretValue", "ZEGO"]
        calls += ["DescribeSecret", "TagResource"]
        world.wire.schedule = {len(world.wire.calls) + calls.index("TagResource"): Fault.DENIED}
        with pytest.raises(watcher.app.WatchError, match="tag_resource"):
            watcher.app.handler(SCHEDULE, None)
        assert world.wire.met == [("TagResource", Fault.DENIED)]

    @pytest.mark.parametrize("denied", ["PutEvents", "TagResource"])
    def test_the_metrics_do_not_depend_on_who_can_be_told(
        self,
        denied: str,
        capsys: pytest.CaptureFixture[str],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        world = healthy()
        world.reset()
        if denied == "PutEvents":

            def refuse(_tick: Tick) -> None:
                raise watcher.app.WatchError("EventBridge took no event: AccessDenied")

            world.watch._publish = refuse
        else:
            world.wire.schedule = {len(world.wire.calls) + 6: Fault.DENIED}
        with pytest.raises(watcher.app.WatchError):
            watcher.app.handler(SCHEDULE, None)
        assert metrics(capsys.readouterr().out)[-1]["SecretAccepted"] == 0
        assert "AWSCURRENT is rejected" in caplog.text

    def test_another_value_with_the_same_verdict_is_noted_and_no_news(self) -> None:
        world = healthy()
        new = world.zego.project.reset(keep_old=True)
        world.stage(new.value)
        assert world.rotate()
        world.tick()
        note = VerdictNote.from_tag(world.versions.describe().tags[VERDICT_TAG])
        assert note is not None
        assert (note.outcome, note.fingerprint) == ("accepted", new.fingerprint)
        assert world.published == []

    def test_of_two_ticks_at_once_one_tells(self) -> None:
        world = healthy()
        world.reset()
        first = world.watch.tick()
        second = world.watch.tick()
        world.watch.tell(first)
        world.watch.tell(second)
        assert len(world.published) == 1


class TestWhatHappensMeanwhile:
    """A tick takes seconds; others do not wait for it."""

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
        assert "AWSCURRENT was moved meanwhile" in tick.action
        assert world.value(CURRENT) == newest.value

    def test_another_tick_that_was_quicker_keeps_its_cool_down(self) -> None:
        world = healthy()
        new = world.zego.project.reset()
        world.stage(new.value)
        rotations: list[str] = []

        def another_tick() -> None:
            assert world.tick().healed_with == new.fingerprint
            rotations.extend(filter(None, [world.versions.describe().in_flight]))

        staging = len(world.wire.calls) + 5
        world.wire.meanwhile = {staging: another_tick}
        tick = world.tick()
        assert "It could not be healed: nothing can be staged" in tick.action
        assert len(world.heals) == 1
        assert world.driver.run(rotations[0])
        healed = HealsNote.from_tag(world.versions.describe().tags[HEALS_TAG]).at
        assert new.fingerprint in healed

    def test_a_rotation_that_ops_gives_up_begins_no_cool_down(self) -> None:
        world = healthy()
        new = world.zego.project.reset()
        world.stage(new.value)
        staging = len(world.wire.calls) + 5
        world.wire.meanwhile = {staging: world.begin}
        assert world.tick().healed_with is None
        world.unstick()
        assert heal(world).healed_with == new.fingerprint

    def test_a_heal_that_another_tick_has_ended_stays_noted(self) -> None:
        world = healthy()
        new = world.zego.project.reset()
        world.stage(new.value)

        def another_tick_and_its_rotation() -> None:
            assert heal(world).healed_with == new.fingerprint

        world.wire.meanwhile = {len(world.wire.calls) + 3: another_tick_and_its_rotation}
        assert world.tick().healed_with is None
        assert world.value(CURRENT) == new.value
        healed = HealsNote.from_tag(world.versions.describe().tags[HEALS_TAG]).at
        assert set(healed) == {new.fingerprint}

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
        assert world.value(CURRENT) == good

    def test_a_candidate_that_zego_cannot_answer_for_keeps_its_place(self) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.stage(HEX)
        asking_about_it = len(world.wire.calls) + 4
        world.wire.schedule = {asking_about_it: Fault.LOST_REQUEST}
        tick = world.tick()
        assert world.wire.met == [("ZEGO", Fault.LOST_REQUEST)]
        assert tick.healed_with is None
        assert tick.action.startswith("CANDIDATE ")
        assert "is asked about again: ZEGO gave no answer" in tick.action
        assert world.value(CANDIDATE) == HEX

    def test_a_candidate_that_gives_way_is_named(self) -> None:
        world = healthy()
        world.zego.project.accepted = world.zego.project.made[:1]
        world.stage(HEX)
        fingerprint = ServerSecret(APP_ID, HEX).fingerprint
        assert f"CANDIDATE {fingerprint}: it is not the ServerSecret" in heal(world).action


@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.THROTTLED, Fault.LOST_REQUEST])
def test_a_secret_that_cannot_be_read_is_unknown_and_no_news(fault: Fault) -> None:
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
    def test_it_counts_what_secrets_manager_says_of_a_rotation(
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

    def test_a_fault_of_ours_is_said_without_its_text(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = healthy()

        def broken(_secret: object) -> None:
            raise ValueError(world.first)

        monkeypatch.setattr(world.watch._zego, "probe", broken)
        with pytest.raises(watcher.app.WatchError, match="the watcher broke: ValueError") as raised:
            watcher.app.handler(SCHEDULE, None)
        assert raised.value.__suppress_context__
        assert world.first not in capsys.readouterr().out


def test_what_it_says_holds_no_secret() -> None:
    world = healthy()
    new = world.reset()
    world.stage(new)
    heal(world)
    heal(world)
    said = repr(world.published) + repr(world.versions.describe())
    for secret in world.zego.project.made:
        assert secret.value not in said


def test_every_other_error_of_the_store_is_one() -> None:
    """The watcher and the rotator catch the family by its base."""
    world = World()
    world.wire.schedule = dict.fromkeys(range(3), Fault.LOST_ANSWER)
    with pytest.raises(NoAnswerError, match="describe_secret: no answer") as raised:
        world.versions.describe()
    assert raised.value.code == "ReadTimeoutError"
    assert str(APP_ID) not in str(raised.value)
    assert CANDIDATE not in world.versions.describe().labels
