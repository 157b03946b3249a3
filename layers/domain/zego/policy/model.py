"""An access policy: its identities and rules, who calls, what is requested, and what is granted.

All of it is data. :mod:`zego.policy.file` reads a policy, and :mod:`zego.policy.decide` applies it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from zego.policy.claims import Claim
from zego.policy.patterns import Pattern

Privilege = Literal["login", "publish"]
PRIVILEGES: Final[tuple[Privilege, ...]] = ("login", "publish")

MIN_LIFETIME_SECONDS: Final = 60
MAX_STREAM_IDS: Final = 50
#: How many users one call may invite.
MAX_CALLEES: Final = 50
MAX_TOKENS_PER_HOUR: Final = 100_000
#: The longest name of a rule with a budget, in characters.
MAX_BUDGET_NAME: Final = 200

#: The algorithms of public keys, each with its key's type and curve (RFC 7518, 8037, 9864).
ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}

#: The algorithms of shared keys, each with its hash (RFC 7518, 3.2).
HMAC_ALGORITHMS: Final[Mapping[str, str]] = {
    "HS256": "sha256",
    "HS384": "sha384",
    "HS512": "sha512",
}

#: Claims by their names, each with its possible values.
ClaimValues = Mapping[str, tuple[Claim, ...]]


class BearerIdentity(NamedTuple):
    """An identity whose callers send a bearer token.

    Its tokens are signed with a key that the issuer publishes, or with a shared key (an HMAC).

    :ivar name: its name in the rules.
    :ivar issuer: ``None`` only with a shared key: then its tokens have no ``iss``.
    :ivar audience: the values of ``audience_claim`` of which a token must have one; empty only with
        a shared key: then the audience is not checked.
    :ivar jwks_uri: the URL of the issuer's keys; ``None`` if discovery finds it, or with a shared
        key.
    :ivar hashed_user_ids: whether every subject gets a hashed user id; see
        :func:`zego.identifiers.user_id_for_subject`.
    :ivar audience_claim: the claim that names the audience.
    :ivar user_id_claim: the claim that names the user.
    :ivar required_claims: the claims that a token must have, each with its possible values.
    :ivar scope: the scopes that a token must have, all of them.
    :ivar token_types: the values of ``typ`` in a token's header; ``None`` means the usual ones.
    :ivar max_age_seconds: the longest time since the user signed in.
    :ivar session_start_claim: the claim that says when the user signed in.
    :ivar shared_key: the name or ARN of the secret in Secrets Manager with the HMAC key.
    :ivar shared_key_field: the field of that secret's JSON with the key; ``None`` if the key is the
        whole text.
    :ivar accept_previous_key: whether the secret's AWSPREVIOUS version verifies tokens too.
    :ivar names_users: whether its callers are backends, whose requests name the user.
    """

    name: str
    issuer: str | None
    audience: tuple[str, ...]
    jwks_uri: str | None
    algorithms: tuple[str, ...]
    hashed_user_ids: bool = False
    audience_claim: str = "aud"
    user_id_claim: str = "sub"
    required_claims: ClaimValues = MappingProxyType({})
    scope: tuple[str, ...] = ()
    token_types: tuple[str, ...] | None = None
    max_age_seconds: int | None = None
    session_start_claim: str = "auth_time"
    shared_key: str | None = None
    shared_key_field: str | None = None
    accept_previous_key: bool = True
    names_users: bool = False


class RoleIdentity(NamedTuple):
    """An IAM role that may call the service routes.

    :ivar role: ``arn:<partition>:iam::<account>:role/<name>``, without a path.
    :ivar read_status: whether it may read ``GET /v1/status``.
    :ivar diagnose_tokens: whether it may send any user's token to ``POST /v1/diagnose``.
    """

    name: str
    role: str
    read_status: bool = False
    diagnose_tokens: bool = False


class Caller(NamedTuple):
    """An authenticated caller.

    :ivar identity: the name of the identity in the policy.
    :ivar subject: the issuer and subject of a bearer token, or a role's ARN and session; for the
        audit log.
    :ivar user_id: the user that a bearer token identifies; ``None`` for a role or a backend, whose
        requests name the user.
    :ivar claims: a bearer token's verified claims.
    :ivar signed_in_at: when the user signed in, by the claim that the identity names, else by
        ``iat``, Unix seconds; ``None`` for a role, or if a bearer token has neither.
    """

    identity: str
    subject: str
    user_id: str | None
    claims: Mapping[str, object]
    read_status: bool = False
    diagnose_tokens: bool = False
    signed_in_at: float | None = None


class TokenRequest(NamedTuple):
    """A request for one token, every value within ZEGO's bounds.

    :ivar user_id: the user of the token, if the request names one.
    :ivar room_id: the room it opens; ``None`` requests an identity token.
    :ivar privileges: what it must allow; ``None`` means all that the policy grants.
    :ivar stream_ids: the streams it may publish; ``None`` means all that the policy grants.
    :ivar lifetime_seconds: ``None`` means the service's default.
    :ivar refused_with: the code with which ZEGO refused the last token, if the caller reports one.
    :ivar callees: the users that a call invites.
    """

    user_id: str | None = None
    room_id: str | None = None
    privileges: frozenset[Privilege] | None = None
    stream_ids: tuple[str, ...] | None = None
    lifetime_seconds: int | None = None
    refused_with: int | None = None
    callees: tuple[str, ...] = ()


class Rule(NamedTuple):
    """One rule. With ``identity_tokens`` and no ``rooms`` it grants only tokens without a room.

    :ivar claims: the claims that the caller must have, each with its possible values.
    :ivar unless_claims: in a rule that denies: it does not match a caller with all of these claims.
    :ivar streams: the streams that may be published; ``None`` means any stream.
    :ivar max_session_seconds: how long after signing in a user may have tokens; ``None`` means
        without limit.
    :ivar max_tokens_per_hour: for each user, by the clock hour; ``None`` means no limit.
    :ivar callees: the users that a call may invite; none without a pattern.
    """

    name: str
    callers: frozenset[str]
    claims: ClaimValues
    unless_claims: ClaimValues
    users: tuple[Pattern, ...]
    rooms: tuple[Pattern, ...]
    identity_tokens: bool
    deny: bool
    privileges: frozenset[Privilege]
    streams: tuple[Pattern, ...] | None
    max_lifetime_seconds: int
    max_session_seconds: int | None
    max_tokens_per_hour: int | None = None
    callees: tuple[Pattern, ...] = ()

    def covers(self, other: Rule) -> bool:
        """Whether the other rule, if it comes later, can never be reached."""
        return (
            other.callers <= self.callers
            # A claim may resemble a value without being equal to it.
            and (not self.claims or self.deny or not other.deny)
            and implies(other.claims, self.claims)
            and (
                not self.unless_claims
                or (bool(other.unless_claims) and implies(self.unless_claims, other.unless_claims))
            )
            and _all_covered(other.users, self.users)
            and _all_covered(other.rooms, self.rooms)
            and self.identity_tokens >= other.identity_tokens
        )


class Grant(NamedTuple):
    """What a rule grants a request.

    :ivar room_id: ``None`` for an identity token, which opens every room.
    :ivar stream_ids: ``None`` means any stream.
    :ivar max_tokens_per_hour: the rule's, for the user of the token.
    """

    rule: str
    user_id: str
    room_id: str | None
    privileges: frozenset[Privilege]
    stream_ids: tuple[str, ...] | None
    lifetime_seconds: int
    max_tokens_per_hour: int | None = None


class Refusal(NamedTuple):
    """Why a request is refused.

    :ivar code: the problem's code in the API.
    :ivar detail: what the caller can do about it.
    :ivar reason: for the audit log only.
    :ivar field: the field of the request that is wrong, if there is one.
    :ivar rule: the rule that decided, if one did.
    """

    code: str
    detail: str
    reason: str
    field: str | None = None
    rule: str | None = None


def not_granted(reason: str, rule: str | None = None) -> Refusal:
    """A refusal whose reason goes to the audit log only."""
    detail = (
        "The access policy does not grant this request."
        " The service's operators can find the reason in the audit log by the request id."
    )
    return Refusal("not_granted", detail, reason, rule=rule)


class AccessPolicy(NamedTuple):
    """A policy, loaded and checked.

    :ivar sha256: the SHA-256 of its file, to compare environments.
    :ivar bearers: the identities whose callers send a bearer token, in the order of the file.
    :ivar roles: the IAM identities by their role.
    :ivar denials_unavailable: what to do with requests while the denials cannot be read.
    """

    sha256: str
    bearers: tuple[BearerIdentity, ...]
    roles: Mapping[str, RoleIdentity]
    rules: tuple[Rule, ...]
    denials_unavailable: Literal["refuse", "allow"] = "refuse"


def implies(narrow: ClaimValues, wide: ClaimValues) -> bool:
    """Whether a caller with the narrow claims always has the wide ones too."""
    return all(
        name in narrow and _typed(narrow[name]) <= _typed(values) for name, values in wide.items()
    )


def _typed(values: tuple[Claim, ...]) -> set[tuple[type, Claim]]:
    """The values with their types, so that ``1`` and ``true`` differ, as they do in a claim."""
    return {(type(value), value) for value in values}


def _all_covered(narrow: tuple[Pattern, ...], wide: tuple[Pattern, ...]) -> bool:
    return all(any(pattern.covers(other) for pattern in wide) for other in narrow)
