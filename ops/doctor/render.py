"""What a person sees: the checks under their headings, as they are made, and what it comes to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from rich.text import Text

from ops.doctor.check import Check, CheckResult, CheckStatus
from ops.errors import ExitCode
from ops.output import BAD, GOOD, QUIET, UNSURE, Output, copyable, line, wrapped


class _Mark(NamedTuple):
    """What stands before a result.

    :ivar ascii: the same, for where ``mark`` cannot be shown.
    """

    mark: str
    ascii: str
    style: str

    def shown_by(self, out: Output) -> str:
        return self.mark if out.can_show(self.mark) else self.ascii


_MARKS: Final[dict[CheckStatus, _Mark]] = {
    "ok": _Mark("✓", "+", GOOD),
    "warning": _Mark("!", "!", UNSURE),
    "failed": _Mark("✗", "x", BAD),
    "skipped": _Mark("·", "-", QUIET),
    "note": _Mark("i", "i", "cyan"),
}
#: What is counted, with its plural.
_WORDS: Final[dict[CheckStatus, tuple[str, str]]] = {
    "ok": ("ok", "ok"),
    "warning": ("warning", "warnings"),
    "failed": ("failed", "failed"),
    "skipped": ("not looked at", "not looked at"),
    "note": ("note", "notes"),
}
_NAME: Final = 14
_INDENT: Final = 4 + _NAME


def show(out: Output, name: str, found: Iterable[tuple[Check, CheckResult]]) -> ExitCode:
    """Show each result as it comes; gives the exit code."""
    counts: Counter[CheckStatus] = Counter()
    failed: dict[str, None] = {}
    last: Check | None = None
    out.show(line(name, "bold"))
    for check, result in found:
        if last is None or check.group != last.group:
            out.show("", line(check.group, "bold"))
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


def _tell(out: Output, name: str, check: Check, result: CheckResult, *, is_first: bool) -> None:
    remedy = copyable(result.remedy, name)
    out.tell(
        "check",
        "",
        check=check.name,
        theme=check.group,
        asks=check.question,
        status=result.status,
        of=result.of or None,
        seen=result.seen,
        remedy=remedy,
    )
    seen = f"{result.of}: {result.seen}" if result.of else result.seen
    if result.status == "skipped":
        seen = f"not looked at: {seen}"
    mark = _MARKS[result.status].shown_by(out)
    out.show(*_lines(mark, check.name if is_first else "", result, seen, out.width, name))


def _lines(
    mark: str, name: str, result: CheckResult, seen: str, width: int, target: str
) -> Iterator[Text]:
    below = " " * _INDENT
    text = wrapped(seen, width, first=f"  {mark} {name:{_NAME}}", then=below)
    text.stylize(_MARKS[result.status].style, 2, 3)
    if result.status == "skipped":
        text.stylize(QUIET, _INDENT)
    yield text
    if result.remedy:
        yield wrapped(result.remedy, width, first=f"{below}-> ", then=f"{below}   ", target=target)


def _summary(counts: Counter[CheckStatus], failed: Iterable[str]) -> Iterator[Text]:
    said = [
        f"{count} {_WORDS[status][count != 1]}" for status in _MARKS if (count := counts[status])
    ]
    yield line(", ".join(said) + ".")
    if names := ", ".join(failed):
        yield line(f"Failed: {names}.", BAD)
    elif counts["skipped"]:
        yield line("Nothing has failed, but not all was looked at.", UNSURE)
    elif counts["warning"]:
        yield line("Nothing has failed.", UNSURE)
    else:
        yield line("All well.", GOOD)
