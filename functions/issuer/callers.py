"""Who is calling: a user with an OIDC bearer token, or an IAM role that API Gateway verified."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Final

from issuer import bearer_token
from issuer.access_policy import AccessPolicy, Caller, not_granted
from issuer.problems import Problem
from issuer.signing_keys import SigningKeys
from zego import identifiers

_ASSUMED_ROLE: Final = re.compile(
    r"arn:(aws[a-z-]*):sts::([0-9]{12}):assumed-role/([\w+=,.@-]+)/([\w+=,.@-]+)", re.ASCII
)


def from_bearer(
    authorization: str | None,
    policy: AccessPolicy,
    keys: SigningKeys,
    *,
    clock: Callable[[], float] = time.time,
) -> Caller:
    """The user whom a bearer token stands for: its subject, never somebody whom a body names.

    :param authorization: the header as it came.
    :raises Problem: a ``bearer_...`` code, or ``signing_keys_unavailable``.
    """
    identity, claims = bearer_token.verify(authorization, policy.issuers, keys, now=clock())
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
    return Caller(identity.name, arn, None, {}, identity.read_status, identity.diagnose_tokens)
