"""The cases that the Python client and the JavaScript package's Node client share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pytest

from tests.clients.python.backend import Backend
from tests.unit.zego.scripted_server import Reply, reply, serving
from zego_token_client import (
    BadAnswerError,
    IssuedToken,
    NoAnswerError,
    TokenClient,
    TokenProblem,
    TokenRequest,
    TokenServiceError,
)

CASES: Final = json.loads(Path(__file__).parents[1].joinpath("cases.json").read_text("utf-8"))
DOCUMENTS: Final = CASES["documents"]
BEARER: Final = "bearer-of-the-backend"
GRANTED: Final[Mapping[str, Any]] = {"issued": {}}


def named(part: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", CASES[part], ids=lambda case: case["name"])


def document(kind: str, changes: Mapping[str, object]) -> dict[str, object]:
    merged = {**DOCUMENTS[kind], **changes}
    return {name: value for name, value in merged.items() if value != "(missing)"}


def scripted(said: Mapping[str, Any]) -> Reply:
    """The response that a case describes. The server closes the connection after it."""
    if "raw" in said:
        return Reply(said["raw"].encode())
    media_type, text = "application/json", said.get("text")
    if "issued" in said:
        text = json.dumps(document("issued", said["issued"]))
    elif "problem" in said:
        media_type = "application/problem+json"
        text = json.dumps({**document("problem", said["problem"]), "status": said["status"]})
    elif "gateway" in said:
        text = json.dumps({"message": said["gateway"]})
    assert text is not None
    headers = {"Content-Type": said.get("type", media_type), "Connection": "close"}
    return reply(said.get("status", 201), text.encode(), headers | said.get("headers", {}))


def client(backend: Backend, server: Any, **settings: Any) -> TokenClient:
    return backend.client(server, bearer=BEARER, session=None, region=None, **settings)


def failure(
    backend: Backend, replies: Sequence[Mapping[str, Any]], **settings: Any
) -> tuple[TokenServiceError, int]:
    """The error of a request for a token, and the number of requests."""
    with serving(*map(scripted, replies)) as server:
        with pytest.raises(TokenServiceError) as failed:
            client(backend, server, **settings).token("bob", room_id="call_1")
        return failed.value, len(server.received)


def shown(error: TokenServiceError) -> dict[str, object]:
    """The fields of an error, in the words of the cases."""
    known: dict[str, object] = {
        name: getattr(error, name) for name in ("retryable", "request_id", "retry_after_seconds")
    }
    match error:
        case TokenProblem():
            return known | {each.name: getattr(error, each.name) for each in fields(error)}
        case BadAnswerError():
            return known | {"code": "bad_answer", "status": error.status, "detail": error.reason}
        case NoAnswerError():
            return known | {"code": "no_answer"}
    raise AssertionError(error)


@named("retried")
def test_a_temporary_failure_is_retried(case: Any, backend: Backend) -> None:
    with serving(scripted(case["reply"]), scripted(GRANTED)) as server:
        issued = client(backend, server).token("bob", room_id="call_1")
        assert len(server.received) == 2
    assert issued.token == DOCUMENTS["issued"]["token"]
    assert backend.waits == [0.2]


@named("final")
def test_another_failure_is_an_error_at_once(case: Any, backend: Backend) -> None:
    error, requests = failure(backend, [case["reply"], GRANTED])
    said = shown(error)
    assert {name: said.get(name) for name in case["error"]} == case["error"]
    assert (requests, error.retryable, backend.waits) == (1, False, [])


@named("granted")
def test_a_granted_response_is_read(case: Any, backend: Backend) -> None:
    with serving(scripted(case["reply"])) as server:
        issued = client(backend, server).token("bob", room_id="call_1")
        (received,) = server.received
    expected = document("issued", case["reply"]["issued"])
    streams = issued.stream_ids and list(issued.stream_ids)
    assert (issued.token, issued.app_id) == (expected["token"], expected["app_id"])
    assert streams == expected["stream_ids"]
    assert (issued.privileges.login, issued.privileges.publish) == (True, True)
    assert (received.method, received.target) == ("POST", "/v1/tokens")
    assert received.headers["authorization"] == f"Bearer {BEARER}"
    assert json.loads(received.body) == {"user_id": "bob", "room_id": "call_1"}


@named("waits")
def test_attempts_and_waits_have_limits(case: Any, backend: Backend) -> None:
    settings = {name: case[name] for name in ("attempts", "patience_seconds") if name in case}
    if "error" in case:
        error, requests = failure(backend, case["replies"], **settings)
        said = shown(error)
        assert {name: said.get(name) for name in case["error"]} == case["error"]
    else:
        with serving(*map(scripted, case["replies"])) as server:
            client(backend, server, **settings).token("bob", room_id="call_1")
            requests = len(server.received)
    assert requests == case["requests"]
    assert backend.waits == pytest.approx(case["waits"])


@pytest.mark.parametrize("case", CASES["retry_after"], ids=lambda case: str(case["headers"])[:48])
def test_retry_after_has_seconds_or_a_date(case: Any, backend: Backend) -> None:
    throttled = {"status": 429, "gateway": "Too Many Requests", "headers": case["headers"]}
    error, _requests = failure(backend, [throttled], attempts=1)
    assert error.retry_after_seconds == case["seconds"]


@named("batches")
def test_a_batch_has_a_result_per_request(case: Any, backend: Backend) -> None:
    def part(given: Mapping[str, Any]) -> dict[str, object]:
        kinds = [kind for kind in ("token", "problem") if kind in given]
        documents = {"token": "issued", "problem": "problem"}
        return {
            "status": given["status"],
            **{
                kind: document(documents[kind], {"request_id": "(missing)"} | given[kind])
                for kind in kinds
            },
        }

    whole = {"results": [part(given) for given in case["results"]], "request_id": "made-up"}
    with serving(scripted({"status": 200, "text": json.dumps(whole)})) as server:
        asking = client(backend, server)
        requests = [TokenRequest("bob", room_id="call_1")] * 2
        if "error" in case:
            with pytest.raises(BadAnswerError) as failed:
                asking.tokens(requests)
            assert failed.value.reason == case["error"]
            return
        got = asking.tokens(requests)
    assert [each.room_id if isinstance(each, IssuedToken) else each.code for each in got] == case[
        "got"
    ]
    assert {each.request_id for each in got} == {"made-up"}
    assert BEARER not in str(got)
