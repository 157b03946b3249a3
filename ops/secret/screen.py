"""What a person sees: the steps of a rotation as they pass, and how secrets stand."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Final

from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from ops.output import BAD, GOOD, QUIET, UNSURE, Output, line
from ops.secret.follow import ENDS, Event
from ops.secret.report import JudgedVersion, Look, Report, Unseen
from zego.rotation import OUTCOMES, STEPS, Step
from zego.server_api import Verdict

VERDICT_STYLES: Final = {"accepted": GOOD, "rejected": BAD, "unknown": UNSURE}

_DOES: Final[dict[Step, str]] = {
    "createSecret": "copies the candidate",
    "setSecret": "compares it with the current one",
    "testSecret": "asks ZEGO whether it accepts it",
    "finishSecret": "promotes it, and asks ZEGO again",
}
_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))


def follow(out: Output, events: Iterator[Event]) -> Event:
    """Show a rotation's steps as they pass; gives its end."""
    steps = _Steps()
    with out.live(steps):
        event = next(events)
        while event.kind not in ENDS:
            steps.take(event)
            if not out.is_live:
                fields = asdict(event)
                out.tell(fields.pop("kind"), _sentence(event), **fields)
            event = next(events)
    return event


class _Steps:
    """The four steps with their marks. Drawn anew again and again, so that it moves."""

    def __init__(self) -> None:
        self._spinner = Spinner("dots")
        self._events: dict[Step, Event] = {}
        self._began_at = time.monotonic()
        self._attempt = 1

    def take(self, event: Event) -> None:
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
            table.add_row(self._spinner, "", "", "Secrets Manager tries again, or gives up.")
        return table

    def _row(self, step: Step, event: Event | None) -> Iterable[Spinner | Text]:
        if event is None:
            return Text("·", QUIET), Text(step, QUIET), Text(), Text(_DOES[step], QUIET)
        if event.kind == "step-began":
            seconds = time.monotonic() - self._began_at
            return self._spinner, Text(step), Text(f"{seconds:.1f} s"), Text(_DOES[step])
        took = Text(_took(event))
        if event.kind == "step-done":
            return Text("✓", GOOD), Text(step), took, Text(_DOES[step], QUIET)
        return Text("✗", BAD), Text(step), took, Text(_why(event), BAD)


def _sentence(event: Event) -> str:
    """A line for each step's end; that one begins is news on a terminal alone."""
    if event.kind == "step-began":
        return ""
    again = "" if event.attempt == 1 else f"attempt {event.attempt}, "
    took = _took(event)
    end = f"done{took and f', {took}'}" if event.kind == "step-done" else _why(event)
    return f"{again}{event.step}: {end}"


def _took(event: Event) -> str:
    """Empty for a step that passed between two looks."""
    return f"{event.seconds:.1f} s" if event.seconds else ""


def _why(event: Event) -> str:
    return "" if event.outcome is None else OUTCOMES[event.outcome].meaning


def show_status(out: Output, report: Report) -> None:
    """The versions of each target, and whether the targets agree."""
    out.tell("status", "", **report.document(), exit_code=report.exit_code)
    for target in report.targets:
        if isinstance(target, Unseen):
            failure = target.failure
            out.show(line(target.target, "bold"), line(f"{failure.message} {failure.remedy}", BAD))
        else:
            out.show(*_target(target))
        out.show("")
    if len(report.targets) > 1:
        out.show(_agreement(report))


def _target(look: Look) -> Iterator[Text | Table]:
    yield line(look.target, "bold").append_text(line(f"  {look.state.arn}", QUIET))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=QUIET)
    for heading in ("labels", "version", "age", "fingerprint", "ZEGO", ""):
        table.add_column(heading, no_wrap=True)
    for version in look.versions:
        table.add_row(*_version(version, look.at))
    yield table
    yield from map(line, facts(look))


def _version(judged: JudgedVersion, now: float) -> Iterator[Text]:
    version, verdict = judged.version, judged.verdict
    yield line(", ".join(version.labels))
    yield line(version.version_id[:8])
    yield Text("" if version.created_at is None else duration(now - version.created_at))
    yield Text(version.fingerprint or "-")
    if verdict is None:
        yield Text("-")
        yield line(version.problem or "", BAD)
    else:
        style = VERDICT_STYLES[verdict.outcome]
        yield Text(verdict.outcome, style)
        yield Text() if verdict.accepted else Text(verdict.reason, style)


def facts(look: Look) -> Iterator[str]:
    """What is known beside the versions, a sentence each."""
    if (noted := look.noted) is None:
        yield "The watcher has noted nothing yet."
    else:
        which = f" {noted.fingerprint}" if noted.fingerprint else ""
        code = "" if noted.code is None else f" (code {noted.code})"
        since = duration(look.at - noted.since)
        yield f"The watcher: AWSCURRENT{which} is {noted.outcome}{code}, for {since}."
    if (last := look.rotation) is not None:
        ending = OUTCOMES[last.outcome]
        text = f"{last.step}: {ending.meaning} {ending.remedy}".strip()
        yield f"The last rotation, {duration(look.at - last.at)} ago, {text}"
    if look.state.rotation_function is None:
        yield "No function rotates this secret."
    if look.state.in_flight is not None:
        began = look.in_flight_since
        since = "" if began is None else f" for {duration(look.at - began)}"
        yield f"A rotation has been in flight{since} (version {look.state.in_flight})."


def _agreement(report: Report) -> Text:
    if not report.drift:
        same = report.targets[0].fingerprint
        return line(f"All {len(report.targets)} targets have {same}.", GOOD)
    have = "\n".join(f"  {one.fingerprint or '-':12}  {one.target}" for one in report.targets)
    return line(f"Drift: AWSCURRENT is not the same everywhere.\n{have}", BAD)


def in_words(verdict: Verdict) -> str:
    """ZEGO's verdict, as a clause."""
    if verdict.accepted:
        return verdict.reason
    says = "ZEGO rejects it" if verdict.rejected else "ZEGO cannot say"
    return f"{says}: {verdict.reason}"


def duration(seconds: float) -> str:
    """A span of time in its largest unit: ``12 d``, ``3 h``, ``5 min``, ``40 s``."""
    seconds = max(0.0, seconds)
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"
