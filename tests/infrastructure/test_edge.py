"""The API's own domain, what closes every way past the edge, and the alarms about strangers."""

from __future__ import annotations

import json
import re

import pytest

from tests.infrastructure.stacks import BEHIND_AN_EDGE, stack, stack_behind_an_edge
from tests.infrastructure.test_alarms import alarms, dimensions, metrics_of
from tests.support.edge import EMPTY_SHA256, NEW
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
    outputs = template.template["Outputs"].keys()
    assert not outputs & {"RegionalDomainName", "RegionalHostedZoneId", "DirectUrl"}
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


def test_the_output_direct_url_is_an_address_that_avoids_the_edge() -> None:
    outputs = stack_behind_an_edge().template["Outputs"]
    assert ".execute-api." in outputs["DirectUrl"]["Value"]["Fn::Sub"]
    assert outputs["ApiUrl"]["Value"] == "https://tokens.example.com"
    required = stack(DomainName="tokens.example.com", OriginHeaderSha256="0" * 64)
    assert "DirectUrl" in required.template["Outputs"]


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
        EMPTY_SHA256,  # of an origin-header.key that is empty or missing
        f"{'0' * 64},{EMPTY_SHA256}",
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


def counted(name: str, **line: str) -> bool:
    """Whether a metric filter counts a line of the access log, which has texts only.

    This knows ``=``, ``&&``, ``||`` and brackets of
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    filtered = stack().properties(name)
    assert filtered["LogGroupName"] == {"Ref": "AccessLog"}
    pattern = filtered["FilterPattern"].removeprefix("{").removesuffix("}")
    fields = set(re.findall(r"\$\.(\w+)", pattern))
    logged = stack().one("AWS::ApiGatewayV2::Stage")["Properties"]["AccessLogSettings"]["Format"]
    assert fields <= json.loads(logged).keys()
    pattern = re.sub(r'\$\.(\w+) = ("[^"]*")', r"(line['\1'] == \2)", pattern)
    assert not re.findall(r"\$|[^=]=[^=]", pattern)
    made = {"status": "200", "integration_status": "200"} | line
    return bool(eval(pattern.replace("&&", "and").replace("||", "or"), {"line": made}))


@table(
    ("status", "integration_status", "unauthenticated", "throttled"),
    [
        ("201", "201", False, False),
        ("401", "401", True, False),  # the issuer: no valid bearer token
        ("403", "-", True, False),  # API Gateway: no valid signature
        ("403", "403", False, False),  # the issuer: not granted
        ("404", "-", False, False),
        ("429", "-", False, True),
        ("429", "429", False, False),  # the issuer: the user's budget is used up
        ("503", "-", False, False),
    ],
)
def test_the_alarms_about_strangers_count_what_they_name(
    status: str, integration_status: str, unauthenticated: bool, throttled: bool
) -> None:
    line = {"status": status, "integration_status": integration_status}
    assert counted("RequestsUnauthenticated", **line) is unauthenticated
    assert counted("RequestsThrottled", **line) is throttled


@pytest.mark.parametrize(
    ("alarm", "filtered"),
    [("ThrottledAlarm", "RequestsThrottled"), ("UnauthenticatedAlarm", "RequestsUnauthenticated")],
)
def test_an_alarm_about_strangers_watches_the_metric_of_its_filter(
    alarm: str, filtered: str
) -> None:
    (written,) = stack().properties(filtered)["MetricTransformations"]
    named = {
        (metric["Namespace"], metric["MetricName"]) for metric in metrics_of(alarms(stack())[alarm])
    }
    assert (written["MetricNamespace"], written["MetricName"]) in named


def test_fifty_throttled_requests_in_five_minutes_raise_the_alarm() -> None:
    alarm = alarms(stack())["ThrottledAlarm"]
    assert (alarm["Statistic"], alarm["Threshold"]) == ("Sum", 50)
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 300
    assert alarm["TreatMissingData"] == "notBreaching"


def test_half_of_the_requests_without_proof_raise_the_alarm_after_a_quarter_of_an_hour() -> None:
    alarm = alarms(stack())["UnauthenticatedAlarm"]
    periods = {query["MetricStat"]["Period"] for query in alarm["Metrics"][1:]}
    assert (periods, alarm["EvaluationPeriods"], alarm["Threshold"]) == ({300}, 3, 50)
    # CloudWatch does not say that FILL fills a metric that was never written.
    (written,) = stack().properties("RequestsUnauthenticated")["MetricTransformations"]
    assert written["DefaultValue"] == 0


def test_fifty_requests_past_the_edge_raise_the_alarm() -> None:
    alarm = alarms(stack_behind_an_edge())["EdgeRequiredAlarm"]
    assert alarm["MetricName"] == "ExchangesRefused"
    assert "docs/edge.md" in alarm["AlarmDescription"]
    named = {"stage": "dev", "service": "issuer", "code": "edge_required"}
    assert dimensions(alarm) == named
    assert (alarm["Statistic"], alarm["Threshold"], alarm["Period"]) == ("Sum", 50, 300)
