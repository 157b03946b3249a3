"""The steps of a rotation, the outcomes of a step, and the token of a rotation.

The rotator reports one of these outcomes and the command line explains it. ``docs/rotation.md`` has
the same table; a test compares the two.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, get_args

#: The steps for which Secrets Manager calls the rotator, in its order.
Step = Literal["createSecret", "setSecret", "testSecret", "finishSecret"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)
#: A rotation that lasts longer is stuck. Each of its steps takes 5 minutes at most.
STUCK_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Ending:
    """One way in which a step can end.

    :ivar kind: ``done``; ``refused``: the rotation is over, and the rotator removes AWSPENDING; or
        ``failed``: Secrets Manager retries by itself.
    :ivar meaning: what happened.
    :ivar remedy: what to do next; empty if there is nothing to do.
    """

    kind: Literal["done", "refused", "failed"]
    meaning: str
    remedy: str = ""


_COPY: Final = "Copy the ServerSecret from ZEGO's console again and rotate with it."

_done = partial(Ending, "done")
_refused = partial(Ending, "refused")
_failed = partial(Ending, "failed")

OUTCOMES: Final[Mapping[str, Ending]] = {
    "done": _done("The step is done."),
    "set-up": _done("Rotation is set up, and ZEGO accepts AWSCURRENT. Nothing was rotated."),
    "promoted": _done("The new ServerSecret is AWSCURRENT, and ZEGO accepts it."),
    "no-candidate": _refused(
        "Nothing is staged under CANDIDATE, so there is nothing to promote.",
        "Rotate with the value from ZEGO's console: zego-token secret rotate.",
    ),
    "placeholder": _refused(
        "The value is a placeholder: the real ServerSecret has not been stored yet.", _COPY
    ),
    "malformed": _refused("The value is not a valid AppID with its ServerSecret.", _COPY),
    "other-app-id": _refused(
        "The candidate belongs to another AppID than AWSCURRENT.",
        "Use the ServerSecret of the AppID that AWSCURRENT has. A rotation never changes the AppID:"
        " store another project's ServerSecret in a separate secret.",
    ),
    "already-current": _refused(
        "The candidate is already the current value.",
        "Do nothing, or rotate with a new ServerSecret from ZEGO's console.",
    ),
    "compromised": _refused(
        "The value is marked as compromised, so it never becomes AWSCURRENT again.",
        "Make a new ServerSecret in ZEGO's console and rotate with it: zego-token secret rotate.",
    ),
    "outdated": _refused(
        "The version to copy or the one to replace has changed since this rotation started.",
        "If you ran restore, run it again. For a heal, do nothing: the watcher checks every 5 min.",
    ),
    "recovered": _refused(
        "ZEGO accepts AWSCURRENT again, so there is nothing to heal.",
        "Do nothing. If this repeats, ZEGO's verdict alternates: contact ZEGO's support.",
    ),
    "rejected": _refused(
        "ZEGO rejects the candidate.",
        _COPY + " If ZEGO has not switched to this value yet, leave it staged and rotate again once"
        " it has.",
    ),
    "given-up": _refused(
        "This rotation was already refused or given up.",
        "Start a new rotation: zego-token secret rotate.",
    ),
    "not-pending": _failed(
        "Secrets Manager shows the version under neither AWSPENDING nor AWSCURRENT. A read can lag"
        " behind a change.",
        "Wait: Secrets Manager retries. If this continues, start a new rotation: zego-token secret"
        " rotate.",
    ),
    "unproven": _failed(
        "ZEGO gave no verdict on the candidate, so it was not promoted.",
        "Wait: Secrets Manager retries. If it keeps failing, check the rotator's log.",
    ),
    "overtaken": _failed(
        "Something else moved AWSCURRENT while this rotation ran.",
        "Wait: Secrets Manager retries and checks everything again.",
    ),
    "store-failed": _failed(
        "Secrets Manager did not respond, or refused a call from the rotator.",
        "Wait: Secrets Manager retries. If the error is AccessDenied, fix the rotator's role.",
    ),
    "rejected-after": _failed(
        "The value was promoted, but ZEGO rejects it now: it was reset in the meantime.",
        "Copy the newest ServerSecret from ZEGO's console and rotate with it.",
    ),
    "broken": _failed(
        "The rotator itself failed.", "Report it with the lines from the rotator's log."
    ),
}

#: Why a rotation copies a version that is already stored.
Purpose = Literal["heal", "restore"]
_TOKEN: Final = re.compile(r"(heal|restore)-([0-9a-f]{16})-([0-9a-f]{16})-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CopyToken:
    """The client request token of a rotation that copies a stored version.

    The caller of RotateSecret chooses the token (32 to 64 characters), and every step gets it. So
    the token can name the version to copy and the one to replace, and no label has to move before
    the rotation. It names each by a digest, because a version id alone can have 64 characters.
    """

    purpose: Purpose
    copied: str
    replaced: str

    @classmethod
    def read(cls, token: str) -> CopyToken | None:
        """Read a rotation's token; ``None`` if the rotation copies CANDIDATE."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        return cls("heal" if found[1] == "heal" else "restore", found[2], found[3])

    @staticmethod
    def make(purpose: Purpose, *, copy: str, replace: str) -> str:
        """A new token, of 46 to 54 characters.

        :param copy: id of the version whose value becomes current.
        :param replace: id of the version that is AWSCURRENT and must be so until the promotion.
        """
        return f"{purpose}-{_digest(copy)}-{_digest(replace)}-{os.urandom(6).hex()}"

    def copies(self, version_id: str) -> bool:
        return self.copied == _digest(version_id)

    def replaces(self, version_id: str) -> bool:
        return self.replaced == _digest(version_id)


def is_heal(version_id: str) -> bool:
    """Whether a heal created the version: its id is the token of the rotation that created it."""
    token = CopyToken.read(version_id)
    return token is not None and token.purpose == "heal"


def _digest(version_id: str) -> str:
    return hashlib.sha256(version_id.encode()).hexdigest()[:16]
