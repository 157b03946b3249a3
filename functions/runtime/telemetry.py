"""A function's log and metrics: Powertools, set up in one way for every function.

Metrics are CloudWatch embedded metric format (EMF) lines in the log. ``docs/operations.md`` lists
all of them.
"""

from __future__ import annotations

import json
import traceback
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = "ZegoTokenService"

#: ASCII, so that every value that a caller sends can be written.
_to_json: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode


class Telemetry:
    """The log and the metrics of one function. Both name the function and its stage."""

    def __init__(self, service: str) -> None:
        # Lambda reads a line's level only if the line's time is in RFC 3339.
        self.logger = Logger(service=service, json_serializer=_to_json, use_rfc3339=True)
        self._metrics = Metrics(namespace=NAMESPACE, service=service)
        self._service = service
        self._stage = ""

    def set_stage(self, stage: str) -> None:
        """Put the stage on every metric and log line."""
        self._stage = stage
        self._metrics.set_default_dimensions(stage=stage)
        self.logger.append_keys(stage=stage)

    def log_failure(self, message: str, error: Exception, **fields: str) -> None:
        """Log an unexpected error: its type and place, not its text, which could hold anything."""
        frames = traceback.format_tb(error.__traceback__)
        extra = {**fields, "error": type(error).__name__, "frames": frames}
        self.logger.error(message, extra=extra)

    def add(self, name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
        """Add to a metric of this invocation. :meth:`flush` writes it."""
        self._metrics.add_metric(name=name, unit=unit, value=value)

    def flush(self) -> None:
        """Write this invocation's metrics, if there are any."""
        if self._metrics.metric_set:
            self._metrics.flush_metrics()

    def count_by(self, name: str, **dimension: str) -> None:
        """Count once, at once, by a dimension that the other metrics do not have."""
        with single_metric(
            name=name,
            unit=MetricUnit.Count,
            value=1,
            namespace=NAMESPACE,
            default_dimensions={"stage": self._stage, "service": self._service},
        ) as metric:
            for key, value in dimension.items():
                metric.add_dimension(key, value)
