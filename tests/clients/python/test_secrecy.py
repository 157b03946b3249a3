"""No result, error, traceback or log shows a token, a credential or a signature."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSPreparedRequest
from botocore.credentials import Credentials, ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError

import zego_token_client
from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from tests.clients.python.backend import (
    CALL,
    ISSUED,
    KEY_ID,
    REQUEST_ID,
    SECRET_KEY,
    SESSION_TOKEN,
    TOKEN,
    Backend,
    answer,
    problem,
)
from tests.unit.zego.scripted_server import SILENCE, Reply, serving
from zego_token_client import (
    BadAnswerError,
    CredentialsError,
    NoAnswerError,
    TokenClient,
    TokenProblem,
    TokenRequest,
    TokenServiceError,
)
from zego_token_client.signed_http import Answer

PACKAGE = Path(zego_token_client.__file__).parent
BATCH = {
    "results": [{"status": 201, "token": {k: v for k, v in ISSUED.items() if k != "request_id"}}],
    "request_id": REQUEST_ID,
}


@pytest.mark.parametrize(
    ("values", "status", "ask"),
    [
        (ISSUED, 201, lambda client: client.token("bob")),
        (CALL, 201, lambda client: client.start_call("bob")),
        (BATCH, 200, lambda client: client.tokens([TokenRequest("bob")])),
    ],
    ids=["token", "call", "batch"],
)
def test_a_result_is_shown_without_its_token(
    values: object, status: int, ask: Callable[[TokenClient], object], backend: Backend
) -> None:
    with serving(answer(values, status)) as server:
        result = ask(backend.client(server))
    for shown in (repr(result), str(result), f"{result}"):
        assert "bob" in shown
        assert TOKEN not in shown


failing = pytest.mark.parametrize(
    "reply",
    [
        answer({**ISSUED, "renew_at": None}),
        answer({**ISSUED, "user_id": "eve"}),
        answer(TOKEN.encode(), 201),
        answer(TOKEN.encode(), 502, "text/plain"),
        answer({"message": f"{SECRET_KEY} {SESSION_TOKEN} {TOKEN}"}, 403),
        problem("not_granted", 403),
        problem("secret_unavailable", 503, retryable=True),
        SILENCE,
        Reply(),
        Reply(b"HTTP/1.1 201 Created\r\nContent-Length: 9999\r\n\r\n" + TOKEN.encode()),
    ],
    ids=[
        "unreadable",
        "almost-right",
        "bare",
        "page",
        "gateway",
        "problem",
        "retryable-problem",
        "silence",
        "hung-up",
        "cut-short",
    ],
)
asking = pytest.mark.parametrize(
    "ask",
    [lambda client: client.token("bob"), lambda client: client.diagnose(TOKEN)],
    ids=["token", "diagnose"],
)


@failing
def test_an_error_contains_no_secret(reply: Reply, backend: Backend) -> None:
    with serving(reply) as server:
        client = backend.client(server, attempts=2, timeout_seconds=0.2)
        with pytest.raises(TokenServiceError) as failed:
            client.diagnose(TOKEN)
        sent = [received.headers["authorization"] for received in server.received]
    hidden = [TOKEN, KEY_ID, SECRET_KEY, SESSION_TOKEN, *(one[-64:] for one in sent)]
    error = failed.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert [one for one in hidden if one in shown] == []
    assert error.__context__ is None


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes."""
    yield error
    for origin in (error.__cause__, error.__context__):
        if origin is not None:
            yield from chain(origin)


def variables_held(error: BaseException) -> list[object]:
    """The variables of the package's frames in a traceback."""
    return [
        value
        for each in chain(error)
        for frame, _ in traceback.walk_tb(each.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(PACKAGE)
        for value in frame.f_locals.values()
    ]


def variables_shown(error: BaseException) -> list[str]:
    """The same variables as an error report shows them."""
    return [
        f"{frame.name}: {name} = {value}"
        for each in chain(error)
        for frame in traceback.TracebackException.from_exception(each, capture_locals=True).stack
        if Path(frame.filename).is_relative_to(PACKAGE)
        for name, value in (frame.locals or {}).items()
    ]


def failure(client: TokenClient, ask: Callable[[TokenClient], object]) -> TokenServiceError:
    with pytest.raises(TokenServiceError) as failed:
        ask(client)
    return failed.value


@failing
@asking
def test_no_variable_in_a_traceback_shows_a_secret(
    reply: Reply, ask: Callable[[TokenClient], object], backend: Backend
) -> None:
    with serving(reply) as server:
        error = failure(backend.client(server, attempts=2, timeout_seconds=0.2), ask)
        sent = [received.headers["authorization"] for received in server.received]
    shown = variables_shown(error)
    hidden = [TOKEN, KEY_ID, SECRET_KEY, SESSION_TOKEN, *(one[-64:] for one in sent)]
    assert shown
    assert [one for one in shown if any(secret in one for secret in hidden)] == []


@failing
@asking
def test_no_variable_in_a_traceback_is_a_signed_request_or_a_response(
    reply: Reply, ask: Callable[[TokenClient], object], backend: Backend
) -> None:
    with serving(reply) as server:
        error = failure(backend.client(server, attempts=2, timeout_seconds=0.2), ask)
    held = variables_held(error)
    assert held
    assert [one for one in held if isinstance(one, (AWSPreparedRequest, Answer))] == []


@asking
def test_no_variable_in_a_traceback_shows_failed_credentials(
    ask: Callable[[TokenClient], object], backend: Backend
) -> None:
    class Failing(Credentials):
        def get_frozen_credentials(self) -> ReadOnlyCredentials:
            raise CredentialRetrievalError(provider="made-up", error_msg=SECRET_KEY)

        def __repr__(self) -> str:
            return SECRET_KEY

    class FailingSession(botocore.session.Session):
        def get_credentials(self) -> Credentials:
            return Failing(KEY_ID, SECRET_KEY, SESSION_TOKEN)

    with serving(answer(ISSUED)) as server:
        error = failure(backend.client(server, session=FailingSession()), ask)
    hidden = [TOKEN, KEY_ID, SECRET_KEY, SESSION_TOKEN]
    shown = variables_shown(error)
    assert shown
    assert [one for one in shown if any(secret in one for secret in hidden)] == []


@pytest.mark.parametrize("length", ["\u00b2", "9" * 5000], ids=["other-digits", "endless"])
@asking
def test_a_length_that_cannot_be_read_shows_none(
    length: str, ask: Callable[[TokenClient], object], backend: Backend
) -> None:
    head = f"HTTP/1.1 201 Created\r\nContent-Length: {length}\r\n\r\n"
    with serving(Reply(head.encode("latin-1") + TOKEN.encode())) as server:
        error = failure(backend.client(server, attempts=1), ask)
        (sent,) = (received.headers["authorization"] for received in server.received)
    shown = variables_shown(error)
    assert shown
    assert [one for one in shown if TOKEN in one or sent[-64:] in one] == []


@pytest.mark.parametrize(
    "arguments",
    [{"token": TOKEN.encode()}, {"token": TOKEN, "app_id": Decimal(1)}],
    ids=["bytes", "decimal"],
)
def test_what_cannot_be_sent_for_diagnosis_is_not_shown(
    arguments: dict[str, Any], backend: Backend
) -> None:
    with serving(answer(ISSUED)) as server:
        with pytest.raises(TypeError, match="cannot be sent as JSON") as refused:
            backend.client(server).diagnose(**arguments)
        assert server.received == []
    shown = variables_shown(refused.value)
    assert shown
    assert [one for one in shown if TOKEN in one] == []


@pytest.mark.parametrize("field", ["access_key", "secret_key", "token"])
def test_unusable_credentials_are_not_shown(field: str, backend: Backend) -> None:
    found = {"access_key": KEY_ID, "secret_key": SECRET_KEY, "token": SESSION_TOKEN}

    class Marred(Credentials):
        def get_frozen_credentials(self) -> ReadOnlyCredentials:
            return ReadOnlyCredentials(**{**found, field: f"{found[field]}\n"})

    class MarredSession(botocore.session.Session):
        def get_credentials(self) -> Credentials:
            return Marred(KEY_ID, SECRET_KEY, SESSION_TOKEN)

    with serving(answer(ISSUED)) as server:
        error = failure(
            backend.client(server, session=MarredSession()), lambda client: client.token("bob")
        )
    assert isinstance(error, CredentialsError)
    shown = variables_shown(error)
    assert shown
    hidden = found.values()
    assert [one for one in (*shown, str(error)) if any(value in one for value in hidden)] == []


class Echo(LoopbackServer):
    """Repeats parts of the request's credentials and signature in every text of a problem."""

    def respond(self, request: HttpRequest) -> HttpResponse:
        signature = (request.header("authorization") or "")[-64:]
        session_token = request.header("x-amz-security-token") or ""
        values = {
            "code": "not_granted",
            "detail": f"Not with {signature[:20]}.",
            "request_id": session_token[:12],
            "help": f"https://tokens.example.com/{signature[40:49]}",
            "retryable": False,
        }
        if request.path.endswith("/batch"):
            whole = {"results": [{"status": 403, "problem": values}], "request_id": "made-up"}
            return self._said(200, "application/json", whole)
        return self._said(403, "application/problem+json", values)

    def _said(self, status: int, media_type: str, values: object) -> HttpResponse:
        return HttpResponse(status, (("content-type", media_type),), json.dumps(values).encode())


def test_no_part_of_a_credential_or_signature_is_in_a_problem(backend: Backend) -> None:
    with Echo() as server:
        client = backend.client(server)
        with pytest.raises(TokenProblem) as refused:
            client.token("bob")
        (in_batch,) = client.tokens([TokenRequest("bob")])
    assert isinstance(in_batch, TokenProblem)
    for said in (refused.value, in_batch):
        assert said.code == "not_granted"
        assert said.detail == "The service refused the request."
        assert said.help is None
    assert refused.value.request_id is None


@pytest.mark.parametrize(
    "spoiled",
    ["a\nb", "a\x1b[31mb", "a\x9bb", "a\u202eb", "a\u2028b", f"a {TOKEN} b", "x" * 64, "a" * 1001],
    ids=["newline", "escape", "c1", "bidi", "separator", "token", "long-word", "long"],
)
def test_a_text_that_could_forge_a_log_or_be_a_token_is_not_in_a_problem(
    spoiled: str, backend: Backend
) -> None:
    values = {
        "code": "not_granted",
        "detail": spoiled,
        "request_id": spoiled,
        "field": spoiled,
        "help": f"https://x/{spoiled}",
        "retryable": False,
    }
    whole = {"results": [{"status": 403, "problem": values}], "request_id": "made-up"}
    with serving(answer(values, 403, "application/problem+json"), answer(whole, 200)) as server:
        client = backend.client(server)
        with pytest.raises(TokenProblem) as refused:
            client.token("bob")
        (in_batch,) = client.tokens([TokenRequest("bob")])
    assert isinstance(in_batch, TokenProblem)
    for said in (refused.value, in_batch):
        assert said.code == "not_granted"
        assert said.detail == "The service refused the request."
        assert said.field is None
        assert said.help is None
        assert spoiled not in str(said)


@pytest.mark.parametrize("code", ["a\nb", "NOT_GRANTED", "", "x" * 65, SESSION_TOKEN])
def test_a_code_that_is_not_one_is_a_bad_response(code: str, backend: Backend) -> None:
    with serving(problem(code, 403)) as server, pytest.raises(BadAnswerError) as refused:
        backend.client(server).token("bob")
    assert code not in str(refused.value) or not code


def test_a_detail_of_the_service_is_shown(backend: Backend) -> None:
    detail = "The issuer is https://login.example.com/0c5e0a9d-6a0f-4f0e-9a51-2f9c1be3a001/v2.0."
    values = {
        "code": "not_granted",
        "detail": detail,
        "request_id": REQUEST_ID,
        "field": "room_id",
        "help": "https://tokens.example.com/v1/problems#not_granted",
        "retryable": False,
    }
    with serving(answer(values, 403, "application/problem+json")) as server:
        error = failure(backend.client(server), lambda client: client.token("bob"))
    assert isinstance(error, TokenProblem)
    assert values == {name: getattr(error, name) for name in values}


def test_a_request_id_of_the_gateway_is_shown_only_if_it_can_be_one(backend: Backend) -> None:
    headers = {"apigw-requestid": f"id {TOKEN}"}
    with serving(answer({"message": "Forbidden"}, 403, headers=headers)) as server:
        error = failure(backend.client(server), lambda client: client.token("bob"))
    assert error.request_id is None


def test_no_token_or_secret_key_is_logged(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), serving(answer(ISSUED)) as server:
        backend.client(server).token("bob")
        with pytest.raises(BadAnswerError):
            backend.client(server).diagnose(TOKEN)
    assert "/v1/diagnose" in caplog.text  # botocore and urllib3 do log
    assert TOKEN not in caplog.text
    assert SECRET_KEY not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        TokenProblem("not_granted", 403, "Made up.", REQUEST_ID, False, 3, "room_id"),
        BadAnswerError("made up", 502, REQUEST_ID, 3),
        NoAnswerError("made up"),
        CredentialsError("made up"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_can_be_pickled(error: TokenServiceError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
