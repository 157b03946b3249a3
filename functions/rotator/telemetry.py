"""The rotator's log and its one metric.

================ ===== =============================================================
RotationOutcome  Count by ``outcome``: promoted, refused, unproven or failed
================ ===== =============================================================
"""

from __future__ import annotations

from typing import Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = "ZegoTokenService"
SERVICE: Final = "rotator"

#: Lambda takes a line's level only beside a time in RFC 3339.
logger = Logger(service=SERVICE, use_rfc3339=True)
OUTCOMES: Final = ("promoted", "refused", "unproven", "failed")


def record_outcome(outcome: str, stage: str) -> None:
    """Count how a rotation, or one attempt at it, ended: one of :data:`OUTCOMES`."""
    with single_metric(
        name="RotationOutcome",
        unit=MetricUnit.Count,
        value=1,
        namespace=NAMESPACE,
        default_dimensions={"stage": stage, "service": SERVICE},
    ) as metric:
        metric.add_dimension("outcome", outcome)
