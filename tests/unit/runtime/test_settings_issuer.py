"""The issuer's settings: required and optional ones, and each mistake with its variable."""

from __future__ import annotations

from pathlib import Path

import pytest

import issuer
from runtime.settings import ISSUER_VARIABLES, IssuerSettings, SettingsError
from tests.support.table import table

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"
ENVIRONMENT = {"STAGE": "prod", "SERVER_SECRET_ARN": ARN, "AWS_REGION": "us-east-1"}
LOCAL = {
    "STAGE": "local",
    "SERVER_SECRET_ARN": "zego/server-secret",
    "AWS_REGION": "us-east-1",
    "ACCESS_POLICY_FILE": "/policy.toml",
}
REQUIRED = [each.name for each in ISSUER_VARIABLES if each.default is None]
OPTIONAL = [each.name for each in ISSUER_VARIABLES if each.default is not None]
OLD_SHA256, NEW_SHA256 = "0123456789abcdef" * 4, "fedcba9876543210" * 4
#: What ``sha256sum < /dev/null`` prints.
SHA256_OF_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ENDPOINT = "AWS_ENDPOINT_URL_SECRETS_MANAGER"


def read(**changes: str | None) -> IssuerSettings:
    """The settings of a good environment with changes; ``None`` unsets a variable."""
    merged = ENVIRONMENT | changes
    return IssuerSettings.read({name: value for name, value in merged.items() if value is not None})


def read_local(**changes: str) -> IssuerSettings:
    return IssuerSettings.read(LOCAL | changes)


def test_what_may_be_left_out_has_a_default() -> None:
    assert read() == IssuerSettings(
        stage="prod",
        secret_id=ARN,
        region="eu-west-1",
        own_region="us-east-1",
        policy_file=Path(issuer.__file__).parent / "policies" / "prod.toml",
        cipher="gcm",
        secret_ttl_seconds=60,
        secret_max_stale_seconds=900,
        secrets_manager_endpoint=None,
        limits=None,
        events_endpoint=None,
        origin_header_sha256=(),
        build_version="unversioned",
    )


def test_every_variable_can_be_set() -> None:
    said = read(
        STAGE="dev",
        SERVER_SECRET_ARN="zego",
        AWS_REGION="ap-south-1",
        ACCESS_POLICY_FILE="/etc/policy.toml",
        TOKEN_CIPHER="cbc",
        SECRET_TTL_SECONDS="1.5",
        SECRET_MAX_STALE_SECONDS="3600",
        LIMITS_TABLE="zego-LimitsTable-1",
        AWS_ENDPOINT_URL_DYNAMODB="https://dynamodb.ap-south-1.amazonaws.com",
        AWS_ENDPOINT_URL_EVENTS="https://events.ap-south-1.amazonaws.com",
        ORIGIN_HEADER_SHA256=f"{OLD_SHA256},{NEW_SHA256}",
        BUILD_VERSION="abc123",
        AWS_ENDPOINT_URL_SECRETS_MANAGER="https://vpce-1.secretsmanager.us-east-1.vpce.amazonaws.com",
    )
    assert tuple(said) == (
        "dev",
        "zego",
        "ap-south-1",
        "ap-south-1",
        Path("/etc/policy.toml"),
        "cbc",
        1.5,
        3600,
        "https://vpce-1.secretsmanager.us-east-1.vpce.amazonaws.com",
        ("zego-LimitsTable-1", "ap-south-1", "https://dynamodb.ap-south-1.amazonaws.com"),
        "https://events.ap-south-1.amazonaws.com",
        (OLD_SHA256, NEW_SHA256),
        "abc123",
    )


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_a_stage_has_its_own_policy_file_packaged(stage: str) -> None:
    said = read(STAGE=stage)
    assert said.policy_file.name == f"{stage}.toml"
    assert said.policy_file.is_file()
    assert said.stage == stage


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, ""], ids=["unset", "empty"])
def test_a_variable_without_a_default_must_be_set(name: str, value: str | None) -> None:
    changes = {"SERVER_SECRET_ARN": "zego"} | {name: value}
    with pytest.raises(SettingsError, match=f"^{name} is not set$"):
        read(**changes)


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_empty_variable_with_a_default_is_that_default(name: str) -> None:
    assert read(**{name: ""}) == read()


@table(
    ("name", "value", "words"),
    [
        ("ORIGIN_HEADER_SHA256", "abc", "an entry that is not 64 lower-case hex digits"),
        ("ORIGIN_HEADER_SHA256", OLD_SHA256.upper(), "an entry that is not 64 lower-case hex"),
        ("ORIGIN_HEADER_SHA256", f"{OLD_SHA256}, {NEW_SHA256}", "an entry that is not 64"),
        ("ORIGIN_HEADER_SHA256", f"{OLD_SHA256},", "an entry that is not 64 lower-case hex"),
        ("ORIGIN_HEADER_SHA256", f"{OLD_SHA256}\n", "an entry that is not 64 lower-case hex"),
        ("ORIGIN_HEADER_SHA256", ",".join([OLD_SHA256] * 3), "has 3 digests; it may have 2"),
        ("ORIGIN_HEADER_SHA256", SHA256_OF_NOTHING, "the digest of an empty text"),
        ("STAGE", "production", "'production'; it must be one of dev, staging, prod, local"),
        ("STAGE", "PROD", "'PROD'; it must be one of"),
        ("STAGE", "../prod", "it must be one of"),
        ("TOKEN_CIPHER", "GCM", "'GCM'; it must be one of gcm, cbc"),
        ("TOKEN_CIPHER", "aes", "it must be one of gcm, cbc"),
        ("SECRET_TTL_SECONDS", "a minute", "'a minute'; it must be a number of seconds"),
        ("SECRET_TTL_SECONDS", "60s", "it must be a number of seconds"),
        ("SECRET_TTL_SECONDS", "0", "0; it must be 1 to 3600 seconds"),
        ("SECRET_TTL_SECONDS", "-60", "it must be 1 to 3600 seconds"),
        ("SECRET_TTL_SECONDS", "3601", "it must be 1 to 3600 seconds"),
        ("SECRET_TTL_SECONDS", "nan", "it must be 1 to 3600 seconds"),
        ("SECRET_TTL_SECONDS", "inf", "it must be 1 to 3600 seconds"),
        ("SECRET_MAX_STALE_SECONDS", "long", "it must be a number of seconds"),
        ("SECRET_MAX_STALE_SECONDS", "59", "it must be 60 to 86400 seconds"),
        ("SECRET_MAX_STALE_SECONDS", "86401", "it must be 60 to 86400 seconds"),
        ("SECRET_MAX_STALE_SECONDS", "nan", "it must be 60 to 86400 seconds"),
        ("SERVER_SECRET_ARN", "arn:aws:s3:::bucket", "is not arn:aws:secretsmanager:"),
        ("SERVER_SECRET_ARN", "arn:", "is not arn:aws:secretsmanager:"),
        (
            "SERVER_SECRET_ARN",
            "arn:aws:secretsmanager::111122223333:secret:zego",
            "is not arn:aws:secretsmanager:<region>",
        ),
        (
            "SERVER_SECRET_ARN",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego:AWSCURRENT",
            "is not arn:aws:secretsmanager:<region>",
        ),
        (ENDPOINT, "http://secretsmanager.eu-west-1.amazonaws.com", "https"),
        (ENDPOINT, "http://127.0.0.1:5000", "https"),
        (ENDPOINT, "http://localhost:5000", "https"),
        (ENDPOINT, "ftp://example.com", "https"),
        (ENDPOINT, "secretsmanager.eu-west-1.amazonaws.com", "URL"),
        (ENDPOINT, "https://", "URL"),
        (ENDPOINT, "https://[", "URL"),
        (ENDPOINT, "https://example.com:port", "URL"),
        (ENDPOINT, "https://example.com:70000", "URL"),
        (ENDPOINT, "https://exam ple.com", "URL"),
        (ENDPOINT, "https://example.com/\n", "URL"),
        (ENDPOINT, "https://bücher.example", "URL"),
    ],
)
def test_an_invalid_value_is_refused_with_its_variable(name: str, value: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(**{name: value})
    assert str(refused.value).startswith(name)
    assert words in str(refused.value)


def test_the_secret_may_be_stale_no_shorter_than_it_is_fresh() -> None:
    with pytest.raises(SettingsError, match="SECRET_MAX_STALE_SECONDS is 900"):
        read(SECRET_TTL_SECONDS="1000")
    said = read(SECRET_TTL_SECONDS="1000", SECRET_MAX_STALE_SECONDS="1000")
    assert said.secret_max_stale_seconds == 1000


@pytest.mark.parametrize(
    ("secret_id", "region"),
    [
        (ARN, "eu-west-1"),
        (ARN.replace("arn:aws:", "arn:aws-cn:").replace("eu-west-1", "cn-north-1"), "cn-north-1"),
        ("zego/server-secret", "us-east-1"),
        ("arnold", "us-east-1"),
    ],
)
def test_the_secrets_region_is_its_arns_or_else_the_functions(secret_id: str, region: str) -> None:
    assert read(SERVER_SECRET_ARN=secret_id).region == region


def test_a_full_arn_needs_no_aws_region() -> None:
    assert read(AWS_REGION=None).region == "eu-west-1"


class TestLocalStage:
    def test_it_is_the_local_stack(self) -> None:
        assert read_local().stage == "local"

    @pytest.mark.parametrize("runtime", ["AWS_Lambda_python3.13", "AWS_Lambda_python3.99"])
    def test_it_is_refused_inside_aws(self, runtime: str) -> None:
        with pytest.raises(SettingsError, match="STAGE is local, but this runs in AWS"):
            read_local(AWS_EXECUTION_ENV=runtime)

    @pytest.mark.parametrize("elsewhere", ["", "CloudShell"])
    def test_it_is_accepted_elsewhere(self, elsewhere: str) -> None:
        assert read_local(AWS_EXECUTION_ENV=elsewhere).stage == "local"

    def test_other_stages_are_accepted_inside_aws(self) -> None:
        assert read(AWS_EXECUTION_ENV="AWS_Lambda_python3.13").stage == "prod"

    @pytest.mark.parametrize("url", ["http://127.0.0.1:5000", "http://localhost:5000"])
    def test_secrets_manager_may_be_on_this_machine(self, url: str) -> None:
        assert read_local(**{ENDPOINT: url}).secrets_manager_endpoint == url

    @pytest.mark.parametrize("url", ["http://10.0.0.1", "http://example.com", "http://[::]:1"])
    def test_secrets_manager_may_not_be_elsewhere_without_tls(self, url: str) -> None:
        with pytest.raises(SettingsError, match=ENDPOINT):
            read_local(**{ENDPOINT: url})

    def test_no_policy_is_packaged_for_it(self) -> None:
        with pytest.raises(SettingsError, match="ACCESS_POLICY_FILE is not set"):
            read_local(ACCESS_POLICY_FILE="")
