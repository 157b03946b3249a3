"""What every function writes to its log, and how it counts."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from unittest.mock import patch

import pytest
from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from runtime.telemetry import Telemetry
from zego.aws import Credentials
from zego.secrets_manager import SecretValue, SecretVersion
from zego.server_secret import ServerSecret

SERVICE = "telemetry-test"
PRIVATE = "0123456789abcdef" * 2  # invented


class Recorded:
    """A function's telemetry, and what it has written."""

    def __init__(self) -> None:
        self.telemetry = Telemetry(SERVICE)
        self.telemetry.set_stage("dev")
        self._output = io.StringIO()

    @contextmanager
    def writing(self) -> Iterator[Telemetry]:
        """While this is entered, what is written is recorded."""
        handler = self.telemetry.logger.registered_handler
        assert isinstance(handler, logging.StreamHandler)
        before = handler.setStream(self._output)
        with redirect_stdout(self._output):
            yield self.telemetry
        handler.setStream(before or sys.stdout)

    def lines(self) -> list[str]:
        """What was written."""
        return self._output.getvalue().splitlines()


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    """What Powertools keeps for a whole process is set back."""
    with ExitStack() as restored:
        for kept in (Metrics._metrics, Metrics._dimensions, Metrics._default_dimensions):
            restored.enter_context(patch.dict(kept, clear=True))
        yield Recorded()


class TestLog:
    def test_a_line_names_the_function_its_stage_and_the_time_as_lambda_reads_it(
        self, recorded: Recorded
    ) -> None:
        with recorded.writing() as telemetry:
            telemetry.logger.info("A thing happened", thing=1)
        (line,) = map(json.loads, recorded.lines())
        assert (line["service"], line["stage"], line["thing"]) == (SERVICE, "dev", 1)
        assert line["timestamp"][10] == "T"

    def test_what_a_caller_sent_can_always_be_written(self, recorded: Recorded) -> None:
        with recorded.writing() as telemetry:
            telemetry.logger.info("A room", room_id="\ud800 \u00e9")
        (line,) = recorded.lines()
        assert line.isascii()
        assert json.loads(line)["room_id"] == "\ud800 \u00e9"

    def test_an_unexpected_error_is_logged_with_its_place_and_without_its_text(
        self, recorded: Recorded
    ) -> None:
        private = SERVICE.upper()
        with recorded.writing() as telemetry:
            try:
                raise ValueError(private)
            except ValueError as error:
                telemetry.log_failure("It failed", error, request_id="r-1")
        (written,) = recorded.lines()
        line = json.loads(written)
        assert (line["level"], line["error"], line["request_id"]) == ("ERROR", "ValueError", "r-1")
        assert "test_telemetry.py" in line["frames"][0]
        assert private not in written


class TestMetrics:
    def test_the_metrics_of_an_invocation_are_written_together(self, recorded: Recorded) -> None:
        with recorded.writing() as telemetry:
            telemetry.add("Things")
            telemetry.add("Things")
            telemetry.add("Took", 1.5, MetricUnit.Seconds)
            assert recorded.lines() == []
            telemetry.flush()
        (line,) = map(json.loads, recorded.lines())
        assert (line["Things"], line["Took"]) == ([1, 1], [1.5])
        assert (line["service"], line["stage"]) == (SERVICE, "dev")

    def test_without_metrics_nothing_is_written(self, recorded: Recorded) -> None:
        with recorded.writing() as telemetry:
            telemetry.flush()
        assert recorded.lines() == []

    def test_a_count_by_a_dimension_is_written_at_once_and_alone(self, recorded: Recorded) -> None:
        with recorded.writing() as telemetry:
            telemetry.add("Things")
            telemetry.count_by("ThingsRefused", code="blue")
        (line,) = map(json.loads, recorded.lines())
        (group,) = line["_aws"]["CloudWatchMetrics"]
        assert group["Namespace"] == "ZegoTokenService"
        assert group["Dimensions"] == [["stage", "service", "code"]]
        assert (line["ThingsRefused"], line["code"], line["stage"]) == ([1], "blue", "dev")


@pytest.mark.parametrize(
    "kept",
    [
        Credentials("AKIAEXAMPLE", PRIVATE, PRIVATE),
        SecretValue(PRIVATE, "version-1", 1.7e9),
        ServerSecret(1234567890, PRIVATE),
        SecretVersion(ServerSecret(1234567890, PRIVATE), "version-1", 1.7e9),
    ],
    ids=lambda kept: type(kept).__name__,
)
def test_a_line_that_gets_a_secret_by_mistake_does_not_show_it(
    recorded: Recorded, kept: object
) -> None:
    with recorded.writing() as telemetry:
        telemetry.logger.warning("A thing", thing=kept, things=[kept])
    (line,) = recorded.lines()
    assert PRIVATE not in line


class Writes(io.StringIO):
    """A stream that keeps each write."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def write(self, text: str) -> int:
        self.texts.append(text)
        return len(text)


class TestHeldLines:
    @pytest.fixture
    def writes(self) -> Writes:
        return Writes()

    @pytest.fixture
    def holding(
        self, recorded: Recorded, writes: Writes, request: pytest.FixtureRequest
    ) -> Iterator[Telemetry]:
        telemetry = Telemetry(request.node.name, holds_lines=True)
        telemetry.set_stage("dev")
        handler = telemetry.logger.registered_handler
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(writes)
        with redirect_stdout(writes):
            yield telemetry

    def test_what_one_request_says_is_one_write(self, holding: Telemetry, writes: Writes) -> None:
        holding.logger.info("first")
        holding.add("Counted")
        holding.logger.info("second")
        assert writes.texts == []
        holding.flush()
        (text,) = writes.texts
        first, second, metrics = map(json.loads, text.splitlines())
        assert (first["message"], second["message"]) == ("first", "second")
        assert metrics["Counted"] == [1.0]
        holding.flush()
        assert len(writes.texts) == 1

    def test_a_line_that_cannot_be_written_fails_no_request_and_loses_no_other(
        self, holding: Telemetry, writes: Writes
    ) -> None:
        endless: list[object] = []
        endless.append(endless)
        holding.logger.info("first")
        holding.logger.error("lost", value=endless)
        holding.flush()
        (text,) = writes.texts
        assert [json.loads(line)["message"] for line in text.splitlines()] == ["first"]

    @pytest.mark.parametrize("level", ["warning", "error"])
    def test_a_warning_is_written_at_once_with_the_lines_before_it(
        self, holding: Telemetry, writes: Writes, level: str
    ) -> None:
        holding.logger.info("before")
        getattr(holding.logger, level)("a problem")
        (text,) = writes.texts
        messages = [json.loads(line)["message"] for line in text.splitlines()]
        assert messages == ["before", "a problem"]
        holding.flush()
        assert len(writes.texts) == 1
