"""The issuer by a clock that a test turns: the time of day, and what CLOCK_FILE adds to it.

The caches of the keys and of the secret go by it. Everything else is the real thing, and so is
when they ask again.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from issuer import app
from issuer.jwks import SigningKeys
from zego.secret_store import CURRENT
from zego.secret_store.cache import CachedSecret

AHEAD = Path(os.environ["CLOCK_FILE"])


def clock() -> float:
    """The turned time, Unix seconds."""
    return time.time() + float(AHEAD.read_text(encoding="utf-8"))


app._service = replace(
    app._service,
    keys=SigningKeys(clock=clock),
    current=CachedSecret(
        lambda: app._secret_value(CURRENT),
        ttl_seconds=app._settings.secret_ttl_seconds,
        max_stale_seconds=app._settings.secret_max_stale_seconds,
        clock=clock,
    ),
)
handler = app.handler
