"""The issuer with fakes at its edges."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.application import Application

StartApplication = Callable[..., Application]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StartApplication:
    """Imports the issuer in an environment with the changes given."""
    return lambda **environment: Application(tmp_path, monkeypatch, **environment)


@pytest.fixture
def issuer(start: StartApplication) -> Application:
    """The issuer in a good environment."""
    return start()
