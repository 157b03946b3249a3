"""Staging, rotating, restoring and giving up, on a Secrets Manager with its rules and rotations.

The rotator's steps are the real ones; ZEGO says what the test wants.
"""

from __future__ import annotations

import errno
import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from local.rotation import RotationDriver
from local.secrets_manager import APP_ID, SecretsManager
from ops.exit_codes import ExitCode
from ops.failures import CommandError
from ops.output import Output
from ops.secret import change, screen
from ops.secret.options import Given, Patience
from ops.targets import Target
from rotator.steps import Rotation
from tests.unit.ops.doubles import Broken, Zego, stored
from zego.rotation import STEPS
from zego.secret_store.notes import ROTATION_TAG, RotationNote
from zego.secret_store.versions import (
    AlreadyCurrentError,
    ConflictError,
    RotationInFlightError,
    SecretStoreError,
    SecretVersions,
)
from zego.server_secret import ServerSecret, ServerSecretError

NEW = "0123456789abcdef" * 2
OTHER = "fedcba9876543210" * 2
SOON = Patience(end=10, look=0.01)

Said = Callable[[], list[dict[str, Any]]]
AFile = Callable[[str], str]


@dataclass(frozen=True)
class Invocation:
    """What the driver sees of a step."""

    function_error: str | None


@pytest.fixture
def driver(aws: SecretsManager, target: Target, zego: Zego) -> Iterator[RotationDriver]:
    """Rotates, and notes each step as the rotator does."""
    rotation = Rotation(target.versions, zego)  # type: ignore[arg-type]  # asked by probe alone

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


def fingerprint(value: str) -> str:
    return ServerSecret(APP_ID, value).fingerprint


def current(target: Target) -> str | None:
    version = target.versions.version(target.versions.describe(), "AWSCURRENT")
    return None if version is None else version.fingerprint


def yes(_question: str) -> None:
    """The person agrees."""


def no(_question: str) -> None:
    raise CommandError("Nothing was changed.")


class TestStaging:
    def test_a_value_is_stored_under_candidate_and_judged(
        self, target: Target, out: Output, said: Said, zego: Zego, a_file: AFile
    ) -> None:
        zego.accepted.add(NEW)
        change.stage(target, out, Given(a_file(f"{NEW}\n")))
        (event,) = said()
        assert (event["event"], event["fingerprint"]) == ("staged", fingerprint(NEW))
        assert event["verdict"]["outcome"] == "accepted"
        assert target.versions.describe().labels["CANDIDATE"] == event["version_id"]

    def test_one_that_zego_rejects_is_staged_all_the_same(
        self, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        change.stage(target, out, Given(a_file(NEW)))
        assert said()[0]["verdict"]["outcome"] == "rejected"
        assert "CANDIDATE" in target.versions.describe().labels

    @pytest.mark.parametrize(
        ("busy", "exit_code"), [(False, ExitCode.REFUSED), (True, ExitCode.UNDECIDED)]
    )
    def test_unless_it_has_to_be_accepted(
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
            change.stage(target, out, Given(a_file(NEW), require_accepted=True))
        assert caught.value.failure.exit_code is exit_code
        assert "CANDIDATE" not in target.versions.describe().labels

    def test_one_for_another_app_id_is_refused(
        self, target: Target, out: Output, a_file: AFile
    ) -> None:
        with pytest.raises(CommandError, match="another AppID"):
            change.stage(target, out, Given(a_file(NEW), app_id=8))

    def test_the_current_one_is_refused(
        self, aws: SecretsManager, target: Target, out: Output, a_file: AFile
    ) -> None:
        with pytest.raises(AlreadyCurrentError):
            change.stage(target, out, Given(a_file(aws.server_secret)))

    def test_a_placeholder_gives_way_to_the_app_id_that_is_said(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        aws.put('{"app_id": 0, "server_secret": "REPLACE-ME"}')
        with pytest.raises(CommandError, match="For which AppID"):
            change.stage(target, out, Given(a_file(NEW)))
        change.stage(target, out, Given(a_file(NEW), app_id=8))
        assert said()[0]["app_id"] == 8

    def test_while_a_rotation_is_in_flight_nobody_is_asked_for_a_value(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, NEW, label="AWSPENDING")
        with pytest.raises(RotationInFlightError):
            change.stage(target, out, Given("/nowhere"))

    @pytest.mark.parametrize("error", [KeyboardInterrupt, EOFError])
    def test_who_gives_up_typing_is_told_that_nothing_was_staged(
        self,
        target: Target,
        out: Output,
        error: type[BaseException],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def leave(*_given: object) -> None:
            raise error

        monkeypatch.setattr("ops.secret.value.read", leave)
        with pytest.raises(CommandError, match="Nothing was staged") as caught:
            change.stage(target, out, Given())
        assert caught.value.failure.exit_code is ExitCode.INTERRUPTED

    def test_a_value_of_a_wrong_shape_is_not_stored(
        self, target: Target, out: Output, a_file: AFile
    ) -> None:
        with pytest.raises(ServerSecretError, match="AppSign"):
            change.stage(target, out, Given(a_file(NEW * 2)))

    def test_an_unusual_value_is_remarked_upon(
        self, target: Target, a_file: AFile, capsys: pytest.CaptureFixture[str]
    ) -> None:
        change.stage(target, Output(as_json=False), Given(a_file(NEW.upper())))
        assert "not 32 lower-case hex digits" in capsys.readouterr().out


@pytest.mark.usefixtures("driver")
class TestRotating:
    def test_a_value_that_zego_accepts_is_promoted(
        self, target: Target, out: Output, said: Said, zego: Zego, a_file: AFile
    ) -> None:
        zego.accepted.add(NEW)
        assert change.rotate(target, out, Given(a_file(NEW)), SOON) is ExitCode.DONE
        events = said()
        assert [event["step"] for event in events if event["event"] == "step-done"] == [*STEPS]
        assert [event["event"] for event in events[:2]] == ["staged", "started"]
        result = events[-1]
        assert (result["event"], result["result"]) == ("result", "promoted")
        assert result["fingerprint"] == fingerprint(NEW) == current(target)
        assert result["verdict"]["outcome"] == "accepted"
        assert (result["issuer_ttl_seconds"], result["exit_code"]) == (60, 0)

    def test_one_that_zego_rejects_is_refused_with_the_reason(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        change.stage(target, out, Given(a_file(NEW)))
        assert change.rotate(target, out, None, SOON) is ExitCode.REFUSED
        result = said()[-1]
        assert (result["result"], result["outcome"]) == ("refused", "rejected")
        assert "ZEGO rejects the candidate" in result["meaning"]
        assert current(target) == fingerprint(aws.server_secret)

    def test_for_one_that_zego_rejects_right_away_no_rotation_is_started(
        self, target: Target, out: Output, said: Said, a_file: AFile
    ) -> None:
        with pytest.raises(CommandError, match="No rotation was started") as caught:
            change.rotate(target, out, Given(a_file(NEW)), SOON)
        assert "It stays staged." in caught.value.failure.remedy
        assert [event["event"] for event in said()] == ["staged"]
        assert target.versions.describe().labels.keys() == {"AWSCURRENT", "CANDIDATE"}

    @pytest.mark.parametrize("is_staged_before", [True, False])
    def test_that_another_value_was_promoted_is_no_success(
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

        def stage_another_and_start(versions: SecretVersions) -> str:
            stored(aws, OTHER)
            return start(versions)

        zego.accepted |= {NEW, OTHER}
        if is_staged_before:
            stored(aws, NEW)
        monkeypatch.setattr(SecretVersions, "start_rotation", stage_another_and_start)
        given = None if is_staged_before else Given(a_file(NEW))
        assert change.rotate(target, out, given, SOON) is ExitCode.REFUSED
        result = said()[-1]
        assert (result["result"], result["exit_code"]) == ("promoted", 1)
        assert result["expected_fingerprint"] == fingerprint(NEW)
        assert result["fingerprint"] == fingerprint(OTHER) == current(target)

    @pytest.mark.parametrize("as_json", [True, False])
    @pytest.mark.parametrize("number", [errno.EPIPE, errno.ENOSPC, errno.EIO])
    def test_one_that_has_begun_ends_though_nobody_hears_it(
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
        assert change.rotate(target, out, Given(a_file(NEW)), SOON) is ExitCode.DONE
        assert current(target) == fingerprint(NEW)

    def test_what_is_staged_is_rotated_to(
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

    def test_while_zego_cannot_say_it_is_tried_again_and_then_left_undecided(
        self, target: Target, out: Output, said: Said, zego: Zego, a_file: AFile
    ) -> None:
        zego.busy = True
        patience = Patience(end=0.5, look=0.01)
        assert change.rotate(target, out, Given(a_file(NEW)), patience) is ExitCode.UNDECIDED
        events = said()
        assert max(event.get("attempt", 0) for event in events) > 1
        assert events[-1]["outcome"] == "unproven"
        for way_on in ("secret watch --local", "secret unstick --local"):
            assert way_on in events[-1]["remedy"]

    def test_a_reset_right_after_the_promotion_is_told(
        self,
        target: Target,
        out: Output,
        said: Said,
        zego: Zego,
        a_file: AFile,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        zego.accepted.add(NEW)
        follow = screen.follow

        def follow_and_reset(*given: Any) -> Any:
            end = follow(*given)
            zego.accepted.clear()
            return end

        monkeypatch.setattr(screen, "follow", follow_and_reset)
        assert change.rotate(target, out, Given(a_file(NEW)), SOON) is ExitCode.REFUSED
        assert said()[-1]["verdict"]["outcome"] == "rejected"

    @pytest.mark.parametrize(
        "error", [KeyboardInterrupt(), SecretStoreError("x", "ExpiredToken", "describe_secret")]
    )
    def test_who_stops_following_is_told_that_it_goes_on_and_how_to(
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

        monkeypatch.setattr(screen, "follow", interrupt)
        with pytest.raises(type(error)):
            change.rotate(target, Output(as_json=False), None, SOON)
        assert capsys.readouterr().out.splitlines()[-4:] == [
            "The rotation goes on. Follow it:",
            "  zego-token secret watch --local",
            "Give it up:",
            "  zego-token secret unstick --local",
        ]
        assert target.versions.describe().in_flight is not None

    def test_a_person_is_told_until_when_all_issuers_have_it(
        self, target: Target, zego: Zego, a_file: AFile, capsys: pytest.CaptureFixture[str]
    ) -> None:
        zego.accepted.add(NEW)
        change.rotate(target, Output(as_json=False), Given(a_file(NEW)), Patience(10, 30, 0.01))
        printed = capsys.readouterr().out
        assert f"AWSCURRENT is {fingerprint(NEW)}. Asked from here: ZEGO accepts it." in printed
        assert "(at most 30 s, their SECRET_TTL_SECONDS)" in printed
        assert NEW not in printed


def test_without_a_function_that_rotates_nothing_is_asked_for(target: Target, out: Output) -> None:
    with pytest.raises(CommandError, match="No function rotates") as caught:
        change.rotate(target, out, Given("/nowhere"), SOON)
    assert caught.value.failure.exit_code is ExitCode.AWS
    with pytest.raises(CommandError, match="No function rotates"):
        change.restore(target, out, SOON, no)


@pytest.mark.usefixtures("driver")
class TestRestoring:
    @pytest.fixture
    def first(self, aws: SecretsManager, target: Target, zego: Zego) -> str:
        """What was current before NEW, which is."""
        zego.accepted.add(NEW)
        stored(aws, NEW)
        change.rotate(target, Output(as_json=True), None, SOON)
        return aws.server_secret

    def test_the_previous_one_becomes_current(
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

    def test_what_is_staged_and_makes_way_for_it_is_said_first(
        self, aws: SecretsManager, target: Target, first: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        version_id = stored(aws, OTHER)
        for as_json in (True, False):
            with pytest.raises(CommandError):
                change.restore(target, Output(as_json=as_json), SOON, no)
        in_json, in_words = capsys.readouterr().out.splitlines()[-2:]
        displaced = {"version_id": version_id, "fingerprint": fingerprint(OTHER)}
        assert json.loads(in_json)["displaced"] == displaced
        assert f"What is staged now, {fingerprint(OTHER)}, makes way for it." in in_words

    def test_the_same_value_staged_makes_no_way(
        self, aws: SecretsManager, target: Target, out: Output, said: Said, first: str
    ) -> None:
        stored(aws, first)
        said()
        change.restore(target, out, SOON, yes)
        assert said()[0]["displaced"] is None

    def test_another_value_that_was_promoted_is_no_success(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        zego: Zego,
        first: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        start = SecretVersions.start_rotation

        def stage_another_and_start(versions: SecretVersions) -> str:
            stored(aws, OTHER)
            return start(versions)

        zego.accepted.add(OTHER)
        monkeypatch.setattr(SecretVersions, "start_rotation", stage_another_and_start)
        assert change.restore(target, out, SOON, yes) is ExitCode.REFUSED

    def test_nothing_is_staged_where_current_moved_while_the_person_thought(
        self, aws: SecretsManager, target: Target, out: Output, first: str
    ) -> None:
        def think(_question: str) -> None:
            stored(aws, OTHER, label="AWSCURRENT")

        with pytest.raises(ConflictError):
            change.restore(target, out, SOON, think)
        assert "CANDIDATE" not in target.versions.describe().labels

    def test_nothing_is_staged_before_the_person_agrees(
        self, target: Target, out: Output, first: str
    ) -> None:
        with pytest.raises(CommandError, match="Nothing was changed"):
            change.restore(target, out, SOON, no)
        assert "CANDIDATE" not in target.versions.describe().labels
        assert current(target) != fingerprint(first)

    def test_one_that_zego_rejects_is_not_staged(
        self, target: Target, out: Output, first: str, zego: Zego
    ) -> None:
        zego.accepted.remove(first)
        with pytest.raises(CommandError, match=r"AWSPREVIOUS is .*, and ZEGO rejects it"):
            change.restore(target, out, SOON, yes)
        assert "CANDIDATE" not in target.versions.describe().labels

    def test_there_may_be_none(self, target: Target, out: Output) -> None:
        with pytest.raises(CommandError, match="no AWSPREVIOUS"):
            change.restore(target, out, SOON, yes)

    def test_the_same_value_is_nothing_to_go_back_to(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, aws.server_secret, label="AWSCURRENT")
        with pytest.raises(CommandError, match="the same value as AWSCURRENT"):
            change.restore(target, out, SOON, yes)

    def test_a_placeholder_is_nothing_to_go_back_to(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, "REPLACE-ME", label="AWSCURRENT")
        stored(aws, NEW, label="AWSCURRENT")
        with pytest.raises(CommandError, match=r"cannot be restored: .* placeholder"):
            change.restore(target, out, SOON, yes)

    def test_one_of_another_app_id_is_nothing_to_go_back_to(
        self, aws: SecretsManager, target: Target, out: Output
    ) -> None:
        stored(aws, NEW, label="AWSCURRENT", app_id=8)
        with pytest.raises(CommandError, match="another AppID"):
            change.restore(target, out, SOON, yes)


class TestGivingUp:
    def test_the_label_goes_and_nothing_else_changes(
        self, aws: SecretsManager, target: Target, out: Output, said: Said
    ) -> None:
        stored(aws, NEW)
        token = stored(aws, secrets.token_hex(16), label="AWSPENDING")
        before = dict(target.versions.describe().labels)
        change.unstick(target, out, yes)
        assert [event["event"] for event in said()] == ["in-flight", "given-up"]
        assert target.versions.describe().labels == {
            label: version for label, version in before.items() if version != token
        }

    def test_the_person_sees_how_far_it_came(
        self, aws: SecretsManager, target: Target, capsys: pytest.CaptureFixture[str]
    ) -> None:
        token = stored(aws, NEW, label="AWSPENDING")
        note = RotationNote(token, "testSecret", "unproven", 1_700_000_000)
        target.versions.note(ROTATION_TAG, note.to_tag())
        with pytest.raises(CommandError):
            change.unstick(target, Output(as_json=False), no)
        printed = capsys.readouterr().out
        assert "A rotation has been in flight for " in printed
        assert "Its last step, " in printed
        assert "testSecret: ZEGO could not say" in printed
        assert target.versions.describe().in_flight == token

    def test_its_age_is_left_out_where_it_may_not_be_asked_for(
        self,
        aws: SecretsManager,
        target: Target,
        out: Output,
        said: Said,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(_versions: SecretVersions, _version_id: str) -> None:
            raise SecretStoreError("x", "AccessDeniedException", "list_secret_version_ids")

        stored(aws, NEW, label="AWSPENDING")
        monkeypatch.setattr(SecretVersions, "begun_at", refuse)
        change.unstick(target, out, yes)
        assert [event.get("began_at") for event in said()] == [None, None]

    def test_without_a_rotation_there_is_nothing_to_do(
        self, target: Target, out: Output, said: Said
    ) -> None:
        change.unstick(target, out, no)
        assert said() == [{"event": "idle"}]

    def test_a_rotation_that_ends_meanwhile_is_left_alone(
        self, aws: SecretsManager, target: Target, out: Output, said: Said
    ) -> None:
        token = stored(aws, NEW, label="AWSPENDING")
        versions: SecretVersions = target.versions

        def it_ends(_question: str) -> None:
            versions.drop_label("AWSPENDING", version_id=token)

        change.unstick(target, out, it_ends)
        assert said()[-1]["event"] == "ended"
