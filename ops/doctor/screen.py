"""What a person sees: the checks under their headings, as they are made, and what it comes to."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from rich.text import Text

from ops.doctor.check import Check, Result, Status
from ops.exit_codes import ExitCode
from ops.options import copyable
from ops.output import BAD, GOOD, QUIET, UNSURE, Output, line

_MARKS: Final[dict[Status, tuple[str, str]]] = {
    "ok": ("✓", GOOD),
    "warning": ("!", UNSURE),
    "failed": ("✗", BAD),
    "not-looked-at": ("·", QUIET),
    "note": ("i", "cyan"),
}
#: What is counted, with its plural.
_WORDS: Final[dict[Status, tuple[str, str]]] = {
    "ok": ("ok", "ok"),
    "warning": ("warning", "warnings"),
    "failed": ("failed", "failed"),
    "not-looked-at": ("not looked at", "not looked at"),
    "note": ("note", "notes"),
}
_NAME: Final = 14
_INDENT: Final = 4 + _NAME


def show(out: Output, name: str, found: Iterable[tuple[Check, Result]]) -> ExitCode:
    """Show each result as it comes; gives the exit code."""
    counts: Counter[Status] = Counter()
    failed: dict[str, None] = {}
    last: Check | None = None
    out.show(line(name, "bold"))
    for check, result in found:
        if last is None or check.theme != last.theme:
            out.show("", line(check.theme, "bold"))
        _tell(out, name, check, result, is_first=check is not last)
        counts[result.status] += 1
        if result.status == "failed":
            failed[check.name] = None
        last = check
    exit_code = ExitCode.REFUSED if failed else ExitCode.DONE
    numbers = {status: counts[status] for status in _MARKS}
    out.tell("summary", "", counts=numbers, failed=[*failed], exit_code=exit_code)
    out.show("", *_summary(counts, failed))
    return exit_code


def _tell(out: Output, name: str, check: Check, result: Result, *, is_first: bool) -> None:
    remedy = copyable(result.remedy, name)
    out.tell(
        "check",
        "",
        check=check.name,
        theme=check.theme,
        asks=check.asks,
        status=result.status,
        of=result.of or None,
        seen=result.seen,
        remedy=remedy,
    )
    seen = f"{result.of}: {result.seen}" if result.of else result.seen
    if result.status == "not-looked-at":
        seen = f"not looked at: {seen}"
    shown = _lines(check.name if is_first else "", result.status, seen, remedy, out.width)
    out.show(*shown)


def _lines(name: str, status: Status, seen: str, remedy: str, width: int) -> Iterator[Text]:
    mark, style = _MARKS[status]
    quiet = QUIET if status == "not-looked-at" else ""
    first, *more = _wrapped(seen, width - _INDENT)
    yield Text.assemble(line(f"  {mark} ", style), f"{name:{_NAME}}", line(first, quiet))
    yield from (line(f"{'':{_INDENT}}{text}", quiet) for text in more)
    yield from _remedy(remedy, width - _INDENT)


def _remedy(remedy: str, width: int) -> Iterator[Text]:
    """What to do; a command is a line of its own, and never broken."""
    for number, paragraph in enumerate(filter(None, remedy.split("\n"))):
        if paragraph.startswith("  "):
            yield line(f"{'':{_INDENT}}{paragraph}", "bold")
            continue
        for position, text in enumerate(_wrapped(paragraph, width - 2)):
            arrow = "→" if number == position == 0 else " "
            yield line(f"{'':{_INDENT}}{arrow} {text}")


def _wrapped(text: str, width: int) -> list[str]:
    """Lines; what has no space in it, an ARN, is not broken."""
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def _summary(counts: Counter[Status], failed: Iterable[str]) -> Iterator[Text]:
    said = [
        f"{count} {_WORDS[status][count != 1]}" for status in _MARKS if (count := counts[status])
    ]
    yield line(", ".join(said) + ".")
    if names := ", ".join(failed):
        yield line(f"Failed: {names}.", BAD)
    elif counts["warning"]:
        yield line("Nothing has failed.", UNSURE)
    else:
        yield line("All well.", GOOD)
