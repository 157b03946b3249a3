"""``make bench``: measure, print and save the table, and fail if a budget is exceeded."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks import imports, invocations, mint, rows
from tools import build

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "benchmarks.json")
    output: Path = parser.parse_args().output
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

    tree = build.host_tree()
    measured = [*mint.measure(), *invocations.measure(tree), _size(tree)]
    print(rows.table(measured))

    layers = tree / "layers"
    costs = imports.measure([layers / "domain" / "python", layers / "dependencies" / "python"])
    print("\nimports at a cold start, in addition to those of the runtime client:")
    for name, (milliseconds, multiple) in sorted(costs.items(), key=lambda item: -item[1][0]):
        print(f"  {name:40} {milliseconds:5.0f} ms  {multiple:4.1f} x the runtime client")

    output.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": [asdict(row) | {"verdict": row.verdict} for row in measured],
        "imports_ms": {name: milliseconds for name, (milliseconds, _) in costs.items()},
    }
    output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nsaved in {os.path.relpath(output)}")
    return 1 if any(row.over_budget for row in measured) else 0


def _size(tree: Path) -> rows.Row:
    size = build.size_mb(tree, build.ISSUER_PARTS)
    return rows.absolute("unzipped size of the issuer, its layers", "MB", size, budget=60, aim=25)


if __name__ == "__main__":
    sys.exit(main())
