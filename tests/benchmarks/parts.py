"""Shows what a warm request consists of: ``python -m tests.benchmarks.parts``.

cProfile measures the handler in this process, with everything on. It adds to each call of a Python
function, so parts with many small functions seem larger than they are, and C code smaller.
"""

from __future__ import annotations

import contextlib
import cProfile
import importlib
import io
import os
import pstats
import sys
from typing import Any, Final

from tests.benchmarks.invocations import subjects
from tools import build

_WARM_UP: Final = 50
_REQUESTS: Final = 2000
#: The parts, each with its functions: the end of the file's name, and the function's name.
_PARTS: Final = {
    "bearer token: form, keys, signature, claims": (("issuer/authentication.py", "from_bearer"),),
    "... of it the RSA signature, in cryptography": (("issuer/public_keys.py", "verifies"),),
    "log line, in Powertools and logging": (("logging/logger.py", "info"),),
    "metrics, in Powertools": (("runtime/telemetry.py", "add"), ("runtime/telemetry.py", "flush")),
    "denials": (("issuer/limits.py", "check_caller"), ("issuer/limits.py", "check_token")),
    "body": (("issuer/token_request.py", "token_request"), ("issuer/body.py", "read_object")),
    "access policy": (("policy/decide.py", "decide"),),
    "token": (("issuer/issue.py", "issue"),),
    "event and response": (("issuer/http_event.py", "read"), ("issuer/http_event.py", "respond")),
}
_WHOLE: Final = ("issuer/app.py", "handler")


def main() -> None:
    """Print the share of each part."""
    with subjects(build.host_tree()) as measured:
        os.environ.update(measured.environment | measured.limits)
        sys.path[:0] = map(str, measured.python_path)
        profile = cProfile.Profile()
        with contextlib.redirect_stdout(io.StringIO()):  # the log keeps the stream of its import
            handler: Any = importlib.import_module("issuer.app").handler
            statuses = {handler(measured.event, None)["statusCode"] for _ in range(_WARM_UP)}
            for _ in range(_REQUESTS):
                statuses.add(profile.runcall(handler, measured.event, None)["statusCode"])
    if statuses != {201}:
        raise RuntimeError(f"the issuer issued no token: it responded with {statuses}")
    taken: dict[tuple[str, str], float] = {
        (file, function): cumulative
        for (file, _, function), (_, _, _, cumulative, _) in pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]  # it has no types
    }

    def seconds(end: str, name: str) -> float:
        return sum(
            each for (file, one), each in taken.items() if file.endswith(end) and one == name
        )

    whole = seconds(*_WHOLE)
    for what, functions in _PARTS.items():
        print(f"{sum(seconds(*one) for one in functions) / whole:4.0%}  {what}")


if __name__ == "__main__":
    main()
