"""Each role may do what its code calls, and nothing else.

The code is driven through every kind of call that it makes. ``tests/conftest.py`` checks in
addition that no other test makes a call that its role may not make.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws

from local.stack import LocalStack
from tests.permissions import deployer_calls, roles
from tests.permissions.reference import actions, can_have
from tests.permissions.roles import Grant
from tests.recorded.issuer import serving
from tests.recorded.real_code import APP_ID, LOOK, ROLE_SESSION, Parts, run
from tests.support.application import event
from tests.support.aws_calls import (
    ACCOUNT,
    ARNS,
    INCOMING_CALL_KEY,
    RUNTIME,
    STACK,
    call,
    watching,
)
from tests.support.iam import Call, allows
from tests.unit.ops.preflight.conftest import REGION, Site, site  # noqa: F401  a fixture
from zego import token04
from zego.rotation import STUCK_SECONDS
from zego.secret_store import CANDIDATE, PENDING

CALLING: Final = (*roles.FUNCTIONS, "operator")
WRONG: Final = "0123456789abcdef" * 2
HERE: Final[Any] = {"LocationConstraint": REGION}
Calls = dict[str, set[Call]]

#: What documents say an operator may call: docs/deploy.md, "Receive alarms"; docs/calls.md,
#: "Rotate the key"; docs/operations.md, "Incoming calls are not delivered".
BY_HAND: Final = {
    call(
        "cloudwatch:SetAlarmState",
        f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{STACK}-version-1-fails",
    ),
    call("secretsmanager:GetSecretValue", INCOMING_CALL_KEY),
    call("secretsmanager:PutSecretValue", INCOMING_CALL_KEY),
    call("sqs:PurgeQueue"),
    call("sqs:ReceiveMessage"),
}
#: Lambda's own calls.
LOGGED: Final = {
    role: {call(action, f"{log}:log-stream:2026/01/01/0a1b2c3d") for action in RUNTIME}
    for role, log in roles.LOGS.items()
}


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Calls:
    """Every call that each role's code makes."""
    found: Calls = defaultdict(set)
    with (
        Parts(tmp_path_factory.mktemp("permissions")) as parts,
        watching(lambda role, one: found[role].add(one)),
    ):
        _serve(parts)
        _heal_and_give_up(parts)
        _run_commands(parts)
    for role, more in LOGGED.items():
        found[role] |= more
    found["operator"] |= BY_HAND
    return found


@pytest.fixture
def calls_of_a_deployment(site: Site) -> set[Call]:  # noqa: F811  the fixture
    """Every call of preflight, the SAM CLI and CloudFormation."""
    site.create_stack()
    key = site.client("kms").create_key()["KeyMetadata"]["Arn"]
    topic = site.client("sns").create_topic(Name="alarms")["TopicArn"]
    site.client("s3").create_bucket(Bucket="trails", CreateBucketConfiguration=HERE)
    trails = site.client("cloudtrail")
    trails.create_trail(Name="all", S3BucketName="trails")
    trails.start_logging(Name="all")
    site.parameters |= {
        "ServerSecretArn": site.create_secret("zego", KmsKeyId=key),
        "ServerSecretKmsKeyArn": key,
        "RotateGivenSecret": "Yes",
        "AlarmTopicArn": topic,
    }
    found = {*deployer_calls.calls()}
    with watching(lambda _role, one: found.add(one)):
        for check in ("concurrency", "key", "topic", "trail"):
            site.results(check)
    return found


def _serve(parts: Parts) -> None:
    """The issuer reads its status, diagnoses a token that AWSCURRENT does not open, counts, and
    publishes the event of a call.
    """
    token = token04.mint(APP_ID, "alice", WRONG, issued_at=parts.now, lifetime_seconds=60)
    for route, body in (("GET /v1/status", None), ("POST /v1/diagnose", {"token": token})):
        parts.functions["issuer"](event(route, body, role=ROLE_SESSION))
    with serving(parts, "api_with_limits") as issuer:
        asked = {"user_id": "bob", "room_id": "call_1"}
        issuer(event("POST /v1/service/tokens", asked, role=ROLE_SESSION))
    called = {"user_id": "alice", "callees": ["bob"]}
    parts.functions["issuer"](event("POST /v1/service/calls", called, role=ROLE_SESSION))


def _heal_and_give_up(parts: Parts) -> None:
    """A rotation is refused; the watcher heals the secret; then a rotation does not end."""
    parts.rotate()
    watcher = parts.functions["watcher"]
    parts.store(parts.zego.project.reset(keep_old=False).value, CANDIDATE)
    watcher(LOOK)
    parts.steps()
    token = parts.store(WRONG, PENDING)
    parts.tag(**{"in-flight": f"{token} {parts.now - STUCK_SECONDS - 60}"})
    watcher(LOOK)


def _run_commands(parts: Parts) -> None:
    local = ("--local", str(parts.stack_file), "--json")
    new = parts.zego.project.reset(keep_old=True).value

    def secret(*words: str, stdin: str = "") -> None:
        run("secret", *words, *local, stdin=stdin.encode())

    secret("stage", "--file", "-", stdin=new)
    secret("rotate", "--compromised", "--staged")
    secret("status")
    parts.store(WRONG, PENDING)
    secret("unstick", "--yes")
    for line in (
        "deny user alice --until 1h --reason x --kick call_1",
        "allow user alice --reason x",
        "denials",
        "denials --history",
    ):
        run(*line.split(), *local)
    with _a_deployed_stack(parts):
        run("doctor", "--stage", "prod", "--json")
        run("doctor", "--stage", "prod", "--json", "--without-secret")


@contextmanager
def _a_deployed_stack(parts: Parts) -> Iterator[None]:
    """A stack whose outputs lead to the parts, and a secret with its own key."""
    local = json.loads(parts.stack_file.read_text(encoding="utf-8"))
    manager = parts.secrets_manager
    manager.storage.secret(manager.secret_id, manager.region).kms_key_id = ARNS["kms"]
    secret = manager.call("DescribeSecret", SecretId=manager.secret_id)["ARN"]
    queue = f"https://sqs.{local['region']}.amazonaws.com/123456789012/dead-letters"
    outputs = {
        "SecretArn": secret,
        "ApiUrl": local["api"],
        "IncomingCallDeadLettersUrl": queue,
    }
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    access_key = {
        "AWS_ACCESS_KEY_ID": local["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": local["secret_access_key"],
    }
    aws = mock_aws()
    aws.start(reset=False)
    with patch.dict(os.environ, access_key):
        client = boto3.client("cloudformation", region_name=local["region"])
        client.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
        yield
        client.delete_stack(StackName=STACK)
    aws.stop()


def denied(role: str, calls: set[Call]) -> list[Call]:
    """The calls that the role may not make."""
    return [one for one in sorted(calls) if not allows(roles.statements(role), one)]


def unused(role: str, calls: set[Call]) -> list[Grant]:
    """Each action, resource and value of a condition without which all calls are allowed."""
    return [
        grant
        for grant in roles.grants(role)
        if all(allows(roles.without(role, grant), one) for one in calls)
    ]


@pytest.mark.parametrize("role", CALLING)
def test_a_role_may_make_every_call_of_its_code(calls: Calls, role: str) -> None:
    assert denied(role, calls[role]) == []


@pytest.mark.parametrize("role", CALLING)
def test_a_role_may_do_nothing_that_its_code_does_not_do(calls: Calls, role: str) -> None:
    assert unused(role, calls[role]) == []


def test_a_deployer_may_do_what_a_deployment_takes_and_nothing_else(
    calls_of_a_deployment: set[Call],
) -> None:
    assert denied("deployer", calls_of_a_deployment) == []
    assert unused("deployer", calls_of_a_deployment) == []


def test_each_role_that_calls_something_is_checked(calls: Calls) -> None:
    assert calls.keys() == {*CALLING}


def test_each_call_is_about_a_resource_that_its_action_can_have(calls: Calls) -> None:
    assert [
        one
        for of_role in calls.values()
        for one in of_role
        for action in actions(one.action)
        if not can_have(one.action.partition(":")[0], action, one.resource)
    ] == []


def test_what_cloudformation_calls_for_each_resource_is_known() -> None:
    """For a new type, add the permissions of its handlers to cloudformation.json."""
    of_sams_bucket = {"AWS::S3::Bucket", "AWS::S3::BucketPolicy"}
    assert deployer_calls.PERMISSIONS.keys() == deployer_calls.types() | of_sams_bucket


def test_functions_in_other_processes_are_checked_too(tmp_path: Path) -> None:
    found: set[tuple[str, str]] = set()
    with (
        watching(lambda role, one: found.add((role, one.action))),
        LocalStack(directory=tmp_path, workers=1, watch_seconds=None) as stack,
    ):
        stack.tick()
    assert {("watcher", "secretsmanager:GetSecretValue"), ("watcher", "events:PutEvents")} <= found
