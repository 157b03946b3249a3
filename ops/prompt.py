"""Prompts on a terminal: for a value that is not shown, or for yes or no; and bearer tokens."""

from __future__ import annotations

import functools
import getpass
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, Final

import click

from ops.errors import CommandError, ExitCode, InputError
from ops.output import plain

#: Given instead of a path.
STANDARD_INPUT: Final = "-"

#: More than the service accepts: the service then reports its limit.
_BEARER_BYTES: Final = 16384

#: What a terminal puts around pasted text if a program, such as a shell, has turned that on.
_PASTE_BEGINS: Final = "\x1b[200~"
_PASTE_ENDS: Final = "\x1b[201~"


@contextmanager
def unseen() -> Iterator[None]:
    """Turn the echo off while the block runs, if standard input is a terminal."""
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


def ask_unseen(prompt: str, *, optional: bool = False) -> str:
    """Ask for a text without showing it; the marks around a paste are removed.

    :param optional: return an empty text if nothing was typed.
    :raises InputError: nothing was typed.
    :raises EOFError: standard input has ended.
    """
    typed = getpass.getpass(prompt).removeprefix(_PASTE_BEGINS).removesuffix(_PASTE_ENDS)
    if not typed and not optional:
        raise InputError("Nothing was typed.")
    return typed


def read_bearer(file: IO[bytes]) -> str:
    """Read the bearer token in a file. If the file is a terminal, ask for the token, unseen.

    :raises UsageError: there is none.
    """
    if file.isatty():
        content = ask_unseen("Bearer token (not shown): ").encode(errors="replace")
    else:
        content = file.read(_BEARER_BYTES + 1)
    text = content.decode("utf-8-sig", errors="replace").strip()
    text = re.sub(r"\Abearer\s+", "", text, flags=re.IGNORECASE)
    if not text or len(content) > _BEARER_BYTES or not re.fullmatch(r"[!-~]+", text):
        raise click.UsageError("The input has no bearer token (one line of printable ASCII).")
    return text


def can_ask() -> bool:
    """Whether a prompt is possible: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirmation(command: Callable[..., ExitCode]) -> Callable[..., ExitCode]:
    """`--yes`; the command gets ``confirm``, which asks and raises an error for a no."""

    @click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
    @functools.wraps(command)
    def with_confirmation(*, yes: bool, **options: Any) -> ExitCode:
        return command(confirm=(lambda _question: None) if yes else _confirm, **options)

    return with_confirmation


def _confirm(question: str) -> None:
    if not can_ask():
        raise InputError(
            "This command asks for confirmation, but standard input is not a terminal.",
            "To confirm, use --yes.",
        )
    if not click.confirm(plain(question, sys.stderr), err=True):
        raise CommandError("Nothing was changed.", "", ExitCode.INTERRUPTED)


@contextmanager
def interruptible(so_far: str, remedy: str = "") -> Iterator[None]:
    """On Ctrl-C, also at a prompt, end the command with a message about what it has done.

    :param so_far: that message, a sentence.
    """
    try:
        yield
    except (KeyboardInterrupt, EOFError, click.Abort):
        if can_ask():
            with suppress(OSError):
                print(file=sys.stderr)  # the prompt or ^C is on this line
        raise CommandError(so_far, remedy, ExitCode.INTERRUPTED) from None
