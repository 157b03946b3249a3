"""A stack is created, updated and deleted in moto's CloudFormation, and repeated after a failure.

moto creates only the types of resources that it has a model for, and it does not roll back. So a
small model decides here what a rollback leaves, by these rules of CloudFormation:

* `Delete`, the default: what the failed creation made is deleted.
* `Retain`: it is kept.
* `RetainExceptOnCreate`: it is kept, "except for the stack operation that initially creates the
  resource": if that is rolled back, it is deleted.

What has deletion protection cannot be deleted: then the rollback fails.

Source: "DeletionPolicy attribute" in the template reference. It does not say how long the name of a
deleted secret stays taken. "Using deletion protection" in the DynamoDB developer guide.
"""

from __future__ import annotations

import copy
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws
from moto.cloudformation.parsing import get_model_map

from tests.infrastructure.stacks import (
    Stack,
    stack_that_posts_incoming_calls,
    stack_that_rotates_a_given_secret,
)
from tests.infrastructure.test_deletion import is_protected, names
from tools.build import PARTS
from tools.sam_template import REGION

#: The types that moto's CloudFormation has no model for. The other tests of this folder check their
#: properties. Where moto learns one, the test of this list fails.
NOT_IN_MOTO: Final = frozenset(
    {
        "AWS::ApiGatewayV2::Api",
        "AWS::ApiGatewayV2::Stage",
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::InsightRule",
        "AWS::CodeDeploy::Application",
        "AWS::CodeDeploy::DeploymentGroup",
        "AWS::Events::ApiDestination",
        "AWS::Events::Connection",
        "AWS::Lambda::Alias",
        "AWS::Lambda::EventInvokeConfig",
        "AWS::Logs::MetricFilter",
        "AWS::Logs::QueryDefinition",
        "AWS::SNS::TopicPolicy",
        "AWS::SQS::QueuePolicy",
        "AWS::SecretsManager::ResourcePolicy",
        "AWS::SecretsManager::RotationSchedule",
        "AWS::SecretsManager::Secret",
    }
)
#: What moto does not resolve: the order of what is missing, and the ARN of a layer.
UNKNOWN: Final = frozenset({"DependsOn", "Layers"})
NAME: Final = "zego-token-service"
ACCOUNT: Final = "123456789012"
OLD: Final = "0123456789ab-0.2.0"
NEW: Final = "ba9876543210-0.2.0"
EMAIL: Final = "operators@example.com"


def made(**parameters: str) -> Stack:
    """A stack that makes a secret and shares it, and posts incoming calls."""
    shared = {"SecretReaderAccounts": "444455556666", "AlarmEmail": EMAIL}
    return stack_that_posts_incoming_calls(**shared, **parameters)


def given(**parameters: str) -> Stack:
    """A stack that rotates a given secret."""
    return stack_that_rotates_a_given_secret(AlarmEmail=EMAIL, **parameters)


Shape = Callable[..., Stack]
SHAPES: Final = pytest.mark.parametrize("shape", [made, given], ids=["made", "given"])


@pytest.fixture
def account() -> Iterator[None]:
    """An account in moto with the artifacts of the transformed template."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as artifact:
        artifact.writestr("empty.py", "")
    with mock_aws():
        s3 = client("s3")
        where = {"LocationConstraint": REGION}
        s3.create_bucket(Bucket="artifacts", CreateBucketConfiguration=where)
        for part in PARTS:
            s3.put_object(Bucket="artifacts", Key=f"build/{part}", Body=content.getvalue())
        yield


def for_moto(template: dict[str, Any]) -> str:
    """A template without the types that moto lacks. What refers to them gets a stand-in."""
    stand_ins = {
        name: stand_in(name, resource)
        for name, resource in template["Resources"].items()
        if resource["Type"] in NOT_IN_MOTO
    }

    def known(node: Any) -> Any:
        match node:
            case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), _]} if name in stand_ins:
                return stand_ins[name]
            case {"Fn::Sub": str(text)}:
                reference = re.compile(r"\$\{(\w+)(\.\w+)*\}")
                return {
                    "Fn::Sub": reference.sub(
                        lambda found: str(stand_ins.get(found[1], found[0])), text
                    )
                }
            case dict():
                return {key: known(value) for key, value in node.items() if key not in UNKNOWN}
            case list():
                return [known(one) for one in node]
        return node

    resources = template["Resources"].items()
    text = json.dumps(
        {"Resources": known({name: r for name, r in resources if r["Type"] not in NOT_IN_MOTO})}
    )
    return text.replace('"RetainExceptOnCreate"', '"Retain"')  # the same, except in a rollback


def stand_in(name: str, resource: dict[str, Any]) -> Any:
    """What a reference to a resource becomes."""
    match resource:
        case {"Type": "AWS::SecretsManager::Secret"}:
            return f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{NAME}/server-secret-AbCdEf"
        case {"Type": "AWS::Lambda::Alias", "Properties": {"FunctionName": function}}:
            return function
        case {"Type": "AWS::Events::ApiDestination"}:
            return f"arn:aws:events:{REGION}:{ACCOUNT}:api-destination/{NAME}-calls/0a1b2c3d"
    return name


def client(service: str) -> Any:
    make: Callable[..., Any] = boto3.client
    return make(service, region_name=REGION)


def resources() -> dict[str, tuple[str, str]]:
    """The stack's resources in moto: type and physical id, by logical id."""
    listed = client("cloudformation").list_stack_resources(StackName=NAME)
    return {
        one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"])
        for one in listed["StackResourceSummaries"]
    }


def retentions() -> dict[str, int]:
    """The days for which each log group keeps its lines."""
    groups = client("logs").describe_log_groups()["logGroups"]
    return {group["logGroupName"]: int(group["retentionInDays"]) for group in groups}


def environment(function: str) -> dict[str, str]:
    """The variables of a function of the stack."""
    found = client("lambda").get_function_configuration(FunctionName=resources()[function][1])
    variables = found["Environment"]["Variables"]
    assert isinstance(variables, dict)
    return variables


def test_the_types_that_moto_lacks_are_those_on_the_list() -> None:
    templates = (made().template, given().template)
    types = {one["Type"] for template in templates for one in template["Resources"].values()}
    assert types - get_model_map().keys() == NOT_IN_MOTO


@SHAPES
def test_a_stack_is_created_updated_and_deleted(shape: Shape, account: None) -> None:
    cloudformation = client("cloudformation")
    template = for_moto(shape(LogRetentionDays="30", BuildVersion=OLD).template)
    cloudformation.create_stack(StackName=NAME, TemplateBody=template)
    created = resources()
    assert created.keys() == json.loads(template)["Resources"].keys()
    groups = {physical for type_, physical in created.values() if type_ == "AWS::Logs::LogGroup"}
    assert retentions() == dict.fromkeys(groups, 30)
    for function in ("IssuerFunction", "RotatorFunction", "WatcherFunction"):
        assert environment(function)["SERVER_SECRET_ARN"].startswith("arn:aws:secretsmanager:")
    assert environment("IssuerFunction")["BUILD_VERSION"] == OLD

    template = for_moto(shape(LogRetentionDays="30", BuildVersion=NEW).template)
    cloudformation.update_stack(StackName=NAME, TemplateBody=template)
    assert retentions().keys() == groups
    assert environment("IssuerFunction")["BUILD_VERSION"] == NEW

    cloudformation.delete_stack(StackName=NAME)
    assert client("iam").list_roles()["Roles"] == []
    assert client("lambda").list_functions()["Functions"] == []
    assert client("events").list_rules()["Rules"] == []
    assert client("sns").list_topics()["Topics"] == []
    aliases = [alias["AliasName"] for alias in client("kms").list_aliases()["Aliases"]]
    assert [alias for alias in aliases if not alias.startswith("alias/aws/")] == []
    logs = {created[name][1] for name in ("IssuerLog", "RotatorLog", "WatcherLog")}
    assert retentions().keys() == logs
    tables = client("dynamodb").list_tables()["TableNames"]
    assert tables == [created["LimitsTable"][1]]
    keys = {key["KeyId"] for key in client("kms").list_keys()["Keys"]}
    assert keys >= {created[name][1] for name in created if name == "ServerSecretKey"}


@dataclass
class Names:
    """The names that are taken in an account, each with the type that has it."""

    taken: set[tuple[str, str]] = field(default_factory=set)

    def create(self, template: dict[str, Any], *, until: str | None = None) -> None:
        """Create a stack, or fail at one of its resources after all others, and roll back."""
        for logical_id, resource in template["Resources"].items():
            if logical_id != until:
                new = named(resource)
                assert not new & self.taken, f"{logical_id} already exists"
                self.taken |= new
        if until is not None:
            for logical_id, resource in template["Resources"].items():
                if logical_id != until and resource.get("DeletionPolicy") != "Retain":
                    assert not is_protected(resource), f"{logical_id} cannot be deleted"
                    self.taken -= named(resource)


def named(resource: dict[str, Any]) -> set[tuple[str, str]]:
    return {(resource["Type"], str(name)) for name in names(resource).values()}


@SHAPES
def test_after_a_failed_creation_nothing_is_in_the_way_of_the_next(shape: Shape) -> None:
    template = shape().template
    for fails in template["Resources"]:
        account = Names()
        account.create(template, until=fails)
        account.create(template)


def test_a_protected_table_that_a_failed_creation_deletes_would_stop_the_rollback() -> None:
    template = copy.deepcopy(made().template)
    template["Resources"]["LimitsTable"]["DeletionPolicy"] = "RetainExceptOnCreate"
    with pytest.raises(AssertionError, match="LimitsTable cannot be deleted"):
        Names().create(template, until="IssuerFunction")


def test_a_secret_that_a_failed_creation_kept_would_be_in_the_way() -> None:
    template = copy.deepcopy(made().template)
    template["Resources"]["ServerSecret"]["DeletionPolicy"] = "Retain"
    account = Names()
    account.create(template, until="IssuerFunction")
    with pytest.raises(AssertionError, match="ServerSecret already exists"):
        account.create(template)
