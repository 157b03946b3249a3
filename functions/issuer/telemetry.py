"""The function's log and metrics: Powertools, set up once.

Metrics are CloudWatch embedded metric format (EMF) lines. Names and units:

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

import json
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from zego.secret_store import Reading

NAMESPACE: Final = "ZegoTokenService"
SERVICE: Final = "issuer"

#: ASCII, so that no value of a caller's can fail to be written.
_to_json = json.JSONEncoder(separators=(",", ":"), default=str).encode

#: Lambda takes a line's level only beside a time in RFC 3339.
logger = Logger(service=SERVICE, json_serializer=_to_json, use_rfc3339=True)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


def set_stage(stage: str) -> None:
    """Put the stage on every metric and log line."""
    metrics.set_default_dimensions(stage=stage)
    logger.append_keys(stage=stage)


def count(name: str, value: float = 1) -> None:
    """Add to a counter of this invocation."""
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=value)


def count_refusal(code: str, stage: str) -> None:
    """Count a refusal by its code, a dimension that the other metrics do not have."""
    with single_metric(
        name="ExchangesRefused",
        unit=MetricUnit.Count,
        value=1,
        namespace=NAMESPACE,
        default_dimensions={"stage": stage, "service": SERVICE},
    ) as metric:
        metric.add_dimension("code", code)


def record_latency(milliseconds: float) -> None:
    """How long this invocation took, in the function."""
    metrics.add_metric("ExchangeLatency", MetricUnit.Milliseconds, milliseconds)


def flush() -> None:
    """Write this invocation's metrics, where there are any."""
    if metrics.metric_set:
        metrics.flush_metrics()


def record_secret_reading(reading: Reading) -> None:
    """Say what a look at the secret gave, where that is news."""
    if reading.refreshed:
        count("SecretRefresh")
        secret = reading.version.secret
        logger.info(
            "ServerSecret read",
            secret_version=reading.version.version_id,
            secret_fingerprint=secret.fingerprint,
        )
        if secret.looks_unusual:
            logger.warning(
                "ServerSecret is not lower-case hexadecimal, as ZEGO's are: is it the right one?",
                secret_fingerprint=secret.fingerprint,
            )
    if reading.failure is not None:
        record_secret_failure(reading.failure, "the last good one still serves")
    if reading.stale:
        count("SecretStale")


def record_no_previous_secret(failure: str) -> None:
    """Say that AWSPREVIOUS cannot be read, which fails nobody; there may be none yet."""
    logger.warning("AWSPREVIOUS cannot be read", reason=failure)


def record_secret_failure(failure: str, consequence: str) -> None:
    """Say that Secrets Manager gave no good value, and what that means for callers."""
    count("SecretRefreshFailed")
    logger.error("ServerSecret cannot be refreshed: %s", consequence, reason=failure)
