"""The screens of `zego-token secret`: a rotation's steps as they run, and the status of secrets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Final

from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ops.errors import ExitCode
from ops.output import BAD, GOOD, QUIET, UNSURE, Output, copyable, line, prose, wrapped
from ops.secret.follow import ENDS, RotationEvent
from ops.secret.status import JudgedVersion, Report, TargetStatus, UnreachableTarget
from zego import duration
from zego.error_codes import SERVER_API_CODES
from zego.rotation import OUTCOMES, STEPS, Step
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.notes import (
    FAILURE_TAG,
    ROTATION_TAG,
    RotationNote,
    VerdictNote,
    compromised,
    given_up,
)
from zego.secret_store.versions import SecretState, whose
from zego.server_api import Verdict

VERDICT_STYLES: Final = {"accepted": GOOD, "rejected": BAD, "unknown": UNSURE}

ROTATE_STAGED: Final = "To rotate to the staged value: zego-token secret rotate --staged."
#: The prefix of a fact's further lines.
_INDENT: Final = "   "
#: For a rotation that has stored no value yet.
NO_START_TIME: Final = "AWS gives no start time for it; the watcher notes one within 5 min."
ROTATION_OFF: Final = (
    "Automatic rotation was turned off (CancelRotateSecret), so the watcher heals nothing."
)

_DOES: Final[dict[Step, str]] = {
    "createSecret": "copies the value",
    "setSecret": "compares it with the current one",
    "testSecret": "asks ZEGO whether it accepts it",
    "finishSecret": "promotes it, and asks ZEGO again",
}


def follow(out: Output, events: Iterator[RotationEvent]) -> RotationEvent:
    """Show a rotation's steps as they run, and return its end."""
    steps = _Steps()
    with out.live(steps):
        event = next(events)
        while event.kind not in ENDS:
            steps.take(event)
            if not out.is_live:
                fields = asdict(event)
                out.tell(fields.pop("kind"), _step_line(event), **fields)
            event = next(events)
    return event


class _Steps:
    """The four steps with their marks, redrawn often so that the spinner moves."""

    def __init__(self) -> None:
        self._spinner = Spinner("dots")
        self._events: dict[Step, RotationEvent] = {}
        self._began_at = time.monotonic()
        self._attempt = 1

    def take(self, event: RotationEvent) -> None:
        if event.attempt != self._attempt:
            self._attempt = event.attempt
            self._events.clear()
        if event.step is not None:
            self._events[event.step] = event
            self._began_at = time.monotonic()

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        for step in STEPS:
            table.add_row(*self._row(step, self._events.get(step)))
        outcomes = [event.outcome for event in self._events.values() if event.outcome]
        if any(OUTCOMES[outcome].kind == "failed" for outcome in outcomes):
            table.add_row(self._spinner, "", "", "Secrets Manager retries, or gives up.")
        return table

    def _row(self, step: Step, event: RotationEvent | None) -> Iterable[Spinner | Text]:
        if event is None:
            return Text("·", QUIET), Text(step, QUIET), Text(), Text(_DOES[step], QUIET)
        if event.kind == "step-began":
            seconds = time.monotonic() - self._began_at
            return self._spinner, Text(step), Text(f"{seconds:.1f} s"), Text(_DOES[step])
        took = Text(_took(event))
        if event.kind == "step-done":
            return Text("✓", GOOD), Text(step), took, Text(_DOES[step], QUIET)
        return Text("✗", BAD), Text(step), took, Text(ending(event), BAD)


def _step_line(event: RotationEvent) -> str:
    """One line per finished step; the start of a step is shown only on a live terminal."""
    if event.kind == "step-began":
        return ""
    again = "" if event.attempt == 1 else f"attempt {event.attempt}, "
    took = _took(event)
    end = f"done{took and f', {took}'}" if event.kind == "step-done" else ending(event)
    return f"{again}{event.step}: {end}"


def _took(event: RotationEvent) -> str:
    """How long a step took; empty if it began and ended between two checks."""
    return f"{event.seconds:.1f} s" if event.seconds else ""


def ending(what: RotationNote | RotationEvent) -> str:
    """How a step ended, with ZEGO's code and the value's fingerprint; empty if it is not known."""
    if what.outcome is None:
        return ""
    known = [f"fingerprint {what.fingerprint}"] if what.fingerprint else []
    if what.code and what.code in SERVER_API_CODES:
        known.append(f"ZEGO's code {what.code}: {SERVER_API_CODES[what.code].reason}")
    of = f" ({'; '.join(known)})" if known else ""
    return f"{OUTCOMES[what.outcome].meaning}{of}"


def show_status(out: Output, report: Report) -> None:
    """The versions of each target, and whether the targets agree."""
    out.tell("status", "", **report.document(), exit_code=report.exit_code)
    for target in report.targets:
        if isinstance(target, UnreachableTarget):
            failure = target.failure
            text = copyable(f"{failure.message} {failure.remedy}", target.target)
            out.show(prose(target.target, "bold"), prose(text, BAD))
        else:
            out.show(*_target(target))
        out.show("")
    if len(report.targets) > 1:
        out.show(*_agreement(report, out.width))


def _target(status: TargetStatus) -> Iterator[Text | Table]:
    yield prose(status.target, "bold")
    yield line(status.state.arn, QUIET)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=QUIET)
    for heading in ("labels", "version", "age", "fingerprint", "ZEGO"):
        table.add_column(heading, no_wrap=True)
    for version in status.versions:
        table.add_row(*_version(version, status.at))
    yield table
    for text, style in _problems(status.versions).items():
        yield prose(text, style, then=_INDENT)
    for fact in facts(status):
        yield prose(copyable(fact, status.target), then=_INDENT)


def _version(judged: JudgedVersion, now: float) -> Iterator[Text]:
    version, verdict = judged.version, judged.verdict
    yield line(",\n".join(version.labels))
    yield line(version.version_id[:8])
    yield Text("" if version.created_at is None else duration(now - version.created_at))
    yield Text(version.fingerprint or "-")
    if verdict is None:
        yield Text("-")
    else:
        yield Text(verdict.outcome, VERDICT_STYLES[verdict.outcome])


def _problems(versions: Iterable[JudgedVersion]) -> dict[str, str]:
    """What the table has no room for: why ZEGO does not accept a version, each with its style."""
    labels: dict[tuple[str, str], list[str]] = {}
    for version, verdict in ((one.version, one.verdict) for one in versions):
        if verdict is None:
            labels.setdefault((version.problem or "", BAD), []).extend(version.labels)
        elif not verdict.accepted:
            what = f"{in_words(verdict)}.", VERDICT_STYLES[verdict.outcome]
            labels.setdefault(what, []).extend(version.labels)
    return {f"{', '.join(of)}: {text}": style for (text, style), of in labels.items()}


def facts(status: TargetStatus) -> Iterator[str]:
    """Facts about the secret apart from its versions, then what to do."""
    secret = None if status.current is None else status.current.version.secret
    if secret is not None:
        yield f"AppID: {secret.app_id}"
    yield _watched(status)
    if status.state.rotation_function is None:
        yield "No function rotates this secret."
    elif status.state.is_rotation_off:
        yield f"{ROTATION_OFF} The next rotation turns it on again: zego-token secret rotate."
    yield from rotation_facts(status.state, status.at, status.in_flight_since)
    yield from calls_fail(status)


def _watched(status: TargetStatus) -> str:
    if (noted := status.noted) is None:
        return "Watcher: nothing noted yet"
    of = f" on {noted.fingerprint}" if noted.fingerprint else ""
    since = duration(status.at - noted.since)
    text = f"Watcher: {outcome_with_code(noted)}{of}, for {since}"
    if not status.is_as_noted:
        text += " (out of date: it checks every 5 min)"
    return text


def rotation_facts(state: SecretState, now: float, began: float | None = None) -> Iterator[str]:
    """The progress of the rotation in flight, or else of the last one, and what to do.

    :param began: when the rotation in flight began, if that is known.
    """
    note, failure = (
        RotationNote.from_tag(state.tags.get(tag)) for tag in (ROTATION_TAG, FAILURE_TAG)
    )
    token = state.in_flight
    if token is not None:
        if began is None:
            yield f"Rotation: in flight (version {token}). {NO_START_TIME}"
        else:
            at = time.strftime("%H:%M UTC", time.gmtime(began))
            since = f"for {duration(now - began)}, since {at}"
            yield f"Rotation: in flight {since} (version {token})"
    elif note is not None:
        token = note.token
    for one in dict.fromkeys((note, failure)):  # they are equal if the last step failed
        if one is None or one.token != token:
            continue
        which = "Last failure" if one == failure else "Last step"
        if not state.in_flight and one is note:
            which = "Last rotation"
        remedy = OUTCOMES[one.outcome].remedy
        if not state.in_flight and (one is not note or remedy.startswith("Wait")):
            remedy = ""  # it is over
        yield f"{which}: {one.step}, {duration(now - one.at)} ago. {ending(one)}"
        if remedy:
            yield f"-> {remedy}"
    if note is not None and not state.in_flight and was_given_up(note, state):
        yield f"The rotation was given up. {ROTATE_STAGED}"


def was_given_up(note: RotationNote, state: SecretState) -> bool:
    """Whether the rotation ended without a refusal or a promotion."""
    if state.labels.get(CURRENT) == note.token:
        return False
    if note.token in given_up(state.tags):
        return True
    if note.outcome == "not-pending":  # a late step of a rotation that ended long ago
        return False
    is_refused = OUTCOMES[note.outcome].kind == "refused"
    return not (is_refused or note.outcome in {"promoted", "rejected-after"})


def calls_fail(status: TargetStatus) -> Iterator[str]:
    """What to do if ZEGO rejects AWSCURRENT, or it is not a valid ServerSecret."""
    if status.exit_code is not ExitCode.REFUSED:
        return
    if status.state.in_flight is not None:
        yield "Calls fail until AWSCURRENT is replaced. A rotation is in flight: see above."
        return
    app_id, first = _app_id(status), (CANDIDATE, PREVIOUS)
    if status.fingerprint is None:
        first = (PREVIOUS, CANDIDATE)  # the watcher's order too
    for label in first:
        if not _can_become_current(status, label, app_id):
            continue
        minutes, way = _WAYS[label]
        heals = status.state.rotation_function and not status.state.is_rotation_off and app_id
        if heals:
            by_itself = f"The watcher promotes it within {minutes} min; to do it now"
        else:
            by_itself = "To promote it"
        yield f"Calls fail. ZEGO accepts {label}. {by_itself}: zego-token secret {way}."
        return
    yield "Calls fail. Rotate to the value in ZEGO's console: zego-token secret rotate."


#: How many minutes the watcher takes at most, and the command that does the same. AWSPREVIOUS needs
#: two checks.
_WAYS: Final = {CANDIDATE: (5, "rotate --staged"), PREVIOUS: (10, "restore")}


def _can_become_current(status: TargetStatus, label: str, app_id: int | None) -> bool:
    """Whether ZEGO accepts the value under a label, and no rule of a rotation refuses it."""
    judged = status.by_label.get(label)
    if judged is None or judged.version.secret is None or judged.verdict is None:
        return False
    secret = judged.version.secret
    is_compromised = secret.fingerprint in compromised(status.state.tags)
    return judged.verdict.accepted and not is_compromised and app_id in {None, secret.app_id}


def _app_id(status: TargetStatus) -> int | None:
    current, previous = (status.by_label.get(label) for label in (CURRENT, PREVIOUS))
    known = whose(current.version if current else None, previous.version if previous else None)
    return None if known is None else known.app_id


def _agreement(report: Report, width: int) -> Iterator[Text]:
    if report.drift is False:
        same = report.targets[0].fingerprint
        yield prose(f"All {len(report.targets)} targets have the same secret, {same}.", GOOD)
        return
    if report.drift is None:
        says, style = "Not all targets can be compared.", UNSURE
    else:
        says, style = "Drift: AWSCURRENT differs between the targets.", BAD
    yield line(says, style)
    for one in report.targets:
        first = f"  {one.fingerprint or '-':12}  "
        yield wrapped(one.target, width, first=first, then=" " * len(first), style=style)


def outcome_with_code(noted: VerdictNote) -> str:
    """``rejected (code 100000005)``."""
    return noted.outcome if noted.code is None else f"{noted.outcome} (code {noted.code})"


def in_words(verdict: Verdict) -> str:
    """ZEGO's verdict, as a clause."""
    if verdict.accepted:
        return verdict.reason
    says = "ZEGO rejects it" if verdict.rejected else "ZEGO gives no verdict"
    return f"{says}: {verdict.reason}"
