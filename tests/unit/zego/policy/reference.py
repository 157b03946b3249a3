"""What an access policy means, written from docs/access-policy.md alone and not from the code.

It reads the policy as plain TOML data, tries things out where the code calculates, and is slow. A
refusal has every code that the document allows: the document does not say which check comes first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Table = Mapping[str, Any]

SCOPES = ("scope", "scp")
TRUE, FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
VARIABLE = re.compile(r"(\*|\{[^}]*\})")
BOTH = ("login", "publish")
STREAM_ID = re.compile(r"[0-9A-Za-z_-]{1,255}")


@dataclass(frozen=True)
class Asker:
    """Who calls: claims only if with a bearer token."""

    identity: str
    user: str
    claims: Table


@dataclass(frozen=True)
class Granted:
    """A token for the user and the room of the request."""

    rule: str
    privileges: frozenset[str]
    streams: tuple[str, ...] | None
    lifetime: int


@dataclass(frozen=True)
class Refused:
    """No token, for at least one of the reasons that the codes name."""

    rule: str | None
    codes: frozenset[str]


def decision(policy: Table, asker: Asker, request: Table, now: float) -> Granted | Refused:
    """What the policy gives."""
    for rule in policy["rules"]:
        if matches(rule, asker, request.get("room_id")):
            return limited(policy, rule, asker, request, now)
    return Refused(None, frozenset({"not_granted"}))


# --- Whether a rule matches ---------------------------------------------------------------------


def matches(rule: Table, asker: Asker, room: str | None) -> bool:
    """The first group of keys."""
    denies = rule.get("deny", False)
    has_claim = means if denies else equals
    if asker.identity not in rule["callers"]:
        return False
    for name, wanted in rule.get("claims", {}).items():
        if not any(has_claim(asker.claims, name, one) for one in _listed(wanted)):
            return False
    if unless := rule.get("unless_claims", {}):
        held = [
            name
            for name, wanted in unless.items()
            if any(equals(asker.claims, name, one) for one in _listed(wanted))
        ]
        if len(held) == len(unless):
            return False
    if not one_fits(rule.get("users", ["*"]), asker.user, asker):
        return False
    if room is None:
        return bool(rule.get("identity_tokens", denies))
    return one_fits(rule.get("rooms", ["*"] if denies else []), room, asker)


def equals(claims: Table, name: str, wanted: object) -> bool:
    """Same type, same value: of the claim, of an item of a list, of one scope."""
    claim = claims.get(name)
    if claim is None:
        return False
    if name in SCOPES and isinstance(claim, str):
        return wanted in claim.split()
    candidates = claim if isinstance(claim, list) else [claim]
    return any(type(one) is type(wanted) and one == wanted for one in candidates)


def means(claims: Table, name: str, wanted: object) -> bool:
    """Any spelling, at any depth; a boolean also by what is not clearly the other one."""
    for found in _deep(claims.get(name)):
        texts = [_text(found)]
        if name in SCOPES and isinstance(found, str):
            texts += [_text(one) for one in found.split()]
        for text in texts:
            if wanted is True and text not in FALSE:
                return True
            if wanted is False and text not in TRUE:
                return True
            if text == _text(wanted):
                return True
            if any(text in same and _text(wanted) in same for same in (TRUE, FALSE)):
                return True
    return False


def _deep(claim: Any) -> Iterator[Any]:
    if isinstance(claim, dict):
        claim = list(claim.values())
    if isinstance(claim, list):
        for one in claim:
            yield from _deep(one)
    elif claim is not None:
        yield claim


def _text(value: object) -> str:
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return str(value).lower().strip()


def _listed(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


# --- Patterns -----------------------------------------------------------------------------------


def one_fits(patterns: Sequence[str], text: str, asker: Asker) -> bool:
    """Whether one of the patterns matches the whole text."""
    return any(
        parts is not None and fits(parts, text)
        for parts in (filled(pattern, asker) for pattern in patterns)
    )


def fits(parts: Sequence[str], text: str) -> bool:
    """Whether the text is the parts with anything between them."""
    if len(parts) == 1:
        return text == parts[0]
    if not text.startswith(parts[0]):
        return False
    rest = text[len(parts[0]) :]
    return any(fits(parts[1:], rest[skipped:]) for skipped in range(len(rest) + 1))


def filled(pattern: str, asker: Asker) -> list[str] | None:
    """The texts between the stars; ``None`` if a placeholder has no value, or one that may not be.

    A pattern like ``a{user_id}.*`` comes apart into ``a``, ``{user_id}``, ``.``, ``*`` and an empty
    text: every second part is a star or a placeholder.
    """
    parts = VARIABLE.split(pattern)
    last_star = max((at for at, part in enumerate(parts) if part == "*"), default=-1)
    texts = [parts[0]]
    for at in range(1, len(parts), 2):
        before, variable, after = parts[at - 1 : at + 2]
        if variable == "*":
            texts.append(after)
            continue
        value = _value(variable[1:-1], asker)
        if not value:
            return None
        is_behind = -1 < last_star < at
        separated = before + value if is_behind else value + after
        separator = before if is_behind else after
        if (is_behind or at + 2 < len(parts)) and _count(separator, separated) != 1:
            return None
        texts[-1] += value + after
    return texts


def _value(name: str, asker: Asker) -> str | None:
    if name == "user_id":
        return asker.user
    value = asker.claims.get(name.removeprefix("claims."))
    return value if isinstance(value, str) else None


def _count(part: str, text: str) -> int:
    return sum(text.startswith(part, at) for at in range(len(text)))


# --- What the token may be ----------------------------------------------------------------------


def limited(
    policy: Table, rule: Table, asker: Asker, request: Table, now: float
) -> Granted | Refused:
    """The second group of keys."""
    if rule.get("deny", False):
        return Refused(rule["name"], frozenset({"not_granted"}))
    codes = _of_callees(rule, asker, request.get("callees", []))
    may = rule.get("privileges", BOTH)
    privileges = request.get("privileges", may)
    if not set(privileges) <= set(may):
        codes.add("not_granted")
    longest = rule["max_lifetime_seconds"]
    lifetime = request.get("lifetime_seconds", min(7200, longest))
    if lifetime > longest:
        codes.add("lifetime_out_of_range")
    if "max_session_seconds" in rule:
        left = _session_left(policy, rule, asker, now)
        if isinstance(left, str):
            codes.add(left)
        else:
            lifetime = min(lifetime, left)
    streams = request.get("stream_ids")
    if "stream_ids" in rule and "publish" in privileges:
        streams = _streams(rule["stream_ids"], streams, asker)
        if isinstance(streams, str):
            codes.add(streams)
    if codes:
        return Refused(rule["name"], frozenset(codes))
    names = None if streams is None else tuple(streams)
    return Granted(rule["name"], frozenset(privileges), names, lifetime)


def _of_callees(rule: Table, asker: Asker, callees: Sequence[str]) -> set[str]:
    """The codes of callees that the rule does not grant."""
    codes = set()
    if asker.user in callees:
        codes.add("invalid_callees")
    if not all(one_fits(rule.get("callees", []), one, asker) for one in callees):
        codes.add("not_granted")
    return codes


def _session_left(policy: Table, rule: Table, asker: Asker, now: float) -> int | str:
    """Seconds, or a code."""
    identity = policy["identities"][asker.identity]
    began = asker.claims.get(identity.get("session_start_claim", "auth_time"))
    if began is None:
        return "bearer_missing_claim"
    if isinstance(began, bool) or not isinstance(began, int | float):
        return "bearer_malformed"
    if began > now + 60:
        return "bearer_not_yet_valid"
    left = int(began + rule["max_session_seconds"] - now)
    return left if left >= 60 else "bearer_session_ended"


def _streams(patterns: Sequence[str], asked: list[str] | None, asker: Asker) -> list[str] | str:
    """Stream ids, or a code."""
    if asked is not None:
        are_granted = all(one_fits(patterns, one, asker) for one in asked)
        return asked if are_granted else "not_granted"
    streams: list[str] = []
    for pattern in patterns:
        parts = filled(pattern, asker)
        if parts is None or len(parts) > 1 or not STREAM_ID.fullmatch(parts[0]):
            return "invalid_stream_ids"
        if parts[0] not in streams:
            streams.append(parts[0])
    return streams
