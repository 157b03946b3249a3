"""`zego-token iam`: an IAM policy for each role that works with a deployment, ready to attach.

The policies are tables, at the end of this module. ``tests/permissions`` compares them with what
the commands call, with what CloudFormation calls, and with AWS' reference of actions, resources and
condition keys.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from ops.errors import CommandError, ExitCode
from ops.output import plain
from ops.target import TargetOptions, client_of, open_session, stack_outputs
from zego import DEPLOYED_STAGES
from zego.denials import CHANGES_PK, DENIALS_PK

if TYPE_CHECKING:
    import boto3

_NAME: Final = re.compile(r"\$\{(\w+)\}")
#: So many characters of the stack's name are in every name that CloudFormation makes. Names of
#: functions, roles and rules have at most 64: it cuts the stack's name and the logical id.
#: AWS does not document it. Source: names that it made, in KensioSoftware/yulin#1113.
_KEPT: Final = 25
#: The quota of a managed policy in characters, without white space. Source: "IAM and AWS STS
#: quotas" in the IAM guide.
_MOST_CHARACTERS: Final = 6144


class Statement(NamedTuple):
    """What a role may do.

    :ivar actions: separated by spaces. The first one of a service has its prefix.
    :ivar resources: with ``${...}``, an output of the stack or a name of :func:`place`.
    :ivar needs: a name without which the policy does not have this statement.
    :ivar unless: a name with which it does not have it.
    """

    sid: str
    actions: str
    resources: str | tuple[str, ...]
    condition: Mapping[str, Mapping[str, str | Sequence[str]]] | None = None
    needs: str | None = None
    unless: str | None = None


@click.command()
@click.argument("role", type=click.Choice(["deployer", "operator", "backend", "support"]))
@click.option("--stage", type=click.Choice(DEPLOYED_STAGES), help="The stack of this stage.")
@click.option("--stack", metavar="NAME", help="A stack that has another name.")
@click.option("--profile", help="The AWS profile.")
@click.option("--region", help="The AWS region.")
@click.option(
    "--permissions-boundary",
    metavar="ARN",
    help="Of a deployer: the value of PermissionsBoundaryArn, which all roles must then have.",
)
def iam(role: str, permissions_boundary: str | None, **options: str | None) -> ExitCode:
    """Print the IAM policy of a role, in JSON.

    \b
    deployer  deploys the stack with the SAM CLI, and runs
              zego-token preflight
    operator  runs the other commands of zego-token
    backend   requests tokens for its users
    support   has tokens diagnosed

    The policy allows what this takes on one stack. For a deployer, the stack need not exist yet.
    """
    stack_options = TargetOptions(**options)  # type: ignore[arg-type]  # four texts
    stack = stack_options.stack_name
    if stack is None or None not in (stack_options.stage, stack_options.stack):
        raise click.UsageError("Name one stack: use --stage or --stack.")
    if permissions_boundary and role != "deployer":
        raise click.UsageError("Only a deployer has a permissions boundary.")
    session = open_session(stack_options)
    names = place(session, stack)
    if role != "deployer":
        names |= derived(stack_outputs(session, stack))
    if permissions_boundary:
        names["PermissionsBoundary"] = permissions_boundary
    policy = document(role, names)
    if (size := _characters(policy)) > _MOST_CHARACTERS:
        text = (
            f"The policy has {size} characters, and a managed policy at most {_MOST_CHARACTERS}."
            " Distribute its statements over two policies."
        )
        click.echo(plain(text, sys.stderr), err=True)
    click.echo(json.dumps(policy, indent=2))
    return ExitCode.DONE


def place(session: boto3.Session, stack: str) -> dict[str, str]:
    """The names that a stack has before it exists: its account, its region, and how the names
    begin that CloudFormation makes.

    :raises ClientError: AWS does not accept the credentials.
    """
    client = client_of(session, "sts")
    return names_of(client.meta.region_name, client.get_caller_identity()["Account"], stack)


def names_of(region: str, account: str, stack: str) -> dict[str, str]:
    """The names of :func:`place`."""
    begin = f"{stack}-*" if len(stack) <= _KEPT else f"{stack[:_KEPT]}*"
    return {"Region": region, "Account": account, "Stack": stack, "Made": begin}


def derived(outputs: Mapping[str, str]) -> dict[str, str]:
    """The outputs of a stack, and what follows from them."""
    names = dict(outputs)
    if arn := names.get("SecretArn"):
        names["SecretRegion"] = arn.split(":")[3]
    if url := names.get("IncomingCallDeadLettersUrl"):
        names["IncomingCallDeadLetters"] = url.rpartition("/")[2]
    if arn := names.get("ServiceRoutesArn"):
        names["TokenRouteArn"] = f"{arn.removesuffix('*')}tokens"
    return names


def document(role: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The policy of a role.

    :raises CommandError: the stack is older than an output that the policy needs.
    """
    statements = [_rendered(one, names) for one in _POLICIES[role] if _is_needed(one, names)]
    return {"Version": "2012-10-17", "Statement": statements}


def _characters(policy: Mapping[str, Any]) -> int:
    """The length of a policy, as AWS counts it: without white space."""
    return len(json.dumps(policy, separators=(",", ":")))


def _is_needed(statement: Statement, names: Mapping[str, str]) -> bool:
    """Whether there is what the statement is about: a rotation, a key, a boundary."""
    used = {*_NAME.findall(json.dumps(statement)), statement.needs} & {*_OPTIONAL}
    return used <= names.keys() and statement.unless not in names


def _rendered(statement: Statement, names: Mapping[str, str]) -> dict[str, Any]:
    actions = [*_actions(statement.actions)]
    rendered: dict[str, Any] = {
        "Sid": statement.sid,
        "Effect": "Allow",
        "Action": actions[0] if len(actions) == 1 else actions,
        "Resource": _filled(statement.resources, names),
    }
    if statement.condition is not None:
        rendered["Condition"] = _filled(statement.condition, names)
    return rendered


def _actions(words: str) -> Iterator[str]:
    service = ""
    for word in words.split():
        prefix, colon, action = word.rpartition(":")
        service = prefix if colon else service
        yield f"{service}:{action}"


def _filled(node: Any, names: Mapping[str, str]) -> Any:
    match node:
        case str():
            return _NAME.sub(lambda found: _value(found[1], names), node)
        case Mapping():
            return {key: _filled(value, names) for key, value in node.items()}
    return [_filled(one, names) for one in node]


def _value(name: str, names: Mapping[str, str]) -> str:
    if name not in names:
        raise CommandError(
            f"The stack {names['Stack']} has no output {name}.",
            "Deploy it again (docs/deploy.md).",
            ExitCode.AWS,
        )
    return names[name]


# --- The policies -----------------------------------------------------------------------------

#: Names that may be missing: the secret has no customer managed key, the stack does not rotate it,
#: it has no limits, it posts no incoming calls, no boundary is given.
_OPTIONAL: Final = (
    "SecretKeyArn",
    "RotatorFunctionArn",
    "LimitsTableName",
    "IncomingCallKeyArn",
    "IncomingCallDeadLetters",
    "PermissionsBoundary",
)


def _arn(service: str, resource: str) -> str:
    """An ARN in the stack's account and region, which are in one partition only."""
    return f"arn:*:{service}:${{Region}}:${{Account}}:{resource}"


_STACK: Final = _arn("cloudformation", "stack/${Stack}/*")
_ALARMS: Final = _arn("cloudwatch", "alarm:${Stack}-*")
_ROTATES: Final = "RotatorFunctionArn"
_LIMITS: Final = _arn("dynamodb", "table/${LimitsTableName}")
#: Only for this secret, and only by way of Secrets Manager.
_FOR_THE_SECRET: Final = {
    "StringEquals": {"kms:EncryptionContext:SecretARN": "${SecretArn}"},
    # AWS does not document whether it ends in amazonaws.com in every partition.
    "StringLike": {"kms:ViaService": "secretsmanager.${SecretRegion}.amazonaws.*"},
}


def _of_partitions(*keys: str) -> Mapping[str, Mapping[str, str | Sequence[str]]]:
    """Only for items of the table whose partition key is one of these."""
    return {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": keys},
        "Null": {"dynamodb:LeadingKeys": "false"},  # as in NoteWhatIsGivenUpOrCompromised
    }


_OPERATOR: Final = (
    Statement("FindTheStack", "cloudformation:DescribeStacks", _STACK),
    Statement("ReadTheSecret", "secretsmanager:DescribeSecret GetSecretValue", "${SecretArn}"),
    Statement("DecryptTheSecret", "kms:Decrypt", "${SecretKeyArn}", _FOR_THE_SECRET),
    Statement("SeeWhetherTheKeyIsEnabled", "kms:DescribeKey", "${SecretKeyArn}"),
    Statement("StageAValue", "secretsmanager:PutSecretValue", "${SecretArn}", needs=_ROTATES),
    Statement(
        "EncryptTheValue", "kms:GenerateDataKey", "${SecretKeyArn}", _FOR_THE_SECRET, _ROTATES
    ),
    Statement(
        "Rotate",
        "secretsmanager:RotateSecret",
        "${SecretArn}",
        {  # but change neither the function nor the schedule
            "Null": {"secretsmanager:RotationLambdaARN": "true"},
            "BoolIfExists": {"secretsmanager:ModifyRotationRules": "false"},
        },
        _ROTATES,
    ),
    Statement(
        "RotateSecretRequiresThisOfItsCaller", "lambda:InvokeFunction", "${RotatorFunctionArn}"
    ),
    Statement(
        "GiveUpARotation",
        "secretsmanager:UpdateSecretVersionStage",
        "${SecretArn}",
        {"StringEquals": {"secretsmanager:VersionStage": "AWSPENDING"}},
        _ROTATES,
    ),
    Statement(
        "NoteWhatIsGivenUpOrCompromised",
        "secretsmanager:TagResource",
        "${SecretArn}",
        {
            "ForAllValues:StringEquals": {
                "aws:TagKeys": ["zego-token-service:given-up", "zego-token-service:compromised"]
            },
            "Null": {"aws:TagKeys": "false"},  # ForAllValues also matches a request without a key
        },
        _ROTATES,
    ),
    Statement(
        "CallTheApi",
        "execute-api:Invoke",
        ("${StatusRouteArn}", "${DiagnoseRouteArn}", "${TokenRouteArn}"),
    ),
    # TransactWriteItems needs the permissions of the writes in it. A change is never deleted.
    Statement(
        "DenyAndNoteIt",
        "dynamodb:PutItem Query",
        _LIMITS,
        _of_partitions(DENIALS_PK, CHANGES_PK),
    ),
    Statement("EndADenial", "dynamodb:DeleteItem", _LIMITS, _of_partitions(DENIALS_PK)),
    Statement(
        "RotateTheIncomingCallKey",
        "secretsmanager:GetSecretValue PutSecretValue",
        "${IncomingCallKeyArn}",
    ),
    Statement(
        "ReadUndeliveredCalls",
        "sqs:GetQueueAttributes PurgeQueue ReceiveMessage",
        _arn("sqs", "${IncomingCallDeadLetters}"),
    ),
    Statement("TryAnAlarm", "cloudwatch:SetAlarmState", _ALARMS),
)
_BACKEND: Final = (Statement("RequestTokens", "execute-api:Invoke", "${ServiceRoutesArn}"),)
_SUPPORT: Final = (Statement("DiagnoseTokens", "execute-api:Invoke", "${DiagnoseRouteArn}"),)

_ROLES: Final = "arn:*:iam::${Account}:role/${Made}"
#: The SAM CLI's own stack has its bucket.
_SAM: Final = "aws-sam-cli-managed-default"
_BUCKET: Final = f"arn:*:s3:::{_SAM}-*"
_GATEWAY: Final = "arn:*:apigateway:${Region}::"
_SERVER_SECRET: Final = _arn("secretsmanager", "secret:${Stack}/server-secret-*")
#: Where EventBridge keeps its copy of the key of the incoming calls.
_CONNECTIONS_SECRET: Final = _arn("secretsmanager", "secret:events!connection/${Made}")
_SERVICE_ROLES: Final = "arn:*:iam::${Account}:role/aws-service-role"
_BOUNDARY: Final = "PermissionsBoundary"
_GRANTING: Final = "CreateRole DeleteRolePolicy PutRolePolicy"

#: CloudFormation and API Gateway call the other services with the deployer's permissions. Most
#: names begin with the stack's. AWS makes those of keys, so only CloudFormation may change keys.
#: All stacks share the SAM CLI's bucket, so only CloudFormation may change it, too.
#: ``*TagResource`` is also UntagResource. The statements have several services each, because a
#: managed policy has at most 6144 characters.
_DEPLOYER: Final = (
    Statement(
        "DeployTheStack",
        "cloudformation:*ChangeSet ContinueUpdateRollback Describe* GetTemplate* List* *Stack"
        " *TagResource UpdateTerminationProtection",
        (
            _STACK,
            _arn("cloudformation", f"stack/{_SAM}/*"),
            "arn:*:cloudformation:${Region}:aws:transform/Serverless-2016-10-31",
        ),
    ),
    Statement("FindTheBucket", "s3:GetBucket* Get*Configuration ListBucket", _BUCKET),
    Statement("KeepArtifacts", "s3:DeleteObject GetObject* PutObject", f"{_BUCKET}/${{Stack}}/*"),
    Statement(
        "MakeRoles",
        "iam:DeleteRole GetRole* List* *TagRole Update*",
        _ROLES,
    ),
    Statement("GrantToRoles", f"iam:{_GRANTING}", _ROLES, unless=_BOUNDARY),
    Statement(
        "GrantWithinTheBoundary",
        f"iam:{_GRANTING} PutRolePermissionsBoundary",
        _ROLES,
        {"StringEquals": {"iam:PermissionsBoundary": "${PermissionsBoundary}"}},
    ),
    Statement(
        "GiveRolesToServices",
        "iam:PassRole",
        _ROLES,
        {
            "StringEquals": {
                "iam:PassedToService": [
                    "codedeploy.amazonaws.com",
                    "events.amazonaws.com",
                    "lambda.amazonaws.com",
                ]
            }
        },
    ),
    Statement(
        "LetServicesMakeTheirRoles",
        "iam:CreateServiceLinkedRole",
        (
            f"{_SERVICE_ROLES}/ops.apigateway.*",
            f"{_SERVICE_ROLES}/apidestinations.events.*",
        ),
    ),
    Statement(
        "MakeWhatHasTheStacksName",
        "lambda:*Alias CreateFunction Delete* Get* List* Publish* PutFunction*"
        " *Permission *TagResource UpdateFunction*"
        " codedeploy:Create* Delete* Get* List* Register* *TagResource Update*"
        " logs:*KmsKey List* *LogGroup *MetricFilter* *Policy *TagResource"
        " cloudwatch:Delete* DescribeAlarms GetDashboard List* Put* *TagResource"
        " sns:*Topic Get* List* Set* *Subscribe *TagResource"
        " events:Create* Delete* Describe* List* *Rule *TagResource *Targets Update*"
        " sqs:CreateQueue DeleteQueue Get* List* SetQueue* *TagQueue"
        " dynamodb:CreateTable Describe* GetResourcePolicy List* *TagResource"
        " UpdateCont* UpdateT*",
        (
            _arn("*", "*:${Made}"),  # functions, layers, log groups, alarms, all of CodeDeploy
            _arn("*", "*/${Made}"),  # rules, the connection and its API destination, the table
            _arn("s?s", "${Made}"),  # the topic and the queue
            _arn("logs", "log-group:/aws/vendedlogs/${Stack}/*"),
            "arn:*:cloudwatch::${Account}:dashboard/${Stack}-*",
        ),
    ),
    Statement(
        "MakeSecrets",
        "secretsmanager:*Secret *ResourcePolicy GetSecretValue *TagResource",
        (_arn("secretsmanager", "secret:${Stack}/*"), _CONNECTIONS_SECRET),
    ),
    Statement("CopyTheIncomingCallKey", "secretsmanager:PutSecretValue", _CONNECTIONS_SECRET),
    # Not of the issuer: who invokes it decides which identity it sees, and so gets any token.
    Statement(
        "InvokeTheRotator",  # RotateSecret requires it of its caller
        "lambda:InvokeFunction",
        _arn("lambda", "function:${Made}RotatorFunction-*"),
    ),
    Statement(
        "MakeTheApi",
        "apigateway:DELETE GET PATCH POST PUT *TagResource",
        (f"{_GATEWAY}/apis*", f"{_GATEWAY}/domainnames*", f"{_GATEWAY}/tags/*"),
    ),
    Statement(
        "UseWhatHasNoName",
        "cloudtrail:DescribeTrails GetEventSelectors GetTrailStatus kms:DescribeKey"
        " lambda:GetAccountSettings secretsmanager:DescribeSecret GetRandomPassword"
        " sns:GetTopicAttributes"
        " logs:*LogDelivery Describe*Policies DescribeLogGroups"
        " ListLogDeliveries PutResourcePolicy *QueryDefinition*"
        " cloudwatch:DescribeInsightRules codedeploy:GetDeploymentConfig StopDeployment"
        " kms:CreateKey ListAliases",
        "*",
    ),
    Statement(
        "ChangeKeyAndBucket",
        "kms:*Alias Disable* Enable* Get* List* PutKeyPolicy Schedule*"
        " *TagResource Update*"
        " s3:CreateBucket PutBucket* PutEncryptionConfiguration",
        (_arn("kms", "key/*"), _arn("kms", "alias/${Stack}/*"), _BUCKET),
        {"ForAnyValue:StringEquals": {"aws:CalledVia": "cloudformation.amazonaws.com"}},
    ),
    Statement(
        "EncryptTheSecret",
        "kms:Decrypt GenerateDataKey",
        _arn("kms", "key/*"),
        {
            "StringLike": {
                "kms:ViaService": "secretsmanager.${Region}.amazonaws.*",
                "kms:EncryptionContext:SecretARN": _SERVER_SECRET,
            }
        },
    ),
)

_POLICIES: Final = {
    "deployer": _DEPLOYER,
    "operator": _OPERATOR,
    "backend": _BACKEND,
    "support": _SUPPORT,
}
