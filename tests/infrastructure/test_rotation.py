"""Who rotates the secret, and how Secrets Manager, schedule and functions are joined."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

import pytest

from runtime.settings import ROTATOR_VARIABLES, WATCHER_VARIABLES, WatcherSettings
from tests.infrastructure.stacks import (
    OWN_SECRET,
    Stack,
    stack,
    stack_that_rotates_a_given_secret,
    stack_with_given_secret,
)
from tools.sam_template import load, refusals
from zego.server_api import ENDPOINT

OWNERS: Final = [
    pytest.param(stack(), {"Ref": "ServerSecret"}, id="made"),
    pytest.param(stack_that_rotates_a_given_secret(), OWN_SECRET, id="given"),
]
#: Read by the C library, not by our code.
RES_OPTIONS: Final = {"RES_OPTIONS": "timeout:1 attempts:2"}
LAYERS: Final = ["DomainLayer", "DependenciesLayer", "AwsSdkLayer"]


def conditional_on_ownership() -> set[str]:
    return {
        name
        for name, resource in load()["Resources"].items()
        if resource.get("Condition") == "OwnRotation"
    }


def environment(of: Stack, function: str) -> dict[str, Any]:
    variables = of.properties(function)["Environment"]["Variables"]
    assert isinstance(variables, dict)
    return variables


def permissions(of: Stack, function: str) -> list[dict[str, Any]]:
    return [
        permission["Properties"]
        for permission in of.all("AWS::Lambda::Permission").values()
        if permission["Properties"]["FunctionName"] == {"Ref": function}
    ]


def test_everything_about_rotation_belongs_to_its_owner() -> None:
    assert conditional_on_ownership() == {
        "RotatorFunction",
        "RotatorLog",
        "RotatorRole",
        "RotationQuery",
        "RotationSchedule",
        "SecretsManagerMayRotate",
        "WatcherFunction",
        "WatcherLog",
        "WatcherRole",
        "AwsSdkLayer",
        "SecretRejectedAlarm",
        "SecretVerdictUnknownAlarm",
        "RotationFailedAlarm",
        "RotationFunctionsFailAlarm",
        "RotationStuckAlarm",
        "WatcherFailsAlarm",
    }


def test_a_stack_that_only_reads_a_secret_has_no_rotation() -> None:
    reader, owner = stack_with_given_secret(), stack_that_rotates_a_given_secret()
    more = owner.template["Resources"].keys() - reader.template["Resources"].keys()
    for name in more:
        assert name.startswith(("Rotat", "Watcher", "AwsSdkLayer", "Secret")), name
    assert {"RotatorFunctionArn", "WatcherFunctionArn"} == (
        owner.template["Outputs"].keys() - reader.template["Outputs"].keys()
    )
    for word in ("Rotator", "Watcher", "AwsSdk"):
        assert word not in str(reader.template["Resources"]), word


def test_a_given_secret_is_not_rotated_by_default() -> None:
    assert load()["Parameters"]["RotateGivenSecret"]["Default"] == "No"
    assert "RotationSchedule" not in stack(ServerSecretArn=OWN_SECRET).template["Resources"]


def test_to_rotate_a_given_secret_without_giving_one_is_refused() -> None:
    assert refusals({"RotateGivenSecret": "Yes", "ServerSecretArn": OWN_SECRET}) == []
    (refusal,) = refusals({"RotateGivenSecret": "Yes"})
    assert "RotateGivenSecret needs ServerSecretArn" in refusal


def test_the_key_of_a_given_secret_without_the_secret_is_refused() -> None:
    key = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000000"
    (refusal,) = refusals({"ServerSecretKmsKeyArn": key})
    assert "it needs ServerSecretArn" in refusal


@pytest.mark.parametrize("function", ["Rotator", "Watcher"])
def test_the_functions_of_rotation_run_as_the_issuer_does_with_the_aws_sdk(function: str) -> None:
    properties = stack().properties(f"{function}Function")
    issuer = stack().properties("IssuerFunction")
    for same in ("Runtime", "Architectures", "Code"):
        assert properties[same] == issuer[same]
    written = load()["Resources"][f"{function}Function"]["Properties"]
    assert [layer["Ref"] for layer in written["Layers"]] == LAYERS
    assert properties["Role"] == {"Fn::GetAtt": [f"{function}Role", "Arn"]}


def test_each_function_names_an_existing_handler() -> None:
    for name, function in load()["Resources"].items():
        if function["Type"] == "AWS::Serverless::Function":
            module, _, handler = function["Properties"]["Handler"].rpartition(".")
            assert module.partition(".")[0].capitalize() + "Function" == name
            assert find_spec(module), module
            assert handler == "handler"


def test_secrets_manager_calls_the_rotator_itself_whenever_it_wants() -> None:
    rotator = stack().properties("RotatorFunction")
    assert "ReservedConcurrentExecutions" not in rotator
    assert "SnapStart" not in rotator
    assert stack().all("AWS::Lambda::Alias").keys() == {"IssuerFunctionAliaslive"}
    (version,) = stack().all("AWS::Lambda::Version").values()
    assert version["Properties"]["FunctionName"] == {"Ref": "IssuerFunction"}


@pytest.mark.parametrize(("of", "secret"), OWNERS)
def test_only_secrets_manager_may_call_the_rotator_and_only_for_that_secret(
    of: Stack, secret: object
) -> None:
    assert permissions(of, "RotatorFunction") == [
        {
            "FunctionName": {"Ref": "RotatorFunction"},
            "Action": "lambda:InvokeFunction",
            "Principal": "secretsmanager.amazonaws.com",
            "SourceAccount": "111122223333",
            "SourceArn": secret,
        }
    ]


@pytest.mark.parametrize(("of", "secret"), OWNERS)
def test_the_schedule_reminds_once_a_year_and_rotates_nothing_when_it_is_made(
    of: Stack, secret: object
) -> None:
    assert of.properties("RotationSchedule") == {
        "SecretId": secret,
        "RotationLambdaARN": {"Fn::GetAtt": ["RotatorFunction", "Arn"]},
        "RotateImmediatelyOnUpdate": False,
        "RotationRules": {"AutomaticallyAfterDays": 365},
    }


def test_rotation_is_set_up_after_secrets_manager_gets_permission() -> None:
    # It tests the function at once, and refuses one that it may not call.
    assert load()["Resources"]["RotationSchedule"]["DependsOn"] == "SecretsManagerMayRotate"


def test_the_watcher_checks_every_five_minutes_and_does_not_retry_a_check() -> None:
    schedule = stack().properties("WatcherFunctionTick")
    assert schedule["ScheduleExpression"] == "rate(5 minutes)"
    assert schedule["Targets"][0]["Arn"] == {"Fn::GetAtt": ["WatcherFunction", "Arn"]}
    assert stack().properties("WatcherFunctionEventInvokeConfig")["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize(("of", "secret"), OWNERS)
def test_the_watcher_hears_how_each_rotation_of_that_secret_ended(
    of: Stack, secret: object
) -> None:
    rule = of.properties("WatcherFunctionRotationEnded")
    assert rule["EventPattern"] == {
        "source": ["aws.secretsmanager"],
        "detail-type": ["AWS Service Event via CloudTrail"],
        "detail": {
            "eventSource": ["secretsmanager.amazonaws.com"],
            "eventName": [
                "RotationSucceeded",
                "RotationFailed",
                "RotationAbandoned",
                "TestRotationFailed",
            ],
            "additionalEventData": {"SecretId": [secret]},
        },
    }
    assert rule["Targets"][0]["Arn"] == {"Fn::GetAtt": ["WatcherFunction", "Arn"]}


def test_only_the_two_rules_of_the_stack_may_call_the_watcher() -> None:
    allowed = permissions(stack(), "WatcherFunction")
    assert {permission["Principal"] for permission in allowed} == {"events.amazonaws.com"}
    assert [permission["SourceArn"] for permission in allowed] == [
        {"Fn::GetAtt": [rule, "Arn"]} for rule in stack().all("AWS::Events::Rule")
    ]


@pytest.mark.parametrize(("of", "secret"), OWNERS)
def test_rotator_and_watcher_have_the_environment_that_they_read(of: Stack, secret: object) -> None:
    both = {"STAGE": "dev", "SERVER_SECRET_ARN": secret, "ZEGO_SERVER_API_URL": ENDPOINT}
    assert environment(of, "RotatorFunction") == both | RES_OPTIONS
    assert environment(of, "WatcherFunction") == (
        both | RES_OPTIONS | {"HEAL_COOLDOWN_SECONDS": 1800}
    )


@pytest.mark.parametrize(
    ("function", "variables", "only_elsewhere"),
    [
        (
            "RotatorFunction",
            ROTATOR_VARIABLES,
            {"AWS_ENDPOINT_URL_SECRETS_MANAGER"},
        ),
        (
            "WatcherFunction",
            WATCHER_VARIABLES,
            {"AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL_EVENTS"},
        ),
    ],
)
def test_what_they_read_is_set_by_the_template_or_by_lambda_or_for_the_local_stack(
    function: str, variables: tuple[Any, ...], only_elsewhere: set[str]
) -> None:
    given = environment(stack(), function).keys()
    read = {variable.name for variable in variables}
    assert read - given == {"AWS_REGION"} | only_elsewhere
    assert given - read == RES_OPTIONS.keys()


@pytest.mark.parametrize("bound", ["MinValue", "MaxValue", "Default"])
def test_the_watcher_accepts_the_cool_downs_that_the_template_allows(bound: str) -> None:
    seconds = load()["Parameters"]["HealCooldownSeconds"][bound]
    given = environment(stack_that_rotates_a_given_secret(), "WatcherFunction")
    variables = {name: str(value) for name, value in given.items()}
    variables |= {"AWS_REGION": "eu-west-1", "HEAL_COOLDOWN_SECONDS": str(seconds)}
    assert WatcherSettings.read(variables).heal_cooldown_seconds == seconds
