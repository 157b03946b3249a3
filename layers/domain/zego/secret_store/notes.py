"""Notes on the secret, in tags. Every principal that may describe the secret can read them.

The last verdict, the rotation in flight and the last rotation are noted on the secret itself, for
every account and region that shares it, so that no second store can disagree with it. No tag
contains a secret value, only fingerprints.

======================================  ======================================  ===============
tag                                     text                                    written by
======================================  ======================================  ===============
``zego-token-service:verdict``          outcome, fingerprint, since, ZEGO's     the watcher
                                        code, ``+N`` after N unknown checks
``zego-token-service:in-flight``        token, first seen, ``stuck`` until an   the watcher
                                        event reports it, then ``reported``
``zego-token-service:given-up``         tokens, the newest first                ops, the watcher
``zego-token-service:rotation``         token, step, outcome, when, ZEGO's      the rotator
                                        code, fingerprint
``zego-token-service:rotation-failure`` the same, of the last step that failed  the rotator
``zego-token-service:compromised``      fingerprints, the newest first          ops
======================================  ======================================  ===============

Times are Unix seconds; ``-`` means unknown. A tag with invalid text, for example after an edit by
hand, counts as absent. Secrets Manager allows 50 tags, each with a value of 256 characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from zego.rotation import OUTCOMES, STEPS, Step

if TYPE_CHECKING:
    from zego.error_codes.code import Outcome

VERDICT_TAG: Final = "zego-token-service:verdict"
ROTATION_TAG: Final = "zego-token-service:rotation"
FAILURE_TAG: Final = "zego-token-service:rotation-failure"
IN_FLIGHT_TAG: Final = "zego-token-service:in-flight"
GIVEN_UP_TAG: Final = "zego-token-service:given-up"
COMPROMISED_TAG: Final = "zego-token-service:compromised"

#: The longest value of a tag, in characters (Secrets Manager's quota).
_MAX_LENGTH: Final = 256
_VERSION: Final = r"[\w-]{32,64}"
_FINGERPRINT: Final = "[0-9a-f]{12}"
_CODE: Final = r"(?:(\d{1,12})|-)"
#: A time up to the year 2286; more digits are invalid.
_TIME: Final = r"\d{1,10}"
_VERDICT: Final = re.compile(
    rf"(accepted|rejected|unknown) (?:({_FINGERPRINT})|-) ({_TIME}) {_CODE}(?: \+(\d))?",
    re.ASCII,
)
_IN_FLIGHT: Final = re.compile(rf"({_VERSION}) ({_TIME})(?: (stuck|reported))?", re.ASCII)
_ROTATION: Final = re.compile(
    rf"({_VERSION}) (\w+) ([a-z-]+) ({_TIME}) {_CODE} (?:({_FINGERPRINT})|-)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class VerdictNote:
    """The last verdict on AWSCURRENT.

    :ivar fingerprint: of the value that ZEGO checked; ``None`` if it had none.
    :ivar since: since when the verdict has been this one, Unix seconds.
    :ivar code: ZEGO's code, if it gave one.
    :ivar unknown_looks: how many checks since then, 9 at most, brought no verdict and are not
        reported yet.
    """

    outcome: Outcome
    fingerprint: str | None
    since: int
    code: int | None = None
    unknown_looks: int = 0

    @property
    def reported(self) -> Outcome | None:
        """The outcome of the last event; ``None`` if there were only checks without a verdict."""
        return None if self.outcome == "unknown" and self.unknown_looks else self.outcome

    def to_tag(self) -> str:
        known = f"{self.outcome} {_shown(self.fingerprint)} {self.since} {_shown(self.code)}"
        return f"{known} +{self.unknown_looks}" if self.unknown_looks else known

    @classmethod
    def from_tag(cls, text: str | None) -> VerdictNote | None:
        found = _VERDICT.fullmatch(text or "")
        if found is None:
            return None
        outcome, fingerprint, since, code, unknown_looks = found.groups()
        number = int(code) if code else None
        looks = int(unknown_looks or 0)
        return cls(cast("Outcome", outcome), fingerprint, int(since), number, looks)


@dataclass(frozen=True, slots=True)
class InFlightNote:
    """A rotation that the watcher saw in flight.

    :ivar token: the client request token, which is the id of the version under AWSPENDING.
    :ivar since: when the watcher first saw it, Unix seconds.
    :ivar state: ``stuck`` once a check found it stuck, ``reported`` once an event reported that.
    """

    token: str
    since: int
    state: Literal["", "stuck", "reported"] = ""

    def to_tag(self) -> str:
        return f"{self.token} {self.since} {self.state}".rstrip()

    @classmethod
    def from_tag(cls, text: str | None) -> InFlightNote | None:
        found = _IN_FLIGHT.fullmatch(text or "")
        if found is None:
            return None
        state = cast("Literal['', 'stuck', 'reported']", found[3] or "")
        return cls(found[1], int(found[2]), state)


@dataclass(frozen=True, slots=True)
class RotationNote:
    """The last step of a rotation, and how it ended.

    :ivar token: the client request token, which is the new version's id.
    :ivar outcome: a key of :data:`zego.rotation.OUTCOMES`.
    :ivar at: when the step ended, Unix seconds.
    :ivar code: ZEGO's code, if it gave one.
    :ivar fingerprint: of the value that was tried, if it is known.
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
        token, step, outcome, at, code, fingerprint = found.groups()
        number = int(code) if code else None
        return cls(token, cast("Step", step), outcome, int(at), number, fingerprint)


def given_up(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The tokens of the rotations that ops or the watcher gave up, the newest first."""
    return _words(tags.get(GIVEN_UP_TAG), _VERSION)


def compromised(tags: Mapping[str, str]) -> tuple[str, ...]:
    """The fingerprints of the values that must not become AWSCURRENT again, the newest first."""
    return _words(tags.get(COMPROMISED_TAG), _FINGERPRINT)


def with_newest(newest: str, known: Sequence[str]) -> str:
    """The text of a tag that lists words, with one more. Drops the oldest if it gets too long."""
    words = [newest, *(word for word in known if word != newest)]
    while len(" ".join(words)) > _MAX_LENGTH:
        words.pop()
    return " ".join(words)


def _words(text: str | None, pattern: str) -> tuple[str, ...]:
    words = (text or "").split(" ")
    return tuple(word for word in words if re.fullmatch(pattern, word, re.ASCII))


def _shown(value: object) -> object:
    return "-" if value is None else value
