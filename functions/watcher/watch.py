"""One look at the current ServerSecret: ask ZEGO, have healed what it rejects, tell of a change.

Two looks may overlap and any of them may be stopped anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from watcher.healing import Healing
from zego.secret_store import CURRENT
from zego.secret_store.notes import VERDICT_TAG, VerdictNote
from zego.secret_store.versions import SecretState, SecretStoreError, SecretVersions, Version
from zego.server_api import ServerApi, Verdict


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
        self._healing = Healing(versions, zego, cooldown_seconds=cooldown_seconds, clock=clock)
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
            healed = self._healing.heal(state, current)
            return replace(tick, action=healed.action, healed_with=healed.with_fingerprint)
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
