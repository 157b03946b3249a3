"""What stands where a token should: no value as text, a placeholder, a page, another answer."""

from __future__ import annotations

import re
from typing import Final

from zego import strict_json
from zego.diagnosis.findings import Found, found
from zego.token04 import PREFIX

#: What languages make of what is no text, where text is wanted.
_NO_VALUES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile("undefined"), "JavaScript's undefined (a variable or field that is not there)"),
    (re.compile("(?i:null|none|nil|<nil>|nullptr)"), "a missing value (null, None, nil)"),
    (re.compile("(?i:true|false)"), "a truth value (whether there is a token)"),
    (re.compile("NaN"), "NaN (a token was taken for a number)"),
    (re.compile(r"\[object Promise\]|Promise \{.*", re.DOTALL), "a promise that nobody awaited"),
    (re.compile("<coroutine object .*", re.DOTALL), "a coroutine that nobody awaited"),
    (re.compile(r"\[object \w+\]|Array"), "an object (the token is one of its fields)"),
    (
        re.compile(r"(?:async )?function\b.*|\([\w, ]*\) ?=>.*", re.DOTALL),
        "a function that was not called",
    ),
)
#: A parameter of a URL, or a field, that has such a value.
_FIELD: Final = re.compile(r"token[\"']?\s*[=:]\s*(undefined|null|NaN|\[object \w+\])(?![\w-])")
_PLACEHOLDER: Final = re.compile(
    r"\$\{?\w+\}?|%\w+%|<[\w -]+>|\{\{[^{}]*\}\}|\{\w+\}|(?:process|import\.meta)\.env\.\w+"
    r"|(?i:(?:enter|insert|paste|put)?[ _-]*(?:your|my|the)[ _-](?:\w+[ _-])?token(?:[ _-]here)?"
    r"|change[ _-]?me|replace[ _-]?me|todo|token|placeholder|x{3,})"
)
_PAGE: Final = re.compile(r"<(?:!doctype|html|head|body|\?xml|script|!--)", re.IGNORECASE)
_LONGEST: Final = 300

_CLAIMS: Final = {"app_id", "user_id", "ctime", "expire"}
_ERROR: Final = {"error", "errors", "message", "detail", "title", "code", "Code"}


def recognise(text: str) -> Found | None:
    """What it is, if it is no token of anybody's."""
    if not text:
        return found("empty")
    if text.startswith(PREFIX):
        return None
    if _PAGE.match(text):
        return found("html-page")
    if text.startswith(("{", "[")) and (what := _json(text)):
        return found("answer-without-token", what=what)
    return None if len(text) > _LONGEST else _word(text)


def _word(text: str) -> Found | None:
    field = _FIELD.search(text)
    value = field[1] if field else text
    for pattern, what in _NO_VALUES:
        if pattern.fullmatch(value):
            return found("no-value", what=what)
    return found("placeholder") if _PLACEHOLDER.fullmatch(value) else None


def _json(text: str) -> str | None:
    """What a JSON object or array without a token in it may be; ``None``: it is none."""
    try:
        values = strict_json.loads(text)
    except ValueError:
        return None
    names = set(values) if isinstance(values, dict) else set[str]()
    if _CLAIMS & names:
        return "claims that were never sealed"
    return "an error, it seems" if _ERROR & names else "another answer, or one without the token"
