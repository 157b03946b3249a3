"""What Contributor Insights counts by caller, in log lines that the issuer wrote."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest

from issuer import audit
from tests.infrastructure.stacks import stack, stack_with_given_secret
from tests.support.application import (
    APP_ID,
    ROLE_SESSION,
    SERVER_SECRET,
    SUPPORT_SESSION,
    Application,
    bearer,
    event,
)
from tests.support.routes import DIAGNOSE, SERVICE_TOKENS, TOKENS
from zego import token04
from zego.token04 import Claims

#: Limits of a rule's syntax.
MAX_KEYS: Final = 4
MAX_FILTERS: Final = 4
MAX_TEXTS: Final = 10

CLAIMS: Final = Claims(APP_ID, "alice", 7, 1_700_000_000, 1_700_007_200)
OWN: Final = token04.encode(CLAIMS, SERVER_SECRET)
CBC: Final = token04.encode(CLAIMS, SERVER_SECRET, cipher="cbc")
OF_ANOTHER_SECRET: Final = token04.encode(CLAIMS, "fedcba9876543210" * 2)


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch)


def rule() -> dict[str, Any]:
    """The definition of the rule, with the name of the log group put in."""
    body = stack().properties("DiagnosesNotOpenedRule")["RuleBody"]["Fn::Sub"]
    definition = json.loads(body.replace("${IssuerLog}", "the-issuers-log"))
    assert isinstance(definition, dict)
    return definition


def value_at(path: str, line: Any) -> Any:
    """What is at a path in the rule's notation, such as ``$.audit.identity``."""
    root, *names = path.split(".")
    assert root == "$"
    for name in names:
        line = line.get(name) if isinstance(line, dict) else None
    return line


def contributors(lines: Iterable[Any]) -> Counter[tuple[str, ...]]:
    """How often each contributor is in these lines, as the rule counts them."""
    contribution = rule()["Contribution"]
    found = Counter[tuple[str, ...]]()
    for line in lines:
        if all(value_at(one["Match"], line) in one["In"] for one in contribution["Filters"]):
            found[tuple(value_at(key, line) for key in contribution["Keys"])] += 1
    return found


def diagnose(issuer: Application, token: str, session: str = SUPPORT_SESSION) -> None:
    issuer.handle(event(DIAGNOSE, {"token": token}, role=session))


def test_the_rule_is_one_that_contributor_insights_takes() -> None:
    definition = rule()
    assert definition.keys() == {
        "Schema",
        "LogGroupNames",
        "LogFormat",
        "Contribution",
        "AggregateOn",
    }
    assert definition["Schema"] == {"Name": "CloudWatchLogRule", "Version": 1}
    assert (definition["LogFormat"], definition["AggregateOn"]) == ("JSON", "Count")
    assert definition["LogGroupNames"] == ["the-issuers-log"]
    contribution = definition["Contribution"]
    assert contribution.keys() == {"Keys", "Filters"}
    assert 1 <= len(contribution["Keys"]) <= MAX_KEYS
    assert len(contribution["Filters"]) <= MAX_FILTERS
    for one in contribution["Filters"]:
        assert one.keys() == {"Match", "In"}
        assert len(one["In"]) <= MAX_TEXTS
        assert all(isinstance(text, str) for text in one["In"])
    paths = [*contribution["Keys"], *(one["Match"] for one in contribution["Filters"])]
    assert all(re.fullmatch(r"\$(\.\w+)+", path) for path in paths)


def test_it_reads_the_log_of_the_issuer_in_every_stack() -> None:
    for of in (stack(), stack_with_given_secret()):
        properties = of.properties("DiagnosesNotOpenedRule")
        assert properties["RuleState"] == "ENABLED"
        assert '"LogGroupNames": ["${IssuerLog}"]' in properties["RuleBody"]["Fn::Sub"]
        logging = of.properties("IssuerFunction")["LoggingConfig"]
        assert logging["LogGroup"] == {"Ref": "IssuerLog"}
        assert logging["LogFormat"] == "JSON"


@pytest.mark.parametrize(
    "token",
    [CBC, OF_ANOTHER_SECRET, "", "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"],
    ids=["CBC", "of another secret", "no token", "a JWT"],
)
def test_a_diagnosis_that_opens_nothing_counts_for_its_caller(
    issuer: Application, token: str
) -> None:
    diagnose(issuer, token)
    assert contributors(issuer.lines()) == {("support",): 1}


def test_a_diagnosis_that_opens_the_token_does_not_count(issuer: Application) -> None:
    diagnose(issuer, OWN)
    assert [said["opened_by"] for said in issuer.audit_events()] == ["AWSCURRENT"]
    assert not contributors(issuer.lines())


def test_nothing_else_that_the_issuer_logs_counts(issuer: Application) -> None:
    issuer.handle(event(TOKENS, {"room_id": "call_1"}, bearer=bearer()))
    issuer.handle(event(SERVICE_TOKENS, {"user_id": "bob", "room_id": "r"}, role=ROLE_SESSION))
    issuer.handle(event(DIAGNOSE, {"token": CBC}, role=ROLE_SESSION))
    issuer.handle(event(DIAGNOSE, {"token": 5}, role=SUPPORT_SESSION))
    decisions = [said["decision"] for said in issuer.audit_events()]
    assert decisions.count("refused") == 2
    assert not contributors(issuer.lines())


def test_sessions_of_one_role_count_together(issuer: Application) -> None:
    for number in range(100):
        diagnose(issuer, CBC, f"{SUPPORT_SESSION}-{number}")
    assert contributors(issuer.lines()) == {("support",): 100}


def test_the_rule_names_the_value_that_the_audit_log_has() -> None:
    (one,) = rule()["Contribution"]["Filters"]
    assert one["In"] == [audit.NOT_OPENED]


def test_the_alarm_is_on_the_caller_with_the_most() -> None:
    alarm = stack().properties("DiagnosesNotOpenedAlarm")
    (query,) = alarm["Metrics"]
    name = '"${DiagnosesNotOpenedRule.RuleName}"'
    expression = f'INSIGHT_RULE_METRIC({name}, "MaxContributorValue")'
    assert query["Expression"] == {"Fn::Sub": expression}
    assert query["Period"] * alarm["EvaluationPeriods"] == 15 * 60
    assert alarm["Threshold"] == 100
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
