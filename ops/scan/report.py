"""The scan: reports each leak at once, file by file, and at the end what to do.

A :class:`Leak` has the place, the kind and the value's fingerprint, and no text of the file.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from typing import Any, Final

from ops.errors import ExitCode
from ops.inspect.secrets import TriedSecrets, fingerprint
from ops.output import BAD, QUIET, STYLES, UNSURE, Output, advice, prose, wrapped
from ops.prompt import STANDARD_INPUT
from ops.scan import patterns, values
from ops.scan.files import File, Skipped, Tree, UnreadError, pieces, shown
from ops.scan.patterns import LABEL_REMEDIES, RULES, SEVERITIES, LeakKind, Match, Origin, Severity
from ops.scan.values import SHORTEST, Form, Value
from zego.secret_store import CURRENT

_STYLES: Final[Mapping[Severity, str]] = {"certain": BAD, "likely": UNSURE, "possible": QUIET}
_STANDARD_INPUT_NAME: Final = "standard input"
_MEGABYTE: Final = 1e6

#: What is not scanned: the noun for one, for several, and how to scan it.
_SKIPPED: Final[Mapping[Skipped, tuple[str, str, str]]] = {
    "dependencies": ("folder", "folders", " of dependencies and caches (use --dependencies)."),
    "history": ("repository's history", "repositories' histories", ". In the repository, run:"),
    "links": ("symbolic link", "symbolic links", " (pass the target as PATH)."),
    "packed": ("packed file", "packed files", " (unpack them first)."),
    "special": ("device, pipe or socket", "devices, pipes or sockets", "."),
}
_OF_HISTORY: Final = "\n  git log --all --patch --text | zego-token scan"

_DIGEST_DOMAIN: Final = b"zego-token-scan"
_SEPARATOR: Final = ", "


@dataclass(frozen=True, slots=True)
class Leak:
    """Something that a file should not contain. Has no text of the file.

    :ivar path: printable, and without the found value.
    :ivar line: from 1; ``None``: it is in the file's name.
    :ivar column: of its first byte, from 1, in bytes.
    :ivar label: the value's label, if it is one of the given secrets.
    :ivar form: how the value is written.
    :ivar fingerprint: as in :class:`~zego.server_secret.ServerSecret`; ``None``: the AppID is not
        known, or it is not a ServerSecret.
    :ivar digest: 12 hex digits of HMAC-SHA256(value, "zego-token-scan"): equal for equal values,
        never equal to a fingerprint; ``None``: the leak is a name.
    """

    path: str
    line: int | None
    column: int | None
    kind: LeakKind
    severity: Severity
    label: str | None = None
    form: Form | None = None
    fingerprint: str | None = None
    digest: str | None = None

    @property
    def place(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}:{self.column}"

    @property
    def what(self) -> str:
        """What was found, a clause."""
        what = RULES[self.kind].what if self.label is None else f"the secret ({self.label})"
        return ", ".join(filter(None, (what, self.form)))

    @property
    def title(self) -> str:
        """The severity, what was found, and which value, unless it is a name."""
        which = self.digest and f"digest {self.digest}"
        if self.fingerprint is not None:
            which = f"fingerprint {self.fingerprint}"
        return ", ".join(filter(None, (f"{self.severity}: {self.what}", which)))

    @property
    def remedy(self) -> str:
        labels = (self.label or "").split(_SEPARATOR)
        if CURRENT not in labels:
            for label in labels:
                if label in LABEL_REMEDIES:
                    return LABEL_REMEDIES[label]
        return RULES[self.kind].remedy

    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {**asdict(self), "what": self.what, "remedy": self.remedy}


@dataclass(frozen=True, slots=True)
class SecretValues:
    """The values to search for, and what is known of them.

    :ivar values: the values, each text once.
    :ivar app_id: of the values, and of anything that looks like a ServerSecret; ``None``: unknown.
    :ivar unusable: by label, why there is no value to search for.
    :ivar too_short: labels of values that are too short to search for.
    """

    values: Sequence[Value] = ()
    app_id: int | None = None
    unusable: Mapping[str, str] = field(default_factory=dict)
    too_short: Sequence[str] = ()

    @classmethod
    def of(cls, secrets: TriedSecrets, app_id: int | None) -> SecretValues:
        """:param app_id: the user's AppID; ``None``: the secrets'."""
        app_ids = {one.app_id for one in secrets.by_label.values()} - {None}
        if app_id is None and len(app_ids) == 1:
            (app_id,) = app_ids
        labels: dict[str, list[str]] = {}
        for label, secret in secrets.by_label.items():
            labels.setdefault(secret.value, []).append(label)
        values, too_short = [], []
        for text, same in labels.items():
            try:
                known = secrets.fingerprint(same[0], app_id)
                values.append(Value(_SEPARATOR.join(same), text, known))
            except ValueError:
                too_short += same
        unusable = {
            label: why for label, why in secrets.problems.items() if label not in secrets.by_label
        }
        return cls(values, app_id, unusable, too_short)

    def shown(self, path: str, also: str = "") -> str:
        """The path without the values; see :func:`ops.scan.files.shown`.

        :param also: another value to remove.
        """
        return shown(path, filter(None, (*(value.text for value in self.values), also)))

    def leak(
        self, path: str, match: Match, line: int | None = None, column: int | None = None
    ) -> Leak:
        """The leak for a match, without its text."""
        value = match.value
        text = match.text if value is None else value.text
        digest = hmac.new(text.encode(), _DIGEST_DOMAIN, hashlib.sha256)
        return Leak(
            self.shown(path, match.text),
            line,
            column,
            match.kind,
            match.severity,
            label=None if value is None else value.label,
            form=match.form,
            fingerprint=fingerprint(self.app_id, text) if value is None else value.fingerprint,
            digest=digest.hexdigest()[:12] if text else None,
        )


@dataclass(slots=True)
class Tally:
    """The counts of a scan.

    :ivar size: bytes, unpacked.
    :ivar found: how many leaks of each severity there are, shown or not.
    :ivar ignored: how many are marked as not a secret.
    :ivar unread: how many files and folders could not be read, or not to their end.
    :ivar groups: how often each leak was shown, without its place and form.
    """

    files: int = 0
    size: int = 0
    ignored: int = 0
    unread: int = 0
    found: Counter[Severity] = field(default_factory=Counter)
    groups: Counter[Leak] = field(default_factory=Counter)


def scan(
    out: Output,
    tree: Tree,
    secrets: SecretValues,
    *,
    show_all: bool = False,
    options: str = "",
) -> ExitCode:
    """Scan every file; show what was found, what was not scanned, and what to do.

    :param show_all: also show what is only possible.
    :param options: the target's options, for the commands in remedies.
    """
    began, tally = time.monotonic(), Tally()
    for file in tree.files():
        tally.files += 1
        try:
            for leak in _leaks(file, secrets, tally):
                tally.found[leak.severity] += 1
                if leak.severity != "possible" or show_all:
                    tally.groups[replace(leak, path="", line=None, column=None, form=None)] += 1
                    style = _STYLES[leak.severity]
                    text = f"{leak.place}: {leak.title}"
                    out.tell("finding", text, style=style, then="    ", **leak.document())
        except UnreadError as error:
            _tell_unread(out, tally, secrets, error)
    for unread in tree.unread:
        _tell_unread(out, tally, secrets, unread)
    seconds = time.monotonic() - began

    exit_code = ExitCode.UNDECIDED if tally.unread or secrets.too_short else ExitCode.DONE
    if tally.found["certain"] or tally.found["likely"]:
        exit_code = ExitCode.REFUSED
    _show_remedies(out, tally, options)
    for sentence in _limits(tree, secrets, options):
        out.show(wrapped(sentence, out.width, style=QUIET))
    found: dict[str, Any] = {severity: tally.found[severity] for severity in SEVERITIES}
    out.tell(
        "summary",
        _summary(tally, seconds, show_all=show_all),
        style=STYLES[exit_code],
        files=tally.files,
        bytes=tally.size,
        seconds=round(seconds, 3),
        **found,
        ignored=tally.ignored,
        unread=tally.unread,
        skipped={what: tree.skipped[what] for what in _SKIPPED},
        looked_for=[value.label for value in secrets.values],
        not_looked_for=[*secrets.unusable, *secrets.too_short],
        exit_code=exit_code,
    )
    return exit_code


def _leaks(file: File, secrets: SecretValues, tally: Tally) -> Iterator[Leak]:
    """:raises UnreadError: it cannot be read, or not to its end."""
    path = _STANDARD_INPUT_NAME if file.path == STANDARD_INPUT else file.path
    for value, form, start, end in values.find(os.fsencode(file.place.name), secrets.values):
        match = Match("secret-value", "certain", start, end, value=value, form=form)
        yield secrets.leak(path, match)
    origin = Origin.of(file.place)
    row, column = 1, 1  # of the piece's start
    for piece in pieces(file):
        data, at = piece.data, piece.start
        tally.size += piece.end - piece.start
        for match in patterns.find(data, secrets.values, origin):
            if not piece.start <= match.start < piece.end:
                continue  # it belongs to the piece before or after
            row, column = _further(data, at, match.start, row, column)
            at = match.start
            if match.is_ignored:
                tally.ignored += 1
            else:
                yield secrets.leak(path, match, row, column)
        row, column = _further(data, at, piece.end, row, column)


def _further(data: bytes, start: int, end: int, row: int, column: int) -> tuple[int, int]:
    """The line and column of the end, from those of the start."""
    newlines = data.count(b"\n", start, end)
    if not newlines:
        return row, column + end - start
    return row + newlines, end - data.rfind(b"\n", start, end)


def _tell_unread(out: Output, tally: Tally, secrets: SecretValues, error: UnreadError) -> None:
    tally.unread += 1
    path = secrets.shown(error.path)
    out.tell("unread", f"{path}: not scanned: {error.why}", style=BAD, path=path, why=error.why)


def _show_remedies(out: Output, tally: Tally, options: str) -> None:
    """Show each leak once for all its places, and then what to do about those of a kind."""
    found = sorted(tally.groups, key=lambda one: SEVERITIES.index(one.severity))
    for remedy, leaks in groupby(found, key=lambda one: one.remedy):
        out.show("")
        for leak in leaks:
            count = tally.groups[leak]
            times = "" if count == 1 else f", {count} times"
            out.show(prose(f"{leak.title}{times}", _STYLES[leak.severity], then="    "))
        out.show(advice(remedy, out.width, options))
    if tally.groups:
        out.show("")


def _limits(tree: Tree, secrets: SecretValues, options: str) -> Iterator[str]:
    """What was not searched for or not scanned, and how to do so."""
    if secrets.values:
        yield f"Searched for the secret: {', '.join(value.label for value in secrets.values)}."
    elif not secrets.unusable and not secrets.too_short:
        yield (
            "Did not search for the secret itself. To name it, use --stage, --stack, --secret-id,"
            " --local, --secret-file or --ask-secret."
        )
    for label, why in secrets.unusable.items():
        yield f"No value to search for under {label}: {why}."
    for label in secrets.too_short:
        yield f"Did not search for {label}: it has fewer than {SHORTEST} letters and digits."
    for what, (one, several, way) in _SKIPPED.items():
        if count := tree.skipped[what]:
            noun = f"1 {one}" if count == 1 else f"{count} {several}"
            command = " ".join(filter(None, (_OF_HISTORY, options, STANDARD_INPUT)))
            yield f"Not scanned: {noun}{way}{command if what == 'history' else ''}"


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
        f"Not shown: {hidden:,} possible (--all shows them)." if hidden else "",
        f"Ignored (zego-token:ignore): {tally.ignored:,}." if tally.ignored else "",
        f"Could not be read: {tally.unread:,}, see above." if tally.unread else "",
    ]
    return " ".join(filter(None, parts))
