"""The API's own domain, and what closes every way past the edge."""

from __future__ import annotations

import re

import pytest

from tests.infrastructure.stacks import BEHIND_AN_EDGE, stack, stack_behind_an_edge
from tests.support.edge import NEW
from tests.support.table import table
from tools.sam_template import load, refusals

CERTIFICATE = {"DomainCertificateArn": BEHIND_AN_EDGE["DomainCertificateArn"]}


def endpoint(**parameters: str) -> bool:
    """Whether the API's definition disables the address that API Gateway assigns."""
    (server,) = stack(**parameters).properties("HttpApi")["Body"]["servers"]
    disabled = server["x-amazon-apigateway-endpoint-configuration"]["disableExecuteApiEndpoint"]
    assert isinstance(disabled, bool)
    return disabled


def test_by_default_callers_use_the_address_of_api_gateway() -> None:
    template = stack()
    assert not template.all("AWS::ApiGatewayV2::DomainName")
    assert not template.all("AWS::ApiGatewayV2::ApiMapping")
    assert ".execute-api." in template.template["Outputs"]["ApiUrl"]["Value"]["Fn::Sub"]
    assert not template.template["Outputs"].keys() & {"RegionalDomainName", "RegionalHostedZoneId"}
    assert (
        "ORIGIN_HEADER_SHA256"
        not in template.properties("IssuerFunction")["Environment"]["Variables"]
    )
    assert endpoint() is False


def test_a_domain_with_a_certificate_is_regional_and_mapped_to_the_api() -> None:
    template = stack_behind_an_edge()
    domain = template.properties("Domain")
    assert domain["DomainName"] == "tokens.example.com"
    (configuration,) = domain["DomainNameConfigurations"]
    assert configuration == {
        "CertificateArn": BEHIND_AN_EDGE["DomainCertificateArn"],
        "EndpointType": "REGIONAL",
        "SecurityPolicy": "TLS_1_2",
    }
    (stage,) = template.all("AWS::ApiGatewayV2::Stage")
    assert template.properties("DomainMapping") == {
        "DomainName": {"Ref": "Domain"},
        "ApiId": {"Ref": "HttpApi"},
        "Stage": {"Ref": stage},
    }


@pytest.mark.parametrize("more", [{}, CERTIFICATE], ids=["made elsewhere", "made by the stack"])
def test_the_output_api_url_is_the_domain(more: dict[str, str]) -> None:
    given = stack(DomainName="tokens.example.com", **more)
    assert given.template["Outputs"]["ApiUrl"]["Value"] == "https://tokens.example.com"
    assert bool(given.all("AWS::ApiGatewayV2::DomainName")) is bool(more)


def test_the_address_of_api_gateway_can_be_disabled() -> None:
    assert endpoint(**BEHIND_AN_EDGE) is True


def test_the_issuer_gets_the_digests() -> None:
    variables = stack_behind_an_edge().properties("IssuerFunction")["Environment"]["Variables"]
    assert variables["ORIGIN_HEADER_SHA256"] == BEHIND_AN_EDGE["OriginHeaderSha256"]


@table(
    "value",
    [
        NEW,  # the header instead of its digest
        "0" * 63,
        "A" * 64,
        f"{'0' * 64},",
        f"{'0' * 64}, {'1' * 64}",
        ",".join(["0" * 64, "1" * 64, "2" * 64]),
    ],
)
def test_what_is_not_one_or_two_digests_is_refused(value: str) -> None:
    pattern = load()["Parameters"]["OriginHeaderSha256"]["AllowedPattern"]
    assert not re.fullmatch(pattern, value)


@table("value", ["", "0" * 64, f"{'0' * 64},{'f' * 64}"])
def test_none_one_or_two_digests_are_accepted(value: str) -> None:
    pattern = load()["Parameters"]["OriginHeaderSha256"]["AllowedPattern"]
    assert re.fullmatch(pattern, value)


@pytest.mark.parametrize(
    "name", ["DomainCertificateArn", "OriginHeaderSha256", "DisableExecuteApi"]
)
def test_it_is_refused_without_a_domain_name(name: str) -> None:
    (objection,) = refusals({name: BEHIND_AN_EDGE[name]})
    assert objection.startswith(f"{name} needs DomainName")
    assert refusals(BEHIND_AN_EDGE) == []


@table(
    "value", ["tokens", "https://tokens.example.com", "Tokens.example.com", "tokens.example.com/"]
)
def test_what_is_not_a_host_name_is_refused(value: str) -> None:
    assert not re.fullmatch(load()["Parameters"]["DomainName"]["AllowedPattern"], value)
