"""The routes that begin a call: its room, whom it invites, and the event about them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from issuer.incoming_calls import IncomingCalls
from tests.support.application import (
    APP_ID,
    ROLE_SESSION,
    SERVER_SECRET,
    Answer,
    Application,
    bearer,
    event,
)
from tests.support.routes import CALL, CALL_IN_CAMEL_CASE, SERVICE_CALL, SERVICE_CALL_IN_CAMEL_CASE
from tests.support.table import table
from zego import token04
from zego.bounded_http import HttpError, Response

#: A role's other session: another instance of the same backend.
OTHER_SESSION: Final = ROLE_SESSION.replace("session-1", "session-2")
UNREACHABLE: Final = HttpError("events.us-east-1.amazonaws.com did not respond in 1 s")


def begin(
    issuer: Application,
    *callees: str,
    key: str | None = None,
    route: str = CALL,
    **claims: object,
) -> Answer:
    """Alice begins a call, or with other claims another user."""
    asked = event(route, {"callees": callees} if callees else {}, bearer=bearer(**claims))
    if key is not None:
        asked["headers"]["idempotency-key"] = key
    return issuer.handle(asked)


def begin_for(
    issuer: Application, user_id: str, *callees: str, key: str | None = None, role: str
) -> Answer:
    """A backend begins a call for a user."""
    body = {"user_id": user_id} | ({"callees": callees} if callees else {})
    asked = event(SERVICE_CALL, body, role=role)
    if key is not None:
        asked["headers"]["idempotency-key"] = key
    return issuer.handle(asked)


def problem(answer: Answer) -> tuple[int, str, str | None]:
    """The status, code and field of a refusal."""
    document = answer.document
    return answer.status, document["code"], document.get("field")


def published(issuer: Application) -> list[dict[str, Any]]:
    """The events that reached the bus."""
    return issuer.eventbridge.bus.events()


class TestResponse:
    def test_a_call_begins_in_a_new_room(self, issuer: Application) -> None:
        answer = begin(issuer)
        document = answer.document
        assert answer.status == 201
        assert re.fullmatch("[0-9a-f]{32}", document["call_id"])
        assert document == {
            "token": document["token"],
            "app_id": APP_ID,
            "user_id": "alice",
            "room_id": f"call_{document['call_id']}",
            "privileges": {"login": True, "publish": True},
            "stream_ids": None,
            "issued_at": document["issued_at"],
            "expires_at": document["issued_at"] + 7200,
            "renew_at": document["issued_at"] + 6900,
            "call_id": document["call_id"],
            "callees": [],
            "event_accepted": None,
            "request_id": "request-1",
        }
        payload = token04.decode(document["token"], SERVER_SECRET).claims.payload
        assert json.loads(payload)["room_id"] == document["room_id"]

    def test_in_camel_case_it_is_the_same_call(self, issuer: Application) -> None:
        plain = begin(issuer, "bob", key="k").document
        document = begin(issuer, "bob", key="k", route=CALL_IN_CAMEL_CASE).document
        assert document == {
            "callId": plain["call_id"],
            "zegoRoom": {
                "roomId": plain["room_id"],
                "appId": APP_ID,
                "token": document["zegoRoom"]["token"],
            },
            "userId": "alice",
            "privileges": {"login": True, "publish": True},
            "streamIds": None,
            "issuedAt": document["issuedAt"],
            "expiresAt": document["issuedAt"] + 7200,
            "renewAt": document["issuedAt"] + 6900,
            "callees": ["bob"],
            "eventAccepted": True,
            "requestId": "request-1",
        }

    def test_no_two_calls_share_a_room(self, issuer: Application) -> None:
        assert len({begin(issuer).document["call_id"] for _ in range(50)}) == 50

    @pytest.mark.parametrize("route", [SERVICE_CALL, SERVICE_CALL_IN_CAMEL_CASE])
    def test_a_backend_begins_one_for_the_user_whom_it_names(
        self, issuer: Application, route: str
    ) -> None:
        answer = issuer.handle(event(route, {"user_id": "bob"}, role=ROLE_SESSION))
        document = answer.document
        assert (answer.status, document.get("userId", document.get("user_id"))) == (201, "bob")

    def test_the_caller_does_not_choose_the_room(self, issuer: Application) -> None:
        answer = issuer.handle(event(CALL, {"room_id": "call_1"}, bearer=bearer()))
        assert problem(answer) == (400, "unknown_field", "room_id")


class TestIdempotencyKey:
    def test_a_repeated_request_is_the_same_call_with_a_new_token(
        self, issuer: Application
    ) -> None:
        first, again = (begin(issuer, key="k").document for _ in range(2))
        assert first["call_id"] == again["call_id"]
        assert first["token"] != again["token"]

    def test_a_repeated_request_with_other_callees_invites_those_to_the_same_call(
        self, issuer: Application
    ) -> None:
        begin(issuer, "bob", key="k")
        begin(issuer, "user_1", key="k")
        first, second = (each["detail"] for each in published(issuer))
        assert first["call_id"] == second["call_id"]
        assert (first["callees"], second["callees"]) == (["bob"], ["user_1"])

    def test_another_caller_user_or_key_is_another_call(self, issuer: Application) -> None:
        answers = [
            begin(issuer, key="k"),
            begin(issuer, key="K"),
            begin(issuer, key="k", sub="bob"),
            begin_for(issuer, "alice", key="k", role=ROLE_SESSION),
            begin_for(issuer, "bob", key="k", role=ROLE_SESSION),
            # Without separators, these two would be one: "a" and "bk", "ab" and "k".
            begin_for(issuer, "a", key="bk", role=ROLE_SESSION),
            begin_for(issuer, "ab", key="k", role=ROLE_SESSION),
        ]
        assert [answer.status for answer in answers] == [201] * 7
        assert len({answer.document["call_id"] for answer in answers}) == 7

    def test_the_next_attempt_may_come_from_another_instance_of_a_backend(
        self, issuer: Application
    ) -> None:
        first, again = (
            begin_for(issuer, "bob", key="k", role=session)
            for session in (ROLE_SESSION, OTHER_SESSION)
        )
        assert first.document["call_id"] == again.document["call_id"]

    @pytest.mark.parametrize(
        "key", ["!", "k" * 255, '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "a,a"]
    )
    def test_visible_ascii_is_accepted(self, issuer: Application, key: str) -> None:
        assert begin(issuer, key=key).status == 201

    @pytest.mark.parametrize(
        "key",
        ["", " ", "k" * 256, "a b", "a, a", "a\tb", "a\n", "\0", "\x7f", "é", "😀", "\ud800"],
        ids=ascii,
    )
    def test_anything_else_is_refused(self, issuer: Application, key: str) -> None:
        answer = begin(issuer, key=key)
        assert problem(answer) == (422, "invalid_idempotency_key", None)

    def test_a_call_id_does_not_change_between_versions(self, issuer: Application) -> None:
        """A retry may meet another version of the service, so the encoding must stay."""
        assert begin(issuer, key="k").document["call_id"] == CALL_OF_ALICE
        answer = begin_for(issuer, "bob", key="k", role=ROLE_SESSION)
        assert answer.document["call_id"] == CALL_OF_BACKEND


#: The first 32 digits of what ``sha256sum`` prints for ["web","<issuer> alice",null,"k"], and for
#: ["backend",null,"bob","k"].
CALL_OF_ALICE: Final = "747d8324b3a734ed754c156d89afc819"
CALL_OF_BACKEND: Final = "06b58cd7fcc465c2477a70658cbfc73e"


class TestCallees:
    def test_the_rule_bounds_them(self, issuer: Application) -> None:
        assert begin(issuer, "bob", "team.alice.7").status == 201
        assert problem(begin(issuer, "bob", "carol")) == (403, "not_granted", None)
        assert problem(begin(issuer, "team.bob.7")) == (403, "not_granted", None)
        reasons = [each.get("reason") for each in issuer.audit_events()]
        assert reasons[1:] == [
            "the rule does not let alice call carol",
            "the rule does not let alice call team.bob.7",
        ]
        assert len(published(issuer)) == 1

    def test_a_refused_callee_is_not_in_the_response(self, issuer: Application) -> None:
        assert "carol" not in begin(issuer, "carol").text

    @pytest.mark.parametrize("key", [None, "k"])
    def test_the_caller_is_not_a_callee(self, issuer: Application, key: str | None) -> None:
        assert problem(begin(issuer, "bob", "alice", key=key)) == (
            422,
            "invalid_callees",
            "callees",
        )
        answer = begin_for(issuer, "bob", "bob", role=ROLE_SESSION)
        assert problem(answer) == (422, "invalid_callees", "callees")

    @table(
        "callees",
        [[], ["bob", "bob"], [f"user_{n}" for n in range(51)], [""], ["a b"], ["u" * 64], ["é"]],
    )
    def test_invalid_ones_are_refused(self, issuer: Application, callees: list[str]) -> None:
        answer = issuer.handle(event(CALL, {"callees": callees}, bearer=bearer()))
        assert problem(answer) == (422, "invalid_callees", "callees")

    @table("callees", [None, "bob", {"bob": 1}, [None], [["bob"]], ["bob", 1], True])
    def test_another_type_is_refused(self, issuer: Application, callees: object) -> None:
        answer = issuer.handle(event(CALL, {"callees": callees}, bearer=bearer()))
        assert problem(answer) == (400, "wrong_type", "callees")

    def test_50_are_in_the_event(self, issuer: Application) -> None:
        callees = [f"user_{n}" for n in range(50)]
        assert begin(issuer, *callees).document["callees"] == callees
        assert published(issuer)[0]["detail"]["callees"] == callees


class TestEvent:
    def test_it_is_on_the_bus_of_the_functions_region(
        self, start: Callable[..., Application]
    ) -> None:
        arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"
        issuer = start(SERVER_SECRET_ARN=arn)
        assert begin(issuer, "bob").document["event_accepted"] is True
        assert len(published(issuer)) == 1

    def test_it_says_who_calls_whom_and_where(self, issuer: Application) -> None:
        document = begin(issuer, "bob").document
        (event,) = published(issuer)
        assert (event["source"], event["detail-type"]) == ("zego-token-service", "Incoming Call")
        assert event["detail"] == {
            "stage": "dev",
            "call_id": document["call_id"],
            "room_id": document["room_id"],
            "app_id": APP_ID,
            "caller": "alice",
            "callees": ["bob"],
            "called_at": document["issued_at"],
            "expires_at": document["expires_at"],
            "request_id": "request-1",
        }
        assert document["event_accepted"] is True
        assert issuer.count_of("IncomingCallsPublished") == 1

    def test_it_never_has_a_token(self, issuer: Application) -> None:
        document = begin(issuer, "bob").document
        assert document["token"] not in json.dumps(published(issuer))

    def test_without_callees_there_is_none(self, issuer: Application) -> None:
        assert begin(issuer, key="k").document["event_accepted"] is None
        assert issuer.eventbridge.timeouts == []

    def test_a_call_that_is_refused_has_none(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        assert begin(issuer, "bob").status == 503
        assert issuer.eventbridge.timeouts == []

    def test_the_audit_has_the_call(self, issuer: Application) -> None:
        document = begin(issuer, "bob").document
        begin(issuer)
        first, second = issuer.audit_events()
        assert first["call_id"] == document["call_id"]
        assert (first["callees"], first["event_accepted"]) == (["bob"], True)
        assert (second["callees"], second["event_accepted"]) == ([], None)

    def test_the_audit_of_a_refusal_has_the_callees(self, issuer: Application) -> None:
        begin(issuer, "carol")
        (said,) = issuer.audit_events()
        assert (said["code"], said["callees"]) == ("not_granted", ["carol"])


def entry(code: str) -> Response:
    """The response to an event that EventBridge does not accept, as its API reference has it."""
    failed = {"ErrorCode": code, "ErrorMessage": "A message of AWS."}
    return Response(200, {}, json.dumps({"FailedEntryCount": 1, "Entries": [failed]}).encode())


def refusal(status: int, code: str) -> Response:
    """A response that refuses the whole request."""
    return Response(status, {}, json.dumps({"__type": code}).encode())


def results(failed: int, *entries: object) -> Response:
    """A response with these results."""
    return Response(200, {}, json.dumps({"FailedEntryCount": failed, "Entries": entries}).encode())


#: What EventBridge responds, with the attempts that follow and what the log says.
FAILURES: Final[Mapping[str, tuple[Response | HttpError, int, str]]] = {
    "down": (UNREACHABLE, 2, "Unreachable"),
    "failing": (refusal(500, "InternalException"), 2, "InternalException"),
    "throttled": (refusal(400, "ThrottlingException"), 2, "ThrottlingException"),
    "no permission": (refusal(400, "AccessDeniedException"), 1, "AccessDeniedException"),
    "entry throttled": (entry("ThrottlingException"), 2, "ThrottlingException"),
    "entry failed": (entry("InternalFailure"), 2, "InternalFailure"),
    "entry refused": (entry("MalformedDetail"), 1, "MalformedDetail"),
    "a page": (Response(200, {}, b"<html>"), 1, "Unreadable"),
    "no entries": (Response(200, {}, b'{"FailedEntryCount": 0}'), 1, "Unreadable"),
    "no entry": (results(0), 1, "Unreadable"),
    "two entries": (results(0, {"EventId": "a"}, {"EventId": "b"}), 1, "Unreadable"),
    "an entry of another kind": (results(0, None), 1, "Unreadable"),
    "no id": (results(0, {}), 1, "Unreadable"),
    "an id of a failed entry": (results(1, {"EventId": "a"}), 1, "Unreadable"),
}


@pytest.fixture
def issuer(start: Callable[..., Application], monkeypatch: pytest.MonkeyPatch) -> Application:
    """The issuer, which does not wait between two attempts."""
    monkeypatch.setattr("issuer.incoming_calls._PAUSE_SECONDS", 0)
    return start()


class TestFailure:
    @pytest.mark.parametrize("name", FAILURES)
    def test_the_token_is_given_and_the_response_says_that_no_one_was_notified(
        self, issuer: Application, name: str
    ) -> None:
        response, attempts, code = FAILURES[name]
        issuer.eventbridge.responses = [response, response]
        answer = begin(issuer, "bob")
        assert (answer.status, answer.document["event_accepted"]) == (201, False)
        assert token04.decode(answer.document["token"], SERVER_SECRET).claims.user_id == "alice"
        assert len(issuer.eventbridge.timeouts) == attempts
        assert issuer.count_of("IncomingCallsFailed") == 1
        assert issuer.count_of("IncomingCallsPublished") == 0
        (line,) = (line for line in issuer.lines() if line.get("level") == "ERROR")
        assert line["message"].startswith("The event of a call cannot be published")
        assert line["reason"].startswith(code)
        assert line["call_id"] == answer.document["call_id"]
        (audited,) = issuer.audit_events()
        assert (audited["decision"], audited["event_accepted"]) == ("granted", False)

    @pytest.mark.parametrize(
        "first", [UNREACHABLE, entry("ThrottlingException")], ids=["down", "throttled"]
    )
    def test_a_second_attempt_may_succeed(
        self, issuer: Application, first: Response | HttpError
    ) -> None:
        issuer.eventbridge.responses = [first]
        assert begin(issuer, "bob").document["event_accepted"] is True
        assert issuer.count_of("IncomingCallsFailed") == 0
        assert len(published(issuer)) == 1

    def test_a_second_attempt_comes_after_a_pause(
        self, start: Callable[..., Application], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr(IncomingCalls.__init__, "__kwdefaults__", {"sleep": pauses.append})
        issuer = start()
        issuer.eventbridge.responses = [entry("ThrottlingException")]
        assert begin(issuer, "bob").document["event_accepted"] is True
        assert pauses == [0.1]

    def test_both_attempts_together_end_in_time(self, issuer: Application) -> None:
        issuer.eventbridge.responses = [UNREACHABLE] * 2
        begin(issuer, "bob")
        assert sum(issuer.eventbridge.timeouts) <= 2

    def test_a_request_that_took_too_long_already_publishes_nothing(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("issuer.routes.FETCHING_SECONDS", 0)
        answer = begin(issuer, "bob")
        assert (answer.status, answer.document["event_accepted"]) == (201, False)
        assert issuer.eventbridge.timeouts == []
        assert issuer.count_of("IncomingCallsFailed") == 1

    def test_a_first_attempt_that_took_too_long_is_the_last(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        left = [True, False]
        monkeypatch.setattr("issuer.routes.may_fetch", lambda _started: left.pop(0))
        issuer.eventbridge.responses = [UNREACHABLE]
        assert begin(issuer, "bob").document["event_accepted"] is False
        assert len(issuer.eventbridge.timeouts) == 1

    def test_no_credentials_cost_no_token(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begin(issuer)  # the secret is cached
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        answer = begin(issuer, "bob")
        assert (answer.status, answer.document["event_accepted"]) == (201, False)


def test_the_issuer_starts_without_what_events_need() -> None:
    environment = {
        "STAGE": "dev",
        "SERVER_SECRET_ARN": "zego/server-secret",
        "AWS_REGION": "us-east-1",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    code = "import sys, issuer.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "issuer.routes" in done.stdout.split()
    assert "issuer.incoming_calls" not in done.stdout.split()


def test_a_call_without_callees_imports_nothing_for_events(
    issuer: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "issuer.incoming_calls")
    begin(issuer, key="k")
    assert "issuer.incoming_calls" not in sys.modules
    begin(issuer, "bob", key="k")
    assert "issuer.incoming_calls" in sys.modules
