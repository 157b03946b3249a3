"""Set-up of the whole suite: the size of property tests, and a check that no output has a secret.

Each process watches its own tests for ServerSecrets (:mod:`tests.support.leaks`) and reports at the
end what it saw. The main process adds up these reports, and a leak fails the suite.

Each process also checks the AWS calls of its tests, and of the local stacks that they start
(:mod:`tests.support.aws_calls`).
"""

from __future__ import annotations

import fcntl
import functools
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import botocore.session
import pytest
from botocore.loaders import create_loader
from hypothesis import HealthCheck, settings

from tests.support import aws_calls
from tests.support.iam import Call, allows
from tests.support.leaks import LeakWatch, watching
from tests.support.tiers import IS_REPEATABLE
from tools import build

#: The longest files, longest first. If one started last, it would run alone at the end.
LONGEST: Final = (
    "rotation/test_crashes.py",
    "browser/test_page_live.py",
    "browser/test_page_verdicts.py",
    "browser/test_page.py",
    "local/test_make_run.py",
    "local/test_own_provider.py",
    "local/test_command_line.py",
    "browser/test_page_for_everybody.py",
    "browser/test_zego_web_sdk.py",
    "aws/test_lambda_host.py",
    "local/test_demo.py",
    "docs/test_quick_starts.py",
    "clients/test_javascript.py",
    "security/test_no_leaks.py",
    "infrastructure/test_build.py",
    "rotation/test_interleavings.py",
    "rotation/test_month.py",
    "rotation/test_model.py",
    "local/test_killed_rotator.py",
)
#: How many of the slowest files are printed.
SLOWEST: Final = 10
#: A test that reports how much it ran records that as a property with this name.
HOW_MUCH: Final = "how much"
#: The key of the report that a process of pytest-xdist hands over at the end.
HANDED_OVER: Final = "zego_leaks"

# pytest imports readline, which exports these to the processes of pytest-xdist.
for _size in ("COLUMNS", "LINES"):
    os.environ.pop(_size, None)

# No property test may fail because the machine is slow.
settings.register_profile(
    "suite",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=50,
    derandomize=IS_REPEATABLE,
)
settings.load_profile("suite")


class LeakCheck:
    """Watches the tests of this process, and collects the reports of the other processes."""

    def __init__(self) -> None:
        self.watch = LeakWatch()
        self.characters = 0
        self.secrets = 0
        self.leaks: list[str] = []
        self._watching = ExitStack()

    def pytest_sessionstart(self) -> None:
        self._watching.enter_context(watching(self.watch))

    def pytest_unconfigure(self) -> None:
        self._watching.close()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Check what pytest captured of a test, in the process that ran it."""
        if not hasattr(report, "node"):
            for name, text in report.sections:
                self.watch.see(f"{name} of {report.nodeid}", text)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add another process's report. A process that died has none; its tests fail anyway."""
        self._count(*getattr(node, "workeroutput", {}).get(HANDED_OVER, (0, 0, [])))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        seen = self.watch.characters, len(self.watch.secrets), self.watch.leaks()
        handed_over = getattr(session.config, "workeroutput", None)
        if handed_over is not None:
            handed_over[HANDED_OVER] = seen
            return
        self._count(*seen)
        if self.leaks:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for leak in self.leaks:
            terminalreporter.write_line(
                f"A ServerSecret leaked into an output: {leak}", red=True, bold=True
            )
        terminalreporter.write_line(
            f"{self.characters:,} characters of output contain"
            f" {len(self.leaks) or 'none'} of {self.secrets:,} secrets"
        )

    def _count(self, characters: int, secrets: int, leaks: list[str]) -> None:
        self.characters += characters
        self.secrets += secrets
        self.leaks += leaks


class PermissionCheck:
    """Checks each AWS call of the functions and the command line against its role's policy."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, Call]] = set()
        self._unchecked: list[tuple[str, Call]] = []
        self._watching = ExitStack()

    def pytest_sessionstart(self) -> None:
        self._watching.enter_context(aws_calls.watching(self._note))

    def pytest_unconfigure(self) -> None:
        self._watching.close()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Iterator[None]:
        """Fail the test during which a call was made that its role may not make."""
        yield
        made, self._unchecked = self._unchecked, []
        refused = [found for one in made if (found := self._refusal(*one)) is not None]
        if refused:
            pytest.fail("\n".join(refused), pytrace=False)

    def _note(self, role: str, call: Call) -> None:
        """Note a call. It is checked later, so that the caller does not wait for that."""
        if (role, call) not in self._seen:
            self._seen.add((role, call))
            self._unchecked.append((role, call))

    @staticmethod
    def _refusal(role: str, call: Call) -> str | None:
        from tests.permissions.roles import statements  # noqa: PLC0415  transforms the template

        if allows(statements(role), call):
            return None
        context = "".join(f", {key}={'|'.join(values)}" for key, values in call.context)
        return (
            f"The policy of the {role} does not allow {call.action} on {call.resource}"
            f"{context}. The policies of functions are in template.yaml, others in ops/iam.py."
        )


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_its_data_once() -> Iterator[None]:
    """Otherwise every session rereads megabytes of JSON, which takes most of a client's time."""
    with patch.object(botocore.session, "create_loader", functools.cache(create_loader)):
        yield


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is deployed, built for this machine, once for all processes of the suite."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "build.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = shared / "host"
        if not built.is_dir():
            patch.setattr(build, "OUTPUT", shared / "building")
            build.host_tree().rename(built)
    return built


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores, because tests of the page mostly wait."""
    return (os.cpu_count() or 1) + 1


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--record", action="store_true", help="regenerate the recordings of tests/recorded"
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the slowest files, and how much those tests ran that report it."""
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport)
    ]
    seconds: Counter[str] = Counter()
    for report in reports:
        seconds[report.nodeid.partition("::")[0]] += report.duration  # type: ignore[assignment]
    terminalreporter.write_line("Slowest files:")
    for file, taken in seconds.most_common(SLOWEST):
        terminalreporter.write_line(f"{taken:7.1f} s  {file}")
    for report in terminalreporter.stats.get("passed", ()):
        for name, value in getattr(report, "user_properties", ()):
            if name == HOW_MUCH and report.when == "call":
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {value}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first."""

    def place(item: pytest.Item) -> int:
        path = item.path.as_posix()
        return next((at for at, name in enumerate(LONGEST) if path.endswith(name)), len(LONGEST))

    items.sort(key=place)


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell started it in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)  # programs of the tests need it
    config.pluginmanager.register(LeakCheck())
    config.pluginmanager.register(PermissionCheck())
