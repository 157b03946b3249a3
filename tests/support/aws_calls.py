"""What the functions and the command line call in AWS, as IAM sees it.

:func:`watching` sees every call that their code makes in this process, through boto3 or through the
issuer's own client, whoever responds to it: AWS is imitated below that. It also sees the calls of
functions in other processes, if a local stack of this process responds. All secrets, keys and
stacks count as those of one deployment, with the ARNs of :data:`ARNS`.

Sources: the Service Authorization Reference for the condition keys (``tests/permissions`` compares
them with it); for :data:`IN_A_TRANSACTION`, "Using IAM with DynamoDB transactions" in the DynamoDB
developer guide; for :data:`FORWARDED`, "Secret encryption and decryption" in the Secrets Manager
user guide, and the required permissions of RotateSecret in its API reference; for :data:`RUNTIME`,
"Lambda execution role" in the Lambda developer guide.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final
from unittest.mock import patch

import jmespath
from botocore.client import BaseClient

from local.aws.dynamodb import DynamoDb
from local.aws.events import EventBus
from local.aws.secrets_manager import SecretsManager
from local.loopback import HttpRequest, HttpResponse
from ops.doctor.issuer_api import IssuerApi
from tests.support.iam import Call
from zego.aws import AwsClient

REGION: Final = "eu-west-1"
ACCOUNT: Final = "111122223333"
STACK: Final = "zego-token-service-prod"


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


#: The resource of a service's actions, or of one. Others have none, which IAM calls ``*``.
ARNS: Final = {
    "lambda:GetAccountSettings": "*",
    "secretsmanager": _arn("secretsmanager", f"secret:{STACK}/server-secret-AbCdEf"),
    "kms": _arn("kms", "key/00000000-0000-4000-8000-000000000000"),
    "cloudformation": _arn("cloudformation", f"stack/{STACK}/0a1b2c3d"),
    "events": _arn("events", "event-bus/default"),
    "sqs": _arn("sqs", f"{STACK}-IncomingCallDeadLetters-0A1B2C3D"),
    "lambda": _arn("lambda", f"function:{STACK}-RotatorFunction-0A1B2C3D"),
    "dynamodb": _arn("dynamodb", f"table/{STACK}-LimitsTable-0A1B2C3D"),
    "execute-api": _arn("execute-api", "a1b2c3d4e5/$default"),
}
#: The secret with the key of the incoming calls.
INCOMING_CALL_KEY: Final = _arn("secretsmanager", f"secret:{STACK}/incoming-call-key-AbCdEf")
#: The condition keys of an action, with where their values are in the call's parameters.
KEYS: Final[Mapping[str, Mapping[str, str]]] = {
    "secretsmanager:GetSecretValue": {
        "secretsmanager:VersionId": "VersionId",
        "secretsmanager:VersionStage": "VersionStage",
    },
    "secretsmanager:UpdateSecretVersionStage": {"secretsmanager:VersionStage": "VersionStage"},
    "secretsmanager:RotateSecret": {
        "secretsmanager:RotationLambdaARN": "RotationLambdaARN",
        "secretsmanager:ModifyRotationRules": "to_string(RotationRules != null)",
    },
    "secretsmanager:TagResource": {"aws:TagKeys": "Tags[].Key"},
    "events:PutEvents": {
        "events:detail-type": "Entries[].DetailType",
        "events:source": "Entries[].Source",
    },
    "dynamodb:Query": {"dynamodb:LeadingKeys": "Partition"},
    "dynamodb:PutItem": {"dynamodb:LeadingKeys": "Item.pk.S"},
    "dynamodb:UpdateItem": {"dynamodb:LeadingKeys": "Key.pk.S"},
    "dynamodb:DeleteItem": {"dynamodb:LeadingKeys": "Key.pk.S"},
}
#: The permission that each write of a transaction needs.
IN_A_TRANSACTION: Final = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
}
#: What AWS calls with the permissions of the caller of an action.
FORWARDED: Final = {
    "secretsmanager:GetSecretValue": ("kms:Decrypt",),
    "secretsmanager:PutSecretValue": ("kms:GenerateDataKey", "kms:Decrypt"),
    "secretsmanager:RotateSecret": ("lambda:InvokeFunction",),
}
#: Secrets Manager's calls of KMS.
_BY_SECRETS_MANAGER: Final = {
    "kms:ViaService": (f"secretsmanager.{REGION}.amazonaws.com",),
    "kms:EncryptionContext:SecretARN": (ARNS["secretsmanager"],),
}
#: What Lambda calls with the permissions of a function's role.
RUNTIME: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
#: What every principal may call: "GetCallerIdentity" in the STS API reference.
FREE: Final = frozenset({"sts:GetCallerIdentity"})

#: What a role's code calls only with credentials that may call it. Otherwise it goes without.
AT_WILL: Final = frozenset({("deployer", "secretsmanager:GetSecretValue")})

#: Whose code a package is. Preflight runs before there is anything to operate.
_ROLES: Final = {
    "issuer": "issuer",
    "rotator": "rotator",
    "watcher": "watcher",
    "ops": "operator",
    "ops.preflight": "deployer",
}
#: How a function of a local stack signs.
_FUNCTION_KEY: Final = re.compile("Credential=AKIALOCAL(ISSUER|ROTATOR|WATCHER)/")
Seen = Callable[[str, Call], object]


def call(action: str, resource: str | None = None, **parameters: object) -> Call:
    """A call with the condition keys that its parameters fill."""
    if condition := parameters.get("KeyConditionExpression"):
        (name,) = re.findall(r"\bpk\s*=\s*(:\w+)", str(condition))
        parameters["Partition"] = jmespath.search(
            f'ExpressionAttributeValues."{name}".S', parameters
        )
    found = {key: jmespath.search(path, parameters) for key, path in KEYS.get(action, {}).items()}
    context = {
        key: tuple(value) if isinstance(value, list) else (str(value),)
        for key, value in found.items()
        if value is not None
    }
    if action.startswith("kms:") and action != "kms:DescribeKey":
        context = dict(_BY_SECRETS_MANAGER)
    known = ARNS.get(action) or ARNS.get(action.partition(":")[0], "*")
    return Call(action, resource or known, tuple(sorted(context.items())))


@contextmanager
def watching(seen: Seen) -> Iterator[None]:
    """Tell each call and its role, while the block runs; also what AWS calls because of it."""
    through_boto3, by_the_issuer, of_the_api, by_secrets_manager, by_the_bus, by_dynamodb = (
        BaseClient._make_api_call,  # type: ignore[attr-defined]  # not in the types
        AwsClient.call,
        IssuerApi.signed,
        SecretsManager.respond,
        EventBus.respond,
        DynamoDb.respond,
    )

    tell = functools.partial(_tell, seen)

    def boto3_call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        service = client.meta.service_model.signing_name
        tell(_caller(), f"{service}:{operation}", **parameters)
        return through_boto3(client, operation, parameters)

    def issuers_call(service: AwsClient, action: str, parameters: Mapping[str, Any]) -> Any:
        tell(_caller(), f"{service.type.signing_name}:{action}", **parameters)
        return by_the_issuer(service, action, parameters)

    def api_call(api: IssuerApi, method: str, path: str, document: object = None) -> Any:
        tell(_caller(), "execute-api:Invoke", f"{ARNS['execute-api']}/{method}{path}")
        return of_the_api(api, method, path, document)

    def served(service: str, respond: Callable[[Any, HttpRequest], HttpResponse]) -> Any:
        def answer(part: object, request: HttpRequest) -> HttpResponse:
            signer = _FUNCTION_KEY.search(request.header("authorization") or "")
            if signer:
                action = (request.header("x-amz-target") or "").rpartition(".")[2]
                tell(signer[1].lower(), f"{service}:{action}", **json.loads(request.body))
            return respond(part, request)

        return answer

    with (
        patch.object(BaseClient, "_make_api_call", boto3_call),
        patch.object(AwsClient, "call", issuers_call),
        patch.object(IssuerApi, "signed", api_call),
        patch.object(SecretsManager, "respond", served("secretsmanager", by_secrets_manager)),
        patch.object(EventBus, "respond", served("events", by_the_bus)),
        patch.object(DynamoDb, "respond", served("dynamodb", by_dynamodb)),
    ):
        yield


def _tell(
    seen: Seen, role: str | None, action: str, resource: str | None = None, **parameters: object
) -> None:
    if role is None or action in FREE or (role, action) in AT_WILL:
        return
    if action == "dynamodb:TransactWriteItems":
        for write in jmespath.search("TransactItems[]", parameters):
            for kind, of_write in write.items():
                seen(role, call(IN_A_TRANSACTION[kind], **of_write))
        return
    if role == "deployer":  # it also checks resources that the stack is given
        resource = next(filter(_is_arn, map(str, parameters.values())), resource)
    seen(role, call(action, resource, **parameters))
    for forwarded in FORWARDED.get(action, ()):
        seen(role, call(forwarded))


def _is_arn(value: str) -> bool:
    return value.startswith("arn:")


def _caller() -> str | None:
    """The role of the code that makes a call; ``None`` if a test or the local stack makes it."""
    found = None
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        package, _, rest = name.partition(".")
        if package in {"tests", "local"}:
            break
        role = _ROLES.get(f"{package}.{rest.partition('.')[0]}") or _ROLES.get(package)
        if role is not None and (found is None or role == "deployer"):
            found = role
        if found not in {None, "operator"}:
            break
        frame = frame.f_back
    return found
