"""`zego-token inspect` as a process: its speed, and how it uses streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ops.errors import ExitCode
from tests.unit.ops.tokens import APP_ID, SECRET, jwt, room_token, token

COMMAND = str(Path(sys.executable).with_name("zego-token"))
#: The promised time for 1,000 tokens, in seconds; it takes about 0.5 with JSON and 0.9 without.
PROMISED = 2.0


@pytest.fixture
def secret_file(tmp_path: Path) -> str:
    path = tmp_path / "secret"
    path.write_text(json.dumps({"app_id": APP_ID, "server_secret": SECRET}), encoding="utf-8")
    return str(path)


@pytest.fixture
def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ZEGO_TOKEN_")}


@pytest.mark.parametrize("form", ["--json", "--sdk=web"], ids=["json", "screen"])
def test_a_thousand_tokens_take_less_than_two_seconds(
    form: str, secret_file: str, environment: dict[str, str]
) -> None:
    now = int(time.time())
    texts = "".join(f"{token(issued_at=now)}\n" for _ in range(1000))
    before = processor_seconds()
    done = subprocess.run(
        [COMMAND, "inspect", "-", form, "--secret-file", secret_file],
        input=texts,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert len(done.stdout.splitlines()) >= 1000
    assert processor_seconds() - before < PROMISED


def processor_seconds() -> float:
    """Of all processes that this one has waited for. The command waits for nothing, so that this is
    how long it takes where nothing else runs; on a busy machine it would be any time.
    """
    times = os.times()
    return times.children_user + times.children_system


@pytest.mark.parametrize(
    ("form", "unused"),
    [("--json", {"boto3", "botocore", "rich", "moto"}), ("--sdk=web", {"boto3", "botocore"})],
    ids=["json", "screen"],
)
def test_it_imports_nothing_that_it_does_not_need(
    form: str, unused: set[str], secret_file: str, environment: dict[str, str]
) -> None:
    code = (
        "import sys; from ops.cli import main;"
        f"main(['inspect', '{jwt()}', '{form}', '--secret-file', '{secret_file}']);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert not set(done.stdout.splitlines()[-1].split()) & unused


def test_each_line_is_reported_as_it_comes(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [COMMAND, "inspect", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin
        assert process.stdout
        for text, form in ((room_token(), "token04"), (jwt(), "jwt"), (room_token(), "token04")):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["form"] == form
        process.stdin.close()
        assert process.wait() == ExitCode.REFUSED


@pytest.mark.parametrize("form", ["--json", "--sdk=web"], ids=["json", "screen"])
def test_it_ends_if_its_output_is_closed(
    form: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    texts = tmp_path / "texts"
    texts.write_text(f"{jwt()}\n" * 20_000, encoding="utf-8")
    done = subprocess.run(
        [
            "bash",
            "-c",
            '"$0" inspect "$1" "$2" | head -2 | wc -l; exit ${PIPESTATUS[0]}',
            COMMAND,
            str(texts),
            form,
        ],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (ExitCode.UNREAD, "2", "")


def test_a_full_disk_is_reported(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$0" inspect --json "$1" > /dev/full', COMMAND, jwt()],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == ExitCode.UNWRITTEN
    assert "cannot be written" in done.stderr


def test_a_closed_standard_input_is_an_error(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$0" inspect <&-', COMMAND],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert done.stderr == "error: Standard input is closed, so there is no token.\n"
