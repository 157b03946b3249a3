"""What the service knows about ZEGO: tokens, identifiers, the ServerSecret and where it is stored.

Nothing here handles Lambda events or serves HTTP; docs/architecture.md shows which package imports
which. This module has what every part uses: the stages, the text of a span of time, and text of
strangers that is safe to show.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

#: Where the service is deployed: each stage has its own resources and access policy.
DEPLOYED_STAGES: Final = ("dev", "staging", "prod")
#: The same, with the one that runs on a developer's machine.
STAGES: Final = (*DEPLOYED_STAGES, "local")

_UNITS: Final = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))


def printable(text: str, *, most: int = 200) -> str:
    """A text that came from a stranger, for a log or a terminal: one line of limited length.

    Control characters, also those that reverse text, are escaped as in Python: ``\\x1b``.
    """
    cut = text if len(text) <= most else f"{text[:most]}..."
    if cut.isprintable():
        return cut
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in cut
    )


def duration(seconds: float) -> str:
    """A span of time in its two largest units, rounded down: ``1 h 30 min``, ``12 d``, ``40 s``.

    The second unit is left out if it would be 0. A negative span is ``0 s``.
    """
    whole = max(0, int(seconds))
    for (unit, length), (smaller_unit, smaller) in pairwise(_UNITS):
        if whole >= length:
            count, rest = divmod(whole, length)
            more = rest // smaller
            return f"{count} {unit} {more} {smaller_unit}" if more else f"{count} {unit}"
    return f"{whole} s"
