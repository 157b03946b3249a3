"""Tests with the SAM CLI. `make prove` sets it up in a separate environment, .venv/sam."""

from __future__ import annotations

import sys
from pathlib import Path


def part_of_sam(pattern: str) -> Path:
    """Return the file of that environment that matches a pattern."""
    environment = Path(sys.prefix, "sam")
    if (found := next(environment.glob(pattern), None)) is None:
        raise LookupError(f"{environment / pattern} is missing. Run: make {environment}/.ready")
    return found
