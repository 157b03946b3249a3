"""The watcher's log and metrics.

====================== ======= ==========================================================
SecretAccepted         Count   1 if ZEGO accepts AWSCURRENT, 0 if it rejects it; none if
                               that is unknown
SecretVerdictUnknown   Count   1 if it is unknown, else 0
SecretAgeDays          None    since AWSCURRENT was stored
ClockSkewSeconds       Seconds how far this clock is ahead of ZEGO's
RotationStuck          Count   1 if a rotation has not ended for 15 minutes, else 0
HealsStarted           Count   rotations that the watcher started
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


def record_verdict(tick: Tick) -> None:
    """Log what a tick found and write its metrics, before anything is done about it."""
    verdict = tick.verdict
    metrics.add_metric("SecretVerdictUnknown", MetricUnit.Count, verdict.outcome == "unknown")
    metrics.add_metric("RotationStuck", MetricUnit.Count, tick.is_stuck)
    if verdict.outcome != "unknown":
        metrics.add_metric("SecretAccepted", MetricUnit.Count, verdict.accepted)
    if tick.age_days is not None:
        metrics.add_metric("SecretAgeDays", MetricUnit.NoUnit, tick.age_days)
    if verdict.clock_skew_seconds is not None:
        metrics.add_metric("ClockSkewSeconds", MetricUnit.Seconds, verdict.clock_skew_seconds)
    metrics.flush_metrics()
    log = logger.info if verdict.accepted else logger.error
    log("AWSCURRENT is %s: %s", verdict.outcome, verdict.reason, extra=tick.document())


def record_action(tick: Tick) -> None:
    """Log what a tick did about a rejection or a stuck rotation, and count a heal."""
    if tick.healed_with is not None:
        metrics.add_metric("HealsStarted", MetricUnit.Count, 1)
        metrics.flush_metrics()
    if tick.action:
        logger.error(tick.action, extra=tick.document())


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
