"""`python -m local.demo rotate` and `python -m local.demo drill`: a rotation, and an incident.

`make rotate` and `make drill` run them. Each scene starts its own stack, takes a few seconds and
prints what happens line by line. The exit code is 0 only if everything happened as expected.
It prints fingerprints instead of secrets, and no tokens.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from local.aws.lambda_host import InvocationResult
from local.loopback import post
from local.page.broken_tokens import mistyped
from local.page.operations import secret_versions
from local.samples import ROOM, request_token
from local.stack import WATCH_SECONDS, LocalStack
from zego import token04
from zego.secret_store import CURRENT
from zego.server_secret import ServerSecret
from zego.token04 import Token04Error

USER = "alice"
TTL_SECONDS = 1
"""How long the issuer caches a secret: the minimum, to keep the scenes short."""
PRODUCTION_TTL_SECONDS = 60
PATIENCE_SECONDS = 15.0
WIDTH = 100
CALLS_WORK = "alice logs in to the room with a new token: accepted"
VERDICT_CHANGED = "ServerSecret Verdict Changed"


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
        print(f"\n{text}", flush=True)

    def tell(self, text: str) -> None:
        """Prints what has just happened, after the time."""
        lines = textwrap.wrap(
            text, WIDTH, initial_indent=f"{self.seconds:7.2f} s  ", subsequent_indent=" " * 11
        )
        print("\n".join(lines), flush=True)

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

    def token(self) -> str:
        """Gets a new token for the room, as the user's frontend does."""
        answer = request_token(self.stack.api.url, self.stack.identity_provider.url, USER)
        self.expect("the issuer issues a token", answer.status == 201)
        return str(answer.json()["token"])

    def log_in(self, token: str) -> dict[str, Any]:
        """Logs in with the token, as the user's web client does. Returns ZEGO's response."""
        login = {
            "app_id": self.project.app_id,
            "user_id": USER,
            "room_id": ROOM,
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


def play(act: Callable[[Scene], None]) -> int:
    """Plays a scene on a new stack, whose watcher runs at `tick` and after rotations only.

    Returns 0 if everything happened as expected, else 1.
    """
    environment = {"SECRET_TTL_SECONDS": str(TTL_SECONDS)}
    with (
        tempfile.TemporaryDirectory(prefix="zego-local-") as directory,
        LocalStack(
            directory=Path(directory), workers=1, environment=environment, watch_seconds=None
        ) as stack,
    ):
        try:
            act(Scene(stack))
        except UnexpectedError as error:
            print(f"error: expected, but it did not happen: {error}", file=sys.stderr)
            return 1
    return 0


def rotation(scene: Scene) -> None:
    """Plays a whole rotation, first with a wrong value."""
    old = scene.project.accepted[0]
    scene.heading("Before")
    scene.expect("AWSCURRENT is the secret that ZEGO accepts", scene.current() == old.fingerprint)
    scene.tell(f"AWSCURRENT is {old.fingerprint}")
    _calls_work(scene)

    scene.heading("At ZEGO's console: create a new secret and keep accepting the old one")
    new = scene.project.reset(keep_old=True)
    scene.tell(f"the new secret is {new.fingerprint}")

    scene.heading("Rotate to a wrong value, with one character mistyped")
    wrong = mistyped(new)
    scene.versions.stage(wrong)
    scene.tell(f"staged as CANDIDATE: {wrong.fingerprint}")
    scene.rotate()
    scene.expect("a wrong value is not promoted", scene.current() == old.fingerprint)
    scene.tell(f"refused; AWSCURRENT is still {old.fingerprint}")
    _calls_work(scene)

    scene.heading("Rotate to the right value")
    asked = scene.seconds
    scene.versions.stage(new)
    scene.tell(f"staged as CANDIDATE: {new.fingerprint}")
    scene.rotate()
    scene.expect("the right value is promoted", scene.current() == new.fingerprint)
    promoted = scene.seconds
    scene.tell(f"promoted; AWSCURRENT is {new.fingerprint}")
    scene.issuer_has(new)
    everywhere = scene.seconds
    scene.tell(
        f"the issuer uses it (it caches the secret for {TTL_SECONDS} s here,"
        f" {PRODUCTION_TTL_SECONDS} s in production)"
    )

    scene.heading("At ZEGO's console: switch the old secret off")
    scene.project.switch_off(old.fingerprint)
    scene.tell(f"ZEGO now accepts only {new.fingerprint}")
    _calls_work(scene)

    scene.heading(
        f"Done: promoted {promoted - asked:.2f} s after it was staged, and used for every token"
        f" {everywhere - promoted:.2f} s later."
    )


def _calls_work(scene: Scene) -> None:
    scene.expect(CALLS_WORK, scene.log_in(scene.token())["code"] == 0)
    scene.tell(CALLS_WORK)


def incident(scene: Scene) -> None:
    """Plays the incident behind this project: a reset secret, and how the service recovers.

    Someone resets the ServerSecret at ZEGO's console, and every login fails.
    """
    scene.heading("Before")
    old = scene.project.accepted[0]
    scene.expect("a new token logs in", scene.log_in(scene.token())["code"] == 0)
    scene.tell("alice gets a token and logs in to a room: accepted")
    verdict = _tick(scene)["verdict"]
    scene.expect("ZEGO accepts AWSCURRENT", verdict == "accepted")
    scene.tell(f"the watcher checks AWSCURRENT ({old.fingerprint}): {verdict}")

    scene.heading("At ZEGO's console: someone resets the ServerSecret; the old one stops working")
    new = scene.project.reset()
    failing = scene.seconds
    seconds: dict[str, float] = {}
    refused = scene.log_in(scene.token())
    scene.expect("the login fails as in the incident", refused.get("logged") == [20014, 50119])
    first, then = refused["logged"]
    scene.tell(f"alice logs in: refused with {refused['code']}; her browser logs {first}, {then}")

    scene.heading(f"The watcher's next check (now; in AWS within {WATCH_SECONDS / 60:g} min)")
    found = _tick(scene)
    _tell_event(scene, "rejected")
    seconds["detected"] = scene.seconds - failing
    scene.expect(
        "there is nothing to heal with before a value is staged",
        found["action"].startswith("No version"),
    )
    scene.tell(f"alarm (SecretAccepted is 0): {found['reason']}. {found['action']}")

    scene.heading("An operator copies the new value from ZEGO's console and only stages it")
    scene.versions.stage(new)
    seconds["staged"] = scene.seconds - failing
    scene.tell(f"staged as CANDIDATE: {new.fingerprint}")

    scene.heading("The watcher's next check")
    scene.tell(f"the watcher heals: {_tick(scene)['action']}")
    scene.expect("the rotation ends", scene.stack.rotation.wait())
    scene.expect("the console's value is promoted", scene.current() == new.fingerprint)
    seconds["promoted"] = scene.seconds - failing
    scene.tell(f"promoted; AWSCURRENT is {new.fingerprint}")
    _tell_event(scene, "accepted")
    scene.issuer_has(new)
    scene.expect("calls work again", scene.log_in(scene.token())["code"] == 0)
    seconds["calls work"] = scene.seconds - failing
    scene.tell(
        "alice gets a token and logs in: accepted (the issuer caches the secret for"
        f" {TTL_SECONDS} s here, {PRODUCTION_TTL_SECONDS} s in production)"
    )

    scene.heading(
        f"Seconds since the reset (in production: detected within {WATCH_SECONDS / 60:g} min, and"
        f" calls work within {PRODUCTION_TTL_SECONDS} s after the promotion)"
    )
    for what, passed in seconds.items():
        print(f"{passed:7.2f} s  {what}")


def _tick(scene: Scene) -> dict[str, Any]:
    """Runs the watcher and returns what it finds."""
    result = scene.stack.tick()
    scene.expect("the watcher succeeds", result.function_error is None)
    found: dict[str, Any] = result.payload
    return found


def _tell_event(scene: Scene, verdict: str) -> None:
    """Waits for the event that reports the change to this verdict, and prints it."""

    def last() -> dict[str, Any]:
        detail: dict[str, Any] = scene.stack.event_bus.events(VERDICT_CHANGED)[-1]["detail"]
        return detail

    scene.expect_soon(f"an event says {verdict}", lambda: last()["verdict"] == verdict)
    said = last()
    scene.tell(
        f'event "{VERDICT_CHANGED}": {said["previous_verdict"]} -> {verdict},'
        f" fingerprint {said['fingerprint']}, ZEGO's code {said['code']}"
    )


def _opens(token: str, secret: ServerSecret) -> bool:
    try:
        token04.decode(token, secret.value)
    except Token04Error:
        return False
    return True


SCENES: Mapping[str, tuple[str, Callable[[Scene], None]]] = {
    "rotate": ("A rotation on a separate stack, with fingerprints instead of secrets.", rotation),
    "drill": (
        "A reset ServerSecret on a separate stack, with fingerprints instead of secrets.",
        incident,
    ),
}


@click.command()
@click.argument("scene", type=click.Choice([*SCENES]))
def main(scene: str) -> None:
    """Play a scene on a separate stack."""
    title, act = SCENES[scene]
    print(title)
    sys.exit(play(act))


if __name__ == "__main__":
    main(prog_name="python -m local.demo")
