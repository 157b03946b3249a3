"""The workflow that deploys, and the role that it assumes."""

from __future__ import annotations

import json
import os
import re
import subprocess
from ast import literal_eval
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
import yaml
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from ops.iam import document, names_of
from tests.docs.test_documents import MAKEFILE, lacking
from tests.support.iam import Call, allows
from tools import policy_schema
from tools.sam_template import REGION, ROOT, load
from zego.policy import file as policy_file

WORKFLOWS: Final = sorted((ROOT / ".github" / "workflows").iterdir())
TEMPLATE: Final = ROOT / "deploy" / "pipeline.yaml"
GITHUB: Final = "token.actions.githubusercontent.com"
PROVIDER: Final = f"arn:aws:iam::123456789012:oidc-provider/{GITHUB}"
BOUNDARY: Final = "arn:aws:iam::123456789012:policy/boundary"
ACCOUNT: Final = "123456789012"
STACK: Final = "zego-token-service-prod"
FUNCTION: Final = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}"
SECRET: Final = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{STACK}/server-secret-AbCdEf"
READ: Final = "secretsmanager:GetSecretValue"
#: The variables of a runner that the scripts below read.
RUNNER: Final = {"PATH": os.environ["PATH"]}

Job = Mapping[str, Any]


def workflow(name: str) -> dict[Any, Any]:
    """A workflow, with its aliases replaced."""
    text = (ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8")
    found: dict[Any, Any] = yaml.safe_load(text)
    return found


JOBS: Final[Mapping[str, Job]] = workflow("deploy.yml")["jobs"]
#: The jobs that deploy, by their stage.
DEPLOYING: Final = {
    job["env"]["STAGE"]: job for job in JOBS.values() if "STAGE" in job.get("env", {})
}


def needed(job: Job) -> list[str]:
    """The jobs that must succeed before a job starts."""
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else list(needs)


def place(job: Job, words: str) -> int:
    """The position of the only step whose action or script contains the words."""
    steps = [f"{step.get('uses', '')}{step.get('run', '')}" for step in job["steps"]]
    (found,) = (number for number, text in enumerate(steps) if words in text)
    return found


def script(job: Job, words: str) -> str:
    """The script of the step that contains the words."""
    text = job["steps"][place(job, words)]["run"]
    assert isinstance(text, str)
    return text


class TestWorkflow:
    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
    def test_every_workflow_may_only_read_unless_a_job_needs_more(self, path: Path) -> None:
        assert workflow(path.name)["permissions"] == {"contents": "read"}

    def test_it_does_nothing_in_a_repository_that_is_not_set_up(self) -> None:
        assert JOBS["build"]["if"].startswith("vars.DEPLOY_REGION != '' && ")
        for name, job in JOBS.items():
            assert "always()" not in str(job.get("if"))
            assert name == "build" or "build" in needed(job)

    def test_only_the_main_branch_is_deployed(self) -> None:
        triggers = workflow("deploy.yml")[True]  # YAML 1.1 reads "on" as true
        assert triggers == {"push": {"branches": ["main"]}, "workflow_dispatch": None}
        assert JOBS["build"]["if"].endswith("github.ref == 'refs/heads/main'")

    def test_dev_comes_before_prod_and_each_has_its_environment(self) -> None:
        assert [*DEPLOYING] == ["dev", "prod"]
        assert needed(DEPLOYING["prod"]) == ["build", "dev"]
        for stage, job in DEPLOYING.items():
            assert job["environment"] == stage
            assert job["concurrency"] == f"deploy-{stage}"

    def test_only_the_jobs_that_deploy_may_assume_the_role(self) -> None:
        for name, job in JOBS.items():
            permissions = {"contents": "read", "id-token": "write"} if name in DEPLOYING else None
            assert job.get("permissions") == permissions

    def test_there_is_no_long_lived_key(self) -> None:
        text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text(encoding="utf-8")
        assert "secrets." not in text
        assert not re.search(r"access.key|session.token", text, re.IGNORECASE)

    @pytest.mark.parametrize("stage", DEPLOYING)
    def test_credentials_come_after_the_code_of_others_and_the_check_of_the_artifacts(
        self, stage: str
    ) -> None:
        job = DEPLOYING[stage]
        order = [
            "make install",
            "sha256sum --check",
            "aws-actions/configure-aws-credentials@",
            "make preflight",
            "sam deploy",
            "zego-token doctor",
        ]
        places = [place(job, words) for words in order]
        assert places == sorted(places)
        assert places[-1] == len(job["steps"]) - 1

    def test_the_artifacts_are_checked_before_they_are_built(self) -> None:
        build = JOBS["build"]
        assert place(build, "make check") < place(build, "make build") < place(build, "tar ")
        assert all("make build" not in str(job["steps"]) for job in DEPLOYING.values())
        assert all("make deploy" not in str(job["steps"]) for job in DEPLOYING.values())

    def test_its_commands_exist(self) -> None:
        scripts = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
        targets = {name for text in scripts for name in re.findall(r"^make ([a-z-]+)", text)}
        assert targets <= set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
        assert {"check", "build", "install", "preflight"} == targets
        doctor = script(DEPLOYING["dev"], "zego-token").partition(" ")[2].replace('"$STAGE"', "")
        assert lacking(doctor.split()) == []
        assert "--without-secret" in doctor
        deploy = script(DEPLOYING["dev"], "sam deploy")
        assert deploy == 'sam deploy --config-env "$STAGE" --no-confirm-changeset'

    def test_the_template_finds_its_code_in_what_is_packed(self) -> None:
        packed = script(JOBS["build"], "tar ").splitlines()[0].split()[4:]
        assert packed == ["build", "samconfig.toml", "template.yaml"]
        for resource in load()["Resources"].values():
            for artifact in ("CodeUri", "ContentUri"):
                if path := resource["Properties"].get(artifact):
                    assert path.split("/")[0] in packed


class TestArtifacts:
    """The scripts that pack and unpack what is deployed."""

    def run(self, text: str, folder: Path, **variables: str) -> int:
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
        environment = RUNNER | variables
        done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, check=False)
        return done.returncode

    @pytest.fixture
    def packed(self, tmp_path: Path) -> tuple[Path, str]:
        """The folder with the packed artifacts, and their digest as the job reports it."""
        built, output = tmp_path / "built", tmp_path / "output"
        (built / "build" / "functions").mkdir(parents=True)
        for name in ("build/functions/app.py", "samconfig.toml", "template.yaml"):
            (built / name).write_text(name, encoding="utf-8")
        os.utime(built / "build" / "functions" / "app.py", (946_684_800, 946_684_800))
        assert self.run(script(JOBS["build"], "tar "), built, GITHUB_OUTPUT=str(output)) == 0
        (name, digest) = output.read_text(encoding="utf-8").strip().split("=")
        assert name == "sha256"
        folder = tmp_path / "deployed"
        folder.mkdir()
        (built / "deployment.tar").rename(folder / "deployment.tar")
        return folder, digest

    def test_they_arrive_unchanged(self, packed: tuple[Path, str]) -> None:
        folder, digest = packed
        assert self.run(script(DEPLOYING["dev"], "sha256sum"), folder, SHA256=digest) == 0
        code = folder / "build" / "functions" / "app.py"
        assert code.read_text(encoding="utf-8") == "build/functions/app.py"
        assert code.stat().st_mtime == 946_684_800  # it is part of the zip's hash

    def test_altered_ones_are_not_unpacked(self, packed: tuple[Path, str]) -> None:
        folder, digest = packed
        with (folder / "deployment.tar").open("ab") as archive:
            archive.write(b"\0")
        assert self.run(script(DEPLOYING["dev"], "sha256sum"), folder, SHA256=digest) != 0
        assert not (folder / "build").exists()

    def test_without_a_digest_nothing_is_unpacked(self, packed: tuple[Path, str]) -> None:
        folder, _ = packed
        assert self.run(script(DEPLOYING["dev"], "sha256sum"), folder, SHA256="") != 0
        assert not (folder / "build").exists()


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account in which the stack of prod's role was created."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "example")
    with mock_aws():
        client = boto3.client("iam", region_name=REGION)
        names = names_of(REGION, ACCOUNT, STACK)
        policy = json.dumps(document("deployer", names))
        for name in ("deployer", "boundary"):
            client.create_policy(PolicyName=name, PolicyDocument=policy)
        boto3.client("cloudformation", region_name=REGION).create_stack(
            StackName="zego-token-pipeline-prod",
            TemplateBody=TEMPLATE.read_text(encoding="utf-8"),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in {
                    "Repository": "octo/tokens",
                    "Environment": "prod",
                    "DeployerPolicyArn": "arn:aws:iam::123456789012:policy/deployer",
                    "HttpApiId": "abc123",
                    "GitHubProviderArn": PROVIDER,
                    "PermissionsBoundaryArn": BOUNDARY,
                }.items()
            ],
        )
        yield client


def trusts(role: Mapping[str, Any], claims: Mapping[str, str]) -> bool:
    """Whether the role may be assumed with a token of GitHub that has these claims."""
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Effect"] == "Allow"
    assert statement["Principal"] == {"Federated": PROVIDER}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Condition"].keys() == {"StringEquals"}
    conditions = statement["Condition"]["StringEquals"].items()
    return all(claims.get(key.removeprefix(f"{GITHUB}:")) == value for key, value in conditions)


class TestRole:
    GOOD: Final = {"aud": "sts.amazonaws.com", "sub": "repo:octo/tokens:environment:prod"}

    @pytest.fixture
    def role(self, iam: Any) -> Mapping[str, Any]:
        found: Mapping[str, Any] = iam.get_role(RoleName="zego-token-pipeline-prod")["Role"]
        return found

    def test_a_job_of_the_environment_may_assume_it(self, role: Mapping[str, Any]) -> None:
        assert trusts(role, self.GOOD)

    @pytest.mark.parametrize(
        "claims",
        [
            {"sub": "repo:octo/tokens:environment:dev"},
            {"sub": "repo:octo/tokens:environment:production"},
            {"sub": "repo:octo/tokens:ref:refs/heads/main"},
            {"sub": "repo:octo/tokens:pull_request"},
            {"sub": "repo:octo/tokens-fork:environment:prod"},
            {"sub": "repo:evil/tokens:environment:prod"},
            {"sub": ""},
            {"aud": "https://github.com/octo"},
        ],
        ids=lambda claims: "".join(claims.values()) or "nothing",
    )
    def test_no_other_job_may(self, role: Mapping[str, Any], claims: dict[str, str]) -> None:
        assert not trusts(role, self.GOOD | claims)

    def test_it_has_the_deployers_policy_and_a_boundary(self, role: Mapping[str, Any]) -> None:
        written = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Resources"]["Role"]
        attached = written["Properties"]["ManagedPolicyArns"]  # moto does not attach them
        assert attached == [{"Ref": "DeployerPolicyArn"}]
        assert role["PermissionsBoundary"]["PermissionsBoundaryArn"] == BOUNDARY

    @pytest.fixture
    def policy(self, iam: Any, role: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The statements of the role's own policy."""
        name = role["RoleName"]
        assert iam.list_role_policies(RoleName=name)["PolicyNames"] == ["doctor"]
        policy = iam.get_role_policy(RoleName=name, PolicyName="doctor")["PolicyDocument"]
        found: list[dict[str, Any]] = literal_eval(policy)["Statement"]  # moto shows it as Python
        return found

    def test_the_doctor_may_call_three_routes(self, policy: list[dict[str, Any]]) -> None:
        api = f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abc123/$default"
        assert [one for one in policy if one["Effect"] == "Allow"] == [
            {
                "Sid": "TryAToken",
                "Effect": "Allow",
                "Action": "execute-api:Invoke",
                "Resource": [
                    f"{api}/POST/v1/service/tokens",
                    f"{api}/GET/v1/status",
                    f"{api}/POST/v1/diagnose",
                ],
            }
        ]

    @pytest.mark.parametrize(
        ("action", "resource", "called_via", "is_allowed"),
        [
            (READ, SECRET, ("cloudformation.amazonaws.com",), True),
            (READ, SECRET, (), False),
            (READ, SECRET, ("athena.amazonaws.com",), False),
            ("lambda:InvokeFunction", f"{FUNCTION}-RotatorFunction-0A1B", (), True),
            ("lambda:InvokeFunction", f"{FUNCTION}-IssuerFunction-0A1B", (), False),
            ("lambda:InvokeFunction", f"{FUNCTION}-IssuerFunction-0A1B:live", (), False),
        ],
    )
    @pytest.mark.parametrize("granted", ["the deployer's policy", "everything"])
    def test_the_role_may_not_read_the_secret_or_invoke_the_issuer_itself(
        self,
        policy: list[dict[str, Any]],
        granted: str,
        action: str,
        resource: str,
        called_via: tuple[str, ...],
        is_allowed: bool,
    ) -> None:
        attached = [{"Effect": "Allow", "Action": "*", "Resource": "*"}]
        if granted != "everything":
            attached = document("deployer", names_of(REGION, ACCOUNT, STACK))["Statement"]
        context = (("aws:CalledVia", called_via),) if called_via else ()
        assert allows([*attached, *policy], Call(action, resource, context)) is is_allowed

    def test_without_a_provider_the_stack_creates_github_s(self) -> None:
        template = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
        provider = template["Resources"]["GitHubProvider"]
        assert provider["Condition"] == "CreateProvider"
        assert provider["Properties"] == {
            "Url": f"https://{GITHUB}",
            "ClientIdList": ["sts.amazonaws.com"],
        }
        assert provider["DeletionPolicy"] == "RetainExceptOnCreate"

    @pytest.mark.parametrize(
        ("parameter", "value", "is_valid"),
        [
            ("Repository", "octo/tokens", True),
            ("Repository", "octo@12/tokens@34", True),
            ("Repository", "octo/*", False),
            ("Repository", "octo", False),
            ("Repository", "octo/tokens:environment", False),
            ("Environment", "prod", True),
            ("Environment", "*", False),
            ("Environment", "pr?d", False),
            ("Environment", "", False),
        ],
    )
    def test_the_trust_has_no_wildcard(self, parameter: str, value: str, is_valid: bool) -> None:
        parameters = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))["Parameters"]
        pattern = parameters[parameter]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, value)) is is_valid

    @pytest.mark.parametrize("path", policy_schema.POLICIES, ids=lambda path: path.stem)
    def test_the_sample_policies_name_the_role(self, path: Path) -> None:
        roles = {role.name: role.role for role in policy_file.load(path).roles.values()}
        assert roles["pipeline"].endswith(f":role/zego-token-pipeline-{path.stem}")
