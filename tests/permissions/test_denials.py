"""What no role may do, although one wildcard or one missing condition would allow it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.permissions import roles
from tests.permissions.deployer_calls import BUCKET
from tests.permissions.reference import actions, can_have
from tests.support.aws_calls import ACCOUNT, ARNS, INCOMING_CALL_KEY, REGION, STACK, call
from tests.support.iam import Call, allows

SECRET: Final = ARNS["secretsmanager"]
KEY: Final = ARNS["kms"]
ROTATOR: Final = ARNS["lambda"]
TABLE: Final = ARNS["dynamodb"]
CLOUDFORMATION: Final = {"aws:CalledVia": ("cloudformation.amazonaws.com",)}


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def with_keys(action: str, resource: str, **keys: str) -> Call:
    """A call whose condition keys have these values; ``__`` is written for the colon."""
    found = {key.replace("__", ":").replace("_", "-"): (value,) for key, value in keys.items()}
    return Call(action, resource, tuple(found.items()))


def of_item(action: str, pk: str) -> Call:
    """A call about the items of one partition of the table."""
    return with_keys(action, TABLE, dynamodb__LeadingKeys=pk)


OTHER_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/administrator"
OWN_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-IssuerRole-0A1B2C3D"
OTHER_SECRET: Final = arn("secretsmanager", "secret:payments/card-key-AbCdEf")
OTHER_STAGE: Final = arn("secretsmanager", "secret:zego-token-service-dev/server-secret-AbCdEf")
OTHER_FUNCTION: Final = arn("lambda", "function:payments-PayFunction-0A1B2C3D")
OTHER_STACK: Final = arn("cloudformation", "stack/payments/0a1b2c3d")
OTHER_BUCKET: Final = "arn:aws:s3:::payments"
OTHER_CONNECTION: Final = arn("events", "connection/payments/0a1b2c3d")
OTHER_KEY: Final = arn("secretsmanager", "secret:events!connection/payments/0a1b2c3d-AbCdEf")
OTHER_QUEUE: Final = arn("sqs", "payments-Queue-0A1B2C3D")
OTHER_TABLE: Final = arn("dynamodb", "table/payments-Table-0A1B2C3D")
ISSUER: Final = arn("lambda", f"function:{STACK}-IssuerFunction-0A1B2C3D")

DEPLOYER: Final = (
    # of other stacks
    *(call(f"cloudformation:{one}", OTHER_STACK) for one in ("DeleteStack", "CreateChangeSet")),
    *(call(f"iam:{one}", OTHER_ROLE) for one in ("PutRolePolicy", "CreateRole", "DeleteRole")),
    with_keys("iam:PassRole", OTHER_ROLE, iam__PassedToService="lambda.amazonaws.com"),
    call("lambda:UpdateFunctionCode", OTHER_FUNCTION),
    call("lambda:AddPermission", OTHER_FUNCTION),
    call("lambda:PublishLayerVersion", arn("lambda", "layer:payments")),
    call("codedeploy:DeleteApplication", arn("codedeploy", "application:payments")),
    call("codedeploy:CreateDeployment", arn("codedeploy", "deploymentgroup:payments/all")),
    call("logs:DeleteLogGroup", arn("logs", "log-group:payments")),
    call("logs:DeleteLogGroup", arn("logs", "log-group:/aws/vendedlogs/payments/access")),
    call("cloudwatch:DeleteAlarms", arn("cloudwatch", "alarm:payments-fails")),
    call("cloudwatch:DeleteInsightRules", arn("cloudwatch", "insight-rule/payments")),
    call("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/payments"),
    call("sns:SetTopicAttributes", arn("sns", "payments")),
    call("events:PutTargets", arn("events", "rule/payments")),
    *(call(f"events:{one}Connection", OTHER_CONNECTION) for one in ("Create", "Delete", "Update")),
    *(call(f"secretsmanager:{one}", OTHER_KEY) for one in ("GetSecretValue", "PutSecretValue")),
    call("sqs:DeleteQueue", OTHER_QUEUE),
    # nor does it read the calls that were not delivered, or post one
    *(call(f"sqs:{one}") for one in ("ReceiveMessage", "SendMessage", "PurgeQueue")),
    call("events:InvokeApiDestination", arn("events", f"api-destination/{STACK}-calls/0a1b2c3d")),
    call("events:PutEvents", Entries=[{"Source": "zego-token-service"}]),
    *(
        call(f"secretsmanager:{one}", secret)
        for one in ("GetSecretValue", "DeleteSecret", "PutResourcePolicy", "RotateSecret")
        for secret in (OTHER_SECRET, OTHER_STAGE)
    ),
    *(call(f"dynamodb:{one}", OTHER_TABLE) for one in ("CreateTable", "UpdateTable")),
    # who is denied, and the table's end
    *(
        of_item(f"dynamodb:{one}", "denials")
        for one in ("Query", "GetItem", "Scan", "PutItem", "UpdateItem", "DeleteItem")
    ),
    call("dynamodb:DeleteTable"),
    # of the SAM CLI's bucket, which all stacks share
    *(
        call(f"s3:{one}", resource)
        for one in ("PutObject", "GetObject", "GetObjectVersion", "DeleteObject")
        for resource in (f"{BUCKET}/zego-token-service-dev/0a1b2c3d", f"{OTHER_BUCKET}/{STACK}/x")
    ),
    *(call(f"s3:{one}", BUCKET) for one in ("PutBucketPolicy", "PutBucketVersioning")),
    *(call(f"s3:{one}", OTHER_BUCKET) for one in ("GetBucketPolicy", "ListBucket")),
    Call("s3:PutBucketPolicy", OTHER_BUCKET, tuple(CLOUDFORMATION.items())),
    # who invokes the issuer chooses the caller whom it sees
    *(call("lambda:InvokeFunction", one) for one in (ISSUER, f"{ISSUER}:live", OTHER_FUNCTION)),
    # roles for other services
    with_keys("iam:PassRole", OWN_ROLE, iam__PassedToService="ec2.amazonaws.com"),
    call("iam:PassRole", OWN_ROLE),
    call("iam:UpdateAssumeRolePolicy", OTHER_ROLE),
    call("iam:AttachRolePolicy", OWN_ROLE),
    call("iam:DeleteRolePermissionsBoundary", OWN_ROLE),
    call("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/x"),
    # keys, of which all have the same pattern of names
    *(
        Call(f"kms:{one}", KEY)
        for one in ("PutKeyPolicy", "ScheduleKeyDeletion", "DisableKey", "Decrypt", "Encrypt")
    ),
    with_keys("kms:PutKeyPolicy", KEY, aws__CalledVia="athena.amazonaws.com"),
    with_keys(
        "kms:Decrypt",
        KEY,
        kms__ViaService=f"secretsmanager.{REGION}.amazonaws.com",
        kms__EncryptionContext__SecretARN=OTHER_SECRET,
    ),
    with_keys(
        "kms:Decrypt",
        KEY,
        kms__ViaService=f"s3.{REGION}.amazonaws.com",
        kms__EncryptionContext__SecretARN=SECRET,
    ),
    # what only the functions' roles and operators do
    call("execute-api:Invoke"),
    call("secretsmanager:PutSecretValue", SECRET),
    call("secretsmanager:UpdateSecretVersionStage", SECRET, VersionStage="AWSCURRENT"),
    call("logs:FilterLogEvents", arn("logs", f"log-group:{STACK}-IssuerLog-0A1B2C3D")),
)

OPERATOR: Final = (
    *(
        call(f"secretsmanager:{one}", secret)
        for one in ("GetSecretValue", "DescribeSecret", "PutSecretValue", "RotateSecret")
        for secret in (OTHER_SECRET, OTHER_STAGE)
    ),
    call("secretsmanager:RotateSecret", SECRET, RotationLambdaARN=OTHER_FUNCTION),
    call("secretsmanager:RotateSecret", SECRET, RotationLambdaARN=ROTATOR),
    call("secretsmanager:RotateSecret", SECRET, RotationRules={"AutomaticallyAfterDays": 1000}),
    *(
        call("secretsmanager:UpdateSecretVersionStage", SECRET, VersionStage=stage)
        for stage in ("AWSCURRENT", "AWSPREVIOUS", "CANDIDATE")
    ),
    call("secretsmanager:TagResource", SECRET, Tags=[{"Key": "zego-token-service:verdict"}]),
    call("secretsmanager:TagResource", SECRET),
    *(
        call(f"secretsmanager:{one}", SECRET)
        for one in ("DeleteSecret", "PutResourcePolicy", "CancelRotateSecret", "UpdateSecret")
    ),
    *(call("lambda:InvokeFunction", one) for one in (ISSUER, f"{ISSUER}:live", OTHER_FUNCTION)),
    call("lambda:UpdateFunctionCode", ROTATOR),
    Call("kms:Decrypt", KEY),
    Call("kms:PutKeyPolicy", KEY),
    with_keys(
        "kms:Decrypt",
        KEY,
        kms__ViaService=f"secretsmanager.{REGION}.amazonaws.com",
        kms__EncryptionContext__SecretARN=OTHER_SECRET,
    ),
    call("cloudformation:DescribeStacks", OTHER_STACK),
    call("cloudformation:DeleteStack"),
    call("cloudwatch:SetAlarmState", arn("cloudwatch", "alarm:payments-fails")),
    call("cloudwatch:DeleteAlarms", arn("cloudwatch", f"alarm:{STACK}-version-1-fails")),
    *(
        call(f"secretsmanager:{one}", INCOMING_CALL_KEY)
        for one in ("DeleteSecret", "UpdateSecretVersionStage", "PutResourcePolicy")
    ),
    *(call(f"sqs:{one}") for one in ("SendMessage", "DeleteQueue", "SetQueueAttributes")),
    call("sqs:ReceiveMessage", OTHER_QUEUE),
    *(
        of_item(f"dynamodb:{one}", "tokens#users#alice")
        for one in ("Query", "PutItem", "UpdateItem", "DeleteItem")
    ),
    of_item("dynamodb:DeleteItem", "changes"),
    *(
        Call(f"dynamodb:{one}", TABLE)
        for one in ("Query", "Scan", "PutItem", "DeleteItem", "DeleteTable", "UpdateTable")
    ),
    with_keys("dynamodb:Query", OTHER_TABLE, dynamodb__LeadingKeys="denials"),
    call("execute-api:Invoke", f"{ARNS['execute-api']}/POST/v1/service/tokens/batch"),
    call("execute-api:Invoke", arn("execute-api", "z9y8x7w6v5/$default/GET/v1/status")),
)

#: What all functions have in common.
FUNCTION: Final = (
    *(
        call(f"secretsmanager:{one}", OTHER_SECRET)
        for one in ("DescribeSecret", "UpdateSecretVersionStage", "PutSecretValue")
    ),
    call("secretsmanager:GetSecretValue", OTHER_SECRET, VersionStage="AWSCURRENT"),
    call("secretsmanager:GetSecretValue", OTHER_STAGE, VersionStage="AWSCURRENT"),
    *(
        call(f"secretsmanager:{one}", SECRET)
        for one in ("DeleteSecret", "PutResourcePolicy", "UpdateSecret")
    ),
    call("secretsmanager:TagResource", SECRET, Tags=[{"Key": "owner"}]),
    call("secretsmanager:TagResource", SECRET),
    Call("kms:Decrypt", KEY),
    with_keys(
        "kms:Decrypt",
        KEY,
        kms__ViaService=f"secretsmanager.{REGION}.amazonaws.com",
        kms__EncryptionContext__SecretARN=OTHER_SECRET,
    ),
    call("lambda:InvokeFunction", ISSUER),
    call("logs:PutLogEvents", arn("logs", "log-group:payments:log-stream:x")),
)
INCOMING_CALL: Final = {"Source": "zego-token-service", "DetailType": "Incoming Call"}
ISSUERS: Final = (
    call("secretsmanager:GetSecretValue", SECRET),
    *(
        call("secretsmanager:GetSecretValue", SECRET, VersionStage=stage)
        for stage in ("AWSPENDING", "CANDIDATE")
    ),
    call("secretsmanager:GetSecretValue", SECRET, VersionId="0a1b2c3d"),
    *(
        call(f"secretsmanager:{one}", SECRET)
        for one in ("PutSecretValue", "RotateSecret", "UpdateSecretVersionStage")
    ),
    *(of_item("dynamodb:Query", pk) for pk in ("changes", "tokens#users#alice", "denials#")),
    *(of_item("dynamodb:UpdateItem", pk) for pk in ("denials", "changes", "tokens")),
    *(
        of_item(f"dynamodb:{one}", pk)
        for one in ("GetItem", "PutItem", "DeleteItem")
        for pk in ("denials", "tokens#users#alice")
    ),
    *(Call(f"dynamodb:{one}", TABLE) for one in ("Query", "Scan", "UpdateItem", "UpdateTable")),
    with_keys("dynamodb:Query", OTHER_TABLE, dynamodb__LeadingKeys="denials"),
    call("lambda:InvokeFunction"),
    call("secretsmanager:GetSecretValue", INCOMING_CALL_KEY, VersionStage="AWSCURRENT"),
    call("sqs:SendMessage"),
    *(
        call("events:PutEvents", Entries=entries)
        for entries in (
            [{"Source": "zego-token-service", "DetailType": "Server Secret Rejected"}],
            [{"Source": "payments", "DetailType": "Incoming Call"}],
            [INCOMING_CALL, {"Source": "payments", "DetailType": "Incoming Call"}],
            [{"DetailType": "Incoming Call"}],
            [{"Source": "zego-token-service"}],
            [],
        )
    ),
    call("events:PutEvents", arn("events", "event-bus/payments"), Entries=[INCOMING_CALL]),
)
ROTATORS: Final = (
    call("secretsmanager:UpdateSecretVersionStage", SECRET, VersionStage="AWSPREVIOUS"),
    call("secretsmanager:UpdateSecretVersionStage", SECRET, VersionStage="mine"),
    call("secretsmanager:RotateSecret", SECRET),
    call("secretsmanager:TagResource", SECRET, Tags=[{"Key": "zego-token-service:verdict"}]),
)
WATCHERS: Final = (
    *(
        call("secretsmanager:UpdateSecretVersionStage", SECRET, VersionStage=stage)
        for stage in ("AWSCURRENT", "AWSPREVIOUS", "CANDIDATE")
    ),
    call("secretsmanager:PutSecretValue", SECRET),
    call("secretsmanager:RotateSecret", SECRET, RotationLambdaARN=ROTATOR),
    call("secretsmanager:RotateSecret", SECRET, RotationRules={"AutomaticallyAfterDays": 1000}),
    call("secretsmanager:TagResource", SECRET, Tags=[{"Key": "zego-token-service:rotation"}]),
    call("events:PutEvents", Entries=[{"Source": "aws.health", "DetailType": "x"}]),
    call("events:PutEvents", Entries=[{"Source": "zego-token-service"}, {"Source": "payments"}]),
    Call("events:PutEvents", ARNS["events"]),
    call(
        "events:PutEvents",
        arn("events", "event-bus/payments"),
        Entries=[{"Source": "zego-token-service"}],
    ),
)
CALLERS: Final = (
    call("execute-api:Invoke", f"{ARNS['execute-api']}/GET/v1/status"),
    call("execute-api:Invoke", arn("execute-api", "z9y8x7w6v5/$default/POST/v1/diagnose")),
    call("execute-api:Invoke", arn("execute-api", "z9y8x7w6v5/$default/POST/v1/service/tokens")),
    call("secretsmanager:GetSecretValue", SECRET),
    call("lambda:InvokeFunction", ISSUER),
)
DENIED: Final = {
    "deployer": DEPLOYER,
    "operator": OPERATOR,
    "issuer": FUNCTION + ISSUERS,
    "rotator": FUNCTION + ROTATORS,
    "watcher": FUNCTION + WATCHERS,
    "backend": (*CALLERS, call("execute-api:Invoke", f"{ARNS['execute-api']}/POST/v1/diagnose")),
    "support": (*CALLERS, call("execute-api:Invoke", f"{ARNS['execute-api']}/POST/v1/tokens")),
}


def test_the_table_has_each_role() -> None:
    assert DENIED.keys() == {*roles.FUNCTIONS, *roles.PRINTED}


def test_each_call_is_possible() -> None:
    """A call whose action or resource does not exist would prove nothing."""
    assert [
        one
        for of_role in DENIED.values()
        for one in of_role
        if one.action != "execute-api:Invoke"  # its resources have another pattern there
        and not any(
            can_have(one.action.partition(":")[0], action, one.resource)
            for action in actions(one.action)
        )
    ] == []


@pytest.mark.parametrize("role", DENIED)
def test_a_role_may_not_do_what_is_not_its_own(role: str) -> None:
    assert [one for one in DENIED[role] if allows(roles.statements(role), one)] == []
