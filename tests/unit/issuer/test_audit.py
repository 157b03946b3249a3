"""The audit event of an exchange, its metrics, and what neither may ever contain."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from issuer import audit
from issuer.audit import Exchange
from local.aws.dynamodb import DynamoDb
from tests.support.application import (
    OPERATOR_SESSION,
    POLICY,
    ROLE_SESSION,
    SERVER_SECRET,
    Application,
    bearer,
    event,
)
from tests.support.bearer import ISSUER, signer
from tests.support.routes import BATCH, SERVICE_TOKENS, STATUS, TOKENS
from zego.denials import Denial
from zego.server_secret import ServerSecret


class TestGranted:
    def test_the_event_says_who_got_what_by_which_rule(self, issuer: Application) -> None:
        asked = {
            "room_id": "call_1",
            "privileges": ["login"],
            "stream_ids": ["s1"],
            "lifetime_seconds": 600,
        }
        document = issuer.handle(event(TOKENS, asked, bearer=bearer())).document
        assert issuer.audit_events() == [
            {
                "decision": "granted",
                "request_id": "request-1",
                "route": TOKENS,
                "identity": "web",
                "subject": f"{ISSUER} alice",
                "rule": "users enter calls",
                "user_id": "alice",
                "room_id": "call_1",
                "privileges": ["login"],
                "stream_ids": ["s1"],
                "lifetime_seconds": 600,
                "expires_at": document["expires_at"],
                "secret_fingerprint": ServerSecret(1234567890, SERVER_SECRET).fingerprint,
                "token_sha256": hashlib.sha256(document["token"].encode()).hexdigest(),
            }
        ]

    def test_a_role_is_named_with_its_session(self, issuer: Application) -> None:
        asked = {"user_id": "bob", "room_id": "standup"}
        issuer.handle(event(SERVICE_TOKENS, asked, role=ROLE_SESSION))
        (said,) = issuer.audit_events()
        assert (said["identity"], said["subject"]) == ("backend", ROLE_SESSION)
        assert said["user_id"] == "bob"

    def test_its_log_line_can_be_found_by_text(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, {"room_id": "call_1"}, bearer=bearer()))
        issuer.handle(event(TOKENS, bearer=bearer()))
        lines = [line for line in issuer.lines() if "audit" in line]
        assert [(line["level"], line["message"]) for line in lines] == [
            ("INFO", "Token issued for user alice in room call_1"),
            ("INFO", "Token issued for user alice in any room"),
        ]
        assert {line["stage"] for line in lines} == {"dev"}

    def test_the_event_has_a_hashed_subject_and_its_user_id(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, bearer=bearer(sub="auth0|123")))
        (said,) = issuer.audit_events()
        assert said["subject"] == f"{ISSUER} auth0|123"
        assert said["user_id"].startswith("u_")

    @pytest.mark.parametrize(
        ("subject", "shown"),
        [
            ("\ud800", r"\ud800"),
            ("a\nb", r"a\nb"),
            ('a"b', 'a"b'),
            ("a\0b", r"a\x00b"),
            ("\u202e", r"\u202e"),
            ("\x1b[31m", r"\x1b[31m"),
        ],
        ids=["surrogate", "newline", "quote", "NUL", "right to left", "color"],
    )
    def test_a_subject_of_any_characters_is_audited_with_control_characters_escaped(
        self,
        issuer: Application,
        subject: str,
        shown: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        answer = issuer.handle(event(TOKENS, bearer=bearer(sub=subject)))
        (said,) = issuer.audit_events()
        assert answer.status == 201
        assert said["subject"] == f"{ISSUER} {shown}"
        assert issuer.output().isascii()
        assert capsys.readouterr().err == ""

    def test_the_event_of_a_token_after_a_refused_one_has_zegos_code(
        self, issuer: Application
    ) -> None:
        issuer.handle(event(TOKENS, {"refused_with": 20014}, bearer=bearer()))
        (line,) = (line for line in issuer.lines() if "audit" in line)
        assert line["audit"]["refused_with"] == 20014
        assert line["message"] == (
            "Token issued for user alice in any room, after ZEGO refused the last one with 20014"
        )

    def test_the_status_route_writes_no_event(self, issuer: Application) -> None:
        issuer.handle(event(STATUS, role=OPERATOR_SESSION))
        assert issuer.audit_events() == []


class TestRefused:
    def test_the_event_says_who_was_refused_what_and_why(self, issuer: Application) -> None:
        asked = {"room_id": "lobby", "privileges": ["publish"], "lifetime_seconds": 600}
        issuer.handle(event(TOKENS, asked, bearer=bearer()))
        assert issuer.audit_events() == [
            {
                "decision": "refused",
                "request_id": "request-1",
                "route": TOKENS,
                "identity": "web",
                "subject": f"{ISSUER} alice",
                "code": "not_granted",
                "reason": "no rule matches",
                "field": None,
                "rule": None,
                "user_id": "alice",
                "room_id": "lobby",
                "privileges": ["publish"],
                "stream_ids": None,
                "lifetime_seconds": 600,
            }
        ]

    def test_the_rule_that_refused_is_named_to_the_log_and_not_to_the_caller(
        self, issuer: Application
    ) -> None:
        answer = issuer.handle(event(TOKENS, bearer=bearer(suspended=True)))
        (said,) = issuer.audit_events()
        assert (said["rule"], said["reason"]) == ("suspended users get nothing", "the rule denies")
        assert "suspended" not in answer.text
        assert "denies" not in answer.text

    def test_the_event_of_a_refusal_after_a_refused_token_has_zegos_code(
        self, issuer: Application
    ) -> None:
        asked = {"room_id": "lobby", "refused_with": 1102016}
        issuer.handle(event(TOKENS, asked, bearer=bearer()))
        (line,) = (line for line in issuer.lines() if "audit" in line)
        assert line["audit"]["refused_with"] == 1102016
        assert line["message"] == (
            "Refused POST /v1/tokens: not_granted, after ZEGO refused the last one with 1102016"
        )

    def test_an_unauthenticated_caller_has_no_identity(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, {"room_id": "call_1"}))
        (said,) = issuer.audit_events()
        assert said["code"] == "bearer_missing"
        assert not said.keys() & {"identity", "subject", "user_id", "room_id"}

    def test_an_invalid_body_is_reported_by_its_field(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, {"lifetime_seconds": 0}, bearer=bearer()))
        (said,) = issuer.audit_events()
        assert (said["code"], said["field"]) == ("lifetime_out_of_range", "lifetime_seconds")

    def test_the_user_whom_a_role_named_is_in_the_event(self, issuer: Application) -> None:
        issuer.handle(event(SERVICE_TOKENS, {"user_id": "bob"}, role=ROLE_SESSION))
        (said,) = issuer.audit_events()
        assert (said["user_id"], said["code"]) == ("bob", "not_granted")

    def test_an_unknown_role_is_in_the_event_and_not_in_the_response(
        self, issuer: Application
    ) -> None:
        stranger = ROLE_SESSION.replace("Backend", "Stranger")
        answer = issuer.handle(event(SERVICE_TOKENS, {"user_id": "bob"}, role=stranger))
        (said,) = issuer.audit_events()
        assert stranger in said["reason"]
        assert "Stranger" not in answer.text

    def test_why_there_is_no_secret_is_in_the_event_and_not_in_the_response(
        self, issuer: Application
    ) -> None:
        issuer.secrets_manager.down = True
        answer = issuer.handle(event(TOKENS, bearer=bearer()))
        (said,) = issuer.audit_events()
        assert "Unreachable" in said["reason"]
        assert "Unreachable" not in answer.text

    def test_its_log_line_can_be_found_by_text(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS))
        (line,) = (line for line in issuer.lines() if "audit" in line)
        assert (line["level"], line["message"]) == (
            "WARNING",
            "Refused POST /v1/tokens: bearer_missing",
        )

    @pytest.mark.parametrize(
        "body", ['{"\\ud800": 1}', '{"room_id": "\\ud800"}', '{"stream_ids": ["\\ud800"]}']
    )
    def test_a_lone_surrogate_in_a_body_is_audited(
        self, issuer: Application, body: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        issuer.handle(event(TOKENS, body, bearer=bearer()))
        assert [said["decision"] for said in issuer.audit_events()] == ["refused"]
        assert capsys.readouterr().err == ""

    def test_an_exchange_has_one_event(self, issuer: Application) -> None:
        for asked in (
            event(TOKENS, bearer=bearer()),
            event(TOKENS),
            event(TOKENS, "{", bearer=bearer()),
            event(TOKENS, {"room_id": "lobby"}, bearer=bearer()),
        ):
            before = len(issuer.audit_events())
            issuer.handle(asked)
            assert len(issuer.audit_events()) == before + 1


class TestBatches:
    def test_each_entry_has_its_own_event_with_its_position(self, issuer: Application) -> None:
        requests = [
            {"user_id": "alice", "room_id": "call_1"},
            {"user_id": "bob"},
            {"user_id": "carol", "room_id": "call_1"},
        ]
        issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        said = [
            (each["position"], each["decision"], each["user_id"], each["request_id"])
            for each in issuer.audit_events()
        ]
        assert said == [
            (0, "granted", "alice", "request-1"),
            (1, "refused", "bob", "request-1"),
            (2, "granted", "carol", "request-1"),
        ]

    def test_entries_with_the_same_mistake_share_an_event_that_has_their_positions(
        self, issuer: Application
    ) -> None:
        entries: list[object] = [0] * 100
        entries[7] = {"user_id": "alice", "room_id": "call_1"}
        entries[50] = entries[51] = {}
        asked = event(BATCH, {"requests": entries}, role=ROLE_SESSION)
        results = issuer.handle(asked).document["results"]
        assert [each["status"] for each in results].count(400) == len(results) - 1 == 99
        objects, users, granted = issuer.audit_events()
        assert (objects["code"], objects["position"]) == ("body_not_object", 0)
        assert sorted([0, *objects["repeated_at"], 7, 50, 51]) == [*range(100)]
        assert (users["code"], users["position"]) == ("missing_field", 50)
        assert users["repeated_at"] == [51]
        assert (granted["position"], "repeated_at" in granted) == (7, False)
        assert issuer.count_of("Refusals") == issuer.count_of("ExchangesRefused") == 99

    def test_a_small_body_does_not_fill_the_log(self, issuer: Application) -> None:
        issuer.handle(event(BATCH, {"requests": [0] * 100}, role=ROLE_SESSION))
        assert len(issuer.output()) < 5_000

    def test_a_batch_that_is_refused_as_a_whole_has_one_event(self, issuer: Application) -> None:
        issuer.handle(event(BATCH, {"requests": []}, role=ROLE_SESSION))
        (said,) = issuer.audit_events()
        assert (said["code"], "position" in said) == ("batch_size", False)


class TestSecrecy:
    """The log has no token, secret or credential; a response has only the token that it issues."""

    def test_only_the_response_contains_the_token(self, issuer: Application) -> None:
        requests = [{"user_id": f"user{n}", "room_id": "call_1"} for n in range(3)]
        batch = issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION)).document
        tokens = [result["token"]["token"] for result in batch["results"]]
        tokens.append(issuer.handle(event(TOKENS, bearer=bearer())).document["token"])
        for token in tokens:
            assert token not in issuer.output()
            assert token[2:40] not in issuer.output()

    @pytest.mark.parametrize(
        "made",
        [
            bearer,
            lambda: bearer(exp=0),
            lambda: bearer(aud="elsewhere"),
            lambda: bearer(iss="https://evil.example.com/"),
            lambda: bearer(sub=5),
            lambda: bearer(suspended=True),
            lambda: signer(owner="mallory").sign({"iss": ISSUER, "sub": "alice"}),
            lambda: signer(key_id="key-9").sign({"iss": ISSUER}),
            lambda: "x.y.z",
            lambda: "secret-looking " * 10,
            lambda: "x" * 10_000,
        ],
        ids=[
            "good",
            "expired",
            "another audience",
            "another issuer",
            "malformed",
            "suspended",
            "forged",
            "unknown key",
            "no JWT",
            "words",
            "too large",
        ],
    )
    def test_no_part_of_a_bearer_token_is_repeated(
        self, issuer: Application, made: Callable[[], str]
    ) -> None:
        token = made()
        answer = issuer.handle(event(TOKENS, bearer=token))
        for part in (token, *token.split(".")):
            if len(part) > 3:
                assert part not in answer.text
                assert part not in issuer.output()

    def test_the_server_secret_and_the_credentials_are_nowhere(self, issuer: Application) -> None:
        texts = [
            issuer.handle(asked).text
            for asked in (
                event(TOKENS, bearer=bearer()),
                event(STATUS, role=OPERATOR_SESSION),
                event(TOKENS, {SERVER_SECRET: 1}, bearer=bearer()),
                event(TOKENS, {"room_id": f"{SERVER_SECRET} "}, bearer=bearer()),
                event("GET /nowhere"),
            )
        ]
        for text in (*texts, issuer.output()):
            assert SERVER_SECRET not in text
            assert "aws-secret-access-key" not in text

    def test_a_malformed_secret_is_nowhere_either(self, issuer: Application) -> None:
        issuer.secrets_manager.value = json.dumps({"app_id": 0, "server_secret": SERVER_SECRET})
        answer = issuer.handle(event(TOKENS, bearer=bearer()))
        (said,) = issuer.audit_events()
        assert (answer.status, "app_id must be" in said["reason"]) == (503, True)
        assert SERVER_SECRET not in answer.text + issuer.output()

    def test_only_valid_ids_from_the_body_are_logged(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, {"room_id": "pasted by mistake"}, bearer=bearer()))
        issuer.handle(event(TOKENS, {"privileges": ["pasted"]}, bearer=bearer()))
        assert "pasted" not in issuer.output()


class TestMetrics:
    def names_of(self, issuer: Application) -> set[str]:
        return {
            metric["Name"]
            for line in issuer.metrics()
            for group in line["_aws"]["CloudWatchMetrics"]
            for metric in group["Metrics"]
        }

    def test_a_token_is_counted_and_timed(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, bearer=bearer()))
        assert self.names_of(issuer) == {"TokensIssued", "SecretRefresh", "ExchangeLatency"}
        assert issuer.count_of("TokensIssued") == 1
        assert issuer.count_of("SecretRefresh") == 1
        assert 0 < issuer.count_of("ExchangeLatency") < 10_000

    def test_the_second_token_needs_no_read_of_the_secret(self, issuer: Application) -> None:
        for _ in range(2):
            issuer.handle(event(TOKENS, bearer=bearer()))
        assert issuer.count_of("TokensIssued") == 2
        assert issuer.count_of("SecretRefresh") == 1

    def test_they_are_embedded_metrics_by_stage_and_service(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, bearer=bearer()))
        (line,) = issuer.metrics()
        (group,) = line["_aws"]["CloudWatchMetrics"]
        assert group["Namespace"] == "ZegoTokenService"
        assert [set(dimensions) for dimensions in group["Dimensions"]] == [{"stage", "service"}]
        assert (line["stage"], line["service"]) == ("dev", "issuer")
        units = {metric["Name"]: metric["Unit"] for metric in group["Metrics"]}
        assert units == {
            "TokensIssued": "Count",
            "SecretRefresh": "Count",
            "ExchangeLatency": "Milliseconds",
        }

    def test_a_refusal_is_counted_by_its_code(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, {"room_id": "lobby"}, bearer=bearer()))
        issuer.handle(event(TOKENS))
        refused = [line for line in issuer.metrics() if "ExchangesRefused" in line]
        assert [line["code"] for line in refused] == ["not_granted", "bearer_missing"]
        for line in refused:
            (group,) = line["_aws"]["CloudWatchMetrics"]
            assert group["Namespace"] == "ZegoTokenService"
            assert [set(each) for each in group["Dimensions"]] == [{"stage", "service", "code"}]
        assert "TokensIssued" not in self.names_of(issuer)

    def test_refusals_of_authenticated_callers_are_counted_together(
        self, issuer: Application
    ) -> None:
        issuer.handle(event(TOKENS, {"room_id": "lobby"}, bearer=bearer()))
        issuer.handle(event(SERVICE_TOKENS, {}, role=ROLE_SESSION))
        issuer.handle(
            event(SERVICE_TOKENS, {}, role=ROLE_SESSION.replace("/", "-of-another-team/", 1))
        )
        assert issuer.count_of("Refusals") == 3
        for line in issuer.metrics():
            if "Refusals" in line:
                (group,) = line["_aws"]["CloudWatchMetrics"]
                assert group["Dimensions"] == [["stage", "service"]]

    @pytest.mark.parametrize("proof", [None, "x", bearer(exp=0)], ids=["none", "bad", "expired"])
    def test_refusals_without_proof_are_counted_by_code_only(
        self, issuer: Application, proof: str | None
    ) -> None:
        issuer.handle(event(TOKENS, bearer=proof))
        issuer.handle(event(SERVICE_TOKENS, {}))
        assert issuer.count_of("Refusals") == 0
        assert issuer.count_of("ExchangesRefused") == 2

    def test_refusals_of_users_who_are_denied_or_over_budget_are_counted_by_code_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        table = DynamoDb()
        for denied in (
            Denial("user", "mallory", "spam", "op", at=1),
            Denial("room", "call_2", "spam", "op", at=1),
            Denial("user", "carol", "theft", "op", at=1, not_before=2_000_000_000),
        ):
            table.call("PutItem", Item=denied.to_item())
        policy = POLICY.replace("rooms = [", "max_tokens_per_hour = 1\nrooms = [")
        issuer = Application(tmp_path, monkeypatch, policy_text=policy, dynamodb=table)
        for user, room in (
            ("alice", "call_1"),
            ("alice", "call_1"),
            ("bob", "call_2"),
            ("carol", "call_1"),
            ("mallory", "call_1"),
        ):
            issuer.handle(event(TOKENS, {"room_id": room}, bearer=bearer(sub=user)))
        codes = [said.get("code") for said in issuer.audit_events()]
        limited = ["too_many_tokens", "not_granted", "bearer_too_old", "not_granted"]
        assert codes == [None, *limited]
        assert issuer.count_of("ExchangesRefused") == 4
        assert issuer.count_of("Refusals") == 0

    def test_a_report_that_zego_refused_a_token_is_counted_granted_or_not(
        self, issuer: Application
    ) -> None:
        for asked in ({"refused_with": 20014}, {"room_id": "lobby", "refused_with": 20014}, {}):
            issuer.handle(event(TOKENS, asked, bearer=bearer()))
        assert issuer.count_of("RefusalsReported") == 2

    def test_a_report_is_counted_when_there_is_no_secret(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        issuer.handle(event(TOKENS, {"refused_with": 20014}, bearer=bearer()))
        assert issuer.count_of("RefusalsReported") == 1

    @pytest.mark.parametrize("proof", [None, "x", bearer(exp=0)], ids=["none", "bad", "expired"])
    def test_a_report_of_an_unauthenticated_caller_raises_no_alarm(
        self, issuer: Application, proof: str | None
    ) -> None:
        issuer.handle(event(TOKENS, {"refused_with": 20014}, bearer=proof))
        assert issuer.count_of("RefusalsReported") == 0
        (said,) = issuer.audit_events()
        assert "refused_with" not in said

    def test_an_invalid_report_raises_no_alarm(self, issuer: Application) -> None:
        issuer.handle(event(TOKENS, {"refused_with": 7}, bearer=bearer()))
        assert issuer.count_of("RefusalsReported") == 0

    def test_each_entry_of_a_batch_can_report(self, issuer: Application) -> None:
        requests = [{"user_id": "alice", "room_id": "call_1", "refused_with": 50119}] * 3
        requests += [{"user_id": "alice", "room_id": "call_1"}]
        issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        assert issuer.count_of("RefusalsReported") == 3
        codes = [said.get("refused_with") for said in issuer.audit_events()]
        assert codes == [50119, 50119, 50119, None]

    def test_a_batch_counts_its_tokens_and_its_refusals(self, issuer: Application) -> None:
        requests = [{"user_id": f"user{n}", "room_id": "call_1"} for n in range(98)]
        requests += [{"user_id": "bob"}, {}]
        issuer.handle(event(BATCH, {"requests": requests}, role=ROLE_SESSION))
        assert issuer.count_of("TokensIssued") == 98
        assert issuer.count_of("ExchangesRefused") == 2

    def test_a_secret_that_cannot_be_read_is_counted(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        issuer.handle(event(TOKENS, bearer=bearer()))
        assert "SecretRefreshFailed" in self.names_of(issuer)
        assert "SecretRefresh" not in self.names_of(issuer)

    def test_a_failed_read_that_is_not_repeated_is_counted_once(self, issuer: Application) -> None:
        issuer.secrets_manager.down = True
        for _ in range(3):
            issuer.handle(event(TOKENS, bearer=bearer()))
        assert issuer.count_of("SecretRefreshFailed") == 1
        assert issuer.count_of("ExchangesRefused") == 3

    def test_a_secret_that_is_served_stale_is_counted(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        issuer.handle(event(TOKENS, bearer=bearer()))
        issuer.secrets_manager.down = True
        monkeypatch.setattr(issuer.app._service.current, "_fresh_seconds", 0.0)
        answer = issuer.handle(event(TOKENS, bearer=bearer()))
        assert answer.status == 201
        assert issuer.count_of("SecretStale") == 1
        assert issuer.count_of("SecretRefreshFailed") == 1
        (line,) = (line for line in issuer.lines() if line.get("level") == "ERROR")
        assert "the last good value stays in use" in line["message"]

    def test_an_unusual_secret_causes_a_warning_with_its_fingerprint(
        self, issuer: Application
    ) -> None:
        unusual = "ABCDEFGHJKLMNPQRSTUVWXZ123456789"
        issuer.secrets_manager.value = json.dumps({"app_id": 5, "server_secret": unusual})
        issuer.handle(event(TOKENS, bearer=bearer()))
        (line,) = (line for line in issuer.lines() if line.get("level") == "WARNING")
        assert line["secret_fingerprint"] == ServerSecret(5, unusual).fingerprint
        assert unusual not in issuer.output()


class TestAudited:
    """The context that writes the event, whether its work succeeds or fails."""

    def test_work_that_ends_well_without_a_token_has_no_event(self, issuer: Application) -> None:
        with audit.audited(Exchange("request-1", TOKENS)):
            pass
        assert issuer.audit_events() == []

    @pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, MemoryError, ValueError])
    def test_work_that_ends_in_any_other_way_is_a_refusal(
        self, issuer: Application, ending: type[BaseException]
    ) -> None:
        with pytest.raises(ending), audit.audited(Exchange("request-1", TOKENS)):
            raise ending("a secret")
        (said,) = issuer.audit_events()
        assert (said["code"], said["reason"]) == ("internal_error", "the service failed")
        assert "a secret" not in issuer.output()
