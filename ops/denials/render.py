"""The screens of `zego-token denials`, and denials in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ops.denials.table import Change, DenialTable, UnreadableItem
from ops.errors import ExitCode
from ops.output import BAD, QUIET, Output, date_and_time, relative, timestamp, wrapped
from zego import duration
from zego.denials import MAX_DENIALS, Denial


def show_denials(out: Output, table: DenialTable, now: float) -> ExitCode:
    """Show the denials that have not ended, and the items that are unreadable."""
    live, unreadable = table.denials(now)
    for denial in live:
        out.tell("denial", "", **as_fields(denial))
        _show(out, sentence(denial, now), _origin(denial.reason, denial.by, denial.at, now))
    exit_code = _show_unreadable(out, unreadable, "The issuer ignores it and logs an error.")
    say(
        out,
        "result",
        f"{_count(len(live), 'denial')}. {MAX_DENIALS} is the most." if live else "No denials.",
        style=QUIET,
        denials=len(live),
        most=MAX_DENIALS,
        unreadable=len(unreadable),
        exit_code=exit_code,
    )
    return exit_code


def show_history(out: Output, table: DenialTable, now: float) -> ExitCode:
    """Show the changes of the last 90 days, the newest first."""
    changes, unreadable = table.changes()
    for change in changes:
        fields = as_fields(change.denial) | {"reason": change.reason, "by": change.by}
        out.tell("change", "", action=change.action, **fields)
        _show(out, _change(change), _origin(change.reason, change.by, change.at, now))
    exit_code = _show_unreadable(out, unreadable, "It may be from a later version.")
    say(
        out,
        "result",
        f"{_count(len(changes), 'change')} in the last 90 days."
        if changes
        else "No changes in the last 90 days.",
        style=QUIET,
        changes=len(changes),
        unreadable=len(unreadable),
        exit_code=exit_code,
    )
    return exit_code


def say(out: Output, event: str, text: str, *, style: str = "", **fields: Any) -> None:
    """Print one event, its text wrapped.

    :param event: empty if it is only for people.
    """
    if event:
        out.tell(event, "", **fields)
    if not out.as_json:
        out.show(wrapped(text, out.width, style=style, breaks_words=True))


def as_fields(denial: Denial) -> dict[str, Any]:
    """A denial as fields of an event. Times are in RFC 3339."""
    return {
        "effect": denial.effect,
        "kind": denial.kind,
        "value": denial.value,
        "reason": denial.reason,
        "by": denial.by,
        "at": timestamp(denial.at),
        "until": timestamp(denial.until),
        "not_before": timestamp(denial.not_before),
    }


def whom(denial: Denial) -> str:
    """``user alice``, ``rooms call_*``."""
    kind = "rooms" if denial.kind == "room" and "*" in denial.value else denial.kind
    return f"{kind} {denial.value}"


def all_of_it(denial: Denial) -> bool:
    """Whether it hits everyone: all callers of an identity, or all rooms."""
    return denial.kind == "identity" or (denial.kind == "room" and not denial.value.strip("*"))


def sentence(denial: Denial, now: float) -> str:
    """A denial in words: ``Denied: user alice, until 2026-08-01 12:00:00 UTC (in 2 h).``"""
    if denial.not_before is None:
        return f"Denied: {whom(denial)}, {ends(denial, now)}."
    before = date_and_time(denial.not_before)
    return f"Signed out: {whom(denial)}. Sign-ins before {before} are refused, {ends(denial, now)}."


def ends(denial: Denial, now: float) -> str:
    """When a denial ends, and how long that is, to the minute."""
    if denial.until is None:
        return "until it is lifted"
    left = denial.until - now
    in_words = duration(round(left / 60) * 60 if left >= 60 else left)
    return f"until {date_and_time(denial.until)} (in {in_words})"


def noun(denial: Denial) -> str:
    """``the denial of user alice``, ``the sign-out of identity web``."""
    effect = "denial" if denial.effect == "deny" else "sign-out"
    return f"the {effect} of {whom(denial)}"


def clock_time(moment: float) -> str:
    """``12:00:00 UTC``."""
    return f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S} UTC"


def _change(change: Change) -> str:
    denial = change.denial
    return f"Lifted {noun(denial)}." if change.action == "allow" else sentence(denial, change.at)


def _origin(reason: str, by: str, at: float, now: float) -> str:
    return f"{reason}\nby {by}, {date_and_time(at)} ({relative(at, now)})"


def _show(out: Output, title: str, details: str) -> None:
    if not out.as_json:
        indent = "  "
        out.show(
            wrapped(title, out.width, style="bold", breaks_words=True),
            wrapped(details, out.width, first=indent, then=indent, breaks_words=True),
        )


def _show_unreadable(out: Output, items: list[UnreadableItem], effect: str) -> ExitCode:
    for item in items:
        say(
            out,
            "unreadable",
            f"The item {item.sk} is unreadable: {item.problem}. {effect}",
            style=BAD,
            sk=item.sk,
            problem=item.problem,
        )
    return ExitCode.REFUSED if items else ExitCode.DONE


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
