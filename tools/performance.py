"""The figures of docs/performance.md: its tables and its plot.

``make bench ARGS=--write`` measures and saves them in docs/performance.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from tools.build import ROOT

FIGURES: Final = ROOT / "docs" / "performance.json"
PLOT: Final = ROOT / "docs" / "images" / "performance.svg"

_EMPTY: Final = "empty handler"
_ISSUER: Final = "issuer"
#: The rows that are plotted: how the row begins, and the panel's title.
_PANELS: Final = {
    "cold": "Cold start to the first token, ms",
    "warm request, p50": "Warm request, median, ms",
    "peak memory": "Peak memory, MB",
    "artifact": "Artifact, unzipped, MB",
}
_COLOURS: Final = {_ISSUER: "#4f46e5", _EMPTY: "#cbd5e1"}
_OTHER: Final = "#94a3b8"
#: Of a panel, in pixels.
_WIDTH: Final = 460
_NAMES: Final = 130
_LONGEST_BAR: Final = 250
_LINE: Final = 24

Row = dict[str, Any]


def comparison() -> str:
    """Return the table of the rows that have peers: the issuer and what it is compared with."""
    rows = [row for row in _figures()["rows"] if row["peers"]]
    peers = list(dict.fromkeys(peer for row in rows for peer in row["peers"]))
    lines = [
        [
            f"{_name(row)}, {row['unit']}",
            f"**{_figure(row['value'])}**",
            "" if row["baseline"] is None else _figure(row["baseline"]),
            *(_figure(row["peers"][peer]) if peer in row["peers"] else "" for peer in peers),
        ]
        for row in rows
    ]
    return _table(["what", _ISSUER, _EMPTY, *peers], lines)


def budgets() -> str:
    """Return the table of the rows that have a budget."""
    rows = [row for row in _figures()["rows"] if row["budget"] is not None]
    return _table(["what", "measured", "budget", "aim"], [_limits(row) for row in rows])


def circumstances() -> str:
    """Return where the figures were measured, as a list."""
    figures = _figures()
    node = f", Node.js {figures['node']}" if figures["node"] else ""
    return (
        f"Measured on {figures['machine']} with {figures['processors']} processors, Python"
        f" {figures['python']}{node}. The artifact of everyday Python contains boto3, which"
        f" takes {_figure(figures['boto3_mb'])} MB of it.\n"
    )


def imports() -> str:
    """Return the table of what imports cost, the dearest first."""
    costs = sorted(_figures()["imports_ms"].items(), key=lambda item: -item[1])
    return _table(["import", "ms"], [[name, f"{milliseconds:.0f}"] for name, milliseconds in costs])


def plot() -> str:
    """Return the plot as SVG: a panel of bars per row."""
    rows = _figures()["rows"]
    found = [(title, row) for begin, title in _PANELS.items() for row in _beginning(rows, begin)]
    panels = [_panel(title, row) for title, row in found]
    height = max(panel.count("<rect") for panel in panels) * _LINE + 56
    placed = [
        f'<g transform="translate({20 + number % 2 * _WIDTH} {16 + number // 2 * height})">\n'
        f"{panel}</g>\n"
        for number, panel in enumerate(panels)
    ]
    width, whole = 2 * _WIDTH + 20, (len(panels) + 1) // 2 * height + 8
    described = "; ".join(
        f"{title}: " + ", ".join(f"{name} {_figure(value)}" for name, value in _values(row))
        for title, row in found
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {whole}" width="{width}"'
        f' height="{whole}" role="img" aria-labelledby="title desc">\n'
        '<title id="title">The issuer next to an empty handler and its peers</title>\n'
        f'<desc id="desc">{escape(described)}</desc>\n'
        "<style>\n"
        'text { font-family: system-ui, "Segoe UI", Helvetica, Arial, sans-serif;'
        " font-size: 12px; fill: #334155; }\n"
        ".t { font-size: 14px; font-weight: 600; fill: #0f172a; }\n"
        ".n { text-anchor: end; }\n"
        ".i { font-weight: 600; fill: #0f172a; }\n"
        "</style>\n"
        f'<rect width="{width}" height="{whole}" rx="12" fill="#ffffff"/>\n'
        f"{''.join(placed)}</svg>\n"
    )


def _panel(title: str, row: Row) -> str:
    values = list(_values(row))
    scale = _LONGEST_BAR / max(value for _, value in values)
    lines = [f'<text x="0" y="20" class="t">{escape(title)}</text>\n']
    for number, (name, value) in enumerate(values):
        top, length = 34 + number * _LINE, value * scale
        own = " i" if name == _ISSUER else ""
        lines.append(
            f'<text x="{_NAMES - 8}" y="{top + 13}" class="n{own}">{escape(name)}</text>'
            f'<rect x="{_NAMES}" y="{top}" width="{length:.1f}" height="17" rx="3"'
            f' fill="{_COLOURS.get(name, _OTHER)}"/>'
            f'<text x="{_NAMES + length + 6:.1f}" y="{top + 13}" class="{own.strip()}">'
            f"{_figure(value)}</text>\n"
        )
    return "".join(lines)


def _values(row: Row) -> Iterator[tuple[str, float]]:
    if row["baseline"] is not None:
        yield row["baseline_of"], row["baseline"]
    yield _ISSUER, row["value"]
    yield from row["peers"].items()


def _beginning(rows: Sequence[Row], begin: str) -> list[Row]:
    return [row for row in rows if row["what"].startswith(begin)]


def _limits(row: Row) -> list[str]:
    """A row's name, its result, the budget and the aim."""
    compared = row["baseline"] is not None and row["result"] != row["value"]
    sign = "+" if compared and row["result_unit"] == row["unit"] else ""
    named = f"{_name(row)}, over {row['baseline_of']}" if compared else _name(row)
    figures = (row["result"], row["budget"], row["aim"])
    unit = row["result_unit"]
    return [named, *("" if one is None else f"{_figure(one, sign)} {unit}" for one in figures)]


def _name(row: Row) -> str:
    return str(row["what"]).replace("->", "to")


def _table(header: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "".join(f"| {' | '.join(line)} |\n" for line in rows)


def _figures() -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8"))
    return figures


def _figure(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3g}" if abs(value) < 100 else f"{value:{sign}.0f}"
