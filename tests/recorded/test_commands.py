"""The command line: its options, its output with ``--json``, its exit codes, its screens."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Final

import click
import pytest

from tests.recorded.command_lines import SESSIONS, Session
from tests.recorded.real_code import ExitCode, Parts, commands, run
from tests.recorded.recording import check, normalised

#: The terminals that screens are held to. Text is never wider than 100 columns.
TERMINALS: Final = (60, 80, 120)
WIDEST: Final = 100
#: What users copy as a whole. A line may be wider for it alone.
COMMAND: Final = re.compile(r" *(zego-token|make|export) .*")


def too_wide(screen: str, columns: int) -> list[str]:
    """The lines that a terminal would break, except for single words and commands."""
    return [
        line
        for line in screen.splitlines()
        if len(line) > min(columns, WIDEST)
        and len(line.split()) > 1
        and not COMMAND.fullmatch(line)
    ]


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


@pytest.mark.parametrize("columns", TERMINALS)
@pytest.mark.parametrize("name", SESSIONS)
def test_every_screen_fits_into_its_terminal(
    name: str, columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.chdir(tmp_path)  # so that no path is long
    with Parts(Path()) as parts:
        session = Session(parts, as_json=False)
        SESSIONS[name](session)
    wide = {what: too_wide(done.out + done.err, columns) for what, done in session.ended.items()}
    assert {what: lines for what, lines in wide.items() if lines} == {}


@pytest.mark.parametrize("columns", TERMINALS)
def test_preflight_fits_into_its_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    shown = run("preflight", "--stage", "prod")
    assert shown.exit_code == ExitCode.REFUSED
    assert too_wide(shown.out, columns) == []


@pytest.mark.parametrize("columns", TERMINALS)
def test_every_help_fits_into_its_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for path, _ in commands():
        _, *words = path.split()
        shown = run(*words, "--help")
        assert shown.exit_code == 0
        assert too_wide(shown.out, columns) == [], path
        assert "..." not in shown.out.partition("Commands:")[2], "a summary is cut"
