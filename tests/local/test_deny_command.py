"""Denials on the local stack, from `zego-token` to the response of the issuer and ZEGO's rooms."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from local.stack import LocalStack
from ops import cli
from ops.denials.removal import remove_from_rooms
from ops.denials.table import IN_FORCE_SECONDS
from tests.local.exchange import Answer, exchange
from tests.support.clock import ClockFile
from tests.support.service import Service, service
from tools.sam_template import ROOT

JSON = ("content-type", "application/json")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    directory = tmp_path_factory.mktemp("local")
    with LocalStack(directory=directory, workers=1, watch_seconds=None) as stack:
        yield stack


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> ClockFile:
    """The clock of the issuer's caches."""
    return ClockFile(tmp_path_factory.mktemp("clock") / "ahead")


@pytest.fixture(scope="module")
def issuer(stack: LocalStack, clock: ClockFile) -> Iterator[Service]:
    with service(stack, "aging_issuer.handler", CLOCK_FILE=str(clock.path)) as running:
        yield running


@pytest.fixture(autouse=True)
def in_a_minute(stack: LocalStack, clock: ClockFile) -> Iterator[None]:
    """The minute for which a command waits passes at once, and only for the issuer's caches.

    Each test begins without denials.
    """
    with patch.dict(remove_from_rooms.__kwdefaults__, sleep=clock.turn):
        yield
    for item in stack.dynamodb.items("denials"):
        stack.dynamodb.call("DeleteItem", Key={name: item[name] for name in ("pk", "sk")})
    clock.turn(IN_FORCE_SECONDS)


def run(stack: LocalStack, line: str) -> int:
    """Run a command on the stack, and return its exit code."""
    return cli.main([*shlex.split(line), "--local", str(stack.file)])


def token_for(issuer: Service, user: str, room: str | None = "call_1") -> Answer:
    body = {} if room is None else {"room_id": room}
    return issuer.send("POST /v1/tokens", body, bearer=issuer.bearer(sub=user))


def log_in(stack: LocalStack, user: str, room: str, token: str) -> int:
    """Log in to a room as a web client, and return ZEGO's code."""
    login = {"app_id": stack.zego.project.app_id, "user_id": user, "room_id": room, "token": token}
    answer = exchange(
        f"{stack.zego.url}/v1/rooms/login", "POST", [JSON], json.dumps(login).encode()
    )
    code: int = answer.json()["code"]
    return code


def users_in(stack: LocalStack, room: str) -> set[str]:
    return set(stack.zego.project.rooms.users(room))


class TestAUserInARoom:
    def test_is_cut_off_within_a_minute_and_comes_back_when_it_is_lifted(
        self, stack: LocalStack, issuer: Service, clock: ClockFile
    ) -> None:
        tokens = {user: token_for(issuer, user).json()["token"] for user in ("alice", "bob")}
        for user, token in tokens.items():
            assert log_in(stack, user, "call_1", token) == 0

        def alice_comes_back(seconds: float) -> None:
            assert users_in(stack, "call_1") == {"bob"}
            another = token_for(issuer, "alice")  # the issuer does not know the denial yet
            assert another.status == 201
            assert log_in(stack, "alice", "call_1", another.json()["token"]) == 0
            clock.turn(seconds)

        with patch.dict(remove_from_rooms.__kwdefaults__, sleep=alice_comes_back):
            line = "deny user alice --until 1h --reason spam --kick call_1"
            assert run(stack, line) == 0
        assert users_in(stack, "call_1") == {"bob"}
        refused = token_for(issuer, "alice")
        assert (refused.status, refused.json()["code"]) == (403, "not_granted")
        assert issuer.last_audit()["denial"] == "deny#user#alice"
        assert token_for(issuer, "bob").status == 201

        # As docs/operations.md says: a token that has not expired still opens the room.
        assert log_in(stack, "alice", "call_1", tokens["alice"]) == 0

        assert run(stack, "allow user alice --reason appeal") == 0
        clock.turn(IN_FORCE_SECONDS)
        assert token_for(issuer, "alice").status == 201


def test_a_user_who_is_signed_out_signs_in_again(
    stack: LocalStack, issuer: Service, clock: ClockFile
) -> None:
    before = issuer.bearer(sub="carol", auth_time=1_700_000_000)
    assert issuer.token(before).status == 201
    line = "deny user carol --not-before 2026-01-01T00:00:00Z --until 1d --reason theft"
    assert run(stack, line) == 0
    clock.turn(IN_FORCE_SECONDS)
    refused = issuer.token(before)
    assert (refused.status, refused.json()["code"]) == (401, "bearer_too_old")
    assert token_for(issuer, "carol").status == 201


def test_a_closed_room_is_empty_and_only_identity_tokens_open_it(
    stack: LocalStack, issuer: Service, clock: ClockFile
) -> None:
    token = token_for(issuer, "dave", "call_9").json()["token"]
    assert log_in(stack, "dave", "call_9", token) == 0
    assert run(stack, "deny room 'call_9*' --until 1h --reason raid --kick call_9") == 0
    assert users_in(stack, "call_9") == set()
    refused = token_for(issuer, "dave", "call_9")
    assert (refused.status, refused.json()["code"]) == (403, "not_granted")
    assert token_for(issuer, "dave", "call_8").status == 201
    without_room = token_for(issuer, "dave", None).json()["token"]
    assert log_in(stack, "dave", "call_9", without_room) == 0


def test_a_denied_identity_gets_no_token(
    stack: LocalStack, issuer: Service, clock: ClockFile
) -> None:
    body = {"user_id": "erin", "room_id": "call_1"}
    assert issuer.send_signed("POST /v1/service/tokens", body).status == 201
    assert run(stack, "deny identity backend --until 1h --reason leak --yes") == 0
    clock.turn(IN_FORCE_SECONDS)
    refused = issuer.send_signed("POST /v1/service/tokens", body)
    assert (refused.status, refused.json()["code"]) == (403, "not_granted")
    assert token_for(issuer, "erin").status == 201
    assert run(stack, "allow identity backend --reason replaced") == 0
    clock.turn(IN_FORCE_SECONDS)
    assert issuer.send_signed("POST /v1/service/tokens", body).status == 201


def test_the_commands_of_the_runbook_work(stack: LocalStack) -> None:
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    part = text.partition("## Deny users, identities and rooms")[2].partition("\n## ")[0]
    lines = re.findall(r"^ *(zego-token .+) --stage prod$", part, re.MULTILINE)
    assert len(lines) == 8
    for line in lines:
        words = line.removeprefix("zego-token ")
        confirmed = f"{words} --yes" if words.startswith("deny identity") else words
        assert run(stack, confirmed) == 0, line
