"""Clocks that a test moves."""

from __future__ import annotations

from pathlib import Path


class Clock:
    """A clock that moves only in ``turn``. Calling it returns the time in seconds."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        """Let time pass. A negative number sets the clock back."""
        self.now += seconds


class ClockFile:
    """Moves the clock of another process, which adds the file's seconds to the real time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ahead = 0.0
        self.turn(0.0)

    def turn(self, seconds: float) -> None:
        """Let time pass in that process."""
        self._ahead += seconds
        self.path.write_text(str(self._ahead), encoding="utf-8")
