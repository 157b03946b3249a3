"""A stack in moto's AWS with a table of denials, a stand-in for ZEGO, and the command line."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws

from local.fake_zego import ZegoCloud
from ops import cli
from ops.denials.removal import remove_from_rooms
from zego.denials import CHANGES_PK, DENIALS_PK, Denial

REGION: Final = "eu-west-1"
STACK: Final = "zego-token-service-prod"
TABLE: Final = f"{STACK}-LimitsTable-0A1B2C3D"
APP_ID: Final = 1234567890
SECRET: Final = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    :ivar out: its output; with ``--json`` see :attr:`events`.
    """

    exit_code: int
    out: str
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def event(self, name: str) -> dict[str, Any]:
        """The only event with this name."""
        (found,) = (event for event in self.events if event["event"] == name)
        return found


@dataclass
class Site:
    """What the commands reach.

    :ivar slept: how long the commands have waited, in seconds.
    """

    zego: ZegoCloud
    capture: pytest.CaptureFixture[str]
    slept: list[float] = field(default_factory=list)

    def run(self, line: str, *, json: bool = True) -> Done:
        """Run a command on the stack."""
        words = [*shlex.split(line), "--stage", "prod", *(["--json"] if json else [])]
        if "--kick" in words:
            words += ["--zego-api", self.zego.url]
        exit_code = cli.main(words)
        shown = self.capture.readouterr()
        return Done(exit_code, shown.out, shown.err)

    @property
    def table(self) -> Any:
        return boto3.client("dynamodb")

    def items(self, pk: str) -> list[Mapping[str, Any]]:
        """The items of a partition, as the table has them."""
        found: list[Mapping[str, Any]] = self.table.query(
            TableName=TABLE,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
        )["Items"]
        return found

    @property
    def denials(self) -> list[Denial]:
        return [Denial.from_item(item) for item in self.items(DENIALS_PK)]

    @property
    def changes(self) -> list[Mapping[str, Any]]:
        return self.items(CHANGES_PK)

    def put(self, item: Mapping[str, Any]) -> None:
        """Write an item without the command line."""
        self.table.put_item(TableName=TABLE, Item=item)

    def enter(self, room: str, *users: str) -> None:
        """Users log in to a room."""
        for user in users:
            self.zego.project.rooms.enter(room, user, expires_at=math.inf)

    @property
    def rooms(self) -> dict[str, list[str]]:
        return self.zego.project.rooms.to_json()


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "aws-secret-access-key",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws(), ZegoCloud(APP_ID, SECRET) as zego:
        site = Site(zego, capsys)
        site.table.create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        text = json.dumps({"app_id": APP_ID, "server_secret": SECRET})
        secret = boto3.client("secretsmanager").create_secret(Name="zego", SecretString=text)
        create_stack(SecretArn=secret["ARN"], LimitsTableName=TABLE)
        defaults = remove_from_rooms.__kwdefaults__
        with patch.dict(defaults, sleep=site.slept.append):
            yield site


def create_stack(name: str = STACK, **outputs: str) -> None:
    """Create a stack that has outputs."""
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {output: {"Value": value} for output, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(template))
