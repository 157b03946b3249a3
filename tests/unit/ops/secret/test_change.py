"""Staging, rotating and restoring, on a Secrets Manager with its rules and rotations.

The rotator's steps are the real ones; tests choose ZEGO's verdicts.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import click
import pytest

from local.aws.secrets_manager import APP_ID, SECRET_ID, SecretsManager
from local.aws.secrets_manager.rotation import RotationDriver
from ops.errors import CommandError, ExitCode
from ops.output import Output
from ops.secret import change, render
from ops.secret.change import WaitOptions
from ops.secret.follow import RotationEvent
from ops.secret.value import SecretInput
from ops.target import Target
from rotator.steps import RotationSteps
from tests.support.in_process import secrets_manager_client
from tests.unit.ops.fakes import Broken, Zego, stored
from zego.rotation import STEPS, CopyToken
from zego.secret_store.notes import COMPROMISED_TAG, ROTATION_TAG, RotationNote, compromised
from zego.secret_store.versions import (
    AlreadyCurrentError,
    RotationInFlightError,
    SecretStoreError,
    SecretVersions,
)
from zego.server_api import Verdict
from zego.server_secret import ServerSecret, ServerSecretError

NEW = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
THIRD = "0f1e2d3c4b5a6978" * 2
PLACEHOLDER = '{"app_id": 0, "server_secret": "REPLACE-ME"}'
SOON = WaitOptions(rotation=10, interval=0.01)

Said = Callable[[], list[dict[str, Any]]]
AFile = Callable[[str], str]
Command = Callable[[Target, Output, SecretInput], object]


@dataclass(frozen=True)
class Invocation:
    """The part of a step that the driver sees."""

    function_error: str | None


@contextmanager
def driven(aws: SecretsManager, target: Target, zego: Zego) -> Iterator[RotationDriver]:
    """Runs rotations in the background, and notes each step as the rotator does."""
    rotation = RotationSteps(target.versions, zego)  # type: ignore[arg-type]  # it only calls probe

    def invoke(event: dict[str, Any]) -> Invocation:
        step, token = event["Step"], event["ClientRequestToken"]
        result = rotation.run(step, token)
        note = RotationNote(token, step, result.outcome, 1_700_000_000 + len(invoked))
        target.versions.note(ROTATION_TAG, note.to_tag())
        invoked.append(step)
        return Invocation(None if result.ending.kind == "done" else "Unhandled")

    invoked: list[str] = []
    with RotationDriver(aws, invoke, attempts=3, delay_seconds=0.05) as driver:
        yield driver
    driver.wait()


@pytest.fixture
def driver(aws: SecretsManager, target: Target, zego: Zego) -> Iterator[RotationDriver]:
    with driven(aws, target, zego) as driver:
        yield driver


@pytest.fixture
def unset(aws: SecretsManager, zego: Zego) -> Target:
    """A new stack's secret: its only version is a placeholder."""
    aws.call("CreateSecret", Name="zego/new", SecretString=PLACEHOLDER)
    versions = SecretVersions(secrets_manager_client(aws), "zego/new")
    return Target("--local", versions, zego.probe)


def rotated_to(target: Target, out: Output, given: SecretInput) -> ExitCode:
    """`rotate`, with the parameters of `stage`."""
    return change.rotate(target, out, given, SOON)


def rotate_compromised(target: Target, out: Output, given: SecretInput | None) -> ExitCode:
    return change.rotate(target, out, given, SOON, is_compromised=True)


def marked(target: Target) -> tuple[str, ...]:
    return compromised(target.versions.describe().tags)


def in_json(value: str, app_id: int) -> str:
    return json.dumps({"app_id": app_id, "server_secret": value})


def refuse(action: str) -> Callable[..., None]:
    """A method of the secret that AWS denies."""

    def method(*_given: object) -> None:
        raise SecretStoreError("x", "AccessDeniedException", action)

    return method


def interrupted(error: type[BaseException]) -> Callable[..., Any]:
    """A function in which the user presses Ctrl-C."""

    def function(*_given: object, **_named: object) -> None:
        raise error

    return function


def interruption(command: Callable[[], object]) -> tuple[str, str]:
    """The message and remedy of an interrupted command."""
    with pytest.raises(CommandError) as caught:
        command()
    failure = caught.value.failure
    assert failure.exit_code is ExitCode.INTERRUPTED
    return failure.message, failure.remedy


def fingerprint(value: str) -> str:
    return ServerSecret(APP_ID, value).fingerprint


def current(target: Target) -> str | None:
    version = target.versions.version(target.versions.describe(), "AWSCURRENT")
    return None if version is None else version.fingerprint


def yes(_question: str) -> None:
    """The user agrees."""


def no(_question: str) -> None:
    raise CommandError("Nothing was changed.")


class TestStaging:
    def test_a_value_is_stored_under_candidate_and_judged(
        self, target: Target, out: Output, said: Said, zego: Zego, a_file: AFile
    ) -> None:
        zego.accepted.add(NEW)
        change.stage(target, out, SecretInput(a_file(f"{NEW}\n")))
        (event,) = said()
        assert (event["event"], event["fingerprint"]) == ("staged", fingerprint(NEW))
        assert event["verdict"]["outcome"] == "accepted"
        assert target.versions.describe().labels["CANDIDATE"] == event["version_id"]

    def test_a_rejected_value_is_staged_anyway(
        self, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        change.stage(target, out, SecretInput(a_file(NEW)))
        assert said()[0]["verdict"]["outcome"] == "rejected"
        assert "CANDIDATE" in target.versions.describe().labels

    @pytest.mark.parametrize(
        ("busy", "exit_code"), [(False, ExitCode.REFUSED), (True, ExitCode.UNDECIDED)]
    )
    def test_a_rejected_value_is_not_staged_if_acceptance_is_required(
        self,
        target: Target,
        out: Output,
        zego: Zego,
        a_file: AFile,
        busy: bool,
        exit_code: ExitCode,
    ) -> None:
        zego.busy = busy
        with pytest.raises(CommandError, match="Nothing was staged") as caught:
            change.stage(target, out, SecretInput(a_file(NEW), require_accepted=True))
        assert caught.value.failure.exit_code is exit_code
        assert "CANDIDATE" not in target.versions.describe().labels

    def test_a_value_for_another_app_id_is_refused(
        self, target: Target, out: Output, a_file: AFile
    ) -> None:
        with pytest.raises(CommandError, match="another AppID"):
            change.stage(target, out, SecretInput(a_file(NEW), app_id=8))

    def test_the_current_value_is_refused(
        self, aws: SecretsManager, target: Target, out: Output, a_file: AFile
    ) -> None:
        with pytest.raises(AlreadyCurrentError):
            change.stage(target, out, SecretInput(a_file(aws.server_secret)))

    def test_a_first_value_needs_its_app_id(
        self, unset: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        with pytest.raises(CommandError, match="The AppID is not known"):
            change.stage(unset, out, SecretInput(a_file(NEW)))
        change.stage(unset, out, SecretInput(a_file(NEW), app_id=8))
        assert said()[0]["app_id"] == 8

    def test_if_awscurrent_is_invalid_awsprevious_gives_the_app_id(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        aws.put(PLACEHOLDER)
        for given in (SecretInput(a_file(NEW), app_id=8), SecretInput(a_file(in_json(NEW, 8)))):
            with pytest.raises(CommandError, match="another AppID") as caught:
                change.stage(target, out, given)
            assert f"the current AppID is {APP_ID}" in caught.value.failure.message
        change.stage(target, out, SecretInput(a_file(NEW)))
        assert said()[0]["app_id"] == APP_ID

    @pytest.mark.parametrize("command", [change.stage, rotated_to])
    def test_the_replaced_value_is_named(
        self,
        aws: SecretsManager,
        target: Target,
        zego: Zego,
        a_file: AFile,
        capsys: pytest.CaptureFixture[str],
        command: Command,
    ) -> None:
        zego.accepted.add(NEW)
        with driven(aws, target, zego):
            version_id = stored(aws, OTHER)
            command(target, Output(as_json=True), SecretInput(a_file(NEW)))
            replaced = json.loads(capsys.readouterr().out.splitlines()[0])["replaced"]
            assert replaced == {"version_id": version_id, "fingerprint": fingerprint(OTHER)}
            zego.accepted.add(THIRD)
            stored(aws, OTHER)
            command(target, Output(as_json=False), SecretInput(a_file(THIRD)))
        text = capsys.readouterr().out.splitlines()[0]
        assert text.endswith(f"This replaces the staged {fingerprint(OTHER)}.")

    @pytest.mark.parametrize("staged", [None, NEW])
    def test_the_same_value_or_none_staged_before_is_not_replaced(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        said: Said,
        a_file: AFile,
        staged: str | None,
    ) -> None:
        if staged:
            stored(aws, staged)
        change.stage(target, out, SecretInput(a_file(NEW)))
        assert said()[0]["replaced"] is None

    @pytest.mark.parametrize("command", [change.stage, rotated_to])
    def test_an_accepted_staged_value_is_not_replaced_by_a_rejected_one(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        said: Said,
        zego: Zego,
        a_file: AFile,
        command: Command,
    ) -> None:
        zego.accepted.add(OTHER)
        with driven(aws, target, zego):
            version_id = stored(aws, OTHER)
            with pytest.raises(CommandError, match="Nothing was staged") as caught:
                command(target, out, SecretInput(a_file(NEW)))
        failure = caught.value.failure
        assert f"ZEGO accepts the staged {fingerprint(OTHER)}." in failure.message
        assert "--force" in failure.remedy
        assert said() == []
        assert target.versions.describe().labels["CANDIDATE"] == version_id

    @pytest.mark.parametrize(
        ("is_accepted", "is_busy", "force"),
        [(True, False, True), (False, False, False), (True, True, False)],
        ids=["by force", "a rejected one", "without a verdict"],
    )
    def test_in_other_cases_it_is_replaced(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        said: Said,
        zego: Zego,
        a_file: AFile,
        is_accepted: bool,
        is_busy: bool,
        force: bool,
    ) -> None:
        zego.accepted |= {OTHER} if is_accepted else set()
        zego.busy = is_busy
        stored(aws, OTHER)
        change.stage(target, out, SecretInput(a_file(NEW), force=force))
        (event,) = said()
        assert event["replaced"]["fingerprint"] == fingerprint(OTHER)
        assert target.versions.describe().labels["CANDIDATE"] == event["version_id"]

    def test_only_a_rejection_keeps_it_staged(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        def probe(secret: ServerSecret) -> Verdict:
            is_new = secret.value == NEW
            return Verdict("unknown" if is_new else "accepted", "as a test wants it")

        stored(aws, OTHER)
        change.stage(replace(target, probe=probe), out, SecretInput(a_file(NEW)))
        assert said()[0]["replaced"]["fingerprint"] == fingerprint(OTHER)

    def test_a_value_that_is_marked_as_compromised_is_refused(
        self, target: Target, out: Output, said: Said, zego: Zego, a_file: AFile
    ) -> None:
        zego.accepted.add(NEW)
        target.versions.note(COMPROMISED_TAG, fingerprint(NEW))
        with pytest.raises(CommandError, match="marked as compromised") as caught:
            change.stage(target, out, SecretInput(a_file(NEW)))
        assert fingerprint(NEW) in caught.value.failure.message
        assert "CANDIDATE" not in target.versions.describe().labels

    def test_while_a_rotation_is_in_flight_there_is_no_prompt(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, NEW, label="AWSPENDING")
        with pytest.raises(RotationInFlightError):
            change.stage(target, out, SecretInput("/nowhere"))

    def test_an_invalid_value_is_not_stored(
        self, target: Target, out: Output, a_file: AFile
    ) -> None:
        with pytest.raises(ServerSecretError, match="AppSign"):
            change.stage(target, out, SecretInput(a_file(NEW * 2)))

    def test_an_unusual_value_gets_a_remark(
        self, target: Target, a_file: AFile, capsys: pytest.CaptureFixture[str]
    ) -> None:
        change.stage(target, Output(as_json=False), SecretInput(a_file(NEW.upper())))
        assert "not 32 lower-case hex digits" in capsys.readouterr().out


@pytest.mark.usefixtures("driver")
class TestRotating:
    def test_a_value_that_zego_accepts_is_promoted(
        self, target: Target, out: Output, said: Said, zego: Zego, a_file: AFile
    ) -> None:
        zego.accepted.add(NEW)
        assert change.rotate(target, out, SecretInput(a_file(NEW)), SOON) is ExitCode.DONE
        events = said()
        assert [event["step"] for event in events if event["event"] == "step-done"] == [*STEPS]
        assert [event["event"] for event in events[:2]] == ["staged", "started"]
        result = events[-1]
        assert (result["event"], result["result"]) == ("result", "promoted")
        assert result["fingerprint"] == fingerprint(NEW) == current(target)
        assert result["verdict"]["outcome"] == "accepted"
        assert (result["issuer_ttl_seconds"], result["exit_code"]) == (60, 0)

    def test_a_rejected_value_is_refused_with_the_reason(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        change.stage(target, out, SecretInput(a_file(NEW)))
        assert change.rotate(target, out, None, SOON) is ExitCode.REFUSED
        result = said()[-1]
        assert (result["result"], result["outcome"]) == ("refused", "rejected")
        assert "ZEGO rejects the candidate" in result["meaning"]
        assert current(target) == fingerprint(aws.server_secret)

    def test_for_a_value_rejected_right_away_no_rotation_starts(
        self, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        with pytest.raises(CommandError, match="No rotation was started") as caught:
            change.rotate(target, out, SecretInput(a_file(NEW)), SOON)
        assert "The value stays staged." in caught.value.failure.remedy
        assert [event["event"] for event in said()] == ["staged"]
        assert target.versions.describe().labels.keys() == {"AWSCURRENT", "CANDIDATE"}

    @pytest.mark.parametrize("is_staged_before", [True, False])
    def test_it_fails_if_another_value_was_promoted(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        said: Said,
        zego: Zego,
        a_file: AFile,
        monkeypatch: pytest.MonkeyPatch,
        is_staged_before: bool,
    ) -> None:
        start = SecretVersions.start_rotation

        def stage_another_and_start(versions: SecretVersions, token: str | None) -> str:
            stored(aws, OTHER)
            return start(versions, token)

        zego.accepted |= {NEW, OTHER}
        if is_staged_before:
            stored(aws, NEW)
        monkeypatch.setattr(SecretVersions, "start_rotation", stage_another_and_start)
        given = None if is_staged_before else SecretInput(a_file(NEW))
        assert change.rotate(target, out, given, SOON) is ExitCode.REFUSED
        result = said()[-1]
        assert (result["result"], result["exit_code"]) == ("promoted", 1)
        assert result["expected_fingerprint"] == fingerprint(NEW)
        assert result["fingerprint"] == fingerprint(OTHER) == current(target)

    @pytest.mark.parametrize("as_json", [True, False])
    @pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
    def test_a_rotation_that_has_begun_ends_without_its_output(
        self,
        target: Target,
        zego: Zego,
        a_file: AFile,
        monkeypatch: pytest.MonkeyPatch,
        as_json: bool,
        number: int,
    ) -> None:
        zego.accepted.add(NEW)
        monkeypatch.setattr("sys.stdout", Broken(number))
        out = Output(as_json=as_json)
        assert change.rotate(target, out, SecretInput(a_file(NEW)), SOON) is ExitCode.DONE
        assert current(target) == fingerprint(NEW)

    def test_staged_rotates_to_the_staged_value(
        self, aws: SecretsManager, target: Target, out: Output, zego: Zego
    ) -> None:
        zego.accepted.add(NEW)
        stored(aws, NEW)
        assert change.rotate(target, out, None, SOON) is ExitCode.DONE
        assert current(target) == fingerprint(NEW)

    def test_without_anything_staged_nothing_begins(self, target: Target, out: Output) -> None:
        with pytest.raises(CommandError, match="Nothing is staged under CANDIDATE"):
            change.rotate(target, out, None, SOON)
        assert target.versions.describe().in_flight is None

    def test_without_a_verdict_it_is_retried_and_then_left_undecided(
        self, target: Target, out: Output, said: Said, zego: Zego, a_file: AFile
    ) -> None:
        zego.busy = True
        patience = WaitOptions(rotation=0.5, interval=0.01)
        assert change.rotate(target, out, SecretInput(a_file(NEW)), patience) is ExitCode.UNDECIDED
        events = said()
        assert max(event.get("attempt", 0) for event in events) > 1
        assert events[-1]["outcome"] == "unproven"
        for way_on in ("secret watch --local", "secret unstick --local"):
            assert way_on in events[-1]["remedy"]

    def test_a_reset_right_after_the_promotion_is_reported(
        self,
        target: Target,
        out: Output,
        said: Said,
        zego: Zego,
        a_file: AFile,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        zego.accepted.add(NEW)
        follow = render.follow

        def follow_and_reset(*given: Any) -> Any:
            end = follow(*given)
            zego.accepted.clear()
            return end

        monkeypatch.setattr(render, "follow", follow_and_reset)
        assert change.rotate(target, out, SecretInput(a_file(NEW)), SOON) is ExitCode.REFUSED
        assert said()[-1]["verdict"]["outcome"] == "rejected"

    @pytest.mark.parametrize("outcome", [None, "done", "unproven"])
    def test_an_end_without_a_noted_refusal_names_no_reason(
        self,
        target: Target,
        zego: Zego,
        a_file: AFile,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        outcome: str | None,
    ) -> None:
        zego.accepted.add(NEW)
        end = RotationEvent("refused", 1, 2.0, "setSecret", outcome)
        monkeypatch.setattr(render, "follow", lambda *_given: end)
        code = change.rotate(target, Output(as_json=False), SecretInput(a_file(NEW)), SOON)
        assert code is ExitCode.REFUSED
        assert capsys.readouterr().out.splitlines()[-1] == (
            "Refused. It ended without a promotion, and the rotator noted no reason."
            " Check the rotator's log. AWSCURRENT is unchanged."
        )

    @pytest.mark.parametrize(
        "error", [KeyboardInterrupt(), SecretStoreError("x", "ExpiredToken", "describe_secret")]
    )
    def test_if_following_stops_the_remedies_are_shown(
        self,
        aws: SecretsManager,
        target: Target,
        zego: Zego,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        error: BaseException,
    ) -> None:
        zego.busy = True
        stored(aws, NEW)

        def interrupt(*_given: Any) -> None:
            raise error

        monkeypatch.setattr(render, "follow", interrupt)
        with pytest.raises(type(error)):
            change.rotate(target, Output(as_json=False), None, SOON)
        assert capsys.readouterr().out.splitlines()[-4:] == [
            "The rotation continues. To follow it:",
            "  zego-token secret watch --local",
            "To give it up:",
            "  zego-token secret unstick --local",
        ]
        assert target.versions.describe().in_flight is not None

    def test_the_time_when_all_issuers_use_it_is_shown(
        self, target: Target, zego: Zego, a_file: AFile, capsys: pytest.CaptureFixture[str]
    ) -> None:
        zego.accepted.add(NEW)
        change.rotate(
            target, Output(as_json=False), SecretInput(a_file(NEW)), WaitOptions(10, 30, 0.01)
        )
        printed = capsys.readouterr().out
        assert f"AWSCURRENT is {fingerprint(NEW)}. Checked from here: ZEGO accepts it." in printed
        assert "(within 30 s, their SECRET_TTL_SECONDS)" in printed
        assert NEW not in printed


def test_without_a_rotation_function_there_is_no_prompt(target: Target, out: Output) -> None:
    with pytest.raises(CommandError, match="No function rotates") as caught:
        change.rotate(target, out, SecretInput("/nowhere"), SOON)
    assert caught.value.failure.exit_code is ExitCode.AWS
    with pytest.raises(CommandError, match="No function rotates"):
        change.restore(target, out, SOON, no)


@pytest.mark.usefixtures("driver")
class TestRestoring:
    @pytest.fixture
    def first(self, aws: SecretsManager, target: Target, zego: Zego) -> str:
        """The value that was current before NEW."""
        zego.accepted.add(NEW)
        stored(aws, NEW)
        change.rotate(target, Output(as_json=True), None, SOON)
        return aws.server_secret

    def test_the_previous_value_becomes_current(
        self, target: Target, out: Output, said: Said, first: str
    ) -> None:
        said()
        assert change.restore(target, out, SOON, yes) is ExitCode.DONE
        event = said()[0]
        assert (event["current_fingerprint"], event["fingerprint"]) == (
            fingerprint(NEW),
            fingerprint(first),
        )
        assert current(target) == fingerprint(first)

    def test_the_staged_value_stays_staged(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, zego: Zego, first: str
    ) -> None:
        zego.accepted.add(OTHER)
        staged = stored(aws, OTHER)
        said()
        assert change.restore(target, out, SOON, yes) is ExitCode.DONE
        assert "displaced" not in said()[0]
        assert current(target) == fingerprint(first)
        assert target.versions.describe().labels["CANDIDATE"] == staged

    def test_if_current_changes_during_the_question_it_is_refused(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, first: str
    ) -> None:
        def think(_question: str) -> None:
            stored(aws, OTHER, label="AWSCURRENT")

        before = target.versions.describe().labels
        assert change.restore(target, out, SOON, think) is ExitCode.REFUSED
        result = said()[-1]
        assert result["outcome"] == "outdated"
        token = CopyToken.read(result["version_id"])
        assert token is not None
        assert token.copies(before["AWSPREVIOUS"])
        assert token.replaces(before["AWSCURRENT"])
        assert current(target) == fingerprint(OTHER)

    def test_a_previous_value_marked_as_compromised_is_refused(
        self, target: Target, out: Output, first: str
    ) -> None:
        target.versions.note(COMPROMISED_TAG, fingerprint(first))
        with pytest.raises(CommandError, match="marked as compromised") as caught:
            change.restore(target, out, SOON, yes)
        assert f"AWSPREVIOUS is {fingerprint(first)}." in caught.value.failure.message
        assert target.versions.describe().in_flight is None

    def test_nothing_begins_before_the_user_agrees(
        self, target: Target, out: Output, first: str
    ) -> None:
        with pytest.raises(CommandError, match="Nothing was changed"):
            change.restore(target, out, SOON, no)
        assert target.versions.describe().in_flight is None
        assert current(target) == fingerprint(NEW)

    def test_to_a_rejected_value_no_rotation_starts(
        self, target: Target, out: Output, first: str, zego: Zego
    ) -> None:
        zego.accepted.remove(first)
        with pytest.raises(CommandError, match=r"AWSPREVIOUS is .*, and ZEGO rejects it"):
            change.restore(target, out, SOON, yes)
        assert target.versions.describe().in_flight is None

    def test_without_a_previous_value_it_is_refused(self, target: Target, out: Output) -> None:
        with pytest.raises(CommandError, match="no AWSPREVIOUS"):
            change.restore(target, out, SOON, yes)

    def test_the_current_value_is_not_restored(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, aws.server_secret, label="AWSCURRENT")
        with pytest.raises(CommandError, match="the same value as AWSCURRENT"):
            change.restore(target, out, SOON, yes)

    def test_a_placeholder_is_not_restored(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, "REPLACE-ME", label="AWSCURRENT")
        stored(aws, NEW, label="AWSCURRENT")
        with pytest.raises(CommandError, match=r"cannot be restored: .* placeholder"):
            change.restore(target, out, SOON, yes)

    def test_a_value_for_another_app_id_is_not_restored(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, NEW, label="AWSCURRENT", app_id=8)
        with pytest.raises(CommandError, match="another AppID"):
            change.restore(target, out, SOON, yes)


@pytest.mark.usefixtures("driver")
class TestCompromised:
    """`rotate --compromised`."""

    def test_the_current_value_is_marked_before_the_rotation_and_never_comes_back(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        said: Said,
        zego: Zego,
        a_file: AFile,
    ) -> None:
        zego.accepted.add(NEW)
        old = fingerprint(aws.server_secret)
        assert rotate_compromised(target, out, SecretInput(a_file(NEW))) is ExitCode.DONE
        events = said()
        assert [event["event"] for event in events[:3]] == ["staged", "compromised", "started"]
        assert events[1]["fingerprint"] == old
        assert marked(target) == (old,)
        with pytest.raises(CommandError, match="marked as compromised"):
            change.restore(target, out, SOON, yes)
        with pytest.raises(CommandError, match="marked as compromised"):
            change.rotate(target, out, SecretInput(a_file(aws.server_secret)), SOON)
        stored(aws, aws.server_secret)
        with pytest.raises(CommandError, match="marked as compromised"):
            change.rotate(target, out, None, SOON)
        assert current(target) == fingerprint(NEW)

    @pytest.mark.parametrize("is_staged", [True, False])
    def test_repeating_the_command_does_not_mark_the_new_value(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        zego: Zego,
        a_file: AFile,
        is_staged: bool,
    ) -> None:
        zego.accepted.add(NEW)
        rotate_compromised(target, out, SecretInput(a_file(NEW)))
        if is_staged:
            stored(aws, NEW)
            with pytest.raises(CommandError, match="already the current"):
                rotate_compromised(target, out, None)
        else:
            with pytest.raises(AlreadyCurrentError):
                rotate_compromised(target, out, SecretInput(a_file(NEW)))
        assert marked(target) == (fingerprint(aws.server_secret),)

    @pytest.mark.parametrize("given", [SecretInput("/nowhere"), None])
    def test_a_value_that_was_not_staged_marks_nothing(
        self, target: Target, out: Output, given: SecretInput | None
    ) -> None:
        with pytest.raises(CommandError):
            rotate_compromised(target, out, given)
        assert marked(target) == ()

    def test_earlier_marks_stay(
        self, aws: SecretsManager, target: Target, out: Output, zego: Zego, a_file: AFile
    ) -> None:
        zego.accepted |= {NEW, OTHER}
        rotate_compromised(target, out, SecretInput(a_file(NEW)))
        rotate_compromised(target, out, SecretInput(a_file(OTHER)))
        assert marked(target) == (fingerprint(NEW), fingerprint(aws.server_secret))

    def test_without_a_current_secret_there_is_nothing_to_mark(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        aws.put(PLACEHOLDER)
        with pytest.raises(CommandError, match="AWSCURRENT is not a ServerSecret") as caught:
            rotate_compromised(target, out, SecretInput("/nowhere"))
        assert caught.value.failure.remedy == "Rotate without --compromised."
        assert marked(target) == ()

    def test_if_it_cannot_be_marked_nothing_is_rotated(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        zego: Zego,
        a_file: AFile,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        zego.accepted.add(NEW)
        monkeypatch.setattr(SecretVersions, "note", refuse("tag_resource"))
        with pytest.raises(SecretStoreError) as caught:
            rotate_compromised(target, out, SecretInput(a_file(NEW)))
        assert caught.value.action == "tag_resource"
        assert target.versions.describe().in_flight is None
        assert current(target) == fingerprint(aws.server_secret)


@pytest.mark.usefixtures("driver")
class TestRotationTurnedOff:
    @pytest.fixture(autouse=True)
    def _off(self, aws: SecretsManager, driver: RotationDriver) -> None:
        aws.call("CancelRotateSecret", SecretId=SECRET_ID)

    def test_a_rotation_that_turns_it_on_again_reports_it(
        self, target: Target, zego: Zego, a_file: AFile, capsys: pytest.CaptureFixture[str]
    ) -> None:
        zego.accepted |= {NEW, OTHER}
        change.rotate(target, Output(as_json=False), SecretInput(a_file(NEW)), SOON)
        assert (
            "Automatic rotation was off (CancelRotateSecret). This rotation turned it on again.\n"
        ) in capsys.readouterr().out
        assert not target.versions.describe().is_rotation_off
        change.rotate(target, Output(as_json=False), SecretInput(a_file(OTHER)), SOON)
        assert "turned it on" not in capsys.readouterr().out

    def test_json_has_an_event(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, zego: Zego
    ) -> None:
        zego.accepted.add(NEW)
        stored(aws, NEW)
        change.rotate(target, out, None, SOON)
        assert [event["event"] for event in said()[:2]] == ["started", "turned-on"]

    def test_a_command_that_starts_no_rotation_leaves_it_off(
        self, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        with pytest.raises(CommandError, match="No rotation was started"):
            change.rotate(target, out, SecretInput(a_file(NEW)), SOON)
        assert [event["event"] for event in said()] == ["staged"]
        assert target.versions.describe().is_rotation_off


@pytest.mark.usefixtures("driver")
class TestCtrlC:
    """Before a change, it reports that nothing was changed."""

    @pytest.fixture
    def agreed(self, aws: SecretsManager) -> None:
        """There is a value to rotate to, and one to restore."""
        stored(aws, NEW, label="AWSCURRENT")
        stored(aws, OTHER)

    @pytest.mark.parametrize("asked", ["describe", "read"])
    @pytest.mark.parametrize(
        ("command", "words"),
        [
            (lambda target, out: change.stage(target, out, SecretInput("/nowhere")), "staged"),
            (
                lambda target, out: change.rotate(target, out, SecretInput("/nowhere"), SOON),
                "staged",
            ),
            (lambda target, out: change.rotate(target, out, None, SOON), "rotated"),
            (lambda target, out: change.restore(target, out, SOON, yes), "rotated"),
        ],
        ids=["stage", "rotate", "rotate --staged", "restore"],
    )
    @pytest.mark.usefixtures("agreed")
    def test_during_a_read_it_reports_that_nothing_was_done(
        self,
        target: Target,
        out: Output,
        command: Callable[[Target, Output], object],
        words: str,
        asked: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(SecretVersions, asked, interrupted(KeyboardInterrupt))
        assert interruption(lambda: command(target, out)) == (f"Nothing was {words}.", "")

    @pytest.mark.parametrize("error", [KeyboardInterrupt, EOFError])
    def test_at_the_prompt_it_reports_that_nothing_was_staged(
        self,
        target: Target,
        out: Output,
        error: type[BaseException],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("ops.secret.value.read", interrupted(error))
        message = ("Nothing was staged.", "")
        assert interruption(lambda: change.stage(target, out, SecretInput())) == message
        assert interruption(lambda: change.rotate(target, out, SecretInput(), SOON)) == message

    @pytest.mark.usefixtures("agreed")
    def test_at_a_question_it_reports_that_nothing_was_rotated(
        self, target: Target, out: Output, zego: Zego
    ) -> None:
        zego.accepted.add(NEW)
        ask = interrupted(click.Abort)
        found = interruption(lambda: change.restore(target, out, SOON, ask))
        assert found == ("Nothing was rotated.", "")

    @pytest.mark.usefixtures("agreed")
    def test_during_a_change_it_reports_that_it_may_be_done(
        self,
        target: Target,
        out: Output,
        a_file: AFile,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        see = "Check the status: zego-token secret status."
        monkeypatch.setattr(SecretVersions, "stage", interrupted(KeyboardInterrupt))
        found = interruption(lambda: change.stage(target, out, SecretInput(a_file(THIRD))))
        assert found == ("The value may have been staged.", see)
        monkeypatch.setattr(SecretVersions, "start_rotation", interrupted(KeyboardInterrupt))
        found = interruption(lambda: change.rotate(target, out, None, SOON))
        assert found == ("The rotation may have started.", see)

    @pytest.mark.parametrize("is_terminal", [True, False])
    def test_only_a_terminal_gets_a_line_end_before_it(
        self,
        target: Target,
        out: Output,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        is_terminal: bool,
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: is_terminal, raising=False)
        monkeypatch.setattr(SecretVersions, "describe", interrupted(KeyboardInterrupt))
        interruption(lambda: change.stage(target, out, SecretInput()))
        assert capsys.readouterr().err == "\n" * is_terminal
