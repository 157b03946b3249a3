"""The exact permissions of every role. A new one fails here until it is written down."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.infrastructure.stacks import (
    GIVEN_KEY,
    GIVEN_SECRET,
    INCOMING_CALL_URL,
    OWN_KEY,
    OWN_SECRET,
    Stack,
    stack,
    stack_that_posts_incoming_calls,
    stack_that_rotates_a_given_secret,
    stack_with_given_secret,
)
from tools.sam_template import load
from zego.denials import DENIALS_PK
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import (
    FAILURE_TAG,
    GIVEN_UP_TAG,
    IN_FLIGHT_TAG,
    ROTATION_TAG,
    VERDICT_TAG,
)

MADE_SECRET = {"Ref": "ServerSecret"}
MADE_KEY = {"Fn::GetAtt": ["ServerSecretKey", "Arn"]}


def statements(of: Stack, role: str) -> list[dict[str, Any]]:
    properties = of.properties(role)
    assert "ManagedPolicyArns" not in properties
    (policy,) = properties["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    assert isinstance(statements, list)
    return statements


def allow(sid: str, action: str | list[str], resource: object, **condition: Any) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource}
    return statement | ({"Condition": condition} if condition else {})


def write_log(function: str) -> dict[str, Any]:
    log = {"Fn::GetAtt": [f"{function}Log", "Arn"]}
    return allow("WriteItsOwnLog", ["logs:CreateLogStream", "logs:PutLogEvents"], log)


def read_current_and_last(secret: object) -> list[dict[str, Any]]:
    stages = {"secretsmanager:VersionStage": [CURRENT, PREVIOUS]}
    labelled = {"ForAnyValue:StringEquals": stages}
    read = "ReadTheCurrentSecretAndTheLastOne"
    return [
        allow(read, "secretsmanager:GetSecretValue", secret, **labelled),
        allow("SeeWhatIsNotedOnIt", "secretsmanager:DescribeSecret", secret),
    ]


def by_way_of_the_secret(secret: object, region: str = "eu-west-1") -> dict[str, Any]:
    return {
        "StringEquals": {"kms:EncryptionContext:SecretARN": secret},
        "StringLike": {"kms:ViaService": f"secretsmanager.{region}.amazonaws.*"},
    }


def decrypt(key: object, secret: object, region: str = "eu-west-1") -> dict[str, Any]:
    condition = by_way_of_the_secret(secret, region)
    return allow("DecryptThatSecretOnly", "kms:Decrypt", key, **condition)


def encrypt_and_decrypt(key: object, secret: object) -> dict[str, Any]:
    actions = ["kms:Decrypt", "kms:GenerateDataKey"]
    return allow("UseTheKeyForThatSecretOnly", actions, key, **by_way_of_the_secret(secret))


def tagging(*keys: str) -> dict[str, Any]:
    """Of all the tags there may be, these; and of none at all, which any set would cover, not."""
    return {
        "ForAllValues:StringEquals": {"aws:TagKeys": list(keys)},
        "Null": {"aws:TagKeys": "false"},
    }


def labels(*names: str) -> dict[str, Any]:
    return {"StringEquals": {"secretsmanager:VersionStage": list(names)}}


def rotate(secret: object) -> list[dict[str, Any]]:
    read_and_store = ["DescribeSecret", "GetSecretValue", "PutSecretValue"]
    actions = [f"secretsmanager:{action}" for action in read_and_store]
    move, tag = "secretsmanager:UpdateSecretVersionStage", "secretsmanager:TagResource"
    return [
        allow("ReadTheVersionsAndStoreOne", actions, secret),
        allow("Promote", move, secret, **labels(CURRENT, PENDING, CANDIDATE)),
        allow("NoteHowARotationGoes", tag, secret, **tagging(ROTATION_TAG, FAILURE_TAG)),
    ]


def watch(secret: object) -> list[dict[str, Any]]:
    actions = [f"secretsmanager:{action}" for action in ("DescribeSecret", "GetSecretValue")]
    as_configured = {
        "Null": {"secretsmanager:RotationLambdaARN": "true"},
        "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"},
    }
    move, tag = "secretsmanager:UpdateSecretVersionStage", "secretsmanager:TagResource"
    invoke = allow(
        "RotateSecretRequiresThisOfItsCaller",
        "lambda:InvokeFunction",
        {"Fn::GetAtt": ["RotatorFunction", "Arn"]},
    )
    return [
        allow("ReadTheVersions", actions, secret),
        allow("RotateAsConfigured", "secretsmanager:RotateSecret", secret, **as_configured),
        allow(
            "GiveUpARotation",
            move,
            secret,
            StringEquals={"secretsmanager:VersionStage": PENDING},
        ),
        allow(
            "NoteVerdictsAndRotations",
            tag,
            secret,
            **tagging(VERDICT_TAG, IN_FLIGHT_TAG, GIVEN_UP_TAG),
        ),
        invoke,
    ]


TELL = allow(
    "TellOfAChangedVerdict",
    "events:PutEvents",
    "arn:aws:events:eu-west-1:111122223333:event-bus/default",
    **{
        "ForAllValues:StringEquals": {"events:source": "zego-token-service"},
        "Null": {"events:source": "false"},
    },
)


TELL_OF_A_CALL: Final = allow(
    "TellOfACall",
    "events:PutEvents",
    "arn:aws:events:eu-west-1:111122223333:event-bus/default",
    **{
        "ForAllValues:StringEquals": {
            "events:source": "zego-token-service",
            "events:detail-type": "Incoming Call",
        },
        "Null": {"events:source": "false", "events:detail-type": "false"},
    },
)


def of_partition(operator: str, key: str) -> dict[str, Any]:
    """Of all the items there may be, these; and of none at all, which any set would cover, not."""
    return {
        f"ForAllValues:{operator}": {"dynamodb:LeadingKeys": key},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


TABLE = {"Fn::GetAtt": ["LimitsTable", "Arn"]}
LIMIT = [
    allow("ReadTheDenials", "dynamodb:Query", TABLE, **of_partition("StringEquals", DENIALS_PK)),
    allow(
        "CountTokens",
        "dynamodb:UpdateItem",
        TABLE,
        **of_partition("StringLike", "tokens#*"),
    ),
]


def test_the_issuer_may_read_the_secret_that_the_stack_makes_and_write_its_log() -> None:
    assert statements(stack(), "IssuerRole") == [
        *read_current_and_last(MADE_SECRET),
        decrypt(MADE_KEY, MADE_SECRET),
        *LIMIT,
        TELL_OF_A_CALL,
        write_log("Issuer"),
    ]


def test_the_issuer_may_read_a_given_secret_in_the_region_where_it_is() -> None:
    assert statements(stack_with_given_secret(), "IssuerRole") == [
        *read_current_and_last(GIVEN_SECRET),
        decrypt(GIVEN_KEY, GIVEN_SECRET, "us-east-1"),
        *LIMIT,
        TELL_OF_A_CALL,
        write_log("Issuer"),
    ]


def test_the_issuer_may_read_the_shared_keys_that_the_policy_names_and_no_other_secret() -> None:
    secrets = [GIVEN_SECRET, OWN_SECRET]
    found = statements(stack(SharedKeySecretArns=",".join(secrets), Limits="Off"), "IssuerRole")
    stages = {"secretsmanager:VersionStage": [CURRENT, PREVIOUS]}
    assert found == [
        *read_current_and_last(MADE_SECRET),
        decrypt(MADE_KEY, MADE_SECRET),
        allow(
            "ReadTheSharedKeys",
            "secretsmanager:GetSecretValue",
            secrets,
            **{"ForAnyValue:StringEquals": stages},
        ),
        TELL_OF_A_CALL,
        write_log("Issuer"),
    ]


def test_the_issuer_may_decrypt_the_shared_keys_by_way_of_secrets_manager_only() -> None:
    given = {"SharedKeySecretArns": GIVEN_SECRET, "SharedKeyKmsKeyArns": f"{GIVEN_KEY},{OWN_KEY}"}
    (found,) = (
        one
        for one in statements(stack(**given), "IssuerRole")
        if one["Sid"] == "DecryptTheSharedKeysOnly"
    )
    assert found == allow(
        "DecryptTheSharedKeysOnly",
        "kms:Decrypt",
        [GIVEN_KEY, OWN_KEY],
        **by_way_of_the_secret([GIVEN_SECRET], "*"),
    )


def test_a_given_secret_under_the_aws_managed_key_needs_no_permission_on_a_key() -> None:
    given = stack(ServerSecretArn=OWN_SECRET, RotateGivenSecret="Yes", Limits="Off")
    assert statements(given, "IssuerRole") == [
        *read_current_and_last(OWN_SECRET),
        TELL_OF_A_CALL,
        write_log("Issuer"),
    ]
    assert statements(given, "RotatorRole") == [*rotate(OWN_SECRET), write_log("Rotator")]
    assert statements(given, "WatcherRole") == [*watch(OWN_SECRET), TELL, write_log("Watcher")]


@pytest.mark.parametrize(
    ("of", "secret", "key"),
    [
        (stack(), MADE_SECRET, MADE_KEY),
        (stack_that_rotates_a_given_secret(), OWN_SECRET, OWN_KEY),
    ],
    ids=["made", "given"],
)
def test_the_rotator_may_store_a_version_and_promote_it(
    of: Stack, secret: object, key: object
) -> None:
    assert statements(of, "RotatorRole") == [
        *rotate(secret),
        encrypt_and_decrypt(key, secret),
        write_log("Rotator"),
    ]


@pytest.mark.parametrize(
    ("of", "secret", "key"),
    [
        (stack(), MADE_SECRET, MADE_KEY),
        (stack_that_rotates_a_given_secret(), OWN_SECRET, OWN_KEY),
    ],
    ids=["made", "given"],
)
def test_the_watcher_may_ask_for_a_rotation_and_cannot_promote(
    of: Stack, secret: object, key: object
) -> None:
    assert statements(of, "WatcherRole") == [
        *watch(secret),
        decrypt(key, secret),
        TELL,
        write_log("Watcher"),
    ]
    assert CURRENT not in str(statements(of, "WatcherRole"))


def test_a_deployment_may_move_the_alias_and_watch_alarms() -> None:
    alias = [{"Fn::GetAtt": ["IssuerFunction", "Arn"]}, {"Fn::Sub": "${IssuerFunction.Arn}:live"}]
    actions = ["GetAlias", "GetProvisionedConcurrencyConfig", "UpdateAlias"]
    assert statements(stack(), "DeploymentRole") == [
        allow("MoveTheAlias", [f"lambda:{action}" for action in actions], alias),
        allow("WatchTheAlarms", "cloudwatch:DescribeAlarms", "*"),
    ]


@pytest.mark.parametrize(
    ("role", "service"),
    [
        ("IssuerRole", "lambda.amazonaws.com"),
        ("RotatorRole", "lambda.amazonaws.com"),
        ("WatcherRole", "lambda.amazonaws.com"),
        ("DeploymentRole", "codedeploy.amazonaws.com"),
        ("IncomingCallRole", "events.amazonaws.com"),
    ],
)
def test_each_role_is_assumed_by_its_service_alone(role: str, service: str) -> None:
    of = stack_that_posts_incoming_calls()
    (statement,) = of.properties(role)["AssumeRolePolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }


def test_eventbridge_may_post_incoming_calls_to_the_one_url() -> None:
    destination = [
        {"Fn::GetAtt": ["IncomingCallDestination", attribute]}
        for attribute in ("ArnForPolicy", "Arn")
    ]
    assert statements(stack_that_posts_incoming_calls(), "IncomingCallRole") == [
        allow("PostIncomingCalls", "events:InvokeApiDestination", destination)
    ]


@pytest.mark.parametrize(
    ("of", "more"),
    [
        (stack(), {"RotatorRole", "WatcherRole"}),
        (stack_that_rotates_a_given_secret(), {"RotatorRole", "WatcherRole"}),
        (stack_with_given_secret(), set()),
        (stack_that_posts_incoming_calls(), {"RotatorRole", "WatcherRole", "IncomingCallRole"}),
    ],
    ids=["made", "given-and-rotated", "given", "posts-calls"],
)
def test_there_are_no_other_roles_and_no_policies_elsewhere(of: Stack, more: set[str]) -> None:
    assert of.all("AWS::IAM::Role").keys() == {"IssuerRole", "DeploymentRole"} | more
    types = {resource["Type"] for resource in of.template["Resources"].values()}
    assert {name for name in types if name.startswith("AWS::IAM::")} == {"AWS::IAM::Role"}


@pytest.mark.parametrize("of", [stack, stack_that_rotates_a_given_secret], ids=["made", "given"])
def test_every_role_has_the_permissions_boundary_that_an_account_requires(
    of: Callable[..., Stack],
) -> None:
    boundary = "arn:aws:iam::111122223333:policy/team/boundary"
    bounded = (
        of(PermissionsBoundaryArn=boundary, IncomingCallUrl=INCOMING_CALL_URL)
        .all("AWS::IAM::Role")
        .values()
    )
    assert {role["Properties"]["PermissionsBoundary"] for role in bounded} == {boundary}
    free = of().all("AWS::IAM::Role").values()
    assert not any("PermissionsBoundary" in role["Properties"] for role in free)


@pytest.mark.parametrize(
    ("boundary", "accepted"),
    [
        ("", True),
        ("arn:aws:iam::111122223333:policy/boundary", True),
        ("arn:aws-cn:iam::aws:policy/PowerUserAccess", True),
        ("boundary", False),
        ("arn:aws:iam::111122223333:role/boundary", False),
    ],
)
def test_only_a_policy_can_be_a_permissions_boundary(boundary: str, accepted: bool) -> None:
    pattern = load()["Parameters"]["PermissionsBoundaryArn"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, boundary)) is accepted
