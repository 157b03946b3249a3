"""``python -m tests.rotation.month``, with three days instead of 20 months."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import pytest

from tests.rotation import month
from tests.rotation.month import ROWS, Case, broken_promises, simulate
from tests.rotation.simulation import MINUTE, Incident, Record
from watcher import healing

CALM: Final = ROWS[0]
BRIEF: Final = ["--seeds", "1", "--days", "3"]


def in_this_process(cases: Sequence[Case]) -> Iterable[Record]:
    return map(simulate, cases)


def test_every_promise_holds_for_three_days_of_each_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = month.main(BRIEF, in_this_process)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    rows = [line for line in out.splitlines() if line.startswith("| M")]
    assert [row.split()[1] for row in rows] == [noise.name for noise in ROWS]
    assert all(int(row.split("|")[2]) >= 5 for row in rows), "too few resets to say anything"


def test_a_seed_gives_the_same_days_again() -> None:
    case = Case(ROWS[-1], 1, 1.0)
    assert simulate(case) == simulate(case)


def test_the_command_fails_if_the_watcher_goes_back_at_the_first_rejection(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(healing, "_rejected_since", lambda _noted, _current: 0.0)
    assert month.main(BRIEF, lambda cases: [simulate(cases[0])]) == 1
    assert "an old value is back after 1 checks" in capsys.readouterr().err


def record(*incidents: Incident, **measured: object) -> Record:
    made = Record(CALM, 1, incidents=list(incidents), seconds=86400.0)
    for name, value in measured.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (
            record(Incident(60, noticed_at=460, healed_at=500, by_ops=True)),
            "M1, seed 1: the reset at minute 1 (day 0.0) was noticed after 6.7 minutes.",
        ),
        (
            record(Incident(60, noticed_at=90, healable_at=60, healed_at=720)),
            "M1, seed 1: the reset at minute 1 (day 0.0) was healed after 11.0 minutes.",
        ),
        (
            record(Incident(60, noticed_at=90, healable_at=60)),
            "M1, seed 1: the reset at minute 1 (day 0.0) was never healed.",
        ),
        (
            record(Incident(60)),
            "M1, seed 1: the reset at minute 1 (day 0.0) was never noticed.",
        ),
        (
            record(to_previous=[600.0]),
            "M1, seed 1: AWSPREVIOUS replaced an accepted secret at minute 10 (day 0.0).",
        ),
        (
            record(longest_pending=26 * MINUTE),
            "M1, seed 1: AWSPENDING stayed for 26.0 minutes.",
        ),
        (record(lost=True), "M1, seed 1: what ops staged last has lost its label."),
    ],
)
def test_a_promise_that_does_not_hold_has_a_sentence(broken: Record, sentence: str) -> None:
    assert list(broken_promises(broken)) == [sentence]


def test_a_heal_may_wait_for_the_end_of_an_outage() -> None:
    late = Incident(60, noticed_at=3000, healable_at=60, healed_at=3600, had_outage=True)
    late.outage_ended_at = 2900
    assert list(broken_promises(record(late))) == []
