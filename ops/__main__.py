"""The process `zego-token`, also `python -m ops`: what Ctrl-C does before and after a command.

While a command runs, Ctrl-C is an exception and the command decides what to do. Until then it ends
the process at once, quietly and with 130. Afterwards it does nothing, because the exit code is
known. Importing `ops` changes no signal; only :func:`main` does.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

#: ``ExitCode.INTERRUPTED``, which is not imported yet.
_INTERRUPTED = 130

try:
    import signal
except KeyboardInterrupt:  # until it is imported, nothing else can stop the traceback
    os._exit(_INTERRUPTED)


def main() -> int:
    """Run the command in ``sys.argv`` and return its exit code. Call it in the main thread only."""
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # a shell's background job
    if not is_ignored:
        signal.signal(signal.SIGINT, _end)
    from ops import cli  # noqa: PLC0415  slow

    exit_code = _INTERRUPTED
    with suppress(KeyboardInterrupt):
        if not is_ignored:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        exit_code = cli.main()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return exit_code


def _end(*_signal: object) -> None:
    """End the process without running anything else: no command has begun."""
    os._exit(_INTERRUPTED)


if __name__ == "__main__":
    sys.exit(main())
