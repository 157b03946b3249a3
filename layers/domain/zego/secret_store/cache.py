"""A cached read of one version of the ServerSecret, usually AWSCURRENT, in Secrets Manager.

The cache holds the version that has one label:

======== ============================================================================
fresh    for ``ttl_seconds``, a little less by jitter, so that the environments that
         started together do not ask together
doubted  when a caller says that ZEGO refused its token, it is asked for at once, unless it
         was asked for, well or in vain, in the last ``refetch_seconds``; where asking
         fails, it is as fresh as before
stale    when asking anew fails, or gives a value that cannot be a ServerSecret, the last
         good version still serves, up to ``max_stale_seconds`` after it was last read
gone     after that there is no secret to be had, and the caller says so
======== ============================================================================

After a failure it is not asked again for ``retry_seconds``, so that a slow Secrets Manager slows
one request and not all of them. Age is the largest that three clocks show: Lambda freezes a
process between invocations, which stops the monotonic clock; the wall clock can be set back; and
only a clock outside the environment notices if both happen. No single wrong clock keeps a version
fresh. One that jumps ahead makes the cache ask once, because the next age counts from there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import SystemRandom
from typing import Final

from zego import server_secret
from zego.secrets_manager import SecretsReaderError, SecretValue
from zego.server_secret import ServerSecret, ServerSecretError

#: Of the operating system: the state of Python's own generator would be the same in every
#: environment that was restored from one snapshot.
_jitter: Final = SystemRandom().random


class SecretUnavailableError(Exception):
    """No ServerSecret can be read, and none is cached. Safe to log.

    :ivar retry_after_seconds: when asking again may help.
    :ivar asked: whether Secrets Manager was asked just now, or has failed a moment ago.
    """

    def __init__(self, message: str, retry_after_seconds: int, *, asked: bool) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.asked = asked


@dataclass(frozen=True, slots=True)
class SecretVersion:
    """One good version of the secret.

    :ivar created_at: when it was stored, Unix seconds.
    """

    secret: ServerSecret
    version_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class SecretReading:
    """What one look into the cache gave.

    :ivar refreshed: Secrets Manager was asked, and gave a good value.
    :ivar failure: why it gave none, where it was asked and did not.
    :ivar stale: the version is older than its time to live.
    """

    version: SecretVersion
    refreshed: bool = False
    failure: str | None = None
    stale: bool = False


@dataclass(frozen=True, slots=True)
class _Instant:
    wall: float
    monotonic: float
    outside: float | None = None

    def age_at(self, later: _Instant) -> float:
        age = max(later.wall - self.wall, later.monotonic - self.monotonic)
        if self.outside is None or later.outside is None:
            return age
        return max(age, later.outside - self.outside)


class CachedSecret:
    """The version that has a label, cached. Made without a look at a clock or the network.

    :param fetch: asks Secrets Manager for that version.
    :param max_stale_seconds: at least ``ttl_seconds``; the table above has what each time bounds.
    :param outside_clock: a clock outside the environment, in seconds; ``None`` while it shows no
        time.
    """

    def __init__(
        self,
        fetch: Callable[[], SecretValue],
        *,
        ttl_seconds: float = 60.0,
        max_stale_seconds: float = 900.0,
        retry_seconds: float = 5.0,
        refetch_seconds: float = 10.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        outside_clock: Callable[[], float | None] = lambda: None,
        jitter: Callable[[], float] = _jitter,
    ) -> None:
        self._fetch = fetch
        self._ttl_seconds = ttl_seconds
        self._max_stale_seconds = max_stale_seconds
        self._retry_seconds = retry_seconds
        self._refetch_seconds = refetch_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._outside_clock = outside_clock
        self._jitter = jitter
        self._version: SecretVersion | None = None
        self._read_at = self._asked_at = _Instant(0.0, 0.0)
        self._fresh_seconds = 0.0
        self._failure: str | None = None

    def get(self, *, refetch: bool = False) -> SecretReading:
        """That version: cached, asked for, or stale.

        :param refetch: it is doubted, as ZEGO refused a token.
        :raises SecretUnavailableError: none was ever read, or the last one is too old.
        """
        now = self._now()
        asked_ago = self._asked_at.age_at(now)
        doubted = refetch and asked_ago >= self._refetch_seconds
        if self._version is not None and self._is_fresh(now) and not doubted:
            return SecretReading(self._version)
        if self._failure is not None and asked_ago < self._retry_seconds:
            return self._last_good(now, self._failure, asked=False)
        try:
            value = self._fetch()
            secret = server_secret.parse(value.text)
        except (SecretsReaderError, ServerSecretError) as error:
            now = self._asked_at = self._now()
            self._failure = str(error)
            return self._last_good(now, self._failure, asked=True)
        self._version = SecretVersion(secret, value.version_id, value.created_at)
        self._failure = None
        self._read_at = self._asked_at = now
        self._fresh_seconds = self._ttl_seconds * (1.0 - 0.2 * self._jitter())
        return SecretReading(self._version, refreshed=True)

    def _last_good(self, now: _Instant, failure: str, *, asked: bool) -> SecretReading:
        if self._version is None or self._read_at.age_at(now) >= self._max_stale_seconds:
            raise SecretUnavailableError(failure, max(1, round(self._retry_seconds)), asked=asked)
        return SecretReading(
            self._version, failure=failure if asked else None, stale=not self._is_fresh(now)
        )

    def _is_fresh(self, now: _Instant) -> bool:
        return self._read_at.age_at(now) < self._fresh_seconds

    def _now(self) -> _Instant:
        return _Instant(self._clock(), self._monotonic(), self._outside_clock())
