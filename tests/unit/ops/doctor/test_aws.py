"""Credentials, region, and what the options lead to."""

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


def test_whose_credentials_they_are_is_said(patient: Patient) -> None:
    assert patient.result("credentials").seen.endswith(":assumed-role/Operators/alice")


def test_none_are_a_failure(patient: Patient) -> None:
    patient.session.credentials = None
    result = patient.result("credentials")
    assert (result.status, result.seen) == ("failed", "There are no AWS credentials to use.")
    assert "Log in" in result.remedy


def test_a_profile_that_is_not_there_is_one(patient: Patient) -> None:
    patient.session.identity = ProfileNotFound(profile="nobody")
    assert "no such AWS profile" in patient.result("credentials").seen


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_those_that_aws_does_not_take_are_one(patient: Patient, code: str) -> None:
    patient.session.identity = refused("GetCallerIdentity", code)
    found = patient.examined()
    assert found["credentials"][0].status == "failed"
    assert found["secret"][0].seen == "needs credentials"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused("GetCallerIdentity", "AccessDenied"), "sts:GetCallerIdentity"),
        (ConnectTimeoutError(endpoint_url="x"), "AWS was not reached."),
    ],
    ids=["denied", "unreached"],
)
def test_an_sts_that_does_not_say_whose_they_are_ends_nothing(
    patient: Patient, error: Exception, words: str
) -> None:
    patient.session.identity = error
    found = patient.examined()
    (result,) = found["credentials"]
    assert result.status == "warning"
    assert words in result.seen
    assert found["token"][0].status == "ok"


def test_without_a_region_nothing_can_be_asked(patient: Patient) -> None:
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
        (NoCredentialsError(), "no AWS credentials"),
    ],
    ids=["absent", "denied", "credentials"],
)
def test_a_stack_that_cannot_be_asked_for_the_secret_is_a_failure(
    patient: Patient, error: Exception, words: str
) -> None:
    patient.connect = error
    result = patient.result("target")
    assert result.status == "failed"
    assert words in result.seen
    assert result.remedy


def test_a_stack_that_does_not_name_its_api_is_one_too(patient: Patient) -> None:
    patient.target = replace(patient.target, api=None)
    result = patient.result("target")
    assert "has no output ApiUrl" in result.seen
    assert "docs/deploy.md" in result.remedy


def test_of_a_local_stack_nobody_is_asked_whose_it_is(patient: Patient) -> None:
    patient.target_options = TargetOptions(local=Path("x"))
    patient.session.identity = AssertionError("asked")
    found = patient.examined()
    assert found["credentials"][0].seen == "those of the local stack"
    assert found["target"][0].seen.startswith("the local stack, https://")


def test_answers_of_aws_say_the_time(patient: Patient) -> None:
    patient.session.date = formatdate(1_700_000_000)
    result = patient.result("clock")
    assert result.status == "failed"
    assert "s ahead of AWS'" in result.seen
