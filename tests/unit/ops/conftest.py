"""A secret in a Secrets Manager in this process, and the output of commands."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.aws.secrets_manager import SECRET_ID, SecretsManager
from ops.output import Output
from ops.target import Target
from tests.support.in_process import secrets_manager_client
from tests.unit.ops.fakes import Zego
from zego.secret_store.versions import SecretVersions


@pytest.fixture
def aws() -> SecretsManager:
    return SecretsManager()


@pytest.fixture
def zego(aws: SecretsManager) -> Zego:
    return Zego(aws.server_secret)


@pytest.fixture
def target(aws: SecretsManager, zego: Zego) -> Target:
    return Target("--local", SecretVersions(secrets_manager_client(aws), SECRET_ID), zego.probe)


@pytest.fixture
def out(capsys: pytest.CaptureFixture[str]) -> Output:
    """Output in JSON; see `said`."""
    return Output(as_json=True)


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """The events printed since the last call."""
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def a_file(tmp_path: Path) -> Callable[[str], str]:
    """Writes a text to a file and returns its path."""

    def write(text: str) -> str:
        path = tmp_path / "value"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Puts bytes on standard input, which is not a terminal."""

    def give(content: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give
