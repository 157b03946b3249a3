"""What the functions note on the secret: tags, which whoever may describe the secret can read.

So the last verdict, the last rotation and the last heals are where the secret is, for every
account and region that shares it, and no second store has to agree with it. No tag holds a value,
only fingerprints.

=================================  ========================================  ================
tag                                text                                      written by
=================================  ========================================  ================
``zego-token-service:verdict``     outcome, fingerprint, since, ZEGO's code  the watcher
``zego-token-service:rotation``    token, step, outcome, when, ZEGO's code,  the rotator
                                   fingerprint
``...:rotation-failure``           the same, of the last step that did not   the rotator
                                   end well
``zego-token-service:heals``       fingerprint@when, the newest first        the watcher
=================================  ========================================  ================

Times are Unix seconds; ``-`` stands for what is not known. A tag that cannot be read, because
somebody edited it, counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from zego.rotation import OUTCOMES, STEPS, Step

if TYPE_CHECKING:
    from zego.server_api import Outcome

VERDICT_TAG: Final = "zego-token-service:verdict"
ROTATION_TAG: Final = "zego-token-service:rotation"
FAILURE_TAG: Final = "zego-token-service:rotation-failure"
HEALS_TAG: Final = "zego-token-service:heals"

_FINGERPRINT: Final = "[0-9a-f]{12}"
_VERDICT: Final = re.compile(
    rf"(accepted|rejected|unknown) ({_FINGERPRINT}|-) (\d{{1,12}}) (\d{{1,12}}|-)", re.ASCII
)
_ROTATION: Final = re.compile(
    rf"([\w-]{{32,64}}) (\w+) ([a-z-]+) (\d{{1,12}}) (\d{{1,12}}|-) ({_FINGERPRINT}|-)", re.ASCII
)
_HEAL: Final = re.compile(rf"({_FINGERPRINT})@(\d{{1,12}})", re.ASCII)
#: A tag's value has at most 256 characters.
_HEALS_KEPT: Final = 9


@dataclass(frozen=True, slots=True)
class VerdictNote:
    """The last verdict on AWSCURRENT.

    :ivar fingerprint: of the value it was about; ``None`` where that had none.
    :ivar since: when the verdict became this one, Unix seconds.
    :ivar code: ZEGO's code, where it gave one.
    """

    outcome: Outcome
    fingerprint: str | None
    since: int
    code: int | None = None

    def to_tag(self) -> str:
        known = f"{_shown(self.fingerprint)} {self.since} {_shown(self.code)}"
        return f"{self.outcome} {known}"

    @classmethod
    def from_tag(cls, text: str | None) -> VerdictNote | None:
        found = _VERDICT.fullmatch(text or "")
        if found is None:
            return None
        outcome, fingerprint, since, code = found.groups()
        return cls(
            cast("Outcome", outcome),
            None if fingerprint == "-" else fingerprint,
            int(since),
            None if code == "-" else int(code),
        )


@dataclass(frozen=True, slots=True)
class RotationNote:
    """How far the last rotation came.

    :ivar token: the client request token, which is the new version's id.
    :ivar outcome: a key of :data:`zego.rotation.OUTCOMES`.
    :ivar at: when, Unix seconds.
    :ivar code: ZEGO's code, where it gave one.
    :ivar fingerprint: of the value that was tried, where that is known.
    """

    token: str
    step: Step
    outcome: str
    at: int
    code: int | None = None
    fingerprint: str | None = None

    def to_tag(self) -> str:
        known = f"{_shown(self.code)} {_shown(self.fingerprint)}"
        return f"{self.token} {self.step} {self.outcome} {self.at} {known}"

    @classmethod
    def from_tag(cls, text: str | None) -> RotationNote | None:
        found = _ROTATION.fullmatch(text or "")
        if found is None or found[2] not in STEPS or found[3] not in OUTCOMES:
            return None
        code, fingerprint = (None if text == "-" else text for text in found.groups()[4:])
        return cls(
            found[1],
            cast("Step", found[2]),
            found[3],
            int(found[4]),
            None if code is None else int(code),
            fingerprint,
        )


@dataclass(frozen=True, slots=True)
class HealsNote:
    """When which value was last asked to be promoted by itself."""

    at: Mapping[str, int]

    def to_tag(self) -> str:
        newest = sorted(self.at.items(), key=lambda heal: -heal[1])[:_HEALS_KEPT]
        return " ".join(f"{fingerprint}@{when}" for fingerprint, when in newest)

    @classmethod
    def from_tag(cls, text: str | None) -> HealsNote:
        return cls({found[1]: int(found[2]) for found in _HEAL.finditer(text or "")})

    def with_heal(self, fingerprint: str, when: int) -> HealsNote:
        return HealsNote({**self.at, fingerprint: when})


def _shown(value: object) -> object:
    return "-" if value is None else value
