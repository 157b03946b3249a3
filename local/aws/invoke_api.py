"""Lambda's Invoke API, with which AWS' own tools can run an event on the functions.

    aws lambda invoke --endpoint-url <url> --function-name issuer --payload fileb://event.json
    answer.json

See https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
"""

from __future__ import annotations

import json
from urllib.parse import unquote

from local.aws import SignedService
from local.aws.lambda_host import LambdaHost, ThrottledError
from local.loopback import HttpRequest, HttpResponse
from zego import strict_json

MAX_EVENT_BYTES = 6 * 1024 * 1024
PREFIX, SUFFIX = "/2015-03-31/functions/", "/invocations"


class InvokeApi(SignedService):
    """`POST /2015-03-31/functions/<name>/invocations` for the functions of `LambdaHost`s."""

    signing_name = "lambda"

    def __init__(self, *functions: LambdaHost) -> None:
        super().__init__(max_body_bytes=MAX_EVENT_BYTES)
        self._functions = {
            name: host for host in functions for name in (host.function_name, host.function_arn)
        }

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to one call of the API."""
        if unsupported := self._unsupported(request):
            return unsupported
        try:
            result = self._functions[_name(request)].invoke(request.body or b"{}")
        except ThrottledError as throttled:
            return _refusal(429, "TooManyRequestsException", str(throttled))
        headers = [
            ("content-type", "application/json"),
            ("x-amzn-requestid", result.request_id),
            ("x-amz-executed-version", "$LATEST"),
        ]
        if result.function_error:
            headers.append(("x-amz-function-error", result.function_error))
        return HttpResponse(200, tuple(headers), result.raw)

    def refusal(self, code: str, message: str) -> HttpResponse:
        """Returns Lambda's error response to a call without a valid signature."""
        return _refusal(403, code, message)

    def _unsupported(self, request: HttpRequest) -> HttpResponse | None:
        name = _name(request)
        kind = request.header("x-amz-invocation-type") or "RequestResponse"
        if request.method != "POST" or unquote(request.path) != f"{PREFIX}{name}{SUFFIX}":
            return _refusal(404, "UnknownOperationException", "only Invoke is implemented here")
        if name not in self._functions:
            return _refusal(404, "ResourceNotFoundException", f"Function not found: {name}")
        if request.body_too_large:
            return _refusal(413, "RequestTooLargeException", "the event is over 6 MB")
        if kind != "RequestResponse":
            return _refusal(
                400, "InvalidParameterValueException", f"{kind} is not implemented here"
            )
        try:
            strict_json.loads(request.body or b"{}")
        except ValueError:
            return _refusal(400, "InvalidRequestContentException", "the event is not JSON")
        return None


def _name(request: HttpRequest) -> str:
    """The name or ARN in the path of a request."""
    return unquote(request.path).removeprefix(PREFIX).removesuffix(SUFFIX)


def _refusal(status: int, error_type: str, message: str) -> HttpResponse:
    headers = (("content-type", "application/json"), ("x-amzn-errortype", error_type))
    return HttpResponse(status, headers, json.dumps({"Type": "User", "Message": message}).encode())
