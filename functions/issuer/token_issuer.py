"""Decide, take the secret, mint: how a request that is understood becomes a token."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from issuer import telemetry
from issuer.access_policy import AccessPolicy, Caller, Grant
from issuer.audit import Exchange
from issuer.problems import Problem
from issuer.token_request import PRIVILEGES, TokenRequest
from zego import token04
from zego.secret_store import CachedSecret, SecretUnavailableError, SecretVersion
from zego.token04 import Cipher


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token and what it allows. Times are the server's, Unix seconds."""

    token: str
    app_id: int
    grant: Grant
    issued_at: int
    expires_at: int

    @property
    def renew_at(self) -> int:
        """When to ask for the next one: a tenth of the lifetime ahead, 30 s to 5 min."""
        lifetime = self.expires_at - self.issued_at
        return self.expires_at - max(30, min(300, lifetime // 10))

    @property
    def privileges(self) -> dict[str, bool]:
        """Each privilege, and whether the token allows it."""
        return {name: name in self.grant.privileges for name in PRIVILEGES}


class TokenIssuer:
    """Issues tokens for callers that are authenticated. Made without a look at a clock."""

    def __init__(
        self,
        policy: AccessPolicy,
        secret: CachedSecret,
        cipher: Cipher,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._policy = policy
        self._secret = secret
        self._cipher = cipher
        self._clock = clock

    def issue(self, caller: Caller, request: TokenRequest, exchange: Exchange) -> IssuedToken:
        """Issue a token, and note in the exchange what was decided on the way.

        Where ZEGO refused the caller's last token, the secret is looked for anew; only what the
        policy grants gets that far.

        :raises Problem: the policy refuses, or there is no secret.
        """
        exchange.grant = grant = self._policy.decide(caller, request)
        secret = self.current_secret(refetch=request.refused_with is not None).secret
        issued_at = int(self._clock())
        expires_at = issued_at + grant.lifetime_seconds
        token = token04.mint(
            secret.app_id,
            grant.user_id,
            secret.value,
            issued_at=issued_at,
            lifetime_seconds=grant.lifetime_seconds,
            payload=_payload(grant),
            cipher=self._cipher,
        )
        exchange.secret_fingerprint = secret.fingerprint
        exchange.token, exchange.expires_at = token, expires_at
        return IssuedToken(token, secret.app_id, grant, issued_at, expires_at)

    def current_secret(self, *, refetch: bool = False) -> SecretVersion:
        """The secret that tokens are sealed with now.

        :param refetch: see :meth:`zego.secret_store.CachedSecret.get`.
        :raises Problem: ``secret_unavailable``.
        """
        try:
            reading = self._secret.get(refetch=refetch)
        except SecretUnavailableError as error:
            if error.asked:
                telemetry.record_secret_failure(str(error), "no token can be issued")
            raise Problem(
                "secret_unavailable",
                "The service cannot read its ServerSecret now; try again.",
                retry_after_seconds=error.retry_after_seconds,
                reason=str(error),
            ) from None
        telemetry.record_secret_reading(reading)
        return reading.version


def _payload(grant: Grant) -> str:
    """What the token carries: nothing for an identity token, else what it allows in its room."""
    if grant.room_id is None:
        return ""
    return token04.room_payload(
        grant.room_id,
        login="login" in grant.privileges,
        publish="publish" in grant.privileges,
        stream_ids=grant.stream_ids,
    )
