"""Reads the identities of an access policy, and refuses contradictory ones.

Each identity must be one that a token or a role can have, no two may share a user by accident, and
no condition may be without effect.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from zego.bounded_http import check_url
from zego.policy import identify
from zego.policy.keys import OIDC_KEYS, ROLE_KEYS, SHARED_KEY_KEYS, Keys, Table, TableError
from zego.policy.model import HMAC_ALGORITHMS, BearerIdentity, RoleIdentity

_IDENTITIES: Final[Mapping[str, Keys]] = {
    "role": ROLE_KEYS,
    "shared_key": SHARED_KEY_KEYS,
    "issuer": OIDC_KEYS,
}
_CONTRADICTIONS: Final = {
    ("shared_key", "jwks_uri"): (
        "shared_key and jwks_uri exclude each other: keep shared_key for tokens that your"
        " application signs with an HMAC, or jwks_uri for those of an OIDC identity provider"
    ),
    ("issuer", "shared_key_field"): "shared_key_field needs shared_key",
    ("issuer", "accept_previous_key"): "accept_previous_key needs shared_key",
}
#: Claims that the service checks by themselves, so that no value of them can be required.
_CHECKED: Final = ("iss", "exp", "iat", "nbf", "cnf", "events")
#: Claims that are equal for many users, or differ between tokens of one user.
_NOT_A_USER: Final = ("iss", "aud", "exp", "iat", "nbf", "auth_time", "jti", "scope", "scp")


def read(
    tables: Mapping[str, object], *, allow_loopback: bool
) -> tuple[tuple[BearerIdentity, ...], dict[str, RoleIdentity]]:
    """Read the identities: those with a bearer token, and those with a role by their role.

    :param tables: the table ``identities`` of a policy.
    :param allow_loopback: see :func:`zego.policy.file.load`.
    :raises TableError: an identity is invalid, or contradicts another one.
    """
    bearers: list[BearerIdentity] = []
    roles: dict[str, RoleIdentity] = {}
    for name, values in tables.items():
        if not isinstance(values, dict):
            raise TableError(f"identities.{name} must be a table")
        identity = _identity_table(name, values)
        if "role" in values:
            role = _role_identity(name, identity)
            if role.role in roles:
                raise identity.error(f"{roles[role.role].name} has the same role")
            roles[role.role] = role
        else:
            bearer = _bearer_identity(name, identity, allow_loopback=allow_loopback)
            for other in bearers:
                _refuse_other_keys(bearer, other, identity)
            bearers.append(bearer)
    _refuse_equal_subjects(bearers)
    return tuple(bearers), roles


def _identity_table(name: str, values: Mapping[str, object]) -> Table:
    """The table of an identity, with the keys of its kind, which ``role`` or ``shared_key`` tell.

    A key of another kind is refused with what to do about it.
    """
    kind = next((kind for kind in _IDENTITIES if kind in values), "issuer")
    identity = Table(values, f"identities.{name}", _IDENTITIES[kind])
    for key in values:
        if (kind, key) in _CONTRADICTIONS:
            raise identity.error(_CONTRADICTIONS[kind, key])
        if kind == "role" and any(key == one.name for one in (*SHARED_KEY_KEYS, *OIDC_KEYS)):
            raise identity.error(f"unknown key {key!r} for a role; write another identity for it")
    identity.refuse_unknown_keys()
    return identity


def _bearer_identity(name: str, table: Table, *, allow_loopback: bool) -> BearerIdentity:
    shared_key = _shared_key(table) if "shared_key" in table.keys else None
    names_users = table.flag("names_users")
    if names_users and "user_ids" in table.values:
        raise table.error("user_ids has no effect with names_users: requests name the user")
    if shared_key is None:
        issuer: str | None = _url(table, "issuer", allow_loopback=allow_loopback)
    else:
        issuer = table.text("issuer") if table.has("issuer") else None
    has_jwks_uri = "jwks_uri" in table.values
    if issuer is not None and shared_key is None and not has_jwks_uri:
        url = urlsplit(issuer)
        if url.query or url.fragment:
            raise table.error(
                "discovery cannot find the keys of an issuer with a query or fragment: set jwks_uri"
            )
    has_audience = shared_key is None or table.has("audience")
    if not has_audience and "audience_claim" in table.values:
        raise table.error("audience_claim has no effect without audience")
    _refuse_claims_of_their_own(table)
    return BearerIdentity(
        name=name,
        issuer=issuer,
        audience=table.texts("audience") if has_audience else (),
        jwks_uri=_url(table, "jwks_uri", allow_loopback=allow_loopback) if has_jwks_uri else None,
        algorithms=_algorithms(table),
        hashed_user_ids=table.text("user_ids") == "hashed",
        audience_claim=table.text("audience_claim"),
        user_id_claim=table.text("user_id_claim"),
        required_claims=table.claims("required_claims"),
        scope=table.texts("scope") if table.has("scope") else (),
        token_types=table.texts("token_types") if table.has("token_types") else None,
        max_age_seconds=table.number("max_age_seconds") if table.has("max_age_seconds") else None,
        session_start_claim=table.text("session_start_claim"),
        shared_key=shared_key,
        shared_key_field=table.text("shared_key_field") if table.has("shared_key_field") else None,
        accept_previous_key=shared_key is None or table.flag("accept_previous_key"),
        names_users=names_users,
    )


def _refuse_claims_of_their_own(table: Table) -> None:
    """Refuse claims in a place where they mean something else, or can never match."""
    user_id_claim = table.text("user_id_claim")
    if user_id_claim in _NOT_A_USER:
        raise table.error(f"user_id_claim: {user_id_claim} does not name a user")
    for name in table.table("required_claims"):
        if name in _CHECKED:
            hint = "; set issuer" if name == "iss" else ""
            raise table.error(f"required_claims.{name}: the service checks this claim itself{hint}")
    for one in table.texts("scope") if table.has("scope") else ():
        if one.split() != [one]:
            raise table.error('scope: each value is one scope; write ["a", "b"] for "a b"')


def _shared_key(table: Table) -> str:
    name = table.text("shared_key")
    if re.fullmatch(table.keys["shared_key"].pattern, name, re.ASCII) is None:
        raise table.error("shared_key must be the name or ARN of a secret in Secrets Manager")
    if not any(table.values.get(key) for key in ("issuer", "audience", "required_claims")):
        raise table.error(
            "set issuer, audience or required_claims: otherwise every token that the application"
            " signs with this key is accepted, such as one that resets a password"
        )
    return name


def _algorithms(table: Table) -> tuple[str, ...]:
    algorithms = table.texts("algorithms")
    known = table.keys["algorithms"].choices
    for algorithm in algorithms:
        if algorithm not in known:
            hint = "; it needs shared_key" if algorithm in HMAC_ALGORITHMS else ""
            raise table.error(f"algorithm {algorithm!r} is not one of {', '.join(known)}{hint}")
    return algorithms


def _refuse_other_keys(bearer: BearerIdentity, other: BearerIdentity, table: Table) -> None:
    """Refuse two identities of one issuer, or without one, whose tokens other keys sign.

    The keys are found before it is known which of the two identities a token has.
    """
    if bearer.issuer != other.issuer or bool(bearer.shared_key) != bool(other.shared_key):
        return
    if bearer.issuer is None:
        raise table.error(
            f"{other.name} has a shared key and no issuer too: no token without iss could tell"
            " which of them is meant; set issuer on one, and sign its tokens with that iss"
        )
    for key in ("jwks_uri", "shared_key", "shared_key_field", "accept_previous_key"):
        if getattr(bearer, key) != getattr(other, key):
            raise table.error(f"{other.name} has the same issuer, so {key} must be the same too")
    if identify.covers(other, bearer):
        raise table.error(
            f"{other.name} has the same issuer, comes first and accepts all of its tokens: put the"
            " identity with more conditions first, or add one that tells the tokens apart, such as"
            " audience or required_claims"
        )


def _role_identity(name: str, table: Table) -> RoleIdentity:
    match = re.fullmatch(table.keys["role"].pattern, table.text("role"), re.ASCII)
    if match is None:
        raise table.error("role must be arn:aws:iam::<12 digits>:role/<name>, without a wildcard")
    return RoleIdentity(
        name,
        match[1] + match[2],
        read_status=table.flag("read_status"),
        diagnose_tokens=table.flag("diagnose_tokens"),
    )


def _url(table: Table, key: str, *, allow_loopback: bool) -> str:
    url = table.text(key)
    try:
        return check_url(url, allow_loopback=allow_loopback)
    except ValueError as error:
        raise table.error(f"{key}: {error}") from None


def _refuse_equal_subjects(bearers: list[BearerIdentity]) -> None:
    """Refuse identities of which two users could get the same user id."""
    users = [identity for identity in bearers if not identity.names_users]
    plain: dict[str | None, str] = {}
    claims: dict[str | None, BearerIdentity] = {}
    for identity in users:
        if not identity.hashed_user_ids:
            plain.setdefault(identity.issuer, identity.name)
        first = claims.setdefault(identity.issuer, identity)
        if identity.user_id_claim != first.user_id_claim:
            raise TableError(
                f"identities {first.name} and {identity.name} have the same issuer and different"
                " claims for user ids, so one user could get another's id: set the same"
                " user_id_claim on both"
            )
    if len(plain) > 1:
        raise TableError(
            f"identities {' and '.join(plain.values())} could both have a user with the same"
            ' subject: set user_ids = "hashed" on all but one'
        )
