"""Authenticates the caller: a user with an OIDC bearer token, or an IAM role from API Gateway.

A bearer token is a JWT, signed by a key of an issuer that the access policy names. The order of the
checks, cheapest first, is: size, form, issuer, the issuer's algorithms, key, signature, claims.
Nothing in the token is trusted until its signature is verified, and headers that name a key
(``jku``, ``x5u``, ``jwk``) are ignored. PyJWT implements the keys and the algorithms. This module
checks form and claims, so that a token is parsed once and each refusal has its own code.
Sources: RFC 6750, RFC 7515, RFC 7519, RFC 8725.
"""

from __future__ import annotations

import math
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from issuer.jwks import KeysUnavailableError, SigningKeys, UnknownKeyError
from issuer.problems import Problem, refused
from zego import identifiers, strict_json
from zego.policy.model import AccessPolicy, BearerIdentity, Caller, not_granted

MAX_BYTES: Final = 8 * 1024
LEEWAY_SECONDS: Final = 60
REQUIRED_CLAIMS: Final = ("iss", "aud", "exp", "iat", "sub")

_COMPACT: Final = re.compile(r"([\w-]+)\.([\w-]+)\.([\w-]*)", re.ASCII)

_ASSUMED_ROLE: Final = re.compile(
    r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([\w+=,.@-]+)/([\w+=,.@-]+)", re.ASCII
)

_BearerClaims = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Unverified:
    """A parsed token. Nothing in it is trusted yet."""

    header: Mapping[str, Any]
    claims: _BearerClaims
    signed: bytes
    signature: bytes


def from_bearer(
    authorization: str | None,
    policy: AccessPolicy,
    keys: SigningKeys,
    *,
    clock: Callable[[], float] = time.time,
) -> Caller:
    """The user that a bearer token identifies: its subject, never a user that a body names.

    :param authorization: the value of the ``Authorization`` header.
    :raises Problem: a ``bearer_...`` code, or ``signing_keys_unavailable``.
    """
    if authorization is None:
        detail = "Send the header Authorization: Bearer <token from your identity provider>."
        raise Problem("bearer_missing", detail)
    token = _take_apart(_token(authorization))
    claims = token.claims
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        detail = "The bearer token must have the claim iss, a string."
        raise Problem("bearer_missing_claim", detail)
    identity = next((one for one in policy.bearers if one.issuer == issuer), None)
    if identity is None:
        detail = "The access policy does not name this token's issuer (iss)."
        raise Problem("bearer_untrusted_issuer", detail)
    _verify_signature(token, identity, keys)
    _check_claims(claims, identity, clock())
    subject: str = claims["sub"]
    user_id = identifiers.user_id_for_subject(
        identity.issuer, subject, always_hash=identity.hashed_user_ids
    )
    return Caller(identity.name, f"{identity.issuer} {subject}", user_id, claims)


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


def _token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if len(token) > MAX_BYTES:
        raise Problem("bearer_too_large", f"A bearer token may have at most {MAX_BYTES} bytes.")
    if scheme.lower() != "bearer" or not token:
        raise Problem("bearer_malformed", "The header must be: Authorization: Bearer <token>.")
    return token


def _take_apart(token: str) -> _Unverified:
    try:
        match = _COMPACT.fullmatch(token)
        if match is None:
            raise ValueError("not three parts")
        padded = (part + "=" * (-len(part) % 4) for part in match.groups())
        header, claims, signature = map(urlsafe_b64decode, padded)
        unverified = _Unverified(
            header=strict_json.loads_object(header),
            claims=strict_json.loads_object(claims),
            signed=token[: match.end(2)].encode(),
            signature=signature,
        )
    except ValueError:
        detail = "A bearer token must be a JWT: three base64url parts, the first two JSON objects."
        raise Problem("bearer_malformed", detail) from None
    if "crit" in unverified.header or "b64" in unverified.header:
        detail = "The bearer token needs a JWS extension that is not supported (crit or b64)."
        raise Problem("bearer_malformed", detail)
    return unverified


def _verify_signature(token: _Unverified, identity: BearerIdentity, keys: SigningKeys) -> None:
    algorithm, key_id = token.header.get("alg"), token.header.get("kid")
    if algorithm not in identity.algorithms:
        detail = f"Tokens of this issuer must be signed with {' or '.join(identity.algorithms)}."
        raise Problem("bearer_algorithm_refused", detail)
    if key_id is not None and not isinstance(key_id, str):
        raise Problem("bearer_malformed", "The bearer token's kid is not a string.")
    try:
        key = keys.get(identity.jwks_uri, key_id, algorithm)
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
    if not key.Algorithm.verify(token.signed, key.key, token.signature):
        detail = "The token was altered, or another key signed it."
        raise Problem("bearer_bad_signature", detail)


def _check_claims(claims: _BearerClaims, identity: BearerIdentity, now: float) -> None:
    for name in REQUIRED_CLAIMS:
        if claims.get(name) in (None, ""):
            detail = f"The bearer token must have the claim {name}."
            raise Problem("bearer_missing_claim", detail)
    if not isinstance(claims["sub"], str):
        raise Problem("bearer_malformed", "The bearer token's sub must be a string.")
    if _time(claims, "exp") <= now - LEEWAY_SECONDS:
        raise Problem("bearer_expired", "Get a new token from your identity provider.")
    if max(_time(claims, "iat"), _time(claims, "nbf")) > now + LEEWAY_SECONDS:
        raise Problem("bearer_not_yet_valid", "The token's nbf or iat is in the future.")
    audience = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if not all(isinstance(one, str) for one in audience):
        raise Problem(
            "bearer_malformed", "The bearer token's aud must be a string or an array of strings."
        )
    if not any(one in identity.audience for one in audience):
        detail = "The access policy does not name the token's audience (aud)."
        raise Problem("bearer_wrong_audience", detail)


def _time(claims: _BearerClaims, name: str) -> float:
    """A claim that is a time, RFC 7519's NumericDate; 0 if it is absent."""
    value = claims.get(name, 0)
    if type(value) not in (int, float) or value in (math.inf, -math.inf):
        raise Problem("bearer_malformed", f"The bearer token's {name} is not a time in seconds.")
    seconds: float = value
    return seconds
