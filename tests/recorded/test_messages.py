"""The messages for an invalid access policy and for invalid variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.recorded.real_code import (
    FUNCTIONS,
    PolicyError,
    SettingsError,
    policy_file,
    read_settings,
)
from tests.recorded.recording import check, normalised
from tests.support.policy_mistakes import MISTAKES

ARN: Final = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"
GOOD: Final = {"STAGE": "prod", "SERVER_SECRET_ARN": ARN, "AWS_REGION": "us-east-1"}
#: Values of a variable that each function with it refuses; None unsets it.
BAD_VALUES: Final[Mapping[str, tuple[str | None, ...]]] = {
    "STAGE": (None, "", "production"),
    "SERVER_SECRET_ARN": (None, "", "arn:aws:secretsmanager:eu-west-1", f"{ARN}:more"),
    "AWS_REGION": (None, ""),
    "TOKEN_CIPHER": ("ctr",),
    "SECRET_TTL_SECONDS": ("soon", "0", "3601", "nan"),
    "SECRET_MAX_STALE_SECONDS": ("soon", "59", "86401"),
    "HEAL_COOLDOWN_SECONDS": ("soon", "59", "86401"),
    "ZEGO_SERVER_API_URL": ("http://rtc-api.zego.im/", "rtc-api.zego.im", "https://a b/"),
    "AWS_ENDPOINT_URL_SECRETS_MANAGER": ("http://127.0.0.1:1", "localhost"),
    "AWS_ENDPOINT_URL_EVENTS": ("http://127.0.0.1:1", "localhost"),
    "AWS_EXECUTION_ENV": ("AWS_Lambda_python3.11",),
}
#: Other valid environments, for mistakes that the first does not show.
MORE: Final[Mapping[str, Mapping[str, str]]] = {
    "AWS_REGION": {"SERVER_SECRET_ARN": "zego/server-secret"},
    "AWS_EXECUTION_ENV": {"STAGE": "local", "ACCESS_POLICY_FILE": "/policy.toml"},
    "ACCESS_POLICY_FILE": {"STAGE": "local"},
}


def test_the_message_for_every_mistake_in_a_policy(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "policy.toml"
    said: dict[str, dict[str, str]] = {}
    for kind, mistakes in MISTAKES.items():
        for mistake in mistakes:
            path.write_text(mistake.policy, encoding="utf-8")
            with pytest.raises(PolicyError) as refused:
                policy_file.load(path)
            words, of_toml, _ = str(refused.value).partition(" is not TOML: ")
            said.setdefault(kind, {})[mistake.name] = words + of_toml  # the rest is Python's
    with pytest.raises(PolicyError) as refused:
        policy_file.load(tmp_path / "absent.toml")
    said["no file"] = {"absent": str(refused.value)}
    check("policy_messages", normalised(said, tmp_path), request)


def test_the_message_for_every_mistake_in_the_environment(request: pytest.FixtureRequest) -> None:
    said: dict[str, dict[str, str]] = {}
    for function in FUNCTIONS:
        for variable, values in ({"ACCESS_POLICY_FILE": (None,)} | dict(BAD_VALUES)).items():
            for value in values:
                environment = {**GOOD, **MORE.get(variable, {}), variable: value}
                present = {key: given for key, given in environment.items() if given is not None}
                if text := refusal(function, present):
                    name = f"no {variable}" if value is None else f"{variable}={value}"
                    said.setdefault(function, {})[name] = text
    check("settings_messages", said, request)


def refusal(function: str, environment: Mapping[str, str]) -> str:
    """A function's message about its environment; empty if it is valid."""
    try:
        read_settings(function, environment)
    except SettingsError as error:
        return str(error)
    return ""
