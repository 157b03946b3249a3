"""Texts of a sentence or more: broken into lines, and their commands ready to be copied."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Final

from ops.output import line

if TYPE_CHECKING:
    from rich.text import Text

#: At a sentence's end: what takes the options of a target.
_COMMAND: Final = re.compile(
    r"\s*(zego-token (?:secret \w+|doctor|inspect)(?: --[a-z-]+(?: [A-Z]+)?)*)\.(?: |$)"
)
_OF_COMMAND: Final = "  "


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
