"""What stands around a token, or was done to it as a whole, on its way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from zego import strict_json
from zego.diagnosis.findings import Found, found
from zego.token04 import PREFIX

_QUOTES: Final = "\"'`\u201c\u201d\u2018\u2019\u00ab\u00bb"
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_BACKSLASH: Final = re.compile(r"\\(?:u00([0-9A-Fa-f]{2})|(.))", re.DOTALL)
#: An expiry before the year 36812 has three zero bytes in front: "AAAA" in base64.
_TOKEN: Final = re.compile(r"(?<![0-9A-Za-z+/])04AAAA[0-9A-Za-z+/_%-]{20,}(?:=|%3[Dd])*(?:#\S+)?")
#: What is undone may uncover more: quotes in a URL in a JSON text.
_MAX_ROUNDS: Final = 6

Undone = tuple[str, Found | None]


def unwrap(text: str) -> tuple[str, list[Found]]:
    """The text without what was put around it or done to it, and what that was."""
    problems: dict[str, Found] = {}
    for _ in range(_MAX_ROUNDS):
        before = text
        for undo in _UNDO:
            text, problem = undo(text)
            if problem is not None:
                problems.setdefault(problem.kind, problem)
        if text == before:
            break
    return text, list(problems.values())


def _without_invisible(text: str) -> Undone:
    first = _INVISIBLE.search(text)
    if first is None:
        return text, None
    return _INVISIBLE.sub("", text), found("invisible", codepoint=f"{ord(first[0]):04X}")


def _without_space_around(text: str) -> Undone:
    stripped = text.strip()
    if not stripped:  # nothing at all is another finding
        return stripped, None
    return stripped, None if stripped == text else found("white-space")


def _without_answer(text: str) -> Undone:
    if not text.startswith(("{", "[")):
        return text, None
    try:
        token = _token_in(strict_json.loads(text))
    except ValueError:
        return text, None
    return (text, None) if token is None else (token, found("whole-answer"))


def _token_in(values: object, depth: int = 4) -> str | None:
    """The field of a JSON answer that is the token."""
    if depth == 0 or not isinstance(values, dict):
        return None
    for name, value in values.items():
        if "token" in name.lower() and isinstance(value, str):
            return value
    return next(filter(None, (_token_in(value, depth - 1) for value in values.values())), None)


def _without_quotes(text: str) -> Undone:
    stripped = text.removesuffix(",").removesuffix(";").strip(_QUOTES)
    has_quotes = text.startswith(tuple(_QUOTES)) or text.endswith(tuple(_QUOTES))
    return (stripped, found("quoted")) if has_quotes and stripped else (text, None)


def _without_escapes(text: str) -> Undone:
    if "\\" not in text:
        return text, None
    return _BACKSLASH.sub(_unescaped, text), found("escaped")


def _unescaped(escape: re.Match[str]) -> str:
    code, character = escape.groups()
    if code is not None:
        return chr(int(code, 16))
    return "\n" if character in "nr" else str(character)


def _without_percent(text: str) -> Undone:
    if not _PERCENT.search(text) or "://" in text:
        return text, None
    return unquote(text, errors="replace"), found("url-encoded")


def _without_surroundings(text: str) -> Undone:
    if text.startswith((PREFIX, "{", "[")) or _NON_ASCII.search(text):
        return text, None
    inner = _TOKEN.search(text)
    if inner is not None:
        return inner[0], found("surrounded")
    scheme, _, rest = text.partition(" ")
    is_scheme = scheme.lower() in ("bearer", "token") and rest
    return (rest, found("surrounded")) if is_scheme else (text, None)


_UNDO: Final[tuple[Callable[[str], Undone], ...]] = (
    _without_invisible,
    _without_space_around,
    _without_answer,
    _without_quotes,
    _without_escapes,
    _without_percent,
    _without_surroundings,
)
