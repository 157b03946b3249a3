"""The function's environment, read once and checked.

``docs/configuration.md`` has the same table; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from zego.bounded_http import check_url
from zego.token04 import Cipher


class SettingsError(ValueError):
    """The environment cannot be meant. The message names the variable and what to set."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable. Without a default it must be set."""

    name: str
    meaning: str
    default: str | None = None


VARIABLES: Final = (
    Variable("STAGE", "dev, staging, prod, or local for the local stack"),
    Variable("SERVER_SECRET_ARN", "ARN or name of the secret with the AppID and ServerSecret"),
    Variable("AWS_REGION", "set by Lambda; where the secret is, unless its ARN says otherwise"),
    Variable("ACCESS_POLICY_FILE", "path of the access policy", "policies/<STAGE>.toml"),
    Variable("TOKEN_CIPHER", "gcm, or cbc for SDKs too old for it", "gcm"),
    Variable("SECRET_TTL_SECONDS", "how long a secret is used without asking again, 1-3600", "60"),
    Variable(
        "SECRET_MAX_STALE_SECONDS",
        "how long it is used when asking fails; from the TTL to 86400",
        "900",
    ),
    Variable("AWS_ENDPOINT_URL_SECRETS_MANAGER", "another URL for Secrets Manager", ""),
    Variable("BUILD_VERSION", "what /v1/health and /v1/status call this build", "unversioned"),
)

_DEFAULTS: Final = {variable.name: variable.default for variable in VARIABLES}
_STAGES: Final = ("dev", "staging", "prod", "local")


@dataclass(frozen=True, slots=True)
class Settings:
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

    @property
    def is_local(self) -> bool:
        """Whether this is the local stack, the only place where plain http is taken."""
        return self.stage == "local"


def read(environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    :raises SettingsError: a variable is missing or cannot be meant.
    """
    stage = _choice(environment, "STAGE", _STAGES)
    local = stage == "local"
    if local and environment.get("AWS_EXECUTION_ENV", "").startswith("AWS_Lambda_"):
        raise SettingsError("STAGE is local, but this runs in AWS: set dev, staging or prod")
    ttl = _seconds(environment, "SECRET_TTL_SECONDS", 1, 3600)
    secret_id = _text(environment, "SERVER_SECRET_ARN")
    return Settings(
        stage=stage,
        secret_id=secret_id,
        region=_region(secret_id) or _text(environment, "AWS_REGION"),
        policy_file=_policy_file(environment, stage),
        cipher=cast("Cipher", _choice(environment, "TOKEN_CIPHER", ("gcm", "cbc"))),
        secret_ttl_seconds=ttl,
        secret_max_stale_seconds=_seconds(environment, "SECRET_MAX_STALE_SECONDS", ttl, 86400),
        secrets_manager_endpoint=_endpoint(environment, local=local),
        build_version=_text(environment, "BUILD_VERSION"),
    )


def _text(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name) or _DEFAULTS[name]
    if not value:
        raise SettingsError(f"{name} is not set")
    return value


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    value = _text(environment, name)
    if value not in choices:
        raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
    return value


def _seconds(environment: Mapping[str, str], name: str, low: float, high: float) -> float:
    text = _text(environment, name)
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{name} is {text!r}; it must be a number of seconds") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} is {text}; it must be {low:g} to {high:g} seconds")
    return value


def _region(secret_id: str) -> str | None:
    """The region in an ARN: a secret is read where it is, from wherever the function runs."""
    parts = secret_id.split(":")
    if parts[0] != "arn":
        return None
    if len(parts) != 7 or parts[2] != "secretsmanager" or not parts[3]:
        raise SettingsError(
            "SERVER_SECRET_ARN is not arn:aws:secretsmanager:<region>:<account>:secret:<name>"
        )
    return parts[3]


def _policy_file(environment: Mapping[str, str], stage: str) -> Path:
    path = environment.get("ACCESS_POLICY_FILE")
    if path:
        return Path(path)
    if stage == "local":
        raise SettingsError("ACCESS_POLICY_FILE is not set; the local stage has no policy packaged")
    return Path(__file__).parent / "policies" / f"{stage}.toml"


def _endpoint(environment: Mapping[str, str], *, local: bool) -> str | None:
    name = "AWS_ENDPOINT_URL_SECRETS_MANAGER"
    url = environment.get(name)
    if not url:
        return None
    try:
        return check_url(url, allow_loopback=local)
    except ValueError as error:
        raise SettingsError(f"{name}: {error}") from None
