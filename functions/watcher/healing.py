"""What is done about a current secret that ZEGO rejects.

The healing rule: if ZEGO accepts what is staged under CANDIDATE, or else AWSPREVIOUS, that version
is staged and a rotation asked for, at most once per value in a cool-down. The rotation proves it
again, so all promotions go through one door. What cannot be healed is said, with the fingerprint.

Two looks may heal at once and be stopped anywhere: the cool-down is noted on the secret before the
rotation is asked for, Secrets Manager runs one rotation at a time, and where AWSCURRENT has moved
since the look nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import HEALS_TAG, HealsNote
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
class Healed:
    """What was done.

    :ivar action: that, or why nothing was, for people.
    :ivar with_fingerprint: of the value that a rotation was asked for; ``None``: none was.
    """

    action: str
    with_fingerprint: str | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    """What to heal with: a version, with what is said of it; or why none."""

    version: Version | None
    reason: str


class Healing:
    """Heals one secret. Parameters as of :class:`watcher.watch.Watch`."""

    def __init__(
        self,
        versions: SecretVersions,
        zego: ServerApi,
        *,
        cooldown_seconds: float,
        clock: Callable[[], float],
    ) -> None:
        self._versions = versions
        self._zego = zego
        self._cooldown_seconds = cooldown_seconds
        self._clock = clock

    def heal(self, state: SecretState, current: Version) -> Healed:
        """Ask for a rotation to what ZEGO accepts, if there is something.

        :param state: as it was when the current version was looked at.
        """
        before = ""
        try:
            if state.in_flight is not None:
                if not self._unstick(state):
                    return Healed("A rotation is in flight; its end is waited for.")
                before = f"The rotation to version {state.in_flight} did not end; given up. "
            healed = self._heal(state, current)
        except SecretStoreError as error:
            healed = Healed(f"It could not be healed: {error}.")
        return replace(healed, action=before + healed.action)

    def _heal(self, state: SecretState, current: Version) -> Healed:
        choice = self._choose(state, current)
        if choice.version is None or choice.version.fingerprint is None:
            return Healed(choice.reason)
        fingerprint = choice.version.fingerprint
        cooling = self._cooling(state, fingerprint)
        if cooling is not None:
            return cooling
        self._versions.stage_version(choice.version.version_id, while_current=state.labels[CURRENT])
        staged = self._versions.describe()
        cooling = self._cooling(staged, fingerprint)
        if cooling is not None:
            return cooling  # another look was quicker
        self._start(staged, fingerprint)
        return Healed(f"A rotation to {fingerprint} ({choice.reason}) was asked for.", fingerprint)

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

    def _cooling(self, state: SecretState, fingerprint: str) -> Healed | None:
        """Why the value is not promoted now, if it was lately."""
        healed_at = HealsNote.from_tag(state.tags.get(HEALS_TAG)).at.get(fingerprint)
        if healed_at is None:
            return None
        seconds = healed_at + self._cooldown_seconds - self._clock()
        if seconds <= 0:
            return None
        return Healed(f"{fingerprint} was promoted lately; again in {seconds:.0f} s.")

    def _start(self, state: SecretState, fingerprint: str) -> None:
        """Ask for the rotation. The cool-down begins first, and ends if that was refused."""
        before = HealsNote.from_tag(state.tags.get(HEALS_TAG))
        now = before.with_heal(fingerprint, int(self._clock()))
        self._versions.note(HEALS_TAG, now.to_tag())
        try:
            self._versions.start_rotation()
        except (NoAnswerError, RotationInFlightError):
            raise  # it may have begun, or another's to the same value
        except SecretStoreError:
            self._versions.note(HEALS_TAG, before.to_tag() or "-")
            raise
