"""Rules for every resource of every template, as the guard rails of an account check them.

checkov has others (test_checkov.py), and so do the tests of each resource.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.infrastructure.test_lifecycle import given, made
from tools.sam_template import ROOT

TEMPLATES: Final[Mapping[str, dict[str, Any]]] = {
    # It posts incoming calls, too.
    "made": made(PermissionsBoundaryArn="arn:aws:iam::111122223333:policy/boundary").template,
    "given": given(PermissionsBoundaryArn="arn:aws:iam::111122223333:policy/boundary").template,
} | {
    path.stem: yaml_parse(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "deploy").glob("*.yaml"))
}
#: The statements that may name every resource, with the reason.
EVERY_RESOURCE: Final = {
    "WatchTheAlarms": "AWS does not document that CodeDeploy asks for its own alarms only",
    "DoNotReadTheSecret": "it denies",
}

#: SAM keeps a function's versions, which their function takes with it.
VERSION: Final = "AWS::Lambda::Version"

Resource = dict[str, Any]
Rule = Callable[[Resource], Iterator[str]]


def properties_of(resource: Resource) -> Resource:
    found: Resource = resource.get("Properties", {})
    return found


def statements(resource: Resource) -> list[Resource]:
    """The statements of a role's own policies."""
    policies = properties_of(resource).get("Policies", [])
    return [one for policy in policies for one in policy["PolicyDocument"]["Statement"]]


def listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def log_groups_have_a_retention(resource: Resource) -> Iterator[str]:
    if (
        resource["Type"] == "AWS::Logs::LogGroup"
        and "RetentionInDays" not in resource["Properties"]
    ):
        yield "it keeps its lines forever"


def roles_have_the_boundary(resource: Resource) -> Iterator[str]:
    if resource["Type"] == "AWS::IAM::Role" and "PermissionsBoundary" not in resource["Properties"]:
        yield "it has no permissions boundary"


def roles_name_their_actions_and_resources(resource: Resource) -> Iterator[str]:
    if resource["Type"] != "AWS::IAM::Role":
        return
    for one in statements(resource):
        if "NotAction" in one or any("*" in action for action in listed(one["Action"])):
            yield f"{one['Sid']} allows actions that it does not name"
        if "NotResource" in one or ("*" in listed(one["Resource"])) > (
            one["Sid"] in EVERY_RESOURCE
        ):
            yield f"{one['Sid']} allows its actions on every resource"


def no_policy_of_a_resource_is_public(resource: Resource) -> Iterator[str]:
    document = properties_of(resource)
    for name in ("PolicyDocument", "ResourcePolicy", "KeyPolicy", "AssumeRolePolicyDocument"):
        for one in document.get(name, {}).get("Statement", []):
            if one.get("Principal") in ("*", {"AWS": "*"}) or "NotPrincipal" in one:
                yield f"{name} allows everyone"


def queues_and_topics_take_messages_of_one_sender(resource: Resource) -> Iterator[str]:
    if resource["Type"] not in {"AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy"}:
        return
    for one in properties_of(resource)["PolicyDocument"]["Statement"]:
        keys = {key for keys in one.get("Condition", {}).values() for key in keys}
        if "Service" in one["Principal"] and "aws:SourceArn" not in keys:
            yield f"any {one['Principal']['Service']} of any account may use it"
        if "*" in listed(one["Resource"]) or any("*" in action for action in listed(one["Action"])):
            yield "it allows more than to send"


def queues_are_encrypted_and_forget(resource: Resource) -> Iterator[str]:
    if resource["Type"] == "AWS::SQS::Queue":
        properties = properties_of(resource)
        if not properties.get("SqsManagedSseEnabled") and "KmsMasterKeyId" not in properties:
            yield "it is not encrypted"
        if "MessageRetentionPeriod" not in properties:
            yield "it does not say for how long it keeps messages"


def targets_of_rules_keep_what_fails_and_give_up(resource: Resource) -> Iterator[str]:
    if resource["Type"] == "AWS::Events::Rule":
        for target in properties_of(resource)["Targets"]:
            if "RoleArn" in target and not {"DeadLetterConfig", "RetryPolicy"} <= target.keys():
                yield "what it cannot deliver is lost, after a day"


def permissions_of_functions_name_their_source(resource: Resource) -> Iterator[str]:
    if resource["Type"] == "AWS::Lambda::Permission" and "SourceArn" not in resource["Properties"]:
        yield "any resource of that service may invoke the function"


def functions_have_their_own_log_and_role(resource: Resource) -> Iterator[str]:
    if resource["Type"] == "AWS::Lambda::Function":
        if "LogGroup" not in resource["Properties"].get("LoggingConfig", {}):
            yield "Lambda would make its log group, which has no retention"
        if "Fn::GetAtt" not in resource["Properties"]["Role"]:
            yield "SAM would make its role"


def alarms_say_what_missing_data_means(resource: Resource) -> Iterator[str]:
    if resource["Type"] == "AWS::CloudWatch::Alarm":
        for name in ("TreatMissingData", "AlarmDescription"):
            if name not in resource["Properties"]:
                yield f"it has no {name}"


def what_is_kept_in_an_update_is_kept_by_a_deletion(resource: Resource) -> Iterator[str]:
    kept = resource.get("DeletionPolicy", "Delete") != "Delete"
    if resource["Type"] != VERSION and kept != (resource.get("UpdateReplacePolicy") == "Retain"):
        yield "DeletionPolicy and UpdateReplacePolicy differ"


def role(**statement: object) -> Resource:
    """A role whose policy has one statement."""
    one = {"Sid": "Any", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::any/*", **statement}
    policies = [{"PolicyDocument": {"Statement": [one]}}]
    return {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}


def sends(**statement: object) -> Resource:
    """A queue's policy with one statement."""
    one = {
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:eu-west-1:111122223333:any",
        **statement,
    }
    return {"Type": "AWS::SQS::QueuePolicy", "Properties": {"PolicyDocument": {"Statement": [one]}}}


#: Each rule with the resources that break it.
RULES: Final[Mapping[Rule, list[Resource]]] = {
    log_groups_have_a_retention: [{"Type": "AWS::Logs::LogGroup", "Properties": {}}],
    roles_have_the_boundary: [role()],
    roles_name_their_actions_and_resources: [
        role(Action="s3:*"),
        role(Action=["s3:GetObject", "*"]),
        role(NotAction="s3:GetObject"),
        role(Resource="*"),
        role(Resource=["arn:aws:s3:::any/*", "*"]),
        role(NotResource="arn:aws:s3:::any/*"),
    ],
    no_policy_of_a_resource_is_public: [
        {"Type": "AWS::SNS::TopicPolicy", "Properties": {"PolicyDocument": document}}
        for document in (
            {"Statement": [{"Principal": "*"}]},
            {"Statement": [{"Principal": {"AWS": "*"}}]},
            {"Statement": [{"NotPrincipal": {"AWS": "111122223333"}}]},
        )
    ],
    queues_and_topics_take_messages_of_one_sender: [
        sends(Principal={"Service": "events.amazonaws.com"}, Action="sqs:SendMessage"),
        sends(Condition={"ArnEquals": {"aws:SourceArn": "any"}}, Resource="*"),
        sends(Condition={"ArnEquals": {"aws:SourceArn": "any"}}, Action="sqs:*"),
    ],
    queues_are_encrypted_and_forget: [
        {"Type": "AWS::SQS::Queue", "Properties": {"MessageRetentionPeriod": 60}},
        {"Type": "AWS::SQS::Queue", "Properties": {"SqsManagedSseEnabled": True}},
    ],
    targets_of_rules_keep_what_fails_and_give_up: [
        {"Type": "AWS::Events::Rule", "Properties": {"Targets": [{"RoleArn": "any"}]}}
    ],
    permissions_of_functions_name_their_source: [
        {"Type": "AWS::Lambda::Permission", "Properties": {"SourceAccount": "111122223333"}}
    ],
    functions_have_their_own_log_and_role: [
        {"Type": "AWS::Lambda::Function", "Properties": {"Role": "any", "LoggingConfig": {}}}
    ],
    alarms_say_what_missing_data_means: [{"Type": "AWS::CloudWatch::Alarm", "Properties": {}}],
    what_is_kept_in_an_update_is_kept_by_a_deletion: [
        {"Type": "AWS::KMS::Key", "DeletionPolicy": "RetainExceptOnCreate"},
        {"Type": "AWS::KMS::Key", "UpdateReplacePolicy": "Retain"},
    ],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_reports_what_breaks_it(rule: Rule) -> None:
    assert [broken for broken in RULES[rule] if not list(rule(broken))] == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_resource_of_every_template_keeps_the_rule(rule: Rule) -> None:
    broken = [
        f"{name}: {logical_id}: {wrong}"
        for name, template in TEMPLATES.items()
        for logical_id, resource in template["Resources"].items()
        for wrong in rule(resource)
    ]
    assert broken == []
