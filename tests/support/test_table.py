"""A table of rows in one test: it names the rows that fail, and runs the others."""

from __future__ import annotations

import pytest

from tests.support.table import table

run: list[int] = []


@table(("number", "square"), [(1, 1), (2, 5), (3, 9), (4, 17)], ids=str)
def squares(number: int, square: int) -> None:
    run.append(number)
    assert number**2 == square


def test_every_row_runs_and_failed_rows_are_named() -> None:
    with pytest.raises(ExceptionGroup, match=r"^2 of 4 rows fail: 1 \[2-5\], 3 \[4-17\]") as failed:
        squares()
    assert run == [1, 2, 3, 4]
    assert [error.__notes__ for error in failed.value.exceptions] == [
        ["in the row 1 [2-5]"],
        ["in the row 3 [4-17]"],
    ]


@table("word", ["a", pytest.param("b", id="the second")])
def test_a_row_has_the_fixtures_of_its_test(word: str, tmp_path_factory: object) -> None:
    assert isinstance(tmp_path_factory, pytest.TempPathFactory)
    assert word in "ab"


def test_an_error_that_is_not_raised_fails_its_row() -> None:
    @table("number", [0, 1], ids=["zero", "one"])
    def division(number: int) -> None:
        with pytest.raises(ZeroDivisionError):
            1 / number

    with pytest.raises(ExceptionGroup, match=r"1 of 2 rows fail: 1 \[one\]"):
        division()


def test_an_empty_table_is_refused() -> None:
    with pytest.raises(AssertionError, match="tests nothing"):
        table("number", [])(lambda number: None)
