"""Opens a token only if its seal proves which ServerSecret made it: AES-GCM with its tag.

A diagnosis over HTTP uses no other cryptography. A caller without the secret must not learn what
CBC blocks decrypt to: enough such responses would let the caller build tokens without the secret.
A GCM tag cannot be made without the secret, so only tokens that were sealed with it open here.
:mod:`.secrets` opens all others, for callers who have the secret.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from zego.diagnosis import plaintext
from zego.diagnosis.model import OpenedToken
from zego.server_secret import ServerSecret
from zego.token04 import Envelope


def open_gcm(envelope: Envelope, label: str, secret: ServerSecret) -> OpenedToken | None:
    """Open a GCM token whose tag this secret verifies; every other token gives ``None``.

    The key is the secret itself. Keys made from it by mistake are not tried: some are shorter than
    the secret, and so easier to guess.
    """
    if envelope.cipher != "gcm":
        return None
    try:
        content = AESGCM(secret.value.encode()).decrypt(envelope.iv, envelope.sealed, None)
    except InvalidTag:
        return None
    claims = plaintext.read(content)
    problems = (*claims.problems, *plaintext.about_rest(content, claims, "gcm"))
    return OpenedToken(label, secret.app_id, claims.content, problems)
