"""The status of a secret, as data: its versions with ZEGO's verdicts, and the functions' notes.

:class:`Report` compares several targets; ``document()`` is what ``--json`` prints. It contains
fingerprints, but no value.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import CommandError, ExitCode, Failure, explain
from ops.output import timestamp
from ops.target import Target, TargetOptions, connect
from zego.error_codes.code import Outcome
from zego.rotation import OUTCOMES
from zego.secret_store import CURRENT, PENDING
from zego.secret_store.notes import (
    FAILURE_TAG,
    IN_FLIGHT_TAG,
    ROTATION_TAG,
    VERDICT_TAG,
    InFlightNote,
    RotationNote,
    VerdictNote,
)
from zego.secret_store.versions import SecretState, SecretStoreError, Version
from zego.server_api import Verdict

_TARGETS: Final = 8
#: How many versions of one secret to ask ZEGO about at once; it allows 10 requests per second.
_PROBES: Final = 4

_Item = TypeVar("_Item")
_Reply = TypeVar("_Reply")


@dataclass(frozen=True, slots=True)
class JudgedVersion:
    """A version, and ZEGO's verdict; ``None`` if it has no secret to ask about."""

    version: Version
    verdict: Verdict | None

    def document(self, now: float) -> dict[str, Any]:
        version, secret = self.version, self.version.secret
        created = version.created_at
        return {
            "version_id": version.version_id,
            "labels": list(version.labels),
            "created_at": timestamp(created),
            "age_seconds": None if created is None else max(0, round(now - created)),
            "app_id": None if secret is None else secret.app_id,
            "fingerprint": version.fingerprint,
            "problem": version.problem,
            "verdict": None if self.verdict is None else asdict(self.verdict),
        }


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One target at one moment.

    :ivar at: that moment, in Unix seconds.
    :ivar noted: the watcher's last verdict on AWSCURRENT.
    :ivar rotation: the last step of the last rotation.
    :ivar in_flight_since: when the rotation in flight began, if that is known.
    """

    target: str
    at: float
    state: SecretState
    versions: tuple[JudgedVersion, ...]
    in_flight_since: float | None = None

    @property
    def noted(self) -> VerdictNote | None:
        return VerdictNote.from_tag(self.state.tags.get(VERDICT_TAG))

    @property
    def rotation(self) -> RotationNote | None:
        return RotationNote.from_tag(self.state.tags.get(ROTATION_TAG))

    @property
    def by_label(self) -> dict[str, JudgedVersion]:
        return {label: one for one in self.versions for label in one.version.labels}

    @property
    def current(self) -> JudgedVersion | None:
        """The version that seals tokens."""
        return self.by_label.get(CURRENT)

    @property
    def fingerprint(self) -> str | None:
        """The current value's fingerprint; ``None``: there is no valid ServerSecret."""
        return None if self.current is None else self.current.version.fingerprint

    @property
    def outcome(self) -> Outcome:
        """ZEGO's verdict on the current value; ``rejected`` if it is not a valid ServerSecret."""
        verdict = None if self.current is None else self.current.verdict
        return "rejected" if verdict is None else verdict.outcome

    @property
    def is_as_noted(self) -> bool:
        """Whether the watcher's last verdict is the same."""
        noted = self.noted
        return noted is not None and (noted.outcome, noted.fingerprint) == (
            self.outcome,
            self.fingerprint,
        )

    @property
    def exit_code(self) -> ExitCode:
        if self.outcome == "rejected":
            return ExitCode.REFUSED
        if self.outcome == "unknown":
            return ExitCode.UNDECIDED
        return ExitCode.DONE if self.state.in_flight is None else ExitCode.IN_FLIGHT

    def document(self) -> dict[str, Any]:
        noted = self.noted
        return {
            "target": self.target,
            "secret_arn": self.state.arn,
            "versions": [version.document(self.at) for version in self.versions],
            "watched": noted
            and {
                "outcome": noted.outcome,
                "fingerprint": noted.fingerprint,
                "since": timestamp(noted.since),
                "code": noted.code,
            },
            "last_rotation": _note_document(self.rotation),
            "last_failure": _note_document(RotationNote.from_tag(self.state.tags.get(FAILURE_TAG))),
            "rotation_function": self.state.rotation_function,
            "rotation_off": self.state.is_rotation_off,
            "in_flight": self.state.in_flight,
            "in_flight_since": timestamp(self.in_flight_since),
            "error": None,
        }


@dataclass(frozen=True, slots=True)
class UnreachableTarget:
    """A target that could not be read."""

    target: str
    failure: Failure

    fingerprint: ClassVar[None] = None

    @property
    def exit_code(self) -> ExitCode:
        return self.failure.exit_code

    def document(self) -> dict[str, Any]:
        failure = self.failure
        return {
            "target": self.target,
            "error": {"message": failure.message, "remedy": failure.remedy},
        }


@dataclass(frozen=True, slots=True)
class Report:
    """Several targets, and whether they agree."""

    targets: Sequence[TargetStatus | UnreachableTarget]

    @property
    def drift(self) -> bool | None:
        """Whether AWSCURRENT is not the same everywhere; ``None``: not all can be compared."""
        found = [target.fingerprint for target in self.targets]
        if len({*found} - {None}) > 1:
            return True
        return None if len(found) > 1 and None in found else False

    @property
    def exit_code(self) -> ExitCode:
        """The first that applies: rejected, drift, unknown, a rotation in flight."""
        codes = {target.exit_code for target in self.targets}
        if ExitCode.REFUSED in codes:
            return ExitCode.REFUSED
        if self.drift is not False and any(isinstance(one, TargetStatus) for one in self.targets):
            return ExitCode.DRIFT
        failures = codes - {ExitCode.DONE, ExitCode.IN_FLIGHT}
        return max(failures or codes)

    def document(self) -> dict[str, Any]:
        return {"drift": self.drift, "targets": [target.document() for target in self.targets]}


def read_all(target_options: Sequence[TargetOptions]) -> Report:
    """Read all targets in parallel.

    :raises Exception: there is only one target, and it cannot be read.
    """
    if len(target_options) == 1:
        return Report((read_status(connect(target_options[0])),))
    return Report(_at_once(_status_or_failure, target_options, limit=_TARGETS))


def _status_or_failure(target_options: TargetOptions) -> TargetStatus | UnreachableTarget:
    try:
        return read_status(connect(target_options))
    except (CommandError, SecretStoreError, BotoCoreError, ClientError) as error:
        return UnreachableTarget(str(target_options), explain(error))


def read_status(target: Target, *, clock: Callable[[], float] = time.time) -> TargetStatus:
    """Ask Secrets Manager and ZEGO about one target.

    :raises SecretStoreError: Secrets Manager refused, or did not respond.
    """
    now = clock()
    state = target.versions.describe()
    versions = target.versions.versions(state)
    secrets = tuple({version.secret for version in versions if version.secret is not None})
    verdicts = dict(zip(secrets, _at_once(target.probe, secrets, limit=_PROBES), strict=True))
    judged = (
        JudgedVersion(version, None if version.secret is None else verdicts[version.secret])
        for version in versions
    )
    begun = next((version for version in versions if PENDING in version.labels), None)
    return TargetStatus(target.name, now, state, tuple(judged), in_flight_since(state, begun))


def pending(target: Target, state: SecretState) -> Version | None:
    """The version under AWSPENDING; ``None`` also if it cannot be read."""
    try:
        return target.versions.version(state, PENDING)
    except SecretStoreError:
        return None


def in_flight_since(state: SecretState, begun: Version | None) -> float | None:
    """When the rotation in flight began, or was first seen, in Unix seconds.

    The watcher notes when it first saw it. AWS gives no time for a version without a value.

    :param begun: the version under AWSPENDING.
    :returns: ``None``: no rotation is in flight, or its start is not known yet.
    """
    if state.in_flight is None:
        return None
    noted = InFlightNote.from_tag(state.tags.get(IN_FLIGHT_TAG))
    seen = noted.since if noted is not None and noted.token == state.in_flight else None
    created = None if begun is None else begun.created_at
    return min((moment for moment in (seen, created) if moment is not None), default=None)


def _at_once(
    function: Callable[[_Item], _Reply], items: Iterable[_Item], *, limit: int
) -> tuple[_Reply, ...]:
    """Call a function for each item in threads, and return the results. Ctrl-C does not wait."""

    def work() -> None:
        for item, future in todo:
            try:
                future.set_result(function(item))
            except Exception as error:  # noqa: BLE001  raised again by result()
                future.set_exception(error)

    futures = [(item, Future[_Reply]()) for item in items]
    todo = iter(futures)
    for _ in range(min(limit, len(futures))):
        threading.Thread(target=work, daemon=True).start()
    return tuple(future.result() for _, future in futures)


def _note_document(note: RotationNote | None) -> dict[str, Any] | None:
    if note is None:
        return None
    ending = OUTCOMES[note.outcome]
    said = {"meaning": ending.meaning, "remedy": ending.remedy, "at": timestamp(note.at)}
    return note_fields(note) | said


def note_fields(note: RotationNote) -> dict[str, Any]:
    """The rotator's note on a step, for ``--json``."""
    return {
        "version_id": note.token,
        "step": note.step,
        "outcome": note.outcome,
        "code": note.code,
        "fingerprint": note.fingerprint,
    }
