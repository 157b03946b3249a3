"""The watcher's log and metrics.

====================== ======= ==========================================================
SecretAccepted         Count   1 where ZEGO accepts AWSCURRENT, 0 where it rejects it;
                               none where that is unknown
SecretVerdictUnknown   Count   1 where it is unknown, else 0
SecretAgeDays          None    since AWSCURRENT was stored
ClockSkewSeconds       Seconds how far this clock is ahead of ZEGO's
HealsStarted           Count   rotations that the watcher asked for
RotationOutcome        Count   by ``outcome``, as Secrets Manager reports it: succeeded,
                               failed, abandoned or test-failed
====================== ======= ==========================================================
"""

from __future__ import annotations

from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from watcher.watch import Tick

NAMESPACE: Final = "ZegoTokenService"
SERVICE: Final = "watcher"

#: Lambda takes a line's level only beside a time in RFC 3339.
logger = Logger(service=SERVICE, use_rfc3339=True)
metrics = Metrics(namespace=NAMESPACE, service=SERVICE)


def set_stage(stage: str) -> None:
    """Put the stage on every metric and log line."""
    metrics.set_default_dimensions(stage=stage)
    logger.append_keys(stage=stage)


def record_tick(tick: Tick) -> None:
    """Log what a tick found and did, and write its metrics."""
    verdict = tick.verdict
    metrics.add_metric("SecretVerdictUnknown", MetricUnit.Count, verdict.outcome == "unknown")
    if verdict.outcome != "unknown":
        metrics.add_metric("SecretAccepted", MetricUnit.Count, verdict.accepted)
    if tick.age_days is not None:
        metrics.add_metric("SecretAgeDays", MetricUnit.NoUnit, tick.age_days)
    if verdict.clock_skew_seconds is not None:
        metrics.add_metric("ClockSkewSeconds", MetricUnit.Seconds, verdict.clock_skew_seconds)
    if tick.healed_with is not None:
        metrics.add_metric("HealsStarted", MetricUnit.Count, 1)
    metrics.flush_metrics()
    log = logger.info if verdict.accepted else logger.error
    log("AWSCURRENT is %s: %s", verdict.outcome, verdict.reason, extra=tick.document())


def record_rotation(outcome: str, stage: str) -> None:
    """Count what Secrets Manager said of a rotation."""
    with single_metric(
        name="RotationOutcome",
        unit=MetricUnit.Count,
        value=1,
        namespace=NAMESPACE,
        default_dimensions={"stage": stage, "service": SERVICE},
    ) as metric:
        metric.add_dimension("outcome", outcome)
    logger.info("A rotation ended: %s", outcome, outcome=outcome)
