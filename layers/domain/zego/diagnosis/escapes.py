"""A token whose characters are written as another format writes them, and what undoes that."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from zego.diagnosis.findings import Found, found
from zego.token04 import PREFIX

#: A text after what was done to it is undone, and what that was, where something was.
Undone = tuple[str, Found | None]
Undo = Callable[[str], Undone]

#: As every token begins whose expiry is Unix seconds, or milliseconds.
BEGINS: Final = PREFIX + "AAA"

_TWICE: Final = "MDRBQUF"  # the same in base64
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_BACKSLASH: Final = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL | re.ASCII
)
_ESCAPED: Final[dict[str, str]] = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ENTITY: Final = re.compile(
    r"&(?:#([0-9]{2,4})|#[xX]([0-9A-Fa-f]{2,4})|(quot|apos|amp|lt|gt|sol|plus|equals|nbsp|num));"
)
_ENTITIES: Final[dict[str, str]] = {
    "quot": '"',
    "apos": "'",
    "amp": "&",
    "lt": "<",
    "gt": ">",
    "sol": "/",
    "plus": "+",
    "equals": "=",
    "nbsp": " ",
    "num": "#",
}
_MAIL: Final = re.compile(r"=(?:\r?\n|([0-9A-F]{2}))")


def _without_entities(text: str) -> Undone:
    if "&" not in text or not _ENTITY.search(text):
        return text, None
    return _ENTITY.sub(_character, text), found("escaped", what="HTML does (&#x3D; for =)")


def _character(entity: re.Match[str]) -> str:
    decimal, hexadecimal, name = entity.groups()
    if name is not None:
        return _ENTITIES[name]
    return chr(int(decimal) if decimal else int(hexadecimal, 16))


def _without_backslashes(text: str) -> Undone:
    if "\\" not in text or not _BACKSLASH.search(text):
        return text, None
    what = "JSON or a shell does, with backslashes"
    return _BACKSLASH.sub(_unescaped, text), found("escaped", what=what)


def _unescaped(escape: re.Match[str]) -> str:
    of_json, of_a_shell, character = escape.groups()
    if character is not None:
        return _ESCAPED.get(character, character)
    return chr(int(of_json or of_a_shell, 16))


def _without_percent(text: str) -> Undone:
    if "%" not in text or not _PERCENT.search(text):
        return text, None
    return unquote(text, errors="replace"), found("url-encoded")


def _without_mail_coding(text: str) -> Undone:
    if not text.startswith(BEGINS) or "=3D" not in text:
        return text, None
    decoded = _MAIL.sub(lambda one: chr(int(one[1], 16)) if one[1] else "", text)
    return decoded, found("escaped", what="e-mail does (=3D for =)")


def _without_base64(text: str) -> Undone:
    if not text.startswith(_TWICE):
        return text, None
    standard = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        decoded = b64decode(standard + "=" * (-len(standard) % 4), validate=True).decode("ascii")
    except ValueError:
        return text, None
    return decoded, found("base64-twice")


UNDO: Final[tuple[Undo, ...]] = (
    _without_entities,
    _without_backslashes,
    _without_percent,
    _without_mail_coding,
    _without_base64,
)
