"""`zego-token policy check`: mistakes, examples that fail, and warnings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ops import cli
from ops.errors import ExitCode
from ops.policy.check import check
from tests.support.policy_mistakes import GOOD

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prod.toml"


def example(**changes: str) -> str:
    """An example of the good policy, as TOML, with changed values; an empty one is left out."""
    keys = {
        "description": '"alice joins a call"',
        "caller": '"web"',
        "claims": '{ sub = "alice", email_verified = true }',
        "request": '{ room_id = "call_1", stream_ids = ["alice_cam"] }',
        "expect": '"granted"',
    } | changes
    return "[[examples]]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items() if value)


def mistakes(file: Path, text: str) -> tuple[str, ...]:
    file.write_text(f"{GOOD}\n{text}", encoding="utf-8")
    return check(file).mistakes


def test_examples_that_hold_are_counted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mistakes(file, example()) == ()
    assert cli.main(["policy", "check", str(file)]) == ExitCode.DONE
    assert capsys.readouterr().out == "prod.toml: 2 rules, 1 examples pass\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expect": '"refused"'}, "should be refused, but is granted by 'members'"),
        ({"claims": '{ sub = "alice" }'}, "should be granted, but is refused"),
        ({"rule": '"servers"'}, "should be decided by 'servers', but is granted by 'members'"),
        ({"rule": '"member"'}, "names the rule 'member', which does not exist"),
        ({"caller": '"webb"'}, "names the caller 'webb', but no identity has this name"),
        ({"claims": "{ email_verified = true }"}, "has claims without sub"),
        ({"caller": '"backend"'}, "has claims, but its caller is a role, which has none"),
    ],
)
def test_an_example_that_does_not_hold_is_named(
    file: Path, changes: dict[str, str], words: str
) -> None:
    (mistake,) = mistakes(file, example(**changes))
    assert mistake.startswith("prod.toml: 'alice joins a call'")
    assert words in mistake


@pytest.mark.parametrize(
    "request_", ['{ room = "call_1" }', "{ room_id = 5 }", '{ room_id = "a b" }']
)
def test_an_invalid_request_does_not_count_as_a_refusal(file: Path, request_: str) -> None:
    (mistake,) = mistakes(file, example(request=request_, expect='"refused"'))
    assert "'alice joins a call'" in mistake


def test_an_invalid_policy_is_the_only_mistake(file: Path) -> None:
    (mistake,) = mistakes(file, example(expects='"granted"'))
    assert mistake.startswith("prod.toml: examples[1]: unknown key 'expects'")


def test_every_file_is_checked_and_each_mistake_is_shown(
    file: Path, tmp_path: Path, capsys: Capture
) -> None:
    failing = (example(expect='"refused"'), example(caller='"webb"'))
    mistakes(file, "\n".join(failing))
    other = tmp_path / "dev.toml"
    other.write_text(GOOD, encoding="utf-8")
    absent = str(tmp_path / "absent.toml")
    assert cli.main(["policy", "check", str(file), absent, str(other)]) == ExitCode.REFUSED
    shown = capsys.readouterr().out
    for words in (
        "should be refused, but is granted by 'members'",
        "names the caller 'webb'",
        "absent.toml cannot be read: No such file",
        "dev.toml: 2 rules, 0 examples pass",
    ):
        assert words in shown


def test_the_json_has_a_line_per_file(file: Path, capsys: Capture) -> None:
    mistakes(file, example())
    assert cli.main(["policy", "check", "--json", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "event": "policy",
        "file": "prod.toml",
        "rules": 2,
        "examples": 1,
        "mistakes": [],
        "warnings": [],
    }


def test_warnings_are_shown_and_fail_only_if_strict(file: Path, capsys: Capture) -> None:
    file.write_text(GOOD.replace('users = ["*"]', 'users = ["{user_id}"]'), encoding="utf-8")
    assert cli.main(["policy", "check", str(file)]) == ExitCode.DONE
    assert "warning: prod.toml: rules[2] 'servers': users" in capsys.readouterr().out
    assert cli.main(["policy", "check", "--strict", str(file)]) == ExitCode.REFUSED


def test_a_stage_is_a_file_of_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli.main(["policy", "check", "--stage", "prod"]) == ExitCode.USAGE
    assert "functions/issuer/policies/prod.toml does not exist here." in capsys.readouterr().err
    folder = tmp_path / "functions" / "issuer" / "policies"
    folder.mkdir(parents=True)
    (folder / "prod.toml").write_text(GOOD, encoding="utf-8")
    assert cli.main(["policy", "check", "--stage", "prod"]) == ExitCode.DONE
    assert cli.main(["policy", "check"]) == ExitCode.USAGE


def test_the_policy_of_the_local_stack_may_use_plain_http(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    local = GOOD.replace("https://login.example.com/jwks.json", "{identity_provider}/jwks.json")
    path.write_text(local, encoding="utf-8")
    assert check(path).mistakes == ()
    path.write_text(local.replace("{identity_provider}", "http://127.0.0.1"), encoding="utf-8")
    assert "https" in check(path).mistakes[0]
