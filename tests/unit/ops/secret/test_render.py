"""The screens of `zego-token secret`."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from local.aws.secrets_manager import APP_ID, SECRET_ID, SecretsManager
from local.aws.secrets_manager.rotation import RotationDriver
from ops.errors import ExitCode, Failure
from ops.output import Output, line
from ops.secret import render
from ops.secret.follow import RotationEvent
from ops.secret.status import Report, TargetStatus, UnreachableTarget, read_status
from ops.target import Target
from tests.support.in_process import secrets_manager_client
from tests.unit.ops.fakes import Zego, stored
from zego.secret_store.notes import (
    COMPROMISED_TAG,
    FAILURE_TAG,
    GIVEN_UP_TAG,
    IN_FLIGHT_TAG,
    ROTATION_TAG,
    VERDICT_TAG,
    InFlightNote,
    RotationNote,
    VerdictNote,
)
from zego.secret_store.versions import SecretState, SecretVersions
from zego.server_secret import ServerSecret

NEW = "0123456789abcdef" * 2
Capture = pytest.CaptureFixture[str]


class TestText:
    @pytest.mark.parametrize("text", ["[red]x[/]", ":smile:", "[/]", "x" * 300, "a [b] c"])
    def test_nothing_in_it_is_markup_and_nothing_is_broken(
        self, capsys: Capture, text: str
    ) -> None:
        out = Output(as_json=False)
        out.tell("x", text)
        out.show(text)
        assert capsys.readouterr().out == f"{text}\n" * 2

    def test_control_characters_are_replaced(self) -> None:
        assert line("a\x1b[2Jb\rc\u202ed\n").plain == "a?[2Jb?c?d\n"


@pytest.fixture
def seen(aws: SecretsManager, target: Target) -> TargetStatus:
    stored(aws, NEW)
    return read_status(target)


@pytest.fixture
def rotating(aws: SecretsManager) -> Iterator[RotationDriver]:
    """A function rotates the secret, but no step of a rotation runs."""
    with RotationDriver(aws, lambda _event: pytest.fail("not run"), background=False) as driver:
        yield driver


def printed_of(capsys: Capture, *targets: TargetStatus | UnreachableTarget) -> str:
    render.show_status(Output(as_json=False), Report(targets))
    return capsys.readouterr().out


class TestStatus:
    def test_each_version_has_its_line(self, capsys: Capture, seen: TargetStatus) -> None:
        printed = printed_of(capsys, seen).splitlines()
        (current,) = (text for text in printed if text.startswith("AWSCURRENT"))
        (candidate,) = (text for text in printed if text.startswith("CANDIDATE "))
        assert seen.fingerprint
        assert seen.fingerprint in current
        assert "accepted" in current
        assert candidate.rstrip().endswith("rejected")
        assert "CANDIDATE: ZEGO rejects it: it is not the ServerSecret of this AppID." in printed

    def test_no_value_is_shown(
        self, aws: SecretsManager, capsys: Capture, seen: TargetStatus
    ) -> None:
        printed = printed_of(capsys, seen)
        assert NEW not in printed
        assert aws.server_secret not in printed

    def test_the_notes_are_shown_in_words(
        self, capsys: Capture, target: Target, aws: SecretsManager
    ) -> None:
        token = stored(aws, NEW, label="AWSPENDING")
        verdict = VerdictNote("rejected", "3fa9c01b22de", 1_700_000_000, 100000005)
        note = RotationNote(token, "setSecret", "done", 1_700_000_100)
        target.versions.note(VERDICT_TAG, verdict.to_tag())
        target.versions.note(ROTATION_TAG, note.to_tag())
        target.versions.note(IN_FLIGHT_TAG, InFlightNote(token, 1_700_000_000).to_tag())
        self.fails(target, token)
        printed = printed_of(capsys, read_status(target, clock=lambda: 1_700_000_120))
        assert (
            "Watcher: rejected (code 100000005) on 3fa9c01b22de, for 2 min (out of date: it checks"
            " every 5 min)\n"
        ) in printed
        assert (f"Rotation: in flight for 2 min, since 22:13 UTC (version {token})\n") in printed
        assert (
            "Last failure: testSecret, 1 min ago. ZEGO gave no verdict on the"
            " candidate, so it was not promoted. (fingerprint 3fa9c01b22de; ZEGO's code 206:"
            " ZEGO's gateway is throttling or failing requests: try again)\n-> Wait: "
        ) in printed
        assert "Last step: setSecret, 20 s ago. The step is done.\n" in printed
        assert "No function rotates this secret." in printed

    @staticmethod
    def fails(target: Target, token: str) -> None:
        """Let the rotator note a failure."""
        note = RotationNote(
            token, "testSecret", "unproven", 1_700_000_060, code=206, fingerprint="3fa9c01b22de"
        )
        target.versions.note(FAILURE_TAG, note.to_tag())

    def test_a_rotation_that_was_given_up_is_not_waited_for(
        self, capsys: Capture, target: Target, aws: SecretsManager
    ) -> None:
        token = stored(aws, NEW, label="AWSPENDING")
        self.fails(target, token)
        note = RotationNote(token, "createSecret", "done", 1_700_000_100)
        target.versions.note(ROTATION_TAG, note.to_tag())
        target.versions.drop_label("AWSPENDING", version_id=token)
        printed = printed_of(capsys, read_status(target, clock=lambda: 1_700_000_120))
        assert "Last failure: testSecret, 1 min ago. ZEGO gave" in printed
        assert (
            "The rotation was given up. To rotate to the staged value:\n  zego-token secret"
            in printed
        )
        assert "Wait" not in printed

    @pytest.mark.parametrize("outcome", ["promoted", "rejected"])
    def test_a_rotation_that_ended_by_itself_was_not_given_up(
        self, capsys: Capture, target: Target, outcome: str
    ) -> None:
        note = RotationNote("t" * 36, "finishSecret", outcome, 1_700_000_000)
        target.versions.note(ROTATION_TAG, note.to_tag())
        printed = printed_of(capsys, read_status(target))
        assert "Last rotation: finishSecret, " in printed
        assert "given up" not in printed

    def test_a_rotation_given_up_by_its_note_is_not_waited_for(
        self, capsys: Capture, target: Target
    ) -> None:
        note = RotationNote("t" * 36, "testSecret", "rejected", 1_700_000_000)
        target.versions.note(ROTATION_TAG, note.to_tag())
        target.versions.note(GIVEN_UP_TAG, "t" * 36)
        assert "The rotation was given up. To rotate to the staged value:" in printed_of(
            capsys, read_status(target)
        )

    def test_for_a_rotation_without_a_value_the_watcher_notes_the_start_soon(
        self, capsys: Capture, target: Target, rotating: RotationDriver
    ) -> None:
        token = target.versions.start_rotation()
        assert (
            f"Rotation: in flight (version {token}). AWS gives no start time for it; the"
            " watcher notes one within 5 min.\n"
        ) in printed_of(capsys, read_status(target))

    def test_a_rotation_that_is_off_is_shown_with_a_remedy(
        self, aws: SecretsManager, capsys: Capture, target: Target, rotating: RotationDriver
    ) -> None:
        assert "turned off" not in printed_of(capsys, read_status(target))
        aws.call("CancelRotateSecret", SecretId=SECRET_ID)
        assert (
            "Automatic rotation was turned off (CancelRotateSecret), so the watcher heals nothing."
            " The next rotation turns it on again:\n  zego-token secret rotate --local\n"
        ) in printed_of(capsys, read_status(target))


class TestFailingCalls:
    """ZEGO rejects AWSCURRENT: which value is promoted, by whom and when."""

    @pytest.fixture(autouse=True)
    def _rejected(self, zego: Zego) -> None:
        zego.accepted = {NEW}

    @staticmethod
    def said(target: Target, capsys: Capture) -> str:
        text = printed_of(capsys, read_status(target))
        return text[text.index("Calls fail") :].rstrip()

    @staticmethod
    def before(aws: SecretsManager, *, app_id: int = APP_ID, current: str = "f0" * 16) -> None:
        """Make NEW the previous value."""
        stored(aws, NEW, label="AWSCURRENT", app_id=app_id)
        stored(aws, current, label="AWSCURRENT")

    def test_the_watcher_promotes_a_candidate_at_its_next_check(
        self, aws: SecretsManager, target: Target, capsys: Capture, rotating: RotationDriver
    ) -> None:
        self.before(aws)
        stored(aws, NEW)
        assert self.said(target, capsys) == (
            "Calls fail. ZEGO accepts CANDIDATE. The watcher promotes it within 5 min; to do it"
            " now:\n  zego-token secret rotate --staged --local"
        )

    def test_awsprevious_needs_two_checks(
        self, aws: SecretsManager, target: Target, capsys: Capture, rotating: RotationDriver
    ) -> None:
        self.before(aws)
        assert self.said(target, capsys) == (
            "Calls fail. ZEGO accepts AWSPREVIOUS. The watcher promotes it within 10 min; to do it"
            " now:\n  zego-token secret restore --local"
        )

    def test_awsprevious_comes_first_if_awscurrent_is_invalid(
        self, aws: SecretsManager, target: Target, capsys: Capture, rotating: RotationDriver
    ) -> None:
        self.before(aws, current="REPLACE-ME")
        stored(aws, NEW)
        assert "ZEGO accepts AWSPREVIOUS." in self.said(target, capsys)

    @pytest.mark.parametrize("is_off", [True, False], ids=["turned off", "without a function"])
    def test_without_rotation_the_watcher_promotes_nothing(
        self, aws: SecretsManager, target: Target, capsys: Capture, is_off: bool
    ) -> None:
        stored(aws, NEW)
        driver = RotationDriver(aws, lambda _event: pytest.fail("not run"), background=False)
        with driver if is_off else nullcontext():
            if is_off:
                aws.call("CancelRotateSecret", SecretId=SECRET_ID)
            assert self.said(target, capsys) == (
                "Calls fail. ZEGO accepts CANDIDATE. To promote it:\n"
                "  zego-token secret rotate --staged --local"
            )

    def test_without_a_known_app_id_the_watcher_promotes_nothing(
        self, aws: SecretsManager, target: Target, capsys: Capture, rotating: RotationDriver
    ) -> None:
        for _ in range(2):
            aws.put('{"app_id": 0, "server_secret": "REPLACE-ME"}')
        stored(aws, NEW)
        assert "ZEGO accepts CANDIDATE. To promote it:" in self.said(target, capsys)

    @pytest.mark.parametrize("what", ["none", "of another AppID", "compromised"])
    def test_without_an_accepted_value_the_console_is_named(
        self,
        aws: SecretsManager,
        target: Target,
        capsys: Capture,
        rotating: RotationDriver,
        what: str,
    ) -> None:
        if what != "none":
            stored(aws, NEW, app_id=8 if what == "of another AppID" else APP_ID)
        if what == "compromised":
            fingerprint = ServerSecret(APP_ID, NEW).fingerprint
            target.versions.note(COMPROMISED_TAG, fingerprint)
        assert self.said(target, capsys) == (
            "Calls fail. Rotate to the value in ZEGO's console:\n  zego-token secret rotate --local"
        )

    def test_a_rotation_in_flight_is_waited_for(
        self, aws: SecretsManager, target: Target, capsys: Capture
    ) -> None:
        stored(aws, NEW, label="AWSPENDING")
        assert self.said(target, capsys) == (
            "Calls fail until AWSCURRENT is replaced. A rotation is in flight: see above."
        )


class TestHeadings:
    def test_the_options_the_secret_and_its_app_id_are_named(
        self, capsys: Capture, seen: TargetStatus
    ) -> None:
        heading, arn, *more = printed_of(capsys, seen).splitlines()
        assert (heading, arn) == ("--local", seen.state.arn)
        assert "AppID: 1234567890" in more

    def test_a_drift_shows_each_targets_fingerprint(
        self, capsys: Capture, seen: TargetStatus
    ) -> None:
        unseen = UnreachableTarget(
            "--stage dev", Failure("AWS could not be reached.", "", ExitCode.AWS)
        )
        printed = printed_of(capsys, seen, unseen)
        assert "AWS could not be reached." in printed
        assert "Not all targets can be compared." in printed
        assert f"  {seen.fingerprint}  --local" in printed
        assert "  -             --stage dev" in printed

    def test_a_drift_is_reported(
        self, capsys: Capture, seen: TargetStatus, aws: SecretsManager
    ) -> None:
        aws.put(json.dumps({"app_id": 5, "server_secret": NEW}))
        client = secrets_manager_client(aws)
        other = read_status(
            Target("--stage dev", SecretVersions(client, aws.secret_id), Zego().probe)
        )
        assert "Drift: AWSCURRENT differs between the targets." in printed_of(capsys, seen, other)

    def test_no_drift_is_reported_too(self, capsys: Capture, seen: TargetStatus) -> None:
        printed = printed_of(capsys, seen, seen)
        assert printed.endswith(f"All 2 targets have the same secret, {seen.fingerprint}.\n")

    def test_text_from_aws_is_not_markup_and_does_not_control_the_terminal(
        self, capsys: Capture, seen: TargetStatus
    ) -> None:
        labels = {**seen.state.labels, "[red]\x1b[2J": seen.state.labels["AWSCURRENT"]}
        state = SecretState("arn:[bold]", labels, {}, None)
        current = seen.current
        assert current
        version = replace(current.version, labels=("AWSCURRENT", "[red]\x1b[2J"))
        strange = replace(seen, state=state, versions=(replace(current, version=version),))
        printed = printed_of(capsys, strange)
        assert "AWSCURRENT,  " in printed
        assert "\n[red]?[2J" in printed
        assert "arn:[bold]" in printed


class TestFollowing:
    EVENTS = (
        RotationEvent("step-began", 1, 0.0, "createSecret"),
        RotationEvent("step-done", 1, 0.6, "createSecret", "done"),
        RotationEvent("step-began", 1, 0.0, "setSecret"),
        RotationEvent("step-failed", 1, 1.0, "setSecret", "store-failed"),
        RotationEvent("step-began", 2, 0.0, "createSecret"),
        RotationEvent("step-done", 2, 0.0, "createSecret", "done"),
        RotationEvent("refused", 2, 3.0, "createSecret", "no-candidate"),
    )

    def test_without_a_terminal_each_finished_step_is_a_line(self, capsys: Capture) -> None:
        end = render.follow(Output(as_json=False), iter(self.EVENTS))
        assert end is self.EVENTS[-1]
        assert capsys.readouterr().out.splitlines() == [
            "createSecret: done, 0.6 s",
            "setSecret: Secrets Manager did not respond, or refused a call from the rotator.",
            "attempt 2, createSecret: done",
        ]

    def test_on_a_terminal_the_four_steps_are_drawn_with_their_marks(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        terminal = Terminal()
        monkeypatch.setattr("sys.stdout", terminal)
        render.follow(Output(as_json=False), iter(self.EVENTS[:4] + self.EVENTS[-1:]))
        last = terminal.getvalue().rpartition("createSecret")[2]
        assert "✗" in last
        assert "Secrets Manager did not respond" in last
        assert "Secrets Manager retries" in last

    @pytest.mark.parametrize(("outcome", "is_retried"), [("unproven", True), ("rejected", False)])
    def test_only_a_failed_step_is_retried(self, outcome: str, is_retried: bool) -> None:
        steps = render._Steps()
        steps.take(RotationEvent("step-failed", 1, 1.0, "testSecret", outcome))
        assert ("retries" in drawn(steps)) is is_retried

    def test_another_attempt_begins_with_empty_marks(self) -> None:
        steps = render._Steps()
        for event in self.EVENTS[:-1]:
            steps.take(event)
        marks = [text.split()[0] for text in drawn(steps).splitlines()]
        assert marks == ["✓", "·", "·", "·"]


def drawn(steps: render._Steps) -> str:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as captured:
        console.print(steps)
    return captured.get()


class Terminal(io.StringIO):
    """A terminal with a user."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("accepted", "busy", "words"),
    [
        (True, False, "ZEGO accepts it"),
        (False, False, "ZEGO rejects it: it is not the ServerSecret of this AppID"),
        (True, True, "ZEGO gives no verdict: its gateway is busy"),
    ],
)
def test_a_verdict_is_a_clause(accepted: bool, busy: bool, words: str) -> None:
    zego = Zego(*([NEW] if accepted else []))
    zego.busy = busy
    assert render.in_words(zego.probe(ServerSecret(1, NEW))) == words


def test_json_is_one_object_per_line(capsys: Capture) -> None:
    fields: dict[str, Any] = {"a": 1, "b": None}
    Output(as_json=True).tell("x", "for users", style="red", **fields)
    assert capsys.readouterr().out == '{"event": "x", "a": 1, "b": null}\n'
