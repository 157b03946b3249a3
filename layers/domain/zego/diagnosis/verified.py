"""Opens a token only if its seal proves which ServerSecret made it: AES-GCM with its tag.

This is all the cryptography that a diagnosis over HTTP has. A caller without the secret must not
learn what CBC blocks decrypt to: enough such responses are as good as the secret for building a
token. Nobody can make a GCM tag without the secret, so only tokens that were sealed with it open
here. :mod:`.secrets` opens all others, for callers who hold the secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zego import strict_json
from zego.diagnosis.model import Observation, found
from zego.server_secret import ServerSecret
from zego.token04 import Envelope

#: The finding per label of a secret that is not the current one. Other labels give none.
_NOT_CURRENT: Final[Mapping[str, str]] = {
    "AWSPREVIOUS": "made-with-previous",
    "AWSPENDING": "made-with-staged",
    "CANDIDATE": "made-with-staged",
}


@dataclass(frozen=True, slots=True, repr=False)
class OpenedToken:
    """A token that a secret opened.

    :ivar label: of that secret.
    :ivar app_id: of that secret, if it is known.
    :ivar content: the sealed JSON; ``None`` if something else is sealed.
    :ivar is_json: whether ``content`` was read.
    """

    label: str
    app_id: int | None
    content: Any
    is_json: bool


def open_gcm(envelope: Envelope, label: str, secret: ServerSecret) -> OpenedToken | None:
    """Open a GCM token whose tag this secret verifies; every other token gives ``None``.

    The key is the secret itself. Keys made from it by mistake are not tried: some are shorter, and
    so easier to guess than the secret.
    """
    if envelope.cipher != "gcm":
        return None
    try:
        plaintext = AESGCM(secret.value.encode()).decrypt(envelope.iv, envelope.sealed, None)
    except InvalidTag:
        return None
    try:
        return OpenedToken(label, secret.app_id, strict_json.loads(plaintext), is_json=True)
    except ValueError:
        return OpenedToken(label, secret.app_id, None, is_json=False)


def wrong_label(label: str) -> Iterator[Observation]:
    """What is wrong with a token that the secret with this label opens."""
    if label in _NOT_CURRENT:
        yield found(_NOT_CURRENT[label], label=label)
