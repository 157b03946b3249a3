"""Responses that are not from this API, or not for this request, raise BadAnswerError."""

from __future__ import annotations

import json
import tracemalloc
import zlib
from typing import Any

import pytest

from tests.clients.python.backend import CALL, ISSUED, REQUEST_ID, TOKEN, Backend, answer
from tests.clients.python.test_connections import CHUNKED
from tests.contract.openapi import load
from tests.unit.zego.scripted_server import Reply, serving
from zego_token_client import BadAnswerError, TokenRequest


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in ISSUED.items() if name != field}


BATCH_TOKEN = without("request_id")


def batch(*tokens: dict[str, Any]) -> Reply:
    """The response to a batch whose requests were all granted."""
    results = [{"status": 201, "token": BATCH_TOKEN | token} for token in tokens]
    return answer({"results": results, "request_id": REQUEST_ID}, 200)


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"<html>", 200, "text/html"),
        answer(ISSUED, 201, "text/html"),
        answer(ISSUED, 202),
        answer(b"", 204),
        answer({"message": "Unauthorized"}, 401),
        answer(b"<html>", 403, "text/html"),
        answer(b"", 301, "application/json", {"Location": "http://127.0.0.1:1/"}),
    ],
    ids=["page", "wrong-type", "other-status", "empty", "other-refusal", "proxys-403", "redirect"],
)
def test_a_response_of_another_server_is_an_error(reply: Reply, backend: Backend) -> None:
    with serving(reply) as server:
        with pytest.raises(BadAnswerError, match="is not from this API"):
            backend.client(server).token("bob")
        assert len(server.received) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"token": "04', b"\xff{}", b"[" * 100_000, b"[]", b"null", b'"04"'],
    ids=["empty", "brace", "cut", "not-utf-8", "deep", "array", "null", "text"],
)
@pytest.mark.parametrize(
    ("status", "media_type"),
    [(201, "application/json"), (422, "application/problem+json")],
    ids=["granted", "problem"],
)
def test_a_body_that_is_not_a_json_object_is_an_error(
    body: bytes, status: int, media_type: str, backend: Backend
) -> None:
    with serving(answer(body, status, media_type)) as server, pytest.raises(BadAnswerError) as bad:
        backend.client(server).token("bob")
    assert bad.value.reason == "the response is invalid: it is not a JSON object"
    assert bad.value.status == status


@pytest.mark.parametrize("field", ISSUED)
def test_a_missing_field_is_named(field: str, backend: Backend) -> None:
    said = pytest.raises(BadAnswerError, match=f"{field} is missing")
    with serving(answer(without(field))) as server, said:
        backend.client(server).token("bob")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("token", None),
        ("token", 4),
        ("app_id", "1234567890"),
        ("app_id", 1.0),
        ("app_id", True),
        ("room_id", 1),
        ("privileges", ["login"]),
        ("privileges", None),
        ("stream_ids", "bob_camera"),
        ("stream_ids", [1]),
        ("stream_ids", {}),
        ("renew_at", "2023-11-14"),
    ],
    ids=str,
)
def test_a_field_of_the_wrong_type_is_named(field: str, value: object, backend: Backend) -> None:
    said = pytest.raises(BadAnswerError, match=f"{field} has the wrong type")
    with serving(answer({**ISSUED, field: value})) as server, said:
        backend.client(server).token("bob")


def test_a_number_too_large_for_a_float_has_the_wrong_type(backend: Backend) -> None:
    document = load()
    place = f"{document.routes['GET /v1/status']}/responses/200/content"
    values = document.at(f"{place}/application~1json/examples/status")["value"]
    values = {**values, "secret": {**values["secret"], "age_days": 10**400}}
    said = pytest.raises(BadAnswerError, match="age_days has the wrong type")
    with serving(answer(values, 200)) as server, said:
        backend.client(server).status()


@pytest.mark.parametrize(
    "values",
    [
        {"code": "not_granted", "detail": "Made up.", "request_id": REQUEST_ID},
        {"code": 403, "detail": "Made up.", "request_id": REQUEST_ID, "retryable": False},
        {"code": "a", "detail": "Made up.", "request_id": REQUEST_ID, "retryable": "no"},
    ],
    ids=["missing", "code", "retryable"],
)
def test_an_invalid_problem_document_is_an_error(values: object, backend: Backend) -> None:
    reply = answer(values, 403, "application/problem+json")
    with serving(reply) as server, pytest.raises(BadAnswerError, match="the response is invalid"):
        backend.client(server).token("bob")


@pytest.mark.parametrize(
    "results",
    [
        [],
        [{"status": 201, "token": BATCH_TOKEN}] * 3,
        [{"status": 201, "token": BATCH_TOKEN}, {"status": 201}],
        [{"status": 201, "token": BATCH_TOKEN}, {"status": 403, "problem": {"code": "a"}}],
        [{"status": 201, "token": BATCH_TOKEN}, {"status": 201, "token": TOKEN}],
        {"0": {}},
    ],
    ids=["none", "too-many", "neither", "half-a-problem", "bare-token", "no-list"],
)
def test_results_that_do_not_fit_the_requests_are_an_error(
    results: object, backend: Backend
) -> None:
    reply = answer({"results": results, "request_id": REQUEST_ID}, 200)
    with serving(reply) as server, pytest.raises(BadAnswerError, match="the response is invalid"):
        backend.client(server).tokens([TokenRequest("bob"), TokenRequest("bob")])


@pytest.mark.parametrize("room", [None, "call_1", {}], ids=str)
def test_a_call_without_a_room_is_an_error(room: object, backend: Backend) -> None:
    reply = answer({"callId": "1", "zegoRoom": room})
    with serving(reply) as server, pytest.raises(BadAnswerError, match="is missing"):
        backend.client(server).start_call("bob")


def test_the_message_has_the_reason_the_status_and_the_request_id(backend: Backend) -> None:
    reply = answer({}, 201, headers={"apigw-requestid": "made-up-gateway-id"})
    with serving(reply) as server, pytest.raises(BadAnswerError) as bad:
        backend.client(server).token("bob")
    assert str(bad.value) == (
        "the response is invalid: token is missing (status 201, request made-up-gateway-id)"
    )


@pytest.mark.parametrize(
    "token",
    ["", "04", "03QUJD", "04QUJD====", "04QU JD", "04QUJD\n", "eyJhbGciOiJIUzI1NiJ9.e30.QUJD"],
    ids=["empty", "bare", "other-version", "padding", "blank", "line", "jwt"],
)
def test_text_that_is_not_a_token04_is_not_returned(token: str, backend: Backend) -> None:
    reply = answer({**ISSUED, "token": token})
    with serving(reply) as server, pytest.raises(BadAnswerError) as bad:
        backend.client(server).token("bob")
    assert bad.value.reason == "the response is invalid: token is not a Token04"


def test_a_token_for_another_user_is_not_returned(backend: Backend) -> None:
    said = pytest.raises(BadAnswerError, match="user_id is not the requested one")
    with serving(answer({**ISSUED, "user_id": "eve"})) as server, said:
        backend.client(server).token("bob")


def test_a_call_of_another_user_is_not_returned(backend: Backend) -> None:
    said = pytest.raises(BadAnswerError, match="user_id is not the requested one")
    with serving(answer({**CALL, "user_id": "eve"})) as server, said:
        backend.client(server).start_call("bob")


@pytest.mark.parametrize(
    ("asked", "granted"),
    [("call_1", "call_2"), ("call_1", None), (None, "call_1")],
    ids=["another", "none", "not-requested"],
)
def test_a_token_for_another_room_is_not_returned(
    asked: str | None, granted: str | None, backend: Backend
) -> None:
    said = pytest.raises(BadAnswerError, match="room_id is not the requested one")
    with serving(answer({**ISSUED, "room_id": granted})) as server, said:
        backend.client(server).token("bob", room_id=asked)


def test_a_batch_may_be_for_several_users(backend: Backend) -> None:
    with serving(batch({"user_id": "alice"}, {"user_id": "bob"})) as server:
        tokens = backend.client(server).tokens([TokenRequest("alice"), TokenRequest("bob")])
    assert [getattr(token, "user_id", None) for token in tokens] == ["alice", "bob"]


def test_the_tokens_of_a_batch_are_for_the_users_in_order(backend: Backend) -> None:
    said = pytest.raises(BadAnswerError, match="user_id is not the requested one")
    with serving(batch({"user_id": "bob"}, {"user_id": "alice"})) as server, said:
        backend.client(server).tokens([TokenRequest("alice"), TokenRequest("bob")])


def test_the_tokens_of_a_batch_are_for_the_rooms_in_order(backend: Backend) -> None:
    said = pytest.raises(BadAnswerError, match="room_id is not the requested one")
    with serving(batch({"room_id": "call_2"}, {"room_id": "call_1"})) as server, said:
        backend.client(server).tokens(
            [TokenRequest("bob", room_id="call_1"), TokenRequest("bob", room_id="call_2")]
        )


@pytest.mark.parametrize("renew_at", [99, 200, 201], ids=["early", "at-the-end", "late"])
def test_a_token_that_cannot_be_renewed_in_time_is_not_returned(
    renew_at: int, backend: Backend
) -> None:
    times = {"issued_at": 100, "renew_at": renew_at, "expires_at": 200}
    said = pytest.raises(BadAnswerError, match="renew_at is not between issued_at and expires_at")
    with serving(answer({**ISSUED, **times})) as server, said:
        backend.client(server).token("bob")


@pytest.mark.parametrize("renew_at", [100, 199], ids=["at-once", "last-second"])
def test_renew_at_may_be_any_time_before_the_expiry(renew_at: int, backend: Backend) -> None:
    times = {"issued_at": 100, "renew_at": renew_at, "expires_at": 200}
    with serving(answer({**ISSUED, **times})) as server:
        assert backend.client(server).token("bob").renew_at == renew_at


def gzipped(size: int) -> bytes:
    """Zeros that are much smaller compressed."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(size >> 20)) + packer.flush()


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer(b" " * (6 * 2**20 + 1)), "larger than any"),
        (Reply(b"HTTP/1.1 201 Created\r\n\r\n", for_ever=b"{" * 65536), "larger than any"),
        (Reply(CHUNKED, for_ever=b"10000\r\n" + b"{" * 65536 + b"\r\n"), "larger than any"),
        (answer(gzipped(200 << 20), headers={"Content-Encoding": "gzip"}), "not a JSON object"),
    ],
    ids=["large", "endless", "endless-chunks", "bomb"],
)
def test_a_response_is_read_only_up_to_a_size(reply: Reply, reason: str, backend: Backend) -> None:
    tracemalloc.start()
    try:
        with serving(reply) as server, pytest.raises(BadAnswerError, match=reason):
            backend.client(server, attempts=1).token("bob")
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
    finally:
        tracemalloc.stop()


def test_the_largest_response_is_read(backend: Backend) -> None:
    body = json.dumps(ISSUED).encode().ljust(6 * 2**20)
    with serving(answer(body)) as server:
        assert backend.client(server).token("bob").token == TOKEN
