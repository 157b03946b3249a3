"""What functions write: the lines of their logs, and their metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

#: Keys of a line that tell when and where in the code it was written.
_LEFT_OUT: Final = ("timestamp", "location", "frames")
Line = dict[str, Any]


def log_lines(lines: Iterable[Line]) -> list[Line]:
    """The lines of the log, without the times and places."""
    return [
        {key: line[key] for key in line if key not in _LEFT_OUT}
        for line in lines
        if "_aws" not in line
    ]


def metrics(lines: Iterable[Line]) -> list[Line]:
    """The metrics, each set with its namespace, its dimensions, and names with unit and value."""
    return [
        {
            "namespace": directive["Namespace"],
            "dimensions": [_picked(line, names) for names in directive["Dimensions"]],
            "metrics": {one["Name"]: _measured(line, **one) for one in directive["Metrics"]},
        }
        for line in lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
    ]


def _picked(line: Line, names: Iterable[str]) -> Line:
    return {name: line[name] for name in names}


def _measured(line: Line, Name: str, Unit: str, **more: object) -> Line:  # noqa: N803  as in EMF
    """The value of a counter; other measurements differ each time."""
    value = sum(line[Name]) if Unit == "Count" else "<varies>"
    return {"unit": Unit, "value": value, **more}
