"""One check of the ServerSecret: ask ZEGO, give up a stuck rotation, heal, report a change.

Two checks may overlap, and each may stop at any point. So a check does the most important thing
first: it records the verdict, then gives up a stuck rotation and heals, then publishes the events.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from watcher.healing import Healing
from zego.rotation import STUCK_SECONDS
from zego.secret_store import CURRENT, PENDING
from zego.secret_store.notes import (
    GIVEN_UP_TAG,
    IN_FLIGHT_TAG,
    VERDICT_TAG,
    InFlightNote,
    VerdictNote,
    given_up,
    with_newest,
)
from zego.secret_store.versions import (
    ConflictError,
    SecretState,
    SecretStoreError,
    SecretVersions,
    Version,
)
from zego.server_api import ServerApi, Verdict

#: After this many checks in a row without a verdict, the watcher publishes an event.
UNKNOWN_LOOKS: Final = 3
#: How far ahead the clock of the Lambda that wrote a note may be. A later note is ignored.
_SKEW_SECONDS: Final = 60

EventType = Literal["ServerSecret Verdict Changed", "ServerSecret Rotation Stuck"]


@dataclass(frozen=True, slots=True)
class Tick:
    """What one check found and did. Safe to log.

    :ivar noted: the verdict of earlier checks; ``None`` if they gave none.
    :ivar age_days: since the current version was stored.
    :ivar is_scheduled: whether the schedule started the check, and not the end of a rotation.
    :ivar in_flight: the rotation in flight, with when it was first seen; or one that was stuck and
        is over, if no event has reported it yet.
    :ivar is_stuck: whether the rotation has been in flight for
        :data:`zego.rotation.STUCK_SECONDS`.
    :ivar action: what was done about a rejection or a stuck rotation, or why nothing was done.
    :ivar healed_with: fingerprint of the value that a heal's rotation promotes.
    :ivar event_type: the kind of the event, if this tick is published.
    """

    verdict: Verdict
    secret_arn: str | None = None
    version_id: str | None = None
    fingerprint: str | None = None
    noted: VerdictNote | None = None
    age_days: float | None = None
    is_scheduled: bool = True
    in_flight: InFlightNote | None = None
    is_stuck: bool = False
    action: str = ""
    healed_with: str | None = None
    event_type: EventType = "ServerSecret Verdict Changed"

    def is_noted_as(self, note: VerdictNote | None) -> bool:
        """Whether the note has the same value and the same verdict as this check."""
        found = (self.verdict.outcome, self.fingerprint, 0)
        return note is not None and (note.outcome, note.fingerprint, note.unknown_looks) == found

    def document(self) -> dict[str, object]:
        """The tick as the log and the event show it."""
        return {
            "secret_arn": self.secret_arn,
            "version_id": self.version_id,
            "fingerprint": self.fingerprint,
            "verdict": self.verdict.outcome,
            "previous_verdict": None if self.noted is None else self.noted.reported,
            "code": self.verdict.code,
            "reason": self.verdict.reason,
            "in_flight": None if self.in_flight is None else self.in_flight.token,
            "in_flight_since": None if self.in_flight is None else self.in_flight.since,
            "stuck": self.is_stuck,
            "action": self.action,
        }


class Watch:
    """Watches one secret.

    If a note cannot be written, the check goes on. This object remembers the note for the next
    check in the same Lambda environment, and :meth:`tell` raises the failure.

    :param publish: publishes the event that a tick describes.
    :param cooldown_seconds: how long after a heal no other heal promotes the same value.
    """

    def __init__(
        self,
        versions: SecretVersions,
        zego: ServerApi,
        publish: Callable[[Tick], None],
        *,
        cooldown_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._versions = versions
        self._zego = zego
        self._publish = publish
        self._healing = Healing(versions, zego, cooldown_seconds=cooldown_seconds, clock=clock)
        self._clock = clock
        self._tags: Mapping[str, str] = {}
        self._unwritten: dict[str, tuple[str | None, str]] = {}
        self._failure: SecretStoreError | None = None

    def tick(
        self,
        record: Callable[[Tick], None] = lambda _tick: None,
        *,
        is_scheduled: bool = True,
    ) -> Tick:
        """Check once, give up a stuck rotation, and heal. :meth:`tell` publishes the events.

        :param record: receives the verdict, before the watcher acts on it.
        :param is_scheduled: whether the schedule started this check. A check at the end of a
            rotation may run seconds before or after a scheduled one, so its rejection does not
            count as one of two.
        """
        self._failure = None
        try:
            state = self._described()
        except SecretStoreError as error:
            unread = Tick(Verdict("unknown", f"AWSCURRENT cannot be read: {error}"))
            record(unread)
            return unread
        current, tick = self._judged(state)
        tick = replace(tick, is_scheduled=is_scheduled)
        record(tick)
        return self._act(state, current, tick)

    def tell(self, tick: Tick) -> None:
        """Publish what has changed, and note that it is published.

        It publishes first: a change that cannot be noted is published twice rather than never.

        :raises SecretStoreError: a note could not be written; the next check tries again.
        """
        is_new = tick.version_id is not None and not tick.is_noted_as(tick.noted)
        if is_new or VERDICT_TAG in self._unwritten or _is_stuck_news(tick):
            state = self._described()  # another check may have published it already
            self._tell_stuck(tick, state.tags)
            if tick.version_id == state.labels.get(CURRENT):
                self._tell_verdict(tick, state.tags)
        if self._failure is not None:
            raise self._failure

    def _judged(self, state: SecretState) -> tuple[Version | None, Tick]:
        """The current version, and ZEGO's verdict on it."""
        in_flight = self._in_flight(state)
        is_old = in_flight is not None and self._age(in_flight.since) >= STUCK_SECONDS
        found = Tick(
            Verdict("unknown", "AWSCURRENT is on no version with a value"),
            secret_arn=state.arn,
            noted=self._noted(state.tags),
            in_flight=in_flight,
            is_stuck=is_old and state.in_flight is not None,
        )
        try:
            current = self._versions.version(state, CURRENT)
        except SecretStoreError as error:
            return None, replace(
                found, verdict=Verdict("unknown", f"AWSCURRENT cannot be read: {error}")
            )
        if current is None or current.created_at is None:
            return None, found
        if current.secret is None:
            verdict = Verdict("rejected", f"AWSCURRENT is not a ServerSecret: {current.problem}")
        else:
            verdict = self._zego.probe(current.secret)
        return current, replace(
            found,
            verdict=verdict,
            version_id=current.version_id,
            fingerprint=current.fingerprint,
            age_days=round(self._age(current.created_at) / 86400, 3),
        )

    def _act(self, state: SecretState, current: Version | None, tick: Tick) -> Tick:
        action, is_free = "", True
        if tick.in_flight is not None and state.in_flight is not None:
            action, is_free = self._follow(state, tick.in_flight, is_stuck=tick.is_stuck)
        if current is None or not tick.verdict.rejected:
            return replace(tick, action=action if tick.is_stuck else "")
        if not is_free:
            return replace(tick, action=action)
        noted = tick.noted if tick.is_scheduled else None
        healed = self._healing.heal(state, current, tick.verdict, noted)
        return replace(
            tick,
            action=f"{action} {healed.action}".strip(),
            healed_with=healed.with_fingerprint,
        )

    def _follow(
        self, state: SecretState, rotation: InFlightNote, *, is_stuck: bool
    ) -> tuple[str, bool]:
        """Note a rotation in flight or give it up. Returns what was done and whether it is over."""
        if is_stuck and not rotation.state:
            rotation = replace(rotation, state="stuck")
        if self._tags.get(IN_FLIGHT_TAG) != rotation.to_tag():
            self._note(IN_FLIGHT_TAG, rotation.to_tag())
        if not is_stuck:
            return "A rotation is in flight; the watcher waits for its end.", False
        self._note(GIVEN_UP_TAG, with_newest(rotation.token, given_up(state.tags)))
        which = f"The rotation to version {rotation.token}"
        try:
            self._versions.drop_label(PENDING, version_id=rotation.token)
        except ConflictError:
            return f"{which} has just ended.", False
        except SecretStoreError as error:
            return f"{which} is stuck and could not be given up: {error}.", False
        return f"{which} was stuck and was given up.", True

    def _tell_stuck(self, tick: Tick, tags: Mapping[str, str]) -> None:
        rotation = tick.in_flight
        if rotation is None or not _is_stuck_news(tick):
            return
        noted = InFlightNote.from_tag(tags.get(IN_FLIGHT_TAG)) or rotation
        if noted.token == rotation.token and noted.state == "reported":
            return
        self._publish(replace(tick, is_stuck=True, event_type="ServerSecret Rotation Stuck"))
        if noted.token == rotation.token:  # else the tag already notes the next rotation
            self._note(IN_FLIGHT_TAG, replace(rotation, state="reported").to_tag())

    def _tell_verdict(self, tick: Tick, tags: Mapping[str, str]) -> None:
        noted = self._noted(tags)
        if tick.is_noted_as(noted):
            if noted is not None and VERDICT_TAG in self._unwritten:
                self._note(VERDICT_TAG, noted.to_tag())
            return
        outcome, reported = tick.verdict.outcome, None if noted is None else noted.reported
        if outcome == "rejected" and reported != "rejected" and not tick.is_scheduled:
            return  # the next scheduled check reports it
        note = VerdictNote(outcome, tick.fingerprint, int(self._clock()), tick.verdict.code)
        if outcome == "unknown" and reported != "unknown":
            before = noted or note
            if before.unknown_looks + 1 < UNKNOWN_LOOKS:
                waiting = replace(before, unknown_looks=before.unknown_looks + 1)
                self._note(VERDICT_TAG, waiting.to_tag())
                return
        if outcome != reported:
            self._publish(replace(tick, noted=noted))
        elif noted is not None and noted.fingerprint == tick.fingerprint:
            note = replace(note, since=noted.since)  # checks without a verdict came between
        self._note(VERDICT_TAG, note.to_tag())

    def _in_flight(self, state: SecretState) -> InFlightNote | None:
        """The rotation in flight, with when it was first seen: now, if this check is the first.

        If no rotation is in flight: the last one that was stuck, until an event has reported it.
        """
        noted = InFlightNote.from_tag(state.tags.get(IN_FLIGHT_TAG))
        if noted is not None and self._is_ahead(noted.since):
            noted = None
        if state.in_flight is None:
            return noted if noted is not None and noted.state == "stuck" else None
        if noted is not None and noted.token == state.in_flight:
            return noted
        return InFlightNote(state.in_flight, int(self._clock()))

    def _noted(self, tags: Mapping[str, str]) -> VerdictNote | None:
        noted = VerdictNote.from_tag(tags.get(VERDICT_TAG))
        return None if noted is None or self._is_ahead(noted.since) else noted

    def _is_ahead(self, moment: float) -> bool:
        return self._age(moment) < -_SKEW_SECONDS

    def _age(self, moment: float) -> float:
        return self._clock() - moment

    def _described(self) -> SecretState:
        """The secret, with the notes that could not be written, unless their tags have changed."""
        state = self._versions.describe()
        self._tags = state.tags
        remembered = {
            key: text
            for key, (before, text) in self._unwritten.items()
            if state.tags.get(key) == before
        }
        return replace(state, tags={**state.tags, **remembered})

    def _note(self, key: str, text: str) -> None:
        try:
            self._versions.note(key, text)
        except SecretStoreError as error:
            self._failure = error
            self._unwritten[key] = (self._tags.get(key), text)
        else:
            self._unwritten.pop(key, None)


def _is_stuck_news(tick: Tick) -> bool:
    """Whether a rotation is or was stuck and no event has reported it."""
    rotation = tick.in_flight
    if rotation is None or rotation.state == "reported":
        return False
    return tick.is_stuck or rotation.state == "stuck"
