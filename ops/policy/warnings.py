"""Finds what is valid in an access policy and probably not meant.

Each warning names an identity or a rule, says what it does, and what to write instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from zego.policy.model import AccessPolicy, BearerIdentity, Rule
from zego.policy.patterns import Pattern, parse

_ALL = parse("*")
#: Claims that many providers let users change. OpenID Connect Core 1.0, section 5.7, says that only
#: sub, together with iss, identifies a user.
_CHANGEABLE: Final = frozenset({"preferred_username", "nickname", "name", "upn", "phone_number"})


def warnings(policy: AccessPolicy, identity_tokens: Collection[str | None] = ()) -> list[str]:
    """The warnings about a policy: of its identities, then of its rules, in their order.

    :param identity_tokens: the rules that grant a token without a room in an example. Such an
        example says that the author means it.
    """
    roles = frozenset(identity.name for identity in policy.roles.values())
    backends = roles | {identity.name for identity in policy.bearers if identity.names_users}
    found = [
        f"identities.{identity.name}: {text}"
        for identity in policy.bearers
        for text in _about_identity(identity)
    ]
    for number, rule in enumerate(policy.rules, start=1):
        texts = [*_about(rule, roles, backends, is_meant=rule.name in identity_tokens)]
        texts += _old_sessions(policy, rule)
        if rule.identity_tokens and not rule.deny:
            texts += _opened(policy, number - 1)
        found += [f"rules[{number}] {rule.name!r}: {text}" for text in texts]
    return found


def _about_identity(identity: BearerIdentity) -> Iterator[str]:
    name, required = identity.user_id_claim, identity.required_claims
    if identity.names_users:
        if not identity.shared_key and identity.audience_claim == "aud" and not required:
            yield (
                "a user who gets a token for this audience could name every user, as the backend"
                " does; check the client (audience_claim), or a claim that only its tokens have"
                " (required_claims)"
            )
    elif name in _CHANGEABLE:
        yield f"user_id_claim: users can change {name} at many providers, and so their user id"
    elif name == "email" and required.get("email_verified") != (True,):
        yield (
            "user_id_claim: at many providers users can enter any email;"
            " required_claims = { email_verified = true } accepts only verified ones"
        )


def _about(
    rule: Rule, roles: frozenset[str], backends: frozenset[str], *, is_meant: bool
) -> Iterator[str]:
    if rule.deny:
        yield from _missing_claims(rule)
    else:
        yield from _open_bounds(rule, backends, is_meant=is_meant)
        yield from _short_session(rule)
    if rule.claims and (without := sorted(rule.callers & roles)):
        yield f"never matches {' and '.join(without)}, because a role has no claims"
    keys = {"users": rule.users, "rooms": rule.rooms, "callees": rule.callees}
    for key, patterns in (keys | {"stream_ids": rule.streams or ()}).items():
        yield from _redundant(key, patterns)


def _missing_claims(rule: Rule) -> Iterator[str]:
    for name, values in rule.claims.items():
        flags = [value for value in values if isinstance(value, bool)]
        if flags and name not in rule.unless_claims:
            opposite = str(not flags[0]).lower()
            yield (
                f"does not refuse a caller whose token lacks {name}; unless_claims ="
                f" {{ {name} = {opposite} }} in place of claims does"
            )


def _open_bounds(rule: Rule, backends: frozenset[str], *, is_meant: bool) -> Iterator[str]:
    if any(pattern.text == "{user_id}" for pattern in rule.users):
        yield (
            'users = ["{user_id}"] bounds nothing: it is the user whom the request names; write'
            ' "*" for every user'
        )
    everywhere = _all_covered(rule.rooms)
    if rule.identity_tokens and rule.rooms and not everywhere and not is_meant:
        yield (
            "rooms bounds nothing: with identity_tokens the same callers get a token without a"
            " room, which opens every room. If you mean that, add an example that grants one"
        )
    anybody = not rule.claims and _all_covered(rule.users)
    if everywhere and anybody and (users := sorted(rule.callers - backends)):
        yield f'rooms = ["*"] lets every user of {" and ".join(users)} into every room'
    if rule.callees and not any(_may_be_a_calls(room) for room in rule.rooms):
        yield "callees has no effect: rooms does not match the rooms of calls, call_*"
    if rule.streams is not None and _all_covered(rule.streams):
        yield 'stream_ids = ["*"] bounds nothing; leave it out'


def _short_session(rule: Rule) -> Iterator[str]:
    session = rule.max_session_seconds
    if session is not None and session < rule.max_lifetime_seconds:
        yield (
            f"max_session_seconds ({session}) is shorter than max_lifetime_seconds"
            f" ({rule.max_lifetime_seconds}), so no token lives that long"
        )


def _old_sessions(policy: AccessPolicy, rule: Rule) -> Iterator[str]:
    for identity in policy.bearers:
        oldest, session = identity.max_age_seconds, rule.max_session_seconds
        if identity.name in rule.callers and oldest and session and oldest < session:
            yield (
                f"max_session_seconds ({session}) bounds nothing for {identity.name}, whose bearer"
                f" tokens are refused after max_age_seconds ({oldest})"
            )


def _redundant(key: str, patterns: Collection[Pattern]) -> Iterator[str]:
    for pattern in patterns:
        for other in patterns:
            if other is not pattern and other.covers(pattern):
                yield f"{key}: {pattern.text!r} has no effect because of {other.text!r}"
                break


def _opened(policy: AccessPolicy, position: int) -> Iterator[str]:
    """The rules that deny rooms which this rule's identity tokens open all the same."""
    rule = policy.rules[position]
    for at, other in enumerate(policy.rules):
        is_stopped = at < position and other.identity_tokens
        if other.deny and other.rooms and other.callers & rule.callers and not is_stopped:
            yield (
                f"its identity tokens open the rooms that {other.name!r} denies; put that rule"
                " before this one, without identity_tokens = false"
            )


def _may_be_a_calls(room: Pattern) -> bool:
    """Whether it may match the room of a call. What a placeholder stands for is not known."""
    return room.has_placeholder or room.matches(f"call_{32 * '0'}", lambda _name: None)


def _all_covered(patterns: Collection[Pattern]) -> bool:
    return any(pattern.covers(_ALL) for pattern in patterns)
