"""What can be wrong with a token. One family; no message holds a secret or a token."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zego.token04.claims import Decoded


class Token04Error(ValueError):
    """A token, or what was to become one, is refused. The message says what is wrong with it.

    The base of every error that :mod:`zego.token04` raises.
    """


class FormatError(Token04Error):
    """The text is not a Token04, or its envelope is damaged. No secret is needed to see it."""


class TruncatedError(FormatError):
    """The token ends before what it announces does."""


class TrailingBytesError(FormatError):
    """More stands behind the sealed claims than the mode.

    :ivar extra: how many bytes do; at most 1 may.
    """

    def __init__(self, extra: int) -> None:
        super().__init__(f"{extra} bytes follow the sealed claims; at most 1 may")
        self.extra = extra


class SecretError(Token04Error):
    """The ServerSecret given cannot be an AES key."""


class SealError(Token04Error):
    """The secret does not open the token: another secret sealed it, or it was altered."""


class ClaimsError(Token04Error):
    """The claims are not what ZEGO takes."""


class ExpiryMismatchError(Token04Error):
    """The readable expiry differs from the sealed one, so somebody changed the former.

    :ivar decoded: what the token says otherwise.
    """

    def __init__(self, message: str, decoded: Decoded) -> None:
        super().__init__(message)
        self.decoded = decoded
