"""Who may call what, and from where."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import openapi_spec_validator
import pytest

from local.aws.http_api import ROUTES
from local.aws.http_api_access import Cors
from tests.infrastructure.stacks import stack
from tools.sam_template import load

#: The routes of the contract. True: API Gateway verifies an IAM caller. False: the issuer verifies
#: a bearer token, or (for health and the problems) responds to any caller.
IAM_VERIFIED_BY_API_GATEWAY = {
    "POST /v1/tokens": False,
    "POST /v1/tokens/batch": False,
    "POST /v1/service/tokens": True,
    "POST /v1/service/tokens/batch": True,
    "POST /v1/calls": False,
    "POST /v1/service/calls": True,
    "POST /api/v1/calls/initiate": False,
    "POST /v1/service/calls/initiate": True,
    "GET /v1/health": False,
    "GET /v1/problems": False,
    "GET /v1/status": True,
    "POST /v1/diagnose": True,
}


def definition() -> dict[str, Any]:
    body = stack().properties("HttpApi")["Body"]
    assert isinstance(body, dict)
    return body


def operations() -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in definition()["paths"].items()
        for method, operation in methods.items()
    }


def test_the_api_has_the_routes_of_the_contract() -> None:
    assert operations().keys() == IAM_VERIFIED_BY_API_GATEWAY.keys()


@pytest.mark.parametrize("route", IAM_VERIFIED_BY_API_GATEWAY)
def test_each_route_has_the_authorization_of_the_contract(route: str) -> None:
    security = operations()[route].get("security")
    assert security == ([{"AWS_IAM": []}] if IAM_VERIFIED_BY_API_GATEWAY[route] else None)


def test_iam_authorization_is_signature_version_4() -> None:
    schemes = definition()["components"]["securitySchemes"]
    assert schemes["AWS_IAM"]["x-amazon-apigateway-authtype"] == "awsSigv4"


def test_no_warning_of_api_gateway_fails_a_deployment() -> None:
    # It warns of "servers.url", which SAM leaves out with DisableExecuteApiEndpoint:
    # https://github.com/aws/serverless-application-model/issues/2424
    assert "FailOnWarnings" not in stack().properties("HttpApi")
    assert [server.keys() for server in definition()["servers"]] == [
        {"x-amazon-apigateway-endpoint-configuration"}
    ]


def test_every_route_that_needs_a_signature_refers_to_a_scheme_of_the_definition() -> None:
    schemes = definition()["components"]["securitySchemes"].keys()
    required = {
        scheme
        for operation in operations().values()
        for requirement in operation.get("security", [])
        for scheme in requirement
    }
    assert required == schemes == {"AWS_IAM"}


def test_every_route_invokes_the_live_alias_with_payload_2() -> None:
    for operation in operations().values():
        integration = operation["x-amazon-apigateway-integration"]
        assert integration["payloadFormatVersion"] == "2.0"
        assert "${IssuerFunctionAliaslive}" in str(integration["uri"])


def test_the_api_waits_longer_than_the_issuer_may_take() -> None:
    # SAM's reference gives 5 s as the default, API Gateway's 30 s. Neither is left to them.
    waits = {
        operation["x-amazon-apigateway-integration"].get("timeoutInMillis")
        for operation in operations().values()
    }
    assert waits == {12_000}
    assert stack().properties("IssuerFunction")["Timeout"] * 1000 < 12_000


def test_the_definition_is_a_valid_openapi_document() -> None:
    # API Gateway ignores what it does not understand. SAM leaves out two things in every API.
    document = json.loads(json.dumps(definition()))
    for server in document["servers"]:
        server["url"] = "/"
    for methods in document["paths"].values():
        for operation in methods.values():
            assert operation["responses"] == {}
            operation["responses"]["default"] = {"description": "any"}
    openapi_spec_validator.validate(document)


def test_only_the_routes_of_this_api_may_invoke_the_alias() -> None:
    permissions = [
        permission["Properties"]
        for permission in stack().all("AWS::Lambda::Permission").values()
        if "IssuerFunction" in permission["Properties"]["FunctionName"]["Ref"]
    ]
    of_this_api = "arn:aws:execute-api:eu-west-1:111122223333:${__ApiId__}/*/"
    allowed = []
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert permission["FunctionName"] == {"Ref": "IssuerFunctionAliaslive"}
        source, variables = permission["SourceArn"]["Fn::Sub"]
        assert variables == {"__ApiId__": {"Ref": "HttpApi"}}
        allowed.append(source.removeprefix(of_this_api))
    assert sorted(allowed) == sorted(
        route.replace(" ", "") for route in IAM_VERIFIED_BY_API_GATEWAY
    )


def test_the_outputs_cover_every_iam_route_and_no_other() -> None:
    outputs = stack().template["Outputs"]
    patterns = [
        outputs[name]["Value"]["Fn::Sub"].partition("$default/")[2]
        for name in ("ServiceRoutesArn", "StatusRouteArn", "DiagnoseRouteArn")
    ]
    for route, iam in IAM_VERIFIED_BY_API_GATEWAY.items():
        resource = route.replace(" ", "")
        assert any(fnmatch.fnmatchcase(resource, pattern) for pattern in patterns) is iam, route


def test_pages_of_the_exact_origins_may_call_it_and_no_others() -> None:
    assert definition()["x-amazon-apigateway-cors"] == {
        "allowOrigins": ["https://calls.example.com", "http://localhost:3000"],
        "allowMethods": ["GET", "POST"],
        "allowHeaders": ["authorization", "content-type", "idempotency-key"],
        "exposeHeaders": ["retry-after", "apigw-requestid"],
        "maxAge": 3600,
    }


def test_the_local_stack_has_the_same_but_for_the_origins() -> None:
    cors = Cors()
    assert {
        "allowMethods": list(cors.methods),
        "allowHeaders": list(cors.headers),
        "exposeHeaders": list(cors.expose),
        "maxAge": cors.max_age_seconds,
    }.items() <= definition()["x-amazon-apigateway-cors"].items()


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*",
        "https://*.example.com",
        "http://example.com",
        "https://a.example/path",
        "https://A.example",
        "",
    ],
)
def test_a_wildcard_or_inexact_origin_is_refused(origin: str) -> None:
    parameter = load()["Parameters"]["AllowedOrigins"]
    assert "Default" not in parameter
    assert not re.fullmatch(parameter["AllowedPattern"], origin)


@pytest.mark.parametrize("origin", ["https://calls.example.com", "http://localhost:3000"])
def test_an_exact_origin_is_accepted(origin: str) -> None:
    assert re.fullmatch(load()["Parameters"]["AllowedOrigins"]["AllowedPattern"], origin)


def test_every_route_is_throttled_and_expensive_ones_more() -> None:
    stage = stack().one("AWS::ApiGatewayV2::Stage")["Properties"]
    rate = float(stage["DefaultRouteSettings"]["ThrottlingRateLimit"])
    burst = float(stage["DefaultRouteSettings"]["ThrottlingBurstLimit"])
    assert 0 < rate <= burst
    tighter = stage["RouteSettings"]
    assert tighter.keys() == {
        "POST /v1/tokens/batch",
        "POST /v1/service/tokens/batch",
        "GET /v1/health",
        "GET /v1/problems",
        "GET /v1/status",
        "POST /v1/diagnose",
    }
    for settings in tighter.values():
        assert 0 < settings["ThrottlingRateLimit"] < rate
        assert 0 < settings["ThrottlingBurstLimit"] < burst


def test_the_local_stack_throttles_each_route_as_this_one_does() -> None:
    stage = stack().one("AWS::ApiGatewayV2::Stage")["Properties"]
    for route in ROUTES:
        settings = stage["DefaultRouteSettings"] | stage["RouteSettings"].get(route.key, {})
        assert route.rate == float(settings["ThrottlingRateLimit"]), route
        assert route.burst == float(settings["ThrottlingBurstLimit"]), route


def test_the_access_log_is_json_without_anything_that_a_caller_sent() -> None:
    settings = stack().one("AWS::ApiGatewayV2::Stage")["Properties"]["AccessLogSettings"]
    assert settings["DestinationArn"] == {"Fn::GetAtt": ["AccessLog", "Arn"]}
    logged = set(json.loads(settings["Format"]).values())
    assert logged == {
        "$context.requestTime",
        "$context.requestId",
        "$context.routeKey",
        "$context.status",
        "$context.identity.sourceIp",
        "$context.identity.userArn",
        "$context.responseLatency",
        "$context.integrationLatency",
        "$context.integration.status",
        "$context.responseLength",
        "$context.error.responseType",
    }
