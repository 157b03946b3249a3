"""Reads an access policy from TOML, and refuses one that cannot be meant.

Unknown keys, wrong types, bad patterns, rules that grant nothing or can never be reached: each
is an error that names the place. ``docs/access-policy.md`` tells how to write one.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from issuer import patterns
from issuer.access_policy import AccessPolicy, Claim, OidcIdentity, RoleIdentity, Rule
from issuer.jwks import ALGORITHMS
from issuer.patterns import Pattern, PatternError
from issuer.token_request import MAX_STREAM_IDS, MIN_LIFETIME_SECONDS, PRIVILEGES, Privilege
from zego.bounded_http import check_url
from zego.token04 import MAX_LIFETIME_SECONDS

_ROLE: Final = re.compile(
    r"(arn:aws[a-z-]*:iam::[0-9]{12}:role/)(?:[^/*]+/)*([\w+=,.@-]+)", re.ASCII
)
_EVERY: Final = (patterns.parse("*"),)
_OIDC_KEYS: Final = ("issuer", "audience", "jwks_uri", "algorithms", "user_ids")
_ROLE_KEYS: Final = ("role", "read_status", "diagnose_tokens")
_MATCHING_KEYS: Final = ("name", "callers", "claims", "users", "rooms", "identity_tokens", "deny")
_BOUNDING_KEYS: Final = ("privileges", "stream_ids", "max_lifetime_seconds")
#: Every key of an identity and of a rule.
IDENTITY_KEYS: Final = (*_OIDC_KEYS, *_ROLE_KEYS)
RULE_KEYS: Final = (*_MATCHING_KEYS, *_BOUNDING_KEYS)


class PolicyError(ValueError):
    """A policy that cannot be meant. The message names the place and what to mend."""


@dataclass(frozen=True, slots=True)
class Example:
    """A test that a policy file carries: this caller's request is granted, or refused.

    :ivar caller: the name of an identity.
    :ivar claims: of its bearer token; none for a role.
    :ivar request: a body, as the route of that kind of caller takes it.
    :ivar rule: the rule that shall decide, where the example names one.
    """

    description: str
    caller: str
    claims: Mapping[str, object]
    request: Mapping[str, object]
    granted: bool
    rule: str | None


def load(path: Path, *, allow_loopback: bool = False) -> AccessPolicy:
    """Read a policy file.

    :param allow_loopback: take plain http to this machine, as the local stack needs.
    :raises PolicyError: the file cannot be read, or says something that cannot be meant.
    """
    content, table = _read(path)
    try:
        return _policy(table, hashlib.sha256(content).hexdigest(), allow_loopback=allow_loopback)
    except (TableError, PatternError) as error:
        raise PolicyError(f"{path.name}: {error}") from None


def load_examples(path: Path) -> list[Example]:
    """Read the tests that a policy file carries.

    :raises PolicyError: an example cannot be read.
    """
    _, table = _read(path)
    try:
        return [_example(example) for example in _numbered(table, "examples")]
    except TableError as error:
        raise PolicyError(f"{path.name}: {error}") from None


def _read(path: Path) -> tuple[bytes, Table]:
    try:
        content = path.read_bytes()
        return content, Table(tomllib.loads(content.decode()), "the policy")
    except OSError as error:
        raise PolicyError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise PolicyError(f"{path.name} is not TOML: {error}") from None


def _numbered(table: Table, key: str) -> list[Table]:
    return [Table(item, f"{key}[{n}]") for n, item in enumerate(table.tables(key), start=1)]


def _policy(table: Table, sha256: str, *, allow_loopback: bool) -> AccessPolicy:
    table.only("identities", "rules", "examples")
    issuers: dict[str, OidcIdentity] = {}
    roles: dict[str, RoleIdentity] = {}
    for name, values in table.table("identities").items():
        if not isinstance(values, dict):
            raise TableError(f"identities.{name} must be a table")
        place = Table(values, f"identities.{name}")
        if "role" in values:
            role = _role_identity(name, place)
            if role.role in roles:
                raise TableError(f"{place.place}: {roles[role.role].name} is the same role")
            roles[role.role] = role
        else:
            oidc = _oidc_identity(name, place, allow_loopback=allow_loopback)
            if oidc.issuer in issuers:
                raise TableError(f"{place.place}: {issuers[oidc.issuer].name} is the same issuer")
            issuers[oidc.issuer] = oidc
    _refuse_equal_subjects(issuers)
    oidc_names = {identity.name for identity in issuers.values()}
    role_names = {identity.name for identity in roles.values()}
    rules: list[Rule] = []
    for place in _numbered(table, "rules"):
        rule = _rule(place, oidc_names, role_names)
        _refuse_unreachable(rule, rules, place)
        rules.append(rule)
    return AccessPolicy(sha256, issuers, roles, tuple(rules))


def _oidc_identity(name: str, table: Table, *, allow_loopback: bool) -> OidcIdentity:
    table.only(*_OIDC_KEYS)
    algorithms = table.strings("algorithms", ("RS256",))
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            raise TableError(
                f"{table.place}: algorithm {algorithm!r} is not one of {', '.join(ALGORITHMS)}"
            )
    user_ids = table.text("user_ids", "subject")
    if user_ids not in ("subject", "hashed"):
        raise TableError(f'{table.place}: user_ids must be "subject" or "hashed"')
    return OidcIdentity(
        name=name,
        issuer=_url(table, "issuer", allow_loopback=allow_loopback),
        audience=table.strings("audience"),
        jwks_uri=_url(table, "jwks_uri", allow_loopback=allow_loopback),
        algorithms=algorithms,
        hashed_user_ids=user_ids == "hashed",
    )


def _role_identity(name: str, table: Table) -> RoleIdentity:
    table.only(*_ROLE_KEYS)
    match = _ROLE.fullmatch(table.text("role"))
    if match is None:
        raise TableError(
            f"{table.place}: role must be arn:aws:iam::<12 digits>:role/<name>, without a wildcard"
        )
    return RoleIdentity(
        name,
        match[1] + match[2],
        read_status=table.flag("read_status", default=False),
        diagnose_tokens=table.flag("diagnose_tokens", default=False),
    )


def _url(table: Table, key: str, *, allow_loopback: bool) -> str:
    url = table.text(key)
    try:
        return check_url(url, allow_loopback=allow_loopback)
    except ValueError as error:
        raise TableError(f"{table.place}: {key}: {error}") from None


def _refuse_equal_subjects(issuers: Mapping[str, OidcIdentity]) -> None:
    """Two issuers can each have a subject ``alice``, who must not become the same user."""
    plain = [identity.name for identity in issuers.values() if not identity.hashed_user_ids]
    if len(plain) > 1:
        raise TableError(
            f"identities {' and '.join(plain)} could both have a user with the same subject:"
            ' set user_ids = "hashed" on all but one'
        )


def _rule(table: Table, oidc_names: set[str], role_names: set[str]) -> Rule:
    name = table.text("name")
    table = Table(table.values, f"{table.place} {name!r}")
    deny = table.flag("deny", default=False)
    table.only(*_MATCHING_KEYS, *(() if deny else _BOUNDING_KEYS))
    callers = frozenset(table.strings("callers"))
    for caller in sorted(callers - oidc_names - role_names):
        raise TableError(f"{table.place}: no identity is called {caller!r}")
    if callers & role_names and not deny and "users" not in table.values:
        raise TableError(f"{table.place}: a role may call here, so say whom it may name: users")
    rooms = _patterns(table, "rooms", _EVERY if deny else ())
    users = _patterns(table, "users", _EVERY)
    if deny and any(pattern.has_placeholder for pattern in (*users, *rooms)):
        raise TableError(
            f"{table.place}: a rule that denies takes no placeholder; for a caller without such a"
            " value it would deny nothing"
        )
    identity_tokens = table.flag("identity_tokens", default=deny)
    if not rooms and not identity_tokens:
        raise TableError(f"{table.place} matches nothing: give it rooms or identity_tokens")
    return Rule(
        name=name,
        callers=callers,
        claims=_claims(table),
        users=users,
        rooms=rooms,
        identity_tokens=identity_tokens,
        deny=deny,
        privileges=frozenset() if deny else _privileges(table, narrow=not identity_tokens),
        streams=None if deny else _streams(table, narrow=not identity_tokens),
        max_lifetime_seconds=0 if deny else _max_lifetime(table),
    )


def _patterns(table: Table, key: str, default: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    if key not in table.values:
        return default
    try:
        return tuple(patterns.parse(text) for text in table.strings(key))
    except PatternError as error:
        raise TableError(f"{table.place}: {key}: {error}") from None


def _claims(table: Table) -> dict[str, tuple[Claim, ...]]:
    claims: dict[str, tuple[Claim, ...]] = {}
    for name, wanted in table.table("claims", {}).items():
        items: list[object] = wanted if isinstance(wanted, list) else [wanted]
        values = tuple(item for item in items if isinstance(item, str | int | float))
        if not values or len(values) < len(items):
            raise TableError(
                f"{table.place}: claims.{name} must be a string, number or boolean, or some of them"
            )
        claims[name] = values
    return claims


def _privileges(table: Table, *, narrow: bool) -> frozenset[Privilege]:
    names = table.strings("privileges", PRIVILEGES)
    if not set(names) <= set(PRIVILEGES):
        raise TableError(f'{table.place}: privileges are "login" and "publish"')
    if not narrow and set(names) != set(PRIVILEGES):
        raise TableError(f"{table.place}: {_CANNOT_NARROW}")
    return frozenset(cast("tuple[Privilege, ...]", names))


def _streams(table: Table, *, narrow: bool) -> tuple[Pattern, ...] | None:
    if "stream_ids" not in table.values:
        return None
    if not narrow:
        raise TableError(f"{table.place}: {_CANNOT_NARROW}")
    streams = _patterns(table, "stream_ids", ())
    if len(streams) > MAX_STREAM_IDS:
        raise TableError(f"{table.place}: stream_ids has more than {MAX_STREAM_IDS} patterns")
    return streams


_CANNOT_NARROW: Final = (
    "an identity token carries no privileges and no streams, so a rule with identity_tokens"
    " cannot narrow them; make two rules"
)


def _max_lifetime(table: Table) -> int:
    seconds = table.number("max_lifetime_seconds")
    if not MIN_LIFETIME_SECONDS <= seconds <= MAX_LIFETIME_SECONDS:
        raise TableError(
            f"{table.place}: max_lifetime_seconds must be"
            f" {MIN_LIFETIME_SECONDS} to {MAX_LIFETIME_SECONDS}"
        )
    return seconds


def _refuse_unreachable(rule: Rule, earlier_rules: list[Rule], table: Table) -> None:
    for earlier in earlier_rules:
        if earlier.name == rule.name:
            raise TableError(f"{table.place}: the name {rule.name!r} is taken")
        if earlier.covers(rule):
            raise TableError(
                f"{table.place} {rule.name!r} can never be reached:"
                f" {earlier.name!r} matches everything that it does"
            )


def _example(table: Table) -> Example:
    table.only("description", "caller", "claims", "request", "expect", "rule")
    expect = table.text("expect")
    if expect not in ("granted", "refused"):
        raise TableError(f'{table.place}: expect must be "granted" or "refused"')
    return Example(
        description=table.text("description"),
        caller=table.text("caller"),
        claims=table.table("claims", {}),
        request=table.table("request", {}),
        granted=expect == "granted",
        rule=table.text("rule") if "rule" in table.values else None,
    )


class TableError(ValueError):
    """A key that is unknown, missing or of the wrong type. The message names the place."""


class Table:
    """A table and its place in the file, for messages.

    Every method that reads a key takes a default; without one the key is required.
    """

    def __init__(self, values: Mapping[str, object], place: str) -> None:
        self.values = values
        self.place = place

    def only(self, *known: str) -> None:
        """Refuse keys that nobody reads: a misspelt one would be lost."""
        for key in self.values:
            if key not in known:
                raise TableError(
                    f"{self.place}: unknown key {key!r}; there are {', '.join(sorted(known))}"
                )

    def text(self, key: str, default: str | None = None) -> str:
        """A non-empty string."""
        value = self._value(key, default)
        if not isinstance(value, str) or not value:
            raise self._wrong(key, "a non-empty string")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """``true`` or ``false``."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def number(self, key: str) -> int:
        """A whole number."""
        value = self._value(key, None)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._wrong(key, "a whole number")
        return value

    def strings(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """A non-empty array of non-empty strings."""
        value = self._value(key, default)
        if isinstance(value, tuple):
            return value
        if not isinstance(value, list) or not value:
            raise self._wrong(key, "a non-empty array of strings")
        if not all(isinstance(item, str) and item for item in value):
            raise self._wrong(key, "a non-empty array of strings")
        return tuple(value)

    def table(self, key: str, default: Mapping[str, object] | None = None) -> Mapping[str, object]:
        """A table."""
        value = self._value(key, default)
        if not isinstance(value, Mapping):
            raise self._wrong(key, "a table")
        return value

    def tables(self, key: str) -> list[Mapping[str, object]]:
        """An array of tables; none where the key is absent."""
        value = self.values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(key, f"an array of tables, [[{key}]]")
        return value

    def _value(self, key: str, default: object) -> object:
        if key in self.values:
            return self.values[key]
        if default is None:
            raise TableError(f"{self.place} lacks {key}")
        return default

    def _wrong(self, key: str, expected: str) -> TableError:
        return TableError(f"{self.place}: {key} must be {expected}")
