"""The watcher Lambda: every five minutes, and whenever Secrets Manager reports a rotation's end."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from watcher import settings, telemetry
from watcher.watch import Tick, Watch
from zego.secret_store.versions import CLIENT_CONFIG, SecretStoreError, SecretVersions
from zego.server_api import ServerApi

if TYPE_CHECKING:
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

EVENT_SOURCE: Final = "zego-token-service"

_settings = settings.read(os.environ)
_events = boto3.client(
    "events",
    region_name=_settings.region,
    endpoint_url=_settings.events_endpoint,
    config=CLIENT_CONFIG,
)
telemetry.set_stage(_settings.stage)


class WatchError(Exception):
    """The tick could not be finished. The message says why; the next one tries again."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, object]:
    """Look at the current secret once; gives what was found, as the event has it.

    :param event: EventBridge's: of the schedule, or of a rotation's end.
    :raises WatchError: a change could not be published or noted.
    """
    outcome = _rotation_outcome(event)
    if outcome is not None:
        telemetry.record_rotation(outcome, _settings.stage)
    try:
        tick = _watch.tick(telemetry.record_verdict, is_scheduled=outcome is None)
        telemetry.record_action(tick)
        _watch.tell(tick)
    except (WatchError, SecretStoreError) as error:
        raise WatchError(str(error)) from None
    except Exception as error:  # noqa: BLE001  its text could hold anything
        frames = traceback.format_tb(error.__traceback__)
        telemetry.logger.error("The watcher broke", error=type(error).__name__, frames=frames)
        raise WatchError(f"the watcher broke: {type(error).__name__}") from None
    return tick.document()


def _rotation_outcome(event: Mapping[str, Any]) -> str | None:
    """How a rotation ended, if the event is about that."""
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


def _publish(tick: Tick) -> None:
    entry: PutEventsRequestEntryTypeDef = {
        "Source": EVENT_SOURCE,
        "DetailType": tick.event_type,
        "Detail": json.dumps({"stage": _settings.stage, **tick.document()}),
        "Resources": [tick.secret_arn] if tick.secret_arn else [],
    }
    try:
        answer = _events.put_events(Entries=[entry])
    except (BotoCoreError, ClientError) as error:
        raise WatchError(f"EventBridge took no event: {type(error).__name__}") from None
    if answer["FailedEntryCount"]:
        code = answer["Entries"][0].get("ErrorCode")
        raise WatchError(f"EventBridge took no event: {code}")


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
