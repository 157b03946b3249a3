"""Finds the system's browser for the tests, or installs one.

`make test` runs ``python -m tools.chromium`` first. As root on Debian or Ubuntu (a container, a
build server) it installs one of `PACKAGES`. Elsewhere it prints how to install one, and the tests
that need a browser fail with the same message.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

#: The first that is found is used. The headless shell is Chromium without the parts of a window,
#: which the others load and draw for each page although no one sees them.
NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
#: The first that the system offers is installed. Ubuntu does not have the headless shell.
PACKAGES: Final = ("chromium-headless-shell", "chromium")
#: Set this variable to skip the tests that need a browser.
LEFT_OUT_BY: Final = "WITHOUT_BROWSER"
MISSING: Final = (
    f"No browser found: PATH has none of {', '.join(NAMES)}. Install one (Debian: apt-get install"
    f" {PACKAGES[0]}, Ubuntu: apt-get install {PACKAGES[1]}), or skip these tests with"
    f" {LEFT_OUT_BY}=1."
)
_UPDATE: Final = ("apt-get", "update", "--quiet", "--quiet")
_INSTALL: Final = ("apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends")


class NoBrowserError(Exception):
    """No browser is installed; the message tells how to install one."""


def is_left_out() -> bool:
    """Whether the environment says to skip the tests that need a browser."""
    return os.environ.get(LEFT_OUT_BY, "") not in ("", "0")


def find() -> str:
    """Return the path of the browser.

    :raises NoBrowserError: no browser is installed.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoBrowserError(MISSING)
    return found


def set_up() -> None:
    """Find a browser, or install one if this process may.

    :raises NoBrowserError: no browser is installed, and it cannot be installed unattended.
    """
    try:
        find()
    except NoBrowserError:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise
        print("Installing a browser, which the browser tests need.", flush=True)
        if not (_works(*_UPDATE) and any(_works(*_INSTALL, package) for package in PACKAGES)):
            raise
        find()


def _works(*command: str) -> bool:
    """Run the command unattended; return whether it succeeded."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return not subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode


def main() -> None:
    """Set up a browser. If that fails, only print why: the tests that need one then fail."""
    if is_left_out():
        return
    try:
        set_up()
    except NoBrowserError as error:
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
