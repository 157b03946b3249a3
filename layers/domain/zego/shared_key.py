"""The shared key in a secret: the HMAC key with which an application signs its session tokens.

The issuer verifies tokens with it, and ``zego-token preflight`` checks it before a deployment.
Sources: RFC 7518, 3.2: a key is at least as long as the output of the hash function. RFC 8725, 3.5:
a public key, a certificate or a JWK is refused, because it is not secret.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Final

from zego import strict_json

#: The size of the output of SHA-256.
MIN_KEY_BYTES: Final = 32

#: The forms of a key that its owner publishes: PEM, OpenSSH, and a JWK or JWKS.
_PUBLIC_KEY: Final = re.compile(
    r"""[\s\S]*-----BEGIN\ |
    \s*(?:----\ BEGIN\ |(?:sk-)?(?:ssh|ecdsa)-[\w@.-]+\ AAAA|[{\[][\s\S]*"kty")""",
    re.VERBOSE,
)
#: How base64 of DER can begin. A decoder ignores what is not base64 before it, such as white space.
_BASE64_OF_DER: Final = re.compile(r"[^A-Za-z0-9+/]*M")


class SharedKeyError(ValueError):
    """The secret has no valid shared key. The message says what to do, and has no part of it."""


def parse(text: str, field: str | None) -> bytes:
    """The key in a secret's text, as UTF-8 and otherwise unchanged.

    :param field: the field that has the key, if the text is a JSON object; ``None`` if the whole
        text is the key.
    :raises SharedKeyError: there is no key, it is too short, or it is not secret.
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
    if _PUBLIC_KEY.match(text) or _is_der(text):
        raise SharedKeyError(
            "the key is a public key, a certificate or a JWK: public keys belong to jwks_uri"
        )
    return key


def _is_der(text: str) -> bool:
    """Whether it is a public key or a certificate in base64: PEM without its first and last line.

    Keycloak and JWKS (``x5c``) show them like this. DER of both begins with 0x30, in base64 with M.
    """
    if not _BASE64_OF_DER.match(text):
        return False
    # Imported here because it takes long, and few policies have a shared key.
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415
    from cryptography.x509 import load_der_x509_certificate  # noqa: PLC0415

    for load in (load_der_public_key, load_der_x509_certificate):
        try:
            load(b64decode(text))
        except (ValueError, UnsupportedAlgorithm):
            continue
        return True
    return False
