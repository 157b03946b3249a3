"""Checks of the secret: labels, key, values, AppID, and the functions' notes on it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from local.aws.secrets_manager import APP_ID, SecretsManager
from ops.checklist.check import CheckResult
from tests.support.in_process import secrets_manager_client
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import refused
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
from zego.server_secret import ServerSecret

NEW = "0123456789abcdef" * 2
KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234-abcd"


def refuse(action: str) -> Any:
    """A method of the secret that AWS denies."""

    def method(*_given: object, **_named: object) -> None:
        raise SecretStoreError("x", "AccessDeniedException", action)

    return method


def test_a_secret_that_may_not_be_described_skips_its_checks(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SecretVersions, "describe", refuse("describe_secret"))
    found = patient.examined()
    assert "secretsmanager:DescribeSecret" in found["secret"][0].seen
    assert found["key"][0].seen == found["token"][0].seen == "needs secret"
    assert found["health"][0].status == "ok"


class TestLabels:
    def test_without_awscurrent_no_token_can_be_issued(self, patient: Patient) -> None:
        patient.state = {"labels": {"CANDIDATE": "a" * 36}}
        found = patient.examined()
        assert (found["labels"][0].status, found["labels"][0].of) == ("failed", "AWSCURRENT")
        assert found["value"][0].seen == "needs labels"

    @pytest.mark.parametrize(
        ("seconds", "status", "words"),
        [(60, "ok", "for 1 min"), (3600, "warning", "1 h: it does not end")],
    )
    def test_a_rotation_that_does_not_end_is_stuck(
        self, patient: Patient, seconds: float, status: str, words: str
    ) -> None:
        token = patient.target.versions.start_rotation()
        note = InFlightNote(token, int(time.time()))
        patient.target.versions.note(IN_FLIGHT_TAG, note.to_tag())
        patient.seconds_later = seconds + 1
        result = patient.results("labels")[-1]
        assert (result.status, result.of) == (status, "AWSPENDING")
        assert words in result.seen
        assert ("secret unstick" in result.remedy) is (status == "warning")

    def test_a_rotation_with_an_unknown_start_may_be_stuck(self, patient: Patient) -> None:
        patient.target.versions.start_rotation()
        result = patient.result("labels")
        assert (result.status, result.of) == ("warning", "AWSPENDING")
        assert result.seen == (
            "A rotation is in flight. AWS gives no start time for it; the watcher notes one within"
            " 5 min."
        )
        assert result.remedy == "If it does not end, give it up: zego-token secret unstick."

    def test_a_rotation_is_shown_even_if_its_value_may_not_be_read(
        self, patient: Patient, aws: SecretsManager, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored(aws, NEW, label="AWSPENDING")
        monkeypatch.setattr(SecretVersions, "read", refuse("get_secret_value"))
        assert "the watcher notes one within 5 min" in patient.result("labels").seen

    def test_awspending_on_the_promoted_version_is_normal(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        text = json.dumps({"app_id": APP_ID, "server_secret": aws.server_secret})
        both = ["AWSCURRENT", "AWSPENDING"]
        aws.call("PutSecretValue", SecretId=aws.secret_id, SecretString=text, VersionStages=both)
        found = patient.examined()
        assert [one.status for one in found["labels"]] == ["ok"]
        assert "AWSPENDING" not in found["labels"][0].seen
        assert [one.of for one in found["value"]] == ["AWSCURRENT", "AWSPREVIOUS"]

    def test_a_candidate_label_on_the_current_version_is_a_warning(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        current = patient.target.versions.describe().labels["AWSCURRENT"]
        aws.call(
            "UpdateSecretVersionStage",
            SecretId=aws.secret_id,
            VersionStage="CANDIDATE",
            MoveToVersionId=current,
        )
        result = patient.result("labels")
        assert (result.status, result.of) == ("warning", "CANDIDATE")
        assert [one.status for one in patient.results("value")] == ["ok", "ok"]

    def test_a_candidate_with_the_current_value_is_a_warning(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        stored(aws, aws.server_secret)
        assert patient.result("labels").status == "ok"
        result = patient.results("value")[-1]
        assert (result.status, result.of) == ("warning", "CANDIDATE")
        assert "already the current value" in result.seen


class TestKey:
    def test_aws_default_key_is_not_checked(self, patient: Patient) -> None:
        patient.session.key_state = AssertionError("asked")
        assert patient.result("key").seen == "AWS' default key, aws/secretsmanager"

    @pytest.mark.parametrize(
        ("state", "status"),
        [("Enabled", "ok"), ("Disabled", "failed"), ("PendingDeletion", "failed")],
    )
    def test_another_key_must_be_enabled(self, patient: Patient, state: str, status: str) -> None:
        patient.state = {"kms_key": KEY}
        patient.session.key_state = state
        result = patient.result("key")
        assert result.status == status
        assert "1234-abcd" in result.seen
        assert bool(result.remedy) is (status == "failed")

    def test_a_key_that_may_not_be_described_is_skipped(self, patient: Patient) -> None:
        patient.state = {"kms_key": KEY}
        patient.session.key_state = refused("DescribeKey", "AccessDeniedException")
        result = patient.result("key")
        assert result.status == "skipped"
        assert "kms:DescribeKey" in result.seen

    def test_which_key_it_is_comes_from_secrets_manager(self, aws: SecretsManager) -> None:
        value = json.dumps({"app_id": APP_ID, "server_secret": NEW})
        aws.call("CreateSecret", Name="zego/own-key", SecretString=value, KmsKeyId=KEY)
        versions = SecretVersions(secrets_manager_client(aws), "zego/own-key")
        assert versions.describe().kms_key == KEY


class TestValues:
    @pytest.mark.parametrize(
        ("value", "words"),
        [(f'"{NEW}"', "quotes around it"), (NEW * 2, "an AppSign"), ("REPLACE-ME", "placeholder")],
        ids=["quoted", "app-sign", "placeholder"],
    )
    def test_an_invalid_current_value_is_a_failure(
        self, patient: Patient, aws: SecretsManager, value: str, words: str
    ) -> None:
        stored(aws, value, label="AWSCURRENT")
        found = patient.examined()
        result = found["value"][0]
        assert (result.status, result.of) == ("failed", "AWSCURRENT")
        assert words in result.seen
        assert "zego-token secret rotate" in result.remedy
        assert {one.seen for one in (*found["verdict"], *found["token"])} == {"needs value"}

    def test_another_invalid_value_is_a_warning(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        stored(aws, NEW[:12])
        found = patient.examined()
        assert [(one.of, one.status) for one in found["value"]] == [
            ("AWSCURRENT", "ok"),
            ("CANDIDATE", "warning"),
        ]
        assert found["token"][0].status == "ok"

    def test_a_value_that_is_not_hex_is_a_warning(
        self, patient: Patient, aws: SecretsManager, zego: Zego
    ) -> None:
        stored(aws, NEW.upper())
        zego.accepted.add(NEW.upper())
        result = patient.results("value")[-1]
        assert (result.status, "lower-case hex" in result.seen) == ("warning", True)

    def test_a_rotation_that_has_just_begun_has_no_value_yet(self, patient: Patient) -> None:
        patient.target.versions.start_rotation()
        assert {one.status for one in patient.results("value")} == {"ok"}

    def test_values_that_may_not_be_read_are_a_failure(
        self, patient: Patient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SecretVersions, "read", refuse("get_secret_value"))
        found = patient.examined()
        assert found["value"][0].status == "failed"
        assert "kms:Decrypt" in found["value"][0].remedy
        assert found["rotation"][0].status == found["status"][0].status == "ok"


class TestAppId:
    @pytest.mark.parametrize(("app_id", "status"), [(APP_ID, "ok"), (5, "failed")])
    def test_it_must_be_the_clients_app_id(
        self, patient: Patient, app_id: int, status: str
    ) -> None:
        patient.options = type(patient.options)(app_id=app_id)
        assert patient.result("app-id").status == status

    def test_another_label_must_have_the_same_app_id(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        stored(aws, NEW, app_id=77)
        first, second = patient.results("app-id")
        assert first.status == "ok"
        assert (second.status, second.of) == ("warning", "CANDIDATE")
        assert "AppID 77" in second.seen


class TestRotation:
    def note(
        self, patient: Patient, outcome: str, *tags: str, token: str = "t" * 36, code: int = 0
    ) -> CheckResult:
        """The result after the rotator has noted the end of a step."""
        step: Any = "finishSecret" if outcome == "promoted" else "testSecret"
        note = RotationNote(token, step, outcome, int(patient.now) - 120, code or None)
        for tag in tags or (ROTATION_TAG,):
            patient.target.versions.note(tag, note.to_tag())
        return patient.result("rotation")

    def test_a_function_rotates_it(self, patient: Patient) -> None:
        assert patient.result("rotation").seen == "by rotator; no rotation has been noted yet"
        patient.state = {"rotation_function": None}
        result = patient.result("rotation")
        assert (result.status, "docs/deploy.md" in result.remedy) == ("warning", True)

    def test_a_rotation_that_is_off_is_a_warning(
        self, patient: Patient, aws: SecretsManager
    ) -> None:
        aws.call("CancelRotateSecret", SecretId=aws.secret_id)
        first, second = patient.results("rotation")
        assert (first.status, second.status) == ("warning", "ok")
        assert first.seen == (
            "Automatic rotation was turned off (CancelRotateSecret), so the watcher heals nothing."
        )
        assert first.remedy == "The next rotation turns it on again: zego-token secret rotate."

    def test_a_promoted_rotation_is_ok(self, patient: Patient) -> None:
        current = patient.target.versions.describe().labels["AWSCURRENT"]
        result = self.note(patient, "promoted", token=current)
        assert result.status == "ok"
        assert "the last one 2 min ago" in result.seen

    def test_a_refused_rotation_shows_why(self, patient: Patient) -> None:
        result = self.note(patient, "rejected", ROTATION_TAG, FAILURE_TAG, code=100000005)
        assert result.status == "warning"
        assert "ZEGO rejects the candidate. (ZEGO's code 100000005" in result.seen
        assert result.remedy.startswith("Copy the ServerSecret")

    def test_a_secret_rejected_after_the_promotion_is_a_warning(self, patient: Patient) -> None:
        current = patient.target.versions.describe().labels["AWSCURRENT"]
        assert self.note(patient, "rejected-after", token=current).status == "warning"

    def test_a_rotation_that_stopped_halfway_was_given_up(self, patient: Patient) -> None:
        result = self.note(patient, "done")
        assert "After that, it was given up." in result.seen
        assert "secret rotate --staged" in result.remedy

    def test_the_failure_of_a_rotation_in_flight_counts(self, patient: Patient) -> None:
        token = patient.target.versions.start_rotation()
        assert self.note(patient, "done", token=token).status == "ok"
        result = self.note(patient, "unproven", FAILURE_TAG, token=token)
        assert (result.status, result.remedy[:4]) == ("warning", "Wait")


class TestWatcher:
    def note(self, patient: Patient, outcome: Any, value: str, code: int | None = 0) -> None:
        since = int(patient.now) - 7200
        note = VerdictNote(outcome, ServerSecret(APP_ID, value).fingerprint, since, code)
        patient.target.versions.note(VERDICT_TAG, note.to_tag())

    @pytest.mark.parametrize(("seconds", "status"), [(0, "ok"), (3600, "warning")])
    def test_it_must_note_a_verdict_in_time(
        self, patient: Patient, seconds: float, status: str
    ) -> None:
        patient.seconds_later = seconds
        result = patient.result("watcher")
        assert result.status == status
        assert "nothing noted yet" in result.seen

    def test_its_verdict_is_shown(self, patient: Patient, aws: SecretsManager) -> None:
        self.note(patient, "accepted", aws.server_secret)
        patient.seconds_later = 3600
        assert patient.result("watcher").seen == "accepted (code 0) for 3 h"

    @pytest.mark.parametrize(("seconds", "status"), [(0, "ok"), (3600, "warning")])
    def test_an_outdated_verdict_is_soon_a_warning(
        self, patient: Patient, aws: SecretsManager, seconds: float, status: str
    ) -> None:
        self.note(patient, "accepted", NEW)
        patient.seconds_later = seconds
        assert patient.result("watcher").status == status

    def test_another_outcome_is_a_warning(
        self, patient: Patient, aws: SecretsManager, zego: Zego
    ) -> None:
        self.note(patient, "accepted", aws.server_secret)
        zego.accepted.clear()
        patient.seconds_later = 3600
        result = patient.result("watcher")
        assert (result.status, "now it is rejected" in result.seen) == ("warning", True)
        assert "docs/operations.md" in result.remedy

    def test_without_a_verdict_nothing_is_compared(
        self, patient: Patient, aws: SecretsManager, zego: Zego
    ) -> None:
        self.note(patient, "rejected", aws.server_secret)
        zego.busy = True
        patient.seconds_later = 3600
        assert patient.result("watcher").status == "ok"


def test_no_result_contains_a_value(patient: Patient, aws: SecretsManager) -> None:
    stored(aws, NEW)
    found = json.dumps([repr(results) for results in patient.examined().values()])
    assert NEW not in found
    assert aws.server_secret not in found
