"""Spans of time and types of JSON, in words."""

from __future__ import annotations

from typing import Final

from zego import strict_json

_UNITS: Final = (("days", 86400), ("h", 3600), ("min", 60))


def span(seconds: float) -> str:
    """A span of time in the largest unit of which it has two or more: ``90 min``, ``3 days``."""
    for unit, length in _UNITS:
        if abs(seconds) >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def json_type(value: object) -> str:
    """What a JSON value is: ``a string``; a number that is out of all bounds is one so large."""
    if isinstance(value, int | float) and not -(2**63) <= value < 2**63:
        return "a number so large"
    return strict_json.type_name(value)
