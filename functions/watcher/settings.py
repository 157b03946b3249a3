"""The watcher's environment; see :mod:`runtime.settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from runtime import settings
from runtime.settings import Environment, Setting
from zego import server_api

VARIABLES: Final = (
    settings.STAGE,
    settings.SERVER_SECRET_ARN,
    settings.AWS_REGION,
    Setting("ZEGO_SERVER_API_URL", "ZEGO's server API, or a regional host's", server_api.ENDPOINT),
    Setting(
        "HEAL_COOLDOWN_SECONDS",
        "how long a value is not promoted by itself again, 60-86400",
        "1800",
    ),
    settings.AWS_ENDPOINT_URL_SECRETS_MANAGER,
    Setting("AWS_ENDPOINT_URL_EVENTS", "another URL for EventBridge", ""),
)


@dataclass(frozen=True, slots=True)
class WatcherSettings:
    """What the environment says. See :data:`VARIABLES`."""

    stage: str
    secret_id: str
    secret_region: str
    region: str
    zego_server_api: str
    heal_cooldown_seconds: float
    secrets_manager_endpoint: str | None
    events_endpoint: str | None


def read(values: Mapping[str, str]) -> WatcherSettings:
    """Read the settings, or raise :class:`runtime.settings.SettingsError`."""
    found = Environment(values, VARIABLES)
    return WatcherSettings(
        stage=found.stage(),
        secret_id=found.text("SERVER_SECRET_ARN"),
        secret_region=found.secret_region(),
        region=found.text("AWS_REGION"),
        zego_server_api=found.url("ZEGO_SERVER_API_URL"),
        heal_cooldown_seconds=found.seconds("HEAL_COOLDOWN_SECONDS", 60, 86400),
        secrets_manager_endpoint=found.optional_url("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        events_endpoint=found.optional_url("AWS_ENDPOINT_URL_EVENTS"),
    )
