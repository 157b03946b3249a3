"""Rotations that end, or run again, because of a call that their function did not make.

Sources: CancelRotateSecret and RotateSecret in the API reference, AWS' error text, and
RotationAbandoned in "Log events with CloudTrail" in the user guide.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from local.aws.secrets_manager import SECRET_ID
from local.aws.secrets_manager.conditions import Conditions
from local.aws.secrets_manager.rotation import STEPS, RotationDriver
from tests.local.rotated import Rotated, StartDriver, StepError, failing
from tests.local.secret import CANDIDATE, CURRENT, PENDING, PREVIOUS

IN_PROGRESS = "A previous rotation isn't complete. That rotation will be reattempted."


class TestANewCurrentValueDuringARotation:
    """RotationAbandoned: "Secrets Manager removed the AWSPENDING label from an existing version of
    a secret. When you manually create a new version of a secret, you send a message signalling the
    abandonment of the current ongoing rotation in favor of the new secret version."
    """

    def test_abandons_the_rotation(self, rotated: Rotated, driver: RotationDriver) -> None:
        def put(step: str) -> None:
            if step == "setSecret":
                rotated.put("by hand")
                raise StepError

        rotated.before = put
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == ["createSecret", "setSecret"]
        assert token not in rotated.labels()
        assert rotated.text() == "by hand"
        assert rotated.event_names() == ["RotationStarted", "RotationAbandoned", "RotationFailed"]

    @pytest.mark.usefixtures("driver")
    def test_into_the_pending_version_itself_abandons_nothing(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        rotated.put("by hand", token=token)
        assert rotated.labels()[token] == [PENDING, CURRENT]
        assert rotated.event_names() == []

    @pytest.mark.usefixtures("driver")
    def test_frees_a_secret_that_is_stuck(self, rotated: Rotated) -> None:
        rotated.rotate()
        rotated.put("by hand")
        assert rotated.event_names() == ["RotationAbandoned"]
        assert rotated.rotate() in rotated.labels()

    @pytest.mark.usefixtures("driver")
    def test_only_with_another_label_abandons_nothing(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        rotated.put("staged", CANDIDATE)
        assert rotated.holder(PENDING) == token
        assert rotated.event_names() == []


class TestIfAnyNewVersionAbandonsARotation:
    """The wider reading of the same sentence: "When you manually create a new version"."""

    @pytest.fixture
    def conditions(self) -> Conditions:
        return Conditions(abandon_on_any_version=True)

    def test_a_value_with_another_label_does(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def stage(step: str) -> None:
            if step == "setSecret":
                rotated.put("staged", CANDIDATE)
                raise StepError

        rotated.before = stage
        token = rotated.rotate()
        assert not driver.run(token)
        assert token not in rotated.labels()
        assert rotated.event_names() == ["RotationStarted", "RotationAbandoned", "RotationFailed"]

    def test_the_value_of_the_rotation_does_not(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        assert driver.run(rotated.rotate())
        assert "RotationAbandoned" not in rotated.event_names()

    @pytest.mark.usefixtures("driver")
    def test_without_a_rotation_there_is_nothing_to_abandon(self, rotated: Rotated) -> None:
        rotated.move(PENDING, to=rotated.first)
        rotated.put("staged", CANDIDATE)
        assert rotated.holder(PENDING) == rotated.first
        assert rotated.event_names() == []


class TestCancelling:
    """CancelRotateSecret: "Turns off automatic rotation, and if a rotation is currently in
    progress, cancels the rotation."
    """

    def test_no_further_step_runs(self, rotated: Rotated, driver: RotationDriver) -> None:
        rotated.before = cancelling(rotated, "setSecret")
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == ["createSecret", "setSecret"]
        assert rotated.holder(CURRENT) == rotated.first

    def test_no_further_attempt_runs(self, rotated: Rotated, start_driver: StartDriver) -> None:
        driver = start_driver(sleep=lambda _seconds: rotated.cancel())
        rotated.before = failing("setSecret")
        token = rotated.rotate()
        assert not driver.run(token)
        assert not driver.run(token)
        assert rotated.steps() == ["createSecret", "setSecret"]

    def test_awspending_stays_on_its_version(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        """CancelRotateSecret: "You might need to remove the staging label AWSPENDING from the
        partially created version." """
        token = rotated.rotate()
        rotated.cancel()
        assert not driver.run(token)
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}

    @pytest.mark.usefixtures("driver")
    def test_the_response_names_the_pending_version(self, rotated: Rotated) -> None:
        """VersionId: "the version of the secret created during the rotation"."""
        token = rotated.rotate()
        assert rotated.cancel() == token

    @pytest.mark.usefixtures("driver")
    def test_without_a_rotation_in_progress_the_response_names_no_version(
        self, rotated: Rotated
    ) -> None:
        """Undocumented: the response's VersionId is that of a rotation."""
        assert rotated.cancel() is None

    @pytest.mark.usefixtures("driver")
    def test_rotation_is_shown_as_off_until_rotate_secret_turns_it_on(
        self, rotated: Rotated
    ) -> None:
        """RotationEnabled: "To turn on rotation, use RotateSecret. To turn off rotation, use
        CancelRotateSecret." """
        assert rotated.described()["RotationEnabled"] is True
        rotated.cancel()
        assert rotated.described()["RotationEnabled"] is False
        rotated.rotate()
        assert rotated.described()["RotationEnabled"] is True

    def test_it_blocks_the_next_rotation_until_awspending_is_removed(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        """VersionId: "Failing to clean up a cancelled rotation can block you from starting future
        rotations." """
        token = rotated.rotate()
        rotated.cancel()
        rotated.refuses("InvalidRequestException", rotated.rotate, IN_PROGRESS)
        assert rotated.described()["RotationEnabled"] is False
        rotated.move(PENDING, off=token)
        assert driver.run(rotated.rotate())

    def test_it_publishes_no_event(self, rotated: Rotated, driver: RotationDriver) -> None:
        """Undocumented: the user guide lists no event for it."""

        def cancel(step: str) -> None:
            if step == "setSecret":
                rotated.cancel()
                raise StepError

        rotated.before = cancel
        driver.run(rotated.rotate())
        assert rotated.event_names() == ["RotationStarted"]

    def test_a_promotion_under_way_stays(self, rotated: Rotated, driver: RotationDriver) -> None:
        """CancelRotateSecret: it "can leave the VersionStage labels in an unexpected state"."""
        rotated.before = cancelling(rotated, "finishSecret")
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [PENDING, CURRENT]}

    def test_a_secret_that_never_rotated_is_refused(self, rotated: Rotated) -> None:
        """InvalidRequestException: "a secret that doesn't already have a Lambda function ARN"."""
        rotated.refuses("InvalidRequestException", rotated.cancel)

    def test_a_deleted_secret_is_refused(self, rotated: Rotated, driver: RotationDriver) -> None:
        """InvalidRequestException: "The secret is scheduled for deletion." """
        rotated.api.delete_secret(SecretId=SECRET_ID)
        rotated.refuses("InvalidRequestException", rotated.cancel, "marked for deletion")


def cancelling(rotated: Rotated, step: str) -> Callable[[str], None]:
    """Cancels the rotation during a step."""

    def before(called: str) -> None:
        if called == step:
            rotated.cancel()

    return before


class TestRotateSecretDuringARotation:
    """AWS' error text: "A previous rotation isn't complete. That rotation will be reattempted." """

    def test_the_pending_rotation_runs_again(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        driver = start_driver(background=True, attempts=1)
        rotated.before = failing("testSecret", times=1)
        token = rotated.rotate()
        assert driver.wait()
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}
        with pytest.raises(ClientError, match=f"InvalidRequestException.*{IN_PROGRESS}"):
            rotated.rotate()
        assert driver.wait()
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [CURRENT]}
        assert {call["ClientRequestToken"] for call in rotated.calls} == {token}

    def test_a_running_rotation_is_not_run_a_second_time(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        refused = threading.Event()
        rotated.before = lambda _step: None if refused.wait(60) else pytest.fail("not refused")
        driver = start_driver(background=True)
        rotated.rotate()
        rotated.refuses("InvalidRequestException", rotated.rotate, IN_PROGRESS)
        refused.set()
        assert driver.wait()
        assert rotated.steps() == list(STEPS)

    def test_any_version_under_awspending_counts_as_a_rotation(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        """RotateSecret: with AWSPENDING elsewhere than AWSCURRENT it "assumes that a previous
        rotation request is still in progress"."""
        version = rotated.put("new", PENDING)
        rotated.refuses("InvalidRequestException", rotated.rotate, IN_PROGRESS)
        assert driver.run(version)
        assert rotated.holder(CURRENT) == version

    def test_a_cancelled_one_is_not_run_again(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        """Undocumented; CancelRotateSecret "cancels the rotation"."""
        driver = start_driver(background=True, attempts=1)
        rotated.before = failing("createSecret")
        rotated.rotate()
        assert driver.wait()
        rotated.cancel()
        rotated.refuses("InvalidRequestException", rotated.rotate, IN_PROGRESS)
        assert driver.wait()
        assert rotated.steps() == ["createSecret"]
