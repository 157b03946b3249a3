"""Decides what a caller may get, by an access policy. The first rule that matches decides.

A rule *matches* by caller, claims, user and room; the matching rule then *limits* what the token
may allow and how long it lives. A request for more than its rule grants is refused; it does not
fall through to the next rule. The rules themselves are data: see :mod:`zego.policy.file`.
"""

from __future__ import annotations

from typing import Final

from zego import identifiers
from zego.identifiers import IdentifierError
from zego.policy.model import (
    AccessPolicy,
    Caller,
    Claim,
    Grant,
    Privilege,
    Refusal,
    Rule,
    TokenRequest,
    not_granted,
)
from zego.policy.patterns import Values

#: The lifetime of a token if the request names none, in seconds.
DEFAULT_LIFETIME_SECONDS: Final = 7200


def decide(policy: AccessPolicy, caller: Caller, request: TokenRequest) -> Grant | Refusal:
    """Grant the request, or refuse it.

    A refusal is ``not_granted``, or has a code that the caller can act on:
    ``lifetime_out_of_range``, ``invalid_stream_ids``.
    """
    user_id = request.user_id if caller.user_id is None else caller.user_id
    if user_id is None:
        return not_granted("the request names no user")
    values = _values(caller, user_id)
    for rule in policy.rules:
        if _matches(rule, caller, user_id, request.room_id, values):
            return _bound(rule, user_id, request, values)
    return not_granted("no rule matches")


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


def _bound(rule: Rule, user_id: str, request: TokenRequest, values: Values) -> Grant | Refusal:
    if rule.deny:
        return not_granted("the rule denies", rule.name)
    privileges = rule.privileges if request.privileges is None else request.privileges
    if not privileges <= rule.privileges:
        beyond = ", ".join(sorted(privileges - rule.privileges))
        return not_granted(f"the rule does not grant {beyond}", rule.name)
    lifetime = request.lifetime_seconds
    if lifetime is None:
        lifetime = min(DEFAULT_LIFETIME_SECONDS, rule.max_lifetime_seconds)
    elif lifetime > rule.max_lifetime_seconds:
        detail = f"lifetime_seconds may be at most {rule.max_lifetime_seconds} here."
        return Refusal("lifetime_out_of_range", detail, detail, "lifetime_seconds", rule.name)
    streams = _streams(rule, privileges, request.stream_ids, values)
    if isinstance(streams, Refusal):
        return streams
    return Grant(rule.name, user_id, request.room_id, privileges, streams, lifetime)


def _streams(
    rule: Rule,
    privileges: frozenset[Privilege],
    requested: tuple[str, ...] | None,
    values: Values,
) -> tuple[str, ...] | Refusal | None:
    if rule.streams is None or "publish" not in privileges:
        return requested
    if requested is None:
        return _literal_streams(rule, values)
    for stream_id in requested:
        if not any(pattern.matches(stream_id, values) for pattern in rule.streams):
            return not_granted("the rule does not grant one of the stream ids", rule.name)
    return requested


def _literal_streams(rule: Rule, values: Values) -> tuple[str, ...] | Refusal:
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
    return Refusal("invalid_stream_ids", detail, detail, "stream_ids", rule.name)


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
