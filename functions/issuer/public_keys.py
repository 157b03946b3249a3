"""Verifies signatures with a public key that an identity provider publishes as a JWK.

``cryptography`` does the mathematics. This module handles what JOSE defines around it: how a JWK
encodes a key, and how each algorithm pads, hashes and encodes a signature. PyJWT does the same, but
importing it makes a cold start slower (docs/performance.md), so only the tests use it, to compare.
Sources: RFC 7515, RFC 7517, RFC 7518 (3.3 to 3.5, 6.2, 6.3), RFC 8037.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

MIN_RSA_BITS: Final = 2048

_HASHES: Final[Mapping[str, HashAlgorithm]] = {
    "256": SHA256(),
    "384": SHA384(),
    "512": SHA512(),
}
#: The curves by the algorithm that uses them, each with the size of a coordinate in bytes.
_CURVES: Final = {"ES256": (SECP256R1, 32), "ES384": (SECP384R1, 48), "ES512": (SECP521R1, 66)}

_P25519: Final = 2**255 - 19
_ORDER_8_Y: Final = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
#: The y coordinates of Ed25519's eight points of small order. With such a key everyone can make
#: signatures: "Taming the many EdDSAs" (2020), table 1.
_SMALL_ORDER_Y: Final = frozenset({0, 1, _P25519 - 1, _ORDER_8_Y, _P25519 - _ORDER_8_Y})

Jwk = Mapping[str, Any]
#: Whether the key made a signature: the arguments are the signed bytes and the signature.
Verify = Callable[[bytes, bytes], bool]


class UnusableKeyError(ValueError):
    """A JWK is not a key of the algorithm, or too weak.

    :ivar weakness: why others can sign with the key; ``None`` if it cannot be read.
    """

    def __init__(self, weakness: str | None = None) -> None:
        super().__init__(weakness or "it cannot be read")
        self.weakness = weakness


def read(jwk: Jwk, algorithm: str) -> Verify:
    """Return the function that verifies signatures with a key.

    :param jwk: a public key of the algorithm's type and curve; its numbers may be anything.
    :param algorithm: a key of :data:`zego.policy.model.ALGORITHMS`.
    :raises UnusableKeyError: the key cannot be read, or is too weak.
    """
    try:
        if algorithm in _CURVES:
            verify = _ecdsa(jwk, algorithm)
        elif algorithm[:2] in {"RS", "PS"}:
            verify = _rsa(jwk, algorithm)
        else:
            verify = _ed25519(jwk)
    except (KeyError, TypeError, ValueError) as error:
        raise error if isinstance(error, UnusableKeyError) else UnusableKeyError from None

    def verifies(signed: bytes, signature: bytes) -> bool:
        try:
            verify(signed, signature)
        except InvalidSignature:
            return False
        return True

    return verifies


def _rsa(jwk: Jwk, algorithm: str) -> Callable[[bytes, bytes], None]:
    key = RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n")).public_key()
    if key.key_size < MIN_RSA_BITS:
        raise UnusableKeyError(f"it has {key.key_size} bits, fewer than {MIN_RSA_BITS} bits")
    sha = _HASHES[algorithm[2:]]
    padding = PSS(MGF1(sha), sha.digest_size) if algorithm.startswith("PS") else PKCS1v15()
    return lambda signed, signature: key.verify(signature, signed, padding, sha)


def _ecdsa(jwk: Jwk, algorithm: str) -> Callable[[bytes, bytes], None]:
    curve, size = _CURVES[algorithm]
    x, y = _bytes(jwk, "x"), _bytes(jwk, "y")
    if len(x) != size or len(y) != size:
        raise UnusableKeyError
    point = EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), curve())
    key, ecdsa = point.public_key(), ECDSA(_HASHES[algorithm[2:]])

    def verify(signed: bytes, signature: bytes) -> None:
        if len(signature) != 2 * size:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:size]), int.from_bytes(signature[size:])
        key.verify(encode_dss_signature(r, s), signed, ecdsa)

    return verify


def _ed25519(jwk: Jwk) -> Callable[[bytes, bytes], None]:
    encoded = _bytes(jwk, "x")
    key = Ed25519PublicKey.from_public_bytes(encoded)
    if _has_small_order(encoded):
        raise UnusableKeyError("it is a point of small order, with which everyone can sign")
    return lambda signed, signature: key.verify(signature, signed)


def _has_small_order(encoded: bytes) -> bool:
    """Whether an Ed25519 key is a point of small order, in canonical encoding or not.

    The sign bit does not matter, and a y of 2**255 - 19 or more counts as what remains.
    """
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y % _P25519 in _SMALL_ORDER_Y


def _number(jwk: Jwk, name: str) -> int:
    return int.from_bytes(_bytes(jwk, name))


def _bytes(jwk: Jwk, name: str) -> bytes:
    """The bytes of a parameter in base64url, also if a provider pads it."""
    text: str = jwk[name]
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
