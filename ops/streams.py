"""Standard input, output and error, each of which may be closed, and the last two full."""

from __future__ import annotations

import getpass
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, TextIO

from ops.exit_codes import ExitCode
from ops.failures import CommandError

#: What a terminal puts around a text that is pasted, where it was asked to (by a shell, say).
_PASTE_BEGINS: Final = "\x1b[200~"
_PASTE_ENDS: Final = "\x1b[201~"


class Stream:
    """In the place of ``sys.stdout`` or ``sys.stderr``.

    :param stream: ``None``: it was closed from the start.
    :ivar is_needed: whether it ends the command that nothing can be written any more. Where not,
        what is written is lost.
    """

    def __init__(self, stream: TextIO | None, *, is_needed: bool = True) -> None:
        self._stream = stream or io.StringIO()
        self.is_needed = is_needed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """:raises CommandError: it cannot be written; once, then it is lost."""
        if text != "":  # which click asks for, to see whether it is a stream of texts
            with self._guarded():
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """:raises CommandError: as :meth:`write`."""
        with self._guarded():
            self._stream.flush()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._discard()
            was_needed, self.is_needed = self.is_needed, False
            if was_needed:
                raise _unwritten(error) from None

    def _discard(self) -> None:
        """What Python still holds, and writes when it ends, goes nowhere."""
        with suppress(OSError):  # a stream that is no file's
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def _unwritten(error: OSError) -> CommandError:
    if isinstance(error, BrokenPipeError):
        return CommandError("Nobody reads the output any more.", "", ExitCode.UNREAD)
    why = error.strerror or type(error).__name__
    return CommandError(f"The output cannot be written: {why}.", "", ExitCode.UNWRITTEN)


@contextmanager
def unseen() -> Iterator[None]:
    """What is typed meanwhile on standard input, if that is a terminal, is not shown there."""
    if sys.platform == "win32" or not can_ask():
        yield
        return
    import termios  # noqa: PLC0415  not on Windows

    before = termios.tcgetattr(sys.stdin)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def ask_unseen(prompt: str) -> str:
    """What is typed or pasted at a prompt, without the marks that a terminal puts around a paste.

    :raises EOFError: nothing comes any more.
    """
    typed = getpass.getpass(prompt)
    return typed.removeprefix(_PASTE_BEGINS).removesuffix(_PASTE_ENDS)


def can_ask() -> bool:
    """Whether somebody can be asked: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()
