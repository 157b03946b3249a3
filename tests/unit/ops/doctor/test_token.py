"""Checks of a token that the issuer makes."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from local.aws.secrets_manager import SecretsManager
from local.loopback import HttpRequest, HttpResponse
from ops.doctor.deployment import DoctorOptions
from ops.target import TargetOptions
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import BEARER, json_response
from tests.unit.ops.fakes import Zego, stored
from tools.sam_template import ROOT
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


def test_the_default_user_and_room_are_new_every_time(patient: Patient) -> None:
    first, second = patient.result("token").seen, patient.result("token").seen
    assert re.search(r"user (doctor_[0-9a-f]{12}) may enter room \1,", first)
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


class TestWithoutTheSecret:
    """The issuer opens the token, and no call reads the secret."""

    @pytest.fixture(autouse=True)
    def options(self, patient: Patient) -> None:
        patient.options = DoctorOptions(without_secret=True)

    def test_the_secret_is_never_read(self, patient: Patient, aws: SecretsManager) -> None:
        calls: list[str] = []

        def refuse(request: HttpRequest) -> HttpResponse:
            calls.append(request.header("x-amz-target") or "")
            return HttpResponse(500)

        aws.intercept = refuse
        found = {name: results for name, results in patient.examined().items() if results}
        assert calls == []
        assert {one.status for results in found.values() for one in results} <= {"ok", "note"}
        assert not {"secret", "value", "verdict", "watcher", "fingerprint"} & found.keys()

    def test_the_pipelines_role_may_call_exactly_the_routes_that_this_takes(
        self, patient: Patient
    ) -> None:
        patient.examined()
        template = (ROOT / "deploy" / "pipeline.yaml").read_text(encoding="utf-8")
        allowed = re.findall(r"/\$default/(GET|POST)(/\S+)", template)
        assert {f"{method} {path}" for method, path in allowed} == patient.issuer.signed

    def test_it_is_a_token_of_the_pipelines_rule(self, patient: Patient) -> None:
        result = patient.result("token")
        assert result.status == "ok"
        assert re.fullmatch(
            r"user (doctor_\w+) may enter room \1, for 2 h: the issuer opens it with AWSCURRENT,"
            " which ZEGO accepts",
            result.seen,
        )
        assert patient.issuer.token
        assert patient.issuer.token[:30] not in repr(result)

    @pytest.mark.parametrize("label", [None, "AWSPREVIOUS"])
    def test_a_token_that_awscurrent_does_not_open_is_a_failure(
        self, patient: Patient, label: str | None
    ) -> None:
        patient.issuer.opens = label
        result = patient.result("token")
        assert (result.status, result.seen) == ("failed", "AWSCURRENT does not open it.")

    def test_a_finding_is_named(self, patient: Patient) -> None:
        patient.issuer.findings = [
            {"kind": "app-id-mismatch", "severity": "refused", "cause": "evil"},
            {"kind": "evil", "severity": "refused"},
            {"kind": "no-publish", "severity": "note"},
        ]
        (result,) = patient.results("token")
        assert result.status == "failed"
        assert result.seen == "POST /v1/diagnose finds app-id-mismatch."

    @pytest.mark.parametrize(
        ("noted", "status", "words"),
        [
            ({"verdict": "rejected"}, "failed", "which ZEGO rejects"),
            ({"verdict": "unknown"}, "warning", "noted no verdict"),
            ({"verdict": "accepted", "fingerprint": "0" * 12}, "warning", "noted no verdict"),
            (None, "warning", "noted no verdict"),
        ],
        ids=["rejected", "unknown", "another", "nothing"],
    )
    def test_the_watchers_verdict_counts(
        self, patient: Patient, noted: dict[str, str] | None, status: str, words: str
    ) -> None:
        patient.issuer.last_verdict = noted
        result = patient.result("token")
        assert (result.status, words in result.seen) == (status, True)
        assert result.remedy

    @pytest.mark.parametrize(
        ("path", "words"), [(SERVICE, "--user"), ("/v1/diagnose", "diagnose_tokens = true")]
    )
    def test_a_request_that_is_not_granted_is_a_failure(
        self, patient: Patient, path: str, words: str
    ) -> None:
        patient.issuer.problem(path, 403, "not_granted")
        result = patient.result("token")
        assert (result.status, words in result.remedy) == ("failed", True)

    def test_a_cbc_token_is_a_warning(self, patient: Patient) -> None:
        patient.issuer.responses["/v1/diagnose"] = json_response(200, {"cipher": "cbc"})
        assert patient.result("token").status == "warning"

    def test_a_status_that_may_not_be_read_is_a_failure(self, patient: Patient) -> None:
        patient.issuer.problem("/v1/status", 403, "not_granted")
        assert patient.result("status").status == "failed"

    def test_an_unknown_address_is_a_failure(self, patient: Patient) -> None:
        patient.target_options = TargetOptions(secret_id="zego/server-secret")
        patient.target = replace(patient.target, api=None)
        assert patient.result("address").status == "failed"


def test_a_wrong_local_clock_makes_no_token_invalid(patient: Patient) -> None:
    probe = patient.target.probe
    patient.seconds_later = 9000.0
    patient.target = replace(
        patient.target, probe=lambda secret: replace(probe(secret), clock_skew_seconds=9000.0)
    )
    assert patient.result("clock").status == "failed"
    assert patient.result("token").status == "ok"
