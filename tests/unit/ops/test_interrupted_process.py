"""Ctrl-C at each moment of the process `zego-token`: no traceback, and the exit code is right.

No test depends on time: the process sends itself the signal at a fixed point.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ops import cli
from ops.errors import ExitCode
from tools.sam_template import ROOT

#: Ctrl-C, sent by the process to itself.
CTRL_C = "import os; os.kill(os.getpid(), 2)"
#: An object that sends it when Python clears the modules.
CTRL_C_AT_THE_END = """
import os
class Late:
    def __del__(self, kill=os.kill, process_id=os.getpid()):
        kill(process_id, 2)
late = Late()
"""
START = "import sys; from ops.__main__ import main; sys.exit(main())"


def run(
    *before: str, shadows: Path | None = None, command: str = "explain 424242"
) -> subprocess.CompletedProcess[str]:
    """Run a command as the installed script does.

    :param before: lines of Python that the process runs first.
    :param shadows: a folder with modules that replace others of the same name.
    """
    path = [str(shadows)] if shadows else []
    return subprocess.run(
        [sys.executable, "-c", "\n".join([*before, START]), *command.split()],
        env=os.environ | {"PYTHONPATH": ":".join([*path, *sys.path])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("module", ["signal", "click"])
def test_while_modules_are_imported_it_ends_quietly(module: str, tmp_path: Path) -> None:
    (tmp_path / f"{module}.py").write_text(CTRL_C, encoding="utf-8")
    done = run(shadows=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, "", "")


def test_before_the_command_runs_it_ends_quietly() -> None:
    done = run("from ops import cli", f"cli.refuse_in_arguments = lambda _: exec({CTRL_C!r})")
    assert (done.returncode, done.stdout, done.stderr) == (ExitCode.INTERRUPTED, "", "")


def test_while_a_command_runs_it_ends_without_a_traceback() -> None:
    done = run("from ops import explain", f"explain.resolve = lambda _: exec({CTRL_C!r})")
    assert (done.returncode, done.stdout, done.stderr.strip()) == (ExitCode.INTERRUPTED, "", "")


@pytest.mark.parametrize(
    "late",
    [
        "import atexit, os; atexit.register(os.kill, os.getpid(), 2)",
        CTRL_C_AT_THE_END,
    ],
    ids=["when Python begins to end", "when Python clears its modules"],
)
@pytest.mark.parametrize(("code", "exit_code"), [("20014", 0), ("424242", 1)])
def test_after_the_command_it_changes_nothing(late: str, code: str, exit_code: int) -> None:
    done = run(late, command=f"explain {code}")
    assert (done.returncode, done.stderr) == (exit_code, "")
    assert code in done.stdout


def test_a_process_that_ignores_it_from_the_start_still_does(tmp_path: Path) -> None:
    (tmp_path / "getpass.py").write_text(CTRL_C, encoding="utf-8")
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    done = run(ignore, shadows=tmp_path)
    assert (done.returncode, done.stderr) == (ExitCode.REFUSED, "")


def test_as_a_library_it_leaves_signals_alone() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert cli.main(["explain", "20014"]) == ExitCode.DONE
    assert signal.getsignal(signal.SIGINT) is before


def test_the_installed_script_is_this_process() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"zego-token": "ops.__main__:main"}
