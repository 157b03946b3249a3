from __future__ import annotations

import queue
import threading
import time

import pytest

from local.aws.events import (
    BY_CLOUDTRAIL,
    SECRETS_MANAGER,
    Event,
    EventBus,
    WatchSchedule,
    make_event,
)


class Watched:
    """A schedule, and the events with which it invoked the watcher."""

    def __init__(self, every_seconds: float | None) -> None:
        self.invoked: queue.Queue[Event] = queue.Queue()
        self.bus = EventBus()
        self.schedule = WatchSchedule(
            self.invoked.put, self.bus, every_seconds=every_seconds, region="us-east-1"
        )

    def publish(
        self, name: str, source: str = SECRETS_MANAGER, detail_type: str = BY_CLOUDTRAIL
    ) -> Event:
        event = make_event(source, detail_type, {"eventName": name}, region="us-east-1", now=0)
        self.bus.publish(event)
        return event


def test_it_invokes_the_watcher_after_each_interval() -> None:
    watched = Watched(every_seconds=0.03)
    started = time.monotonic()
    with watched.schedule:
        first = watched.invoked.get(timeout=60)
        assert time.monotonic() - started >= 0.03
        watched.invoked.get(timeout=60)
    assert (first["source"], first["detail-type"]) == ("aws.events", "Scheduled Event")
    assert first["detail"] == {}


@pytest.mark.parametrize(
    "name", ["RotationSucceeded", "RotationFailed", "RotationAbandoned", "TestRotationFailed"]
)
def test_the_end_of_a_rotation_invokes_it_at_once(name: str) -> None:
    watched = Watched(every_seconds=None)
    with watched.schedule:
        event = watched.publish(name)
        assert watched.invoked.get(timeout=60) == event


def test_other_events_do_not_invoke_it() -> None:
    watched = Watched(every_seconds=None)
    with watched.schedule:
        watched.publish("RotationStarted")
        watched.publish("RotationFailed", source="aws.other")
        watched.publish("RotationFailed", detail_type="AWS API Call via CloudTrail")
        last = watched.publish("RotationSucceeded")
        assert watched.invoked.get(timeout=60) == last
    assert watched.invoked.empty()


def test_after_stop_it_invokes_nothing() -> None:
    watched = Watched(every_seconds=0.01)
    with watched.schedule:
        pass
    watched.schedule._thread.join(5)
    assert not watched.schedule._thread.is_alive()


def test_it_waits_for_the_invocations_after_the_reported_ends() -> None:
    watched = Watched(every_seconds=None)
    may_end = threading.Event()
    watched.schedule._invoke = lambda _: may_end.wait(60)
    with watched.schedule:
        assert watched.schedule.wait(0)
        watched.publish("RotationFailed")
        watched.publish("RotationSucceeded")
        assert not watched.schedule.wait(0)
        may_end.set()
        assert watched.schedule.wait(60)
