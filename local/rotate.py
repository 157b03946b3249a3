"""`python -m local.rotate` (`make rotate`): a whole rotation, a wrong value first.

It runs on a stack of its own, in a few seconds, and exits with 0 only if all happened as it should.
"""

from __future__ import annotations

import sys

from local.scene import PRODUCTION_TTL_SECONDS, TTL_SECONDS, Scene, play
from zego.server_secret import ServerSecret

CALLS_WORK = "a fresh token logs in to the room: accepted"


def rotation(scene: Scene) -> None:
    """The scene."""
    old = scene.project.accepted[0]
    scene.heading("Before")
    scene.expect("AWSCURRENT holds ZEGO's secret", scene.current() == old.fingerprint)
    scene.tell(f"AWSCURRENT is {old.fingerprint}")
    _calls_work(scene)

    scene.heading("At ZEGO's console: a new secret, with the old one accepted beside it")
    new = scene.project.reset(keep_old=True)
    scene.tell(f"the new one is {new.fingerprint}")

    scene.heading("A wrong value: one character of it is mistyped")
    wrong = _mistyped(new)
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


def _mistyped(secret: ServerSecret) -> ServerSecret:
    last = "1" if secret.value.endswith("0") else "0"
    return ServerSecret(secret.app_id, secret.value[:-1] + last)


def main() -> int:
    """Plays it; 0 where all happened as it should."""
    print("A rotation on a stack of its own. Fingerprints stand for secrets.")
    return play(rotation)


if __name__ == "__main__":
    sys.exit(main())
