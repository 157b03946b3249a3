"""The log and the metrics of a function: Powertools, set up the same way for every function.

Metrics are log lines in CloudWatch's embedded metric format (EMF). ``docs/operations.md`` lists all
of them.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = "ZegoTokenService"

#: Writes ASCII only, so that the log can contain every value that a caller sends.
_to_json: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode


class Telemetry:
    """The log and the metrics of one function. Both name the function and its stage."""

    def __init__(self, service: str) -> None:
        # Lambda recognises a line's level only if the line's time is in RFC 3339.
        self.logger = Logger(service=service, json_serializer=_to_json, use_rfc3339=True)
        self._metrics = Metrics(namespace=NAMESPACE, service=service)
        self._service = service
        self._stage = ""

    def set_stage(self, stage: str) -> None:
        """Set the stage of every metric and log line."""
        self._stage = stage
        self._metrics.set_default_dimensions(stage=stage)
        self.logger.append_keys(stage=stage)

    def log_failure(self, message: str, error: Exception, **fields: str) -> None:
        """Log an unexpected error: its type and place. Its text is left out: it could be secret."""
        frames = traceback.format_tb(error.__traceback__)
        extra = {**fields, "error": type(error).__name__, "frames": frames}
        self.logger.error(message, extra=extra)

    def add(self, name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count) -> None:
        """Add to a metric of this invocation. :meth:`flush` writes it."""
        self._metrics.add_metric(name=name, unit=unit, value=value)

    def flush(self) -> None:
        """Write this invocation's metrics, if there are any."""
        if self._metrics.metric_set:
            line = _to_json(self._metrics.serialize_metric_set())
            self._metrics.clear_metrics()
            # Powertools prints it, and Lambda's stdout would write the line break by itself.
            sys.stdout.write(f"{line}\n")

    def count_by(self, name: str, count: int = 1, /, **dimension: str) -> None:
        """Write a count at once, with a dimension that the other metrics do not have."""
        with single_metric(
            name=name,
            unit=MetricUnit.Count,
            value=count,
            namespace=NAMESPACE,
            default_dimensions={"stage": self._stage, "service": self._service},
        ) as metric:
            for key, value in dimension.items():
                metric.add_dimension(key, value)
