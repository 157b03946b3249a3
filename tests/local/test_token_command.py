"""`zego-token token` and `zego-token policy explain` against the running local stack."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import LocalStack
from zego import token04

COMMAND = Path(sys.executable).with_name("zego-token")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("local")
    with LocalStack(directory=directory, watch_seconds=None) as stack:
        # On a busy machine the issuer may not have read its secret yet.
        while token("--local", stack.file, "--user", "alice", "--room", "call_1").returncode == 5:
            pass
        yield stack


def token(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return zego_token("token", *words, stdin=stdin)


def zego_token(*words: str | Path, stdin: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def opened(stack: LocalStack, text: str) -> token04.Claims:
    return token04.decode(text, stack.secrets_manager.server_secret).claims


def test_a_user_of_the_local_stack_gets_a_token(stack: LocalStack) -> None:
    done = token("--local", stack.file, "--user", "alice", "--room", "call_1")
    assert done.returncode == 0
    text, *about = done.stdout.splitlines()
    assert opened(stack, text).user_id == "alice"
    assert about[0].startswith("For alice, AppID ")
    assert about[0].endswith(": room call_1, login and publish.")
    assert about[1].startswith("Valid until ")
    assert done.stderr.startswith("This is a real credential.")


def test_raw_prints_the_token_alone(stack: LocalStack) -> None:
    wanted = ("--room", "call_1", "--lifetime", "60", "--privilege", "login")
    done = token("--local", stack.file, "--user", "alice", *wanted, "--raw")
    claims = opened(stack, done.stdout.removesuffix("\n"))
    assert claims.expires_at - claims.issued_at == 60
    assert json.loads(claims.payload)["privilege"] == {"1": 1, "2": 0}


def test_the_output_warns_that_an_identity_token_opens_every_room(stack: LocalStack) -> None:
    done = token("--local", stack.file, "--user", "alice")
    assert "it opens every room" in done.stdout


def test_a_bearer_token_comes_from_standard_input_and_is_not_printed(stack: LocalStack) -> None:
    bearer = stack.identity_provider.bearer("carol")
    words = ("--api", stack.api.url, "--bearer-file", "-", "--room", "call_1", "--json")
    done = token(*words, stdin=f"Bearer {bearer}\n")
    made = json.loads(done.stdout)
    assert (made["event"], made["user_id"]) == ("token", "carol")
    assert opened(stack, made["token"]).user_id == "carol"
    assert bearer not in done.stdout + done.stderr


def test_a_refusal_says_what_to_do(stack: LocalStack) -> None:
    done = token("--local", stack.file, "--user", "bob", "--room", "alice_desk")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "error: The service refused (HTTP 403, not_granted)" in done.stderr
    assert "a --room that a rule of the access policy grants" in done.stderr
    assert "Request id: " in done.stderr


def test_a_bearer_token_of_another_issuer_is_explained_without_repeating_it(
    stack: LocalStack,
) -> None:
    provider = stack.identity_provider
    bearer = provider.sign(provider.claims("carol", iss="https://elsewhere.example.com"))
    done = token("--local", stack.file, "--bearer-file", "-", stdin=bearer)
    assert done.returncode == 1
    assert "bearer_untrusted_issuer" in done.stderr
    assert not [part for part in bearer.split(".") if part in done.stderr]


def test_the_message_about_a_stopped_stack_names_make_run(
    tmp_path: Path, stack: LocalStack
) -> None:
    stopped = tmp_path / "stack.json"
    description = json.loads(stack.file.read_text())
    stopped.write_text(json.dumps(description | {"identity_provider": "http://127.0.0.1:9"}))
    done = token("--local", stopped, "--user", "alice")
    assert done.returncode == 5
    assert "did not log in 'alice'" in done.stderr


def test_the_policy_of_the_stack_explains_what_it_would_give(stack: LocalStack) -> None:
    words = ("--local", stack.file, "--bearer", "-", "--room", "alice_desk")
    for user, exit_code in (("alice", 0), ("bob", 1)):
        bearer = stack.identity_provider.bearer(user)
        done = zego_token("policy", "explain", *words, stdin=bearer)
        assert (done.returncode, done.stderr) == (exit_code, "")
        assert bearer not in done.stdout
