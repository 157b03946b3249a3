"""The credentials of zego.aws: from the environment, or from the endpoint of Lambda."""

from __future__ import annotations

import json
import os
import traceback

import pytest

from tests.support.clock import Clock
from tests.unit.zego.scripted_server import (
    Reply,
    ScriptedServer,
    closed_port,
    json_reply,
    reply,
    serving,
)
from zego.aws import AwsCredentials, Credentials, CredentialsError

KEY_ID = "ASIAEXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG"
SESSION_TOKEN = "IQoJb3JpZ2luX2Vj"
AUTHORIZATION = "authorization-of-the-sandbox"

EXPIRES_AT = 1_700_000_000.0 + 3600.0
OF_ENDPOINT = {
    "AccessKeyId": KEY_ID,
    "SecretAccessKey": SECRET_KEY,
    "Token": SESSION_TOKEN,
    "Expiration": "2023-11-14T23:13:20Z",
}
FROM_ENDPOINT = Credentials(KEY_ID, SECRET_KEY, SESSION_TOKEN, EXPIRES_AT)
UNREADABLE = "the container credentials endpoint's response is not valid"


def from_endpoint(server: ScriptedServer, clock: Clock | None = None) -> AwsCredentials:
    return AwsCredentials(
        {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{server.url}2023-01-01/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": AUTHORIZATION,
        },
        clock=clock or Clock(),
    )


def refusal(credentials: AwsCredentials) -> CredentialsError:
    """Why there are no credentials. The error shows no part of any."""
    with pytest.raises(CredentialsError) as caught:
        credentials.get()
    shown = "".join(traceback.format_exception(caught.value))
    for hidden in (KEY_ID, SECRET_KEY, SESSION_TOKEN, AUTHORIZATION):
        assert hidden not in shown
    return caught.value


class TestEnvironment:
    def test_a_pair_of_keys_is_used(self) -> None:
        environment = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        assert AwsCredentials(environment).get() == Credentials(KEY_ID, SECRET_KEY, None, None)

    def test_the_session_token_is_used_with_it(self) -> None:
        environment = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": SESSION_TOKEN,
        }
        assert AwsCredentials(environment).get() == Credentials(KEY_ID, SECRET_KEY, SESSION_TOKEN)

    def test_an_empty_session_token_counts_as_missing(self) -> None:
        environment = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_SESSION_TOKEN": "",
        }
        assert AwsCredentials(environment).get().session_token is None

    def test_they_are_read_only_when_they_are_needed(self) -> None:
        # A restored snapshot gets its environment after the credentials object was made.
        environment: dict[str, str] = {}
        credentials = AwsCredentials(environment)
        environment |= {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
        assert credentials.get() == Credentials(KEY_ID, SECRET_KEY)

    def test_they_take_precedence_over_the_endpoint(self) -> None:
        environment = {
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"http://127.0.0.1:{closed_port()}/",
        }
        assert AwsCredentials(environment).get() == Credentials(KEY_ID, SECRET_KEY)

    def test_the_real_environment_is_read_again_each_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        credentials = AwsCredentials(os.environ)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "one")
        first = credentials.get()
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
        assert (first.secret_access_key, credentials.get().secret_access_key) == ("one", "other")

    @pytest.mark.parametrize(
        "environment",
        [
            {},
            {"AWS_ACCESS_KEY_ID": KEY_ID},
            {"AWS_SECRET_ACCESS_KEY": SECRET_KEY},
            {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ""},
        ],
        ids=["nothing", "id-alone", "key-alone", "empty-keys", "empty-endpoint"],
    )
    def test_what_is_missing_is_named(self, environment: dict[str, str]) -> None:
        assert str(refusal(AwsCredentials(environment))) == (
            "the environment has neither AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            " nor AWS_CONTAINER_CREDENTIALS_FULL_URI"
        )


class TestEndpoint:
    def test_credentials_are_fetched_with_the_authorization_token(self) -> None:
        with serving(json_reply(OF_ENDPOINT)) as server:
            assert from_endpoint(server).get() == FROM_ENDPOINT
        received = server.received[0]
        assert (received.method, received.target) == ("GET", "/2023-01-01/credentials")
        assert received.headers["authorization"] == AUTHORIZATION

    def test_without_an_authorization_token_none_is_sent(self) -> None:
        with serving(json_reply(OF_ENDPOINT)) as server:
            AwsCredentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url}).get()
        assert "authorization" not in server.received[0].headers

    def test_nothing_is_fetched_before_it_is_needed(self) -> None:
        with serving(json_reply(OF_ENDPOINT)) as server:
            from_endpoint(server)
        assert server.received == []

    def test_fetched_credentials_are_kept(self) -> None:
        with serving(json_reply(OF_ENDPOINT)) as server:
            credentials = from_endpoint(server)
            assert credentials.get() is credentials.get()
        assert len(server.received) == 1

    def test_they_are_kept_until_5_minutes_before_they_expire(self) -> None:
        clock = Clock()
        with serving(json_reply(OF_ENDPOINT)) as server:
            credentials = from_endpoint(server, clock)
            credentials.get()
            clock.now = EXPIRES_AT - 300.0
            credentials.get()
        assert len(server.received) == 1

    def test_then_they_are_fetched_again(self) -> None:
        clock = Clock()
        later = OF_ENDPOINT | {"AccessKeyId": "LATER", "Expiration": "2023-11-15T05:13:20Z"}
        with serving(json_reply(OF_ENDPOINT), json_reply(later)) as server:
            credentials = from_endpoint(server, clock)
            credentials.get()
            clock.now = EXPIRES_AT - 299.9
            assert credentials.get().access_key_id == "LATER"
            assert credentials.get().access_key_id == "LATER"
        assert len(server.received) == 2

    def test_without_an_expiry_they_are_kept_for_good(self) -> None:
        clock = Clock()
        lasting = {"AccessKeyId": KEY_ID, "SecretAccessKey": SECRET_KEY}
        with serving(json_reply(lasting)) as server:
            credentials = from_endpoint(server, clock)
            assert credentials.get() == Credentials(KEY_ID, SECRET_KEY, None, None)
            clock.turn(10 * 365 * 86400.0)
            credentials.get()
        assert len(server.received) == 1

    def test_after_a_failure_they_are_fetched_again(self) -> None:
        with serving(reply(500), json_reply(OF_ENDPOINT)) as server:
            credentials = from_endpoint(server)
            refusal(credentials)
            assert credentials.get() == FROM_ENDPOINT


class TestBadEndpoint:
    @pytest.mark.parametrize("status", [302, 400, 403, 404, 429, 500, 503])
    def test_a_refusal_has_the_status(self, status: int) -> None:
        body = json.dumps({"Message": SECRET_KEY}).encode()
        with serving(reply(status, body)) as server:
            error = refusal(from_endpoint(server))
        assert str(error) == f"the container credentials endpoint responded with {status}"

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html></html>",
            b"\xff\xfe",
            b"null",
            b"7",
            b'"text"',
            b"[]",
            b"{}",
            json.dumps({"AccessKeyId": KEY_ID}).encode(),
            json.dumps({"SecretAccessKey": SECRET_KEY}).encode(),
            json.dumps(OF_ENDPOINT | {"Expiration": "tomorrow"}).encode(),
            json.dumps(OF_ENDPOINT | {"Expiration": 1700003600}).encode(),
        ],
        ids=range(12),
    )
    def test_a_response_of_another_shape_is_refused(self, body: bytes) -> None:
        with serving(reply(200, body)) as server:
            assert str(refusal(from_endpoint(server))) == UNREADABLE

    def test_a_response_nested_too_deep_is_refused(self) -> None:
        with serving(reply(200, b"[" * 16_000)) as server:
            assert str(refusal(from_endpoint(server))) == UNREADABLE

    @pytest.mark.parametrize(
        "wrong",
        [
            {"SecretAccessKey": None},
            {"SecretAccessKey": 7},
            {"SecretAccessKey": ""},
            {"AccessKeyId": None},
            {"AccessKeyId": ""},
            {"Token": 7},
        ],
        ids=["key-null", "key-number", "key-empty", "id-null", "id-empty", "token-number"],
    )
    def test_credentials_that_are_not_text_are_refused(self, wrong: dict[str, object]) -> None:
        with serving(json_reply(OF_ENDPOINT | wrong)) as server:
            assert str(refusal(from_endpoint(server))) == UNREADABLE

    def test_a_response_that_is_too_large_is_refused(self) -> None:
        with serving(json_reply(OF_ENDPOINT | {"More": "x" * 20_000})) as server:
            assert str(refusal(from_endpoint(server))) == (
                "the container credentials endpoint: the response is larger than 16384 bytes"
            )

    def test_a_response_that_is_not_http_is_refused(self) -> None:
        with serving(Reply(SECRET_KEY.encode())) as server:
            message = str(refusal(from_endpoint(server)))
        assert message.startswith("the container credentials endpoint: 127.0.0.1 cannot be reached")

    def test_an_endpoint_where_nothing_listens_is_refused(self) -> None:
        url = f"http://127.0.0.1:{closed_port()}/"
        error = refusal(AwsCredentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": url}))
        assert str(error) == (
            "the container credentials endpoint:"
            " 127.0.0.1 cannot be reached: it refused the connection"
        )

    def test_no_redirect_is_followed_with_the_token(self) -> None:
        with serving(json_reply(OF_ENDPOINT)) as elsewhere:
            with serving(reply(307, b"", {"Location": elsewhere.url})) as server:
                refusal(from_endpoint(server))
            assert elsewhere.received == []

    @pytest.mark.parametrize(
        "url",
        [
            "http://169.254.170.2/v2/credentials",
            "http://example.com/",
            "http://localhost.example.com/",
            "file:///etc/credentials",
            "127.0.0.1",
            "http://127.0.0.1:99999/",
        ],
    )
    def test_plain_http_to_another_machine_is_refused(self, url: str) -> None:
        environment = {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": url,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": AUTHORIZATION,
        }
        message = str(refusal(AwsCredentials(environment)))
        assert message.startswith("the container credentials endpoint: it is not ")

    @pytest.mark.parametrize("end", ["\n", "\r\nX-Other: 1", "\u20ac"])
    def test_a_token_that_cannot_be_sent_is_refused_without_being_shown(self, end: str) -> None:
        with serving(json_reply(OF_ENDPOINT)) as server:
            environment = {
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url,
                "AWS_CONTAINER_AUTHORIZATION_TOKEN": AUTHORIZATION + end,
            }
            refusal(AwsCredentials(environment))
