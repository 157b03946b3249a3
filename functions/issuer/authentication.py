"""Authenticates the caller: a user or a backend with a bearer token, or an IAM role.

A bearer token is a JWT, signed by a key of an issuer that the access policy names, or with a shared
key. The order of the checks, cheapest first, is: size, form, issuer, the issuer's algorithms, key,
signature, claims. Nothing in the token is trusted until its signature is verified, and headers that
name a key (``jku``, ``x5u``, ``jwk``) are ignored. :mod:`zego.policy.identify` checks form and
claims, so that a token is parsed once and each refusal has its own code. Sources: RFC 6750, RFC
7515, RFC 7519, RFC 8725.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from issuer.jwks import KeysUnavailableError, SigningKeys, UnknownKeyError, location
from issuer.problems import Problem, refused
from issuer.shared_keys import SharedKeys
from zego.policy import identify
from zego.policy.identify import BearerToken
from zego.policy.model import AccessPolicy, BearerIdentity, Caller, Refusal, not_granted

_T = TypeVar("_T")

_ASSUMED_ROLE: Final = re.compile(
    r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([\w+=,.@-]+)/([\w+=,.@-]+)", re.ASCII
)


def from_bearer(
    authorization: str | None,
    policy: AccessPolicy,
    keys: SigningKeys,
    shared_keys: SharedKeys | None = None,
    *,
    clock: Callable[[], float] = time.time,
) -> Caller:
    """The user or backend that a bearer token identifies, never a user that a body names.

    :param authorization: the value of the ``Authorization`` header.
    :param shared_keys: needed only if the policy has an identity with a shared key.
    :raises Problem: a ``bearer_...`` code, or ``signing_keys_unavailable``.
    """
    if authorization is None:
        detail = "Send the header Authorization: Bearer <token from your identity provider>."
        raise Problem("bearer_missing", detail)
    scheme, _, rest = authorization.partition(" ")
    token = rest.strip()
    if len(token) <= identify.MAX_BYTES and (scheme.lower() != "bearer" or not token):
        raise Problem("bearer_malformed", "The header must be: Authorization: Bearer <token>.")
    bearer = _granted(identify.parse(token))
    candidates = _granted(identify.candidates(policy, bearer))
    _verify_signature(bearer, candidates[0], keys, shared_keys)
    return _granted(identify.identify(candidates, bearer, clock()))


def from_role(iam: Mapping[str, object] | None, policy: AccessPolicy) -> Caller:
    """The role that API Gateway verified, from ``requestContext.authorizer.iam`` alone.

    :raises Problem: ``iam_identity_missing``, or ``not_granted`` if the policy lacks the role.
    """
    arn = iam.get("userArn") if iam is not None else None
    if not isinstance(arn, str):
        detail = "API Gateway passed on no IAM identity. Is the route deployed without AWS_IAM?"
        raise Problem("iam_identity_missing", detail)
    match = _ASSUMED_ROLE.fullmatch(arn)
    if match is None:
        raise refused(not_granted(f"{arn} is not an assumed role"))
    partition, account, name, _session = match.groups()
    identity = policy.roles.get(f"arn:{partition}:iam::{account}:role/{name}")
    if identity is None:
        raise refused(not_granted(f"the policy has no identity for {arn}"))
    return Caller(identity.name, arn, None, {}, identity.read_status, identity.diagnose_tokens)


def _granted(result: _T | Refusal) -> _T:
    if isinstance(result, Refusal):
        raise refused(result)
    return result


def _verify_signature(
    bearer: BearerToken, identity: BearerIdentity, keys: SigningKeys, shared_keys: SharedKeys | None
) -> None:
    key_id, algorithm = bearer.header.get("kid"), str(bearer.algorithm)
    if key_id is not None and not isinstance(key_id, str):
        raise Problem("bearer_malformed", "The bearer token's kid is not a string.")
    try:
        if identity.shared_key is None:
            url, issuer = location(identity)
            verify = keys.get(url, key_id, algorithm, issuer=issuer)
            verified = verify(bearer.signed, bearer.signature)
        else:
            if shared_keys is None:
                raise RuntimeError("the policy has a shared key, and no one reads it")
            verified = shared_keys.verify(identity, algorithm, bearer.signed, bearer.signature)
    except UnknownKeyError as error:
        raise Problem(
            "bearer_unknown_key", str(error), retry_after_seconds=error.retry_after_seconds
        ) from None
    except KeysUnavailableError as error:
        raise Problem(
            "signing_keys_unavailable",
            "The service cannot fetch the keys of the token's issuer right now. Retry later.",
            retry_after_seconds=error.retry_after_seconds,
            reason=str(error),
        ) from None
    if not verified:
        detail = "The token was altered, or another key signed it."
        raise Problem("bearer_bad_signature", detail)
