"""`python -m local.drill` (`make drill`): the founding incident, and how it ends by itself.

Somebody resets the ServerSecret at ZEGO's console, and every call fails. It runs on a stack of its
own, in a few seconds, and exits with 0 only if all happened as it should.
"""

from __future__ import annotations

import sys
from typing import Any

from local.scene import PRODUCTION_TTL_SECONDS, TTL_SECONDS, Scene, play
from local.stack import WATCH_SECONDS

VERDICT_CHANGED = "ServerSecret Verdict Changed"


def incident(scene: Scene) -> None:
    """The scene."""
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
    refused = scene.log_in(scene.token())
    scene.expect("the login fails as in the incident", refused.get("logged") == [20014, 50119])
    first, then = refused["logged"]
    scene.tell(f"alice logs in: refused with {refused['code']}; her console has {first}, {then}")

    scene.heading(f"The watcher's next look (here at once; else within {WATCH_SECONDS / 60:g} min)")
    found = _tick(scene)
    _tell_event(scene, "rejected")
    noticed = scene.seconds
    scene.expect("there is nothing to heal with yet", found["action"].startswith("Nothing"))
    scene.tell(f"alarm, SecretAccepted is 0: {found['reason']}. {found['action']}")

    scene.heading("Ops copies the new value from the console, and stages it: nothing more")
    scene.versions.stage(new)
    staged = scene.seconds
    scene.tell(f"staged under CANDIDATE: {new.fingerprint}")

    scene.heading("The watcher's next look")
    scene.tell(f"it heals: {_tick(scene)['action']}")
    scene.expect("the rotation ends", scene.stack.rotation.wait())
    scene.expect("the value of the console is promoted", scene.current() == new.fingerprint)
    promoted = scene.seconds
    scene.tell(f"promoted; AWSCURRENT is {new.fingerprint}")
    _tell_event(scene, "accepted")
    scene.issuer_has(new)
    scene.expect("calls work again", scene.log_in(scene.token()) == {"code": 0})
    working = scene.seconds
    scene.tell(
        "alice fetches a token and logs in: accepted (the issuer's cache:"
        f" {TTL_SECONDS} s here, {PRODUCTION_TTL_SECONDS} s in production)"
    )

    scene.heading("Seconds since the reset")
    for what, when in {
        "noticed": noticed,
        "staged": staged,
        "promoted": promoted,
        "calls work": working,
    }.items():
        print(f"{when - failing:7.2f} s  {what}")


def _tick(scene: Scene) -> dict[str, Any]:
    """What the watcher finds."""
    result = scene.stack.tick()
    scene.expect("the watcher answers", result.function_error is None)
    found: dict[str, Any] = result.payload
    return found


def _tell_event(scene: Scene, verdict: str) -> None:
    """Waits for the event of the change to a verdict, and shows it."""

    def last() -> dict[str, Any]:
        detail: dict[str, Any] = scene.stack.event_bus.events(VERDICT_CHANGED)[-1]["detail"]
        return detail

    scene.expect_soon(f"an event says {verdict}", lambda: last()["verdict"] == verdict)
    said = last()
    scene.tell(
        f'event "{VERDICT_CHANGED}": {said["previous_verdict"]} -> {verdict},'
        f" fingerprint {said['fingerprint']}, ZEGO's code {said['code']}"
    )


def main() -> int:
    """Plays it; 0 where all happened as it should."""
    print("The founding incident on a stack of its own. Fingerprints stand for secrets.")
    return play(incident)


if __name__ == "__main__":
    sys.exit(main())
