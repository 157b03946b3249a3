"""Rotations as AWS runs them, with short rotation functions."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError

from local.aws.secrets_manager import SECRET_ID
from local.aws.secrets_manager.conditions import Conditions
from local.aws.secrets_manager.rotation import FUNCTION_ARN, STEPS, Attempt, RotationDriver
from tests.local.rotated import Result, Rotated, StartDriver, StepError, failing
from tests.local.secret import CURRENT, PENDING, PREVIOUS
from tests.support.clock import Clock

IN_PROGRESS = "A previous rotation isn't complete. That rotation will be reattempted."


@pytest.mark.usefixtures("driver")
class TestBeginning:
    def test_it_puts_awspending_on_a_version_without_a_value(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}
        for which in ({"VersionId": token}, {"VersionStage": PENDING}):
            with pytest.raises(ClientError, match="ResourceNotFoundException"):
                rotated.text(**which)

    def test_until_it_has_a_value_the_version_is_described_but_not_listed(
        self, rotated: Rotated
    ) -> None:
        """ListSecretVersionIds: it "only returns versions that contain a secret value"."""
        token = rotated.rotate()
        assert rotated.labels()[token] == [PENDING]
        assert rotated.versions() == [rotated.first]
        rotated.put("new", PENDING, token=token)
        assert rotated.versions() == [rotated.first, token]

    def test_storing_a_value_in_it_keeps_its_creation_time(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        rotated.clock.turn(60)
        rotated.put("new", PENDING, token=token)
        response = rotated.api.get_secret_value(SecretId=SECRET_ID, VersionId=token)
        assert (response["SecretString"], response["VersionStages"]) == ("new", [PENDING])
        assert response["CreatedDate"].timestamp() == Clock().now

    def test_its_first_value_cannot_be_replaced(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        for text in ("new", "new"):
            rotated.put(text, token=token)
        rotated.refuses("ResourceExistsException", lambda: rotated.put("other", token=token))

    def test_a_value_with_another_label_fills_it_and_leaves_awspending_on_it(
        self, rotated: Rotated
    ) -> None:
        """PutSecretValue's VersionStages: "staging labels to attach to this version"."""
        rotated.put("before", "OURS")
        token = rotated.rotate()
        assert rotated.put("new", "OURS", token=token) == token
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING, "OURS"]}
        assert rotated.text(VersionStage=PENDING) == "new"

    def test_a_secret_without_a_rotation_function_is_refused(self, rotated: Rotated) -> None:
        rotated.api.create_secret(Name="other", SecretString="x")
        with pytest.raises(ClientError, match=r"InvalidRequestException.*function ARN configured"):
            rotated.api.rotate_secret(SecretId="other")

    def test_a_function_that_may_not_be_invoked_is_refused(self, rotated: Rotated) -> None:
        with pytest.raises(ClientError, match=r"AccessDeniedException.*cannot invoke"):
            rotated.rotate(RotationLambdaARN=FUNCTION_ARN + "-other")
        assert rotated.labels() == {rotated.first: [CURRENT]}

    def test_the_secret_names_its_function_and_its_schedule(self, rotated: Rotated) -> None:
        described = rotated.described()
        assert described["RotationEnabled"]
        assert described["RotationLambdaARN"] == FUNCTION_ARN
        assert described["RotationRules"] == {"AutomaticallyAfterDays": 365}
        assert described["NextRotationDate"].timestamp() > rotated.clock.now

    def test_a_rotation_in_flight_makes_the_next_one_fail(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        with pytest.raises(ClientError, match=f"InvalidRequestException.*{IN_PROGRESS}"):
            rotated.rotate()
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}

    def test_a_repeated_request_begins_no_second_rotation(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        token = rotated.rotate()
        assert rotated.rotate(ClientRequestToken=token) == token
        assert driver.run(token)
        assert rotated.rotate(ClientRequestToken=token) == token
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [CURRENT]}

    def test_awspending_on_the_current_version_blocks_nothing(self, rotated: Rotated) -> None:
        rotated.move(PENDING, to=rotated.first)
        token = rotated.rotate()
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}


class TestRunning:
    def test_the_function_is_called_with_four_steps_and_the_secrets_arn(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        token = rotated.rotate()
        assert driver.run(token)
        arn = rotated.described()["ARN"]
        assert rotated.calls == [
            {"Step": step, "SecretId": arn, "ClientRequestToken": token} for step in STEPS
        ]

    def test_awspending_is_removed_after_a_success(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        token = rotated.rotate()
        rotated.before = lambda _step: None
        driver.run(token)
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [CURRENT]}
        assert rotated.text() == "new"
        described = rotated.described()
        assert described["LastRotatedDate"].timestamp() == Clock().now

    def test_awspending_stays_until_the_last_step_has_ended(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        seen: list[str] = []
        rotated.before = lambda _step: seen.append(rotated.holder(PENDING))
        token = rotated.rotate()
        driver.run(token)
        assert seen == [token] * 4

    def test_rotate_secret_returns_before_the_first_step_runs(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        returned = threading.Event()
        seen: list[bool] = []
        rotated.before = lambda _step: seen.append(returned.wait(60))
        driver = start_driver(background=True)
        token = rotated.rotate()
        returned.set()
        assert driver.wait()
        assert seen == [True] * 4
        assert rotated.holder(CURRENT) == token

    def test_wait_includes_a_rotation_that_is_just_beginning(
        self, rotated: Rotated, start_driver: StartDriver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited: list[bool] = []
        waiters: list[threading.Thread] = []
        thread = threading.Thread

        class Beginning(threading.Thread):
            def start(self) -> None:
                waiters.append(thread(target=lambda: waited.append(begun.wait())))
                waiters[0].start()
                waiters[0].join(0.2)  # it waits as long as it can
                super().start()

        begun = start_driver(background=True)
        monkeypatch.setattr(threading, "Thread", Beginning)
        rotated.rotate()
        waiters[0].join()
        assert waited == [True]
        assert rotated.steps() == list(STEPS)

    @pytest.mark.parametrize("step", STEPS)
    def test_a_failure_in_any_step_restarts_all_four(
        self, rotated: Rotated, driver: RotationDriver, step: str
    ) -> None:
        rotated.before = failing(step, times=1)
        token = rotated.rotate()
        assert driver.run(token)
        failed = list(STEPS[: STEPS.index(step) + 1])
        assert rotated.steps() == failed + list(STEPS)
        assert rotated.slept == [7]
        assert rotated.holder(CURRENT) == token

    def test_it_gives_up_after_the_last_attempt_and_leaves_awspending(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        rotated.before = failing("testSecret")
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == list(STEPS[:3]) * 3
        assert rotated.slept == [7, 7]
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}
        assert [(one.number, one.of, one.again) for one in rotated.attempts] == [
            (1, 3, True),
            (2, 3, True),
            (3, 3, False),
        ]
        with pytest.raises(ClientError, match=IN_PROGRESS):
            rotated.rotate()

    def test_one_that_was_given_up_can_run_in_a_later_window(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        rotated.before = failing("testSecret", times=3)
        token = rotated.rotate()
        assert not driver.run(token)
        assert driver.run(token)
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [CURRENT]}

    def test_it_stops_when_its_version_is_no_longer_pending(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def refuse(step: str) -> None:
            if step == "testSecret":
                rotated.move(PENDING, off=token)
                raise StepError

        rotated.before = refuse
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == list(STEPS[:3])
        assert rotated.slept == []
        assert rotated.labels() == {rotated.first: [CURRENT]}
        rotated.before = lambda _step: None
        assert driver.run(rotated.rotate())

    def test_if_it_is_ended_between_two_attempts_that_is_reported(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        def end(_seconds: float) -> None:
            rotated.move(PENDING, off=token)

        rotated.before = failing("testSecret")
        driver = start_driver(sleep=end)
        token = rotated.rotate()
        assert not driver.run(token)
        assert [(one.number, one.again) for one in rotated.attempts] == [(1, True), (1, False)]

    def test_it_continues_if_its_version_was_promoted_and_the_last_step_failed(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def promote_and_fail(step: str) -> None:
            if step == "finishSecret" and rotated.holder(CURRENT) != token:
                rotated.move(CURRENT, to=token, off=rotated.first)
                raise StepError

        rotated.before = promote_and_fail
        token = rotated.rotate()
        assert driver.run(token)
        assert rotated.attempts == [
            Attempt(token, 1, 3, failed=True, again=True, is_current=True),
            Attempt(token, 2, 3, failed=False, again=False, is_current=True),
        ]
        assert rotated.steps() == list(STEPS) * 2
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [CURRENT]}

    def test_it_continues_if_its_version_was_promoted_and_awspending_removed(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def take_off_and_fail(step: str) -> None:
            if step == "finishSecret" and len(rotated.calls) == 4:
                rotated.move(CURRENT, to=token, off=rotated.first)
                rotated.move(PENDING, off=token)
                raise StepError

        rotated.before = take_off_and_fail
        token = rotated.rotate()
        assert driver.run(token)
        assert rotated.event_names()[-2:] == ["RotationFailed", "RotationSucceeded"]

    def test_a_function_that_promotes_nothing_has_failed(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        driver = start_driver(attempts=2)
        driver.invoke = lambda event: Result()
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.event_names() == ["RotationStarted", "RotationFailed", "RotationFailed"]

    def test_deleting_the_secret_ends_the_rotation(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def delete(_step: str) -> None:
            rotated.api.delete_secret(SecretId=SECRET_ID, ForceDeleteWithoutRecovery=True)
            raise StepError

        rotated.before = delete
        assert not driver.run(rotated.rotate())
        assert rotated.steps() == ["createSecret"]

    def test_a_stopped_driver_begins_no_further_step(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        rotated.before = lambda step: driver.stop() if step == "setSecret" else None
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == ["createSecret", "setSecret"]
        with pytest.raises(ClientError, match="AccessDeniedException"):
            rotated.rotate()


class TestWhenAwspendingStaysAfterASuccess:
    """RotateSecret: after a success, AWSPENDING "might be attached to the same version as the
    AWSCURRENT version, or it might not be attached to any version"."""

    @pytest.fixture
    def conditions(self) -> Conditions:
        return Conditions(keep_pending=True)

    def test_it_is_on_the_promoted_version(self, rotated: Rotated, driver: RotationDriver) -> None:
        token = rotated.rotate()
        assert driver.run(token)
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [PENDING, CURRENT]}

    def test_the_next_rotation_moves_it(self, rotated: Rotated, driver: RotationDriver) -> None:
        driver.run(rotated.rotate())
        token = rotated.rotate()
        assert rotated.holder(PENDING) == token
        assert driver.run(token)

    def test_it_blocks_the_next_rotation_once_awscurrent_has_moved_elsewhere(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        """RotateSecret: if AWSPENDING is "not attached to the same version as AWSCURRENT, then any
        later invocation of RotateSecret assumes that a previous rotation request is still in
        progress and returns an error"."""
        token = rotated.rotate()
        driver.run(token)
        rotated.move(CURRENT, to=rotated.first, off=token)
        rotated.refuses("InvalidRequestException", rotated.rotate, IN_PROGRESS)


class TestWithoutRotatingImmediately:
    def rotate(self, rotated: Rotated) -> str:
        return rotated.rotate(
            RotateImmediately=False,
            RotationLambdaARN=FUNCTION_ARN,
            RotationRules={"AutomaticallyAfterDays": 30},
        )

    def test_only_test_secret_runs_on_a_pending_version_with_the_current_value(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        present = rotated.text()
        seen: list[str] = []
        rotated.before = lambda _step: seen.append(rotated.text(VersionStage=PENDING))
        token = self.rotate(rotated)
        assert driver.run(token)
        assert rotated.steps() == ["testSecret"]
        assert seen == [present]

    @pytest.mark.parametrize("fails", [False, True])
    def test_the_version_is_removed_afterwards(
        self, rotated: Rotated, driver: RotationDriver, fails: bool
    ) -> None:
        if fails:
            rotated.before = failing("testSecret")
        token = self.rotate(rotated)
        assert driver.run(token) is not fails
        assert rotated.versions() == [rotated.first]
        assert rotated.event_names() == (["TestRotationFailed"] if fails else [])

    def test_the_schedule_is_set(self, rotated: Rotated, driver: RotationDriver) -> None:
        driver.run(self.rotate(rotated))
        described = rotated.described()
        assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}

    @pytest.mark.usefixtures("driver")
    def test_it_fails_while_a_rotation_is_in_flight(self, rotated: Rotated) -> None:
        rotated.rotate()
        with pytest.raises(ClientError, match=IN_PROGRESS):
            self.rotate(rotated)


class TestEvents:
    def test_a_successful_rotation_has_two_events(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        driver.run(rotated.rotate())
        assert rotated.event_names() == ["RotationStarted", "RotationSucceeded"]

    def test_every_failed_attempt_has_an_event(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        rotated.before = failing("setSecret", times=2)
        driver.run(rotated.rotate())
        assert rotated.event_names() == [
            "RotationStarted",
            "RotationFailed",
            "RotationFailed",
            "RotationSucceeded",
        ]
        assert rotated.events[1]["detail"]["errorMessage"] == (
            f"Error when executing lambda {FUNCTION_ARN} during setSecret step"
        )

    def test_they_are_as_eventbridge_delivers_them(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        driver.run(rotated.rotate())
        event = rotated.events[0]
        assert event["source"] == "aws.secretsmanager"
        assert event["detail-type"] == "AWS Service Event via CloudTrail"
        assert event["detail"]["eventSource"] == "secretsmanager.amazonaws.com"
        arn = rotated.described()["ARN"]
        assert event["detail"]["additionalEventData"] == {"SecretId": arn}

    def test_the_labels_have_moved_when_the_last_one_is_published(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        seen: list[dict[str, list[str]]] = []
        driver = start_driver(on_event=lambda _event: seen.append(rotated.labels()))
        token = rotated.rotate()
        driver.run(token)
        assert seen[-1] == {rotated.first: [PREVIOUS], token: [CURRENT]}
