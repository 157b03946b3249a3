"""Checks of ZEGO: its verdict on each value, its clock, and what it does not do by default."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from ops.checklist.check import CheckResult, CheckStatus, check
from ops.doctor.deployment import Deployment
from ops.errors import CommandError
from ops.secret.render import calls_fail, in_words, outcome_with_code
from zego import duration
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.notes import VERDICT_TAG, VerdictNote
from zego.server_api import MAX_CLOCK_SKEW_SECONDS

#: Clients compare a token's times with their own clocks; AWS tolerates 300 s.
_NOTICEABLE_SECONDS: Final = 30.0
_AWS_SECONDS: Final = 300.0
#: The watcher checks every 5 min.
_WATCHED_SECONDS: Final = 600.0


@check(
    "Does ZEGO accept each value?",
    remedy="Check the network, or run zego-token explain with the code; then check again:"
    " zego-token secret status.",
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
    "Do nothing if ZEGO has not switched to it yet: the watcher then promotes it. Otherwise stage"
    " the value from ZEGO's console again: zego-token secret stage."
)
_REJECTED: Final[dict[str, tuple[CheckStatus, str]]] = {
    CURRENT: ("failed", ""),
    PREVIOUS: ("note", "Do nothing: this is normal after a reset. But do not restore it."),
    PENDING: (
        "warning",
        "The rotation will be refused. Copy the ServerSecret from ZEGO's console again.",
    ),
    CANDIDATE: ("warning", _PERHAPS_EARLY),
}


@check(
    "Does the watcher's last verdict agree?",
    remedy="Check that the watcher runs: read its log, and the alarms (docs/operations.md).",
    needs=("value",),
)
def watcher(deployment: Deployment) -> Iterator[CheckResult]:
    noted = VerdictNote.from_tag(deployment.state.tags.get(VERDICT_TAG))
    now = deployment.clock()
    age = now - (deployment.by_label[CURRENT].version.created_at or 0.0)
    just_made = age < _WATCHED_SECONDS
    if noted is None:
        old = f"; AWSCURRENT is {duration(age)} old, and it checks every 5 min" if just_made else ""
        yield CheckResult("ok" if just_made else "warning", f"nothing noted yet{old}")
        return
    since = duration(now - noted.since)
    seen = f"{outcome_with_code(noted)} for {since}"
    outcome = deployment.secret_status.outcome
    if outcome == "unknown":
        yield CheckResult("ok", f"{seen}; now ZEGO gives no verdict")
    elif deployment.secret_status.is_as_noted:
        yield CheckResult("ok", seen)
    elif just_made:
        yield CheckResult("ok", f"{seen}; now {outcome}, and it checks every 5 min")
    else:
        of = f" for {noted.fingerprint}" if noted.fingerprint else ""
        yield CheckResult("warning", f"{seen}{of}, but now it is {outcome}.")


@check(
    "Is this machine's clock right?", remedy="Set this machine's clock (NTP).", needs=("target",)
)
def clock(deployment: Deployment) -> Iterator[CheckResult]:
    """This machine's clock, compared with the times in responses."""
    if not deployment.clock_skews and deployment.address is not None:
        with suppress(CommandError):  # the issuer's checks report it
            _ = deployment.health
    skews = deployment.clock_skews
    if not skews:
        yield CheckResult("skipped", "no response contained a time")
        return
    said = ", ".join(_in_words(skew, whose) for whose, skew in skews.items())
    worst = max(map(abs, skews.values()))
    if worst > MAX_CLOCK_SKEW_SECONDS:
        yield CheckResult("failed", f"{said}: ZEGO refuses requests signed with it.")
    elif worst > _AWS_SECONDS:
        yield CheckResult("failed", f"{said}: AWS refuses requests signed with it.")
    elif worst > _NOTICEABLE_SECONDS:
        yield CheckResult("warning", f"{said}.")
    else:
        yield CheckResult("ok", said)


def _in_words(skew: float, whose: str) -> str:
    side = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'}"
    if abs(skew) < 2:  # a Date has whole seconds, and a response takes some time
        side = "the same as"
    return f"{side} {whose}'s".replace("AWS's", "AWS'")


@check("What does ZEGO not do until its support switches it on for the AppID?")
def defaults(_deployment: Deployment) -> Iterator[CheckResult]:
    """What only ZEGO's support can switch on or off; not visible from outside."""
    yield from (CheckResult("note", text) for text in _DEFAULTS)


_DEFAULTS: Final = (
    "Expired tokens disconnect no one until ZEGO's support switches that on for the AppID.",
    "A token's privileges and streams are not enforced until support switches that on.",
    "Logins with an AppSign still work until support switches them off.",
    "ZEGO accepts one ServerSecret at a time; support can allow two, for a rotation without a gap.",
)
