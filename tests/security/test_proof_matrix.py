"""Every algorithm x every kind of key x every identity: a key proves only its own identity.

What must be accepted is written here by hand, from RFC 7518, RFC 8037 and RFC 9864: nothing is
imported from the code that decides.
"""

from __future__ import annotations

import hmac
import itertools
import json
from collections import Counter
from collections.abc import Mapping
from functools import cache, partial
from typing import Final, NamedTuple

from issuer.authentication import from_bearer
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from issuer.shared_keys import SharedKeys
from tests.support.bearer import AUDIENCE, Signer, claims, jws, policy, signer
from zego.bounded_http import Response
from zego.policy.model import BearerIdentity

KEY_OF: Final = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
#: An algorithm with which each type of key can be made.
MADE_FOR: Final = {
    "RSA": "RS256",
    "P-256": "ES256",
    "P-384": "ES384",
    "P-521": "ES512",
    "Ed25519": "EdDSA",
}
HASHES: Final = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}
ALGORITHMS: Final = (*KEY_OF, *HASHES, "none", "hs256", "")

PUBLIC: Final = tuple(KEY_OF)
SHARED: Final = tuple(HASHES)
WEB: Final = BearerIdentity(
    "web", "https://web.example.com/", (AUDIENCE,), "https://web.example.com/keys", PUBLIC
)
#: Discovery finds its keys. Its issuer is also that of an identity with a shared key.
MIXED: Final = BearerIdentity(
    "mixed", "https://mixed.example.com/", (AUDIENCE,), None, PUBLIC, hashed_user_ids=True
)
MIXED_APP: Final = BearerIdentity(
    "mixed-app",
    "https://mixed.example.com/",
    (AUDIENCE,),
    None,
    SHARED,
    hashed_user_ids=True,
    shared_key="mixed/key",
)
APP: Final = BearerIdentity(
    "app", "app", (), None, SHARED, hashed_user_ids=True, shared_key="app/key"
)
NAMELESS: Final = BearerIdentity(
    "nameless", None, (AUDIENCE,), None, SHARED, hashed_user_ids=True, shared_key="nameless/key"
)
IDENTITIES: Final = (WEB, MIXED, MIXED_APP, APP, NAMELESS)
#: The ``iss`` of the tokens that are tried; ``None`` for a token without one.
ISSUERS: Final = (*dict.fromkeys(one.issuer for one in IDENTITIES), "https://other.example.com/")

SECRETS: Final[Mapping[str, str]] = {
    "app/key": "the key of the app, of at least 32 bytes",
    "mixed/key": "the key of the mixed app, of at least 32 bytes",
    "nameless/key": "the key of an app without a name, 32 bytes or more",
}


class Key(NamedTuple):
    """A key that an attacker or an issuer signs with.

    :ivar owner: the identity whose key it is; ``""`` for a stranger's.
    :ivar kind: a type of private key, or ``bytes`` for an HMAC.
    """

    owner: str
    kind: str
    secret: bytes = b""


def owner_of(key: Key) -> Signer:
    return signer(MADE_FOR[key.kind], key.kind, key.owner)


PRIVATE: Final = [Key(owner, kind) for owner in ("web", "mixed", "mallory") for kind in MADE_FOR]
BYTES: Final = [
    *(
        Key(one.name, "bytes", SECRETS[one.shared_key].encode())
        for one in IDENTITIES
        if one.shared_key is not None
    ),
    Key("", "bytes", b""),
    Key("", "bytes", b"x" * 64),
    *(
        Key("", "bytes", material)
        for key in PRIVATE
        for material in (
            owner_of(key).pem,
            json.dumps(owner_of(key).jwk).encode(),
            str(owner_of(key).jwk.get("x", owner_of(key).jwk.get("n"))).encode(),
        )
    ),
]


def fetch(url: str) -> Response:
    """Discovery and the keys of both providers. No key names its algorithm."""
    if url == "https://mixed.example.com/.well-known/openid-configuration":
        found: object = {
            "issuer": MIXED.issuer,
            "jwks_uri": "https://mixed.example.com/keys",
        }
    else:
        owner = {"https://web.example.com/keys": "web", "https://mixed.example.com/keys": "mixed"}
        keys = [owner_of(Key(owner[url], kind)).jwk for kind in MADE_FOR]
        found = {"keys": [{name: jwk[name] for name in jwk if name != "alg"} for jwk in keys]}
    return Response(200, {}, json.dumps(found).encode())


@cache
def signature(key: Key, algorithm: str, signed: bytes) -> bytes:
    """The best signature that the owner of this key can make for this algorithm."""
    if algorithm.upper() in HASHES:
        secret = key.secret if key.kind == "bytes" else owner_of(key).pem
        return hmac.digest(secret, signed, HASHES[algorithm.upper()])
    if key.kind == "bytes":
        return hmac.digest(key.secret, signed, "sha256")
    fits = KEY_OF.get(algorithm) == key.kind
    return owner_of(key).signature(signed, algorithm if fits else MADE_FOR[key.kind])


def expected(key: Key, algorithm: str, issuer: str | None) -> str | None:
    """The identity that a token proves, if it proves one."""
    for identity in IDENTITIES:
        if identity.issuer != issuer or identity.name != key.owner:
            continue
        if identity.shared_key is not None and algorithm in HASHES and key.kind == "bytes":
            return identity.name
        if identity.shared_key is None and KEY_OF.get(algorithm) == key.kind:
            return identity.name
    return None


def outcome(token: str, keys: SigningKeys, shared_keys: SharedKeys) -> str | int:
    """The identity that a token proves, or the status of its refusal."""
    try:
        return from_bearer(f"Bearer {token}", policy(*IDENTITIES), keys, shared_keys).identity
    except Problem as problem:
        return problem.type.status


def token_of(key: Key, algorithm: str, issuer: str | None) -> str:
    """A token that is good but for its issuer and its signature."""
    key_id = {} if key.kind == "bytes" else {"kid": key.kind}
    said = claims(iss=... if issuer is None else issuer)
    return jws({"alg": algorithm} | key_id, said, partial(signature, key, algorithm))


def test_a_token_proves_an_identity_only_by_its_own_kind_of_key() -> None:
    keys, shared_keys = SigningKeys(fetch), SharedKeys(lambda name, _label: SECRETS[name])
    wrong, proven = [], Counter[str]()
    for key, algorithm, issuer in itertools.product(PRIVATE + BYTES, ALGORITHMS, ISSUERS):
        found = outcome(token_of(key, algorithm, issuer), keys, shared_keys)
        if isinstance(found, str):
            proven[found] += 1
        if found != (expected(key, algorithm, issuer) or 401):
            wrong.append((key.owner, key.kind, algorithm, issuer, found))
    assert wrong == []
    # Each identity was proven with each of its algorithms, and by nothing else.
    assert proven == {
        "web": len(KEY_OF),
        "mixed": len(KEY_OF),
        "mixed-app": len(HASHES),
        "app": len(HASHES),
        "nameless": len(HASHES),
    }
