"""What the rotator and the watcher write: log, metrics, notes on the secret, and events."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from tests.recorded.logs import log_lines, metrics
from tests.recorded.real_code import LOOK, Parts, Trouble
from tests.recorded.recording import check, normalised

WRONG: Final = "0123456789abcdef" * 2
FUNCTIONS: Final = ("rotator", "watcher")
#: Seconds after which a rotation is stuck.
LONG_AGO: Final = 960


class Story:
    """What happens to a secret, one thing after the other, and what is written of each."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.logs: dict[str, Any] = {}
        self.metrics: dict[str, Any] = {}
        self.notes: dict[str, Any] = {}
        self.events: dict[str, Any] = {}
        self._events_seen = 0

    def then(self, what: str, *happens: Callable[[], object]) -> None:
        """Let it happen, and keep what was written."""
        for one in happens:
            one()
        parts = self.parts
        lines = [line for name in FUNCTIONS for line in parts.functions[name].lines()]
        self.logs[what] = log_lines(lines)
        self.metrics[what] = metrics(lines)
        self.notes[what] = dict(sorted(parts.tags().items()))
        events = parts.event_bus.events()
        self.events[what] = [
            {name: event[name] for name in ("source", "detail-type", "resources", "detail")}
            for event in events[self._events_seen :]
            if event["source"] == "zego-token-service"
        ]
        self._events_seen = len(events)


def watcher_of(parts: Parts, event: Mapping[str, Any] = LOOK) -> Callable[[], object]:
    """A run of the watcher."""

    def watch() -> object:
        return parts.functions["watcher"](event)

    return watch


def ended(name: str) -> dict[str, Any]:
    """The event of Secrets Manager for the end of a rotation."""
    return {"source": "aws.secretsmanager", "detail": {"eventName": name}}


@pytest.fixture(scope="module")
def story(parts: Parts) -> Story:
    told = Story(parts)
    watch, rotate = watcher_of(parts), parts.rotate
    zego = parts.zego

    def stage(value: str, app_id: int = parts.secrets_manager.app_id) -> Callable[[], object]:
        return lambda: parts.store(value, "CANDIDATE", app_id)

    def trouble(kind: Any) -> Callable[[], object]:
        return lambda: setattr(zego, "trouble", Trouble(kind=kind))

    def reset(*, keep_old: bool) -> Callable[[], object]:
        def new() -> None:
            stage(zego.project.reset(keep_old=keep_old).value)()

        return new

    def stuck() -> None:
        token = parts.store(WRONG, "AWSPENDING")
        parts.tag(**{"in-flight": f"{token} {parts.now - LONG_AGO}"})

    told.then("a first check", watch)
    told.then("a check that finds the same", watch)
    told.then("a rotation to nothing", rotate)
    told.then("a rotation to a value that ZEGO rejects", stage(WRONG), rotate)
    told.then("a rotation to another AppID", stage(WRONG, 987654321), rotate)
    told.then(
        "a rotation to a value without a verdict",
        reset(keep_old=True),
        trouble("rate-limit"),
        rotate,
    )
    for number in ("a first", "a second", "a third"):
        told.then(f"{number} check without a response from ZEGO", watch)
    told.then("a check after ZEGO responds again", trouble("none"), watch)
    told.then("the same rotation, which promotes it", rotate)
    for name in (
        "RotationSucceeded",
        "RotationFailed",
        "RotationAbandoned",
        "TestRotationFailed",
    ):
        told.then(f"a check after {name}", watcher_of(parts, ended(name)))
    told.then("a check that heals", reset(keep_old=False), watch, parts.steps)
    told.then("a check after that", watch)
    told.then("a check that has nothing to heal with", zego.project.reset, watch)
    told.then("a second check that has nothing to heal with", watch)
    told.then("a check that gives up a stuck rotation", stuck, watch)
    return told


def test_what_they_log(story: Story, request: pytest.FixtureRequest) -> None:
    check("rotation_log", normalised(story.logs), request)


def test_what_they_measure(story: Story, request: pytest.FixtureRequest) -> None:
    check("rotation_metrics", normalised(story.metrics), request)


def test_what_they_note_on_the_secret(story: Story, request: pytest.FixtureRequest) -> None:
    check("rotation_notes", normalised(story.notes), request)


def test_what_the_watcher_publishes(story: Story, request: pytest.FixtureRequest) -> None:
    check("rotation_events", normalised(story.events), request)


def test_what_the_rotator_refuses_to_run(parts: Parts, request: pytest.FixtureRequest) -> None:
    good = {
        "Step": "createSecret",
        "SecretId": parts.secrets_manager.call(
            "DescribeSecret", SecretId=parts.secrets_manager.secret_id
        )["ARN"],
        "ClientRequestToken": str(uuid.UUID(int=1)),
    }
    changes: dict[str, dict[str, object]] = {
        "another step": {"Step": "deleteSecret"},
        "no token": {"ClientRequestToken": ""},
        "an invalid RotationToken": {"RotationToken": 5},
        "another secret": {"SecretId": "arn:aws:secretsmanager:us-east-1:1:secret:other-AbCdEf"},
        "a version that is not pending": {},
    }
    said = {}
    for what, change in changes.items():
        with pytest.raises(Exception) as refused:  # noqa: PT011  its text is recorded
            parts.functions["rotator"](good | change)
        said[what] = str(refused.value)
        parts.functions["rotator"].lines()
    check("rotator_errors", normalised(said), request)
