"""deploy/budget.yaml: AWS Budgets takes it, as far as moto and the API's model in botocore know."""

from __future__ import annotations

import re
from typing import Any, Final

import boto3
import pytest
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

from tools.sam_template import ROOT

TEMPLATE: Final[dict[str, Any]] = yaml_parse((ROOT / "deploy" / "budget.yaml").read_text("utf-8"))
VALUES: Final = {"MonthlyUsd": "50", "Email": "operators@example.com"}


def resolved(node: Any) -> Any:
    """A part of the template with its parameters."""
    match node:
        case {"Ref": name}:
            return VALUES[name]
        case dict():
            return {key: resolved(value) for key, value in node.items()}
        case list():
            return [resolved(value) for value in node]
    return node


@mock_aws
def test_a_mail_is_sent_when_most_of_it_is_used_and_when_it_will_be_used_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    given = resolved(TEMPLATE["Resources"]["Budget"]["Properties"])
    named = {"AccountId": "123456789012", "BudgetName": "monthly"}
    budgets = boto3.client("budgets", "us-east-1")
    budgets.create_budget(
        AccountId=named["AccountId"],
        Budget=given["Budget"] | {"BudgetName": named["BudgetName"]},
        NotificationsWithSubscribers=given["NotificationsWithSubscribers"],
    )
    made = budgets.describe_budget(**named)["Budget"]
    assert (made["BudgetLimit"], made["TimeUnit"]) == ({"Amount": "50", "Unit": "USD"}, "MONTHLY")
    assert "CostFilters" not in given["Budget"]
    told = budgets.describe_notifications_for_budget(**named)["Notifications"]
    assert {(each["NotificationType"], each["Threshold"]) for each in told} == {
        ("ACTUAL", 80),
        ("FORECASTED", 100),
    }
    for each in given["NotificationsWithSubscribers"]:
        assert each["Subscribers"] == [{"SubscriptionType": "EMAIL", "Address": VALUES["Email"]}]


@pytest.mark.parametrize("address", ["", "operators", "a@b,c@d", "a b@c"])
def test_what_is_not_one_address_is_refused(address: str) -> None:
    pattern = TEMPLATE["Parameters"]["Email"]["AllowedPattern"]
    assert re.fullmatch(pattern, VALUES["Email"])
    assert not re.fullmatch(pattern, address)
