"""Give up a rotation that does not end, and check whether that worked."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from ops.errors import ExitCode
from ops.output import Output, copyable, prose, timestamp
from ops.prompt import interruptible
from ops.secret.change import SEE_STATUS
from ops.secret.render import ROTATE_STAGED, ending, rotation_facts
from ops.secret.status import in_flight_since, pending
from ops.target import Target
from zego.rotation import OUTCOMES
from zego.secret_store import CURRENT, PENDING
from zego.secret_store.notes import GIVEN_UP_TAG, ROTATION_TAG, RotationNote, given_up, with_newest
from zego.secret_store.versions import ConflictError, SecretState, SecretStoreError


def unstick(
    target: Target,
    out: Output,
    confirm: Callable[[str], None],
    *,
    checks: int = 20,
    sleep: Callable[[float], None] = time.sleep,
) -> ExitCode:
    """Remove AWSPENDING from a rotation that does not end, and check what happens to the version.

    A step that is running may be about to promote it. Its last call can take
    :data:`zego.secret_store.versions.SLOWEST_CALL_SECONDS`; after that, the result is known.

    :param checks: how many checks to make, one second apart.
    """
    with interruptible("Nothing was changed."):
        state = target.versions.describe()
        token = state.in_flight
        if token is None:
            out.tell("idle", "No rotation is in flight; there is nothing to do.")
            return ExitCode.DONE
        began = in_flight_since(state, pending(target, state))
        out.tell(
            "in-flight",
            copyable("\n".join(rotation_facts(state, time.time(), began)), target.name),
            then="   ",
            version_id=token,
            began_at=timestamp(began),
        )
        confirm("Give it up? The staged value stays staged.")
    with interruptible("The rotation may have been given up.", SEE_STATUS):
        with suppress(SecretStoreError):  # without it, a late step fails instead of being refused
            target.versions.note(GIVEN_UP_TAG, with_newest(token, given_up(state.tags)))
        with suppress(ConflictError):  # already removed: by a retry of boto3, or by others
            target.versions.drop_label(PENDING, version_id=token)
    out.go_on()
    try:
        text = f"AWSPENDING is removed. Checking for {checks} s whether a running step promotes it."
        out.show(prose(text))
        kind, text, exit_code = _after_giving_up(target, state, token, checks, sleep)
    except (KeyboardInterrupt, SecretStoreError):
        text = f"AWSPENDING is removed. A running step may still promote the version. {SEE_STATUS}"
        out.tell("left", copyable(text, target.name), version_id=token)
        raise
    out.tell(kind, copyable(text, target.name), version_id=token)
    return exit_code


def _after_giving_up(
    target: Target, before: SecretState, token: str, checks: int, sleep: Callable[[float], None]
) -> tuple[str, str, ExitCode]:
    """The result of giving a rotation up: an event, its text, and the exit code.

    :raises SecretStoreError: the last check failed.
    """
    note = noted_before = RotationNote.from_tag(before.tags.get(ROTATION_TAG))
    for left in reversed(range(checks)):
        sleep(1.0)
        try:
            now = target.versions.describe()
        except SecretStoreError:
            if not left:
                raise
            continue
        if now.labels.get(CURRENT) == token:
            text = "A step that was still running has promoted it: it is AWSCURRENT now."
            return "ended", f"{text} {SEE_STATUS}", ExitCode.REFUSED
        note = RotationNote.from_tag(now.tags.get(ROTATION_TAG))
    if (
        note is not None
        and note != noted_before
        and note.token == token
        and note.outcome != "given-up"
        and OUTCOMES[note.outcome].kind == "refused"
    ):
        return "ended", f"It has just been refused. {ending(note)}", ExitCode.DONE
    return "given-up", f"Given up, and not promoted. {ROTATE_STAGED}", ExitCode.DONE
