from __future__ import annotations

import json
from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config

from local.aws.invoke_api import MAX_EVENT_BYTES, InvokeApi
from tests.local.conftest import StartHost
from tests.local.exchange import exchange

PATH = "/2015-03-31/functions/issuer/invocations"


@pytest.fixture
def api(start_host: StartHost) -> Iterator[InvokeApi]:
    host = start_host(
        """
        def handler(event, context):
            if event == "fail":
                raise ValueError("no")
            return event
        """
    )
    with InvokeApi(host) as api:
        yield api


def test_each_of_several_functions_is_invoked_by_its_name(start_host: StartHost) -> None:
    source = """
        def handler(event, context):
            return context.function_name
        """
    hosts = [start_host(source, function_name=name) for name in ("one", "two")]
    with InvokeApi(*hosts) as api:
        for name in ("one", "two"):
            path = f"/2015-03-31/functions/{name}/invocations"
            assert exchange(api.url + path, "POST").json() == name


@pytest.mark.parametrize(
    "name", ["issuer", "arn:aws:lambda:us-east-1:000000000000:function:issuer"]
)
def test_the_aws_sdk_can_invoke_the_function(api: InvokeApi, name: str) -> None:
    client = boto3.client(
        "lambda",
        endpoint_url=api.url,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(proxies={}),
    )
    answer = client.invoke(FunctionName=name, Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")


def test_a_function_error_is_marked(api: InvokeApi) -> None:
    answer = exchange(f"{api.url}{PATH}", "POST", body=b'"fail"')
    assert (answer.status, answer.headers["x-amz-function-error"]) == (200, "Unhandled")
    assert answer.json()["errorMessage"] == "no"


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "error"),
    [
        ("/2015-03-31/functions/other/invocations", [], b"{}", 404, "ResourceNotFoundException"),
        ("/2015-03-31/functions", [], b"{}", 404, "UnknownOperationException"),
        (PATH, [], b"no JSON", 400, "InvalidRequestContentException"),
        (PATH, [], b"[" * 100_000, 400, "InvalidRequestContentException"),
        (PATH, [], b" " * (MAX_EVENT_BYTES + 1), 413, "RequestTooLargeException"),
        (PATH, [("x-amz-invocation-type", "Event")], b"{}", 400, "InvalidParameterValueException"),
    ],
)
def test_unsupported_calls_are_refused_as_by_lambda(
    api: InvokeApi,
    path: str,
    headers: list[tuple[str, str]],
    body: bytes,
    status: int,
    error: str,
) -> None:
    answer = exchange(f"{api.url}{path}", "POST", headers, body)
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (status, error)


@pytest.mark.parametrize(
    "header",
    [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site")],
)
def test_a_web_page_cannot_invoke_the_function(api: InvokeApi, header: tuple[str, str]) -> None:
    """A page may send this request to any address without asking, though not read the response."""
    headers = [("content-type", "text/plain"), header]
    answer = exchange(f"{api.url}{PATH}", "POST", headers, b'{"requestContext": {}}')
    assert answer.status == 403
    assert b"web pages" in answer.body
