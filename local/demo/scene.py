"""What every scene does: it acts on its own stack, and prints what happens line by line."""

from __future__ import annotations

import shutil
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from local.aws.api_destination import ApiDestination
from local.aws.lambda_host import InvocationResult
from local.loopback import post
from local.page.operations import secret_versions
from local.samples import ROOM, request_token
from local.stack import LocalStack
from zego import token04
from zego.secret_store import CURRENT
from zego.server_secret import ServerSecret
from zego.token04 import Token04Error

USER = "alice"
TTL_SECONDS = 1
"""How long the issuer caches a secret: the minimum, to keep the scenes short."""
PRODUCTION_TTL_SECONDS = 60
PATIENCE_SECONDS = 15.0
NARROWEST, WIDEST = 40, 100


def width() -> int:
    """Returns the columns for text: the terminal's or `COLUMNS`, within bounds; else 80."""
    return min(max(shutil.get_terminal_size().columns, NARROWEST), WIDEST)


def show(text: str, *, first: str = "", then: str = "") -> None:
    """Prints a text, wrapped at the width. `first` and `then` begin its first and other lines."""
    lines = textwrap.wrap(
        text,
        width(),
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    )
    print("\n".join(lines), flush=True)


class UnexpectedError(Exception):
    """Something expected did not happen. The message names it."""


class Scene:
    """The actions of a scene on a stack, printed line by line.

    Steps of a rotation are printed when they end. Methods that wait for something raise
    `UnexpectedError` if it does not happen in time.
    """

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self.project = stack.zego.project
        self._started = time.monotonic()
        self.versions = secret_versions(stack.description())
        stack.rotation.invoke = self._tell_step

    @property
    def seconds(self) -> float:
        """Seconds since the scene began."""
        return time.monotonic() - self._started

    def heading(self, text: str) -> None:
        """Prints a heading."""
        print()
        show(text)

    def tell(self, text: str) -> None:
        """Prints what has just happened, after the time."""
        show(text, first=f"{self.seconds:7.2f} s  ", then=" " * 11)

    def in_production(self, differences: Sequence[str]) -> None:
        """Ends the scene with what is different in production."""
        self.heading("In production")
        for difference in differences:
            show(difference, first="- ", then="  ")

    def expect(self, what: str, holds: object) -> None:
        """Raises `UnexpectedError`, with `what` was expected, unless `holds`."""
        if not holds:
            raise UnexpectedError(what)

    def expect_soon(self, what: str, holds: Callable[[], object]) -> None:
        """Waits until `holds` returns true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            if time.monotonic() > deadline:
                raise UnexpectedError(what)
            time.sleep(0.02)

    def token(self, room_id: str = ROOM, user_id: str = USER) -> str:
        """Gets a new token for a room, as the user's frontend does."""
        answer = request_token(
            self.stack.api.url, self.stack.identity_provider.url, user_id, room_id
        )
        self.expect("the issuer issues a token", answer.status == 201)
        return str(answer.json()["token"])

    def log_in(self, token: str, room_id: str = ROOM, user_id: str = USER) -> dict[str, Any]:
        """Logs in with a token, as the user's web client does. Returns ZEGO's response."""
        login = {
            "app_id": self.project.app_id,
            "user_id": user_id,
            "room_id": room_id,
            "token": token,
        }
        answer: dict[str, Any] = post(f"{self.stack.zego.url}/v1/rooms/login", login).json()
        return answer

    def current(self) -> str | None:
        """The fingerprint of AWSCURRENT."""
        version = self.versions.version(self.versions.describe(), CURRENT)
        return None if version is None else version.fingerprint

    def rotate(self) -> None:
        """Starts a rotation and waits until it ends."""
        self.versions.start_rotation()
        self.expect("the rotation ends", self.stack.rotation.wait(PATIENCE_SECONDS))

    def issuer_has(self, secret: ServerSecret) -> None:
        """Waits until the issuer makes its tokens with this secret."""
        self.expect_soon(
            f"the issuer uses {secret.fingerprint}", lambda: _opens(self.token(), secret)
        )

    def _tell_step(self, event: dict[str, Any]) -> InvocationResult:
        result = self.stack.rotator.invoke(event)
        step = event["Step"]
        end = result.error_message or "done"
        cold = " (cold start)" if result.cold else ""
        self.tell(f"{step:<13}{result.duration:.2f} s: {end.removeprefix(f'{step}: ')}{cold}")
        return result


def play(act: Callable[[Scene], None], *, incoming_calls: ApiDestination | None = None) -> int:
    """Plays a scene on a new stack, whose watcher runs at `tick` and after rotations only.

    Returns 0 if everything happened as expected, else 1.
    """
    environment = {"SECRET_TTL_SECONDS": str(TTL_SECONDS)}
    with (
        tempfile.TemporaryDirectory(prefix="zego-local-") as directory,
        LocalStack(
            directory=Path(directory),
            workers=1,
            environment=environment,
            watch_seconds=None,
            incoming_calls=incoming_calls,
        ) as stack,
    ):
        try:
            act(Scene(stack))
        except UnexpectedError as error:
            print(f"error: expected, but it did not happen: {error}", file=sys.stderr)
            return 1
    return 0


def _opens(token: str, secret: ServerSecret) -> bool:
    try:
        token04.decode(token, secret.value)
    except Token04Error:
        return False
    return True
