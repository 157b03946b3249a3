"""All parts of the local stack, started together and wired to each other."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

from local import DOMAIN_LAYER, PROJECT, Part
from local.access_policy import LocalPolicy
from local.aws.api_destination import ApiDestination
from local.aws.dynamodb import DynamoDb
from local.aws.events import Event, EventBus, WatchSchedule
from local.aws.http_api import AccessRecord, ApiGateway
from local.aws.http_api_access import AccessKey, Cors, RefusedOrigins, loopback_names
from local.aws.invoke_api import InvokeApi
from local.aws.lambda_host import InvocationResult, LambdaHost, NotRunningError, ThrottledError
from local.aws.secrets_manager import SecretsManager
from local.aws.secrets_manager.rotation import RotationDriver
from local.fake_zego import ZegoCloud
from local.identity_provider import IdentityProvider
from local.loopback import check_free
from local.own_project import OwnProject
from local.page import Page, StackView
from local.stack_file import StackDescription, StackFile, open_private
from zego.policy import file as policy_file
from zego.policy.model import AccessPolicy

DIRECTORY = PROJECT / ".local"
PYTHON_PATH = (PROJECT / "functions", DOMAIN_LAYER)
ISSUER = "issuer.app.handler"
WATCH_SECONDS = 300.0
"""How often the watcher checks the secret, as in template.yaml."""
TIMEOUT_SECONDS = {"issuer": 10.0, "rotator": 300.0, "watcher": 300.0}
REFUSALS_KEPT = 100
CALLS = {"source": "zego-token-service", "detail_type": "Incoming Call"}
"""The events for `LocalStack.incoming_calls`, as the rule in template.yaml matches them."""
BACKEND_ARN = "arn:aws:sts::000000000000:assumed-role/LocalBackend/development"
FUNCTION_ARN = "arn:aws:sts::000000000000:assumed-role/LocalFunction/"


@dataclass(frozen=True)
class Ports:
    """The ports of the parts, in the order of `python -m local --port`; 0 means any free port."""

    api: int = 0
    identity_provider: int = 0
    secrets_manager: int = 0
    page: int = 0
    zego: int = 0
    events: int = 0
    dynamodb: int = 0


class LocalStack(Part):
    """The service with everything it needs, on 127.0.0.1.

    `environment` overrides the functions' variables. The watcher runs when a rotation ends, at
    `tick`, and every `watch_seconds` unless that is None. Pages of `allowed_origins` may log in and
    call the API and enter the stand-in's rooms, as the stack's own page may; `on_refused_origin`
    gets a sentence for each other origin. `directory` is for the files that the stack writes
    while it runs, such as `stack.json`; there can be one stack per directory. `issuer` is the
    issuer's handler, and `python_path` has the functions. Starting raises `PortTakenError` or
    `AlreadyRunningError`. The parts are attributes, which tests inspect and disturb; `function` is
    the issuer. `shared_keys` are HMAC keys by the names of their secrets; they are put into the
    Secrets Manager. With an `own_project`, ZEGO itself gives the verdicts, and the stand-in `zego`
    does not start. `incoming_calls`, if set, gets the event of each call with callees. An invalid
    policy raises `PolicyError`. `on_access` gets each request to the API; the note of a refused one
    is the reason in the issuer's audit log.
    """

    def __init__(
        self,
        *,
        directory: Path = DIRECTORY,
        ports: Ports | None = None,
        workers: int = 4,
        region: str = "us-east-1",
        environment: Mapping[str, str] | None = None,
        policy: LocalPolicy | None = None,
        shared_keys: Mapping[str, str] | None = None,
        own_project: OwnProject | None = None,
        watch_seconds: float | None = WATCH_SECONDS,
        allowed_origins: Sequence[str] = (),
        issuer: str = ISSUER,
        python_path: Sequence[Path] = PYTHON_PATH,
        on_access: Callable[[AccessRecord], None] | None = None,
        on_refused_origin: Callable[[str], object] | None = None,
        incoming_calls: ApiDestination | None = None,
    ) -> None:
        ports = ports or Ports()
        self.region = region
        self.access_key = AccessKey(  # in the form that AWS uses for a role
            f"ASIA{secrets.token_hex(8).upper()}", secrets.token_hex(20), BACKEND_ARN
        )
        directory = directory.resolve()
        self.policy_file = directory / "access_policy.toml"
        self.function_log = directory / "function.log"
        self.rotator_log = directory / "rotator.log"
        self.watcher_log = directory / "watcher.log"
        self.policy = policy or LocalPolicy()
        self.shared_keys = dict(shared_keys or {})
        self.incoming_calls = incoming_calls
        self._environment = dict(environment or {})
        self._workers = workers
        self._on_access = on_access
        self._ports = ports
        self._watch_seconds = watch_seconds
        self.allowed_origins = tuple(allowed_origins)
        self._allowed_origins = tuple(
            name for origin in allowed_origins for name in loopback_names(origin)
        )
        self._on_refused_origin = on_refused_origin
        self._issuer = issuer
        self._python_path = python_path
        self._file = StackFile(directory)
        self.file = self._file.path
        self._running = contextlib.ExitStack()
        self._refusals: deque[tuple[str, str]] = deque(maxlen=REFUSALS_KEPT)
        """The issuer's last refusals: the request id, then the code with the reason."""
        self.function_keys = {
            name: AccessKey(f"AKIALOCAL{name.upper()}", secrets.token_hex(20), FUNCTION_ARN + name)
            for name in TIMEOUT_SECONDS
        }

        self.page = Page(port=ports.page)
        self.identity_provider = IdentityProvider(port=ports.identity_provider)
        self.own_project = own_project
        self.secrets_manager = SecretsManager(
            secret=own_project.secret if own_project else None,
            port=ports.secrets_manager,
            region=region,
        )
        self.zego = ZegoCloud(
            self.secrets_manager.app_id,
            secrets.token_hex(16) if own_project else self.secrets_manager.server_secret,
            port=ports.zego,
        )
        self.event_bus = EventBus(port=ports.events, region=region)
        self.dynamodb = DynamoDb(port=ports.dynamodb, region=region)
        self.access_policy: AccessPolicy
        self.function: LambdaHost
        self.rotator: LambdaHost
        self.watcher: LambdaHost
        self.rotation: RotationDriver
        self.watch_schedule: WatchSchedule
        self.api: ApiGateway
        self.invoke_api: InvokeApi
        self._look: Callable[[Event], InvocationResult]

    def start(self) -> None:
        """Starts every part. Returns once a worker of the issuer is ready or has failed."""
        with contextlib.ExitStack() as running:
            self._file.claim()
            running.callback(self._file.release)
            self._start_parts(running)
            stack, unstick = self.description(), self.zego_token("secret", "unstick")
            self.page.connect(
                StackView(stack, self.zego.project, self.tick, self._watch_seconds, unstick)
            )
            if self.own_project:  # its verdict is all that the page knows of ZEGO
                now = self.watch_schedule.scheduled_event()
                threading.Thread(target=self._watch, args=(now,), daemon=True).start()
            self._file.write(stack)
            self._running = running.pop_all()

    def stop(self) -> None:
        """Stops every part and removes `stack.json`."""
        self._running.close()

    def tick(self) -> InvocationResult:
        """Runs the watcher now, as its schedule does. Returns its result."""
        return self._look(self.watch_schedule.scheduled_event())

    def zego_token(self, *command: str) -> str:
        """Returns a `zego-token` command line for this stack, ready for a shell."""
        program = os.path.relpath(Path(sys.executable).with_name("zego-token"))
        names = () if command[0] == "local" else ("--local",)
        return shlex.join([program, *command, *names, str(self.file)])

    def description(self) -> StackDescription:
        """Returns the addresses of the parts, as in `stack.json`."""
        return StackDescription(
            api=self.api.url,
            identity_provider=self.identity_provider.url,
            secrets_manager=self.secrets_manager.url,
            secret_id=self.secrets_manager.secret_id,
            app_id=self.secrets_manager.app_id,
            region=self.region,
            page=self.page.url,
            lambda_=self.invoke_api.url,
            zego=self._server_api,
            events=self.event_bus.url,
            dynamodb=self.dynamodb.url,
            limits_table=self.dynamodb.table,
            functions=tuple(host.function_name for host in self._functions()),
            access_key_id=self.access_key.access_key_id,
            secret_access_key=self.access_key.secret_access_key,
            own_project=self.own_project is not None,
            pid=os.getpid(),
            incoming_call_url=self.incoming_calls.url if self.incoming_calls else "",
            incoming_call_key=self.incoming_calls.key if self.incoming_calls else "",
        )

    def _start_parts(self, running: contextlib.ExitStack) -> None:
        for port in astuple(self._ports):
            check_free(port)  # before anything slow begins
        keys = (self.access_key, *self.function_keys.values())
        for part in (self.secrets_manager, self.event_bus, self.dynamodb):
            part.access_keys = keys
        running.enter_context(self.secrets_manager)
        running.enter_context(self.page)
        running.enter_context(self.identity_provider)
        if self.own_project is None:
            running.enter_context(self.zego)
        running.enter_context(self.event_bus)
        if self.incoming_calls:
            running.enter_context(self.incoming_calls)
            self.event_bus.subscribe(self.incoming_calls.take, **CALLS)
        running.enter_context(self.dynamodb)
        origins = (*self.page.origins, *self._allowed_origins)
        refused = RefusedOrigins(self._on_refused_origin or (lambda _sentence: None), origins)
        self.identity_provider.allowed_origins = origins
        self.identity_provider.on_refused_origin = refused
        self.zego.allowed_origins = self.page.origins  # no other page may reset the secret
        self.zego.room_origins = self._allowed_origins
        self.zego.on_refused_origin = refused
        with open_private(self.policy_file) as file:
            file.write(self.policy.text(self.identity_provider.url))
        self.access_policy = policy_file.load(self.policy_file, allow_loopback=True)
        for name, key in self.shared_keys.items():
            self.secrets_manager.call("CreateSecret", Name=name, SecretString=key)

        self.function = self._host(running, "issuer", self.function_log, self._issuer_wrote)
        self.rotator = self._host(running, "rotator", self.rotator_log)
        self.watcher = self._host(running, "watcher", self.watcher_log)
        self.api = ApiGateway(
            self.function,
            port=self._ports.api,
            region=self.region,
            access_keys=[self.access_key],
            cors=Cors(origins=origins, on_refused=refused),
            on_access=self._accessed,
        )
        self.invoke_api = InvokeApi(*self._functions())
        self.invoke_api.access_keys = (self.access_key,)
        running.enter_context(self.api)
        running.enter_context(self.invoke_api)
        for function in self._functions():
            running.callback(function.stop)
            function.start()
        self.function.prepare()
        self.dynamodb.wait()
        self._start_rotation(running)

    def _start_rotation(self, running: contextlib.ExitStack) -> None:
        reporter = self.page.reporter
        self._look = reporter.looking(self.watcher.invoke)
        self.rotation = RotationDriver(
            self.secrets_manager,
            reporter.stepping(self.rotator.invoke),
            function_arn=self.rotator.function_arn,
            on_event=self.event_bus.publish,
            on_attempt=reporter.attempted,
        )
        self.watch_schedule = WatchSchedule(
            self._watch, self.event_bus, every_seconds=self._watch_seconds, region=self.region
        )
        self.event_bus.subscribe(reporter.event)
        self.zego.on_change = reporter.console
        self.secrets_manager.on_change = reporter.changed
        running.enter_context(self.rotation)
        running.enter_context(self.watch_schedule)

    @property
    def _server_api(self) -> str:
        return self.own_project.server_api if self.own_project else self.zego.url

    def _watch(self, event: Event) -> None:
        with contextlib.suppress(ThrottledError, NotRunningError):
            self._look(event)

    def _issuer_wrote(self, line: str) -> None:
        self.page.reporter.log_line(line)
        if '"refused"' in line:
            with contextlib.suppress(ValueError, LookupError, TypeError):
                audit = json.loads(line)["audit"]
                self._refusals.append((audit["request_id"], f"{audit['code']}: {audit['reason']}"))

    def _accessed(self, record: AccessRecord) -> None:
        """Reports a request. What the issuer logs about a request arrives before its response."""
        self.page.reporter.access(record)
        if self._on_access:
            reason = dict(list(self._refusals)).get(record.request_id, "")
            is_refused = record.status >= 400 and not record.note
            self._on_access(replace(record, note=reason) if is_refused else record)

    def _functions(self) -> tuple[LambdaHost, ...]:
        return self.function, self.rotator, self.watcher

    def _host(
        self,
        running: contextlib.ExitStack,
        name: str,
        log_file: Path,
        on_line: Callable[[str], None] = lambda _line: None,
    ) -> LambdaHost:
        log = running.enter_context(open_private(log_file))

        def write(line: str) -> None:
            log.write(f"{line}\n")  # `print` writes twice, and another thread may come between
            on_line(line)

        return LambdaHost(
            self._issuer if name == "issuer" else f"{name}.app.handler",
            function_name=name,
            environment=self.function_environment(name),
            python_path=self._python_path,
            concurrency=self._workers,
            timeout_seconds=TIMEOUT_SECONDS[name],
            lazy=name != "issuer",
            region=self.region,
            on_log=write,
        )

    def function_environment(self, name: str = "issuer") -> dict[str, str]:
        """Returns the variables with which a function finds the parts of this stack.

        Each function has its own access key, as in AWS, where each has its own role.
        """
        return {
            "STAGE": "local",
            "SERVER_SECRET_ARN": self.secrets_manager.secret_id,
            "ACCESS_POLICY_FILE": str(self.policy_file),
            "BUILD_VERSION": "local",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.secrets_manager.url,
            "AWS_ENDPOINT_URL_EVENTS": self.event_bus.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb.url,
            "LIMITS_TABLE": self.dynamodb.table,
            "ZEGO_SERVER_API_URL": self._server_api,
            "AWS_ACCESS_KEY_ID": self.function_keys[name].access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.function_keys[name].secret_access_key,
            **self._environment,
        }
