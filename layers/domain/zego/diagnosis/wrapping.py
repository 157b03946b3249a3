"""What stands around a token, or was done to it as a whole, on its way."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from zego import strict_json
from zego.diagnosis import escapes
from zego.diagnosis.escapes import BEGINS, Undo, Undone
from zego.diagnosis.findings import Found, found
from zego.token04 import PREFIX

#: Nothing is around a token, and nothing was done to it as a whole.
_BARE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z+/]*={{0,2}}")
_QUOTES: Final = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
#: Soft hyphens, zero widths, directions, byte order marks; control characters, of which a terminal
#: leaves some with what is pasted.
_INVISIBLE: Final = re.compile(
    "\x1b\\[[0-9;]*[A-Za-z~]"
    "|[\x00-\x08\x0e-\x1b\x7f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_TOKEN: Final = re.compile(
    rf"(?<![0-9A-Za-z+/]){BEGINS}(?:[0-9A-Za-z+/_-]|%(?:25)*(?:2[BbFf]|3[Dd])){{20,}}+"
    r"(?![^\W\x00-\x7f])=*+(?:(?:#|%(?:25)*23)[0-9A-Za-z+/_=%-]+)?"
)
_JWT: Final = re.compile(r"(?<![\w.-])eyJ[\w-]{10,}+\.[\w-]{4,}+\.[\w-]*+", re.ASCII)
_SCHEME: Final = re.compile(
    r"(?i:(?:authorization|token|x-[\w-]{1,30})\s*[:=]\s*(?:bearer\s+)?|(?:bearer|token)\s+)"
)
#: What is undone may uncover more: quotes in a URL in a JSON text.
_MAX_ROUNDS: Final = 12


def unwrap(text: str) -> tuple[str, list[Found]]:
    """The text without what was put around it or done to it, and what that was."""
    problems: dict[str, Found] = {}
    for _ in range(_MAX_ROUNDS):
        if _BARE.fullmatch(text):
            break
        before = text
        for undo in _UNDO:
            text, problem = undo(text)
            if problem is not None:
                problems.setdefault(problem.kind, problem)
            if text != before:
                break
        else:
            break
    return text, list(problems.values())


def _without_invisible(text: str) -> Undone:
    is_plain = text.isascii() and text.isprintable()
    first = None if is_plain else _INVISIBLE.search(text)
    if first is None:
        return text, None
    return _INVISIBLE.sub("", text), found("invisible", codepoint=f"{ord(first[0][0]):04X}")


def _without_space_around(text: str) -> Undone:
    stripped = text.strip()
    if not stripped:  # nothing at all is another finding
        return stripped, None
    return stripped, None if stripped == text else found("white-space")


def _without_answer(text: str) -> Undone:
    if not text.startswith(("{", "[")):
        return text, None
    try:
        tokens = list(_tokens_in(strict_json.loads(text)))
    except ValueError:
        return text, None
    if not tokens:
        return text, None
    best = next((one for one in tokens if one.startswith(BEGINS)), tokens[0])
    return best, found("whole-answer")


def _tokens_in(values: object, levels: int = 5) -> Iterator[str]:
    """The texts in a JSON answer that are tokens by their beginning or by their name."""
    if levels == 0 or not isinstance(values, dict | list):
        return
    named = values.items() if isinstance(values, dict) else (("", value) for value in values)
    for name, value in named:
        if not isinstance(value, str):
            yield from _tokens_in(value, levels - 1)
        elif value.startswith(BEGINS) or ("token" in name.lower() and "type" not in name.lower()):
            yield value


def _without_quotes(text: str) -> Undone:
    if text.startswith('"') and (content := _json_string(text)) is not None:
        return content, found("quoted")
    bare = text.rstrip(",; ")
    stripped = bare.strip(_QUOTES)
    has_quotes = len(stripped) < len(bare)
    return (stripped, found("quoted")) if has_quotes else (text, None)


def _json_string(text: str) -> str | None:
    """What a JSON string holds; ``None``: it is none."""
    try:
        return str(strict_json.loads(text))
    except ValueError:
        return None


def _without_surroundings(text: str) -> Undone:
    if text.startswith((PREFIX, "eyJ")):
        return text, None
    inner = _TOKEN.search(text) if BEGINS in text else None
    if inner is None and "eyJ" in text:
        inner = _JWT.search(text)
    if inner is not None:
        return inner[0], found("surrounded")
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else ""
    return (rest, found("surrounded")) if rest else (text, None)


_UNDO: Final[tuple[Undo, ...]] = (
    _without_invisible,
    _without_space_around,
    _without_answer,
    _without_quotes,
    *escapes.UNDO,
    _without_surroundings,
)
