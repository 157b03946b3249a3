"""deploy/edge.yaml: CloudFront and AWS WAF, as far as they can be tested without AWS.

``make validate`` checks the template against AWS' own resource schemas.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from tests.support.edge import HEADER, NEW, NEW_SHA256
from tests.support.table import table
from tools.cost import INPUTS
from tools.sam_template import EDGE_REGION, ROOT, load

TEMPLATE: Final[dict[str, Any]] = yaml_parse((ROOT / "deploy" / "edge.yaml").read_text("utf-8"))
RESOURCES: Final[dict[str, Any]] = TEMPLATE["Resources"]
PARAMETERS: Final = {
    "DomainName": "tokens.example.com",
    "CertificateArn": "arn:aws:acm:us-east-1:111122223333:certificate/"
    "00000000-0000-4000-8000-000000000000",
    "RegionalDomainName": "d-abcdef1234.execute-api.eu-west-1.amazonaws.com",
    "OriginHeader": NEW,
    "LogRetentionDays": "30",
}
#: What moto's CloudFormation has no model of.
LACKING: Final = {
    "AWS::CloudFront::Distribution",
    "AWS::Logs::Delivery",
    "AWS::Logs::DeliveryDestination",
    "AWS::Logs::DeliverySource",
    "AWS::WAFv2::WebACL",
}
#: Rule groups that inspect a body for its size or for HTML, paths or SQL, which a token to diagnose
#: may have, or that refuse callers without a User-Agent or in a data centre, as backends are.
#: https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-list.html
HARMFUL: Final = {
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesSQLiRuleSet",
    "AWSManagedRulesLinuxRuleSet",
    "AWSManagedRulesUnixRuleSet",
    "AWSManagedRulesWindowsRuleSet",
    "AWSManagedRulesPHPRuleSet",
    "AWSManagedRulesAnonymousIpList",
    "AWSManagedRulesBotControlRuleSet",
}


def configuration() -> dict[str, Any]:
    found = RESOURCES["Distribution"]["Properties"]["DistributionConfig"]
    assert isinstance(found, dict)
    return found


def pattern(name: str) -> str:
    return str(TEMPLATE["Parameters"][name]["AllowedPattern"])


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that nothing but moto accepts."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")


def test_the_edge_sends_the_header_that_the_issuer_checks_with_a_value_that_is_not_shown() -> None:
    (origin,) = configuration()["Origins"]
    (header,) = origin["OriginCustomHeaders"]
    assert header == {"HeaderName": HEADER, "HeaderValue": {"Ref": "OriginHeader"}}
    assert TEMPLATE["Parameters"]["OriginHeader"]["NoEcho"] is True
    assert "Default" not in TEMPLATE["Parameters"]["OriginHeader"]
    assert "OriginHeader" not in str(TEMPLATE["Outputs"])


def test_it_forwards_every_header_and_every_method_and_caches_nothing() -> None:
    # The ids of AWS' managed policies AllViewer and CachingDisabled:
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-origin-request-policies.html
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
    behaviour = configuration()["DefaultCacheBehavior"]
    assert behaviour["OriginRequestPolicyId"] == "216adef6-5c7f-47e4-b989-5492eafa07d3"
    assert behaviour["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    every = {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    assert set(behaviour["AllowedMethods"]) == every
    assert "CacheBehaviors" not in configuration()
    # By default, errors are cached for 10 seconds, whatever the cache policy says:
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HTTPStatusCodes.html
    cached = {each["ErrorCode"]: each for each in configuration()["CustomErrorResponses"]}
    assert {403, 404, 414, 500, 501, 502, 503, 504} <= cached.keys()
    for each in cached.values():
        assert each == {"ErrorCode": each["ErrorCode"], "ErrorCachingMinTTL": 0}


def test_both_connections_use_tls_1_2_or_later_and_nothing_is_redirected() -> None:
    (origin,) = configuration()["Origins"]
    assert origin["DomainName"] == {"Ref": "RegionalDomainName"}
    assert origin["CustomOriginConfig"] == {
        "OriginProtocolPolicy": "https-only",
        "OriginSSLProtocols": ["TLSv1.2"],
    }
    assert configuration()["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "https-only"
    assert configuration()["ViewerCertificate"] == {
        "AcmCertificateArn": {"Ref": "CertificateArn"},
        "MinimumProtocolVersion": "TLSv1.2_2021",
        "SslSupportMethod": "sni-only",
    }
    assert configuration()["Aliases"] == [{"Ref": "DomainName"}]


def test_each_address_has_its_own_rate_and_ipv6_does_not_give_one_host_many() -> None:
    rule = RESOURCES["WebAcl"]["Properties"]["Rules"][0]
    assert rule["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 60,
        "Limit": {"Ref": "RequestsPerMinute"},
    }
    response = rule["Action"]["Block"]["CustomResponse"]
    assert response["ResponseCode"] == 429
    headers = {header["Name"]: header["Value"] for header in response["ResponseHeaders"]}
    assert headers["retry-after"] == "60"
    assert headers["access-control-allow-origin"] == "*"  # pages cannot read it without
    assert headers["access-control-expose-headers"] == "retry-after"
    assert configuration()["IPV6Enabled"] is False
    assert configuration()["WebACLId"] == {"Fn::GetAtt": ["WebAcl", "Arn"]}


def test_one_address_can_use_up_a_tenth_of_a_routes_rate() -> None:
    per_minute = TEMPLATE["Parameters"]["RequestsPerMinute"]["Default"]
    rate = load()["Parameters"]["ThrottlingRate"]["Default"]
    assert per_minute / 60 <= rate / 10


def test_no_managed_rule_harms_a_batch_or_a_token_to_diagnose() -> None:
    rules = RESOURCES["WebAcl"]["Properties"]["Rules"]
    groups = [
        rule["Statement"]["ManagedRuleGroupStatement"]["Name"]
        for rule in rules
        if "ManagedRuleGroupStatement" in rule["Statement"]
    ]
    assert groups == [
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesKnownBadInputsRuleSet",
    ]
    assert not HARMFUL & set(groups)


def test_what_the_managed_rules_find_is_blocked_and_not_only_counted() -> None:
    # With {"Count": {}}, AWS WAF counts what the group would block, and lets it pass:
    # https://docs.aws.amazon.com/waf/latest/APIReference/API_OverrideAction.html
    rules = RESOURCES["WebAcl"]["Properties"]["Rules"]
    managed = [rule for rule in rules if "ManagedRuleGroupStatement" in rule["Statement"]]
    assert [rule["OverrideAction"] for rule in managed] == [{"None": {}}] * 2
    for rule in managed:
        assert "RuleActionOverrides" not in rule["Statement"]["ManagedRuleGroupStatement"]


def test_no_bearer_token_is_kept_in_a_sample_of_requests_or_in_the_log() -> None:
    acl = RESOURCES["WebAcl"]["Properties"]
    for part in (acl, *acl["Rules"]):
        assert part["VisibilityConfig"]["SampledRequestsEnabled"] is False
        assert part["VisibilityConfig"]["CloudWatchMetricsEnabled"] is True
    fields = set(RESOURCES["AccessLogDelivery"]["Properties"]["RecordFields"])
    assert not fields & {"cs(Cookie)", "cs(Referer)", "cs(User-Agent)", "cs-uri-query"}


@table(
    ("name", "value"),
    [
        ("OriginHeader", NEW_SHA256),  # the digest instead of the value
        ("OriginHeader", "short"),
        ("OriginHeader", f"{NEW[:-1]},"),
        ("OriginHeader", f"{NEW}\n"),
        ("CertificateArn", PARAMETERS["CertificateArn"].replace("us-east-1", "eu-west-1")),
        ("RegionalDomainName", "https://d-abcdef1234.execute-api.eu-west-1.amazonaws.com"),
        ("RegionalDomainName", "tokens.example.com"),
        ("DomainName", "https://tokens.example.com"),
        ("DomainName", ""),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_made(name: str, value: str) -> None:
    assert not re.fullmatch(pattern(name), value)
    assert TEMPLATE["Parameters"][name]["ConstraintDescription"].startswith("must be ")


@table("name", ["DomainName", "CertificateArn", "RegionalDomainName", "OriginHeader"])
def test_a_right_value_is_accepted(name: str) -> None:
    assert re.fullmatch(pattern(name), PARAMETERS[name])


def test_the_cost_page_counts_its_rules() -> None:
    assert INPUTS["edge_rules"][0] == len(RESOURCES["WebAcl"]["Properties"]["Rules"])


@pytest.mark.usefixtures("aws")
@mock_aws
def test_aws_waf_takes_the_web_acl() -> None:
    """Against the API's model in botocore, which has the same shape as the resource."""
    given = {**RESOURCES["WebAcl"]["Properties"], "Name": "edge", "Description": "made up"}
    given["Rules"][0]["Statement"]["RateBasedStatement"]["Limit"] = 600
    waf = boto3.client("wafv2", EDGE_REGION)
    made = waf.create_web_acl(**given)["Summary"]
    kept = waf.get_web_acl(Name="edge", Scope="CLOUDFRONT", Id=made["Id"])["WebACL"]
    assert [rule["Name"] for rule in kept["Rules"]] == [rule["Name"] for rule in given["Rules"]]


@pytest.mark.usefixtures("aws")
@mock_aws
def test_cloudwatch_logs_delivers_cloudfronts_log() -> None:
    logs = boto3.client("logs", EDGE_REGION)
    logs.create_log_group(logGroupName="edge")
    (group,) = logs.describe_log_groups()["logGroups"]
    source = RESOURCES["AccessLogSource"]["Properties"]
    destination = RESOURCES["AccessLogDestination"]["Properties"]
    delivery = RESOURCES["AccessLogDelivery"]["Properties"]
    logs.put_delivery_source(
        name="edge",
        logType=source["LogType"],
        resourceArn="arn:aws:cloudfront::111122223333:distribution/EABCDEF1234567",
    )
    target = logs.put_delivery_destination(
        name="edge",
        outputFormat=destination["OutputFormat"],
        deliveryDestinationConfiguration={"destinationResourceArn": group["arn"]},
    )
    made = logs.create_delivery(
        deliverySourceName="edge",
        deliveryDestinationArn=target["deliveryDestination"]["arn"],
        recordFields=delivery["RecordFields"],
    )
    assert made["delivery"]["deliveryDestinationType"] == "CWL"


@pytest.mark.usefixtures("aws")
@mock_aws
def test_cloudformation_creates_the_rest_of_it_with_or_without_a_log() -> None:
    rest = {name: one for name, one in RESOURCES.items() if one["Type"] not in LACKING}
    assert LACKING | {"AWS::Logs::LogGroup"} == {one["Type"] for one in RESOURCES.values()}
    template = TEMPLATE | {"Resources": rest | {"Always": {"Type": "AWS::SNS::Topic"}}}
    del template["Outputs"]
    cloudformation = boto3.client("cloudformation", EDGE_REGION)
    for days, made in (("0", {"Always"}), ("30", {"AccessLog", "Always"})):
        given = PARAMETERS | {"LogRetentionDays": days}
        cloudformation.create_stack(
            StackName=f"edge-{days}",
            TemplateBody=json.dumps(template),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value} for name, value in given.items()
            ],
        )
        found = cloudformation.describe_stack_resources(StackName=f"edge-{days}")["StackResources"]
        created = {each["LogicalResourceId"] for each in found if "ResourceType" in each}
        assert created == made
