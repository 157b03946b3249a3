"""How wide what a person reads is."""

from __future__ import annotations

import pytest

from ops.output import Output


@pytest.mark.parametrize(
    ("columns", "width"), [("80", 80), ("100", 100), ("300", 100), ("20", 40), ("0", 80), ("", 80)]
)
def test_it_is_as_wide_as_reads_well(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.__stdout__", None)
    assert Output(as_json=False).width == width
