"""The sample events of a rotation and of the watcher, as ``make invoke`` runs them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import invoke
from local.stack import LocalStack
from tests.contract.services import EVENTS
from zego.rotation import STEPS


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory=directory, workers=1, watch_seconds=None) as running:
        yield running


def exit_code_of(stack: LocalStack, event: Path) -> object:
    with pytest.raises(SystemExit) as ended:
        invoke.main([str(event), "--directory", str(stack.file.parent)])
    return ended.value.code


def run(stack: LocalStack, event: Path, capsys: pytest.CaptureFixture[str]) -> object:
    assert exit_code_of(stack, event) == 0
    return json.loads(capsys.readouterr().out)


ROTATION = sorted((EVENTS / "rotation").glob("*.json"))
WATCHER = sorted((EVENTS / "watcher").glob("*.json"))


def test_each_step_has_an_event() -> None:
    steps = {json.loads(path.read_text(encoding="utf-8"))["Step"] for path in ROTATION}
    assert steps == set(STEPS)


@pytest.mark.parametrize("event", ROTATION, ids=lambda path: path.stem)
def test_a_step_can_run_on_the_current_version(
    stack: LocalStack, event: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(stack, event, capsys) is None


@pytest.mark.parametrize("event", WATCHER, ids=lambda path: path.stem)
def test_the_watcher_returns_its_verdict(
    stack: LocalStack, event: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run(stack, event, capsys)
    assert isinstance(answer, dict)
    assert answer["verdict"] == "accepted"
    if event.stem == "rotation_failed":
        assert '"outcome":"failed"' in stack.watcher_log.read_text(encoding="utf-8")


def test_a_refused_step_reports_why(
    stack: LocalStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = json.loads((EVENTS / "rotation" / "test_secret.json").read_text(encoding="utf-8"))
    path = tmp_path / "event.json"
    path.write_text(json.dumps(event | {"ClientRequestToken": "of-no-rotation-" * 3}))
    assert exit_code_of(stack, path) == 1
    said = capsys.readouterr().err
    assert "error: the rotator failed" in said
    assert "Secrets Manager shows the version under neither AWSPENDING nor AWSCURRENT" in said


@pytest.mark.parametrize(
    "change",
    [
        {"Step": "dropSecret"},
        {"Step": ["createSecret"]},
        {"ClientRequestToken": ""},
        {"ClientRequestToken": 5},
        {"SecretId": "arn:aws:secretsmanager:us-east-1:000000000000:secret:another-abcdef"},
        {"SecretId": None},
        {"RotationToken": 5},
    ],
    ids=str,
)
def test_an_event_for_another_rotation_is_refused(
    stack: LocalStack, change: dict[str, object]
) -> None:
    arn = stack.secrets_manager.call("DescribeSecret", SecretId=stack.secrets_manager.secret_id)
    event = {
        "Step": "createSecret",
        "SecretId": arn["ARN"],
        "ClientRequestToken": "0d8f8a52-7c5c-4f9e-9f5e-3a0c4c9d1b11",
    }
    result = stack.rotator.invoke(event | change)
    assert result.function_error == "Unhandled"
    assert result.payload["errorType"] == "RotationEventError"
