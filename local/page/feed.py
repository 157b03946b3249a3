"""Turns what happens in the parts of the stack into messages for the page.

Messages contain fingerprints, never a secret or a token. Neither do the logs, access records and
events that they are made from.

=================  ===============================================================================
`access`           a request to the API and its status
`audit`            what the issuer decided and why, from its log
`incoming-call`    someone calls, from the event on the bus
`signal`           what a phone reports about a call: joined, declined or ended
`step`             a step of a rotation that has begun or ended
`look`             a run of the watcher
`event`            another event on the bus
`console`          something was changed at ZEGO's console
`label`            a label of the secret was moved or removed
=================  ===============================================================================

Two messages are states: a page that connects later gets the latest of each in full.

==========  ======================================================================================
`rotation`  the last rotation: its four steps in this attempt, and how the attempt ended
`watcher`   what the watcher's last run found
==========  ======================================================================================
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from local.aws.events import Event
from local.aws.http_api import AccessRecord
from local.aws.lambda_host import InvocationResult
from local.aws.secrets_manager.rotation import STEPS, Attempt
from local.page.sse import Live

Invoker = Callable[[Any], InvocationResult]
INCOMING_CALL = "Incoming Call"
"""The detail type of the event that the issuer publishes for a call with callees."""
CALL = ("call_id", "room_id", "caller", "callees", "called_at")
"""What the page gets of that event."""
Labels = Mapping[str, str | None]
"""The labels on a secret's versions, each with the fingerprint of the value that it is on."""

AUDITED = (
    "decision",
    "request_id",
    "route",
    "subject",
    "user_id",
    "room_id",
    "call_id",
    "callees",
    "event_accepted",
    "privileges",
    "lifetime_seconds",
    "rule",
    "code",
    "reason",
    "field",
    "refused_with",
    "secret_fingerprint",
)
"""The fields of an audit event that the page gets."""


class Reporter:
    """Sends messages to the page, and calls `on_change` if the secret may have changed."""

    def __init__(
        self,
        live: Live,
        on_change: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.changed = on_change
        self._live = live
        self._clock = clock
        self._rotation: dict[str, Any] = {}
        self._one_at_a_time = threading.Lock()

    def access(self, record: AccessRecord) -> None:
        """Sends a line of the API's access log."""
        if record.note.startswith("preflight"):
            return
        self._tell(
            "access",
            method=record.method,
            path=record.path,
            status=record.status,
            request_id=record.request_id,
            milliseconds=round(record.seconds * 1000, 1),
            note=record.note,
        )

    def log_line(self, line: str) -> None:
        """Handles a line of the issuer's log; sends it if it is an audit event."""
        if '"audit"' not in line:
            return
        try:
            said = json.loads(line)["audit"]
            audited = {name: said[name] for name in AUDITED if said.get(name) is not None}
        except (ValueError, LookupError, TypeError, AttributeError):
            return
        self._tell("audit", **audited)

    def stepping(self, invoke: Invoker) -> Invoker:
        """Wraps `invoke` of the rotator: sends the start and the end of each step."""

        def step(event: Mapping[str, Any]) -> InvocationResult:
            self._stepped(event, {"state": "began"})
            end = {"state": "failed", "message": "The rotator could not run.", "seconds": 0.0}
            try:
                result = invoke(event)
                end = {
                    "state": "failed" if result.function_error else "done",
                    "message": result.error_message.removeprefix(f"{event['Step']}: "),
                    "seconds": round(result.duration, 2),
                    "cold": result.cold,
                }
            finally:
                self._stepped(event, end)
                self.changed()
            return result

        return step

    def attempted(self, attempt: Attempt) -> None:
        """Sends the end of an attempt of a rotation."""
        with self._one_at_a_time:
            if self._rotation.get("rotation") == attempt.token:
                ended = {"at": self._clock(), **asdict(attempt)}
                self._show_rotation({**self._rotation, "attempt": ended})
        self.changed()

    def looking(self, invoke: Invoker) -> Invoker:
        """Wraps `invoke` of the watcher: sends what it found."""

        def look(event: Any) -> InvocationResult:
            result = invoke(event)
            failed = {"verdict": "failed", "reason": result.error_message}
            found = {"at": self._clock(), **(failed if result.function_error else result.payload)}
            self._live.show("watcher", found)
            self._live.tell("look", found)
            self.changed()
            return result

        return look

    def event(self, event: Event) -> None:
        """Sends an event on the bus."""
        detail = event["detail"]
        if event["detail-type"] == INCOMING_CALL:
            self._tell("incoming-call", **{name: detail.get(name) for name in CALL})
            return
        self._tell(
            "event",
            type=event["detail-type"],
            name=detail.get("eventName"),
            message=detail.get("errorMessage"),
            verdict=detail.get("verdict"),
            previous_verdict=detail.get("previous_verdict"),
            fingerprint=detail.get("fingerprint"),
        )
        self.changed()

    def signal(self, call_id: str, user_id: str, said: str) -> None:
        """Sends what a phone reports about a call, as an app's own server does."""
        self._tell("signal", call_id=call_id, user_id=user_id, said=said)

    def console(self, change: str) -> None:
        """Sends a change at ZEGO's console, named by the last part of the request's path."""
        self._tell("console", change=change)
        self.changed()

    def labels(self, before: Labels, now: Labels) -> None:
        """Sends each label that moved since the secret was last read; none at the first read."""
        for label in sorted(before and {*before, *now}):
            if before.get(label) != now.get(label):
                self._tell("label", label=label, fingerprint=now.get(label))

    def _stepped(self, event: Mapping[str, Any], how: Mapping[str, Any]) -> None:
        """Sends that a step has begun or ended. createSecret begins an attempt."""
        step, rotation = event["Step"], event["ClientRequestToken"]
        self._tell("step", step=step, rotation=rotation, **how)
        with self._one_at_a_time:
            now = self._rotation
            is_same = now.get("rotation") == rotation
            if step == STEPS[0] and how["state"] == "began":
                steps = {name: {"state": "waiting"} for name in STEPS}
                last = now["attempt"] if is_same else None
                now = {"rotation": rotation, "steps": steps, "attempt": last}
            elif not is_same:
                return  # a test of the set-up, which runs testSecret only
            self._show_rotation({**now, "steps": {**now["steps"], step: how}})

    def _show_rotation(self, rotation: dict[str, Any]) -> None:
        self._rotation = rotation
        self._live.show("rotation", rotation)

    def _tell(self, name: str, /, **data: object) -> None:
        self._live.tell(name, {"at": self._clock(), **data})
