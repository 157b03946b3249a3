"""The status of a secret: what is read, what follows from it, and the document for programs."""

from __future__ import annotations

import _thread
import json
import threading
import time
from collections.abc import Iterator

import pytest

from local.aws.secrets_manager import APP_ID, SECRET_ID, SecretsManager
from local.aws.secrets_manager.rotation import RotationDriver
from ops.errors import ExitCode, Failure
from ops.secret import status
from ops.secret.status import Report, TargetStatus, UnreachableTarget, read_status
from ops.target import Target, TargetOptions
from tests.support.in_process import secrets_manager_client
from tests.unit.ops.fakes import Zego, stored
from zego.secret_store.notes import (
    FAILURE_TAG,
    IN_FLIGHT_TAG,
    ROTATION_TAG,
    VERDICT_TAG,
    InFlightNote,
    RotationNote,
    VerdictNote,
)
from zego.secret_store.versions import SecretStoreError, SecretVersions
from zego.server_api import Verdict
from zego.server_secret import ServerSecret

NEW = "0123456789abcdef" * 2
UNREACHED = UnreachableTarget(
    "--stage dev", Failure("AWS could not be reached.", "Try again.", ExitCode.AWS)
)


def at(target: Target, seconds_later: float = 0.0) -> TargetStatus:
    version = target.versions.version(target.versions.describe(), "AWSCURRENT")
    created = (version and version.created_at) or 0.0
    return read_status(target, clock=lambda: created + seconds_later)


@pytest.fixture
def rotating(aws: SecretsManager) -> Iterator[RotationDriver]:
    """A function rotates the secret, but no step of a rotation runs."""
    with RotationDriver(aws, lambda _event: pytest.fail("not run"), background=False) as driver:
        yield driver


class TestOneTarget:
    def test_each_version_has_its_labels_age_fingerprint_and_verdict(
        self, aws: SecretsManager, target: Target
    ) -> None:
        stored(aws, NEW)
        found = {tuple(v["labels"]): v for v in at(target, 90).document()["versions"]}
        current, candidate = found["AWSCURRENT",], found["CANDIDATE",]
        assert current["fingerprint"] == ServerSecret(APP_ID, aws.server_secret).fingerprint
        assert (current["age_seconds"], current["app_id"]) == (90, APP_ID)
        assert current["verdict"]["outcome"] == "accepted"
        assert candidate["verdict"]["outcome"] == "rejected"
        assert candidate["verdict"]["code"] == 100000005

    def test_its_document_has_the_keys_that_programs_rely_on(self, target: Target) -> None:
        document = at(target).document()
        assert document.keys() == {
            "target",
            "secret_arn",
            "versions",
            "watched",
            "last_rotation",
            "last_failure",
            "rotation_function",
            "rotation_off",
            "in_flight",
            "in_flight_since",
            "error",
        }
        (version,) = document["versions"]
        assert version.keys() == {
            "version_id",
            "labels",
            "created_at",
            "age_seconds",
            "app_id",
            "fingerprint",
            "problem",
            "verdict",
        }
        assert version["verdict"].keys() == {"outcome", "reason", "code", "clock_skew_seconds"}

    def test_an_invalid_value_has_a_problem_and_no_verdict(
        self, aws: SecretsManager, target: Target
    ) -> None:
        stored(aws, f'"{NEW}"')
        candidate = at(target).document()["versions"][0]
        assert candidate["problem"] == "server_secret has quotes around it"
        assert candidate["verdict"] is candidate["fingerprint"] is None

    def test_a_value_under_two_labels_is_asked_about_once(
        self, aws: SecretsManager, target: Target, zego: Zego
    ) -> None:
        stored(aws, aws.server_secret)
        asked: list[str] = []

        def probe(secret: ServerSecret) -> object:
            asked.append(secret.fingerprint)
            return zego.probe(secret)

        seen = read_status(Target("x", target.versions, probe))  # type: ignore[arg-type]
        assert len(asked) == 1
        assert len(seen.versions) == 2

    def test_the_functions_notes_are_reported(self, target: Target) -> None:
        verdict = VerdictNote("rejected", "3fa9c01b22de", 1_700_000_000, 100000005)
        note = RotationNote(
            "t" * 36, "testSecret", "rejected", 1_700_000_060, 100000005, "3fa9c01b22de"
        )
        for tag, text in ((VERDICT_TAG, verdict), (ROTATION_TAG, note), (FAILURE_TAG, note)):
            target.versions.note(tag, text.to_tag())
        document = at(target).document()
        assert document["watched"] == {
            "outcome": "rejected",
            "fingerprint": "3fa9c01b22de",
            "since": "2023-11-14T22:13:20+00:00",
            "code": 100000005,
        }
        assert document["last_rotation"]["outcome"] == "rejected"
        assert document["last_rotation"]["remedy"].startswith("Copy the ServerSecret")
        assert document["last_rotation"]["code"] == 100000005
        assert document["last_failure"] == document["last_rotation"]

    def test_the_watcher_notes_the_start_of_a_rotation_in_flight(
        self, target: Target, rotating: RotationDriver
    ) -> None:
        token = target.versions.start_rotation()
        document = at(target).document()
        assert (document["in_flight"], document["in_flight_since"]) == (token, None)
        assert document["rotation_function"].endswith(":rotator")
        target.versions.note(IN_FLIGHT_TAG, InFlightNote(token, 1_700_000_000).to_tag())
        assert at(target).document()["in_flight_since"] == "2023-11-14T22:13:20+00:00"

    def test_the_note_of_another_rotation_does_not_count(
        self, target: Target, rotating: RotationDriver
    ) -> None:
        target.versions.start_rotation()
        target.versions.note(IN_FLIGHT_TAG, InFlightNote("e" * 36, 1_700_000_000).to_tag())
        assert at(target).document()["in_flight_since"] is None

    def test_a_note_without_a_rotation_does_not_count(self, target: Target) -> None:
        target.versions.note(IN_FLIGHT_TAG, InFlightNote("e" * 36, 1_700_000_000).to_tag())
        document = at(target).document()
        assert (document["in_flight"], document["in_flight_since"]) == (None, None)

    def test_awspending_on_the_current_version_is_not_a_rotation_in_flight(
        self, aws: SecretsManager, target: Target
    ) -> None:
        value = json.dumps({"app_id": APP_ID, "server_secret": aws.server_secret})
        both = ["AWSCURRENT", "AWSPENDING"]
        aws.call("PutSecretValue", SecretId=SECRET_ID, SecretString=value, VersionStages=both)
        seen = at(target)
        assert (seen.state.in_flight, seen.in_flight_since) == (None, None)
        assert seen.exit_code is ExitCode.DONE

    @pytest.mark.parametrize(("noted_later", "since"), [(-60, -60), (60, 0), (None, 0)])
    def test_a_version_with_a_value_existed_since_its_creation(
        self, aws: SecretsManager, target: Target, noted_later: int | None, since: int
    ) -> None:
        token = stored(aws, NEW, label="AWSPENDING")
        begun = target.versions.version(target.versions.describe(), "AWSPENDING")
        assert begun is not None
        assert begun.created_at is not None
        created = int(begun.created_at)
        if noted_later is not None:
            note = InFlightNote(token, created + noted_later)
            target.versions.note(IN_FLIGHT_TAG, note.to_tag())
        found = at(target).in_flight_since
        assert found is not None
        assert int(found) == created + since

    def test_a_rotation_that_is_off_is_reported(
        self, aws: SecretsManager, target: Target, rotating: RotationDriver
    ) -> None:
        assert at(target).document()["rotation_off"] is False
        aws.call("CancelRotateSecret", SecretId=SECRET_ID)
        assert at(target).document()["rotation_off"] is True

    def test_ctrl_c_does_not_wait_for_zego(self, target: Target) -> None:
        def interrupted(_secret: ServerSecret) -> Verdict:
            _thread.interrupt_main()
            is_over.wait(120)
            return Verdict("unknown", "")

        is_over, began = threading.Event(), time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            read_status(Target("x", target.versions, interrupted))
        assert time.monotonic() - began < 60
        is_over.set()

    @pytest.mark.parametrize(
        ("accepts", "busy", "exit_code"),
        [
            (True, False, ExitCode.DONE),
            (False, False, ExitCode.REFUSED),
            (True, True, ExitCode.UNDECIDED),
        ],
    )
    @pytest.mark.parametrize("is_in_flight", [False, True])
    def test_the_verdict_on_the_current_value_decides_before_a_rotation_in_flight(
        self,
        aws: SecretsManager,
        target: Target,
        zego: Zego,
        accepts: bool,
        busy: bool,
        exit_code: ExitCode,
        is_in_flight: bool,
    ) -> None:
        if is_in_flight:
            stored(aws, NEW, label="AWSPENDING")
        if not accepts:
            zego.accepted.clear()
        zego.busy = busy
        is_well = exit_code is ExitCode.DONE
        expected = ExitCode.IN_FLIGHT if is_in_flight and is_well else exit_code
        assert Report((at(target),)).exit_code is expected

    def test_a_placeholder_counts_as_rejected(self, aws: SecretsManager, target: Target) -> None:
        aws.put('{"app_id": 1, "server_secret": "REPLACE-ME"}')
        assert at(target).exit_code is ExitCode.REFUSED


class TestSeveralTargets:
    @pytest.fixture
    def other(self) -> TargetStatus:
        """Another secret, with another value that ZEGO accepts."""
        aws = SecretsManager()
        zego = Zego(aws.server_secret)
        versions = SecretVersions(secrets_manager_client(aws), aws.secret_id)
        return read_status(Target("--stage prod", versions, zego.probe))

    def test_the_same_value_everywhere_is_not_a_drift(self, target: Target) -> None:
        both = Report((at(target), at(target)))
        assert (both.drift, both.exit_code) == (False, ExitCode.DONE)

    def test_different_values_are_a_drift(self, target: Target, other: TargetStatus) -> None:
        both = Report((at(target), other))
        assert (both.drift, both.exit_code) == (True, ExitCode.DRIFT)

    def test_an_unreadable_target_may_be_a_drift(self, target: Target) -> None:
        both = Report((at(target), UNREACHED))
        assert (both.drift, both.exit_code) == (None, ExitCode.DRIFT)
        assert both.document()["targets"][1] == {
            "target": "--stage dev",
            "error": {"message": "AWS could not be reached.", "remedy": "Try again."},
        }

    def test_two_readable_targets_may_differ(self, target: Target, other: TargetStatus) -> None:
        assert Report((at(target), UNREACHED, other)).drift is True

    def test_a_rejected_secret_counts_more_than_a_drift(
        self, target: Target, other: TargetStatus, zego: Zego
    ) -> None:
        zego.accepted.clear()
        assert Report((at(target), other)).exit_code is ExitCode.REFUSED

    def test_a_drift_counts_more_than_a_missing_verdict(
        self, target: Target, other: TargetStatus, zego: Zego
    ) -> None:
        zego.busy = True
        assert Report((at(target), other)).exit_code is ExitCode.DRIFT

    def test_a_rotation_in_flight_counts_least(
        self, aws: SecretsManager, target: Target, zego: Zego, other: TargetStatus
    ) -> None:
        well = at(target)
        stored(aws, NEW, label="AWSPENDING")
        in_flight = at(target)
        assert Report((well, in_flight)).exit_code is ExitCode.IN_FLIGHT
        assert Report((other, in_flight)).exit_code is ExitCode.DRIFT
        assert Report((in_flight, UNREACHED)).exit_code is ExitCode.DRIFT
        zego.busy = True
        assert Report((in_flight, at(target))).exit_code is ExitCode.UNDECIDED

    def test_if_no_target_can_be_read_that_is_the_failure(self) -> None:
        neither = Report((UNREACHED, UNREACHED))
        assert (neither.drift, neither.exit_code) == (None, ExitCode.AWS)

    def test_a_failing_target_does_not_hide_the_others(
        self, target: Target, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def connect(wanted: TargetOptions) -> Target:
            if wanted.stage == "dev":
                raise SecretStoreError("x", "AccessDeniedException", "describe_secret")
            return target

        monkeypatch.setattr(status, "connect", connect)
        seen = status.read_all([TargetOptions(stage="dev"), TargetOptions(stage="prod")]).targets
        assert isinstance(seen[0], UnreachableTarget)
        assert "DescribeSecret" in seen[0].failure.message
        assert isinstance(seen[1], TargetStatus)

    def test_a_single_failing_target_raises_its_error(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def connect(_wanted: TargetOptions) -> Target:
            raise SecretStoreError("x", "AccessDeniedException", "describe_secret")

        monkeypatch.setattr(status, "connect", connect)
        with pytest.raises(SecretStoreError):
            status.read_all([TargetOptions(stage="dev")])
