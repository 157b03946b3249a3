"""Questions to a person at a terminal: a value that is not shown, a yes or no."""

from __future__ import annotations

import functools
import getpass
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click

from ops.errors import CommandError, ExitCode, InputError

#: Given instead of a path.
STANDARD_INPUT: Final = "-"

#: What a terminal puts around a text that is pasted, where it was asked to (by a shell, say).
_PASTE_BEGINS: Final = "\x1b[200~"
_PASTE_ENDS: Final = "\x1b[201~"


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

    :raises InputError: nothing was typed.
    :raises EOFError: nothing comes any more.
    """
    typed = getpass.getpass(prompt).removeprefix(_PASTE_BEGINS).removesuffix(_PASTE_ENDS)
    if not typed:
        raise InputError("Nothing was typed.")
    return typed


def can_ask() -> bool:
    """Whether somebody can be asked: standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


def confirmation(command: Callable[..., ExitCode]) -> Callable[..., ExitCode]:
    """`--yes`; the command gets ``confirm``, which asks, and raises where the answer is no."""

    @click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
    @functools.wraps(command)
    def with_confirmation(*, yes: bool, **options: Any) -> ExitCode:
        return command(confirm=(lambda _question: None) if yes else _confirm, **options)

    return with_confirmation


def _confirm(question: str) -> None:
    if not can_ask():
        raise InputError(
            "This asks for confirmation, and standard input is not a terminal.", "Give --yes."
        )
    if not click.confirm(question, err=True):
        raise CommandError("Nothing was changed.", "", ExitCode.INTERRUPTED)
