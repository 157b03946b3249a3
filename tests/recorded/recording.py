"""Recordings of the interfaces: JSON files that tests compare with the current output.

What differs from run to run is replaced by a name first (:func:`normalised`): the same value has
the same name within a recording, so a recording also shows which ids and times are the same.
"""

from __future__ import annotations

import difflib
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

FOLDER: Final = Path(__file__).parent / "recordings"
_WIDTH: Final = 100
_DIFF_LINES: Final = 80

#: Invented account ids, which look like fingerprints.
_ACCOUNT: Final = re.compile("000000000[0-9]{3}|111122223333")
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?|\b\d\d:\d\d(?::\d\d)? UTC"
)
_VARYING_TEXT: Final = re.compile(
    r"(?<=in )\d+(?:\.\d+ s| ms)\b|\d+ (?:d|h|min|s)(?: \d+ (?:h|min|s))?(?= ago| old)"
    r"|(?<=, line )\d+"
)
#: In this order: a later pattern may match a part of an earlier one.
_NAMES: Final[Mapping[str, str]] = {
    "secret ARN": r"arn:aws:secretsmanager:us-east-1:[0-9]{12}:secret:zego/server-secret-\w{6}",
    "token": r"04AAAA[A-Za-z0-9+/]{60,}={0,2}",
    "id": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?:heal|restore)-[0-9a-f]{16}-[0-9a-f]{16}-[0-9a-f]{12}",
    "short id": r"(?<= on )[0-9a-f]{8}\b|(?<=version )[0-9a-f]{8}\b",
    "sha256": r"\b[0-9a-f]{64}\b",
    "random": r"(?<=call_)[0-9a-f]{32}\b|\b[0-9a-f]{32}\b|(?<=doctor_)[0-9a-f]{8,}\b",
    "request id": r"(?<![\w/+-])[\w/+-]{15}=(?![\w=])",
    "fingerprint": r"(?<![\w-])[0-9a-f]{12}(?![\w-])",
}
_PORT: Final = re.compile(r"(?<=127\.0\.0\.1:)\d+|(?<=localhost:)\d+")
_SECONDS: Final = re.compile(r"(?<![\w.-])[12]\d{9}(?![\w.])")
#: Numbers for durations and clock skews, and random values.
_VARYING: Final = ("seconds", "clock_skew_seconds", "age_seconds", "age_days", "nonce", "length")
#: A time this close to a whole minute from now counts as that minute.
_NEAR_SECONDS: Final = 15
#: A time this far from now is invented by a test.
_THIS_RUN_SECONDS: Final = 2 * 86400


def normalised(value: Any, *folders: Path, now: float | None = None) -> Any:
    """The value with names instead of what differs from run to run.

    :param folders: of this run.
    """
    return _Normaliser(folders, time.time() if now is None else now)(value)


def check(name: str, value: Any, request: pytest.FixtureRequest) -> None:
    """Compare a value with its recording, or with ``--record`` write it again.

    :param value: JSON, normalised.
    """
    path = FOLDER / f"{name}.json"
    now = f"{_text(value)}\n"
    if request.config.getoption("--record"):
        path.write_text(now, encoding="utf-8")
        return
    if not path.exists():
        pytest.fail(f"There is no recording {path.name} yet. Run make record.", pytrace=False)
    recorded = path.read_text(encoding="utf-8")
    if json.loads(recorded) == json.loads(now):
        return
    before, after = (_text(json.loads(text), sort=True).splitlines() for text in (recorded, now))
    lines = list(difflib.unified_diff(before, after, "recorded", "now", lineterm="", n=4))
    left = len(lines) - _DIFF_LINES
    more = [f"... and {left} lines more"] if left > 0 else []
    pytest.fail(
        "\n".join(
            [
                f"{name} is not as it was recorded in {path.relative_to(FOLDER.parents[2])}:",
                *lines[:_DIFF_LINES],
                *more,
                "If this change is meant, run make record.",
            ]
        ),
        pytrace=False,
    )


class _Normaliser:
    """Replaces within one recording."""

    def __init__(self, folders: tuple[Path, ...], now: float) -> None:
        self._folders = [str(folder) for folder in folders]
        self._now = now
        self._names: dict[str, dict[str, str]] = defaultdict(dict)

    def __call__(self, value: Any) -> Any:
        match value:
            case dict():
                return self._object(value)
            case list() | tuple():
                return self._array([self(item) for item in value])
            case str():
                return self._string(value)
            case int() | float() if not isinstance(value, bool):
                return self._number(value, self._now)
        return value

    def _object(self, value: dict[str, Any]) -> dict[str, Any]:
        issued = value.get("issued_at", value.get("issuedAt"))
        found = {}
        for key, item in value.items():
            name = self._string(key)
            is_moment = isinstance(item, int) and not isinstance(item, bool) and item > 1e9
            if name in _VARYING and isinstance(item, int | float):
                found[name] = "<varies>"
            elif isinstance(issued, int) and is_moment and key not in {"app_id", "appId"}:
                found[name] = f"<issued+{item - issued}>"
            else:
                found[name] = self(item)
        return found

    @staticmethod
    def _array(items: list[Any]) -> list[Any]:
        if len(items) > 3 and all(_shape(item) == _shape(items[0]) for item in items):
            return [items[0], f"<{len(items) - 1} more like it>"]
        return items

    def _string(self, text: str) -> str:
        for folder in self._folders:
            text = text.replace(folder, "<folder>")
        for name, pattern in _NAMES.items():
            text = re.sub(pattern, self._naming(name), text)
        text = _PORT.sub("<port>", text)
        text = _MOMENT.sub("<time>", text)
        text = _VARYING_TEXT.sub("<varies>", text)
        return _SECONDS.sub(lambda found: str(self._number(int(found[0]), self._now)), text)

    def _naming(self, name: str) -> Callable[[re.Match[str]], str]:
        def named(found: re.Match[str]) -> str:
            if _ACCOUNT.fullmatch(found[0]):
                return found[0]
            known = self._names[name]
            return known.setdefault(found[0], f"<{name} {len(known) + 1}>")

        return named

    @staticmethod
    def _number(value: float, now: float) -> Any:
        offset = value - now
        if abs(offset) > _THIS_RUN_SECONDS:
            return value
        minutes = round(offset / 60)
        if abs(offset - minutes * 60) > _NEAR_SECONDS:
            return "<time>"
        return f"<now{minutes * 60:+d}>" if minutes else "<now>"


def _shape(value: Any) -> Any:
    """The value without the numbers of its names."""
    return re.sub(r"(?<=<)(\w+) \d+(?=>)", r"\1", json.dumps(value))


def _text(value: Any, indent: str = "", *, sort: bool = False) -> str:
    """JSON with one line for each part that fits into a line."""
    short = json.dumps(value, ensure_ascii=False, sort_keys=sort)
    if len(indent) + len(short) <= _WIDTH or not isinstance(value, dict | list) or not value:
        return short
    deeper = f"{indent}  "
    if isinstance(value, list):
        parts = [_text(item, deeper, sort=sort) for item in value]
    else:
        items = sorted(value.items()) if sort else value.items()
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {_text(item, deeper, sort=sort)}"
            for key, item in items
        ]
    opening, closing = ("[", "]") if isinstance(value, list) else ("{", "}")
    inside = f",\n{deeper}".join(parts)
    return f"{opening}\n{deeper}{inside}\n{indent}{closing}"
