"""zego.secrets_manager and zego.aws with servers on loopback: good, refusing, slow, broken ones."""

from __future__ import annotations

import json
import time
import traceback
from typing import Any

import pytest

from tests.support.clock import Clock
from tests.unit.zego.botocore_signature import authorization
from tests.unit.zego.scripted_server import (
    GRACE_SECONDS,
    SILENCE,
    Reply,
    ScriptedServer,
    closed_port,
    drip,
    json_reply,
    reply,
    serving,
)
from zego import aws
from zego.aws import SECRETS_MANAGER, AwsClient, AwsCredentials, AwsError, Credentials
from zego.bounded_http import HttpError, Response
from zego.secrets_manager import SecretsReader, SecretValue

REGION = "eu-central-1"
SECRET_ID = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:zego-AbCdEf"
KEY_ID, SECRET_KEY, SESSION_TOKEN = "ASIAEXAMPLE", "wJalrXUtnFEMI/K7MDENG", "IQoJb3JpZ2luX2Vj"
CREDENTIALS = AwsCredentials(
    {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": SESSION_TOKEN,
    }
)

TEXT = '{"app_id": 1234567890, "server_secret": "0123456789abcdef0123456789abcdef"}'
VERSION_ID = "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111"
STORED = {
    "ARN": SECRET_ID,
    "Name": "zego",
    "VersionId": VERSION_ID,
    "SecretString": TEXT,
    "VersionStages": ["AWSCURRENT"],
    "CreatedDate": 1699990000.123,
}
GOOD = json_reply(STORED)
DESCRIBED = {
    "ARN": SECRET_ID,
    "Tags": [
        {"Key": "team", "Value": "calls"},
        {"Key": "zego-token-service:verdict", "Value": "accepted - 1 0"},
    ],
}


def aws_error(code: str, status: int = 400, message: str = "") -> Reply:
    return json_reply({"__type": code, "Message": message}, status)


def reader(region: str, credentials: AwsCredentials, **options: Any) -> SecretsReader:
    return SecretsReader(AwsClient(SECRETS_MANAGER, region, credentials, **options))


def read(server: ScriptedServer, pauses: list[float] | None = None) -> SecretValue:
    manager = reader(
        REGION,
        CREDENTIALS,
        endpoint=server.url,
        attempt_seconds=server.bound_seconds,
        clock=Clock(),
        sleep=([] if pauses is None else pauses).append,
    )
    return manager.get_secret_value(SECRET_ID, version_stage="AWSCURRENT")


def refusal(*replies: Reply) -> tuple[AwsError, int]:
    """The error and the number of requests. The error shows no credential."""
    with serving(*replies) as server, pytest.raises(AwsError) as caught:
        read(server)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for hidden in (SECRET_KEY, SESSION_TOKEN, "0123456789abcdef", "Signature="):
        assert hidden not in shown
    return caught.value, len(server.received)


class TestSuccess:
    def test_a_version_has_its_text_id_and_time(self) -> None:
        with serving(GOOD) as server:
            assert read(server) == SecretValue(TEXT, VERSION_ID, created_at=1699990000.123)

    def test_one_request_names_the_secret_and_the_stage(self) -> None:
        with serving(GOOD) as server:
            read(server)
        [received] = server.received
        assert (received.method, received.target) == ("POST", "/")
        assert received.headers["x-amz-target"] == "secretsmanager.GetSecretValue"
        assert json.loads(received.body) == {"SecretId": SECRET_ID, "VersionStage": "AWSCURRENT"}

    def test_it_is_signed_as_botocore_would(self) -> None:
        with serving(GOOD) as server:
            read(server)
        [received] = server.received
        assert received.headers["authorization"] == authorization(
            service="secretsmanager",
            region=REGION,
            url=server.url,
            headers={
                "Content-Type": received.headers["content-type"],
                "X-Amz-Target": received.headers["x-amz-target"],
            },
            body=received.body,
            credentials=Credentials(KEY_ID, SECRET_KEY, SESSION_TOKEN),
            now=1_700_000_000.0,
        )

    def test_the_signed_headers_are_sent(self) -> None:
        with serving(GOOD) as server:
            read(server)
        headers = server.received[0].headers
        assert headers["host"] == server.host
        assert headers["x-amz-date"] == "20231114T221320Z"
        assert headers["x-amz-security-token"] == SESSION_TOKEN

    def test_a_value_does_not_show_its_text(self) -> None:
        shown = repr(SecretValue(TEXT, VERSION_ID, 0.0))
        assert VERSION_ID in shown
        assert "server_secret" not in shown

    @pytest.mark.parametrize(
        ("region", "url"),
        [
            ("eu-central-1", "https://secretsmanager.eu-central-1.amazonaws.com/"),
            ("us-gov-west-1", "https://secretsmanager.us-gov-west-1.amazonaws.com/"),
            ("cn-north-1", "https://secretsmanager.cn-north-1.amazonaws.com.cn/"),
        ],
    )
    def test_without_an_endpoint_the_regions_endpoint_is_used(
        self, region: str, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []

        def request(method: str, url: str, **_: Any) -> Response:
            asked.append((method, url))
            raise HttpError("no network in tests")

        monkeypatch.setattr(aws, "request", request)
        manager = reader(region, CREDENTIALS, sleep=lambda _: None)
        with pytest.raises(AwsError):
            manager.get_secret_value("zego", version_stage="AWSCURRENT")
        assert asked == [("POST", url)] * 2


class TestRefused:
    @pytest.mark.parametrize(
        "code",
        [
            "ResourceNotFoundException",
            "AccessDeniedException",
            "DecryptionFailure",
            "InvalidParameterException",
            "InvalidRequestException",
            "UnrecognizedClientException",
            "InvalidSignatureException",
            "ExpiredTokenException",
        ],
    )
    def test_a_refusal_has_the_code_of_aws_and_is_not_retried(self, code: str) -> None:
        error, asked = refusal(aws_error(code))
        assert (error.code, asked) == (code, 1)
        assert str(error) == f"{code}: Secrets Manager refused the call with HTTP status 400"

    def test_the_namespace_before_a_code_is_dropped(self) -> None:
        error, _ = refusal(aws_error("com.amazonaws.secretsmanager#ResourceNotFoundException"))
        assert error.code == "ResourceNotFoundException"

    def test_the_message_of_aws_is_not_repeated(self) -> None:
        # It may quote the canonical request, with the session token in it.
        error, _ = refusal(aws_error("InvalidSignatureException", message=SESSION_TOKEN))
        assert SESSION_TOKEN not in str(error)

    def test_no_redirect_is_followed(self) -> None:
        with serving(GOOD) as elsewhere:
            error, asked = refusal(reply(307, b"", {"Location": elsewhere.url}))
            assert (error.code, asked, elsewhere.received) == ("Http307", 1, [])


class TestTags:
    @staticmethod
    def tags(*replies: Reply) -> tuple[dict[str, str], ScriptedServer]:
        with serving(*replies) as server:
            manager = reader(REGION, CREDENTIALS, endpoint=server.url, sleep=lambda _: None)
            return manager.describe_tags(SECRET_ID), server

    def test_they_come_from_the_secrets_description(self) -> None:
        tags, server = self.tags(json_reply(DESCRIBED))
        assert tags == {"team": "calls", "zego-token-service:verdict": "accepted - 1 0"}
        [received] = server.received
        assert received.headers["x-amz-target"] == "secretsmanager.DescribeSecret"
        assert json.loads(received.body) == {"SecretId": SECRET_ID}

    @pytest.mark.parametrize("without", [{}, {"Tags": []}], ids=["no member", "empty"])
    def test_a_secret_may_have_no_tags(self, without: dict[str, object]) -> None:
        assert self.tags(json_reply({"ARN": SECRET_ID} | without))[0] == {}

    def test_a_temporary_failure_is_retried_once(self) -> None:
        tags, server = self.tags(aws_error("ThrottlingException"), json_reply(DESCRIBED))
        assert (len(tags), len(server.received)) == (2, 2)

    @pytest.mark.parametrize(
        ("bad", "code"),
        [
            (aws_error("AccessDeniedException"), "AccessDeniedException"),
            (reply(500), "Http500"),
            (reply(200, b"<html>"), "Unreadable"),
            (json_reply({"Tags": None}), "Unreadable"),
            (json_reply({"Tags": 7}), "Unreadable"),
            (json_reply({"Tags": ["team"]}), "Unreadable"),
            (json_reply({"Tags": [{"Key": "team"}]}), "Unreadable"),
        ],
        ids=["refused", "failing", "html", "null", "number", "text", "no value"],
    )
    def test_a_failure_has_the_same_reason_as_for_a_value(self, bad: Reply, code: str) -> None:
        with pytest.raises(AwsError) as caught:
            self.tags(bad)
        assert caught.value.code == code


class TestRetries:
    @pytest.mark.parametrize(
        "temporary",
        [
            aws_error("ThrottlingException"),
            aws_error("TooManyRequestsException", 429),
            aws_error("com.amazonaws.secretsmanager#InternalServiceError", 500),
            aws_error("InternalFailure", 500),
            aws_error("ServiceUnavailable", 503),
            reply(500),
            reply(502, b"<html>bad gateway</html>"),
            reply(503, b"[]"),
            Reply(b"not HTTP"),
            Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"{"),
            SILENCE,
        ],
        ids=[
            "throttled",
            "too-many",
            "internal-error",
            "internal-failure",
            "unavailable",
            "500",
            "502",
            "503",
            "not-http",
            "cut-short",
            "silence",
        ],
    )
    def test_a_temporary_failure_is_retried_once(self, temporary: Reply) -> None:
        with serving(temporary, GOOD) as server:
            assert read(server).version_id == VERSION_ID
        assert len(server.received) == 2

    def test_there_is_a_short_pause_before_a_retry(self) -> None:
        pauses: list[float] = []
        with serving(aws_error("ThrottlingException"), GOOD) as server:
            read(server, pauses)
        assert pauses == [0.1]

    def test_a_success_needs_no_pause(self) -> None:
        pauses: list[float] = []
        with serving(GOOD) as server:
            read(server, pauses)
        assert pauses == []

    @pytest.mark.parametrize(
        ("lasting", "code"),
        [
            (aws_error("ThrottlingException"), "ThrottlingException"),
            (aws_error("InternalServiceError", 500), "InternalServiceError"),
            (reply(500), "Http500"),
            (reply(503, b"<html></html>"), "Http503"),
            (Reply(b"not HTTP"), "Unreachable"),
            (SILENCE, "Unreachable"),
        ],
        ids=["throttled", "internal-error", "500", "503", "not-http", "silence"],
    )
    def test_after_the_second_failure_it_is_given_up(self, lasting: Reply, code: str) -> None:
        error, asked = refusal(lasting)
        assert (error.code, asked) == (code, 2)

    def test_the_second_response_decides(self) -> None:
        error, asked = refusal(aws_error("ThrottlingException"), aws_error("AccessDeniedException"))
        assert (error.code, asked) == ("AccessDeniedException", 2)

    def test_each_attempt_is_signed_with_its_own_time(self) -> None:
        clock = Clock()
        with serving(aws_error("ThrottlingException"), GOOD) as server:
            manager = reader(
                REGION, CREDENTIALS, endpoint=server.url, clock=clock, sleep=lambda _: clock.turn(2)
            )
            manager.get_secret_value("zego", version_stage="AWSCURRENT")
        dates = [received.headers["x-amz-date"] for received in server.received]
        assert dates == ["20231114T221320Z", "20231114T221322Z"]


class TestNoValue:
    @pytest.mark.parametrize(
        "changes",
        [
            {"SecretString": None, "SecretBinary": "AAEC"},
            {"SecretString": 7},
            {"SecretString": {"app_id": 1}},
            {"VersionId": None},
        ],
        ids=["null", "number", "object", "no-version"],
    )
    def test_a_version_without_text_has_its_own_error(self, changes: dict[str, object]) -> None:
        error, asked = refusal(json_reply(STORED | changes))
        assert (str(error), asked) == ("NoText: the version has no text value", 1)

    @pytest.mark.parametrize("date", [None, "yesterday"])
    def test_a_version_without_a_date_cannot_be_read(self, date: object) -> None:
        error, asked = refusal(json_reply(STORED | {"CreatedDate": date}))
        assert (str(error), asked) == ("Unreadable: the response is not valid", 1)

    @pytest.mark.parametrize("lacking", ["SecretString", "VersionId", "CreatedDate"])
    def test_a_response_that_lacks_a_part_has_no_value(self, lacking: str) -> None:
        error, _ = refusal(json_reply({k: v for k, v in STORED.items() if k != lacking}))
        assert error.code == "NoText"

    def test_a_binary_secret_has_no_text(self) -> None:
        binary = {k: v for k, v in STORED.items() if k != "SecretString"} | {"SecretBinary": "AAEC"}
        error, _ = refusal(json_reply(binary))
        assert str(error) == "NoText: the version has no text value"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>TEXT</html>",
            b"\xff\xfe",
            b"null",
            b"7",
            b'"text"',
            b"[]",
            b"[" * 100_000,
            json.dumps(STORED | {"CreatedDate": 10**400}).encode(),
        ],
        ids=["empty", "html", "utf16", "null", "number", "text", "array", "nested", "late-date"],
    )
    @pytest.mark.parametrize("status", [200, 400])
    def test_garbage_is_refused_whatever_its_status(self, body: bytes, status: int) -> None:
        refusal(reply(status, body))

    def test_a_refusal_without_a_code_has_the_status(self) -> None:
        error, asked = refusal(reply(403, b"<html></html>"))
        assert (str(error), asked) == (
            "Http403: Secrets Manager refused the call with HTTP status 403",
            1,
        )


class TestBounds:
    @pytest.mark.parametrize(
        "slow",
        [
            SILENCE,
            Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", drip(b"{" * 200)),
            Reply(b"HTTP/1.1 200 OK\r\nX-Slow: ", drip(b"y" * 200)),
        ],
        ids=["silence", "drips-body", "drips-header"],
    )
    def test_two_attempts_at_a_slow_server_take_twice_the_limit(self, slow: Reply) -> None:
        with serving(slow) as server:
            started = time.monotonic()
            with pytest.raises(AwsError) as caught:
                read(server)
            took = time.monotonic() - started
        assert str(caught.value) == "Unreachable: 127.0.0.1 did not respond in 0.3 s"
        assert took < 2 * server.bound_seconds + GRACE_SECONDS

    def test_the_largest_secret_is_accepted(self) -> None:
        text = '"' * 65_536  # doubled by its JSON
        with serving(json_reply(STORED | {"SecretString": text})) as server:
            assert read(server).text == text

    def test_a_larger_response_is_refused(self) -> None:
        error, _ = refusal(json_reply(STORED | {"SecretString": "x" * 200_000}))
        assert str(error) == "Unreachable: the response is larger than 200000 bytes"

    def test_a_port_on_which_nothing_listens(self) -> None:
        manager = reader(
            REGION,
            CREDENTIALS,
            endpoint=f"http://127.0.0.1:{closed_port()}/",
            sleep=lambda _: None,
        )
        with pytest.raises(AwsError) as caught:
            manager.get_secret_value("zego", version_stage="AWSCURRENT")
        assert str(caught.value) == (
            "Unreachable: 127.0.0.1 cannot be reached: it refused the connection"
        )


class TestCredentials:
    def test_without_credentials_no_request_is_sent(self) -> None:
        with serving(GOOD) as server:
            manager = reader(REGION, AwsCredentials({}), endpoint=server.url)
            with pytest.raises(AwsError) as caught:
                manager.get_secret_value("zego", version_stage="AWSCURRENT")
        assert caught.value.code == "CredentialsUnavailable"
        assert "AWS_ACCESS_KEY_ID" in str(caught.value)
        assert server.received == []

    def test_a_session_token_that_cannot_be_sent_is_refused_without_being_shown(self) -> None:
        environment = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": f"{SESSION_TOKEN}\n",
        }
        with serving(GOOD) as server:
            manager = reader(
                REGION, AwsCredentials(environment), endpoint=server.url, sleep=lambda _: None
            )
            with pytest.raises(AwsError) as caught:
                manager.get_secret_value("zego", version_stage="AWSCURRENT")
        assert SESSION_TOKEN not in "".join(traceback.format_exception(caught.value))


class TestEndpoints:
    @pytest.mark.parametrize(
        "endpoint",
        [
            "https://vpce-0123.secretsmanager.eu-central-1.vpce.amazonaws.com",
            "http://127.0.0.1:5000",
            "http://localhost:5000/",
            "http://[::1]:5000/",
        ],
    )
    def test_https_or_this_machine_may_be_used(self, endpoint: str) -> None:
        reader(REGION, CREDENTIALS, endpoint=endpoint)

    @pytest.mark.parametrize(
        "endpoint",
        [
            "http://secretsmanager.eu-central-1.amazonaws.com/",
            "http://169.254.169.254/",
            "http://0.0.0.0:5000/",
            "ftp://127.0.0.1/",
            "127.0.0.1:5000",
            "http://127.0.0.1:99999/",
            "https:///",
        ],
    )
    def test_any_other_endpoint_is_refused_at_once(self, endpoint: str) -> None:
        with pytest.raises(ValueError, match=r"^the Secrets Manager endpoint: it is not "):
            reader(REGION, CREDENTIALS, endpoint=endpoint)
