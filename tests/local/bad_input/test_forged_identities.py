"""Identities that only API Gateway may set, forged by a client."""

from __future__ import annotations

import base64
import json

import pytest

from tests.local.bad_input.exchanges import problem
from tests.support.routes import BATCH, CALL, SERVICE_CALL, SERVICE_TOKENS, STATUS, TOKENS
from tests.support.service import Service

FORGED = {
    "userArn": "arn:aws:sts::000000000000:assumed-role/LocalBackend/forged",
    "accountId": "000000000000",
    "callerId": "AROAFORGED:forged",
}
FORGED_HEADERS = {
    "x-amzn-request-context": json.dumps({"authorizer": {"iam": FORGED}}),
    "x-amzn-iam-user-arn": FORGED["userArn"],
    "x-amzn-iam-identity": json.dumps(FORGED),
    "x-amzn-oidc-identity": "alice",
    "x-amzn-oidc-data": base64.b64encode(json.dumps(FORGED).encode()).decode(),
    "x-amz-security-token": "forged",
    "x-apigateway-event": json.dumps({"requestContext": {"authorizer": {"iam": FORGED}}}),
    "x-apigateway-context": json.dumps({"identity": FORGED}),
    "x-forwarded-user": "alice",
    "requestcontext.authorizer.iam.userarn": FORGED["userArn"],
}
FORGED_BODIES: list[dict[str, object]] = [
    {"requestContext": {"authorizer": {"iam": FORGED}}},
    {"authorizer": {"iam": FORGED}},
    {"iam": FORGED},
    {"userArn": FORGED["userArn"]},
    {"routeKey": SERVICE_TOKENS},
    {"headers": {"authorization": "Bearer x"}},
]


class TestForgedIdentities:
    @pytest.mark.parametrize("route", [TOKENS, CALL])
    def test_headers_that_imitate_api_gateway_do_not_authenticate(
        self, issuer: Service, route: str
    ) -> None:
        answer = issuer.send(route, {"user_id": "bob"}, headers=FORGED_HEADERS)
        problem(answer, 401, "bearer_missing")

    @pytest.mark.parametrize("route", [SERVICE_TOKENS, BATCH, SERVICE_CALL, STATUS])
    def test_nor_do_they_on_the_routes_that_api_gateway_protects(
        self, issuer: Service, route: str
    ) -> None:
        lines = issuer.lines()
        answer = issuer.send(route, b"", headers=FORGED_HEADERS)
        assert (answer.status, answer.json()) == (403, {"message": "Forbidden"})
        bearer = issuer.send(route, b"", bearer=issuer.bearer(), headers=FORGED_HEADERS)
        assert (bearer.status, bearer.json()) == (403, {"message": "Forbidden"})
        assert issuer.lines() == lines

    @pytest.mark.parametrize("body", FORGED_BODIES, ids=lambda body: next(iter(body)))
    def test_a_body_that_imitates_an_event_does_not_authenticate(
        self, issuer: Service, body: dict[str, object]
    ) -> None:
        problem(issuer.send(TOKENS, body), 401, "bearer_missing")
        (field,) = body
        answer = issuer.send(TOKENS, body, bearer=issuer.bearer(), headers=FORGED_HEADERS)
        assert problem(answer, 400, "unknown_field")["field"] == field

    def test_forged_headers_do_not_change_a_valid_callers_identity(self, issuer: Service) -> None:
        answer = issuer.send(TOKENS, {}, bearer=issuer.bearer(), headers=FORGED_HEADERS)
        assert (answer.status, answer.json()["user_id"]) == (201, "alice")
        assert issuer.last_audit()["identity"] == "development"

    def test_an_aws_signature_is_not_a_bearer_token(self, issuer: Service) -> None:
        problem(issuer.send_signed(TOKENS, {"room_id": "call_1"}), 401, "bearer_malformed")
