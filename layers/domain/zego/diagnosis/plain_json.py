"""What was sealed, as values that any writer of JSON and of UTF-8 takes."""

from __future__ import annotations

import math
from typing import Any, Final

#: Claims are flat, and a payload that is an object has three levels.
_LEVELS: Final = 8


def plain(value: Any, levels: int = _LEVELS) -> Any:
    """The same value. In place of what JSON or UTF-8 cannot hold there is text: ``"inf"``,
    ``"\\\\ud800"``; in place of what is nested deeper than anything of ZEGO's, ``"..."``.
    """
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        return "..."
    if isinstance(value, list):
        return [plain(one, levels - 1) for one in value]
    return {encodable(name): plain(one, levels - 1) for name, one in value.items()}


def encodable(text: str) -> str:
    """The same text, with halves of surrogate pairs written as escapes."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
