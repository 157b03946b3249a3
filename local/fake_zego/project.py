"""A project of ZEGO's: an AppID and its ServerSecrets."""

from __future__ import annotations

import secrets

from zego.server_secret import ServerSecret


class Project:
    """The secrets that were ever made for an AppID, and which of them are accepted.

    Two at once are accepted in reality only where ZEGO's support has switched that on.
    """

    def __init__(self, app_id: int, server_secret: str) -> None:
        self.app_id = app_id
        self.made: tuple[ServerSecret, ...] = (ServerSecret(app_id, server_secret),)
        self.accepted: tuple[ServerSecret, ...] = self.made
        """Oldest first; the last one is what the console shows."""

    def reset(self, *, keep_old: bool = False) -> ServerSecret:
        """Makes a new secret; the old ones end, or stay accepted beside it."""
        new = ServerSecret(self.app_id, secrets.token_hex(16))
        self.made += (new,)
        self.accepted = (*self.accepted, new) if keep_old else (new,)
        return new

    def switch_off(self, fingerprint: str) -> None:
        """Accepts a secret no more. Raises `LookupError` where it is not accepted anyway."""
        left = tuple(secret for secret in self.accepted if secret.fingerprint != fingerprint)
        if left == self.accepted:
            raise LookupError("no accepted secret has this fingerprint")
        self.accepted = left

    def accept_all(self) -> None:
        """Accepts every secret that was ever made."""
        self.accepted = self.made


def mistyped(secret: ServerSecret) -> ServerSecret:
    """Returns the secret with its last character mistyped."""
    last = "1" if secret.value.endswith("0") else "0"
    return ServerSecret(secret.app_id, secret.value[:-1] + last)
