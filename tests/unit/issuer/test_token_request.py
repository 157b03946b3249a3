"""A request's body: wrong shapes are 400, values out of bounds 422, each with its field."""

from __future__ import annotations

import contextlib
import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issuer import token_request
from issuer.body import MAX_BYTES, read_object
from issuer.problems import Problem
from issuer.token_request import (
    MAX_BATCH,
    MAX_BATCH_BODY_BYTES,
    REFUSAL_CODES,
)
from tests.support.table import table
from zego.policy.model import MAX_STREAM_IDS, TokenRequest


def body(value: object) -> bytes:
    return json.dumps(value).encode()


def read(value: object, *, names_user: bool = False) -> TokenRequest:
    content = value if isinstance(value, bytes) else body(value)
    return token_request.token_request(read_object(content), names_user=names_user)


def refusal(value: object, *, names_user: bool = False) -> Problem:
    with pytest.raises(Problem) as refused:
        read(value, names_user=names_user)
    return refused.value


def code_and_field(problem: Problem) -> tuple[str, str | None]:
    return problem.code, problem.field


class TestGoodRequests:
    @pytest.mark.parametrize("content", [b"", b"{}", b"  \r\n\t", b" {} "])
    def test_no_body_asks_for_an_identity_token(self, content: bytes) -> None:
        assert read(content) == TokenRequest()

    def test_every_field_is_read(self) -> None:
        asked = {
            "room_id": "call_1",
            "privileges": ["publish", "login"],
            "stream_ids": ["s1", "s2"],
            "lifetime_seconds": 600,
            "refused_with": 20014,
        }
        assert read(asked) == TokenRequest(
            room_id="call_1",
            privileges=frozenset({"login", "publish"}),
            stream_ids=("s1", "s2"),
            lifetime_seconds=600,
            refused_with=20014,
        )

    def test_a_service_route_names_the_user(self) -> None:
        assert read({"user_id": "bob"}, names_user=True) == TokenRequest(user_id="bob")

    def test_a_body_of_exactly_16_kibibytes_is_taken(self) -> None:
        content = b"{}".ljust(MAX_BYTES)
        assert read(content) == TokenRequest()


class TestBodies:
    @pytest.mark.parametrize(
        "content",
        [
            b"{",
            b"hello",
            b"{'room_id': 'a'}",
            b'{"room_id": "a",}',
            b'{"room_id": "a"} x',
            b"\xff",
            b'{"room_id": "\xff"}',
            b"\xef\xbb\xbf{}",
            b'{"room_id": "a\nb"}',
            b'{"lifetime_seconds": NaN}',
            b'{"lifetime_seconds": Infinity}',
            b'{"lifetime_seconds": -Infinity}',
            b'{"lifetime_seconds": 0600}',
            b'{"lifetime_seconds": ' + b"9" * 5000 + b"}",
            b"[" * 10_000,
            b'{"a":' * 2_000,
            "{}".encode("utf-16"),
            b"\0",
        ],
        ids=lambda content: repr(content[:28]),
    )
    def test_what_is_not_json(self, content: bytes) -> None:
        assert code_and_field(refusal(content)) == ("invalid_json", None)

    @pytest.mark.parametrize(
        ("content", "named"),
        [
            (b"\xef\xbb\xbf{}", "byte order mark"),
            ("\ufeff{}".encode("utf-16-le"), "UTF-16"),
            ("\ufeff{}".encode("utf-16-be"), "UTF-16"),
            (gzip.compress(b"{}", mtime=0), "gzip"),
            (b"\x1f{}", "a JSON object in UTF-8"),
        ],
    )
    def test_a_common_mistake_is_named(self, content: bytes, named: str) -> None:
        problem = refusal(content)
        assert problem.code == "invalid_json"
        assert named in problem.detail

    @pytest.mark.parametrize(
        ("value", "named"),
        [
            ([], "an array"),
            ([{"room_id": "a"}], "an array"),
            ("call_1", "a string"),
            (1, "a number"),
            (1.5, "a fraction"),
            (True, "a boolean"),
            (None, "null"),
        ],
    )
    def test_what_is_not_an_object(self, value: object, named: str) -> None:
        problem = refusal(value)
        assert problem.code == "body_not_object"
        assert named in problem.detail

    def test_a_body_over_16_kibibytes_is_not_even_parsed(self) -> None:
        problem = refusal(b"x" * (MAX_BYTES + 1))
        assert problem.code == "body_too_large"
        assert f"{MAX_BYTES + 1} bytes; the limit is {MAX_BYTES}" in problem.detail


class TestFields:
    @pytest.mark.parametrize("field", ["roomId", "room", "ROOM_ID", "requestContext"])
    def test_an_unknown_field_is_named_with_those_that_are_known(self, field: str) -> None:
        problem = refusal({field: 1, "room_id": "call_1"})
        assert code_and_field(problem) == ("unknown_field", field)
        for known in ("room_id", "privileges", "stream_ids", "lifetime_seconds", "refused_with"):
            assert known in problem.detail

    @pytest.mark.parametrize(
        "field",
        [
            "",
            "a" * 33,
            "a.b",
            "a b",
            "é",
            "\ud800",
            "0",
            "Bearer x",
            "e30.e30.AA",
            "abcdef0123456789" * 2,
        ],
        ids=ascii,
    )
    def test_an_unknown_name_that_does_not_look_like_a_field_is_not_repeated(
        self, field: str
    ) -> None:
        """A caller may have pasted a token or a secret in the wrong place."""
        problem = refusal({field: 1})
        assert code_and_field(problem) == ("unknown_field", None)
        assert not field or field not in problem.detail + problem.reason

    def test_a_user_that_is_named_where_the_caller_is_the_user_is_an_unknown_field(self) -> None:
        problem = refusal({"user_id": "bob", "room_id": "call_1"})
        assert code_and_field(problem) == ("unknown_field", "user_id")
        assert "user_id" not in problem.detail

    @pytest.mark.parametrize("content", [b"", b"{}", b'{"room_id": "call_1"}'])
    def test_a_service_route_lacks_its_user(self, content: bytes) -> None:
        assert code_and_field(refusal(content, names_user=True)) == ("missing_field", "user_id")

    @table(
        ("field", "value", "expected", "named"),
        [
            ("room_id", 1, "a string", "a number"),
            ("room_id", None, "a string", "null"),
            ("room_id", ["a"], "a string", "an array"),
            ("room_id", {}, "a string", "an object"),
            ("user_id", 1, "a string", "a number"),
            ("user_id", None, "a string", "null"),
            ("user_id", True, "a string", "a boolean"),
            ("privileges", "login", "an array of strings", "a string"),
            ("privileges", {"login": True}, "an array of strings", "an object"),
            ("privileges", None, "an array of strings", "null"),
            ("privileges", [1], "an array of strings", "a number"),
            ("privileges", ["login", None], "an array of strings", "null"),
            ("stream_ids", "s1", "an array of strings", "a string"),
            ("stream_ids", [["s1"]], "an array of strings", "an array"),
            ("stream_ids", None, "an array of strings", "null"),
            ("lifetime_seconds", "600", "a whole number", "a string"),
            ("lifetime_seconds", 600.5, "a whole number", "a fraction"),
            ("lifetime_seconds", 1e400, "a whole number", "a fraction"),
            ("lifetime_seconds", True, "a whole number", "a boolean"),
            ("lifetime_seconds", None, "a whole number", "null"),
            ("lifetime_seconds", [600], "a whole number", "an array"),
            ("refused_with", "20014", "a whole number", "a string"),
            ("refused_with", 20014.5, "a whole number", "a fraction"),
            ("refused_with", True, "a whole number", "a boolean"),
            ("refused_with", None, "a whole number", "null"),
            ("refused_with", [20014], "a whole number", "an array"),
        ],
    )
    def test_a_field_of_the_wrong_type_says_which_it_has_and_which_it_must_have(
        self, field: str, value: object, expected: str, named: str
    ) -> None:
        asked = {"user_id": "bob", "room_id": "call_1"} | {field: value}
        content = body(asked).replace(b"Infinity", b"1e400")
        problem = refusal(content, names_user=True)
        assert code_and_field(problem) == ("wrong_type", field)
        assert f"{field} must be {expected}" in problem.detail
        assert problem.detail.endswith(f"not {named}.")

    def test_a_whole_number_may_be_written_with_a_fraction_of_zero(self) -> None:
        wanted = read(b'{"lifetime_seconds": 600.0, "refused_with": 20.014e3}')
        assert repr((wanted.lifetime_seconds, wanted.refused_with)) == "(600, 20014)"

    def test_if_a_key_comes_twice_the_last_one_counts(self) -> None:
        assert read(b'{"room_id": "a", "room_id": "b"}').room_id == "b"


class TestIdentifiers:
    @pytest.mark.parametrize(("field", "limit"), [("user_id", 63), ("room_id", 127)])
    def test_an_id_may_be_as_long_as_zego_allows(self, field: str, limit: int) -> None:
        asked = {"user_id": "bob"} | {field: "x" * limit}
        assert getattr(read(asked, names_user=True), field) == "x" * limit

    @pytest.mark.parametrize(("field", "limit"), [("user_id", 63), ("room_id", 127)])
    def test_an_id_that_is_longer_is_refused_with_the_limit(self, field: str, limit: int) -> None:
        problem = refusal({"user_id": "bob"} | {field: "x" * (limit + 1)}, names_user=True)
        assert code_and_field(problem) == ("invalid_identifier", field)
        assert f"at most {limit}" in problem.detail

    @table("field", ["user_id", "room_id"])
    @table(
        ("value", "named"),
        [
            ("", "is empty"),
            ("a b", "a space"),
            (" ", "a space"),
            ("a\0b", "U+0000"),
            ("a\nb", "U+000A"),
            ("a\x7f", "U+007F"),
            ("é", "U+00E9"),
            ("通话", "U+901A"),
            ("\U0001f600", "U+1F600"),
            ("\ud800", "U+D800"),
            ("a\u200bb", "U+200B"),
            ("a\u202eb", "U+202E"),
            *((f"a{character}", f"the character {character}") for character in '"/:?[]{|}'),
        ],
    )
    def test_a_character_that_zego_refuses_is_named(
        self, field: str, value: str, named: str
    ) -> None:
        problem = refusal({"user_id": "bob"} | {field: value}, names_user=True)
        assert code_and_field(problem) == ("invalid_identifier", field)
        assert named in problem.detail

    @pytest.mark.parametrize("value", ["a", "0", "call_1", "a.b-c~d", "!#$%&'()*+,-.;<=>@\\^_`~"])
    def test_any_other_printable_ascii_is_accepted(self, value: str) -> None:
        assert read({"room_id": value}).room_id == value

    def test_length_is_counted_in_bytes(self) -> None:
        problem = refusal({"room_id": "é" * 64})
        assert "128 bytes" in problem.detail

    def test_the_value_is_not_in_the_response(self) -> None:
        assert "s3cret" not in str(refusal({"room_id": "s3cret room"}).document("https://x"))


class TestPrivileges:
    @pytest.mark.parametrize(
        "names",
        [
            [],
            ["watch"],
            ["Login"],
            ["login "],
            ["login", "watch"],
            ["login", "login"],
            ["login", "publish", "login"],
            ["1"],
        ],
        ids=str,
    )
    def test_they_are_login_publish_or_both_each_once(self, names: list[str]) -> None:
        problem = refusal({"room_id": "call_1", "privileges": names})
        assert code_and_field(problem) == ("invalid_privileges", "privileges")

    @pytest.mark.parametrize("names", [["login"], ["publish"], ["publish", "login"]], ids=str)
    def test_their_order_means_nothing(self, names: list[str]) -> None:
        granted = read({"room_id": "call_1", "privileges": names}).privileges or ()
        assert sorted(granted) == sorted(names)

    @pytest.mark.parametrize("asked", [{"privileges": ["login"]}, {"stream_ids": ["s1"]}], ids=str)
    def test_they_require_a_room_id(self, asked: dict[str, Any]) -> None:
        (field,) = asked
        problem = refusal(asked)
        assert code_and_field(problem) == ("room_id_required", "room_id")
        assert problem.detail.startswith(field)


class TestStreamIds:
    @pytest.mark.parametrize("count", [1, MAX_STREAM_IDS])
    def test_there_are_one_to_fifty(self, count: int) -> None:
        ids = [f"s{number}" for number in range(count)]
        assert read({"room_id": "call_1", "stream_ids": ids}).stream_ids == tuple(ids)

    @pytest.mark.parametrize(
        "ids",
        [[], [f"s{number}" for number in range(MAX_STREAM_IDS + 1)], ["s1", "s1"]],
        ids=["none", "fifty-one", "one twice"],
    )
    def test_none_too_many_or_one_twice_are_refused(self, ids: list[str]) -> None:
        problem = refusal({"room_id": "call_1", "stream_ids": ids})
        assert code_and_field(problem) == ("invalid_stream_ids", "stream_ids")

    @pytest.mark.parametrize(
        "stream_id", ["", "a.b", "a b", "é", "a\n", "a\0", "x" * 256, "\ud800"]
    )
    def test_one_that_zego_refuses_is_refused(self, stream_id: str) -> None:
        problem = refusal({"room_id": "call_1", "stream_ids": ["good", stream_id]})
        assert code_and_field(problem) == ("invalid_stream_ids", "stream_ids")

    def test_one_may_have_255_bytes(self) -> None:
        asked = {"room_id": "call_1", "stream_ids": ["x" * 255]}
        assert read(asked).stream_ids == ("x" * 255,)


class TestLifetimes:
    @pytest.mark.parametrize("seconds", [60, 61, 7200, 2_073_600])
    def test_a_minute_to_24_days_is_accepted(self, seconds: int) -> None:
        assert read({"lifetime_seconds": seconds}).lifetime_seconds == seconds

    @pytest.mark.parametrize("seconds", [0, -1, -7200, 59, 2_073_601, 2**63, 10**300])
    def test_less_or_more_is_refused_with_the_bounds(self, seconds: int) -> None:
        problem = refusal({"lifetime_seconds": seconds})
        assert code_and_field(problem) == ("lifetime_out_of_range", "lifetime_seconds")
        assert "60 to 2073600" in problem.detail


class TestRefusedWith:
    def test_it_is_one_of_the_codes_that_can_mean_a_wrong_secret(self) -> None:
        native = (1002033, *range(1002070, 1002080))
        assert sorted(REFUSAL_CODES) == [20014, 50119, *native, 1102016, 6000103]
        for code in REFUSAL_CODES:
            assert read({"refused_with": code}).refused_with == code

    @pytest.mark.parametrize(
        "code",
        [0, -20014, 20013, 50120, 1002034, 1002069, 1002080, 1102015, 1102018, 2**63, 10**300],
    )
    def test_any_other_is_refused_with_the_allowed_ones(self, code: int) -> None:
        problem = refusal({"refused_with": code})
        assert code_and_field(problem) == ("invalid_refused_with", "refused_with")
        assert problem.detail == (
            "refused_with must be 20014, 50119, 1102016, 1002033, 1002070 to 1002079 or 6000103."
        )

    def test_it_needs_no_room(self) -> None:
        assert read({"refused_with": 50119}) == TokenRequest(refused_with=50119)

    def test_a_call_and_an_entry_of_a_batch_may_have_it_too(self) -> None:
        asked: dict[str, object] = {"user_id": "bob", "refused_with": 50119}
        expected = TokenRequest(user_id="bob", refused_with=50119)
        assert token_request.call_request(read_object(body(asked)), names_user=True) == expected
        assert token_request.token_request(asked, names_user=True) == expected


class TestCallRequests:
    def test_the_service_makes_the_room(self) -> None:
        asked = token_request.call_request(
            read_object(body({"lifetime_seconds": 60})), names_user=False
        )
        assert asked == TokenRequest(lifetime_seconds=60)

    def test_privileges_and_streams_need_no_room_here(self) -> None:
        content = body({"privileges": ["login"], "stream_ids": ["s1"]})
        asked = token_request.call_request(read_object(content), names_user=False)
        assert asked == TokenRequest(privileges=frozenset({"login"}), stream_ids=("s1",))

    @pytest.mark.parametrize("field", ["room_id", "user_id", "callId"])
    def test_it_accepts_nothing_else(self, field: str) -> None:
        with pytest.raises(Problem) as refused:
            token_request.call_request(read_object(body({field: "x"})), names_user=False)
        assert code_and_field(refused.value) == ("unknown_field", field)

    def test_a_backend_names_the_user(self) -> None:
        asked = token_request.call_request(read_object(body({"user_id": "bob"})), names_user=True)
        assert asked.user_id == "bob"
        with pytest.raises(Problem) as refused:
            token_request.call_request(read_object(b""), names_user=True)
        assert code_and_field(refused.value) == ("missing_field", "user_id")

    def test_a_body_over_16_kibibytes_is_refused(self) -> None:
        with pytest.raises(Problem) as refused:
            token_request.call_request(read_object(b" " * (MAX_BYTES + 1)), names_user=False)
        assert refused.value.code == "body_too_large"


class TestBatches:
    @pytest.mark.parametrize("count", [1, MAX_BATCH])
    def test_a_batch_has_one_to_a_hundred_entries_which_are_not_read_yet(self, count: int) -> None:
        entries: list[object] = [{"anything": True}, 5] * count
        assert token_request.read_batch(body({"requests": entries[:count]})) == entries[:count]

    @pytest.mark.parametrize(
        ("value", "code", "field"),
        [
            ({}, "missing_field", "requests"),
            ({"requests": {}}, "wrong_type", "requests"),
            ({"requests": None}, "wrong_type", "requests"),
            ({"requests": []}, "batch_size", "requests"),
            ({"requests": [{}] * (MAX_BATCH + 1)}, "batch_size", "requests"),
            ({"requests": [{}], "user_id": "bob"}, "unknown_field", "user_id"),
            ([], "body_not_object", None),
        ],
        ids=lambda value: str(value)[:24] if not isinstance(value, str) else value,
    )
    def test_an_invalid_batch_is_refused(self, value: object, code: str, field: str | None) -> None:
        with pytest.raises(Problem) as refused:
            token_request.read_batch(body(value))
        assert code_and_field(refused.value) == (code, field)

    def test_a_batch_may_have_128_kibibytes(self) -> None:
        content = body({"requests": [{}]})
        assert token_request.read_batch(content.ljust(MAX_BATCH_BODY_BYTES)) == [{}]
        with pytest.raises(Problem) as refused:
            token_request.read_batch(content.ljust(MAX_BATCH_BODY_BYTES + 1))
        assert refused.value.code == "body_too_large"

    @pytest.mark.parametrize("entry", [None, 5, "x", [], True])
    def test_only_an_entry_that_is_not_an_object_is_refused(self, entry: object) -> None:
        with pytest.raises(Problem) as refused:
            token_request.token_request(entry, names_user=True)
        assert refused.value.code == "body_not_object"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    [
        "room_id",
        "user_id",
        "privileges",
        "stream_ids",
        "lifetime_seconds",
        "refused_with",
        "requests",
        "x",
    ]
)


class TestAnything:
    """Every body is a request or a refusal, never another error."""

    @given(st.binary(max_size=60))
    def test_any_bytes(self, content: bytes) -> None:
        self._read(content)

    @given(st.dictionaries(FIELDS, JSON) | JSON)
    def test_any_json(self, value: object) -> None:
        self._read(body(value))

    def _read(self, content: bytes) -> None:
        for reader in (token_request.token_request, token_request.call_request):
            for names_user in (True, False):
                with contextlib.suppress(Problem):
                    reader(read_object(content), names_user=names_user)
        with contextlib.suppress(Problem):
            token_request.read_batch(content)
