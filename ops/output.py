"""The output of commands: text for users, or with `--json` objects for programs.

Each piece of output is an event: a name, the text that people read, and the fields that programs
read. One call takes both, so that neither lacks what the other has. Below that, functions format
texts, commands and times.
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

#: Wider than any line: rich never breaks or cuts one.
_WIDTH: Final = 2000
#: Limits for wrapped text: narrower leaves one word per column, wider is hard to read.
_NARROWEST: Final = 40
_WIDEST: Final = 100

#: A command at a sentence's end that takes a target's options.
_COMMAND: Final = re.compile(
    r"\s*(zego-token (?:secret \w+|denials|doctor|inspect)(?: --[a-z-]+(?: [A-Z]+)?)*)\.(?: |$)"
)
_OF_COMMAND: Final = "  "
#: Stands for a margin while a text is wrapped.
_MARGIN: Final = "\0"


def output(command: Callable[..., ExitCode]) -> Callable[..., ExitCode]:
    """`--json`; the command gets an :class:`Output` as ``out``."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")
    @functools.wraps(command)
    def with_output(*, as_json: bool, **options: Any) -> ExitCode:
        return command(out=Output(as_json=as_json), **options)

    return with_output


class Output:
    """Standard output.

    :ivar as_json: for programs: one JSON object per line, each with its ``event``.
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
        """Whether output can be redrawn, because it goes to a terminal."""
        if self.as_json:
            return False
        return self._console.is_terminal and not self._console.is_dumb_terminal

    @property
    def width(self) -> int:
        """The columns for a layout: the terminal's or ``COLUMNS``, limited to 40 to 100; if both
        are unknown, 80.
        """
        return _limited(shutil.get_terminal_size().columns)

    def can_show(self, text: str) -> bool:
        """Whether the output's encoding has all characters of the text."""
        try:
            text.encode(sys.stdout.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def go_on(self) -> None:
        """A change has begun: from now on, errors in writing do not stop the command."""
        self._is_needed = False

    def tell(
        self, event: str, text: str, *, style: str = "", then: str = "", **fields: Any
    ) -> None:
        """Print one event.

        :param text: without markup; empty if the event is only for programs.
        :param then: the prefix of further lines, see :func:`prose`.
        """
        with self._guarded():
            if self.as_json:
                print(json.dumps({"event": event, **fields}), flush=True)
            elif text:
                self._console.print(prose(text, style, then=then), soft_wrap=True)

    def show(self, *parts: RenderableType) -> None:
        """Show tables and other multi-line output; nothing with ``--json``."""
        if self.as_json:
            return
        with self._guarded():
            if self._console.is_terminal or not all(
                isinstance(one, str | _text()) for one in parts
            ):
                self._console.print(*parts, sep="\n")
            else:  # without styles; rich takes half a millisecond per text to find that out
                print(*parts, sep="\n", flush=True)

    @contextmanager
    def live(self, shown: RenderableType) -> Iterator[None]:
        """Redraw it several times per second if :attr:`is_live`."""
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
        except (OSError, SystemExit):  # rich exits if a pipe is closed
            if self._is_needed:
                raise
            discard(sys.stdout)


def discard(stream: TextIO) -> None:
    """Drop all further output, including what Python would still flush at exit."""
    with suppress(OSError):  # a stream without a file
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def line(text: str, style: str = "") -> Text:
    """The text with only printable characters: text from AWS must not control the terminal."""
    return _text()("".join(c if c.isprintable() or c == "\n" else "?" for c in text), style)


def columns(stream: TextIO) -> int | None:
    """The columns for sentences: as :attr:`Output.width`, but ``None`` for a file or a pipe, where
    a sentence is one line that `grep` finds.
    """
    if "COLUMNS" not in os.environ and not stream.isatty():
        return None
    return _limited(shutil.get_terminal_size().columns)


def _limited(width: int) -> int:
    return min(max(width, _NARROWEST), _WIDEST)


def prose(text: str, style: str = "", *, then: str = "") -> Text:
    """Sentences for standard output, wrapped at its :func:`columns`.

    :param then: the prefix of all lines but a paragraph's first.
    """
    width = columns(sys.stdout) or sys.maxsize
    shown = line("", style)
    for number, paragraph in enumerate(text.split("\n")):
        shown.append("\n" if number else "").append(wrapped(paragraph, width, then=then))
    return shown


def plain(text: str, stream: TextIO) -> str:
    """As :func:`prose`, without a style and for any stream."""
    lines = folded(text, columns(stream) or sys.maxsize)
    return "\n".join(margin + part for margin, part in lines)


def _text() -> type[Text]:
    from rich.text import Text  # noqa: PLC0415  slow, and not needed for JSON

    return Text


def copyable(text: str, options: str) -> str:
    """Put each command at a sentence's end on its own line, and add the target's options.

    ``Follow it: zego-token secret watch.`` becomes two lines; users copy the second.
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
    """Wrap a text at a width in columns.

    Commands and words, such as an ARN, are not broken. What is too long for its line is alone on
    its line, with a smaller margin.

    :param first: the prefix of the first line.
    :param then: the prefix of the other lines, equally long or longer.
    :param target: the options to add to commands, see :func:`copyable`; ``None``: leave commands
        as they are.
    :param breaks_words: also break text without spaces, such as an ARN.
    """
    text = line(text if target is None else copyable(text, target)).plain
    shown = line("", style)
    lines = folded(text, width, first=first, then=then, breaks_words=breaks_words)
    for number, (margin, part) in enumerate(lines):
        is_command = part.startswith(f"{_OF_COMMAND}zego-token ")
        shown.append("\n" * bool(number) + margin).append(part, "bold" if is_command else "")
    return shown


def folded(
    text: str, width: int, *, first: str = "", then: str = "", breaks_words: bool = False
) -> Iterator[tuple[str, str]]:
    """The lines of :func:`wrapped`: the prefix of each, and its part of the text."""
    prefix = first
    for paragraph in text.split("\n"):
        parts = [paragraph]
        if not paragraph.startswith(_OF_COMMAND):
            parts = textwrap.wrap(
                paragraph,
                width,
                initial_indent=_MARGIN * len(prefix),
                subsequent_indent=_MARGIN * len(then),
                break_long_words=breaks_words,
                break_on_hyphens=False,
            ) or [""]
        for part in (one.lstrip(_MARGIN) for one in parts):
            if len(prefix) + len(part) > width:
                if prefix.strip() and prefix != then:
                    yield prefix.rstrip(), ""
                prefix = then if then.strip() else then[: max(width - len(part), 0)]
            yield prefix, part
            prefix = then


def advice(text: str, width: int, target: str = "", *, margin: str = "") -> Text:
    """A remedy, after an arrow.

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
        raise ValueError("not a valid time") from error


def timestamp(moment: float | None) -> str | None:
    """RFC 3339, in UTC."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def relative(moment: float, now: float) -> str:
    """``in 59 min``, ``3 h ago``."""
    return f"in {duration(moment - now)}" if moment > now else f"{duration(now - moment)} ago"
