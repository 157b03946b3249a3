"""A cached read of a value outside this environment, such as a version of the ServerSecret.

A cached value can be in these states:

======== ============================================================================
fresh    for ``ttl_seconds``, less a random part, so that environments that started
         together do not read it together
doubted  if a caller reports that it may have changed, it is read again at once, unless
         it was read or a read failed in the last ``refetch_seconds``; if the read
         fails, the value stays as fresh as before
stale    if a read fails, or what it returns is not valid, the last good value stays in
         use, up to ``max_stale_seconds`` after it was last read
gone     after that no value is available, and :meth:`Cached.get` raises
======== ============================================================================

After a failure the value is not read again for ``retry_seconds``, so that a slow AWS service
delays one request and not all of them. The age of a value is the largest that three clocks show:
Lambda freezes a process between invocations, which stops the monotonic clock; the wall clock can be
set back; only a clock outside the environment notices if both happen. So no single wrong clock
keeps a value fresh. A clock that jumps ahead causes just one read: ages then count from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import SystemRandom
from typing import Final, Generic, NamedTuple, TypeVar

#: The operating system's generator. Python's own would have the same state in all environments that
#: were restored from one snapshot.
jitter: Final = SystemRandom().random

_T = TypeVar("_T")


class UnavailableError(Exception):
    """The value cannot be read, and the cache has none that is usable. Safe to log.

    :ivar retry_after_seconds: when a retry may help.
    :ivar asked: whether this call tried to read the value; if not, an earlier read just failed.
    """

    def __init__(self, message: str, retry_after_seconds: int, *, asked: bool) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.asked = asked


class Reading(NamedTuple, Generic[_T]):
    """The result of one read of the cache.

    :ivar refreshed: whether this call read a valid value from outside.
    :ivar failure: why this call's read from outside failed, if it did.
    :ivar stale: whether the value is older than its time to live.
    """

    value: _T
    refreshed: bool = False
    failure: str | None = None
    stale: bool = False


class Instant(NamedTuple):
    """What three clocks show at one moment."""

    wall: float
    monotonic: float
    outside: float | None = None

    def age_at(self, later: Instant) -> float:
        """The seconds until a later moment, by the clock that shows the most."""
        age = max(later.wall - self.wall, later.monotonic - self.monotonic)
        if self.outside is None or later.outside is None:
            return age
        return max(age, later.outside - self.outside)


class Clocks(NamedTuple):
    """The wall clock, the monotonic clock, and a clock outside the environment.

    :ivar outside: returns ``None`` until it knows the time.
    """

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    outside: Callable[[], float | None] = lambda: None

    def now(self) -> Instant:
        """Read all three."""
        return Instant(self.wall(), self.monotonic(), self.outside())


class Cached(Generic[_T]):
    """Caches a value. Creating this reads no clock and no network.

    :param fetch: reads the value from outside.
    :param failures: the errors of ``fetch`` that mean that there is no valid value. Their texts
        are logged.
    :param max_stale_seconds: at least ``ttl_seconds``; the table above explains each of the times.
    :param outside_clock: a clock outside the environment, in seconds; returns ``None`` until it
        knows the time.
    """

    def __init__(
        self,
        fetch: Callable[[], _T],
        *failures: type[Exception],
        ttl_seconds: float = 60.0,
        max_stale_seconds: float = 900.0,
        retry_seconds: float = 5.0,
        refetch_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        outside_clock: Callable[[], float | None] = lambda: None,
        jitter: Callable[[], float] = jitter,
    ) -> None:
        self._fetch = fetch
        self._failures = failures
        self._ttl_seconds = ttl_seconds
        self._max_stale_seconds = max_stale_seconds
        self._retry_seconds = retry_seconds
        self._refetch_seconds = refetch_seconds
        self._clocks = Clocks(clock, monotonic, outside_clock)
        self._jitter = jitter
        self._value: _T | None = None
        self._read_at = self._asked_at = Instant(0.0, 0.0)
        self._fresh_seconds = 0.0
        self._failure: str | None = None

    def get(self, *, refetch: bool = False) -> Reading[_T]:
        """The value: cached, newly read, or stale.

        :param refetch: whether the value is in doubt.
        :raises UnavailableError: no value was ever read, or the last one is too old.
        """
        now = self._clocks.now()
        asked_ago = self._asked_at.age_at(now)
        doubted = refetch and asked_ago >= self._refetch_seconds
        if self._value is not None and self._is_fresh(now) and not doubted:
            return Reading(self._value)
        if self._failure is not None and asked_ago < self._retry_seconds:
            return self._last_good(now, self._failure, asked=False)
        try:
            self._value = self._fetch()
        except self._failures as error:
            now = self._asked_at = self._clocks.now()
            self._failure = str(error)
            return self._last_good(now, self._failure, asked=True)
        self._failure = None
        self._read_at = self._asked_at = now
        self._fresh_seconds = self._ttl_seconds * (1.0 - 0.2 * self._jitter())
        return Reading(self._value, refreshed=True)

    def _last_good(self, now: Instant, failure: str, *, asked: bool) -> Reading[_T]:
        if self._value is None or self._read_at.age_at(now) >= self._max_stale_seconds:
            raise UnavailableError(failure, max(1, round(self._retry_seconds)), asked=asked)
        return Reading(
            self._value, failure=failure if asked else None, stale=not self._is_fresh(now)
        )

    def _is_fresh(self, now: Instant) -> bool:
        return self._read_at.age_at(now) < self._fresh_seconds
