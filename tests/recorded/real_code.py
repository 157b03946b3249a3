"""The service and the command line in this process, on parts of the local stack.

All that the recordings import of the code under test is here. The functions are reached by their
handlers and configured by their variables; the commands by ``ops.cli``.
"""

from __future__ import annotations

import importlib
import io
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import (
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
    suppress,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn, Self, TextIO
from unittest.mock import patch

import click
from aws_lambda_powertools import Metrics

from local.access_policy import DEVELOPMENT
from local.aws.dynamodb import DynamoDb
from local.aws.events import EventBus
from local.aws.http_api import ApiGateway
from local.aws.http_api_access import AccessKey, Cors
from local.aws.lambda_host import InvocationResult
from local.aws.secrets_manager import APP_ID, SecretsManager
from local.aws.secrets_manager.conditions import SecretsManagerError
from local.aws.secrets_manager.rotation import RotationDriver
from local.fake_zego import Trouble, ZegoCloud
from local.identity_provider import IdentityProvider
from local.loopback import HttpRequest, HttpResponse, Intercept
from ops import cli
from ops.denials.removal import remove_from_rooms
from ops.errors import ExitCode
from ops.secret.follow import follow
from ops.secret.unstick import unstick
from ops.secret.watch import watch
from runtime.settings import IssuerSettings, RotatorSettings, SettingsError, WatcherSettings
from tests.support.routes import UNTHROTTLED
from zego.policy import file as policy_file
from zego.policy.file import PolicyError
from zego.server_api import ServerApi

__all__ = [
    "APP_ID",
    "ExitCode",
    "PolicyError",
    "SettingsError",
    "Trouble",
    "follow",
    "policy_file",
    "watch",
]

REGION: Final = "us-east-1"
ORIGIN: Final = "https://calls.example.com"
ROLE_SESSION: Final = "arn:aws:sts::000000000000:assumed-role/LocalBackend/development"
STRANGER_SESSION: Final = "arn:aws:sts::000000000000:assumed-role/Stranger/development"
LOOK: Final = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}
FUNCTIONS: Final = ("issuer", "rotator", "watcher")
#: The functions that wait between two checks or two attempts.
_WAITING: Final[Sequence[Any]] = (
    follow,
    remove_from_rooms,
    unstick,
    watch,
    ServerApi.__init__,
)


@contextmanager
def imported_anew(name: str) -> Iterator[Any]:
    """A module whose import reads the environment; the earlier import is restored after it."""
    parent, _, last = name.rpartition(".")
    package = importlib.import_module(parent)
    before = sys.modules.pop(name, None)
    try:
        yield importlib.import_module(name)
    finally:
        sys.modules.pop(name, None)
        vars(package).pop(last, None)
        if before is not None:
            sys.modules[name] = before
            setattr(package, last, before)


@contextmanager
def _powertools_of_its_own() -> Iterator[None]:
    """Restore what the import of a function sets for the whole process, such as the stage."""
    with ExitStack() as restored:
        for kept in (Metrics._metrics, Metrics._dimensions, Metrics._default_dimensions):
            restored.enter_context(patch.dict(kept, clear=True))
        for name in FUNCTIONS:
            for handler in logging.getLogger(name).handlers:
                log_format = getattr(handler.formatter, "log_format", {})
                restored.enter_context(patch.dict(log_format))
        yield


class Function:
    """A function, and what it has written to its log."""

    def __init__(self, name: str, module: Any) -> None:
        self.module = module
        self._name = name
        self._output = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)

    def __call__(self, event: Mapping[str, Any]) -> Any:
        with self._captured():
            return self.module.handler(event, object())

    def lines(self) -> list[dict[str, Any]]:
        """The lines written since the last call."""
        buffer = self._output.buffer
        assert isinstance(buffer, io.BytesIO)
        written = buffer.getvalue().decode()
        buffer.seek(0)
        buffer.truncate()
        return [json.loads(line) for line in written.splitlines()]

    @contextmanager
    def _captured(self) -> Iterator[None]:
        logger = logging.getLogger(self._name)
        handlers = [one for one in logger.handlers if isinstance(one, logging.StreamHandler)]
        before = [handler.setStream(self._output) for handler in handlers]
        try:  # otherwise pytest's log output would bury the differences
            with redirect_stdout(self._output), patch.object(logger, "propagate", new=False):
                yield
        finally:
            for handler, stream in zip(handlers, before, strict=True):
                if stream is not None:
                    handler.setStream(stream)


@dataclass(frozen=True)
class Command:
    """A command that has ended."""

    exit_code: int
    out: str
    err: str

    @property
    def events(self) -> list[Any]:
        """Its output with ``--json``."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True)
class _Step:
    """The part of a step that the driver of rotations sees."""

    function_error: str | None


class Parts:
    """The parts of a local stack that the functions and the commands reach by their addresses.

    Each time a command checks the secret, one step of a rotation runs, so that every run sees the
    same states of a rotation.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets_manager = SecretsManager()
        self.zego = ZegoCloud(self.secrets_manager.app_id, self.secrets_manager.server_secret)
        self.identity_provider = IdentityProvider()
        self.event_bus = EventBus()
        self.dynamodb = DynamoDb()
        self.deny: dict[str, Intercept] = {}
        self.policy = folder / "policy.toml"
        self.stack_file = folder / "stack.json"
        self._running = ExitStack()
        self._is_waiting, self._is_stepping = threading.Event(), threading.Event()
        self._permits, self._done = threading.Semaphore(0), threading.Semaphore(0)

    def __enter__(self) -> Self:
        with ExitStack() as running:
            self._start(running)
            self._running = running.pop_all()
        return self

    def _start(self, running: ExitStack) -> None:
        for part in (
            self.secrets_manager,
            self.zego,
            self.identity_provider,
            self.event_bus,
            self.dynamodb,
        ):
            part.start()
            running.callback(part.stop)
        policy = DEVELOPMENT.read_text(encoding="utf-8")
        self.policy.write_text(
            policy.replace("{identity_provider}", self.identity_provider.url), encoding="utf-8"
        )
        self.secrets_manager.call("ListSecrets")  # waits until it is ready
        self.dynamodb.wait()
        self.secrets_manager.intercept = self._intercept
        running.enter_context(patch.dict(os.environ, self.environment()))
        for name in ("ZEGO_TOKEN_SECRET_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            os.environ.pop(name, None)
        for waiting in _WAITING:
            running.enter_context(patch.dict(waiting.__kwdefaults__, sleep=lambda _seconds: None))
        running.enter_context(_powertools_of_its_own())
        self.functions = {name: running.enter_context(self.function(name)) for name in FUNCTIONS}
        self.driver = running.enter_context(
            RotationDriver(
                self.secrets_manager, self._invoke, attempts=1, on_event=self.event_bus.publish
            )
        )
        self._serve_the_api(running)

    def __exit__(self, *exc_info: object) -> None:
        self._running.close()

    def environment(self) -> dict[str, str]:
        """The variables of the functions."""
        return {
            "STAGE": "local",
            "SERVER_SECRET_ARN": self.secrets_manager.secret_id,
            "AWS_REGION": REGION,
            "ACCESS_POLICY_FILE": str(self.policy),
            "BUILD_VERSION": "build-1",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.secrets_manager.url,
            "AWS_ENDPOINT_URL_EVENTS": self.event_bus.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "LIMITS_TABLE": self.dynamodb.table,
            "ZEGO_SERVER_API_URL": self.zego.url,
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "aws-secret-access-key",
        }

    @contextmanager
    def function(self, name: str, **changes: str) -> Iterator[Function]:
        """A function with changed variables."""
        with patch.dict(os.environ, changes), imported_anew(f"{name}.app") as module:
            yield Function(name, module)

    @property
    def now(self) -> int:
        """Unix seconds."""
        return int(time.time())

    def rotate(self) -> None:
        """Run a rotation to the staged value, to its end."""
        with suppress(SecretsManagerError):  # one that has not ended begins again, and AWS refuses
            self.secrets_manager.call("RotateSecret", SecretId=self.secrets_manager.secret_id)
        self.steps()

    def store(self, value: str, label: str, app_id: int = APP_ID) -> str:
        """Store a value under a label without the command line, and return the version's id."""
        answer = self.secrets_manager.call(
            "PutSecretValue",
            SecretId=self.secrets_manager.secret_id,
            SecretString=json.dumps({"app_id": app_id, "server_secret": value}),
            VersionStages=[label],
        )
        return str(answer["VersionId"])

    def tag(self, **tags: str) -> None:
        """Write notes to the secret."""
        self.secrets_manager.call(
            "TagResource",
            SecretId=self.secrets_manager.secret_id,
            Tags=[{"Key": f"zego-token-service:{key}", "Value": tags[key]} for key in tags],
        )

    def tags(self) -> dict[str, str]:
        """The notes on the secret."""
        described = self.secrets_manager.call(
            "DescribeSecret", SecretId=self.secrets_manager.secret_id
        )
        return {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}

    def steps(self) -> None:
        """Run the steps of a rotation that has begun, without a command that checks it."""
        while not self.driver.wait(0):
            self._step()

    def _serve_the_api(self, running: ExitStack) -> None:
        issuer = self.functions["issuer"]

        class InProcess:
            """Replaces a Lambda host."""

            def invoke(self, event: object) -> InvocationResult:
                assert isinstance(event, dict)
                raw = json.dumps(issuer(event)).encode()
                return InvocationResult(raw, None, False, "request-1", 0.0, None)

        key = AccessKey("ASIAEXAMPLE", "aws-secret-access-key", ROLE_SESSION)
        api = ApiGateway(
            InProcess(),
            routes=UNTHROTTLED,
            region=REGION,
            access_keys=[key],
            cors=Cors(origins=(ORIGIN,)),
        )
        api.start()
        running.callback(api.stop)
        description = {
            "api": api.url,
            "secrets_manager": self.secrets_manager.url,
            "secret_id": self.secrets_manager.secret_id,
            "region": REGION,
            "zego": self.zego.url,
            "dynamodb": self.dynamodb.url,
            "limits_table": self.dynamodb.table,
            "identity_provider": self.identity_provider.url,
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
        }
        self.stack_file.write_text(json.dumps(description), encoding="utf-8")

    def _invoke(self, event: dict[str, Any]) -> _Step:
        """A step of a rotation, which runs after a check."""
        self._is_waiting.set()
        self._permits.acquire()
        try:
            self.functions["rotator"](event)
        except Exception:  # noqa: BLE001  as Lambda has it
            return _Step("Unhandled")
        finally:
            self._done.release()
        return _Step(None)

    def _intercept(self, request: HttpRequest) -> HttpResponse | None:
        action = (request.header("x-amz-target") or "").rpartition(".")[2]
        if action in self.deny:
            return self.deny[action](request)
        if action == "DescribeSecret" and not self._is_stepping.is_set():
            self._step()
        return None

    def _step(self) -> None:
        """Run the next step of the rotation in flight, if there is one, to its end."""
        self._settle()
        if not self._is_waiting.is_set():
            return
        self._is_waiting.clear()
        self._is_stepping.set()
        try:
            self._permits.release()
            self._done.acquire()
            self._settle()
        finally:
            self._is_stepping.clear()

    def _settle(self) -> None:
        """Return once the rotation's next step waits, or no rotation runs."""
        while not self.driver.wait(0) and not self._is_waiting.wait(0.002):
            pass


def run(
    *words: str, stdin: bytes = b"", typed: str = "", out: io.StringIO | None = None
) -> Command:
    """Run a command line.

    :param typed: what is typed on a terminal, if standard input is one.
    """
    out, err = out or io.StringIO(), io.StringIO()
    given = _terminal(typed) if typed else nullcontext(io.TextIOWrapper(io.BytesIO(stdin)))
    with (
        given as keyboard,
        patch.object(sys, "stdin", keyboard),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        code = cli.main(words)
    return Command(int(code), out.getvalue(), err.getvalue())


@contextmanager
def _terminal(typed: str) -> Iterator[TextIO]:
    """A terminal on which a text has been typed."""

    def unseen(prompt: str) -> str:
        print(prompt, end="", file=sys.stderr)
        line = sys.stdin.readline().removesuffix("\n")
        print(file=sys.stderr)
        return line

    keyboard, terminal = os.openpty()
    try:
        os.write(keyboard, typed.encode())
        with os.fdopen(terminal, encoding="utf-8") as opened, patch("getpass.getpass", unseen):
            yield opened
    finally:
        os.close(keyboard)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command and group of the command line, by its path."""
    yield from _commands("zego-token", cli.app)


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _commands(f"{path} {name}", found)


def read_settings(function: str, environment: Mapping[str, str]) -> None:
    """Let a function read its variables."""
    match function:
        case "issuer":
            IssuerSettings.read(environment)
        case "rotator":
            RotatorSettings.read(environment)
        case "watcher":
            WatcherSettings.read(environment)
        case _:
            raise ValueError(function)


def failing(routes: Sequence[str]) -> dict[str, Callable[..., NoReturn]]:
    """Routes that raise an error."""

    def fail(*_request: object) -> NoReturn:
        raise RuntimeError("this fault is made up")

    return dict.fromkeys(routes, fail)
