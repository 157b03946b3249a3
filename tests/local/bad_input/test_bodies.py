"""Invalid bodies, and rooms that the access policy does not grant."""

from __future__ import annotations

import pytest

from tests.local.bad_input.exchanges import problem
from tests.support.routes import BATCH, CALL, SERVICE_CALL, SERVICE_TOKENS, TOKENS
from tests.support.service import Service

BODIES: dict[str, tuple[object, int, str, str | None]] = {
    "not JSON": (b"{", 400, "invalid_json", None),
    "a form": (b"room_id=call_1", 400, "invalid_json", None),
    "NaN": (b'{"lifetime_seconds": NaN}', 400, "invalid_json", None),
    "nested without end": (b"[" * 10_000, 400, "invalid_json", None),
    "an array": ([], 400, "body_not_object", None),
    "a string": ("call_1", 400, "body_not_object", None),
    "a number": (5, 400, "body_not_object", None),
    "null": (None, 400, "body_not_object", None),
    "too large": (b"{}" + b" " * 16 * 1024, 413, "body_too_large", None),
    "an unknown field": ({"roomId": "call_1"}, 400, "unknown_field", "roomId"),
    "a user": ({"user_id": "bob", "room_id": "call_1"}, 400, "unknown_field", "user_id"),
    "room a number": ({"room_id": 1}, 400, "wrong_type", "room_id"),
    "room null": ({"room_id": None}, 400, "wrong_type", "room_id"),
    "room an object": ({"room_id": {"$ne": ""}}, 400, "wrong_type", "room_id"),
    "privileges a string": (
        {"room_id": "call_1", "privileges": "login"}, 400, "wrong_type", "privileges"),
    "streams numbers": ({"room_id": "call_1", "stream_ids": [1]}, 400, "wrong_type", "stream_ids"),
    "lifetime a string": ({"lifetime_seconds": "60"}, 400, "wrong_type", "lifetime_seconds"),
    "lifetime a fraction": ({"lifetime_seconds": 60.5}, 400, "wrong_type", "lifetime_seconds"),
    "lifetime 59.0": ({"lifetime_seconds": 59.0}, 422, "lifetime_out_of_range", "lifetime_seconds"),
    "lifetime true": ({"lifetime_seconds": True}, 400, "wrong_type", "lifetime_seconds"),
    "room empty": ({"room_id": ""}, 422, "invalid_identifier", "room_id"),
    "room with NUL": ({"room_id": "call_\0"}, 422, "invalid_identifier", "room_id"),
    "room not ASCII": ({"room_id": "call_é"}, 422, "invalid_identifier", "room_id"),
    "room in Chinese": ({"room_id": "通话"}, 422, "invalid_identifier", "room_id"),
    "room half a surrogate pair": (b'{"room_id":"\\ud800"}', 422, "invalid_identifier", "room_id"),
    "room with a space": ({"room_id": "call_ 1"}, 422, "invalid_identifier", "room_id"),
    "room with a newline": ({"room_id": "call_1\n"}, 422, "invalid_identifier", "room_id"),
    "room too long": ({"room_id": "call_" + "1" * 123}, 422, "invalid_identifier", "room_id"),
    "stream too long": (
        {"room_id": "call_1", "stream_ids": ["s" * 256]}, 422, "invalid_stream_ids", "stream_ids"),
    "stream with a dot": (
        {"room_id": "call_1", "stream_ids": ["a.b"]}, 422, "invalid_stream_ids", "stream_ids"),
    "no streams": (
        {"room_id": "call_1", "stream_ids": []}, 422, "invalid_stream_ids", "stream_ids"),
    "no privileges": (
        {"room_id": "call_1", "privileges": []}, 422, "invalid_privileges", "privileges"),
    "another privilege": (
        {"room_id": "call_1", "privileges": ["admin"]}, 422, "invalid_privileges", "privileges"),
    "privileges without a room": ({"privileges": ["login"]}, 422, "room_id_required", "room_id"),
    "lifetime 0": ({"lifetime_seconds": 0}, 422, "lifetime_out_of_range", "lifetime_seconds"),
    "lifetime negative": (
        {"lifetime_seconds": -60}, 422, "lifetime_out_of_range", "lifetime_seconds"),
    "lifetime over 24 days": (
        {"lifetime_seconds": 2_073_601}, 422, "lifetime_out_of_range", "lifetime_seconds"),
    "lifetime over the cap": (
        {"room_id": "call_1", "lifetime_seconds": 7201},
        422, "lifetime_out_of_range", "lifetime_seconds"),
    "a room that is not granted": ({"room_id": "bob_desk"}, 403, "not_granted", None),
    "a room in capitals": ({"room_id": "CALL_1"}, 403, "not_granted", None),
    "a star as room": ({"room_id": "*"}, 403, "not_granted", None),
}  # fmt: skip


class TestBodies:
    @pytest.mark.parametrize(("body", "status", "code", "field"), BODIES.values(), ids=BODIES)
    def test_an_invalid_body_is_refused_and_the_field_named(
        self, issuer: Service, body: object, status: int, code: str, field: str | None
    ) -> None:
        document = problem(issuer.send(TOKENS, body, bearer=issuer.bearer()), status, code)
        assert document.get("field") == field
        audit = issuer.last_audit()
        assert (audit["decision"], audit["code"]) == ("refused", code)
        assert audit["request_id"] == document["request_id"]

    def test_bytes_that_are_not_text_are_not_json(self, issuer: Service) -> None:
        headers = {"content-type": "application/octet-stream"}
        bearer = issuer.bearer()
        answer = issuer.send(TOKENS, b'{"room_id": "\xff"}', bearer=bearer, headers=headers)
        problem(answer, 400, "invalid_json")

    def test_an_unknown_field_name_is_not_repeated_if_it_may_be_secret(
        self, issuer: Service
    ) -> None:
        secret = issuer.stack.secrets_manager.server_secret
        document = problem(
            issuer.send(TOKENS, {secret: 1, f"f{secret[1:]}": 1}, bearer=issuer.bearer()),
            400,
            "unknown_field",
        )
        assert "field" not in document

    @pytest.mark.parametrize("field", ["room_id", "user_id", "token"])
    def test_a_call_accepts_no_room_and_no_user(self, issuer: Service, field: str) -> None:
        answer = issuer.send(CALL, {field: "call_1"}, bearer=issuer.bearer())
        assert problem(answer, 400, "unknown_field")["field"] == field

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 400, "missing_field"),
            ({"user_id": None}, 400, "wrong_type"),
            ({"user_id": 5}, 400, "wrong_type"),
            ({"user_id": ""}, 422, "invalid_identifier"),
            ({"user_id": "a\0b"}, 422, "invalid_identifier"),
            ({"user_id": "é"}, 422, "invalid_identifier"),
            ({"user_id": "u" * 64}, 422, "invalid_identifier"),
            ({"user_id": "auth0|1"}, 422, "invalid_identifier"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("route", [SERVICE_TOKENS, SERVICE_CALL])
    def test_a_backend_must_name_a_user_id_that_zego_allows(
        self, issuer: Service, route: str, body: object, status: int, code: str
    ) -> None:
        document = problem(issuer.send_signed(route, body), status, code)
        assert document["field"] == "user_id"

    def test_each_invalid_entry_of_a_batch_has_its_own_problem(self, issuer: Service) -> None:
        good = {"user_id": "bob", "room_id": "call_1"}
        entries: list[object] = [good, 5, {}, good | {"lifetime_seconds": 0}, good | {"x": 1}, good]
        answer = issuer.send_signed(BATCH, {"requests": entries})
        results = answer.json()["results"]
        assert answer.status == 200
        assert [result["status"] for result in results] == [201, 400, 400, 422, 400, 201]

    @pytest.mark.parametrize(
        ("body", "status", "code"),
        [
            ({}, 400, "missing_field"),
            ({"requests": "all"}, 400, "wrong_type"),
            ({"requests": []}, 422, "batch_size"),
            ({"requests": [{}] * 101}, 422, "batch_size"),
            (b" " * (128 * 1024 + 1), 413, "body_too_large"),
        ],
        ids=["nothing", "a string", "empty", "too many", "too large"],
    )
    def test_an_invalid_batch_is_refused(
        self, issuer: Service, body: object, status: int, code: str
    ) -> None:
        problem(issuer.send_signed(BATCH, body), status, code)
