"""The figures of docs/cost.md are computed from what the service really does."""

from __future__ import annotations

import re
from math import ceil
from pathlib import Path

import pytest

from tests.infrastructure.stacks import (
    stack_that_posts_incoming_calls,
    stack_with_given_secret,
)
from tests.support.application import Application, bearer, event
from tools import cost
from tools.cost import INPUTS, PRICES, Line, Month
from zego.denials import Denial

PAGE = (Path(__file__).parents[2] / "docs" / "cost.md").read_text(encoding="utf-8")
#: Types of resources that AWS bills by the month or by use, with their lines of the bill.
BILLED = {
    "AWS::ApiGatewayV2::Api": {"API Gateway, HTTP API"},
    "AWS::CloudWatch::Alarm": {"CloudWatch, metrics in alarms"},
    "AWS::CloudWatch::InsightRule": {"CloudWatch, contributor rules"},
    "AWS::DynamoDB::Table": {"DynamoDB, read units", "DynamoDB, write units"},
    "AWS::Events::ApiDestination": {"EventBridge, API destinations"},
    "AWS::Events::Rule": {"EventBridge, custom events"},
    "AWS::KMS::Key": {"KMS, keys", "KMS, requests"},
    "AWS::Lambda::Function": {"Lambda, requests", "Lambda, arm64"},
    "AWS::Lambda::Version": {"Lambda SnapStart, snapshots kept"},
    "AWS::Logs::LogGroup": {"CloudWatch, logs received"},
    "AWS::Logs::MetricFilter": {"CloudWatch, custom metrics"},
    "AWS::SecretsManager::Secret": {"Secrets Manager, secrets", "Secrets Manager, requests"},
}
#: Those that cost nothing, or nothing at the size of this service.
FREE = {
    "AWS::ApiGatewayV2::Stage",
    "AWS::Budgets::Budget",  # two are free
    "AWS::CloudWatch::Dashboard",  # three are free, and another costs 3 USD
    "AWS::CodeDeploy::Application",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Events::Connection",  # the API destination's price includes its secret
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Logs::QueryDefinition",
    "AWS::SNS::Topic",  # the first 1,000 mails in a month
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",  # the first million requests in a month
    "AWS::SQS::QueuePolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::RotationSchedule",
}


def test_every_resource_is_on_the_bill_or_is_known_to_be_free() -> None:
    alarms = {"AlarmEmail": "operators@example.com"}
    stacks = (stack_that_posts_incoming_calls(**alarms), stack_with_given_secret())
    types = {one["Type"] for made in stacks for one in made.template["Resources"].values()}
    assert types - FREE - BILLED.keys() == set()


def test_the_bill_has_each_price_once_with_all_parts() -> None:
    month = Month(1, has_snap_start=True, has_edge=True, has_budgets=True, has_calls=True)
    lines = [line.price for line in month.bill()]
    assert sorted(lines) == sorted(PRICES)
    assert {price for prices in BILLED.values() for price in prices} <= set(lines)


def test_the_issuer_logs_as_much_as_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Application(tmp_path, monkeypatch)
    request = event("POST /v1/tokens", {"room_id": "call_0123"}, bearer=bearer())
    issuer.handle(request)  # also logs that it read the secret
    before = len(issuer.output())
    assert issuer.handle(request).status == 201
    logged = len(issuer.output()) - before
    assert logged == pytest.approx(INPUTS["own_log_bytes"][0], rel=0.1)


def test_what_a_stranger_can_cost_is_on_the_page() -> None:
    lines = [line for line in Month(10**6).bill() if "custom metrics" not in line.price]
    steady = {
        "Secrets Manager, requests",
        "KMS, requests",
        "DynamoDB, read units",
    }  # not one for each request
    quiet = {line.price: line.usd for line in Month(0).bill()}
    million = sum(line.usd - quiet[line.price] for line in lines if line.price not in steady)
    assert f"{million:.1f} USD for a million" in " ".join(PAGE.split())
    day = (100 + 100 + 100 + 10) * 86_400 / 10**6 * million
    (shown,) = re.findall(r"about (\d+) USD a day", PAGE)
    assert day == pytest.approx(int(shown), rel=0.1)


def test_what_limits_cost_is_on_the_page() -> None:
    text = " ".join(PAGE.split())
    used = {name: quantity for name, (quantity, _) in INPUTS.items()}
    for denials, shown in re.findall(r"([\d,]+) denials cost ([\d.]+) USD", text):
        read = ceil(int(denials.replace(",", "")) * item_bytes() / 4096)
        month = read * used["denial_reads"] * cost.SECONDS / 3600
        assert float(shown) == pytest.approx(Line("DynamoDB, read units", month).usd, rel=0.2)
    assert used["read_units"] == pytest.approx(ceil(100 * item_bytes() / 4096), abs=1)
    (budgets,) = re.findall(r"([\d.]+) USD per million tokens", text)
    assert float(budgets) == pytest.approx(Line("DynamoDB, write units", 10**6).usd, rel=0.05)


def test_what_incoming_calls_cost_is_on_the_page() -> None:
    text = " ".join(PAGE.split())
    events = "EventBridge, custom events", "EventBridge, API destinations"
    (million,) = re.findall(r"([\d.]+) USD per million calls", text)
    assert float(million) == pytest.approx(sum(Line(one, 10**6).usd for one in events))
    (fixed,) = re.findall(r"`IncomingCallUrl` itself costs ([\d.]+) USD", text)
    used = Month(0, has_calls=True).usd() - Month(0).usd()
    metrics = Line("CloudWatch, custom metrics", INPUTS["call_metrics"][0]).usd
    assert float(fixed) == pytest.approx(used - metrics)


def item_bytes() -> int:
    """How long a typical denial is: DynamoDB counts the names and the values of attributes.

    A number takes about one byte for two digits. Source: "DynamoDB item sizes and formats".
    """
    by = "arn:aws:sts::111122223333:assumed-role/operators/alice@example.com"
    item = Denial("user", "5f7c8ec7c33c6c004bbafe82", "spams in every room", by, 1, 2).to_item()
    return sum(
        len(name) + sum(6 if kind == "N" else len(value) for kind, value in attribute.items())
        for name, attribute in item.items()
    )


def test_a_month_costs_more_with_each_part_and_each_token() -> None:
    for tokens, *sums in cost.totals():
        bare, snap_start, edge, both = map(int, sums)
        assert bare < snap_start < both, tokens
        assert bare < edge < both, tokens


def test_the_page_has_the_day_of_its_prices() -> None:
    assert cost.PRICED_ON in PAGE
