"""The words of a rotation: its steps, how each of them can end, and its token.

The rotator reports one of these outcomes, the command line explains it, and ``docs/rotation.md``
has the same table, which a test compares with this one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, get_args

#: Secrets Manager's, in its order.
Step = Literal["createSecret", "setSecret", "testSecret", "finishSecret"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)
#: A rotation that has not ended by then is stuck. Each of its steps takes 5 minutes at most.
STUCK_SECONDS: Final = 900


@dataclass(frozen=True, slots=True)
class Ending:
    """How a step can end.

    :ivar kind: ``done``; ``refused``, for good: the rotator takes the version out of the rotation;
        or ``failed``, which Secrets Manager tries again by itself.
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
    "set-up": _done("The rotation is set up, and ZEGO accepts AWSCURRENT: nothing was rotated."),
    "promoted": _done("The new ServerSecret is AWSCURRENT, and ZEGO accepts it."),
    "no-candidate": _refused(
        "Nothing is staged under CANDIDATE, so there is nothing to promote.",
        "Stage the value of ZEGO's console: zego-token secret rotate.",
    ),
    "placeholder": _refused(
        "The value is a placeholder: nobody has stored the real one yet.", _COPY
    ),
    "malformed": _refused("The value cannot be an AppID with its ServerSecret.", _COPY),
    "other-app-id": _refused(
        "The candidate is for another AppID than AWSCURRENT.",
        "Take the ServerSecret of the project whose AppID is current. A rotation never changes the"
        " AppID: another project is another secret.",
    ),
    "already-current": _refused(
        "The candidate is the value that is current already.",
        "Nothing, or stage the new value of ZEGO's console.",
    ),
    "compromised": _refused(
        "The value is marked as compromised, so it never becomes AWSCURRENT again.",
        "Make a new ServerSecret in ZEGO's console and rotate with it: zego-token secret rotate.",
    ),
    "outdated": _refused(
        "The version to copy or to replace has changed since this rotation was started.",
        "After a restore, start it again. A heal needs nothing: the watcher looks every 5 min.",
    ),
    "recovered": _refused(
        "ZEGO accepts AWSCURRENT again, so there is nothing to heal.",
        "Nothing. If this repeats, ZEGO's verdict changes to and fro: ask its support.",
    ),
    "rejected": _refused(
        "ZEGO rejects the candidate.",
        _COPY + " If ZEGO has yet to switch to it, the candidate stays staged: rotate again then.",
    ),
    "given-up": _refused(
        "This rotation was refused or given up before.",
        "Start a new rotation: zego-token secret rotate.",
    ),
    "not-pending": _failed(
        "Secrets Manager shows the version under neither AWSPENDING nor AWSCURRENT. A read can lag"
        " behind a change.",
        "Wait: Secrets Manager tries again. If it stays so, start a new rotation: zego-token secret"
        " rotate.",
    ),
    "unproven": _failed(
        "ZEGO could not say whether it accepts the candidate, so it is not promoted.",
        "Wait: Secrets Manager tries again. Should it not pass, look at the rotator's log.",
    ),
    "overtaken": _failed(
        "AWSCURRENT was moved by somebody else while this rotation ran.",
        "Wait: Secrets Manager tries again, and looks at everything anew.",
    ),
    "store-failed": _failed(
        "Secrets Manager did not answer, or refused a call of the rotator's.",
        "Wait: Secrets Manager tries again. If it says AccessDenied, mend the rotator's role.",
    ),
    "rejected-after": _failed(
        "Promoted, and ZEGO stopped accepting it right after: it was reset in the meantime.",
        "Copy the newest ServerSecret from ZEGO's console and rotate with it.",
    ),
    "broken": _failed(
        "The rotator itself failed.", "Report it with the lines of the rotator's log."
    ),
}

#: Why a rotation copies a version that is stored already.
Purpose = Literal["heal", "restore"]
_TOKEN: Final = re.compile(r"(heal|restore)-([0-9a-f]{16})-([0-9a-f]{16})-[0-9a-f]{12}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CopyToken:
    """What the client request token of a rotation says, if it copies a stored version.

    The caller of RotateSecret chooses the token (32 to 64 characters), and every step gets it. So
    the token can name the version to copy and the one to replace, and no label has to move before
    the rotation. It names each by a digest, because a version id can have 64 characters itself.
    """

    purpose: Purpose
    copied: str
    replaced: str

    @classmethod
    def read(cls, token: str) -> CopyToken | None:
        """``None``: the rotation copies CANDIDATE."""
        found = _TOKEN.fullmatch(token)
        if found is None:
            return None
        return cls("heal" if found[1] == "heal" else "restore", found[2], found[3])

    @staticmethod
    def make(purpose: Purpose, *, copy: str, replace: str) -> str:
        """A fresh token, of 46 to 54 characters.

        :param copy: id of the version whose value becomes current.
        :param replace: id of the version that is AWSCURRENT, and must be until then.
        """
        return f"{purpose}-{_digest(copy)}-{_digest(replace)}-{os.urandom(6).hex()}"

    def copies(self, version_id: str) -> bool:
        return self.copied == _digest(version_id)

    def replaces(self, version_id: str) -> bool:
        return self.replaced == _digest(version_id)


def is_heal(version_id: str) -> bool:
    """Whether a heal made the version: a version's id is the token of its rotation."""
    token = CopyToken.read(version_id)
    return token is not None and token.purpose == "heal"


def _digest(version_id: str) -> str:
    return hashlib.sha256(version_id.encode()).hexdigest()[:16]
