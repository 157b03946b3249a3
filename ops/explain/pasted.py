"""The codes in what people paste: numbers, lists of them, lines of a log."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import click

from zego.error_codes import resolve

#: A number that is no part of a word, a fraction or a version. No code has more digits.
_NUMBER: Final = re.compile(r"(?<![\w.])(?:0|[1-9][0-9]{0,11})(?!\w|\.[0-9])", re.ASCII)
#: Numbers below it are counts more often than codes.
_COUNTS_END: Final = 100
_LETTER: Final = re.compile(r"[^\W\d_]")


def codes(arguments: Iterable[str]) -> tuple[int, ...]:
    """The codes, each once, in the order in which they stand there.

    :raises UsageError: an argument has digits, and none of them is a code's.
    """
    found = [code for argument in arguments for code in _codes_in(argument)]
    return tuple(dict.fromkeys(found))


def _codes_in(argument: str) -> list[int]:
    numbers = [int(digits) for digits in _NUMBER.findall(argument)]
    if not numbers and any(character.isdigit() for character in argument):
        raise click.UsageError(f"{argument!r} is no code: give its digits alone.")
    if not _LETTER.search(argument):
        return numbers
    # A sentence: its dates, ports and counts are no codes, unless nothing else is.
    known = [n for n in numbers if n >= _COUNTS_END and resolve(n) is not None]
    return known or numbers
