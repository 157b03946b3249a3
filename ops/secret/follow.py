"""Follow a rotation from outside: turn what Secrets Manager shows of it into events.

This reads the note that the rotator writes to the secret after each step
(:class:`zego.secret_store.notes.RotationNote`), and the labels. The labels alone show how the
rotation ended, because the rotator may not be allowed to write notes:

* the version has AWSCURRENT: it was promoted;
* the version has lost AWSPENDING: it was refused, or someone gave it up.

Of several steps between two checks, only the last leaves a note. The events then come late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from zego.rotation import OUTCOMES, STEPS, Step
from zego.secret_store import CURRENT, PENDING
from zego.secret_store.notes import ROTATION_TAG, RotationNote
from zego.secret_store.versions import SLOWEST_CALL_SECONDS, SecretState, SecretStoreError

#: How long a label may be ahead of its note, and checks may fail, in seconds. A promotion that runs
#: while someone gives the rotation up can take nearly as long.
PATIENCE_SECONDS: Final = SLOWEST_CALL_SECONDS + 2.0

RotationEventKind = Literal[
    "step-began", "step-done", "step-failed", "promoted", "refused", "undecided"
]
ENDS: Final = ("promoted", "refused", "undecided")


@dataclass(frozen=True, slots=True)
class RotationEvent:
    """Something that happened to the rotation.

    :ivar attempt: from 1; after a failed step, Secrets Manager starts again at the first step.
    :ivar seconds: since the start of the step, or for an end, since the start of the rotation.
    :ivar step: the step; for an end, the last known step; for ``undecided``, the last that failed.
    :ivar outcome: a key of :data:`zego.rotation.OUTCOMES`; ``None``: the rotator has noted none.
    :ivar code: ZEGO's code, if it gave one.
    :ivar fingerprint: of the value that the step used, if it is known.
    """

    kind: RotationEventKind
    attempt: int
    seconds: float
    step: Step | None = None
    outcome: str | None = None
    code: int | None = None
    fingerprint: str | None = None


def follow(
    describe: Callable[[], SecretState],
    token: str,
    *,
    wait_seconds: float,
    every_seconds: float = 0.5,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[RotationEvent]:
    """The events of one rotation as they come; the last one is one of :data:`ENDS`.

    :param describe: reads the secret's state from Secrets Manager.
    :param token: the rotation's token, which is the id of the version that it makes.
    :param wait_seconds: after that, the end is ``undecided``; the rotation continues.
    :raises SecretStoreError: no check has succeeded for :data:`PATIENCE_SECONDS`.
    """
    began = seen = clock()
    rotation = _RotationProgress(token, began)
    yield from rotation.begin(began)
    while True:
        now = clock()
        try:
            state = describe()
        except SecretStoreError:
            if now - seen >= PATIENCE_SECONDS:
                raise
        else:
            seen = now
            for event in rotation.advance(state, now):
                yield event
                if event.kind in ENDS:
                    return
        if now - began >= wait_seconds:
            yield rotation.end("undecided", now)
            return
        sleep(every_seconds)


class _RotationProgress:
    """The known progress of one rotation."""

    def __init__(self, token: str, began: float) -> None:
        self._token = token
        self._began = began
        self._attempt = 1
        self._step = 0  # the running step, as far as is known
        self._step_began: float | None = None
        self._note: RotationNote | None = None
        self._failure: RotationNote | None = None
        self._over_since: float | None = None

    def begin(self, now: float) -> Iterator[RotationEvent]:
        self._step_began = now
        yield RotationEvent("step-began", self._attempt, 0.0, STEPS[self._step])

    def advance(self, state: SecretState, now: float) -> Iterator[RotationEvent]:
        note = RotationNote.from_tag(state.tags.get(ROTATION_TAG))
        if note is not None and note.token == self._token and self._is_news(note):
            self._note = note
            yield from self._take(note, now)
        yield from self._end_by_labels(state, now)

    def end(self, kind: Literal["promoted", "refused", "undecided"], now: float) -> RotationEvent:
        note = self._failure or self._note if kind == "undecided" else self._note
        seconds = round(now - self._began, 1)
        if note is None:
            return RotationEvent(kind, self._attempt, seconds)
        return RotationEvent(
            kind, self._attempt, seconds, note.step, note.outcome, note.code, note.fingerprint
        )

    def _is_news(self, note: RotationNote) -> bool:
        """Whether a note is new. A read may return an older note than the read before it."""
        if self._note is None or note == self._note or note.at < self._note.at:
            return self._note is None
        goes_on = STEPS.index(note.step) >= STEPS.index(self._note.step)
        return note.at > self._note.at or goes_on or OUTCOMES[self._note.outcome].kind == "failed"

    def _take(self, note: RotationNote, now: float) -> Iterator[RotationEvent]:
        if STEPS.index(note.step) < self._step:  # its failure came between two checks
            self._try_again()
        if self._step_began is None:
            yield from self.begin(now)
        while STEPS[self._step] != note.step:
            yield from self._pass(now)
        kind, is_last = OUTCOMES[note.outcome].kind, note.step == STEPS[-1]
        if kind == "done" and not is_last:
            yield from self._pass(now)
            return
        over = self._over("step-done" if kind == "done" else "step-failed", note.outcome, now)
        yield replace(over, code=note.code, fingerprint=note.fingerprint)
        if kind == "failed":
            self._failure = note
            self._try_again()
        else:
            yield self.end("promoted" if kind == "done" else "refused", now)

    def _end_by_labels(self, state: SecretState, now: float) -> Iterator[RotationEvent]:
        is_current = state.labels.get(CURRENT) == self._token
        if state.labels.get(PENDING) == self._token and not is_current:
            self._over_since = None
        elif self._over_since is None:
            self._over_since = now
        elif now - self._over_since >= PATIENCE_SECONDS:
            yield self.end("promoted" if is_current else "refused", now)

    def _pass(self, now: float) -> Iterator[RotationEvent]:
        yield self._over("step-done", "done", now)
        self._step += 1
        yield from self.begin(now)

    def _try_again(self) -> None:
        """Wait for the next attempt, whose start is unknown until its first step leaves a note."""
        self._attempt += 1
        self._step = 0
        self._step_began = None

    def _over(
        self, kind: Literal["step-done", "step-failed"], outcome: str, now: float
    ) -> RotationEvent:
        seconds = 0.0 if self._step_began is None else round(now - self._step_began, 1)
        return RotationEvent(kind, self._attempt, seconds, STEPS[self._step], outcome)
