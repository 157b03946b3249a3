from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.aws.http_api import MAX_BODY_BYTES, AccessRecord, ApiGateway, Route
from local.aws.http_api_access import (
    MAX_NAMED_ORIGINS,
    AccessKey,
    Cors,
    RefusedOrigins,
    is_origin,
    loopback_names,
)
from local.aws.lambda_host import InvocationResult, ThrottledError
from tests.local.conftest import StartHost
from tests.local.exchange import Answer, exchange
from tests.support.clock import Clock

REGION = "eu-central-1"
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
PAGE = "https://calls.example.com"
KEY = AccessKey(
    "ASIAEXAMPLE", "made-up", "arn:aws:sts::000000000000:assumed-role/LocalBackend/development"
)
JSON = ("content-type", "application/json")


class Recorder:
    """A fake function: keeps the events, and returns the result that the test sets."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.answer: Any = {"statusCode": 200, "body": "done"}
        self.function_error: str | None = None
        self.throttled = False

    def invoke(self, event: Any) -> InvocationResult:
        if self.throttled:
            raise ThrottledError("4 workers are busy")
        self.events.append(event)
        raw = json.dumps(self.answer).encode()
        return InvocationResult(raw, self.function_error, False, "1", 0.0, None)

    @property
    def event(self) -> dict[str, Any]:
        """The only event."""
        (event,) = self.events
        return event


@pytest.fixture
def function() -> Recorder:
    return Recorder()


@pytest.fixture
def log() -> list[AccessRecord]:
    return []


@pytest.fixture
def api(function: Recorder, log: list[AccessRecord]) -> Iterator[ApiGateway]:
    with ApiGateway(
        function,
        region=REGION,
        access_keys=[KEY],
        cors=Cors(origins=[PAGE]),
        on_access=log.append,
        clock=NOW.timestamp,
    ) as api:
        yield api


def signed(
    url: str,
    method: str = "POST",
    body: bytes = b"",
    *,
    key: AccessKey = KEY,
    region: str = REGION,
    service: str = "execute-api",
    at: datetime = NOW,
    headers: dict[str, str] | None = None,
    monkeypatch: pytest.MonkeyPatch,
) -> list[tuple[str, str]]:
    """Returns the headers of a request, signed by botocore."""
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: at.replace(tzinfo=None))
    request = AWSRequest(method, url, dict(headers or {}) | {"host": urlsplit(url).netloc}, body)
    credentials = Credentials(key.access_key_id, key.secret_access_key)
    SigV4Auth(credentials, service, region).add_auth(request)
    return [(name, value) for name, value in request.headers.items() if name != "host"]


class TestEvents:
    def test_a_request_becomes_an_event_of_format_2(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        answer = exchange(
            f"{api.url}/v1/tokens",
            "POST",
            [JSON, ("Authorization", "Bearer x"), ("User-Agent", "test/1")],
            b'{"room_id": "caf\xc3\xa9"}',
        )
        event = function.event
        trace_id = event["headers"].pop("x-amzn-trace-id")
        assert trace_id.startswith(f"Root=1-{int(NOW.timestamp()):08x}-")
        assert event == {
            "version": "2.0",
            "routeKey": "POST /v1/tokens",
            "rawPath": "/v1/tokens",
            "rawQueryString": "",
            "headers": {
                "authorization": "Bearer x",
                "content-length": "20",
                "content-type": "application/json",
                "host": f"127.0.0.1:{api.port}",
                "user-agent": "test/1",
                "x-forwarded-for": "127.0.0.1",
                "x-forwarded-port": str(api.port),
                "x-forwarded-proto": "http",
            },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "127.0.0.1",
                "domainPrefix": "127",
                "http": {
                    "method": "POST",
                    "path": "/v1/tokens",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "127.0.0.1",
                    "userAgent": "test/1",
                },
                "requestId": answer.headers["apigw-requestid"],
                "routeKey": "POST /v1/tokens",
                "stage": "$default",
                "time": "06/May/2024:07:08:09 +0000",
                "timeEpoch": int(NOW.timestamp() * 1000),
            },
            "body": '{"room_id": "café"}',
            "isBase64Encoded": False,
        }

    def test_repeated_headers_are_joined_and_cookies_are_separate(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        headers = [("X-Two", "a"), ("x-two", "b"), ("Cookie", "c=1; d=2"), ("cookie", "e=3")]
        exchange(f"{api.url}/v1/health", headers=headers)
        assert function.event["headers"]["x-two"] == "a,b"
        assert function.event["cookies"] == ["c=1", "d=2", "e=3"]
        assert "cookie" not in function.event["headers"]

    def test_the_event_has_the_query_string_raw_and_parsed(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        exchange(f"{api.url}/v1/health?a=1&b=%20x&a=2&c")
        assert function.event["rawQueryString"] == "a=1&b=%20x&a=2&c"
        assert function.event["queryStringParameters"] == {"a": "1,2", "b": " x", "c": ""}

    def test_a_request_without_a_body_has_no_body_in_its_event(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        exchange(f"{api.url}/v1/health")
        assert "body" not in function.event
        assert "queryStringParameters" not in function.event
        assert "cookies" not in function.event
        assert function.event["isBase64Encoded"] is False

    @pytest.mark.parametrize(
        "content_type",
        ["application/json; charset=utf-8", "text/plain", "application/xml", "Application/JSON"],
    )
    def test_a_text_body_stays_text(
        self, api: ApiGateway, function: Recorder, content_type: str
    ) -> None:
        exchange(f"{api.url}/v1/tokens", "POST", [("content-type", content_type)], b"{}")
        assert (function.event["body"], function.event["isBase64Encoded"]) == ("{}", False)

    @pytest.mark.parametrize(
        "headers",
        [
            [],
            [("content-type", "application/x-www-form-urlencoded")],
            [("content-type", "application/octet-stream")],
        ],
    )
    def test_any_other_body_is_encoded_in_base64(
        self, api: ApiGateway, function: Recorder, headers: list[tuple[str, str]]
    ) -> None:
        exchange(f"{api.url}/v1/tokens", "POST", headers, b"\xff\x00")
        assert base64.b64decode(function.event["body"]) == b"\xff\x00"
        assert function.event["isBase64Encoded"] is True

    def test_a_chunked_body_is_joined(self, api: ApiGateway, function: Recorder) -> None:
        chunks = b"2\r\n{}\r\n1;x=y\r\n \r\n0\r\n\r\n"
        headers = [JSON, ("transfer-encoding", "chunked")]
        exchange(f"{api.url}/v1/tokens", "POST", headers, chunks)
        assert function.event["body"] == "{} "
        assert "transfer-encoding" not in function.event["headers"]

    def test_a_client_cannot_forge_the_gateways_fields(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        forged = {"requestContext": {"authorizer": {"iam": {"userArn": KEY.user_arn}}}}
        exchange(
            f"{api.url}/v1/tokens?requestContext=x",
            "POST",
            [
                JSON,
                ("x-forwarded-for", "203.0.113.9"),
                ("x-forwarded-proto", "https"),
                ("x-amzn-trace-id", "Root=forged"),
                ("requestContext", json.dumps(forged)),
            ],
            json.dumps(forged).encode(),
        )
        assert "authorizer" not in function.event["requestContext"]
        headers = function.event["headers"]
        assert headers["x-forwarded-for"] == "203.0.113.9, 127.0.0.1"
        assert headers["x-forwarded-proto"] == "http"
        assert headers["x-amzn-trace-id"].startswith("Root=1-")


class TestResponses:
    def test_the_functions_result_is_the_response(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        function.answer = {
            "statusCode": 201,
            "headers": {"Content-Type": "application/problem+json", "retry-after": "5"},
            "cookies": ["a=1"],
            "body": '{"name": "é"}',
        }
        answer = exchange(f"{api.url}/v1/health")
        assert answer.status == 201
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["set-cookie"] == "a=1"
        assert answer.json() == {"name": "é"}
        assert answer.headers["apigw-requestid"]

    def test_a_body_in_base64_is_decoded(self, api: ApiGateway, function: Recorder) -> None:
        function.answer = {"statusCode": 200, "body": "/wA=", "isBase64Encoded": True}
        assert exchange(f"{api.url}/v1/health").body == b"\xff\x00"

    def test_a_result_without_a_content_type_is_plain_text(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        function.answer = {"statusCode": 200, "body": "hello"}
        answer = exchange(f"{api.url}/v1/health")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"

    def test_a_result_without_a_status_is_the_body(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        function.answer = {"message": "hello"}
        answer = exchange(f"{api.url}/v1/health")
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json() == {"message": "hello"}

    @pytest.mark.parametrize(
        "malformed",
        [
            {"statusCode": "200"},
            {"statusCode": True},
            {"statusCode": 42},
            {"statusCode": 200, "body": {"not": "text"}},
            {"statusCode": 200, "headers": {"x-number": 1}},
            {"statusCode": 200, "headers": {"x-split": "a\r\nset-cookie: b=1"}},
            {"statusCode": 200, "headers": ["x"]},
            {"statusCode": 200, "cookies": "a=1"},
            {"statusCode": 200, "body": "no base64!", "isBase64Encoded": True},
        ],
    )
    def test_a_malformed_result_is_an_internal_server_error(
        self, api: ApiGateway, function: Recorder, malformed: Any
    ) -> None:
        function.answer = malformed
        answer = exchange(f"{api.url}/v1/health")
        assert (answer.status, answer.body) == (500, b'{"message":"Internal Server Error"}')

    def test_a_function_error_is_an_internal_server_error_without_details(
        self, api: ApiGateway, function: Recorder, log: list[AccessRecord]
    ) -> None:
        function.function_error = "Unhandled"
        function.answer = {"errorType": "KeyError", "errorMessage": "'app_id'"}
        answer = exchange(f"{api.url}/v1/health")
        assert (answer.status, answer.body) == (500, b'{"message":"Internal Server Error"}')
        assert log[0].note == "function error: 'app_id'"

    def test_a_throttled_function_is_service_unavailable(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        function.throttled = True
        answer = exchange(f"{api.url}/v1/health")
        assert (answer.status, answer.body) == (503, b'{"message":"Service Unavailable"}')

    @pytest.mark.parametrize(
        ("method", "target"),
        [
            ("GET", "/"),
            ("GET", "/v1/tokens"),
            ("DELETE", "/v1/tokens"),
            ("POST", "/v1/tokens/"),
            ("POST", "//v1/tokens"),
            ("POST", "/V1/tokens"),
            ("OPTIONS", "/v1/tokens"),
            ("HEAD", "/v1/health"),
            ("BREW", "/v1/health"),
        ],
    )
    def test_an_unknown_path_or_method_is_not_found(
        self, api: ApiGateway, function: Recorder, method: str, target: str
    ) -> None:
        answer = exchange(f"{api.url}{target}", method)
        assert answer.status == 404
        assert answer.body == (b"" if method == "HEAD" else b'{"message":"Not Found"}')
        assert function.events == []

    def test_a_body_over_ten_megabytes_is_too_large(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        answer = exchange(f"{api.url}/v1/tokens", "POST", [JSON], b"x" * (MAX_BODY_BYTES + 1))
        assert (answer.status, answer.body) == (413, b'{"message":"Request Entity Too Large"}')
        assert function.events == []

    def test_a_body_of_ten_megabytes_is_accepted(self, api: ApiGateway, function: Recorder) -> None:
        assert exchange(f"{api.url}/v1/tokens", "POST", [JSON], b"x" * MAX_BODY_BYTES).status == 200

    @pytest.mark.parametrize("lengths", [["-1"], ["many"], ["+2"], ["0_2"], ["2, 2"], ["2", "3"]])
    def test_an_invalid_content_length_is_a_bad_request(
        self, api: ApiGateway, function: Recorder, lengths: list[str]
    ) -> None:
        headers = [JSON, *(("content-length", length) for length in lengths)]
        answer = exchange(f"{api.url}/v1/tokens", "POST", headers)
        assert (answer.status, answer.body) == (400, b'{"message":"Bad Request"}')
        assert function.events == []

    @pytest.mark.parametrize("size", [b"-5", b"+2", b"0x2", b"0_2", b"", b"g"])
    def test_an_invalid_chunk_size_is_a_bad_request(
        self, api: ApiGateway, function: Recorder, size: bytes
    ) -> None:
        headers = [JSON, ("transfer-encoding", "chunked")]
        answer = exchange(f"{api.url}/v1/tokens", "POST", headers, size + b"\r\n{}\r\n0\r\n\r\n")
        assert answer.status == 400
        assert function.events == []

    @pytest.mark.parametrize(
        "codings",
        [["gzip, chunked"], ["gzip", "chunked"], ["chunked, chunked"], ["gzip"], ["identity"]],
    )
    def test_another_transfer_coding_than_chunked_is_not_implemented(
        self, api: ApiGateway, function: Recorder, codings: list[str]
    ) -> None:
        headers = [JSON, *(("transfer-encoding", coding) for coding in codings)]
        answer = exchange(f"{api.url}/v1/tokens", "POST", headers, b"2\r\n{}\r\n0\r\n\r\n")
        assert (answer.status, answer.body) == (501, b'{"message":"Not Implemented"}')
        assert answer.headers["connection"] == "close"  # what follows cannot be read
        assert function.events == []

    @pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
    def test_the_request_line_and_header_values_have_a_quota(
        self, api: ApiGateway, function: Recorder, more: int, status: int
    ) -> None:
        host = f"127.0.0.1:{api.port}"
        padding = 10_240 - len("GET /v1/health HTTP/1.1") - len(host) + more
        answer = exchange(f"{api.url}/v1/health", headers=[("x-no-name-counts", "x" * padding)])
        assert answer.status == status
        assert len(function.events) == (status == 200)

    @pytest.mark.parametrize(
        "headers",
        [[("x", "y")] * 101, [("x", "y" * 70_000)], [("x", "y" * 10_241)]],
        ids=["many", "a long line", "over the quota"],
    )
    def test_headers_beyond_a_limit_get_a_response_of_the_gateway(
        self, api: ApiGateway, headers: list[tuple[str, str]]
    ) -> None:
        answer = exchange(f"{api.url}/v1/health", headers=headers)
        assert answer.status == 431
        assert answer.headers["content-type"] == "application/json"
        assert answer.body == b'{"message":"Request Header Fields Too Large"}'


class TestRequestIds:
    """Every response has `apigw-requestid`: the id in the event and in the access log."""

    @pytest.mark.parametrize("function_error", [None, "Unhandled"])
    def test_the_functions_response_has_the_id_of_its_event(
        self, api: ApiGateway, function: Recorder, function_error: str | None
    ) -> None:
        function.answer, function.function_error = {"statusCode": 200}, function_error
        answer = exchange(f"{api.url}/v1/health")
        asked = function.event["requestContext"]["requestId"]
        assert answer.headers["apigw-requestid"] == asked

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [("GET", "/v1/status", 403), ("GET", "/nowhere", 404), ("OPTIONS", "/v1/tokens", 204)],
    )
    def test_the_gateways_own_response_has_the_id_of_its_log_line(
        self, api: ApiGateway, log: list[AccessRecord], method: str, path: str, status: int
    ) -> None:
        answer = exchange(f"{api.url}{path}", method, [("origin", PAGE), *TestCors.PREFLIGHT])
        (record,) = log
        assert (record.status, record.request_id) == (status, answer.headers["apigw-requestid"])


class TestThrottling:
    """Uses the rates of the routes; `test_throttle.py` tests the rest."""

    def test_a_route_refuses_requests_above_its_rate(
        self, function: Recorder, log: list[AccessRecord]
    ) -> None:
        route = Route("POST", "/v1/tokens", "NONE", rate=1, burst=3)
        clock = Clock()
        with ApiGateway(function, routes=[route], on_access=log.append, clock=clock) as api:
            answers = [exchange(f"{api.url}/v1/tokens", "POST", [JSON]) for _ in range(4)]
            assert [answer.status for answer in answers] == [200, 200, 200, 429]
            assert answers[-1].body == b'{"message":"Too Many Requests"}'
            assert (len(function.events), log[-1].note) == (3, "above the route's rate limit")
            clock.turn(1)
            assert exchange(f"{api.url}/v1/tokens", "POST", [JSON]).status == 200

    def test_requests_that_are_refused_anyway_count_too(self, api: ApiGateway) -> None:
        statuses = [exchange(f"{api.url}/v1/status").status for _ in range(11)]
        assert statuses == [403] * 10 + [429]

    def test_preflights_and_unknown_paths_do_not_count(self, api: ApiGateway) -> None:
        preflight = [("origin", PAGE), *TestCors.PREFLIGHT]
        for _ in range(50):
            exchange(f"{api.url}/v1/status", "OPTIONS", preflight)
            exchange(f"{api.url}/v1/status", "DELETE")
        assert exchange(f"{api.url}/v1/status").status == 403


class TestRefusedOrigins:
    def test_other_names_of_a_named_origin_are_not_named_again(self) -> None:
        said: list[str] = []
        refused = RefusedOrigins(said.append)
        for host in ("localhost", "127.0.0.1", "[::1]"):
            refused(f"http://{host}:5173")
        assert len(said) == 1
        refused("http://localhost:5174")
        assert len(said) == 2

    def test_their_number_is_limited(self) -> None:
        said: list[str] = []
        refused = RefusedOrigins(said.append)
        for port in range(1000, 2000):
            refused(f"http://localhost:{port}")
        assert len(said) == MAX_NAMED_ORIGINS

    @pytest.mark.parametrize(
        ("origin", "others"),
        [
            ("http://localhost:5173", {"http://127.0.0.1:5173", "http://[::1]:5173"}),
            ("https://[::1]", {"https://127.0.0.1", "https://localhost"}),
            ("http://localhost.example.com", set()),
            ("https://calls.example.com:8443", set()),
        ],
    )
    def test_the_other_names_of_an_origin(self, origin: str, others: set[str]) -> None:
        assert loopback_names(origin)[0] == origin
        assert set(loopback_names(origin)[1:]) == others


class TestCors:
    PREFLIGHT = (("access-control-request-method", "POST"),)

    def test_the_gateway_responds_to_a_preflight(self, api: ApiGateway, function: Recorder) -> None:
        headers = [("origin", PAGE), *self.PREFLIGHT]
        answer = exchange(f"{api.url}/v1/tokens", "OPTIONS", headers)
        assert answer.status == 204
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-allow-methods"] == "GET,POST"
        assert (
            answer.headers["access-control-allow-headers"]
            == "authorization,content-type,idempotency-key"
        )
        assert function.events == []

    @pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", "null", ""])
    def test_another_origin_is_not_allowed(
        self, api: ApiGateway, function: Recorder, origin: str
    ) -> None:
        function.answer = {"statusCode": 200, "headers": {"access-control-allow-origin": "*"}}
        preflight = exchange(
            f"{api.url}/v1/tokens", "OPTIONS", [("origin", origin), *self.PREFLIGHT]
        )
        actual = exchange(f"{api.url}/v1/tokens", "POST", [("origin", origin)])
        for answer in (preflight, actual):
            assert not any(name.startswith("access-control-") for name in answer.headers)

    @pytest.mark.parametrize(
        ("origin", "note"),
        [(PAGE, "preflight"), ("null", "preflight of an origin that is not allowed")],
    )
    def test_the_access_log_tells_whether_the_origin_is_allowed(
        self, api: ApiGateway, log: list[AccessRecord], origin: str, note: str
    ) -> None:
        exchange(f"{api.url}/v1/tokens", "OPTIONS", [("origin", origin), *self.PREFLIGHT])
        assert [record.note for record in log] == [note]

    @pytest.mark.parametrize("path", ["/v1/health", "/v1/status", "/nowhere"])
    def test_the_allowed_origin_may_read_any_response(self, api: ApiGateway, path: str) -> None:
        answer = exchange(f"{api.url}{path}", headers=[("origin", PAGE)])
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert answer.headers["access-control-expose-headers"] == "retry-after,apigw-requestid"
        assert answer.headers["vary"] == "origin"

    @pytest.mark.parametrize(
        "origin",
        [
            "https://calls.example.com",
            "http://localhost:5173",
            "http://127.0.0.1:65535",
            "http://[::1]:5173",
            "https://calls.example.com:80",
        ],
    )
    def test_an_exact_origin_is_valid(self, origin: str) -> None:
        assert is_origin(origin)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "*",
            "null",
            "localhost:5173",
            "http://",
            "http://*.example.com",
            "http://localhost:*",
            "http://localhost:5173/",
            "http://localhost:5173/app",
            "http://localhost:5173?a",
            "http://localhost:5173\n",
            "http://a@localhost:5173",
            "http://Localhost:5173",
            "HTTP://localhost:5173",
            "ftp://localhost:5173",
            "http://localhost..:5173",
            "http://localhost:",
            "http://localhost:0",
            "http://localhost:65536",
            "http://localhost:80",
            "https://calls.example.com:443",
            "http://a.example http://b.example",
        ],
    )
    def test_an_origin_that_no_browser_sends_is_invalid(self, text: str) -> None:
        assert not is_origin(text)


class TestIam:
    BODY = b'{"user_id": "bob"}'

    def url(self, api: ApiGateway) -> str:
        return f"{api.url}/v1/service/tokens"

    def refused(self, answer: Answer, function: Recorder) -> bool:
        return (
            answer.status == 403
            and answer.body == b'{"message":"Forbidden"}'
            and function.events == []
        )

    def test_a_signed_request_carries_the_role(
        self, api: ApiGateway, function: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers = signed(self.url(api), body=self.BODY, monkeypatch=monkeypatch)
        assert exchange(self.url(api), "POST", headers, self.BODY).status == 200
        assert function.event["requestContext"]["authorizer"] == {
            "iam": {
                "accessKey": "ASIAEXAMPLE",
                "accountId": "000000000000",
                "callerId": "AROAEXAMPLE:development",
                "cognitoIdentity": None,
                "principalOrgId": "aws:PrincipalOrgID",
                "userArn": KEY.user_arn,
                "userId": "AROAEXAMPLE:development",
            }
        }

    def test_a_query_string_and_unusual_headers_are_signed_too(
        self, api: ApiGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        url = f"{api.url}/v1/status?b=%2Fx&a=2&a=1&empty"
        odd = {"x-amz-meta": "  two   spaces "}
        headers = signed(url, "GET", headers=odd, monkeypatch=monkeypatch)
        assert exchange(url, "GET", headers).status == 200

    def test_a_request_without_a_signature_is_forbidden(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        assert self.refused(exchange(self.url(api), "POST", [JSON], self.BODY), function)

    @pytest.mark.parametrize(
        "authorization",
        ["Bearer x", "AWS4-HMAC-SHA256 Credential=x", "AWS4-HMAC-SHA256", "", "Basic YTpi"],
    )
    def test_another_kind_of_authorization_is_forbidden(
        self, api: ApiGateway, function: Recorder, authorization: str
    ) -> None:
        headers = [("authorization", authorization), ("x-amz-date", "20240506T070809Z")]
        assert self.refused(exchange(self.url(api), "POST", headers, self.BODY), function)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"key": replace(KEY, secret_access_key="another")},
            {"key": replace(KEY, access_key_id="ASIAUNKNOWN")},
            {"region": "us-east-1"},
            {"service": "lambda"},
            {"at": NOW.replace(minute=2)},
            {"at": NOW.replace(minute=14)},
            {"body": b'{"user_id": "alice"}'},
            {"method": "GET"},
            {"url": "http://127.0.0.1:1/v1/service/tokens"},
            {"url": "http://127.0.0.1:1/v1/service/tokens/batch"},
            {"headers": {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}},
        ],
        ids=str,
    )
    def test_a_request_with_another_signature_is_forbidden(
        self,
        api: ApiGateway,
        function: Recorder,
        log: list[AccessRecord],
        wrong: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        asked = {"url": self.url(api), "method": "POST", "body": self.BODY} | wrong
        headers = signed(**asked, monkeypatch=monkeypatch)
        assert self.refused(exchange(self.url(api), "POST", headers, self.BODY), function)
        assert log[0].note

    @pytest.mark.parametrize("minute", [3, 4, 13])
    def test_a_clock_may_be_five_minutes_off(
        self, api: ApiGateway, minute: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        at = NOW.replace(minute=minute)
        if minute == 3:
            at = at.replace(second=10)
        headers = signed(self.url(api), body=self.BODY, at=at, monkeypatch=monkeypatch)
        assert exchange(self.url(api), "POST", headers, self.BODY).status == 200

    @pytest.mark.parametrize("changed", ["x-amz-date", "x-amz-meta"])
    def test_a_changed_signed_header_is_forbidden(
        self,
        api: ApiGateway,
        function: Recorder,
        changed: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        headers = signed(
            self.url(api), body=self.BODY, headers={"x-amz-meta": "1"}, monkeypatch=monkeypatch
        )
        other = "20240506T070810Z" if changed == "x-amz-date" else "2"
        sent = [(name, other if name.lower() == changed else value) for name, value in headers]
        assert self.refused(exchange(self.url(api), "POST", sent, self.BODY), function)

    def test_a_missing_signed_header_is_forbidden(
        self, api: ApiGateway, function: Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers = signed(
            self.url(api), body=self.BODY, headers={"x-amz-meta": "1"}, monkeypatch=monkeypatch
        )
        sent = [pair for pair in headers if pair[0] != "x-amz-meta"]
        assert self.refused(exchange(self.url(api), "POST", sent, self.BODY), function)

    @pytest.mark.parametrize("unsigned", ["host", "x-amz-date", "x-amz-meta"])
    def test_host_and_the_headers_of_aws_must_be_signed(
        self,
        api: ApiGateway,
        function: Recorder,
        log: list[AccessRecord],
        unsigned: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        chosen = SigV4Auth.headers_to_sign

        def headers_to_sign(signer: SigV4Auth, request: AWSRequest) -> Any:
            headers = chosen(signer, request)
            del headers[unsigned]
            return headers

        monkeypatch.setattr(SigV4Auth, "headers_to_sign", headers_to_sign)
        headers = signed(
            self.url(api), body=self.BODY, headers={"x-amz-meta": "1"}, monkeypatch=monkeypatch
        )
        assert self.refused(exchange(self.url(api), "POST", headers, self.BODY), function)
        assert log[0].note == f"the {unsigned} header is not signed"

    @pytest.mark.parametrize(
        ("added", "status"),
        [("X-Amz-Security-Token", 403), ("x-amz-cf-id", 200), ("content-type", 200)],
    )
    def test_only_an_edge_may_add_a_header_of_aws_to_a_signed_request(
        self, api: ApiGateway, added: str, status: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        headers = signed(self.url(api), body=self.BODY, monkeypatch=monkeypatch)
        sent = [*headers, (added, "text/plain")]
        assert exchange(self.url(api), "POST", sent, self.BODY).status == status

    def test_a_signature_on_an_open_route_is_ignored(
        self, api: ApiGateway, function: Recorder
    ) -> None:
        exchange(f"{api.url}/v1/tokens", "POST", [("authorization", "AWS4-HMAC-SHA256 nonsense")])
        assert "authorizer" not in function.event["requestContext"]


class TestAccessLog:
    def test_each_request_has_one_line_without_headers_body_or_query(
        self, api: ApiGateway, log: list[AccessRecord]
    ) -> None:
        headers = [JSON, ("authorization", "Bearer very-secret")]
        answer = exchange(f"{api.url}/v1/tokens?very=secret", "POST", headers, b'"very-secret"')
        (record,) = log
        assert (record.method, record.path, record.status) == ("POST", "/v1/tokens", 200)
        assert record.request_id == answer.headers["apigw-requestid"]
        assert record.request_id in str(record)
        assert "secret" not in str(record)

    def test_a_path_cannot_break_a_line_or_control_a_terminal(self) -> None:
        record = AccessRecord(0, "id", "GET", "/\n\x1b[2J\x85\u202e", 404, 0.001, "unknown route")
        assert str(record).isprintable()
        assert str(record).isascii()


def test_a_request_goes_through_a_real_worker(start_host: StartHost) -> None:
    host = start_host(
        """
        import json

        def handler(event, context):
            return {"statusCode": 200, "body": json.dumps(event["rawPath"])}
        """
    )
    with ApiGateway(host) as api:
        assert exchange(f"{api.url}/v1/health").json() == "/v1/health"
