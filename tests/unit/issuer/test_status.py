"""What the status shows of shared keys and denials."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from local.aws.dynamodb import DynamoDb
from tests.support.application import OPERATOR_SESSION, POLICY, Application, event
from tests.support.routes import STATUS
from zego.bounded_http import Response
from zego.denials import Denial

KEY: Final = "0123456789abcdef" * 3
SHARED: Final = f"""{POLICY}
[identities.app]
shared_key = "calls/session-key"
shared_key_field = "key"
audience = ["calls"]
user_ids = "hashed"
"""
ARN: Final = "arn:aws:secretsmanager"
SECRET: Final = {"app_id": 1234567890, "server_secret": "0123456789abcdef" * 2}


def document(issuer: Application) -> dict[str, Any]:
    answer = issuer.handle(event(STATUS, role=OPERATOR_SESSION))
    assert answer.status == 200
    assert KEY not in answer.text
    return answer.document


class TestSharedKeys:
    @pytest.fixture
    def issuer(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
        issuer = Application(tmp_path, monkeypatch, policy_text=SHARED)
        issuer.secrets_manager.value = json.dumps({**SECRET, "key": KEY})
        return issuer

    def test_a_key_is_counted(self, issuer: Application) -> None:
        assert document(issuer)["shared_keys"] == [
            {"identity": "app", "secret": "calls/session-key", "keys": 1, "problem": None}
        ]
        assert [one["identity"] for one in document(issuer)["signing_keys"]] == ["web"]

    def test_so_is_the_one_before_while_it_verifies_tokens(self, issuer: Application) -> None:
        issuer.secrets_manager.previous = json.dumps({"key": f"{KEY}-before"})
        (found,) = document(issuer)["shared_keys"]
        assert found["keys"] == 2

    def test_one_that_is_not_accepted_is_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        policy = f"{SHARED}accept_previous_key = false\n"
        issuer = Application(tmp_path, monkeypatch, policy_text=policy)
        issuer.secrets_manager.value = json.dumps({**SECRET, "key": KEY})
        issuer.secrets_manager.previous = json.dumps({"key": f"{KEY}-before"})
        (found,) = document(issuer)["shared_keys"]
        assert found["keys"] == 1

    @pytest.mark.parametrize(
        ("named", "region"),
        [
            ("calls/session-key", "us-east-1"),
            (f"{ARN}:ap-south-1:111122223333:secret:session-key-AbCdEf", "ap-south-1"),
        ],
        ids=["name", "ARN"],
    )
    def test_it_is_read_in_the_functions_region_or_in_that_of_its_arn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, region: str
    ) -> None:
        issuer = Application(
            tmp_path,
            monkeypatch,
            policy_text=SHARED.replace("calls/session-key", named),
            SERVER_SECRET_ARN=f"{ARN}:eu-west-1:111122223333:secret:zego-AbCdEf",
        )
        issuer.secrets_manager.value = json.dumps({**SECRET, "key": KEY})
        called: dict[str, str] = {}

        def call(method: str, url: str, *, body: bytes, **more: Any) -> Response:
            called[json.loads(body)["SecretId"]] = url
            return issuer.secrets_manager(method, url, body=body, **more)

        monkeypatch.setattr("zego.aws.request", call)
        assert document(issuer)["shared_keys"][0]["keys"] == 1
        assert called.pop(named) == f"https://secretsmanager.{region}.amazonaws.com/"
        assert [*called.values()] == ["https://secretsmanager.eu-west-1.amazonaws.com/"]

    def test_an_invalid_one_is_reported_and_is_not_a_failure(self, issuer: Application) -> None:
        issuer.secrets_manager.value = json.dumps({**SECRET, "key": KEY[:31]})
        (found,) = document(issuer)["shared_keys"]
        assert found["keys"] is None
        assert "the key has 31 bytes" in found["problem"]

    def test_they_are_not_read_if_the_rest_took_long(
        self, issuer: Application, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("issuer.routes.FETCHING_SECONDS", 0.0)
        (found,) = document(issuer)["shared_keys"]
        assert (found["keys"], found["problem"]) == (None, "not fetched: there was no time")


class TestLimits:
    @pytest.fixture
    def table(self) -> DynamoDb:
        return DynamoDb()

    @pytest.fixture
    def issuer(
        self, table: DynamoDb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Application:
        return Application(tmp_path, monkeypatch, dynamodb=table)

    def test_a_stack_without_limits_has_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert document(Application(tmp_path, monkeypatch))["limits"] is None

    def test_live_denials_are_counted(self, issuer: Application, table: DynamoDb) -> None:
        deny(table, Denial("user", "alice", "spam", "op", at=1))
        deny(table, Denial("user", "bob", "spam", "op", at=1, until=2))
        assert document(issuer)["limits"] == {"denials": 1, "problem": None}

    def test_older_ones_stay_in_force_and_that_is_reported(
        self, issuer: Application, table: DynamoDb, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        deny(table, Denial("user", "alice", "spam", "op", at=1))
        document(issuer)
        monkeypatch.setattr(issuer.app._service.limits._denials, "_fresh_seconds", 0.0)
        issuer.dynamodb.down = True
        found = document(issuer)["limits"]
        assert found["denials"] == 1
        assert found["problem"].startswith("the last attempt to read them failed")

    def test_ones_that_cannot_be_read_are_reported_if_the_policy_allows(
        self, tmp_path: Path, table: DynamoDb, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        policy = f'denials_unavailable = "allow"\n{POLICY}'
        issuer = Application(tmp_path, monkeypatch, policy_text=policy, dynamodb=table)
        issuer.dynamodb.down = True
        found = document(issuer)["limits"]
        assert found["denials"] is None
        assert found["problem"]


def deny(table: DynamoDb, denial: Denial) -> None:
    table.call("PutItem", Item=denial.to_item())
