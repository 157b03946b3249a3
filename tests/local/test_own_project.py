"""`make run ZEGO=mine`, with a separate stand-in that `--zego-api` names instead of ZEGO."""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import parse_qs

import click
import pytest

from local import own_project
from local.fake_zego import Trouble, ZegoCloud
from local.fake_zego.server_api import MESSAGES
from local.loopback import HttpRequest, HttpResponse
from local.own_project import MINE, OwnProject
from local.samples import request_token
from local.stack import LocalStack
from ops.cli import main
from ops.errors import ExitCode
from tests.local.exchange import exchange
from tools.sam_template import ROOT
from zego import token04
from zego.server_api import ENDPOINT, ServerApi
from zego.server_secret import ServerSecret

APP_ID = 987654321
SECRET = "fedcba9876543210" * 2
VALUE = json.dumps({"app_id": APP_ID, "server_secret": SECRET})


class Zego:
    """A stand-in for ZEGO, and the actions that were called there."""

    def __init__(self, cloud: ZegoCloud) -> None:
        self.cloud = cloud
        self.actions: list[str] = []
        cloud.intercept = self._note

    def _note(self, request: HttpRequest) -> HttpResponse | None:
        self.actions += parse_qs(request.query).get("Action", [request.path])
        return None


@pytest.fixture(scope="module")
def zego() -> Iterator[Zego]:
    """The tests of this file call only what changes nothing at ZEGO."""
    with ZegoCloud(APP_ID, SECRET) as cloud:
        zego = Zego(cloud)
        yield zego
    assert set(zego.actions) == {"DescribeUserNum"}


@pytest.fixture(scope="module")
def stack(zego: Zego, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    project = OwnProject(ServerSecret(APP_ID, SECRET), zego.cloud.url)
    directory = tmp_path_factory.mktemp("own")
    with LocalStack(
        directory=directory, workers=1, own_project=project, watch_seconds=None
    ) as running:
        yield running


# --- The stack ------------------------------------------------------------------------------------


def test_its_tokens_open_with_the_projects_secret(stack: LocalStack) -> None:
    answer = request_token(stack.api.url, stack.identity_provider.url, "alice")
    claims = token04.decode(answer.json()["token"], SECRET).claims
    assert (claims.app_id, claims.user_id) == (APP_ID, "alice")


def test_the_watcher_asks_zego_itself(stack: LocalStack, zego: Zego) -> None:
    assert stack.tick().payload["verdict"] == "accepted"
    zego.cloud.project.reset()
    assert stack.tick().payload["verdict"] == "rejected"
    zego.cloud.project.accept_all()
    assert stack.tick().payload["verdict"] == "accepted"


def test_programs_see_that_zego_is_real(stack: LocalStack, zego: Zego) -> None:
    description = json.loads(stack.file.read_text())
    assert (description["own_project"], description["zego"]) == (True, zego.cloud.url)
    assert exchange(f"{stack.page.url}/stack").json()["zego"] == "mine"


def test_the_secret_is_in_no_file(stack: LocalStack) -> None:
    stack.tick()
    files = [path for path in stack.file.parent.rglob("*") if path.is_file()]
    assert {"stack.json", "function.log", "watcher.log"} <= {path.name for path in files}
    assert [path.name for path in files if SECRET.encode() in path.read_bytes()] == []


@pytest.mark.parametrize("method", ["POST", "GET", "PUT", "DELETE", "OPTIONS", "get"])
def test_only_its_owner_can_read_the_secret(stack: LocalStack, method: str) -> None:
    call = [("x-amz-target", "secretsmanager.GetSecretValue")]
    body = json.dumps({"SecretId": stack.secrets_manager.secret_id}).encode()
    answer = exchange(stack.secrets_manager.url, method, call, body)
    assert (answer.status, answer.json()["__type"]) == (400, "MissingAuthenticationToken")


def test_the_invented_project_does_not_have_the_secret(stack: LocalStack) -> None:
    assert SECRET not in [secret.value for secret in stack.zego.project.made]


def test_no_secret_is_typed_where_a_terminal_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Mock(isatty=lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(own_project.OwnProjectError, match="Standard input is a terminal"):
        own_project.read("-")
    terminal.buffer.read.assert_not_called()


def test_a_crash_writes_no_core_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr("resource.setrlimit", lambda *limit: limits.append(limit))
    with pytest.raises(SystemExit):
        own_project.choose(MINE, str(tmp_path / "missing"), None, tmp_path)
    assert limits == [(resource.RLIMIT_CORE, (0, 0))]


@pytest.mark.parametrize("action", ["break", "reset", "restore", "rotate", "stage"])
def test_the_page_changes_nothing(stack: LocalStack, zego: Zego, action: str) -> None:
    before = stack.secrets_manager.call("DescribeSecret", SecretId=stack.secrets_manager.secret_id)
    headers = [("origin", stack.page.url), ("content-type", "application/json")]
    body = b'{"value": "console", "mistake": "jwt"}'
    answer = exchange(f"{stack.page.url}/operate/{action}", "POST", headers, body)
    assert (answer.status, answer.json()["code"]) == (409, "own_project")
    after = stack.secrets_manager.call("DescribeSecret", SecretId=stack.secrets_manager.secret_id)
    assert after["VersionIdsToStages"] == before["VersionIdsToStages"]
    assert len(zego.cloud.project.made) <= 2


def test_the_page_inspects_with_the_watchers_verdict(stack: LocalStack) -> None:
    stack.tick()
    token = request_token(stack.api.url, stack.identity_provider.url, "alice").json()["token"]
    headers = [("origin", stack.page.url), ("content-type", "application/json")]
    body = json.dumps({"token": token}).encode()
    answer = exchange(f"{stack.page.url}/operate/inspect", "POST", headers, body).json()
    assert (answer["accepted"], answer["current_accepted"]) == (True, True)


def test_deny_removes_no_user_at_zego(
    stack: LocalStack, zego: Zego, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "deny user alice --until 1h --reason test --yes --kick call_1 --local"
    assert main([*line.split(), str(stack.file)]) == ExitCode.USAGE
    assert "Leave out --kick." in capsys.readouterr().err
    assert stack.dynamodb.items("denials") == []


def test_make_run_says_what_is_real_and_needs_no_terminal(zego: Zego, tmp_path: Path) -> None:
    options = ["--directory", str(tmp_path), "--zego", MINE, "--secret-file", "-"]
    with subprocess.Popen(
        [sys.executable, "-m", "local", *options, "--zego-api", zego.cloud.url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(VALUE)
        process.stdin.close()
        lines: list[str] = []
        while not lines or "Check that the service is up" not in lines[-1]:
            lines.append(process.stdout.readline())
            assert lines[-1], "".join(lines)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 0
    printed = "".join(lines)
    assert f"It uses your ZEGO project {APP_ID}" in printed
    assert "The stack changes nothing at ZEGO" in printed
    assert "make run ZEGO=mine RUN_ARGS='--allow-origin" in printed
    assert re.search(rf"app_id +{APP_ID}$", printed, re.MULTILINE)
    assert "/console" not in printed
    assert SECRET not in printed


# --- The value ------------------------------------------------------------------------------------


@pytest.fixture
def choose(
    monkeypatch: pytest.MonkeyPatch, zego: Zego, tmp_path: Path
) -> Callable[[str | bytes], OwnProject]:
    """Chooses the project whose value is on standard input. Retries do not wait."""
    monkeypatch.setattr(own_project, "ServerApi", partial(ServerApi, sleep=lambda _: None))

    def choose(value: str | bytes) -> OwnProject:
        content = value if isinstance(value, bytes) else value.encode()
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(content)))
        chosen = own_project.choose(MINE, "-", zego.cloud.url, tmp_path)
        assert chosen
        return chosen

    return choose


@pytest.mark.parametrize("value", [VALUE, f"{VALUE}\n", f"\ufeff{VALUE}", f"  {VALUE}\r\n"])
def test_the_value_is_that_of_secrets_manager(
    choose: Callable[[str], OwnProject], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert choose(value).secret == ServerSecret(APP_ID, SECRET)
    assert SECRET not in "".join(capsys.readouterr())


def of(**changes: object) -> str:
    return json.dumps({"app_id": APP_ID, "server_secret": SECRET} | changes)


@pytest.mark.parametrize(
    ("value", "exit_code", "says"),
    [
        (of(server_secret="0" * 31 + "1"), 1, "ZEGO rejects this ServerSecret for AppID"),
        (of(app_id=APP_ID + 1), 1, "compare the AppID with the console"),
        (of(server_secret=f'"{SECRET}"'), 2, "quotes around it"),
        (of(server_secret=SECRET * 2), 2, "that is an AppSign"),
        (of(server_secret=SECRET[1:]), 2, "31 characters"),
        (of(app_id=str(APP_ID)), 2, "app_id must be a whole number"),
        (SECRET, 2, "the secret is not JSON"),
        ("", 2, "the secret is not JSON"),
        ("{}", 2, "lacks app_id"),
        (b"\xff\xfe", 2, "not text in UTF-8"),
        (VALUE + " " * 5000, 2, "more than 4096 bytes"),
    ],
)
def test_a_value_that_cannot_be_used_is_explained(
    choose: Callable[[str | bytes], OwnProject],
    value: str | bytes,
    exit_code: int,
    says: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        choose(value)
    said = capsys.readouterr()
    assert ended.value.code == exit_code
    assert says in said.err
    assert "Copy the AppID and the ServerSecret from ZEGO's console again" in said.err
    assert SECRET[:20] not in said.err + said.out


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (Trouble(clock_skew_seconds=700), " s behind ZEGO's"),
        (Trouble(kind="rate-limit"), "throttling"),
        (Trouble(kind="hang-up"), "Check the network"),
        (Trouble(kind="garbage"), "no readable code"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_without_a_verdict_the_stack_does_not_start(
    choose: Callable[[str], OwnProject],
    zego: Zego,
    trouble: Trouble,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(zego.cloud, "trouble", trouble)
    with pytest.raises(SystemExit) as ended:
        choose(VALUE)
    assert ended.value.code == own_project.NO_VERDICT
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("code", "says"), [(100000016, "environment"), (100000017, "service")])
def test_a_project_without_the_service_is_explained(
    choose: Callable[[str], OwnProject],
    zego: Zego,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The codes are those of "Global return codes"; the stand-in does not return them."""
    assert code not in MESSAGES
    response = HttpResponse(200, (), json.dumps({"Code": code}).encode())
    monkeypatch.setattr(zego.cloud, "intercept", lambda _: response)
    with pytest.raises(SystemExit) as ended:
        choose(VALUE)
    said = capsys.readouterr().err
    assert ended.value.code == own_project.NO_VERDICT
    assert says in said
    assert f"(code {code})" in said


def test_a_missing_file_is_not_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The path could be the secret itself."""
    with pytest.raises(SystemExit) as ended:
        own_project.choose(MINE, SECRET, None, tmp_path)
    assert ended.value.code == own_project.INVALID
    said = capsys.readouterr().err
    assert "No such file" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "url", ["https://rtc-api.zego.im/", "http://example.com", "http://10.0.0.1"]
)
def test_only_this_machine_may_replace_zego(url: str) -> None:
    context, option = click.Context(click.Command("local")), click.Option(["--zego-api"])
    with pytest.raises(click.BadParameter, match="an address of this machine"):
        own_project.check_api(context, option, url)


def test_without_the_option_zego_itself_gives_the_verdict() -> None:
    assert OwnProject(ServerSecret(APP_ID, SECRET)).server_api == ENDPOINT


def test_the_options_need_an_own_project(tmp_path: Path) -> None:
    with pytest.raises(click.UsageError, match="need --zego mine"):
        own_project.choose("stand-in", "-", None, tmp_path)


def test_while_a_stack_runs_it_does_not_ask(
    stack: LocalStack, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        own_project.choose(MINE, None, None, stack.file.parent)
    assert ended.value.code == own_project.INVALID
    assert f"A local stack is running at {stack.api.url}" in capsys.readouterr().err


def test_ctrl_c_while_zego_is_asked_starts_nothing(
    choose: Callable[[str], OwnProject],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(own_project, "prove", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(SystemExit) as ended:
        choose(VALUE)
    assert ended.value.code == own_project.INTERRUPTED
    assert capsys.readouterr().err.endswith("Nothing was started.\n")


# --- The prompt -----------------------------------------------------------------------------------

ASKS = """
import fcntl, sys, termios
from pathlib import Path
from local import own_project

if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # for Ctrl-C and the prompt
own_project.choose("mine", None, sys.argv[1], Path(sys.argv[2]))
"""


def ask(url: str, *typed: str) -> tuple[int, str]:
    """Runs the prompt on a terminal, types there, and returns the exit code and what it shows."""
    controller, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", ASKS, url, "/nowhere"],
        cwd=ROOT,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    ) as process:
        os.close(terminal)
        shown = b""
        for line in typed:
            while not shown.rstrip().endswith(b"(not shown):"):
                shown += os.read(controller, 1024)
            os.write(controller, line.encode())
            shown += b"|"
        with suppress(OSError):  # the terminal is closed
            while read := os.read(controller, 1024):
                shown += read
        os.close(controller)
        return process.wait(timeout=60), shown.decode()


def test_the_prompt_shows_nothing_that_is_typed(zego: Zego) -> None:
    code, shown = ask(zego.cloud.url, f"{APP_ID}\n", f"\x1b[200~{SECRET}\x1b[201~\n")
    assert code == 0
    assert f"for AppID {APP_ID}" in shown
    assert SECRET not in shown


@pytest.mark.parametrize("typed", [("\x03",), (f"{APP_ID}\n", "\x03"), ("\x04",)])
def test_ctrl_c_at_the_prompt_starts_nothing(zego: Zego, typed: tuple[str, ...]) -> None:
    code, shown = ask(zego.cloud.url, *typed)
    assert code == own_project.INTERRUPTED
    assert "Nothing was started." in shown
    assert "Traceback" not in shown


def test_a_secret_at_the_first_prompt_is_not_repeated(zego: Zego) -> None:
    code, shown = ask(zego.cloud.url, f"{SECRET}\n")
    assert code == own_project.INVALID
    assert "An AppID is a number" in shown
    assert SECRET not in shown


def test_without_a_terminal_the_option_is_named(zego: Zego) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASKS, zego.cloud.url, "/nowhere"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == own_project.INVALID
    assert "--secret-file" in done.stderr
