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
from tests.support.routes import BATCH, DIAGNOSE, SERVICE_TOKENS, TOKENS
from zego import token04
from zego.token04 import Claims

#: Limits of a rule's syntax. Source: "Contributor Insights rule syntax" in the CloudWatch guide.
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


DIAGNOSES: Final = "DiagnosesNotOpenedRule"
REFUSALS: Final = "RefusalsReportedRule"
RULES: Final = pytest.mark.parametrize("name", [DIAGNOSES, REFUSALS])


def rule(name: str) -> dict[str, Any]:
    """The definition of a rule, with the name of the log group put in."""
    body = stack().properties(name)["RuleBody"]["Fn::Sub"]
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


def matches(one: dict[str, Any], line: Any) -> bool:
    """Whether a filter keeps a line. This knows ``In`` and ``IsPresent``."""
    value = value_at(one["Match"], line)
    return value in one["In"] if "In" in one else (value is not None) is one["IsPresent"]


def contributors(lines: Iterable[Any], name: str = DIAGNOSES) -> Counter[tuple[str, ...]]:
    """How often each contributor is in these lines, as the rule counts them."""
    contribution = rule(name)["Contribution"]
    found = Counter[tuple[str, ...]]()
    for line in lines:
        if all(matches(one, line) for one in contribution["Filters"]):
            found[tuple(value_at(key, line) for key in contribution["Keys"])] += 1
    return found


def diagnose(issuer: Application, token: str, session: str = SUPPORT_SESSION) -> None:
    issuer.handle(event(DIAGNOSE, {"token": token}, role=session))


@RULES
def test_a_rule_is_one_that_contributor_insights_takes(name: str) -> None:
    definition = rule(name)
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
        assert one.keys() in ({"Match", "In"}, {"Match", "IsPresent"})
        assert one.get("IsPresent", True) is True
        assert len(one.get("In", ())) <= MAX_TEXTS
        assert all(isinstance(text, str) for text in one.get("In", ()))
    paths = [*contribution["Keys"], *(one["Match"] for one in contribution["Filters"])]
    assert all(re.fullmatch(r"\$(\.\w+)+", path) for path in paths)


@RULES
def test_it_reads_the_log_of_the_issuer_in_every_stack(name: str) -> None:
    for of in (stack(), stack_with_given_secret()):
        properties = of.properties(name)
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
    (one,) = rule(DIAGNOSES)["Contribution"]["Filters"]
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


def report(issuer: Application, **claims: str) -> None:
    issuer.handle(event(TOKENS, {"refused_with": 20014}, bearer=bearer(**claims)))


def test_each_user_whose_token_zego_refused_counts_once_however_often_it_reports(
    issuer: Application,
) -> None:
    for user in ("alice", "bob"):
        for _ in range(50):
            report(issuer, sub=user)
    assert contributors(issuer.lines(), REFUSALS).keys() == {("alice",), ("bob",)}


def test_each_user_of_a_batch_counts(issuer: Application) -> None:
    users = ("alice", "bob", "carol", "carol")
    requests = [{"user_id": user, "room_id": "call_1", "refused_with": 50119} for user in users]
    issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
    assert contributors(issuer.lines(), REFUSALS).keys() == {("alice",), ("bob",), ("carol",)}


def test_a_report_counts_only_if_the_request_is_granted(issuer: Application) -> None:
    for proof in (None, "x", bearer(exp=0)):
        issuer.handle(event(TOKENS, {"refused_with": 20014}, bearer=proof))
    issuer.handle(event(TOKENS, {"room_id": "lobby", "refused_with": 20014}, bearer=bearer()))
    issuer.handle(event(TOKENS, {"refused_with": 7}, bearer=bearer()))
    issuer.handle(event(TOKENS, bearer=bearer()))
    assert len(issuer.audit_events()) == 6
    assert not contributors(issuer.lines(), REFUSALS)


def test_three_users_in_five_minutes_raise_the_alarm_and_one_user_does_not() -> None:
    alarm = stack().properties("RefusalsReportedAlarm")
    (query,) = alarm["Metrics"]
    name = '"${RefusalsReportedRule.RuleName}"'
    expression = f'INSIGHT_RULE_METRIC({name}, "UniqueContributors")'
    assert query["Expression"] == {"Fn::Sub": expression}
    assert query["Period"] * alarm["EvaluationPeriods"] == 5 * 60
    assert alarm["Threshold"] == 3
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"
