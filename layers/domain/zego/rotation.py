"""The words of a rotation: its steps, and how each of them can end.

The rotator says one of these outcomes, the command line explains it, and ``docs/rotation.md`` has
the same table, which a test holds to this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, get_args

#: Secrets Manager's, in its order.
Step = Literal["createSecret", "setSecret", "testSecret", "finishSecret"]
STEPS: Final[tuple[Step, ...]] = get_args(Step)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a step can end.

    :ivar kind: ``done``; ``refused``, for good: the rotator takes the version out of the rotation;
        or ``failed``, which Secrets Manager tries again by itself.
    :ivar meaning: what happened.
    :ivar remedy: what to do next; empty where nothing is.
    """

    kind: Literal["done", "refused", "failed"]
    meaning: str
    remedy: str = ""


_COPY: Final = "Copy the ServerSecret from ZEGO's console again and rotate with it."

OUTCOMES: Final[Mapping[str, Ending]] = {
    "done": Ending("done", "The step is done."),
    "set-up": Ending(
        "done", "The rotation is set up, and ZEGO accepts AWSCURRENT: nothing was rotated."
    ),
    "promoted": Ending("done", "The new ServerSecret is AWSCURRENT, and ZEGO accepts it."),
    "no-candidate": Ending(
        "refused",
        "Nothing is staged under CANDIDATE, so there is nothing to promote.",
        "Stage the value of ZEGO's console: zego-token secret rotate.",
    ),
    "placeholder": Ending(
        "refused", "The value is a placeholder: nobody has stored the real one yet.", _COPY
    ),
    "malformed": Ending("refused", "The value cannot be an AppID with its ServerSecret.", _COPY),
    "other-app-id": Ending(
        "refused",
        "The candidate is for another AppID than AWSCURRENT.",
        "Take the ServerSecret of the project whose AppID is current. A rotation never changes the"
        " AppID: another project is another secret.",
    ),
    "already-current": Ending(
        "refused",
        "The candidate is the value that is current already.",
        "Nothing, or stage the new value of ZEGO's console.",
    ),
    "rejected": Ending(
        "refused",
        "ZEGO rejects the candidate.",
        _COPY + " If ZEGO has yet to switch to it, the candidate stays staged: rotate again then.",
    ),
    "not-pending": Ending(
        "refused",
        "The version is in no rotation: it was refused before, or somebody took AWSPENDING off.",
        "Start a new rotation: zego-token secret rotate.",
    ),
    "unproven": Ending(
        "failed",
        "ZEGO could not say whether it accepts the candidate, so it is not promoted.",
        "Wait: Secrets Manager tries again. Should it not pass, look at the rotator's log.",
    ),
    "overtaken": Ending(
        "failed",
        "AWSCURRENT was moved by somebody else while this rotation ran.",
        "Wait: Secrets Manager tries again, and looks at everything anew.",
    ),
    "store-failed": Ending(
        "failed",
        "Secrets Manager did not answer, or refused a call of the rotator's.",
        "Wait: Secrets Manager tries again. If it says AccessDenied, mend the rotator's role.",
    ),
    "rejected-after": Ending(
        "failed",
        "Promoted, and ZEGO stopped accepting it right after: it was reset in the meantime.",
        "Copy the newest ServerSecret from ZEGO's console and rotate with it.",
    ),
    "broken": Ending(
        "failed", "The rotator itself failed.", "Report it with the lines of the rotator's log."
    ),
}
