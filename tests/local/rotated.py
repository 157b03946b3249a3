"""A secret with rotation, and a short rotation function."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.aws.events import Event
from local.aws.secrets_manager import SECRET_ID
from local.aws.secrets_manager.conditions import Conditions
from local.aws.secrets_manager.rotation import Attempt, RotationDriver
from tests.local.secret import CURRENT, PENDING, Secret

StartDriver = Callable[..., RotationDriver]


@dataclass(frozen=True)
class Result:
    function_error: str | None = None


class StepError(Exception):
    """Makes a step of the rotation function fail."""


class Rotated(Secret):
    """A secret with a rotation function that promotes `new`; keeps the calls of the function.

    `before` is called before each step. If it raises `StepError`, the step fails.
    """

    def __init__(self, conditions: Conditions) -> None:
        super().__init__(conditions)
        self.before: Callable[[str], None] = lambda _step: None
        self.calls: list[dict[str, Any]] = []
        self.events: list[Event] = []
        self.slept: list[float] = []
        self.attempts: list[Attempt] = []

    def function(self, event: dict[str, Any]) -> Result:
        """The rotation function."""
        self.calls.append(event)
        try:
            self.before(event["Step"])
        except StepError:
            return Result("Unhandled")
        token = event["ClientRequestToken"]
        if event["Step"] == "createSecret" and self.holder(CURRENT) != token:
            self.put("new", PENDING, token=token)
        if event["Step"] == "finishSecret" and self.holder(CURRENT) != token:
            self.move(CURRENT, to=token, off=self.holder(CURRENT))
        return Result()

    def rotate(self, **parameters: Any) -> str:
        """Requests a rotation. Returns its token."""
        request = {"ClientRequestToken": str(uuid.uuid4())} | parameters
        return self.api.rotate_secret(SecretId=SECRET_ID, **request)["VersionId"]

    def cancel(self) -> str | None:
        """Cancels the rotation. Returns the version that the response names."""
        return self.api.cancel_rotate_secret(SecretId=SECRET_ID).get("VersionId")

    def steps(self) -> list[str]:
        """The steps of all calls of the rotation function."""
        return [call["Step"] for call in self.calls]

    def event_names(self) -> list[str]:
        """The names of all events."""
        return [event["detail"]["eventName"] for event in self.events]


def failing(step: str, times: int = 1000) -> Callable[[str], None]:
    """Fails a step the given number of times."""
    left = [times]

    def before(called: str) -> None:
        if called == step and left[0] > 0:
            left[0] -= 1
            raise StepError

    return before
