"""The issuer with a clock that a test moves: the real time plus the seconds in CLOCK_FILE.

The caches of the keys, of the secret and of the denials use this clock. Everything else is
unchanged, including the times after which they reload.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from issuer import app
from issuer.jwks import SigningKeys
from zego.aws import AwsError
from zego.cache import Cached, Clocks
from zego.secret_store import CURRENT
from zego.server_secret import ServerSecretError

AHEAD = Path(os.environ["CLOCK_FILE"])


def clock() -> float:
    """Return the moved time in Unix seconds."""
    return time.time() + float(AHEAD.read_text(encoding="utf-8"))


app._service = app._service._replace(
    keys=SigningKeys(clock=clock),
    current=Cached(
        lambda: app._secret_version(CURRENT),
        AwsError,
        ServerSecretError,
        ttl_seconds=app._settings.secret_ttl_seconds,
        max_stale_seconds=app._settings.secret_max_stale_seconds,
        clock=clock,
    ),
)
if app._service.limits is not None:
    app._service.limits._denials._clocks = Clocks(clock)
handler = app.handler
