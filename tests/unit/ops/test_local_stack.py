"""`zego-token local env` without a stack; tests/local/test_make_run.py runs it with one."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from ops.cli import main
from ops.errors import ExitCode

STACK = {"secrets_manager": "", "region": "us-east-1", "zego": "", "secret_id": "secret"}


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


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
