"""A token made by the issuer, and what is found of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local.aws.secrets_manager import SecretsManager
from ops.doctor.deployment import DoctorOptions
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import BEARER, answer
from tests.unit.ops.fakes import Zego, stored
from zego.bounded_http import Response
from zego.server_secret import ServerSecret

NEW = "0123456789abcdef" * 2
SERVICE = "/v1/service/tokens"
FRONTEND = "/v1/tokens"


def test_a_good_one_is_told_by_whom_and_for_what_it_is(patient: Patient) -> None:
    patient.options = DoctorOptions(user="bob", room="lobby")
    result = patient.result("token")
    assert result.status == "ok"
    said = "bob may enter lobby, for 2 h: sealed with AWSCURRENT, which ZEGO accepts (gcm)"
    assert result.seen == said


def test_a_made_up_room_is_a_new_one_every_time(patient: Patient) -> None:
    first, second = patient.result("token").seen, patient.result("token").seen
    assert "doctor may enter call_doctor_" in first
    assert first != second


def test_it_is_shown_nowhere(patient: Patient) -> None:
    found = patient.examined()
    assert patient.issuer.token
    assert patient.issuer.token[:30] not in repr(found)


def test_with_a_bearer_token_it_is_asked_for_as_a_frontend_does(patient: Patient) -> None:
    patient.options = DoctorOptions(bearer=BEARER)
    assert "alice may enter call_doctor_" in patient.result("token").seen
    _, headers = patient.issuer.requests[FRONTEND]
    assert headers["authorization"] == f"Bearer {BEARER}"
    assert SERVICE not in patient.issuer.requests
    assert BEARER not in repr(patient.options)


@pytest.mark.parametrize(
    ("bearer", "refusal", "words"),
    [
        (None, Response(403, {}, b'{"message":"Forbidden"}'), "ServiceRoutesArn"),
        (None, answer(403, {"code": "not_granted"}), "--user"),
        (BEARER, answer(403, {"code": "not_granted"}), "--room"),
    ],
    ids=["api-gateway", "policy", "policy-bearer"],
)
def test_one_that_is_not_granted_is_nobodys_fault(
    patient: Patient, bearer: str | None, refusal: Response, words: str
) -> None:
    patient.options = DoctorOptions(bearer=bearer)
    patient.issuer.answers[FRONTEND if bearer else SERVICE] = refusal
    result = patient.result("token")
    assert result.status == "skipped"
    assert words in result.remedy


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "bearer_expired", "fresh bearer token"),
        (401, "bearer_wrong_audience", "aud"),
        (422, "invalid_identifier", "--user and --room"),
        (500, "internal_error", "level ERROR"),
        (503, "secret_unavailable", "cannot read the secret"),
        (429, "", "docs/operations.md"),
    ],
)
def test_one_that_is_refused_for_another_reason_is_a_failure(
    patient: Patient, status: int, code: str, words: str
) -> None:
    patient.issuer.problem(SERVICE, status, code)
    result = patient.result("token")
    assert result.status == "failed"
    assert f"HTTP {status}" in result.seen
    assert words in result.remedy


def test_one_that_no_version_opens_is_a_failure(patient: Patient) -> None:
    patient.issuer.secret = ServerSecret(patient.issuer.secret.app_id, NEW)
    result = patient.results("token")[0]
    assert result.status == "failed"
    assert result.remedy


def test_one_that_is_no_token04_is_a_failure(patient: Patient) -> None:
    patient.issuer.answers[SERVICE] = answer(201, {"token": "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"})
    result = patient.results("token")[0]
    assert (result.status, "JWT" in result.seen) == ("failed", True)


def test_one_that_lives_too_short_is_a_failure_or_a_warning(patient: Patient) -> None:
    patient.issuer.lifetime_seconds = 20
    assert {one.status for one in patient.results("token")} & {"failed", "warning"}


def test_one_for_another_app_than_the_clients_is_a_failure(patient: Patient) -> None:
    patient.options = DoctorOptions(app_id=5)
    assert patient.results("token")[0].status == "failed"


def test_one_for_another_room_is_a_failure(patient: Patient) -> None:
    patient.issuer.room_id = "elsewhere"
    assert patient.results("token")[0].status in {"failed", "warning"}


def test_one_that_is_sealed_with_what_zego_rejects_is_a_failure(
    patient: Patient, zego: Zego
) -> None:
    zego.accepted.clear()
    result = patient.result("token")
    assert (result.status, "which ZEGO rejects" in result.seen) == ("failed", True)


def test_one_that_zego_cannot_judge_is_a_warning(patient: Patient, zego: Zego) -> None:
    zego.busy = True
    assert patient.result("token").status == "warning"


def test_one_of_an_issuer_that_has_the_last_secret_says_so(
    patient: Patient, aws: SecretsManager, zego: Zego
) -> None:
    stored(aws, NEW, label="AWSCURRENT")
    zego.accepted.add(NEW)
    assert "AWSPREVIOUS" in " ".join(one.seen for one in patient.results("token"))


def test_a_clock_that_is_wrong_here_makes_no_token_wrong(patient: Patient) -> None:
    probe = patient.target.probe
    patient.seconds_later = 9000.0
    patient.target = replace(
        patient.target, probe=lambda secret: replace(probe(secret), clock_skew_seconds=9000.0)
    )
    assert patient.result("clock").status == "failed"
    assert patient.result("token").status == "ok"
