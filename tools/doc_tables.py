"""Regenerates everything in the tree that is made from code: ``make docs``.

That is tables in docs/, the schema of access policies, and the version from pyproject.toml.

A table is between ``<!-- table: <name> -->`` and ``<!-- end of table -->``. The rest of a document
does not change.
"""

from __future__ import annotations

import ast
import re
import string
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from tools import cost, performance, permissions
from tools.api_reference import PROBLEMS, problems_page
from tools.build import release
from tools.policy_schema import SCHEMA, schema_file
from zego.diagnosis.kinds import KINDS, FindingKind
from zego.error_codes import CODES
from zego.error_codes.code import ErrorCode, Platform

ROOT: Final = Path(__file__).resolve().parent.parent
DOCUMENTS: Final = tuple(
    ROOT / "docs" / name
    for name in (
        "architecture.md",
        "troubleshooting.md",
        "cost.md",
        "performance.md",
        "security.md",
    )
)

_TABLE: Final = re.compile(
    r"(?P<begin><!-- table: (?P<name>[\w, ]+) -->\n).*?(?P<end><!-- end of table -->)", re.DOTALL
)
#: The files that repeat the version; the first group of the pattern matches it.
VERSIONED: Final[Mapping[Path, re.Pattern[str]]] = {
    ROOT / "docs" / "openapi.yaml": re.compile(r"^  version: (.+)$", re.MULTILINE),
    ROOT / "clients" / "python" / "pyproject.toml": re.compile(r'^version = "(.+)"$', re.MULTILINE),
    ROOT / "clients" / "javascript" / "package.json": re.compile(
        r'^  "version": "(.+)"', re.MULTILINE
    ),
}
_PRODUCTION: Final = ("functions", "layers/domain")
_SDKS: Final[Mapping[str, str]] = {"web": "web", "native": "native", "zim": "ZIM"}


def main() -> int:
    """Write all generated text, and report which files changed."""
    for file, after in written().items():
        is_new = not file.exists() or file.read_text(encoding="utf-8") != after
        if is_new:
            file.write_text(after, encoding="utf-8")
        print(f"{file.relative_to(ROOT)}: {'written' if is_new else 'unchanged'}")
    return 0


def written() -> dict[Path, str]:
    """Return each file with generated parts and its whole new text."""
    texts = {document: filled(document.read_text(encoding="utf-8")) for document in DOCUMENTS}
    return {
        **texts,
        SCHEMA: schema_file(),
        PROBLEMS: problems_page(),
        performance.PLOT: performance.plot(),
        **dict(_versioned()),
    }


def _versioned() -> Iterator[tuple[Path, str]]:
    for file, pattern in VERSIONED.items():
        text = file.read_text(encoding="utf-8")
        if (found := pattern.search(text)) is None:
            raise ValueError(f"{file.relative_to(ROOT)} has no version")
        yield file, text[: found.start(1)] + release() + text[found.end(1) :]


def filled(document: str) -> str:
    """Return a document with its tables regenerated.

    :raises KeyError: the document names a table that is not in :data:`TABLES`.
    """
    return _TABLE.sub(lambda at: at["begin"] + TABLES[at["name"]]() + at["end"], document)


def replaced(document: str, tables: Mapping[str, str]) -> str:
    """Return a document with these tables, by name; the others stay. For tables of measurements."""
    return _TABLE.sub(
        lambda at: at["begin"] + tables[at["name"]] + at["end"] if at["name"] in tables else at[0],
        document,
    )


def _codes(*platforms: Platform) -> str:
    """Return the table of these platforms' codes. Codes with equal texts share a row."""
    listed = [known for known in CODES.values() if known.platforms == platforms]
    rows = []
    for _, group in groupby(listed, key=_said):
        alike = [*group]
        first = alike[0]
        named = ", ".join(_named(known) for known in alike)
        seen = f" The app sees {first.shown_as}." if first.shown_as else ""
        rows.append((named, first.meaning + seen, first.causes[0], first.remedy))
    return _table(("code", "means", "most likely cause", "do"), rows)


def _said(known: ErrorCode) -> tuple[object, ...]:
    return known.meaning, known.shown_as, known.causes, known.remedy


def _named(known: ErrorCode) -> str:
    return f"{known.code} `{known.name}`" if known.name else str(known.code)


def _findings() -> str:
    """Return the table of all findings, in order of precedence; ... varies per token."""
    rows = [
        (f"`{name}`", kind.severity, _shown(kind), _template(kind.cause), _template(kind.remedy))
        for name, kind in KINDS.items()
    ]
    return _table(("finding", "severity", "a client shows", "cause", "do"), rows)


def _shown(kind: FindingKind) -> str:
    shown = {sdk: ", ".join(map(str, codes)) for sdk, codes in kind.codes.items()}
    return "; ".join(f"{_SDKS[sdk]} {codes}" for sdk, codes in shown.items() if codes)


def _template(text: str) -> str:
    """Return a template with an ellipsis for each of its fields."""
    parts = string.Formatter().parse(text)
    return "".join(literal + ("" if field is None else "...") for literal, field, _, _ in parts)


class _Error(NamedTuple):
    """An exception class as its source defines it."""

    name: str
    base: str
    module: str
    meaning: str  # the first line of its docstring


def _errors() -> str:
    """Return the errors of the functions and the domain layer, each below its base class."""
    errors = {error.name: error for root in _PRODUCTION for error in _errors_in(ROOT / root)}
    roots = sorted({error.base for error in errors.values()} - errors.keys())
    lines = [line for root in roots for line in [root, *_derived(root, errors, 1)]]
    return "\n".join(["```", *lines, "```", ""])


def _errors_in(root: Path) -> Iterator[_Error]:
    for path in sorted(root.rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.bases and not node.name.startswith("_"):
                base = ast.unparse(node.bases[0])
                if base.endswith(("Error", "Exception")):
                    first, *_ = (ast.get_docstring(node) or "").partition("\n")
                    yield _Error(node.name, base, module, first)


def _derived(base: str, errors: Mapping[str, _Error], depth: int) -> Iterator[str]:
    for error in sorted(errors.values()):
        if error.base == base:
            named = f"{'  ' * depth}{error.name} ({error.module})"
            yield f"{named:<60} {error.meaning}"
            yield from _derived(error.name, errors, depth + 1)


def _table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(heading), "|---" * len(heading) + "|\n", *map(_row, rows)]
    return "".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


#: The functions that make the tables, by name.
TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "errors": _errors,
    "web": lambda: _codes("web"),
    "web and native": lambda: _codes("web", "native"),
    "native": lambda: _codes("native"),
    "zim": lambda: _codes("zim"),
    "server api": lambda: _codes("server-api"),
    "findings": _findings,
    "cost": lambda: _table(
        ("tokens in a month", "the stack", "with SnapStart", "with the edge", "with both"),
        cost.totals(),
    ),
    "bill": lambda: _table(("part", "what", "how much", "USD", "in a month"), cost.bill()),
    "inputs": lambda: _table(("how much", "of what"), cost.inputs()),
    "performance": performance.comparison,
    "circumstances": performance.circumstances,
    "budgets": performance.budgets,
    "imports": performance.imports,
    "roles": lambda: _table(("role", "may", "on", "if", "because"), permissions.roles()),
    "resources": lambda: _table(
        ("resource", "to whom", "allows", "if", "because"), permissions.resources()
    ),
}


if __name__ == "__main__":
    sys.exit(main())
