"""Rotations as AWS runs them, with rotation functions of a few lines."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.event_bus import Event
from local.rotation import FUNCTION_ARN, STEPS, Attempt, RotationDriver
from local.secrets_manager import SecretsManager
from tests.support.clock import Clock
from tests.support.in_process import secrets_manager_client

SECRET_ID = "zego/server-secret"
CURRENT, PREVIOUS, PENDING = "AWSCURRENT", "AWSPREVIOUS", "AWSPENDING"
IN_PROGRESS = "A previous rotation isn't complete. That rotation will be reattempted."


@dataclass(frozen=True)
class Result:
    function_error: str | None = None


class StepError(Exception):
    """What a step of a rotation function raises."""


@dataclass
class Rotated:
    """A secret with a rotation function that promotes `new`, and what it was called with.

    `before` is called before each step; where it raises `StepError`, the step fails.
    """

    secrets_manager: SecretsManager
    before: Callable[[str], None] = lambda _step: None
    calls: list[dict[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api = secrets_manager_client(self.secrets_manager)
        self.first = self.holder(CURRENT)

    def function(self, event: dict[str, Any]) -> Result:
        self.calls.append(event)
        try:
            self.before(event["Step"])
        except StepError:
            return Result("Unhandled")
        token = event["ClientRequestToken"]
        if event["Step"] == "createSecret" and self.holder(CURRENT) != token:
            self.api.put_secret_value(
                SecretId=event["SecretId"],
                ClientRequestToken=token,
                SecretString="new",
                VersionStages=[PENDING],
            )
        if event["Step"] == "finishSecret" and self.holder(CURRENT) != token:
            self.api.update_secret_version_stage(
                SecretId=event["SecretId"],
                VersionStage=CURRENT,
                MoveToVersionId=token,
                RemoveFromVersionId=self.holder(CURRENT),
            )
        return Result()

    def rotate(self, **parameters: Any) -> str:
        """Asks for a rotation; gives its token."""
        token = str(uuid.uuid4())
        said = {"ClientRequestToken": token} | parameters
        return self.api.rotate_secret(SecretId=SECRET_ID, **said)["VersionId"]

    def labels(self) -> dict[str, list[str]]:
        return self.api.describe_secret(SecretId=SECRET_ID)["VersionIdsToStages"]

    def listed(self) -> list[str]:
        """The versions that ListSecretVersionIds returns."""
        response = self.api.list_secret_version_ids(SecretId=SECRET_ID, IncludeDeprecated=True)
        return [version["VersionId"] for version in response["Versions"]]

    def holder(self, label: str) -> str:
        (version,) = (version for version, labels in self.labels().items() if label in labels)
        return version

    def text(self, **which: str) -> str:
        return self.api.get_secret_value(SecretId=SECRET_ID, **which)["SecretString"]

    def steps(self) -> list[str]:
        return [call["Step"] for call in self.calls]

    def said(self) -> list[str]:
        return [event["detail"]["eventName"] for event in self.events]


StartDriver = Callable[..., RotationDriver]


@pytest.fixture
def rotated() -> Rotated:
    return Rotated(SecretsManager(clock=Clock()))


@pytest.fixture
def start_driver(rotated: Rotated) -> Iterator[StartDriver]:
    """Starts a driver that sleeps nowhere; rotations wait for `run`."""
    with ExitStack() as running:

        def start(**options: Any) -> RotationDriver:
            quiet: dict[str, Any] = {
                "background": False,
                "sleep": rotated.slept.append,
                "on_event": rotated.events.append,
                "on_attempt": rotated.attempts.append,
            }
            driver = RotationDriver(rotated.secrets_manager, rotated.function, **(quiet | options))
            return running.enter_context(driver)

        yield start


@pytest.fixture
def driver(start_driver: StartDriver) -> RotationDriver:
    return start_driver(attempts=3, delay_seconds=7)


def failing(step: str, times: int = 1000) -> Callable[[str], None]:
    """StepError in a step, some times."""
    left = [times]

    def before(called: str) -> None:
        if called == step and left[0] > 0:
            left[0] -= 1
            raise StepError

    return before


@pytest.mark.usefixtures("driver")
class TestBeginning:
    def test_it_puts_awspending_on_a_version_without_a_value(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}
        for which in ({"VersionId": token}, {"VersionStage": PENDING}):
            with pytest.raises(ClientError, match="ResourceNotFoundException"):
                rotated.text(**which)

    def test_the_version_is_described_and_not_listed_until_it_has_a_value(
        self, rotated: Rotated
    ) -> None:
        """ListSecretVersionIds: it "only returns versions that contain a secret value"."""
        token = rotated.rotate()
        assert rotated.labels()[token] == [PENDING]
        assert rotated.listed() == [rotated.first]
        rotated.api.put_secret_value(
            SecretId=SECRET_ID,
            ClientRequestToken=token,
            SecretString="new",
            VersionStages=[PENDING],
        )
        assert rotated.listed() == [rotated.first, token]

    def test_a_value_that_is_put_into_it_keeps_its_creation(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        clock = rotated.secrets_manager._clock
        assert isinstance(clock, Clock)
        clock.turn(60)
        rotated.api.put_secret_value(
            SecretId=SECRET_ID,
            ClientRequestToken=token,
            SecretString="new",
            VersionStages=[PENDING],
        )
        answer = rotated.api.get_secret_value(SecretId=SECRET_ID, VersionId=token)
        assert (answer["SecretString"], answer["VersionStages"]) == ("new", [PENDING])
        assert answer["CreatedDate"].timestamp() == Clock().now

    def test_the_value_that_it_got_first_stays(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        for text in ("new", "new"):
            rotated.api.put_secret_value(
                SecretId=SECRET_ID, ClientRequestToken=token, SecretString=text
            )
        with pytest.raises(ClientError, match="ResourceExistsException"):
            rotated.api.put_secret_value(
                SecretId=SECRET_ID, ClientRequestToken=token, SecretString="other"
            )

    def test_a_secret_without_a_rotation_function_is_refused(self, rotated: Rotated) -> None:
        rotated.api.create_secret(Name="other", SecretString="x")
        with pytest.raises(ClientError, match=r"InvalidRequestException.*function ARN configured"):
            rotated.api.rotate_secret(SecretId="other")

    def test_a_function_that_may_not_be_invoked_is_refused(self, rotated: Rotated) -> None:
        with pytest.raises(ClientError, match=r"AccessDeniedException.*cannot invoke"):
            rotated.rotate(RotationLambdaARN=FUNCTION_ARN + "-other")
        assert rotated.labels() == {rotated.first: [CURRENT]}

    def test_the_secret_says_who_rotates_it(self, rotated: Rotated) -> None:
        described = rotated.api.describe_secret(SecretId=SECRET_ID)
        assert described["RotationEnabled"]
        assert described["RotationLambdaARN"] == FUNCTION_ARN
        assert described["RotationRules"] == {"AutomaticallyAfterDays": 365}

    def test_one_that_is_in_flight_makes_the_next_one_fail(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        with pytest.raises(ClientError, match=f"InvalidRequestException.*{IN_PROGRESS}"):
            rotated.rotate()
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}

    def test_the_same_request_again_is_answered_and_begins_no_other(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        token = rotated.rotate()
        assert rotated.rotate(ClientRequestToken=token) == token
        assert driver.run(token)
        assert rotated.rotate(ClientRequestToken=token) == token
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [CURRENT]}

    def test_awspending_on_the_current_version_is_in_nobodys_way(self, rotated: Rotated) -> None:
        rotated.api.update_secret_version_stage(
            SecretId=SECRET_ID, VersionStage=PENDING, MoveToVersionId=rotated.first
        )
        token = rotated.rotate()
        assert rotated.labels() == {rotated.first: [CURRENT], token: [PENDING]}


class TestRunning:
    def test_the_function_is_called_with_four_steps_and_the_secrets_arn(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        token = rotated.rotate()
        assert driver.run(token)
        arn = rotated.api.describe_secret(SecretId=SECRET_ID)["ARN"]
        assert rotated.calls == [
            {"Step": step, "SecretId": arn, "ClientRequestToken": token} for step in STEPS
        ]

    def test_awspending_is_removed_when_it_succeeded(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        token = rotated.rotate()
        rotated.before = lambda _step: None
        driver.run(token)
        assert rotated.labels() == {rotated.first: [PREVIOUS], token: [CURRENT]}
        assert rotated.text() == "new"
        described = rotated.api.describe_secret(SecretId=SECRET_ID)
        assert described["LastRotatedDate"].timestamp() == Clock().now

    def test_awspending_is_there_until_the_last_step_has_ended(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        seen: list[str] = []
        rotated.before = lambda _step: seen.append(rotated.holder(PENDING))
        token = rotated.rotate()
        driver.run(token)
        assert seen == [token] * 4

    def test_rotate_secret_answers_before_the_first_step_runs(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        answered = threading.Event()
        seen: list[bool] = []
        rotated.before = lambda _step: seen.append(answered.wait(5))
        driver = start_driver(background=True)
        token = rotated.rotate()
        answered.set()
        assert driver.wait()
        assert seen == [True] * 4
        assert rotated.holder(CURRENT) == token

    def test_who_waits_while_one_begins_waits_for_it_too(
        self, rotated: Rotated, start_driver: StartDriver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited: list[bool] = []
        waiters: list[threading.Thread] = []
        thread = threading.Thread

        class Beginning(threading.Thread):
            def start(self) -> None:
                waiters.append(thread(target=lambda: waited.append(begun.wait())))
                waiters[0].start()
                waiters[0].join(0.2)  # it comes as far as it can
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

    def test_it_gives_up_after_the_last_attempt_and_leaves_awspending_where_it_is(
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
                rotated.api.update_secret_version_stage(
                    SecretId=SECRET_ID, VersionStage=PENDING, RemoveFromVersionId=token
                )
                raise StepError

        rotated.before = refuse
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == list(STEPS[:3])
        assert rotated.slept == []
        assert rotated.labels() == {rotated.first: [CURRENT]}
        rotated.before = lambda _step: None
        assert driver.run(rotated.rotate())

    def test_it_says_so_where_somebody_ends_it_between_two_attempts(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        def end(_seconds: float) -> None:
            rotated.api.update_secret_version_stage(
                SecretId=SECRET_ID, VersionStage=PENDING, RemoveFromVersionId=token
            )

        rotated.before = failing("testSecret")
        driver = start_driver(sleep=end)
        token = rotated.rotate()
        assert not driver.run(token)
        assert [(one.number, one.again) for one in rotated.attempts] == [(1, True), (1, False)]

    def test_it_goes_on_when_its_version_was_promoted_and_the_last_step_failed(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def promote_and_fail(step: str) -> None:
            if step == "finishSecret" and rotated.holder(CURRENT) != token:
                rotated.api.update_secret_version_stage(
                    SecretId=SECRET_ID,
                    VersionStage=CURRENT,
                    MoveToVersionId=token,
                    RemoveFromVersionId=rotated.first,
                )
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

    def test_it_goes_on_when_its_version_was_promoted_and_somebody_took_awspending_off(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def take_off_and_fail(step: str) -> None:
            if step == "finishSecret" and len(rotated.calls) == 4:
                rotated.api.update_secret_version_stage(
                    SecretId=SECRET_ID,
                    VersionStage=CURRENT,
                    MoveToVersionId=token,
                    RemoveFromVersionId=rotated.first,
                )
                rotated.api.update_secret_version_stage(
                    SecretId=SECRET_ID, VersionStage=PENDING, RemoveFromVersionId=token
                )
                raise StepError

        rotated.before = take_off_and_fail
        token = rotated.rotate()
        assert driver.run(token)
        assert rotated.said()[-2:] == ["RotationFailed", "RotationSucceeded"]

    def test_a_function_that_promotes_nothing_has_not_succeeded(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        driver = start_driver(attempts=2)
        driver.invoke = lambda event: Result()
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.said() == ["RotationStarted", "RotationFailed", "RotationFailed"]

    def test_a_secret_that_is_deleted_meanwhile_ends_it(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        def delete(_step: str) -> None:
            rotated.api.delete_secret(SecretId=SECRET_ID, ForceDeleteWithoutRecovery=True)
            raise StepError

        rotated.before = delete
        assert not driver.run(rotated.rotate())
        assert rotated.steps() == ["createSecret"]

    def test_a_driver_that_is_stopped_begins_no_further_step(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        rotated.before = lambda step: driver.stop() if step == "setSecret" else None
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == ["createSecret", "setSecret"]
        with pytest.raises(ClientError, match="AccessDeniedException"):
            rotated.rotate()


class TestACurrentValueThatIsPutMeanwhile:
    def test_abandons_the_rotation(self, rotated: Rotated, driver: RotationDriver) -> None:
        def put(step: str) -> None:
            if step == "setSecret":
                rotated.api.put_secret_value(SecretId=SECRET_ID, SecretString="by hand")
                raise StepError

        rotated.before = put
        token = rotated.rotate()
        assert not driver.run(token)
        assert rotated.steps() == ["createSecret", "setSecret"]
        assert token not in rotated.labels()
        assert rotated.text() == "by hand"
        assert rotated.said() == ["RotationStarted", "RotationAbandoned", "RotationFailed"]

    @pytest.mark.usefixtures("driver")
    def test_into_the_pending_version_itself_abandons_nothing(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        rotated.api.put_secret_value(
            SecretId=SECRET_ID, ClientRequestToken=token, SecretString="by hand"
        )
        assert rotated.labels()[token] == [PENDING, CURRENT]
        assert rotated.said() == []

    @pytest.mark.usefixtures("driver")
    def test_frees_a_secret_that_is_stuck(self, rotated: Rotated) -> None:
        rotated.rotate()
        rotated.api.put_secret_value(SecretId=SECRET_ID, SecretString="by hand")
        assert rotated.said() == ["RotationAbandoned"]
        assert rotated.rotate() in rotated.labels()

    @pytest.mark.usefixtures("driver")
    def test_one_with_a_label_of_its_own_abandons_nothing(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        rotated.api.put_secret_value(
            SecretId=SECRET_ID, SecretString="staged", VersionStages=["CANDIDATE"]
        )
        assert rotated.holder(PENDING) == token
        assert rotated.said() == []


class TestWithoutRotatingImmediately:
    def rotate(self, rotated: Rotated) -> str:
        return rotated.rotate(
            RotateImmediately=False,
            RotationLambdaARN=FUNCTION_ARN,
            RotationRules={"AutomaticallyAfterDays": 30},
        )

    def test_test_secret_alone_runs_on_a_pending_version_with_the_present_value(
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
        listed = rotated.api.list_secret_version_ids(SecretId=SECRET_ID, IncludeDeprecated=True)
        assert [version["VersionId"] for version in listed["Versions"]] == [rotated.first]
        assert rotated.said() == (["TestRotationFailed"] if fails else [])

    def test_the_schedule_is_set(self, rotated: Rotated, driver: RotationDriver) -> None:
        driver.run(self.rotate(rotated))
        described = rotated.api.describe_secret(SecretId=SECRET_ID)
        assert described["RotationRules"] == {"AutomaticallyAfterDays": 30}

    @pytest.mark.usefixtures("driver")
    def test_it_fails_while_a_rotation_is_in_flight(self, rotated: Rotated) -> None:
        rotated.rotate()
        with pytest.raises(ClientError, match=IN_PROGRESS):
            self.rotate(rotated)


class TestEvents:
    def test_a_rotation_that_succeeds_says_so(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        driver.run(rotated.rotate())
        assert rotated.said() == ["RotationStarted", "RotationSucceeded"]

    def test_every_failed_attempt_says_so(self, rotated: Rotated, driver: RotationDriver) -> None:
        rotated.before = failing("setSecret", times=2)
        driver.run(rotated.rotate())
        assert rotated.said() == [
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
        arn = rotated.api.describe_secret(SecretId=SECRET_ID)["ARN"]
        assert event["detail"]["additionalEventData"] == {"SecretId": arn}

    def test_when_one_is_told_the_labels_are_as_it_says(
        self, rotated: Rotated, start_driver: StartDriver
    ) -> None:
        seen: list[dict[str, list[str]]] = []
        driver = start_driver(on_event=lambda _event: seen.append(rotated.labels()))
        token = rotated.rotate()
        driver.run(token)
        assert seen[-1] == {rotated.first: [PREVIOUS], token: [CURRENT]}
