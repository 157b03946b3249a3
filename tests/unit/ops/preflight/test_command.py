"""The command: all checks together, permissions that are missing, and where it works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ops import cli
from ops.checklist.check import Check, examine
from ops.errors import ExitCode
from ops.preflight.command import checks
from ops.preflight.plan import Plan
from tests.support.table import table
from tests.unit.ops.preflight.conftest import CHECKS, REGION, Site

Capture = pytest.CaptureFixture[str]
OF_AWS = [check for check in checks() if check.group not in {"Settings", "Tools"}]
#: By operation, the checks that are skipped if it is denied.
SKIPPED = {
    "GetAccountSettings": {"concurrency"},
    "DescribeStacks": {"concurrency", "stack", "secret"},
    "DescribeSecret": {"secret"},
    "DescribeKey": {"key"},
    "GetTopicAttributes": {"topic"},
    "DescribeTrails": {"trail"},
    "GetTrailStatus": {"trail"},
    "GetEventSelectors": {"trail"},
}


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys; from ops.cli import main; main(['preflight', '--help']);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"boto3", "botocore", "rich"}


def test_outside_a_checkout_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["preflight", "--stage", "prod"]) == ExitCode.USAGE
    said = capsys.readouterr().err
    assert "There is no samconfig.toml here." in said
    assert "in the root of a checkout" in said


def test_a_ready_environment_passes(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(site.root)
    monkeypatch.setattr("ops.preflight.plan.Plan", lambda *_options: site.plan())
    site.write()
    assert cli.main(["preflight", "--stage", "prod", "--json"]) == ExitCode.DONE
    *found, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert summary["failed"] == []
    statuses = {one["check"]: one["status"] for one in found}
    assert statuses.pop("trail") == statuses.pop("region") == "warning"
    assert {*statuses.values()} == {"ok"}


def test_it_changes_nothing_and_reads_no_value(site: Site) -> None:
    given(site)
    list(examine(site.plan(), OF_AWS))
    assert {action.partition(":")[2] for action in site.called} == {
        "GetCallerIdentity",
        *SKIPPED,
    }


@pytest.mark.parametrize("operation", SKIPPED)
def test_a_check_without_its_permission_is_skipped_and_names_it(site: Site, operation: str) -> None:
    given(site)
    site.denied = {operation}
    found = {check.name: result for check, result in examine(site.plan(), OF_AWS)}
    assert "failed" not in {result.status for result in found.values()}
    denied = {name for name, result in found.items() if "AWS denied" in result.seen}
    assert denied == SKIPPED[operation]
    for name in denied:
        assert found[name].status == "skipped"
        assert f":{operation}." in found[name].seen
        assert "use credentials that have it" in found[name].remedy


def given(site: Site) -> None:
    """Let the environment have a given secret with a key, a topic, and a trail."""
    key = site.client("kms").create_key()["KeyMetadata"]["Arn"]
    topic = site.client("sns").create_topic(Name="alarms")["TopicArn"]
    site.parameters |= {
        "ServerSecretArn": site.create_secret("zego", KmsKeyId=key),
        "ServerSecretKmsKeyArn": key,
        "RotateGivenSecret": "Yes",
        "AlarmTopicArn": topic,
    }
    site.client("s3").create_bucket(
        Bucket="trails", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    trail = site.client("cloudtrail")
    trail.create_trail(Name="all", S3BucketName="trails")
    trail.start_logging(Name="all")
    selector = {"ReadWriteType": "All", "IncludeManagementEvents": True}
    trail.put_event_selectors(TrailName="all", EventSelectors=[selector])


def test_the_checks_are_in_the_order_of_their_needs() -> None:
    names = [*CHECKS]
    assert len(names) == len(checks())
    for check in CHECKS.values():
        assert check.question.endswith("?")
        assert all(names.index(need) < names.index(check.name) for need in check.needs)


@table("check", [*CHECKS.values()])
def test_each_check_has_a_remedy_if_it_fails(check: Check[Plan]) -> None:
    never_fails = {"origins", "incoming-calls"}
    assert bool(check.remedy) is (check.name not in {*never_fails, "rotation"})
