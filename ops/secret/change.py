"""What changes the secret: stage a value, rotate to it, go back, give a rotation up.

Nothing here promotes. A rotation does, after the rotator has had the value accepted by ZEGO.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ops.exit_codes import ExitCode
from ops.failures import CommandError
from ops.output import BAD, GOOD, UNSURE, Output, line
from ops.paragraphs import copyable
from ops.secret import screen, value
from ops.secret.follow import Event, follow
from ops.secret.options import Given, Patience
from ops.secret.report import in_flight_since, timestamp, verdict_document
from ops.secret.screen import VERDICT_STYLES, in_words
from ops.targets import Target
from zego import server_secret
from zego.rotation import OUTCOMES
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.versions import (
    ConflictError,
    RotationInFlightError,
    SecretState,
    SecretStoreError,
    Version,
)
from zego.server_api import Verdict
from zego.server_secret import ServerSecret, ServerSecretError

_WAYS_ON: Final = "Follow it: zego-token secret watch. Give it up: zego-token secret unstick."
_BY_CONSOLE: Final = "Rotate to the value of ZEGO's console: zego-token secret rotate."
_PROMOTED_LATER: Final = (
    "It stays staged. Once ZEGO has switched to it, the watcher rotates to it within 5 min."
)


def stage(target: Target, out: Output, given: Given) -> None:
    """Store a value under CANDIDATE.

    :raises ServerSecretError: it cannot be a ServerSecret.
    :raises CommandError: it is for another AppID, or not accepted though that is required.
    :raises SecretStoreError: it is current already, a rotation is in flight, or AWS refused.
    """
    _, verdict = _stage(target, out, given, _idle(target))
    text = "To rotate to it: zego-token secret rotate --staged."
    if verdict.rejected:
        text = f"{_PROMOTED_LATER} {text}"
    out.show(line(copyable(text, target.name)))


def rotate(target: Target, out: Output, given: Given | None, patience: Patience) -> ExitCode:
    """Stage a value, start the rotation, follow it to its end.

    :param given: ``None``: rotate what is staged.
    :raises Exception: as :func:`stage`.
    """
    state = _idle(target, to_rotate=True)
    if given is not None:
        expected, verdict = _stage(target, out, given, state)
        if verdict.rejected:
            raise CommandError(
                "No rotation was started, as it would be refused.",
                f"{_PROMOTED_LATER} To rotate to it all the same:"
                " zego-token secret rotate --staged.",
            )
        return _run(target, out, patience, expected)
    staged = target.versions.version(state, CANDIDATE)
    if staged is None:
        raise _refusal("no-candidate")
    return _run(target, out, patience, staged.fingerprint)


def restore(
    target: Target, out: Output, patience: Patience, confirm: Callable[[str], None]
) -> ExitCode:
    """Stage AWSPREVIOUS and rotate to it.

    :param confirm: asks the person; raises where the answer is no.
    :raises CommandError: there is nothing to go back to, or ZEGO rejects it.
    """
    state = _idle(target, to_rotate=True)
    previous, current, staged = (
        target.versions.version(state, label) for label in (PREVIOUS, CURRENT, CANDIDATE)
    )
    if previous is None:
        raise CommandError("There is no AWSPREVIOUS to go back to.", _BY_CONSOLE)
    if previous.secret is None:
        raise CommandError(f"AWSPREVIOUS cannot be restored: {previous.problem}.", _BY_CONSOLE)
    if current is not None and current.secret == previous.secret:
        raise CommandError(
            f"AWSPREVIOUS is the same value as AWSCURRENT ({previous.fingerprint}).",
            "There is nothing to restore.",
        )
    _check_app_id(previous.secret, current)
    verdict = target.probe(previous.secret)
    if verdict.rejected:
        raise CommandError(
            f"AWSPREVIOUS is {previous.fingerprint}, and {in_words(verdict)}.", _BY_CONSOLE
        )
    displaced, lost = None, ""
    if staged is not None and staged.secret != previous.secret:
        displaced = {"version_id": staged.version_id, "fingerprint": staged.fingerprint}
        which = staged.fingerprint or f"version {staged.version_id}"
        lost = f" What is staged now, {which}, makes way for it."
    now = None if current is None else current.fingerprint
    out.tell(
        "restoring",
        f"AWSCURRENT is {now or 'no ServerSecret'}. AWSPREVIOUS is {previous.fingerprint}:"
        f" {in_words(verdict)}.{lost}",
        version_id=previous.version_id,
        fingerprint=previous.fingerprint,
        current_fingerprint=now,
        displaced=displaced,
        verdict=verdict_document(verdict),
    )
    confirm(f"Rotate back to {previous.fingerprint}?")
    target.versions.stage_version(previous.version_id, while_current=state.labels.get(CURRENT))
    out.go_on()
    return _run(target, out, patience, previous.fingerprint)


def unstick(target: Target, out: Output, confirm: Callable[[str], None]) -> None:
    """Take AWSPENDING off a rotation that does not end; nothing else changes.

    A step of it that still runs finds itself out of the rotation and stops. A promotion that wins
    the race has happened, and is told.
    """
    state = target.versions.describe()
    token = state.in_flight
    if token is None:
        out.tell("idle", "No rotation is in flight; there is nothing to do.")
        return
    began = in_flight_since(target, state)
    out.tell(
        "in-flight",
        copyable("\n".join(screen.rotation(state, time.time(), began)), target.name),
        version_id=token,
        began_at=timestamp(began),
    )
    confirm("Give it up? AWSCURRENT and CANDIDATE stay as they are.")
    try:
        target.versions.drop_label(PENDING, version_id=token)
    except ConflictError:
        out.tell("ended", "It has just ended by itself.", version_id=token)
        return
    out.go_on()
    text = "Given up. To rotate to what is staged: zego-token secret rotate --staged."
    out.tell("given-up", copyable(text, target.name), version_id=token)


def _idle(target: Target, *, to_rotate: bool = False) -> SecretState:
    """The secret, if it can be changed now: asked before anybody types a secret."""
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


def _stage(target: Target, out: Output, given: Given, state: SecretState) -> tuple[str, Verdict]:
    """Stage it; gives its fingerprint, and what ZEGO says of it."""
    current = target.versions.version(state, CURRENT)
    try:
        secret = value.take(given, None if current is None else current.secret)
        _check_app_id(secret, current)
        verdict = target.probe(secret)
    except (KeyboardInterrupt, EOFError):
        raise CommandError("\nNothing was staged.", "", ExitCode.INTERRUPTED) from None
    if given.require_accepted and not verdict.accepted:
        code = ExitCode.REFUSED if verdict.rejected else ExitCode.UNDECIDED
        raise CommandError(f"Nothing was staged. {in_words(verdict)}.", "", code)
    version_id = target.versions.stage(secret)
    out.go_on()
    unusual = " It is not 32 lower-case hex digits, as ZEGO's are." if secret.looks_unusual else ""
    out.tell(
        "staged",
        f"Staged {secret.fingerprint} for AppID {secret.app_id}. {in_words(verdict)}.{unusual}",
        style=VERDICT_STYLES[verdict.outcome],
        version_id=version_id,
        app_id=secret.app_id,
        fingerprint=secret.fingerprint,
        unusual=secret.looks_unusual,
        verdict=verdict_document(verdict),
    )
    return secret.fingerprint, verdict


def _check_app_id(secret: ServerSecret, current: Version | None) -> None:
    if current is None or current.secret is None or current.secret.app_id == secret.app_id:
        return
    raise _refusal(
        "other-app-id", f" It is for {secret.app_id}, AWSCURRENT for {current.secret.app_id}."
    )


def _refusal(outcome: str, detail: str = "") -> CommandError:
    ending = OUTCOMES[outcome]
    return CommandError(ending.meaning + detail, ending.remedy)


def _run(target: Target, out: Output, patience: Patience, expected: str | None) -> ExitCode:
    """Start the rotation, follow it, and say how it ended.

    :param expected: fingerprint of what is to be promoted; ``None``: it is no ServerSecret.
    """
    token = target.versions.start_rotation()
    out.go_on()
    out.tell("started", "", version_id=token)
    events = follow(
        target.versions.describe, token, wait_seconds=patience.end, every_seconds=patience.look
    )
    try:
        end = screen.follow(out, events)
    except (KeyboardInterrupt, SecretStoreError):
        text = copyable(f"The rotation goes on. {_WAYS_ON}", target.name)
        out.tell("left", text, version_id=token)
        raise
    if end.kind == "promoted":
        result = _promoted(target, end, token, expected, patience.issuer_ttl)
    elif end.kind == "refused":
        result = _refused(target, end)
    else:
        result = _undecided(target, end)
    out.tell(
        "result",
        result.text,
        style=_STYLES[result.exit_code],
        result=end.kind,
        outcome=end.outcome,
        code=end.code,
        version_id=token,
        attempts=end.attempt,
        seconds=end.seconds,
        **result.fields,
        exit_code=result.exit_code,
    )
    return result.exit_code


@dataclass(frozen=True, slots=True)
class _Result:
    exit_code: ExitCode
    text: str
    fields: Mapping[str, Any]


_STYLES: Final = {ExitCode.DONE: GOOD, ExitCode.REFUSED: BAD, ExitCode.UNDECIDED: UNSURE}


def _promoted(
    target: Target, end: Event, token: str, expected: str | None, issuer_ttl: float
) -> _Result:
    fingerprint, verdict = _verdict_on(target, token)
    by = datetime.now(UTC) + timedelta(seconds=issuer_ttl)
    fields = {
        "fingerprint": fingerprint,
        "expected_fingerprint": expected,
        "verdict": verdict_document(verdict),
        "issuers_by": timestamp(by.timestamp()),
        "issuer_ttl_seconds": issuer_ttl,
    }
    text = f"Promoted in {end.seconds:.1f} s: AWSCURRENT is {fingerprint or token}."
    if fingerprint not in {None, expected}:
        other = f"That is not {expected or 'what was staged'}: somebody staged another meanwhile."
        see = copyable("See how things stand: zego-token secret status.", target.name)
        return _Result(ExitCode.REFUSED, f"{text} {other} {in_words(verdict)}. {see}", fields)
    if verdict.rejected:
        reset = OUTCOMES["rejected-after"]
        return _Result(ExitCode.REFUSED, f"{text} {reset.meaning} {reset.remedy}", fields)
    text += (
        f" Asked from here: {in_words(verdict)}.\nAll issuers have it by {by:%H:%M:%S} UTC"
        f" (at most {issuer_ttl:g} s, their SECRET_TTL_SECONDS)."
    )
    return _Result(ExitCode.DONE, text, fields)


def _refused(target: Target, end: Event) -> _Result:
    meaning = "It ended without a promotion, and the rotator could not note why."
    remedy = "See the rotator's log. AWSCURRENT is as it was."
    if end.outcome is not None and OUTCOMES[end.outcome].kind == "refused":
        meaning = screen.ending(end.outcome, end.code, end.fingerprint)
        remedy = OUTCOMES[end.outcome].remedy
    remedy = copyable(remedy, target.name)
    fields = {"meaning": meaning, "remedy": remedy}
    return _Result(ExitCode.REFUSED, f"Refused. {meaning} {remedy}", fields)


def _undecided(target: Target, end: Event) -> _Result:
    meaning = "The rotator has noted nothing yet."
    if end.outcome is not None:
        meaning = screen.ending(end.outcome, end.code, end.fingerprint)
    remedy = copyable(_WAYS_ON, target.name)
    text = f"Not ended after {end.seconds:.0f} s. {meaning} {remedy}"
    return _Result(ExitCode.UNDECIDED, text, {"meaning": meaning, "remedy": remedy})


def _verdict_on(target: Target, token: str) -> tuple[str | None, Verdict]:
    """Fingerprint and verdict of what was promoted, which a failure to see does not undo."""
    try:
        secret = server_secret.parse(target.versions.read(version_id=token).text)
    except (SecretStoreError, ServerSecretError) as error:
        return None, Verdict("unknown", f"it cannot be read: {error}")
    return secret.fingerprint, target.probe(secret)
