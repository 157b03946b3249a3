"""`zego-token local env` without a stack; tests/local/test_make_run.py runs it with one."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from ops.cli import main
from ops.errors import ExitCode

STACK = {"secrets_manager": "", "region": "us-east-1", "zego": "", "secret_id": "secret"}


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def api() -> Iterator[str]:
    """The address of an API that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No local stack is running here: {path} does not exist."),
        ("", "{path} does not describe a local stack."),
        (json.dumps(STACK), "No local stack is running here: {path} is from one that has stopped."),
        (
            json.dumps(STACK | {"api": f"http://127.0.0.1:{free_port()}"}),
            "No local stack is running here: {path} is from one that has stopped.",
        ),
    ],
    ids=["no file", "empty", "no API", "stopped"],
)
def test_without_a_running_stack_nothing_is_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, message: str
) -> None:
    path = tmp_path / "stack.json"
    if content is not None:
        path.write_text(content)
    assert main(["local", "env", str(path)]) == ExitCode.AWS
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[0] == f"error: {message.format(path=path)}"
    assert "make run" in printed.err


@pytest.mark.parametrize(
    "text", ["$(touch ran)", "`touch ran`", "'; touch ran; '", "\\'; touch ran #", "a\ntouch ran"]
)
def test_a_shell_runs_no_text_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], api: str, text: str
) -> None:
    (tmp_path / "stack.json").write_text(json.dumps(STACK | {"api": api, "region": text}))
    assert main(["local", "env", str(tmp_path)]) == ExitCode.DONE
    line = capsys.readouterr().out + 'printf %s "$AWS_REGION"'
    shell = subprocess.run(
        ["/bin/sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (shell.stdout, shell.stderr) == (text, "")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("value", [5, None, True, ["a"], {"a": 1}])
@pytest.mark.parametrize("name", ["region", "access_key_id", "secret_access_key"])
def test_a_value_of_another_kind_is_as_a_missing_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], api: str, name: str, value: object
) -> None:
    def env(stack: Mapping[str, object]) -> tuple[int, str, str]:
        (tmp_path / "stack.json").write_text(json.dumps(stack))
        code = main(["local", "env", str(tmp_path)])
        return int(code), *capsys.readouterr()

    named = STACK | {"api": api}
    without = {key: one for key, one in named.items() if key != name}
    assert env(named | {name: value}) == env(without)
