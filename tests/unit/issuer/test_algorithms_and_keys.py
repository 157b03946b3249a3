"""Which tokens are accepted: every algorithm of a policy, key and its `alg`, header and key id."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections import Counter
from functools import cache
from typing import Final, NamedTuple

from issuer import authentication
from issuer.jwks import SigningKeys
from issuer.problems import Problem
from tests.support.bearer import JwksEndpoint, claims, jws, policy, signer
from zego.policy.model import ALGORITHMS

NOW: Final = 1_700_000_000
#: Written by hand from RFC 7518, RFC 8037 and RFC 9864, so that the service does not test itself.
KEY_OF: Final = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
#: RFC 9864: with this curve they are the same.
ED25519: Final = {"EdDSA", "Ed25519"}
#: An HMAC is keyed with the public key, which is public.
NEVER: Final = ("HS256", "none")


class Attempt(NamedTuple):
    """A token, and who is to take it.

    :ivar named: the algorithm that the policy names.
    :ivar key: the algorithm that the identity provider made its only key for.
    :ivar declared: the ``alg`` of that key in the JWKS, if it has one.
    :ivar header: the token's own ``alg``.
    :ivar key_id: the token's ``kid``, if it has one; the key's is "key-1".
    """

    named: str
    key: str
    declared: str | None
    header: str
    key_id: str | None


EVERY: Final = [
    Attempt(*each)
    for each in itertools.product(
        KEY_OF,
        KEY_OF,
        (None, *KEY_OF, *NEVER),
        (*KEY_OF, *NEVER),
        (None, "key-1", "key-2"),
    )
]


def expected(attempt: Attempt) -> str:
    """The code of the refusal, or ``taken``."""
    if attempt.header != attempt.named:
        return "bearer_algorithm_refused"
    is_its_key = KEY_OF[attempt.header] == KEY_OF[attempt.key]
    may_be_used = attempt.declared in (None, attempt.header) or (
        {attempt.declared, attempt.header} == ED25519
    )
    is_meant = attempt.key_id in (None, "key-1")
    return "taken" if is_its_key and may_be_used and is_meant else "bearer_unknown_key"


@cache
def token(key: str, header: str, key_id: str | None) -> str:
    """A token signed with its header's algorithm, as far as the key allows."""
    owner = signer(key)
    present = {"alg": header} | ({} if key_id is None else {"kid": key_id})

    def sign(message: bytes) -> bytes:
        if header == "none":
            return b""
        if header == "HS256":
            return hmac.digest(owner.pem, message, hashlib.sha256)
        return owner.signature(message, header if KEY_OF[header] == KEY_OF[key] else key)

    return jws(present, claims(iat=NOW, exp=NOW + 600), sign)


def outcome(attempt: Attempt) -> str:
    """The result of the service: ``taken``, or the code of the refusal."""
    jwk = {name: value for name, value in signer(attempt.key).jwk.items() if name != "alg"}
    declared = {} if attempt.declared is None else {"alg": attempt.declared}
    keys = SigningKeys(JwksEndpoint(jwk | declared))
    known = policy(algorithms=(attempt.named,))
    bearer = f"Bearer {token(attempt.key, attempt.header, attempt.key_id)}"
    try:
        authentication.from_bearer(bearer, known, keys, clock=lambda: NOW)
    except Problem as problem:
        return problem.code
    return "taken"


def test_the_algorithms_are_all_that_the_service_knows() -> None:
    assert ALGORITHMS.keys() == KEY_OF.keys()


def test_a_token_is_accepted_only_with_a_named_algorithm_and_a_key_for_it() -> None:
    wrong = [
        f"{attempt}: {said}" for attempt in EVERY if (said := outcome(attempt)) != expected(attempt)
    ]
    assert wrong == []
    ends = Counter(expected(attempt) for attempt in EVERY)
    assert set(ends) == {"taken", "bearer_algorithm_refused", "bearer_unknown_key"}
