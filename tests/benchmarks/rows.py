"""One row of the benchmark's table, and the table as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement and its baseline.

    :ivar value: the measured value, in ``unit``.
    :ivar baseline: the value it is compared with; ``None`` if there is no baseline.
    :ivar result: the value that the budget limits, in ``result_unit``.
    :ivar budget: the maximum of the result.
    :ivar aim: the target for the result; ``None`` if there is only a budget.
    """

    what: str
    baseline_of: str
    unit: str
    value: float
    baseline: float | None
    result: float
    result_unit: str
    budget: float
    aim: float | None

    @property
    def over_budget(self) -> bool:
        return self.result > self.budget

    @property
    def verdict(self) -> str:
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
) -> Row:
    """Return a row whose result is the value as a multiple of the baseline."""
    return Row(what, baseline_of, unit, value, baseline, value / baseline, "x", budget, aim)


def difference(
    what: str,
    baseline_of: str,
    *,
    unit: str,
    value: float,
    baseline: float,
    budget: float,
    aim: float,
    set_at: float,
) -> Row:
    """Return a row whose result is the value minus the baseline.

    :param set_at: the baseline on the machine where budget and aim were set. On a slower or busier
        one they grow in proportion; on a quicker one they do not shrink.
    """
    slower = max(1.0, baseline / set_at)
    more = value - baseline
    return Row(what, baseline_of, unit, value, baseline, more, unit, budget * slower, aim * slower)


def absolute(what: str, unit: str, value: float, budget: float, aim: float | None = None) -> Row:
    """Return a row without a baseline."""
    return Row(what, "", unit, value, None, value, unit, budget, aim)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as aligned text."""
    lines = [("what", "measured", "baseline", "result", "budget", "aim", "")]
    for row in rows:
        baseline = "" if row.baseline is None else f"{_figure(row.baseline)} {row.unit}"
        aim = "" if row.aim is None else f"{_figure(row.aim)} {row.result_unit}"
        lines.append(
            (
                row.what + (f"  (baseline: {row.baseline_of})" if row.baseline_of else ""),
                f"{_figure(row.value)} {row.unit}",
                baseline,
                f"{_figure(row.result)} {row.result_unit}",
                f"{_figure(row.budget)} {row.result_unit}",
                aim,
                row.verdict,
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _figure(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
