"""Simulates some days of watching, with what :mod:`tests.rotation.weather` makes happen.

One seeded generator decides everything, and all times are the world's, so a seed gives the same
days again. :class:`Month` also measures: when ZEGO stopped accepting AWSCURRENT, when the watcher
noticed, from when it could heal, and when it had healed.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Final, TypeVar

from local.aws.events import ENDS_OF_A_ROTATION
from local.aws.secrets_manager import SECRET_ID
from local.fake_zego import Trouble
from tests.rotation.wire import Fault, Wire, is_read
from tests.rotation.world import World
from zego.rotation import is_heal
from zego.secret_store import CANDIDATE, CURRENT, PENDING, PREVIOUS
from zego.secret_store.versions import (
    AlreadyCurrentError,
    RotationInFlightError,
    SecretStoreError,
)
from zego.server_secret import ServerSecret

T = TypeVar("T")
#: Yields the seconds until it continues.
Story = Iterator[float]

MINUTE: Final = 60.0
HOUR: Final = 3600.0
DAY: Final = 86400.0
LOOK_EVERY: Final = 300.0
#: EventBridge's schedule is late by up to this many seconds.
LATE_SECONDS: Final = 20.0
#: Between the attempts of a rotation. AWS does not document them.
RETRY_AFTER: Final = (10.0, 30.0, 60.0, 120.0)
#: boto3 makes this many attempts at a call.
_AWS_ATTEMPTS: Final = 3
_AWS_FAULTS: Final = (Fault.LOST_REQUEST, Fault.LOST_ANSWER, Fault.THROTTLED, Fault.DENIED)


@dataclass(frozen=True)
class Noise:
    """What goes wrong at any time.

    :ivar false_rejections: share of ZEGO's responses that reject whatever was asked.
    :ivar failing_calls: share of the calls of AWS that fail at each of boto3's attempts.
    """

    name: str
    title: str
    false_rejections: float = 0.0
    failing_calls: float = 0.0

    @property
    def is_calm(self) -> bool:
        return not (self.false_rejections or self.failing_calls)


@dataclass
class Incident:
    """A time in which ZEGO rejected AWSCURRENT. Times are seconds since the month began.

    :ivar began_at: when ZEGO, or all of ZEGO if the reset propagates, rejected it.
    :ivar noticed_at: when a check found it rejected.
    :ivar healable_at: since when ZEGO has accepted what is staged, or AWSPREVIOUS.
    :ivar healed_at: when AWSCURRENT was a value that ZEGO accepts.
    :ivar by_ops: whether ops' own rotation did that.
    :ivar went_back: whether AWSPREVIOUS did that.
    :ivar outage_ended_at: when an outage during the incident ended, if there was one.
    :ivar had_outage: whether there was such a time.
    :ivar was_stuck: whether a rotation that did not end kept others from beginning.
    """

    began_at: float
    noticed_at: float | None = None
    healable_at: float | None = None
    healed_at: float | None = None
    by_ops: bool = False
    went_back: bool = False
    outage_ended_at: float | None = None
    had_outage: bool = False
    was_stuck: bool = False

    @property
    def was_delayed(self) -> bool:
        return self.had_outage or self.was_stuck

    @property
    def notice_seconds(self) -> float | None:
        return None if self.noticed_at is None else max(0.0, self.noticed_at - self.began_at)

    @property
    def heal_seconds(self) -> float | None:
        """How long the watcher took once it could heal; ``None``: it did not heal."""
        if self.by_ops or self.healed_at is None:
            return None
        since = max(self.began_at, self.healable_at or 0.0, self.outage_ended_at or 0.0)
        return max(0.0, self.healed_at - since)


@dataclass
class Record:
    """What one month brought.

    :ivar heals: rotations that the watcher started.
    :ivar to_previous: when a heal replaced an accepted value by AWSPREVIOUS, in seconds.
    :ivar to_candidate: when a heal replaced an accepted value by an accepted candidate.
    :ivar longest_pending: how long AWSPENDING stayed, less 5 min for each check that failed.
    :ivar seconds: how long it lasted; shorter if a promise was broken.
    :ivar lost: whether what ops staged last has lost its label.
    :ivar problems: of the world.
    """

    noise: Noise
    seed: int
    incidents: list[Incident] = field(default_factory=list)
    seconds: float = 0.0
    looks: int = 0
    rotations: int = 0
    heals: int = 0
    calls: int = 0
    events: int = 0
    to_previous: list[float] = field(default_factory=list)
    to_candidate: list[float] = field(default_factory=list)
    longest_pending: float = 0.0
    lost: bool = False
    problems: list[str] = field(default_factory=list)


class NoisyWire(Wire):
    """Draws the faults of each call, and checks the world after each write.

    Reads and ZEGO's responses change no label, so a check after them would find nothing.

    :ivar data_centres: what each part of ZEGO accepts while a reset propagates.
    """

    def __init__(self, world: World, noise: Noise, random: Random) -> None:
        super().__init__({}, self._check_after_a_write)
        self.data_centres: tuple[tuple[ServerSecret, ...], ...] = ()
        self.writes = 0
        self._world = world
        self._noise = noise
        self._random = random
        self._failing: list[Fault] = []

    def send(
        self,
        name: str,
        do: Callable[[], T],
        *,
        fail: Callable[[Fault], T],
        stale: Callable[[int], T],
    ) -> T:
        if name == "ZEGO" and self.data_centres:
            self._world.zego.project.accepted = self._random.choice(self.data_centres)
        fault = self._fault(name)
        self.schedule = {len(self.calls): fault} if fault else {}
        return super().send(name, do, fail=fail, stale=stale)

    def _fault(self, name: str) -> Fault | None:
        if name == "ZEGO":
            is_false = self._random.random() < self._noise.false_rejections
            return Fault.FALSE if is_false else None
        if not self._failing and self._random.random() < self._noise.failing_calls:
            fault = self._random.choice(_AWS_FAULTS)
            self._failing = [fault] * (1 if fault is Fault.DENIED else _AWS_ATTEMPTS)
        return self._failing.pop() if self._failing else None

    def _check_after_a_write(self) -> None:
        if self.calls[-1] != "ZEGO" and not is_read(self.calls[-1]):
            self.writes += 1
            self._world.look()


class Month:
    """Some days of one secret, and what is measured of them."""

    def __init__(self, noise: Noise, seed: int, days: float) -> None:
        self.random = Random(f"{noise.name} {seed}")
        self.world = World(seconds_a_call=0.1, attempts=1)
        self.wire = self.world.wire = NoisyWire(self.world, noise, self.random)
        self.record = Record(noise, seed)
        self.never_run: set[str] = set()
        self.accepted = self.world.zego.project.accepted
        self._start = self.world.clock.now
        self._end = self._start + days * DAY
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._incident: Incident | None = None
        self._current = self.world.value(CURRENT)
        self._previous = self.world.value(PREVIOUS)
        self._pending: str | None = None
        self._pending_since = 0.0
        self._failed_looks = 0
        self._settles_at = 0.0
        self._exhausted: set[str] = set()
        self._announced = 0

    def run(self, *stories: Story) -> Record:
        """Runs until the last day is over or a promise is broken."""
        for story in stories:
            self._go_on(story)
        self._schedule_look(0)
        while self._agenda[0][0] <= self._end and not self.world.problems:
            when, _, do = heapq.heappop(self._agenda)
            self.world.clock.turn(max(0.0, when - self.world.clock.now))
            self._do(do)
        return self._closed()

    # What stories do.

    @property
    def is_quiet(self) -> bool:
        return self._incident is None and self._pending is None

    def make(self) -> ServerSecret:
        """Makes a secret that ZEGO does not accept yet."""
        project = self.world.zego.project
        before, new = project.accepted, project.reset(keep_old=True)
        project.accepted = before
        return new

    def accept(self, *secrets: ServerSecret) -> None:
        """ZEGO accepts these secrets and no others."""
        self.wire.data_centres = ()
        self.world.zego.project.accepted = self.accepted = secrets

    def propagate(self, new: ServerSecret) -> Story:
        """One part of ZEGO accepts the new secret and another the old ones, for some minutes."""
        seconds = self.random.uniform(1, 5) * MINUTE
        self.wire.data_centres = (self.accepted, (new,))
        self.accepted, self._settles_at = (new,), self._now + seconds
        yield seconds
        self.accept(new)

    def stage(self, secret: ServerSecret) -> Story:
        """Ops stages a value, as soon as no rotation is in flight."""
        while True:
            try:
                self.world.stage(secret.value, secret.app_id)
            except RotationInFlightError:
                yield MINUTE
            except AlreadyCurrentError:
                return
            else:
                return

    def rotate(self) -> Story:
        """Ops asks for a rotation, as soon as no other is in flight."""
        while True:
            try:
                self.world.begin()
            except RotationInFlightError:
                yield MINUTE
            else:
                yield MINUTE
                return

    # Looks and rotations.

    def _at(self, when: float, do: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (when, next(self._numbers), do))

    def _after(self, seconds: float, do: Callable[[], object]) -> None:
        self._at(self.world.clock.now + seconds, do)

    def _go_on(self, story: Story) -> None:
        seconds = next(story, None)
        if seconds is not None:
            self._after(seconds, lambda: self._go_on(story))

    def _do(self, do: Callable[[], object]) -> None:
        writes, is_look = self.wire.writes, do in (self._look, self._tick)
        try:
            do()
            if self.wire.writes > writes or not is_look:
                self._observe()
        except AssertionError as error:
            if not self.world.problems:
                self.world.problems.append(repr(error))

    def _schedule_look(self, number: int) -> None:
        late = self.random.uniform(0, LATE_SECONDS)
        self._at(self._start + number * LOOK_EVERY + late, self._tick)

    def _tick(self) -> None:
        """A scheduled check."""
        passed = self.world.clock.now - self._start
        self._schedule_look(int(passed / LOOK_EVERY) + 1)
        self._look()

    def _look(self) -> None:
        self.record.looks += 1
        faults = len(self.wire.met)
        with contextlib.suppress(SecretStoreError):  # a note that the next check writes
            self.world.tick()
        self._failed_looks += len(self.wire.met) > faults
        found, incident = self.world.judged, self._incident
        is_rejected = found is not None and found.verdict.rejected
        if is_rejected and incident is not None and incident.noticed_at is None:
            incident.noticed_at = self._now
        if self.record.looks % 12 == 0:
            self.world.look()  # the issuer reads the secret between writes too

    def _attempt(self, token: str, number: int) -> None:
        """Secrets Manager attempts a rotation, and reports how that ended."""
        is_done = self.world.driver.run(token)
        events = self.world.announced[self._announced :]
        self._announced += len(events)
        if any(event["detail"]["eventName"] in ENDS_OF_A_ROTATION for event in events):
            self._after(self.random.uniform(5, 60), self._look)
        if is_done or not self.world.aws.storage.in_rotation(SECRET_ID, token):
            return
        if number < len(RETRY_AFTER):
            self._after(RETRY_AFTER[number], lambda: self._attempt(token, number + 1))
        else:
            self._exhausted.add(token)

    # What is measured.

    @property
    def _now(self) -> float:
        return self.world.clock.now - self._start

    def _observe(self) -> None:
        """Compares the labels, and what ZEGO accepts, with what they were."""
        described = self.world.aws.call("DescribeSecret", SecretId=SECRET_ID)
        versions = described["VersionIdsToStages"].items()
        labels = {label: version for version, stages in versions for label in stages}
        pending = labels.get(PENDING)
        self._observe_rotation(None if pending == labels[CURRENT] else pending)
        self._observe_current(is_heal(labels[CURRENT]))

    def _observe_rotation(self, pending: str | None) -> None:
        if pending == self._pending:
            return
        self._close_rotation()
        self._pending, self._pending_since, self._failed_looks = pending, self._now, 0
        if pending is None:
            return
        self.record.rotations += 1
        self.record.heals += is_heal(pending)
        if pending not in self.never_run:
            self._after(2.0, lambda: self._attempt(pending, 0))

    def _close_rotation(self) -> None:
        if self._pending is not None:
            lasted = self._now - self._pending_since - self._failed_looks * LOOK_EVERY
            self.record.longest_pending = max(self.record.longest_pending, lasted)

    def _observe_current(self, by_heal: bool) -> None:
        accepted = {secret.value for secret in self.accepted}
        current, previous = self.world.value(CURRENT), self.world.value(PREVIOUS)
        went_back = current == self._previous
        if current != self._current and by_heal and self._current in accepted:
            moves = self.record.to_previous if went_back else self.record.to_candidate
            moves.append(self._now)
        if current not in accepted and self._incident is None:
            self._incident = Incident(max(self._now, self._settles_at))
            self.record.incidents.append(self._incident)
        if self._incident is not None:
            self._observe_trouble(self._incident)
            if current in accepted:
                self._incident.by_ops, self._incident.went_back = not by_heal, went_back
                self._incident.healed_at, self._incident = self._now, None
            elif {self.world.value(CANDIDATE), previous}.isdisjoint(accepted):
                self._incident.healable_at = None
            elif self._incident.healable_at is None:
                self._incident.healable_at = self._now
        self._current, self._previous = current, previous

    def _observe_trouble(self, incident: Incident) -> None:
        if self.world.zego.trouble != Trouble():
            incident.had_outage, incident.outage_ended_at = True, None
        elif incident.had_outage and incident.outage_ended_at is None:
            incident.outage_ended_at = self._now
        incident.was_stuck |= self._pending in self.never_run | self._exhausted

    def _closed(self) -> Record:
        self._close_rotation()
        self.record.seconds = self._now
        self.record.lost = self.world.staged not in (None, self.world.text(CANDIDATE))
        self.record.calls = len(self.wire.calls)
        self.record.events = len(self.world.published)
        self.record.problems = [text[:2000] for text in self.world.problems]
        return self.record
