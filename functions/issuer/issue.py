"""Mints the token that the access policy grants."""

from __future__ import annotations

from typing import NamedTuple

from zego import token04
from zego.policy.model import PRIVILEGES, Grant
from zego.server_secret import ServerSecret
from zego.token04 import Cipher


class IssuedToken(NamedTuple):
    """A token and what it allows. Times are the server's, Unix seconds.

    :ivar secret_fingerprint: of the secret that sealed it.
    """

    token: str
    app_id: int
    grant: Grant
    issued_at: int
    expires_at: int
    secret_fingerprint: str

    @property
    def renew_at(self) -> int:
        """When to request the next token: 30 s to 5 min, a tenth of the lifetime, before expiry."""
        lifetime = self.expires_at - self.issued_at
        return self.expires_at - max(30, min(300, lifetime // 10))

    @property
    def privileges(self) -> dict[str, bool]:
        """Each privilege with whether the token allows it."""
        return {name: name in self.grant.privileges for name in PRIVILEGES}


def issue(grant: Grant, secret: ServerSecret, cipher: Cipher, *, now: float) -> IssuedToken:
    """Issue a token.

    :param now: Unix seconds.
    """
    issued_at = int(now)
    token = token04.mint(
        secret.app_id,
        grant.user_id,
        secret.value,
        issued_at=issued_at,
        lifetime_seconds=grant.lifetime_seconds,
        payload=_payload(grant),
        cipher=cipher,
    )
    expires_at = issued_at + grant.lifetime_seconds
    return IssuedToken(token, secret.app_id, grant, issued_at, expires_at, secret.fingerprint)


def _payload(grant: Grant) -> str:
    """The token's payload: what it allows in its room; empty for an identity token."""
    if grant.room_id is None:
        return ""
    return token04.room_payload(
        grant.room_id,
        login="login" in grant.privileges,
        publish="publish" in grant.privileges,
        stream_ids=grant.stream_ids,
    )
