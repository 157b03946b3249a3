"""The service responds as docs/openapi.yaml describes, on every route and with every code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.stack import LocalStack
from tests.contract.exchanges import GOOD, REFUSALS, ROOM, Good, Refusal, alice, encoded, send
from tests.contract.openapi import load
from tests.contract.services import Api
from tests.support.routes import BATCH, CALL, CALL_IN_CAMEL_CASE, HEALTH, HELP, STATUS, TOKENS
from tests.support.table import table
from zego import token04
from zego.secret_store.notes import VERDICT_TAG

DOCUMENT = load()


def grants(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The tokens in a response and what it shows of them, with the keys of `POST /v1/tokens`."""
    if "zegoRoom" in body:
        room = body["zegoRoom"]
        return [
            {
                "token": room["token"],
                "app_id": room["appId"],
                "user_id": body["userId"],
                "room_id": room["roomId"],
                "privileges": body["privileges"],
                "stream_ids": body["streamIds"],
                "issued_at": body["issuedAt"],
                "expires_at": body["expiresAt"],
                "renew_at": body["renewAt"],
            }
        ]
    if "results" in body:
        return [result["token"] for result in body["results"]]
    return [body] if "token" in body else []


@pytest.mark.parametrize("good", GOOD, ids=str)
def test_a_good_request_gets_the_documented_response(api: Api, good: Good) -> None:
    answer = send(api, good)
    assert answer.status == good.status, answer.body
    assert DOCUMENT.violations(good.route, answer) == []


@pytest.mark.parametrize("good", [good for good in GOOD if good.body is not None], ids=str)
def test_a_good_request_is_one_that_the_document_describes(good: Good) -> None:
    assert DOCUMENT.request_violations(good.route, good.body) == []


def test_every_route_has_a_good_request_here() -> None:
    assert {good.route for good in GOOD} == set(DOCUMENT.routes)


@pytest.mark.parametrize("good", [good for good in GOOD if good.route != HELP], ids=str)
def test_a_token_contains_what_the_response_shows(api: Api, stack: LocalStack, good: Good) -> None:
    for grant in grants(send(api, good).json):
        claims = token04.decode(grant["token"], stack.secrets_manager.server_secret).claims
        assert (claims.app_id, claims.user_id) == (grant["app_id"], grant["user_id"])
        assert (claims.issued_at, claims.expires_at) == (grant["issued_at"], grant["expires_at"])
        assert grant["issued_at"] < grant["renew_at"] < grant["expires_at"]
        if grant["room_id"] is None:
            assert claims.payload == ""
        else:
            login, publish = (grant["privileges"][name] for name in ("login", "publish"))
            assert json.loads(claims.payload) == {
                "room_id": grant["room_id"],
                "privilege": {"1": int(login), "2": int(publish)},
                "stream_id_list": grant["stream_ids"],
            }


def test_a_call_is_named_by_its_room(api: Api) -> None:
    body = api.send(CALL, b"", alice(api.identity_provider)).json
    assert body["room_id"] == f"call_{body['call_id']}"


def test_a_call_is_named_by_its_room_in_camel_case_too(api: Api) -> None:
    body = api.send(CALL_IN_CAMEL_CASE, b"", alice(api.identity_provider)).json
    assert body["zegoRoom"]["roomId"] == f"call_{body['callId']}"


@table("refusal", REFUSALS, ids=str)
def test_a_refusal_is_a_problem_that_the_document_describes(
    refusal: Refusal, request: pytest.FixtureRequest
) -> None:
    answer = send(request.getfixturevalue(refusal.at), refusal)
    problem = answer.json
    assert problem["code"] == refusal.code, problem
    # A route that only the function lacks is not in the document; its response is.
    documented = refusal.route if refusal.route in DOCUMENT.routes else TOKENS
    assert DOCUMENT.violations(documented, answer) == []
    row = DOCUMENT.problems[refusal.code]
    assert answer.status == problem["status"] == row.status
    # A problem that says when to retry is retryable, whatever its code's default.
    retryable = row.retryable or "retry-after" in answer.headers
    assert (problem["title"], problem["retryable"]) == (row.title, retryable)
    assert problem["type"] == f"urn:zego-token-service:problem:{refusal.code}"
    assert problem.get("field") == refusal.field
    _has_the_headers_that_its_code_asks_for(refusal, answer.headers)
    if row.status in {400, 422} and not isinstance(refusal.body, bytes | None):
        violations = DOCUMENT.request_violations(refusal.route, refusal.body)
        assert (violations == []) == refusal.fits_others


def _has_the_headers_that_its_code_asks_for(refusal: Refusal, headers: Mapping[str, str]) -> None:
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    # An unknown key may be a new one if the issuer's keys were fetched less than 30 s ago.
    if refusal.code != "bearer_unknown_key":
        waits = refusal.code.endswith("_unavailable") or refusal.code == "too_many_tokens"
        assert ("retry-after" in headers) == waits
    challenge = "AWS4-HMAC-SHA256" if refusal.code == "iam_identity_missing" else None
    if refusal.code.startswith("bearer_"):
        plain = refusal.code == "bearer_missing"
        challenge = "Bearer" if plain else 'Bearer error="invalid_token"'
    assert headers.get("www-authenticate") == challenge


def test_every_code_of_the_document_has_a_refusal_here() -> None:
    assert {refusal.code for refusal in REFUSALS} == set(DOCUMENT.problems)


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_a_route_responds_with_its_documented_codes_and_no_others(route: str) -> None:
    documented = set[str]().union(*(DOCUMENT.codes(route, status) for status in range(400, 600)))
    answered = {refusal.code for refusal in REFUSALS if refusal.route == route}
    assert answered == documented - {"route_not_found"}


def test_a_batch_has_a_result_for_each_request_in_order(api: Api) -> None:
    requests = [
        {"user_id": "bob", "room_id": ROOM},
        {"user_id": "bob", "lifetime_seconds": 59},
        {"user_id": "carol"},
        {},
        "dave",
    ]
    answer = api.send(BATCH, encoded({"requests": requests}), None)
    assert DOCUMENT.violations(BATCH, answer) == []
    results = answer.json["results"]
    assert [result["status"] for result in results] == [201, 422, 201, 400, 400]
    codes = [result.get("problem", {}).get("code") for result in results]
    assert codes == [None, "lifetime_out_of_range", None, "missing_field", "body_not_object"]


def test_a_lifetime_over_the_policys_limit_is_out_of_range(api: Api) -> None:
    answer = api.send(TOKENS, b'{"lifetime_seconds": 7201}', alice(api.identity_provider))
    assert answer.json["code"] == "lifetime_out_of_range"
    assert DOCUMENT.violations(TOKENS, answer) == []


@pytest.mark.parametrize(
    ("tag", "verdict"),
    [
        ("accepted 0a1b2c3d4e5f 1700000000 0", ["accepted", "0a1b2c3d4e5f", 1700000000, 0]),
        ("rejected - 1700000000 100000011", ["rejected", None, 1700000000, 100000011]),
        ("unknown 0a1b2c3d4e5f 1700000000 -", ["unknown", "0a1b2c3d4e5f", 1700000000, None]),
    ],
)
def test_the_status_has_the_verdict_that_was_noted_on_the_secret(
    api: Api, stack: LocalStack, tag: str, verdict: list[object]
) -> None:
    manager = stack.secrets_manager
    tags = [{"Key": VERDICT_TAG, "Value": tag}]
    manager.call("TagResource", SecretId=manager.secret_id, Tags=tags)
    try:
        answer = api.send(STATUS, b"", None)
    finally:
        manager.call("UntagResource", SecretId=manager.secret_id, TagKeys=[VERDICT_TAG])
    assert DOCUMENT.violations(STATUS, answer) == []
    assert list(answer.json["secret"]["last_verdict"].values()) == verdict
    assert api.send(STATUS, b"", None).json["secret"]["last_verdict"] is None


def test_health_needs_neither_a_secret_nor_keys(api_without_secret: Api) -> None:
    answer = api_without_secret.send(HEALTH, b"", None)
    assert answer.status == 200
    assert DOCUMENT.violations(HEALTH, answer) == []
