"""Strict JSON in UTF-8, as in RFC 8259: refuses ``NaN`` and ``Infinity``, which Python accepts.

Encoder and decoder are made once; ``json.loads`` and ``json.dumps`` with options would make one
per call.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NoReturn

_TYPE_NAMES: Final[Mapping[type, str]] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a fraction",
    type(None): "null",
    dict: "an object",
    list: "an array",
}


def refuse(constant: str) -> NoReturn:
    """For ``json.JSONDecoder(parse_constant=...)``.

    :raises ValueError: always.
    """
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(parse_constant=refuse)
_encoder = json.JSONEncoder(separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """Read JSON.

    :raises ValueError: it is not JSON, or nested too deep for Python.
    """
    decoded = text.decode() if isinstance(text, bytes) else text
    try:
        return _decoder.decode(decoded)
    except RecursionError:
        reason = "nested too deep"
    except ValueError as error:
        reason = str(error)
    raise ValueError(reason)  # outside of the except block: the error above holds the whole text


def loads_object(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object.

    :raises ValueError: it is something else.
    """
    values = loads(text)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    return values


def dumps(value: object) -> str:
    """Write JSON in ASCII, without white space.

    :raises ValueError: the value is nested too deep for Python.
    """
    try:
        return _encoder.encode(value)
    except RecursionError:
        raise ValueError("nested too deep") from None


def type_name(value: object) -> str:
    """The JSON type of a value, in words: ``a string``, ``a fraction``, ``null``."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)
