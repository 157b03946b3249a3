"""The scan itself: file after file, what is found said at once, and in the end what to do."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ops.errors import ExitCode
from ops.output import BAD, GOOD, QUIET, UNSURE, Output, line, wrapped
from ops.scan import matching, values
from ops.scan.files import STANDARD_INPUT, File, Skipped, Tree, UnreadError, pieces
from ops.scan.findings import NOWHERE, Finding, Known
from ops.scan.matching import Match, Origin
from ops.scan.rules import SEVERITIES, Severity
from ops.scan.values import SHORTEST

_STYLES: Final[Mapping[Severity, str]] = {"certain": BAD, "likely": UNSURE, "possible": QUIET}
_STANDARD_INPUT_NAME: Final = "standard input"
_MEGABYTE: Final = 1e6

#: What is not looked into: one of it, several, and how to have it looked at.
_SKIPPED: Final[Mapping[Skipped, tuple[str, str, str]]] = {
    "dependencies": ("folder", "folders", " of dependencies and caches (--dependencies)."),
    "history": ("repository's history", "repositories' histories", ". In the repository:"),
    "links": ("symbolic link", "symbolic links", " (name what they lead to)."),
    "packed": ("packed file", "packed files", " (unpack them)."),
    "special": ("device, pipe or socket", "devices, pipes or sockets", "."),
}
_OF_HISTORY: Final = "\n  git log --all --patch --text | zego-token scan"


@dataclass(slots=True)
class Tally:
    """What the scan has come to.

    :ivar size: bytes, unpacked.
    :ivar found: how many findings of each severity there are, shown or not.
    :ivar ignored: how many are marked as none.
    :ivar unread: how many files and folders could not be read, or not to their end.
    :ivar groups: findings without their places and forms, with how many of each were shown.
    """

    files: int = 0
    size: int = 0
    ignored: int = 0
    unread: int = 0
    found: Counter[Severity] = field(default_factory=Counter)
    groups: Counter[Finding] = field(default_factory=Counter)


def scan(
    out: Output,
    tree: Tree,
    known: Known,
    *,
    show_all: bool = False,
    options: str = "",
) -> ExitCode:
    """Look at every file; say what is found, what was not looked at, and what to do.

    :param show_all: what is possible, too.
    :param options: of the target, for the commands that are to be copied.
    """
    began, tally = time.monotonic(), Tally()
    for file in tree.files():
        tally.files += 1
        try:
            for finding in _look(file, known, tally):
                tally.found[finding.severity] += 1
                if finding.severity != "possible" or show_all:
                    tally.groups[replace(finding, place=NOWHERE, form=None)] += 1
                    _tell(out, finding)
        except UnreadError as error:
            _tell_unread(out, tally, known, error)
    for unread in tree.unread:
        _tell_unread(out, tally, known, unread)
    seconds = time.monotonic() - began

    exit_code = ExitCode.UNDECIDED if tally.unread or known.too_short else ExitCode.DONE
    if tally.found["certain"] or tally.found["likely"]:
        exit_code = ExitCode.REFUSED
    _show_remedies(out, tally, options)
    for sentence in _limits(tree, known, options):
        out.show(wrapped(sentence, out.width, style=QUIET))
    style = {ExitCode.DONE: GOOD, ExitCode.REFUSED: BAD}.get(exit_code, UNSURE)
    out.tell(
        "summary",
        _summary(tally, seconds, show_all=show_all),
        style=style,
        files=tally.files,
        bytes=tally.size,
        seconds=round(seconds, 3),
        **{severity: tally.found[severity] for severity in SEVERITIES},
        ignored=tally.ignored,
        unread=tally.unread,
        skipped={what: tree.skipped[what] for what in _SKIPPED},
        looked_for=[value.label for value in known.values],
        not_looked_for=[*known.unusable, *known.too_short],
        exit_code=exit_code,
    )
    return exit_code


def _look(file: File, known: Known, tally: Tally) -> Iterator[Finding]:
    """:raises UnreadError: it cannot be read, or not to its end."""
    path = _STANDARD_INPUT_NAME if file.path == STANDARD_INPUT else file.path
    for value, form, start, end in values.find(os.fsencode(file.place.name), known.values):
        match = Match("secret-value", "certain", start, end, value=value, form=form)
        yield known.finding(path, match)
    origin = Origin.of(file.place)
    row, column = 1, 1  # of the piece's start
    for piece in pieces(file):
        data, at = piece.data, piece.start
        tally.size += piece.end - piece.start
        for match in matching.find(data, known.values, origin):
            if not piece.start <= match.start < piece.end:
                continue  # the piece before has it, or the one behind
            row, column = _further(data, at, match.start, row, column)
            at = match.start
            if match.is_ignored:
                tally.ignored += 1
            else:
                yield known.finding(path, match, row, column)
        row, column = _further(data, at, piece.end, row, column)


def _further(data: bytes, start: int, end: int, row: int, column: int) -> tuple[int, int]:
    """Line and column of the end, from those of the start."""
    newlines = data.count(b"\n", start, end)
    if not newlines:
        return row, column + end - start
    return row + newlines, end - data.rfind(b"\n", start, end)


def _tell(out: Output, finding: Finding) -> None:
    which = finding.which and f", {finding.which}"
    text = f"{finding.place}: {finding.severity}: {finding.what}{which}"
    out.tell("finding", text, style=_STYLES[finding.severity], **finding.document())


def _tell_unread(out: Output, tally: Tally, known: Known, error: UnreadError) -> None:
    tally.unread += 1
    path = known.shown(error.path)
    out.tell("unread", f"{path}: not looked at: {error.why}", style=BAD, path=path, why=error.why)


def _show_remedies(out: Output, tally: Tally, options: str) -> None:
    """What to do, once for all places of the same."""
    for finding in sorted(tally.groups, key=lambda one: SEVERITIES.index(one.severity)):
        count = tally.groups[finding]
        which = finding.which and f", {finding.which}"
        times = "" if count == 1 else f", {count} times"
        head = f"{finding.severity}: {finding.what}{which}{times}"
        out.show("", line(head, _STYLES[finding.severity]))
        out.show(wrapped(finding.remedy, out.width, first="-> ", then="   ", target=options))
    if tally.groups:
        out.show("")


def _limits(tree: Tree, known: Known, options: str) -> Iterator[str]:
    """What was not looked for, or at, and how it would be."""
    if known.values:
        yield f"Looked for the value: {', '.join(value.label for value in known.values)}."
    elif not known.unusable and not known.too_short:
        yield (
            "The secret's own value was not looked for: name it by --stage, --secret-id, --local,"
            " --secret-file or --ask-secret."
        )
    for label, why in known.unusable.items():
        yield f"Nothing to look for under {label}: {why}."
    for label in known.too_short:
        yield f"The value of {label} has fewer than {SHORTEST} letters and digits: not looked for."
    for what, (one, several, way) in _SKIPPED.items():
        if count := tree.skipped[what]:
            noun = f"1 {one}" if count == 1 else f"{count} {several}"
            command = " ".join(filter(None, (_OF_HISTORY, options, STANDARD_INPUT)))
            yield f"Not looked into: {noun}{way}{command if what == 'history' else ''}"


def _summary(tally: Tally, seconds: float, *, show_all: bool) -> str:
    counts = [
        f"{tally.found[severity]} {severity}"
        for severity in SEVERITIES
        if tally.found[severity] and (severity != "possible" or show_all)
    ]
    hidden = 0 if show_all else tally.found["possible"]
    size = tally.size / _MEGABYTE
    files = "1 file" if tally.files == 1 else f"{tally.files:,} files"
    parts = [
        f"{', '.join(counts) or 'No secret was found'}: {files}, {size:,.1f} MB, {seconds:.1f} s.",
        f"Not shown: {hidden:,} possible by their form alone (--all)." if hidden else "",
        f"Marked as none: {tally.ignored:,}." if tally.ignored else "",
        f"Not looked at: {tally.unread:,}, see above." if tally.unread else "",
    ]
    return " ".join(filter(None, parts))
