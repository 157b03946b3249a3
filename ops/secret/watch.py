"""Look again and again, and say what changed."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from ops.explanations import explain
from ops.output import Output
from ops.secret.report import Look, timestamp
from ops.secret.screen import in_words
from zego.rotation import OUTCOMES
from zego.secret_store.versions import SecretStoreError

_PROBLEM: Final = "problem"


def watch(
    out: Output,
    look: Callable[[], Look],
    *,
    every_seconds: float,
    count: int | None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Say everything at first, and then each change, with its time.

    :param count: how many looks; ``None``: until it is interrupted.
    :raises SecretStoreError: the first look failed; later on, that is said as a change.
    """
    known: Mapping[str, str] | None = None
    for number in itertools.count() if count is None else range(count):
        if number:
            sleep(every_seconds)
        try:
            facts = _facts(look())
        except SecretStoreError as error:
            if known is None:
                raise
            facts = {**known, _PROBLEM: explain(error).message}
        moment = clock()
        at, hour = timestamp(moment), time.strftime("%H:%M:%S", time.localtime(moment))
        for what, was, now in changes(known or {}, facts):
            text = f"{hour}  {what}: {now or 'none'}"
            out.tell("change", text, at=at, what=what, was=was, now=now)
        known = facts


def changes(
    before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """What is not as before, with what it was and what it is."""
    for what in dict.fromkeys((*after, *before)):
        was, now = before.get(what), after.get(what)
        if was != now:
            yield what, was, now


def _facts(look: Look) -> dict[str, str]:
    """What is worth a line when it changes: where each label is, and what was noted."""
    facts: dict[str, str] = {}
    for judged in look.versions:
        version, verdict = judged.version, judged.verdict
        says = version.problem if verdict is None else in_words(verdict)
        which = f"version {version.version_id[:8]}"
        if version.fingerprint is not None:
            which += f", fingerprint {version.fingerprint}"
        facts |= dict.fromkeys(version.labels, f"{which}, {says}")
    if (noted := look.noted) is not None:
        facts["watcher"] = f"{noted.outcome} {noted.fingerprint or ''}".rstrip()
    if (rotation := look.rotation) is not None:
        meaning = OUTCOMES[rotation.outcome].meaning
        facts["rotation"] = f"version {rotation.token[:8]}, {rotation.step}: {meaning}"
    return facts
