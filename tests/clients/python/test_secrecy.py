"""No token, credential or signature is in what a program logs."""

from __future__ import annotations

import logging
import pickle
import traceback
from collections.abc import Callable

import pytest

from tests.clients.python.backend import (
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
from tests.unit.zego.scripted_server import Reply, serving
from zego_token_client import (
    BadAnswerError,
    CredentialsError,
    NoAnswerError,
    TokenClient,
    TokenProblem,
    TokenRequest,
    TokenServiceError,
)

CALL = {
    "callId": "1",
    "zegoRoom": {"roomId": "call_1", "appId": 1, "token": TOKEN},
    "userId": "alice",
    "privileges": {"login": True, "publish": True},
    "streamIds": None,
    "issuedAt": 1,
    "expiresAt": 3,
    "renewAt": 2,
    "requestId": REQUEST_ID,
}
BATCH = {
    "results": [{"status": 201, "token": {k: v for k, v in ISSUED.items() if k != "request_id"}}],
    "request_id": REQUEST_ID,
}


@pytest.mark.parametrize(
    ("values", "status", "ask"),
    [
        (ISSUED, 201, lambda client: client.token("alice")),
        (CALL, 201, lambda client: client.start_call("alice")),
        (BATCH, 200, lambda client: client.tokens([TokenRequest("alice")])),
    ],
    ids=["token", "call", "batch"],
)
def test_a_result_is_shown_without_its_token(
    values: object, status: int, ask: Callable[[TokenClient], object], backend: Backend
) -> None:
    with serving(answer(values, status)) as server:
        result = ask(backend.client(server))
    for shown in (repr(result), str(result), f"{result}"):
        assert "alice" in shown
        assert TOKEN not in shown


@pytest.mark.parametrize(
    "reply",
    [
        answer({**ISSUED, "renew_at": None}),
        answer(TOKEN.encode(), 201),
        answer(TOKEN.encode(), 502, "text/plain"),
        answer({"message": f"{SECRET_KEY} {SESSION_TOKEN} {TOKEN}"}, 403),
        problem("not_granted", 403),
        Reply(),
        Reply(b"HTTP/1.1 201 Created\r\nContent-Length: 9999\r\n\r\n" + TOKEN.encode()),
    ],
    ids=["unreadable", "bare", "page", "gateway", "problem", "hung-up", "cut-short"],
)
def test_an_error_shows_and_holds_none(reply: Reply, backend: Backend) -> None:
    with serving(reply) as server:
        client = backend.client(server, attempts=2)
        with pytest.raises(TokenServiceError) as failed:
            client.diagnose(TOKEN)
        sent = [received.headers["authorization"] for received in server.received]
    hidden = [TOKEN, KEY_ID, SECRET_KEY, SESSION_TOKEN, *(one[-64:] for one in sent)]
    error = failed.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert [one for one in hidden if one in shown] == []
    assert error.__context__ is None or isinstance(error.__context__, ValueError)


def test_no_token_or_secret_key_is_logged(
    backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), serving(answer(ISSUED)) as server:
        backend.client(server).token("alice")
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
def test_an_error_goes_from_one_process_to_another(error: TokenServiceError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
