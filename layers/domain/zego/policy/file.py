"""Reads an access policy from TOML, and refuses an invalid one.

Unknown keys, wrong types, bad patterns, and rules that grant nothing or can never be reached are
errors that name the place. :mod:`zego.policy.keys` lists the keys, and ``docs/access-policy.md``
explains how to write a policy.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal, NamedTuple, cast

from zego import identifiers
from zego.identifiers import IdentifierError, IdentifierKind
from zego.policy import identities, patterns
from zego.policy.keys import (
    DENYING_KEYS,
    EXAMPLE_KEYS,
    EXAMPLE_REQUEST_KEYS,
    GRANTING_KEYS,
    POLICY_KEYS,
    Keys,
    Table,
    TableError,
)
from zego.policy.model import (
    MAX_BUDGET_NAME,
    MAX_CALLEES,
    MAX_STREAM_IDS,
    PRIVILEGES,
    AccessPolicy,
    Privilege,
    Rule,
    TokenRequest,
)
from zego.policy.patterns import Pattern, PatternError


class PolicyError(ValueError):
    """The policy is invalid. The message names the place and what to fix."""


class Example(NamedTuple):
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
    bearers, roles = identities.read(table.table("identities"), allow_loopback=allow_loopback)
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
        bearers,
        roles,
        tuple(rules),
        cast("Literal['refuse', 'allow']", table.text("denials_unavailable")),
    )


def _rule(table: Table, names: set[str], backends: set[str], role_names: set[str]) -> Rule:
    name = table.text("name")
    place = f"{table.place} {name!r}"
    deny = Table(table.values, place, GRANTING_KEYS).flag("deny")
    table = Table(table.values, place, DENYING_KEYS if deny else GRANTING_KEYS)
    for key in GRANTING_KEYS:
        if deny and key.name in table.values and key.name not in table.keys:
            raise table.error(
                f"{key.name} limits what a rule grants, and a rule with deny grants nothing"
            )
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
    unless_claims = table.claims("unless_claims") if deny else {}
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
        claims=table.claims("claims"),
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
        callees=_callees(table, has_rooms=bool(rooms)),
    )


def _callees(table: Table, *, has_rooms: bool) -> tuple[Pattern, ...]:
    callees = _patterns(table, "callees") or ()
    if callees and not has_rooms:
        raise table.error("callees is for calls, which have a room: set rooms")
    return callees


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


#: The room of an example's call. The service makes the id of each new one.
_ROOM_OF_A_CALL: Final = f"call_{32 * '0'}"


def _request(table: Table) -> TokenRequest:
    table.refuse_unknown_keys()
    room_id = _identifier(table, "room_id")
    callees = _requested_callees(table)
    if callees:
        if room_id is not None:
            raise table.error("callees makes it a call, whose room is new: leave out room_id")
        room_id = _ROOM_OF_A_CALL
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
        callees=callees,
    )


def _requested_callees(table: Table) -> tuple[str, ...]:
    if not table.has("callees"):
        return ()
    callees = table.texts("callees")
    if len(callees) > MAX_CALLEES or len(set(callees)) < len(callees):
        raise table.error(f"callees must list 1 to {MAX_CALLEES} different users")
    try:
        return tuple(identifiers.check("user_id", callee) for callee in callees)
    except IdentifierError as error:
        raise table.error(f"callees: {error}") from None


def _identifier(table: Table, name: IdentifierKind) -> str | None:
    try:
        return identifiers.check(name, table.text(name)) if table.has(name) else None
    except IdentifierError as error:
        raise table.error(str(error)) from None
