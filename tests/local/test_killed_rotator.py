"""The real rotator under AWS' runtime client, with its process killed around its calls.

:mod:`tests.rotation.test_crashes` tries every other fault within one process; a kill needs a real
one. `make test` kills it before each write, `make prove` before and after every call.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import boto3
import pytest

from local.aws.lambda_host import LambdaHost
from local.aws.secrets_manager import SecretsManager
from local.aws.secrets_manager.rotation import RotationDriver
from local.fake_zego import ZegoCloud
from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from local.stack import PYTHON_PATH
from tests.support.clock import Clock
from tests.support.tiers import IS_EXHAUSTIVE
from zego.secret_store import CANDIDATE, CURRENT, PREVIOUS
from zego.secret_store.versions import CLIENT_CONFIG, SecretVersions

pytestmark = pytest.mark.exhaustive

WRITES = ("Put", "Tag", "Untag", "Update")


@dataclass
class Parts:
    """The parts that a rotation needs, and the call around which its process is killed.

    :ivar calls: the rotator's calls: actions of Secrets Manager, and "" for those to ZEGO.
    :ivar kill_at: the number of the call around which it is killed, from 0.
    :ivar answered: whether that call is performed first.
    """

    clock: Clock
    secrets_manager: SecretsManager
    zego: ZegoCloud
    rotator: LambdaHost
    driver: RotationDriver
    versions: SecretVersions
    rotating: bool = False
    kill_at: int | None = None
    answered: bool = False
    calls: list[str] = field(default_factory=list)

    def rotate(self, kill_at: int | None = None, *, answered: bool = False) -> bool:
        """Rotate to a new value, one day later. Return whether it was promoted.

        On one day, all these rotations would exceed the quota of versions.
        """
        self.clock.turn(24 * 60 * 60)
        new = self.zego.project.reset(keep_old=True)
        self.versions.stage(new)
        token = self.versions.start_rotation()
        self.calls, self.kill_at, self.answered = [], kill_at, answered
        self.rotating = True
        promoted = self.driver.run(token)
        self.rotating = False
        return promoted and self.value(CURRENT) == new.value

    def value(self, label: str) -> str | None:
        state = self.versions.describe()
        version = self.versions.version(state, label)
        return None if version is None or version.secret is None else version.secret.value

    def meddle_with(self, part: LoopbackServer) -> None:
        """Count a part's calls and kill the rotator around one of them."""

        def intercept(request: HttpRequest) -> HttpResponse | None:
            if not self.rotating:
                return None
            number = len(self.calls)
            self.calls.append((request.header("x-amz-target") or "").rpartition(".")[2])
            if number != self.kill_at:
                return None
            if self.answered:
                part.respond(request)
            for process_id in self.rotator.process_ids():
                os.kill(process_id, signal.SIGKILL)
            raise ConnectionAbortedError

        part.intercept = intercept


@pytest.fixture(scope="module")
def parts() -> Iterator[Parts]:
    with ExitStack() as running:
        clock = Clock()
        secrets_manager = running.enter_context(SecretsManager(clock=clock))
        first = secrets_manager.server_secret
        zego = running.enter_context(ZegoCloud(secrets_manager.app_id, first))
        rotator = LambdaHost(
            "rotator.app.handler",
            environment={
                "STAGE": "local",
                "SERVER_SECRET_ARN": secrets_manager.secret_id,
                "ZEGO_SERVER_API_URL": zego.url,
                "AWS_ENDPOINT_URL_SECRETS_MANAGER": secrets_manager.url,
                "AWS_ACCESS_KEY_ID": "local",
                "AWS_SECRET_ACCESS_KEY": "local",
            },
            python_path=PYTHON_PATH,
            function_name="rotator",
            concurrency=1,
        )
        running.enter_context(rotator)
        driver = RotationDriver(
            secrets_manager, rotator.invoke, background=False, sleep=lambda _seconds: None
        )
        running.enter_context(driver)
        client = boto3.client(
            "secretsmanager",
            endpoint_url=secrets_manager.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=CLIENT_CONFIG,
        )
        versions = SecretVersions(client, secrets_manager.secret_id)
        made = Parts(clock, secrets_manager, zego, rotator, driver, versions)
        made.meddle_with(secrets_manager)
        made.meddle_with(zego)
        yield made


@pytest.mark.parametrize("answered", [False, True] if IS_EXHAUSTIVE else [False])
def test_killed_around_any_call_the_rotation_still_completes(parts: Parts, answered: bool) -> None:
    assert parts.rotate()
    calls = parts.calls
    assert len(calls) > 20
    writes = [number for number, call in enumerate(calls) if call.startswith(WRITES)]
    assert len(writes) > 5
    for number in range(len(calls)) if IS_EXHAUSTIVE else writes:
        before = parts.value(CURRENT)
        assert parts.rotate(number, answered=answered), f"killed around call {number}"
        assert len(parts.calls) > number
        assert parts.value(PREVIOUS) == before
        assert parts.value(CANDIDATE) is None
