"""The issuer's log and metrics. ``docs/operations.md`` lists the metrics."""

from __future__ import annotations

import os
from typing import Final

from runtime.telemetry import Telemetry
from zego.cache import Reading
from zego.secrets_manager import SecretVersion
from zego.server_secret import ServerSecret

telemetry: Final = Telemetry("issuer", holds_lines=True)


def record_internal_error(error: Exception, request_id: str) -> None:
    """Record a bug, by the version of the function: a deployment stops if its version has one."""
    telemetry.log_failure("The service failed", error, request_id=request_id)
    version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    telemetry.count_by("InternalErrors", version=version)


def record_secret_reading(reading: Reading[SecretVersion[ServerSecret]]) -> None:
    """Record a read of the cached secret, if it fetched the secret, failed, or is stale."""
    if reading.refreshed:
        telemetry.add("SecretRefresh")
        secret = reading.value.secret
        telemetry.logger.info(
            "ServerSecret read",
            secret_version=reading.value.version_id,
            secret_fingerprint=secret.fingerprint,
        )
        if secret.looks_unusual:
            telemetry.logger.warning(
                "ServerSecret is not lower-case hexadecimal, unlike ZEGO's: is it the right one?",
                secret_fingerprint=secret.fingerprint,
            )
    if reading.failure is not None:
        record_secret_failure(reading.failure, "the last good value stays in use")
    if reading.stale:
        telemetry.add("SecretStale")


def record_secret_failure(failure: str, consequence: str) -> None:
    """Record that Secrets Manager returned no valid value, with the consequence for callers."""
    telemetry.add("SecretRefreshFailed")
    telemetry.logger.error("ServerSecret cannot be refreshed: %s", consequence, reason=failure)
