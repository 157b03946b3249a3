"""An AppID with its ServerSecret: parsing, shape and fingerprint. Never printed.

The two are one value, so that they always match::

    {"app_id": 1234567890, "server_secret": "<32 characters>"}
"""

from __future__ import annotations

import hmac
import re
from typing import Final, NoReturn

from zego import strict_json
from zego.token04 import MAX_APP_ID

LENGTH: Final = 32
_HEX: Final = re.compile(r"[0-9a-f]+")
_APP_SIGN: Final = re.compile(r"[0-9a-fA-F]{64}")
_PLACEHOLDER: Final = re.compile(
    r"replace|change.?me|placeholder|your|todo|example|<", re.IGNORECASE
)


class ServerSecretError(ValueError):
    """The value cannot be a ServerSecret. The message says what to fix, never the value."""


class PlaceholderError(ServerSecretError):
    """The real value has not been stored yet."""


class ServerSecret:
    """An AppID and the ServerSecret that ZEGO gave for it.

    :ivar app_id: 1 to 2^32-1.
    :ivar value: 32 ASCII characters; pass it only to :mod:`zego.token04`.
    :ivar fingerprint: 12 hex digits of HMAC-SHA256(value, "zego-server-secret:" + app_id): safe
        to log, and equal if the secrets are equal.
    :raises ServerSecretError: one of them does not have the right shape.
    """

    __slots__ = ("app_id", "fingerprint", "value")

    app_id: int
    value: str
    fingerprint: str

    def __init__(self, app_id: int, value: str) -> None:
        _check(app_id, value)
        message = f"zego-server-secret:{app_id}".encode()
        fingerprint = hmac.digest(value.encode(), message, "sha256").hex()[:12]
        for name, part in (("app_id", app_id), ("value", value), ("fingerprint", fingerprint)):
            object.__setattr__(self, name, part)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a ServerSecret cannot be changed")

    @property
    def looks_unusual(self) -> bool:
        """Whether it contains more than the lower-case hex digits of the usual ServerSecret."""
        return not _HEX.fullmatch(self.value)

    def __repr__(self) -> str:
        return f"<ServerSecret app_id={self.app_id} fingerprint={self.fingerprint}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ServerSecret):
            return NotImplemented
        same = hmac.compare_digest(self.value.encode(), other.value.encode())
        return same and self.app_id == other.app_id

    def __hash__(self) -> int:
        return hash((self.app_id, self.fingerprint))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a ServerSecret cannot be copied or pickled")


def parse(text: str) -> ServerSecret:
    """Read the value that is stored in Secrets Manager.

    :raises PlaceholderError: it is still a placeholder.
    :raises ServerSecretError: it is not JSON, a key is missing, or a value has the wrong shape.
    """
    try:
        values = strict_json.loads(text)
    except ValueError:
        raise ServerSecretError(f"the secret is not JSON; {_EXPECTED}") from None
    if not isinstance(values, dict):
        raise ServerSecretError(f"the secret is JSON, but not an object; {_EXPECTED}")
    for key in ("app_id", "server_secret"):
        if key not in values:
            raise ServerSecretError(f"the secret lacks {key}; {_EXPECTED}")
    return ServerSecret(values["app_id"], values["server_secret"])


_EXPECTED: Final = 'store {"app_id": <number>, "server_secret": "<32 characters>"}'


def _check(app_id: object, value: object) -> None:
    if not isinstance(value, str):
        raise ServerSecretError(f"server_secret must be a string, not {type(value).__name__}")
    if value != value.strip():
        raise ServerSecretError("server_secret has white space or a newline around it")
    if value[:1] in ("'", '"') or value[-1:] in ("'", '"'):
        raise ServerSecretError("server_secret has quotes around it")
    if _PLACEHOLDER.search(value) or (value and len(set(value)) == 1):
        raise PlaceholderError("server_secret is a placeholder; store the one from ZEGO's console")
    if _APP_SIGN.fullmatch(value):
        raise ServerSecretError("server_secret has 64 hex digits: that is an AppSign")
    if len(value) != LENGTH:
        raise ServerSecretError(f"server_secret has {len(value)} characters; ZEGO's have {LENGTH}")
    if not value.isascii() or not value.isprintable():
        raise ServerSecretError("server_secret contains a character that is not printable ASCII")
    if isinstance(app_id, bool) or not isinstance(app_id, int):
        raise ServerSecretError(f"app_id must be a whole number, not {type(app_id).__name__}")
    if not 1 <= app_id <= MAX_APP_ID:
        raise ServerSecretError(f"app_id must be 1 to {MAX_APP_ID}")
