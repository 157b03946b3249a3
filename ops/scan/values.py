"""The search for the secret itself, in the forms in which it leaks.

Data is normalised first: to lower case, and without any character that some form puts between the
characters of a value. So one search finds ``"0123" + "4567"``, an array of characters and UTF-16,
another finds hex and URL-encoding, and so on. A search in the normal form takes one pass of C and
no regular expression.
"""

from __future__ import annotations

import base64
import html
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal
from urllib.parse import quote

Form = Literal[
    "as it is",
    "in other letters' case",
    "in pieces",
    "in UTF-16",
    "in hex",
    "URL-encoded",
    "in escapes",
    "as numbers",
    "in base64",
]

#: In the normal form; a shorter value would be found by chance.
SHORTEST: Final = 16

_SMALL: Final = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
#: White space, the zeros of UTF-16, quotes, and the marks of escapes, lists and sums.
_BETWEEN: Final = b" \t\r\n\f\v\0" + string.punctuation.encode()


@dataclass(frozen=True, slots=True, repr=False)
class Value:
    """A value to search for; its repr shows nothing.

    :ivar label: of Secrets Manager, or of a given secret (:mod:`ops.inspect.secrets`).
    :ivar fingerprint: of the ServerSecret; ``None``: it is unknown.
    :raises ValueError: it has so few letters and digits that it would be found by chance.
    """

    label: str
    text: str
    fingerprint: str | None = None
    needles: tuple[tuple[bytes, Form], ...] = field(init=False)

    def __post_init__(self) -> None:
        if len(_normal(self.text.encode())) < SHORTEST:
            raise ValueError(f"it has fewer than {SHORTEST} letters and digits")
        needles = {_normal(needle): form for needle, form in _forms(self.text.encode())}
        object.__setattr__(self, "needles", tuple(needles.items()))

    def __repr__(self) -> str:
        return f"<Value {self.label}>"


def find(data: bytes, values: Sequence[Value]) -> Iterator[tuple[Value, Form, int, int]]:
    """The values found, with their forms and positions; in no order."""
    if not values:
        return
    normal = _normal(data)
    for value in values:
        for needle, form in value.needles:
            taken, at = 0, 0  # positions in the normal form and in the data
            index = normal.find(needle)
            while index >= 0:
                start = _place(data, at, index - taken)
                end = _place(data, start, len(needle) - 1) + 1
                yield value, _as_written(data[start:end], value.text, form), start, end
                taken, at = index + len(needle), end
                index = normal.find(needle, taken)


def _normal(data: bytes) -> bytes:
    return data.translate(_SMALL, _BETWEEN)


def _place(data: bytes, at: int, kept: int) -> int:
    """The position after ``at`` with ``kept`` bytes of the normal form before it."""
    step = kept + 64
    while True:
        count = len(data[at : at + step].translate(None, _BETWEEN))
        if count <= kept:
            kept -= count
            at += step
        elif step == 1:
            return at
        else:
            step //= 2


def _forms(value: bytes) -> Iterator[tuple[bytes, Form]]:
    text = value.decode()
    yield b"".join(b"%d" % byte for byte in value), "as numbers"
    for pattern in (b"0x%x", b"x%02x", b"u00%02x", b"%03o"):
        yield b"".join(pattern % byte for byte in value), "in escapes"
    yield value.hex().encode(), "in hex"
    for skipped in range(3):  # bytes of the group of three in which the value begins
        encoded = base64.b64encode(b"\0" * skipped + value)
        whole = (skipped + len(value)) * 8 // 6
        yield encoded[-(-skipped * 8 // 6) : whole], "in base64"
    yield html.escape(text).encode(), "in escapes"
    yield quote(text, safe="").encode(), "URL-encoded"
    yield value, "as it is"  # last, so that it wins over equal forms


def _as_written(found: bytes, text: str, form: Form) -> Form:
    """The exact form, if one search finds several forms."""
    if form == "in hex" and b"%" in found:
        return "URL-encoded"
    if form != "as it is" or found == text.encode():
        return form
    if found.lower() == text.lower().encode():
        return "in other letters' case"
    return "in UTF-16" if b"\0" in found else "in pieces"
