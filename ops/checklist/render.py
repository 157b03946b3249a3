"""The screen of a checklist: the checks under their headings, as they run, and a summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from rich.text import Text

from ops.checklist.check import Check, CheckResult, CheckStatus
from ops.errors import ExitCode
from ops.output import BAD, GOOD, QUIET, UNSURE, Output, advice, copyable, line, prose, wrapped


class _Appearance(NamedTuple):
    """How results of one status are shown.

    :ivar ascii: shown if the terminal lacks ``mark``.
    :ivar one: the word for one such result.
    :ivar several: the word for several.
    """

    mark: str
    ascii: str
    style: str
    one: str
    several: str


_APPEARANCES: Final[dict[CheckStatus, _Appearance]] = {
    "ok": _Appearance("✓", "+", GOOD, "ok", "ok"),
    "warning": _Appearance("!", "!", UNSURE, "warning", "warnings"),
    "failed": _Appearance("✗", "x", BAD, "failed", "failed"),
    "skipped": _Appearance("·", "-", QUIET, "skipped", "skipped"),
    "note": _Appearance("i", "i", "cyan", "note", "notes"),
}
_NAME: Final = 14


def show(out: Output, name: str, found: Iterable[tuple[Check[Any], CheckResult]]) -> ExitCode:
    """Show each result as it comes, and return the exit code."""
    counts: Counter[CheckStatus] = Counter()
    failed: dict[str, None] = {}
    last: Check[Any] | None = None
    previous: CheckResult | None = None
    out.show(prose(name, "bold"))
    for check, result in found:
        if last is None or check.group != last.group:
            out.show("", line(check.group, "bold"))
        _tell(out, name, check, result, after=previous if check is last else None)
        counts[result.status] += 1
        if result.status == "failed":
            failed[check.name] = None
        last, previous = check, result
    exit_code = ExitCode.REFUSED if failed else ExitCode.DONE
    numbers = {status: counts[status] for status in _APPEARANCES}
    out.tell("summary", "", counts=numbers, failed=[*failed], exit_code=exit_code)
    out.show("", *_summary(counts, failed))
    return exit_code


def _tell(
    out: Output,
    name: str,
    check: Check[Any],
    result: CheckResult,
    *,
    after: CheckResult | None,
) -> None:
    """Show a result.

    :param after: the result before it, of the same check.
    """
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
        seen = f"skipped: {seen}"
    appearance = _APPEARANCES[result.status]
    mark = appearance.mark if out.can_show(appearance.mark) else appearance.ascii
    first = f"  {mark} {'' if after else check.name:{_NAME - 1}} "
    below = " " * (4 + _NAME)
    text = wrapped(seen, out.width, first=first, then=below)
    text.stylize(appearance.style, 2, 3)
    if result.status == "skipped":
        text.stylize(QUIET, len(first))
    out.show(text)
    if result.remedy and not (after and after.remedy == result.remedy):
        out.show(advice(result.remedy, out.width, name, margin=below))


def _summary(counts: Counter[CheckStatus], failed: Iterable[str]) -> Iterator[Text]:
    said = [
        f"{count} {words.one if count == 1 else words.several}"
        for status, words in _APPEARANCES.items()
        if (count := counts[status])
    ]
    yield prose(", ".join(said) + ".")
    if names := ", ".join(failed):
        yield prose(f"Failed: {names}.", BAD)
    elif counts["skipped"]:
        yield line("No check failed, but some were skipped.", UNSURE)
    elif counts["warning"]:
        yield line("No check failed.", UNSURE)
    else:
        yield line("All checks passed.", GOOD)
