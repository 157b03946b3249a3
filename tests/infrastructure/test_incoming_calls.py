"""What posts the event of a call to IncomingCallUrl, and a stack without it.

Sources: "API destinations", "Connections" and "Dead-letter queues" in the EventBridge guide; "Get a
secret or secret value from Secrets Manager" in the CloudFormation guide.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from moto.events.models import EventPattern

from tests.infrastructure.stacks import INCOMING_CALL_URL, stack, stack_that_posts_incoming_calls
from tests.support.aws_calls import ACCOUNT
from tools.sam_template import load

ON: Final = stack_that_posts_incoming_calls()
OFF: Final = stack()
VERSION: Final = "00000000-0000-4000-8000-000000000000"
RULE: Final = ON.properties("IncomingCallRule")
CONNECTION: Final = ON.properties("IncomingCallConnection")
#: The event of a call, as EventBridge hands it to rules.
EVENT: Final[dict[str, Any]] = {
    "version": "0",
    "source": "zego-token-service",
    "detail-type": "Incoming Call",
    "account": ACCOUNT,
    "detail": {"stage": "dev", "call_id": "0123456789abcdef0123456789abcdef"},
}


def is_posted(**changes: object) -> bool:
    """Whether the rule matches the event with these changes."""
    pattern = json.dumps(RULE["EventPattern"])
    event: Any = EVENT | changes
    return bool(EventPattern.load(pattern).matches_event(event))


def test_the_rule_matches_the_calls_of_the_stack_and_nothing_else() -> None:
    assert is_posted()
    assert not is_posted(source="payments")
    assert not is_posted(account="444455556666")
    assert not is_posted(**{"detail-type": "ServerSecret Verdict Changed"})
    assert not is_posted(detail=EVENT["detail"] | {"stage": "prod"})
    assert not is_posted(detail={"call_id": "0123456789abcdef0123456789abcdef"})


def test_the_whole_event_is_posted_to_the_url() -> None:
    (target,) = RULE["Targets"]
    assert target.keys().isdisjoint({"Input", "InputPath", "InputTransformer", "HttpParameters"})
    assert target["Arn"] == {"Fn::GetAtt": ["IncomingCallDestination", "Arn"]}
    destination = ON.properties("IncomingCallDestination")
    assert destination["InvocationEndpoint"] == INCOMING_CALL_URL
    assert destination["HttpMethod"] == "POST"
    assert destination["ConnectionArn"] == {"Fn::GetAtt": ["IncomingCallConnection", "Arn"]}


def test_your_server_gets_as_many_requests_as_one_route_takes() -> None:
    slow = stack_that_posts_incoming_calls(ThrottlingRate="7")
    assert slow.properties("IncomingCallDestination")["InvocationRateLimitPerSecond"] == "7"


def test_a_call_is_delivered_within_two_minutes_or_kept_for_people() -> None:
    (target,) = RULE["Targets"]
    assert target["RetryPolicy"]["MaximumEventAgeInSeconds"] == 120
    assert target["RetryPolicy"]["MaximumRetryAttempts"] == 185  # as many as EventBridge allows
    assert target["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["IncomingCallDeadLetters", "Arn"]}}


def test_only_the_rule_may_send_to_the_dead_letter_queue() -> None:
    policy = ON.properties("IncomingCallDeadLettersPolicy")
    assert policy["Queues"] == [{"Ref": "IncomingCallDeadLetters"}]
    assert policy["PolicyDocument"]["Statement"] == [
        {
            "Sid": "TheRuleSends",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": {"Fn::GetAtt": ["IncomingCallDeadLetters", "Arn"]},
            "Condition": {
                "ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["IncomingCallRule", "Arn"]}}
            },
        }
    ]


def test_the_key_is_made_in_secrets_manager_and_is_in_no_template() -> None:
    """48 letters and digits are 285 bits, and valid in a header."""
    key = ON.properties("IncomingCallKey")
    assert key["GenerateSecretString"] == {"PasswordLength": 48, "ExcludePunctuation": True}
    assert "SecretString" not in key
    parameters = CONNECTION["AuthParameters"]["ApiKeyAuthParameters"]
    assert parameters["ApiKeyName"] == "x-incoming-call-key"
    assert CONNECTION["AuthorizationType"] == "API_KEY"


@pytest.mark.parametrize("version", ["", VERSION])
def test_the_connection_has_the_version_of_the_key_that_a_rotation_names(version: str) -> None:
    """A reference is ``secret-id:SecretString:json-key:version-stage:version-id``. Without the last
    two it means AWSCURRENT.
    """
    of = stack_that_posts_incoming_calls(IncomingCallKeyVersion=version)
    key = of.properties("IncomingCallConnection")["AuthParameters"]["ApiKeyAuthParameters"]
    reference = "{{resolve:secretsmanager:${IncomingCallKey}:SecretString:::" + version + "}}"
    assert key["ApiKeyValue"] == {"Fn::Sub": reference}


def test_a_rotation_of_the_key_changes_the_connection_and_nothing_else() -> None:
    rotated = stack_that_posts_incoming_calls(IncomingCallKeyVersion=VERSION).template
    changed = {
        name
        for name, resource in ON.template["Resources"].items()
        if rotated["Resources"][name] != resource
    }
    assert changed == {"IncomingCallConnection"}


@pytest.mark.parametrize("logical_id", ["IncomingCallConnection", "IncomingCallDestination"])
def test_the_names_fit_if_the_stacks_name_is_long(logical_id: str) -> None:
    """A connection and an API destination have names of at most 64 characters."""
    name = load()["Resources"][logical_id]["Properties"]["Name"]["Fn::Sub"]
    assert len(name.replace("${AWS::StackName}", "n" * 58)) <= 64


def test_a_stack_without_the_url_has_none_of_it() -> None:
    added = ON.template["Resources"].keys() - OFF.template["Resources"].keys()
    assert added == {
        "IncomingCallKey",
        "IncomingCallConnection",
        "IncomingCallDestination",
        "IncomingCallRule",
        "IncomingCallRole",
        "IncomingCallDeadLetters",
        "IncomingCallDeadLettersPolicy",
        "IncomingCallsUndeliveredAlarm",
        "IncomingCallDeadLettersAlarm",
    }
    outputs = ON.template["Outputs"].keys() - OFF.template["Outputs"].keys()
    assert outputs == {"IncomingCallKeyArn", "IncomingCallDeadLettersUrl"}
    shown = OFF.one("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
    assert "IncomingCallUrl" not in shown
    assert "IncomingCallRule" not in shown


def test_the_url_changes_nothing_else_but_the_dashboard() -> None:
    changed = {
        name
        for name, resource in OFF.template["Resources"].items()
        if ON.template["Resources"][name] != resource
    }
    assert changed == {"Dashboard"}
