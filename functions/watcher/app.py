"""The watcher Lambda: runs every five minutes, and when Secrets Manager reports a rotation's end.

``docs/operations.md`` lists its metrics.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import boto3
from aws_lambda_powertools.metrics import MetricUnit
from botocore.exceptions import BotoCoreError, ClientError

from runtime.settings import WatcherSettings
from runtime.telemetry import Telemetry
from watcher.watch import Tick, Watch
from zego.secret_store.versions import CLIENT_CONFIG, SecretStoreError, SecretVersions
from zego.server_api import ServerApi

if TYPE_CHECKING:
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

EVENT_SOURCE: Final = "zego-token-service"

_settings = WatcherSettings.read(os.environ)
_events = boto3.client(
    "events",
    region_name=_settings.region,
    endpoint_url=_settings.events_endpoint,
    config=CLIENT_CONFIG,
)
telemetry = Telemetry("watcher")
telemetry.set_stage(_settings.stage)


class WatchError(Exception):
    """The check could not finish. The message says why; the next check tries again."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, object]:
    """Check the current secret once. Returns what the check found, as in the event.

    :param event: an EventBridge event: from the schedule, or of a rotation's end.
    :raises WatchError: a change could not be published or noted.
    """
    outcome = _rotation_outcome(event)
    if outcome is not None:
        telemetry.count_by("RotationOutcome", outcome=outcome)
        telemetry.logger.info("A rotation ended: %s", outcome, outcome=outcome)
    try:
        tick = _watch.tick(_record_verdict, is_scheduled=outcome is None)
        _record_action(tick)
        _watch.tell(tick)
    except (WatchError, SecretStoreError) as error:
        raise WatchError(str(error)) from None
    except Exception as error:  # noqa: BLE001  its text could contain anything
        telemetry.log_failure("The watcher failed", error)
        raise WatchError(f"the watcher failed: {type(error).__name__}") from None
    return tick.document()


def _rotation_outcome(event: Mapping[str, Any]) -> str | None:
    """How a rotation ended, if the event reports one."""
    if event.get("source") != "aws.secretsmanager":
        return None
    detail = event.get("detail")
    name = detail.get("eventName") if isinstance(detail, Mapping) else None
    return _ROTATION_EVENTS.get(name) if isinstance(name, str) else None


_ROTATION_EVENTS: Final[Mapping[str, str]] = {
    "RotationSucceeded": "succeeded",
    "RotationFailed": "failed",
    "RotationAbandoned": "abandoned",
    "TestRotationFailed": "test-failed",
}


def _record_verdict(tick: Tick) -> None:
    """Log what a check found and write its metrics, before the watcher acts on it."""
    verdict = tick.verdict
    telemetry.add("SecretVerdictUnknown", verdict.outcome == "unknown")
    telemetry.add("RotationStuck", tick.is_stuck)
    if verdict.outcome != "unknown":
        telemetry.add("SecretAccepted", verdict.accepted)
    if tick.age_days is not None:
        telemetry.add("SecretAgeDays", tick.age_days, MetricUnit.NoUnit)
    if verdict.clock_skew_seconds is not None:
        telemetry.add("ClockSkewSeconds", verdict.clock_skew_seconds, MetricUnit.Seconds)
    telemetry.flush()
    log = telemetry.logger.info if verdict.accepted else telemetry.logger.error
    log("AWSCURRENT is %s: %s", verdict.outcome, verdict.reason, extra=tick.document())


def _record_action(tick: Tick) -> None:
    """Log what a check did about a rejection or a stuck rotation, and count a heal."""
    if tick.healed_with is not None:
        telemetry.add("HealsStarted")
        telemetry.flush()
    if tick.action:
        telemetry.logger.error(tick.action, extra=tick.document())


def _publish(tick: Tick) -> None:
    entry: PutEventsRequestEntryTypeDef = {
        "Source": EVENT_SOURCE,
        "DetailType": tick.event_type,
        "Detail": json.dumps({"stage": _settings.stage, **tick.document()}),
        "Resources": [tick.secret_arn] if tick.secret_arn else [],
    }
    try:
        response = _events.put_events(Entries=[entry])
    except (BotoCoreError, ClientError) as error:
        raise WatchError(f"EventBridge rejected the event: {type(error).__name__}") from None
    if response["FailedEntryCount"]:
        code = response["Entries"][0].get("ErrorCode")
        raise WatchError(f"EventBridge rejected the event: {code}")


_watch = Watch(
    SecretVersions(
        boto3.client(
            "secretsmanager",
            region_name=_settings.secret_region,
            endpoint_url=_settings.secrets_manager_endpoint,
            config=CLIENT_CONFIG,
        ),
        _settings.secret_id,
    ),
    ServerApi(_settings.zego_server_api),
    _publish,
    cooldown_seconds=_settings.heal_cooldown_seconds,
)
