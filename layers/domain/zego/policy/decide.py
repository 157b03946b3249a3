"""Decides what a caller may get, by an access policy. The first rule that matches decides.

A rule *matches* by caller, claims, user and room; the matching rule then *limits* what the token
may allow and how long it lives. A request for more than its rule grants is refused; it does not
fall through to the next rule. The rules themselves are data: see :mod:`zego.policy.file`.
"""

from __future__ import annotations

import math
from typing import Final, Literal, cast

from zego import identifiers
from zego.identifiers import IdentifierError
from zego.policy import claims
from zego.policy.model import (
    MIN_LIFETIME_SECONDS,
    AccessPolicy,
    Caller,
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


#: How far the clocks of the service and an identity provider may differ.
LEEWAY_SECONDS: Final = 60

#: The key of a rule because of which it does not match.
Mismatch = Literal["callers", "claims", "unless_claims", "users", "rooms", "identity_tokens"]


def decide(
    policy: AccessPolicy, caller: Caller, request: TokenRequest, *, now: float
) -> Grant | Refusal:
    """Grant the request, or refuse it.

    A refusal is ``not_granted``, or has a code that the caller can act on:
    ``lifetime_out_of_range``, ``invalid_stream_ids``, ``invalid_callees``,
    ``bearer_session_ended``, and of a claim that does not tell when the session began
    ``bearer_missing_claim``, ``bearer_malformed`` and ``bearer_not_yet_valid``.

    :param now: Unix seconds.
    """
    user_id = request.user_id if caller.user_id is None else caller.user_id
    if user_id is None:
        return not_granted("the request names no user")
    values = values_of(caller, user_id)
    for rule in policy.rules:
        if mismatch(rule, caller, user_id, request.room_id, values) is None:
            return _bound(policy, rule, caller, user_id, request, values, now)
    return not_granted("no rule matches")


def mismatch(
    rule: Rule, caller: Caller, user_id: str, room_id: str | None, values: Values
) -> Mismatch | None:
    """The first key of the rule because of which it does not match; ``None`` if it matches.

    :param values: see :func:`values_of`.
    """
    holds = claims.resembles if rule.deny else claims.equals
    given = caller.claims
    if caller.identity not in rule.callers:
        return "callers"
    if not all(holds(name, given.get(name), wanted) for name, wanted in rule.claims.items()):
        return "claims"
    if rule.unless_claims and all(
        claims.equals(name, given.get(name), wanted) for name, wanted in rule.unless_claims.items()
    ):
        return "unless_claims"
    if not any(pattern.matches(user_id, values) for pattern in rule.users):
        return "users"
    if room_id is None:
        return None if rule.identity_tokens else "identity_tokens"
    return None if any(pattern.matches(room_id, values) for pattern in rule.rooms) else "rooms"


def values_of(caller: Caller, user_id: str) -> Values:
    """The values of the placeholders."""

    def value(name: str) -> str | None:
        if name == "user_id":
            return user_id
        claim = caller.claims.get(name.removeprefix("claims."))
        return claim if isinstance(claim, str) else None

    return value


def _bound(
    policy: AccessPolicy,
    rule: Rule,
    caller: Caller,
    user_id: str,
    request: TokenRequest,
    values: Values,
    now: float,
) -> Grant | Refusal:
    refusal = _beyond(rule, user_id, request, values)
    if refusal is not None:
        return refusal
    privileges = rule.privileges if request.privileges is None else request.privileges
    lifetime = request.lifetime_seconds
    if lifetime is None:
        lifetime = min(DEFAULT_LIFETIME_SECONDS, rule.max_lifetime_seconds)
    elif lifetime > rule.max_lifetime_seconds:
        detail = f"lifetime_seconds may be at most {rule.max_lifetime_seconds} here."
        return Refusal("lifetime_out_of_range", detail, detail, "lifetime_seconds", rule.name)
    left = _session_left(policy, rule, caller, now)
    if isinstance(left, Refusal):
        return left
    if left is not None:
        lifetime = min(lifetime, left)
    streams = _streams(rule, privileges, request.stream_ids, values)
    if isinstance(streams, Refusal):
        return streams
    return Grant(
        rule.name,
        user_id,
        request.room_id,
        privileges,
        streams,
        lifetime,
        rule.max_tokens_per_hour,
    )


def _beyond(rule: Rule, user_id: str, request: TokenRequest, values: Values) -> Refusal | None:
    """The refusal of privileges or callees that the rule does not grant."""
    if rule.deny:
        unless = f", because of the claim {' or '.join(rule.unless_claims)}"
        return not_granted(f"the rule denies{unless if rule.unless_claims else ''}", rule.name)
    beyond = (request.privileges or rule.privileges) - rule.privileges
    if beyond:
        return not_granted(f"the rule does not grant {', '.join(sorted(beyond))}", rule.name)
    if user_id in request.callees:
        detail = "callees contains the caller: leave out the user who makes the call."
        return Refusal("invalid_callees", detail, detail, "callees", rule.name)
    for callee in request.callees:
        if not any(pattern.matches(callee, values) for pattern in rule.callees):
            return not_granted(f"the rule does not let {user_id} call {callee}", rule.name)
    return None


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


def _session_left(
    policy: AccessPolicy, rule: Rule, caller: Caller, now: float
) -> int | Refusal | None:
    """The seconds that are left of the user's session; ``None``: it has no end."""
    if rule.max_session_seconds is None:
        return None
    names = (one.session_start_claim for one in policy.bearers if one.name == caller.identity)
    name = next(names, "")
    began = caller.claims.get(name)
    if began is None:
        code = "bearer_missing_claim"
        detail = f"The bearer token must have the claim {name}, the time when its user signed in."
    elif type(began) not in (int, float) or began in (math.inf, -math.inf):
        code, detail = "bearer_malformed", f"The bearer token's {name} is not a time in seconds."
    elif (ends := cast("float", began) + rule.max_session_seconds) >= now + MIN_LIFETIME_SECONDS:
        if ends <= now + LEEWAY_SECONDS + rule.max_session_seconds:
            return int(ends - now)
        code, detail = "bearer_not_yet_valid", f"The bearer token's {name} is in the future."
    else:
        code, detail = "bearer_session_ended", "The user's session has ended. Sign in again."
    return Refusal(code, detail, detail, rule=rule.name)
