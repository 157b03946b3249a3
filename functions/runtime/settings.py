"""The settings of each function, read from its environment variables and checked.

``docs/configuration.md`` has the same variables; a test compares the two.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self, cast

from zego import STAGES
from zego.bounded_http import check_url

if TYPE_CHECKING:
    from zego.token04 import Cipher


class SettingsError(ValueError):
    """An environment variable is missing or invalid. The message names it and what to set."""


class Setting(NamedTuple):
    """One environment variable. Without a default it must be set."""

    name: str
    meaning: str
    default: str | None = None


_FOR_EVERY_FUNCTION: Final = (
    Setting("STAGE", "dev, staging, prod, or local for the local stack"),
    Setting("SERVER_SECRET_ARN", "ARN or name of the secret with the AppID and ServerSecret"),
    Setting("AWS_REGION", "set by Lambda; the secret's region, unless its ARN names another"),
    Setting(
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "the URL of Secrets Manager, if it is not AWS' default",
        "",
    ),
)
_EVENTS_URL: Final = Setting(
    "AWS_ENDPOINT_URL_EVENTS", "the URL of EventBridge, if it is not AWS' default", ""
)
_SHA256: Final = re.compile("[0-9a-f]{64}")
_SHA256_OF_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_ZEGO_SERVER_API_URL: Final = Setting(
    "ZEGO_SERVER_API_URL",
    "the URL of ZEGO's server API, if it is not the default: a regional host's",
    "",
)


class LimitsSettings(NamedTuple):
    """The table with denials and budgets. An endpoint that is ``None`` means AWS' default."""

    table: str
    region: str
    endpoint: str | None


ISSUER_VARIABLES: Final[tuple[Setting, ...]] = (
    *_FOR_EVERY_FUNCTION,
    Setting("ACCESS_POLICY_FILE", "path of the access policy", "policies/<STAGE>.toml"),
    Setting("TOKEN_CIPHER", "gcm, or cbc for SDKs that are too old for GCM", "gcm"),
    Setting(
        "SECRET_TTL_SECONDS",
        "how long the secret is used before it is read again, 1-3600",
        "60",
    ),
    Setting(
        "SECRET_MAX_STALE_SECONDS",
        "how long it stays in use if that read fails; from the TTL to 86400",
        "900",
    ),
    Setting(
        "LIMITS_TABLE",
        "the DynamoDB table with denials and budgets; without it there is neither",
        "",
    ),
    Setting("AWS_ENDPOINT_URL_DYNAMODB", "the URL of DynamoDB, if it is not AWS' default", ""),
    _EVENTS_URL,
    Setting(
        "ORIGIN_HEADER_SHA256",
        "the SHA-256 of the header that the edge adds to each request; two, separated by a"
        " comma, while it is replaced",
        "",
    ),
    Setting("BUILD_VERSION", "the version that /v1/health and /v1/status report", "unversioned"),
)


class IssuerSettings(NamedTuple):
    """The issuer's settings.

    :ivar region: the ServerSecret's region.
    :ivar own_region: the function's region.
    :ivar secrets_manager_endpoint: ``None`` means AWS' default.
    :ivar limits: the table with denials and budgets; ``None`` if there is none.
    :ivar events_endpoint: ``None`` means AWS' default.
    :ivar origin_header_sha256: digests in hex; if there are any, the edge's header must match one.
    """

    stage: str
    secret_id: str
    region: str
    own_region: str
    policy_file: Path
    cipher: Cipher
    secret_ttl_seconds: float
    secret_max_stale_seconds: float
    secrets_manager_endpoint: str | None
    limits: LimitsSettings | None
    events_endpoint: str | None
    origin_header_sha256: tuple[str, ...]
    build_version: str

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Read the settings, or raise :class:`SettingsError`."""
        found = _Environment(values, ISSUER_VARIABLES)
        ttl = found.seconds("SECRET_TTL_SECONDS", 1, 3600)
        return cls(
            stage=found.stage(),
            secret_id=found.text("SERVER_SECRET_ARN"),
            region=found.secret_region(),
            own_region=values.get("AWS_REGION") or found.secret_region(),
            policy_file=found.policy_file(),
            cipher=cast("Cipher", found.choice("TOKEN_CIPHER", ("gcm", "cbc"))),
            secret_ttl_seconds=ttl,
            secret_max_stale_seconds=found.seconds("SECRET_MAX_STALE_SECONDS", ttl, 86400),
            secrets_manager_endpoint=found.optional_url("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            limits=found.limits(),
            events_endpoint=found.optional_url("AWS_ENDPOINT_URL_EVENTS"),
            origin_header_sha256=found.digests("ORIGIN_HEADER_SHA256", at_most=2),
            build_version=found.text("BUILD_VERSION"),
        )


ROTATOR_VARIABLES: Final[tuple[Setting, ...]] = (*_FOR_EVERY_FUNCTION, _ZEGO_SERVER_API_URL)


class RotatorSettings(NamedTuple):
    """The rotator's settings. An endpoint that is ``None`` means the vendor's default.

    :ivar region: the secret's region.
    """

    stage: str
    secret_id: str
    region: str
    zego_server_api: str | None
    secrets_manager_endpoint: str | None

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Read the settings, or raise :class:`SettingsError`."""
        found = _Environment(values, ROTATOR_VARIABLES)
        return cls(
            stage=found.stage(),
            secret_id=found.text("SERVER_SECRET_ARN"),
            region=found.secret_region(),
            zego_server_api=found.optional_url("ZEGO_SERVER_API_URL"),
            secrets_manager_endpoint=found.optional_url("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        )


WATCHER_VARIABLES: Final[tuple[Setting, ...]] = (
    *_FOR_EVERY_FUNCTION,
    _ZEGO_SERVER_API_URL,
    Setting(
        "HEAL_COOLDOWN_SECONDS",
        "how long after a heal no other heal promotes the same value, 60-86400",
        "1800",
    ),
    _EVENTS_URL,
)


class WatcherSettings(NamedTuple):
    """The watcher's settings. An endpoint that is ``None`` means the vendor's default."""

    stage: str
    secret_id: str
    secret_region: str
    region: str
    zego_server_api: str | None
    heal_cooldown_seconds: float
    secrets_manager_endpoint: str | None
    events_endpoint: str | None

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Self:
        """Read the settings, or raise :class:`SettingsError`."""
        found = _Environment(values, WATCHER_VARIABLES)
        return cls(
            stage=found.stage(),
            secret_id=found.text("SERVER_SECRET_ARN"),
            secret_region=found.secret_region(),
            region=found.text("AWS_REGION"),
            zego_server_api=found.optional_url("ZEGO_SERVER_API_URL"),
            heal_cooldown_seconds=found.seconds("HEAL_COOLDOWN_SECONDS", 60, 86400),
            secrets_manager_endpoint=found.optional_url("AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            events_endpoint=found.optional_url("AWS_ENDPOINT_URL_EVENTS"),
        )


class _Environment:
    """Reads environment variables, with their defaults.

    Every method raises :class:`SettingsError` if a value is missing or invalid.
    """

    def __init__(self, values: Mapping[str, str], variables: tuple[Setting, ...]) -> None:
        self._values = values
        self._defaults = {variable.name: variable.default for variable in variables}

    def text(self, name: str) -> str:
        """A non-empty text."""
        value = self._values.get(name) or self._defaults[name]
        if not value:
            raise SettingsError(f"{name} is not set")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of the given texts."""
        value = self.text(name)
        if value not in choices:
            raise SettingsError(f"{name} is {value!r}; it must be one of {', '.join(choices)}")
        return value

    def seconds(self, name: str, low: float, high: float) -> float:
        """A number of seconds within bounds."""
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            raise SettingsError(f"{name} is {text!r}; it must be a number of seconds") from None
        if not low <= value <= high:
            raise SettingsError(f"{name} is {text}; it must be {low:g} to {high:g} seconds")
        return value

    def digests(self, name: str, *, at_most: int) -> tuple[str, ...]:
        """SHA-256 digests in lower-case hex, separated by commas; none if it is not set.

        The message repeats no value: it could be what should have been hashed.
        """
        text = self._values.get(name)
        digests = tuple(text.split(",")) if text else ()
        if len(digests) > at_most:
            raise SettingsError(f"{name} has {len(digests)} digests; it may have {at_most}")
        for digest in digests:
            if not _SHA256.fullmatch(digest):
                raise SettingsError(f"{name} has an entry that is not 64 lower-case hex digits")
            if digest == _SHA256_OF_NOTHING:
                raise SettingsError(f"{name} has the digest of an empty text")
        return digests

    def stage(self) -> str:
        """The stage. ``local``, which accepts plain http, is refused in AWS."""
        stage = self.choice("STAGE", STAGES)
        in_aws = self._values.get("AWS_EXECUTION_ENV", "").startswith("AWS_Lambda_")
        if stage == "local" and in_aws:
            raise SettingsError("STAGE is local, but this runs in AWS: set dev, staging or prod")
        return stage

    def secret_region(self) -> str:
        """The region of the secret, which may differ from the function's."""
        parts = self.text("SERVER_SECRET_ARN").split(":")
        if parts[0] != "arn":
            return self.text("AWS_REGION")
        if len(parts) != 7 or parts[2] != "secretsmanager" or not parts[3]:
            raise SettingsError(
                "SERVER_SECRET_ARN is not arn:aws:secretsmanager:<region>:<account>:secret:<name>"
            )
        return parts[3]

    def limits(self) -> LimitsSettings | None:
        """The table with denials and budgets, if one is set."""
        table = self._values.get("LIMITS_TABLE")
        if not table:
            return None
        endpoint = self.optional_url("AWS_ENDPOINT_URL_DYNAMODB")
        return LimitsSettings(table, self.text("AWS_REGION"), endpoint)

    def policy_file(self) -> Path:
        """The path of the access policy: the given one, or the stage's own."""
        if path := self._values.get("ACCESS_POLICY_FILE"):
            return Path(path)
        stage = self.stage()
        if stage == "local":
            raise SettingsError(
                "ACCESS_POLICY_FILE is not set, and no policy is packaged for the local stage"
            )
        return Path(__file__).parents[1] / "issuer" / "policies" / f"{stage}.toml"

    def optional_url(self, name: str) -> str | None:
        """An https URL, or ``None``; the local stack also accepts plain http to this machine."""
        if not (value := self._values.get(name)):
            return None
        try:
            return check_url(value, allow_loopback=self._values.get("STAGE") == "local")
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None
