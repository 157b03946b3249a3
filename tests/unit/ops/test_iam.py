"""`zego-token iam`: which statements the policy of each role has, and its errors.

`tests/permissions` checks that the statements are what the roles need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws

from ops import cli
from ops.errors import CommandError, ExitCode
from ops.iam import derived, document, names_of

Capture = pytest.CaptureFixture[str]

SECRET: Final = (
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:"
    "zego-token-service-prod/server-secret-AbCdEf"
)
KEY: Final = "arn:aws:kms:us-east-1:111122223333:key/00000000-0000-4000-8000-000000000000"
ROTATOR: Final = "arn:aws:lambda:eu-west-1:111122223333:function:zego-token-service-prod-Rotator"
ROUTES: Final = "arn:aws:execute-api:eu-west-1:111122223333:abc123/$default"
OUTPUTS: Final = {
    "SecretArn": SECRET,
    "SecretKeyArn": KEY,
    "RotatorFunctionArn": ROTATOR,
    "StatusRouteArn": f"{ROUTES}/GET/v1/status",
    "DiagnoseRouteArn": f"{ROUTES}/POST/v1/diagnose",
    "ServiceRoutesArn": f"{ROUTES}/POST/v1/service/*",
}
PLACE: Final = names_of("eu-west-1", "111122223333", "zego-token-service-prod")
BOUNDARY: Final = "arn:aws:iam::111122223333:policy/developers"


def without(*outputs: str) -> Mapping[str, str]:
    return {name: value for name, value in OUTPUTS.items() if name not in outputs}


def statements(role: str, outputs: Mapping[str, str] = OUTPUTS, **more: str) -> dict[str, Any]:
    """The statements of a role's policy by their Sids."""
    made = document(role, PLACE | derived(outputs) | more)
    assert made["Version"] == "2012-10-17"
    return {one["Sid"]: one for one in made["Statement"]}


def test_a_backend_may_call_the_service_routes_and_nothing_else() -> None:
    assert [*statements("backend").values()] == [
        {
            "Sid": "RequestTokens",
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": f"{ROUTES}/POST/v1/service/*",
        }
    ]


def test_support_may_have_tokens_diagnosed_and_nothing_else() -> None:
    (statement,) = statements("support").values()
    assert statement["Action"] == "execute-api:Invoke"
    assert statement["Resource"] == f"{ROUTES}/POST/v1/diagnose"


def test_an_operators_policy_names_the_stacks_outputs() -> None:
    found = statements("operator")
    assert found["Rotate"]["Resource"] == SECRET
    assert found["RotateSecretRequiresThisOfItsCaller"]["Resource"] == ROTATOR
    assert found["CallTheApi"]["Resource"][-1] == f"{ROUTES}/POST/v1/service/tokens"
    assert "${" not in json.dumps(found)


def test_the_key_is_used_in_the_region_of_the_secret() -> None:
    condition = statements("operator")["DecryptTheSecret"]["Condition"]["StringLike"]
    assert condition["kms:ViaService"] == "secretsmanager.us-east-1.amazonaws.*"


def test_an_operator_of_a_stack_that_does_not_rotate_may_only_read() -> None:
    rotating = statements("operator").keys()
    reading = statements("operator", without("RotatorFunctionArn"))
    assert rotating - reading.keys() == {
        "StageAValue",
        "EncryptTheValue",
        "Rotate",
        "RotateSecretRequiresThisOfItsCaller",
        "GiveUpARotation",
        "NoteWhatIsGivenUpOrCompromised",
    }


def test_a_secret_without_its_own_key_needs_no_permission_on_a_key() -> None:
    found = statements("operator", without("SecretKeyArn"))
    assert "kms:" not in json.dumps(found)
    assert "Rotate" in found


def test_a_stack_without_an_output_that_is_needed_is_an_error() -> None:
    with pytest.raises(CommandError, match="has no output DiagnoseRouteArn") as caught:
        statements("support", without("DiagnoseRouteArn"))
    assert caught.value.failure.exit_code is ExitCode.AWS


def test_with_a_boundary_no_role_gets_permissions_without_it() -> None:
    granting = {"iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePolicy"}
    free, bound = statements("deployer"), statements("deployer", PermissionsBoundary=BOUNDARY)
    assert set(free["GrantToRoles"]["Action"]) == granting
    assert "Condition" not in free["GrantToRoles"]
    assert "GrantToRoles" not in bound
    statement = bound["GrantWithinTheBoundary"]
    assert {*statement["Action"]} == granting | {"iam:PutRolePermissionsBoundary"}
    assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}


#: The region with the longest name, of all that botocore knows, in any partition.
LONGEST: Final = max(
    (
        region
        for partition in boto3.Session().get_available_partitions()
        for region in boto3.Session().get_available_regions("lambda", partition)
    ),
    key=len,
)
LONG_BOUNDARY: Final = "arn:aws-us-gov:iam::111122223333:policy/permissions-boundary"


@pytest.mark.parametrize("stack", ["zego-token-service-staging", "n" * 40])
@pytest.mark.parametrize("role", ["deployer", "operator", "backend", "support"])
def test_each_policy_is_small_enough_to_be_a_managed_policy(role: str, stack: str) -> None:
    """The quota is 6144 characters. Source: "IAM and AWS STS quotas"."""
    names = names_of(LONGEST, "111122223333", stack) | derived(OUTPUTS)
    made = document(role, names | {"PermissionsBoundary": LONG_BOUNDARY})
    assert len(re.sub(r"\s", "", json.dumps(made))) <= 6144


class TestCommand:
    @pytest.fixture(autouse=True)
    def _stack(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """A stack in moto's CloudFormation, which is not that of other tests."""
        monkeypatch.setenv("AWS_REGION", "eu-west-1")
        monkeypatch.setenv("MOTO_ACCOUNT_ID", "111122223333")
        aws = mock_aws()
        aws.start(reset=False)
        client = boto3.client("cloudformation", region_name="eu-west-1")
        template = {
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in OUTPUTS.items()},
        }
        name = "zego-token-service-prod"
        client.create_stack(StackName=name, TemplateBody=json.dumps(template))
        yield
        client.delete_stack(StackName=name)
        aws.stop()

    @pytest.mark.parametrize("role", ["operator", "backend", "support"])
    def test_it_prints_the_policy_for_the_stack(self, role: str, capsys: Capture) -> None:
        assert cli.main(["iam", role, "--stage", "prod"]) == ExitCode.DONE
        printed = json.loads(capsys.readouterr().out)
        assert printed == document(role, PLACE | derived(OUTPUTS))

    def test_a_deployers_stack_need_not_exist(self, capsys: Capture) -> None:
        assert cli.main(["iam", "deployer", "--stack", "calls"]) == ExitCode.DONE
        printed = json.loads(capsys.readouterr().out)
        assert printed == document("deployer", names_of("eu-west-1", "111122223333", "calls"))

    def test_a_policy_that_is_too_long_comes_with_a_warning(self, capsys: Capture) -> None:
        assert cli.main(["iam", "deployer", "--stack", "n" * 128]) == ExitCode.DONE
        printed = capsys.readouterr()
        assert json.loads(printed.out) == document(
            "deployer", names_of("eu-west-1", "111122223333", "n" * 128)
        )
        assert re.search(r"has [67]\d{3} characters.* at most 6144.*two policies", printed.err)

    def test_the_boundary_is_an_option(self, capsys: Capture) -> None:
        line = ["iam", "deployer", "--stage", "prod", "--permissions-boundary", BOUNDARY]
        assert cli.main(line) == ExitCode.DONE
        printed = json.loads(capsys.readouterr().out)
        assert printed == document("deployer", PLACE | {"PermissionsBoundary": BOUNDARY})

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("operator", "Name one stack: use --stage or --stack."),
            ("operator --stage prod --stack calls", "Name one stack"),
            (
                "operator --stage prod --permissions-boundary x",
                "Only a deployer has a permissions boundary.",
            ),
            ("owner --stage prod", "'owner' is not one of"),
        ],
    )
    def test_a_usage_error_is_reported(self, line: str, words: str, capsys: Capture) -> None:
        assert cli.main(["iam", *line.split()]) == ExitCode.USAGE
        assert words in capsys.readouterr().err

    def test_a_stack_that_does_not_exist_is_an_error(self, capsys: Capture) -> None:
        assert cli.main(["iam", "operator", "--stage", "dev"]) == ExitCode.AWS
        assert "There is no stack zego-token-service-dev" in capsys.readouterr().err
