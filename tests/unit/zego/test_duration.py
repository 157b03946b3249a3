"""zego.duration: one way to write a span of time."""

from __future__ import annotations

import pytest

from tests.support.table import table
from zego import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (1, "1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (90, "1 min 30 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (3659, "1 h"),
        (5400, "1 h 30 min"),
        (7199, "1 h 59 min"),
        (86400, "1 d"),
        (88000, "1 d"),
        (24.8 * 86400, "24 d 19 h"),
        (1e7, "115 d 17 h"),
    ],
)
def test_a_duration_is_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@table("seconds", [*range(0, 100_000, 977), 10**9])
def test_rounding_loses_less_than_a_24th(seconds: int) -> None:
    units = {"d": 86400, "h": 3600, "min": 60, "s": 1}
    words = duration(seconds).split()
    told = sum(
        int(count) * units[unit] for count, unit in zip(words[::2], words[1::2], strict=True)
    )
    assert seconds * 23 / 24 <= told <= seconds
