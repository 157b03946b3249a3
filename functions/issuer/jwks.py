"""The identity providers' public keys, fetched from their JWKS and cached.

There is one entry per issuer. The states of an entry:

======== ===============================================================================
fresh    for ``fresh_seconds`` after a fetch, its keys are used without another fetch
old      then the next request fetches; if that fails, the known keys stay in use until
         ``max_stale_seconds`` after the last successful fetch
gone     after that no token can be verified until a fetch succeeds
======== ===============================================================================

An unknown key id also causes a fetch, because providers rotate their keys. But there is at most one
fetch per ``cool_down_seconds``, so that invented key ids cannot make the service hammer an identity
provider; while no key is usable, at most one per ``retry_seconds``. Redirects are not followed, and
the size and the time of a response are limited.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from zego import strict_json
from zego.bounded_http import HttpError, Response, request
from zego.policy.model import ALGORITHMS

MAX_JWKS_BYTES: Final = 256 * 1024
FETCH_SECONDS: Final = 2.0
_MIN_RSA_BITS: Final = 2048

Jwk = dict[str, Any]
Fetch = Callable[[str], Response]


class UnknownKeyError(Exception):
    """The issuer has no key with this id for this algorithm."""


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be fetched at present. Safe to log.

    :ivar retry_after_seconds: when the next fetch may happen.
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class KeysReading:
    """The state of an issuer's keys.

    :ivar keys: how many can verify its tokens; ``None`` if none are cached.
    :ivar problem: why none are cached, or why the last fetch failed. Safe to log.
    """

    keys: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of a JWKS. It is parsed when an algorithm first needs it."""

    jwk: Jwk
    parsed: dict[str, PyJWK] = field(default_factory=dict)

    def fits(self, algorithm: str) -> bool:
        """Whether the key has the algorithm's type and curve, and names no other algorithm."""
        key_type, curve = ALGORITHMS[algorithm]
        return (
            self.jwk["kty"] == key_type
            and self.jwk.get("crv") == curve
            and self.jwk.get("alg", algorithm) == algorithm
        )

    def parse(self, algorithm: str) -> PyJWK:
        """The parsed key, for an algorithm that it fits.

        :raises UnknownKeyError: the key cannot be read, or is too weak.
        """
        if algorithm not in self.parsed:
            try:
                key = PyJWK(self.jwk, algorithm)
            except (PyJWTError, ValueError, TypeError):
                raise UnknownKeyError("the issuer's key with that id cannot be read") from None
            if self.jwk["kty"] == "RSA" and key.key.key_size < _MIN_RSA_BITS:
                raise UnknownKeyError(f"the issuer's key has less than {_MIN_RSA_BITS} bits")
            self.parsed[algorithm] = key
        return self.parsed[algorithm]

    def verifies(self, algorithm: str) -> bool:
        """Whether the key can verify signatures of that algorithm."""
        try:
            return self.fits(algorithm) and bool(self.parse(algorithm))
        except UnknownKeyError:
            return False


@dataclass(slots=True)
class _Entry:
    keys: list[_Key] = field(default_factory=list)
    fetched_at: float = -math.inf
    tried_at: float = -math.inf
    failure: str | None = None


def fetch_jwks(uri: str) -> Response:
    """Request an identity provider's keys, with limits on time and size."""
    return request("GET", uri, timeout_seconds=FETCH_SECONDS, max_bytes=MAX_JWKS_BYTES)


class SigningKeys:
    """The keys of all trusted issuers. Creating this reads no clock and no network."""

    def __init__(
        self,
        fetch: Fetch = fetch_jwks,
        *,
        fresh_seconds: float = 600.0,
        max_stale_seconds: float = 3600.0,
        cool_down_seconds: float = 30.0,
        retry_seconds: float = 5.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._fresh_seconds = fresh_seconds
        self._max_stale_seconds = max_stale_seconds
        self._cool_down_seconds = cool_down_seconds
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._entries: dict[str, _Entry] = {}

    def get(self, jwks_uri: str, key_id: str | None, algorithm: str) -> PyJWK:
        """The key that a bearer token claims to be signed with.

        :param key_id: the token's ``kid``; without one the issuer must have a single fitting key.
        :param algorithm: a key of :data:`ALGORITHMS`; the key is bound to it.
        :raises UnknownKeyError: the issuer has no such key for the algorithm.
        :raises KeysUnavailableError: the keys must be fetched, and that fails.
        """
        entry = self._entries.setdefault(jwks_uri, _Entry())
        now = self._clock()
        if not 0 <= now - entry.fetched_at < self._fresh_seconds:
            self._refresh(jwks_uri, entry, now)
        if now - entry.fetched_at >= self._max_stale_seconds:
            raise self._unavailable(entry, now)
        key = _find(entry.keys, key_id, algorithm)
        if key is None:
            self._refresh(jwks_uri, entry, now)
            key = _find(entry.keys, key_id, algorithm)
        if key is None:
            if entry.failure is not None:
                raise self._unavailable(entry, now)
            raise UnknownKeyError(f"the issuer has no {algorithm} key with that id")
        return key.parse(algorithm)

    def look(
        self, jwks_uri: str, algorithms: Sequence[str], *, may_fetch: bool = True
    ) -> KeysReading:
        """The state of the issuer's keys, as the next token would find them.

        :param algorithms: those its tokens may be signed with, keys of :data:`ALGORITHMS`.
        :param may_fetch: whether there is time to fetch keys that are not fresh.
        """
        entry = self._entries.setdefault(jwks_uri, _Entry())
        now = self._clock()
        if may_fetch and not 0 <= now - entry.fetched_at < self._fresh_seconds:
            self._refresh(jwks_uri, entry, now)
        if now - entry.fetched_at >= self._max_stale_seconds:
            return KeysReading(None, entry.failure or "not fetched: there was no time")
        usable = sum(any(map(key.verifies, algorithms)) for key in entry.keys)
        if not usable:
            return KeysReading(0, f"the issuer has no key for {' or '.join(algorithms)}")
        return KeysReading(usable, entry.failure)

    def prefetch(self, jwks_uri: str) -> None:
        """Fetch keys before the first request. If that fails, the request tries again."""
        self._refresh(jwks_uri, self._entries.setdefault(jwks_uri, _Entry()), self._clock())

    def _refresh(self, jwks_uri: str, entry: _Entry, now: float) -> None:
        if 0 <= now - entry.tried_at < self._wait_seconds(entry, now):
            return
        entry.tried_at = now
        try:
            keys = _read(self._fetch(jwks_uri))
        except HttpError as error:
            entry.failure = str(error)
            return
        entry.keys, entry.fetched_at, entry.failure = keys, now, None

    def _wait_seconds(self, entry: _Entry, now: float) -> float:
        """The least time between two fetches: shorter while no key is usable."""
        usable = now - entry.fetched_at < self._max_stale_seconds
        return self._cool_down_seconds if usable else self._retry_seconds

    def _unavailable(self, entry: _Entry, now: float) -> KeysUnavailableError:
        wait = entry.tried_at + self._wait_seconds(entry, now) - now
        return KeysUnavailableError(entry.failure or "not fetched", max(1, math.ceil(wait)))


def _read(response: Response) -> list[_Key]:
    """The keys of a JWKS that may verify signatures.

    :raises HttpError: the response is not a JWKS, or has no such key.
    """
    if response.status != 200:
        raise HttpError(f"the JWKS endpoint responded with status {response.status}")
    try:
        keys = strict_json.loads_object(response.body)["keys"]
    except (ValueError, KeyError):
        keys = None
    if not isinstance(keys, list):
        raise HttpError("the JWKS endpoint's response is not a JWKS")
    usable = [_Key(jwk) for jwk in keys if _may_verify(jwk)]
    if not usable:
        raise HttpError("the JWKS endpoint's response has no key that verifies signatures")
    return usable


def _may_verify(jwk: object) -> bool:
    """Whether it is a public key for signatures. Other keys are skipped."""
    return (
        isinstance(jwk, dict)
        and isinstance(jwk.get("kid", ""), str)
        and isinstance(jwk.get("kty"), str)
        and "d" not in jwk
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations := jwk.get("key_ops", ["verify"]), list)
        and "verify" in operations
    )


def _find(keys: Sequence[_Key], key_id: str | None, algorithm: str) -> _Key | None:
    """The only key that fits; ``None`` if several do. Keys of different types may share an id."""
    fitting = [key for key in keys if key.fits(algorithm)]
    if key_id is not None:
        fitting = [key for key in fitting if key.jwk.get("kid") == key_id]
    return fitting[0] if len(fitting) == 1 else None
