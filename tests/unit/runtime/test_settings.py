"""The settings of rotator and watcher: required and optional ones, and each mistake."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from runtime.settings import RotatorSettings, SettingsError, WatcherSettings

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"
ENVIRONMENT = {"STAGE": "prod", "SERVER_SECRET_ARN": ARN, "AWS_REGION": "us-east-1"}
BOTH = (RotatorSettings, WatcherSettings)


def refusals(values: Mapping[str, str]) -> set[str]:
    """The error of both functions for an environment, which must be the same."""
    said = set()
    for settings in BOTH:
        with pytest.raises(SettingsError) as refused:
            settings.read(values)
        said.add(str(refused.value))
    return said


def test_what_may_be_left_out_has_a_default() -> None:
    assert RotatorSettings.read(ENVIRONMENT) == RotatorSettings(
        stage="prod",
        secret_id=ARN,
        region="eu-west-1",
        zego_server_api=None,
        secrets_manager_endpoint=None,
    )
    assert WatcherSettings.read(ENVIRONMENT) == WatcherSettings(
        stage="prod",
        secret_id=ARN,
        secret_region="eu-west-1",
        region="us-east-1",
        zego_server_api=None,
        heal_cooldown_seconds=1800,
        secrets_manager_endpoint=None,
        events_endpoint=None,
    )


def test_everything_can_be_set() -> None:
    values = {
        "STAGE": "local",
        "SERVER_SECRET_ARN": "zego/server-secret",
        "AWS_REGION": "us-east-1",
        "ZEGO_SERVER_API_URL": "http://127.0.0.1:1",
        "HEAL_COOLDOWN_SECONDS": "60",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.1:2",
        "AWS_ENDPOINT_URL_EVENTS": "http://127.0.0.1:3",
    }
    read = WatcherSettings.read(values)
    assert (read.zego_server_api, read.secrets_manager_endpoint, read.events_endpoint) == (
        "http://127.0.0.1:1",
        "http://127.0.0.1:2",
        "http://127.0.0.1:3",
    )
    assert (read.secret_region, read.heal_cooldown_seconds) == ("us-east-1", 60)
    assert RotatorSettings.read(values).secrets_manager_endpoint == "http://127.0.0.1:2"


@pytest.mark.parametrize("name", ["STAGE", "SERVER_SECRET_ARN"])
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_what_has_no_default_must_be_set(name: str, value: str | None) -> None:
    without = {key: text for key, text in ENVIRONMENT.items() if key != name}
    assert refusals(without if value is None else {**without, name: value}) == {
        f"{name} is not set"
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STAGE", "production"),
        ("SERVER_SECRET_ARN", "arn:aws:s3:::bucket"),
        ("ZEGO_SERVER_API_URL", "http://rtc-api.zego.im/"),
        ("ZEGO_SERVER_API_URL", "http://127.0.0.1:8084"),
        ("ZEGO_SERVER_API_URL", "rtc-api.zego.im"),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:8082"),
    ],
)
def test_an_invalid_value_is_refused_with_its_variable(name: str, value: str) -> None:
    (said,) = refusals({**ENVIRONMENT, name: value})
    assert said.startswith(name)


@pytest.mark.parametrize("value", ["59", "86401", "nan", "an hour"])
def test_a_cool_down_has_bounds(value: str) -> None:
    with pytest.raises(SettingsError, match=r"^HEAL_COOLDOWN_SECONDS"):
        WatcherSettings.read({**ENVIRONMENT, "HEAL_COOLDOWN_SECONDS": value})


def test_the_local_stage_is_refused_in_aws() -> None:
    values = {**ENVIRONMENT, "STAGE": "local", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13"}
    (said,) = refusals(values)
    assert said == "STAGE is local, but this runs in AWS: set dev, staging or prod"
