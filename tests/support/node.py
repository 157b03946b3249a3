"""Node, where tests need it."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

import pytest

MIN_NODE: Final = 20


def find_node() -> str:
    """Its path. Where there is none, or an older one, the test is skipped and says so."""
    command = shutil.which("node")
    if command is None:
        pytest.skip(f"there is no node on PATH; Node {MIN_NODE} or newer is needed")
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    version = said.stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < MIN_NODE:
        pytest.skip(f"node is {version}; Node {MIN_NODE} or newer is needed")
    return command
