"""How the issuer runs, how a new version is let in, and what is kept of its logs."""

from __future__ import annotations

import re

import pytest

from runtime.settings import ISSUER_VARIABLES, IssuerSettings
from tests.infrastructure.stacks import (
    GIVEN_SECRET,
    stack,
    stack_behind_an_edge,
    stack_with_given_secret,
)
from tools.sam_template import load

#: The alarms that stop a deployment.
NEW_VERSION_ALARMS = ["NewVersionCrashesAlarm", "NewVersionFailsAlarm"]


def test_the_issuer_runs_on_python_3_13_and_arm64() -> None:
    issuer = stack().properties("IssuerFunction")
    assert issuer["Runtime"] == "python3.13"
    assert issuer["Architectures"] == ["arm64"]
    assert issuer["Handler"] == "issuer.app.handler"
    assert issuer["Timeout"] == 10
    for layer in stack().all("AWS::Lambda::LayerVersion").values():
        assert layer["Properties"]["CompatibleRuntimes"] == ["python3.13"]
        assert layer["Properties"]["CompatibleArchitectures"] == ["arm64"]


def test_the_issuer_is_deployed_without_the_aws_sdk() -> None:
    layers = load()["Resources"]["IssuerFunction"]["Properties"]["Layers"]
    assert layers == [{"Ref": "DomainLayer"}, {"Ref": "DependenciesLayer"}]


def test_the_issuer_has_the_environment_that_it_reads() -> None:
    assert stack().properties("IssuerFunction")["Environment"]["Variables"] == {
        "STAGE": "dev",
        "SERVER_SECRET_ARN": {"Ref": "ServerSecret"},
        "TOKEN_CIPHER": "gcm",
        "SECRET_TTL_SECONDS": 60,
        "SECRET_MAX_STALE_SECONDS": 900,
        "LIMITS_TABLE": {"Ref": "LimitsTable"},
        "BUILD_VERSION": "0123456789ab-0.2.0",
        "RES_OPTIONS": "timeout:1 attempts:2",
    }


def test_what_the_issuer_reads_is_set_by_the_template_or_by_lambda_or_may_be_absent() -> None:
    given = stack_behind_an_edge().properties("IssuerFunction")["Environment"]["Variables"].keys()
    read = {variable.name for variable in ISSUER_VARIABLES}
    set_by_lambda = {"AWS_REGION"}
    only_elsewhere = {
        "ACCESS_POLICY_FILE",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ENDPOINT_URL_EVENTS",
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    }
    assert read - given == set_by_lambda | only_elsewhere
    assert given - read == {"RES_OPTIONS"}  # the C library's


def test_the_issuer_reads_a_given_secret() -> None:
    issuer = stack_with_given_secret().properties("IssuerFunction")
    assert issuer["Environment"]["Variables"]["SERVER_SECRET_ARN"] == GIVEN_SECRET


@pytest.mark.parametrize("ttl", ["MinValue", "MaxValue", "Default"])
def test_the_issuer_accepts_the_settings_that_the_template_allows(ttl: str) -> None:
    variables = stack().properties("IssuerFunction")["Environment"]["Variables"]
    seconds = load()["Parameters"]["SecretTtlSeconds"][ttl]
    environment = {name: str(value) for name, value in variables.items()}
    environment |= {
        "AWS_REGION": "eu-west-1",
        "SERVER_SECRET_ARN": GIVEN_SECRET,
        "SECRET_TTL_SECONDS": str(seconds),
    }
    assert IssuerSettings.read(environment).secret_ttl_seconds == seconds


def test_snapstart_is_off_by_default() -> None:
    assert stack().properties("IssuerFunction")["SnapStart"] == {"ApplyOn": "None"}
    asked = stack(SnapStart="On").properties("IssuerFunction")
    assert asked["SnapStart"] == {"ApplyOn": "PublishedVersions"}


def test_no_concurrency_is_reserved_by_default_because_a_new_account_has_none_to_spare() -> None:
    reserved = stack(ReservedConcurrency="7").properties("IssuerFunction")
    assert reserved["ReservedConcurrentExecutions"] == "7"
    for unreserved in (stack(), stack(ReservedConcurrency="0")):
        assert "ReservedConcurrentExecutions" not in unreserved.properties("IssuerFunction")


def test_a_changed_build_version_publishes_a_new_version() -> None:
    assert _version_id("0123456789ab-0.2.0") == _version_id("0123456789ab-0.2.0")
    assert _version_id("0123456789ab-0.2.0") != _version_id("ba9876543210-0.2.0")


def _version_id(build_version: str) -> str:
    (logical_id,) = stack(BuildVersion=build_version).all("AWS::Lambda::Version")
    return logical_id


@pytest.mark.parametrize("value", ["", "unversioned", "1.0", "0123456789ab", "0123456789a-0.2.0"])
def test_a_build_version_without_a_hash_is_refused(value: str) -> None:
    parameter = load()["Parameters"]["BuildVersion"]
    assert "Default" not in parameter
    assert not re.fullmatch(parameter["AllowedPattern"], value)


def test_traffic_moves_to_a_new_version_step_by_step_and_back_on_an_alarm() -> None:
    alias = stack().one("AWS::Lambda::Alias")
    assert alias["Properties"]["Name"] == "live"
    assert alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    group = stack().one("AWS::CodeDeploy::DeploymentGroup")["Properties"]
    assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
    assert group["ServiceRoleArn"] == {"Fn::GetAtt": ["DeploymentRole", "Arn"]}
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    watched = [alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]]
    assert watched == NEW_VERSION_ALARMS


def test_the_alarms_that_stop_a_deployment_watch_the_version_that_is_deployed_and_no_other() -> (
    None
):
    (version,) = stack().all("AWS::Lambda::Version")
    number = {"Fn::GetAtt": [version, "Version"]}
    crashes, fails = (stack().properties(name) for name in NEW_VERSION_ALARMS)
    assert (crashes["Namespace"], crashes["MetricName"]) == ("AWS/Lambda", "Errors")
    assert crashes["Dimensions"] == [
        {"Name": "FunctionName", "Value": {"Ref": "IssuerFunction"}},
        {"Name": "Resource", "Value": {"Fn::Sub": "${IssuerFunction}:live"}},
        {"Name": "ExecutedVersion", "Value": number},
    ]
    assert (fails["Namespace"], fails["MetricName"]) == ("ZegoTokenService", "InternalErrors")
    assert fails["Dimensions"] == [
        {"Name": "stage", "Value": "dev"},
        {"Name": "service", "Value": "issuer"},
        {"Name": "version", "Value": number},
    ]


@pytest.mark.parametrize("alarm", NEW_VERSION_ALARMS)
def test_every_version_has_new_alarms_so_that_none_begins_with_the_state_of_the_last(
    alarm: str,
) -> None:
    (version,) = stack().all("AWS::Lambda::Version")
    text, variables = stack().properties(alarm)["AlarmName"]["Fn::Sub"]
    assert text.startswith("zego-token-service-version-${Version}-")
    assert variables == {"Version": {"Fn::GetAtt": [version, "Version"]}}


def test_the_alarm_on_logged_errors_watches_what_the_filter_counts() -> None:
    (counted,) = stack().properties("IssuerErrorsLogged")["MetricTransformations"]
    alarm = stack().properties("IssuerLogsErrorsAlarm")
    assert stack().properties("IssuerErrorsLogged")["LogGroupName"] == {"Ref": "IssuerLog"}
    assert (alarm["Namespace"], alarm["MetricName"]) == (
        counted["MetricNamespace"],
        counted["MetricName"],
    )


def test_every_log_group_has_a_retention() -> None:
    groups = stack(LogRetentionDays="30").all("AWS::Logs::LogGroup")
    assert groups.keys() == {"IssuerLog", "AccessLog", "RotatorLog", "WatcherLog"}
    for group in groups.values():
        assert group["Properties"]["RetentionInDays"] == "30"


@pytest.mark.parametrize("function", ["Issuer", "Rotator", "Watcher"])
def test_the_logs_of_each_function_outlive_the_stack(function: str) -> None:
    log = stack().template["Resources"][f"{function}Log"]
    assert log["DeletionPolicy"] == "RetainExceptOnCreate"
    assert log["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("function", ["Issuer", "Rotator", "Watcher"])
def test_each_function_logs_json_into_its_own_group(function: str) -> None:
    assert stack().properties(f"{function}Function")["LoggingConfig"] == {
        "LogFormat": "JSON",
        "ApplicationLogLevel": "INFO",
        "SystemLogLevel": "INFO",
        "LogGroup": {"Ref": f"{function}Log"},
    }
