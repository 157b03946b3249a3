"""What commands say: to a person, or with `--json` to a program.

Everything that is said is an event with a name, the text a person reads, and the fields a program
does; one call says both, so that neither lacks what the other has. Below it is how texts, commands
and times are written.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from ops.errors import ExitCode
from zego import duration

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

GOOD: Final = "green"
BAD: Final = "bold red"
UNSURE: Final = "yellow"
QUIET: Final = "dim"
STYLES: Final = {ExitCode.DONE: GOOD, ExitCode.REFUSED: BAD, ExitCode.UNDECIDED: UNSURE}

#: Wider than anything that is said: a line is never broken or cut here. A terminal wraps it.
_WIDTH: Final = 2000
#: Of what is broken into lines: narrower, and a column is left with a word; wider reads badly.
_NARROWEST: Final = 40
_WIDEST: Final = 100

#: At a sentence's end: what takes the options of a target.
_COMMAND: Final = re.compile(
    r"\s*(zego-token (?:secret \w+|doctor|inspect)(?: --[a-z-]+(?: [A-Z]+)?)*)\.(?: |$)"
)
_OF_COMMAND: Final = "  "


def output(command: Callable[..., ExitCode]) -> Callable[..., ExitCode]:
    """`--json`; the command gets an :class:`Output` as ``out``."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
    @functools.wraps(command)
    def with_output(*, as_json: bool, **options: Any) -> ExitCode:
        return command(out=Output(as_json=as_json), **options)

    return with_output


class Output:
    """Standard output.

    :ivar as_json: a program reads it: one JSON object per line, each with its ``event``.
    """

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._is_needed = True

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console  # noqa: PLC0415  slow, and not needed for JSON

        return Console(width=_WIDTH, markup=False, highlight=False, emoji=False)

    @property
    def is_live(self) -> bool:
        """Whether what is shown can be drawn over, as it is a person's terminal."""
        if self.as_json:
            return False
        return self._console.is_terminal and not self._console.is_dumb_terminal

    @property
    def width(self) -> int:
        """Columns for a text of several lines: the terminal's or those of ``COLUMNS``, within
        40 to 100; without either 80.
        """
        return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)

    def can_show(self, text: str) -> bool:
        """Whether the encoding of what is written has all its characters."""
        try:
            text.encode(sys.stdout.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def go_on(self) -> None:
        """A change has begun: from here on it ends as it does, heard or not."""
        self._is_needed = False

    def tell(self, event: str, text: str, *, style: str = "", **fields: Any) -> None:
        """Say something.

        :param text: no markup; empty where it is for programs alone.
        """
        with self._guarded():
            if self.as_json:
                print(json.dumps({"event": event, **fields}), flush=True)
            elif text:
                self._console.print(line(text, style), soft_wrap=True)

    def show(self, *parts: RenderableType) -> None:
        """Show a person what is more than lines."""
        if self.as_json:
            return
        with self._guarded():
            if self._console.is_terminal or not all(
                isinstance(one, str | _text()) for one in parts
            ):
                self._console.print(*parts, sep="\n")
            else:  # without styles, and rich takes half a millisecond for each to find that out
                print(*parts, sep="\n", flush=True)

    @contextmanager
    def live(self, shown: RenderableType) -> Iterator[None]:
        """Draw it anew, several times a second, where :attr:`is_live`."""
        if not self.is_live:
            yield
            return
        from rich.console import Console  # noqa: PLC0415  as above
        from rich.live import Live  # noqa: PLC0415  slow, and for a terminal alone

        drawing = Live(shown, console=Console(), refresh_per_second=10)
        with self._guarded():
            drawing.start()
        try:
            yield
        finally:
            with self._guarded():
                drawing.stop()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """:raises OSError: it cannot be written, and no change has begun."""
        try:
            yield
        except (OSError, SystemExit):  # rich exits where a pipe is closed
            if self._is_needed:
                raise
            discard(sys.stdout)


def discard(stream: TextIO) -> None:
    """Nothing more is written there, nor what Python still holds and writes when it ends."""
    with suppress(OSError):  # a stream that is no file's
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def line(text: str, style: str = "") -> Text:
    """A text with printable characters alone: what AWS holds shall not steer a terminal."""
    return _text()("".join(c if c.isprintable() or c == "\n" else "?" for c in text), style)


def _text() -> type[Text]:
    from rich.text import Text  # noqa: PLC0415  slow, and not needed for JSON

    return Text


def copyable(text: str, options: str) -> str:
    """A text with each command at a sentence's end on a line of its own, with a target's options.

    ``Follow it: zego-token secret watch.`` becomes two lines, the second to be copied.
    """
    return _COMMAND.sub(
        lambda found: f"\n{_OF_COMMAND}{found[1]} {options}".rstrip() + "\n", text
    ).rstrip()


def wrapped(
    text: str,
    width: int,
    *,
    first: str = "",
    then: str = "",
    style: str = "",
    target: str | None = None,
    breaks_words: bool = False,
) -> Text:
    """Lines of a width in columns; a command is not broken.

    :param first: begins the first line, and
    :param then: the others, as long.
    :param target: the options of the commands in it, see :func:`copyable`; ``None``: a text in
        which none are looked for.
    :param breaks_words: break what has no space in it, too, such as an ARN.
    """
    text = line(text).plain
    shown = line("", style)
    for paragraph in (text if target is None else copyable(text, target)).split("\n"):
        start = f"\n{then}" if shown else first
        if paragraph.startswith(_OF_COMMAND):
            shown.append(start).append(paragraph, "bold")
            continue
        parts = textwrap.wrap(
            paragraph,
            max(width - len(then), 1),
            break_long_words=breaks_words,
            break_on_hyphens=False,
        )
        shown.append(start + f"\n{then}".join(parts or [""]))
    return shown


def advice(text: str, width: int, target: str = "", *, margin: str = "") -> Text:
    """What to do, behind an arrow.

    :param target: see :func:`wrapped`.
    """
    return wrapped(text, width, first=f"{margin}-> ", then=f"{margin}   ", target=target)


def date_and_time(moment: float) -> str:
    """``2026-08-01 12:00:00 UTC``.

    :raises ValueError: it is not between the years 1 and 9999.
    """
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (OverflowError, OSError) as error:
        raise ValueError("it is no time") from error


def relative(moment: float, now: float) -> str:
    """``in 59 min``, ``3 h ago``."""
    return f"in {duration(moment - now)}" if moment > now else f"{duration(now - moment)} ago"
