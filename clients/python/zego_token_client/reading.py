"""JSON values, read as the dataclasses that they should be.

A type hint is the whole description: scalars, ``X | None``, tuples, mappings and other dataclasses.
Fields that a newer service adds are passed over; one with a default may be missing.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar, cast

T = TypeVar("T")


class ShapeError(ValueError):
    """A value is not what its field says. The message names the field, and not the value."""


def read(kind: type[T], values: Mapping[str, object]) -> T:
    """The dataclass that a JSON object describes.

    :raises ShapeError: it does not.
    """
    return cast("T", _read(kind, values, "the answer"))


def _read(hint: Any, value: Any, place: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):  # of one type and None, in either spelling
        return None if value is None else _read(arguments[0], value, place)
    if origin is tuple and isinstance(value, list):
        return tuple(_read(arguments[0], item, place) for item in value)
    if isinstance(value, dict):
        if dataclasses.is_dataclass(hint):
            return _read_fields(hint, value)
        if origin is Mapping:
            return {name: _read(arguments[1], item, place) for name, item in value.items()}
    if hint is object or type(value) is hint:
        return value
    if hint is float and type(value) is int:
        with suppress(OverflowError):  # JSON has numbers that no float reaches
            return float(value)
    raise ShapeError(f"{place} has the wrong type")


def _read_fields(kind: Any, values: Mapping[str, Any]) -> Any:
    read = {}
    for field in dataclasses.fields(kind):
        if field.name in values:
            read[field.name] = _read(_hints(kind)[field.name], values[field.name], field.name)
        elif field.default is dataclasses.MISSING:
            raise ShapeError(f"{field.name} is missing")
    return kind(**read)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
