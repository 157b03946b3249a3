"""Write the tables of ``docs/troubleshooting.md`` anew from the data: ``make docs``.

A table stands between ``<!-- table: <name> -->`` and ``<!-- end of table -->``; all else is left
as it is.
"""

from __future__ import annotations

import re
import string
import sys
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from zego.diagnosis import KINDS, FindingKind
from zego.error_codes import CODES, ErrorCode, Platform

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENT: Final = ROOT / "docs" / "troubleshooting.md"

_TABLE: Final = re.compile(
    r"(?P<begin><!-- table: (?P<name>[\w, ]+) -->\n).*?(?P<end><!-- end of table -->)", re.DOTALL
)
_SDKS: Final[Mapping[str, str]] = {"web": "web", "native": "native", "zim": "ZIM"}


def main() -> int:
    """Write the document, and say whether that changed it."""
    before = DOCUMENT.read_text(encoding="utf-8")
    after = filled(before)
    if after != before:
        DOCUMENT.write_text(after, encoding="utf-8")
    print(f"{DOCUMENT.relative_to(ROOT)}: {'written' if after != before else 'as it was'}")
    return 0


def filled(document: str) -> str:
    """A document with its tables made anew.

    :raises KeyError: it has a table of a name that is not in :data:`TABLES`.
    """
    return _TABLE.sub(lambda at: at["begin"] + TABLES[at["name"]]() + at["end"], document)


def _codes(*platforms: Platform) -> str:
    """The codes of the same platforms; those of which the same is said share a row."""
    listed = [known for known in CODES.values() if known.platforms == platforms]
    rows = []
    for _, group in groupby(listed, key=_said):
        alike = [*group]
        first = alike[0]
        named = ", ".join(_named(known) for known in alike)
        seen = f" The app sees {first.shown_as}." if first.shown_as else ""
        rows.append((named, first.meaning + seen, first.causes[0], first.remedy))
    return _table(("code", "means", "likeliest cause", "do"), rows)


def _said(known: ErrorCode) -> tuple[object, ...]:
    return known.meaning, known.shown_as, known.causes, known.remedy


def _named(known: ErrorCode) -> str:
    return f"{known.code} `{known.name}`" if known.name else str(known.code)


def _findings() -> str:
    """Every kind of finding, in the order of precedence; ... differs from token to token."""
    rows = [
        (f"`{name}`", kind.severity, _shown(kind), _template(kind.cause), _template(kind.remedy))
        for name, kind in KINDS.items()
    ]
    return _table(("finding", "severity", "a client shows", "cause", "do"), rows)


def _shown(kind: FindingKind) -> str:
    shown = {sdk: ", ".join(map(str, codes)) for sdk, codes in kind.codes.items()}
    return "; ".join(f"{_SDKS[sdk]} {codes}" for sdk, codes in shown.items() if codes)


def _template(text: str) -> str:
    """A template with an ellipsis for each of its fields."""
    parts = string.Formatter().parse(text)
    return "".join(literal + ("" if field is None else "...") for literal, field, _, _ in parts)


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(heading), "|---" * len(heading) + "|\n", *map(_row, rows)]
    return "".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


#: What makes each table, by its name.
TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "web": lambda: _codes("web"),
    "web and native": lambda: _codes("web", "native"),
    "native": lambda: _codes("native"),
    "zim": lambda: _codes("zim"),
    "server api": lambda: _codes("server-api"),
    "findings": _findings,
}


if __name__ == "__main__":
    sys.exit(main())
