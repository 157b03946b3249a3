"""Decides what a caller may get, by an access policy. The first rule that matches decides.

A rule *matches* by caller, claims, user and room; the matching rule then *limits* what the token
may allow and how long it lives. A request for more than its rule grants is refused; it does not
fall through to the next rule. The rules themselves are data: see :mod:`issuer.policy_file`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from issuer.patterns import Pattern, Values
from issuer.problems import Problem
from issuer.token_request import Privilege, TokenRequest
from zego import identifiers
from zego.identifiers import IdentifierError

#: The lifetime of a token if the request names none, in seconds.
DEFAULT_LIFETIME_SECONDS: Final = 7200

Claim = str | int | float | bool


@dataclass(frozen=True, slots=True)
class OidcIdentity:
    """An identity provider whose bearer tokens are accepted.

    :ivar name: its name in the rules.
    :ivar hashed_user_ids: whether every subject gets a hashed user id; see
        :func:`zego.identifiers.user_id_for_subject`.
    """

    name: str
    issuer: str
    audience: tuple[str, ...]
    jwks_uri: str
    algorithms: tuple[str, ...]
    hashed_user_ids: bool = False


@dataclass(frozen=True, slots=True)
class RoleIdentity:
    """An IAM role that may call the service routes.

    :ivar role: ``arn:<partition>:iam::<account>:role/<name>``, without a path.
    :ivar read_status: whether it may read ``GET /v1/status``.
    :ivar diagnose_tokens: whether it may send any user's token to ``POST /v1/diagnose``.
    """

    name: str
    role: str
    read_status: bool = False
    diagnose_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    :ivar identity: the name of the identity in the policy.
    :ivar subject: the issuer and subject of a bearer token, or a role's ARN and session; for the
        audit log.
    :ivar user_id: the user that a bearer token identifies; ``None`` for a role, whose requests name
        the user.
    :ivar claims: a bearer token's verified claims.
    """

    identity: str
    subject: str
    user_id: str | None
    claims: Mapping[str, object]
    read_status: bool = False
    diagnose_tokens: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. With ``identity_tokens`` and no ``rooms`` it grants only tokens without a room.

    :ivar claims: the claims that the caller must have, each with its possible values.
    :ivar streams: the streams that may be published; ``None`` means any stream.
    """

    name: str
    callers: frozenset[str]
    claims: Mapping[str, tuple[Claim, ...]]
    users: tuple[Pattern, ...]
    rooms: tuple[Pattern, ...]
    identity_tokens: bool
    deny: bool
    privileges: frozenset[Privilege]
    streams: tuple[Pattern, ...] | None
    max_lifetime_seconds: int

    def covers(self, other: Rule) -> bool:
        """Whether the other rule, if it comes later, can never be reached."""
        return (
            other.callers <= self.callers
            and all(
                claim in other.claims and _typed(other.claims[claim]) <= _typed(values)
                for claim, values in self.claims.items()
            )
            and _all_covered(other.users, self.users)
            and _all_covered(other.rooms, self.rooms)
            and self.identity_tokens >= other.identity_tokens
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """What a rule grants a request.

    :ivar room_id: ``None`` for an identity token, which opens every room.
    :ivar stream_ids: ``None`` means any stream.
    """

    rule: str
    user_id: str
    room_id: str | None
    privileges: frozenset[Privilege]
    stream_ids: tuple[str, ...] | None
    lifetime_seconds: int


@dataclass(frozen=True, slots=True)
class AccessPolicy:
    """A policy, loaded and checked.

    :ivar sha256: the SHA-256 of its file, to compare environments.
    :ivar issuers: the OIDC identities by their issuer.
    :ivar roles: the IAM identities by their role.
    """

    sha256: str
    issuers: Mapping[str, OidcIdentity]
    roles: Mapping[str, RoleIdentity]
    rules: tuple[Rule, ...]

    def decide(self, caller: Caller, request: TokenRequest) -> Grant:
        """Grant the request, or refuse it.

        :raises Problem: ``not_granted`` (the reason goes to the audit log only), or a problem that
            the caller can fix: ``lifetime_out_of_range``, ``invalid_stream_ids``.
        """
        user_id = request.user_id if caller.user_id is None else caller.user_id
        if user_id is None:
            raise not_granted("the request names no user")
        values = _values(caller, user_id)
        for rule in self.rules:
            if _matches(rule, caller, user_id, request.room_id, values):
                return _bound(rule, user_id, request, values)
        raise not_granted("no rule matches")


def not_granted(reason: str, rule: str | None = None) -> Problem:
    """A refusal whose reason goes to the audit log only."""
    detail = (
        "The access policy does not grant this request."
        " The service's operators can find the reason in the audit log by the request id."
    )
    return Problem("not_granted", detail, reason=reason, rule=rule)


def _matches(rule: Rule, caller: Caller, user_id: str, room_id: str | None, values: Values) -> bool:
    return (
        caller.identity in rule.callers
        and all(_holds(caller.claims.get(name), wanted) for name, wanted in rule.claims.items())
        and any(pattern.matches(user_id, values) for pattern in rule.users)
        and (
            rule.identity_tokens
            if room_id is None
            else any(pattern.matches(room_id, values) for pattern in rule.rooms)
        )
    )


def _bound(rule: Rule, user_id: str, request: TokenRequest, values: Values) -> Grant:
    if rule.deny:
        raise not_granted("the rule denies", rule.name)
    privileges = rule.privileges if request.privileges is None else request.privileges
    if not privileges <= rule.privileges:
        beyond = ", ".join(sorted(privileges - rule.privileges))
        raise not_granted(f"the rule does not grant {beyond}", rule.name)
    lifetime = request.lifetime_seconds
    if lifetime is None:
        lifetime = min(DEFAULT_LIFETIME_SECONDS, rule.max_lifetime_seconds)
    elif lifetime > rule.max_lifetime_seconds:
        raise Problem(
            "lifetime_out_of_range",
            f"lifetime_seconds may be at most {rule.max_lifetime_seconds} here.",
            field="lifetime_seconds",
            rule=rule.name,
        )
    streams = _streams(rule, privileges, request.stream_ids, values)
    return Grant(rule.name, user_id, request.room_id, privileges, streams, lifetime)


def _streams(
    rule: Rule,
    privileges: frozenset[Privilege],
    requested: tuple[str, ...] | None,
    values: Values,
) -> tuple[str, ...] | None:
    if rule.streams is None or "publish" not in privileges:
        return requested
    if requested is None:
        return _literal_streams(rule, values)
    for stream_id in requested:
        if not any(pattern.matches(stream_id, values) for pattern in rule.streams):
            raise not_granted("the rule does not grant one of the stream ids", rule.name)
    return requested


def _literal_streams(rule: Rule, values: Values) -> tuple[str, ...]:
    """The streams for a request that names none: the rule's, if it names each of them exactly."""
    ids = []
    for pattern in rule.streams or ():
        literals = pattern.fill_in(values)
        if literals is None or len(literals) > 1:
            break
        try:
            ids.append(identifiers.check("stream_id", literals[0]))
        except IdentifierError:
            break
    else:
        return tuple(dict.fromkeys(ids))
    detail = "stream_ids is required here: name the streams to publish."
    raise Problem("invalid_stream_ids", detail, field="stream_ids", rule=rule.name)


def _values(caller: Caller, user_id: str) -> Values:
    def value(name: str) -> str | None:
        if name == "user_id":
            return user_id
        claim = caller.claims.get(name.removeprefix("claims."))
        return claim if isinstance(claim, str) else None

    return value


def _holds(claim: object, wanted: tuple[Claim, ...]) -> bool:
    """Whether a claim, or an item of a claim that is a list, equals one of the values."""
    present = claim if isinstance(claim, list) else [claim]
    return any(type(item) is type(value) and item == value for item in present for value in wanted)


def _typed(values: tuple[Claim, ...]) -> set[tuple[type, Claim]]:
    """The values with their types, so that ``1`` and ``true`` differ, as they do in a claim."""
    return {(type(value), value) for value in values}


def _all_covered(narrow: tuple[Pattern, ...], wide: tuple[Pattern, ...]) -> bool:
    return all(any(pattern.covers(other) for pattern in wide) for other in narrow)
