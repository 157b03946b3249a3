"""One look at the current ServerSecret: ask ZEGO, note a change, heal what can be healed.

The healing rule: where ZEGO rejects AWSCURRENT and accepts what is staged under CANDIDATE, or else
AWSPREVIOUS, that version is staged and a rotation asked for, at most once per value in a cool-down.
The rotation proves it again, so all promotions go through one door. What cannot be healed is said,
with the fingerprint, and alarms.

Two ticks may overlap and any of them may be stopped anywhere: the cool-down is noted on the secret
before the rotation is asked for, Secrets Manager runs one rotation at a time, and where AWSCURRENT
has moved since the look nothing is done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import HEALS_TAG, VERDICT_TAG, HealsNote, VerdictNote
from zego.secret_store.versions import (
    ConflictError,
    NoAnswerError,
    RotationInFlightError,
    SecretState,
    SecretStoreError,
    SecretVersions,
    Version,
)
from zego.server_api import ServerApi, Verdict

#: A rotation that has not ended by then is stuck; its steps take a minute at most.
STUCK_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class _Choice:
    """What to heal with: a version, with what is said of it; or why none."""

    version: Version | None
    reason: str


@dataclass(frozen=True, slots=True)
class Tick:
    """What one look found and did. Safe to log.

    :ivar noted: the verdict before this one, as it was noted; ``None``: there was none.
    :ivar age_days: since the current version was stored.
    :ivar action: what was done about a rejection, or why nothing was.
    :ivar healed_with: fingerprint of the value that a rotation was asked for.
    """

    verdict: Verdict
    secret_arn: str | None = None
    version_id: str | None = None
    fingerprint: str | None = None
    noted: VerdictNote | None = None
    age_days: float | None = None
    action: str = ""
    healed_with: str | None = None

    def is_noted_as(self, note: VerdictNote | None) -> bool:
        """Whether the note says of this value what was found now."""
        found = (self.verdict.outcome, self.fingerprint)
        return note is not None and (note.outcome, note.fingerprint) == found

    def document(self) -> dict[str, object]:
        """For the log and the event."""
        return {
            "secret_arn": self.secret_arn,
            "version_id": self.version_id,
            "fingerprint": self.fingerprint,
            "verdict": self.verdict.outcome,
            "previous_verdict": None if self.noted is None else self.noted.outcome,
            "code": self.verdict.code,
            "reason": self.verdict.reason,
            "action": self.action,
        }


class Watch:
    """Watches one secret.

    :param publish: tells the world of a change of verdict.
    :param cooldown_seconds: how long a value is not promoted by itself again.
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
        self._cooldown_seconds = cooldown_seconds
        self._clock = clock

    def tick(self) -> Tick:
        """Look once, and heal. Nobody is told yet: see :meth:`tell`."""
        try:
            state = self._versions.describe()
            current = self._versions.version(state, CURRENT)
        except SecretStoreError as error:
            return Tick(Verdict("unknown", f"AWSCURRENT cannot be read: {error}"))
        if current is None or not current.has_value:
            return Tick(Verdict("unknown", "AWSCURRENT is on no version with a value"))
        tick = self._judged(state, current)
        if tick.verdict.rejected:
            action, healed_with = self._heal(state, current)
            return replace(tick, action=action, healed_with=healed_with)
        return tick

    def tell(self, tick: Tick) -> None:
        """Publish a change of verdict, and note what is known of which value.

        Published first: a change that could not be noted is told again, never not at all.

        :raises SecretStoreError: it could not be noted; the next tick will try again.
        """
        if tick.secret_arn is None or tick.is_noted_as(tick.noted):
            return
        noted = VerdictNote.from_tag(self._versions.describe().tags.get(VERDICT_TAG))
        if tick.is_noted_as(noted):
            return  # another tick was quicker
        outcome = tick.verdict.outcome
        if noted is None or noted.outcome != outcome:
            self._publish(tick)
        note = VerdictNote(outcome, tick.fingerprint, int(self._clock()), tick.verdict.code)
        self._versions.note(VERDICT_TAG, note.to_tag())

    def _judged(self, state: SecretState, current: Version) -> Tick:
        if current.secret is None:
            verdict = Verdict("rejected", f"AWSCURRENT is no ServerSecret: {current.problem}")
        else:
            verdict = self._zego.probe(current.secret)
        age = self._clock() - (current.created_at or 0.0)
        return Tick(
            verdict,
            secret_arn=state.arn,
            version_id=current.version_id,
            fingerprint=current.fingerprint,
            noted=VerdictNote.from_tag(state.tags.get(VERDICT_TAG)),
            age_days=round(age / 86400, 3),
        )

    def _heal(self, state: SecretState, current: Version) -> tuple[str, str | None]:
        """What was done, and the fingerprint of the value that is to be promoted, if any."""
        done: list[str] = []
        try:
            if state.in_flight is not None:
                if not self._unstick(state):
                    return "A rotation is in flight; its end is waited for.", None
                done.append(f"The rotation to version {state.in_flight} did not end; given up.")
            choice = self._choose(state, current)
            if choice.version is None or choice.version.fingerprint is None:
                return " ".join([*done, choice.reason]), None
            fingerprint = choice.version.fingerprint
            until = self._cools_until(state, fingerprint)
            if until > self._clock():
                seconds = round(until - self._clock())
                done.append(f"{fingerprint} was promoted lately; again in {seconds} s.")
                return " ".join(done), None
            self._promote(state, choice.version)
        except SecretStoreError as error:
            return " ".join([*done, f"It could not be healed: {error}."]), None
        done.append(f"A rotation to {fingerprint} ({choice.reason}) was asked for.")
        return " ".join(done), fingerprint

    def _unstick(self, state: SecretState) -> bool:
        """Take AWSPENDING off a rotation that will not end. Whether the way is free."""
        pending = self._versions.version(state, PENDING)
        if pending is None:
            return True
        began = pending.created_at or self._versions.begun_at(pending.version_id)
        if began is None or self._clock() - began < STUCK_SECONDS:
            return False
        try:
            self._versions.drop_label(PENDING, version_id=pending.version_id)
        except ConflictError:
            return False
        return True

    def _choose(self, state: SecretState, current: Version) -> _Choice:
        """The first version that ZEGO accepts. One that it cannot answer for is waited for."""
        tried: list[str] = []
        for label in (CANDIDATE, PREVIOUS):
            version = self._versions.version(state, label)
            if version is None:
                continue
            verdict = self._fit(version, current)
            name = f"{label} {version.fingerprint or version.version_id}"
            if verdict.accepted:
                return _Choice(version, "; ".join([label, *tried]))
            if verdict.outcome == "unknown":
                return _Choice(None, f"{name} is asked about again: {verdict.reason}.")
            tried.append(f"{name}: {verdict.reason}")
        found = f" ({'; '.join(tried)})" if tried else ""
        return _Choice(None, f"Nothing to heal with{found}: rotate with the console's value.")

    def _fit(self, version: Version, current: Version) -> Verdict:
        """ZEGO's verdict, or why it needs not be asked."""
        if version.secret is None:
            return Verdict("rejected", version.problem or "it has no value")
        if current.secret is not None:
            if version.secret == current.secret:
                return Verdict("rejected", "it is the same value as AWSCURRENT")
            if version.secret.app_id != current.secret.app_id:
                return Verdict("rejected", "it is for another AppID")
        return self._zego.probe(version.secret)

    def _cools_until(self, state: SecretState, fingerprint: str) -> float:
        healed_at = HealsNote.from_tag(state.tags.get(HEALS_TAG)).at.get(fingerprint)
        return 0.0 if healed_at is None else healed_at + self._cooldown_seconds

    def _promote(self, state: SecretState, version: Version) -> None:
        """Ask for the rotation. The cool-down begins first, and ends if that was refused.

        Not where a rotation is in flight: it may be another tick's, to the same value.
        """
        before = HealsNote.from_tag(state.tags.get(HEALS_TAG))
        now = before.with_heal(version.fingerprint or "", int(self._clock()))
        self._versions.note(HEALS_TAG, now.to_tag())
        try:
            self._versions.stage_version(version.version_id, while_current=state.labels[CURRENT])
            self._versions.start_rotation()
        except (NoAnswerError, RotationInFlightError):
            raise  # it may have begun
        except SecretStoreError:
            self._versions.note(HEALS_TAG, before.to_tag() or "-")
            raise
