"""The ServerSecret's value is in no log, metric, event, tag, error or printed line of the suite.

``tests/conftest.py`` sees to that. Here: that it sees what it should, and fails the suite then.
"""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest

from tests.support.leaks import LeakWatch, watching
from zego.server_secret import ServerSecret

pytest_plugins = ["pytester"]

#: No secret of any other test, so that what is printed here is no leak of the suite.
MADE_UP = secrets.token_hex(16)


@pytest.mark.parametrize(
    "output",
    [
        MADE_UP,
        f"a{MADE_UP}0",
        f'{{"level": "INFO", "message": "the secret is {MADE_UP}"}}',
        f"\x1b[31m{MADE_UP}\x1b[0m".encode(),
    ],
    ids=["alone", "in a longer run", "in a log line", "in bytes with colour"],
)
def test_a_leak_is_seen(output: object) -> None:
    watch = LeakWatch()
    watch.learn(MADE_UP)
    watch.see("here", f"nothing, {MADE_UP[:31]}, {MADE_UP[::-1]}")
    assert watch.leaks() == []
    watch.see("there", output)
    (leak,) = watch.leaks()
    assert leak.startswith("there: ...")
    assert MADE_UP not in leak


def test_every_secret_that_is_made_is_learnt() -> None:
    watch = LeakWatch()
    with watching(watch):
        secret = ServerSecret(1, "0f1e2d3c4b5a69788796a5b4c3d2e1f0")  # zego-token:ignore
    assert watch.secrets == {secret.value}


def test_what_commands_print_is_seen() -> None:
    watch = LeakWatch()
    watch.learn(MADE_UP)
    with watching(watch):
        command = [sys.executable, "-c", f"print('{MADE_UP}')"]
        subprocess.run(command, check=True, capture_output=True)
    assert len(watch.leaks()) == 1


def test_what_a_test_captures_or_expects_is_seen(capsys: pytest.CaptureFixture[str]) -> None:
    watch = LeakWatch()
    watch.learn(MADE_UP)
    with watching(watch):
        print(MADE_UP)
        capsys.readouterr()
        with pytest.raises(ValueError, match="made up"):
            raise ValueError(f"made up: {MADE_UP}")
    assert len(watch.leaks()) == 2


@pytest.mark.parametrize("processes", [0, 2])
@pytest.mark.parametrize(
    ("tests", "code", "told"),
    [
        (["test_quiet.py"], 0, "characters of output hold none of 1 secrets"),
        (["test_quiet.py", "test_leaky.py"], 1, "::test_leaky: ...<secret>..."),
    ],
    ids=["no leak", "a leak"],
)
def test_a_leak_in_any_process_fails_the_suite(
    pytester: pytest.Pytester, processes: int, tests: list[str], code: int, told: str
) -> None:
    secret = secrets.token_hex(16)
    for name, printed in {"quiet": secret[::-1], "leaky": secret}.items():
        pytester.path.joinpath(f"test_{name}.py").write_text(
            "from zego.server_secret import ServerSecret\n"
            f"def test_{name}() -> None:\n"
            f"    ServerSecret(1, {secret!r})\n"
            f"    print({printed!r})\n"
        )
    done = pytester.runpytest_inprocess("-p", "tests.conftest", "-n", str(processes), *tests)
    assert (done.ret, told in done.stdout.str()) == (code, True)
    done.assert_outcomes(passed=len(tests))
