"""Handlers of a few lines, run by a real Lambda host."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local.lambda_host import LambdaHost

StartHost = Callable[..., LambdaHost]


@pytest.fixture
def start_host(tmp_path: Path) -> Iterator[StartHost]:
    """Starts a host for the source of a module with a function `handler`; stops it in the end."""
    with ExitStack() as running:

        def start(source: str, **options: Any) -> LambdaHost:
            (tmp_path / "tiny.py").write_text(textwrap.dedent(source))
            options = {"environment": {}, "python_path": [tmp_path]} | options
            return running.enter_context(LambdaHost("tiny.handler", **options))

        yield start
