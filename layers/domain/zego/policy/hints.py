"""What a refusal says of a value that does not fit: what came, what was expected, how they differ.

Everything that comes from a stranger is cut and made printable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from zego import printable, strict_json

#: Words that name a stage in an URL or an audience.
_STAGES: Final = frozenset(
    {"dev", "development", "test", "testing", "qa", "uat", "stg", "stage", "staging", "preprod"}
    | {"prod", "production", "live", "local", "sandbox"}
)
#: What makes two texts equal that differ only by a common mistake, by its name.
_NORMAL_FORMS: Final[Mapping[str, Callable[[str], str]]] = {
    "white space": str.strip,
    "a slash at the end": lambda text: text.strip().rstrip("/"),
    "http or https": lambda text: re.sub(r"^https?://", "//", text.strip(), flags=re.IGNORECASE),
    "upper and lower case": str.casefold,
}


def came(name: str, value: object, expected: Iterable[object]) -> str:
    """What came and what was expected, for the audit log."""
    wanted = ", ".join(map(shown, expected)) or "nothing"
    return f"{printable(name)} is {shown(value)}; expected {wanted}."


def shown(value: object) -> str:
    """A claim or a header, as the audit log shows it."""
    if value is None:
        return "absent"
    if isinstance(value, str):
        return f'"{printable(value)}"'
    try:
        return printable(strict_json.dumps(value))
    except ValueError:
        return strict_json.type_name(value)


def brief(value: object) -> str:
    """A text of at most 20 characters, or the type of another value."""
    return printable(value, most=20) if isinstance(value, str) else strict_json.type_name(value)


def near_miss(sent: Iterable[str], expected: Iterable[str]) -> str:
    """The hint that a value differs from an expected one only by a common mistake, if one does."""
    known = [*expected]
    found = (_difference(one, other) for one in sent for other in known)
    first = next(filter(None, found), None)
    return "" if first is None else f" It differs from the expected one only by {first}."


def _difference(sent: str, expected: str) -> str | None:
    """In what alone two texts differ, in words, if it is a common mistake."""
    for name, form in _NORMAL_FORMS.items():
        if form(sent) == form(expected):
            return name
    words, others = (re.split(r"[^a-z0-9]+", text.casefold()) for text in (sent, expected))
    if words != others and _without_stages(words) == _without_stages(others):
        return "the name of a stage"
    return None


def _without_stages(words: list[str]) -> list[str]:
    return [word for word in words if word and word not in _STAGES]
