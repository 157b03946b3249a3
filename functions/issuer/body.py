"""Reads a request's body: a JSON object of limited size whose fields are known and typed.

A mistake results in status 400, a body that is too large in 413.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from typing import Final, TypeVar

from issuer.problems import Problem
from zego import strict_json

#: Largest body, in bytes, unless a route sets another limit.
MAX_BYTES: Final = 16 * 1024
#: A problem repeats only names that look like a field's. Secrets and tokens are longer.
_FIELD_NAME: Final = re.compile(r"[A-Za-z_]\w{0,23}", re.ASCII)

#: Common mistakes that the first bytes of a body show, and what to do about each.
_BEGINNINGS: Final = (
    (codecs.BOM_UTF8, "The body begins with a byte order mark (BOM). Send UTF-8 without one."),
    (codecs.BOM_UTF16_LE, "The body is in UTF-16. Send UTF-8."),
    (codecs.BOM_UTF16_BE, "The body is in UTF-16. Send UTF-8."),
    (b"\x1f\x8b", "The body is compressed with gzip. Send it without compression."),
)

_T = TypeVar("_T", str, int, list[object])


def read_object(body: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, object]:
    """The body's object; an empty object if there is no body.

    :raises Problem: ``body_too_large``, ``invalid_json``, ``body_not_object``.
    """
    if len(body) > max_bytes:
        detail = f"The body has {len(body)} bytes; the limit is {max_bytes}."
        raise Problem("body_too_large", detail)
    if not body.strip():
        return {}
    try:
        values = strict_json.loads(body)
    except ValueError:
        details = (detail for start, detail in _BEGINNINGS if body.startswith(start))
        raise Problem("invalid_json", next(details, "Send a JSON object in UTF-8.")) from None
    return as_object(values)


def as_object(value: object) -> dict[str, object]:
    """Check that parsed JSON is an object.

    :raises Problem: ``body_not_object``.
    """
    if not isinstance(value, dict):
        raise Problem("body_not_object", f"Send a JSON object, not {strict_json.type_name(value)}.")
    return value


def refuse_unknown(values: Mapping[str, object], known: frozenset[str]) -> None:
    """Refuse unknown fields, because a misspelt one would have no effect.

    :raises Problem: ``unknown_field``.
    """
    unknown = sorted(values.keys() - known)
    if unknown:
        name = unknown[0] if _FIELD_NAME.fullmatch(unknown[0]) else None
        detail = f"The allowed fields are {', '.join(sorted(known))}."
        raise Problem("unknown_field", detail, field=name)


def optional(values: Mapping[str, object], field: str, kind: type[_T], expected: str) -> _T | None:
    """A field's value; ``None`` if it is absent. A boolean is always the wrong type.

    ``60.0`` is the integer 60, as in JSON Schema: some languages have only one type for numbers.

    :param expected: what the value must be, for the message.
    :raises Problem: ``wrong_type``.
    """
    if field not in values:
        return None
    value = values[field]
    if kind is int and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise wrong_type(field, expected, value)
    return value


def wrong_type(field: str, expected: str, value: object) -> Problem:
    """The problem of a field whose value has the wrong JSON type."""
    return Problem(
        "wrong_type",
        f"{field} must be {expected}, not {strict_json.type_name(value)}.",
        field=field,
    )
