"""All checks together: a deployment that is well, and one check that does not stop the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError

from local.aws.secrets_manager import APP_ID, SecretsManager
from ops.doctor.check import Check, CheckResult, examine
from ops.doctor.command import checks
from ops.errors import CommandError, ExitCode
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import BEARER

CHECKS = checks()


def test_where_all_is_well_nothing_is_to_be_done(
    patient: Patient, aws: SecretsManager, env_file: Callable[[str], Path]
) -> None:
    env_file(f"ZEGO_APP_ID={APP_ID}\n")
    patient.options = replace(patient.options, app_id=APP_ID)
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
def test_each_check_says_what_to_do_where_it_fails(check: Check) -> None:
    never_fails = {"defaults", "drift"}  # and each result of a drift has a remedy of its own
    assert bool(check.remedy) is (check.name not in never_fails)


def test_what_fails_leaves_out_what_needs_it_and_nothing_else(patient: Patient) -> None:
    patient.connect = EndpointConnectionError(endpoint_url="https://secret")
    found = patient.examined()
    (target,) = found["target"]
    assert (target.status, target.seen) == ("failed", "AWS was not reached.")
    for name in ("secret", "labels", "verdict", "fingerprint", "token", "clock"):
        (result,) = found[name]
        assert (result.status, result.seen) == ("skipped", "needs target"), name
    assert {result.status for result in found["credentials"]} == {"ok"}
    assert {result.status for result in found["defaults"]} == {"note"}


def failing(error: Exception) -> Check:
    def look(_deployment: object) -> list[CheckResult]:
        raise error

    return Check("bad", "AWS", "?", look, "Mend it.")


def test_a_fault_of_our_own_is_one_failed_check_that_shows_no_text(patient: Patient) -> None:
    checks = (failing(RuntimeError(BEARER)), CHECKS[0])
    (_, bad), (_, good) = examine(patient.deployment(), checks)
    assert (bad.status, good.status) == ("failed", "ok")
    assert "zego-token itself failed: RuntimeError in look" in bad.seen
    assert BEARER not in bad.seen


def test_a_mistake_of_usage_ends_the_command(patient: Patient) -> None:
    check = failing(CommandError("--secret-id is no ARN.", "", ExitCode.USAGE))
    with pytest.raises(CommandError):
        list(examine(patient.deployment(), (check,)))
