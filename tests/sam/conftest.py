"""What is deployed, built once for all processes of the suite."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from tools import build


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The parts, built for this machine."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with (shared / "build.lock").open("w") as lock, pytest.MonkeyPatch.context() as patch:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = shared / "host"
        if not built.is_dir():
            patch.setattr(build, "OUTPUT", shared / "building")
            build.host_tree().rename(built)
    return built
