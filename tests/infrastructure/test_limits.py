"""The table of the denials and budgets, and a stack without it."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Final

from local.aws.dynamodb import DynamoDb
from tests.infrastructure.stacks import stack
from tests.infrastructure.test_roles import statements
from tools.sam_template import load
from zego.denials import CHANGES_PK, DENIALS_PK, Denial, budget_key, change_key

ON: Final = stack()
OFF: Final = stack(Limits="Off")


def test_limits_are_on_by_default() -> None:
    assert load()["Parameters"]["Limits"]["Default"] == "On"
    assert stack(Limits="On").template == ON.template


def test_the_table_can_be_restored_and_not_deleted_and_costs_what_is_used() -> None:
    table = ON.properties("LimitsTable")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_the_table_has_the_keys_of_the_items_and_deletes_what_has_expired() -> None:
    table = ON.properties("LimitsTable")
    keys = [key["AttributeName"] for key in table["KeySchema"]]
    assert [key["KeyType"] for key in table["KeySchema"]] == ["HASH", "RANGE"]
    assert keys == [*change_key(0, b"1234")] == ["pk", "sk"]
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    item = Denial("user", "alice", "spam", "operator", at=1, until=2).to_item()
    assert types == {key: next(iter(item[key])) for key in keys}
    ends = table["TimeToLiveSpecification"]
    assert ends["Enabled"] is True
    assert item[ends["AttributeName"]] == {"N": "2"}


def test_the_issuer_may_count_in_the_partitions_of_budgets_and_in_no_other() -> None:
    (count,) = (one for one in statements(ON, "IssuerRole") if one["Sid"] == "CountTokens")
    pattern = count["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]
    assert fnmatchcase(budget_key("users", "alice", 0)["pk"]["S"], pattern)
    assert not any(fnmatchcase(key, pattern) for key in (DENIALS_PK, CHANGES_PK))


def test_dynamodb_encrypts_the_table_with_its_own_key() -> None:
    """So DynamoDB does by default, without a permission and a price."""
    assert "SSESpecification" not in ON.properties("LimitsTable")


def test_the_table_of_the_local_stack_has_the_same_keys() -> None:
    local = DynamoDb().call("DescribeTable")["Table"]
    table = ON.properties("LimitsTable")
    assert {name: local[name] for name in ("KeySchema", "AttributeDefinitions")} == {
        name: table[name] for name in ("KeySchema", "AttributeDefinitions")
    }


def test_the_name_of_the_table_is_an_output() -> None:
    assert ON.template["Outputs"]["LimitsTableName"]["Value"] == {"Ref": "LimitsTable"}


def test_a_stack_without_limits_has_no_table_and_no_permission_on_one() -> None:
    assert "limits" not in json.dumps(OFF.template["Resources"]["IssuerFunction"]).lower()
    assert "LimitsTableName" not in OFF.template["Outputs"]
    assert "dynamodb" not in json.dumps(OFF.template).lower()
    assert "dynamodb" not in json.dumps(statements(OFF, "IssuerRole"))


def test_they_add_nothing_else_to_the_stack() -> None:
    added = ON.template["Resources"].keys() - OFF.template["Resources"].keys()
    assert added == {
        "LimitsTable",
        "DenialsUnreadAlarm",
        "TokensUncountedAlarm",
        "DeniedRequestsQuery",
        "UsersOverBudgetQuery",
    }
    shown = OFF.one("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
    assert "denial" not in shown.lower()
    assert "budget" not in shown.lower()
