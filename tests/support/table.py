"""Runs many rows in one test. It names every row that fails, and runs all others too."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import pytest

Test = Callable[..., None]


def table(
    names: str | Sequence[str],
    rows: Iterable[Any],
    ids: Iterable[str] | Callable[[Any], object] = repr,
) -> Callable[[Test], Test]:
    """Run a test once per row, like ``pytest.mark.parametrize``, but as one test.

    A row costs only a call, while each process would collect, set up and report a separate test.
    Use it only for tests without side effects: the rows share their fixtures.
    """
    columns = [names] if isinstance(names, str) else [*names]
    named = [*_named(columns, rows, ids)]
    assert named, "a table without rows tests nothing"

    def decorate(test: Test) -> Test:
        signature = inspect.signature(test)
        others = [each for each in signature.parameters.values() if each.name not in columns]

        @functools.wraps(test)
        def for_each_row(*arguments: Any, **fixtures: Any) -> None:
            failed: dict[str, Exception] = {}
            for name, row in named:
                try:
                    test(*arguments, **fixtures, **row)
                except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  raised below
                    failure = error if isinstance(error, Exception) else AssertionError(str(error))
                    failure.add_note(f"in the row {name}")
                    failed[name] = failure
            if failed:
                count = f"{len(failed)} of {len(named)} rows fail"
                raise ExceptionGroup(f"{count}: {', '.join(failed)}", [*failed.values()])

        for_each_row.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]  # which pytest reads
        return for_each_row

    return decorate


def _named(
    columns: Sequence[str], rows: Iterable[Any], ids: Iterable[str] | Callable[[Any], object]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each row with its name, which contains its number and is therefore unique."""
    given = None if callable(ids) else iter(ids)
    for number, row in enumerate(rows):
        values = [row] if len(columns) == 1 else [*row]
        if isinstance(row, type(pytest.param())):
            assert not row.marks, "a row has no marks"
            name, values = row.id, [*row.values]
        elif given is not None:
            name = next(given)
        else:
            assert callable(ids)
            name = "-".join(str(ids(value)) for value in values)
        yield f"{number} [{name}]", dict(zip(columns, values, strict=True))
