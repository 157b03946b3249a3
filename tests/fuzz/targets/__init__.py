"""The targets: each module has an invariant, the check of one input, seeds and a dictionary.

==============  ===================================================================================
``INVARIANT``   what holds for every input, in one line
``check``       checks one input; raises if the invariant does not hold
``seeds``       inputs that the search starts with, next to the kept corpus
``WORDS``       texts that are worth inserting into inputs
==============  ===================================================================================

The first byte of an input chooses what the rest is: arbitrary text for the first check of the code,
or a part of something valid, such as what is sealed in a token.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Final, Protocol, cast

#: In the order in which they run.
TARGETS: Final = ("codec", "bearer", "policy", "secret", "body", "diagnosis")
#: The shortest text that cannot be in a sentence by chance.
TELLTALE: Final = 12


class FuzzTarget(Protocol):
    """What each module of a target has."""

    INVARIANT: str
    WORDS: tuple[str, ...]

    def check(self, data: bytes) -> None: ...

    def seeds(self) -> Iterable[bytes]: ...


def check_message(message: object, *hidden: str) -> None:
    """Check that a message says something, and contains none of the hidden texts."""
    text = str(message)
    assert text
    for one in hidden:
        assert len(one) < TELLTALE or one not in text, "a message repeats what must be hidden"


def load(name: str) -> FuzzTarget:
    """Import one of :data:`TARGETS`."""
    return cast("FuzzTarget", importlib.import_module(f"{__name__}.{name}"))
