"""`python -m tests.fuzz.guided TARGET OPTIONS...`: a process of libFuzzer for one target.

The options are those of libFuzzer, which atheris wraps. The code under test is instrumented, the
tests are not. :mod:`tests.fuzz` starts it.
"""

from __future__ import annotations

import shlex
import sys

import atheris

from tests.fuzz import targets


def main() -> None:
    """Search for inputs that break the target's invariant. The process ends with the search."""
    _, name, *options = sys.argv
    with atheris.instrument_imports(include=["zego", "issuer"], enable_loader_override=False):
        target = targets.load(name)
    # To merge corpora, libFuzzer starts itself again, by a shell, with this as the program.
    program = f"{shlex.quote(sys.executable)} -m {__spec__.name} {name}"
    atheris.Setup([program, *options], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
