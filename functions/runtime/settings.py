"""A function's environment, read once and checked.

Each function lists its variables as data; ``docs/configuration.md`` has the same tables; a test
compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from zego import STAGES
from zego.bounded_http import check_url


class SettingsError(ValueError):
    """An environment variable is missing or invalid. The message names it and what to set."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable. Without a default it must be set."""

    name: str
    meaning: str
    default: str | None = None


# Those that every function has.
STAGE: Final = Setting("STAGE", "dev, staging, prod, or local for the local stack")
SERVER_SECRET_ARN: Final = Setting(
    "SERVER_SECRET_ARN", "ARN or name of the secret with the AppID and ServerSecret"
)
AWS_REGION: Final = Setting(
    "AWS_REGION", "set by Lambda; where the secret is, unless its ARN says otherwise"
)
AWS_ENDPOINT_URL_SECRETS_MANAGER: Final = Setting(
    "AWS_ENDPOINT_URL_SECRETS_MANAGER", "another URL for Secrets Manager", ""
)


class Environment:
    """Reads variables, with their defaults.

    Every method raises :class:`SettingsError` for a missing or invalid value.
    """

    def __init__(self, values: Mapping[str, str], variables: tuple[Setting, ...]) -> None:
        self._values = values
        self._defaults = {variable.name: variable.default for variable in variables}

    def text(self, name: str) -> str:
        """A text that is not empty."""
        value = self._values.get(name) or self._defaults[name]
        if not value:
            raise SettingsError(f"{name} is not set")
        return value

    def choice(self, name: str, choices: tuple[str, ...]) -> str:
        """One of some texts."""
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

    def stage(self) -> str:
        """The stage. ``local``, which accepts plain http, is refused in AWS."""
        stage = self.choice(STAGE.name, STAGES)
        in_aws = self._values.get("AWS_EXECUTION_ENV", "").startswith("AWS_Lambda_")
        if stage == "local" and in_aws:
            raise SettingsError("STAGE is local, but this runs in AWS: set dev, staging or prod")
        return stage

    def secret_region(self) -> str:
        """The region of the secret, which may not be the function's."""
        parts = self.text(SERVER_SECRET_ARN.name).split(":")
        if parts[0] != "arn":
            return self.text(AWS_REGION.name)
        if len(parts) != 7 or parts[2] != "secretsmanager" or not parts[3]:
            raise SettingsError(
                "SERVER_SECRET_ARN is not arn:aws:secretsmanager:<region>:<account>:secret:<name>"
            )
        return parts[3]

    def url(self, name: str) -> str:
        """An https URL; the local stack also accepts plain http to this machine."""
        return self._url(name, self.text(name))

    def optional_url(self, name: str) -> str | None:
        """As :meth:`url`; ``None`` if it is not set."""
        value = self._values.get(name)
        return self._url(name, value) if value else None

    def _url(self, name: str, value: str) -> str:
        try:
            return check_url(value, allow_loopback=self._values.get(STAGE.name) == "local")
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None
