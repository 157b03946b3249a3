"""The options of `zego-token doctor`, and its usage errors."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import pytest

from ops import cli
from ops.doctor.command import doctor
from ops.doctor.deployment import DoctorOptions
from ops.errors import ExitCode

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Parses a line of options and returns the result."""

    def call(*line: str) -> DoctorOptions:
        seen: list[DoctorOptions] = []

        def stop(_target_options: object, options: DoctorOptions) -> None:
            seen.append(options)
            raise click.Abort

        monkeypatch.setattr("ops.doctor.deployment.Deployment", stop)
        with suppress(click.Abort):
            doctor.main(["--stage", "dev", *line], standalone_mode=False)
        return seen[0]

    return call


def test_help_shows_every_option_and_imports_nothing_slow() -> None:
    code = (
        "import sys; from ops.cli import main; main(['doctor', '--help']);"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"boto3", "botocore", "rich"}
    for option in ("--api", "--app-id", "--policy", "--origin", "--env-file", "--bearer-file"):
        assert option in done.stdout
    assert "--local" in done.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--api http://tokens.example.com", "not an https URL"),
        ("--api https://x/?a=b", "only have a scheme"),
        ("--origin https://calls.example.com/", "no slash"),
        ("--origin calls.example.com", "write the origin as"),
        ("--env-file nowhere.env", "does not exist"),
        ("--policy nowhere.toml", "does not exist"),
        ("--bearer-file nowhere", "No such file"),
        ("--app-id 0", "not in the range"),
        ("--stage dev", "--local cannot be combined with"),
    ],
)
def test_a_usage_error_is_reported(line: str, words: str, capsys: Capture) -> None:
    assert cli.main(["doctor", "--local", "nowhere", *line.split()]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_a_secret_must_be_named(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZEGO_TOKEN_SECRET_ID", raising=False)
    assert cli.main(["doctor"]) == ExitCode.USAGE
    assert "No secret is named." in capsys.readouterr().err


def test_env_files_need_the_secret(given: Any, tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.touch()
    assert given("--without-secret").without_secret is True
    with pytest.raises(click.UsageError, match="--env-file cannot be combined"):
        given("--without-secret", "--env-file", str(path))


def test_the_last_slash_of_an_address_is_removed(given: Any) -> None:
    assert given("--api", "https://x.example/v/").api == "https://x.example/v"
    assert given("--api", "http://127.0.0.1:8080").api == "http://127.0.0.1:8080"


class TestBearer:
    @pytest.fixture
    def a_file(self, tmp_path: Path) -> Any:
        def write(content: bytes) -> str:
            path = tmp_path / "bearer"
            path.write_bytes(content)
            return str(path)

        return write

    @pytest.mark.parametrize(
        "content",
        [b"eyJ.a.b", b"eyJ.a.b\n", b"Bearer eyJ.a.b\r\n", b"\xef\xbb\xbfeyJ.a.b"],
        ids=["alone", "newline", "header", "bom"],
    )
    def test_it_is_read_from_a_file(self, given: Any, a_file: Any, content: bytes) -> None:
        options = given("--bearer-file", a_file(content))
        assert options.bearer == "eyJ.a.b"
        assert "eyJ" not in repr(options)

    def test_it_is_read_from_standard_input(
        self, given: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"eyJ.a.b\n")))
        assert given("--bearer-file", "-").bearer == "eyJ.a.b"

    @pytest.mark.parametrize(
        "content", [b"", b"a b", b"x" * 20000, b"\xff\xfe"], ids=["empty", "two", "large", "binary"]
    )
    def test_an_invalid_bearer_token_is_not_repeated(
        self, given: Any, a_file: Any, content: bytes
    ) -> None:
        with pytest.raises(click.UsageError, match="has no bearer token") as caught:
            given("--bearer-file", a_file(content))
        assert "a b" not in str(caught.value)

    def test_it_excludes_user(self, given: Any, a_file: Any) -> None:
        with pytest.raises(click.UsageError, match="--user"):
            given("--bearer-file", a_file(b"x"), "--user", "alice")


def test_a_missing_local_stack_fails_the_first_check(tmp_path: Path, capsys: Capture) -> None:
    assert cli.main(["doctor", "--local", str(tmp_path)]) == ExitCode.REFUSED
    printed = capsys.readouterr()
    assert "✗ credentials   No local stack is running here" in printed.out
    assert "skipped: needs credentials" in printed.out
    assert printed.err == ""
