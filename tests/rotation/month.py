"""`python -m tests.rotation.month`: how fast the watcher notices and heals, in 30 days.

Simulates the watcher's checks, one every five minutes and one per end of a rotation, against
the local Secrets Manager and the stand-in for ZEGO, and prints a Markdown table for
``docs/rotation.md``. Exits with 1, and says why, if a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from math import ceil
from statistics import median
from typing import Final

from tests.rotation.simulation import (
    DAY,
    HOUR,
    LATE_SECONDS,
    LOOK_EVERY,
    MINUTE,
    Incident,
    Month,
    Noise,
    Record,
)
from tests.rotation.weather import outages, stories
from tests.rotation.world import network

ROWS: Final = (
    Noise("M1", "calm"),
    Noise("M2", "1 of 500 responses of ZEGO is a false rejection", 1 / 500),
    Noise("M3", "1 % of AWS calls fail", 0.0, 1 / 100),
    Noise("M4", "both", 1 / 500, 1 / 100),
)
#: How late a check begins at most, including the time that it takes.
LOOK_SECONDS: Final = LATE_SECONDS + 10
NOTICE_SECONDS: Final = LOOK_EVERY + LOOK_SECONDS
HEAL_SECONDS: Final = 10 * MINUTE
PENDING_SECONDS: Final = 25 * MINUTE + LOOK_SECONDS
#: After a stuck rotation, or after an outage in which a rotation got stuck.
DELAYED_HEAL_SECONDS: Final = PENDING_SECONDS + LOOK_EVERY
#: If calls fail at random, a heal takes longer, but not for ever.
NOISY_HEAL_SECONDS: Final = 2 * HOUR


@dataclass(frozen=True)
class Case:
    """One run."""

    noise: Noise
    seed: int
    days: float


Simulate = Callable[[Sequence[Case]], Iterable[Record]]


def simulate(case: Case) -> Record:
    """Runs one case."""
    with network():
        month = Month(case.noise, case.seed, case.days)
        return month.run(stories(month), outages(month))


def in_processes(cases: Sequence[Case]) -> Iterator[Record]:
    """Runs the cases side by side, without the logs of the rotator."""
    with ProcessPoolExecutor(os.cpu_count(), initializer=_silence) as pool:
        yield from pool.map(simulate, cases)


def main(arguments: Sequence[str], simulate_all: Simulate = in_processes) -> int:
    """Prints the table and each promise that is broken. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.rotation.month", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="runs per row (default: 5)")
    parser.add_argument("--days", type=float, default=30, help="days per run (default: 30)")
    options = parser.parse_args(arguments)
    began = time.monotonic()
    seeds = range(1, options.seeds + 1)
    cases = [Case(noise, seed, options.days) for noise in ROWS for seed in seeds]
    records = list(simulate_all(cases))
    took = time.monotonic() - began
    for line in (*table(records), "", *_summary(records, options.seeds, options.days, took)):
        print(line)
    broken = [sentence for record in records for sentence in broken_promises(record)]
    for sentence in broken:
        print(sentence, file=sys.stderr)
    return 1 if broken else 0


# The table.


def table(records: Sequence[Record]) -> Iterator[str]:
    """The rows, in Markdown. All times are minutes."""
    yield (
        "| | resets | noticed after | healed after | with AWSPREVIOUS | after an outage of ZEGO |"
        " after a stuck rotation | heals per reset | away from an accepted secret: to AWSPREVIOUS /"
        " to CANDIDATE | events per reset |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for noise in dict.fromkeys(record.noise for record in records):
        yield _row(noise, [record for record in records if record.noise == noise])


def _row(noise: Noise, records: Sequence[Record]) -> str:
    incidents = [incident for record in records for incident in record.incidents]
    on_time = [incident for incident in incidents if not incident.was_delayed]
    stuck = [incident for incident in incidents if incident.was_stuck]
    outages = [incident for incident in incidents if incident.had_outage and incident not in stuck]
    resets = max(1, len(incidents))
    cells = (
        f"{noise.name} {noise.title}",
        f"{len(incidents)}",
        _spread(incident.notice_seconds for incident in incidents if not incident.had_outage),
        _spread(incident.heal_seconds for incident in on_time if not incident.went_back),
        _spread(incident.heal_seconds for incident in on_time if incident.went_back),
        _spread(incident.heal_seconds for incident in outages),
        _spread(incident.heal_seconds for incident in stuck),
        f"{sum(record.heals for record in records) / resets:.2f}",
        f"{_count(records, 'to_previous')} / {_count(records, 'to_candidate')}",
        f"{sum(record.events for record in records) / resets:.1f}",
    )
    return f"| {' | '.join(cells)} |"


def _count(records: Iterable[Record], moves: str) -> int:
    return sum(len(getattr(record, moves)) for record in records)


def _spread(seconds: Iterable[float | None]) -> str:
    """Median, 90th percentile and worst, in minutes."""
    known = sorted(value / MINUTE for value in seconds if value is not None)
    if not known:
        return "-"
    ninth = known[ceil(0.9 * len(known)) - 1]
    return f"{median(known):.1f} / {ninth:.1f} / {known[-1]:.1f}"


def _summary(records: Sequence[Record], seeds: int, days: float, took: float) -> Iterator[str]:
    yield "Times are minutes: median / 90 % / worst. A heal is in one column: an outage during the"
    yield "reset counts from its end, a stuck rotation from when the watcher could heal without it."
    looks, rotations, calls = (
        sum(values)
        for values in zip(
            *((record.looks, record.rotations, record.calls) for record in records), strict=True
        )
    )
    yield (
        f"Simulated seeds 1 to {seeds} of each row, {days:g} days each: {looks:,} looks,"
        f" {rotations:,} rotations and {calls:,} calls in {took:.0f} s."
    )


# What is promised.


def broken_promises(record: Record) -> Iterator[str]:
    """A sentence for each broken promise."""
    where = f"{record.noise.name}, seed {record.seed}"
    for problem in record.problems:
        yield f"{where}: {problem}"
    for seconds in record.to_previous:
        yield f"{where}: AWSPREVIOUS replaced an accepted secret {_at(seconds)}."
    if record.longest_pending > PENDING_SECONDS:
        yield f"{where}: AWSPENDING stayed for {record.longest_pending / MINUTE:.1f} minutes."
    if record.lost:
        yield f"{where}: what ops staged last has lost its label."
    for incident in record.incidents:
        reset = f"{where}: the reset {_at(incident.began_at)} was"
        for what in _broken_by(incident, record.seconds, is_calm=record.noise.is_calm):
            yield f"{reset} {what}."


def _broken_by(incident: Incident, end: float, *, is_calm: bool) -> Iterator[str]:
    notice, heal = incident.notice_seconds, incident.heal_seconds
    is_open, able_at = incident.healed_at is None, incident.healable_at
    if is_calm and not incident.had_outage:
        if notice is not None and notice > NOTICE_SECONDS:
            yield f"noticed after {notice / MINUTE:.1f} minutes"
        if is_open and notice is None and end - incident.began_at > NOTICE_SECONDS:
            yield "never noticed"
    if heal is not None and heal > _heal_limit(incident, is_calm=is_calm):
        yield f"healed after {heal / MINUTE:.1f} minutes"
    if is_open and able_at is not None and end - able_at > NOISY_HEAL_SECONDS:
        yield "never healed"


def _heal_limit(incident: Incident, *, is_calm: bool) -> float:
    if not is_calm:
        return NOISY_HEAL_SECONDS
    if incident.was_delayed:
        return DELAYED_HEAL_SECONDS
    return HEAL_SECONDS + LOOK_SECONDS if incident.went_back else HEAL_SECONDS


def _at(seconds: float) -> str:
    return f"at minute {seconds / MINUTE:.0f} (day {seconds / DAY:.1f})"


def _silence() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
