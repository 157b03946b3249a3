"""Who is calling: an OIDC bearer token, or an IAM role that API Gateway verified.

A bearer token is judged in this order, cheapest first, and nothing in it is believed before its
signature is: size, form, issuer, the issuer's algorithms, key, signature, claims. Headers that
would name a key (``jku``, ``x5u``, ``jwk``) are not looked at.
Sources: RFC 6750, RFC 7519, RFC 8725.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final

import jwt
from jwt.exceptions import (
    DecodeError,
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAudienceError,
    InvalidSignatureError,
    InvalidTokenError,
    MissingRequiredClaimError,
)

from issuer.access_policy import AccessPolicy, Caller, OidcIdentity, not_granted
from issuer.problems import Problem
from issuer.signing_keys import KeysUnavailableError, SigningKeys, UnknownKeyError
from zego import identifiers

MAX_BEARER_BYTES: Final = 8 * 1024
LEEWAY_SECONDS: Final = 60
REQUIRED_CLAIMS: Final = ("iss", "aud", "exp", "iat", "sub")

_ASSUMED_ROLE: Final = re.compile(
    r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([\w+=,.@-]+)/([\w+=,.@-]+)", re.ASCII
)


def from_bearer(authorization: str | None, policy: AccessPolicy, keys: SigningKeys) -> Caller:
    """The user whom a bearer token stands for.

    :param authorization: the header as it came.
    :raises Problem: a ``bearer_...`` code, or ``signing_keys_unavailable``.
    """
    if authorization is None:
        detail = "Send the header Authorization: Bearer <token of your identity provider>."
        raise Problem("bearer_missing", detail)
    token = _token(authorization)
    header, claimed_issuer = _peek(token)
    identity = policy.issuers.get(claimed_issuer)
    if identity is None:
        detail = "The access policy does not name this token's issuer (iss)."
        raise Problem("bearer_untrusted_issuer", detail)
    claims = _verify(token, header, identity, keys)
    subject: str = claims["sub"]
    user_id = identifiers.user_id_for_subject(
        identity.issuer, subject, always_hash=identity.hashed_user_ids
    )
    return Caller(identity.name, f"{identity.issuer} {subject}", user_id, claims)


def from_role(iam: Mapping[str, object] | None, policy: AccessPolicy) -> Caller:
    """The role that API Gateway verified, from ``requestContext.authorizer.iam`` alone.

    :raises Problem: ``iam_identity_missing``, or ``not_granted`` for one that is not in the policy.
    """
    arn = iam.get("userArn") if iam is not None else None
    if not isinstance(arn, str):
        detail = "API Gateway handed over no IAM identity: is the route deployed without AWS_IAM?"
        raise Problem("iam_identity_missing", detail)
    match = _ASSUMED_ROLE.fullmatch(arn)
    if match is None:
        raise not_granted(f"{arn} is not an assumed role")
    partition, account, name, _session = match.groups()
    identity = policy.roles.get(f"arn:{partition}:iam::{account}:role/{name}")
    if identity is None:
        raise not_granted(f"the policy has no identity for {arn}")
    return Caller(identity.name, arn, None, {}, identity.read_status)


def _token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if len(token) > MAX_BEARER_BYTES:
        detail = f"A bearer token has at most {MAX_BEARER_BYTES} bytes."
        raise Problem("bearer_too_large", detail)
    if scheme.lower() != "bearer" or not token:
        raise Problem("bearer_malformed", "The header must be: Authorization: Bearer <token>.")
    return token


def _peek(token: str) -> tuple[Mapping[str, Any], str]:
    """The header and the issuer of a token that is not verified yet, to know which key may do so.

    PyJWT reads the token again, strictly, when it verifies it.
    """
    try:
        first, second, _signature = token.split(".")
        header, issuer = _json_object(first), _json_object(second).get("iss")
    except (ValueError, RecursionError):
        detail = (
            "The bearer token is not a JWT: three base64url parts, JSON objects in two of them."
        )
        raise Problem("bearer_malformed", detail) from None
    if not isinstance(issuer, str):
        raise Problem("bearer_missing_claim", "The bearer token lacks the claim iss, a string.")
    return header, issuer


def _verify(
    token: str, header: Mapping[str, Any], identity: OidcIdentity, keys: SigningKeys
) -> dict[str, Any]:
    algorithm = header.get("alg")
    if algorithm not in identity.algorithms:
        detail = f"Tokens of this issuer must be signed with {' or '.join(identity.algorithms)}."
        raise Problem("bearer_algorithm_refused", detail)
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise Problem("bearer_malformed", "The bearer token's kid is not a string.")
    try:
        key = keys.get(identity.jwks_uri, key_id, algorithm)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=identity.issuer,
            audience=identity.audience,
            leeway=LEEWAY_SECONDS,
            options={"require": list(REQUIRED_CLAIMS)},
        )
    except UnknownKeyError as error:
        detail = "The issuer has no key with this token's kid for its alg."
        raise Problem("bearer_unknown_key", detail, reason=str(error)) from None
    except KeysUnavailableError as error:
        raise Problem(
            "signing_keys_unavailable",
            "The keys of the token's issuer cannot be fetched now; try again.",
            retry_after_seconds=error.retry_after_seconds,
            reason=str(error),
        ) from None
    except (InvalidTokenError, ValueError, OverflowError) as error:
        raise _refused(error) from None
    if not claims["sub"]:
        raise Problem("bearer_missing_claim", "The bearer token's claim sub is empty.")
    for name in ("exp", "iat", "nbf"):
        if type(claims.get(name, 0)) not in (int, float):
            raise Problem("bearer_malformed", f"The bearer token's {name} is not a number.")
    return claims


def _json_object(part: str) -> dict[str, Any]:
    """One base64url part of a JWT, as JSON. ValueError where it is not a JSON object."""
    values = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    if not isinstance(values, dict):
        raise ValueError("not an object")
    return values


def _refused(error: Exception) -> Problem:
    for kind, code, detail in _REFUSALS:
        if isinstance(error, kind):
            return Problem(code, detail.format(claim=getattr(error, "claim", "")))
    return Problem("bearer_malformed", "A claim of the bearer token has the wrong type.")


_REFUSALS: Final = (
    (
        MissingRequiredClaimError,
        "bearer_missing_claim",
        "The bearer token lacks the claim {claim}.",
    ),
    (ExpiredSignatureError, "bearer_expired", "Get a new token of your identity provider."),
    (ImmatureSignatureError, "bearer_not_yet_valid", "The token's nbf or iat lies in the future."),
    (InvalidAudienceError, "bearer_wrong_audience", "The access policy names another audience."),
    (InvalidSignatureError, "bearer_bad_signature", "It was altered, or another key signed it."),
    (DecodeError, "bearer_malformed", "The bearer token cannot be read."),
)
