"""Random policies and requests: the code decides as a second implementation of the document does.

``reference.py`` is that implementation. The generator draws from few names, claims and texts, so
that rules match often, in each way, and just miss.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.support.tiers import seed, tier
from tests.unit.zego.policy import reference
from tests.unit.zego.policy.reference import Asker, Granted, Refused
from zego.policy import file as policy_file
from zego.policy.decide import decide
from zego.policy.file import PolicyError
from zego.policy.model import Caller, Grant, Privilege, Refusal, TokenRequest

pytestmark = pytest.mark.exhaustive

POLICIES = tier(test=500, prove=20_000)
REQUESTS = tier(test=20, prove=50)
NOW = 1_700_000_000.0

IDENTITIES = {
    "web": {
        "issuer": "https://login.example.com/",
        "audience": ["a"],
        "jwks_uri": "https://login.example.com/keys",
    },
    "partner": {
        "issuer": "https://partner.example.com/",
        "audience": ["a"],
        "jwks_uri": "https://partner.example.com/keys",
        "user_ids": "hashed",
        "session_start_claim": "logged_in",
    },
    "machine": {
        "issuer": "https://machines.example.com/",
        "audience": ["a"],
        "jwks_uri": "https://machines.example.com/keys",
        "names_users": True,
    },
    "backend": {"role": "arn:aws:iam::111122223333:role/Backend"},
}
#: They name the user in the request.
BACKENDS = ("machine", "backend")
USERS = ["al", "al.ice", "al-", "a-", "-a", "bob", "*", "a_1", "a", "a--b", ".", "al_"]
TEAMS = ["red", "red.1", "*", "a-", "", 7, ["red"], None]
ROOMS = [
    *("call_1", "call_", "team.red.1", "team.red", "al.1", "al.ice.1", "al--1", "a---1", "bob"),
    *("lobby", "red-al", "1.al", "1--a", "1---a", "*", "x*y", "al_red", "al_1_red", "team.*.1"),
    *("team..1", "-al", "al_"),
]
ROOM_PATTERNS = [
    *("*", "call_*", "lobby", "call_1", "*_1", "*a*", "**", "x*y", "team.{claims.team}.*"),
    *("{user_id}.*", "{user_id}--*", "{user_id}", "*.{user_id}", "*--{user_id}"),
    *("{user_id}_{claims.team}", "*-{user_id}-{claims.team}", "{claims.team}-{user_id}", "*.1"),
]
DENIED_PATTERNS = [pattern for pattern in ROOM_PATTERNS if "{" not in pattern]
USER_PATTERNS = ["*", "al*", "a*", "bob", "*_1", "*.*", "al.ice"]
CALLEE_PATTERNS = ["*", "a*", "bob", "{user_id}.*", "{user_id}_1", "*-{claims.team}"]
STREAMS = ["al_cam", "bob_cam", "cam", "al", "a_1", "red", "al_"]
STREAM_PATTERNS = ["*", "{user_id}_*", "{user_id}_cam", "cam", "{user_id}", "{claims.team}", "a*"]
#: Values for the policy and the claims: equal, equal but for their spelling, and different.
VALUES: list[Any] = [True, False, 1, 0, 1.5, "true", "False", "1", "0", "red", "Red", "no", "yes"]
SPELLED: list[Any] = [
    *(" TRUE ", "off", "on", 1.0, 0.0, "1.5", [], {}, [True], ["red", "x"], [[False]], [None]),
    *({"value": True}, {"a": [{"b": "RED"}]}, "", "x", 2, [1, "no"], "red x", None),
]
SCOPE_VALUES = ["calls", "guest", "chat"]
SCOPES: list[Any] = [
    *("calls", "calls guest", "guests", "Guest x", ["calls", "chat"], ["calls guest"], "", None, 1),
    *(" chat  calls ", [["guest"]], {"a": "guest chat"}),
]
TIMES: list[Any] = [
    *(NOW, NOW + 60, NOW + 61, NOW - 540, NOW - 541, NOW - 3600.5, NOW - 28_740, NOW - 28_741, 0),
    *(int(NOW), NOW * 1000, "1700000000", True, None, -5),
]
LIFETIMES = [60, 61, 600, 7200, 7201, 86_400]
CLAIMS = ("suspended", "plan")


def chance(random: Random, one_in: int) -> bool:
    return random.randrange(one_in) == 0


def some(random: Random, values: Sequence[Any], most: int = 3) -> list[Any]:
    return random.sample(values, random.randint(1, most))


def claims_of_a_rule(random: Random) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    for name in some(random, [*CLAIMS, "scope", "scp"], 2):
        values = SCOPE_VALUES if name in reference.SCOPES else VALUES
        claims[name] = random.choice(values) if chance(random, 2) else some(random, values)
    return claims


def a_rule(random: Random, name: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"name": name, "callers": some(random, [*IDENTITIES])}
    if chance(random, 2):
        rule["claims"] = claims_of_a_rule(random)
    is_for_users = not {*BACKENDS} & {*rule["callers"]}
    if not is_for_users or chance(random, 3):
        rule["users"] = some(random, USER_PATTERNS)
    if chance(random, 3):
        return rule | denying(random, has_claims="backend" not in rule["callers"])
    return rule | granting(random, is_for_users=is_for_users)


def denying(random: Random, *, has_claims: bool) -> dict[str, Any]:
    rule: dict[str, Any] = {"deny": True}
    if chance(random, 2):
        rule["rooms"] = some(random, DENIED_PATTERNS)
    if chance(random, 3):
        rule["identity_tokens"] = chance(random, 2)
    if has_claims and chance(random, 2):
        rule["unless_claims"] = claims_of_a_rule(random)
    return rule


def granting(random: Random, *, is_for_users: bool) -> dict[str, Any]:
    rule: dict[str, Any] = {"max_lifetime_seconds": random.choice(LIFETIMES)}
    rule["identity_tokens"] = identity_tokens = chance(random, 3)
    if not identity_tokens or chance(random, 2):
        rule["rooms"] = some(random, ROOM_PATTERNS)
    if not identity_tokens and chance(random, 3):
        rule["privileges"] = [random.choice(reference.BOTH)]
    if not identity_tokens and chance(random, 2):
        rule["stream_ids"] = some(random, STREAM_PATTERNS, 2)
    if "rooms" in rule and not chance(random, 3):
        rule["callees"] = some(random, CALLEE_PATTERNS)
    if is_for_users and chance(random, 3):
        rule["max_session_seconds"] = random.choice([600, 28_800])
    return rule


def a_policy(random: Random) -> dict[str, Any]:
    rules = [a_rule(random, f"rule {number}") for number in range(random.randint(1, 6))]
    return {"identities": IDENTITIES, "rules": rules}


def an_asker(random: Random) -> Asker:
    identity, user = random.choice([*IDENTITIES]), random.choice(USERS)
    if identity == "backend":
        return Asker(identity, user, {})
    claims: dict[str, Any] = {}
    for name in CLAIMS:
        claims[name] = random.choice([*VALUES, *SPELLED])
    for name in reference.SCOPES:
        claims[name] = random.choice(SCOPES)
    claims["auth_time"], claims["logged_in"] = random.choice(TIMES), random.choice(TIMES)
    claims["team"] = random.choice(TEAMS)
    for name in [*claims]:
        if chance(random, 6):
            del claims[name]
    return Asker(identity, user, claims)


def a_request(random: Random) -> dict[str, Any]:
    request: dict[str, Any] = {}
    if not chance(random, 5):
        request["room_id"] = random.choice(ROOMS)
        if chance(random, 3):
            request["privileges"] = some(random, reference.BOTH, 2)
        if chance(random, 3):
            request["stream_ids"] = some(random, STREAMS, 2)
        if chance(random, 10):
            request["callees"] = some(random, USERS, 2)
    if chance(random, 3):
        request["lifetime_seconds"] = random.choice(LIFETIMES)
    return request


def as_toml(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {as_toml(one)}' for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return json.dumps(value)


def code_decides(policy: Any, asker: Asker, request: dict[str, Any]) -> Grant | Refusal:
    is_user = asker.identity not in BACKENDS
    caller = Caller(asker.identity, "subject", asker.user if is_user else None, dict(asker.claims))
    privileges: list[Privilege] | None = request.get("privileges")
    streams: list[str] | None = request.get("stream_ids")
    asked = TokenRequest(
        user_id=None if is_user else asker.user,
        room_id=request.get("room_id"),
        privileges=None if privileges is None else frozenset(privileges),
        stream_ids=None if streams is None else tuple(streams),
        lifetime_seconds=request.get("lifetime_seconds"),
        callees=tuple(request.get("callees", ())),
    )
    return decide(policy, caller, asked, now=NOW)


def agrees(decided: Grant | Refusal, wanted: Granted | Refused) -> bool:
    if isinstance(wanted, Refused):
        return (
            isinstance(decided, Refusal)
            and decided.rule == wanted.rule
            and decided.code in wanted.codes
        )
    return isinstance(decided, Grant) and wanted == Granted(
        decided.rule,
        frozenset(decided.privileges),
        decided.stream_ids,
        decided.lifetime_seconds,
    )


def test_random_policies_decide_as_the_document_says(tmp_path: Path) -> None:
    start = seed()
    random, path = Random(start), tmp_path / "policy.toml"
    seen: Counter[str] = Counter()
    for number in range(POLICIES):
        policy = a_policy(random)
        text = "\n".join(f"{key} = {as_toml(value)}" for key, value in policy.items())
        path.write_text(text, encoding="utf-8")
        askers = [(an_asker(random), a_request(random)) for _ in range(REQUESTS)]
        try:
            loaded = policy_file.load(path)
        except PolicyError as error:
            (unreachable,) = re.findall(r"'(rule \d)' can never be reached", str(error))
            seen["unreachable"] += 1
            for asker, request in askers:
                wanted = reference.decision(policy, asker, request, NOW)
                assert wanted.rule != unreachable, (start, number, text, asker, request)
            continue
        for asker, request in askers:
            wanted = reference.decision(policy, asker, request, NOW)
            decided = code_decides(loaded, asker, request)
            assert agrees(decided, wanted), (start, number, text, asker, request, wanted, decided)
            seen["granted" if isinstance(wanted, Granted) else decided.code] += 1  # type: ignore[union-attr]
            seen["by a rule"] += wanted.rule is not None
    total = (POLICIES - seen["unreachable"]) * REQUESTS
    assert seen["unreachable"] < POLICIES / 4
    assert seen["by a rule"] > total / 6
    assert seen["granted"] > total / 20
    for code in (
        *("not_granted", "lifetime_out_of_range", "invalid_stream_ids", "bearer_missing_claim"),
        *("bearer_malformed", "bearer_not_yet_valid", "bearer_session_ended"),
        "invalid_callees",
    ):
        assert seen[code] >= 1, code
