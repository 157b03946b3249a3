"""Undoes what happened to a token on its way.

:func:`unwrap` removes what is around a token (quotes, a header's name, a JSON response) and
decodes a token that HTML, JSON, a shell, a URL, e-mail or a second base64 encoded.
"""

from __future__ import annotations

import html
import re
from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import unquote

from zego import strict_json
from zego.diagnosis.model import Observation, found
from zego.token04 import PREFIX

#: The repaired text, and what was wrong with it; ``None`` if nothing was.
RepairResult = tuple[str, Observation | None]
Repair = Callable[[str], RepairResult]

#: The beginning of every token whose expiry is in Unix seconds, or in milliseconds.
BEGINS: Final = PREFIX + "AAA"

#: A token with nothing around it, and not encoded as a whole.
_BARE: Final = re.compile(rf"{PREFIX}[0-9A-Za-z+/]*={{0,2}}")
_QUOTES: Final = "\"'`\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb"
#: Soft hyphens, zero-width characters, text directions, byte order marks; and control characters,
#: some of which a terminal adds to pasted text.
_INVISIBLE: Final = re.compile(
    "\x1b\\[[0-9;]*[A-Za-z~]"
    "|[\x00-\x08\x0e-\x1b\x7f\u00ad\u034f\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]"
)
_TOKEN: Final = re.compile(
    rf"(?<![0-9A-Za-z+/]){BEGINS}(?:[0-9A-Za-z+/_-]|%(?:25)*(?:2[BbFf]|3[Dd])){{20,}}+"
    r"(?![^\W\x00-\x7f])=*+(?:(?:#|%(?:25)*23)[0-9A-Za-z+/_=%-]+)?"
)
_JWT: Final = re.compile(r"(?<![\w.-])eyJ[\w-]{10,}+\.[\w-]{4,}+\.[\w-]*+", re.ASCII)
#: JSON in base64 in a URL or a sentence, perhaps with a signature.
_JSON: Final = re.compile(
    r"(?<=[\s=])(?:04)?eyJ[\w+/-]{16,}+=*+(?:[.:|]?[\w+/-]{16,}+=*+)?", re.ASCII
)
_SCHEME: Final = re.compile(
    r"(?i:(?:authorization|token|x-[\w-]{1,30})\s*[:=]\s*(?:bearer\s+)?|(?:bearer|token)\s+)"
)
#: One repair may uncover the need for another: quotes in a URL in a JSON text.
_MAX_ROUNDS: Final = 12
_TWICE: Final = "MDRBQUF"  # the same in base64
_BACKSLASH: Final = re.compile(
    r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL | re.ASCII
)
_ESCAPED: Final[dict[str, str]] = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ENTITY: Final = re.compile(r"&#?\w{1,16};", re.ASCII)
_MAIL: Final = re.compile(r"=(?:\r?\n|([0-9A-F]{2}))")


def unwrap(text: str) -> tuple[str, list[Observation]]:
    """Remove what was put around the text, decode it, and report what that was."""
    problems: dict[str, Observation] = {}
    for _ in range(_MAX_ROUNDS):
        if _BARE.fullmatch(text):
            break
        before = text
        for repair in _REPAIRS:
            text, problem = repair(text)
            if problem is not None:
                problems.setdefault(problem.kind, problem)
            if text != before:
                break
        else:
            break
    return text, list(problems.values())


def standard_base64(text: str) -> str:
    """Base64 of either alphabet, with or without padding, in the form that ``b64decode`` reads."""
    standard = text.rstrip("=").replace("-", "+").replace("_", "/")
    return standard + "=" * (-len(standard) % 4)


def readable_bytes(text: str) -> bytes:
    """What base64 of either alphabet contains, without a last character that makes no byte."""
    bare = text.rstrip("=")
    return b64decode(standard_base64(bare[: -1 if len(bare) % 4 == 1 else None]))


def _without_invisible(text: str) -> RepairResult:
    is_plain = text.isascii() and text.isprintable()
    first = None if is_plain else _INVISIBLE.search(text)
    if first is None:
        return text, None
    return _INVISIBLE.sub("", text), found("invisible", codepoint=f"{ord(first[0][0]):04X}")


def _without_space_around(text: str) -> RepairResult:
    stripped = text.strip()
    if not stripped:  # an empty text is another finding
        return stripped, None
    return stripped, None if stripped == text else found("white-space")


def _without_response(text: str) -> RepairResult:
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
    """The texts in a JSON response that are tokens by their beginning or by their name."""
    if levels == 0 or not isinstance(values, dict | list):
        return
    named = values.items() if isinstance(values, dict) else (("", value) for value in values)
    for name, value in named:
        if not isinstance(value, str):
            yield from _tokens_in(value, levels - 1)
        elif value.startswith(BEGINS) or ("token" in name.lower() and "type" not in name.lower()):
            yield value


def _without_quotes(text: str) -> RepairResult:
    if text.startswith('"') and (content := _json_string(text)) is not None:
        return content, found("quoted")
    bare = text.rstrip(",; ")
    stripped = bare.strip(_QUOTES)
    has_quotes = len(stripped) < len(bare)
    return (stripped, found("quoted")) if has_quotes else (text, None)


def _json_string(text: str) -> str | None:
    """The text in a JSON string; ``None`` if the text is not one."""
    try:
        return str(strict_json.loads(text))
    except ValueError:
        return None


def _without_entities(text: str) -> RepairResult:
    decoded = _ENTITY.sub(_character, text)
    if decoded == text:
        return text, None
    return decoded, found("escaped", what="HTML (&#x3D; for =)")


def _character(entity: re.Match[str]) -> str:
    return html.unescape(entity[0]).replace("\xa0", " ")  # as a page shows &nbsp;


def _without_backslashes(text: str) -> RepairResult:
    if "\\" not in text or not _BACKSLASH.search(text):
        return text, None
    what = "JSON or a shell, with backslashes"
    return _BACKSLASH.sub(_unescaped, text), found("escaped", what=what)


def _unescaped(escape: re.Match[str]) -> str:
    of_json, of_a_shell, character = escape.groups()
    if character is not None:
        return _ESCAPED.get(character, character)
    return chr(int(of_json or of_a_shell, 16))


def _without_percent(text: str) -> RepairResult:
    decoded = unquote(text, errors="replace")
    return (text, None) if decoded == text else (decoded, found("url-encoded"))


def _without_mail_coding(text: str) -> RepairResult:
    if not text.startswith(BEGINS) or "=3D" not in text:
        return text, None
    decoded = _MAIL.sub(lambda one: chr(int(one[1], 16)) if one[1] else "", text)
    return decoded, found("escaped", what="e-mail (=3D for =)")


def _without_base64(text: str) -> RepairResult:
    if not text.startswith(_TWICE):
        return text, None
    standard = standard_base64("".join(text.split()))
    try:
        decoded = b64decode(standard, validate=True).decode("ascii")
    except ValueError:
        return text, None
    return decoded, found("base64-twice")


def _without_surroundings(text: str) -> RepairResult:
    if text.startswith((PREFIX, "eyJ")):
        return text, None
    inner = _TOKEN.search(text) if BEGINS in text else None
    if inner is None and "eyJ" in text:
        inner = _JWT.search(text) or _JSON.search(text)
    if inner is not None:
        return inner[0], found("surrounded")
    scheme = _SCHEME.match(text)
    rest = text[scheme.end() :] if scheme else ""
    return (rest, found("surrounded")) if rest else (text, None)


_REPAIRS: Final[tuple[Repair, ...]] = (
    _without_invisible,
    _without_space_around,
    _without_response,
    _without_quotes,
    _without_entities,
    _without_backslashes,
    _without_percent,
    _without_mail_coding,
    _without_base64,
    _without_surroundings,
)
