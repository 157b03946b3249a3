"""Check the secret again and again, and show what changed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ops.errors import explain
from ops.output import Output, timestamp
from ops.secret.render import ending, in_words
from ops.secret.status import TargetStatus, note_fields
from zego.secret_store.versions import SecretStoreError


def watch(
    out: Output,
    read_status: Callable[[], TargetStatus],
    *,
    every_seconds: float,
    count: int | None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show everything at first, and then each change with its time.

    :param count: how many checks; ``None``: until it is interrupted.
    :raises SecretStoreError: the first read fails; a later failure is shown as a change.
    """
    known: Mapping[str, _Fact] = {}
    for number in itertools.count() if count is None else range(count):
        if number:
            sleep(every_seconds)
        try:
            facts = _facts(read_status())
        except SecretStoreError as error:
            if not number:
                raise
            message = explain(error).message
            facts = {**known, "problem": _Fact(message, {"message": message})}
        if not number:
            out.show("The current state, and then each change:")
        moment = clock()
        at, hour = timestamp(moment), time.strftime("%H:%M:%S UTC", time.gmtime(moment))
        for what in dict.fromkeys((*facts, *known)):
            was, now = known.get(what), facts.get(what)
            if was != now:
                out.tell(
                    "change",
                    f"{hour}  {what}: {now.text if now else 'none'}",
                    then=" " * 14,
                    at=at,
                    what=what,
                    was=was and was.fields,
                    now=now and now.fields,
                )
        known = facts


@dataclass(frozen=True, slots=True)
class _Fact:
    """A part of the state whose changes are shown."""

    text: str
    fields: Mapping[str, Any]


def _facts(status: TargetStatus) -> dict[str, _Fact]:
    """Where each label is, and the functions' notes."""
    facts: dict[str, _Fact] = {}
    for judged in status.versions:
        version, verdict = judged.version, judged.verdict
        says = version.problem if verdict is None else in_words(verdict)
        of = f", fingerprint {version.fingerprint}" if version.fingerprint else ""
        fields = {
            "version_id": version.version_id,
            "fingerprint": version.fingerprint,
            "problem": version.problem,
            "outcome": verdict and verdict.outcome,
            "code": verdict and verdict.code,
        }
        fact = _Fact(f"version {version.version_id[:8]}{of}, {says}", fields)
        facts |= dict.fromkeys(version.labels, fact)
    if (noted := status.noted) is not None:
        text = f"noted {noted.outcome} {noted.fingerprint or ''}".rstrip()
        fields = {"outcome": noted.outcome, "fingerprint": noted.fingerprint, "code": noted.code}
        facts["watcher"] = _Fact(text, fields)
    if (last := status.rotation) is not None:
        text = f"version {last.token[:8]}, {last.step}: {ending(last)}"
        facts["rotation"] = _Fact(text, note_fields(last))
    return facts
