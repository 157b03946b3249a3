"""The issuer with shorter waits before it reloads the secret after a failure or a report.

No setting allows that, and a test cannot wait as long as the real issuer does. A test adds this
folder to the function's path. Everything except these times is unchanged.
"""

from __future__ import annotations

from issuer import app
from zego.aws import AwsError
from zego.cache import Cached
from zego.secret_store import CURRENT
from zego.server_secret import ServerSecretError

app._service = app._service._replace(
    current=Cached(
        lambda: app._secret_version(CURRENT),
        AwsError,
        ServerSecretError,
        ttl_seconds=app._settings.secret_ttl_seconds,
        max_stale_seconds=app._settings.secret_max_stale_seconds,
        retry_seconds=0.0,
        refetch_seconds=0.5,
    ),
)
handler = app.handler
