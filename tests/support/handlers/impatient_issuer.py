"""The issuer, but it asks for keys and for the secret again after a second or less.

No setting allows that, and a test cannot wait as long as the issuer does. A test puts this folder
on the function's path; everything but the times is the real thing.
"""

from __future__ import annotations

from dataclasses import replace

from issuer import app
from issuer.jwks import SigningKeys
from zego.secret_store import CURRENT
from zego.secret_store.cache import CachedSecret

KEYS_FRESH_SECONDS = KEYS_COOL_DOWN_SECONDS = 1.2
KEYS_MAX_STALE_SECONDS = 3.5

app._service = replace(
    app._service,
    keys=SigningKeys(
        fresh_seconds=KEYS_FRESH_SECONDS,
        max_stale_seconds=KEYS_MAX_STALE_SECONDS,
        cool_down_seconds=KEYS_COOL_DOWN_SECONDS,
    ),
    current=CachedSecret(
        lambda: app._secret_value(CURRENT),
        ttl_seconds=app._settings.secret_ttl_seconds,
        max_stale_seconds=app._settings.secret_max_stale_seconds,
        retry_seconds=0.0,
        refetch_seconds=0.5,
    ),
)
handler = app.handler
