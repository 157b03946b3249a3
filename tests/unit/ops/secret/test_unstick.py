"""Giving a rotation up, also while a step still runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import click
import pytest

from local.aws.secrets_manager import SECRET_ID, SecretsManager
from local.loopback import HttpRequest, HttpResponse
from ops.errors import CommandError, ExitCode
from ops.output import Output
from ops.secret.unstick import unstick
from ops.target import Target
from tests.support.in_process import client_of
from tests.unit.ops.fakes import stored
from zego.rotation import Step
from zego.secret_store.notes import (
    GIVEN_UP_TAG,
    IN_FLIGHT_TAG,
    ROTATION_TAG,
    InFlightNote,
    RotationNote,
    given_up,
)
from zego.secret_store.versions import SecretStoreError, SecretVersions

NEW = "0123456789abcdef" * 2
CHECKS = 4

Said = Callable[[], list[dict[str, Any]]]


class Checks:
    """Replaces `sleep`: one second passes before each check.

    :param meanwhile: by the number of the check, from 1, what happens right before it.
    :ivar seconds: that passed.
    """

    def __init__(self, meanwhile: Mapping[int, Callable[[], object]] | None = None) -> None:
        self.seconds = 0.0
        self._meanwhile = meanwhile or {}

    def __call__(self, seconds: float) -> None:
        self.seconds += seconds
        self._meanwhile.get(round(self.seconds), lambda: None)()


@pytest.fixture
def token(aws: SecretsManager) -> str:
    """The token of a rotation that does not end."""
    return stored(aws, NEW, label="AWSPENDING")


def yes(_question: str) -> None:
    """The user agrees."""


def no(_question: str) -> None:
    raise CommandError("Nothing was changed.")


def ended(
    target: Target, out: Output, meanwhile: Mapping[int, Callable[[], object]] | None = None
) -> ExitCode:
    return unstick(target, out, yes, checks=CHECKS, sleep=Checks(meanwhile))


def note(target: Target, token: str, outcome: str, step: Step = "testSecret") -> None:
    target.versions.note(ROTATION_TAG, RotationNote(token, step, outcome, 1_700_000_000).to_tag())


def refuse(action: str) -> Callable[..., None]:
    """A method of the secret that AWS denies."""

    def method(*_given: object, **_named: object) -> None:
        raise SecretStoreError("x", "AccessDeniedException", action)

    return method


def interrupt(*_given: object) -> None:
    raise KeyboardInterrupt


def test_only_the_pending_label_is_removed(
    aws: SecretsManager, target: Target, out: Output, said: Said, token: str
) -> None:
    stored(aws, secrets.token_hex(16))
    before = dict(target.versions.describe().labels)
    assert ended(target, out) is ExitCode.DONE
    assert [event["event"] for event in said()] == ["in-flight", "given-up"]
    assert target.versions.describe().labels == {
        label: version for label, version in before.items() if version != token
    }


def test_it_notes_the_rotation_and_keeps_earlier_notes(
    target: Target, out: Output, token: str
) -> None:
    target.versions.note(GIVEN_UP_TAG, "e" * 36)
    ended(target, out)
    assert given_up(target.versions.describe().tags) == (token, "e" * 36)


def test_without_a_rotation_there_is_nothing_to_do(target: Target, out: Output, said: Said) -> None:
    assert unstick(target, out, no) is ExitCode.DONE
    assert said() == [{"event": "idle"}]


class TestFirstScreen:
    def test_the_last_step_is_shown(
        self, target: Target, token: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        note(target, token, "unproven")
        with pytest.raises(CommandError):
            unstick(target, Output(as_json=False), no)
        printed = capsys.readouterr().out
        assert "Rotation: in flight for " in printed
        assert "Last step: testSecret, " in printed
        assert " ago. ZEGO gave no verdict" in printed
        assert target.versions.describe().in_flight == token

    @pytest.mark.parametrize("is_noted", [True, False])
    def test_the_age_is_shown_without_the_permission_to_read_values(
        self,
        target: Target,
        out: Output,
        said: Said,
        token: str,
        monkeypatch: pytest.MonkeyPatch,
        is_noted: bool,
    ) -> None:
        if is_noted:
            target.versions.note(IN_FLIGHT_TAG, InFlightNote(token, 1_700_000_000).to_tag())
        monkeypatch.setattr(SecretVersions, "read", refuse("get_secret_value"))
        assert ended(target, out) is ExitCode.DONE
        assert said()[0]["began_at"] == ("2023-11-14T22:13:20+00:00" if is_noted else None)
        assert target.versions.describe().in_flight is None


class TestResult:
    def test_if_nothing_happens_it_is_given_up_after_the_last_check(
        self, target: Target, token: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        checks = Checks()
        out = Output(as_json=False)
        assert unstick(target, out, yes, sleep=checks) is ExitCode.DONE
        assert checks.seconds == 20
        assert capsys.readouterr().out.splitlines()[-3:] == [
            "AWSPENDING is removed. Checking for 20 s whether a running step promotes it.",
            "Given up, and not promoted. To rotate to the staged value:",
            "  zego-token secret rotate --staged --local",
        ]

    @pytest.mark.parametrize("check", [1, CHECKS])
    def test_a_step_that_promotes_it_meanwhile_is_reported(
        self,
        target: Target,
        token: str,
        capsys: pytest.CaptureFixture[str],
        check: int,
    ) -> None:
        replaced = target.versions.describe().labels["AWSCURRENT"]

        def promote() -> None:
            target.versions.promote(token, replacing=replaced)

        assert ended(target, Output(as_json=False), {check: promote}) is ExitCode.REFUSED
        last = "\n".join(capsys.readouterr().out.splitlines()[-2:])
        assert last == (
            "A step that was still running has promoted it: it is AWSCURRENT now. Check the"
            " status:\n  zego-token secret status --local"
        )

    @pytest.mark.parametrize("check", [1, CHECKS])
    def test_a_step_that_refuses_it_meanwhile_is_reported(
        self, target: Target, out: Output, said: Said, token: str, check: int
    ) -> None:
        meanwhile = {check: lambda: note(target, token, "rejected")}
        assert ended(target, out, meanwhile) is ExitCode.DONE
        assert said()[-1]["event"] == "ended"

    def test_a_refusal_has_a_reason(
        self, target: Target, token: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ended(target, Output(as_json=False), {1: lambda: note(target, token, "rejected")})
        last = capsys.readouterr().out.splitlines()[-1]
        assert last == "It has just been refused. ZEGO rejects the candidate."

    @pytest.mark.parametrize(
        ("outcome", "of"),
        [("given-up", None), ("not-pending", None), ("rejected", "f" * 36), ("done", None)],
        ids=["it met the note", "it did not", "of another rotation", "of a step that is done"],
    )
    def test_another_note_of_a_late_step_is_not_a_refusal(
        self, target: Target, out: Output, said: Said, token: str, outcome: str, of: str | None
    ) -> None:
        ended(target, out, {1: lambda: note(target, of or token, outcome)})
        assert said()[-1]["event"] == "given-up"

    def test_an_earlier_refusal_is_not_reported(
        self, target: Target, out: Output, said: Said, token: str
    ) -> None:
        note(target, token, "rejected")  # but the rotator could not remove AWSPENDING
        ended(target, out)
        assert said()[-1]["event"] == "given-up"

    def test_a_failed_check_is_retried(
        self,
        target: Target,
        out: Output,
        said: Said,
        token: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail_once() -> None:
            monkeypatch.setattr(SecretVersions, "describe", refuse("describe_secret"))

        assert ended(target, out, {1: fail_once, 2: monkeypatch.undo}) is ExitCode.DONE
        assert said()[-1]["event"] == "given-up"

    def test_if_the_last_check_fails_it_reports_that_awspending_is_removed(
        self,
        target: Target,
        out: Output,
        said: Said,
        token: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail() -> None:
            monkeypatch.setattr(SecretVersions, "describe", refuse("describe_secret"))

        with pytest.raises(SecretStoreError):
            ended(target, out, {CHECKS: fail})
        assert said()[-1] == {"event": "left", "version_id": token}


class LosesAResponse:
    """A Secrets Manager whose first response about labels does not arrive."""

    def __init__(self, aws: SecretsManager) -> None:
        self._aws = aws
        self.calls = 0

    def answer(self, request: HttpRequest) -> HttpResponse:
        response = self._aws.answer(request)
        action = dict(request.headers).get("X-Amz-Target", "")
        if action.endswith("UpdateSecretVersionStage"):
            self.calls += 1
            if self.calls == 1:
                return HttpResponse(500, (), b"{}")
        return response


def test_a_lost_first_response_is_not_taken_for_an_end(
    aws: SecretsManager, target: Target, out: Output, said: Said, token: str
) -> None:
    between = LosesAResponse(aws)
    client = client_of("secretsmanager", between, attempts=2)
    assert ended(replace(target, versions=SecretVersions(client, SECRET_ID)), out) is ExitCode.DONE
    assert between.calls == 2
    assert said()[-1]["event"] == "given-up"
    assert target.versions.describe().in_flight is None


def test_a_promotion_during_the_question_is_reported(
    target: Target, out: Output, said: Said, token: str
) -> None:
    replaced = target.versions.describe().labels["AWSCURRENT"]

    def it_ends(_question: str) -> None:
        target.versions.promote(token, replacing=replaced)
        target.versions.drop_label("AWSPENDING", version_id=token)

    assert unstick(target, out, it_ends, checks=1, sleep=Checks()) is ExitCode.REFUSED
    assert said()[-1]["event"] == "ended"


def test_it_is_given_up_without_the_permission_to_write_notes(
    target: Target, out: Output, said: Said, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SecretVersions, "note", refuse("tag_resource"))
    assert ended(target, out) is ExitCode.DONE
    assert said()[-1]["event"] == "given-up"
    assert target.versions.describe().in_flight is None


class TestCtrlC:
    def test_during_the_checks_it_reports_that_awspending_is_removed(
        self, target: Target, token: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            ended(target, Output(as_json=False), {2: interrupt})
        assert capsys.readouterr().out.splitlines()[-2:] == [
            (
                "AWSPENDING is removed. A running step may still promote the version. Check the"
                " status:"
            ),
            "  zego-token secret status --local",
        ]
        assert target.versions.describe().in_flight is None

    def test_json_has_the_event_left(
        self, target: Target, out: Output, said: Said, token: str
    ) -> None:
        with pytest.raises(KeyboardInterrupt):
            ended(target, out, {1: interrupt})
        assert said()[-1] == {"event": "left", "version_id": token}

    def test_before_the_change_it_reports_that_nothing_was_changed(
        self, target: Target, out: Output, token: str
    ) -> None:
        def ask(_question: str) -> None:
            raise click.Abort

        with pytest.raises(CommandError, match=r"^Nothing was changed\.$") as caught:
            unstick(target, out, ask)
        assert caught.value.failure.exit_code is ExitCode.INTERRUPTED
        assert target.versions.describe().in_flight == token

    def test_during_the_change_it_reports_that_it_may_be_done(
        self, target: Target, out: Output, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SecretVersions, "drop_label", lambda *_a, **_n: interrupt())
        with pytest.raises(CommandError, match="may have been given up") as caught:
            ended(target, out)
        assert caught.value.failure.exit_code is ExitCode.INTERRUPTED


def test_a_promotion_that_only_the_last_check_shows_is_reported(
    target: Target, out: Output, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = target.versions.describe()
    target.versions.promote(token, replacing=before.labels["AWSCURRENT"])
    reads = iter([*[before] * CHECKS, target.versions.describe()])
    monkeypatch.setattr(SecretVersions, "describe", lambda _versions: next(reads))
    assert ended(target, out) is ExitCode.REFUSED
