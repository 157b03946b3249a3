"""The rotator's environment; see :mod:`runtime.settings`."""

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
    settings.AWS_ENDPOINT_URL_SECRETS_MANAGER,
)


@dataclass(frozen=True, slots=True)
class RotatorSettings:
    """What the environment says. See :data:`VARIABLES`."""

    stage: str
    secret_id: str
    region: str
    zego_server_api: str
    secrets_manager_endpoint: str | None


def read(values: Mapping[str, str]) -> RotatorSettings:
    """Read the settings, or raise :class:`runtime.settings.SettingsError`."""
    found = Environment(values, VARIABLES)
    return RotatorSettings(
        stage=found.stage(),
        secret_id=found.text("SERVER_SECRET_ARN"),
        region=found.secret_region(),
        zego_server_api=found.url("ZEGO_SERVER_API_URL"),
        secrets_manager_endpoint=found.optional_url("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
    )
