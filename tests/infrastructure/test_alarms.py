"""The alarms, who is notified, and the dashboard that shows them."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from tests.infrastructure.stacks import (
    Stack,
    stack,
    stack_behind_an_edge,
    stack_that_posts_incoming_calls,
    stack_that_rotates_a_given_secret,
    stack_with_given_secret,
)
from tools.sam_template import ROOT, load, transform

OF_EVERY_STACK: Final = {
    "NewVersionCrashesAlarm",
    "NewVersionFailsAlarm",
    "IssuerFailsAlarm",
    "IssuerLogsErrorsAlarm",
    "SecretStaleAlarm",
    "ErrorRateAlarm",
    "RefusalRateAlarm",
    "ThrottledAlarm",
    "UnauthenticatedAlarm",
    "RefusalsReportedAlarm",
    "DiagnosesNotOpenedAlarm",
    "DenialsUnreadAlarm",
    "TokensUncountedAlarm",
    "IncomingCallsFailedAlarm",
}
OF_INCOMING_CALLS: Final = {"IncomingCallsUndeliveredAlarm", "IncomingCallDeadLettersAlarm"}
OF_LIMITS: Final = {"DenialsUnreadAlarm", "TokensUncountedAlarm"}
OF_AN_EDGE: Final = {"EdgeRequiredAlarm"}
OF_THE_OWNER: Final = {
    "SecretRejectedAlarm",
    "SecretVerdictUnknownAlarm",
    "RotationFailedAlarm",
    "RotationFunctionsFailAlarm",
    "RotationStuckAlarm",
    "WatcherFailsAlarm",
}
EMAIL: Final = "operators@example.com"
TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:alarms"

#: This project's metric namespace, and the module in which each function writes its metrics.
OURS: Final = "ZegoTokenService"
SERVICES: Final = ("issuer", "rotator", "watcher")
#: The metrics with another dimension.
MORE: Final = {
    "RotationOutcome": {"outcome"},
    "InternalErrors": {"version"},
    "ExchangesRefused": {"code"},
}


def alarms(of: Stack) -> dict[str, dict[str, Any]]:
    found = of.all("AWS::CloudWatch::Alarm")
    return {name: alarm["Properties"] for name, alarm in found.items()}


def metrics_of(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    """The metrics that an alarm watches: its own one, or those of its expression."""
    queries = alarm.get("Metrics", [])
    return [query["MetricStat"]["Metric"] for query in queries if "MetricStat" in query] or [alarm]


def dimensions(metric: dict[str, Any]) -> dict[str, Any]:
    return {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions", [])}


def written_by(service: str) -> str:
    """The source of a function, which names every metric that it writes."""
    sources = sorted((ROOT / "functions" / service).glob("*.py"))
    return "".join(path.read_text(encoding="utf-8") for path in sources)


def dashboard(of: Stack) -> list[dict[str, Any]]:
    body = of.one("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    assert isinstance(widgets, list)
    return widgets


def own_metrics_shown(of: Stack) -> list[list[str]]:
    """The rows with dimensions in this project's namespace, without the filter's and any search."""
    rows = [
        [part for part in row if isinstance(part, str)]
        for widget in dashboard(of)
        if widget["type"] == "metric"
        for row in widget["properties"]["metrics"]
    ]
    return [row for row in rows if row and row[0] == OURS and len(row) > 2]


def test_the_owner_of_the_rotation_has_the_alarms_about_the_secret() -> None:
    assert alarms(stack_with_given_secret()).keys() == OF_EVERY_STACK
    assert alarms(stack()).keys() == OF_EVERY_STACK | OF_THE_OWNER
    assert alarms(stack_that_rotates_a_given_secret()).keys() == OF_EVERY_STACK | OF_THE_OWNER
    assert OF_EVERY_STACK - alarms(stack(Limits="Off")).keys() == OF_LIMITS
    posts = alarms(stack_that_posts_incoming_calls()).keys()
    assert posts == OF_EVERY_STACK | OF_THE_OWNER | OF_INCOMING_CALLS
    behind = alarms(stack_behind_an_edge()).keys()
    assert behind == OF_EVERY_STACK | OF_THE_OWNER | OF_AN_EDGE


ALL: Final = sorted(OF_EVERY_STACK | OF_THE_OWNER | OF_INCOMING_CALLS)


@pytest.mark.parametrize("name", ALL)
def test_each_alarm_says_what_happened_and_where_to_read_on(name: str) -> None:
    description = alarms(stack_that_posts_incoming_calls())[name]["AlarmDescription"]
    (document,) = re.findall(r"docs/[a-z-]+\.md", description)
    assert (ROOT / document).exists()


def test_the_operations_document_lists_every_alarm() -> None:
    document = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ((?:`\w+Alarm`(?:, )?)+) \|", document, re.MULTILINE)
    listed = [name for row in rows for name in re.findall(r"\w+", row)]
    assert sorted(listed) == sorted({*ALL} | OF_AN_EDGE)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, None),
        ({"AlarmEmail": EMAIL}, [{"Ref": "AlarmTopic"}]),
        ({"AlarmTopicArn": TOPIC}, [TOPIC]),
    ],
    ids=["nobody", "email", "topic"],
)
def test_each_alarm_notifies_the_existing_topic(
    name: str, parameters: dict[str, str], told: object
) -> None:
    of = stack_that_posts_incoming_calls(**parameters)
    assert alarms(of)[name].get("AlarmActions") == told


def test_the_end_of_an_alarm_about_the_secret_is_sent_too() -> None:
    tells_of_its_end = {
        name
        for name, alarm in alarms(stack(AlarmTopicArn=TOPIC)).items()
        if alarm.get("OKActions") == [TOPIC]
    }
    assert tells_of_its_end == {"SecretRejectedAlarm", "SecretVerdictUnknownAlarm"}


def test_one_rejection_raises_the_alarm_and_an_unknown_verdict_does_not_end_it() -> None:
    alarm = alarms(stack())["SecretRejectedAlarm"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("SecretAccepted", "Minimum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanThreshold", 1)
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (300, 1)  # the watcher's, five minutes
    assert alarm["TreatMissingData"] == "ignore"


def test_half_an_hour_without_a_verdict_or_a_check_raises_the_alarm() -> None:
    alarm = alarms(stack())["SecretVerdictUnknownAlarm"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("SecretVerdictUnknown", "Minimum")
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 30 * 60
    assert "DatapointsToAlarm" not in alarm  # all of them
    assert alarm["TreatMissingData"] == "breaching"


def test_each_way_in_which_a_rotation_fails_raises_the_alarm() -> None:
    alarm = alarms(stack())["RotationFailedAlarm"]
    assert [dimensions(metric) for metric in metrics_of(alarm)] == [
        {"stage": "dev", "service": service, "outcome": outcome}
        for service, outcome in [
            ("rotator", "refused"),
            ("rotator", "failed"),
            ("watcher", "failed"),
            ("watcher", "abandoned"),
            ("watcher", "test-failed"),
        ]
    ]
    ids = [query["Id"] for query in alarm["Metrics"] if "MetricStat" in query]
    assert alarm["Metrics"][0]["Expression"] == " + ".join(f"FILL({each}, 0)" for each in ids)
    assert (alarm["Threshold"], alarm["EvaluationPeriods"]) == (1, 1)


def test_one_check_that_finds_a_rotation_stuck_raises_the_alarm() -> None:
    alarm = alarms(stack())["RotationStuckAlarm"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("RotationStuck", "Maximum")
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert alarm["Period"] * alarm["EvaluationPeriods"] == 300


def test_a_rotator_or_watcher_that_cannot_run_raises_an_alarm_without_its_own_metric() -> None:
    alarm = alarms(stack())["RotationFunctionsFailAlarm"]
    assert [
        (metric["Namespace"], metric["MetricName"], dimensions(metric)["FunctionName"]["Ref"])
        for metric in metrics_of(alarm)
    ] == [
        ("AWS/Lambda", name, function)
        for function in ("RotatorFunction", "WatcherFunction")
        for name in ("Errors", "Throttles")
    ]
    ids = [query["Id"] for query in alarm["Metrics"] if "MetricStat" in query]
    assert alarm["Metrics"][0]["Expression"] == " + ".join(f"FILL({each}, 0)" for each in ids)
    periods = {query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query}
    assert (periods, alarm["EvaluationPeriods"], alarm["Threshold"]) == ({900}, 1, 5)


def test_denials_that_cannot_be_read_in_two_minutes_of_three_raise_an_alarm() -> None:
    alarm = alarms(stack())["DenialsUnreadAlarm"]
    names = {metric["MetricName"] for metric in metrics_of(alarm)}
    assert names == {"DenialsRefreshFailed", "DenialsStale", "DenialsUnreadable"}
    ids = [query["Id"] for query in alarm["Metrics"] if "MetricStat" in query]
    assert alarm["Metrics"][0]["Expression"] == " + ".join(f"FILL({each}, 0)" for each in ids)
    periods = {query["MetricStat"]["Period"] for query in alarm["Metrics"] if "MetricStat" in query}
    assert (periods, alarm["Threshold"]) == ({60}, 1)
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (2, 3)


def test_tokens_that_cannot_be_counted_in_two_minutes_of_three_raise_an_alarm() -> None:
    alarm = alarms(stack())["TokensUncountedAlarm"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("BudgetUnavailable", "Sum")
    assert (alarm["Period"], alarm["Threshold"]) == (60, 1)
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (2, 3)


def test_events_that_eventbridge_did_not_accept_in_two_minutes_of_three_raise_an_alarm() -> None:
    alarm = alarms(stack())["IncomingCallsFailedAlarm"]
    assert (alarm["MetricName"], alarm["Statistic"]) == ("IncomingCallsFailed", "Sum")
    assert (alarm["Period"], alarm["Threshold"]) == (60, 1)
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (2, 3)


def test_an_incoming_call_that_was_not_delivered_raises_an_alarm() -> None:
    """Sources: the lists of CloudWatch metrics in the guides to EventBridge and SQS."""
    found = alarms(stack_that_posts_incoming_calls())
    given_up, left = found["IncomingCallsUndeliveredAlarm"], found["IncomingCallDeadLettersAlarm"]
    rule = {"RuleName": {"Ref": "IncomingCallRule"}}
    assert [
        (one["Namespace"], one["MetricName"], dimensions(one)) for one in metrics_of(given_up)
    ] == [
        ("AWS/Events", "FailedInvocations", rule),
        ("AWS/Events", "InvocationsFailedToBeSentToDlq", rule),
    ]
    assert (given_up["Threshold"], given_up["EvaluationPeriods"]) == (1, 1)
    queue = {"QueueName": {"Fn::GetAtt": ["IncomingCallDeadLetters", "QueueName"]}}
    assert (left["Namespace"], left["MetricName"]) == (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
    )
    assert (dimensions(left), left["Statistic"], left["Threshold"]) == (queue, "Maximum", 1)


ON_AN_EXPRESSION: Final = [
    "RotationFailedAlarm",
    "RotationFunctionsFailAlarm",
    "ErrorRateAlarm",
    "RefusalRateAlarm",
    "UnauthenticatedAlarm",
    "DenialsUnreadAlarm",
    "IncomingCallsUndeliveredAlarm",
]


@pytest.mark.parametrize("name", ON_AN_EXPRESSION)
def test_an_alarm_on_an_expression_uses_every_metric_it_names_and_returns_one(name: str) -> None:
    expression, *queries = alarms(stack_that_posts_incoming_calls())[name]["Metrics"]
    used = set(re.findall(r"\b[a-z][a-z_]*\b", expression["Expression"]))
    assert used == {query["Id"] for query in queries}
    assert not any(query["ReturnData"] for query in queries)
    assert "ReturnData" not in expression  # it does


@pytest.mark.parametrize("name", ON_AN_EXPRESSION)
def test_an_alarm_on_an_expression_does_not_need_every_metric(name: str) -> None:
    """docs/design-notes.md says why; without any request there is no rate."""
    alarm = alarms(stack_that_posts_incoming_calls())[name]
    unfilled = re.sub(r"FILL\([a-z_]+, 0\)", "", alarm["Metrics"][0]["Expression"])
    assert set(re.findall(r"[a-z_]+", unfilled)) <= {"requests"}
    assert alarm["TreatMissingData"] == "notBreaching"


def test_every_alarm_on_several_metrics_is_checked() -> None:
    found = alarms(stack_that_posts_incoming_calls())
    several = {name for name, alarm in found.items() if len(alarm.get("Metrics", "")) > 1}
    assert several == {*ON_AN_EXPRESSION}


@pytest.mark.parametrize("service", SERVICES)
def test_alarms_watch_metrics_as_the_functions_write_them(service: str) -> None:
    watched = [
        metric
        for alarm in alarms(stack()).values()
        for metric in metrics_of(alarm)
        if dimensions(metric).get("service") == service
    ]
    assert watched
    for metric in watched:
        assert metric["Namespace"] == OURS
        assert f'"{metric["MetricName"]}"' in written_by(service)
        assert dimensions(metric).keys() == {"stage", "service"} | MORE.get(
            metric["MetricName"], set()
        )
        assert dimensions(metric)["stage"] == "dev"


def test_an_email_address_gets_a_topic_that_only_this_accounts_alarms_may_use() -> None:
    given = stack(AlarmEmail=EMAIL)
    topic = given.properties("AlarmTopic")
    assert topic["Subscription"] == [{"Protocol": "email", "Endpoint": EMAIL}]
    assert "KmsMasterKeyId" not in topic  # CloudWatch cannot publish under aws/sns
    policy = given.properties("AlarmTopicPolicy")
    assert policy["Topics"] == [{"Ref": "AlarmTopic"}]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Action"] == "sns:Publish"
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:*"},
    }
    assert given.template["Outputs"]["AlarmTopicArn"]["Value"] == {"Ref": "AlarmTopic"}


@pytest.mark.parametrize(
    "parameters",
    [{}, {"AlarmTopicArn": TOPIC}],
    ids=["nobody", "topic"],
)
def test_no_topic_is_created_unless_needed(parameters: dict[str, str]) -> None:
    given = stack(**parameters)
    assert not given.all("AWS::SNS::Topic")
    assert not given.all("AWS::SNS::TopicPolicy")
    output = given.template["Outputs"].get("AlarmTopicArn", {}).get("Value")
    assert output == parameters.get("AlarmTopicArn")


@pytest.mark.parametrize("address", ["operators", "a@b,c@d", "a b@c", "@", "a@"])
def test_an_invalid_email_address_is_refused(address: str) -> None:
    pattern = load()["Parameters"]["AlarmEmail"]["AllowedPattern"]
    assert re.fullmatch(pattern, EMAIL)
    assert re.fullmatch(pattern, "")
    assert not re.fullmatch(pattern, address)


@pytest.mark.parametrize(
    "of",
    [
        stack(),
        stack_with_given_secret(),
        stack_that_rotates_a_given_secret(),
        stack_behind_an_edge(),
        stack(Limits="Off"),
        stack_that_posts_incoming_calls(),
    ],
    ids=["made", "given", "given-and-rotated", "behind an edge", "without limits", "posts calls"],
)
def test_the_dashboard_shows_every_alarm_of_the_stack_and_names_the_runbook(of: Stack) -> None:
    text, shown, *_ = dashboard(of)
    assert "docs/operations.md" in text["properties"]["markdown"]
    assert set(shown["properties"]["alarms"]) == {f"${{{name}.Arn}}" for name in alarms(of)}
    graphs = [widget for widget in dashboard(of) if widget["type"] == "metric"]
    for graph in graphs:
        assert graph["properties"]["region"] == "eu-west-1"
        assert graph["properties"]["metrics"]


DASHBOARD_IDS: Final = ["owner", "reader", "without limits", "posts calls"]
DASHBOARDS: Final = [
    stack(),
    stack_with_given_secret(),
    stack(Limits="Off"),
    stack_that_posts_incoming_calls(),
]


def rows(of: Stack) -> list[tuple[str, list[dict[str, Any]]]]:
    """The numbered texts of the dashboard, each with its graphs."""
    found: list[tuple[str, list[dict[str, Any]]]] = []
    for widget in dashboard(of):
        if widget["type"] == "text" and "###" in widget["properties"]["markdown"]:
            found.append((widget["properties"]["markdown"], []))
        elif found:
            found[-1][1].append(widget)
    return found


@pytest.mark.parametrize(
    ("of", "questions"),
    [
        (
            stack(),
            [
                "Do users get tokens",
                "ZEGO accept the secret",
                "rotations work",
                "limits",
                "callees",
            ],
        ),
        (
            stack_with_given_secret(),
            ["Do users get tokens", "issuer read the secret", "limits", "callees"],
        ),
    ],
    ids=["owner", "reader"],
)
def test_the_dashboard_asks_first_whether_users_are_affected_and_says_what_to_do(
    of: Stack, questions: list[str]
) -> None:
    texts = [text for text, _ in rows(of)]
    assert len(texts) == len(questions)
    for number, (text, question) in enumerate(zip(texts, questions, strict=True), start=1):
        heading, _, advice = text.partition("\n")
        assert heading.startswith(f"### {number}. ")
        assert question in heading
        assert advice.startswith("If ")


@pytest.mark.parametrize("of", DASHBOARDS, ids=DASHBOARD_IDS)
def test_what_the_dashboard_refers_to_exists(of: Stack) -> None:
    queries = of.all("AWS::Logs::QueryDefinition").values()
    names = {query["Properties"]["Name"].partition("/")[2] for query in queries}
    for text, _ in rows(of):
        documents = re.findall(r"docs/[a-z-]+\.md", text)
        headings = "".join((ROOT / name).read_text(encoding="utf-8") for name in documents)
        for name in re.findall(r"\*([^*]+)\*", text):
            assert name in names or f"## {name}\n" in headings, name


@pytest.mark.parametrize("of", DASHBOARDS, ids=DASHBOARD_IDS)
def test_the_graphs_of_each_row_fill_whole_lines(of: Stack) -> None:
    # CloudWatch would put the text of the next row into a gap.
    for text, graphs in rows(of):
        assert sum(graph["width"] for graph in graphs) % 24 == 0, text


@pytest.mark.parametrize("of", DASHBOARDS, ids=DASHBOARD_IDS)
def test_the_dashboard_shows_metrics_as_the_functions_write_them(of: Stack) -> None:
    for _, name, *pairs in own_metrics_shown(of):
        given = dict(zip(pairs[::2], pairs[1::2], strict=True))
        assert given["stage"] == "dev"
        assert f'"{name}"' in written_by(given["service"])
        assert given.keys() == {"stage", "service"} | MORE.get(name, set())


def test_the_dashboard_of_a_stack_that_only_reads_shows_its_issuer_alone() -> None:
    assert {row[5] for row in own_metrics_shown(stack_with_given_secret())} == {"issuer"}
    assert {row[5] for row in own_metrics_shown(stack())} == set(SERVICES)


def test_two_stacks_have_two_dashboards_wherever_they_are() -> None:
    # The names of dashboards are the account's, not a region's.
    name = stack().one("AWS::CloudWatch::Dashboard")["Properties"]["DashboardName"]
    assert name == "zego-token-service-eu-west-1"


#: The consoles' hosts: https://docs.aws.amazon.com/general/latest/gr/mgmt-console.html,
#: https://docs.amazonaws.cn/en_us/aws/latest/userguide/introduction.html and
#: https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/using-govcloud-endpoints.html
@pytest.mark.parametrize(
    ("partition", "console"),
    [
        ("aws", "console.aws.amazon.com"),
        ("aws-cn", "console.amazonaws.cn"),
        ("aws-us-gov", "console.amazonaws-us-gov.com"),
    ],
)
def test_the_link_to_the_dashboard_leads_to_the_console_of_the_partition(
    partition: str, console: str
) -> None:
    outputs = transform({}, partition=partition)["Outputs"]
    assert outputs["DashboardUrl"]["Value"]["Fn::Sub"] == (
        f"https://eu-west-1.{console}/cloudwatch/home?region=eu-west-1"
        "#dashboards/dashboard/${Dashboard}"
    )
