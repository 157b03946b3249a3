"""Clocks that a test turns."""

from __future__ import annotations

from pathlib import Path


class Clock:
    """Stands still until it is told otherwise. Called, it gives the time in seconds."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        """Let time pass; less than nothing sets the clock back."""
        self.now += seconds


class ClockFile:
    """Turns the clock of another process, which adds the file's seconds to the time of day."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ahead = 0.0
        self.turn(0.0)

    def turn(self, seconds: float) -> None:
        """Let time pass there."""
        self._ahead += seconds
        self.path.write_text(str(self._ahead), encoding="utf-8")
