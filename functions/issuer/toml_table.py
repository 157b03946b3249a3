"""Typed reading of a TOML table: each method takes one key, or says what is wrong and where."""

from __future__ import annotations

from collections.abc import Mapping


class TableError(ValueError):
    """A key that is unknown, missing or of the wrong type. The message names the place."""


class Table:
    """A table and its place in the file, for messages.

    Every method that reads a key takes a default; without one the key is required.
    """

    def __init__(self, values: Mapping[str, object], place: str) -> None:
        self.values = values
        self.place = place

    def only(self, *known: str) -> None:
        """Refuse keys that nobody reads: a misspelt one would be lost."""
        for key in self.values:
            if key not in known:
                raise TableError(
                    f"{self.place}: unknown key {key!r}; there are {', '.join(sorted(known))}"
                )

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty string."""
        value = self._value(key, default)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, "a non-empty string")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def number(self, key: str) -> int:
        """A whole number."""
        value = self._value(key, None)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(key, "a whole number")
        return value

    def strings(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A non-empty array of non-empty strings."""
        value = self._value(key, default)
        if isinstance(value, tuple):
            return value
        if not isinstance(value, list) or not value:
            raise self._wrong(key, "a non-empty array of strings")
        if not all(isinstance(item, str) and item for item in value):
            raise self._wrong(key, "a non-empty array of strings")
        return tuple(value)

    def table(self, key: str, default: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """A table."""
        value = self._value(key, default)
        if not isinstance(value, Mapping):
            raise self._wrong(key, "a table")
        return value

    def tables(self, key: str) -> list[Mapping[str, object]]:
        """An array of tables; none where the key is absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(key, f"an array of tables, [[{key}]]")
        return value

    def _value(self, key: str, default: object) -> object:
        if key in self.values:
            return self.values[key]
        if default is None:
            raise TableError(f"{self.place} lacks {key}")
        return default

    def _wrong(self, key: str, expected: str) -> TableError:
        return TableError(f"{self.place}: {key} must be {expected}")
