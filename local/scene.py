"""A stack in a temporary directory, and what happens on it told line by line.

`make rotate` and `make drill` are scenes. Fingerprints stand for secrets; no token is shown either.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3

from local import client
from local.aws.lambda_host import InvocationResult
from local.stack import LocalStack
from zego import token04
from zego.secret_store import CURRENT
from zego.secret_store.versions import CLIENT_CONFIG, SecretVersions
from zego.server_secret import ServerSecret
from zego.token04 import Token04Error

ROOM = "call_1"
USER = "alice"
TTL_SECONDS = 1
"""How long the issuer serves a secret without asking again: its least, to be quick."""
PRODUCTION_TTL_SECONDS = 60
PATIENCE_SECONDS = 15.0
WIDTH = 100


class UnexpectedError(Exception):
    """Something did not happen as it should; the message says what was expected."""


class Scene:
    """What a person does and sees on a stack.

    Steps of a rotation are told as they end. Every method that looks for something raises
    `UnexpectedError` where it is not there in time.
    """

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.project = stack.zego.project
        self._started = time.monotonic()
        secrets_manager = boto3.client(
            "secretsmanager",
            endpoint_url=stack.secrets_manager.url,
            region_name=stack.region,
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106  nobody verifies it
            config=CLIENT_CONFIG,
        )
        self.versions = SecretVersions(secrets_manager, stack.secrets_manager.secret_id)
        stack.rotation.invoke = self._tell_step

    @property
    def seconds(self) -> float:
        """Since the scene began."""
        return time.monotonic() - self._started

    def heading(self, text: str) -> None:
        """A new act."""
        print(f"\n{text}", flush=True)

    def tell(self, text: str) -> None:
        """Something that happened just now."""
        lines = textwrap.wrap(
            text, WIDTH, initial_indent=f"{self.seconds:7.2f} s  ", subsequent_indent=" " * 11
        )
        print("\n".join(lines), flush=True)

    def expect(self, what: str, holds: object) -> None:
        """Raises where it does not hold."""
        if not holds:
            raise UnexpectedError(what)

    def expect_soon(self, what: str, holds: Callable[[], object]) -> None:
        """Waits until it holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise UnexpectedError(what)
            time.sleep(0.02)

    def token(self) -> str:
        """A fresh token for the room, as the user's frontend obtains it."""
        bearer = client.log_in(self.stack.identity_provider.url, USER)
        headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
        asked = json.dumps({"room_id": ROOM}).encode()
        answer = client.post(f"{self.stack.api.url}/v1/tokens", asked, headers)
        self.expect("the issuer issues a token", answer.status == 201)
        return str(answer.json()["token"])

    def log_in(self, token: str) -> dict[str, Any]:
        """What the user's web client meets with the token."""
        login = {
            "app_id": self.project.app_id,
            "user_id": USER,
            "room_id": ROOM,
            "token": token,
        }
        answer: dict[str, Any] = client.post(
            f"{self.stack.zego.url}/v1/rooms/login",
            json.dumps(login).encode(),
            {"content-type": "application/json"},
        ).json()
        return answer

    def current(self) -> str | None:
        """The fingerprint of AWSCURRENT."""
        version = self.versions.version(self.versions.describe(), CURRENT)
        return None if version is None else version.fingerprint

    def rotate(self) -> None:
        """Asks for a rotation and waits for its end."""
        self.versions.start_rotation()
        self.expect("the rotation ends", self.stack.rotation.wait(PATIENCE_SECONDS))

    def issuer_has(self, secret: ServerSecret) -> None:
        """Waits until the issuer seals its tokens with a secret."""
        self.expect_soon(
            f"the issuer has {secret.fingerprint}", lambda: _opens(self.token(), secret)
        )

    def _tell_step(self, event: dict[str, Any]) -> InvocationResult:
        result = self.stack.rotator.invoke(event)
        step = event["Step"]
        end = result.payload["errorMessage"] if result.function_error else "done"
        cold = " (a cold start)" if result.cold else ""
        self.tell(f"{step:<13}{result.duration:.2f} s: {end.removeprefix(f'{step}: ')}{cold}")
        return result


@contextlib.contextmanager
def scene() -> Iterator[Scene]:
    """A scene on a stack of its own, whose watcher runs at `tick` and after rotations alone."""
    environment = {"SECRET_TTL_SECONDS": str(TTL_SECONDS)}
    with (
        tempfile.TemporaryDirectory(prefix="zego-local-") as directory,
        LocalStack(
            directory=Path(directory), workers=1, environment=environment, watch_seconds=None
        ) as stack,
    ):
        yield Scene(stack)


def play(act: Callable[[Scene], None]) -> int:
    """Plays a scene: 0 where all happened as it should, else 1."""
    try:
        with scene() as stage:
            act(stage)
    except UnexpectedError as error:
        print(f"error: this was expected, and did not happen: {error}", file=sys.stderr)
        return 1
    return 0


def _opens(token: str, secret: ServerSecret) -> bool:
    try:
        token04.decode(token, secret.value)
    except Token04Error:
        return False
    return True
