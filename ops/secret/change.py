"""The commands that change the secret: stage a value, rotate to it, restore the previous one.

They promote nothing themselves. A rotation does that, after ZEGO has accepted the value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ops.errors import CommandError, ExitCode
from ops.output import STYLES, UNSURE, Output, copyable, prose, timestamp
from ops.prompt import interruptible
from ops.secret import render, value
from ops.secret.follow import RotationEvent, follow
from ops.secret.render import ROTATE_STAGED, VERDICT_STYLES, in_words
from ops.secret.value import SecretInput
from ops.target import Target
from zego import server_secret
from zego.rotation import OUTCOMES, CopyToken
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.notes import COMPROMISED_TAG, compromised, with_newest
from zego.secret_store.versions import (
    RotationInFlightError,
    SecretState,
    SecretStoreError,
    Version,
    whose,
)
from zego.server_api import Verdict
from zego.server_secret import ServerSecret, ServerSecretError

_WAYS_ON: Final = "To follow it: zego-token secret watch. To give it up: zego-token secret unstick."
_BY_CONSOLE: Final = "Rotate to the value in ZEGO's console: zego-token secret rotate."
SEE_STATUS: Final = "Check the status: zego-token secret status."
_NOT_STAGED: Final = "Nothing was staged."
_NOT_ROTATED: Final = "Nothing was rotated."


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """How long to wait, in seconds.

    :ivar rotation: how long to follow a rotation.
    :ivar issuer_ttl: how long an issuer uses a secret before it reads it again.
    :ivar interval: the time between two checks of the rotation.
    """

    rotation: float = 300.0
    issuer_ttl: float = 60.0
    interval: float = 0.5


def stage(target: Target, out: Output, source: SecretInput) -> None:
    """Store a value under CANDIDATE.

    :raises ServerSecretError: it cannot be a ServerSecret.
    :raises CommandError: it is for another AppID, marked as compromised, not accepted although
        that is required, or would replace a better one.
    :raises SecretStoreError: it is already current, a rotation is in flight, or AWS refused.
    """
    with interruptible(_NOT_STAGED):
        state = _idle(target)
    _, verdict = _stage(target, out, source, state)
    text = "To rotate to it: zego-token secret rotate --staged."
    if verdict.rejected:
        text = f"{_what_becomes_of_it(state)} {text}"
    out.show(prose(copyable(text, target.name)))


def rotate(
    target: Target,
    out: Output,
    source: SecretInput | None,
    waits: WaitOptions,
    *,
    is_compromised: bool = False,
) -> ExitCode:
    """Stage a value, start the rotation and follow it to its end.

    :param source: ``None``: rotate to the staged value.
    :param is_compromised: mark the current value, so that nothing promotes it again.
    :raises Exception: as :func:`stage`.
    """
    with interruptible(_NOT_ROTATED if source is None else _NOT_STAGED):
        state = _idle(target, to_rotate=True)
        current = target.versions.version(state, CURRENT)
        present = None if current is None else current.fingerprint
        if is_compromised and present is None:
            raise CommandError(
                "AWSCURRENT is not a ServerSecret, so there is no value to mark as compromised.",
                "Rotate without --compromised.",
            )
    expected: str | None
    verdict = None
    with interruptible(_NOT_ROTATED):
        if source is not None:
            expected, verdict = _stage(target, out, source, state)
        else:
            expected = _staged(target, state)
            if is_compromised and expected == present:
                raise _refusal("already-current")
        if is_compromised and present is not None:
            known = compromised(target.versions.describe().tags)  # another operator's marks too
            target.versions.note(COMPROMISED_TAG, with_newest(present, known))
            text = f"Marked {present} as compromised: it never becomes AWSCURRENT again."
            out.tell("compromised", text, fingerprint=present)
    if verdict is not None and verdict.rejected:
        raise CommandError(
            "No rotation was started, because it would be refused.",
            f"{_what_becomes_of_it(state)} To rotate to it anyway: zego-token secret rotate"
            " --staged.",
        )
    return _run(target, out, waits, state, expected)


def _what_becomes_of_it(state: SecretState) -> str:
    """What happens to a staged value that ZEGO still rejects."""
    text = "The value stays staged."
    if state.rotation_function is not None and not state.is_rotation_off:
        text += (
            " Once ZEGO accepts it and rejects AWSCURRENT, the watcher promotes it within 5 min."
        )
    return text


def restore(
    target: Target, out: Output, waits: WaitOptions, confirm: Callable[[str], None]
) -> ExitCode:
    """Rotate to the value of AWSPREVIOUS. The staged value stays staged.

    :param confirm: asks the user; raises an error if the user says no.
    :raises CommandError: there is no AWSPREVIOUS, or it must not or cannot be restored.
    """
    with interruptible(_NOT_ROTATED):
        state = _idle(target, to_rotate=True)
        previous = _restorable(target, out, state)
        confirm(f"Rotate back to {previous.fingerprint}?")
    token = CopyToken.make(
        "restore", copy=previous.version_id, replace=state.labels.get(CURRENT, "")
    )
    return _run(target, out, waits, state, previous.fingerprint, token)


def _restorable(target: Target, out: Output, state: SecretState) -> Version:
    """AWSPREVIOUS, if a rotation to it can succeed."""
    previous, current = (target.versions.version(state, label) for label in (PREVIOUS, CURRENT))
    if previous is None:
        raise CommandError("There is no AWSPREVIOUS to restore.", _BY_CONSOLE)
    if previous.secret is None:
        raise CommandError(f"AWSPREVIOUS cannot be restored: {previous.problem}.", _BY_CONSOLE)
    if current is not None and current.secret == previous.secret:
        raise CommandError(
            f"AWSPREVIOUS is the same value as AWSCURRENT ({previous.fingerprint}).",
            "There is nothing to restore.",
        )
    if previous.fingerprint in compromised(state.tags):
        raise _refusal("compromised", f" AWSPREVIOUS is {previous.fingerprint}.")
    _check_app_id(previous.secret, None if current is None else current.secret)
    verdict = target.probe(previous.secret)
    if verdict.rejected:
        raise CommandError(
            f"AWSPREVIOUS is {previous.fingerprint}, and {in_words(verdict)}.", _BY_CONSOLE
        )
    now = None if current is None else current.fingerprint
    out.tell(
        "restoring",
        f"AWSCURRENT is {now or 'not a ServerSecret'}. AWSPREVIOUS is {previous.fingerprint}:"
        f" {in_words(verdict)}.",
        version_id=previous.version_id,
        fingerprint=previous.fingerprint,
        current_fingerprint=now,
        verdict=asdict(verdict),
    )
    return previous


def _idle(target: Target, *, to_rotate: bool = False) -> SecretState:
    """The secret, if it can be changed now. Called before the user types a value."""
    state = target.versions.describe()
    if to_rotate and state.rotation_function is None:
        raise CommandError(
            "No function rotates this secret.",
            "Deploy the stack that owns its rotation (docs/deploy.md).",
            ExitCode.AWS,
        )
    if state.in_flight is not None:
        raise RotationInFlightError(f"a rotation is in flight (version {state.in_flight})")
    return state


def _stage(
    target: Target, out: Output, source: SecretInput, state: SecretState
) -> tuple[str, Verdict]:
    """Stage a value, and return its fingerprint and ZEGO's verdict."""
    with interruptible(_NOT_STAGED):
        current, previous, staged = (
            target.versions.version(state, label) for label in (CURRENT, PREVIOUS, CANDIDATE)
        )
        known = whose(current, previous)
        secret = value.take(source, known)
        _check_app_id(secret, known)
        if secret.fingerprint in compromised(state.tags):
            raise _refusal("compromised", f" It is {secret.fingerprint}.")
        verdict = target.probe(secret)
        replaced = None if staged is None or staged.secret == secret else staged
        if replaced is not None and verdict.rejected and not source.force:
            _keep_if_accepted(target, replaced, verdict)
    if source.require_accepted and not verdict.accepted:
        code = ExitCode.REFUSED if verdict.rejected else ExitCode.UNDECIDED
        raise CommandError(f"{_NOT_STAGED} {in_words(verdict)}.", "", code)
    with interruptible("The value may have been staged.", SEE_STATUS):
        version_id = target.versions.stage(secret)
    out.go_on()
    text = f"Staged {secret.fingerprint} for AppID {secret.app_id}. {in_words(verdict)}."
    if secret.looks_unusual:
        text += " It is not 32 lower-case hex digits, as ZEGO's secrets are."
    if replaced is not None:
        text += f" This replaces the staged {_name(replaced)}."
    out.tell(
        "staged",
        text,
        style=VERDICT_STYLES[verdict.outcome],
        version_id=version_id,
        app_id=secret.app_id,
        fingerprint=secret.fingerprint,
        unusual=secret.looks_unusual,
        replaced=replaced
        and {"version_id": replaced.version_id, "fingerprint": replaced.fingerprint},
        verdict=asdict(verdict),
    )
    return secret.fingerprint, verdict


def _keep_if_accepted(target: Target, staged: Version, verdict: Verdict) -> None:
    """Refuse to replace a value that ZEGO accepts with one that it rejects."""
    if staged.secret is not None and target.probe(staged.secret).accepted:
        raise CommandError(
            f"Nothing was staged. {in_words(verdict)}. ZEGO accepts the staged {_name(staged)}.",
            f"{ROTATE_STAGED} To replace it anyway, use --force.",
        )


def _staged(target: Target, state: SecretState) -> str | None:
    """The staged value's fingerprint; ``None``: it is invalid, and the rotator refuses it."""
    staged = target.versions.version(state, CANDIDATE)
    if staged is None:
        raise _refusal("no-candidate")
    if staged.fingerprint in compromised(state.tags):
        raise _refusal("compromised", f" The staged value is {staged.fingerprint}.")
    return staged.fingerprint


def _name(version: Version) -> str:
    return version.fingerprint or f"version {version.version_id}"


def _check_app_id(secret: ServerSecret, known: ServerSecret | None) -> None:
    if known is None or known.app_id == secret.app_id:
        return
    raise _refusal(
        "other-app-id", f" It belongs to {secret.app_id}; the current AppID is {known.app_id}."
    )


def _refusal(outcome: str, detail: str = "") -> CommandError:
    ending = OUTCOMES[outcome]
    return CommandError(ending.meaning + detail, ending.remedy)


def _run(
    target: Target,
    out: Output,
    waits: WaitOptions,
    state: SecretState,
    expected: str | None,
    token: str | None = None,
) -> ExitCode:
    """Start the rotation, follow it, and report how it ended.

    :param state: the secret before the rotation.
    :param expected: fingerprint of the value to promote; ``None``: it is invalid.
    :param token: see :meth:`SecretVersions.start_rotation`.
    """
    with interruptible("The rotation may have started.", SEE_STATUS):
        token = target.versions.start_rotation(token)
    out.go_on()
    out.tell("started", "", version_id=token)
    if state.is_rotation_off:
        text = "Automatic rotation was off (CancelRotateSecret). This rotation turned it on again."
        out.tell("turned-on", text, style=UNSURE)
    events = follow(
        target.versions.describe, token, wait_seconds=waits.rotation, every_seconds=waits.interval
    )
    try:
        end = render.follow(out, events)
    except (KeyboardInterrupt, SecretStoreError):
        text = copyable(f"The rotation continues. {_WAYS_ON}", target.name)
        out.tell("left", text, version_id=token)
        raise
    if end.kind == "promoted":
        exit_code, text, fields = _promoted(target, end, token, expected, waits.issuer_ttl)
    else:
        exit_code, text, fields = _not_promoted(target, end)
    out.tell(
        "result",
        text,
        style=STYLES[exit_code],
        result=end.kind,
        outcome=end.outcome,
        code=end.code,
        version_id=token,
        attempts=end.attempt,
        seconds=end.seconds,
        **fields,
        exit_code=exit_code,
    )
    return exit_code


def _promoted(
    target: Target, end: RotationEvent, token: str, expected: str | None, issuer_ttl: float
) -> tuple[ExitCode, str, Mapping[str, Any]]:
    """The result of a promoted rotation: the exit code, the text, and the fields."""
    fingerprint, verdict = _verdict_on(target, token)
    by = datetime.now(UTC) + timedelta(seconds=issuer_ttl)
    fields = {
        "fingerprint": fingerprint,
        "expected_fingerprint": expected,
        "verdict": asdict(verdict),
        "issuers_by": timestamp(by.timestamp()),
        "issuer_ttl_seconds": issuer_ttl,
    }
    text = f"Promoted in {end.seconds:.1f} s: AWSCURRENT is {fingerprint or token}."
    if fingerprint not in {None, expected}:
        other = f"That is not {expected or 'the staged value'}: someone staged another meanwhile."
        see = copyable(SEE_STATUS, target.name)
        return ExitCode.REFUSED, f"{text} {other} {in_words(verdict)}. {see}", fields
    if verdict.rejected:
        reset = OUTCOMES["rejected-after"]
        return ExitCode.REFUSED, f"{text} {reset.meaning} {reset.remedy}", fields
    text += (
        f" Checked from here: {in_words(verdict)}.\nAll issuers use it by {by:%H:%M:%S} UTC"
        f" (within {issuer_ttl:g} s, their SECRET_TTL_SECONDS)."
    )
    return ExitCode.DONE, text, fields


def _not_promoted(target: Target, end: RotationEvent) -> tuple[ExitCode, str, Mapping[str, Any]]:
    """The same for any other rotation."""
    outcome = None if end.outcome is None else OUTCOMES[end.outcome]
    exit_code, text = ExitCode.REFUSED, "Refused."
    if end.kind == "undecided":
        exit_code = ExitCode.UNDECIDED
        text = f"The rotation has not ended after {end.seconds:.0f} s."
        meaning = render.ending(end) or "The rotator has noted nothing yet."
        remedy = _WAYS_ON
    elif outcome is not None and outcome.kind == "refused":
        meaning, remedy = render.ending(end), outcome.remedy
    else:
        meaning = "It ended without a promotion, and the rotator noted no reason."
        remedy = "Check the rotator's log. AWSCURRENT is unchanged."
    remedy = copyable(remedy, target.name)
    if end.kind == "undecided" or outcome is None or outcome.kind != "refused":
        text += f" {meaning}"  # otherwise the failed step's line has shown it
    return exit_code, f"{text} {remedy}", {"meaning": meaning, "remedy": remedy}


def _verdict_on(target: Target, token: str) -> tuple[str | None, Verdict]:
    """The promoted value's fingerprint and verdict; unknown if the value cannot be read."""
    try:
        secret = server_secret.parse(target.versions.read(version_id=token).text)
    except (SecretStoreError, ServerSecretError) as error:
        return None, Verdict("unknown", f"it cannot be read: {error}")
    return secret.fingerprint, target.probe(secret)
