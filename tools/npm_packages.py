"""Installs the npm packages that tests and tools use: `tests/npm/` pins them.

npm checks each archive against the sha512 in `package-lock.json` and runs no scripts. That file
lists these packages without their dependencies and names no registry: npm uses the configured one.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
PINS: Final = ROOT / "tests" / "npm"
#: git ignores this folder, and `make clean` removes it.
CACHE: Final = ROOT / ".cache" / "npm"
FILES: Final = ("package.json", "package-lock.json")
_INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
_PATIENCE_SECONDS: Final = 300


class NotFetchedError(Exception):
    """A package cannot be installed; the message tells why."""


def fetch(name: str, pins: Path | None = None) -> Path:
    """Return the folder of a pinned package; install it if necessary.

    :param pins: the folder that pins it; the default is `tests/npm/`.

    :raises NotFetchedError: npm is missing or failed, or an archive is not the pinned one.
    """
    pins = pins or PINS
    if name not in json.loads((pins / FILES[0]).read_text(encoding="utf-8"))["devDependencies"]:
        raise KeyError(name)
    return _installed(pins) / "node_modules" / name


def _installed(pins: Path) -> Path:
    """Return the folder of all packages. Other pins have another folder."""
    pinned = b"".join((pins / file).read_bytes() for file in FILES)
    installed = CACHE / hashlib.sha256(pinned).hexdigest()[:12]
    if installed.is_dir():
        return installed
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # only one process installs
        if not installed.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as directory:
                _install(Path(directory) / "files", pins).rename(installed)
    return installed


def _install(directory: Path, pins: Path) -> Path:
    if shutil.which("npm") is None:
        raise NotFetchedError("npm is not on PATH. Install Node.js 20 or newer, with npm.")
    directory.mkdir()
    for file in FILES:
        shutil.copy(pins / file, directory)
    done = subprocess.run(
        _INSTALL,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NotFetchedError(f"npm could not install the packages of {pins}: {done.stderr}")
    return directory
