"""Turns the bytes of an input into the choices and texts of a test case.

Choices are taken from the beginning, one byte each, and the text is what remains. So a change of
one byte changes one choice or one place in the text, and corpora stay valid when a target gets more
options for a choice. It is written in Python, so that corpora can be replayed without atheris.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

_T = TypeVar("_T")

#: Separates the texts of an input that has several.
SEPARATOR: Final = b"\xff"


class Choices:
    """The choices and texts of one input. After its end, each choice is the first option."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """The next byte, or 0 after the end."""
        self._at += 1
        return self._data[self._at - 1] if self._at <= len(self._data) else 0

    def pick(self, options: Sequence[_T]) -> _T:
        """One of the options."""
        return options[self.byte() % len(options)]

    def flag(self) -> bool:
        """Yes or no; no after the end."""
        return self.byte() % 2 == 1

    def rest(self) -> bytes:
        """Everything that no choice used."""
        return self._data[self._at :]

    def text(self) -> str:
        """The rest as text. Bytes that are not UTF-8 become lone surrogates."""
        return as_text(self.rest())

    def parts(self, number: int) -> list[bytes]:
        """The rest in parts; parts that are missing are empty."""
        parts = self.rest().split(SEPARATOR, number - 1)
        return parts + [b""] * (number - len(parts))


def as_text(data: bytes) -> str:
    """Any bytes as text. Bytes that are not UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")
