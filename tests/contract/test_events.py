"""The sample events belong to the API's routes and get the responses that their table lists."""

from __future__ import annotations

import json
import re

import pytest

from local.stack import BACKEND_ARN
from tests.contract.openapi import load
from tests.contract.services import BACKEND_PLACE, BEARER_PLACE, EVENTS, Function, sample_event

DOCUMENT = load()

NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))
ANSWERS = {
    "tokens_room": 201,
    "tokens_identity": 201,
    "tokens_room_after_refusal": 201,
    "tokens_without_bearer": "bearer_missing",
    "tokens_room_not_granted": "not_granted",
    "service_tokens": 201,
    "service_tokens_batch": 200,
    "tokens_batch": 200,
    "calls": 201,
    "service_calls": 201,
    "calls_initiate": 201,
    "service_calls_initiate": 201,
    "health": 200,
    "problems": 200,
    "status": 200,
    "diagnose": 200,
}


def test_each_event_has_its_response_here_and_its_row_in_the_table() -> None:
    readme = (EVENTS / "README.md").read_text(encoding="utf-8")
    assert sorted(ANSWERS) == NAMES
    assert sorted(re.findall(r"^\| `(\w+)\.json`", readme, re.MULTILINE)) == NAMES


def test_each_route_has_an_event() -> None:
    assert {sample_event(name)["routeKey"] for name in NAMES} == set(DOCUMENT.routes)


@pytest.mark.parametrize("name", NAMES)
def test_an_event_gets_the_response_that_its_name_says(function: Function, name: str) -> None:
    event = sample_event(name)
    answer = function.invoke(event)
    assert DOCUMENT.violations(event["routeKey"], answer) == []
    expected = ANSWERS[name]
    if isinstance(expected, str):
        assert answer.json["code"] == expected
    else:
        assert answer.status == expected
    if name in {"service_tokens_batch", "tokens_batch"}:
        assert [result["status"] for result in answer.json["results"]] == [201, 201]


@pytest.mark.parametrize("name", NAMES)
def test_an_event_is_consistent(name: str) -> None:
    event = sample_event(name)
    context = event["requestContext"]
    method, path = event["routeKey"].split(" ")
    assert event["version"] == "2.0"
    assert context["routeKey"] == event["routeKey"]
    assert (context["http"]["method"], context["http"]["path"]) == (method, path)
    assert event["rawPath"] == path
    assert event["headers"]["host"] == context["domainName"]
    assert int(event["headers"]["content-length"]) == len(event.get("body", "").encode())
    assert all(header == header.lower() for header in event["headers"])


@pytest.mark.parametrize("name", NAMES)
def test_an_event_authenticates_its_caller_as_its_route_requires(name: str) -> None:
    event = sample_event(name)
    authorization = event["headers"].get("authorization", "")
    iam = event["requestContext"].get("authorizer", {}).get("iam")
    match DOCUMENT.security[event["routeKey"]]:
        case "sigv4":
            assert iam["userArn"] == BACKEND_ARN
            assert authorization.startswith("AWS4-HMAC-SHA256 ")
        case "bearer":
            assert iam is None
            place = BACKEND_PLACE if name == "tokens_batch" else BEARER_PLACE
            assert authorization == ("" if ANSWERS[name] == "bearer_missing" else place)
        case _:
            assert (iam, authorization) == (None, "")


@pytest.mark.parametrize("name", NAMES)
def test_the_body_of_an_event_is_one_that_the_document_describes(name: str) -> None:
    event = sample_event(name)
    if "body" in event:
        body = json.loads(event["body"])
        assert DOCUMENT.request_violations(event["routeKey"], body) == []
