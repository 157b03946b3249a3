"""The SAM CLI validates, builds and packages the template, and deploys it up to the change set.

moto is the AWS that it talks to. The parts are built for this machine.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import time
import tomllib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import boto3
import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.infrastructure.test_lifecycle import for_moto
from tests.infrastructure.test_project_files import environments
from tests.support.environments import part_of
from tests.support.tiers import only_proved
from tools import build
from tools.sam_template import REGION, ROOT, load, transform

pytestmark = [pytest.mark.exhaustive, only_proved]

BUCKET: Final = "artifacts"
VERSION: Final = "0123456789ab-0.2.0"
#: What a user replaces in samconfig.toml.
EXAMPLES: Final = {
    "secret-EXAMPLE": "secret-AbCdEf",
    "key/EXAMPLE": "key/00000000-0000-4000-8000-000000000000",
    "AlarmEmail=EXAMPLE": "AlarmEmail=operators@example.com",
}
#: The template of the stack in which `resolve_s3` finds its bucket. SAM makes that stack, but moto
#: gives it no tags.
SAMS_OWN: Final = {
    "Resources": {"Any": {"Type": "AWS::SNS::Topic"}},
    "Outputs": {"SourceBucket": {"Value": BUCKET}},
}
_PATIENCE_SECONDS: Final = 60


class Project:
    """A folder with what `sam` reads, and an account in moto to which it deploys."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self._variables = {
            "AWS_ACCESS_KEY_ID": "invented",
            "AWS_SECRET_ACCESS_KEY": "invented",
            "AWS_ENDPOINT_URL": url,
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "SAM_CLI_TELEMETRY": "0",
        }

    def sam(self, *arguments: str) -> str:
        """Run the SAM CLI and return what it prints. It must succeed."""
        done = subprocess.run(
            [part_of("sam", "bin/sam"), *arguments],
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def client(self, service: str) -> Any:
        """Return a client of the account."""
        make: Callable[..., Any] = boto3.client
        return make(
            service,
            region_name=REGION,
            endpoint_url=self._variables["AWS_ENDPOINT_URL"],
            aws_access_key_id="invented",
            aws_secret_access_key="invented",
        )

    def artifact(self, uri: str) -> set[str]:
        """Return the names of the files in a zip in S3."""
        key = uri.removeprefix(f"s3://{BUCKET}/")
        body = self.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
        with zipfile.ZipFile(io.BytesIO(body)) as artifact:
            return set(artifact.namelist())


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that imitates AWS. By this name, moto takes it for S3's."""
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [part_of("sam", "bin/moto_server"), "-p", "0"], stdout=output, stderr=output
        )
        try:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not (found := re.search(r"Running on http://127.0.0.1:(\d+)", log.read_text())):
                assert server.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield f"http://localhost:{found[1]}"
        finally:
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def project(moto: str, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(tree, folder / "build")
    (folder / "build" / "version.toml").write_text(f'BuildVersion = "{VERSION}"\n')
    shutil.copy(ROOT / "template.yaml", folder)
    config = (ROOT / "samconfig.toml").read_text(encoding="utf-8")
    for example, value in EXAMPLES.items():
        assert example in config
        config = config.replace(example, value)
    (folder / "samconfig.toml").write_text(config, encoding="utf-8")
    made = Project(folder, moto)
    made.client("s3").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    made.client("cloudformation").create_stack(
        StackName="aws-sam-cli-managed-default",
        Tags=[{"Key": "ManagedStackSource", "Value": "AwsSamCli"}],
        TemplateBody=json.dumps(SAMS_OWN),
    )
    return made


def places(template: dict[str, Any]) -> dict[str, str]:
    """Where each part of a template is, by the part's name in the repository's template."""
    return {
        resource["Properties"][kind].removeprefix("build/"): template["Resources"][name][
            "Properties"
        ][kind]
        for name, resource in load()["Resources"].items()
        for kind in ("CodeUri", "ContentUri")
        if kind in resource["Properties"]
    }


def test_the_template_is_valid(project: Project) -> None:
    assert "is a valid SAM Template" in project.sam("validate", "--lint")


def test_the_build_of_sam_leaves_the_parts_as_they_are(project: Project) -> None:
    project.sam("build")
    built = project.folder / ".aws-sam" / "build" / "template.yaml"
    for part, place in places(yaml_parse(built.read_text(encoding="utf-8"))).items():
        assert (built.parent / place).resolve() == project.folder / "build" / part


def test_a_package_has_every_file_of_every_part(project: Project) -> None:
    packaged = project.folder / "packaged.yaml"
    source = ("--template-file", "template.yaml", "--s3-bucket", BUCKET)
    project.sam("package", *source, "--output-template-file", packaged.name)
    found = places(yaml_parse(packaged.read_text(encoding="utf-8")))
    assert found.keys() == build.PARTS.keys()
    for part, uri in found.items():
        folder = project.folder / "build" / part
        files = {path.relative_to(folder).as_posix() for path in build.files(folder, ["."])}
        assert {name for name in project.artifact(uri) if not name.endswith("/")} == files


@pytest.mark.parametrize("stage", environments())
def test_a_deployment_gets_as_far_as_its_change_set(project: Project, stage: str) -> None:
    project.sam("deploy", "--config-env", stage, "--no-execute-changeset")
    cloudformation = project.client("cloudformation")
    name = f"zego-token-service-{stage}"
    made = cloudformation.list_change_sets(StackName=name)["Summaries"]
    (change_set,) = [one for one in made if one["StackName"] == name]
    described = cloudformation.describe_change_set(ChangeSetName=change_set["ChangeSetId"])
    assert described["Status"] == "CREATE_COMPLETE"
    assert described["ExecutionStatus"] == "AVAILABLE"
    given = {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}
    config = tomllib.loads((project.folder / "samconfig.toml").read_text(encoding="utf-8"))
    overrides = config[stage]["deploy"]["parameters"]["parameter_overrides"]
    wanted = dict(one.split("=", 1) for one in overrides if not one.startswith("file://"))
    assert wanted.items() <= given.items()
    assert given["BuildVersion"] == VERSION
    (begun,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    tags = {tag["Key"]: tag["Value"] for tag in begun["Tags"]}
    assert tags == {"service": "zego-token-service", "stage": stage}


def test_without_options_sam_finds_the_stack_of_dev_and_its_logs(project: Project) -> None:
    for part in build.PARTS:
        empty = io.BytesIO()
        zipfile.ZipFile(empty, "w").close()
        project.client("s3").put_object(Bucket=BUCKET, Key=f"build/{part}", Body=empty.getvalue())
    name = "zego-token-service-dev"
    cloudformation, logs = project.client("cloudformation"), project.client("logs")
    cloudformation.delete_stack(StackName=name)  # that of the test above
    template = json.loads(for_moto(transform()))
    outputs = {"ApiUrl": {"Value": "https://api.example.com"}}
    cloudformation.create_stack(
        StackName=name, TemplateBody=json.dumps(template | {"Outputs": outputs})
    )
    resources = json.loads(project.sam("list", "resources", "--output", "json"))
    assert {"IssuerFunction", "IssuerLog"} <= {one["LogicalResourceId"] for one in resources}
    assert "https://api.example.com" in project.sam("list", "stack-outputs")

    # moto's functions have no LoggingConfig, so that sam reads the group that Lambda would make.
    (function,) = [one for one in resources if one["LogicalResourceId"] == "IssuerFunction"]
    group = f"/aws/lambda/{function['PhysicalResourceId']}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    line = "Token issued for user alice"
    event = {"timestamp": int(time.time() * 1000), "message": line}
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=[event])
    assert line in project.sam("logs")
