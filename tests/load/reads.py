"""How often environments read what they cache: once per time to live, and never all at once.

An environment serves one request at a time, so within it there is never a second read of the same
value. What can pile up is the reads of different environments: of many that start together, and of
the same ones when what they read expires.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from tests.load.generator import SERVED
from tests.load.services import DENIALS, KEYS, SECRET, Ask, Environment, Services, services

#: AWS' quota per region for GetSecretValue and DescribeSecret together: "AWS Secrets Manager
#: quotas" in the user guide.
QUOTA_PER_SECOND: Final = 10_000
_ASK: Final = Ask("alice", "call_1")


@dataclass(frozen=True, slots=True)
class Moment:
    """A time at which each environment gets a request.

    :ivar at: seconds since the first requests.
    :ivar reads: how often each environment then reads each value.
    :ivar since: if set, the environments get a request in each second since that time, and the
        reads are those of all these seconds.
    :ivar checked: the values whose reads are checked.
    """

    at: int
    what: str
    reads: dict[str, int]
    since: int | None = None
    checked: tuple[str, ...] = (SECRET, KEYS, DENIALS)


#: The secret expires after 48 to 60 s, the denials after 24 to 30 s, the keys after 480 to 600 s.
MOMENTS: Final = (
    Moment(0, "first requests of new environments", {SECRET: 1, KEYS: 1, DENIALS: 1}),
    Moment(0, "second requests", {}),
    Moment(23, "nothing has expired", {}),
    Moment(31, "the denials have expired", {DENIALS: 1}),
    Moment(47, "nothing has expired", {}),
    Moment(61, "secret and denials expire", {SECRET: 1, DENIALS: 1}, since=48),
    Moment(479, "after minutes without a request", {SECRET: 1, DENIALS: 1}),
    Moment(601, "the keys expire", {KEYS: 1}, since=480, checked=(KEYS,)),
)


@dataclass(slots=True)
class ReadCounts:
    """The reads of all environments together.

    :ivar rows: each moment with the counts.
    :ivar most_at_once: the most reads of a value in one second, while all environments get a
        request in each second.
    """

    environments: int
    rows: list[tuple[Moment, dict[str, int]]] = field(default_factory=list)
    most_at_once: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def measure(environments: int) -> ReadCounts:
    """Count the reads of so many environments that start together."""
    made = ReadCounts(environments)
    with services() as running:
        running.start_environments(environments)
        if any(running.counts().values()):
            made.problems.append(f"read before the first request: {running.counts()}")
        began = running.now()
        for moment in MOMENTS:
            total = dict.fromkeys(running.reads, 0)
            for at in _seconds(moment):
                running.turn(began + at - running.now())
                with running.counting() as counted:
                    made.problems += _ask_each(running)
                for name, count in counted.items():
                    total[name] += count
                    if moment.since is not None and name in moment.checked:
                        made.most_at_once[name] = max(count, made.most_at_once.get(name, 0))
            made.rows.append((moment, total))
            expected = {name: moment.reads.get(name, 0) * environments for name in moment.checked}
            if any(total[name] != count for name, count in expected.items()):
                made.problems.append(
                    f"{moment.what} ({moment.at} s): {total} reads instead of {expected}"
                )
    return made


def _seconds(moment: Moment) -> Iterator[int]:
    yield from range(moment.at if moment.since is None else moment.since, moment.at + 1)


def _ask_each(running: Services) -> list[str]:
    """Send one request to each environment, as many at the same time as the machine can."""
    bearer = running.bearer(_ASK.user)

    def ask(environment: Environment) -> str:
        return environment.send(_ASK, bearer)[0]

    with ThreadPoolExecutor(4 * (os.cpu_count() or 1)) as pool:
        outcomes = list(pool.map(ask, running.environments))
    return [f"a request was not served: {each}" for each in outcomes if each != SERVED]
