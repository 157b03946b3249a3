"""EventBridge: the default event bus, and the two rules that run the watcher.

Sources: PutEvents and its error codes in the EventBridge API reference; "AWS service events" in the
EventBridge user guide for the content of an event.
"""

from __future__ import annotations

import json
import queue
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from local import Part
from local.aws import ACCOUNT_ID, SignedService, refusal, success
from local.loopback import HttpRequest, HttpResponse
from zego import strict_json

EVENTS_KEPT = 1000
MAX_ENTRIES = 10
TARGET = "AWSEvents.PutEvents"
SECRETS_MANAGER = "aws.secretsmanager"
BY_CLOUDTRAIL = "AWS Service Event via CloudTrail"
"""The source and the detail type of Secrets Manager's events."""
ENDS_OF_A_ROTATION = frozenset(
    {"RotationSucceeded", "RotationFailed", "RotationAbandoned", "TestRotationFailed"}
)

Event = dict[str, Any]
Subscriber = Callable[[Event], None]

_REQUIRED = ("Source", "DetailType", "Detail")


def make_event(
    source: str,
    detail_type: str,
    detail: Mapping[str, Any],
    *,
    region: str,
    resources: Sequence[str] = (),
    now: float,
) -> Event:
    """Returns an event as EventBridge delivers it; `now` is in Unix seconds."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT_ID,
        "time": timestamp(now),
        "region": region,
        "resources": list(resources),
        "detail": dict(detail),
    }


def timestamp(now: float) -> str:
    """Returns a time in the form of events: RFC 3339, to the second."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class EventBus(SignedService):
    """An event bus that takes PutEvents and hands each event to its subscribers.

    It keeps the last `EVENTS_KEPT` events, which `GET /` shows, newest last.
    """

    signing_name = "events"
    unsigned = (("GET", "/"),)

    def __init__(
        self,
        *,
        port: int = 0,
        region: str = "us-east-1",
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port)
        self._region = region
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._subscribers: list[tuple[str | None, str | None, Subscriber]] = []

    def subscribe(
        self, subscriber: Subscriber, *, source: str | None = None, detail_type: str | None = None
    ) -> None:
        """Hands every later event to a subscriber, or only those of a source and detail type.

        The subscriber is called in the publisher's thread, so it must be quick.
        """
        self._subscribers.append((source, detail_type, subscriber))

    def publish(self, event: Event) -> None:
        """Keeps an event and hands it out."""
        self._events.append(event)
        for source, detail_type, subscriber in list(self._subscribers):
            if source in (None, event["source"]) and detail_type in (None, event["detail-type"]):
                subscriber(event)

    def events(self, detail_type: str | None = None) -> list[Event]:
        """Returns the last events, oldest first: all, or those of a detail type."""
        kept = list(self._events)
        return [event for event in kept if detail_type in (None, event["detail-type"])]

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to PutEvents, and shows the events on `GET /`."""
        if (request.method, request.path) == ("GET", "/"):
            return success(json.dumps(self.events(), indent=2))
        if request.header("x-amz-target") != TARGET:
            return refusal("UnknownOperationException", "only PutEvents is implemented here")
        try:
            entries = strict_json.loads(request.body)["Entries"]
        except (ValueError, LookupError, TypeError):
            return refusal("SerializationException", "the body is not an object with Entries")
        if not isinstance(entries, list) or not 1 <= len(entries) <= MAX_ENTRIES:
            return refusal("ValidationException", f"Entries must hold 1 to {MAX_ENTRIES} entries")
        results = [self._put(entry) for entry in entries]
        failed = sum("ErrorCode" in result for result in results)
        answer = {"FailedEntryCount": failed, "Entries": results}
        return success(json.dumps(answer))

    def _put(self, entry: Any) -> dict[str, str]:
        if refused := _refused(entry):
            return dict(zip(("ErrorCode", "ErrorMessage"), refused, strict=True))
        event = make_event(
            entry["Source"],
            entry["DetailType"],
            strict_json.loads(entry["Detail"]),
            region=self._region,
            resources=entry.get("Resources") or (),
            now=entry.get("Time") or self._clock(),
        )
        self.publish(event)
        return {"EventId": event["id"]}


class WatchSchedule(Part):
    """The two EventBridge rules of template.yaml that have the watcher as their target.

    It calls `invoke` with one event at a time, in its own thread: every `every_seconds`, the first
    time after that many seconds (None: never), and when Secrets Manager reports a rotation's end.
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
        bus.subscribe(self._take, source=SECRETS_MANAGER, detail_type=BY_CLOUDTRAIL)

    def start(self) -> None:
        """Starts the schedule."""
        self._thread.start()

    def stop(self) -> None:
        """Stops invoking. An invocation that is running may end."""
        self._waiting.put(None)

    def wait(self, seconds: float = 10.0) -> bool:
        """Waits for the invocations after reported ends. Returns whether all ended in time."""
        with self._waiting.all_tasks_done:
            return self._waiting.all_tasks_done.wait_for(
                lambda: not self._waiting.unfinished_tasks, seconds
            )

    def scheduled_event(self) -> Event:
        """Returns the event of a schedule, as EventBridge makes it."""
        rule = f"arn:aws:events:{self._region}:{ACCOUNT_ID}:rule/watcher"
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
                due = time.monotonic() + (every or 0.0)
                self._invoke(self.scheduled_event())
                continue
            if event is None:
                return
            try:
                self._invoke(event)
            finally:
                self._waiting.task_done()


def _refused(entry: Any) -> tuple[str, str] | None:
    """Returns the error code and message of an invalid entry, else None."""
    for name in _REQUIRED:
        if not isinstance(entry, dict) or not isinstance(entry.get(name), str) or not entry[name]:
            reason = f"Parameter {name} is not valid. Reason: {name} is a required argument."
            return "InvalidArgument", reason
    if entry["Source"].startswith("aws."):
        return "NotAuthorizedForSourceException", "Not authorized for the source."
    if entry.get("EventBusName", "default") != "default":
        return "ResourceNotFoundException", "Only the default event bus is here."
    try:
        detail = strict_json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return "MalformedDetail", "Detail is malformed."
    return None
