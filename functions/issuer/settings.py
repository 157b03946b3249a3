"""The issuer's environment; see :mod:`runtime.settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from runtime import settings
from runtime.settings import Environment, Setting, SettingsError
from zego.token04 import Cipher

VARIABLES: Final = (
    settings.STAGE,
    settings.SERVER_SECRET_ARN,
    settings.AWS_REGION,
    Setting("ACCESS_POLICY_FILE", "path of the access policy", "policies/<STAGE>.toml"),
    Setting("TOKEN_CIPHER", "gcm, or cbc for SDKs too old for it", "gcm"),
    Setting("SECRET_TTL_SECONDS", "how long a secret is used without asking again, 1-3600", "60"),
    Setting(
        "SECRET_MAX_STALE_SECONDS",
        "how long it is used when asking fails; from the TTL to 86400",
        "900",
    ),
    settings.AWS_ENDPOINT_URL_SECRETS_MANAGER,
    Setting("BUILD_VERSION", "what /v1/health and /v1/status call this build", "unversioned"),
)


@dataclass(frozen=True, slots=True)
class IssuerSettings:
    """What the environment says. See :data:`VARIABLES`.

    :ivar secrets_manager_endpoint: ``None`` is AWS' own.
    """

    stage: str
    secret_id: str
    region: str
    policy_file: Path
    cipher: Cipher
    secret_ttl_seconds: float
    secret_max_stale_seconds: float
    secrets_manager_endpoint: str | None
    build_version: str


def read(values: Mapping[str, str]) -> IssuerSettings:
    """Read the settings, or raise :class:`runtime.settings.SettingsError`."""
    found = Environment(values, VARIABLES)
    stage = found.stage()
    ttl = found.seconds("SECRET_TTL_SECONDS", 1, 3600)
    return IssuerSettings(
        stage=stage,
        secret_id=found.text("SERVER_SECRET_ARN"),
        region=found.secret_region(),
        policy_file=_policy_file(values.get("ACCESS_POLICY_FILE"), stage),
        cipher=cast("Cipher", found.choice("TOKEN_CIPHER", ("gcm", "cbc"))),
        secret_ttl_seconds=ttl,
        secret_max_stale_seconds=found.seconds("SECRET_MAX_STALE_SECONDS", ttl, 86400),
        secrets_manager_endpoint=found.optional_url("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        build_version=found.text("BUILD_VERSION"),
    )


def _policy_file(path: str | None, stage: str) -> Path:
    if path:
        return Path(path)
    if stage == "local":
        raise SettingsError("ACCESS_POLICY_FILE is not set; the local stage has no policy packaged")
    return Path(__file__).parent / "policies" / f"{stage}.toml"
