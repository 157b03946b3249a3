"""Spans of time, in words."""

from __future__ import annotations

from typing import Final

_UNITS: Final = (("days", 86400), ("h", 3600), ("min", 60))


def span(seconds: float) -> str:
    """A span of time in the largest unit of which it has two or more: ``90 min``, ``3 days``."""
    for unit, length in _UNITS:
        if abs(seconds) >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
