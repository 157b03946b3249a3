"""`python -m local.demo rotate` and `python -m local.demo drill`: a rotation, and an incident.

`make rotate` and `make drill` call it. Each scene runs on its own stack, takes a few seconds and
prints what happens line by line. The exit code is 0 only if everything happened as it should.
Fingerprints stand for secrets, and no token is printed.
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
"""How long the issuer serves a secret without asking again: its least, to be quick."""
PRODUCTION_TTL_SECONDS = 60
PATIENCE_SECONDS = 15.0
WIDTH = 100
CALLS_WORK = "a fresh token logs in to the room: accepted"
VERDICT_CHANGED = "ServerSecret Verdict Changed"


class UnexpectedError(Exception):
    """Something did not happen as it should. The message says what was expected."""


class Scene:
    """What a person does and sees on a stack, printed line by line.

    Steps of a rotation are printed when they end. Every method that waits for something raises
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
        """The time since the scene began."""
        return time.monotonic() - self._started

    def heading(self, text: str) -> None:
        """Prints a heading."""
        print(f"\n{text}", flush=True)

    def tell(self, text: str) -> None:
        """Prints what has just happened, with the time."""
        lines = textwrap.wrap(
            text, WIDTH, initial_indent=f"{self.seconds:7.2f} s  ", subsequent_indent=" " * 11
        )
        print("\n".join(lines), flush=True)

    def expect(self, what: str, holds: object) -> None:
        """Raises `UnexpectedError` if it does not hold."""
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
        """Returns a new token for the room, as the user's frontend obtains it."""
        answer = request_token(self.stack.api.url, self.stack.identity_provider.url, USER)
        self.expect("the issuer issues a token", answer.status == 201)
        return str(answer.json()["token"])

    def log_in(self, token: str) -> dict[str, Any]:
        """Returns ZEGO's response when the user's web client logs in with the token."""
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
        """Starts a rotation and waits for its end."""
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
        end = result.error_message or "done"
        cold = " (a cold start)" if result.cold else ""
        self.tell(f"{step:<13}{result.duration:.2f} s: {end.removeprefix(f'{step}: ')}{cold}")
        return result


def play(act: Callable[[Scene], None]) -> int:
    """Plays a scene on its own stack, whose watcher runs at `tick` and after rotations only.

    Returns 0 if everything happened as it should, else 1.
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
            print(f"error: this was expected, and did not happen: {error}", file=sys.stderr)
            return 1
    return 0


def rotation(scene: Scene) -> None:
    """A whole rotation, a wrong value first."""
    old = scene.project.accepted[0]
    scene.heading("Before")
    scene.expect("AWSCURRENT holds ZEGO's secret", scene.current() == old.fingerprint)
    scene.tell(f"AWSCURRENT is {old.fingerprint}")
    _calls_work(scene)

    scene.heading("At ZEGO's console: a new secret, with the old one accepted beside it")
    new = scene.project.reset(keep_old=True)
    scene.tell(f"the new one is {new.fingerprint}")

    scene.heading("A wrong value: one character of it is mistyped")
    wrong = mistyped(new)
    scene.versions.stage(wrong)
    scene.tell(f"staged under CANDIDATE: {wrong.fingerprint}")
    scene.rotate()
    scene.expect("a wrong value is not promoted", scene.current() == old.fingerprint)
    scene.tell(f"refused; AWSCURRENT is {old.fingerprint} as before")
    _calls_work(scene)

    scene.heading("The right value")
    asked = scene.seconds
    scene.versions.stage(new)
    scene.tell(f"staged under CANDIDATE: {new.fingerprint}")
    scene.rotate()
    scene.expect("the right value is promoted", scene.current() == new.fingerprint)
    promoted = scene.seconds
    scene.tell(f"promoted; AWSCURRENT is {new.fingerprint}")
    scene.issuer_has(new)
    everywhere = scene.seconds
    scene.tell(
        f"the issuer has it (its cache: {TTL_SECONDS} s here, {PRODUCTION_TTL_SECONDS} s in"
        " production)"
    )

    scene.heading("At ZEGO's console: the old secret is switched off")
    scene.project.switch_off(old.fingerprint)
    scene.tell(f"ZEGO accepts {new.fingerprint} alone")
    _calls_work(scene)

    scene.heading(
        f"Done: promoted {promoted - asked:.2f} s after it was staged, and in every token"
        f" {everywhere - promoted:.2f} s later."
    )


def _calls_work(scene: Scene) -> None:
    scene.expect(CALLS_WORK, scene.log_in(scene.token()) == {"code": 0})
    scene.tell(CALLS_WORK)


def incident(scene: Scene) -> None:
    """The founding incident, and how it ends by itself.

    Somebody resets the ServerSecret at ZEGO's console, and every call fails.
    """
    scene.heading("Before")
    old = scene.project.accepted[0]
    scene.expect("a fresh token logs in", scene.log_in(scene.token()) == {"code": 0})
    scene.tell("alice fetches a token and logs in to a room: accepted")
    verdict = _tick(scene)["verdict"]
    scene.expect("ZEGO accepts AWSCURRENT", verdict == "accepted")
    scene.tell(f"the watcher looks: AWSCURRENT ({old.fingerprint}) is {verdict}")

    scene.heading("At ZEGO's console: somebody resets the ServerSecret; the old one is dead")
    new = scene.project.reset()
    failing = scene.seconds
    seconds: dict[str, float] = {}
    refused = scene.log_in(scene.token())
    scene.expect("the login fails as in the incident", refused.get("logged") == [20014, 50119])
    first, then = refused["logged"]
    scene.tell(f"alice logs in: refused with {refused['code']}; her console has {first}, {then}")

    scene.heading(f"The watcher's next look (here at once; else within {WATCH_SECONDS / 60:g} min)")
    found = _tick(scene)
    _tell_event(scene, "rejected")
    seconds["noticed"] = scene.seconds - failing
    scene.expect("there is nothing to heal with yet", found["action"].startswith("No version"))
    scene.tell(f"alarm, SecretAccepted is 0: {found['reason']}. {found['action']}")

    scene.heading("Ops copies the new value from the console, and stages it: nothing more")
    scene.versions.stage(new)
    seconds["staged"] = scene.seconds - failing
    scene.tell(f"staged under CANDIDATE: {new.fingerprint}")

    scene.heading("The watcher's next look")
    scene.tell(f"it heals: {_tick(scene)['action']}")
    scene.expect("the rotation ends", scene.stack.rotation.wait())
    scene.expect("the value of the console is promoted", scene.current() == new.fingerprint)
    seconds["promoted"] = scene.seconds - failing
    scene.tell(f"promoted; AWSCURRENT is {new.fingerprint}")
    _tell_event(scene, "accepted")
    scene.issuer_has(new)
    scene.expect("calls work again", scene.log_in(scene.token()) == {"code": 0})
    seconds["calls work"] = scene.seconds - failing
    scene.tell(
        "alice fetches a token and logs in: accepted (the issuer's cache:"
        f" {TTL_SECONDS} s here, {PRODUCTION_TTL_SECONDS} s in production)"
    )

    scene.heading("Seconds since the reset")
    for what, passed in seconds.items():
        print(f"{passed:7.2f} s  {what}")


def _tick(scene: Scene) -> dict[str, Any]:
    """Runs the watcher and returns what it finds."""
    result = scene.stack.tick()
    scene.expect("the watcher answers", result.function_error is None)
    found: dict[str, Any] = result.payload
    return found


def _tell_event(scene: Scene, verdict: str) -> None:
    """Waits for the event of the change to a verdict, and prints it."""

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
    "rotate": ("A rotation on a stack of its own. Fingerprints stand for secrets.", rotation),
    "drill": (
        "The founding incident on a stack of its own. Fingerprints stand for secrets.",
        incident,
    ),
}


@click.command()
@click.argument("scene", type=click.Choice([*SCENES]))
def main(scene: str) -> None:
    """Play a scene on a stack of its own."""
    title, act = SCENES[scene]
    print(title)
    sys.exit(play(act))


if __name__ == "__main__":
    main(prog_name="python -m local.demo")
