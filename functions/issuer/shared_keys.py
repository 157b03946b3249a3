"""Shared keys: the HMAC keys with which applications sign their own session tokens.

Each is a secret in Secrets Manager, cached like the ServerSecret (:mod:`zego.cache`). Its
AWSCURRENT version verifies tokens and, unless the policy says otherwise, its AWSPREVIOUS version:
a rotation ends no session. A signature that neither verifies may be one of a newer key. Then the
secret is read again, at most once in 30 s, so that strangers cannot make the service call AWS for
each request.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from typing import Final

from issuer.jwks import KeysReading, KeysUnavailableError
from issuer.telemetry import telemetry
from zego import shared_key
from zego.aws import AwsError
from zego.cache import Cached, UnavailableError
from zego.policy.model import HMAC_ALGORITHMS, BearerIdentity
from zego.secret_store import CURRENT, PREVIOUS
from zego.shared_key import SharedKeyError

REFETCH_SECONDS: Final = 30.0
#: Cached if a secret has no previous version: it verifies nothing.
NO_KEY: Final = b""

#: Creates the cache of a key from the function that reads it; see :class:`zego.cache.Cached`.
MakeCache = Callable[[Callable[[], bytes]], Cached[bytes]]


class SharedKeys:
    """The shared keys of all identities. Creating this reads no clock and no network.

    :param read: reads the text of a secret's version: its name or ARN, and the staging label.
    """

    def __init__(
        self,
        read: Callable[[str, str], str],
        cached: MakeCache = lambda fetch: Cached(
            fetch, AwsError, SharedKeyError, refetch_seconds=REFETCH_SECONDS
        ),
    ) -> None:
        self._read = read
        self._cached = cached
        self._caches: dict[tuple[str, str | None, str], Cached[bytes]] = {}

    def verify(
        self, identity: BearerIdentity, algorithm: str, signed: bytes, signature: bytes
    ) -> bool:
        """Whether the identity's key made the signature.

        :param algorithm: one of :data:`zego.policy.model.HMAC_ALGORITHMS`.
        :raises KeysUnavailableError: the key cannot be read and is not cached, or is not valid.
        """
        digest = HMAC_ALGORITHMS[algorithm]
        return any(
            key != NO_KEY and hmac.compare_digest(hmac.digest(key, signed, digest), signature)
            for refetch in (False, True)
            for label in _labels(identity)
            for key in [self._key(identity, label, refetch=refetch)]
        )

    def look(self, identity: BearerIdentity) -> KeysReading:
        """The state of the identity's keys, as the next token would find them."""
        try:
            keys = [self._key(identity, label) for label in _labels(identity)]
        except KeysUnavailableError as error:
            return KeysReading(None, str(error))
        return KeysReading(sum(key != NO_KEY for key in keys), None)

    def prefetch(self, identity: BearerIdentity) -> None:
        """Read the key before the first request. If that fails, the request tries again."""
        try:
            self._key(identity, CURRENT)
        except KeysUnavailableError:
            return

    def _key(self, identity: BearerIdentity, label: str, *, refetch: bool = False) -> bytes:
        secret_id, field = str(identity.shared_key), identity.shared_key_field
        cache = self._caches.get((secret_id, field, label))
        if cache is None:
            cache = self._cached(lambda: self._fetch(secret_id, field, label))
            self._caches[secret_id, field, label] = cache
        try:
            reading = cache.get(refetch=refetch)
        except UnavailableError as error:
            if error.asked:
                _report(identity, str(error), "its tokens are refused")
            raise KeysUnavailableError(str(error), error.retry_after_seconds) from None
        if reading.failure is not None:
            _report(identity, reading.failure, "the last good one stays in use")
        return reading.value

    def _fetch(self, secret_id: str, field: str | None, label: str) -> bytes:
        """The key in one version; :data:`NO_KEY` if there is no valid previous one.

        The previous version is often a placeholder.
        """
        try:
            return shared_key.parse(self._read(secret_id, label), field)
        except AwsError as error:
            if label == PREVIOUS and error.code == "ResourceNotFoundException":
                return NO_KEY
            raise
        except SharedKeyError as error:
            if label == PREVIOUS:
                telemetry.logger.warning("No previous shared key: it is invalid", reason=str(error))
                return NO_KEY
            raise


def _labels(identity: BearerIdentity) -> Sequence[str]:
    """The labels of the versions that verify the identity's tokens."""
    return (CURRENT, PREVIOUS) if identity.accept_previous_key else (CURRENT,)


def _report(identity: BearerIdentity, failure: str, consequence: str) -> None:
    telemetry.logger.error(
        "Shared key cannot be read: %s", consequence, identity=identity.name, reason=failure
    )
