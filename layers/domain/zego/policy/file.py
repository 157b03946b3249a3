"""Reads an access policy from TOML, and refuses an invalid one.

Unknown keys, wrong types, bad patterns, and rules that grant nothing or can never be reached are
errors that name the place. :mod:`zego.policy.keys` lists the keys, and ``docs/access-policy.md``
explains how to write a policy.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, cast
from urllib.parse import urlsplit

from zego import identifiers
from zego.bounded_http import check_url
from zego.identifiers import IdentifierError, IdentifierKind
from zego.policy import identify, patterns
from zego.policy.claims import SCOPES, Claim
from zego.policy.keys import (
    DENYING_KEYS,
    EXAMPLE_KEYS,
    EXAMPLE_REQUEST_KEYS,
    GRANTING_KEYS,
    OIDC_KEYS,
    POLICY_KEYS,
    ROLE_KEYS,
    SHARED_KEY_KEYS,
    Keys,
    Table,
    TableError,
)
from zego.policy.model import (
    HMAC_ALGORITHMS,
    MAX_BUDGET_NAME,
    MAX_STREAM_IDS,
    PRIVILEGES,
    AccessPolicy,
    BearerIdentity,
    ClaimValues,
    Privilege,
    RoleIdentity,
    Rule,
    TokenRequest,
)
from zego.policy.patterns import Pattern, PatternError


class PolicyError(ValueError):
    """The policy is invalid. The message names the place and what to fix."""


@dataclass(frozen=True, slots=True)
class Example:
    """A test in a policy file: this caller's request must be granted, or refused.

    :ivar caller: the name of an identity.
    :ivar claims: the claims of its bearer token; empty for a role.
    :ivar request: as the route for that kind of caller accepts it.
    :ivar rule: the rule that must decide, if the example names one.
    """

    description: str
    caller: str
    claims: Mapping[str, object]
    request: TokenRequest
    granted: bool
    rule: str | None


def load(path: Path, *, allow_loopback: bool = False) -> AccessPolicy:
    """Read a policy file.

    :param allow_loopback: accept plain http to this machine, which the local stack needs.
    :raises PolicyError: the file cannot be read, or the policy is invalid.
    """
    content, table = _read(path)
    try:
        return _policy(table, hashlib.sha256(content).hexdigest(), allow_loopback=allow_loopback)
    except TableError as error:
        raise PolicyError(f"{path.name}: {error}") from None


def load_examples(path: Path) -> list[Example]:
    """Read the tests in a policy file.

    :raises PolicyError: an example cannot be read.
    """
    _, table = _read(path)
    try:
        return [_example(example) for example in _numbered(table, "examples", EXAMPLE_KEYS)]
    except TableError as error:
        raise PolicyError(f"{path.name}: {error}") from None


def token_request(values: Mapping[str, object]) -> TokenRequest:
    """Read a request with the fields of the API.

    :raises TableError: a field is unknown or invalid.
    """
    return _request(Table(values, "the request", EXAMPLE_REQUEST_KEYS))


def _read(path: Path) -> tuple[bytes, Table]:
    try:
        content = path.read_bytes()
        return content, Table(tomllib.loads(content.decode()), "the policy", POLICY_KEYS)
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error.strerror}") from None
    except RecursionError:
        raise PolicyError(f"{path.name} is not TOML: it is nested too deeply") from None
    except ValueError as error:
        raise PolicyError(f"{path.name} is not TOML: {error}") from None


def _numbered(table: Table, name: str, keys: Keys) -> list[Table]:
    items = enumerate(table.tables(name), start=1)
    return [Table(item, f"{name}[{number}]", keys) for number, item in items]


def _policy(table: Table, sha256: str, *, allow_loopback: bool) -> AccessPolicy:
    table.refuse_unknown_keys()
    bearers: list[BearerIdentity] = []
    roles: dict[str, RoleIdentity] = {}
    for name, values in table.table("identities").items():
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
    role_names = {identity.name for identity in roles.values()}
    backends = role_names | {identity.name for identity in bearers if identity.names_users}
    names = backends | {identity.name for identity in bearers}
    rules: list[Rule] = []
    for item in _numbered(table, "rules", GRANTING_KEYS):
        rule = _rule(item, names, backends, role_names)
        _refuse_unreachable(rule, rules, item)
        rules.append(rule)
    return AccessPolicy(
        sha256,
        tuple(bearers),
        roles,
        tuple(rules),
        cast("Literal['refuse', 'allow']", table.text("denials_unavailable")),
    )


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
        required_claims=_claims(table, "required_claims"),
        scope=table.texts("scope") if table.has("scope") else (),
        token_types=table.texts("token_types") if table.has("token_types") else None,
        max_age_seconds=table.number("max_age_seconds") if table.has("max_age_seconds") else None,
        session_start_claim=table.text("session_start_claim"),
        shared_key=shared_key,
        shared_key_field=table.text("shared_key_field") if table.has("shared_key_field") else None,
        accept_previous_key=shared_key is None or table.flag("accept_previous_key"),
        names_users=names_users,
    )


#: Claims that the service checks by themselves, so that no value of them can be required.
_CHECKED: Final = ("iss", "exp", "iat", "nbf", "cnf", "events")
#: Claims that are equal for many users, or differ between tokens of one user.
_NOT_A_USER: Final = ("iss", "aud", "exp", "iat", "nbf", "auth_time", "jti", "scope", "scp")


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


def _rule(table: Table, names: set[str], backends: set[str], role_names: set[str]) -> Rule:
    name = table.text("name")
    place = f"{table.place} {name!r}"
    deny = Table(table.values, place, GRANTING_KEYS).flag("deny")
    table = Table(table.values, place, DENYING_KEYS if deny else GRANTING_KEYS)
    for key in GRANTING_KEYS:
        if deny and key.name in table.values and key.name not in table.keys:
            raise table.error(f"{key.name} limits a token, and a rule with deny gives none")
    table.refuse_unknown_keys()
    callers = frozenset(table.texts("callers"))
    for caller in sorted(callers - names):
        raise table.error(f"no identity is called {caller!r}")
    if callers & backends and not deny and "users" not in table.values:
        raise table.error(
            "its callers include a role or a backend that names users, so set users: the users it"
            " may name"
        )
    rooms = _patterns(table, "rooms") or ()
    users = _patterns(table, "users") or ()
    if deny and any(pattern.has_placeholder for pattern in (*users, *rooms)):
        raise table.error(
            "a rule that denies cannot have a placeholder: for a caller without that"
            " value it would deny nothing"
        )
    identity_tokens = table.flag("identity_tokens")
    unless_claims = _claims(table, "unless_claims") if deny else {}
    if unless_claims and callers & role_names:
        raise table.error("its callers include a role, which has no claims: leave it out")
    max_session_seconds = None
    if not deny and table.has("max_session_seconds"):
        max_session_seconds = table.number("max_session_seconds")
        if callers & backends:
            raise table.error("max_session_seconds is for users: leave out roles and backends")
    if not rooms and not identity_tokens:
        raise TableError(f"{table.place} matches nothing: set rooms or identity_tokens")
    return Rule(
        name=name,
        callers=callers,
        claims=_claims(table, "claims"),
        unless_claims=unless_claims,
        users=users,
        rooms=rooms,
        identity_tokens=identity_tokens,
        deny=deny,
        privileges=frozenset() if deny else _privileges(table, narrow=not identity_tokens),
        streams=None if deny else _streams(table, narrow=not identity_tokens),
        max_lifetime_seconds=0 if deny else table.number("max_lifetime_seconds"),
        max_session_seconds=max_session_seconds,
        max_tokens_per_hour=None if deny else _budget(table, name),
    )


def _budget(table: Table, name: str) -> int | None:
    if not table.has("max_tokens_per_hour"):
        return None
    if "#" in name or len(name) > MAX_BUDGET_NAME:
        raise table.error(
            f"the name of a rule with max_tokens_per_hour has at most {MAX_BUDGET_NAME} characters"
            " and no #, because it is part of a key in the table of the budgets"
        )
    return table.number("max_tokens_per_hour")


def _patterns(table: Table, name: str) -> tuple[Pattern, ...] | None:
    if not table.has(name):
        return None
    try:
        return tuple(patterns.parse(text) for text in table.texts(name))
    except PatternError as error:
        raise table.error(f"{name}: {error}") from None


def _claims(table: Table, key: str) -> ClaimValues:
    claims: dict[str, tuple[Claim, ...]] = {}
    for name, wanted in table.table(key).items():
        items: list[object] = wanted if isinstance(wanted, list) else [wanted]
        values = tuple(item for item in items if isinstance(item, str | int | float))
        if not values or len(values) < len(items):
            raise table.error(f"{key}.{name} must be a string, number, boolean or array of these")
        if name in SCOPES and any(isinstance(one, str) and one.split() != [one] for one in values):
            raise table.error(f'{key}.{name}: each value is one scope; write ["a", "b"] for "a b"')
        claims[name] = values
    return claims


def _privileges(table: Table, *, narrow: bool) -> frozenset[Privilege]:
    names = table.texts("privileges")
    if not set(names) <= set(PRIVILEGES):
        raise table.error('privileges can only contain "login" and "publish"')
    if not narrow and set(names) != set(PRIVILEGES):
        raise table.error(_CANNOT_NARROW)
    return frozenset(cast("tuple[Privilege, ...]", names))


def _streams(table: Table, *, narrow: bool) -> tuple[Pattern, ...] | None:
    if not narrow and "stream_ids" in table.values:
        raise table.error(_CANNOT_NARROW)
    streams = _patterns(table, "stream_ids")
    if streams is not None and len(streams) > MAX_STREAM_IDS:
        raise table.error(f"stream_ids has more than {MAX_STREAM_IDS} patterns")
    return streams


_CANNOT_NARROW: Final = (
    "an identity token has no privileges and no streams, so a rule with identity_tokens"
    " cannot narrow them; write two rules"
)


def _refuse_unreachable(rule: Rule, earlier_rules: list[Rule], table: Table) -> None:
    for earlier in earlier_rules:
        if earlier.name == rule.name:
            raise table.error(f"another rule has the name {rule.name!r}")
        if earlier.covers(rule):
            raise TableError(
                f"{table.place} {rule.name!r} can never be reached:"
                f" {earlier.name!r} matches everything that it does"
            )


def _example(table: Table) -> Example:
    table.refuse_unknown_keys()
    description = table.text("description")
    place = f"{table.place} {description!r}, request"
    return Example(
        description=description,
        caller=table.text("caller"),
        claims=table.table("claims"),
        request=_request(Table(table.table("request"), place, EXAMPLE_REQUEST_KEYS)),
        granted=table.text("expect") == "granted",
        rule=table.text("rule") if table.has("rule") else None,
    )


def _request(table: Table) -> TokenRequest:
    table.refuse_unknown_keys()
    room_id = _identifier(table, "room_id")
    privileges = table.texts("privileges") if table.has("privileges") else None
    stream_ids = table.texts("stream_ids") if table.has("stream_ids") else None
    if room_id is None and (privileges or stream_ids):
        raise table.error("privileges and stream_ids apply to one room: add room_id")
    if privileges is not None and not set(privileges) <= set(PRIVILEGES):
        raise table.error('privileges can only contain "login" and "publish"')
    return TokenRequest(
        user_id=_identifier(table, "user_id"),
        room_id=room_id,
        privileges=None
        if privileges is None
        else frozenset(cast("tuple[Privilege, ...]", privileges)),
        stream_ids=stream_ids,
        lifetime_seconds=table.number("lifetime_seconds")
        if table.has("lifetime_seconds")
        else None,
    )


def _identifier(table: Table, name: IdentifierKind) -> str | None:
    try:
        return identifiers.check(name, table.text(name)) if table.has(name) else None
    except IdentifierError as error:
        raise table.error(str(error)) from None
