"""The calls of a rotation, to AWS and to ZEGO, one after the other, and what goes wrong with them.

Every call that boto3 or :mod:`zego.server_api` would send passes :meth:`Wire.send`, which counts it
and has the schedule's fault, if there is one at this place.
"""

from __future__ import annotations

import enum
import json
import threading
from collections.abc import Callable, Iterator, Mapping
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
    STALE = "a read that is one write behind"
    STALE_2 = "a read that is two writes behind"
    STALE_3 = "a read that is three writes behind"
    FALSE = "ZEGO rejects it, whatever it is"


#: How many writes a read is behind.
STALE: Final[Mapping[Fault, int]] = {Fault.STALE: 1, Fault.STALE_2: 2, Fault.STALE_3: 3}


class Wire:
    """Counts calls and has faults at some of them.

    :param schedule: the number of a call, from 0, with its fault.
    :param look: called after every call that may have changed the secret; checks the promises.
    :ivar calls: the names of the calls so far.
    :ivar done: of those, the ones that arrived and were done.
    :ivar met: the faults of the schedule that were come to.
    :ivar meanwhile: what another actor does right before the call of this number.
    :ivar behind: how many writes the call of this number is behind, a read.
    """

    def __init__(self, schedule: Mapping[int, Fault], look: Callable[[], None]) -> None:
        self.schedule = schedule
        self.look = look
        self.calls: list[str] = []
        self.done: list[str] = []
        self.met: list[tuple[str, Fault]] = []
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self.behind: dict[int, int] = {}
        self._one_at_a_time = threading.RLock()

    def send(
        self,
        name: str,
        do: Callable[[], T],
        *,
        fail: Callable[[Fault], T],
        stale: Callable[[int], T],
    ) -> T:
        """Make a call, or have its fault.

        :param fail: what the caller sees of a fault, which it may raise.
        :param stale: the response as it was that many changes ago.
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
        if fault in (Fault.LOST_REQUEST, Fault.THROTTLED, Fault.DENIED, Fault.FALSE):
            return fail(fault)
        behind = STALE.get(fault, 0) if fault else self.behind.get(number, 0)
        with self._one_at_a_time:  # else another actor's check would see it first
            answer = stale(behind) if behind else do()
            self.done.append(name)
            if name != "ZEGO" and not is_read(name):
                self.look()
        if fault is Fault.KILLED_AFTER:
            raise Killed
        return fail(fault) if fault is Fault.LOST_ANSWER else answer


#: Secrets Manager's responses to a refused call.
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


def faults_at(call: str) -> Iterator[Fault]:
    """The faults that this call can have: only a read can be stale, and only ZEGO can be wrong."""
    for fault in Fault:
        if fault is Fault.FALSE:
            is_possible = call == "ZEGO"
        elif fault in STALE:
            is_possible = is_read(call) or (call == "ZEGO" and fault is Fault.STALE)
        else:
            is_possible = True
        if is_possible:
            yield fault
