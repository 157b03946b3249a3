"""zego.identifiers: which ids ZEGO accepts, and how a subject becomes one."""

from __future__ import annotations

import base64
import hashlib
import re
import string
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.support.table import table
from zego import identifiers
from zego.identifiers import IdentifierError, IdentifierKind

KINDS: tuple[IdentifierKind, ...] = get_args(IdentifierKind)
LONGEST: dict[IdentifierKind, int] = {"user_id": 63, "room_id": 127, "stream_id": 255}

STREAM_CHARACTERS = string.ascii_letters + string.digits + "_-"
REFUSED_CHARACTERS = ' "/:?[]{|}'
ROOM_CHARACTERS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"/:?[]{|}')

ISSUER = "https://login.example.com/"
HASHED = re.compile("u_[a-z2-7]{26}")
#: No issuer in a policy contains a NUL, which separates issuer and subject.
ISSUERS = st.text().filter(lambda issuer: "\0" not in issuer)
ANY_TEXT = st.text(st.characters(codec=None))


def refusal(kind: IdentifierKind, value: str) -> str:
    with pytest.raises(IdentifierError) as caught:
        identifiers.check(kind, value)
    return str(caught.value)


class TestLengths:
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("shorter_by", [0, 1])
    def test_an_id_up_to_its_limit_is_accepted(self, kind: IdentifierKind, shorter_by: int) -> None:
        value = "a" * (LONGEST[kind] - shorter_by)
        assert identifiers.check(kind, value) == value

    @pytest.mark.parametrize("kind", KINDS)
    def test_one_byte_more_is_refused(self, kind: IdentifierKind) -> None:
        limit = LONGEST[kind]
        message = f"{kind} has {limit + 1} bytes; ZEGO accepts at most {limit}"
        assert refusal(kind, "a" * (limit + 1)) == message

    @pytest.mark.parametrize("kind", KINDS)
    def test_bytes_are_counted_and_not_characters(self, kind: IdentifierKind) -> None:
        value = "é" * LONGEST[kind]
        assert refusal(kind, value).startswith(f"{kind} has {2 * LONGEST[kind]} bytes")

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_empty_id_is_refused(self, kind: IdentifierKind) -> None:
        assert refusal(kind, "") == f"{kind} is empty"

    @pytest.mark.parametrize("kind", KINDS)
    def test_a_single_character_is_accepted(self, kind: IdentifierKind) -> None:
        assert identifiers.check(kind, "a") == "a"


@pytest.mark.parametrize("kind", ["user_id", "room_id"])
class TestUserAndRoomIds:
    @table("character", ROOM_CHARACTERS)
    def test_other_printable_ascii_is_accepted(self, kind: IdentifierKind, character: str) -> None:
        assert identifiers.check(kind, f"a{character}b") == f"a{character}b"

    @table("character", REFUSED_CHARACTERS)
    def test_a_character_that_the_web_sdk_refuses_is_named(
        self, kind: IdentifierKind, character: str
    ) -> None:
        name = "a space" if character == " " else f"the character {character}"
        expected = f"{kind} contains {name}, which ZEGO's web SDK refuses"
        assert refusal(kind, f"a{character}b") == expected

    @table("code", [*range(0x20), 0x7F])
    def test_a_control_character_is_named_by_its_number(
        self, kind: IdentifierKind, code: int
    ) -> None:
        expected = (
            f"{kind} contains the control character U+{code:04X}, which ZEGO's web SDK refuses"
        )
        assert refusal(kind, f"a{chr(code)}b") == expected

    @table("character", ["\x80", "\xa0", "é", "用", "\u2028", "😀", "\ud83d"])
    def test_a_non_ascii_character_is_named_by_its_number(
        self, kind: IdentifierKind, character: str
    ) -> None:
        number = f"U+{ord(character):04X}"
        expected = f"{kind} contains the non-ASCII character {number}, which ZEGO's web SDK refuses"
        assert refusal(kind, f"a{character}b") == expected

    @pytest.mark.parametrize("value", [" a", "a ", "a\n", "\na"])
    def test_white_space_around_an_id_is_not_removed(
        self, kind: IdentifierKind, value: str
    ) -> None:
        refusal(kind, value)


class TestStreamIds:
    @table("character", STREAM_CHARACTERS)
    def test_letters_digits_dash_and_underscore_are_accepted(self, character: str) -> None:
        assert identifiers.check("stream_id", character) == character

    @table(
        "character",
        [chr(code) for code in range(0x80) if chr(code) not in STREAM_CHARACTERS]
        + ["é", "用", "😀", "\u0661", "\ud83d"],
    )
    def test_every_other_character_is_refused(self, character: str) -> None:
        expected = "stream_id contains a character other than 0-9 A-Z a-z _ -"
        assert refusal("stream_id", f"a{character}b") == expected

    @pytest.mark.parametrize("value", ["a\n", "\na", "a "])
    def test_white_space_around_an_id_is_not_removed(self, value: str) -> None:
        refusal("stream_id", value)


class TestProperties:
    @given(st.sampled_from(KINDS), ANY_TEXT)
    def test_an_id_is_returned_unchanged_or_refused(self, kind: IdentifierKind, value: str) -> None:
        allowed = STREAM_CHARACTERS if kind == "stream_id" else ROOM_CHARACTERS
        good = 0 < len(value) <= LONGEST[kind] and set(value) <= set(allowed)
        if good:
            assert identifiers.check(kind, value) == value
        else:
            assert refusal(kind, value).startswith(kind)

    @given(
        st.sampled_from(["user_id", "room_id"]),
        st.text(st.characters(min_codepoint=0x80), min_size=8, max_size=12),
    )
    def test_a_refusal_does_not_repeat_the_value(self, kind: IdentifierKind, value: str) -> None:
        assert value not in refusal(kind, value)


class TestSubjects:
    @pytest.mark.parametrize(
        ("issuer", "subject", "user_id"),
        [
            (ISSUER, "auth0|123", "u_ou4wgja3zkbb4llu3ed6udhtfr"),
            (ISSUER, "alice smith", "u_v2gi3kzxkgm3lsg5as3xpgt5ji"),
            ("https://other.example.com/", "auth0|123", "u_ol7atkny524lhqmllsrjny5hvp"),
        ],
    )
    def test_a_hashed_subject_is_the_same_for_ever(
        self, issuer: str, subject: str, user_id: str
    ) -> None:
        # Users keep their ids between releases: these values must not change.
        assert identifiers.user_id_for_subject(issuer, subject) == user_id

    def test_a_subject_that_zego_accepts_is_the_user_id(self) -> None:
        assert identifiers.user_id_for_subject(ISSUER, "alice") == "alice"

    def test_it_is_hashed_anyway_with_always_hash(self) -> None:
        user_id = identifiers.user_id_for_subject(ISSUER, "alice", always_hash=True)
        assert user_id == "u_yeconv4wmcsggkdwyfgrbggjz6"

    @pytest.mark.parametrize(
        "subject",
        [
            "",
            "a" * 64,
            "auth0|5f7c8ec7c33c6c004bbafe82",
            "google-oauth2|103547991597142817347",
            "alice@example.com/x",
            "用户",
            "\0",
            "\ud83d",
        ],
    )
    def test_a_subject_that_zego_refuses_is_hashed(self, subject: str) -> None:
        assert HASHED.fullmatch(identifiers.user_id_for_subject(ISSUER, subject))

    def test_a_subject_that_looks_hashed_is_hashed_so_that_no_caller_can_choose_one(self) -> None:
        victim = identifiers.user_id_for_subject(ISSUER, "auth0|123")
        user_id = identifiers.user_id_for_subject(ISSUER, victim)
        assert HASHED.fullmatch(user_id)
        assert user_id != victim

    @pytest.mark.parametrize(
        "subject",
        [
            "u_" + "a" * 25,
            "u_" + "a" * 27,
            "u_" + "A" * 26,
            "u_" + "1" * 26,
            "U_" + "a" * 26,
            "xu_" + "a" * 26,
        ],
    )
    def test_a_subject_that_only_resembles_a_hashed_one_stays(self, subject: str) -> None:
        assert identifiers.user_id_for_subject(ISSUER, subject) == subject

    def test_the_same_subject_of_two_issuers_gets_two_ids(self) -> None:
        ids = {
            identifiers.user_id_for_subject(f"https://{issuer}.example.com/", f"auth0|{subject}")
            for issuer in range(50)
            for subject in range(50)
        }
        assert len(ids) == 2500

    def test_issuer_and_subject_are_separated_in_the_hash(self) -> None:
        one = identifiers.user_id_for_subject("https://a.example/b", "c|", always_hash=True)
        other = identifiers.user_id_for_subject("https://a.example/", "bc|", always_hash=True)
        assert one != other

    @given(ISSUERS, ANY_TEXT)
    def test_a_hashed_subject_is_its_sha256_in_base32(self, issuer: str, subject: str) -> None:
        message = b"\0".join(text.encode("utf-8", "surrogatepass") for text in (issuer, subject))
        digits = base64.b32encode(hashlib.sha256(message).digest()).decode().lower()
        user_id = identifiers.user_id_for_subject(issuer, subject, always_hash=True)
        assert user_id == f"u_{digits[:26]}"

    @given(ISSUERS, ANY_TEXT, st.booleans())
    def test_every_subject_gets_an_id_that_zego_accepts(
        self, issuer: str, subject: str, always_hash: bool
    ) -> None:
        user_id = identifiers.user_id_for_subject(issuer, subject, always_hash=always_hash)
        assert identifiers.check("user_id", user_id) == user_id

    @given(ISSUERS, ANY_TEXT, ANY_TEXT, st.booleans())
    def test_no_two_subjects_of_an_issuer_get_the_same_id(
        self, issuer: str, one: str, other: str, always_hash: bool
    ) -> None:
        assume(one != other)
        ids = {
            identifiers.user_id_for_subject(issuer, subject, always_hash=always_hash)
            for subject in (one, other)
        }
        assert len(ids) == 2

    @given(ISSUERS, ISSUERS, ANY_TEXT, ANY_TEXT)
    def test_no_two_issuers_hashed_subjects_are_the_same(
        self, issuer: str, other_issuer: str, subject: str, other_subject: str
    ) -> None:
        assume(issuer != other_issuer)
        ids = {
            identifiers.user_id_for_subject(issuer, subject, always_hash=True),
            identifiers.user_id_for_subject(other_issuer, other_subject, always_hash=True),
        }
        assert len(ids) == 2
