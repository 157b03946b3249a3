"""The whole stack as `make run` starts it: `python -m local` in a separate process."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlencode, urlsplit

import pytest
from click.testing import CliRunner

import local.__main__
from local import invoke
from local.identity_provider import PASSWORD
from local.loopback import PortTakenError
from local.page.operations import session
from local.stack import LocalStack
from local.stack_file import StackDescription
from ops.target import TargetOptions, connected
from tests.local.exchange import Answer, exchange
from zego import server_secret, token04

PROJECT = Path(__file__).resolve().parents[2]
LAST_WORDS = "# Check that the service is up:"
PAGES = ["http://localhost:5173", "https://calls.example.com"]


@dataclass(frozen=True)
class Running:
    """A stack that runs in a separate process."""

    process: subprocess.Popen[str]
    directory: Path
    printed: str

    @property
    def description(self) -> StackDescription:
        return StackDescription.from_json((self.directory / "stack.json").read_text())

    def command(self, heading: str) -> str:
        """Returns the command that is printed below `heading`."""
        return self.printed.partition(f"# {heading}")[2].partition("\n")[2].partition("\n\n")[0]


def command(module: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", module, *map(str, arguments)]


@contextmanager
def run(directory: Path, *arguments: str) -> Iterator[Running]:
    with subprocess.Popen(
        command("local", "--directory", directory, *arguments),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Running(process, directory, _read_greeting(process))
        finally:
            process.kill()


def _read_greeting(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or LAST_WORDS not in lines[-1]:
        lines.append(process.stdout.readline())
        assert lines[-1], process.stderr and process.stderr.read()
    lines.append(process.stdout.readline())
    return "".join(lines)


def allowing(answer: Answer) -> list[str]:
    """The headers with which a browser lets a page of another origin read the response."""
    return [name for name in answer.headers if name.startswith("access-control-")]


def children(process_id: int) -> list[int]:
    listed = subprocess.run(
        ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    pairs = [tuple(map(int, line.split())) for line in listed.stdout.splitlines()]
    return [child for child, parent in pairs if parent == process_id]


def is_running(process_id: int) -> bool:
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(process_id)], capture_output=True, text=True, check=False
    )
    return bool(listed.stdout.strip()) and not listed.stdout.startswith("Z")


def finish(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        arguments, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with run(tmp_path_factory.mktemp("local")) as running:
        yield running


def test_it_prints_a_decoded_token(running: Running) -> None:
    assert re.search(r"token +04\S{8}\.\.\. \(\d+ characters\), AES-GCM", running.printed)
    assert re.search(r"user_id +alice", running.printed)
    assert re.search(r"payload +room call_1: login yes, publish yes", running.printed)


def test_stack_json_names_the_parts_and_only_its_owner_can_read_it(running: Running) -> None:
    path = running.directory / "stack.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = json.loads(path.read_text())
    assert set(said) == {
        "api",
        "identity_provider",
        "secrets_manager",
        "secret_id",
        "app_id",
        "region",
        "page",
        "lambda",
        "access_key_id",
        "secret_access_key",
        "zego",
        "events",
        "dynamodb",
        "limits_table",
        "functions",
        "pid",
        "incoming_call_url",
        "own_project",
        "incoming_call_key",
    }
    assert said["pid"] == running.process.pid
    assert exchange(f"{said['api']}/v1/health").status == 200
    assert exchange(said["page"]).status == 200
    assert exchange(f"{said['zego']}/console").json()["app_id"] == said["app_id"]
    assert exchange(said["events"]).json() == []
    assert said["functions"] == ["issuer", "rotator", "watcher"]


@pytest.mark.parametrize(
    ("heading", "user_id"),
    [("A frontend logs in", "alice"), ("A frontend calls", "alice"), ("A backend", "bob")],
)
def test_the_printed_curl_commands_get_a_token(
    running: Running, heading: str, user_id: str
) -> None:
    done = finish("bash", "-c", running.command(heading))
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    stack = running.description
    with connected(TargetOptions(local=running.directory)) as target:
        secret = server_secret.parse(target.versions.read(label="AWSCURRENT").text)
    claims = token04.decode(answer["token"], secret.value).claims
    assert (claims.app_id, claims.user_id) == (stack.app_id, user_id)


def test_the_printed_health_check_works(running: Running) -> None:
    line = running.printed.strip().splitlines()[-1]
    assert json.loads(finish("bash", "-c", line).stdout)["status"] == "ok"


def test_the_greeting_names_the_parts(running: Running) -> None:
    stack = running.description
    for url in (stack.api, stack.zego, f"{stack.zego}/console", stack.events):
        assert url in running.printed
    assert f"Try it in a browser: {stack.page}\n" in running.printed
    assert f"make run RUN_ARGS='--allow-origin {PAGES[0]}'\n" in running.printed
    assert "function.log, rotator.log, watcher.log" in running.printed


def test_a_function_gets_a_process_only_when_it_is_invoked(running: Running) -> None:
    assert (running.directory / "watcher.log").read_text() == ""
    stack = running.description
    functions = session(stack).client("lambda", endpoint_url=stack.lambda_)
    invoked = functions.invoke(FunctionName="watcher")
    assert json.loads(invoked["Payload"].read())["verdict"] == "accepted"
    assert (running.directory / "watcher.log").read_text() != ""


USES_THE_CLIENT = """
import os
from zego_token_client import TokenClient

print(TokenClient(os.environ["ZEGO_TOKENS_URL"]).token("bob", room_id="call_1").user_id)
"""


def test_the_printed_line_points_a_backend_at_the_stack(running: Running) -> None:
    line = running.command("Your own backend: set its URL and credentials in this shell:")
    backend = shlex.join([sys.executable, "-c", USES_THE_CLIENT])
    elsewhere = "export AWS_PROFILE=elsewhere AWS_SESSION_TOKEN=old AWS_CONFIG_FILE=/nowhere"
    done = finish("bash", "-c", f"{elsewhere}\n{line}\nPYTHONPATH=clients/python {backend}")
    assert (done.stdout, done.stderr) == ("bob\n", "")


def test_the_printed_commands_for_operators_work(running: Running) -> None:
    status = running.command("Show the state of the ServerSecret:")
    looked = finish("bash", "-c", status)
    assert looked.returncode == 0, looked.stderr
    assert "AWSCURRENT" in looked.stdout
    rotation = running.command(
        "Reset the ServerSecret at the stand-in for ZEGO and rotate to the new one:"
    )
    rotated = finish("bash", "-c", rotation)
    assert rotated.returncode == 0, rotated.stderr
    assert "Promoted" in rotated.stdout


def test_the_page_gets_a_curl_command_but_no_access_key(running: Running) -> None:
    stack = running.description
    known = exchange(f"{stack.page}/stack").body.decode()
    assert f"{stack.api}/v1/tokens" in known
    assert stack.secret_access_key not in known
    assert stack.access_key_id not in known


@pytest.mark.parametrize("event", sorted((PROJECT / "events").glob("*.json")), ids=lambda p: p.stem)
def test_an_event_can_be_invoked(running: Running, event: Path) -> None:
    done = CliRunner().invoke(invoke.main, [str(event), "--directory", str(running.directory)])
    assert (done.exit_code, done.stderr) == (0, "")
    assert re.match(r"[2345]\d\d [A-Z]", done.stdout)
    assert not re.search(r"04[A-Za-z0-9+/]{40}", done.stdout)


def test_make_invoke_invokes_an_event(running: Running) -> None:
    event = PROJECT / "events" / "health.json"
    done = finish(*command("local.invoke", event, "--directory", running.directory))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("200 ")


def test_a_second_stack_in_the_same_directory_is_refused(running: Running) -> None:
    done = finish(*command("local", "--directory", running.directory))
    assert done.returncode == 2
    stack = running.description
    assert done.stderr == (
        f"error: a local stack is running at {stack.api} (process {stack.pid}); stop it first\n"
    )


def test_a_port_in_use_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = finish(*command("local", "--directory", tmp_path, "--port", str(port)))
    assert done.returncode == 2
    assert done.stderr == f"error: port {port} is in use; choose one with PORT= or --port\n"
    assert not (tmp_path / "stack.json").exists()


@pytest.mark.parametrize("options", [(), ("--port", "8080")], ids=["no port", "a port"])
def test_a_port_that_is_taken_between_check_and_start_is_replaced_unless_it_was_given(
    tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def begin(stack: LocalStack) -> NoReturn:
        begun.append(stack)
        if len(begun) == 1:
            raise PortTakenError("port 8080 is in use")
        sys.exit(0)

    monkeypatch.setattr(local.__main__, "_run", begin)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        local.__main__.main(["--directory", str(tmp_path), *options])
    assert (len(begun), ended.value.code) == ((1, 2) if options else (2, 0))


@contextmanager
def six_free_ports() -> Iterator[int]:
    """Yields the first of six consecutive ports, all free except the third."""
    for first in range(20000, 30000, 6):
        with ExitStack() as taken:
            try:
                for port in range(first, first + 6):
                    taken.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
        with socket.create_server(("127.0.0.1", first + 2)):
            yield first
            return
    pytest.fail("there are no six consecutive free ports")


def test_the_other_ports_follow_the_apis_and_one_in_use_is_replaced(tmp_path: Path) -> None:
    with six_free_ports() as first, run(tmp_path, "--port", str(first)) as running:
        stack = running.description
        urls = (stack.api, stack.identity_provider, stack.page, stack.zego, stack.events)
        assert [urlsplit(url).port for url in urls] == [first + n for n in (0, 1, 3, 4, 5)]
        assert urlsplit(stack.secrets_manager).port not in range(first, first + 6)
        assert exchange(f"{stack.secrets_manager}/", "POST", [], b"{}").status == 400


def test_the_help_lists_the_ports() -> None:
    printed = " ".join(finish(*command("local", "--help")).stdout.split())
    assert (
        "--port PORT Port of the API (default: 8080, or any free port if that is taken)." in printed
    )
    assert "identity provider, Secrets Manager, the page, the stand-in for ZEGO" in printed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with run(tmp_path) as running:
        started = children(running.process.pid)
        assert len(started) >= 2  # a worker, and the leader of the process group
        running.process.send_signal(number)
        _, errors = running.process.communicate(timeout=60)
    assert running.process.returncode == 0
    assert "Traceback" not in errors
    assert not any(is_running(child) for child in started)
    assert not (tmp_path / "stack.json").exists()


def test_a_killed_stack_leaves_no_process_and_does_not_block_the_next(
    tmp_path: Path,
) -> None:
    with run(tmp_path) as killed:
        started = children(killed.process.pid)
        os.kill(killed.process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(is_running, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, started))
    with run(tmp_path) as again:
        assert again.description.pid == again.process.pid


def test_env_sets_a_variable_of_the_functions(tmp_path: Path) -> None:
    with run(tmp_path, "--env", "BUILD_VERSION=mine", "--env", "TOKEN_CIPHER=cbc") as running:
        assert "AES-CBC" in running.printed
        health = exchange(f"{running.description.api}/v1/health")
        assert health.json()["version"] == "mine"


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A stack that allows pages of two origins."""
    options = [f"--allow-origin={origin}" for origin in PAGES]
    with run(tmp_path_factory.mktemp("opened"), *options) as running:
        yield running


@pytest.fixture
def opened(opening: Running) -> StackDescription:
    return opening.description


def test_the_greeting_names_the_origins_that_are_allowed(opening: Running) -> None:
    assert f"For your own page: it may be on {PAGES[0]} or {PAGES[1]}\n" in opening.printed


def preflight(stack: StackDescription, origin: str) -> Answer:
    """The response to a browser's preflight for a JSON request with a bearer token."""
    asks = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ]
    return exchange(f"{stack.api}/v1/tokens", "OPTIONS", asks)


def log_in(stack: StackDescription, origin: str) -> Answer:
    """The identity provider's response to a login from a page of `origin`."""
    form = {"grant_type": "password", "username": "alice", "password": PASSWORD}
    kind = ("content-type", "application/x-www-form-urlencoded")
    url = f"{stack.identity_provider}/token"
    return exchange(url, "POST", [("origin", origin), kind], urlencode(form).encode())


def ask_for_a_token(stack: StackDescription, origin: str) -> Answer:
    """The API's response to a token request from a page of `origin`."""
    bearer = log_in(stack, origin).json()["access_token"]
    headers = [
        ("origin", origin),
        ("authorization", f"Bearer {bearer}"),
        ("content-type", "application/json"),
    ]
    return exchange(f"{stack.api}/v1/tokens", "POST", headers, b'{"room_id": "call_1"}')


@pytest.mark.parametrize("origin", PAGES)
def test_a_page_of_an_allowed_origin_passes_the_preflight(
    opened: StackDescription, origin: str
) -> None:
    allowed = preflight(opened, origin).headers
    assert allowed["access-control-allow-origin"] == origin
    assert allowed["access-control-allow-methods"] == "GET,POST"
    assert allowed["access-control-allow-headers"] == "authorization,content-type,idempotency-key"


@pytest.mark.parametrize("origin", PAGES)
def test_a_page_of_an_allowed_origin_gets_its_token(opened: StackDescription, origin: str) -> None:
    answer = ask_for_a_token(opened, origin)
    assert (answer.status, answer.json()["user_id"]) == (201, "alice")
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-expose-headers"] == "retry-after,apigw-requestid"


@pytest.mark.parametrize("name", ["127.0.0.1", "[::1]"])
def test_an_allowed_origin_of_this_machine_counts_by_each_of_its_names(
    opened: StackDescription, name: str
) -> None:
    origin = PAGES[0].replace("localhost", name)
    assert preflight(opened, origin).headers["access-control-allow-origin"] == origin
    assert ask_for_a_token(opened, origin).headers["access-control-allow-origin"] == origin


@pytest.mark.parametrize("origin", PAGES)
def test_a_page_of_an_allowed_origin_may_enter_rooms(opened: StackDescription, origin: str) -> None:
    headers = [("origin", origin), ("content-type", "application/json")]
    answer = exchange(f"{opened.zego}/v1/rooms/login", "POST", headers, b"{}")
    assert answer.headers["access-control-allow-origin"] == origin


def test_a_page_of_an_allowed_origin_may_log_in(opened: StackDescription) -> None:
    assert log_in(opened, PAGES[0]).headers["access-control-allow-origin"] == PAGES[0]


def test_the_stacks_own_page_is_allowed_too(opened: StackDescription) -> None:
    assert preflight(opened, opened.page).headers["access-control-allow-origin"] == opened.page


def test_a_page_of_an_allowed_origin_may_not_reset_the_secret(opened: StackDescription) -> None:
    headers = [("origin", PAGES[0]), ("content-type", "application/json")]
    assert exchange(f"{opened.zego}/console/reset", "POST", headers, b"{}").status == 403


@pytest.mark.parametrize("ask", [preflight, log_in, ask_for_a_token])
@pytest.mark.parametrize("origin", ["http://localhost:5174", "http://localhost", "null"])
def test_a_page_of_another_origin_is_not_allowed(
    opened: StackDescription, ask: Callable[[StackDescription, str], Answer], origin: str
) -> None:
    assert allowing(ask(opened, origin)) == []


@pytest.mark.parametrize("ask", [preflight, log_in, ask_for_a_token])
def test_without_allow_origin_no_other_page_is_allowed(
    running: Running, ask: Callable[[StackDescription, str], Answer]
) -> None:
    assert allowing(ask(running.description, PAGES[0])) == []


@pytest.mark.parametrize("value", ["*", "http://localhost:5173/", "localhost:5173"])
def test_an_origin_that_is_not_exact_is_a_clear_error(tmp_path: Path, value: str) -> None:
    done = finish(*command("local", "--directory", tmp_path, "--allow-origin", value))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(
        "Error: Invalid value for '--allow-origin': write the origin as the browser sends it, such"
        " as http://localhost:5173:"
    )


def test_if_no_token_is_issued_the_error_shows_the_functions_log(tmp_path: Path) -> None:
    done = finish(
        *command("local", "--directory", tmp_path, "--env", "ACCESS_POLICY_FILE=/nowhere.toml")
    )
    assert done.returncode == 1
    assert "error: no token was issued" in done.stderr
    assert "/nowhere.toml" in done.stderr
    assert "Traceback (most recent call last):\n  File" not in done.stderr.partition("{")[0]


def test_incoming_calls_go_to_a_url_with_a_key_that_is_new_or_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[LocalStack] = []
    monkeypatch.setattr(local.__main__, "_run", begun.append)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    (tmp_path / "key").write_text("the-key\n")
    url = "http://localhost:3000/incoming-call?room=1"
    for options in ((), (), ("--incoming-call-key", str(tmp_path / "key"))):
        arguments = ["--directory", str(tmp_path), "--incoming-call-url", url, *options]
        assert CliRunner().invoke(local.__main__.main, arguments).exit_code == 0
    targets = [stack.incoming_calls for stack in begun]
    assert [target and target.url for target in targets] == [url] * 3
    first, second, third = (target.key for target in targets if target)
    assert first != second
    assert min(len(first), len(second)) > 40
    assert third == "the-key"
    rows = [local.__main__._incoming_call_rows(stack) for stack in begun]
    assert first in rows[0].values()
    assert "the-key" not in rows[2].values()
    assert not any("room=1" in value for row in rows for value in row.values())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--incoming-call-url", "http://example.com/hook"], "http://localhost:3000/incoming-call"),
        (["--incoming-call-url", "localhost:3000"], "http://localhost:3000/incoming-call"),
        (["--incoming-call-key", "{folder}/key"], "needs --incoming-call-url"),
        (["--incoming-call-key", "{folder}/absent"], "No such file"),
        (["--incoming-call-key", "{folder}/two lines"], "1 to 512 visible ASCII characters"),
    ],
)
def test_an_invalid_target_of_incoming_calls_is_a_clear_error(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "key").write_text("the-key")
    (tmp_path / "two lines").write_text("the-key\nanother")
    done = CliRunner().invoke(
        local.__main__.main, [text.format(folder=tmp_path) for text in arguments]
    )
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert "the-key" not in done.stderr
