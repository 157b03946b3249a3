"""The issuer's log and metrics.

====================== ============ ====================================================
TokensIssued           Count        tokens given out
Refusals               Count        exchanges refused, those without proof too
ExchangesRefused       Count        the same by ``code``, one of the problem codes
RefusalsReported       Count        exchanges whose caller, proven, said that ZEGO had
                                    refused its last token
ExchangeLatency        Milliseconds of one invocation that issued or refused
SecretRefresh          Count        Secrets Manager gave a good value
SecretRefreshFailed    Count        it was asked and gave none
SecretStale            Count        exchanges served with a secret older than its TTL
====================== ============ ====================================================
"""

from __future__ import annotations

from typing import Final

from runtime.telemetry import Telemetry
from zego.secret_store import SecretReading

telemetry: Final = Telemetry("issuer")


def record_secret_reading(reading: SecretReading) -> None:
    """Say what a look at the secret gave, where that is news."""
    if reading.refreshed:
        telemetry.add("SecretRefresh")
        secret = reading.version.secret
        telemetry.logger.info(
            "ServerSecret read",
            secret_version=reading.version.version_id,
            secret_fingerprint=secret.fingerprint,
        )
        if secret.looks_unusual:
            telemetry.logger.warning(
                "ServerSecret is not lower-case hexadecimal, as ZEGO's are: is it the right one?",
                secret_fingerprint=secret.fingerprint,
            )
    if reading.failure is not None:
        record_secret_failure(reading.failure, "the last good one still serves")
    if reading.stale:
        telemetry.add("SecretStale")


def record_no_previous_secret(failure: str) -> None:
    """Say that AWSPREVIOUS cannot be read, which fails nobody; there may be none yet."""
    telemetry.logger.warning("AWSPREVIOUS cannot be read", reason=failure)


def record_secret_failure(failure: str, consequence: str) -> None:
    """Say that Secrets Manager gave no good value, and what that means for callers."""
    telemetry.add("SecretRefreshFailed")
    telemetry.logger.error("ServerSecret cannot be refreshed: %s", consequence, reason=failure)
