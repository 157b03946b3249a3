"""A clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class FakeClock:
    """Says what it was set to. Counts how often it was looked at."""

    now: float
    looks: int = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now
