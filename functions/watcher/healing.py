"""What the watcher does if ZEGO rejects the current secret.

It starts a rotation to a version that ZEGO accepts. The rotator proves that version again, so only
the rotator makes a version AWSCURRENT. Until then no label moves: the rotation's token names the
version to copy and the one to replace, so the rotator refuses the heal if AWSCURRENT has changed.

* CANDIDATE, which an operator staged, is promoted at the first rejection. AWSPREVIOUS, which an
  operator replaced, is promoted only if two scheduled checks find AWSCURRENT rejected.
* If ZEGO gives no verdict on a version, the watcher waits for one, but only for a while.
* A heal does not promote a value that another heal promoted within the cool-down. The version's id
  shows that a heal created it, so no note is needed.
* A heal never changes the AppID. While the AppID is unknown, nothing is healed.

``docs/rotation.md`` lists these rules with their reasons, and ``ops.secret.render`` tells operators
what the watcher will do. Change all three together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from zego.rotation import CopyToken, is_heal
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.notes import VerdictNote, compromised
from zego.secret_store.versions import (
    SecretState,
    SecretStoreError,
    SecretVersions,
    Version,
    whose,
)
from zego.server_api import ServerApi, Verdict

#: Once a rejection has lasted this long, the watcher stops waiting for a verdict on a version and
#: tries the next one. It spans three checks, which may be a little less than 15 minutes apart.
PATIENCE_SECONDS: Final = 840
_ROTATE: Final = "Rotate with the value from ZEGO's console: zego-token secret rotate."


@dataclass(frozen=True, slots=True)
class Heal:
    """What a check did about a rejection.

    :ivar action: what was done, or why nothing was done, as sentences.
    :ivar with_fingerprint: of the value that the started rotation promotes; ``None`` if no rotation
        was started.
    """

    action: str
    with_fingerprint: str | None = None


class Healing:
    """Heals one secret. The parameters are those of :class:`watcher.watch.Watch`."""

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

    def heal(
        self, state: SecretState, current: Version, verdict: Verdict, noted: VerdictNote | None
    ) -> Heal:
        """Start a rotation to a version that ZEGO accepts, if there is one.

        :param state: as it was when ZEGO gave its verdict on the current version. If it shows a
            rotation in flight, that rotation has been given up.
        :param verdict: the rejection.
        :param noted: the verdict of earlier checks.
        """
        if state.is_rotation_off:
            off = "Rotation was turned off (CancelRotateSecret), so nothing is healed."
            return Heal(f"{off} {_ROTATE}")
        since = _rejected_since(noted, current)
        if verdict.needs_repeating and since is None:
            return Heal(f"ZEGO's code {verdict.code} counts only if the next check gets it again.")
        try:
            return self._with_first_fit(state, current, since)
        except SecretStoreError as error:
            return Heal(f"The heal failed: {error}.")

    def _with_first_fit(self, state: SecretState, current: Version, since: float | None) -> Heal:
        """Start a rotation to the first version that ZEGO accepts and that may replace this one.

        :param since: when the rejection began; ``None`` if this check is the first to see it.
        """
        first, second = (CANDIDATE, PREVIOUS) if current.secret else (PREVIOUS, CANDIDATE)
        stored = {
            label: version
            for label in (first, second)
            if (version := self._versions.version(state, label)) is not None
        }
        previous = stored.get(PREVIOUS)
        known = whose(current, previous)
        if known is None:
            unknown = "A heal never changes the AppID, and AWSCURRENT and AWSPREVIOUS contain none."
            return Heal(f"{unknown} {_ROTATE}")
        passed: list[str] = []
        for label, version in stored.items():
            name = f"{label} {version.fingerprint or version.version_id}"
            goes_back = previous is not None and version.secret == previous.secret
            verdict = self._fit(version, stored.values(), current, known.app_id, state)
            if verdict.accepted and (since is not None or not goes_back):
                return self._start(state, version, "; ".join([label, *passed]))
            if verdict.accepted:
                wait = "is promoted if the next check finds AWSCURRENT rejected too"
                return Heal(f"ZEGO accepts {name}, which {wait}.")
            is_recent = since is None or self._clock() - since < PATIENCE_SECONDS
            if is_recent and _may_change(verdict, version):
                return Heal(f"The next check tries {name} again: {verdict.reason}.")
            passed.append(f"{name}: {verdict.reason}")
        found = f" ({'; '.join(passed)})" if passed else ""
        return Heal(f"No version can replace AWSCURRENT{found}. {_ROTATE}")

    def _fit(
        self,
        version: Version,
        stored: Iterable[Version],
        current: Version,
        app_id: int,
        state: SecretState,
    ) -> Verdict:
        """ZEGO's verdict, or why the version must not become current, whatever the verdict."""
        if version.secret is None:
            return Verdict("rejected", version.problem or "it has no value")
        if version.secret == current.secret:
            return Verdict("rejected", "it is the same value as AWSCURRENT")
        if version.secret.app_id != app_id:
            return Verdict("rejected", "it is for another AppID")
        if version.secret.fingerprint in compromised(state.tags):
            return Verdict("rejected", "it is marked as compromised")
        if (seconds := self._cooling(version, stored)) > 0:
            reason = f"a heal promoted it recently; it may do so again in {seconds:.0f} s"
            return Verdict("rejected", reason)
        return self._zego.probe(version.secret)

    def _cooling(self, version: Version, stored: Iterable[Version]) -> float:
        """How long the cool-down of a value still lasts, in seconds; 0 or less if it is over.

        It applies only to versions that were stored before the heal. If an operator staged the
        value again after the heal, they want it promoted.
        """
        healed = [
            made.created_at
            for made in stored
            if made.created_at is not None
            and is_heal(made.version_id)
            and made.secret == version.secret
            and made.created_at >= (version.created_at or 0.0)
        ]
        return max(healed, default=0.0) + self._cooldown_seconds - self._clock()

    def _start(self, state: SecretState, version: Version, reason: str) -> Heal:
        """Start the rotation, unless the secret has changed meanwhile."""
        replaced = state.labels[CURRENT]
        now = self._versions.describe()
        is_begun = now.in_flight not in {None, state.in_flight}  # the latter was given up
        if is_begun or now.labels.get(CURRENT) != replaced:
            return Heal("The secret has changed in the meantime. The next check starts over.")
        token = CopyToken.make("heal", copy=version.version_id, replace=replaced)
        self._versions.start_rotation(token)
        action = f"Started a rotation to {version.fingerprint} ({reason})."
        return Heal(action, version.fingerprint)


def _may_change(verdict: Verdict, version: Version) -> bool:
    """Whether the next check may differ: no verdict, one that must be repeated, or a late read."""
    return verdict.outcome == "unknown" or verdict.needs_repeating or version.created_at is None


def _rejected_since(noted: VerdictNote | None, current: Version) -> float | None:
    """Since when earlier checks have found this value rejected; ``None`` if no check has."""
    if noted is None or noted.outcome != "rejected" or noted.fingerprint != current.fingerprint:
        return None
    return noted.since
