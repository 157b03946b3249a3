"""Bearer tokens for tests: real keys, their JWKS, and tokens that no library would make."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import get_default_algorithms

from zego.bounded_http import HttpError, Response
from zego.policy.model import ALGORITHMS, AccessPolicy, BearerIdentity, RoleIdentity

ISSUER: Final = "https://login.example.com/"
AUDIENCE: Final = "https://calls.example.com"
JWKS_URI: Final = "https://login.example.com/.well-known/jwks.json"

Jwk = dict[str, Any]


@dataclass(frozen=True)
class Signer:
    """The owner of a private key, who signs tokens with it."""

    algorithm: str
    key_id: str | None
    private_key: Any = field(repr=False)

    @property
    def jwk(self) -> Jwk:
        """The public key, as a JWKS lists it."""
        public = _algorithm(self.algorithm).to_jwk(self.private_key.public_key(), as_dict=True)
        jwk: Jwk = dict(public) | {"alg": self.algorithm, "use": "sig"}
        jwk.pop("key_ops", None)
        return jwk if self.key_id is None else jwk | {"kid": self.key_id}

    @property
    def pem(self) -> bytes:
        """The public key, as PEM."""
        pem: bytes = self.private_key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        return pem

    def signature(self, message: bytes, algorithm: str | None = None) -> bytes:
        """Return a signature. Another algorithm must use the same type of key."""
        signed: bytes = _algorithm(algorithm or self.algorithm).sign(message, self.private_key)
        return signed

    def sign(self, claims: object, *, algorithm: str | None = None, **header: object) -> str:
        """Return a token of claims (an object, or JSON bytes). ``None`` drops a header."""
        name = algorithm or self.algorithm
        wanted = {"alg": name, "typ": "JWT", "kid": self.key_id} | header
        present = {key: value for key, value in wanted.items() if value is not None}
        return jws(present, claims, lambda message: self.signature(message, name))


def jws(
    header: object, payload: object, signature: Callable[[bytes], bytes] = lambda _message: b""
) -> str:
    """Return three base64url parts with any content: bytes as they are, other values as JSON."""
    signed = f"{_base64url(header)}.{_base64url(payload)}"
    return f"{signed}.{_base64url(signature(signed.encode()))}"


@cache
def signer(algorithm: str = "RS256", key_id: str | None = "key-1", owner: str = "idp") -> Signer:
    """Return a signer, the same for equal arguments. Another owner has another key."""
    return Signer(algorithm, key_id, _new_key(algorithm))


def claims(**changes: object) -> dict[str, Any]:
    """Return the claims of a valid token for alice, with changes. ``...`` omits a claim."""
    now = int(time.time())
    good: dict[str, Any] = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "iat": now,
        "exp": now + 600,
    }
    changed: Mapping[str, Any] = good | changes
    return {name: value for name, value in changed.items() if value is not ...}


def policy(
    *identities: BearerIdentity | RoleIdentity, algorithms: tuple[str, ...] = ("RS256",)
) -> AccessPolicy:
    """Return a policy without rules, to test authentication. By default it names one issuer."""
    known = identities or (BearerIdentity("web", ISSUER, (AUDIENCE,), JWKS_URI, algorithms),)
    return AccessPolicy(
        sha256="0" * 64,
        bearers=tuple(each for each in known if isinstance(each, BearerIdentity)),
        roles={each.role: each for each in known if isinstance(each, RoleIdentity)},
        rules=(),
    )


class JwksEndpoint:
    """An identity provider's JWKS: it counts its requests and responds as a test chooses."""

    def __init__(self, *keys: object) -> None:
        self.keys: list[object] = list(keys)
        self.requests: list[str] = []
        self.down = False
        self.answer: Response | None = None

    def __call__(self, uri: str) -> Response:
        self.requests.append(uri)
        if self.down:
            raise HttpError("login.example.com cannot be reached: it refused the connection")
        return self.answer or Response(200, {}, json.dumps({"keys": self.keys}).encode())


def _algorithm(name: str) -> Any:
    """Return PyJWT's implementation, which does not know the name of RFC 9864 yet."""
    return get_default_algorithms()["EdDSA" if name == "Ed25519" else name]


def _new_key(algorithm: str) -> Any:
    key_type, curve = ALGORITHMS[algorithm]
    match key_type, curve:
        case "RSA", None:
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "EC", "P-256":
            return ec.generate_private_key(ec.SECP256R1())
        case "EC", "P-384":
            return ec.generate_private_key(ec.SECP384R1())
        case "EC", "P-521":
            return ec.generate_private_key(ec.SECP521R1())
        case _:
            return ed25519.Ed25519PrivateKey.generate()


def _base64url(part: object) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
