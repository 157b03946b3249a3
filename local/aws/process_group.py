"""A process group that ends with the program that made it, however that program ends."""

from __future__ import annotations

import subprocess
from typing import Self


class ProcessGroup:
    """Child processes started with `process_group=group.id` never outlive this program.

    The group's leader is a shell that waits for the end of its standard input, the other end of
    which only this program holds. When this program stops the group, exits or is killed, the system
    closes that end, and the shell kills the whole group. This needs nothing but POSIX, so it also
    works on macOS. The group is not the terminal's foreground group: Ctrl-C reaches this program
    alone.
    """

    def __init__(self) -> None:
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def id(self) -> int:
        """The group's id; only while started."""
        if self._guard is None:
            raise RuntimeError("the process group is not started")
        return self._guard.pid

    def start(self) -> None:
        """Starts the leader; processes may join from here on."""
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", "read _; kill -KILL 0"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            process_group=0,
        )

    def stop(self) -> None:
        """Kills whatever is left of the group and waits for the leader."""
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.stdin.close()
            self._guard.wait()
            self._guard = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
