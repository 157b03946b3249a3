"""The ServerSecret's value is in no log, metric, event, tag, error or printed line of the suite.

``tests/conftest.py`` checks that. These tests check that it sees a leak and then fails the suite.
"""

from __future__ import annotations

import secrets
import subprocess
import sys

import pytest

from tests.support.leaks import LeakWatch, watching
from zego.server_secret import ServerSecret

pytest_plugins = ["pytester"]

#: No other test uses this secret, so printing it here is not a leak of the suite.
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
def test_a_leak_is_found(output: object) -> None:
    watch = LeakWatch()
    watch.learn(MADE_UP)
    watch.see("here", f"nothing, {MADE_UP[:31]}, {MADE_UP[::-1]}")
    assert watch.leaks() == []
    watch.see("there", output)
    (leak,) = watch.leaks()
    assert leak.startswith("there: ...")
    assert MADE_UP not in leak


def test_every_new_secret_is_learnt() -> None:
    watch = LeakWatch()
    with watching(watch):
        secret = ServerSecret(1, "0f1e2d3c4b5a69788796a5b4c3d2e1f0")  # zego-token:ignore
    assert watch.secrets == {secret.value}


def test_the_output_of_commands_is_checked() -> None:
    watch = LeakWatch()
    watch.learn(MADE_UP)
    with watching(watch):
        command = [sys.executable, "-c", f"print('{MADE_UP}')"]
        subprocess.run(command, check=True, capture_output=True)
    assert len(watch.leaks()) == 1


def test_captured_output_and_expected_errors_are_checked(
    capsys: pytest.CaptureFixture[str],
) -> None:
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
    ("tests", "code", "printed"),
    [
        (["test_quiet.py"], 0, "characters of output contain none of 1 secrets"),
        (["test_quiet.py", "test_leaky.py"], 1, "::test_leaky: ...<secret>..."),
    ],
    ids=["no leak", "a leak"],
)
def test_a_leak_in_any_process_fails_the_suite(
    pytester: pytest.Pytester, processes: int, tests: list[str], code: int, printed: str
) -> None:
    secret = secrets.token_hex(16)
    for name, text in {"quiet": secret[::-1], "leaky": secret}.items():
        pytester.path.joinpath(f"test_{name}.py").write_text(
            "from zego.server_secret import ServerSecret\n"
            f"def test_{name}() -> None:\n"
            f"    ServerSecret(1, {secret!r})\n"
            f"    print({text!r})\n"
        )
    done = pytester.runpytest_inprocess("-p", "tests.conftest", "-n", str(processes), *tests)
    assert (done.ret, printed in done.stdout.str()) == (code, True)
    done.assert_outcomes(passed=len(tests))
