"""Paths, so that they can be shown: a file may be named by what must not be."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Final

#: So much of a value is not shown.
_PART: Final = 8
_HIDDEN: Final = "*"


def shown(path: str, values: Iterable[str] = ()) -> str:
    """The path with printable characters alone, and without the values and longer parts of them."""
    hidden = set[int]()
    small = path.lower()
    for value in values:
        parts = {value[at : at + _PART].lower() for at in range(len(value) - _PART + 1)}
        for at in range(len(small) - _PART + 1):
            if small[at : at + _PART] in parts:
                hidden.update(range(at, at + _PART))
    text = "".join(_HIDDEN if at in hidden else c for at, c in enumerate(path))
    readable = os.fsencode(text).decode(errors="replace")
    return "".join(c if c.isprintable() else "?" for c in readable)
