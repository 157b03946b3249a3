"""Checks of what must be refused. Each is broken once: the request is accepted."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from dataclasses import replace
from typing import Any

import pytest

from local.aws import http_api
from ops.doctor.deployment import DoctorOptions
from ops.doctor.refusals import ANONYMOUS
from ops.target import TargetOptions
from tests.unit.ops.doctor.conftest import Patient
from tests.unit.ops.doctor.fakes import BEARER, DIRECT, json_response
from tests.unit.ops.fakes import Zego
from zego.bounded_http import Response
from zego.server_api import Verdict
from zego.server_secret import ServerSecret

PUBLIC = {"GET /v1/health", "GET /v1/problems"}
STOP = 'docs/operations.md, "Stop the issuer"'


def decoded(part: str) -> Any:
    return json.loads(urlsafe_b64decode(part + "=="))


@pytest.mark.parametrize("without_secret", [False, True])
def test_a_healthy_deployment_refuses_all(patient: Patient, without_secret: bool) -> None:
    patient.options = DoctorOptions(without_secret=without_secret)
    found = patient.examined()
    for name in ("anonymous", "forged-bearer", "not-granted", "made-up"):
        assert {result.status for result in found[name]} == {"ok"}, name


class TestAnonymous:
    def test_every_route_but_the_public_ones_is_tried(self) -> None:
        by_gateway = {route: code is None for route, (_, code) in ANONYMOUS.items()}
        assert by_gateway == {
            route.key: route.auth == "AWS_IAM"
            for route in http_api.ROUTES
            if route.key not in PUBLIC
        }

    @pytest.mark.parametrize("route", ANONYMOUS)
    def test_a_route_that_lets_strangers_in_is_a_failure(
        self, patient: Patient, route: str
    ) -> None:
        patient.issuer.open = {route}
        patient.issuer.responses[route.split()[1]] = json_response(200, {})
        (result,) = patient.results("anonymous")
        assert (result.status, result.of) == ("failed", route)
        assert result.seen == "It is accepted: HTTP 200."
        assert STOP in result.remedy

    @pytest.mark.parametrize(
        ("status", "code"), [(401, "iam_identity_missing"), (422, "invalid_identifier"), (503, "")]
    )
    def test_a_refusal_for_another_reason_shows_nothing(
        self, patient: Patient, status: int, code: str
    ) -> None:
        patient.issuer.open = {"POST /v1/service/tokens"}
        patient.issuer.problem("/v1/service/tokens", status, code)
        (result,) = patient.results("anonymous")
        assert (result.status, result.of) == ("failed", "POST /v1/service/tokens")
        assert result.seen.startswith(f"Not refused for this: HTTP {status}")
        assert STOP not in result.remedy


class TestForgedBearer:
    def test_it_names_the_identity_provider_and_has_no_valid_signature(
        self, patient: Patient
    ) -> None:
        patient.issuer.signing_keys = [{"identity": "web", "issuer": "https://idp/", "keys": 2}]
        patient.issuer.bearers.clear()
        patient.examined()
        forged = [bearer.split(".") for bearer in patient.issuer.bearers if bearer]
        assert [decoded(header)["alg"] for header, _, _ in forged] == ["RS256", "none"]
        assert [len(signature) for _, _, signature in forged] == [342, 0]
        for _, claims, _ in forged:
            assert decoded(claims)["iss"] == "https://idp/"
            assert decoded(claims)["exp"] > patient.now

    def test_an_accepted_one_is_a_failure(self, patient: Patient) -> None:
        patient.issuer.forgeable = True
        patient.issuer.granted = (".*", ".*")
        results = patient.results("forged-bearer")
        assert [(one.status, one.of) for one in results] == [
            ("failed", "web, alg RS256"),
            ("failed", "web, alg none"),
        ]
        assert all(STOP in one.remedy for one in results)

    def test_each_identity_provider_is_tried(self, patient: Patient) -> None:
        patient.issuer.signing_keys = [
            {"identity": name, "issuer": f"https://{name}/", "keys": 1} for name in ("web", "app")
        ]
        named = {one.of.partition(",")[0] for one in patient.results("forged-bearer")}
        assert named == {"web", "app"}

    def test_a_policy_without_identity_providers_trusts_no_other(self, patient: Patient) -> None:
        patient.issuer.signing_keys = []
        first, second = patient.results("forged-bearer")
        assert (first.status, second.status) == ("ok", "ok")
        assert first.of == "an unknown provider, alg RS256"

    def test_keys_that_are_unavailable_show_nothing(self, patient: Patient) -> None:
        patient.issuer.forgeable = True
        patient.issuer.problem("/v1/tokens", 503, "signing_keys_unavailable")
        assert {one.status for one in patient.results("forged-bearer")} == {"failed"}


class TestNotGranted:
    @pytest.mark.parametrize(
        ("granted", "every_room", "what"),
        [
            ((r"doctor_\w+", r".*"), False, "another room"),
            ((r".*", r"doctor_\w+"), False, "another user"),
            ((r"doctor_\w+", r"doctor_\w+"), True, "a token for every room"),
        ],
    )
    def test_a_grant_beyond_the_pipelines_rule_is_a_failure(
        self, patient: Patient, granted: tuple[str, str], every_room: bool, what: str
    ) -> None:
        patient.options = DoctorOptions(without_secret=True)
        patient.issuer.granted, patient.issuer.every_room = granted, every_room
        failed = [one for one in patient.results("not-granted") if one.status != "ok"]
        assert [(one.status, one.of) for one in failed] == [("failed", what)]
        assert "Narrow the rule" in failed[0].remedy

    def test_other_credentials_may_have_every_room(self, patient: Patient) -> None:
        patient.issuer.granted = (".*", ".*")
        result = patient.result("not-granted")
        assert (result.status, result.remedy) == ("note", "")
        assert result.seen == (
            "The access policy grants these credentials a room with a random name."
        )

    def test_a_bearer_tokens_user_is_not_named(self, patient: Patient) -> None:
        patient.options = DoctorOptions(bearer=BEARER, without_secret=True)
        assert [one.of for one in patient.results("not-granted")] == [
            "another room",
            "a token for every room",
        ]

    @pytest.mark.parametrize(("without_secret", "status"), [(False, "skipped"), (True, "failed")])
    def test_credentials_that_api_gateway_refuses_show_nothing(
        self, patient: Patient, without_secret: bool, status: str
    ) -> None:
        patient.options = DoctorOptions(without_secret=without_secret)
        patient.issuer.responses["/v1/service/tokens"] = Response(403, {}, b"{}")
        result = patient.result("not-granted")
        assert result.status == status
        assert "ServiceRoutesArn" in result.remedy

    def test_another_refusal_is_a_failure(self, patient: Patient) -> None:
        patient.issuer.problem("/v1/service/tokens", 503, "secret_unavailable")
        result = patient.result("not-granted")
        assert (result.status, "HTTP 503" in result.seen) == ("failed", True)


class TestEdge:
    @pytest.fixture(autouse=True)
    def _required(self, patient: Patient) -> None:
        patient.issuer.edge = True
        patient.target = replace(patient.target, api="https://tokens.acme.test", direct=DIRECT)

    @pytest.mark.parametrize(
        ("status", "document"),
        [
            (403, {"code": "edge_required"}),
            (404, {"message": "Not Found"}),  # DisableExecuteApi
            (403, {"message": "Forbidden"}),
        ],
    )
    def test_a_request_that_avoids_the_edge_is_refused(
        self, patient: Patient, status: int, document: dict[str, str]
    ) -> None:
        patient.issuer.past_edge = json_response(status, document)
        result = patient.result("edge")
        assert (result.status, result.seen.startswith(f"{DIRECT} returned HTTP")) == ("ok", True)

    def test_a_request_that_avoids_the_edge_and_is_served_is_a_failure(
        self, patient: Patient
    ) -> None:
        patient.issuer.past_edge = json_response(200, {"status": "ok"})
        result = patient.result("edge")
        assert (result.status, result.seen) == ("failed", f"{DIRECT} returned HTTP 200.")
        assert "docs/edge.md, step 4" in result.remedy

    @pytest.mark.parametrize(("status", "code"), [(404, "route_not_found"), (500, "x")])
    def test_another_response_does_not_show_that_it_is_refused(
        self, patient: Patient, status: int, code: str
    ) -> None:
        patient.issuer.past_edge = json_response(status, {"code": code})
        result = patient.result("edge")
        assert (result.status, "step 4" in result.remedy) == ("failed", False)

    def test_an_edge_that_the_stack_does_not_require_is_a_warning(self, patient: Patient) -> None:
        patient.target = replace(patient.target, direct=None)
        result = patient.result("edge")
        assert (result.status, "requests that avoid it" in result.seen) == ("warning", True)
        assert "docs/edge.md, step 4" in result.remedy

    def test_without_an_edge_there_is_nothing_to_check(self, patient: Patient) -> None:
        patient.issuer.edge, patient.target = False, replace(patient.target, direct=None)
        assert patient.results("edge") == []

    def test_without_a_stack_it_is_not_known(self, patient: Patient) -> None:
        patient.options = replace(patient.options, api="https://tokens.acme.test")
        patient.target_options = TargetOptions(secret_id="zego/server-secret")
        patient.target = replace(patient.target, api=None, direct=None)
        assert patient.results("edge") == []


class TestMadeUp:
    def probed(self, patient: Patient) -> list[ServerSecret]:
        """The secrets that ZEGO is asked about from now on."""
        seen: list[ServerSecret] = []
        probe = patient.target.probe

        def watched(secret: ServerSecret) -> Verdict:
            seen.append(secret)
            return probe(secret)

        patient.target = replace(patient.target, probe=watched)
        return seen

    def test_it_has_the_same_app_id_and_is_new_every_time(self, patient: Patient) -> None:
        seen = self.probed(patient)
        patient.examined()
        patient.examined()
        current, first, _, second = seen
        assert {one.app_id for one in seen} == {current.app_id}
        assert len({current.value, first.value, second.value}) == 3

    def test_without_the_secret_the_issuer_reports_the_app_id(self, patient: Patient) -> None:
        patient.options = DoctorOptions(without_secret=True)
        seen = self.probed(patient)
        assert patient.result("made-up").status == "ok"
        assert [one.app_id for one in seen] == [patient.issuer.secret.app_id]

    def test_a_zego_that_accepts_it_shows_nothing(self, patient: Patient) -> None:
        patient.target = replace(
            patient.target, probe=lambda _secret: Verdict("accepted", "ZEGO accepts it", 0)
        )
        found = patient.examined()
        (result,) = found["made-up"]
        assert (result.status, found["verdict"][0].status) == ("failed", "ok")
        assert "Do not rotate" in result.remedy
        assert "--zego-api" in result.remedy

    def test_no_verdict_is_a_warning(self, patient: Patient, zego: Zego) -> None:
        zego.busy = True
        result = patient.result("made-up")
        assert result.status == "warning"
        assert result.remedy

    def test_without_an_app_id_it_cannot_be_checked(self, patient: Patient) -> None:
        patient.options = DoctorOptions(without_secret=True)
        patient.issuer.problem("/v1/status", 403, "not_granted")
        result = patient.result("made-up")
        assert (result.status, "GET /v1/status" in result.remedy) == ("failed", True)
