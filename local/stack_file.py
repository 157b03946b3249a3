"""`.local/stack.json`: the addresses of the running stack, for other programs on this machine.

The file exists while a stack runs. It is written atomically, readable by its owner only, and
removed at the end. A lock file next to it, which the system releases when its holder ends, tells a
running stack from a file that a killed one left behind. Every file that the stack writes is its
owner's alone: the logs name users and rooms, and whoever can open the lock could hold it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TextIO

NAME = "stack.json"
LOCK_NAME = "stack.lock"


@dataclass(frozen=True)
class StackDescription:
    """The parts of a running stack; the fields are those of the file."""

    api: str
    identity_provider: str
    secrets_manager: str
    secret_id: str
    app_id: int
    region: str
    page: str
    lambda_: str
    """The endpoint of Lambda's Invoke API; `lambda` in the file."""
    zego: str
    """ZEGO's server API, room login and console."""
    events: str
    """The endpoint of EventBridge."""
    dynamodb: str
    limits_table: str
    """The table of denials and budgets."""
    functions: tuple[str, ...]
    """The names of the functions that the Invoke API runs."""
    access_key_id: str
    secret_access_key: str = field(repr=False)
    own_project: bool = False
    """`zego` is not a stand-in but ZEGO's server API, with the developer's own project."""
    pid: int = 0
    incoming_call_url: str = ""
    """Where the event of a call is posted; empty if it is not."""
    incoming_call_key: str = field(default="", repr=False)

    def to_json(self) -> str:
        """Returns the file's text."""
        named = {name.rstrip("_"): value for name, value in asdict(self).items()}
        return json.dumps(named, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> StackDescription:
        """Reads what `to_json` wrote."""
        named = json.loads(text)
        functions = tuple(named.pop("functions"))
        return cls(lambda_=named.pop("lambda"), functions=functions, **named)


def open_private(path: Path) -> TextIO:
    """Opens a file for writing, line by line, that only its owner may open."""
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(opened, 0o600)  # it may exist with other permissions
    return os.fdopen(opened, "w", buffering=1)


class AlreadyRunningError(Exception):
    """Another stack runs in the same directory."""


class StackFile:
    """The stack's file in `directory`, and the lock that allows one stack to write it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / NAME
        self._lock_path = directory / LOCK_NAME
        self._lock: TextIO | None = None

    def claim(self) -> None:
        """Takes the lock, and makes the directory if necessary. Raises `AlreadyRunningError`."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = open_private(self._lock_path)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunningError(self._who_runs()) from None
        self._lock = lock

    def write(self, description: StackDescription) -> None:
        """Writes the file in one step."""
        temporary = self.path.with_suffix(".tmp")
        temporary.unlink(missing_ok=True)
        with open_private(temporary) as file:
            file.write(description.to_json())
        temporary.replace(self.path)

    def release(self) -> None:
        """Removes the file and gives the lock back."""
        if self._lock is not None:
            self.path.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def _who_runs(self) -> str:
        running = read_running(self.path.parent, check_lock=False)
        if running is None:
            return "a local stack is starting or stopping; try again in a moment"
        return f"a local stack is running at {running.api} (process {running.pid}); stop it first"


def read_running(directory: Path, *, check_lock: bool = True) -> StackDescription | None:
    """Returns the stack that runs in `directory`, or None, even if a killed one left its file."""
    with contextlib.suppress(FileNotFoundError):
        if check_lock and not _is_locked(directory / LOCK_NAME):
            return None
        return StackDescription.from_json((directory / NAME).read_text())
    return None


def _is_locked(path: Path) -> bool:
    with path.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
