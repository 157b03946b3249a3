"""Times and spans of time, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60))


def duration(seconds: float) -> str:
    """A span of time in its largest unit: ``12 d``, ``3 h``, ``5 min``, ``40 s``."""
    seconds = max(0.0, seconds)
    for unit, length in _UNITS:
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def date_and_time(moment: float) -> str:
    """``2026-08-01 12:00:00 UTC``.

    :raises ValueError: it is not between the years 1 and 9999.
    """
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError) as error:
        raise ValueError("it is no time") from error


def relative(moment: float, now: float) -> str:
    """``in 59 min``, ``3 h ago``."""
    return f"in {duration(moment - now)}" if moment > now else f"{duration(now - moment)} ago"
