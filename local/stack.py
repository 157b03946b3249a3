"""All parts of the local stack, started together and wired to each other."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Self

from local import DOMAIN_LAYER, PROJECT
from local.api_gateway import AccessRecord, ApiGateway
from local.cors import Cors
from local.identity_provider import IdentityProvider
from local.invoke_api import InvokeApi
from local.lambda_host import LambdaHost
from local.loopback import LoopbackServer, check_free
from local.page import Page
from local.secrets_manager import SecretsManager
from local.sigv4 import AccessKey
from local.stack_file import StackDescription, StackFile

DIRECTORY = PROJECT / ".local"
PYTHON_PATH = (PROJECT / "functions", DOMAIN_LAYER)
POLICY = Path(__file__).with_name("access_policy.toml")
BACKEND_ARN = "arn:aws:sts::000000000000:assumed-role/LocalBackend/development"


@dataclass(frozen=True)
class Ports:
    """The ports of the parts; 0 lets the system choose."""

    api: int = 0
    identity_provider: int = 0
    secrets_manager: int = 0
    page: int = 0


class LocalStack:
    """The service with everything it needs, on 127.0.0.1.

    `environment` is laid over the variables that the function gets. `directory` holds what the
    stack writes while it runs, `stack.json` first; one stack a directory. Starting raises
    `PortTakenError` or `AlreadyRunningError`. The parts are attributes, for tests to look at and to
    disturb.
    """

    def __init__(
        self,
        *,
        directory: Path = DIRECTORY,
        ports: Ports | None = None,
        workers: int = 4,
        region: str = "us-east-1",
        environment: Mapping[str, str] | None = None,
        policy: Path = POLICY,
        on_access: Callable[[AccessRecord], None] | None = None,
    ) -> None:
        ports = ports or Ports()
        self.region = region
        self.access_key = _new_access_key()
        directory = directory.resolve()
        self.policy_file = directory / "access_policy.toml"
        self.function_log = directory / "function.log"
        self._policy = policy
        self._environment = dict(environment or {})
        self._workers = workers
        self._on_access = on_access
        self._ports = ports
        self._file = StackFile(directory)
        self._running = contextlib.ExitStack()

        self.page = Page(port=ports.page)
        self.identity_provider = IdentityProvider(port=ports.identity_provider)
        self.secrets_manager = SecretsManager(port=ports.secrets_manager, region=region)
        self.function: LambdaHost
        self.api: ApiGateway
        self.invoke_api: InvokeApi

    def start(self) -> None:
        """Starts every part, and returns once a worker of the function is ready or has failed."""
        with contextlib.ExitStack() as running:
            self._file.claim()
            running.callback(self._file.release)
            self._start_parts(running)
            self.page.describe(self.description())
            self._file.write(self.description())
            self._running = running.pop_all()

    def stop(self) -> None:
        """Stops every part and removes `stack.json`."""
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def file(self) -> Path:
        """The path of `stack.json`."""
        return self._file.path

    def description(self) -> StackDescription:
        """Where the parts are, as `stack.json` says it."""
        return StackDescription(
            api=self.api.url,
            identity_provider=self.identity_provider.url,
            secrets_manager=self.secrets_manager.url,
            secret_id=self.secrets_manager.secret_id,
            app_id=self.secrets_manager.app_id,
            region=self.region,
            page=self.page.url,
            lambda_=self.invoke_api.url,
            access_key_id=self.access_key.access_key_id,
            secret_access_key=self.access_key.secret_access_key,
            pid=os.getpid(),
        )

    def _start_parts(self, running: contextlib.ExitStack) -> None:
        for port in astuple(self._ports):
            check_free(port)  # before anything slow begins
        _serve(running, self.page)
        _serve(running, self.identity_provider)
        _serve(running, self.secrets_manager)
        page_origins = (self.page.url, f"http://localhost:{self.page.port}")
        self.identity_provider.allowed_origins = page_origins
        self._write_policy()

        log = running.enter_context(self.function_log.open("w", buffering=1))
        self.function = LambdaHost(
            environment=self.function_environment(),
            python_path=PYTHON_PATH,
            concurrency=self._workers,
            region=self.region,
            on_log=lambda line: print(line, file=log),
        )
        self.api = ApiGateway(
            self.function,
            port=self._ports.api,
            region=self.region,
            access_keys=[self.access_key],
            cors=Cors(origins=page_origins),
            on_access=self._on_access,
        )
        self.invoke_api = InvokeApi(self.function)
        _serve(running, self.api)
        _serve(running, self.invoke_api)
        running.callback(self.function.stop)
        self.function.start()
        self.function.prepare()
        self.secrets_manager.wait_until_ready()

    def _write_policy(self) -> None:
        text = self._policy.read_text().replace("{identity_provider}", self.identity_provider.url)
        self.policy_file.write_text(text)

    def function_environment(self) -> dict[str, str]:
        """The variables by which a function finds the parts of this stack."""
        return {
            "STAGE": "local",
            "SERVER_SECRET_ARN": self.secrets_manager.secret_id,
            "ACCESS_POLICY_FILE": str(self.policy_file),
            "BUILD_VERSION": "local",
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "INFO",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.secrets_manager.url,
            "AWS_ACCESS_KEY_ID": "AKIALOCALFUNCTION",
            "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
            **self._environment,
        }


def _serve(running: contextlib.ExitStack, part: LoopbackServer) -> None:
    part.start()
    running.callback(part.stop)


def _new_access_key() -> AccessKey:
    """A key pair of the form that AWS gives for a role."""
    return AccessKey(
        access_key_id=f"ASIA{secrets.token_hex(8).upper()}",
        secret_access_key=secrets.token_hex(20),
        user_arn=BACKEND_ARN,
    )
