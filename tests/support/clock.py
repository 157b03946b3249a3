"""A clock that a test turns."""

from __future__ import annotations


class Clock:
    """Stands still until it is told otherwise. Called, it gives the time in seconds."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        """Let time pass; less than nothing sets the clock back."""
        self.now += seconds
