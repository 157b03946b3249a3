"""What every route needs: the caller's proof, the current secret, the record for the audit log."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from issuer import authentication
from issuer.access_policy import AccessPolicy, Caller
from issuer.audit import Exchange
from issuer.http_event import ApiRequest
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from issuer.settings import IssuerSettings
from issuer.telemetry import record_secret_failure, record_secret_reading
from zego.secret_store import CachedSecret, SecretUnavailableError, SecretVersion
from zego.secrets_manager import SecretsReader

#: After so long no further fetch begins: half of what a restore, and a request, may take.
FETCHING_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of the issuer. Made without reading a clock and without the network.

    :ivar current: the secret that seals tokens.
    :ivar previous: the last one, which only tells which tokens it sealed.
    """

    settings: IssuerSettings
    policy: AccessPolicy
    keys: SigningKeys
    secrets_manager: SecretsReader
    current: CachedSecret
    previous: CachedSecret

    def user(self, request: ApiRequest) -> Caller:
        """The user whom the request's bearer token proves.

        :raises Problem: a ``bearer_...`` code, or ``signing_keys_unavailable``.
        """
        return authentication.from_bearer(
            request.headers.get("authorization"), self.policy, self.keys
        )

    def role(self, request: ApiRequest) -> Caller:
        """The IAM role that API Gateway verified.

        :raises Problem: ``iam_identity_missing`` or ``not_granted``.
        """
        return authentication.from_role(request.iam, self.policy)

    def exchange(self, request: ApiRequest, position: int | None = None) -> Exchange:
        """A new record of a request, or of the entry at a position of a batch."""
        return Exchange(request.request_id, request.route, position)

    def current_secret(self, *, refetch: bool = False) -> SecretVersion:
        """The secret that tokens are sealed with now.

        :param refetch: see :meth:`zego.secret_store.CachedSecret.get`.
        :raises Problem: ``secret_unavailable``.
        """
        try:
            reading = self.current.get(refetch=refetch)
        except SecretUnavailableError as error:
            if error.asked:
                record_secret_failure(str(error), "no token can be issued")
            raise Problem(
                "secret_unavailable",
                "The service cannot read its ServerSecret now; try again.",
                retry_after_seconds=error.retry_after_seconds,
                reason=str(error),
            ) from None
        record_secret_reading(reading)
        return reading.version


def may_fetch(started: float) -> bool:
    """Whether there is time for another fetch, by ``time.monotonic()``."""
    return time.monotonic() - started < FETCHING_SECONDS
