"""Checks of credentials, region and the options' target."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, ProfileNotFound

from ops.errors import CommandError, ExitCode
from ops.target import TargetOptions
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import refused


def test_the_owner_of_the_credentials_is_shown(patient: Patient) -> None:
    assert patient.result("credentials").seen.endswith(":assumed-role/Operators/alice")


def test_missing_credentials_are_a_failure(patient: Patient) -> None:
    patient.session.credentials = None
    result = patient.result("credentials")
    assert (result.status, result.seen) == ("failed", "No AWS credentials were found.")
    assert "Log in" in result.remedy


def test_a_missing_profile_is_a_failure(patient: Patient) -> None:
    patient.session.identity = ProfileNotFound(profile="nobody")
    assert "AWS profile does not exist" in patient.result("credentials").seen


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_aws_refuses_are_a_failure(patient: Patient, code: str) -> None:
    patient.session.identity = refused("GetCallerIdentity", code)
    found = patient.examined()
    assert found["credentials"][0].status == "failed"
    assert found["secret"][0].seen == "needs credentials"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("GetCallerIdentity", "AccessDenied"), "sts:GetCallerIdentity"),
        (ConnectTimeoutError(endpoint_url="x"), "AWS could not be reached."),
    ],
    ids=["denied", "unreached"],
)
def test_if_sts_does_not_tell_the_owner_the_checks_continue(
    patient: Patient, error: Exception, words: str
) -> None:
    patient.session.identity = error
    found = patient.examined()
    (result,) = found["credentials"]
    assert result.status == "warning"
    assert words in result.seen
    assert found["token"][0].status == "ok"


def test_a_missing_region_is_a_failure(patient: Patient) -> None:
    patient.session.region_name = None
    found = patient.examined()
    assert found["credentials"][0].status == "ok"
    assert found["region"][0].status == "failed"
    assert "--region" in found["region"][0].remedy


def test_the_region_of_an_arn_comes_first(patient: Patient) -> None:
    arn = "arn:aws:secretsmanager:us-west-2:111122223333:secret:zego/x-AbCdEf"
    patient.target_options = TargetOptions(secret_id=arn)
    assert patient.result("region").seen == "us-west-2"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (CommandError("There is no stack x.", "Compare --stage.", ExitCode.AWS), "no stack"),
        (refused("DescribeStacks", "AccessDenied"), "cloudformation:DescribeStacks"),
        (NoCredentialsError(), "No AWS credentials"),
    ],
    ids=["absent", "denied", "credentials"],
)
def test_a_stack_that_cannot_name_the_secret_is_a_failure(
    patient: Patient, error: Exception, words: str
) -> None:
    patient.connect = error
    result = patient.result("target")
    assert result.status == "failed"
    assert words in result.seen
    assert result.remedy


def test_a_stack_that_does_not_name_its_api_is_a_failure(patient: Patient) -> None:
    patient.target = replace(patient.target, api=None)
    result = patient.result("target")
    assert "has no output ApiUrl" in result.seen
    assert "docs/deploy.md" in result.remedy


def test_a_local_stack_needs_no_call_to_sts(patient: Patient) -> None:
    patient.target_options = TargetOptions(local=Path("x"))
    patient.session.identity = AssertionError("asked")
    found = patient.examined()
    assert found["credentials"][0].seen == "the local stack's"
    assert found["target"][0].seen.startswith("the local stack, https://")


def test_responses_of_aws_contain_the_time(patient: Patient) -> None:
    patient.session.date = formatdate(1_700_000_000)
    result = patient.result("clock")
    assert result.status == "failed"
    assert "s ahead of AWS'" in result.seen
