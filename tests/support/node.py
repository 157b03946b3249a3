"""Finds Node for the tests that need it."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

import pytest

MIN_NODE: Final = 20


def find_node() -> str:
    """Return its path. Without a new enough Node, the test is skipped with the reason."""
    command = shutil.which("node")
    if command is None:
        pytest.skip(f"node is not on PATH; this test needs Node {MIN_NODE} or newer")
    said = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    version = said.stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < MIN_NODE:
        pytest.skip(f"node is {version}; this test needs Node {MIN_NODE} or newer")
    return command
