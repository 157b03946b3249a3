"""Fixtures: short handlers on a real Lambda host, and secrets under chosen conditions."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.aws.lambda_host import LambdaHost
from local.aws.secrets_manager.conditions import Conditions
from local.aws.secrets_manager.rotation import RotationDriver
from tests.local.rotated import Rotated, StartDriver
from tests.local.secret import Secret

StartHost = Callable[..., LambdaHost]


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Starts a host for a module's source with a function `handler`; stops it at the end."""
    with ExitStack() as running:

        def start(source: str, **options: Any) -> LambdaHost:
            (tmp_path / "tiny.py").write_text(textwrap.dedent(source))
            options = {"environment": {}, "python_path": [tmp_path]} | options
            return running.enter_context(LambdaHost("tiny.handler", **options))

        yield start


@pytest.fixture
def conditions() -> Conditions:
    """Normal conditions. A test class may override this fixture."""
    return Conditions()


@pytest.fixture
def secret(conditions: Conditions) -> Secret:
    """A secret that does not rotate."""
    return Secret(conditions)


@pytest.fixture
def rotated(conditions: Conditions) -> Rotated:
    """A secret that rotates once a driver is started."""
    return Rotated(conditions)


@pytest.fixture
def start_driver(rotated: Rotated) -> Iterator[StartDriver]:
    """Starts a driver that does not sleep. Rotations wait for `run`."""
    with ExitStack() as running:

        def start(**options: Any) -> RotationDriver:
            quiet: dict[str, Any] = {
                "background": False,
                "sleep": rotated.slept.append,
                "on_event": rotated.events.append,
                "on_attempt": rotated.attempts.append,
                "clock": rotated.clock,
            }
            driver = RotationDriver(rotated.secrets_manager, rotated.function, **(quiet | options))
            return running.enter_context(driver)

        yield start


@pytest.fixture
def driver(start_driver: StartDriver) -> RotationDriver:
    """A started driver with three attempts."""
    return start_driver(attempts=3, delay_seconds=7)
