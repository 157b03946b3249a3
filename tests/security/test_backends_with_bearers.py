"""A user never acts as a backend, and a backend with a bearer token names users in its bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.application import POLICY, Answer, Application, bearer, event
from tests.support.bearer import ISSUER, JWKS_URI

TOKENS = "POST /v1/tokens"
BATCH = "POST /v1/tokens/batch"
CALLS = "POST /v1/calls"
CALLS_IN_CAMEL_CASE = "POST /api/v1/calls/initiate"

BACKENDS = f"""
[identities.bots]
issuer = "{ISSUER}"
audience_claim = "azp"
audience = ["calls-backend"]
jwks_uri = "{JWKS_URI}"
required_claims = {{ gty = "client-credentials" }}
scope = ["tokens"]
names_users = true

[[rules]]
name = "bots name bots"
callers = ["bots"]
users = ["bot_*"]
rooms = ["*"]
max_lifetime_seconds = 600
"""
#: The claims by which a token is a backend's.
PROOF = {"azp": "calls-backend", "gty": "client-credentials", "scope": "read tokens"}


@pytest.fixture
def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    return Application(tmp_path, monkeypatch, policy_text=POLICY + BACKENDS)


def backend(**changes: object) -> str:
    """Returns the token of a backend. Its audience is not that of users."""
    return bearer(**{"aud": "machines", "sub": "machine"} | PROOF | changes)


def send(issuer: Application, route: str, body: Any, token: str) -> Answer:
    return issuer.handle(event(route, body, bearer=token))


def outcome(answer: Answer) -> object:
    return answer.document.get("code", answer.status)


@pytest.mark.parametrize("route", [TOKENS, CALLS, CALLS_IN_CAMEL_CASE])
class TestOneToken:
    def test_a_user_cannot_name_a_user(self, issuer: Application, route: str) -> None:
        for user_id in ("alice", "bob", "bot_1", None):
            answer = send(issuer, route, {"user_id": user_id}, bearer())
            assert (outcome(answer), answer.document["field"]) == ("unknown_field", "user_id")

    def test_a_backend_must_name_one(self, issuer: Application, route: str) -> None:
        assert outcome(send(issuer, route, {}, backend())) == "missing_field"

    def test_a_backend_names_only_users_of_its_rules(self, issuer: Application, route: str) -> None:
        room = {"room_id": "x"} if route == TOKENS else {}
        for user_id, expected in (("bot_1", 201), ("alice", "not_granted")):
            answer = send(issuer, route, room | {"user_id": user_id}, backend())
            assert outcome(answer) == expected
            assert issuer.audit_events()[-1]["identity"] == "bots"
            assert issuer.audit_events()[-1]["user_id"] == user_id


class TestBatches:
    def test_a_user_gets_none_whatever_the_body(self, issuer: Application) -> None:
        for body in ({"requests": [{"user_id": "alice"}]}, "{", "x" * 200_000, None):
            assert outcome(send(issuer, BATCH, body, bearer())) == "not_granted"

    def test_each_entry_is_decided_by_itself(self, issuer: Application) -> None:
        users = [f"bot_{number}" if number % 2 else "alice" for number in range(100)]
        entries = [{"user_id": user, "room_id": "x"} for user in users]
        answer = send(issuer, BATCH, {"requests": entries}, backend())
        found = [
            (one["status"], one.get("token", {}).get("user_id"))
            for one in answer.document["results"]
        ]
        assert found == [(201, user) if user != "alice" else (403, None) for user in users]

    def test_more_than_100_are_refused(self, issuer: Application) -> None:
        answer = send(issuer, BATCH, {"requests": [{"user_id": "bot_1"}] * 101}, backend())
        assert outcome(answer) == "batch_size"


@pytest.mark.parametrize("missing", PROOF)
@pytest.mark.parametrize("other", [..., "calls-frontend", ["x"], {"calls-backend": 1}, "", 1])
def test_without_one_of_the_conditions_no_token_is_a_backends(
    issuer: Application, missing: str, other: object
) -> None:
    body = {"user_id": "bot_1", "room_id": "call_1"}
    users = {"aud": "https://calls.example.com", "sub": "mallory"}
    assert (
        outcome(send(issuer, TOKENS, body, backend(**{missing: other} | users))) == "unknown_field"
    )
    refused = send(issuer, TOKENS, body, backend(**{missing: other}))
    assert refused.status == 401


@pytest.mark.parametrize("route", [TOKENS, CALLS, BATCH])
def test_proof_comes_before_the_body(issuer: Application, route: str) -> None:
    for body in ("{", "[]", "x" * 200_000, {"no": "such field"}):
        assert send(issuer, route, body, backend(exp=1)).document["code"] == "bearer_expired"
