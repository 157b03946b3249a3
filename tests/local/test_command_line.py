"""`zego-token secret`, run by users and programs against the running local stack.

Tests of signals, terminals and pipes run in their own process.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from local.fake_zego import Trouble
from local.stack import LocalStack
from ops import cli
from ops.output import Output
from ops.secret.unstick import unstick
from ops.target import TargetOptions, connected
from zego import server_secret
from zego.rotation import STEPS
from zego.server_secret import ServerSecret

COMMAND = Path(sys.executable).with_name("zego-token")
#: A ServerSecret with a valid form that no project has.
WRONG = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    exit_code: int
    out: str
    err: str

    def events(self) -> list[dict[str, Any]]:
        """Its output in JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


def _agree(_question: str) -> None:
    """`--yes`."""


class Person:
    """Runs commands against a stack, and checks that none of them shows a secret."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.secrets = {WRONG, stack.secrets_manager.server_secret}

    def reset(self) -> ServerSecret:
        """ZEGO's console makes a new secret; the old ones stay accepted."""
        secret = self.stack.zego.project.reset(keep_old=True)
        self.secrets.add(secret.value)
        return secret

    def runs(self, *words: str, stdin: str = "") -> Done:
        """Run a command in this process, which has imported everything."""
        _, *arguments = self.command(*words)
        typed = io.TextIOWrapper(io.BytesIO(stdin.encode()))
        with patch.object(sys, "stdin", typed):
            return self._captured(lambda: cli.main(arguments))

    def gives_up(self) -> Done:
        """Run `unstick --yes`, but without a second between two checks."""

        def run() -> int:
            with connected(TargetOptions(local=self.stack.file)) as target:
                said = Output(as_json=False)
                return unstick(target, said, _agree, sleep=lambda _seconds: None)

        return self._captured(run)

    def _captured(self, run: Callable[[], int]) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            exit_code = run()
        return self.checked(Done(exit_code, out.getvalue(), err.getvalue()))

    def command(self, *words: str) -> list[str]:
        return [str(COMMAND), "secret", *words, "--local", str(self.stack.file)]

    def checked(self, done: Done) -> Done:
        assert "Traceback" not in done.err
        for secret in self.secrets:
            assert secret not in done.out + done.err
        return done

    def current(self) -> str:
        """The fingerprint of AWSCURRENT."""
        aws = self.stack.secrets_manager
        answer = aws.call("GetSecretValue", SecretId=aws.secret_id, VersionStage="AWSCURRENT")
        return server_secret.parse(answer["SecretString"]).fingerprint

    def pending(self) -> list[str]:
        """The versions under AWSPENDING."""
        aws = self.stack.secrets_manager
        versions = aws.call("DescribeSecret", SecretId=aws.secret_id)["VersionIdsToStages"]
        return [version for version, labels in versions.items() if "AWSPENDING" in labels]

    def ends_the_rotation(self) -> None:
        """Removes AWSPENDING, without checking the result for 20 s."""
        aws, (version,) = self.stack.secrets_manager, self.pending()
        aws.call(
            "UpdateSecretVersionStage",
            SecretId=aws.secret_id,
            VersionStage="AWSPENDING",
            RemoveFromVersionId=version,
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("local")
    with LocalStack(directory=directory, watch_seconds=None) as stack:
        yield stack


@pytest.fixture
def person(stack: LocalStack) -> Iterator[Person]:
    yield Person(stack)
    stack.zego.trouble = Trouble()


def test_a_wrong_value_is_refused_with_the_reason(person: Person) -> None:
    before = person.current()
    at_once = person.runs("rotate", "--file", "-", stdin=f"{WRONG}\n")
    assert at_once.exit_code == 1
    assert "No rotation was started" in at_once.err
    assert f"\n  zego-token secret rotate --staged --local {person.stack.file}\n" in at_once.err

    done = person.runs("rotate", "--staged")
    assert done.exit_code == 1
    assert "testSecret: ZEGO rejects the candidate" in done.out
    assert "ZEGO's code 100000005: it is not the ServerSecret of this AppID" in done.out
    assert "Copy the ServerSecret from ZEGO's console again" in done.out
    assert person.current() == before


def test_a_valid_value_is_promoted_and_the_previous_one_restored(
    person: Person, tmp_path: Path
) -> None:
    before, new = person.current(), person.reset()
    file = tmp_path / "value"
    file.write_text(new.value, encoding="utf-8")
    promoted = person.runs("rotate", "--file", str(file))
    assert (promoted.exit_code, promoted.err) == (0, "")
    assert f"AWSCURRENT is {new.fingerprint}. Checked from here: ZEGO accepts it." in promoted.out
    assert "All issuers use it by" in promoted.out
    assert person.current() == new.fingerprint

    restored = person.runs("restore", "--yes")
    assert restored.exit_code == 0
    assert person.current() == before


def test_a_staged_value_waits_for_its_rotation(person: Person) -> None:
    new = person.reset()
    text = json.dumps({"app_id": new.app_id, "server_secret": new.value})
    staged = person.runs("stage", "--file", "-", "--json", stdin=text)
    assert staged.events()[0]["fingerprint"] == new.fingerprint
    assert person.current() != new.fingerprint

    events = person.runs("rotate", "--staged", "--json").events()
    assert [event["step"] for event in events if event["event"] == "step-done"] == [*STEPS]
    assert events[-1]["result"] == "promoted"
    assert person.current() == new.fingerprint


def test_without_a_verdict_a_rotation_is_undecided_until_it_is_given_up(person: Person) -> None:
    person.stack.zego.trouble = Trouble(clock_skew_seconds=3600.0)
    done = person.runs("rotate", "--file", "-", "--wait", "1", "--json", stdin=person.reset().value)
    assert done.exit_code == 3
    assert done.events()[-1]["result"] == "undecided"
    again = person.runs("stage", "--file", "-", stdin=person.reset().value)
    assert again.exit_code == 1
    assert "zego-token secret unstick" in again.err
    assert person.runs("unstick").exit_code == 2
    given_up = person.gives_up()
    assert given_up.exit_code == 0
    assert "Given up, and not promoted. To rotate to the staged value:\n" in given_up.out
    assert person.runs("unstick", "--yes").out.startswith("No rotation is in flight")


def test_a_rotation_in_flight_has_its_own_exit_code(person: Person) -> None:
    aws = person.stack.secrets_manager
    value = json.dumps({"app_id": aws.app_id, "server_secret": WRONG})
    aws.call(
        "PutSecretValue",
        SecretId=aws.secret_id,
        SecretString=value,
        VersionStages=["AWSPENDING"],
    )
    status = person.runs("status")
    person.ends_the_rotation()
    assert status.exit_code == 6
    assert "Rotation: in flight for " in status.out


def test_an_accepted_staged_value_is_not_replaced_by_a_rejected_one(person: Person) -> None:
    new = person.reset()
    person.runs("stage", "--file", "-", stdin=new.value)
    refused = person.runs("stage", "--file", "-", stdin=WRONG)
    assert refused.exit_code == 1
    assert f"ZEGO accepts the staged {new.fingerprint}." in refused.err
    forced = person.runs("stage", "--file", "-", "--force", "--json", stdin=WRONG)
    assert forced.exit_code == 0
    assert forced.events()[0]["replaced"]["fingerprint"] == new.fingerprint


def test_a_compromised_value_does_not_come_back(person: Person) -> None:
    old, new = person.current(), person.reset()
    done = person.runs("rotate", "--compromised", "--file", "-", stdin=new.value)
    assert done.exit_code == 0
    assert f"Marked {old} as compromised: it never becomes AWSCURRENT again." in done.out
    refused = person.runs("restore", "--yes")
    assert refused.exit_code == 1
    assert "marked as compromised" in refused.err
    assert person.current() == new.fingerprint


def test_two_secrets_that_differ_are_a_drift(person: Person) -> None:
    value = json.dumps({"app_id": person.stack.secrets_manager.app_id, "server_secret": WRONG})
    person.stack.secrets_manager.call("CreateSecret", Name="zego/other", SecretString=value)
    kept = person.stack.secrets_manager.secret_id
    rejected = person.runs("status", "--secret-id", kept, "--secret-id", "zego/other")
    assert rejected.exit_code == 1
    assert "Drift: AWSCURRENT differs between the targets." in rejected.out

    missing = person.runs("status", "--secret-id", kept, "--secret-id", "zego/none", "--json")
    assert missing.exit_code == 4
    (document,) = missing.events()
    assert document["drift"] is None
    assert [bool(target["error"]) for target in document["targets"]] == [False, True]

    same = person.runs("status", "--secret-id", kept, "--secret-id", kept)
    assert same.exit_code == 0
    assert "All 2 targets have" in same.out


def test_a_rotation_that_has_begun_ends_after_its_output_is_closed(
    person: Person, tmp_path: Path
) -> None:
    new, file = person.reset(), tmp_path / "value"
    file.write_text(new.value, encoding="utf-8")
    nobody, closed = os.pipe()
    os.close(nobody)
    command = person.command("rotate", "--file", str(file))
    done = subprocess.run(
        command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(closed)
    assert (done.returncode, done.stderr) == (0, "")
    assert person.current() == new.fingerprint


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_status_into_a_closed_pipe_has_its_own_exit_code(
    person: Person, options: list[str]
) -> None:
    nobody, closed = os.pipe()
    os.close(nobody)
    command = person.command("status", *options)
    done = subprocess.run(
        command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=60, check=False
    )
    os.close(closed)
    assert (done.returncode, done.stderr) == (141, "")


def test_text_pasted_before_the_prompt_is_not_shown(person: Person, tmp_path: Path) -> None:
    here, there = os.openpty()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        stack = json.loads(person.stack.file.read_text(encoding="utf-8"))
        (tmp_path / "stack.json").write_text(
            json.dumps(stack | {"secrets_manager": address}), encoding="utf-8"
        )
        with subprocess.Popen(
            [COMMAND, "secret", "stage", "--local", tmp_path],
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
        ) as process:
            asked, _ = silent.accept()  # so it reads from AWS before it prompts
            assert not termios.tcgetattr(there)[3] & termios.ECHO
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 130
            asked.close()
    assert termios.tcgetattr(there)[3] & termios.ECHO
    os.close(there)
    os.close(here)


def test_the_typed_value_is_hidden_and_the_steps_are_shown(person: Person) -> None:
    new = person.reset()
    here, there = os.openpty()
    with subprocess.Popen(
        person.command("rotate"),
        stdin=there,
        stdout=there,
        stderr=there,
        start_new_session=True,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    ) as process:
        os.close(there)
        shown = read_until(here, "(not shown): ")
        os.write(here, f"{new.value}\n".encode())
        shown += read_until(here, None)
        exit_code = process.wait(timeout=60)
    os.close(here)
    person.checked(Done(exit_code, shown, ""))
    assert exit_code == 0
    drawn = shown.rpartition("createSecret")[2]
    assert drawn.count("✓") == 3  # for the other steps, in the last frame
    assert f"AWSCURRENT is {new.fingerprint}" in drawn


def read_until(terminal: int, end: str | None) -> str:
    """A program's output to a terminal, until a text appears or it ends."""
    read = b""
    while end is None or not read.decode(errors="replace").endswith(end):
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # Linux reports a closed terminal like this
            break
        if not chunk:
            break
        read += chunk
    return read.decode(errors="replace")


def test_ctrl_c_leaves_a_rotation_to_itself(person: Person) -> None:
    person.stack.zego.trouble = Trouble(clock_skew_seconds=3600.0)
    staged = person.runs("stage", "--file", "-", stdin=person.reset().value)
    assert staged.exit_code == 0
    with subprocess.Popen(
        person.command("rotate", "--staged"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    person.checked(Done(130, first + out, err))
    assert "The rotation continues. To follow it:\n  zego-token secret watch --local" in out
    person.ends_the_rotation()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["stage", "--file", "/dev/null"], "Nothing was staged."),
        (["rotate", "--file", "/dev/null"], "Nothing was staged."),
        (["rotate", "--staged"], "Nothing was rotated."),
        (["restore", "--yes"], "Nothing was rotated."),
        (["unstick", "--yes"], "Nothing was changed."),
    ],
    ids=["stage", "rotate", "rotate --staged", "restore", "unstick"],
)
def test_ctrl_c_during_a_read_reports_that_nothing_was_done(
    person: Person, tmp_path: Path, command: list[str], words: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        stack = json.loads(person.stack.file.read_text(encoding="utf-8"))
        (tmp_path / "stack.json").write_text(
            json.dumps(stack | {"secrets_manager": address}), encoding="utf-8"
        )
        with subprocess.Popen(
            [COMMAND, "secret", *command, "--local", tmp_path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            asked, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            asked.close()
    assert (process.returncode, out, err) == (130, "", f"{words}\n")


def test_ctrl_c_during_the_checks_of_unstick_leaves_awspending_removed(person: Person) -> None:
    person.stack.zego.trouble = Trouble(clock_skew_seconds=3600.0)
    person.runs("rotate", "--file", "-", "--wait", "0", stdin=person.reset().value)
    with subprocess.Popen(
        person.command("unstick", "--yes"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any("Checking for 20 s" in line for line in lines)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, "")
    assert "AWSPENDING is removed. A running step may still promote the version." in out
    assert person.pending() == []


def test_ctrl_c_does_not_wait_for_zego(person: Person) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        zego = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with subprocess.Popen(
            person.command("status", "--zego-api", zego), stderr=subprocess.PIPE, text=True
        ) as process:
            asked, _ = silent.accept()
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            asked.close()
    assert time.monotonic() - began < 2.9, "one attempt to reach ZEGO is given up after 3 s"
    assert (process.returncode, err.strip()) == (130, "")


def test_watch_shows_changes_until_ctrl_c(person: Person) -> None:
    with subprocess.Popen(
        person.command("watch", "--interval", "0.1", "--json"), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["event"] == "change"
        person.stack.zego.trouble = Trouble(kind="garbage")
        changes = iter(process.stdout.readline, "")
        seen = next(line for line in map(json.loads, changes) if line["was"])
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    assert seen["now"]["outcome"] == "unknown"


def test_a_stopped_stack_is_reported(tmp_path: Path) -> None:
    done = subprocess.run(
        [COMMAND, "secret", "status", "--local", tmp_path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert "No local stack is running here" in done.stderr
