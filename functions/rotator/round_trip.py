"""Does our own codec open with the secret what it sealed with it?"""

from __future__ import annotations

from typing import Final

from zego import token04
from zego.server_secret import ServerSecret
from zego.token04 import Cipher

_CIPHERS: Final[tuple[Cipher, ...]] = ("gcm", "cbc")
_USER: Final = "rotation_test"


def check(secret: ServerSecret) -> None:
    """Mint a token with either cipher and open it again.

    :raises RuntimeError: it came out otherwise than it went in, which no ServerSecret can cause.
    """
    for cipher in _CIPHERS:
        token = token04.mint(
            secret.app_id, _USER, secret.value, issued_at=1, lifetime_seconds=60, cipher=cipher
        )
        claims = token04.decode(token, secret.value).claims
        if (claims.app_id, claims.user_id, claims.expires_at) != (secret.app_id, _USER, 61):
            raise RuntimeError(f"a {cipher} token does not survive its own codec")
