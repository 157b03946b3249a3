"""Requests are signed as API Gateway expects, with current credentials."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from local.aws.http_api_access import AccessKey, SignatureRefusedError, verify_signature
from local.loopback import HttpRequest
from tests.clients.python.backend import (
    ISSUED,
    KEY_ID,
    REGION,
    SECRET_KEY,
    SESSION_TOKEN,
    Backend,
    answer,
    problem,
)
from tests.unit.zego.scripted_server import Received, serving
from zego_token_client import CredentialsError, TokenClient, TokenRequest
from zego_token_client.signed_http import SignedHttp

URL = "https://tokens.example.com"


def verify(received: Received, region: str = REGION) -> None:
    """Verify a signature as API Gateway does; raises if it would respond with 403."""
    headers = tuple(received.headers.items())
    request = HttpRequest(received.method, received.target, headers, received.body)
    key = AccessKey(KEY_ID, SECRET_KEY, "arn:aws:sts::000000000000:assumed-role/Made/up")
    verify_signature(request, [key], region=region, now=time.time())


def key_id(received: Received) -> str:
    return received.headers["authorization"].partition("Credential=")[2].partition("/")[0]


class Session(botocore.session.Session):
    """A session with the given credentials."""

    def __init__(self, credentials: Credentials | None) -> None:
        super().__init__()
        self.given = credentials

    def get_credentials(self) -> Credentials | None:
        return self.given


def test_every_route_is_signed(backend: Backend) -> None:
    with serving(answer({"message": "Not Found"}, 404)) as server:
        client = backend.client(server)
        for ask in (
            lambda: client.token("bob", room_id="call ü"),
            lambda: client.tokens([TokenRequest("bob")]),
            lambda: client.start_call("bob"),
            client.status,
            lambda: client.diagnose("04"),
        ):
            with pytest.raises(Exception, match="gateway_not_found"):
                ask()
        assert len(server.received) == 5
        for received in server.received:
            verify(received)
            assert received.headers["x-amz-security-token"] == SESSION_TOKEN


def test_body_and_session_token_are_part_of_the_signature(backend: Backend) -> None:
    with serving(answer(ISSUED)) as server:
        backend.client(server).token("bob")
        (received,) = server.received
    altered = Received(received.method, received.target, received.headers, b'{"user_id":"eve"}')
    with pytest.raises(SignatureRefusedError, match="does not match"):
        verify(altered)
    assert "x-amz-security-token" in received.headers["authorization"]


def test_a_path_in_the_url_is_signed(backend: Backend) -> None:
    with serving(answer(ISSUED)) as server:
        TokenClient(f"{server.url}prod/v-2", session=backend.session, region=REGION).token("bob")
        verify(server.received[0])


def test_each_attempt_is_signed_with_current_credentials() -> None:
    fetched: list[str] = []

    def fetch() -> dict[str, str]:
        fetched.append(f"key-{len(fetched)}")
        soon = datetime.now(UTC) + timedelta(minutes=1)  # so the next use fetches again
        return {
            "access_key": fetched[-1],
            "secret_key": SECRET_KEY,
            "token": f"token-of-{fetched[-1]}",
            "expiry_time": soon.isoformat(),
        }

    credentials = RefreshableCredentials.create_from_metadata(fetch(), fetch, "made up")
    backend = Backend()
    backend.session = Session(credentials)
    busy = problem("secret_unavailable", 503, retryable=True)
    with serving(busy, answer(ISSUED)) as server:
        backend.client(server).token("bob")
        first, second = server.received
    assert key_id(first) != key_id(second)
    for received in (first, second):  # both parts are from one fetch
        assert received.headers["x-amz-security-token"] == f"token-of-{key_id(received)}"
    assert first.headers["authorization"] != second.headers["authorization"]


def test_without_a_session_credentials_are_found_as_boto3_finds_them(
    monkeypatch: pytest.MonkeyPatch, backend: Backend
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    with serving(answer(ISSUED)) as server:
        TokenClient(server.url).token("bob")
        verify(server.received[0], "ap-south-1")


def test_aws_region_is_enough(monkeypatch: pytest.MonkeyPatch, backend: Backend) -> None:
    monkeypatch.setenv("AWS_REGION", "ap-south-1")
    with serving(answer(ISSUED)) as server:
        TokenClient(server.url, session=boto3.Session(KEY_ID, SECRET_KEY)).token("bob")
        verify(server.received[0], "ap-south-1")


def test_the_session_may_be_from_boto3() -> None:
    session = boto3.Session(KEY_ID, SECRET_KEY, region_name="ap-south-1")
    with serving(answer(ISSUED)) as server:
        TokenClient(server.url, session=session).token("bob")
        verify(server.received[0], "ap-south-1")


@pytest.mark.parametrize(
    ("host", "given", "region"),
    [
        ("a1b2c3.execute-api.eu-west-1.amazonaws.com", None, "eu-west-1"),
        ("a1b2c3.execute-api.cn-north-1.amazonaws.com.cn", None, "cn-north-1"),
        ("a1b2c3.execute-api.eu-west-1.api.aws", None, "eu-west-1"),
        ("a1b2c3.execute-api.eu-west-1.amazonaws.com", "us-west-2", "us-west-2"),
        ("tokens.example.com", "us-west-2", "us-west-2"),
        ("tokens.example.com", None, "ap-south-1"),
        ("a1b2c3.execute-api.eu-west-1.amazonaws.com.example.com", None, "ap-south-1"),
    ],
    ids=["gateway", "china", "dual-stack", "given", "given-custom", "session", "lookalike"],
)
def test_the_region_comes_from_the_argument_the_url_or_the_session(
    host: str, given: str | None, region: str
) -> None:
    session = boto3.Session(region_name="ap-south-1")
    client = TokenClient(f"https://{host}", session=session, region=given)
    assert isinstance(client._http, SignedHttp)
    assert client._http._region == region


def test_a_missing_region_is_an_error() -> None:
    for session in (None, boto3.Session()):
        with pytest.raises(ValueError, match="Use region= or AWS_REGION"):
            TokenClient(URL, session=session)


def test_without_credentials_nothing_is_sent(backend: Backend) -> None:
    with serving(answer(ISSUED)) as server:
        with pytest.raises(CredentialsError, match="none are set up"):
            backend.client(server, session=Session(None)).token("bob")
        assert server.received == []
    assert backend.waits == []


def test_an_error_of_fetching_credentials_shows_only_its_type(
    backend: Backend,
) -> None:
    class Failing(Session):
        def get_credentials(self) -> Credentials | None:
            raise CredentialRetrievalError(provider="made-up", error_msg=SECRET_KEY)

    with serving(answer(ISSUED)) as server, pytest.raises(CredentialsError) as failed:
        backend.client(server, session=Failing(None)).token("bob")
    assert str(failed.value) == "no AWS credentials to sign with: CredentialRetrievalError"
    assert failed.value.__context__ is None


class Found(Credentials):
    """Credentials with any values."""

    def __init__(self, **values: Any) -> None:
        self.found = {"access_key": KEY_ID, "secret_key": SECRET_KEY, "token": None, **values}

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        return ReadOnlyCredentials(**self.found)


@pytest.mark.parametrize("end", ["\n", "\r", " ", "\x7f", "\u00fc", "\u20ac", "\udc80"], ids=ascii)
@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("access_key", "access key id"),
        ("secret_key", "secret access key"),
        ("token", "session token"),
    ],
)
def test_unusable_credentials_are_named_and_not_shown(
    field: str, name: str, end: str, backend: Backend
) -> None:
    session = Session(Found(**{field: f"made-up-and-marred{end}"}))
    with serving(answer(ISSUED)) as server:
        with pytest.raises(CredentialsError, match=f"the {name} is not printable ASCII") as failed:
            backend.client(server, session=session).token("bob")
        assert server.received == []
    assert not failed.value.retryable
    assert backend.waits == []
    assert "made-up" not in str(failed.value)
    assert failed.value.__context__ is None


@pytest.mark.parametrize(
    "values", [{"access_key": None}, {"access_key": ""}, {"secret_key": None}, {"token": b"made"}]
)
def test_incomplete_credentials_are_an_error(values: dict[str, Any], backend: Backend) -> None:
    with serving(answer(ISSUED)) as server, pytest.raises(CredentialsError, match="not printable"):
        backend.client(server, session=Session(Found(**values))).token("bob")


@pytest.mark.parametrize("token", [None, ""])
def test_a_session_token_is_optional(token: str | None, backend: Backend) -> None:
    with serving(answer(ISSUED)) as server:
        backend.client(server, session=Session(Found(token=token))).token("bob")
        assert "x-amz-security-token" not in server.received[0].headers


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        (f"credential_process = /bin/echo {SECRET_KEY}", "JSONDecodeError"),
        ("credential_process = /no/such/program", "FileNotFoundError"),
        ("role_arn = made-up\nweb_identity_token_file = /no/such/file", "FileNotFoundError"),
    ],
    ids=["invalid-output", "no-process", "no-web-identity"],
)
def test_any_failure_to_get_credentials_is_reported(
    settings: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(f"[default]\n{settings}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(CredentialsError, match=f": {kind}$") as failed:
        TokenClient(URL, region=REGION).token("bob")
    assert failed.value.__context__ is None


def test_a_missing_profile_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(ValueError, match="ProfileNotFound") as refused:
        TokenClient(URL)
    assert refused.value.__context__ is None


@pytest.mark.parametrize(
    "seconds",
    [0, -1, 3601, 1e12, float("inf"), float("nan"), 10**400, True, "5", None],
    ids=lambda value: str(value)[:16],
)
def test_an_invalid_timeout_is_an_error(seconds: Any) -> None:
    with pytest.raises(ValueError, match="timeout_seconds must be more than 0 and at most 3600"):
        TokenClient(URL, region=REGION, timeout_seconds=seconds)


def test_the_timeout_may_be_an_hour(backend: Backend) -> None:
    with serving(answer(ISSUED)) as server:
        backend.client(server, timeout_seconds=3600).token("bob")


@pytest.mark.parametrize("region", ["eu-west-1\n", "eu west", "eu/west", "\u20ac"], ids=ascii)
def test_an_invalid_region_is_an_error(region: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="region is not"):
        TokenClient(URL, region=region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    with pytest.raises(ValueError, match="region is not"):
        TokenClient(URL)


@pytest.mark.parametrize(
    "url",
    [
        "http://tokens.example.com",
        "ftp://127.0.0.1",
        "tokens.example.com",
        "",
        "https://",
        "https://tokens.example.com:99999",
        "https://[::1",
        "https://tokens.example.com/?stage=prod",
        "https://tokens.example.com/#v1",
        "https://user:made-up-password@tokens.example.com",
        "https://tokens.example.com/\r\nHost: elsewhere",
        "http://127.0.0.1.example.com",
        "https://tokens..example.com",
        "https://.example.com",
        f"https://{'a' * 64}.example.com",
        "https://tokens%zz.example.com",
        "https://tokens.example.com\\.execute-api.eu-west-1.amazonaws.com",
        "https://[v1.x]",
    ],
)
def test_an_unsafe_url_is_an_error(url: str) -> None:
    with pytest.raises(ValueError, match=r"^url ") as refused:
        TokenClient(url, region=REGION)
    assert "made-up-password" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://tokens.example.com:8443/prod",
        "https://Tokens_1.example.com.",
        f"https://{'a' * 63}.example.com",
        "http://localhost:1",
        "http://[::1]:1",
    ],
)
def test_https_and_http_to_this_machine_are_allowed(url: str) -> None:
    TokenClient(url, region=REGION)
