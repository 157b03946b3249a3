"""The parts of the stack that rotate and watch, connected as in template.yaml."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from local import __main__ as command_line
from local import stack as stack_module
from local.aws.api_destination import DELAYS, KEY_HEADER
from local.aws.dynamodb import TABLE
from local.aws.events import BY_CLOUDTRAIL, ENDS_OF_A_ROTATION, SECRETS_MANAGER, Event
from local.aws.http_api import AccessRecord
from local.aws.secrets_manager import SECRET_ID
from local.aws.secrets_manager.rotation import DAYS
from local.loopback import post
from local.samples import log_in
from local.stack import TIMEOUT_SECONDS, WATCH_SECONDS, LocalStack
from tests.local.exchange import exchange
from tools.sam_template import load
from zego.secret_store.versions import CLIENT_CONFIG, SecretVersions


@pytest.fixture(scope="module")
def said() -> list[str]:
    """What the stack says of origins that it refuses."""
    return []


@pytest.fixture(scope="module")
def accessed() -> list[AccessRecord]:
    """The requests to the API, as the terminal shows them."""
    return []


@pytest.fixture(scope="module")
def stack(
    tmp_path_factory: pytest.TempPathFactory, said: list[str], accessed: list[AccessRecord]
) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("stack")
    (directory / "watcher.log").touch(0o666)  # of an earlier version
    (directory / "watcher.log").chmod(0o666)
    with LocalStack(
        directory=directory,
        workers=1,
        watch_seconds=None,
        on_refused_origin=said.append,
        on_access=accessed.append,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def versions(stack: LocalStack) -> SecretVersions:
    client = boto3.client(
        "secretsmanager",
        endpoint_url=stack.secrets_manager.url,
        region_name=stack.region,
        aws_access_key_id=stack.access_key.access_key_id,
        aws_secret_access_key=stack.access_key.secret_access_key,
        config=CLIENT_CONFIG,
    )
    return SecretVersions(client, stack.secrets_manager.secret_id)


def until(holds: Callable[[], bool], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def ends_of_rotations(stack: LocalStack) -> list[str]:
    events = stack.event_bus.events("AWS Service Event via CloudTrail")
    return [event["detail"]["eventName"] for event in events]


CALLS = (
    ("secretsmanager", "secrets_manager", "get_secret_value", {"SecretId": SECRET_ID}),
    ("events", "event_bus", "put_events", {"Entries": [{"Source": "a", "DetailType": "b"}]}),
    ("dynamodb", "dynamodb", "describe_table", {"TableName": TABLE}),
    ("lambda", "invoke_api", "invoke", {"FunctionName": "issuer", "Payload": b"{}"}),
)


@pytest.mark.parametrize(("service", "part", "operation", "parameters"), CALLS)
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"aws_access_key_id": "ASIAUNKNOWN"}, "UnrecognizedClientException"),
        ({"aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
        ({"config": Config(signature_version=UNSIGNED)}, "MissingAuthenticationToken"),
    ],
    ids=["signed", "unknown key", "wrong key", "unsigned"],
)
def test_no_other_user_of_this_machine_can_call_the_aws_services(
    stack: LocalStack,
    service: str,
    part: str,
    operation: str,
    parameters: dict[str, Any],
    change: dict[str, Any],
    code: str | None,
) -> None:
    named = {
        "aws_access_key_id": stack.access_key.access_key_id,
        "aws_secret_access_key": stack.access_key.secret_access_key,
    }
    url = getattr(stack, part).url
    session = boto3.Session(region_name=stack.region)
    client: Any = session.client(service, endpoint_url=url, **(named | change))  # type: ignore[call-overload]
    with pytest.raises(ClientError) if code else nullcontext() as caught:
        getattr(client, operation)(**parameters)
    if caught:
        assert caught.value.response["Error"]["Code"] == code
        assert stack.secrets_manager.server_secret not in str(caught.value.response)


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    ("part", "target"),
    [
        ("secrets_manager", "secretsmanager.GetSecretValue"),
        ("event_bus", "AWSEvents.PutEvents"),
        ("dynamodb", "DynamoDB_20120810.DescribeTable"),
    ],
)
def test_another_method_needs_a_signature_too(
    stack: LocalStack, part: str, target: str, method: str
) -> None:
    url = f"{getattr(stack, part).url}/other"
    answer = exchange(url, method, [("x-amz-target", target)], b"{}")
    assert answer.json()["__type"] == "MissingAuthenticationToken"


def test_rotator_and_watcher_have_no_process_until_they_are_needed(tmp_path: Path) -> None:
    with LocalStack(directory=tmp_path, workers=1, watch_seconds=None) as stack:
        assert len(stack.function.process_ids()) == 1
        assert stack.rotator.process_ids() == stack.watcher.process_ids() == []


@pytest.mark.parametrize(
    ("part", "path", "method"),
    [
        ("api", "/v1/tokens", "OPTIONS"),
        ("api", "/v1/health", "GET"),
        ("identity_provider", "/token", "OPTIONS"),
        ("identity_provider", "/token", "POST"),
        ("zego", "/v1/rooms/login", "OPTIONS"),
        ("zego", "/console", "GET"),
    ],
)
def test_a_refused_origin_is_named_once_with_the_option_that_allows_it(
    stack: LocalStack, said: list[str], part: str, path: str, method: str
) -> None:
    said.clear()
    origin = f"http://localhost:{5000 + len(part + path + method)}"
    headers = [("origin", origin), ("access-control-request-method", "POST")]
    for _ in range(2):
        exchange(f"{getattr(stack, part).url}{path}", method, headers)
    (sentence,) = said
    assert f"Pages of {origin} may not" in sentence
    assert sentence.endswith(f" RUN_ARGS='--allow-origin {origin}'")


def test_a_page_without_an_origin_needs_a_web_server(stack: LocalStack, said: list[str]) -> None:
    said.clear()
    exchange(f"{stack.api.url}/v1/health", headers=[("origin", "null")])
    assert ["Serve the page with a web server" in sentence for sentence in said] == [True]


@pytest.mark.parametrize("origin", ["", "\x1b[2J", "http://localhost:5173/", "*"])
def test_an_origin_that_no_browser_sends_is_not_printed(
    stack: LocalStack, said: list[str], origin: str
) -> None:
    said.clear()
    exchange(f"{stack.api.url}/v1/health", headers=[("origin", origin)])
    assert said == []


def test_the_stacks_own_page_is_not_named(stack: LocalStack, said: list[str]) -> None:
    said.clear()
    for origin in stack.page.origins:
        exchange(f"{stack.api.url}/v1/health", headers=[("origin", origin)])
        exchange(f"{stack.zego.url}/console", headers=[("origin", origin)])
    assert said == []


def test_only_its_owner_can_open_what_the_stack_writes(stack: LocalStack) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in stack.file.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes
    assert {"stack.json", "stack.lock", "access_policy.toml", "watcher.log"} <= modes.keys()


def test_a_line_of_a_log_is_written_in_one_piece(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Mock()
    monkeypatch.setattr(stack_module, "open_private", lambda path: nullcontext(log))
    monkeypatch.setattr(LocalStack, "function_environment", lambda *_: {})  # needs running parts
    host = LocalStack(directory=tmp_path)._host(ExitStack(), "rotator", tmp_path / "rotator.log")
    assert host._on_log is not None
    host._on_log("one")
    log.write.assert_called_once_with("one\n")


def test_a_line_of_the_access_log_is_written_in_one_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = Mock()
    monkeypatch.setattr(sys, "stderr", stderr)
    command_line._log(AccessRecord(0.0, "id", "GET", "/v1/health", 200, 0.001, ""))
    (call,) = stderr.write.call_args_list
    assert call.args[0].endswith("GET /v1/health 1.0 ms id\n")


@pytest.mark.parametrize("part", ["secrets_manager", "event_bus", "invoke_api"])
def test_a_web_page_cannot_use_a_service_of_aws(stack: LocalStack, part: str) -> None:
    headers = {"origin": "https://evil.example", "content-type": "text/plain"}
    assert post(getattr(stack, part).url, b"{}", headers).status == 403


def test_zego_accepts_the_secret_in_secrets_manager(stack: LocalStack) -> None:
    (accepted,) = stack.zego.project.accepted
    assert accepted.value == stack.secrets_manager.server_secret
    assert accepted.app_id == stack.secrets_manager.app_id


def test_tick_runs_the_watcher_and_returns_its_result(stack: LocalStack) -> None:
    published: list[Event] = []
    stack.event_bus.subscribe(published.append, source="zego-token-service")
    result = stack.tick()
    assert result.function_error is None
    assert result.payload["verdict"] == "accepted"
    assert published[0]["detail"]["verdict"] == "accepted"
    assert '"SecretAccepted"' in stack.watcher_log.read_text()


def test_a_rotation_runs_the_rotator_and_then_the_watcher(
    stack: LocalStack, versions: SecretVersions
) -> None:
    new = stack.zego.project.reset(keep_old=True)
    versions.stage(new)
    seen = len(stack.watcher.log_lines())
    token = versions.start_rotation()
    assert stack.rotation.wait()
    assert versions.describe().labels["AWSCURRENT"] == token
    assert ends_of_rotations(stack)[-2:] == ["RotationStarted", "RotationSucceeded"]
    assert '"promoted"' in stack.rotator_log.read_text()
    assert until(lambda: '"succeeded"' in "".join(stack.watcher.log_lines()[seen:]))


def test_the_environment_reaches_every_function(tmp_path: Path) -> None:
    environment = {"STAGE": "nowhere"}
    with LocalStack(
        directory=tmp_path, workers=1, watch_seconds=None, environment=environment
    ) as stack:
        for function in (stack.rotator, stack.watcher):
            result = function.invoke({})
            assert result.function_error
            assert "STAGE" in json.dumps(result.payload)


def test_the_watcher_runs_on_a_schedule(tmp_path: Path) -> None:
    with LocalStack(directory=tmp_path, workers=1, watch_seconds=0.05) as stack:
        assert until(lambda: stack.event_bus.events("ServerSecret Verdict Changed") != [])


def test_functions_and_times_are_those_of_the_template() -> None:
    template = load()
    functions = {
        resource["Properties"]["Handler"].partition(".")[0]: resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Serverless::Function"
    }
    assert {name: float(it["Timeout"]) for name, it in functions.items()} == TIMEOUT_SECONDS
    events = functions["watcher"]["Events"]
    assert events["Tick"]["Properties"]["Schedule"] == f"rate({WATCH_SECONDS / 60:g} minutes)"
    pattern = events["RotationEnded"]["Properties"]["Pattern"]
    assert (pattern["source"], pattern["detail-type"]) == ([SECRETS_MANAGER], [BY_CLOUDTRAIL])
    assert set(pattern["detail"]["eventName"]) == ENDS_OF_A_ROTATION
    assert template["Parameters"]["RotationReminderDays"]["Default"] == DAYS


def test_incoming_calls_are_posted_as_in_the_template() -> None:
    resources = load()["Resources"]
    rule = resources["IncomingCallRule"]["Properties"]
    pattern = rule["EventPattern"]
    matched = {"source": pattern["source"][0], "detail_type": pattern["detail-type"][0]}
    assert matched == stack_module.CALLS
    (target,) = rule["Targets"]
    assert sum(DELAYS) <= target["RetryPolicy"]["MaximumEventAgeInSeconds"]
    connection = resources["IncomingCallConnection"]["Properties"]["AuthParameters"]
    assert connection["ApiKeyAuthParameters"]["ApiKeyName"] == KEY_HEADER


def test_no_secret_is_in_a_log_or_an_event(stack: LocalStack) -> None:
    written = json.dumps(stack.event_bus.events())
    for log in (stack.function_log, stack.rotator_log, stack.watcher_log):
        written += log.read_text()
    for secret in stack.zego.project.made:
        assert secret.value not in written


@pytest.mark.parametrize(
    ("body", "bearer", "status", "note"),
    [
        ({"room_id": "call_1"}, "", 401, "bearer_missing: "),
        ({"room_id": "closed"}, "alice", 403, "not_granted: no rule matches"),
        ({"room_id": 5}, "alice", 400, "wrong_type: "),
        ({"room_id": "call_1"}, "alice", 201, ""),
    ],
)
def test_the_terminal_shows_why_a_request_was_refused(
    stack: LocalStack,
    accessed: list[AccessRecord],
    body: dict[str, Any],
    bearer: str,
    status: int,
    note: str,
) -> None:
    headers = {}
    if bearer:
        token = log_in(stack.identity_provider.url, bearer)
        headers = {"authorization": f"Bearer {token}"}
    post(f"{stack.api.url}/v1/tokens", body, headers)
    record = accessed[-1]
    assert (record.status, record.note.startswith(note)) == (status, True)
    assert bool(record.note) == (status != 201)
    assert str(record).endswith(f"({record.note})" if note else record.request_id)
