"""The objects for programs: ``docs/troubleshooting.md`` lists the keys of each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import cli
from ops.checklist import render
from ops.checklist.check import Check, CheckResult
from ops.output import Output
from ops.target import SECRET_ID_VARIABLE
from tests.unit.ops.tokens import jwt
from tools.sam_template import ROOT

NAME = "ZEGO_SERVER_SECRET"
DOCUMENT = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
ROWS = {
    (of.partition(",")[0], event): keys.split(", ")
    for of, event, keys in re.findall(
        r"^\| (\w[\w, ]+) \| `([a-z]+)` \| ([\w, ]+) \|$", DOCUMENT, re.MULTILINE
    )
}


@pytest.fixture(autouse=True)
def _no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_ID_VARIABLE, raising=False)


def keys_of(printed: str, command: str) -> Iterator[tuple[tuple[str, str], list[str]]]:
    for text in printed.splitlines():
        said = json.loads(text)
        event = said.pop("event")
        yield ("all of them" if event == "error" else command, event), list(said)


def test_each_object_has_the_keys_that_are_documented(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.html").write_text(f"NEXT_PUBLIC_{NAME}", encoding="utf-8")
    (tmp_path / "broken").write_bytes(b"\x1f\x8b broken")
    found: dict[tuple[str, str], list[str]] = {}
    for line in (
        ["inspect", jwt()],
        ["explain", "20014", "424242"],
        ["scan", str(tmp_path)],
        ["explain"],
    ):
        cli.main([*line, "--json"])
        found.update(keys_of(capsys.readouterr().out, line[0]))
    check: Check[object] = Check("x", "ZEGO", "?", lambda _deployment: (), "")
    render.show(Output(as_json=True), "--stage dev", [(check, CheckResult("ok", "y"))])
    found.update(keys_of(capsys.readouterr().out, "doctor"))
    assert found == ROWS
