"""Of the whole suite: no ServerSecret is in any output (``tests/security/test_no_leaks.py``)."""

from __future__ import annotations

import signal
from contextlib import ExitStack

import pytest

from tests.support.leaks import LeakWatch, watching

LEAK_WATCH = pytest.StashKey[LeakWatch]()
_watching = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # of a shell that runs it behind
        signal.signal(signal.SIGINT, signal.default_int_handler)  # what tests start shall take it
    config.stash[LEAK_WATCH] = LeakWatch()
    _watching.enter_context(watching(config.stash[LEAK_WATCH]))


def pytest_unconfigure() -> None:
    _watching.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What looks at the output of all comes last."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def leak_watch(pytestconfig: pytest.Config) -> LeakWatch:
    """What was put out so far, and what must not be in it."""
    return pytestconfig.stash[LEAK_WATCH]


class _Captured:
    """Hands what pytest captured of each test to the watch."""

    def __init__(self, watch: LeakWatch) -> None:
        self._watch = watch

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, text in report.sections:
            self._watch.see(f"{name} of {report.nodeid}", text)


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.pluginmanager.register(_Captured(session.config.stash[LEAK_WATCH]))
