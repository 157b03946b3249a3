"""`make demo-rotation`: a rotation, first with a wrong value."""

from __future__ import annotations

from local.demo.scene import PRODUCTION_TTL_SECONDS, TTL_SECONDS, Scene
from local.page.broken_tokens import mistyped

CALLS_WORK = "alice logs in to the room with a new token: accepted"


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
