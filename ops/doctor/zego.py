"""ZEGO: its clock, its verdict on each value, and what it does not do by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from ops.doctor.check import CheckResult, CheckStatus, check
from ops.doctor.deployment import Deployment
from ops.errors import CommandError
from ops.secret.render import calls_fail, in_words, outcome_with_code
from zego import duration
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import VERDICT_TAG, VerdictNote
from zego.server_api import MAX_CLOCK_SKEW_SECONDS

#: A token counts as expired, or not yet valid, by the clocks of clients; AWS takes 300 s.
_NOTICEABLE_SECONDS: Final = 30.0
_AWS_SECONDS: Final = 300.0
#: The watcher looks every 5 min.
_WATCHED_SECONDS: Final = 600.0


@check(
    "Does ZEGO accept each value?",
    remedy="See to the network, or to what the code means, and look again: zego-token secret"
    " status.",
    needs=("value",),
)
def verdict(deployment: Deployment) -> Iterator[CheckResult]:
    """A signed call with each value."""
    for label, judged in deployment.by_label.items():
        if (found := judged.verdict) is None:
            continue
        seen = in_words(found) + ("" if found.code is None else f" (code {found.code})")
        if found.accepted:
            yield CheckResult("ok", seen, of=label)
        elif found.rejected:
            status, remedy = _REJECTED[label]
            remedy = remedy or " ".join(calls_fail(deployment.secret_status))
            yield CheckResult(status, f"{seen}.", remedy, label)
        else:
            status = "failed" if label == CURRENT else "warning"
            yield CheckResult(status, f"{seen}.", of=label)


_PERHAPS_EARLY: Final = (
    "Nothing, if ZEGO has yet to switch to it: the watcher then rotates to it. Else stage the value"
    " of ZEGO's console again: zego-token secret stage."
)
_REJECTED: Final[dict[str, tuple[CheckStatus, str]]] = {
    CURRENT: ("failed", ""),
    PREVIOUS: ("note", "Nothing: that is how it is after a reset. But do not go back to it."),
    PENDING: (
        "warning",
        "The rotation will be refused. Copy the ServerSecret from ZEGO's console again.",
    ),
    CANDIDATE: ("warning", _PERHAPS_EARLY),
}


@check(
    "Does the watcher say the same?",
    remedy="See that it runs: its log, and the alarms (docs/operations.md).",
    needs=("value",),
)
def watcher(deployment: Deployment) -> Iterator[CheckResult]:
    noted = VerdictNote.from_tag(deployment.state.tags.get(VERDICT_TAG))
    now = deployment.clock()
    age = now - (deployment.by_label[CURRENT].version.created_at or 0.0)
    just_made = age < _WATCHED_SECONDS
    if noted is None:
        old = f"; AWSCURRENT is {duration(age)} old, and it looks every 5 min" if just_made else ""
        yield CheckResult("ok" if just_made else "warning", f"nothing noted yet{old}")
        return
    since = duration(now - noted.since)
    seen = f"{outcome_with_code(noted)} for {since}"
    stands = deployment.secret_status.outcome
    if stands == "unknown":
        yield CheckResult("ok", f"{seen}; ZEGO cannot say now")
    elif deployment.secret_status.is_as_noted:
        yield CheckResult("ok", seen)
    elif just_made:
        yield CheckResult("ok", f"{seen}; now {stands}, and it looks every 5 min")
    else:
        of = f" for {noted.fingerprint}" if noted.fingerprint else ""
        yield CheckResult("warning", f"{seen}{of}; that is not how it stands now: {stands}.")


@check(
    "Is this machine's clock right?", remedy="Set this machine's clock (NTP).", needs=("target",)
)
def clock(deployment: Deployment) -> Iterator[CheckResult]:
    """This machine's, against those that say the time."""
    if not deployment.clock_skews and deployment.address is not None:
        with suppress(CommandError):  # which is the issuer's check
            _ = deployment.health
    skews = deployment.clock_skews
    if not skews:
        yield CheckResult("skipped", "nobody who was asked said the time")
        return
    said = ", ".join(_in_words(skew, whose) for whose, skew in skews.items())
    worst = max(map(abs, skews.values()))
    if worst > MAX_CLOCK_SKEW_SECONDS:
        yield CheckResult("failed", f"{said}: ZEGO refuses what is signed with it.")
    elif worst > _AWS_SECONDS:
        yield CheckResult("failed", f"{said}: AWS refuses what is signed with it.")
    elif worst > _NOTICEABLE_SECONDS:
        yield CheckResult("warning", f"{said}.")
    else:
        yield CheckResult("ok", said)


def _in_words(skew: float, whose: str) -> str:
    side = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'}"
    if abs(skew) < 2:  # a Date has whole seconds, and an answer takes its time
        side = "the same as"
    return f"{side} {whose}'s".replace("AWS's", "AWS'")


@check("What does ZEGO not do before its support switches it on for the AppID?")
def defaults(_deployment: Deployment) -> Iterator[CheckResult]:
    """What ZEGO's support has to switch on, and what nobody can see from outside."""
    yield from (CheckResult("note", text) for text in _DEFAULTS)


_DEFAULTS: Final = (
    "Expiry disconnects nobody, until ZEGO's support switches that on for the AppID.",
    "A token's privileges and streams are not enforced, until support switches that on.",
    "Logins with an AppSign work beside those with tokens, until support switches them off.",
    "One ServerSecret at a time: two at once, for a rotation without a gap, only by support.",
)
