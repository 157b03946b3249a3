"""One row of the benchmark's table, and the table as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EMPTY = "empty handler"


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement, its baseline, and what others need for the same.

    :ivar value: the measured value, in ``unit``.
    :ivar baseline: the value it is compared with; ``None`` if there is no baseline.
    :ivar baseline_of: what the baseline measures.
    :ivar result: the value that the budget limits, in ``result_unit``.
    :ivar budget: the maximum of the result; ``None`` if the row only informs.
    :ivar aim: the target for the result; ``None`` if there is only a budget.
    :ivar peers: the values of others, in ``unit``, by their names.
    """

    what: str
    baseline_of: str
    unit: str
    value: float
    baseline: float | None
    result: float
    result_unit: str
    budget: float | None
    aim: float | None
    peers: Mapping[str, float] = field(default_factory=dict)

    @property
    def over_budget(self) -> bool:
        return self.budget is not None and self.result > self.budget

    @property
    def verdict(self) -> str:
        if self.budget is None:
            return ""
        if self.over_budget:
            return "OVER BUDGET"
        return "aim met" if self.aim is not None and self.result <= self.aim else "in budget"


def ratio(
    what: str,
    baseline_of: str,
    *,
    unit: str,
    value: float,
    baseline: float,
    budget: float,
    aim: float,
    peers: Mapping[str, float] | None = None,
) -> Row:
    """Return a row whose result is the value as a multiple of the baseline."""
    result = value / baseline
    return Row(
        what, baseline_of, unit, value, baseline, result, "x", budget, aim, dict(peers or {})
    )


def difference(
    what: str,
    baseline_of: str,
    *,
    unit: str,
    value: float,
    baseline: float,
    budget: float,
    aim: float,
    peers: Mapping[str, float] | None = None,
) -> Row:
    """Return a row whose result is the value minus the baseline."""
    return Row(
        *(what, baseline_of, unit, value, baseline, value - baseline, unit),
        *(budget, aim, dict(peers or {})),
    )


def absolute(
    what: str,
    unit: str,
    value: float,
    budget: float | None = None,
    aim: float | None = None,
    peers: Mapping[str, float] | None = None,
) -> Row:
    """Return a row without a baseline. An empty handler among the peers is shown as one."""
    others = dict(peers or {})
    empty = others.pop(EMPTY, None)
    return Row(
        *(what, "" if empty is None else EMPTY, unit, value, empty, value, unit),
        *(budget, aim, others),
    )


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text, with a column for each peer."""
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    lines = [
        ("what", "issuer", EMPTY, *peers, "result", "budget", "aim", ""),
        *(_cells(row, peers) for row in rows),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cells(row: Row, peers: Sequence[str]) -> tuple[str, ...]:
    other = row.baseline_of not in {"", EMPTY}
    limits = (
        "" if limit is None else f"{figure(limit)} {row.result_unit}"
        for limit in (row.budget, row.aim)
    )
    return (
        row.what + (f" (baseline: {row.baseline_of})" if other else ""),
        f"{figure(row.value)} {row.unit}",
        "" if row.baseline is None else f"{figure(row.baseline)} {row.unit}",
        *(figure(row.peers[peer]) if peer in row.peers else "" for peer in peers),
        _result(row),
        *limits,
        row.verdict,
    )


def _result(row: Row) -> str:
    if row.baseline is None or row.result == row.value:
        return ""
    sign = "+" if row.result_unit == row.unit else ""
    return f"{figure(row.result, sign)} {row.result_unit}"


def figure(value: float, sign: str = "") -> str:
    """Return three digits of a number, or all digits of a larger one."""
    return f"{value:{sign}.3g}" if abs(value) < 100 else f"{value:{sign}.0f}"
