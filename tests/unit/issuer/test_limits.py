"""issuer.limits in the whole issuer: denials and budgets, with the local stack's DynamoDB."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import pytest

from issuer.http_event import GatewayClock
from issuer.limits import MAX_READ, Limits
from issuer.problems import Problem
from local.aws.dynamodb import DynamoDb
from runtime.settings import SettingsError
from tests.support.application import (
    OPERATOR_SESSION,
    POLICY,
    ROLE_SESSION,
    SUPPORT_SESSION,
    Answer,
    Application,
    DynamoDbFaults,
    bearer,
    event,
)
from tests.support.bearer import policy
from tests.support.clock import Clock
from tests.support.routes import (
    BATCH,
    CALL,
    DIAGNOSE,
    SERVICE_CALL,
    SERVICE_TOKENS,
    STATUS,
    TOKENS,
)
from zego.aws import DYNAMODB, AwsClient, AwsCredentials
from zego.bounded_http import Response
from zego.cache import Clocks
from zego.denials import Denial, budget_key
from zego.policy.model import Grant

BY: Final = "arn:aws:sts::111122223333:assumed-role/Operators/op"
NOW: Final = int(time.time())
PER_HOUR: Final = 3
#: The rule "users enter calls" with a budget, and "the backend names users" with another.
WITH_BUDGETS: Final = POLICY.replace(
    "max_lifetime_seconds = 7200", f"max_lifetime_seconds = 7200\nmax_tokens_per_hour = {PER_HOUR}"
).replace("max_lifetime_seconds = 86400", "max_lifetime_seconds = 86400\nmax_tokens_per_hour = 2")
ALLOW: Final = 'denials_unavailable = "allow"\n' + POLICY
CREDENTIALS: Final = AwsCredentials(
    {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "key"}
)


def user(value: str = "alice", **changes: Any) -> Denial:
    return replace(Denial("user", value, "spam", BY, NOW), **changes)


class Scene:
    """The issuer with a DynamoDB, and a clock for its limits. Starting it again empties its caches.

    :ivar clock: the wall clock and the monotonic clock of the limits.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        self._monkeypatch = monkeypatch
        self.table = DynamoDb()
        self.clock = Clock(float(NOW))
        self.issuer: Application
        self.start()

    def start(self, policy_text: str = POLICY) -> None:
        self.issuer = Application(
            self._folder, self._monkeypatch, policy_text=policy_text, dynamodb=self.table
        )
        limits = self.issuer.app._service.limits
        limits._clocks = limits._denials._clocks = Clocks(self.clock, self.clock)

    @property
    def dynamodb(self) -> DynamoDbFaults:
        return self.issuer.dynamodb

    def deny(self, denial: Denial) -> None:
        self.table.call("PutItem", Item=denial.to_item())

    def allow(self, denial: Denial) -> None:
        item = denial.to_item()
        self.table.call("DeleteItem", Key={"pk": item["pk"], "sk": item["sk"]})

    def call(self, route: str = TOKENS, body: object = None, **event_changes: Any) -> Answer:
        """The response to alice's request, or to a role's."""
        if "role" not in event_changes:
            event_changes.setdefault("bearer", bearer())
        return self.issuer.handle(event(route, body, **event_changes))

    def code(self, route: str = TOKENS, body: object = None, **event_changes: Any) -> str:
        """The code of the response: of a problem, or ``201``."""
        answer = self.call(route, body, **event_changes)
        return str(answer.document.get("code", answer.status))

    @property
    def refused(self) -> dict[str, Any]:
        """The last audit event."""
        return self.issuer.audit_events()[-1]

    def errors(self) -> list[dict[str, Any]]:
        return [line for line in self.issuer.lines() if line.get("level") == "ERROR"]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


class TestDeniedUsers:
    @pytest.mark.parametrize("route", [TOKENS, CALL])
    def test_a_denied_user_gets_no_token(self, scene: Scene, route: str) -> None:
        assert scene.code(route) == "201"
        scene.deny(user())
        scene.clock.turn(30)
        answer = scene.call(route)
        assert (answer.status, answer.document["code"]) == (403, "not_granted")

    def test_the_audit_says_which_denial_and_why_and_the_response_does_not(
        self, scene: Scene
    ) -> None:
        scene.deny(user(reason="reported by 7 members"))
        answer = scene.call(body={"room_id": "call_1"})
        assert scene.refused["denial"] == "deny#user#alice"
        assert scene.refused["reason"] == "the user is denied: reported by 7 members"
        assert (scene.refused["user_id"], scene.refused["identity"]) == ("alice", "web")
        assert "denied" not in answer.text
        assert "reported" not in answer.text

    def test_a_denial_comes_before_the_rules_and_the_secret(self, scene: Scene) -> None:
        scene.call()
        scene.deny(user())
        scene.clock.turn(30)
        scene.issuer.secrets_manager.down = True
        scene.call(body={"room_id": "room_of_no_rule", "refused_with": 20014})
        assert "denial" in scene.refused
        assert len(scene.issuer.secrets_manager.requests) == 1

    def test_a_denial_comes_after_the_proof(self, scene: Scene) -> None:
        scene.deny(user())
        assert scene.code(bearer=bearer(exp=NOW - 600)) == "bearer_expired"

    def test_another_user_is_not_affected(self, scene: Scene) -> None:
        scene.deny(user())
        assert scene.code(bearer=bearer(sub="alice2")) == "201"

    def test_a_user_called_none_is_not_every_role(self, scene: Scene) -> None:
        scene.deny(user("None"))
        assert scene.code(STATUS, role=OPERATOR_SESSION) == "200"

    @pytest.mark.parametrize("route", [SERVICE_TOKENS, SERVICE_CALL])
    def test_a_backend_gets_no_token_for_a_denied_user(self, scene: Scene, route: str) -> None:
        scene.deny(user())
        assert scene.code(route, {"user_id": "bob"}, role=ROLE_SESSION) in ("201", "not_granted")
        assert scene.code(route, {"user_id": "alice"}, role=ROLE_SESSION) == "not_granted"
        assert scene.refused["denial"] == "deny#user#alice"

    def test_in_a_batch_only_the_entries_of_a_denied_user_are_refused(self, scene: Scene) -> None:
        scene.deny(user())
        entries = [{"user_id": name, "room_id": "team.1"} for name in ("bob", "alice", "carol")]
        answer = scene.call(BATCH, {"requests": entries}, role=ROLE_SESSION)
        assert [one["status"] for one in answer.document["results"]] == [201, 403, 201]
        assert scene.dynamodb.actions == ["Query"]

    def test_it_ends_at_its_end_although_dynamodb_still_has_it(self, scene: Scene) -> None:
        scene.deny(user(until=NOW + 3))
        assert scene.code() == "not_granted"
        scene.clock.turn(3)
        assert scene.code() == "201"

    def test_a_lifted_one_ends_at_the_next_read(self, scene: Scene) -> None:
        scene.deny(user())
        assert scene.code() == "not_granted"
        scene.allow(user())
        scene.clock.turn(30)
        assert scene.code() == "201"


class TestDeniedIdentities:
    @pytest.mark.parametrize(
        ("route", "body", "session", "identity"),
        [
            (SERVICE_TOKENS, {"user_id": "bob", "room_id": "x"}, ROLE_SESSION, "backend"),
            (SERVICE_CALL, {"user_id": "bob"}, ROLE_SESSION, "backend"),
            (BATCH, {"requests": [{"user_id": "bob", "room_id": "x"}]}, ROLE_SESSION, "backend"),
            (STATUS, None, OPERATOR_SESSION, "operators"),
            (DIAGNOSE, {"token": "04"}, SUPPORT_SESSION, "support"),
        ],
    )
    def test_a_denied_role_is_refused_on_every_route(
        self, scene: Scene, route: str, body: object, session: str, identity: str
    ) -> None:
        assert scene.call(route, body, role=session).status in (200, 201)
        scene.deny(Denial("identity", identity, "leaked", BY, NOW))
        scene.clock.turn(30)
        answer = scene.call(route, body, role=session)
        assert (answer.status, answer.document["code"]) == (403, "not_granted")
        assert scene.refused["denial"] == f"deny#identity#{identity}"

    def test_a_denied_identity_provider_is_refused_before_the_body_is_read(
        self, scene: Scene
    ) -> None:
        scene.deny(Denial("identity", "web", "leaked", BY, NOW))
        assert scene.code(body="{") == "not_granted"

    def test_other_identities_are_not_affected(self, scene: Scene) -> None:
        scene.deny(Denial("identity", "web", "leaked", BY, NOW))
        assert scene.code(SERVICE_TOKENS, {"user_id": "a", "room_id": "x"}, role=ROLE_SESSION) == (
            "201"
        )


class TestDeniedRooms:
    @pytest.mark.parametrize("pattern", ["call_7", "call_*", "*", "c*_*7", "*7"])
    def test_a_denied_room_gets_no_token(self, scene: Scene, pattern: str) -> None:
        scene.deny(Denial("room", pattern, "raided", BY, NOW))
        assert scene.code(body={"room_id": "call_7"}) == "not_granted"
        assert scene.refused["denial"] == f"deny#room#{pattern}"

    @pytest.mark.parametrize("pattern", ["call_70", "all_7", "call_", "CALL_7", "*8*", "call_7*7"])
    def test_another_room_does(self, scene: Scene, pattern: str) -> None:
        scene.deny(Denial("room", pattern, "raided", BY, NOW))
        assert scene.code(body={"room_id": "call_7"}) == "201"

    def test_new_calls_have_rooms_too(self, scene: Scene) -> None:
        scene.deny(Denial("room", "call_*", "raided", BY, NOW))
        assert scene.code(CALL) == "not_granted"

    def test_a_token_without_a_room_is_not_stopped(self, scene: Scene) -> None:
        scene.deny(Denial("room", "*", "raided", BY, NOW))
        assert scene.code() == "201"

    def test_it_ends_at_its_end(self, scene: Scene) -> None:
        scene.deny(Denial("room", "call_*", "raided", BY, NOW, until=NOW + 3))
        scene.call()
        scene.clock.turn(3)
        assert scene.code(CALL) == "201"


class TestSignedOut:
    @pytest.fixture
    def signed_out(self, scene: Scene) -> Scene:
        """Alice was signed out everywhere ten seconds ago."""
        scene.deny(user(not_before=NOW - 10))
        return scene

    @pytest.mark.parametrize(
        ("iat", "auth_time", "code"),
        [
            (-11, ..., "bearer_too_old"),
            (-10, ..., "201"),
            (0, -11, "bearer_too_old"),
            (-11, -10, "201"),
            (0, 3600, "bearer_too_old"),
        ],
    )
    def test_a_sign_in_before_it_is_refused(
        self, signed_out: Scene, iat: int, auth_time: Any, code: str
    ) -> None:
        when = auth_time if auth_time is ... else NOW + auth_time
        assert signed_out.code(bearer=bearer(iat=NOW + iat, auth_time=when)) == code

    def test_a_time_in_milliseconds_is_refused(self, signed_out: Scene) -> None:
        assert signed_out.code(bearer=bearer(auth_time=NOW * 1000)) == "bearer_too_old"

    def test_a_time_may_have_a_fraction(self, signed_out: Scene) -> None:
        assert signed_out.code(bearer=bearer(auth_time=NOW - 9.5)) == "201"

    def test_the_response_says_to_sign_in_and_the_audit_names_the_sign_out(
        self, signed_out: Scene
    ) -> None:
        answer = signed_out.call(bearer=bearer(iat=NOW - 60))
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert signed_out.refused["denial"] == "signed-out#user#alice"
        assert signed_out.refused["reason"] == "the sign-in is too early: spam"
        assert "spam" not in answer.text

    def test_other_users_are_not_affected(self, signed_out: Scene) -> None:
        assert signed_out.code(bearer=bearer(sub="bob", iat=NOW - 60)) == "201"

    def test_a_backend_may_still_name_the_user(self, signed_out: Scene) -> None:
        body = {"user_id": "alice", "room_id": "x"}
        assert signed_out.code(SERVICE_TOKENS, body, role=ROLE_SESSION) == "201"

    def test_an_identity_can_be_signed_out(self, scene: Scene) -> None:
        scene.deny(Denial("identity", "web", "leaked", BY, NOW, not_before=NOW - 10))
        scene.deny(Denial("identity", "backend", "leaked", BY, NOW, not_before=NOW - 10))
        assert scene.code(bearer=bearer(iat=NOW - 60)) == "bearer_too_old"
        assert scene.code(bearer=bearer(iat=NOW)) == "201"
        # A role has no sign-in: it signs each request.
        body = {"user_id": "alice", "room_id": "x"}
        assert scene.code(SERVICE_TOKENS, body, role=ROLE_SESSION) == "201"

    def test_a_denial_and_a_sign_out_of_one_user_hold_together(self, signed_out: Scene) -> None:
        signed_out.deny(user())
        assert signed_out.code(bearer=bearer(iat=NOW - 60)) == "not_granted"


class TestReading:
    def test_all_requests_of_30_seconds_share_one_consistent_query(self, scene: Scene) -> None:
        asked: list[Mapping[str, object]] = []
        call = AwsClient.call

        def keep(client: AwsClient, action: str, parameters: Mapping[str, Any]) -> Any:
            asked.append(dict(parameters))
            return call(client, action, parameters)

        with patch.object(AwsClient, "call", keep):
            for _ in range(23):
                scene.call()
                scene.clock.turn(1)
        queries = [each for each in asked if "KeyConditionExpression" in each]
        assert [(each["TableName"], each["ConsistentRead"]) for each in queries] == [
            ("limits", True)
        ]
        assert scene.issuer.count_of("DenialsRefresh") == 1

    def test_what_ended_hours_ago_is_not_even_read(self, scene: Scene) -> None:
        for number in range(MAX_READ + 1):
            scene.deny(user(f"user{number}", until=NOW - 7200))
        scene.deny(user())
        assert scene.code() == "not_granted"

    def test_many_pages_are_read(self, scene: Scene) -> None:
        for number in range(1000):  # 2 MB; a page has 1 MB
            scene.deny(user(f"a{number:03}", by="x" * 2000))
        scene.deny(user("zoe"))
        assert scene.code(bearer=bearer(sub="zoe")) == "not_granted"
        assert scene.dynamodb.actions == ["Query"] * 3

    def test_as_many_as_the_limit_are_read_and_one_more_is_a_failure(self, scene: Scene) -> None:
        for number in range(MAX_READ):
            scene.deny(user(f"user{number}"))
        assert scene.code(bearer=bearer(sub="user1999")) == "not_granted"
        scene.deny(user("one-more"))
        scene.clock.turn(30)
        assert scene.code(bearer=bearer(sub="user1999")) == "not_granted"
        (error,) = scene.errors()
        assert error["message"] == "The denials cannot be read: the last ones stay in force"
        assert error["reason"] == "there are more than 2000 denials"

    def test_pages_without_end_are_a_failure(self, scene: Scene) -> None:
        endless = {"Items": [], "LastEvaluatedKey": {"pk": {"S": "denials"}, "sk": {"S": "x"}}}
        scene.dynamodb.response = Response(200, {}, json.dumps(endless).encode())
        with patch.object(AwsClient, "call", self._taking(1.0, AwsClient.call, scene.clock)):
            assert scene.code() == "denials_unavailable"
        assert scene.refused["reason"] == "reading the denials takes too long"
        assert len(scene.dynamodb.actions) == 4

    @staticmethod
    def _taking(seconds: float, call: Any, clock: Clock) -> Any:
        def slow(client: AwsClient, action: str, parameters: Mapping[str, Any]) -> Any:
            clock.turn(seconds)
            return call(client, action, parameters)

        return slow

    @pytest.mark.parametrize(
        "item",
        [
            user().to_item() | {"kind": {"S": "device"}},
            user().to_item() | {"reason": {"S": "x" * 201}},
            user().to_item() | {"until": {"S": "tomorrow"}},
            {"pk": {"S": "denials"}, "sk": {"S": "note"}, "text": {"M": {"a": {"L": []}}}},
            {"pk": {"S": "denials"}, "sk": {"S": "deny#user#alice"}},
        ],
        ids=["kind", "reason", "until", "no denial", "only keys"],
    )
    def test_an_item_of_another_shape_is_skipped_logged_and_counted(
        self, scene: Scene, item: dict[str, Any]
    ) -> None:
        scene.table.call("PutItem", Item=item)
        scene.deny(user("bob"))
        assert scene.code() == "201"
        assert scene.code(bearer=bearer(sub="bob")) == "not_granted"
        (error,) = scene.errors()
        assert error["message"].startswith("A denial cannot be read, so it is not in force")
        assert error["sk"] == item["sk"]["S"]
        assert scene.issuer.count_of("DenialsUnreadable") == 1

    @pytest.mark.parametrize(
        "body",
        [b"{}", b'{"Items": null}', b'{"Items": {}}', b'{"Items": ["a"]}', b"[]", b"<html>", b""],
    )
    def test_a_response_that_is_not_a_query_result_is_a_failure(
        self, scene: Scene, body: bytes
    ) -> None:
        scene.dynamodb.response = Response(200, {}, body)
        assert scene.code() == "denials_unavailable"
        assert scene.refused["reason"] == "Unreadable: the response is not valid"


class TestUnavailable:
    def test_without_denials_requests_are_refused_for_now(self, scene: Scene) -> None:
        scene.dynamodb.down = True
        answer = scene.call()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert (answer.document["code"], answer.document["retryable"]) == (
            "denials_unavailable",
            True,
        )
        (error,) = scene.errors()
        assert error["message"] == "The denials cannot be read: every request is refused"
        assert scene.issuer.count_of("DenialsRefreshFailed") == 1

    def test_the_next_requests_do_not_wait_for_another_failure(self, scene: Scene) -> None:
        scene.dynamodb.down = True
        for _ in range(4):
            assert scene.code() == "denials_unavailable"
            scene.clock.turn(1)
        assert len(scene.dynamodb.actions) == 2  # one attempt and its retry
        scene.clock.turn(1)
        scene.dynamodb.down = False
        assert scene.code() == "201"

    def test_the_policy_may_allow_them(self, scene: Scene) -> None:
        scene.start(ALLOW)
        scene.deny(user())
        scene.dynamodb.down = True
        assert [scene.code(), scene.code()] == ["201", "201"]
        assert [error["message"] for error in scene.errors()] == [
            "The denials cannot be read: none is in force"
        ]

    @pytest.mark.parametrize("policy_text", [POLICY, ALLOW])
    def test_the_last_denials_stay_in_force_for_15_minutes(
        self, scene: Scene, policy_text: str
    ) -> None:
        scene.start(policy_text)
        scene.deny(user())
        scene.call()
        scene.dynamodb.down = True
        for seconds in (30, 400, 400, 69):
            scene.clock.turn(seconds)
            assert scene.code() == "not_granted"
            assert scene.code(bearer=bearer(sub="bob")) == "201"
        assert scene.issuer.count_of("DenialsStale") > 0
        scene.clock.turn(1)
        expected = "denials_unavailable" if policy_text == POLICY else "201"
        assert scene.code() == expected

    @pytest.mark.parametrize(
        "code", ["ThrottlingException", "ProvisionedThroughputExceededException"]
    )
    def test_a_throttled_query_is_retried(self, scene: Scene, code: str) -> None:
        body = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}"}).encode()
        scene.dynamodb.response = Response(400, {}, body)
        assert scene.code() == "denials_unavailable"
        assert scene.dynamodb.actions == ["Query", "Query"]

    def test_a_denied_permission_is_not(self, scene: Scene) -> None:
        scene.dynamodb.response = Response(400, {}, b'{"__type": "x#AccessDeniedException"}')
        assert scene.code() == "denials_unavailable"
        assert scene.dynamodb.actions == ["Query"]
        assert scene.refused["reason"].startswith("AccessDeniedException: DynamoDB refused")


class TestClocks:
    def test_a_frozen_environment_whose_wall_clock_was_set_back_reads_again(
        self, scene: Scene
    ) -> None:
        gateway = GatewayClock(lambda: 0.0)
        limits = scene.issuer.app._service.limits
        scene.clock.turn(-7200)
        limits._clocks = limits._denials._clocks = Clocks(scene.clock, lambda: 0.0, gateway)
        gateway.set(float(NOW))
        scene.call()
        scene.deny(user())
        gateway.set(NOW + 30.0)
        assert scene.code() == "not_granted"

    @pytest.mark.parametrize("wrong", [-86400 * 365, 86400 * 365])
    def test_an_end_counts_by_the_clock_of_api_gateway(self, scene: Scene, wrong: int) -> None:
        gateway = GatewayClock(lambda: 0.0)
        limits = scene.issuer.app._service.limits
        scene.clock.turn(wrong)
        limits._clocks = limits._denials._clocks = Clocks(scene.clock, lambda: 0.0, gateway)
        gateway.set(float(NOW))
        scene.deny(user(until=NOW + 10))
        scene.deny(user("bob", until=NOW - 10))
        assert scene.code() == "not_granted"
        assert scene.code(bearer=bearer(sub="bob")) == "201"


class TestBudgets:
    @pytest.fixture
    def budgets(self, scene: Scene) -> Scene:
        """The middle of an hour; every rule of a user's rooms grants three tokens an hour."""
        scene.start(WITH_BUDGETS)
        scene.clock.now = NOW // 3600 * 3600 + 1800.0
        return scene

    def test_a_user_gets_as_many_tokens_as_the_rule_says(self, budgets: Scene) -> None:
        body = {"room_id": "call_1"}
        assert [budgets.code(body=body) for _ in range(5)] == ["201"] * 3 + ["too_many_tokens"] * 2

    def test_calls_count_as_well(self, budgets: Scene) -> None:
        codes = [budgets.code(CALL), budgets.code(CALL), budgets.code(body={"room_id": "call_1"})]
        assert (codes, budgets.code(CALL)) == (["201"] * 3, "too_many_tokens")

    def test_the_refusal_says_when_to_retry_and_the_audit_which_rule(self, budgets: Scene) -> None:
        for _ in range(3):
            budgets.call(CALL)
        answer = budgets.call(CALL)
        assert (answer.status, answer.headers["retry-after"]) == (429, "1800")
        assert answer.document["retryable"] is True
        assert "3 tokens per clock hour" in answer.document["detail"]
        assert (budgets.refused["code"], budgets.refused["rule"]) == (
            "too_many_tokens",
            "users enter calls",
        )

    def test_each_user_has_an_own_budget(self, budgets: Scene) -> None:
        for _ in range(4):
            budgets.call(CALL)
        assert budgets.code(CALL, bearer=bearer(sub="bob")) == "201"

    def test_a_rule_without_the_key_is_not_counted(self, budgets: Scene) -> None:
        assert [budgets.code() for _ in range(5)] == ["201"] * 5
        assert budgets.dynamodb.actions == ["Query"]

    def test_the_next_hour_has_a_new_budget(self, budgets: Scene) -> None:
        for _ in range(4):
            budgets.call(CALL)
        budgets.clock.turn(1799)
        assert budgets.call(CALL).headers["retry-after"] == "1"
        budgets.clock.turn(1)
        assert budgets.code(CALL) == "201"

    def test_a_batch_counts_for_the_user_of_each_entry(self, budgets: Scene) -> None:
        entries = [{"user_id": name, "room_id": "x"} for name in ("bob", "al", "bob", "bob")]
        answer = budgets.call(BATCH, {"requests": entries}, role=ROLE_SESSION)
        assert [one["status"] for one in answer.document["results"]] == [201, 201, 201, 429]
        assert answer.document["results"][3]["problem"]["code"] == "too_many_tokens"

    def test_what_is_refused_is_not_counted(self, budgets: Scene) -> None:
        for _ in range(3):
            assert budgets.code(body={"room_id": "no_rule"}) == "not_granted"
        assert budgets.dynamodb.actions == ["Query"]

    def test_without_a_secret_nothing_is_counted(self, budgets: Scene) -> None:
        budgets.issuer.secrets_manager.down = True
        assert budgets.code(CALL) == "secret_unavailable"
        assert budgets.dynamodb.actions == ["Query"]

    def test_the_counter_is_one_item_that_dynamodb_deletes_later(self, budgets: Scene) -> None:
        budgets.call(CALL)
        hour = budgets.clock.now - 1800
        key = budget_key("users enter calls", "alice", budgets.clock.now)
        (item,) = budgets.table.items(key["pk"]["S"])
        assert item == key | {"tokens": {"N": "1"}, "expires_at": {"N": str(int(hour) + 10800)}}

    def test_a_new_environment_counts_on(self, budgets: Scene) -> None:
        for _ in range(2):
            budgets.call(CALL)
        budgets.start(WITH_BUDGETS)
        budgets.clock.now = NOW // 3600 * 3600 + 1800.0
        assert [budgets.code(CALL), budgets.code(CALL)] == ["201", "too_many_tokens"]

    def test_a_user_without_tokens_left_causes_no_more_calls(self, budgets: Scene) -> None:
        for _ in range(20):
            budgets.call(CALL)
        assert budgets.dynamodb.actions == ["Query"] + ["UpdateItem"] * 4

    def test_a_counter_that_fails_allows_and_is_counted(self, budgets: Scene) -> None:
        budgets.call()
        budgets.dynamodb.down = True
        assert [budgets.code(CALL) for _ in range(5)] == ["201"] * 5
        assert budgets.issuer.count_of("BudgetUnavailable") == 5
        (error,) = budgets.errors()
        assert error["message"] == "A token cannot be counted: it is issued all the same"

    def test_a_failing_counter_delays_one_entry_of_a_batch_and_not_each(
        self, budgets: Scene
    ) -> None:
        budgets.call()
        budgets.dynamodb.down = True
        entries = [{"user_id": f"user{number}", "room_id": "x"} for number in range(50)]
        budgets.call(BATCH, {"requests": entries}, role=ROLE_SESSION)
        assert budgets.dynamodb.actions == ["Query", "UpdateItem"]
        assert budgets.issuer.count_of("BudgetUnavailable") == 50

    def test_slow_counters_take_half_of_the_time_of_a_batch(
        self, budgets: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        budgets.call()
        running = Clock(0.0)
        monkeypatch.setattr("issuer.routes.time.monotonic", running)
        call = AwsClient.call

        def slow(client: AwsClient, action: str, parameters: Mapping[str, Any]) -> Any:
            running.turn(0.9 if action == "UpdateItem" else 0.0)
            return call(client, action, parameters)

        entries = [{"user_id": f"user{number}", "room_id": "x"} for number in range(50)]
        with patch.object(AwsClient, "call", slow):
            budgets.call(BATCH, {"requests": entries}, role=ROLE_SESSION)
        assert budgets.dynamodb.actions == ["Query"] + ["UpdateItem"] * 6
        assert budgets.issuer.count_of("BudgetUnavailable") == 44

    @pytest.mark.parametrize("running", ["wall", "gateway"])
    def test_after_five_seconds_by_any_clock_it_counts_again(
        self, budgets: Scene, running: str
    ) -> None:
        gateway = GatewayClock(lambda: 0.0)
        limits = budgets.issuer.app._service.limits
        budgets.call()
        limits._clocks = Clocks(budgets.clock, lambda: 0.0, gateway)
        gateway.set(budgets.clock.now)
        budgets.dynamodb.down = True
        budgets.call(CALL)
        budgets.dynamodb.down = False
        if running == "wall":
            budgets.clock.turn(5)
        else:
            gateway.set(budgets.clock.now + 5)
        budgets.call(CALL)
        assert budgets.dynamodb.actions[-1] == "UpdateItem"
        assert budgets.issuer.count_of("BudgetUnavailable") == 1

    def test_throttling_allows_and_is_not_retried(self, budgets: Scene) -> None:
        budgets.call()
        budgets.dynamodb.response = Response(400, {}, b'{"__type": "x#ThrottlingException"}')
        assert budgets.code(CALL) == "201"
        assert budgets.dynamodb.actions == ["Query", "UpdateItem"]

    def test_a_wall_clock_that_jumps_opens_no_second_budget(self, budgets: Scene) -> None:
        gateway = GatewayClock(lambda: 0.0)
        limits = budgets.issuer.app._service.limits
        limits._clocks = Clocks(budgets.clock, lambda: 0.0, gateway)
        gateway.set(budgets.clock.now)
        codes = []
        for jump in (0, 3600, -7200, 86400):
            budgets.clock.turn(jump)
            codes.append(budgets.code(CALL))
        assert codes == ["201", "201", "201", "too_many_tokens"]


def test_a_new_environment_reads_denials_secret_and_keys_at_the_same_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(3)

    def at_the_barrier(respond: Any) -> Any:
        def wait(*arguments: Any, **keywords: Any) -> Any:
            together.wait(5)
            return respond(*arguments, **keywords)

        return wait

    jwks = scene.issuer.jwks
    monkeypatch.setattr("zego.aws.request", at_the_barrier(scene.issuer._call_aws))
    monkeypatch.setattr("issuer.jwks.request", at_the_barrier(lambda _method, uri, **_: jwks(uri)))
    assert scene.code() == "201"
    assert (len(scene.issuer.secrets_manager.requests), scene.dynamodb.actions) == (1, ["Query"])


def test_a_restore_reads_the_denials_before_the_first_request(scene: Scene) -> None:
    scene.deny(user())
    with scene.issuer.writing():
        scene.issuer.app._prefetch()
    assert scene.dynamodb.actions == ["Query"]
    assert scene.code() == "not_granted"
    assert scene.dynamodb.actions == ["Query"]


def test_a_roles_first_request_reads_denials_and_secret_at_the_same_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(2)
    call_aws = scene.issuer._call_aws

    def wait(*arguments: Any, **keywords: Any) -> Any:
        together.wait(5)
        return call_aws(*arguments, **keywords)

    monkeypatch.setattr("zego.aws.request", wait)
    body = {"user_id": "bob", "room_id": "x"}
    assert scene.code(SERVICE_TOKENS, body, role=ROLE_SESSION) == "201"


def environments(table: DynamoDb, count: int) -> Iterator[Limits]:
    """The limits of this many environments that share a table."""
    clock = GatewayClock()
    clock.set(float(NOW))
    for _ in range(count):
        client = AwsClient(DYNAMODB, "us-east-1", CREDENTIALS)
        yield Limits(table.table, policy(), client, client, clock)


def test_a_budget_holds_exactly_under_200_concurrent_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = DynamoDb()
    monkeypatch.setattr("zego.aws.request", DynamoDbFaults(table))
    grant = Grant("calls", "alice", "call_1", frozenset({"login"}), None, 60, 70)
    together = threading.Barrier(200)

    def spend(limits: Limits) -> bool:
        together.wait()
        try:
            limits.spend(grant)
        except Problem:
            return False
        return True

    with ThreadPoolExecutor(200) as pool:
        spent = pool.map(spend, [*environments(table, 20)] * 10)
        assert sum(spent) == 70


def test_without_a_table_a_policy_with_a_budget_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError) as refused:
        Application(tmp_path, monkeypatch, policy_text=WITH_BUDGETS)
    assert str(refused.value) == (
        "The access policy's rule 'users enter calls' has max_tokens_per_hour, but LIMITS_TABLE"
        " is not set. Deploy with Limits=On, or remove the key."
    )


def test_without_a_table_neither_the_limits_nor_the_denials_are_imported(tmp_path: Path) -> None:
    policy_file = tmp_path / "policy.toml"
    policy_file.write_text(POLICY, encoding="utf-8")
    loaded = [
        subprocess.run(
            [sys.executable, "-c", "import issuer.app, sys; print(*sys.modules)"],
            env={
                "PYTHONPATH": ":".join(sys.path),
                "STAGE": "dev",
                "SERVER_SECRET_ARN": "zego/server-secret",
                "AWS_REGION": "us-east-1",
                "ACCESS_POLICY_FILE": str(policy_file),
                "LIMITS_TABLE": limits_table,
            },
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for limits_table in ("", "limits")
    ]
    limits = {"issuer.limits", "zego.denials"}
    assert [limits & set(modules) for modules in loaded] == [set(), limits]
