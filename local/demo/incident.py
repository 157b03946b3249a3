"""`make drill`: the incident behind this project, a reset ServerSecret."""

from __future__ import annotations

from typing import Any

from local.demo.scene import PRODUCTION_TTL_SECONDS, TTL_SECONDS, USER, Scene
from local.samples import ROOM
from local.stack import WATCH_SECONDS

OTHER_ROOM = "call_2"
VERDICT_CHANGED = "ServerSecret Verdict Changed"
IN_PRODUCTION = (
    f"The watcher notices a reset within {WATCH_SECONDS / 60:g} minutes. Here it checked at once.",
    (
        "That check promotes a value that you staged before the reset. Otherwise it raises the"
        " alarm, and nothing changes until you stage or rotate."
    ),
    (
        f"Calls work within {PRODUCTION_TTL_SECONDS} s after the promotion. Each issuer caches the"
        f" secret that long, here {TTL_SECONDS} s."
    ),
    (
        "Until then, logins and renewals fail. Calls in progress go on in this stand-in; ZEGO does"
        " not document what a reset does to them."
    ),
)


def incident(scene: Scene) -> None:
    """Plays the incident behind this project: a reset secret, and how the service recovers.

    Someone resets the ServerSecret at ZEGO's console, and every login fails.
    """
    scene.heading("Before")
    old = scene.project.accepted[0]
    scene.expect("a new token logs in", scene.log_in(scene.token())["code"] == 0)
    scene.tell("alice gets a token and logs in to a room: accepted; her call has begun")
    verdict = _tick(scene)["verdict"]
    scene.expect("ZEGO accepts AWSCURRENT", verdict == "accepted")
    scene.tell(f"the watcher checks AWSCURRENT ({old.fingerprint}): {verdict}")

    scene.heading("At ZEGO's console: someone resets the ServerSecret; the old one stops working")
    new = scene.project.reset()
    failing = scene.seconds
    seconds: dict[str, float] = {}
    refused = scene.log_in(scene.token(OTHER_ROOM), OTHER_ROOM)
    scene.expect("the login fails as in the incident", refused.get("logged") == [20014, 50119])
    first, then = refused["logged"]
    scene.tell(
        f"alice logs in to another call: refused with {refused['code']}; her browser logs {first},"
        f" {then}"
    )
    scene.expect("the call in progress goes on", USER in scene.project.rooms.users(ROOM))
    scene.tell(
        "the call in progress goes on, because a token is checked only at a login and a renewal"
    )

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

    scene.heading("Seconds since the reset")
    for what, passed in seconds.items():
        print(f"{passed:7.2f} s  {what}")
    scene.in_production(IN_PRODUCTION)


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
