"""Warnings about policies: what is valid and probably not meant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.policy.check import check

IDENTITIES = """
[identities.web]
issuer = "https://login.example.com/"
audience = ["https://calls.example.com"]
jwks_uri = "https://login.example.com/jwks.json"
[identities.fresh]
issuer = "https://banking.example.com/"
audience = ["https://calls.example.com"]
jwks_uri = "https://banking.example.com/jwks.json"
user_ids = "hashed"
max_age_seconds = 9000
[identities.server]
issuer = "https://machines.example.com/"
audience_claim = "azp"
audience = ["calls-backend"]
jwks_uri = "https://machines.example.com/jwks.json"
names_users = true
[identities.backend]
role = "arn:aws:iam::111122223333:role/CallBackend"
"""
GRANT = """
[[rules]]
name = "members"
callers = ["web"]
rooms = ["call_*"]
max_lifetime_seconds = 7200
"""
BACKEND = GRANT.replace("members", "servers").replace("web", "backend") + 'users = ["bot_*"]\n'
DENY = """
[[rules]]
name = "no"
callers = ["web"]
rooms = ["call_vip_*"]
deny = true
"""
CHAT = GRANT.replace("members", "chat").replace('rooms = ["call_*"]', "identity_tokens = true")
ROOM_AND_CHAT = f"{GRANT}identity_tokens = true\n"
CHATS = """
[[examples]]
description = "a member chats"
caller = "web"
claims = { sub = "alice" }
expect = "granted"
"""


def warnings(tmp_path: Path, rules: str, identities: str = IDENTITIES) -> tuple[str, ...]:
    path = tmp_path / "policy.toml"
    path.write_text(identities + rules, encoding="utf-8")
    found = check(path)
    assert found.mistakes == ()
    return found.warnings


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (
            f"{CHAT}{DENY}",
            r"rules\[1\] 'chat': its identity tokens open the rooms that 'no' denies",
        ),
        (f"{DENY}identity_tokens = false\n{CHAT}", r"rules\[2\] 'chat': its identity tokens open"),
        (ROOM_AND_CHAT, "'members': rooms bounds nothing: with identity_tokens"),
        (BACKEND.replace("bot_*", "{user_id}"), r"'servers': users = \[\"{user_id}\"\] bounds"),
        (GRANT.replace("call_*", "*"), "lets every user of web into every room"),
        (
            GRANT.replace('"call_*"', '"call_*", "call_1"'),
            "'call_1' has no effect because of 'call_",
        ),
        (f'{GRANT}stream_ids = ["*"]', r'stream_ids = \["\*"\] bounds nothing'),
        (
            f'{GRANT.replace("call_*", "lobby")}callees = ["*"]',
            "'members': callees has no effect: rooms does not match the rooms of calls",
        ),
        (f'{GRANT}callees = ["a*", "al*"]', r"callees: 'al\*' has no effect because of 'a\*'"),
        (f"{GRANT}max_session_seconds = 3600", "is shorter than max_lifetime_seconds"),
        (
            f"{GRANT.replace('web', 'fresh')}max_session_seconds = 9001",
            "bounds nothing for fresh, whose bearer tokens are refused after max_age_seconds",
        ),
        (f"{BACKEND}claims = {{ a = 1 }}", "never matches backend, because a role has no claims"),
        (
            f"{DENY}claims = {{ suspended = true }}",
            "whose token lacks suspended; unless_claims = { suspended = false } in place of claims",
        ),
    ],
)
def test_what_is_probably_not_meant_is_named(tmp_path: Path, rules: str, words: str) -> None:
    (warning,) = warnings(tmp_path, rules)
    assert warning.startswith("policy.toml: rules[")
    assert re.search(words, warning), warning


@pytest.mark.parametrize(
    "rules",
    [
        GRANT,
        CHAT,
        BACKEND,
        f'{DENY}claims = {{ plan = "trial" }}{CHAT}',
        DENY + GRANT,
        f"{DENY.replace('web', 'backend')}{CHAT}",
        ROOM_AND_CHAT + CHATS,
        BACKEND.replace("bot_*", "*").replace("call_*", "*"),
        f'{GRANT.replace("call_*", "*")}claims = {{ role = "admin" }}',
        f'{GRANT.replace("call_*", "*")}users = ["admin_*"]',
        f'{GRANT.replace("call_*", "*").replace("web", "server")}users = ["*"]',
        f'{GRANT.replace("web", "server")}users = ["*"]\nclaims = {{ a = 1 }}',
        f'{GRANT}stream_ids = ["{{user_id}}_*"]',
        f'{GRANT}callees = ["*"]',
        f'{GRANT.replace("call_*", "{claims.room}")}callees = ["*"]',
        f"{GRANT}max_session_seconds = 7200",
        f"{GRANT.replace('web', 'fresh')}max_session_seconds = 9000",
        f"{DENY}unless_claims = {{ suspended = false }}",
        f'{DENY}claims = {{ plan = "trial" }}',
        f"{DENY}claims = {{ a = true }}\nunless_claims = {{ a = false }}",
    ],
)
def test_what_may_well_be_meant_is_not(tmp_path: Path, rules: str) -> None:
    assert warnings(tmp_path, rules) == ()


def test_an_example_of_a_room_does_not_show_that_open_rooms_are_meant(tmp_path: Path) -> None:
    room = f'{CHATS}request = {{ room_id = "call_1" }}'
    (warning,) = warnings(tmp_path, ROOM_AND_CHAT + room)
    assert "'members': rooms bounds nothing" in warning


MACHINES = """
[identities.server]
issuer = "https://machines.example.com/"
audience = ["calls-backend"]
"""
APP = """
[identities.app]
shared_key = "calls/session-key"
issuer = "calls-app"
"""


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (f"{MACHINES}names_users = true", "identities.server: a user who gets a token for this"),
        (f'{MACHINES}names_users = true\nscope = ["calls"]', "could name every user"),
        (f'{MACHINES}user_id_claim = "preferred_username"', "users can change preferred_username"),
        (f'{APP}user_id_claim = "email"', "identities.app: user_id_claim: at many providers"),
    ],
)
def test_an_identity_that_a_user_can_take_is_named(
    tmp_path: Path, identity: str, words: str
) -> None:
    (warning,) = warnings(tmp_path, "", identity)
    assert words in warning


@pytest.mark.parametrize(
    "identity",
    [
        MACHINES,
        f'{MACHINES}names_users = true\naudience_claim = "azp"',
        f'{MACHINES}names_users = true\nrequired_claims = {{ gty = "client-credentials" }}',
        f"{APP}names_users = true",
        f'{APP}user_id_claim = "email"\nrequired_claims = {{ email_verified = true }}',
        f'{MACHINES}user_id_claim = "oid"',
    ],
)
def test_an_identity_that_users_cannot_take_is_not(tmp_path: Path, identity: str) -> None:
    assert warnings(tmp_path, "", identity) == ()


def test_an_example_of_another_rule_does_not_show_that_open_rooms_are_meant(
    tmp_path: Path,
) -> None:
    (warning,) = warnings(tmp_path, CHAT + ROOM_AND_CHAT + CHATS)
    assert "'members': rooms bounds nothing" in warning
