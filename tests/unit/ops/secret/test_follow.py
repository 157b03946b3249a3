"""Following a rotation: the states that each check returns, and the events that follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ops.secret.follow import PATIENCE_SECONDS, RotationEvent, follow
from tests.support.clock import Clock
from zego.rotation import OUTCOMES, STEPS, Step
from zego.secret_store.notes import ROTATION_TAG, RotationNote
from zego.secret_store.versions import SecretState, SecretStoreError

TOKEN = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
GOOD_END = ["step-done createSecret", "step-done setSecret", "step-done testSecret"]


def state(
    step: Step | None = None,
    outcome: str = "done",
    *,
    at: int = 1_700_000_000,
    token: str = TOKEN,
    pending: str | None = TOKEN,
    current: str = OTHER,
) -> SecretState:
    """The state of the secret: the note of the last step, and where the labels are."""
    labels = {"AWSCURRENT": current} | ({"AWSPENDING": pending} if pending else {})
    note = {} if step is None else {ROTATION_TAG: RotationNote(token, step, outcome, at).to_tag()}
    return SecretState("arn:aws:secretsmanager:eu-west-1:1:secret:z", labels, note, "arn:rotator")


class States:
    """Returns one state per check, the last one again and again; a check takes no time."""

    def __init__(self, *states: SecretState | SecretStoreError) -> None:
        self.clock = Clock(0.0)
        self._states = list(states)

    def __call__(self) -> SecretState:
        state_now = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        if isinstance(state_now, SecretStoreError):
            raise state_now
        return state_now

    def follow(self, *, wait_seconds: float = 300) -> Iterator[RotationEvent]:
        return follow(
            self, TOKEN, wait_seconds=wait_seconds, clock=self.clock, sleep=self.clock.turn
        )


def followed(
    *states: SecretState | SecretStoreError, wait_seconds: float = 300
) -> list[RotationEvent]:
    return list(States(*states).follow(wait_seconds=wait_seconds))


def in_short(events: list[RotationEvent]) -> list[str]:
    return [f"{event.kind} {event.step}" for event in events if event.kind != "step-began"]


def test_each_step_is_reported_as_it_begins_and_ends() -> None:
    events = followed(*(state(step) for step in STEPS[:3]), state("finishSecret", "promoted"))
    assert [(event.kind, event.step) for event in events[:4]] == [
        ("step-began", "createSecret"),
        ("step-done", "createSecret"),
        ("step-began", "setSecret"),
        ("step-done", "setSecret"),
    ]
    assert in_short(events) == [*GOOD_END, "step-done finishSecret", "promoted finishSecret"]
    assert events[-1] == RotationEvent("promoted", 1, 1.5, "finishSecret", "promoted")


def test_steps_between_two_checks_are_reported_together() -> None:
    events = followed(state(), state("finishSecret", "promoted"))
    assert in_short(events) == [*GOOD_END, "step-done finishSecret", "promoted finishSecret"]


def test_a_step_takes_as_long_as_it_was_visible() -> None:
    events = followed(state(), state(), state("createSecret"), state("finishSecret", "promoted"))
    seconds = [event.seconds for event in events if event.kind == "step-done"]
    assert seconds == [1.0, 0.5, 0.0, 0.0]


@pytest.mark.parametrize(
    "outcome", [name for name, ending in OUTCOMES.items() if ending.kind == "refused"]
)
def test_a_refusal_is_the_end(outcome: str) -> None:
    events = followed(state("createSecret", outcome, pending=None))
    assert in_short(events) == ["step-failed createSecret", "refused createSecret"]
    assert events[-1].outcome == outcome


def test_after_a_failure_secrets_manager_starts_again_at_the_first_step() -> None:
    events = followed(
        state("testSecret", "unproven", at=1),
        state("createSecret", at=3),
        state("finishSecret", "promoted", at=4),
    )
    assert in_short(events) == [
        *GOOD_END[:2],
        "step-failed testSecret",
        *GOOD_END,
        "step-done finishSecret",
        "promoted finishSecret",
    ]
    assert events[-1].attempt == 2


def test_no_attempt_begins_before_it_is_noted() -> None:
    events = followed(state("createSecret", "store-failed"), wait_seconds=2)
    assert [event.kind for event in events] == ["step-began", "step-failed", "undecided"]


def test_a_failure_between_two_checks_is_another_attempt() -> None:
    events = followed(
        state("testSecret", at=1), state("setSecret", at=5), state("finishSecret", "promoted", at=6)
    )
    assert events[-1].attempt == 2


def test_a_read_that_is_older_than_the_one_before_is_ignored() -> None:
    events = followed(
        state("testSecret", at=5), state("setSecret", at=4), state("finishSecret", "promoted", at=6)
    )
    assert events[-1].attempt == 1


def test_the_note_of_another_rotation_is_ignored() -> None:
    before = state("finishSecret", "promoted", token=OTHER)
    assert in_short(followed(before, wait_seconds=3)) == ["undecided None"]


def test_the_label_alone_shows_a_promotion() -> None:
    states = States(state(), state(pending=None, current=TOKEN))
    assert list(states.follow())[-1] == RotationEvent("promoted", 1, PATIENCE_SECONDS + 0.5)


def test_a_promotion_is_seen_although_the_last_step_is_retried() -> None:
    again = state("finishSecret", "rejected-after", current=TOKEN)
    assert followed(again)[-1].kind == "promoted"
    assert followed(again)[-1].outcome == "rejected-after"


@pytest.mark.parametrize("taken_by", [None, OTHER])
def test_a_version_that_lost_its_label_was_refused(taken_by: str | None) -> None:
    events = followed(state(), state(pending=taken_by))
    assert events[-1].kind == "refused"
    assert events[-1].outcome is None


def test_a_note_that_comes_after_its_label_is_waited_for() -> None:
    gone = state(pending=None)
    events = followed(state(), gone, gone, state("createSecret", "no-candidate", pending=None))
    assert events[-1].outcome == "no-candidate"
    assert events[-1].seconds < PATIENCE_SECONDS


def test_a_label_that_is_late_or_briefly_missing_ends_nothing() -> None:
    unseen, seen = state(pending=None), state()
    promoted = state("finishSecret", "promoted", pending=None)
    events = followed(*[unseen] * 5, *[seen] * 20, *[unseen] * 5, promoted)
    assert events[-1] == RotationEvent("promoted", 1, 15.0, "finishSecret", "promoted")


def test_a_rotation_not_ended_in_time_is_undecided_with_its_last_failure() -> None:
    events = followed(
        state("testSecret", "unproven", at=1), state("createSecret", at=2), wait_seconds=5
    )
    assert events[-1] == RotationEvent("undecided", 2, 5.0, "testSecret", "unproven")


def test_a_failed_check_is_retried() -> None:
    busy = SecretStoreError("describe_secret: ThrottlingException", "ThrottlingException")
    events = followed(*[state()] * 25, busy, busy, state("finishSecret", "promoted"))
    assert events[-1].kind == "promoted"


def test_checks_that_keep_failing_are_an_error() -> None:
    states = States(state(), SecretStoreError("describe_secret: AccessDeniedException"))
    with pytest.raises(SecretStoreError, match="AccessDenied"):
        list(states.follow())
    assert states.clock() == PATIENCE_SECONDS


def test_zegos_code_and_the_fingerprint_are_reported() -> None:
    note = RotationNote(TOKEN, "testSecret", "rejected", 1_700_000_000, 100000005, "3fa9c01b22de")
    tags = {ROTATION_TAG: note.to_tag()}
    gone = SecretState("arn", {"AWSCURRENT": OTHER}, tags, "arn:rotator")
    for event in followed(state("setSecret"), gone)[-2:]:
        assert (event.code, event.fingerprint) == (100000005, "3fa9c01b22de")
