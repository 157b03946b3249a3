"""Where commands say what they do: to a person, or with `--json` to a program.

Everything that is said is an event with a name, the text a person reads, and the fields a program
does; one call says both, so that neither lacks what the other has.
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import IO, TYPE_CHECKING, Any, Final, cast

from ops.streams import Stream

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

GOOD: Final = "green"
BAD: Final = "bold red"
UNSURE: Final = "yellow"
QUIET: Final = "dim"

#: Wider than anything that is said: a line is never broken or cut here. A terminal wraps it.
_WIDTH: Final = 2000
#: Of what is broken into lines: narrower, and a column is left with a word; wider reads badly.
_NARROWEST: Final = 40
_WIDEST: Final = 100


class Output:
    """Standard output.

    :param as_json: one JSON object a line, each with its ``event``.
    """

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    @cached_property
    def _stdout(self) -> Stream:
        return sys.stdout if isinstance(sys.stdout, Stream) else Stream(sys.stdout)

    @property
    def _file(self) -> IO[str]:
        return cast("IO[str]", self._stdout)

    @cached_property
    def _console(self) -> Console:
        from rich.console import Console  # noqa: PLC0415  slow, and not needed for JSON

        return Console(
            file=self._file,
            width=_WIDTH,
            markup=False,
            highlight=False,
            emoji=False,
        )

    @property
    def is_live(self) -> bool:
        """Whether what is shown can be drawn over, as it is a person's terminal."""
        if self._as_json:
            return False
        return self._console.is_terminal and not self._console.is_dumb_terminal

    @property
    def as_json(self) -> bool:
        """Whether a program reads it."""
        return self._as_json

    @property
    def width(self) -> int:
        """Columns for a text of several lines: the terminal's or those of ``COLUMNS``, within
        40 to 100; without either 80.
        """
        return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)

    def can_show(self, text: str) -> bool:
        """Whether the encoding of what is written has all its characters."""
        try:
            text.encode(self._stdout.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def go_on(self) -> None:
        """A change has begun: from here on it ends as it does, heard or not."""
        self._stdout.is_needed = False

    def tell(self, event: str, text: str, *, style: str = "", **fields: Any) -> None:
        """Say something.

        :param text: no markup; empty where it is for programs alone.
        """
        if self._as_json:
            print(json.dumps({"event": event, **fields}), file=self._stdout, flush=True)
        elif text:
            self._console.print(line(text, style), soft_wrap=True)

    def show(self, *parts: RenderableType) -> None:
        """Show a person what is more than lines."""
        if self._as_json:
            return
        if not self._console.is_terminal and all(isinstance(part, str | _text()) for part in parts):
            # It has no styles there, and rich takes half a millisecond for each to find that out.
            print(*parts, sep="\n", file=self._stdout, flush=True)
            return
        self._console.print(*parts, sep="\n")

    def live(self, shown: RenderableType) -> AbstractContextManager[object]:
        """Draw it anew, several times a second, where :attr:`is_live`."""
        if not self.is_live:
            return nullcontext()
        from rich.console import Console  # noqa: PLC0415  as above
        from rich.live import Live  # noqa: PLC0415  likewise

        return Live(shown, console=Console(file=self._file), refresh_per_second=10)


def line(text: str, style: str = "") -> Text:
    """A text with printable characters alone: what AWS holds shall not steer a terminal."""
    return _text()("".join(c if c.isprintable() or c == "\n" else "?" for c in text), style)


def _text() -> type[Text]:
    from rich.text import Text  # noqa: PLC0415  slow, and not needed for JSON

    return Text
