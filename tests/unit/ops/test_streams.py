"""Output that nobody reads, or that has no place."""

from __future__ import annotations

import errno
import io
import json
import os
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from ops import cli
from ops.errors import ExitCode
from ops.output import Output
from ops.prompt import can_ask, unseen
from tests.unit.ops.fakes import Broken

COMMAND = str(Path(sys.executable).with_name("zego-token"))


@pytest.mark.parametrize("as_json", [False, True])
def test_what_cannot_be_written_ends_a_command_unless_a_change_has_begun(
    as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", Broken(errno.ENOSPC))
    out = Output(as_json=as_json)
    with pytest.raises(OSError, match="No space left"):
        out.tell("event", "text")
    out.go_on()
    out.tell("event", "text")
    out.show("text")
    monkeypatch.setattr("sys.stdout", Broken(errno.EPIPE))
    out.tell("event", "text")


@pytest.mark.parametrize(
    ("number", "words", "exit_code"),
    [
        (errno.EPIPE, "", ExitCode.UNREAD),
        (errno.ENOSPC, "cannot be written: No space left on device", ExitCode.UNWRITTEN),
    ],
)
def test_a_command_says_once_that_its_output_cannot_be_written(
    number: int,
    words: str,
    exit_code: ExitCode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdout", Broken(number))
    assert cli.main(["explain", "20014", "--json"]) == exit_code
    assert words in capsys.readouterr().err


@pytest.fixture(params=["", "1"])
def unbuffered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python writes at once, or as it does by itself."""
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


pytestmark = pytest.mark.usefixtures("unbuffered")


def run(shell: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, in which `$Z` is the command."""
    return subprocess.run(
        ["bash", "-c", shell],
        env=os.environ | {"Z": COMMAND},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", ["--help", "--version", "secret status --help"])
def test_help_that_nobody_reads_is_no_refusal(words: str) -> None:
    done = run(f"(sleep 0.05; exec $Z {words}) | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (ExitCode.UNREAD, "")


def test_help_on_a_full_disk_says_so() -> None:
    done = run("$Z --help > /dev/full")
    assert done.returncode == ExitCode.UNWRITTEN
    assert done.stderr == "error: The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("broken", [">/dev/full", "2>/dev/full", ">&-", "2>&-", ">&- 2>&-"])
def test_a_failure_keeps_its_exit_code_where_it_cannot_be_said(broken: str) -> None:
    done = run(f"$Z secret status --json --local /nowhere {broken}")
    assert done.returncode == ExitCode.AWS
    assert "Traceback" not in done.stderr
    assert all(json.loads(text)["event"] == "error" for text in done.stdout.splitlines())


def test_what_is_typed_meanwhile_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = os.openpty()
    with open(there) as terminal:  # noqa: PTH123  a number
        monkeypatch.setattr("sys.stdin", terminal)
        assert can_ask()
        before = termios.tcgetattr(there)[3]
        with unseen():
            assert not termios.tcgetattr(there)[3] & termios.ECHO
        assert termios.tcgetattr(there)[3] == before
    os.close(here)


def test_where_no_terminal_is_nothing_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (None, io.StringIO()):
        monkeypatch.setattr("sys.stdin", stdin)
        with unseen():
            assert not can_ask()
