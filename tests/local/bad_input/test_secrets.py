"""A secret that is missing or malformed, and a Secrets Manager that fails."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from local.loopback import Intercept
from local.stack import LocalStack
from tests.local.bad_input.exchanges import problem
from tests.support.clock import ClockFile
from tests.support.faults import (
    Faults,
    answering,
    down,
    hanging_up,
    redirecting,
    refusing,
    slow,
)
from tests.support.routes import BATCH, STATUS
from tests.support.service import Service, service

GOOD = "0123456789abcdef0123456789abcdef"


def stored(server_secret: object, app_id: object = 1234567890) -> str:
    return json.dumps({"app_id": app_id, "server_secret": server_secret})


SECRETS: dict[str, tuple[str, str]] = {
    "a placeholder": (stored("REPLACE_ME_WITH_YOUR_SERVERSECRET"), "placeholder"),
    "a placeholder of the right length": (
        stored("<your 32 character ServerSecret>"),
        "placeholder",
    ),
    "one digit repeated": (stored("0" * 32), "placeholder"),
    "not JSON": (GOOD, "not JSON"),
    "empty": (" ", "not JSON"),
    "a JSON string": (json.dumps(GOOD), "not an object"),
    "all of it in quotes": (json.dumps(stored(GOOD)), "not an object"),
    "without an AppID": (json.dumps({"server_secret": GOOD}), "lacks app_id"),
    "without a ServerSecret": (json.dumps({"app_id": 5}), "lacks server_secret"),
    "AppID 0": (stored(GOOD, 0), "app_id must be 1 to"),
    "AppID negative": (stored(GOOD, -1), "app_id must be 1 to"),
    "AppID too large": (stored(GOOD, 2**32), "app_id must be 1 to"),
    "AppID a string": (stored(GOOD, "1234567890"), "app_id must be a whole number"),
    "AppID true": (stored(GOOD, True), "app_id must be a whole number"),
    "in quotes": (stored(f'"{GOOD}"'), "has quotes around it"),
    "with a quote before it": (stored(f"'{GOOD[1:]}"), "has quotes around it"),
    "in single quotes": (stored(f"'{GOOD}'"), "has quotes around it"),
    "with a newline": (stored(f"{GOOD}\n"), "newline around it"),
    "with a space": (stored(f" {GOOD}"), "white space"),
    "an AppSign": (stored(GOOD * 2), "AppSign"),
    "too short": (stored(GOOD[1:]), "has 31 characters"),
    "too long": (stored(f"{GOOD}0"), "has 33 characters"),
    "a number": (stored(5), "must be a string"),
    "not ASCII": (stored("é" * 31 + "a"), "not printable ASCII"),
}


SPOILT = "zego/spoilt"


@pytest.fixture(scope="module")
def spoilt(stack: LocalStack) -> Iterator[Service]:
    """The service with a secret that was never valid, which it reads at each request."""
    stack.secrets_manager.call("CreateSecret", Name=SPOILT, SecretString=stored(""))
    with service(stack, "impatient_issuer.handler", SERVER_SECRET_ARN=SPOILT) as running:
        running.keep_secret(GOOD)
        yield running


SILENT: dict[str, tuple[Intercept, str]] = {
    "it finds no secret": (refusing("ResourceNotFoundException"), "ResourceNotFoundException"),
    "it denies access": (refusing("AccessDeniedException"), "AccessDeniedException"),
    "it cannot decrypt": (refusing("DecryptionFailure"), "DecryptionFailure"),
    "it throttles": (refusing("ThrottlingException"), "ThrottlingException"),
    "it fails": (refusing("InternalServiceError", 500), "InternalServiceError"),
    "its response is empty": (answering(200, b"{}"), "no text value"),
    "its response is not JSON": (answering(200, b"<html>"), "response is not valid"),
    "its response is binary": (
        answering(200, b'{"SecretBinary":"AA==","VersionId":"1","CreatedDate":1}'),
        "no text value",
    ),
    "a gateway responds": (answering(502, b"<html>Bad Gateway</html>"), "Http502"),
    "it redirects": (redirecting("https://secretsmanager.example.com/"), "Http302"),
    "its response is too large": (answering(200, b" " * 200_001), "larger than"),
    "it hangs up": (hanging_up, "Unreachable"),
}


class TestSecrets:
    @pytest.mark.parametrize(("value", "words"), SECRETS.values(), ids=SECRETS)
    def test_an_invalid_value_is_refused_and_the_log_tells_why(
        self, spoilt: Service, value: str, words: str
    ) -> None:
        spoilt.stack.secrets_manager.call("PutSecretValue", SecretId=SPOILT, SecretString=value)
        answer = spoilt.token()
        document = problem(answer, 503, "secret_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert document["retryable"] is True
        assert words in spoilt.last_audit()["reason"]
        assert words not in answer.body.decode()

    @pytest.mark.parametrize(("fault", "words"), SILENT.values(), ids=SILENT)
    def test_a_failure_of_secrets_manager_is_in_the_log_only(
        self, spoilt: Service, secrets: Faults, fault: Intercept, words: str
    ) -> None:
        with secrets.of(fault):
            answer = spoilt.token()
        problem(answer, 503, "secret_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert words in spoilt.last_audit()["reason"]
        assert words not in answer.body.decode()

    def test_a_secret_that_becomes_valid_is_used_at_once(self, stack: LocalStack) -> None:
        name = "zego/late"
        stack.secrets_manager.call("CreateSecret", Name=name, SecretString=stored("REPLACE_ME"))
        changes = {"SERVER_SECRET_ARN": name}
        with service(stack, "impatient_issuer.handler", **changes) as late:
            problem(late.token(), 503, "secret_unavailable")
            late.keep_secret(GOOD)
            stack.secrets_manager.call("PutSecretValue", SecretId=name, SecretString=stored(GOOD))
            assert late.token().status == 201

    def test_a_missing_secret(self, stack: LocalStack) -> None:
        with service(stack, SERVER_SECRET_ARN="zego/absent") as absent:
            problem(absent.token(), 503, "secret_unavailable")
            assert "ResourceNotFoundException" in absent.last_audit()["reason"]
            problem(absent.send_signed(STATUS), 503, "secret_unavailable")
            batch = {"requests": [{"user_id": "bob", "room_id": "call_1"}]}
            problem(absent.send_signed(BATCH, batch), 503, "secret_unavailable")

    @pytest.mark.parametrize(
        ("table", "code"), [("", "secret_unavailable"), ("limits", "denials_unavailable")]
    )
    def test_without_credentials_the_log_names_what_is_missing(
        self, stack: LocalStack, table: str, code: str
    ) -> None:
        changes = {"AWS_SECRET_ACCESS_KEY": "", "LIMITS_TABLE": table}
        with service(stack, **changes) as without_credentials:
            problem(without_credentials.token(), 503, code)
            assert "AWS_SECRET_ACCESS_KEY" in without_credentials.last_audit()["reason"]

    def test_a_failure_is_not_repeated_by_the_next_request(
        self, cold: Service, secrets: Faults
    ) -> None:
        before = len(secrets.requests)
        with secrets.of(refusing("AccessDeniedException")):
            answers = [cold.token() for _ in range(5)]
        for answer in answers:
            problem(answer, 503, "secret_unavailable")
            assert answer.headers["retry-after"] == "5"
        assert len(secrets.requests) - before == 1

    def test_throttling_is_retried_once(self, cold: Service, secrets: Faults) -> None:
        before = len(secrets.requests)
        with secrets.of(refusing("ThrottlingException")):
            problem(cold.token(), 503, "secret_unavailable")
        assert len(secrets.requests) - before == 2


#: The issuer's default settings, and how long it waits after a failure.
TTL_SECONDS, MAX_STALE_SECONDS, RETRY_SECONDS = 60, 900, 5
MALFORMED = b'{"SecretString":"{}","VersionId":"2","CreatedDate":1}'


class TestSecretsThatAge:
    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            pytest.param(refusing("ThrottlingException"), "ThrottlingException", id="throttling"),
            pytest.param(answering(200, MALFORMED), "lacks app_id", id="malformed"),
            pytest.param(slow(1.7), "Unreachable", id="slow"),
        ],
    )
    def test_the_last_valid_secret_stays_in_use(
        self,
        aging: Service,
        issuers_clock: ClockFile,
        secrets: Faults,
        fault: Intercept,
        words: str,
    ) -> None:
        aging.restart()
        assert aging.token().status == 201
        before = aging.lines()
        issuers_clock.turn(TTL_SECONDS)
        with secrets.of(fault):
            assert aging.token().status == 201
            assert words in aging.log(since=before)
            asked = len(secrets.requests)
            assert aging.token().status == 201
            assert len(secrets.requests) == asked, "a failure slows one request, not the next"
        log = aging.log(since=before)
        (line,) = (json.loads(line) for line in log.splitlines() if words in line)
        assert line["level"] == "ERROR"
        assert line["message"].endswith("the last good value stays in use")
        assert "SecretStale" in log
        assert '"refused"' not in log

    def test_in_an_outage_the_last_secret_is_used_for_a_time_and_afterwards_it_recovers(
        self, aging: Service, issuers_clock: ClockFile
    ) -> None:
        aging.restart()
        assert aging.token().status == 201
        before = aging.lines()
        with down(aging.stack.secrets_manager):
            issuers_clock.turn(TTL_SECONDS)
            assert aging.token().status == 201
            assert "SecretStale" in aging.log(since=before)
            issuers_clock.turn(MAX_STALE_SECONDS - TTL_SECONDS)
            problem(aging.token(), 503, "secret_unavailable")
        issuers_clock.turn(RETRY_SECONDS)
        assert aging.token().status == 201

    def test_a_new_value_is_used_within_the_time_to_live(
        self, aging: Service, issuers_clock: ClockFile
    ) -> None:
        aging.restart()
        before = aging.send_signed(STATUS).json()["secret"]["version_id"]
        manager = aging.stack.secrets_manager
        now = manager.put(stored(manager.server_secret, manager.app_id))
        assert now != before
        issuers_clock.turn(TTL_SECONDS)
        assert aging.send_signed(STATUS).json()["secret"]["version_id"] == now
