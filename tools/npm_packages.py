"""The npm packages that tests and tools use: `tests/npm/` pins them, `npm ci` installs them once.

npm checks each archive against the sha512 in `package-lock.json` and runs no script. That file
names these packages alone, none of those that they depend on, and no registry: npm asks the one
that is configured.
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
#: git ignores it, and `make clean` removes it.
CACHE: Final = ROOT / ".cache" / "npm"
FILES: Final = ("package.json", "package-lock.json")
_INSTALL: Final = ("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
_PATIENCE_SECONDS: Final = 300


class NotFetchedError(Exception):
    """A package cannot be had; the message says why, and what to do."""


def fetch(name: str) -> Path:
    """The folder with the files of a package that `tests/npm/` pins, installed if need be.

    :raises NotFetchedError: npm is not here or failed, or an archive is not the pinned one.
    """
    if name not in json.loads((PINS / FILES[0]).read_text(encoding="utf-8"))["devDependencies"]:
        raise KeyError(name)
    return _installed() / "node_modules" / name


def _installed() -> Path:
    """A folder with all packages; another one for other pins."""
    pins = b"".join((PINS / file).read_bytes() for file in FILES)
    installed = CACHE / hashlib.sha256(pins).hexdigest()[:12]
    if installed.is_dir():
        return installed
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes one installs
        if not installed.is_dir():
            with tempfile.TemporaryDirectory(dir=CACHE) as directory:
                _install(Path(directory) / "files").rename(installed)
    return installed


def _install(directory: Path) -> Path:
    if shutil.which("npm") is None:
        raise NotFetchedError("Packages are fetched with npm, which is not on PATH.")
    directory.mkdir()
    for file in FILES:
        shutil.copy(PINS / file, directory)
    done = subprocess.run(
        _INSTALL,
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise NotFetchedError(f"npm cannot install the packages of tests/npm: {done.stderr}")
    return directory
