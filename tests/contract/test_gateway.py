"""API Gateway's own responses are in the document too, and the local stack gives the same ones."""

from __future__ import annotations

import pytest

from local.aws.http_api import MAX_BODY_BYTES, MAX_HEADER_BYTES
from local.stack import LocalStack
from tests.contract.openapi import Answer, load
from tests.contract.services import Api
from tests.support.routes import DIAGNOSE

DOCUMENT = load()
SIGNED = [route for route, scheme in DOCUMENT.security.items() if scheme == "sigv4"]
POSTED = [route for route in DOCUMENT.routes if route.startswith("POST ")]


def assert_is_the_gateways(answer: Answer, route: str, status: int, message: str) -> None:
    """The response is the gateway's own, has its id, and is documented for the route."""
    assert answer.status == status
    assert answer.json == {"message": message}
    assert answer.headers["apigw-requestid"]
    assert DOCUMENT.violations(route, answer) == []


@pytest.mark.parametrize("route", SIGNED)
def test_a_request_that_is_not_signed_is_forbidden(api: Api, route: str) -> None:
    assert_is_the_gateways(api.send_as_it_is(route), route, 403, "Forbidden")


@pytest.mark.parametrize("route", SIGNED)
def test_a_bearer_token_does_not_replace_a_signature(api: Api, route: str) -> None:
    headers = {"authorization": f"Bearer {api.identity_provider.bearer('alice')}"}
    assert_is_the_gateways(api.send_as_it_is(route, b"", headers), route, 403, "Forbidden")


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_a_path_below_a_route_is_not_found(api: Api, route: str) -> None:
    assert_is_the_gateways(api.send_as_it_is(f"{route}/more"), route, 404, "Not Found")


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_another_method_is_not_found(api: Api, route: str) -> None:
    _, path = route.split(" ")
    assert_is_the_gateways(api.send_as_it_is(f"DELETE {path}"), route, 404, "Not Found")


@pytest.mark.parametrize("route", POSTED)
def test_a_body_over_ten_megabytes_is_refused(api: Api, route: str) -> None:
    answer = api.send_as_it_is(route, b" " * (MAX_BODY_BYTES + 1))
    assert_is_the_gateways(answer, route, 413, "Request Entity Too Large")


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_headers_over_the_quota_are_refused(api: Api, route: str) -> None:
    answer = api.send_as_it_is(route, b"", {"cookie": "c" * MAX_HEADER_BYTES})
    assert_is_the_gateways(answer, route, 431, "Request Header Fields Too Large")


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_a_function_that_cannot_start_is_an_internal_server_error(
    unstartable_api: Api, route: str
) -> None:
    answer = unstartable_api.send(route, b"", None)
    assert_is_the_gateways(answer, route, 500, "Internal Server Error")


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_a_function_that_is_throttled_is_unavailable(busy_api: Api, route: str) -> None:
    answer = busy_api.send(route, b"", None)
    assert_is_the_gateways(answer, route, 503, "Service Unavailable")


def test_a_caller_of_too_many_diagnoses_is_throttled(stack: LocalStack) -> None:
    api = Api(stack.api, stack.identity_provider, stack.access_key, stack.region)
    statuses = [api.send(DIAGNOSE, b'{"token": ""}', None).status for _ in range(40)]
    assert statuses[:10] == [200] * 10
    assert set(statuses) == {200, 429}


@pytest.mark.parametrize("route", DOCUMENT.routes)
def test_a_route_above_its_rate_has_too_many_requests(throttling_api: Api, route: str) -> None:
    answer = throttling_api.send(route, b"", None)
    assert_is_the_gateways(answer, route, 429, "Too Many Requests")
