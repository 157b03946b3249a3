"""What a deployment calls with the deployer's permissions.

Sources: for CloudFormation, ``cloudformation.json``; for the SAM CLI, its source, ``samcli/lib``
``deploy/deployer.py``, ``delete/cfn_utils.py``, ``list``, ``bootstrap/bootstrap.py``,
``utils/managed_cloudformation_stack.py`` and ``package/s3_uploader.py``; for API Gateway,
"Configuring logging for an HTTP API" and "Using service-linked roles" in its guide; for the key of
a connection, the statement of AWS' policy AmazonEventBridgeFullAccess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.infrastructure.stacks import GIVEN_KEY, INCOMING_CALL_URL, stack
from tests.permissions.reference import actions, can_have
from tests.support.aws_calls import ACCOUNT, ARNS, INCOMING_CALL_KEY, REGION, STACK, call
from tests.support.iam import Call

PERMISSIONS: Final[Mapping[str, list[str]]] = json.loads(
    Path(__file__).with_name("cloudformation.json").read_text(encoding="utf-8")
)["permissions"]
CERTIFICATE: Final = (
    "arn:aws:acm:eu-west-1:111122223333:certificate/00000000-0000-4000-8000-000000000000"
)
BUCKET: Final = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-0a1b2c3d"

#: What CloudFormation calls for properties that the template does not have.
NOT_USED: Final[Mapping[str, str]] = {
    "AWS::ApiGatewayV2::Api": "s3:getObject",  # the definition is in the template
    "AWS::CodeDeploy::DeploymentGroup": "codedeploy:RegisterOnPremisesInstance",
    "AWS::DynamoDB::Table": (
        "(iam|kinesis|kms|logs|s3):.*"  # no stream, no key of the account, no import
        "|dynamodb:(Enable|Disable|Update)KinesisStreamingDestination"
        "|dynamodb:(DescribeImport|ImportTable|(Put|Delete)ResourcePolicy"
        "|UpdateContributorInsights)"
        "|dynamodb:DeleteTable"  # it is always kept
    ),
    "AWS::IAM::Role": "iam:(AttachRolePolicy|DetachRolePolicy|.*PermissionsBoundary)",
    "AWS::Lambda::Alias": "lambda:(Put|Delete)ProvisionedConcurrencyConfig",
    "AWS::Lambda::Function": (
        "(ec2|elasticfilesystem|s3files|kms):.*"  # no network, no file system, no key
        "|lambda:(GetCodeSigningConfig|PutFunctionCodeSigningConfig|PassCapacityProvider)"
        "|lambda:Put(FunctionRecursionConfig|FunctionScalingConfig|RuntimeManagementConfig)"
    ),
    "AWS::Lambda::Version": (
        "lambda:Put(FunctionScaling|ProvisionedConcurrency|RuntimeManagement)Config"
    ),
    "AWS::Logs::LogGroup": (
        "(firehose|s3):.*|logs:.*(IndexPolicy|ResourcePolicy|BearerTokenAuthentication)"
        "|logs:(DeleteRetentionPolicy|PutLogGroupDeletionProtection)"
    ),
    "AWS::S3::Bucket": (
        "(iam|s3tables):.*|s3:.*BucketMetadata.*|s3:TagResource|s3:UntagResource"
        "|s3:ListTagsForResource|s3:DeleteBucket.*|s3:Put(Accelerate|Analytics|IntelligentTiering"
        "|Inventory|Lifecycle|Metrics|ObjectLock|Replication)Configuration|s3:PutObjectAcl"
    ),
    "AWS::S3::BucketPolicy": "s3:DeleteBucketPolicy",  # the bucket stays
    "AWS::SNS::Topic": "iam:.*|sns:PutDataProtectionPolicy",  # deliveries are not logged
    "AWS::SecretsManager::RotationSchedule": "iam:PassRole",  # the function is not AWS'
    "AWS::SecretsManager::Secret": "secretsmanager:.*Regions.*",
}


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


_ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/{STACK}-IssuerRole-0A1B2C3D"
_LAYER: Final = _arn("lambda", f"layer:{STACK}-domain")
_TOPIC: Final = _arn("sns", f"{STACK}-AlarmTopic-0A1B2C3D")
_RULE: Final = _arn("events", f"rule/{STACK}-WatcherFunctionTick-0A1B2C3D")
#: A connection and its API destination have the same name.
_CONNECTION: Final = (
    _arn("events", f"connection/{STACK}-calls/0a1b2c3d"),
    _arn("secretsmanager", f"secret:events!connection/{STACK}-calls/0a1b2c3d-AbCdEf"),
    f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/apidestinations.events.amazonaws.com/x",
)
_APPLICATION: Final = f"{STACK}-ServerlessDeploymentApplication-0A1B2C3D"
_CODEDEPLOY: Final = (
    _arn("codedeploy", f"application:{_APPLICATION}"),
    _arn("codedeploy", f"deploymentgroup:{_APPLICATION}/{STACK}-IssuerDeploymentGroup-0A1B"),
    _arn("codedeploy", "deploymentconfig:CodeDeployDefault.LambdaAllAtOnce"),
)
_LOG_GROUPS: Final = (
    _arn("logs", f"log-group:{STACK}-IssuerLog-0A1B2C3D"),
    _arn("logs", f"log-group:/aws/vendedlogs/{STACK}/access"),
)
_GATEWAY: Final = f"arn:aws:apigateway:{REGION}::"
#: The resources of the actions that CloudFormation calls for a type. An action whose service no
#: resource is of has none.
RESOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "AWS::ApiGatewayV2::Api": (f"{_GATEWAY}/apis", f"{_GATEWAY}/apis/a1b2c3d4e5"),
    "AWS::ApiGatewayV2::ApiMapping": (f"{_GATEWAY}/domainnames/tokens.example.com/apimappings/x",),
    "AWS::ApiGatewayV2::DomainName": (f"{_GATEWAY}/domainnames",),
    "AWS::ApiGatewayV2::Stage": (
        f"{_GATEWAY}/apis/a1b2c3d4e5/stages/$default",
        f"{_GATEWAY}/tags/arn%3Aaws%3Aapigateway%3A{REGION}%3A%3A%2Fapis%2Fa1b2c3d4e5",
    ),
    "AWS::CloudWatch::Alarm": (_arn("cloudwatch", f"alarm:{STACK}-version-1-fails"),),
    "AWS::CloudWatch::Dashboard": (f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{STACK}-{REGION}",),
    "AWS::CloudWatch::InsightRule": (
        _arn("cloudwatch", f"insight-rule/{STACK}-diagnoses-not-opened"),
    ),
    "AWS::CodeDeploy::Application": (_arn("codedeploy", f"application:{_APPLICATION}"),),
    "AWS::CodeDeploy::DeploymentGroup": (*_CODEDEPLOY, _ROLE),
    "AWS::DynamoDB::Table": (ARNS["dynamodb"],),
    "AWS::Events::ApiDestination": (_arn("events", f"api-destination/{STACK}-calls/0a1b2c3d"),),
    "AWS::Events::Connection": _CONNECTION,
    "AWS::Events::Rule": (_RULE, _ROLE),
    "AWS::IAM::Role": (_ROLE,),
    "AWS::KMS::Alias": (ARNS["kms"], _arn("kms", f"alias/{STACK}/server-secret")),
    "AWS::KMS::Key": (ARNS["kms"],),
    "AWS::Lambda::Alias": (ARNS["lambda"], f"{ARNS['lambda']}:live", *_CODEDEPLOY),
    "AWS::Lambda::Version": (ARNS["lambda"], f"{ARNS['lambda']}:1"),
    "AWS::Lambda::Function": (ARNS["lambda"], f"{_LAYER}:1", _ROLE, f"{BUCKET}/{STACK}/0a1b2c3d"),
    "AWS::Lambda::LayerVersion": (_LAYER, f"{_LAYER}:1", f"{BUCKET}/{STACK}/0a1b2c3d"),
    "AWS::Logs::LogGroup": _LOG_GROUPS,
    "AWS::Logs::MetricFilter": _LOG_GROUPS[:1],
    "AWS::S3::Bucket": (BUCKET, f"{BUCKET}/{STACK}/0a1b2c3d"),
    "AWS::S3::BucketPolicy": (BUCKET,),
    "AWS::SNS::Topic": (_TOPIC,),
    "AWS::SNS::TopicPolicy": (_TOPIC,),
    "AWS::SecretsManager::Secret": (ARNS["secretsmanager"], INCOMING_CALL_KEY),
}


def calls() -> Iterator[Call]:
    """Every call of a deployment, from the first one to the stack's end."""
    yield from _of_sam()
    yield from _of_api_gateway()
    yield from _of_secrets_manager()
    yield from _of_eventbridge()
    for resource_type, permissions in PERMISSIONS.items():
        for action in permissions:
            if not re.fullmatch(NOT_USED.get(resource_type, ""), action):
                yield from _of_cloudformation(resource_type, action)


def types() -> set[str]:
    """The types of resources that the template can make."""
    variants = (
        {"AlarmEmail": "operators@example.com", "SecretReaderAccounts": "444455556666"},
        {"DomainName": "tokens.example.com", "DomainCertificateArn": CERTIFICATE},
        {"LogKmsKeyArn": GIVEN_KEY},
        {"IncomingCallUrl": INCOMING_CALL_URL},
    )
    return {
        resource["Type"]
        for variant in variants
        for resource in stack(**variant).template["Resources"].values()
    }


def _of_cloudformation(resource_type: str, action: str) -> Iterator[Call]:
    service = action.partition(":")[0].lower()
    context: dict[str, tuple[str, ...]] = {"aws:CalledVia": ("cloudformation.amazonaws.com",)}
    if action == "iam:PassRole":
        principal = resource_type.split("::")[1].lower()
        context["iam:PassedToService"] = (f"{principal}.amazonaws.com",)
    for resource in _resources(resource_type, service, action):
        yield Call(action, resource, tuple(context.items()))


def _resources(resource_type: str, service: str, action: str) -> list[str]:
    """The resources of a type that an action can be about."""
    known = next(iter(actions(action)), None)
    if service == "apigateway":  # its resources there are those of REST APIs
        known = None
    if known is not None and not known["resourceTypes"]:
        return ["*"]
    found = [
        arn
        for arn in RESOURCES.get(resource_type) or [ARNS.get(service, "a::")]
        if arn.split(":")[2] == service and (known is None or can_have(service, known, arn))
    ]
    if not found:
        raise ValueError(f"{resource_type} has no resource for {action}")
    return found


#: The first two are what preflight and docs/operations.md tell a deployer to do.
_OF_THE_STACK: Final = (
    "CancelUpdateStack ContinueUpdateRollback"
    " CreateChangeSet DeleteStack DescribeChangeSet DescribeStackEvents DescribeStackResources"
    " DescribeStacks ExecuteChangeSet GetTemplate GetTemplateSummary ListChangeSets"
    " ListStackResources RollbackStack TagResource UntagResource UpdateTerminationProtection"
)
_OF_ITS_OWN_STACK: Final = "CreateChangeSet DescribeStacks ExecuteChangeSet UpdateStack"
_OF_ARTIFACTS: Final = "DeleteObject GetObject PutObject"  # all under the s3_prefix
_OF_LOGS: Final = (
    "CreateLogDelivery DeleteLogDelivery DescribeLogGroups DescribeResourcePolicies GetLogDelivery"
    " ListLogDeliveries PutResourcePolicy UpdateLogDelivery"
)


def _of_sam() -> Iterator[Call]:
    managed = _arn("cloudformation", "stack/aws-sam-cli-managed-default/0a1b2c3d")
    transform = f"arn:aws:cloudformation:{REGION}:aws:transform/Serverless-2016-10-31"
    yield from (call(f"cloudformation:{action}") for action in _OF_THE_STACK.split())
    for action in _OF_ITS_OWN_STACK.split():
        yield call(f"cloudformation:{action}", managed)
    yield call("cloudformation:CreateChangeSet", transform)
    for action in _OF_ARTIFACTS.split():
        yield call(f"s3:{action}", f"{BUCKET}/{STACK}/0a1b2c3d")
    yield call("s3:ListBucket", BUCKET)


def _of_api_gateway() -> Iterator[Call]:
    yield from (Call(f"logs:{action}", "*") for action in _OF_LOGS.split())
    service = "ops.apigateway.amazonaws.com"
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/{service}/AWSServiceRoleForAPIGateway"
    yield call("iam:CreateServiceLinkedRole", role)


def _of_secrets_manager() -> Iterator[Call]:
    for action in ("kms:Decrypt", "kms:GenerateDataKey"):
        yield call(action)


def _of_eventbridge() -> Iterator[Call]:
    for action in ("CreateSecret", "DeleteSecret", "GetSecretValue", "PutSecretValue"):
        yield call(f"secretsmanager:{action}", _CONNECTION[1])
    yield call("secretsmanager:UpdateSecret", _CONNECTION[1])
