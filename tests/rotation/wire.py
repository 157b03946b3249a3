"""The calls of a rotation, to AWS and to ZEGO, one after the other, and what goes wrong with them.

Every call that boto3 or :mod:`zego.server_api` would send passes :meth:`Wire.send`, which counts it
and has the schedule's fault, if there is one at this place.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

T = TypeVar("T")


class Killed(BaseException):
    """The process was killed: no handler of exceptions sees it."""


class Fault(enum.Enum):
    """What goes wrong with one call."""

    KILLED_BEFORE = "killed before it"
    KILLED_AFTER = "killed after it"
    LOST_REQUEST = "time-out, the call never arrived"
    LOST_ANSWER = "time-out, the call was done"
    THROTTLED = "throttled"
    DENIED = "AccessDenied"
    STALE = "stale read"


class Wire:
    """Counts calls and has faults at some of them.

    :param schedule: the number of a call, from 0, with its fault.
    :param look: called after every call that was done: what must hold, holds.
    :ivar calls: the names of the calls so far.
    :ivar done: of those, the ones that arrived and were done.
    :ivar met: the faults of the schedule that were come to.
    :ivar meanwhile: what somebody else does right before the call of this number.
    """

    def __init__(self, schedule: Mapping[int, Fault], look: Callable[[], None]) -> None:
        self.schedule = schedule
        self.look = look
        self.calls: list[str] = []
        self.done: list[str] = []
        self.met: list[tuple[str, Fault]] = []
        self.meanwhile: dict[int, Callable[[], object]] = {}

    def send(
        self,
        name: str,
        do: Callable[[], T],
        *,
        fail: Callable[[Fault], T],
        stale: Callable[[], T],
    ) -> T:
        """Make a call, or have its fault.

        :param fail: what the caller sees of a fault, which it may raise.
        :param stale: the answer as it was before the last change.
        """
        number = len(self.calls)
        fault = self.schedule.get(number)
        self.calls.append(name)
        if number in self.meanwhile:
            self.meanwhile.pop(number)()
        if fault is not None:
            self.met.append((name, fault))
        if fault is Fault.KILLED_BEFORE:
            raise Killed
        if fault in (Fault.LOST_REQUEST, Fault.THROTTLED, Fault.DENIED):
            return fail(fault)
        answer = stale() if fault is Fault.STALE else do()
        self.done.append(name)
        self.look()
        if fault is Fault.KILLED_AFTER:
            raise Killed
        return fail(fault) if fault is Fault.LOST_ANSWER else answer


#: Secrets Manager's answers to a refused call.
AWS_REFUSALS: Final[Mapping[Fault, str]] = {
    Fault.THROTTLED: "ThrottlingException",
    Fault.DENIED: "AccessDeniedException",
}


def refusal_body(code: str) -> bytes:
    """A refusal in AWS' JSON protocol."""
    return json.dumps({"__type": code, "message": f"{code}, as a test wants it"}).encode()


def is_read(action: str) -> bool:
    """Whether a call of Secrets Manager's changes nothing."""
    return action.startswith(("Get", "Describe", "List"))
