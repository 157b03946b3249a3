"""The identity providers' public keys, fetched from their JWKS and cached.

If the policy has no ``jwks_uri``, each fetch first requests the issuer's OpenID configuration,
which names it (OpenID Connect Discovery 1.0, section 4). There is one entry per issuer. The states
of an entry:

======== ===============================================================================
fresh    for ``fresh_seconds`` after a fetch, less a random part as in
         :mod:`zego.cache`, its keys are used without another fetch
old      then the next request fetches; if that fails, the known keys stay in use until
         ``max_stale_seconds`` after the last successful fetch
gone     after that no token can be verified until a fetch succeeds
======== ===============================================================================

An unknown key id also causes a fetch, because providers rotate their keys. But there is at most one
fetch per ``cool_down_seconds``, so that invented key ids cannot make the service hammer an identity
provider; while no key is usable, at most one per ``retry_seconds``. Until the next fetch is
allowed, an unknown key may be a new one, so the caller learns when to retry. Redirects are not
followed. The size and the time of a response and its number of keys are limited.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from issuer.public_keys import Jwk, UnusableKeyError, Verify, read
from zego import printable, strict_json
from zego.bounded_http import HttpError, Response, check_url, request
from zego.cache import jitter
from zego.policy.model import ALGORITHMS, BearerIdentity

MAX_JWKS_BYTES: Final = 256 * 1024
FETCH_SECONDS: Final = 2.0
#: The largest number of keys of one issuer. Each request searches them.
MAX_KEYS: Final = 100
#: The problem of keys that could not be read in the time that a request has.
NO_TIME: Final = "not fetched: there was no time"

#: The parameters that only a private or a symmetric key has (RFC 7518, 6.2.2, 6.3.2 and 6.4.1).
PRIVATE_PARAMETERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

#: RFC 9864 renames EdDSA to the curve's name. With this curve both are the same algorithm, so a key
#: for one of them is also for the other.
_SAME_ALGORITHM: Final = {"Ed25519": "EdDSA"}

Fetch = Callable[[str], Response]


class UnknownKeyError(Exception):
    """The issuer has no usable key for a token. The message says why, for the caller.

    :ivar retry_after_seconds: when the issuer's keys may be fetched again, if that was not allowed
        now; ``None`` if the keys were just fetched, or fetching cannot help.
    """

    def __init__(self, message: str, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class KeysUnavailableError(Exception):
    """The issuer's keys cannot be fetched at present. Safe to log.

    :ivar retry_after_seconds: when the next fetch may happen.
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class KeysReading(NamedTuple):
    """The state of an issuer's keys.

    :ivar keys: how many can verify its tokens; ``None`` if none are cached.
    :ivar problem: why none are cached, or why the last fetch failed. Safe to log.
    """

    keys: int | None
    problem: str | None


class _Key:
    """One key of a JWKS. It is parsed when an algorithm first needs it."""

    def __init__(self, jwk: dict[str, Any]) -> None:
        self.jwk: Jwk = jwk
        self._parsed: dict[str, Verify] = {}

    def fits(self, algorithm: str) -> bool:
        """Whether the key has the algorithm's type and curve, and names no other algorithm."""
        key_type, curve = ALGORITHMS[algorithm]
        return (
            self.jwk["kty"] == key_type
            and self.jwk.get("crv") == curve
            and _same(self.jwk.get("alg", algorithm), algorithm)
        )

    def parse(self, algorithm: str) -> Verify:
        """The function that verifies with the key, for an algorithm that it fits.

        :raises UnknownKeyError: the key cannot be read, or is too weak.
        """
        if algorithm not in self._parsed:
            try:
                self._parsed[algorithm] = read(self.jwk, algorithm)
            except UnusableKeyError as error:
                trouble = f"is too weak: {error.weakness}" if error.weakness else "cannot be read"
                raise UnknownKeyError(f"The issuer's key for this token {trouble}.") from None
        return self._parsed[algorithm]

    def verifies(self, algorithm: str) -> bool:
        """Whether the key can verify signatures of that algorithm."""
        try:
            return self.fits(algorithm) and bool(self.parse(algorithm))
        except UnknownKeyError:
            return False


class _Entry:
    def __init__(self) -> None:
        self.keys: list[_Key] = []
        self.fetched_at = -math.inf
        self.fresh_seconds = 0.0
        self.tried_at = -math.inf
        self.failure: str | None = None


def location(identity: BearerIdentity) -> tuple[str, str | None]:
    """Where an identity's keys are: the URL, and the issuer if the URL is for discovery."""
    if identity.jwks_uri is not None:
        return identity.jwks_uri, None
    issuer = identity.issuer or ""
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration", issuer


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
        jitter: Callable[[], float] = jitter,
    ) -> None:
        self._fetch = fetch
        self._fresh_seconds = fresh_seconds
        self._max_stale_seconds = max_stale_seconds
        self._cool_down_seconds = cool_down_seconds
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._jitter = jitter
        self._entries: dict[tuple[str, str | None], _Entry] = {}

    def get(
        self, url: str, key_id: str | None, algorithm: str, *, issuer: str | None = None
    ) -> Verify:
        """The function that verifies with the key which a bearer token claims to be signed with.

        :param url: of the JWKS or, with an issuer, of its OpenID configuration: :func:`location`.
        :param key_id: the token's ``kid``; without one the issuer must have a single fitting key.
        :param algorithm: a key of :data:`ALGORITHMS`; the key is bound to it.
        :raises UnknownKeyError: the issuer has no such key for the algorithm.
        :raises KeysUnavailableError: the keys must be fetched, and that fails.
        """
        entry = self._entries.setdefault((url, issuer), _Entry())
        now = self._clock()
        if not 0 <= now - entry.fetched_at < entry.fresh_seconds:
            self._refresh(url, issuer, entry, now)
        if now - entry.fetched_at >= self._max_stale_seconds:
            raise self._unavailable(entry, now)
        key = _find(entry.keys, key_id, algorithm)
        if key is None:
            self._refresh(url, issuer, entry, now)
            key = _find(entry.keys, key_id, algorithm)
        if key is None:
            if entry.failure is not None:
                raise self._unavailable(entry, now)
            was_just_fetched = entry.fetched_at == now
            raise UnknownKeyError(
                _why_no_key(entry.keys, key_id, algorithm),
                None if was_just_fetched else self._next_fetch(entry, now),
            )
        return key.parse(algorithm)

    def look(
        self,
        url: str,
        algorithms: Sequence[str],
        *,
        issuer: str | None = None,
        may_fetch: bool = True,
    ) -> KeysReading:
        """The state of the issuer's keys, as the next token would find them.

        :param algorithms: those its tokens may be signed with, keys of :data:`ALGORITHMS`.
        :param may_fetch: whether there is time to fetch keys that are not fresh.
        """
        entry = self._entries.setdefault((url, issuer), _Entry())
        now = self._clock()
        if may_fetch and not 0 <= now - entry.fetched_at < entry.fresh_seconds:
            self._refresh(url, issuer, entry, now)
        if now - entry.fetched_at >= self._max_stale_seconds:
            return KeysReading(None, entry.failure or NO_TIME)
        usable = sum(any(map(key.verifies, algorithms)) for key in entry.keys)
        if not usable:
            return KeysReading(0, f"the issuer has no key for {' or '.join(algorithms)}")
        return KeysReading(usable, entry.failure)

    def prefetch(self, url: str, *, issuer: str | None = None) -> None:
        """Fetch keys before the first request. If that fails, the request tries again."""
        entry = self._entries.setdefault((url, issuer), _Entry())
        self._refresh(url, issuer, entry, self._clock())

    def _refresh(self, url: str, issuer: str | None, entry: _Entry, now: float) -> None:
        if 0 <= now - entry.tried_at < self._wait_seconds(entry, now):
            return
        entry.tried_at = now
        try:
            jwks_uri = url if issuer is None else _discovered(self._fetch(url), issuer)
            keys = _read(self._fetch(jwks_uri))
        except HttpError as error:
            entry.failure = str(error)
            return
        entry.keys, entry.fetched_at, entry.failure = keys, now, None
        entry.fresh_seconds = self._fresh_seconds * (1.0 - 0.2 * self._jitter())

    def _wait_seconds(self, entry: _Entry, now: float) -> float:
        """The least time between two fetches: shorter while no key is usable."""
        usable = now - entry.fetched_at < self._max_stale_seconds
        return self._cool_down_seconds if usable else self._retry_seconds

    def _next_fetch(self, entry: _Entry, now: float) -> int:
        """In how many seconds the keys may be fetched again."""
        return max(1, math.ceil(entry.tried_at + self._wait_seconds(entry, now) - now))

    def _unavailable(self, entry: _Entry, now: float) -> KeysUnavailableError:
        return KeysUnavailableError(entry.failure or "not fetched", self._next_fetch(entry, now))


def _read(response: Response) -> list[_Key]:
    """The keys of a JWKS that may verify signatures.

    :raises HttpError: the response is not a JWKS, or has no such key.
    """
    document = _document(response, "the JWKS endpoint")
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise HttpError(f"the JWKS endpoint's response is not a JWKS{_other_kind(document)}")
    usable = [_Key(jwk) for jwk in keys if _may_verify(jwk)]
    if not usable:
        raise HttpError("the JWKS endpoint's response has no key that verifies signatures")
    if len(usable) > MAX_KEYS:
        raise HttpError(f"the JWKS has {len(usable)} keys; the limit is {MAX_KEYS}")
    return usable


def _discovered(response: Response, issuer: str) -> str:
    """The JWKS' address in an issuer's OpenID configuration.

    :raises HttpError: the response is not that of this issuer, or its address may not be requested.
    """
    document = _document(response, "the OpenID configuration")
    named = document.get("issuer")
    if not isinstance(named, str):
        raise HttpError("the OpenID configuration names no issuer: check issuer, or set jwks_uri")
    if named != issuer:
        raise HttpError(
            f'the OpenID configuration is of another issuer: "{printable(named)}"; if that is your'
            " provider, set issuer to exactly that"
        )
    try:
        return check_url(str(document["jwks_uri"]), allow_loopback=issuer.startswith("http:"))
    except KeyError:
        raise HttpError("the OpenID configuration has no jwks_uri") from None
    except ValueError as error:
        raise HttpError(f"the jwks_uri in the OpenID configuration: {error}") from None


def _document(response: Response, sender: str) -> dict[str, Any]:
    """The JSON object in a response; an empty one if it is other JSON.

    :raises HttpError: the response has another status or other content.
    """
    if 300 <= response.status < 400:
        raise HttpError(
            f"{sender} responded with status {response.status}, a redirect, which is not followed:"
            " use the address that it leads to"
        )
    if response.status != 200:
        raise HttpError(f"{sender} responded with status {response.status}")
    try:
        document = strict_json.loads(response.body)
    except ValueError:
        kind = ", but a web page" if response.body.lstrip()[:1] == b"<" else ""
        raise HttpError(f"{sender}'s response is not a JWKS or JSON at all{kind}") from None
    return document if isinstance(document, dict) else {}


def _other_kind(document: Mapping[str, object]) -> str:
    """What a JSON object is that is given as a JWKS by a common mistake."""
    if "jwks_uri" in document:
        return ", but an OpenID configuration: leave jwks_uri out, and discovery finds the keys"
    values = list(document.values())
    if values and all(isinstance(each, str) and "BEGIN CERT" in each for each in values):
        return ", but X.509 certificates: use the address of the provider's JWKS"
    return ""


def _may_verify(jwk: object) -> bool:
    """Whether it is a public key for signatures. Other keys are skipped."""
    return (
        isinstance(jwk, dict)
        and isinstance(jwk.get("kid", ""), str)
        and isinstance(jwk.get("kty"), str)
        and PRIVATE_PARAMETERS.isdisjoint(jwk)
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


def _why_no_key(keys: Sequence[_Key], key_id: str | None, algorithm: str) -> str:
    if key_id is None:
        if any(key.fits(algorithm) for key in keys):
            return f"The token names no key (kid), and several of the issuer's fit {algorithm}."
        return f"The token names no key (kid), and the issuer publishes none for {algorithm}."
    named = [key for key in keys if key.jwk.get("kid") == key_id]
    if not named:
        return "The issuer publishes no key with this token's kid."
    if any(key.fits(algorithm) for key in named):
        return f"The issuer publishes several {algorithm} keys with this token's kid."
    return f"The issuer's key with this token's kid is not for {algorithm}."


def _same(one: object, other: str) -> bool:
    """Whether two names are those of one algorithm. ``one`` may be any JSON value."""
    return one == other or (
        isinstance(one, str) and _SAME_ALGORITHM.get(one, one) == _SAME_ALGORITHM.get(other, other)
    )
