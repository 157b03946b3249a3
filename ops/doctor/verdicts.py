"""ZEGO: its clock, its verdict on each value, and what it does not do by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from ops.doctor.check import Result, Status
from ops.doctor.deployment import Deployment
from ops.errors import CommandError
from ops.secret.report import JudgedVersion
from ops.secret.screen import calls_fail, in_words
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.server_api import MAX_CLOCK_SKEW_SECONDS

#: A token counts as expired, or not yet valid, by the clocks of clients; AWS takes 300 s.
_NOTICEABLE_SECONDS: Final = 30.0
_AWS_SECONDS: Final = 300.0


def verdict(deployment: Deployment) -> Iterator[Result]:
    """A signed call with each value."""
    for label, judged in deployment.by_label.items():
        yield from _verdict(deployment, label, judged)


def _verdict(deployment: Deployment, label: str, judged: JudgedVersion) -> Iterator[Result]:
    if judged.verdict is None:
        return
    code = judged.verdict.code
    seen = in_words(judged.verdict) + ("" if code is None else f" (code {code})")
    if judged.verdict.accepted:
        yield Result("ok", seen, of=label)
    elif judged.verdict.rejected:
        status, remedy = _REJECTED[label]
        yield Result(status, f"{seen}.", remedy or " ".join(calls_fail(deployment.look)), label)
    else:
        status = "failed" if label == CURRENT else "warning"
        yield Result(status, f"{seen}.", of=label)


_PERHAPS_EARLY: Final = (
    "Nothing, if ZEGO has yet to switch to it: the watcher then rotates to it. Else stage the value"
    " of ZEGO's console again: zego-token secret stage."
)
_REJECTED: Final[dict[str, tuple[Status, str]]] = {
    CURRENT: ("failed", ""),
    PREVIOUS: (
        "note",
        "Nothing: that is how it is after a reset. But do not go back to it.",
    ),
    PENDING: (
        "warning",
        "The rotation will be refused. Copy the ServerSecret from ZEGO's console again.",
    ),
    CANDIDATE: (
        "warning",
        _PERHAPS_EARLY,
    ),
}


def clock(deployment: Deployment) -> Iterator[Result]:
    """This machine's, against those that say the time."""
    if not deployment.clock_skews and deployment.address is not None:
        with suppress(CommandError):  # which is the issuer's check
            _ = deployment.health
    skews = deployment.clock_skews
    if not skews:
        yield Result("skipped", "nobody who was asked said the time")
        return
    said = ", ".join(_in_words(skew, whose) for whose, skew in skews.items())
    worst = max(map(abs, skews.values()))
    if worst > MAX_CLOCK_SKEW_SECONDS:
        yield Result("failed", f"{said}: ZEGO refuses what is signed with it.")
    elif worst > _AWS_SECONDS:
        yield Result("failed", f"{said}: AWS refuses what is signed with it.")
    elif worst > _NOTICEABLE_SECONDS:
        yield Result("warning", f"{said}.", "Set this machine's clock (NTP).")
    else:
        yield Result("ok", said)


def _in_words(skew: float, whose: str) -> str:
    if abs(skew) < 2:  # a Date has whole seconds, and an answer takes its time
        return f"the same as {whose}'s".replace("AWS's", "AWS'")
    side = "ahead of" if skew > 0 else "behind"
    return f"{abs(skew):.0f} s {side} {whose}'s".replace("AWS's", "AWS'")


def defaults(_deployment: Deployment) -> Iterator[Result]:
    """What ZEGO's support has to switch on, and what nobody can see from outside."""
    yield from (Result("note", text) for text in _DEFAULTS)


_DEFAULTS: Final = (
    "Expiry disconnects nobody, until ZEGO's support switches that on for the AppID.",
    "A token's privileges and streams are not enforced, until support switches that on.",
    "Logins with an AppSign work beside those with tokens, until support switches them off.",
    "One ServerSecret at a time: two at once, for a rotation without a gap, only by support.",
)
