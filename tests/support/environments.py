"""Tools in separate environments, because they need other versions of our packages.

`make prove` sets up one for each: .venv/sam, .venv/checkov, .venv/generators.
"""

from __future__ import annotations

import sys
from pathlib import Path


def part_of(tool: str, pattern: str) -> Path:
    """Return the file of a tool's environment that matches a pattern."""
    environment = Path(sys.prefix, tool)
    if (found := next(environment.glob(pattern), None)) is None:
        raise LookupError(f"{environment / pattern} is missing. Run: make prove")
    return found
