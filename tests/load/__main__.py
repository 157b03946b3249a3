"""`make load`: measures throughput, reads, memory and faults, and checks what the docs promise.

Exits with 1, and says why, if a check fails. No check depends on how long something takes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.load import faults, memory, reads, throughput
from tests.load.generator import SERVED
from tests.load.services import DENIALS, KEYS, LOST, OLD_SECRET, SECRET

ROOT: Final = Path(__file__).resolve().parents[2]
DOCUMENT: Final = ROOT / "docs" / "reliability.md"


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run does.

    :ivar environments: of the Lambda host, for each row.
    :ivar seconds: how long each row is measured.
    :ivar together: environments that start at the same time.
    :ivar requests: to measure memory, by two environments.
    :ivar fault_environments: that each fault meets.
    """

    environments: Sequence[int]
    seconds: float
    together: int
    requests: int
    fault_environments: int


FULL: Final = Size((1, 2, 4, 16, 64), 15.0, 200, 1_000_000, 4)
SMALL: Final = Size((1, 4), 2.0, 20, 20_000, 2)


@dataclass(slots=True)
class Part:
    """A part of the report: a table, and what went wrong."""

    heading: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def table(self) -> str:
        """The table."""
        lines = [self.heading, ["---"] * len(self.heading), *self.rows]
        return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _throughput(size: Size) -> Part:
    measures = ("p50, ms", "p99, ms", "p99.9, ms", "errors")
    part = Part(("environments", "at most, per s", "offered, per s", "served", *measures))
    for row in throughput.measure(size.environments, size.seconds):
        times = [row.run.latency(quantile) * 1000 for quantile in (0.5, 0.99, 0.999)]
        counts = (f"{row.capacity:.0f}", f"{row.offered:.0f}", f"{row.run.served:,}")
        part.rows.append((row.what, *counts, *(f"{one:.1f}" for one in times), f"{row.run.errors}"))
        part.problems += row.problems
        print("  " + " | ".join(part.rows[-1]), flush=True)
    return part


def _reads(size: Size) -> Part:
    made = reads.measure(size.together)
    part = Part((f"{made.environments} environments, after", "what happens", SECRET, KEYS, DENIALS))
    for moment, counts in made.rows:
        since = "" if moment.since is None else f"{moment.since} to "
        cells = [f"{counts[name]}" for name in (SECRET, KEYS, DENIALS)]
        part.rows.append((f"{since}{moment.at} s", moment.what, *cells))
    most = (f"{made.most_at_once[name]}" for name in (SECRET, KEYS, DENIALS))
    part.rows.append(("", "most in one second when they expire", *most))
    part.problems += made.problems
    return part


def _memory(size: Size) -> Part:
    part = Part(("requests", "after 20 %, MB", "at the end, MB", "statuses of the responses"))
    for one in memory.measure(size.requests, environments=2):
        statuses = ", ".join(f"{name}: {count:,}" for name, count in sorted(one.outcomes.items()))
        megabytes = (f"{one.warm_mb:.2f}", f"{one.end_mb:.2f}")
        part.rows.append((f"{one.requests:,}", *megabytes, statuses))
        part.problems += one.problems
    return part


def _faults(size: Size) -> Part:
    columns = ("served", "with the old secret", "refused", "lost", "wrong", "recovered after")
    part = Part(("what fails", "for", *columns, "slowest request"))
    for one in faults.measure(size.fault_environments, small=size is SMALL):
        refused = [f"{count:,} `{code}`" for code, count in one.refusals.items() if code != LOST]
        recovered = f"{one.recovered:.0f} s" if one.recovered else "at once"
        part.rows.append(
            (
                one.what,
                one.lasted,
                f"{one.outcomes[SERVED]:,}",
                f"{one.outcomes[OLD_SECRET]:,}",
                ", ".join(refused) or "0",
                f"{one.refusals[LOST]:,}",
                f"{one.wrong}",
                recovered,
                f"{one.slowest:.1f} s",
            )
        )
        part.problems += one.problems
        print("  " + " | ".join(part.rows[-1]), flush=True)
    return part


PARTS: Final[dict[str, Callable[[Size], Part]]] = {
    "throughput": _throughput,
    "reads": _reads,
    "memory": _memory,
    "faults": _faults,
}


def main(arguments: Sequence[str]) -> int:
    """Run the parts, print and save the report. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.load", description=__doc__)
    parser.add_argument(
        "--small", action="store_true", help="do less of everything, as make prove does"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"replace the tables in {DOCUMENT.name}"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="a part to run (repeatable)")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "load.json")
    options = parser.parse_args(arguments)
    size = SMALL if options.small else FULL
    parts = {name: PARTS[name] for name in options.only or PARTS}
    made, began = {}, time.monotonic()
    for name, measure in parts.items():
        print(f"{name} ...", flush=True)
        made[name] = measure(size)
        print(f"\n{made[name].table()}", flush=True)
    took = time.monotonic() - began
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{took:.0f} s on {machine}")
    _save(options.output, made, machine, took)
    if options.write:
        _write(made, machine)
    problems = [problem for part in made.values() for problem in part.problems]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


def _save(output: Path, made: dict[str, Part], machine: str, took: float) -> None:
    document: dict[str, object] = {"machine": machine, "seconds": round(took)}
    for name, part in made.items():
        rows = [dict(zip(part.heading, row, strict=True)) for row in part.rows]
        document[name] = {"rows": rows, "problems": part.problems}
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"saved in {os.path.relpath(output)}")


def _write(made: dict[str, Part], machine: str) -> None:
    from tools.doc_tables import replaced  # noqa: PLC0415  imports much that only this needs

    tables = {name: part.table() for name, part in made.items()}
    if "throughput" in tables:
        tables["throughput"] += f"\nMeasured on {machine}.\n"
    DOCUMENT.write_text(replaced(DOCUMENT.read_text(encoding="utf-8"), tables), encoding="utf-8")
    print(f"written to {DOCUMENT.relative_to(ROOT)}")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
