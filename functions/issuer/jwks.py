"""The identity providers' public keys, fetched from their JWKS and cached.

One entry an issuer; the states of an entry:

======== ===============================================================================
fresh    for ``fresh_seconds`` after a fetch its keys are used without asking again
old      then the next request fetches; should that fail, known keys still verify, up to
         ``max_stale_seconds`` after the last good fetch
gone     after that nothing can be verified until a fetch succeeds
======== ===============================================================================

A key id that is not known causes a fetch too, since providers rotate keys, but whatever the
cause there is at most one fetch in ``cool_down_seconds``: nobody can make the service hammer an
identity provider with invented key ids. Without any key to use it is one in ``retry_seconds``.
Redirects are not followed, and the size and the time of an answer are bounded.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from jwt import PyJWK
from jwt.exceptions import PyJWTError

from zego import strict_json
from zego.bounded_http import HttpError, Response, request

MAX_JWKS_BYTES: Final = 256 * 1024
FETCH_SECONDS: Final = 2.0
_MIN_RSA_BITS: Final = 2048

#: The algorithms taken, each bound to its key's type and curve (RFC 7518, RFC 8037).
ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}

Jwk = dict[str, Any]
Fetch = Callable[[str], Response]


class UnknownKeyError(Exception):
    """The issuer has no such key for that algorithm."""


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be had now. Safe to log.

    :ivar retry_after_seconds: when the next fetch may happen.
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class KeysReading:
    """What is known of an issuer's keys.

    :ivar keys: how many can verify its tokens; ``None`` where none are at hand.
    :ivar problem: why that is so, or why the last fetch failed. Safe to log.
    """

    keys: int | None
    problem: str | None


@dataclass(slots=True)
class _Entry:
    keys: list[Jwk] = field(default_factory=list)
    parsed: dict[tuple[int, str], PyJWK] = field(default_factory=dict)
    fetched_at: float = -math.inf
    tried_at: float = -math.inf
    failure: str | None = None


def fetch_jwks(uri: str) -> Response:
    """Ask an identity provider for its keys, within bounds."""
    return request("GET", uri, timeout_seconds=FETCH_SECONDS, max_bytes=MAX_JWKS_BYTES)


class SigningKeys:
    """The keys of all trusted issuers. Made without a look at a clock or the network."""

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
        """The key that a bearer token says it is signed with.

        :param key_id: the token's ``kid``; without one the issuer must have a single fitting key.
        :param algorithm: a key of :data:`ALGORITHMS`; the key is bound to it.
        :raises UnknownKeyError: the issuer answered, and has no such key for the algorithm.
        :raises KeysUnavailableError: the issuer must be asked, and does not answer.
        """
        entry = self._entries.setdefault(jwks_uri, _Entry())
        now = self._clock()
        if not 0 <= now - entry.fetched_at < self._fresh_seconds:
            self._refresh(jwks_uri, entry, now)
        if now - entry.fetched_at >= self._max_stale_seconds:
            raise self._unavailable(entry, now)
        position = _find(entry.keys, key_id, algorithm)
        if position is None:
            self._refresh(jwks_uri, entry, now)
            position = _find(entry.keys, key_id, algorithm)
        if position is None:
            if entry.failure is not None:
                raise self._unavailable(entry, now)
            raise UnknownKeyError(f"the issuer has no {algorithm} key of that id")
        return _parsed(entry, position, algorithm)

    def look(
        self, jwks_uri: str, algorithms: Sequence[str], *, may_fetch: bool = True
    ) -> KeysReading:
        """The issuer's keys as the next token would find them.

        :param algorithms: that its tokens may be signed with, keys of :data:`ALGORITHMS`.
        :param may_fetch: whether there is time to ask for what is not fresh.
        """
        entry = self._entries.setdefault(jwks_uri, _Entry())
        now = self._clock()
        if may_fetch and not 0 <= now - entry.fetched_at < self._fresh_seconds:
            self._refresh(jwks_uri, entry, now)
        if now - entry.fetched_at >= self._max_stale_seconds:
            return KeysReading(None, entry.failure or "not fetched: there was no time")
        usable = sum(
            any(_verifies(entry, position, each) for each in algorithms)
            for position in range(len(entry.keys))
        )
        if not usable:
            return KeysReading(0, f"the issuer has no key for {' or '.join(algorithms)}")
        return KeysReading(usable, entry.failure)

    def prefetch(self, jwks_uri: str) -> None:
        """Fetch keys ahead of the first request, which will say so if that fails."""
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
        entry.parsed.clear()

    def _wait_seconds(self, entry: _Entry, now: float) -> float:
        """From one fetch to the next: shorter where no key can be used until one succeeds."""
        usable = now - entry.fetched_at < self._max_stale_seconds
        return self._cool_down_seconds if usable else self._retry_seconds

    def _unavailable(self, entry: _Entry, now: float) -> KeysUnavailableError:
        wait = entry.tried_at + self._wait_seconds(entry, now) - now
        return KeysUnavailableError(entry.failure or "not fetched", max(1, math.ceil(wait)))


def _read(answer: Response) -> list[Jwk]:
    """The keys of a JWKS that may verify signatures.

    :raises HttpError: it is no JWKS.
    """
    if answer.status != 200:
        raise HttpError(f"the JWKS endpoint answered with status {answer.status}")
    try:
        keys = strict_json.loads_object(answer.body)["keys"]
    except (ValueError, KeyError):
        keys = None
    if not isinstance(keys, list):
        raise HttpError("the JWKS endpoint's answer is no JWKS")
    usable = [key for key in keys if _may_verify(key)]
    if not usable:
        raise HttpError("the JWKS endpoint's answer has no key that verifies signatures")
    return usable


def _may_verify(jwk: object) -> bool:
    """Whether it is a public key for signatures. One that is not spoils none of the others."""
    return (
        isinstance(jwk, dict)
        and isinstance(jwk.get("kid", ""), str)
        and isinstance(jwk.get("kty"), str)
        and "d" not in jwk
        and jwk.get("use", "sig") == "sig"
        and "verify" in _strings(jwk.get("key_ops", ["verify"]))
    )


def _strings(values: object) -> list[object]:
    return values if isinstance(values, list) else []


def _find(keys: Sequence[Jwk], key_id: str | None, algorithm: str) -> int | None:
    """Where the one key is that fits; ids need only be unique among keys of one type."""
    fitting = [n for n, jwk in enumerate(keys) if _fits(jwk, algorithm)]
    if key_id is not None:
        fitting = [n for n in fitting if keys[n].get("kid") == key_id]
    return fitting[0] if len(fitting) == 1 else None


def _fits(jwk: Jwk, algorithm: str) -> bool:
    key_type, curve = ALGORITHMS[algorithm]
    return (
        jwk["kty"] == key_type
        and jwk.get("crv") == curve
        and jwk.get("alg", algorithm) == algorithm
    )


def _verifies(entry: _Entry, position: int, algorithm: str) -> bool:
    if not _fits(entry.keys[position], algorithm):
        return False
    try:
        _parsed(entry, position, algorithm)
    except UnknownKeyError:
        return False
    return True


def _parsed(entry: _Entry, position: int, algorithm: str) -> PyJWK:
    key = entry.parsed.get((position, algorithm))
    if key is None:
        jwk = entry.keys[position]
        try:
            key = PyJWK(jwk, algorithm)
        except (PyJWTError, ValueError, TypeError):
            raise UnknownKeyError("the issuer's key of that id cannot be read") from None
        if jwk["kty"] == "RSA" and key.key.key_size < _MIN_RSA_BITS:
            raise UnknownKeyError(f"the issuer's key has less than {_MIN_RSA_BITS} bits")
        entry.parsed[position, algorithm] = key
    return key
