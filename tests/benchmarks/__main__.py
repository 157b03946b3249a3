"""`make bench`: measures, prints and saves the table, and fails if a budget is exceeded."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks import imports, invocations, mint, peers, rows
from tools import build, doc_tables, performance

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "benchmarks.json")
    parser.add_argument(
        "--write",
        action="store_true",
        help="also write the figures and plots of docs/performance.md",
    )
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

    tree, compared = build.host_tree(), peers.built()
    if compared.node is None:
        print("Node.js and npm are not installed: there is no Node.js column.", file=sys.stderr)
    measured = [
        *invocations.measure(tree, compared),
        *mint.measure(),
        _size(tree, compared),
    ]
    print(rows.table(measured))

    domain = tree / "layers" / "domain" / "python"
    costs = imports.measure([domain, compared.python])  # which has all of every package
    print("\nimports at a cold start, in addition to those of the runtime client:")
    for name, (milliseconds, multiple) in sorted(costs.items(), key=lambda item: -item[1][0]):
        print(f"  {name:40} {milliseconds:5.0f} ms  {multiple:4.1f} x the runtime client")

    document: dict[str, Any] = {
        "python": platform.python_version(),
        "node": peers.node_version() if compared.node is not None else None,
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "boto3_mb": build.size_mb(compared.python, peers.AWS_SDK),
        "rows": [asdict(row) | {"verdict": row.verdict} for row in measured],
        "imports_ms": {name: milliseconds for name, (milliseconds, _) in costs.items()},
    }
    _save(options.output, document)
    if options.write:
        _save(performance.FIGURES, document)
        doc_tables.main()
    return 1 if any(row.over_budget for row in measured) else 0


def _size(tree: Path, compared: peers.Peers) -> rows.Row:
    sizes = {invocations.EVERYDAY_PYTHON: build.size_mb(compared.python, ["."])}
    if compared.node is not None:
        sizes[invocations.BUNDLED_NODE] = compared.node.stat().st_size / 1e6
    own = build.size_mb(tree, build.ISSUER_PARTS)
    return rows.absolute("artifact, unzipped", "MB", own, budget=20, peers=sizes)


def _save(file: Path, document: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"\nsaved in {os.path.relpath(file)}")


if __name__ == "__main__":
    sys.exit(main())
