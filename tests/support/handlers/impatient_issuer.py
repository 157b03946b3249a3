"""The issuer, but a failure does not keep it from asking for the secret, nor a report for long.

No setting allows that, and a test cannot wait as long as the issuer does. A test puts this folder
on the function's path; everything but the times is the real thing.
"""

from __future__ import annotations

from dataclasses import replace

from issuer import app
from zego.secret_store import CURRENT
from zego.secret_store.cache import CachedSecret

app._service = replace(
    app._service,
    current=CachedSecret(
        lambda: app._secret_value(CURRENT),
        ttl_seconds=app._settings.secret_ttl_seconds,
        max_stale_seconds=app._settings.secret_max_stale_seconds,
        retry_seconds=0.0,
        refetch_seconds=0.5,
    ),
)
handler = app.handler
