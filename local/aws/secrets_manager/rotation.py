"""Secrets Manager's rotations: the four calls of the rotation function, their retries and events.

RotateSecret (in `actions`) begins a rotation and returns at once. The function is then called with
`createSecret`, `setSecret`, `testSecret` and `finishSecret`, one after the other. If one fails, all
four run again some time later, until the attempts are used up or the version is no longer in the
rotation. AWS tries for hours; here, parameters set the attempts and the time between them. The
events of the function have no RotationToken: see `local.aws.secrets_manager`.

Each rule has a test that is named after it, in `test_rotation.py` or
`test_interrupted_rotations.py` of tests/local/aws/secrets_manager.

Sources: "Rotation by Lambda function" and "Log events with CloudTrail" in the user guide;
RotateSecret and CancelRotateSecret in the API reference; AWS' error text "A previous rotation isn't
complete. That rotation will be reattempted."

Undocumented, and so decided here:

* Every failed attempt has its own RotationFailed event, because the event names the failed step.
* A rotation that RotateSecret finds pending is retried at once, unless it is running or cancelled.
* The cancellation of a rotation publishes no event. A step that is running at that time may end.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from local import Part
from local.aws import ACCOUNT_ID
from local.aws.events import BY_CLOUDTRAIL, SECRETS_MANAGER, Event, make_event, timestamp
from local.aws.lambda_host import NotRunningError, ThrottledError
from local.aws.secrets_manager.conditions import SecretsManagerError

if TYPE_CHECKING:
    from local.aws.secrets_manager import SecretsManager

STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
FUNCTION_ARN = f"arn:aws:lambda:us-east-1:{ACCOUNT_ID}:function:rotator"
DAYS = 365
"""The schedule of template.yaml. Nothing here waits for it."""
_SERVICE = "secretsmanager.amazonaws.com"


class StepOutcome(Protocol):
    """The result of an invocation, from a `LambdaHost` or a test."""

    @property
    def function_error(self) -> str | None:
        """None if the function returned."""


RotationFunction = Callable[[dict[str, Any]], StepOutcome]


@dataclass(frozen=True)
class Attempt:
    """How an attempt of a rotation ended: the `number`th of `of`, counted from 1.

    `again`: another attempt follows. `is_current`: AWSCURRENT is on the rotation's version, as
    finishSecret can fail after the promotion.
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


class RotationDriver(Part):
    """Runs the rotations of a Secrets Manager, with `invoke` as the rotation function.

    While it is started, the secret is configured to be rotated by `function_arn`. Each rotation
    runs in its own thread, or in `run` if `background` is false. Between attempts, it calls `sleep`
    with `delay_seconds`, which may be changed later. `on_event` gets the events of EventBridge:
    RotationStarted, RotationSucceeded, RotationFailed, RotationAbandoned and TestRotationFailed.
    `on_attempt` gets the end of each attempt, before its event, and once more if the announced
    retry does not follow.
    """

    def __init__(
        self,
        secrets_manager: SecretsManager,
        invoke: RotationFunction,
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
        self.delay_seconds = delay_seconds
        self._background = background
        self._stopping = threading.Event()
        self._sleep = sleep or self._stopping.wait
        self._on_event = on_event
        self._on_attempt = on_attempt
        self._clock = clock
        self._rotations: dict[str, _Rotation] = {}
        self._cancelled: set[str] = set()
        self._threads: dict[str, threading.Thread] = {}
        self._threads_lock = threading.Lock()

    def start(self) -> None:
        """Configures the secret and accepts its rotations, as soon as moto is loaded."""
        self._storage = self._secrets_manager.storage
        secret_id = self._secrets_manager.secret_id
        self._storage.driver = self
        self._storage.configure_rotation(secret_id, self.function_arn, days=DAYS)

    def stop(self) -> None:
        """Begins no further step. A running step may end, and `wait` waits for it."""
        self._stopping.set()
        self._storage.driver = None

    def begin(self, secret_arn: str, token: str, *, test_only: bool) -> None:
        """Accepts a rotation that RotateSecret has begun. Called by Secrets Manager."""
        self._rotations[token] = _Rotation(secret_arn, token, test_only)
        self._start(token)

    def reattempt(self, secret_arn: str, token: str) -> None:
        """Runs a pending rotation again, unless it is running. Called by Secrets Manager.

        RotateSecret need not have begun it: AWSPENDING alone makes a rotation pending.
        """
        self._rotations.setdefault(token, _Rotation(secret_arn, token, test_only=False))
        self._start(token)

    def cancel(self, token: str) -> None:
        """Runs no further step of a rotation. Called by Secrets Manager."""
        self._cancelled.add(token)

    def abandoned(self, secret_arn: str) -> None:
        """Reports that a new version ended a rotation. Called by Secrets Manager."""
        self._publish("RotationAbandoned", secret_arn)

    def wait(self, seconds: float = 10.0) -> bool:
        """Waits for the rotations in the background. Returns whether all ended in time."""
        deadline = time.monotonic() + seconds
        with self._threads_lock:
            threads = list(self._threads.values())
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with self._threads_lock:
            return not any(thread.is_alive() for thread in self._threads.values())

    def run(self, token: str) -> bool:
        """Runs a rotation to its end in the caller's thread. Returns whether it succeeded.

        After the last attempt it can run again, as in AWS' next rotation window. A cancelled
        rotation does not run.
        """
        rotation = self._rotations[token]
        if token in self._cancelled:
            return False
        run = self._test if rotation.test_only else self._rotate
        try:
            return run(rotation)
        except SecretsManagerError as gone:  # the secret was deleted
            self._publish("RotationFailed", rotation.secret_arn, str(gone))
            return False

    def _start(self, token: str) -> None:
        """Runs a rotation in the background, unless it is running."""
        if not self._background:
            return
        with self._threads_lock:  # `wait` must not find a thread before it starts
            if token in self._threads and self._threads[token].is_alive():
                return
            thread = threading.Thread(target=self.run, args=(token,), daemon=True)
            thread.start()
            self._threads[token] = thread

    def _rotate(self, rotation: _Rotation) -> bool:
        self._publish("RotationStarted", rotation.secret_arn)
        for number in range(1, self._attempts + 1):
            failure = self._attempt(rotation)
            again = failure is not None and number < self._attempts and self._goes_on(rotation)
            self._report(rotation, number, failed=failure is not None, again=again)
            if failure is None:
                self._publish("RotationSucceeded", rotation.secret_arn)
                return True
            if rotation.token in self._cancelled:
                break
            self._publish("RotationFailed", rotation.secret_arn, failure)
            if not again:
                break
            self._sleep(self.delay_seconds)
            if not self._goes_on(rotation):  # it was ended meanwhile
                self._report(rotation, number, failed=True, again=False)
                break
        return False

    def _attempt(self, rotation: _Rotation) -> str | None:
        """Runs the four steps once. Returns None, or why they failed."""
        for step in STEPS:
            failure = self._step(step, rotation)
            if rotation.token in self._cancelled:
                return "CancelRotateSecret has cancelled the rotation"
            if failure:
                return failure
        if self._storage.end_rotation(rotation.secret_arn, rotation.token):
            return None
        return "finishSecret has not moved AWSCURRENT to the new version"

    def _test(self, rotation: _Rotation) -> bool:
        """Runs only testSecret, on a version that exists only for this test."""
        failure = self._step("testSecret", rotation)
        self._storage.end_test(rotation.secret_arn, rotation.token)
        if failure:
            self._publish("TestRotationFailed", rotation.secret_arn, failure)
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

    def _report(self, rotation: _Rotation, number: int, *, failed: bool, again: bool) -> None:
        if self._on_attempt is None:
            return
        is_current = self._storage.is_current(rotation.secret_arn, rotation.token)
        self._on_attempt(Attempt(rotation.token, number, self._attempts, failed, again, is_current))

    def _goes_on(self, rotation: _Rotation) -> bool:
        if self._stopping.is_set() or rotation.token in self._cancelled:
            return False
        return self._storage.in_rotation(rotation.secret_arn, rotation.token)

    def _publish(self, name: str, secret_arn: str, error: str | None = None) -> None:
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
        self._on_event(make_event(SECRETS_MANAGER, BY_CLOUDTRAIL, detail, region=region, now=now))
