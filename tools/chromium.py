"""The browser that tests need: the system's own, found, or installed where nobody has to be asked.

``python -m tools.chromium`` is what `make test` begins with. As root on Debian or Ubuntu (a
container, a build server) it installs one of `PACKAGES`; elsewhere it says how to get one, and the
tests that need it fail with the same words.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import Final

#: The first that is found is taken. The shell is Chromium without the window's own parts, which the
#: others load and draw for each page though nobody sees them.
NAMES: Final = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
#: The first that the system has is installed. Ubuntu has no shell.
PACKAGES: Final = ("chromium-headless-shell", "chromium")
#: Set to leave out, knowingly, what needs a browser.
LEFT_OUT_BY: Final = "WITHOUT_BROWSER"
MISSING: Final = (
    f"No browser: none of {', '.join(NAMES)} is on PATH. Install one (Debian: apt-get install"
    f" {PACKAGES[0]}, Ubuntu: apt-get install {PACKAGES[1]}), or leave these tests out with"
    f" {LEFT_OUT_BY}=1."
)
_UPDATE: Final = ("apt-get", "update", "--quiet", "--quiet")
_INSTALL: Final = ("apt-get", "install", "--quiet", "--quiet", "--yes", "--no-install-recommends")


class NoBrowserError(Exception):
    """There is no browser on this machine; the message says how to get one."""


def is_left_out() -> bool:
    """Whether whoever runs the tests wants none with a browser."""
    return os.environ.get(LEFT_OUT_BY, "") not in ("", "0")


def find() -> str:
    """The path of the browser.

    :raises NoBrowserError: there is none.
    """
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise NoBrowserError(MISSING)
    return found


def set_up() -> None:
    """Find one, or install it.

    :raises NoBrowserError: there is none, and it cannot be installed without asking.
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
    """Run it, and say whether it did; it asks nothing."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return not subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode


def main() -> None:
    """Says what is missing; that the tests need it is theirs to fail for."""
    if is_left_out():
        return
    try:
        set_up()
    except NoBrowserError as error:
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
