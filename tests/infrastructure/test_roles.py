"""The exact permissions of every role. A new one fails here until it is written down."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infrastructure.stacks import (
    GIVEN_KEY,
    GIVEN_SECRET,
    Stack,
    stack,
    stack_with_given_secret,
)

OWN_LOG = {
    "Sid": "WriteItsOwnLog",
    "Effect": "Allow",
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": {"Fn::GetAtt": ["IssuerLog", "Arn"]},
}


def statements(of: Stack, role: str) -> list[dict[str, Any]]:
    properties = of.properties(role)
    assert "ManagedPolicyArns" not in properties
    (policy,) = properties["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    assert isinstance(statements, list)
    return statements


def read_current(secret: object) -> dict[str, Any]:
    return {
        "Sid": "ReadTheCurrentSecret",
        "Effect": "Allow",
        "Action": "secretsmanager:GetSecretValue",
        "Resource": secret,
        "Condition": {"ForAnyValue:StringEquals": {"secretsmanager:VersionStage": "AWSCURRENT"}},
    }


def decrypt(key: object, secret: object, region: str) -> dict[str, Any]:
    return {
        "Sid": "DecryptThatSecretOnly",
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": key,
        "Condition": {
            "StringEquals": {
                "kms:ViaService": f"secretsmanager.{region}.amazonaws.com",
                "kms:EncryptionContext:SecretARN": secret,
            }
        },
    }


def test_the_issuer_may_read_the_secret_that_the_stack_makes_and_write_its_log() -> None:
    secret, key = {"Ref": "ServerSecret"}, {"Fn::GetAtt": ["ServerSecretKey", "Arn"]}
    assert statements(stack(), "IssuerRole") == [
        read_current(secret),
        decrypt(key, secret, "eu-west-1"),
        OWN_LOG,
    ]


def test_the_issuer_may_read_a_given_secret_in_the_region_where_it_is() -> None:
    assert statements(stack_with_given_secret(), "IssuerRole") == [
        read_current(GIVEN_SECRET),
        decrypt(GIVEN_KEY, GIVEN_SECRET, "us-east-1"),
        OWN_LOG,
    ]


def test_a_given_secret_under_the_aws_managed_key_needs_no_permission_on_a_key() -> None:
    given = stack(ServerSecretArn=GIVEN_SECRET)
    assert statements(given, "IssuerRole") == [read_current(GIVEN_SECRET), OWN_LOG]


def test_a_deployment_may_move_the_alias_and_watch_alarms() -> None:
    assert statements(stack(), "DeploymentRole") == [
        {
            "Sid": "MoveTheAlias",
            "Effect": "Allow",
            "Action": [
                "lambda:GetAlias",
                "lambda:GetProvisionedConcurrencyConfig",
                "lambda:UpdateAlias",
            ],
            "Resource": [
                {"Fn::GetAtt": ["IssuerFunction", "Arn"]},
                {"Fn::Sub": "${IssuerFunction.Arn}:live"},
            ],
        },
        {
            "Sid": "WatchTheAlarms",
            "Effect": "Allow",
            "Action": "cloudwatch:DescribeAlarms",
            "Resource": "*",
        },
    ]


@pytest.mark.parametrize(
    ("role", "service"),
    [("IssuerRole", "lambda.amazonaws.com"), ("DeploymentRole", "codedeploy.amazonaws.com")],
)
def test_each_role_is_assumed_by_its_service_alone(role: str, service: str) -> None:
    (statement,) = stack().properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }


@pytest.mark.parametrize("of", [stack(), stack_with_given_secret()], ids=["made", "given"])
def test_there_are_no_other_roles_and_no_policies_elsewhere(of: Stack) -> None:
    assert of.all("AWS::IAM::Role").keys() == {"IssuerRole", "DeploymentRole"}
    types = {resource["Type"] for resource in of.template["Resources"].values()}
    assert {name for name in types if name.startswith("AWS::IAM::")} == {"AWS::IAM::Role"}
