"""The issuer's address, health, status, policy, keys and CORS."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from local.aws.secrets_manager import SecretsManager
from ops.doctor.deployment import DoctorOptions
from ops.target import TargetOptions
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import API, ORIGIN, json_response
from tests.unit.ops.fakes import Zego, stored
from zego.bounded_http import Response
from zego.server_secret import ServerSecret

NEW = "0123456789abcdef" * 2


def test_without_an_address_its_checks_are_skipped(patient: Patient) -> None:
    patient.target = replace(patient.target, api=None)
    patient.target_options = replace(patient.target_options, stage=None, secret_id="zego/x")
    found = patient.examined()
    assert found["address"][0].status == "skipped"
    assert "--api URL" in found["address"][0].remedy
    for name in ("health", "status", "fingerprint", "policy", "signing-keys", "cors", "token"):
        assert found[name][0].seen == "needs address", name


def test_the_given_address_comes_first(patient: Patient) -> None:
    patient.target = replace(patient.target, api="https://elsewhere")
    patient.options = replace(patient.options, api=API)
    assert patient.result("address").seen == API
    assert patient.result("health").status == "ok"


class TestHealth:
    def test_an_issuer_that_cannot_be_reached_is_a_failure(self, patient: Patient) -> None:
        patient.issuer.down["/v1/health"] = "abc123 cannot be reached: it refused the connection"
        found = patient.examined()
        assert "it refused the connection" in found["health"][0].seen
        assert "--api" in found["health"][0].remedy
        assert found["status"][0].seen == found["token"][0].seen == "needs health"

    @pytest.mark.parametrize(
        "other",
        [Response(404, {}, b'{"message":"Not Found"}'), Response(200, {}, b"<html>")],
        ids=["not-found", "a-page"],
    )
    def test_another_server_is_a_failure(self, patient: Patient, other: Response) -> None:
        patient.issuer.responses["/v1/health"] = other
        result = patient.result("health")
        assert (result.status, f"HTTP {other.status}." in result.seen) == ("failed", True)
        assert "ApiUrl" in result.remedy


class TestStatus:
    def test_the_request_is_signed_for_the_apis_region(self, patient: Patient) -> None:
        patient.session.region_name = "us-east-1"
        assert patient.result("status").status == "ok"
        method, headers = patient.issuer.requests["/v1/status"]
        assert method == "GET"
        scope = r"AKIAEXAMPLE/\d{8}/eu-west-1/execute-api/aws4_request"
        assert re.search(scope, headers["Authorization"])

    def test_a_custom_domain_is_in_the_sessions_region(self, patient: Patient) -> None:
        patient.options = replace(patient.options, api="https://tokens.example.com")
        patient.session.region_name = "us-east-1"
        patient.examined()
        _, headers = patient.issuer.requests["/v1/status"]
        assert "/us-east-1/execute-api/" in headers["Authorization"]

    @pytest.mark.parametrize(
        ("refusal", "words"),
        [
            (Response(403, {}, b'{"message":"Forbidden"}'), "StatusRouteArn"),
            (json_response(403, {"code": "not_granted"}), "read_status = true"),
        ],
        ids=["api-gateway", "policy"],
    )
    def test_a_status_that_these_credentials_may_not_read_is_skipped(
        self, patient: Patient, refusal: Response, words: str
    ) -> None:
        patient.issuer.responses["/v1/status"] = refusal
        found = patient.examined()
        (result,) = found["status"]
        assert result.status == "skipped"
        assert words in result.remedy
        assert found["fingerprint"][0].seen == found["policy"][0].seen == "needs status"
        assert found["token"][0].status == "ok"

    def test_an_issuer_without_a_secret_is_a_failure(self, patient: Patient) -> None:
        patient.issuer.problem("/v1/status", 503, "secret_unavailable")
        result = patient.result("status")
        assert result.seen.endswith("HTTP 503, secret_unavailable.")
        assert "cannot read the secret" in result.remedy

    def test_the_text_of_another_server_is_not_repeated(self, patient: Patient) -> None:
        patient.issuer.responses["/v1/status"] = json_response(
            418, {"code": "\x1b[2J", "message": "evil"}
        )
        assert patient.result("status").seen.endswith("HTTP 418.")


class TestFingerprint:
    def test_it_is_awscurrents(self, patient: Patient) -> None:
        result = patient.result("fingerprint")
        assert (result.status, result.seen) == (
            "ok",
            f"{patient.issuer.secret.fingerprint}, AWSCURRENT's",
        )

    @pytest.mark.parametrize(("seconds", "status"), [(5, "warning"), (3600, "failed")])
    def test_for_a_minute_it_may_be_the_previous_one(
        self, patient: Patient, aws: SecretsManager, zego: Zego, seconds: float, status: str
    ) -> None:
        stored(aws, NEW, label="AWSCURRENT")
        zego.accepted.add(NEW)
        patient.seconds_later = seconds
        result = patient.result("fingerprint")
        assert result.status == status
        assert "(AWSPREVIOUS); AWSCURRENT is" in result.seen
        assert result.remedy

    def test_another_secret_is_a_failure(self, patient: Patient) -> None:
        patient.issuer.secret = ServerSecret(patient.issuer.secret.app_id, NEW)
        result = patient.result("fingerprint")
        assert (result.status, "(no label)" in result.seen) == ("failed", True)


class TestPolicy:
    def test_without_a_file_it_is_named(self, patient: Patient) -> None:
        patient.options = DoctorOptions()
        result = patient.result("policy")
        assert (result.status, "sha256" in result.seen) == ("ok", True)

    def test_another_file_is_a_drift(self, patient: Patient, tmp_path: Path) -> None:
        other = tmp_path / "other.toml"
        other.write_text("x")
        patient.options = DoctorOptions(policy=other)
        result = patient.result("policy")
        assert result.status == "failed"
        assert hashlib.sha256(b"x").hexdigest()[:12] in result.seen
        assert "make deploy" in result.remedy

    def test_a_missing_file_is_reported(self, patient: Patient, tmp_path: Path) -> None:
        patient.options = DoctorOptions(policy=tmp_path / "none.toml")
        assert "cannot be read" in patient.result("policy").seen

    def test_an_issuer_of_another_stage_is_a_failure(self, patient: Patient) -> None:
        patient.issuer.stage = "dev"
        first, second = patient.results("policy")
        assert (first.status, second.status) == ("failed", "ok")
        assert "belongs to stage dev, but --stage is prod" in first.seen


class TestSigningKeys:
    URI = "https://idp/keys"

    @pytest.mark.parametrize(
        ("said", "status", "words"),
        [
            ({"keys": 3, "problem": None}, "ok", "3 keys from https://idp/keys"),
            (
                {"keys": None, "problem": "responded with status 404"},
                "failed",
                "responded with status 404",
            ),
            ({"keys": 0, "problem": None}, "failed", "no key"),
            ({"keys": 0, "problem": "no key for RS256"}, "failed", "no key for RS256"),
            (
                {"keys": 2, "problem": "responded with status 500"},
                "warning",
                "2 keys from https://idp/keys, usable",
            ),
            ({"keys": None, "problem": None}, "skipped", "not fetched it yet"),
            ({"keys": None, "problem": "not fetched: x"}, "skipped", "not fetched it yet"),
        ],
        ids=["keys", "problem", "none", "unfit", "stale", "not-asked", "no-time"],
    )
    def test_the_issuer_reports_its_keys(
        self, patient: Patient, said: dict[str, Any], status: str, words: str
    ) -> None:
        patient.issuer.signing_keys = [{"identity": "web", "jwks_uri": self.URI} | said]
        result = patient.result("signing-keys")
        assert (result.status, result.of) == (status, "web")
        assert words in result.seen

    def test_an_older_issuer_does_not_report_them(self, patient: Patient) -> None:
        patient.issuer.signing_keys = None
        assert patient.result("signing-keys").status == "skipped"

    def test_a_policy_without_frontends_needs_none(self, patient: Patient) -> None:
        patient.issuer.signing_keys = []
        assert patient.result("signing-keys").status == "ok"


class TestSharedKeys:
    @pytest.mark.parametrize(
        ("said", "status", "words"),
        [
            ({"keys": 1, "problem": None}, "ok", "a key from calls/session-key"),
            ({"keys": 2, "problem": None}, "ok", "2 keys from calls/session-key"),
            ({"keys": None, "problem": "the key has 5 bytes"}, "failed", "the key has 5 bytes."),
            ({"keys": None, "problem": "not fetched: x"}, "skipped", "has not read it yet"),
        ],
        ids=["one", "two", "problem", "no-time"],
    )
    def test_the_issuer_reports_its_shared_keys(
        self, patient: Patient, said: dict[str, Any], status: str, words: str
    ) -> None:
        patient.issuer.shared_keys = [{"identity": "app", "secret": "calls/session-key"} | said]
        result = patient.result("shared-keys")
        assert (result.status, result.of) == (status, "app")
        assert words in result.seen

    def test_an_older_issuer_does_not_report_them(self, patient: Patient) -> None:
        patient.issuer.shared_keys = None
        assert patient.result("shared-keys").status == "skipped"

    def test_a_policy_without_shared_keys_needs_none(self, patient: Patient) -> None:
        patient.issuer.shared_keys = []
        assert patient.results("shared-keys") == []


class TestDenials:
    @pytest.mark.parametrize(
        ("said", "status", "words"),
        [
            ({"denials": 0, "problem": None}, "ok", "0 denials"),
            ({"denials": 1, "problem": None}, "ok", "1 denial"),
            ({"denials": None, "problem": "Unreachable: x"}, "failed", "cannot read the denials"),
            ({"denials": 3, "problem": "they are old"}, "warning", "3 in force, but"),
            (None, "note", "Limits is Off"),
        ],
        ids=["none", "one", "unread", "old", "off"],
    )
    def test_the_issuer_reports_its_denials(
        self, patient: Patient, said: object, status: str, words: str
    ) -> None:
        patient.issuer.limits = said
        result = patient.result("denials")
        assert (result.status, words in result.seen) == (status, True)

    def test_an_older_issuer_does_not_report_them(self, patient: Patient) -> None:
        patient.issuer.is_old = True
        assert patient.result("denials").status == "skipped"


class TestCors:
    def test_an_allowed_origin_is_ok(self, patient: Patient) -> None:
        result = patient.result("cors")
        assert (result.status, result.of) == ("ok", ORIGIN)

    def test_each_origin_is_checked(self, patient: Patient) -> None:
        other = "https://other.example.com"
        patient.options = DoctorOptions(origins=(other, ORIGIN))
        assert [(one.of, one.status) for one in patient.results("cors")] == [
            (other, "failed"),
            (ORIGIN, "ok"),
        ]
        assert "AllowedOrigins" in patient.results("cors")[0].remedy
        patient.target_options = TargetOptions(local=Path("x"))
        assert f"--allow-origin {other}" in patient.results("cors")[0].remedy

    @pytest.mark.parametrize(
        ("name", "value", "lacks"),
        [
            ("methods", "GET", "post"),
            ("headers", "Authorization", "content-type"),
            ("headers", "", "authorization"),
        ],
        ids=["method", "header", "headers"],
    )
    def test_the_preflight_must_allow_what_a_page_sends(
        self, patient: Patient, name: str, value: str, lacks: str
    ) -> None:
        patient.issuer.allowed[f"access-control-allow-{name}"] = value
        result = patient.result("cors")
        assert result.status == "failed"
        assert lacks in result.seen

    @pytest.mark.parametrize("method", ["OPTIONS", "GET"])
    def test_the_preflight_and_the_response_must_both_allow_it(
        self, patient: Patient, method: str
    ) -> None:
        patient.issuer.silent = {method}
        assert patient.result("cors").status == "failed"

    def test_a_wildcard_allows_all_but_the_bearer_token(self, patient: Patient) -> None:
        patient.issuer.allowed = dict.fromkeys(patient.issuer.allowed, "*")
        result = patient.result("cors")
        assert result.seen == "access-control-allow-headers lacks authorization."
        patient.issuer.allowed["access-control-allow-headers"] = "*, Authorization"
        assert patient.result("cors").status == "ok"

    def test_without_an_origin_there_is_a_note(self, patient: Patient) -> None:
        patient.options = DoctorOptions()
        assert patient.result("cors").status == "note"
