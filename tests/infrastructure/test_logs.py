"""The logs: what is kept, encrypted and left out, and the saved queries that read them."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest

from issuer.problems import PROBLEMS
from tests.infrastructure.stacks import Stack, stack, stack_with_given_secret
from tools.sam_template import ROOT, load

KEY: Final = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000000"
RECORDINGS: Final = ROOT / "tests" / "recorded" / "recordings"
#: Fields that Logs Insights and Lambda add: the log group and the time; the line of an exception
#: that the handler did not catch; the line at the end of an invocation. See
#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
#: and https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
OF_AWS: Final = {"@timestamp", "@log", "log_level", "errorMessage", "type", "record.status"}
#: The commands and functions of the query language that the queries use.
WORDS: Final = {
    *("fields", "filter", "sort", "desc", "stats", "count", "as", "by", "like", "in", "or", "and"),
    "ispresent",
}


def queries(of: Stack) -> dict[str, dict[str, Any]]:
    found = of.all("AWS::Logs::QueryDefinition").values()
    return {query["Properties"]["Name"]: query["Properties"] for query in found}


def fields_of(query: str) -> set[str]:
    """The fields that a query names, without the names that it gives to results itself."""
    code = re.sub(r'"[^"]*"', "", re.sub(r"^# *", "", query, flags=re.MULTILINE))
    given = set(re.findall(r"\bas (\w+)", code))
    return set(re.findall(r"@?[A-Za-z_][\w.]*", code)) - WORDS - given


def paths(line: Any, place: str = "") -> set[str]:
    """The paths of a log line's fields, as Logs Insights names them: lists by position."""
    match line:
        case dict():
            items = line.items()
        case list():
            items = dict(enumerate(line)).items()
        case _:
            return {place}
    return {path for key, value in items for path in paths(value, f"{place}.{key}".strip("."))}


def written() -> set[str]:
    """The fields that the functions have written into their recorded logs."""
    return {
        path
        for name in ("issuer_log", "rotation_log")
        for lines in json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8")).values()
        for line in lines
        for path in paths(line)
    }


def written_by_the_api() -> set[str]:
    settings = stack().one("AWS::ApiGatewayV2::Stage")["Properties"]["AccessLogSettings"]
    return set(json.loads(settings["Format"]))


def test_a_key_encrypts_every_log_if_one_is_given() -> None:
    assert {
        name: group["Properties"].get("KmsKeyId")
        for name, group in stack(LogKmsKeyArn=KEY).all("AWS::Logs::LogGroup").items()
    } == dict.fromkeys(["AccessLog", "IssuerLog", "RotatorLog", "WatcherLog"], KEY)
    groups = stack().all("AWS::Logs::LogGroup").values()
    assert not any("KmsKeyId" in group["Properties"] for group in groups)


@pytest.mark.parametrize("function", ["Issuer", "Rotator", "Watcher"])
def test_lambdas_lines_about_successful_invocations_can_be_left_out(function: str) -> None:
    logging = stack(SystemLogLevel="WARN").properties(f"{function}Function")["LoggingConfig"]
    assert (logging["SystemLogLevel"], logging["ApplicationLogLevel"]) == ("WARN", "INFO")


def test_the_audit_events_and_metrics_cannot_be_left_out() -> None:
    # They are lines of the level INFO.
    for name, function in load()["Resources"].items():
        if function["Type"] == "AWS::Serverless::Function":
            assert function["Properties"]["LoggingConfig"]["ApplicationLogLevel"] == "INFO", name


@pytest.mark.parametrize("of", [stack(), stack_with_given_secret()], ids=["owner", "reader"])
def test_saved_queries_are_in_the_folder_of_their_stack(of: Stack) -> None:
    assert queries(of)
    assert {name.partition("/")[0] for name in queries(of)} == {"zego-token-service"}


def test_a_saved_query_reads_fields_that_are_in_its_logs() -> None:
    for name, query in queries(stack()).items():
        of_the_api = query["LogGroupNames"] == [{"Ref": "AccessLog"}]
        known = written_by_the_api() if of_the_api else written()
        assert fields_of(query["QueryString"]) <= known | OF_AWS, name


def test_the_query_of_errors_finds_what_the_alarm_counts() -> None:
    pattern = stack().properties("IssuerErrorsLogged")["FilterPattern"]
    counted = set(re.findall(r'\$\.(\w+) = "(\w+)"', pattern))
    assert counted == {("level", "ERROR"), ("level", "CRITICAL"), ("log_level", "ERROR")}
    query = queries(stack())["zego-token-service/errors"]["QueryString"]
    for field, value in counted:
        assert re.search(rf'\b{field} (=|in) .*"{value}"', query)


def test_the_query_of_bearer_tokens_names_codes_of_the_api() -> None:
    query = queries(stack())["zego-token-service/refused bearer tokens"]["QueryString"]
    codes = re.findall(r'"(\w+)"', query)
    assert codes
    assert {*codes} <= PROBLEMS.keys()


def test_a_stack_that_only_reads_the_secret_has_no_query_of_the_rotation() -> None:
    only_the_owner = queries(stack()).keys() - queries(stack_with_given_secret()).keys()
    assert only_the_owner == {"zego-token-service/rotation"}
    assert "RotatorLog" not in str(queries(stack_with_given_secret()))


def test_the_operations_document_lists_every_saved_query() -> None:
    document = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| \*([^*]+)\* \|", document, re.MULTILINE)
    assert sorted(listed) == sorted(name.partition("/")[2] for name in queries(stack()))
