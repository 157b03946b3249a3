"""Checks of the programs that build and deploy."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ops.preflight.conftest import Site


def replace_sam(tmp_path: Path, text: str) -> None:
    (tmp_path / "bin" / "sam").write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")


def test_a_recent_sam_is_fine(site: Site) -> None:
    assert site.result("sam").seen.endswith("bin/sam, version 1.170.0")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo SAM CLI, version 1.151.1", "is version 1.151.1, but 1.152 is needed"),
        ("echo SAM CLI, version 0.53.0", "is version 0.53.0, but 1.152 is needed"),
        ("echo broken >&2; exit 1", "prints no version"),
    ],
)
def test_an_old_or_broken_sam_is_a_failure(
    site: Site, tmp_path: Path, text: str, words: str
) -> None:
    replace_sam(tmp_path, text)
    result = site.result("sam")
    assert (result.status, words in result.seen) == ("failed", True)
    assert "Install or upgrade the AWS SAM CLI" in result.remedy


def test_a_missing_sam_is_a_failure(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert site.result("sam").seen == "There is no program sam on PATH."


def test_a_python_that_is_not_3_13_is_a_failure(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON313", "/bin/false")
    result = site.result("python")
    assert result.status == "failed"
    assert "PYTHON313=/bin/false is not a Python 3.13." in result.seen
