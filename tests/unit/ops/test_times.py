"""Times in words."""

from __future__ import annotations

import pytest

from ops.output import date_and_time, relative


@pytest.mark.parametrize(
    ("moment", "words"), [(160, "in 1 min"), (101, "in 1 s"), (100, "0 s ago"), (40, "1 min ago")]
)
def test_a_moment_is_ahead_or_past(moment: float, words: str) -> None:
    assert relative(moment, 100) == words


def test_a_moment_is_told_in_utc() -> None:
    assert date_and_time(1_800_000_000) == "2027-01-15 08:00:00 UTC"


@pytest.mark.parametrize("number", [-(2**63), 2**63, 1e300, 10**400])
def test_a_number_that_is_no_time_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match=r"no time|range"):
        date_and_time(number)
