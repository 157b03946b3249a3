"""The secret that a command works on: the options that name it, and the clients that reach it."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import boto3
import click
import pytest
from botocore.exceptions import NoCredentialsError, NoRegionError, ProfileNotFound
from botocore.stub import Stubber

from local.aws.secrets_manager import SecretsManager
from ops.errors import CommandError, ExitCode
from ops.target import (
    SECRET_ID_VARIABLE,
    STACK_FILE,
    Target,
    TargetOptions,
    client_of,
    connect,
    open_session,
    region_of,
    target,
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_ID_VARIABLE, raising=False)


def named(line: str) -> list[TargetOptions]:
    """The targets that a line of options names."""

    @click.command()
    @target("many")
    def command(target_options: list[TargetOptions]) -> ExitCode:
        found.extend(target_options)
        return ExitCode.DONE

    found: list[TargetOptions] = []
    command.main(shlex.split(line), standalone_mode=False)
    return found


def test_a_stage_names_its_stack() -> None:
    assert named("--stage prod") == [TargetOptions(stage="prod")]


def test_a_stack_with_another_name_is_named_itself() -> None:
    (found,) = named("--stack calls-tokens --region eu-west-1")
    assert found == TargetOptions(stack="calls-tokens", region="eu-west-1")
    assert str(found) == "--stack calls-tokens --region eu-west-1"
    assert len(named("--stage prod --stack calls-tokens")) == 2


def test_a_secret_id_names_the_secret() -> None:
    assert named("--secret-id zego/x --region eu-west-1 --profile ops") == [
        TargetOptions("zego/x", region="eu-west-1", profile="ops")
    ]


def test_the_targets_are_all_combinations() -> None:
    line = "--stage dev --stage prod --secret-id x --region a --region b --profile p --profile q"
    targets = named(line)
    assert len(set(targets)) == 12
    assert TargetOptions(stage="prod", region="b", profile="p") in targets
    assert TargetOptions("x", region="a", profile="q") in targets


def test_the_environment_names_a_secret_if_no_option_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SECRET_ID_VARIABLE, "zego/x")
    assert named("--region a") == [TargetOptions("zego/x", region="a")]
    assert named("--stage dev") == [TargetOptions(stage="dev")]
    assert named("--local") == [TargetOptions(local=STACK_FILE)]


def test_the_local_stack_is_found_here_or_at_the_given_path(tmp_path: Path) -> None:
    assert named("--local") == [TargetOptions(local=STACK_FILE)]
    assert named(f"--local {tmp_path} --zego-api http://127.0.0.1:1") == [
        TargetOptions(local=tmp_path, zego_api="http://127.0.0.1:1")
    ]
    assert [target.secret_id for target in named("--local --secret-id a --secret-id b")] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("other", ["--stage dev", "--stack s", "--profile p", "--region r"])
def test_local_excludes_the_aws_options(other: str) -> None:
    with pytest.raises(click.UsageError, match="--local cannot be combined with"):
        named(f"--local {other}")


def test_a_secret_must_be_named() -> None:
    with pytest.raises(
        click.UsageError, match=re.escape("--stage, --stack, --secret-id or --local")
    ):
        named("--region eu-west-1")


class TestAnOptionalTarget:
    @staticmethod
    def named(line: str) -> TargetOptions | None:
        """The target that a line of options names, for a command that also has `--file`."""

        @click.command()
        @target("optional", unless=["file"])
        @click.option("--file")
        def command(target_options: TargetOptions | None, file: str | None) -> ExitCode:
            found.append(target_options)
            return ExitCode.DONE

        found: list[TargetOptions | None] = []
        command.main(shlex.split(line), standalone_mode=False)
        return found[0]

    def test_no_secret_is_required(self) -> None:
        assert self.named("") is None
        assert self.named("--stage dev --region a") == TargetOptions(stage="dev", region="a")
        assert self.named("--local") == TargetOptions(local=STACK_FILE)

    def test_a_region_or_profile_needs_a_secret(self) -> None:
        for line in ("--region eu-west-1", "--profile ops"):
            with pytest.raises(click.UsageError, match="No secret is named"):
                self.named(line)

    def test_more_than_one_secret_is_refused(self) -> None:
        with pytest.raises(click.UsageError, match="takes one secret"):
            self.named("--stage dev --stage prod")

    def test_the_environment_names_one_unless_an_option_excludes_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(SECRET_ID_VARIABLE, "zego/x")
        assert self.named("") == TargetOptions("zego/x")
        assert self.named("--file x") is None
        assert self.named("--file x --stage dev") == TargetOptions(stage="dev")


@pytest.mark.parametrize(
    "line",
    [
        "--local /a/b",
        "--local",
        "--stage prod --profile ops --region eu-west-1",
        "--secret-id 'a b'",
    ],
)
def test_a_targets_name_is_its_options(line: str) -> None:
    (wanted,) = named(line)
    assert str(wanted) == line


ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"


@pytest.fixture(autouse=True)
def _an_aws_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment with only credentials."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")


def where(target: Target) -> tuple[str, str]:
    """The region and the id with which a target's secret is read."""
    return target.versions._client.meta.region_name, target.versions._secret_id


@pytest.fixture
def cloudformation(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    """Returns the given responses in place of AWS."""
    client = boto3.client("cloudformation", region_name="eu-west-1")
    made = boto3.Session.client

    def stubbed(session: boto3.Session, service: str, **options: Any) -> Any:
        return client if service == "cloudformation" else made(session, service, **options)  # type: ignore[call-overload]  # any service

    monkeypatch.setattr(boto3.Session, "client", stubbed)
    stubber = Stubber(client)
    stubber.activate()
    return stubber


def a_stack(**outputs: str) -> dict[str, Any]:
    return {
        "Stacks": [
            {
                "StackName": "zego-token-service-prod",
                "CreationTime": "2026-01-01T00:00:00Z",
                "StackStatus": "CREATE_COMPLETE",
                "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()],
            }
        ]
    }


class TestInAws:
    def test_an_arn_names_the_region(self) -> None:
        assert where(connect(TargetOptions(ARN))) == ("eu-west-1", ARN)

    def test_a_region_names_the_replica_there(self) -> None:
        replica = ARN.replace("eu-west-1", "us-east-1")
        assert where(connect(TargetOptions(ARN, region="us-east-1"))) == ("us-east-1", replica)

    def test_a_name_is_read_in_the_given_region(self) -> None:
        assert where(connect(TargetOptions("zego/x", region="us-east-1"))) == (
            "us-east-1",
            "zego/x",
        )

    def test_the_stack_of_a_stage_names_the_secret(self, cloudformation: Stubber) -> None:
        cloudformation.add_response(
            "describe_stacks",
            a_stack(Api="https://x", SecretArn=ARN),
            {"StackName": "zego-token-service-prod"},
        )
        target = connect(TargetOptions(stage="prod", region="us-east-1"))
        assert where(target) == ("eu-west-1", ARN)
        assert target.name == "--stage prod --region us-east-1"

    def test_the_stack_of_a_stage_names_the_api(self, cloudformation: Stubber) -> None:
        cloudformation.add_response("describe_stacks", a_stack(ApiUrl="https://x", SecretArn=ARN))
        target = connect(TargetOptions(stage="prod", region="us-east-1"))
        assert (target.api, target.region) == ("https://x", "eu-west-1")
        assert (target.direct, target.dead_letters) == (None, None)
        assert connect(TargetOptions(ARN)).api is None

    def test_a_stack_behind_an_edge_names_the_address_that_avoids_it(
        self, cloudformation: Stubber
    ) -> None:
        outputs = {"ApiUrl": "https://x", "DirectUrl": "https://y", "SecretArn": ARN}
        cloudformation.add_response("describe_stacks", a_stack(**outputs))
        target = connect(TargetOptions(stage="prod", region="us-east-1"))
        assert (target.api, target.direct) == ("https://x", "https://y")

    def test_a_stack_that_posts_incoming_calls_names_its_dead_letter_queue(
        self, cloudformation: Stubber
    ) -> None:
        outputs = {"IncomingCallDeadLettersUrl": "https://queue", "SecretArn": ARN}
        cloudformation.add_response("describe_stacks", a_stack(**outputs))
        target = connect(TargetOptions(stage="prod", region="us-east-1"))
        assert target.dead_letters == "https://queue"

    def test_a_stack_names_the_secret(self, cloudformation: Stubber) -> None:
        expected = {"StackName": "calls-tokens"}
        cloudformation.add_response("describe_stacks", a_stack(SecretArn=ARN), expected)
        assert where(connect(TargetOptions(stack="calls-tokens", region="us-east-1")))[1] == ARN
        cloudformation.add_response("describe_stacks", a_stack(), expected)
        with pytest.raises(CommandError, match="The stack calls-tokens has no output"):
            connect(TargetOptions(stack="calls-tokens", region="us-east-1"))

    def test_a_stage_without_a_stack_is_an_error(self, cloudformation: Stubber) -> None:
        cloudformation.add_client_error("describe_stacks", "ValidationError", "does not exist")
        with pytest.raises(CommandError, match="no stack zego-token-service-dev") as caught:
            connect(TargetOptions(stage="dev", region="eu-west-1"))
        assert caught.value.failure.exit_code is ExitCode.AWS

    def test_a_stack_without_the_output_is_an_error(self, cloudformation: Stubber) -> None:
        cloudformation.add_response("describe_stacks", a_stack(Api="https://x"))
        with pytest.raises(CommandError, match="no output SecretArn"):
            connect(TargetOptions(stage="prod", region="eu-west-1"))

    def test_another_arn_is_refused(self) -> None:
        with pytest.raises(CommandError, match="not a secret's ARN"):
            connect(TargetOptions("arn:aws:s3:::bucket"))

    def test_a_region_is_required(self) -> None:
        with pytest.raises(NoRegionError):
            connect(TargetOptions("zego/x"))

    def test_the_environment_may_name_the_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_REGION", "eu-west-3")
        assert where(connect(TargetOptions("zego/x"))) == ("eu-west-3", "zego/x")
        assert where(connect(TargetOptions("zego/x", region="us-east-1")))[0] == "us-east-1"
        assert where(connect(TargetOptions(ARN))) == ("eu-west-1", ARN)

    def test_the_region_is_known_before_any_call(self) -> None:
        for wanted, region in (
            (TargetOptions(ARN), "eu-west-1"),
            (TargetOptions(ARN, region="us-east-1"), "us-east-1"),
            (TargetOptions(stage="prod", region="us-west-2"), "us-west-2"),
            (TargetOptions("zego/x"), None),
        ):
            assert region_of(wanted, open_session(wanted)) == region

    @pytest.mark.parametrize(
        ("wanted", "variable"),
        [
            (TargetOptions(ARN), "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
            (TargetOptions(stage="prod", region="eu-west-1"), "AWS_ENDPOINT_URL_CLOUDFORMATION"),
        ],
    )
    def test_an_invalid_endpoint_is_an_error(
        self, wanted: TargetOptions, variable: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(variable, "garbage")
        with pytest.raises(CommandError, match="invalid endpoint or number") as caught:
            connect(wanted)
        assert variable in caught.value.failure.remedy
        assert caught.value.failure.exit_code is ExitCode.USAGE

    def test_a_profile_has_to_exist(self) -> None:
        with pytest.raises(ProfileNotFound):
            connect(TargetOptions(ARN, profile="nobody"))


class TestLocally:
    @staticmethod
    def stack(directory: Path, **more: object) -> Path:
        path = directory / "stack.json"
        parts = {
            "secrets_manager": "http://127.0.0.1:1",
            "region": "us-east-1",
            "zego": "http://127.0.0.1:2",
            "secret_id": "zego/server-secret",
        }
        path.write_text(json.dumps(parts | more), encoding="utf-8")
        return path

    @pytest.mark.parametrize("named", [".", "stack.json"])
    def test_the_stack_file_names_the_secret(self, tmp_path: Path, named: str) -> None:
        self.stack(tmp_path)
        target = connect(TargetOptions(local=tmp_path / named))
        assert where(target) == ("us-east-1", "zego/server-secret")
        assert target.versions._client.meta.endpoint_url == "http://127.0.0.1:1"

    def test_the_stack_file_names_the_api_and_its_key(self, tmp_path: Path) -> None:
        key = {"access_key_id": "ASIAEXAMPLE", "secret_access_key": "example"}
        wanted = TargetOptions(local=self.stack(tmp_path, api="http://127.0.0.1:8080", **key))
        assert connect(wanted).api == "http://127.0.0.1:8080"
        credentials = open_session(wanted).get_credentials()
        assert credentials
        assert (credentials.access_key, credentials.secret_key) == ("ASIAEXAMPLE", "example")

    def test_another_secret_of_the_stack_may_be_named(self, tmp_path: Path) -> None:
        assert where(connect(TargetOptions("other", local=self.stack(tmp_path))))[1] == "other"

    def test_it_needs_no_credentials(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        with SecretsManager() as aws:
            path = self.stack(tmp_path, secrets_manager=aws.url)
            assert "AWSCURRENT" in connect(TargetOptions(local=path)).versions.describe().labels

    @pytest.mark.parametrize("zego_api", [None, "http://127.0.0.1:3"])
    def test_verdicts_come_from_the_local_stack_or_the_named_api(
        self, tmp_path: Path, zego_api: str | None
    ) -> None:
        probe = connect(TargetOptions(local=self.stack(tmp_path), zego_api=zego_api)).probe
        endpoint = probe.__self__._endpoint  # type: ignore[attr-defined]  # a bound method
        assert endpoint == f"{zego_api or 'http://127.0.0.1:2'}/"

    def test_a_missing_stack_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="No local stack is running here") as caught:
            connect(TargetOptions(local=tmp_path))
        assert "make run" in caught.value.failure.remedy

    def test_an_invalid_address_in_the_stack_file_is_an_error(self, tmp_path: Path) -> None:
        path = self.stack(tmp_path, secrets_manager="garbage")
        with pytest.raises(CommandError, match="does not describe a local stack"):
            connect(TargetOptions(local=path))

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"region": 1}'])
    def test_a_file_of_another_kind_is_an_error(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "stack.json").write_text(text, encoding="utf-8")
        with pytest.raises(CommandError, match="does not describe a local stack"):
            connect(TargetOptions(local=tmp_path))


@pytest.mark.parametrize("url", ["http://zego.example", "ftp://x", "x", "https://u@x/"])
def test_zego_is_only_called_by_https(url: str) -> None:
    with pytest.raises(CommandError, match="--zego-api") as caught:
        connect(TargetOptions(ARN, zego_api=url))
    assert caught.value.failure.exit_code is ExitCode.USAGE


def test_missing_credentials_and_a_missing_region_are_one_error() -> None:
    class Session:
        region_name = None

        def get_credentials(self) -> None: ...

    nobody: Any = Session()
    with pytest.raises(CommandError, match=r"No AWS credentials .*, and no AWS region") as both:
        client_of(nobody, "secretsmanager")
    assert "--profile" in both.value.failure.remedy
    assert "--region" in both.value.failure.remedy
    with pytest.raises(NoCredentialsError):
        client_of(nobody, "secretsmanager", "eu-west-1")
