"""Each kind of candidate: its outcome, its message, and the labels that remain."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import pytest

import rotator.app
from local.aws.secrets_manager import APP_ID
from local.fake_zego import Trouble
from local.loopback import HttpRequest
from tests.rotation.looks import HEX, pair
from tests.rotation.wire import Fault
from tests.rotation.world import World
from zego import token04
from zego.rotation import OUTCOMES, STEPS
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import FAILURE_TAG, ROTATION_TAG, RotationNote
from zego.secret_store.versions import (
    AlreadyCurrentError,
    ConflictError,
    RotationInFlightError,
    SecretStoreError,
    VersionNotFoundError,
)
from zego.secrets_manager import SecretValue


def failures(world: World) -> str:
    """The rotator's error at the last step that ran, with a value staged."""
    token = world.begin()
    event = {
        "SecretId": world.versions.describe().arn,
        "ClientRequestToken": token,
    }
    for step in STEPS:
        try:
            rotator.app.handler({**event, "Step": step}, None)
        except rotator.app.RotationError as error:
            return f"{error}"
    return ""


def test_a_good_candidate_is_promoted() -> None:
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    assert world.rotate()
    assert (world.value(CURRENT), world.value(PREVIOUS)) == (new, world.first)
    assert (world.text(CANDIDATE), world.text(PENDING)) == (None, None)
    assert world.outcome == "promoted"


@pytest.mark.parametrize("broken", ["cbc", "gcm"])
def test_a_codec_that_cannot_open_its_own_tokens_promotes_nothing(
    broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployed code is faulty, not the candidate: it stays staged for the next rotation."""

    def mint(*arguments: Any, **options: Any) -> str:
        lifetime = options.pop("lifetime_seconds") + (options.get("cipher") == broken)
        return real_mint(*arguments, lifetime_seconds=lifetime, **options)

    real_mint = token04.mint
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    token = world.begin()
    with monkeypatch.context() as faulty:
        faulty.setattr(token04, "mint", mint)
        assert not world.driver.run(token)
        assert (world.outcome, world.value(CANDIDATE)) == ("broken", new)
    assert world.value(CURRENT) == world.first
    assert world.driver.run(token), "tried again, the rotation goes on once the code is repaired"
    assert world.value(CURRENT) == new


def test_at_the_cutover_the_one_that_zego_accepts_is_promoted() -> None:
    world = World()
    world.stage(world.reset(keep_old=False))
    assert world.rotate()


REFUSED: Final = {
    "nothing staged": (None, "no-candidate", "createSecret"),
    "a wrong value": (pair(HEX), "rejected", "testSecret"),
    "for another AppID": (pair(HEX, 42), "other-app-id", "createSecret"),
    "an AppSign": (pair(HEX * 2), "malformed", "createSecret"),
    "with quotes": (pair(f'"{HEX}"'), "malformed", "createSecret"),
    "with a newline": (pair(f"{HEX}\n"), "malformed", "createSecret"),
    "too short": (pair(HEX[:31]), "malformed", "createSecret"),
    "an AppID as text": (pair(HEX, str(APP_ID)), "malformed", "createSecret"),
    "not JSON": (HEX, "malformed", "createSecret"),
    "a placeholder": (pair("REPLACE-WITH-THE-CONSOLES-VALUE!"), "placeholder", "createSecret"),
}


@pytest.mark.parametrize(("text", "outcome", "step"), REFUSED.values(), ids=REFUSED)
class TestRefused:
    def prepared(self, text: str | None) -> World:
        world = World()
        if text is not None:
            world.store(text)
        return world

    def test_nothing_changes_and_the_next_rotation_can_begin(
        self, text: str | None, outcome: str, step: str
    ) -> None:
        world = self.prepared(text)
        assert not world.rotate()
        assert world.outcome == outcome
        assert (world.value(CURRENT), world.text(PREVIOUS)) == (world.first, None)
        assert world.text(CANDIDATE) == text, "what was staged is kept"
        new = world.reset(keep_old=True)
        world.stage(new)
        assert world.rotate()
        assert world.value(CURRENT) == new

    def test_it_says_why_and_what_to_do(self, text: str | None, outcome: str, step: str) -> None:
        said = failures(self.prepared(text))
        ending = OUTCOMES[outcome]
        assert ending.kind == "refused"
        assert said.startswith(f"{step}: {ending.meaning}")
        assert said.endswith(ending.remedy)
        assert HEX not in said

    def test_it_is_not_retried(self, text: str | None, outcome: str, step: str) -> None:
        world = self.prepared(text)
        world.rotate()
        failed = [
            event for event in world.announced if event["detail"]["eventName"] == "RotationFailed"
        ]
        assert len(failed) == 1


def test_the_current_value_is_not_promoted_again() -> None:
    """Else AWSPREVIOUS, the last good one before it, would be lost."""
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    assert world.rotate()
    with pytest.raises(AlreadyCurrentError, match="is already current"):
        world.stage(new)
    world.store(pair(new))
    assert not world.rotate()
    assert world.outcome == "already-current"
    assert (world.value(CURRENT), world.value(PREVIOUS)) == (new, world.first)


TROUBLES: Final = {
    "hangs up": Trouble("hang-up"),
    "limits requests": Trouble("rate-limit"),
    "returns HTML": Trouble("bad-gateway"),
    "returns garbage": Trouble("garbage"),
    "has another time": Trouble(clock_skew_seconds=3600.0),
}


@pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)
def test_without_a_verdict_nothing_is_promoted_and_aws_retries(trouble: Trouble) -> None:
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    world.zego.trouble = trouble
    token = world.begin()
    assert not world.driver.run(token)
    assert world.outcome == "unproven"
    assert OUTCOMES["unproven"].kind == "failed"
    assert world.value(CURRENT) == world.first
    assert world.value(PENDING) == new, "it stays in the rotation"
    world.zego.trouble = Trouble()
    assert world.driver.run(token)
    assert world.value(CURRENT) == new


def test_a_second_rotation_does_not_begin_before_the_first_has_ended() -> None:
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    first = world.begin()
    with pytest.raises(RotationInFlightError):
        world.begin()
    assert world.driver.run(first)


def test_a_candidate_is_not_staged_in_the_middle_of_a_rotation() -> None:
    world = World()
    world.stage(world.reset(keep_old=True))
    token = world.begin()
    with pytest.raises(RotationInFlightError, match="while a rotation is in flight"):
        world.stage(HEX)
    assert world.driver.run(token)


@pytest.mark.parametrize("after", STEPS)
def test_a_candidate_that_slips_in_waits_for_the_next_rotation(after: str) -> None:
    """Staged past the check, by hand: the rotation promotes what it began with."""
    world = World()
    new = world.reset(keep_old=True)
    newer = world.reset(keep_old=True)
    world.stage(new)
    token = world.begin()
    for step in STEPS:
        assert world.step(step, token).function_error is None
        if step == after:
            world.store(pair(newer))
            assert world.step("createSecret", token).function_error is None
    assert world.value(CURRENT) == new
    assert world.value(CANDIDATE) == newer
    world.unstick()
    assert world.rotate()
    assert world.value(CURRENT) == newer


@pytest.mark.parametrize("repeated", STEPS)
def test_every_step_can_be_run_again(repeated: str) -> None:
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    token = world.begin()
    for step in STEPS:
        for _ in range(3 if step == repeated else 1):
            assert world.step(step, token).function_error is None
    for step in STEPS:
        assert world.step(step, token).function_error is None, "all of it again, when it is over"
    assert (world.value(CURRENT), world.value(PREVIOUS)) == (new, world.first)


def test_finishing_without_the_test_promotes_nothing_unproven() -> None:
    """An operator invokes the last step by hand."""
    world = World()
    world.stage(HEX)
    token = world.begin()
    world.step("createSecret", token)
    assert world.step("finishSecret", token).function_error == "Unhandled"
    assert world.value(CURRENT) == world.first


def test_a_value_that_is_reset_between_test_and_finish_is_not_promoted() -> None:
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    token = world.begin()
    for step in STEPS[:3]:
        world.step(step, token)
    world.reset()
    assert world.step("finishSecret", token).function_error == "Unhandled"
    assert world.value(CURRENT) == world.first
    assert world.outcome == "rejected"


def test_a_value_that_is_reset_right_after_its_promotion_is_reported() -> None:
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    token = world.begin()
    for step in STEPS:
        world.step(step, token)
    world.reset()
    assert world.step("finishSecret", token).function_error == "Unhandled"
    assert world.outcome == "rejected-after"
    assert world.value(CURRENT) == new


def test_if_awscurrent_moves_meanwhile_it_stays_there() -> None:
    world = World()
    new = world.reset(keep_old=True)
    other = world.reset(keep_old=True)
    world.stage(new)
    token = world.begin()
    for step in STEPS[:3]:
        world.step(step, token)

    def while_zego_is_asked(_request: HttpRequest) -> None:
        world.zego.intercept = None
        world.store(pair(other), CURRENT)

    world.zego.intercept = while_zego_is_asked
    assert world.step("finishSecret", token).function_error == "Unhandled"
    assert world.value(CURRENT) == other


def test_a_promotion_whose_response_was_lost_counts() -> None:
    """boto3 asks again by itself, and then hears that the label is elsewhere."""
    world = World()
    new = world.reset(keep_old=True)
    world.stage(new)
    token = world.begin()
    for step in STEPS[:3]:
        world.step(step, token)
    calls = ["DescribeSecret", "GetSecretValue", "GetSecretValue", "ZEGO", "DescribeSecret"]
    promoting = len(world.wire.calls) + len(calls)
    world.wire.schedule = {promoting: Fault.LOST_ANSWER}
    assert world.step("finishSecret", token).function_error is None
    assert world.wire.met == [("UpdateSecretVersionStage", Fault.LOST_ANSWER)]
    assert world.outcome == "promoted"


def test_a_rotation_whose_first_response_was_lost_is_known_by_its_token() -> None:
    world = World()
    world.stage(world.reset(keep_old=True))
    asking = len(world.wire.calls)
    world.wire.schedule = {asking: Fault.LOST_ANSWER, asking + 1: Fault.DENIED}
    token = world.versions.start_rotation()
    assert world.wire.met[0] == ("RotateSecret", Fault.LOST_ANSWER)
    assert world.driver.run(token)


def test_a_binary_candidate_is_malformed() -> None:
    world = World()
    world.aws.call(
        "PutSecretValue",
        SecretId=world.aws.secret_id,
        SecretBinary="AAEC",
        VersionStages=[CANDIDATE],
    )
    assert not world.rotate()
    assert world.outcome == "malformed"
    assert world.text(PENDING) is None


def test_a_binary_value_in_the_rotation_is_refused() -> None:
    world = World()
    token = world.begin()
    world.aws.call(
        "PutSecretValue",
        SecretId=world.aws.secret_id,
        SecretBinary="AAEC",
        ClientRequestToken=token,
        VersionStages=[PENDING],
    )
    assert not world.driver.run(token)
    assert world.outcome == "malformed"
    assert world.versions.describe().in_flight is None


def test_what_failed_last_stays_noted_while_it_is_tried_again() -> None:
    world = World()
    new = world.zego.project.reset(keep_old=True)
    world.stage(new.value)
    world.zego.trouble = Trouble("rate-limit")
    token = world.begin()
    assert not world.driver.run(token)
    world.step("createSecret", token)
    tags = world.versions.describe().tags
    last = RotationNote.from_tag(tags[ROTATION_TAG])
    failure = RotationNote.from_tag(tags[FAILURE_TAG])
    assert last is not None
    assert failure is not None
    assert (last.step, last.outcome) == ("createSecret", "done")
    assert (failure.step, failure.outcome) == ("testSecret", "unproven")
    assert (failure.code, failure.fingerprint) == (206, new.fingerprint)


def test_a_candidate_that_is_not_visible_yet_is_not_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Reads may lag behind: of two that disagree neither is believed."""
    world = World()
    world.stage(world.reset(keep_old=True))
    token = world.begin()
    read, candidate = world.versions.read, world.versions.describe().labels[CANDIDATE]

    def lagging(*, version_id: str | None = None, label: str | None = None) -> SecretValue:
        if version_id == candidate:
            raise VersionNotFoundError("no such version")
        return read(version_id=version_id, label=label)

    with monkeypatch.context() as lag:
        lag.setattr(world.versions, "read", lagging)
        assert world.step("createSecret", token).function_error == "Unhandled"
    assert OUTCOMES[world.outcome or ""].kind == "failed"
    assert world.driver.run(token)


class TestOneAfterTheOtherAtOnce:
    """Secrets Manager, or an operator by hand, runs a step while the same step runs."""

    def test_two_of_the_same_rotation(self) -> None:
        world = World()
        new = world.reset(keep_old=True)
        world.stage(new)
        token = world.begin()
        runs = [threading.Thread(target=world.driver.run, args=(token,)) for _ in range(4)]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        assert world.problems == []
        assert (world.value(CURRENT), world.value(PREVIOUS)) == (new, world.first)
        assert world.text(CANDIDATE) is None

    def test_of_two_candidates_staged_at_once_one_is_promoted(self) -> None:
        world = World()
        values = [world.reset(keep_old=True) for _ in range(2)]
        world.stage(values[0])
        staging = threading.Thread(target=_suppressing(lambda: world.stage(values[1])))
        staging.start()
        promoted = world.rotate()
        staging.join()
        assert world.problems == []
        assert promoted
        assert world.value(CURRENT) in values


def _suppressing(do: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        try:
            do()
        except SecretStoreError:
            return

    return run


class TestTheSetUpAlone:
    """With RotateImmediatelyOnUpdate false Secrets Manager runs testSecret on the present value."""

    def rotate(self, world: World) -> bool:
        answer = world.aws.call(
            "RotateSecret", SecretId=world.aws.secret_id, RotateImmediately=False
        )
        return world.driver.run(answer["VersionId"])

    def test_it_accepts_a_good_value(self) -> None:
        world = World()
        assert self.rotate(world)
        assert world.value(CURRENT) == world.first
        assert world.text(PENDING) is None
        assert world.outcome is None, "it was not a rotation, and leaves no note"

    def test_it_says_that_the_value_is_still_a_placeholder(self) -> None:
        world = World()
        world.store(pair("REPLACE-WITH-THE-CONSOLES-VALUE!"), CURRENT)
        assert not self.rotate(world)
        assert world.outcome == "placeholder"

    def test_it_says_that_zego_rejects_the_value(self) -> None:
        world = World()
        world.reset()
        assert not self.rotate(world)
        assert world.outcome == "rejected"
        assert world.text(PENDING) is None

    def test_it_leaves_the_version_to_secrets_manager(self) -> None:
        world = World()
        world.reset()
        answer = world.aws.call(
            "RotateSecret", SecretId=world.aws.secret_id, RotateImmediately=False
        )
        world.step("testSecret", answer["VersionId"])
        assert world.text(PENDING) == world.text(CURRENT)


class TestVersions:
    """Other errors of the store's write methods."""

    def test_a_secret_without_any_value_accepts_no_candidate(self) -> None:
        world = World()
        secret = world.aws.storage.secret(world.aws.secret_id, world.aws.region)
        secret.versions.clear()
        world.look = lambda: None  # type: ignore[method-assign]  # there is no AWSCURRENT
        with pytest.raises(SecretStoreError, match="no AWSCURRENT version"):
            world.stage(HEX)

    def test_the_versions_are_listed_with_labels_fingerprints_and_what_is_wrong(self) -> None:
        world = World()
        new = world.reset(keep_old=True)
        world.stage(new)
        assert world.rotate()
        world.clock.turn(60)
        world.store("garbage")
        listed = world.versions.versions(world.versions.describe())
        assert list(listed) == sorted(listed, key=lambda each: each.created_at or 0, reverse=True)
        by_label = {each.labels: each for each in listed}
        assert set(by_label) == {(CANDIDATE,), (CURRENT,), (PREVIOUS,)}
        current, candidate = by_label[(CURRENT,)], by_label[(CANDIDATE,)]
        assert current.secret is not None
        assert (current.secret.value, current.problem) == (new, None)
        assert (candidate.secret, candidate.fingerprint) == (None, None)
        assert "not JSON" in (candidate.problem or "")
        assert candidate.created_at == world.clock.now
        assert current.created_at == world.clock.now - 60

    def test_a_version_without_a_value_is_listed_as_such(self) -> None:
        world = World()
        token = world.begin()
        versions = world.versions.versions(world.versions.describe())
        listed = {each.version_id: each for each in versions}
        assert listed[token].labels == (PENDING,)
        assert listed[token].problem == "it has no value yet"
        with pytest.raises(VersionNotFoundError):
            world.versions.read(version_id=token)

    def test_a_promotion_from_elsewhere_than_awscurrent_is_a_conflict(self) -> None:
        world = World()
        world.stage(world.reset(keep_old=True))
        state = world.versions.describe()
        candidate = state.labels[CANDIDATE]
        with pytest.raises(ConflictError):
            world.versions.promote(candidate, replacing=candidate)
        assert world.versions.describe().labels == state.labels

    def test_another_value_for_the_same_version_is_a_conflict(self) -> None:
        world = World()
        token = world.begin()
        world.versions.fill_pending(token, pair(HEX))
        world.versions.fill_pending(token, pair(HEX))
        with pytest.raises(ConflictError):
            world.versions.fill_pending(token, pair(HEX[::-1]))
