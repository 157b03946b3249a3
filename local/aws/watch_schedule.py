"""When the watcher runs: every few minutes, and when Secrets Manager reports a rotation's end.

It stands for the two EventBridge rules of template.yaml that have the watcher as their target.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Self

from local.aws.event_bus import Event, EventBus, make_event
from local.aws.secrets_manager.rotation import DETAIL_TYPE, SOURCE

ENDS_OF_A_ROTATION = frozenset(
    {"RotationSucceeded", "RotationFailed", "RotationAbandoned", "TestRotationFailed"}
)


class WatchSchedule:
    """Calls `invoke` with one event at a time, in a thread of its own.

    The first scheduled event comes after `every_seconds`; with None there are none.
    """

    def __init__(
        self,
        invoke: Callable[[Event], object],
        bus: EventBus,
        *,
        every_seconds: float | None,
        region: str,
    ) -> None:
        self._invoke = invoke
        self._every_seconds = every_seconds
        self._region = region
        self._waiting: queue.Queue[Event | None] = queue.Queue()
        self._thread = threading.Thread(target=self._run, daemon=True)
        bus.subscribe(self._take, source=SOURCE, detail_type=DETAIL_TYPE)

    def start(self) -> None:
        """Begins to count the seconds."""
        self._thread.start()

    def stop(self) -> None:
        """Invokes no more. One that runs is left to end."""
        self._waiting.put(None)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def scheduled_event(self) -> Event:
        """The event of a schedule, as EventBridge makes it."""
        rule = f"arn:aws:events:{self._region}:000000000000:rule/watcher"
        return make_event(
            "aws.events",
            "Scheduled Event",
            {},
            region=self._region,
            resources=[rule],
            now=time.time(),
        )

    def _take(self, event: Event) -> None:
        if event["detail"]["eventName"] in ENDS_OF_A_ROTATION:
            self._waiting.put(event)

    def _run(self) -> None:
        every = self._every_seconds
        due = None if every is None else time.monotonic() + every
        while True:
            left = None if due is None else max(0.0, due - time.monotonic())
            try:
                event = self._waiting.get(timeout=left)
            except queue.Empty:
                event = self.scheduled_event()
                due = time.monotonic() + (every or 0.0)
            if event is None:
                return
            self._invoke(event)
