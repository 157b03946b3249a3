"""Patterns: what they match, for whom, and which pattern covers another."""

from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.table import table
from tests.support.tiers import tier
from zego.policy import patterns
from zego.policy.patterns import PatternError, Placeholder, Star

FILTERED = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
THOROUGH = settings(FILTERED, max_examples=tier(test=100, prove=1000))

ALICE = {"user_id": "alice", "claims.team": "red"}


def matches(pattern: str, text: str, values: dict[str, str] | None = None) -> bool:
    """Whether a pattern matches a text, for alice of the team red unless others are given."""
    return patterns.parse(pattern).matches(text, (ALICE if values is None else values).get)


def covers(wide: str, narrow: str) -> bool:
    return patterns.parse(wide).covers(patterns.parse(narrow))


class TestMatching:
    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            ("lobby", "lobby"),
            ("*", ""),
            ("*", "anything at all"),
            ("**", ""),
            ("call_*", "call_"),
            ("call_*", "call_1"),
            ("*_call", "1_call"),
            ("a*c", "ac"),
            ("a*c", "abbc"),
            ("a*b*c", "a-b-c"),
            ("a*bb*c", "abbc"),
            ("*b*", "abc"),
            ("*ab*ab*", "abab"),
            ("*ab*b", "abab"),
            ("{user_id}", "alice"),
            ("home.{user_id}", "home.alice"),
            ("{user_id}.*", "alice."),
            ("{user_id}.*", "alice.a.b"),
            ("*.{user_id}", "a.b.alice"),
            ("{claims.team}.{user_id}", "red.alice"),
            ("team.{claims.team}.*", "team.red.standup"),
            ("{user_id}_{user_id}", "alice_alice"),
        ],
    )
    def test_a_pattern_matches_the_whole_text(self, pattern: str, text: str) -> None:
        assert matches(pattern, text)

    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            ("lobby", "lobby2"),
            ("lobby", "a lobby"),
            ("lobby", "Lobby"),
            ("lobby", ""),
            ("call_*", "a call_1"),
            ("call_*", "call-1"),
            ("*_call", "1_call2"),
            ("a*c", "abcd"),
            ("a*c", "a"),
            ("a*a", "a"),
            ("ab*ba", "aba"),
            ("a*bb*c", "abc"),
            ("*ab*ab*", "ab"),
            ("{user_id}", "bob"),
            ("{user_id}", "alice2"),
            ("home.{user_id}", "home.bob"),
            ("{user_id}.*", "bob.alice."),
            ("team.{claims.team}.*", "team.blue.standup"),
            ("{user_id}_{user_id}", "alice_bob"),
        ],
    )
    def test_a_pattern_does_not_match_any_other_text(self, pattern: str, text: str) -> None:
        assert not matches(pattern, text)

    @table("character", ".^$+?()|\\,;:!=<>-_%#@&'\"`~/ \n")
    def test_every_character_but_the_star_and_braces_matches_itself(self, character: str) -> None:
        assert matches(f"a{character}b", f"a{character}b")
        assert not matches(f"a{character}b", "axb")
        assert not matches(f"a{character}b", "ab")

    def test_brackets_are_not_a_character_class(self) -> None:
        assert matches("[a-z]", "[a-z]")
        assert not matches("[a-z]", "a")

    def test_a_newline_is_a_normal_character(self) -> None:
        assert matches("a*b", "a\nb")
        assert not matches("lobby", "lobby\n")

    def test_many_stars_take_linear_time(self) -> None:
        started = time.process_time()
        assert not matches("*a" * 100 + "*b", "a" * 100_000)
        assert time.process_time() - started < 2

    @FILTERED
    @given(st.lists(st.sampled_from(["a", "b", "*", "ab"]), min_size=1), st.text("ab", max_size=12))
    def test_it_agrees_with_a_regular_expression(self, parts: list[str], text: str) -> None:
        regex = "".join(".*" if part == "*" else re.escape(part) for part in parts)
        assert matches("".join(parts), text) == bool(re.fullmatch(regex, text, re.DOTALL))


class TestValues:
    @pytest.mark.parametrize("value", ["*", "**", "a*", "{user_id}", "{claims.team}", ".*", "\\"])
    def test_a_value_is_a_literal(self, value: str) -> None:
        values = {"user_id": value}
        assert matches("room_{user_id}", f"room_{value}", values)
        assert not matches("room_{user_id}", "room_x", values)
        assert not matches("room_{user_id}", "room_alice", values)

    @pytest.mark.parametrize("values", [{}, {"user_id": ""}], ids=["none", "an empty one"])
    def test_without_a_value_nothing_matches(self, values: dict[str, str]) -> None:
        for text in ("", ".", "room.", "None", "{user_id}"):
            for pattern in ("{user_id}", "room.{user_id}", "{user_id}.*", "*.{user_id}"):
                assert not matches(pattern, text, values)

    def test_a_placeholder_is_filled_in_by_its_name(self) -> None:
        values = {"claims.https://example.com/team": "red", "user_id": "alice"}
        assert matches("{claims.https://example.com/team}", "red", values)

    def test_if_one_value_is_missing_the_pattern_matches_nothing(self) -> None:
        assert not matches("{user_id}.{claims.team}", "alice.", {"user_id": "alice"})


class TestSeparators:
    """A placeholder's value must not contain the separator next to the placeholder."""

    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            ("{user_id}.*", "al.ice.1"),
            ("{user_id}.{claims.team}", "al.ice.red"),
            ("*.{user_id}", "1.al.ice"),
            ("room.{user_id}.*", "room.al.ice.1"),
        ],
    )
    def test_a_value_that_contains_its_separator_matches_nothing(
        self, pattern: str, text: str
    ) -> None:
        assert not matches(pattern, text, {"user_id": "al.ice", "claims.team": "red"})

    @pytest.mark.parametrize(
        ("pattern", "text"),
        [
            ("{user_id}", "al.ice"),
            ("home.{user_id}", "home.al.ice"),
            ("{user_id}.home", "al.ice.home"),
            ("{user_id}_*", "al.ice_1"),
            ("{claims.team}.{user_id}", "red.al.ice"),
        ],
    )
    def test_a_value_may_contain_a_literal_that_separates_nothing(
        self, pattern: str, text: str
    ) -> None:
        assert matches(pattern, text, {"user_id": "al.ice", "claims.team": "red"})

    @pytest.mark.parametrize(
        ("separator", "value"), [("ab", "xab"), ("ab", "abx"), ("aa", "xa"), ("aba", "xab")]
    )
    def test_a_separator_may_not_begin_within_the_value_either(
        self, separator: str, value: str
    ) -> None:
        assert not matches(f"{{user_id}}{separator}*", f"{value}{separator}", {"user_id": value})

    @pytest.mark.parametrize(
        "pattern",
        [
            "{user_id}*",
            "*{user_id}",
            "{user_id}{claims.team}",
            "{user_id}{user_id}",
            "room_{user_id}*",
            "*{user_id}_room",
            "a*{user_id}.*",
        ],
    )
    def test_without_a_separator_a_pattern_is_invalid(self, pattern: str) -> None:
        with pytest.raises(PatternError, match=r"put a separator between \{user_id\} and"):
            patterns.parse(pattern)

    @pytest.mark.parametrize("pattern", ["x*-{user_id}-*", "*.{user_id}.*", "*_{user_id}_a_*"])
    def test_a_placeholder_between_two_stars_is_invalid(self, pattern: str) -> None:
        with pytest.raises(PatternError, match=r"\{user_id\} has a star on both sides"):
            patterns.parse(pattern)

    def test_after_a_star_values_are_read_from_the_right(self) -> None:
        pattern, room = "*-{claims.team}-{user_id}", "x-a-b-c"
        assert matches(pattern, room, {"claims.team": "b", "user_id": "c"})
        assert not matches(pattern, room, {"claims.team": "a", "user_id": "b-c"})

    @FILTERED
    @given(
        users=st.tuples(st.text("ab.", min_size=1), st.text("ab.", min_size=1)),
        rest=st.text("ab."),
    )
    def test_two_users_never_share_a_room_by_the_pattern_user_id_dot_star(
        self, users: tuple[str, str], rest: str
    ) -> None:
        first, second = users
        assume(first != second)
        room = f"{first}.{rest}"
        assert not (
            matches("{user_id}.*", room, {"user_id": first})
            and matches("{user_id}.*", room, {"user_id": second})
        )


class TestParsing:
    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "empty"),
            ("{", "unmatched brace"),
            ("}", "unmatched brace"),
            ("a{user_id", "unmatched brace"),
            ("user_id}", "unmatched brace"),
            ("{{user_id}}", "unmatched brace"),
            ("{}", "unknown placeholder {}"),
            ("{user}", "unknown placeholder {user}"),
            ("{user_id }", "unknown placeholder"),
            ("{USER_ID}", "unknown placeholder"),
            ("{claims}", "unknown placeholder"),
            ("{claims.}", "unknown placeholder"),
            ("{claims.a b}", "unknown placeholder"),
            ("{room_id}", "use {user_id} or {claims.<name>}"),
            ("{*}", "unknown placeholder"),
        ],
    )
    def test_an_invalid_pattern_is_refused_with_its_text(self, text: str, words: str) -> None:
        with pytest.raises(PatternError, match=re.escape(words)) as refused:
            patterns.parse(text)
        assert repr(text) in str(refused.value) or not text

    def test_a_pattern_keeps_its_text_and_its_parts(self) -> None:
        pattern = patterns.parse("team.{claims.team}.***")
        assert pattern.text == "team.{claims.team}.***"
        first, placeholder, separator, star = pattern.atoms
        assert (first, separator) == ("team.", ".")
        assert isinstance(placeholder, Placeholder)
        assert placeholder.name == "claims.team"
        assert isinstance(star, Star)


class TestCovers:
    @pytest.mark.parametrize(
        ("wide", "narrow"),
        [
            ("*", "*"),
            ("*", "lobby"),
            ("*", "{user_id}.*"),
            ("lobby", "lobby"),
            ("call_*", "call_1"),
            ("call_*", "call_*"),
            ("call_*", "call_{user_id}"),
            ("call_*", "call_a*b"),
            ("a*c", "abc"),
            ("a*c", "a*b*c"),
            ("*a*", "*aa*"),
            ("{user_id}", "{user_id}"),
            ("{user_id}.*", "{user_id}.*"),
            ("{user_id}.*", "{user_id}.*a"),
            ("*a.{user_id}", "b*a.{user_id}"),
            ("{claims.team}.{user_id}", "{claims.team}.{user_id}"),
            ("home.*", "home.{user_id}"),
        ],
    )
    def test_a_wider_pattern_covers_a_narrower_one(self, wide: str, narrow: str) -> None:
        assert covers(wide, narrow)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("lobby", "*"),
            ("lobby", "lobby2"),
            ("call_1", "call_*"),
            ("a*", "*a"),
            ("a*c", "a*"),
            ("*a*", "*"),
            ("{user_id}", "alice"),
            ("alice", "{user_id}"),
            ("{user_id}", "{claims.sub}"),
            ("{user_id}", "*"),
            ("a{user_id}", "aa"),
        ],
    )
    def test_a_pattern_does_not_cover_what_it_does_not_match(self, one: str, other: str) -> None:
        assert not covers(one, other)

    @pytest.mark.parametrize(
        ("wide", "narrow", "room"),
        [
            ("{user_id}.*", "{user_id}.x", "al.ice.x"),
            ("{user_id}.*", "{user_id}.x*", "al.ice.x"),
            ("*.{user_id}", "a.{user_id}", "a.al.ice"),
        ],
    )
    def test_a_placeholder_that_refuses_values_does_not_cover_one_that_takes_them(
        self, wide: str, narrow: str, room: str
    ) -> None:
        dotted = {"user_id": "al.ice"}
        assert matches(narrow, room, dotted)
        assert not matches(wide, room, dotted)
        assert not covers(wide, narrow)


SEPARATORS = st.sampled_from([".", "-", "a", "a.", ".a"])
VARIABLES = st.sampled_from(["*", "{user_id}", "{claims.team}"])
VALUES = st.text("ab.-", min_size=1, max_size=3)

Known = dict[str, str]


@st.composite
def pattern_parts(draw: st.DrawFn) -> list[str]:
    """The parts of a pattern: variable ones, with literals between them and perhaps around."""
    parts = [draw(VARIABLES)]
    for _ in range(draw(st.integers(0, 3))):
        parts += [draw(SEPARATORS), draw(VARIABLES)]
    before = [draw(SEPARATORS)] if draw(st.booleans()) else []
    behind = [draw(SEPARATORS)] if draw(st.booleans()) else []
    parts = before + parts + behind
    assume(_parses(parts))
    return parts


@st.composite
def wide_and_narrow(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Two patterns; the second is the first with some stars replaced by something narrower."""
    wide = draw(pattern_parts())
    narrow = [
        draw(st.one_of(st.just("*"), SEPARATORS, pattern_parts().map("".join)))
        if part == "*"
        else part
        for part in wide
    ]
    assume(_parses(narrow))
    return wide, _parts("".join(narrow))


def _parses(parts: list[str]) -> bool:
    try:
        patterns.parse("".join(parts))
    except PatternError:
        return False
    return True


def _parts(text: str) -> list[str]:
    return re.findall(r"\*|{[^}]*}|[^*{}]+", text)


@st.composite
def texts_like(draw: st.DrawFn, parts: list[str], known: Known) -> str:
    """A text that a pattern may match: filled in, and anything in place of its stars."""
    return "".join(
        draw(st.text("ab.-", max_size=3)) if part == "*" else known.get(part[1:-1], part)
        for part in parts
    )


KNOWN = st.fixed_dictionaries({"user_id": VALUES, "claims.team": VALUES})


@pytest.mark.exhaustive
@THOROUGH
@given(st.data())
def test_what_covers_a_pattern_matches_all_that_it_does(data: st.DataObject) -> None:
    pairs = st.one_of(wide_and_narrow(), st.tuples(pattern_parts(), pattern_parts()))
    wide, narrow = data.draw(pairs)
    assume(covers("".join(wide), "".join(narrow)))
    known = data.draw(KNOWN)
    text = data.draw(texts_like(narrow, known))
    if matches("".join(narrow), text, known):
        assert matches("".join(wide), text, known)


@FILTERED
@given(pattern_parts())
def test_a_pattern_covers_itself(parts: list[str]) -> None:
    assert covers("".join(parts), "".join(parts))


@pytest.mark.exhaustive
@THOROUGH
@given(st.data())
def test_callers_who_share_a_room_have_the_same_values_for_its_pattern(
    data: st.DataObject,
) -> None:
    """The promise of the module: two callers never share an id by accident."""
    parts = data.draw(pattern_parts())
    first = data.draw(KNOWN)
    room = data.draw(texts_like(parts, first))
    pattern = patterns.parse("".join(parts))
    assume(pattern.matches(room, first.get))
    ends = itertools.combinations(range(len(room) + 1), 2)
    pieces = {room[start:end] for start, end in ends}
    names = sorted({part[1:-1] for part in parts if part.startswith("{")})
    for values in itertools.product(sorted(pieces), repeat=len(names)):
        second = dict(zip(names, values, strict=True))
        if pattern.matches(room, second.get):
            assert {name: first[name] for name in names} == second
