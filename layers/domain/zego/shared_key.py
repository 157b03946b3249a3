"""The shared key in a secret: the HMAC key with which an application signs its session tokens.

The issuer verifies tokens with it, and ``zego-token preflight`` checks it before a deployment.
Source: RFC 7518, 3.2: a key is at least as long as the output of the hash function.
"""

from __future__ import annotations

from typing import Final

from zego import strict_json

#: The size of the output of SHA-256.
MIN_KEY_BYTES: Final = 32


class SharedKeyError(ValueError):
    """The secret has no valid shared key. The message says what to do, and has no part of it."""


def parse(text: str, field: str | None) -> bytes:
    """The key in a secret's text, in UTF-8, without any change.

    :param field: the field of the text's JSON object that has it; ``None`` if it is the whole text.
    :raises SharedKeyError: there is no key, or it is too short.
    """
    try:
        values = strict_json.loads(text)
    except ValueError:
        values = None
    if field is None:
        if isinstance(values, dict):
            raise SharedKeyError("the secret is a JSON object: set shared_key_field to the key's")
        if text.endswith(("\n", "\r")):
            raise SharedKeyError(
                "the secret ends with a line break, which is probably not part of the key: store it"
                " without, or in a field of a JSON object (shared_key_field)"
            )
    else:
        found = values.get(field) if isinstance(values, dict) else None
        if not isinstance(found, str):
            raise SharedKeyError(f"the secret has no text in the field {field}")
        text = found
    key = text.encode("utf-8", "surrogatepass")
    if len(key) < MIN_KEY_BYTES:
        raise SharedKeyError(f"the key has {len(key)} bytes, and needs at least {MIN_KEY_BYTES}")
    return key
