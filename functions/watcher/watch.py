"""One look at the current ServerSecret: ask ZEGO, note a change, heal what can be healed.

The healing rule: where ZEGO rejects AWSCURRENT and accepts what is staged under CANDIDATE, or else
AWSPREVIOUS, that version is staged and a rotation asked for, at most once per value in a cool-down.
The rotation proves it again, so all promotions go through one door. What cannot be healed is said,
with the fingerprint, and alarms.

Two ticks may overlap and any of them may be stopped anywhere: the cool-down is noted on the secret
before the rotation is asked for, and Secrets Manager runs one rotation at a time.
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
    SecretState,
    SecretStoreError,
    SecretVersions,
    Version,
)
from zego.server_api import ServerApi, Verdict

#: A rotation that has not ended by then is stuck; its steps take a minute at most.
STUCK_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Tick:
    """What one look found and did. Safe to log.

    :ivar previous: the verdict before this one; ``None``: there was none.
    :ivar age_days: since the current version was stored.
    :ivar action: what was done about a rejection, or why nothing was.
    :ivar healed_with: fingerprint of the value that a rotation was asked for.
    """

    verdict: Verdict
    secret_arn: str | None = None
    version_id: str | None = None
    fingerprint: str | None = None
    previous: str | None = None
    age_days: float | None = None
    action: str = ""
    healed_with: str | None = None

    @property
    def is_news(self) -> bool:
        return self.secret_arn is not None and self.verdict.outcome != self.previous

    def document(self) -> dict[str, object]:
        """For the log and the event."""
        return {
            "secret_arn": self.secret_arn,
            "version_id": self.version_id,
            "fingerprint": self.fingerprint,
            "verdict": self.verdict.outcome,
            "previous_verdict": self.previous,
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
        """Look once.

        :raises SecretStoreError: a change could not be noted; the next tick will try again.
        """
        try:
            state = self._versions.describe()
            current = self._versions.version(state, CURRENT)
        except SecretStoreError as error:
            return Tick(Verdict("unknown", f"AWSCURRENT cannot be read: {error}"))
        if current is None:
            return Tick(Verdict("unknown", "the secret has no AWSCURRENT version"))
        tick = self._judged(state, current)
        if tick.verdict.rejected:
            action, healed_with = self._heal(state, current)
            tick = replace(tick, action=action, healed_with=healed_with)
        if tick.is_news:
            self._publish(tick)  # first: a change that is not noted is told twice, never not at all
            code, since = tick.verdict.code, int(self._clock())
            note = VerdictNote(tick.verdict.outcome, tick.fingerprint, since, code)
            self._versions.note(VERDICT_TAG, note.to_tag())
        return tick

    def _judged(self, state: SecretState, current: Version) -> Tick:
        if current.secret is None:
            verdict = Verdict("rejected", f"AWSCURRENT is no ServerSecret: {current.problem}")
        else:
            verdict = self._zego.probe(current.secret)
        noted = VerdictNote.from_tag(state.tags.get(VERDICT_TAG))
        age = None if current.created_at is None else self._clock() - current.created_at
        return Tick(
            verdict,
            secret_arn=state.arn,
            version_id=current.version_id,
            fingerprint=current.fingerprint,
            previous=None if noted is None else noted.outcome,
            age_days=None if age is None else round(age / 86400, 3),
        )

    def _heal(self, state: SecretState, current: Version) -> tuple[str, str | None]:
        """What was done, and the fingerprint of the value that is to be promoted, if any."""
        try:
            if state.in_flight is not None and not self._unstick(state):
                return "A rotation is in flight; its end is waited for.", None
            accepted, tried = self._accepted(state, current)
            if accepted is None or accepted.fingerprint is None:
                found = f" ({tried})" if tried else ""
                return f"Nothing to heal with{found}: rotate with the console's value.", None
            until = self._cools_until(state, accepted.fingerprint)
            if until > self._clock():
                seconds = round(until - self._clock())
                return f"{accepted.fingerprint} was promoted lately; again in {seconds} s.", None
            self._promote(state, accepted)
        except SecretStoreError as error:
            return f"It could not be healed: {error}.", None
        label = next(label for label in (CANDIDATE, PREVIOUS) if label in accepted.labels)
        return (
            f"A rotation to {accepted.fingerprint} ({label}) was asked for.",
            accepted.fingerprint,
        )

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

    def _accepted(self, state: SecretState, current: Version) -> tuple[Version | None, str]:
        """The first version that ZEGO accepts, else what it says of those there are."""
        tried = []
        for label in (CANDIDATE, PREVIOUS):
            version = self._versions.version(state, label)
            if version is None:
                continue
            verdict = self._fit(version, current)
            if verdict.accepted:
                return version, ""
            tried.append(f"{label} {version.fingerprint or ''}: {verdict.reason}")
        return None, "; ".join(tried)

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
        """Ask for the rotation. The cool-down begins first, and ends if that was refused."""
        before = HealsNote.from_tag(state.tags.get(HEALS_TAG))
        now = before.with_heal(version.fingerprint or "", int(self._clock()))
        self._versions.note(HEALS_TAG, now.to_tag())
        try:
            self._versions.stage_version(version.version_id)
            self._versions.start_rotation()
        except NoAnswerError:
            raise  # it may have begun
        except SecretStoreError:
            self._versions.note(HEALS_TAG, before.to_tag() or "-")
            raise
