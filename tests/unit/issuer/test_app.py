"""The handler: the response of each route, and how failures are handled."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import snapshot_restore_py

from issuer.http_event import ApiEventError
from issuer.problems import PROBLEMS
from tests.support.application import (
    APP_ID,
    OPERATOR_SESSION,
    ROLE_SESSION,
    SERVER_SECRET,
    Answer,
    Application,
    bearer,
    event,
)
from tests.support.bearer import ISSUER, JWKS_URI
from tests.support.routes import (
    BATCH,
    CALL,
    DIAGNOSE,
    HEALTH,
    HELP,
    SERVICE_CALL,
    SERVICE_TOKENS,
    STATUS,
    TOKENS,
)
from tests.support.table import table
from zego import token04
from zego.bounded_http import HttpError, Response
from zego.cache import Clocks

NEXT_SECRET = "fedcba9876543210" * 2
ROUTES = (TOKENS, SERVICE_TOKENS, BATCH, CALL, SERVICE_CALL, HEALTH, HELP, STATUS, DIAGNOSE)
DOCUMENT_ROUTES = tuple(route for route in ROUTES if route != HELP)


def opened(token: str) -> token04.Claims:
    """What ZEGO reads in a token."""
    return token04.decode(token, SERVER_SECRET).claims


def problem(answer: Answer) -> tuple[int, str]:
    """The status and code of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["status"] == answer.status
    return answer.status, answer.document["code"]


class TestTokens:
    def test_a_user_gets_a_token_for_a_room(self, issuer: Application) -> None:
        before = int(time.time())
        answer = issuer.handle(event(TOKENS, {"room_id": "call_1"}, bearer=bearer()))
        document = answer.document
        issued_at = document["issued_at"]
        assert answer.status == 201
        assert before <= issued_at <= time.time()
        assert document == {
            "token": document["token"],
            "app_id": APP_ID,
            "user_id": "alice",
            "room_id": "call_1",
            "privileges": {"login": True, "publish": True},
            "stream_ids": None,
            "issued_at": issued_at,
            "expires_at": issued_at + 7200,
            "renew_at": issued_at + 6900,
            "request_id": "request-1",
        }
        said = opened(document["token"])
        assert (said.app_id, said.user_id) == (APP_ID, "alice")
        assert (said.issued_at, said.expires_at) == (issued_at, issued_at + 7200)
        assert json.loads(said.payload) == {
            "room_id": "call_1",
            "privilege": {"1": 1, "2": 1},
            "stream_id_list": None,
        }

    def test_the_token_grants_only_what_the_caller_requests(self, issuer: Application) -> None:
        asked = {
            "room_id": "call_1",
            "privileges": ["login"],
            "stream_ids": ["s1"],
            "lifetime_seconds": 60,
        }
        document = issuer.handle(event(TOKENS, asked, bearer=bearer())).document
        assert document["privileges"] == {"login": True, "publish": False}
        assert document["stream_ids"] == ["s1"]
        assert document["expires_at"] - document["issued_at"] == 60
        assert json.loads(opened(document["token"]).payload) == {
            "room_id": "call_1",
            "privilege": {"1": 1, "2": 0},
            "stream_id_list": ["s1"],
        }

    @pytest.mark.parametrize("body", [None, "", "{}"])
    def test_without_a_room_it_is_an_identity_token(
        self, issuer: Application, body: str | None
    ) -> None:
        document = issuer.handle(event(TOKENS, body, bearer=bearer())).document
        assert (document["room_id"], document["stream_ids"]) == (None, None)
        assert opened(document["token"]).payload == ""

    @pytest.mark.parametrize(
        ("lifetime", "ahead"), [(60, 30), (299, 30), (600, 60), (3000, 300), (7200, 300)]
    )
    def test_renew_at_is_a_tenth_of_the_lifetime_before_expiry(
        self, issuer: Application, lifetime: int, ahead: int
    ) -> None:
        asked = {"room_id": "call_1", "lifetime_seconds": lifetime}
        document = issuer.handle(event(TOKENS, asked, bearer=bearer())).document
        assert document["expires_at"] - document["renew_at"] == ahead
        assert document["issued_at"] < document["renew_at"] < document["expires_at"]

    def test_every_response_has_a_new_token(self, issuer: Application) -> None:
        asked = event(TOKENS, {"room_id": "call_1"}, bearer=bearer())
        tokens = {issuer.handle(asked).document["token"] for _ in range(20)}
        assert len(tokens) == 20

    def test_the_cipher_is_a_setting(self, start: Callable[..., Application]) -> None:
        issuer = start(TOKEN_CIPHER="cbc")
        document = issuer.handle(event(TOKENS, bearer=bearer())).document
        assert token04.decode(document["token"], SERVER_SECRET).cipher == "cbc"

    def test_the_secret_and_the_keys_are_fetched_once_for_many_tokens(
        self, issuer: Application
    ) -> None:
        for _ in range(10):
            issuer.handle(event(TOKENS, bearer=bearer()))
        assert issuer.secrets_manager.requests == [
            {"SecretId": "zego/server-secret", "VersionStage": "AWSCURRENT"}
        ]
        assert len(issuer.jwks.requests) == 1

    def test_a_body_in_base64_is_read_too(self, issuer: Application) -> None:
        content = base64.b64encode(b'{"room_id": "call_1"}').decode()
        asked = event(TOKENS, content, bearer=bearer(), isBase64Encoded=True)
        assert issuer.handle(asked).document["room_id"] == "call_1"

    @pytest.mark.parametrize("content", ["e30", "*", "é", "/w=="])
    def test_a_base64_body_that_is_not_json_is_refused(
        self, issuer: Application, content: str
    ) -> None:
        asked = event(TOKENS, content, bearer=bearer(), isBase64Encoded=True)
        assert problem(issuer.handle(asked)) == (400, "invalid_json")

    def test_a_bearer_route_ignores_an_iam_identity(self, issuer: Application) -> None:
        for route in (TOKENS, CALL):
            assert problem(issuer.handle(event(route, role=ROLE_SESSION))) == (
                401,
                "bearer_missing",
            )

    def test_the_caller_is_authenticated_before_the_body_is_read(self, issuer: Application) -> None:
        assert problem(issuer.handle(event(TOKENS, "{"))) == (401, "bearer_missing")
        assert problem(issuer.handle(event(TOKENS, "{", bearer=bearer()))) == (400, "invalid_json")


class TestServiceTokens:
    def test_a_backend_gets_a_token_for_the_user_whom_it_names(self, issuer: Application) -> None:
        asked = {"user_id": "bob", "room_id": "standup", "lifetime_seconds": 86400}
        answer = issuer.handle(event(SERVICE_TOKENS, asked, role=ROLE_SESSION))
        assert (answer.status, answer.document["user_id"]) == (201, "bob")
        assert opened(answer.document["token"]).user_id == "bob"

    def test_a_service_route_ignores_a_bearer_token(self, issuer: Application) -> None:
        for route in (SERVICE_TOKENS, BATCH, SERVICE_CALL, STATUS, DIAGNOSE):
            answer = issuer.handle(event(route, {"user_id": "bob"}, bearer=bearer()))
            assert problem(answer) == (401, "iam_identity_missing")

    @table("authorizer", [None, {}, [], "iam", ["iam"], {"iam": None}, {"iam": []}, {"iam": "x"}])
    def test_an_authorizer_of_another_shape_proves_nothing(
        self, issuer: Application, authorizer: object
    ) -> None:
        asked = event(SERVICE_TOKENS, {"user_id": "bob"}, role=ROLE_SESSION)
        asked["requestContext"]["authorizer"] = authorizer
        assert problem(issuer.handle(asked)) == (401, "iam_identity_missing")

    def test_a_role_that_the_policy_does_not_name_is_refused(self, issuer: Application) -> None:
        stranger = ROLE_SESSION.replace("Backend", "Stranger")
        answer = issuer.handle(event(SERVICE_TOKENS, {"user_id": "bob"}, role=stranger))
        assert problem(answer) == (403, "not_granted")
        assert "Stranger" not in answer.text


class TestBatches:
    def test_each_entry_gets_a_token_or_a_problem_in_order(self, issuer: Application) -> None:
        requests = [
            {"user_id": "alice", "room_id": "call_1"},
            {"user_id": "bob"},
            {"room_id": "call_1"},
            5,
            {"user_id": "carol", "room_id": "call_1", "lifetime_seconds": 86400},
        ]
        answer = issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        results = answer.document["results"]
        assert (answer.status, answer.document["request_id"]) == (200, "request-1")
        assert [result["status"] for result in results] == [201, 403, 400, 400, 201]
        assert [opened(results[n]["token"]["token"]).user_id for n in (0, 4)] == ["alice", "carol"]
        codes = [results[n]["problem"]["code"] for n in (1, 2, 3)]
        assert codes == ["not_granted", "missing_field", "body_not_object"]

    def test_a_batch_has_one_request_id(self, issuer: Application) -> None:
        requests = [{"user_id": "alice", "room_id": "call_1"}, {}]
        answer = issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        assert answer.text.count("request-1") == 1

    def test_a_hundred_entries_read_the_secret_once(self, issuer: Application) -> None:
        requests = [{"user_id": f"user{n}", "room_id": "call_1"} for n in range(100)]
        answer = issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        assert {result["status"] for result in answer.document["results"]} == {201}
        assert len(issuer.secrets_manager.requests) == 1

    def test_an_invalid_batch_is_refused_as_a_whole(self, issuer: Application) -> None:
        answer = issuer.handle(event(BATCH, {"requests": []}, role=ROLE_SESSION))
        assert problem(answer) == (422, "batch_size")

    def test_without_a_secret_the_whole_batch_fails_and_can_be_retried(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.down = True
        requests = [{"user_id": "alice", "room_id": "call_1"}]
        answer = issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        assert problem(answer) == (503, "secret_unavailable")


class TestHealth:
    def test_it_is_alive_whatever_else_is_down(self, issuer: Application) -> None:
        issuer.secrets_manager.down = issuer.jwks.down = True
        answer = issuer.handle(event(HEALTH))
        assert (answer.status, answer.document) == (200, {"status": "ok", "version": "build-1"})

    def test_it_calls_no_other_service_and_writes_nothing(self, issuer: Application) -> None:
        issuer.handle(event(HEALTH))
        assert (issuer.secrets_manager.requests, issuer.jwks.requests) == ([], [])
        assert issuer.output() == ""


class TestProblemPage:
    def test_it_has_a_section_for_every_problem_and_loads_nothing(
        self, issuer: Application
    ) -> None:
        answer = issuer.handle(event(HELP))
        sections = re.findall(r'<section id="(\w+)">', answer.text)
        assert sections == [*PROBLEMS]
        assert not re.search(r"<script|\b(?:src|href)=", answer.text)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["content-security-policy"].startswith("default-src 'none';")

    def test_it_asks_no_other_service_and_writes_nothing(self, issuer: Application) -> None:
        issuer.handle(event(HELP))
        assert (issuer.secrets_manager.requests, issuer.jwks.requests) == ([], [])
        assert issuer.output() == ""


class TestStatus:
    def test_operators_read_which_secret_and_policy_are_in_use(self, issuer: Application) -> None:
        answer = issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        document = answer.document
        assert answer.status == 200
        assert document == {
            "secret": {
                "version_id": "version-1",
                "fingerprint": document["secret"]["fingerprint"],
                "app_id": APP_ID,
                "created_at": 1_700_000_000,
                "age_days": document["secret"]["age_days"],
                "last_verdict": None,
            },
            "policy": {"sha256": document["policy"]["sha256"], "stage": "dev"},
            "signing_keys": [
                {
                    "identity": "web",
                    "issuer": ISSUER,
                    "jwks_uri": JWKS_URI,
                    "keys": 1,
                    "problem": None,
                }
            ],
            "shared_keys": [],
            "limits": None,
            "token_cipher": "gcm",
            "version": "build-1",
            "request_id": "request-1",
        }
        assert re.fullmatch("[0-9a-f]{12}", document["secret"]["fingerprint"])
        assert re.fullmatch("[0-9a-f]{64}", document["policy"]["sha256"])
        assert document["secret"]["age_days"] == pytest.approx(
            (time.time() - 1_700_000_000) / 86400, abs=0.02
        )
        assert SERVER_SECRET not in answer.text

    @pytest.mark.parametrize(
        ("tag", "verdict"),
        [
            (
                "rejected 3fa9c01b22de 1700000000 100000005",
                {
                    "verdict": "rejected",
                    "fingerprint": "3fa9c01b22de",
                    "since": 1_700_000_000,
                    "code": 100_000_005,
                },
            ),
            (
                "unknown - 1700000000 -",
                {
                    "verdict": "unknown",
                    "fingerprint": None,
                    "since": 1_700_000_000,
                    "code": None,
                },
            ),
            ("edited by hand", None),
            ("", None),
        ],
    )
    def test_they_read_the_verdict_that_the_watcher_noted_last(
        self, issuer: Application, tag: str, verdict: dict[str, object] | None
    ) -> None:
        issuer.secrets_manager.tags = {"team": "calls", "zego-token-service:verdict": tag}
        answer = issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        assert answer.document["secret"]["last_verdict"] == verdict
        assert issuer.secrets_manager.requests[-1] == {"SecretId": "zego/server-secret"}

    def test_a_secret_that_may_not_be_described_has_no_verdict_and_the_log_says_why(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.tags = None
        answer = issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        assert (answer.status, answer.document["secret"]["last_verdict"]) == (200, None)
        (line,) = (line for line in issuer.lines() if line.get("level") == "WARNING")
        assert line["message"] == "The watcher's last verdict cannot be read"
        assert "AccessDeniedException" in line["reason"]

    def test_unavailable_keys_are_reported_and_are_not_a_failure(self, issuer: Application) -> None:
        issuer.jwks.down = True
        answer = issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        (keys,) = answer.document["signing_keys"]
        assert (answer.status, keys["keys"]) == (200, None)
        assert "cannot be reached" in keys["problem"]

    def test_the_keys_are_those_that_bearer_tokens_are_verified_with(
        self, issuer: Application
    ) -> None:
        issuer.handle(event(TOKENS, bearer=bearer()))
        issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        assert len(issuer.jwks.requests) == 1

    def test_keys_are_not_fetched_if_the_rest_took_long(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("issuer.routes.FETCHING_SECONDS", 0.0)
        answer = issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        (keys,) = answer.document["signing_keys"]
        assert (answer.status, keys["keys"]) == (200, None)
        assert keys["problem"] == "not fetched: there was no time"
        assert issuer.jwks.requests == []

    def test_a_role_without_that_right_is_refused(self, issuer: Application) -> None:
        answer = issuer.handle(event(STATUS, role=ROLE_SESSION))
        assert problem(answer) == (403, "not_granted")
        assert issuer.secrets_manager.requests == []

    def test_without_a_secret_it_is_unavailable(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        answer = issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        assert problem(answer) == (503, "secret_unavailable")


class TestGatewayTime:
    """API Gateway's time in an event, while this machine's own clocks barely move."""

    def readings(self, issuer: Application, *times: object) -> int:
        """How often requests with these times, in milliseconds, read the secret."""
        for milliseconds in times:
            request = event(TOKENS, bearer=bearer())
            request["requestContext"]["timeEpoch"] = milliseconds
            assert issuer.handle(request).status == 201
        return len(issuer.secrets_manager.requests)

    def test_an_environment_that_was_frozen_and_set_back_reads_the_secret_at_once(
        self, issuer: Application
    ) -> None:
        assert self.readings(issuer, 1_700_000_000_000, 1_700_003_600_000) == 2

    def test_a_time_far_in_the_future_causes_one_reading(self, issuer: Application) -> None:
        future = range(4_000_000_000_000, 4_000_000_020_000, 1000)
        assert self.readings(issuer, 1_700_000_000_000, *future) == 2

    @pytest.mark.parametrize(
        "milliseconds",
        [None, "1700003600000", True, -1, 10**400, 1e300, [], {}],
        ids=lambda milliseconds: repr(milliseconds)[:15],
    )
    def test_an_event_without_a_time_is_a_normal_request(
        self, issuer: Application, milliseconds: object
    ) -> None:
        assert self.readings(issuer, milliseconds, 1_700_000_000_000, milliseconds) == 1


class TestRefusedTokens:
    """What happens if a caller reports that ZEGO refused its last token."""

    @pytest.fixture
    def promoted(self, issuer: Application, monkeypatch: pytest.MonkeyPatch) -> Application:
        """A secret was promoted since the issuer asked last, which is longer ago than 10 s."""
        issuer.handle(event(TOKENS, bearer=bearer()))
        secret = issuer.app._service.current
        monkeypatch.setattr(secret, "_clocks", Clocks(lambda: time.time() + 11))
        promoted = json.dumps({"app_id": APP_ID, "server_secret": NEXT_SECRET})
        issuer.secrets_manager.value = promoted
        return issuer

    @pytest.mark.parametrize(
        ("route", "body", "role"),
        [
            (TOKENS, {"room_id": "call_1"}, None),
            (SERVICE_TOKENS, {"user_id": "bob", "room_id": "call_1"}, ROLE_SESSION),
            (CALL, {}, None),
            (SERVICE_CALL, {"user_id": "bob"}, ROLE_SESSION),
        ],
        ids=[TOKENS, SERVICE_TOKENS, CALL, SERVICE_CALL],
    )
    def test_the_next_token_uses_the_newly_promoted_secret(
        self, promoted: Application, route: str, body: dict[str, object], role: str | None
    ) -> None:
        proof = {"bearer": bearer()} if role is None else {"role": role}
        answer = promoted.handle(event(route, body | {"refused_with": 20014}, **proof))
        document = answer.document
        assert token04.decode(document["token"], NEXT_SECRET).claims.app_id == APP_ID

    def test_without_a_report_the_cached_secret_is_used(self, promoted: Application) -> None:
        document = promoted.handle(event(TOKENS, bearer=bearer())).document
        assert opened(document["token"]).user_id == "alice"

    def test_all_entries_of_a_batch_read_the_secret_once(self, promoted: Application) -> None:
        entry = {"user_id": "bob", "room_id": "call_1", "refused_with": 1102016}
        answer = promoted.handle(event(BATCH, {"requests": [entry] * 100}, role=ROLE_SESSION))
        tokens = [result["token"]["token"] for result in answer.document["results"]]
        assert token04.decode(tokens[0], NEXT_SECRET).claims.user_id == "bob"
        assert len(promoted.secrets_manager.requests) == 2

    def test_repeated_reports_read_the_secret_once(self, promoted: Application) -> None:
        for _ in range(50):
            promoted.handle(event(TOKENS, {"refused_with": 20014}, bearer=bearer()))
        assert len(promoted.secrets_manager.requests) == 2

    @pytest.mark.parametrize(
        ("body", "claims", "code"),
        [
            ({}, None, "bearer_missing"),
            ({}, {"exp": 0}, "bearer_expired"),
            ({"room_id": "lobby"}, {}, "not_granted"),
            ({}, {"suspended": True}, "not_granted"),
            ({"refused_with": 7}, {}, "invalid_refused_with"),
        ],
        ids=["no proof", "expired", "not granted", "denied", "no such code"],
    )
    def test_a_refused_caller_causes_no_read(
        self,
        promoted: Application,
        body: dict[str, object],
        claims: dict[str, object] | None,
        code: str,
    ) -> None:
        proof = None if claims is None else bearer(**claims)
        answer = promoted.handle(event(TOKENS, {"refused_with": 20014} | body, bearer=proof))
        assert answer.document["code"] == code
        assert len(promoted.secrets_manager.requests) == 1

    def test_a_refused_service_causes_no_read(self, promoted: Application) -> None:
        asked = {"refused_with": 20014, "user_id": "bob"}
        answer = promoted.handle(event(SERVICE_TOKENS, asked, role=ROLE_SESSION))
        assert answer.document["code"] == "not_granted"
        assert len(promoted.secrets_manager.requests) == 1

    def test_if_the_read_fails_the_last_good_secret_is_used_and_not_stale(
        self, promoted: Application
    ) -> None:
        promoted.secrets_manager.down = True
        answer = promoted.handle(event(TOKENS, {"refused_with": 20014}, bearer=bearer()))
        assert opened(answer.document["token"]).user_id == "alice"
        assert promoted.count_of("SecretRefreshFailed") == 1
        assert promoted.count_of("SecretStale") == 0


class TestAnswers:
    @pytest.mark.parametrize(
        "route", [*(route for route in ROUTES if route != HELP), "GET /nowhere", "$default"]
    )
    def test_nothing_may_be_cached_and_everything_is_json(
        self, issuer: Application, route: str
    ) -> None:
        method_and_path = route if " " in route else "GET /nowhere"
        answer = issuer.handle(event(method_and_path, bearer=bearer()) | {"routeKey": route})
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] in ("application/json", "application/problem+json")
        assert isinstance(answer.document, dict)

    @pytest.mark.parametrize("route", ["GET /nowhere", "$default", "GET /v1/tokens", ""])
    def test_an_unknown_route_is_refused(self, issuer: Application, route: str) -> None:
        asked = event("GET /nowhere") | {"routeKey": route}
        assert problem(issuer.handle(asked)) == (404, "route_not_found")

    def test_a_refusal_contains_what_a_client_needs(self, issuer: Application) -> None:
        answer = issuer.handle(event(TOKENS, {"room_id": 5}, bearer=bearer()))
        assert answer.document == {
            "type": "urn:zego-token-service:problem:wrong_type",
            "title": "A field has the wrong type",
            "status": 400,
            "detail": "room_id must be a string, not a number.",
            "code": "wrong_type",
            "retryable": False,
            "help": "https://calls.example.com/v1/problems#wrong_type",
            "field": "room_id",
            "request_id": "request-1",
        }

    @pytest.mark.parametrize(
        ("headers", "before", "base"),
        [
            ({"host": "calls.example.com"}, "", "https://calls.example.com"),
            ({"host": "example.com"}, "/tokens", "https://example.com/tokens"),
            (
                {"host": "127.0.0.1:8080", "x-forwarded-proto": "http"},
                "",
                "http://127.0.0.1:8080",
            ),
        ],
        ids=["a domain", "a domain with a path mapping", "the local stack"],
    )
    def test_help_is_at_the_address_that_the_caller_used(
        self, issuer: Application, headers: dict[str, str], before: str, base: str
    ) -> None:
        sent = event(TOKENS)
        sent["headers"] |= headers
        sent["rawPath"] = before + sent["rawPath"]
        document = issuer.handle(sent).document
        assert document["help"] == f"{base}/v1/problems#bearer_missing"

    def test_without_a_host_header_help_is_at_the_apis_own_domain(
        self, issuer: Application
    ) -> None:
        sent, domain = event(TOKENS), "a1b2c3.execute-api.eu-central-1.amazonaws.com"
        del sent["headers"]["host"]
        sent["requestContext"]["domainName"] = domain
        link = issuer.handle(sent).document["help"]
        assert link == f"https://{domain}/v1/problems#bearer_missing"

    def test_an_unauthenticated_caller_learns_how_to_authenticate(
        self, issuer: Application
    ) -> None:
        missing = issuer.handle(event(TOKENS))
        assert missing.headers["www-authenticate"] == "Bearer"
        bad = issuer.handle(event(TOKENS, bearer="x"))
        assert bad.headers["www-authenticate"] == 'Bearer error="invalid_token"'

    def test_without_a_secret_it_says_when_to_retry(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        answer = issuer.handle(event(TOKENS, bearer=bearer()))
        assert problem(answer) == (503, "secret_unavailable")
        assert (answer.headers["retry-after"], answer.document["retryable"]) == ("5", True)

    def test_without_keys_it_says_when_to_retry(self, issuer: Application) -> None:
        issuer.jwks.down = True
        answer = issuer.handle(event(TOKENS, bearer=bearer()))
        assert problem(answer) == (503, "signing_keys_unavailable")
        assert (answer.headers["retry-after"], answer.document["retryable"]) == ("5", True)

    def test_a_request_that_is_not_granted_reads_no_secret_after_the_first_requests(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issuer.handle(event(TOKENS, bearer=bearer()))
        later = Clocks(lambda: time.time() + 61)
        monkeypatch.setattr(issuer.app._service.current, "_clocks", later)
        answer = issuer.handle(event(TOKENS, {"room_id": "lobby"}, bearer=bearer()))
        assert problem(answer) == (403, "not_granted")
        assert len(issuer.secrets_manager.requests) == 1


class TestFirstReads:
    """A new environment reads the secret and the keys at the same time."""

    @staticmethod
    def meeting(issuer: Application, monkeypatch: pytest.MonkeyPatch) -> threading.Barrier:
        """A place where the two reads wait for each other; they fail if only one comes."""
        both = threading.Barrier(2)

        def at_the_barrier(respond: Callable[..., Response]) -> Callable[..., Response]:
            def wait(*arguments: Any, **keywords: Any) -> Response:
                try:
                    both.wait(5)
                except threading.BrokenBarrierError:
                    raise HttpError("the other one did not come") from None
                return respond(*arguments, **keywords)

            return wait

        secrets_manager, jwks = issuer.secrets_manager, issuer.jwks
        monkeypatch.setattr("zego.aws.request", at_the_barrier(secrets_manager))
        monkeypatch.setattr(
            "issuer.jwks.request", at_the_barrier(lambda _method, uri, **_: jwks(uri))
        )
        return both

    def test_a_first_bearer_token_reads_both_at_once(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.meeting(issuer, monkeypatch)
        assert issuer.handle(event(TOKENS, bearer=bearer())).status == 201
        assert (len(issuer.secrets_manager.requests), len(issuer.jwks.requests)) == (1, 1)

    def test_a_restore_reads_both_at_once(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        both = self.meeting(issuer, monkeypatch)
        restore(issuer)
        assert not both.broken
        assert (len(issuer.secrets_manager.requests), len(issuer.jwks.requests)) == (1, 1)

    @pytest.mark.parametrize("proof", [None, "x", "e30.e30.e30"])
    def test_without_a_plausible_proof_nothing_is_read(
        self, issuer: Application, proof: str | None
    ) -> None:
        issuer.handle(event(TOKENS, bearer=proof))
        assert (issuer.secrets_manager.requests, issuer.jwks.requests) == ([], [])

    def test_a_failing_first_read_is_reported_by_the_step_that_needs_it(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.down = True
        answer = issuer.handle(event(TOKENS, bearer=bearer()))
        assert problem(answer) == (503, "secret_unavailable")
        assert issuer.count_of("SecretRefreshFailed") == 1
        assert len(issuer.secrets_manager.requests) == 2  # one attempt and its retry


def fail(*_: object, **__: object) -> NoReturn:
    raise RuntimeError(SERVER_SECRET)


class TestFailures:
    @pytest.fixture
    def broken(self, issuer: Application, monkeypatch: pytest.MonkeyPatch) -> Application:
        monkeypatch.setattr("zego.token04.mint", fail)
        return issuer

    def test_an_unknown_failure_is_a_problem_without_its_message(self, broken: Application) -> None:
        answer = broken.handle(event(TOKENS, bearer=bearer()))
        assert problem(answer) == (500, "internal_error")
        assert answer.document["retryable"] is True
        for text in (SERVER_SECRET, "RuntimeError", "issuer/"):
            assert text not in answer.text

    def test_the_log_has_its_type_and_place_but_not_its_message(self, broken: Application) -> None:
        broken.handle(event(TOKENS, bearer=bearer()))
        (line,) = (line for line in broken.lines() if line.get("level") == "ERROR")
        assert (line["message"], line["error"]) == ("The service failed", "RuntimeError")
        assert line["request_id"] == "request-1"
        assert any("issue.py" in frame for frame in line["frames"])
        assert SERVER_SECRET not in broken.output()

    def test_it_is_audited_and_counted_as_a_refusal(self, broken: Application) -> None:
        broken.handle(event(TOKENS, bearer=bearer()))
        (audit,) = broken.audit_events()
        assert (audit["decision"], audit["code"]) == ("refused", "internal_error")
        assert broken.count_of("ExchangesRefused") == 1
        assert broken.count_of("TokensIssued") == 0

    def test_it_is_counted_by_the_version_so_that_a_deployment_stops(
        self, broken: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "12")
        broken.handle(event(TOKENS, bearer=bearer()))
        (line,) = (line for line in broken.metrics() if "InternalErrors" in line)
        assert (line["InternalErrors"], line["version"]) == ([1], "12")

    def test_a_refusal_is_not_an_internal_error(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        issuer.handle(event(TOKENS, bearer=bearer()))
        issuer.handle(event(TOKENS))
        assert issuer.count_of("InternalErrors") == 0

    def test_a_failure_in_a_batch_fails_the_whole_batch(self, broken: Application) -> None:
        requests = [{"user_id": "alice", "room_id": "call_1"}]
        answer = broken.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        assert problem(answer) == (500, "internal_error")

    def test_the_next_request_is_served_again(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as during:
            during.setattr("zego.token04.mint", fail)
            issuer.handle(event(TOKENS, bearer=bearer()))
        assert issuer.handle(event(TOKENS, bearer=bearer())).status == 201

    @pytest.mark.parametrize(
        "other",
        [
            {},
            {"requestContext": {}},
            {"routeKey": TOKENS},
            {"routeKey": TOKENS, "requestContext": None},
            {"version": "1.0", "httpMethod": "POST", "path": "/v1/tokens", "requestContext": {}},
            {"Records": []},
        ],
        ids=str,
    )
    def test_an_event_that_is_not_from_an_http_api_is_a_function_error(
        self, issuer: Application, other: dict[str, Any]
    ) -> None:
        with pytest.raises(ApiEventError, match="not an event of an HTTP API"):
            issuer.handle(other)


class TestSnapStart:
    def test_the_import_fetches_nothing(self, issuer: Application) -> None:
        assert (issuer.secrets_manager.requests, issuer.jwks.requests) == ([], [])

    def test_a_restore_fetches_the_secret_and_the_keys_before_the_first_request(
        self, issuer: Application
    ) -> None:
        restore(issuer)
        assert (len(issuer.secrets_manager.requests), len(issuer.jwks.requests)) == (1, 1)
        assert issuer.handle(event(TOKENS, bearer=bearer())).status == 201
        assert (len(issuer.secrets_manager.requests), len(issuer.jwks.requests)) == (1, 1)

    def test_what_a_restore_fetched_is_counted(self, issuer: Application) -> None:
        restore(issuer)
        assert issuer.count_of("SecretRefresh") == 1

    def test_a_restore_that_took_long_leaves_the_keys_to_the_first_request(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("issuer.routes.FETCHING_SECONDS", 0.0)
        restore(issuer)
        assert issuer.jwks.requests == []
        assert issuer.handle(event(TOKENS, bearer=bearer())).status == 201

    def test_a_restore_while_everything_is_down_succeeds_and_the_request_fails(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.down = issuer.jwks.down = True
        restore(issuer)
        assert problem(issuer.handle(event(TOKENS, bearer=bearer()))) == (
            503,
            "signing_keys_unavailable",
        )

    def test_after_each_restore_openssl_gets_new_randomness_before_the_first_connection(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given: list[tuple[bytes, float, int]] = []

        def add(randomness: bytes, entropy: float) -> None:
            given.append((randomness, entropy, len(issuer.secrets_manager.requests)))

        monkeypatch.setattr("ssl.RAND_add", add)
        restore(issuer)
        (first,) = given
        assert (len(first[0]), *first[1:]) == (32, 32.0, 0)
        restore(issuer)
        assert given[1][0] != first[0]


def test_after_the_import_the_garbage_collector_runs_and_skips_what_is_loaded() -> None:
    code = "import gc, issuer.app; print(gc.isenabled(), gc.get_freeze_count() > 10_000)"
    assert in_a_new_process(code) == "True True\n"


def test_a_snapshot_has_the_trusted_roots_that_calls_of_aws_need() -> None:
    code = "import issuer.app, zego.bounded_http as http; print(http._make_tls.cache_info())"
    assert "currsize=1" in in_a_new_process(code)
    assert "currsize=0" in in_a_new_process(code, endpoint="https://secrets.example/")


def in_a_new_process(code: str, *, endpoint: str = "") -> str:
    """What the code prints in a new process with the issuer's variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={
            "STAGE": "dev",
            "SERVER_SECRET_ARN": "zego/server-secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": endpoint,
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        check=True,
        text=True,
    ).stdout


def restore(issuer: Application) -> None:
    """Runs the hooks that the runtime runs after a restore: those of this import."""
    with issuer.writing():
        for hook, arguments, keywords in snapshot_restore_py.get_after_restore():
            if hook is issuer.app._prefetch:
                hook(*arguments, **keywords)
