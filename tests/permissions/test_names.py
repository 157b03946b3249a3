"""The deployer's policy and the names that CloudFormation makes, which it cuts if they are long.

AWS does not document how. Source: KensioSoftware/yulin#1113, which inferred it from names in an
account, and the names in aws-solutions-library-samples/qnabot-on-aws#741.
"""

from __future__ import annotations

import tomllib
from typing import Final

import pytest

from ops.iam import document, names_of
from tests.infrastructure.stacks import stack, stack_that_posts_incoming_calls
from tests.permissions.deployer_calls import BUCKET
from tests.support.aws_calls import ACCOUNT, REGION
from tests.support.iam import Call, allows
from tools.sam_template import ROOT
from zego import DEPLOYED_STAGES

#: The types whose names CloudFormation makes: how long they may be, an action and the ARN.
#: Sources: the lengths, in each type's page of the CloudFormation reference.
MADE: Final = {
    "AWS::Events::Rule": (64, "events:PutRule", "events:{place}:rule/{name}"),
    "AWS::IAM::Role": (64, "iam:PutRolePolicy", f"iam::{ACCOUNT}:role/{{name}}"),
    "AWS::Lambda::Function": (64, "lambda:CreateFunction", "lambda:{place}:function:{name}"),
    "AWS::DynamoDB::Table": (255, "dynamodb:CreateTable", "dynamodb:{place}:table/{name}"),
    "AWS::CodeDeploy::Application": (
        100,
        "codedeploy:CreateApplication",
        "codedeploy:{place}:application:{name}",
    ),
    "AWS::CodeDeploy::DeploymentGroup": (
        100,
        "codedeploy:CreateDeploymentGroup",
        "codedeploy:{place}:deploymentgroup:{name}/{name}",
    ),
    "AWS::Logs::LogGroup": (512, "logs:CreateLogGroup", "logs:{place}:log-group:{name}"),
    "AWS::CloudWatch::Alarm": (255, "cloudwatch:PutMetricAlarm", "cloudwatch:{place}:alarm:{name}"),
    "AWS::SNS::Topic": (256, "sns:CreateTopic", "sns:{place}:{name}"),
    "AWS::SQS::Queue": (80, "sqs:CreateQueue", "sqs:{place}:{name}"),
}
LONG: Final = "an-unusually-long-name-of-a-token-stack1"
STACKS: Final = (*(f"zego-token-service-{stage}" for stage in DEPLOYED_STAGES), LONG)


def made_name(of_stack: str, logical_id: str, limit: int) -> str:
    """A name as CloudFormation makes it: 12 random characters come last. The stack's name and the
    logical id have half of the rest each, or what the other one does not take.
    """
    room = limit - len("--0A1B2C3D4E5F")
    kept = of_stack[: max(-(-room // 2), room - len(logical_id))]
    return f"{kept}-{logical_id[: room - len(kept)]}-0A1B2C3D4E5F"


@pytest.mark.parametrize(
    ("of_stack", "logical_id", "limit", "name"),
    [
        ("Stack", "Role", 64, "Stack-Role"),
        (
            "agency-proj-t-dev-qnabotstack",
            "OpenSearchDashboardsRole",
            64,
            "agency-proj-t-dev-qnabotst-OpenSearchDashboardsRole",
        ),
        (
            "ChineseboostAnalyticsStack",
            "RainlyticsSummariesJobFunctionRole",
            64,
            "ChineseboostAnalyticsStac-RainlyticsSummariesJobFun",
        ),
        (
            "ChineseboostAnalyticsStack",
            "RainlyticsSummariesJobLogs1C6CB09C",
            512,
            "ChineseboostAnalyticsStack-RainlyticsSummariesJobLogs1C6CB09C",
        ),
    ],
)
def test_names_are_cut_as_in_an_account(
    of_stack: str, logical_id: str, limit: int, name: str
) -> None:
    assert made_name(of_stack, logical_id, limit).rpartition("-")[0] == name


def test_a_long_name_is_cut() -> None:
    made = made_name("zego-token-service-staging", "WatcherFunctionRotationEnded", 64)
    assert made == "zego-token-service-stagin-WatcherFunctionRotationEn-0A1B2C3D4E5F"


@pytest.mark.parametrize("of_stack", STACKS)
@pytest.mark.parametrize("resource_type", MADE)
def test_a_deployer_may_make_each_resource_under_its_name(
    resource_type: str, of_stack: str
) -> None:
    limit, action, arn = MADE[resource_type]
    statements = document("deployer", names_of(REGION, ACCOUNT, of_stack))["Statement"]
    of_all_types = stack_that_posts_incoming_calls(AlarmEmail="operators@example.com")
    made = [*of_all_types.all(resource_type)]
    assert made
    refused = []
    for logical_id in made:
        name = made_name(of_stack, logical_id, limit)
        resource = f"arn:aws:{arn.format(place=f'{REGION}:{ACCOUNT}', name=name)}"
        if not allows(statements, Call(action, resource)):
            refused.append(resource)
    assert refused == []


@pytest.mark.parametrize("of_stack", STACKS)
def test_a_deployer_may_invoke_the_rotator_and_no_other_function(of_stack: str) -> None:
    statements = document("deployer", names_of(REGION, ACCOUNT, of_stack))["Statement"]
    invoked = set()
    for logical_id in stack().all("AWS::Lambda::Function"):
        name = made_name(of_stack, logical_id, 64)
        resource = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
        if allows(statements, Call("lambda:InvokeFunction", resource)):
            invoked.add(logical_id)
    assert invoked == {"RotatorFunction"}


@pytest.mark.parametrize("stage", DEPLOYED_STAGES)
def test_the_sam_cli_uploads_to_the_folder_that_the_policy_allows(stage: str) -> None:
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))[stage]
    folder = settings["deploy"]["parameters"]["s3_prefix"]
    of_stack = settings["global"]["parameters"]["stack_name"]
    statements = document("deployer", names_of(REGION, ACCOUNT, of_stack))["Statement"]
    uploaded = f"{BUCKET}/{folder}/0a1b2c3d.template"
    assert allows(statements, Call("s3:PutObject", uploaded))
