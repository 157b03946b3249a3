"""Secrets Manager's rotations: the four calls of the rotation function, their retries and events.

RotateSecret (`local.secret_actions`) begins one and answers at once. The function is then called
with `createSecret`, `setSecret`, `testSecret` and `finishSecret`, one after the other. If one
fails, all four are run again some time later, until the attempts are used up or the version is no
longer in the rotation. AWS tries for hours; here the attempts and the time between them are given.

Each rule has a test that is named after it, in `tests/local_stack/test_rotation_driver.py`.

Sources: "Rotation by Lambda function" and "Log events with CloudTrail" in the Secrets Manager user
guide. That every failed attempt is a RotationFailed event of its own is inferred: the event names
the step that failed.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from local.event_bus import Event, make_event, timestamp
from local.lambda_host import ACCOUNT_ID, NotRunningError, ThrottledError
from local.secrets_manager import SecretsManagerError

if TYPE_CHECKING:
    from local.secrets_manager import SecretsManager

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
SOURCE = "aws.secretsmanager"
DETAIL_TYPE = "AWS Service Event via CloudTrail"
FUNCTION_ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:rotator"
DAYS = 365
"""The schedule, as template.yaml has it. Nothing here waits for it."""
_SERVICE = "secretsmanager.amazonaws.com"


class Result(Protocol):
    """What is looked at in the result of an invocation, which is a `LambdaHost`'s or any other."""

    @property
    def function_error(self) -> str | None:
        """None where the function returned."""


Invoke = Callable[[dict[str, Any]], Result]


@dataclass(frozen=True)
class Attempt:
    """How an attempt of a rotation ended: the `number`th of `of`, counted from 1.

    `again` says that another follows, `is_current` that AWSCURRENT is on the rotation's version:
    finishSecret can fail after that.
    """

    token: str
    number: int
    of: int
    failed: bool
    again: bool
    is_current: bool


@dataclass(frozen=True)
class _Rotation:
    """One rotation: `token` is the id of the version that it makes."""

    secret_arn: str
    token: str
    test_only: bool


class RotationDriver:
    """Runs the rotations of a Secrets Manager, with `invoke` as the rotation function.

    While it is started, the secret is configured to be rotated by `function_arn`. A rotation runs
    in a thread of its own; with `background` false it waits for `run`. `sleep` is called between
    attempts with the seconds to wait. `on_event` gets what EventBridge would: RotationStarted,
    RotationSucceeded, RotationFailed, RotationAbandoned and TestRotationFailed. `on_attempt` gets
    the end of each attempt, before its event, and once more where no other follows after all.
    """

    def __init__(
        self,
        secrets_manager: SecretsManager,
        invoke: Invoke,
        *,
        function_arn: str = FUNCTION_ARN,
        attempts: int = 5,
        delay_seconds: float = 2.0,
        background: bool = True,
        sleep: Callable[[float], object] | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.invoke = invoke
        self.function_arn = function_arn
        self._secrets_manager = secrets_manager
        self._attempts = attempts
        self._delay_seconds = delay_seconds
        self._background = background
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._on_event = on_event
        self._on_attempt = on_attempt
        self._clock = clock
        self._rotations: dict[str, _Rotation] = {}
        self._threads: list[threading.Thread] = []
        self._threads_lock = threading.Lock()

    def start(self) -> None:
        """Configures the secret and takes its rotations, as soon as moto is loaded."""
        self._storage = self._secrets_manager.storage
        secret_id = self._secrets_manager.secret_id
        self._storage.driver = self
        self._storage.configure_rotation(secret_id, self.function_arn, days=DAYS)

    def stop(self) -> None:
        """Begins no further step. One that runs is left to end, which `wait` waits for."""
        self._stopping.set()
        self._storage.driver = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def begin(self, secret_arn: str, token: str, *, test_only: bool) -> None:
        """Takes on a rotation that RotateSecret has begun. Called by Secrets Manager."""
        self._rotations[token] = _Rotation(secret_arn, token, test_only)
        if self._background:
            thread = threading.Thread(target=self.run, args=(token,), daemon=True)
            with self._threads_lock:  # `wait` must find no thread that has yet to start
                thread.start()
                self._threads.append(thread)

    def abandoned(self, secret_arn: str) -> None:
        """Says that a new current version ended a rotation. Called by Secrets Manager."""
        self._say("RotationAbandoned", secret_arn)

    def wait(self, seconds: float = 10.0) -> bool:
        """Waits for the rotations in the background; whether all of them ended in time."""
        deadline = time.monotonic() + seconds
        with self._threads_lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._threads_lock:
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            return not self._threads

    def run(self, token: str) -> bool:
        """Runs a rotation to its end in the caller's thread; whether it succeeded.

        One that was given up can be run again, as AWS does in the next rotation window.
        """
        rotation = self._rotations[token]
        run = self._test if rotation.test_only else self._rotate
        try:
            return run(rotation)
        except SecretsManagerError as gone:  # somebody deleted the secret
            self._say("RotationFailed", rotation.secret_arn, str(gone))
            return False

    def _rotate(self, rotation: _Rotation) -> bool:
        self._say("RotationStarted", rotation.secret_arn)
        for number in range(1, self._attempts + 1):
            failure = self._attempt(rotation)
            again = failure is not None and number < self._attempts and self._goes_on(rotation)
            self._tell(rotation, number, failed=failure is not None, again=again)
            if failure is None:
                self._say("RotationSucceeded", rotation.secret_arn)
                return True
            self._say("RotationFailed", rotation.secret_arn, failure)
            if not again:
                break
            self._sleep(self._delay_seconds)
            if not self._goes_on(rotation):  # somebody has ended it meanwhile
                self._tell(rotation, number, failed=True, again=False)
                break
        return False

    def _attempt(self, rotation: _Rotation) -> str | None:
        """Runs the four steps once; None, or why they failed."""
        for step in STEPS:
            if failure := self._step(step, rotation):
                return failure
        if self._storage.end_rotation(rotation.secret_arn, rotation.token):
            return None
        return "finishSecret has not moved AWSCURRENT to the new version"

    def _test(self, rotation: _Rotation) -> bool:
        """Runs testSecret alone, on a version that is there for this only."""
        failure = self._step("testSecret", rotation)
        self._storage.end_test(rotation.secret_arn, rotation.token)
        if failure:
            self._say("TestRotationFailed", rotation.secret_arn, failure)
        return failure is None

    def _step(self, step: str, rotation: _Rotation) -> str | None:
        event = {
            "Step": step,
            "SecretId": rotation.secret_arn,
            "ClientRequestToken": rotation.token,
        }
        try:
            if not self._stopping.is_set() and self.invoke(event).function_error is None:
                return None
        except (NotRunningError, ThrottledError):
            pass
        return f"Error when executing lambda {self.function_arn} during {step} step"

    def _tell(self, rotation: _Rotation, number: int, *, failed: bool, again: bool) -> None:
        if self._on_attempt is None:
            return
        is_current = self._storage.is_current(rotation.secret_arn, rotation.token)
        told = Attempt(rotation.token, number, self._attempts, failed, again, is_current)
        self._on_attempt(told)

    def _goes_on(self, rotation: _Rotation) -> bool:
        if self._stopping.is_set():
            return False
        return self._storage.in_rotation(rotation.secret_arn, rotation.token)

    def _say(self, name: str, secret_arn: str, error: str | None = None) -> None:
        if self._on_event is None or self._stopping.is_set():
            return
        now, region = self._clock(), self._secrets_manager.region
        detail = {
            "eventVersion": "1.08",
            "userIdentity": {"accountId": ACCOUNT_ID, "invokedBy": _SERVICE},
            "eventTime": timestamp(now),
            "eventSource": _SERVICE,
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": _SERVICE,
            "userAgent": _SERVICE,
            "requestParameters": None,
            "responseElements": None,
            "additionalEventData": {"SecretId": secret_arn},
            "eventID": str(uuid.uuid4()),
            "readOnly": False,
            "eventType": "AwsServiceEvent",
            "managementEvent": True,
            "recipientAccountId": ACCOUNT_ID,
            "eventCategory": "Management",
        }
        if error is not None:
            detail["errorMessage"] = error
        self._on_event(make_event(SOURCE, DETAIL_TYPE, detail, region=region, now=now))
