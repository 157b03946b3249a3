"""The log and the metrics of a function: Powertools, set up the same way for every function.

Metrics are log lines in CloudWatch's embedded metric format (EMF). ``docs/operations.md`` lists all
of them.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from typing import Final, TextIO

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE: Final = "ZegoTokenService"

#: Writes ASCII only, so that the log can contain every value that a caller sends.
_to_json: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode


class _HeldLines(logging.StreamHandler[TextIO]):
    """Holds the lines of a request until its end, or until the first warning or error.

    Each write is a system call, which takes longer than the line. If the process is killed, the
    lines of a request that gets no response are lost, but no warning.
    """

    def __init__(self) -> None:
        super().__init__(sys.stdout)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Hold a line; write all that are held if it is a warning or an error."""
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001  as all handlers do: a request does not fail for its log
            self.handleError(record)
            return
        self._lines.append(f"{line}\n")
        if record.levelno > logging.INFO:
            self.write()

    def write(self, more: str = "") -> None:
        """Write all held lines, and more text, at once."""
        lines, self._lines = self._lines, []
        if text := "".join([*lines, more]):
            self.stream.write(text)


class Telemetry:
    """The log and the metrics of one function. Both name the function and its stage.

    :param holds_lines: whether the log lines wait for :meth:`flush`, except warnings and errors.
    """

    def __init__(self, service: str, *, holds_lines: bool = False) -> None:
        self._held = _HeldLines() if holds_lines else None
        # Lambda recognises a line's level only if the line's time is in RFC 3339.
        self.logger = Logger(
            service=service,
            json_serializer=_to_json,
            use_rfc3339=True,
            logger_handler=self._held,
        )
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
        """Write this invocation's metrics, if there are any, and the held lines, all at once."""
        text = ""
        if self._metrics.metric_set:
            text = f"{_to_json(self._metrics.serialize_metric_set())}\n"
            self._metrics.clear_metrics()
        if self._held is not None:
            self._held.write(text)
        elif text:
            sys.stdout.write(text)

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
