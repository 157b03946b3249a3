"""The command line: its options, its output with ``--json``, its exit codes, its screens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import pytest

from tests.recorded.command_lines import SESSIONS, Session
from tests.recorded.real_code import ExitCode, Parts, commands, run
from tests.recorded.recording import check, normalised

#: The widest that wrapped text ever is, in columns.
WIDTH: Final = 100
#: The terminal here is wider.
COLUMNS: Final = "200"
#: `secret`, `policy`, a finding of `scan` and an error of any command have a line for each thing
#: that they say, which the terminal wraps. These are the widest, apart from paths.
WIDEST: Final[Mapping[str, int]] = {
    "secret": 310,
    "policy": 230,
    "denials": 150,
    "usage": 140,
    "scan": 120,
}


def option(parameter: click.Parameter) -> dict[str, Any]:
    """An option or an argument, without its --help text."""
    kind = parameter.type
    found: dict[str, Any] = {"kind": kind.name}
    if isinstance(kind, click.Choice):
        found["choices"] = [str(choice) for choice in kind.choices]
    if isinstance(kind, click.IntRange | click.FloatRange):
        found["range"] = [kind.min, kind.max]
    if isinstance(parameter, click.Option):
        found["is_flag"] = parameter.is_flag
    default = parameter.default
    return found | {
        "metavar": parameter.metavar,
        "required": parameter.required,
        "multiple": parameter.multiple,
        "nargs": parameter.nargs,
        "default": default if isinstance(default, str | int | float | bool) else None,
    }


def test_the_options(request: pytest.FixtureRequest) -> None:
    found = {
        path: {
            ", ".join(parameter.opts): option(parameter)
            for parameter in sorted(command.params, key=lambda one: one.opts)
        }
        for path, command in commands()
    }
    check("command_options", found, request)


def test_the_exit_codes(request: pytest.FixtureRequest) -> None:
    check("command_exit_codes", {str(code.value): code.meaning for code in ExitCode}, request)


@pytest.mark.parametrize("name", SESSIONS)
def test_the_json_of_every_command(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with Parts(tmp_path) as parts:
        session = Session(parts, as_json=True)
        SESSIONS[name](session)
    ended = {
        what: {"exit_code": done.exit_code, "json": done.events}
        for what, done in session.ended.items()
    }
    now = 0.0 if name == "inspect" else None  # it gets a fixed time
    check(f"command_{name}", normalised(ended, tmp_path, now=now), request)


@pytest.mark.parametrize("name", SESSIONS)
def test_no_screen_is_too_wide(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", COLUMNS)
    with Parts(tmp_path) as parts:
        session = Session(parts, as_json=False)
        SESSIONS[name](session)
    shown = [f"{done.out}\n{done.err}" for done in session.ended.values()]
    lines = "\n".join(shown).replace(str(tmp_path), "/folder").splitlines()
    assert len(lines) > len(shown)
    assert [line for line in lines if len(line) > WIDEST.get(name, WIDTH)] == []


def test_no_help_is_too_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", COLUMNS)
    for path, _ in commands():
        _, *words = path.split()
        shown = run(*words, "--help")
        assert shown.exit_code == 0
        assert [line for line in shown.out.splitlines() if len(line) > WIDTH] == []
