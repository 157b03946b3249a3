"""Watching: one line per change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.aws.secrets_manager import SecretsManager
from ops.output import Output
from ops.secret.status import TargetStatus, read_status
from ops.secret.watch import watch
from ops.target import Target
from tests.support.clock import Clock
from tests.unit.ops.fakes import Zego, stored
from zego.secret_store.notes import ROTATION_TAG, VERDICT_TAG, RotationNote, VerdictNote
from zego.secret_store.versions import SecretStoreError

NEW = "0123456789abcdef" * 2
Said = Callable[[], list[dict[str, Any]]]


def watched(target: Target, out: Output, *between: Callable[[], object]) -> Clock:
    """Watch a target, with one event between any two checks."""
    happen, clock = iter(between), Clock()

    def sleep(seconds: float) -> None:
        clock.turn(seconds)
        next(happen)()

    watch(
        out,
        lambda: read_status(target),
        every_seconds=30,
        count=len(between) + 1,
        clock=clock,
        sleep=sleep,
    )
    return clock


def nothing() -> None:
    """An event that changes nothing."""


def test_at_first_it_shows_the_current_state(target: Target, out: Output, said: Said) -> None:
    watched(target, out)
    (change,) = said()
    assert (change["event"], change["what"], change["was"]) == ("change", "AWSCURRENT", None)
    assert change["now"]["outcome"] == "accepted"


def test_without_a_change_it_shows_nothing(target: Target, out: Output, said: Said) -> None:
    clock = watched(target, out, nothing, nothing)
    assert len(said()) == 1
    assert clock() == Clock()() + 60


def test_a_label_that_moves_is_a_change(
    aws: SecretsManager, target: Target, out: Output, said: Said
) -> None:
    watched(target, out, lambda: stored(aws, NEW), lambda: stored(aws, NEW, label="AWSPENDING"))
    assert [change["what"] for change in said()[1:]] == ["CANDIDATE", "AWSPENDING"]


def test_a_removed_label_is_a_change(
    aws: SecretsManager, target: Target, out: Output, said: Said
) -> None:
    version_id = stored(aws, NEW)
    watched(target, out, lambda: target.versions.drop_label("CANDIDATE", version_id=version_id))
    change = said()[-1]
    assert (change["what"], change["now"]) == ("CANDIDATE", None)


def test_a_verdict_that_changes_is_a_change(
    target: Target, out: Output, said: Said, zego: Zego
) -> None:
    watched(target, out, zego.accepted.clear)
    change = said()[-1]
    assert change["what"] == "AWSCURRENT"
    assert (change["was"]["outcome"], change["was"]["code"]) == ("accepted", 0)
    assert (change["now"]["outcome"], change["now"]["code"]) == ("rejected", 100000005)


def test_the_screen_shows_the_state_and_then_the_changes(
    target: Target, zego: Zego, capsys: pytest.CaptureFixture[str]
) -> None:
    watched(target, Output(as_json=False), zego.accepted.clear)
    heading, before, after = capsys.readouterr().out.splitlines()
    assert heading == "The current state, and then each change:"
    assert before.startswith("22:13:20 UTC  AWSCURRENT: version ")
    assert before.endswith(", ZEGO accepts it")
    assert after.startswith("22:13:50 UTC  AWSCURRENT: version ")
    assert after.endswith(", ZEGO rejects it: it is not the ServerSecret of this AppID")


def test_a_note_of_the_functions_is_a_change(target: Target, out: Output, said: Said) -> None:
    verdict = VerdictNote("rejected", "3fa9c01b22de", 1_700_000_000)
    rotation = RotationNote("t" * 36, "testSecret", "unproven", 1_700_000_060)
    watched(
        target,
        out,
        lambda: target.versions.note(VERDICT_TAG, verdict.to_tag()),
        lambda: target.versions.note(ROTATION_TAG, rotation.to_tag()),
    )
    watcher, rotator = said()[1:]
    assert watcher["what"] == "watcher"
    assert watcher["now"] == {"outcome": "rejected", "fingerprint": "3fa9c01b22de", "code": None}
    assert (rotator["now"]["step"], rotator["now"]["outcome"]) == ("testSecret", "unproven")


def test_a_failed_check_is_a_change_and_so_is_the_next_success(
    target: Target, out: Output, said: Said
) -> None:
    def next_check() -> TargetStatus:
        read = reads.pop(0)
        if read is None:
            raise SecretStoreError("x", "EndpointConnectionError", "describe_secret")
        return read

    seen = read_status(target)
    reads = [seen, None, None, seen]
    watch(out, next_check, every_seconds=1, count=4, sleep=lambda _seconds: None)
    problems = [change for change in said() if change["what"] == "problem"]
    assert [change["now"] for change in problems] == [
        {"message": "AWS could not be reached."},
        None,
    ]


def test_a_failed_first_check_is_an_error(out: Output) -> None:
    def fails() -> TargetStatus:
        raise SecretStoreError("x", "AccessDeniedException", "describe_secret")

    with pytest.raises(SecretStoreError):
        watch(out, fails, every_seconds=1, count=2, sleep=lambda _seconds: None)
