"""docs/openapi.yaml is valid, agrees with itself, and its examples are what it describes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from issuer import diagnose
from tests.contract.openapi import Document, Example, load
from tests.support.routes import TOKENS_BATCH
from tests.support.table import table
from zego import token04
from zego.server_secret import ServerSecret

DOCUMENT = load()

# The secret of the vectors of Token04. No ZEGO project has it.
MADE_UP_SECRET = "0123456789abcdef" * 2


def walk(node: Any, place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object in a part of the document, with its place."""
    if isinstance(node, dict):
        yield place, node
        for key, value in node.items():
            yield from walk(value, f"{place}/{key}")
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from walk(value, f"{place}/{index}")


def documented_codes(document: Document) -> dict[str, set[int]]:
    """Each code that a response names, with the statuses of those responses."""
    found: dict[str, set[int]] = {}
    for route, operation in document.routes.items():
        for status in document.at(f"{operation}/responses"):
            for code in document.codes(route, int(status)):
                found.setdefault(code, set()).add(int(status))
    return found


def issued(value: Any) -> Iterator[dict[str, Any]]:
    """Every token in an example, with what the example says it grants, under the API's own keys."""
    for _, node in walk(value):
        if "zegoRoom" in node:
            yield {
                "token": node["zegoRoom"]["token"],
                "app_id": node["zegoRoom"]["appId"],
                "room_id": node["zegoRoom"]["roomId"],
                "user_id": node["userId"],
                "privileges": node["privileges"],
                "stream_ids": None,
                "issued_at": node["issuedAt"],
                "expires_at": node["expiresAt"],
            }
        elif "room_id" in node and isinstance(node.get("token"), str):
            yield node


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT.content["openapi"].startswith("3.1.")
    validate(DOCUMENT.content, cls=OpenAPIV31SpecValidator)


@table("example", DOCUMENT.examples, ids=lambda example: example.name)
def test_an_example_satisfies_its_schema(example: Example) -> None:
    assert DOCUMENT.schema_violations(example.schema, example.value) == []


@table("example", DOCUMENT.examples, ids=lambda example: example.name)
def test_a_token_in_an_example_contains_what_the_example_shows(example: Example) -> None:
    for grant in issued(example.value):
        claims = token04.decode(grant["token"], MADE_UP_SECRET).claims
        assert claims.app_id == grant["app_id"]
        assert claims.user_id == grant["user_id"]
        assert claims.issued_at == grant["issued_at"]
        assert claims.expires_at == grant["expires_at"]
        if grant["room_id"] is None:
            assert claims.payload == ""
        else:
            payload = json.loads(claims.payload)
            assert payload["room_id"] == grant["room_id"]
            assert payload["stream_id_list"] == grant["stream_ids"]
            assert {
                "login": payload["privilege"]["1"] == 1,
                "publish": payload["privilege"]["2"] == 1,
            } == grant["privileges"]


@pytest.mark.parametrize("name", ["ExpiredToken", "Jwt", "CbcToken"])
def test_a_diagnosis_in_an_example_is_what_the_service_says(name: str) -> None:
    asked = DOCUMENT.at(f"/components/examples/{name}ToDiagnose/value")
    answer = DOCUMENT.at(f"/components/examples/{name}Diagnosed/value")
    secret = ServerSecret(1234567890, MADE_UP_SECRET)
    request = diagnose.read_request(json.dumps(asked).encode())
    said = diagnose.diagnose(request, lambda: secret, lambda: None, now=1_700_010_000)
    assert answer == said.document() | {"request_id": answer["request_id"]}


def test_some_examples_hold_tokens() -> None:
    assert sum(1 for example in DOCUMENT.examples for _ in issued(example.value)) >= 5


def test_examples_of_problems_match_the_table_of_problems() -> None:
    for place, node in walk([example.value for example in DOCUMENT.examples]):
        if "retryable" in node:
            row = DOCUMENT.problems[node["code"]]
            said = (node["status"], node["title"], node["retryable"])
            assert said == (row.status, row.title, row.retryable), place
            assert node["type"] == f"urn:zego-token-service:problem:{node['code']}", place


def test_the_codes_of_a_problem_are_those_of_the_table() -> None:
    assert DOCUMENT.at("/components/schemas/ProblemCode")["enum"] == list(DOCUMENT.problems)


def test_each_code_of_the_table_is_a_response_of_a_route_with_its_status() -> None:
    table = {code: {row.status} for code, row in DOCUMENT.problems.items()}
    assert documented_codes(DOCUMENT) == table


def test_each_code_of_the_table_says_what_it_means_and_what_to_do_about_it() -> None:
    for code, row in DOCUMENT.content["x-problems"].items():
        assert set(row) == {"status", "title", "retryable", "meaning", "remedy"}, code


def test_an_object_takes_no_field_that_the_document_does_not_name() -> None:
    for place, node in walk(DOCUMENT.at("/components/schemas")):
        if node.get("type") == "object":
            assert node.get("additionalProperties") is False, place
            assert set(node.get("required", [])) <= set(node["properties"]), place


def test_a_string_or_a_list_of_a_request_has_bounds() -> None:
    for place, node in walk(DOCUMENT.at("/components/schemas")):
        if node.get("type") == "string":
            assert node.keys() & {"maxLength", "pattern", "enum"}, place
        if node.get("type") == "array":
            assert {"minItems", "maxItems"} <= node.keys(), place


def test_a_single_value_is_an_enum() -> None:
    """openapi-python-client leaves out a response if a `const` narrows an `enum` in it."""
    assert [place for place, node in walk(DOCUMENT.content) if "const" in node] == []


def test_nothing_in_the_document_is_unused() -> None:
    used = {node["$ref"] for _, node in walk(DOCUMENT.content) if "$ref" in node}
    for kind in ("headers", "schemas", "responses", "examples"):
        for name in DOCUMENT.at(f"/components/{kind}"):
            assert f"#/components/{kind}/{name}" in used
    for scheme in DOCUMENT.at("/components/securitySchemes"):
        assert scheme in DOCUMENT.security.values()


def test_each_operation_has_a_unique_name() -> None:
    names = [DOCUMENT.at(operation)["operationId"] for operation in DOCUMENT.routes.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_an_authenticated_route_documents_its_refusals(route: str) -> None:
    refusals = DOCUMENT.codes(route, 401)
    match DOCUMENT.security[route]:
        case "bearer":
            expected = {code for code in DOCUMENT.problems if code.startswith("bearer_")}
            if route == TOKENS_BATCH:
                expected.remove("bearer_session_ended")  # a backend has no session
            assert refusals == expected
        case "sigv4":
            assert refusals == {"iam_identity_missing"}
        case _:
            assert refusals == set()
