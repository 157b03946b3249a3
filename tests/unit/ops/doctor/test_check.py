"""All checks together: a healthy deployment, and a failed check that does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from local.aws.secrets_manager import APP_ID, SecretsManager
from ops.checklist.check import CannotCheckError, Check, CheckResult, examine
from ops.doctor.command import checks
from ops.errors import CommandError, ExitCode
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import BEARER, DEAD_LETTERS, DIRECT

CHECKS = checks()


def test_a_healthy_deployment_needs_no_remedy(
    patient: Patient, aws: SecretsManager, env_file: Callable[[str], Path]
) -> None:
    env_file(f"ZEGO_APP_ID={APP_ID}\n")
    patient.options = replace(patient.options, app_id=APP_ID)
    # behind an edge, and with an IncomingCallUrl
    patient.target = replace(patient.target, direct=DIRECT, dead_letters=DEAD_LETTERS)
    found = patient.examined()
    assert [name for name, results in found.items() if not results] == []
    results = [result for results in found.values() for result in results]
    assert {result.status for result in results} == {"ok", "note"}
    assert {result.remedy for result in results} == {""}


def test_the_checks_go_from_the_configuration_to_a_token() -> None:
    names = [check.name for check in CHECKS]
    assert len(names) == len({*names})
    for check in CHECKS:
        assert check.question.endswith("?")
        assert all(names.index(need) < names.index(check.name) for need in check.needs)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_each_check_has_a_remedy_if_it_fails(check: Check[Any]) -> None:
    never_fails = {"defaults", "drift"}  # and each result of a drift has its own remedy
    assert bool(check.remedy) is (check.name not in never_fails)


def test_a_failed_check_skips_only_the_checks_that_need_it(patient: Patient) -> None:
    patient.connect = EndpointConnectionError(endpoint_url="https://secret")
    found = patient.examined()
    (target,) = found["target"]
    assert (target.status, target.seen) == ("failed", "AWS could not be reached.")
    for name in ("secret", "labels", "verdict", "fingerprint", "token", "clock"):
        (result,) = found[name]
        assert (result.status, result.seen) == ("skipped", "needs target"), name
    assert {result.status for result in found["credentials"]} == {"ok"}
    assert {result.status for result in found["defaults"]} == {"note"}


def failing(error: Exception) -> Check[Any]:
    def failing_check(_deployment: object) -> list[CheckResult]:
        raise error

    return Check("bad", "AWS", "?", failing_check, "Fix it.")


def test_a_bug_in_a_check_is_one_failed_check_that_shows_no_text(patient: Patient) -> None:
    checks = (failing(RuntimeError(BEARER)), CHECKS[0])
    (_, bad), (_, good) = examine(patient.deployment(), checks)
    assert (bad.status, good.status) == ("failed", "ok")
    assert "zego-token itself failed: RuntimeError in failing_check" in bad.seen
    assert BEARER not in bad.seen


def test_a_usage_error_ends_the_command(patient: Patient) -> None:
    check = failing(CommandError("--secret-id is not an ARN.", "", ExitCode.USAGE))
    with pytest.raises(CommandError):
        list(examine(patient.deployment(), (check,)))


def test_a_check_that_cannot_find_out_is_skipped_with_what_to_do(patient: Patient) -> None:
    check = failing(CannotCheckError("AWS denied sns:Publish.", "Allow it."))
    ((_, result),) = examine(patient.deployment(), (check,))
    assert (result.status, result.seen) == ("skipped", "AWS denied sns:Publish.")
    assert result.remedy == "Allow it."
