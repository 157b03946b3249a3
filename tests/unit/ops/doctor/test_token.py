"""Checks of a token that the issuer makes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from local.aws.secrets_manager import SecretsManager
from ops.doctor.deployment import DoctorOptions
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import BEARER, json_response
from tests.unit.ops.fakes import Zego, stored
from zego.bounded_http import Response
from zego.server_secret import ServerSecret

NEW = "0123456789abcdef" * 2
SERVICE = "/v1/service/tokens"
FRONTEND = "/v1/tokens"


def test_a_valid_token_is_shown_with_its_user_and_room(patient: Patient) -> None:
    patient.options = DoctorOptions(user="bob", room="lobby")
    result = patient.result("token")
    assert result.status == "ok"
    assert result.seen == (
        "user bob may enter room lobby, for 2 h: sealed with AWSCURRENT, which ZEGO accepts (gcm)"
    )


def test_the_default_room_is_new_every_time(patient: Patient) -> None:
    first, second = patient.result("token").seen, patient.result("token").seen
    assert "user doctor may enter room call_doctor_" in first
    assert first != second


def test_the_token_is_never_shown(patient: Patient) -> None:
    found = patient.examined()
    assert patient.issuer.token
    assert patient.issuer.token[:30] not in repr(found)


def test_with_a_bearer_token_the_request_is_a_frontends(patient: Patient) -> None:
    patient.options = DoctorOptions(bearer=BEARER)
    assert "user alice may enter room call_doctor_" in patient.result("token").seen
    _, headers = patient.issuer.requests[FRONTEND]
    assert headers["authorization"] == f"Bearer {BEARER}"
    assert SERVICE not in patient.issuer.requests
    assert BEARER not in repr(patient.options)


@pytest.mark.parametrize(
    ("bearer", "refusal", "words"),
    [
        (None, Response(403, {}, b'{"message":"Forbidden"}'), "ServiceRoutesArn"),
        (None, json_response(403, {"code": "not_granted"}), "--user"),
        (BEARER, json_response(403, {"code": "not_granted"}), "--room"),
    ],
    ids=["api-gateway", "policy", "policy-bearer"],
)
def test_a_token_that_is_not_granted_is_skipped(
    patient: Patient, bearer: str | None, refusal: Response, words: str
) -> None:
    patient.options = DoctorOptions(bearer=bearer)
    patient.issuer.responses[FRONTEND if bearer else SERVICE] = refusal
    result = patient.result("token")
    assert result.status == "skipped"
    assert words in result.remedy


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "bearer_expired", "new bearer token"),
        (401, "bearer_wrong_audience", "aud"),
        (422, "invalid_identifier", "--user and --room"),
        (500, "internal_error", "level ERROR"),
        (503, "secret_unavailable", "cannot read the secret"),
        (429, "", "docs/operations.md"),
    ],
)
def test_another_refusal_is_a_failure(patient: Patient, status: int, code: str, words: str) -> None:
    patient.issuer.problem(SERVICE, status, code)
    result = patient.result("token")
    assert result.status == "failed"
    assert f"HTTP {status}" in result.seen
    assert words in result.remedy


def test_a_token_that_no_version_opens_is_a_failure(patient: Patient) -> None:
    patient.issuer.secret = ServerSecret(patient.issuer.secret.app_id, NEW)
    result = patient.results("token")[0]
    assert result.status == "failed"
    assert result.remedy


def test_a_text_that_is_not_a_token04_is_a_failure(patient: Patient) -> None:
    patient.issuer.responses[SERVICE] = json_response(
        201, {"token": "eyJhbGciOiJIUzI1NiJ9.e30.AAAA"}
    )
    result = patient.results("token")[0]
    assert (result.status, "JWT" in result.seen) == ("failed", True)


def test_a_short_lifetime_is_a_failure_or_a_warning(patient: Patient) -> None:
    patient.issuer.lifetime_seconds = 20
    assert {one.status for one in patient.results("token")} & {"failed", "warning"}


def test_another_app_id_than_the_clients_is_a_failure(patient: Patient) -> None:
    patient.options = DoctorOptions(app_id=5)
    assert patient.results("token")[0].status == "failed"


def test_another_room_is_a_failure(patient: Patient) -> None:
    patient.issuer.room_id = "elsewhere"
    assert patient.results("token")[0].status in {"failed", "warning"}


def test_a_token_of_a_rejected_secret_is_a_failure(patient: Patient, zego: Zego) -> None:
    zego.accepted.clear()
    result = patient.result("token")
    assert (result.status, "which ZEGO rejects" in result.seen) == ("failed", True)


def test_a_token_without_a_verdict_is_a_warning(patient: Patient, zego: Zego) -> None:
    zego.busy = True
    assert patient.result("token").status == "warning"


def test_a_token_of_the_previous_secret_is_reported(
    patient: Patient, aws: SecretsManager, zego: Zego
) -> None:
    stored(aws, NEW, label="AWSCURRENT")
    zego.accepted.add(NEW)
    assert "AWSPREVIOUS" in " ".join(one.seen for one in patient.results("token"))


def test_a_wrong_local_clock_makes_no_token_invalid(patient: Patient) -> None:
    probe = patient.target.probe
    patient.seconds_later = 9000.0
    patient.target = replace(
        patient.target, probe=lambda secret: replace(probe(secret), clock_skew_seconds=9000.0)
    )
    assert patient.result("clock").status == "failed"
    assert patient.result("token").status == "ok"
