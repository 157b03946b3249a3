"""zego.secret_store.notes: a written note is read again; an invalid tag counts as absent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zego.rotation import OUTCOMES, STEPS
from zego.secret_store.notes import (
    COMPROMISED_TAG,
    GIVEN_UP_TAG,
    InFlightNote,
    RotationNote,
    VerdictNote,
    compromised,
    given_up,
    with_newest,
)

FINGERPRINTS = st.text("0123456789abcdef", min_size=12, max_size=12)
TIMES = st.integers(0, 10**10 - 1)
TOKENS = st.uuids().map(str)
CODES = st.integers(0, 10**12 - 1)

#: "Tag naming and usage conventions" of AWS: up to 256 of these.
TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}", re.ASCII)


@given(
    st.sampled_from(["accepted", "rejected", "unknown"]),
    st.none() | FINGERPRINTS,
    TIMES,
    st.none() | CODES,
)
def test_a_verdict_survives_its_tag(
    outcome: str, fingerprint: str | None, since: int, code: int | None
) -> None:
    note = VerdictNote(outcome, fingerprint, since, code)  # type: ignore[arg-type]
    assert TAG_VALUE.fullmatch(note.to_tag())
    assert VerdictNote.from_tag(note.to_tag()) == note


@given(
    TOKENS,
    st.sampled_from(STEPS),
    st.sampled_from(sorted(OUTCOMES)),
    TIMES,
    st.none() | CODES,
    st.none() | FINGERPRINTS,
)
def test_a_rotation_survives_its_tag(
    token: str, step: str, outcome: str, at: int, code: int | None, fingerprint: str | None
) -> None:
    note = RotationNote(token, step, outcome, at, code, fingerprint)  # type: ignore[arg-type]
    assert TAG_VALUE.fullmatch(note.to_tag())
    assert RotationNote.from_tag(note.to_tag()) == note


@given(TOKENS, TIMES, st.sampled_from(["", "stuck", "reported"]))
def test_a_rotation_in_flight_survives_its_tag(token: str, since: int, state: str) -> None:
    note = InFlightNote(token, since, state)  # type: ignore[arg-type]
    assert TAG_VALUE.fullmatch(note.to_tag())
    assert InFlightNote.from_tag(note.to_tag()) == note


@given(st.lists(TOKENS, min_size=1, max_size=20, unique=True))
def test_of_the_rotations_given_up_the_newest_survive_their_tag(tokens: list[str]) -> None:
    tags: dict[str, str] = {}
    for token in tokens:
        tags[GIVEN_UP_TAG] = with_newest(token, given_up(tags))
        assert TAG_VALUE.fullmatch(tags[GIVEN_UP_TAG])
    newest_first = tokens[::-1]
    assert given_up(tags) == tuple(newest_first[:6])


@given(st.lists(FINGERPRINTS, min_size=1, max_size=30, unique=True))
def test_of_the_compromised_values_the_newest_19_survive_their_tag(values: list[str]) -> None:
    tags: dict[str, str] = {}
    for fingerprint in values:
        tags[COMPROMISED_TAG] = with_newest(fingerprint, compromised(tags))
        assert TAG_VALUE.fullmatch(tags[COMPROMISED_TAG])
    assert compromised(tags) == tuple(values[::-1][:19])


def test_a_word_that_is_noted_again_becomes_the_newest() -> None:
    assert with_newest("a", ("b", "a", "c")) == "a b c"


@pytest.mark.parametrize("text", [None, "", "0123456789AB", "0123456789ab,0123456789ac", "\n"])
def test_invalid_words_are_skipped(text: str | None) -> None:
    tags = {} if text is None else {COMPROMISED_TAG: text, GIVEN_UP_TAG: text}
    assert compromised(tags) == given_up(tags) == ()
    edited = {COMPROMISED_TAG: f"{text or ''} 0123456789ab"}
    assert compromised(edited) == ("0123456789ab",)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_the_checks_without_a_verdict_survive_the_tag(count: int) -> None:
    note = VerdictNote("unknown", None, 1_700_000_000, None, count)
    assert TAG_VALUE.fullmatch(note.to_tag())
    assert VerdictNote.from_tag(note.to_tag()) == note
    assert note.reported == (None if count else "unknown")


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "-",
        "accepted",
        "good 0123456789ab 1 0",
        "accepted 0123456789ab 1 0 more",
        "accepted 0123456789AB 1 0",
        "accepted 0123456789ab ٣ 0",
        "\naccepted 0123456789ab 1 0",
        "unknown - 1 - +10",
        "unknown - 1 - +",
    ],
)
def test_an_invalid_tag_is_not_a_verdict(text: str | None) -> None:
    assert VerdictNote.from_tag(text) is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0d8f8a52-7c5c-4f9e-9f5e-3a0c4c9d1b11 testSecret done",
        "0d8f8a52-7c5c-4f9e-9f5e-3a0c4c9d1b11 restSecret done 1",
        "0d8f8a52-7c5c-4f9e-9f5e-3a0c4c9d1b11 testSecret won 1",
        "short testSecret done 1",
    ],
)
def test_an_invalid_tag_is_not_a_rotation(text: str | None) -> None:
    assert RotationNote.from_tag(text) is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "0d8f8a52-7c5c-4f9e-9f5e-3a0c4c9d1b11",
        "0d8f8a52-7c5c-4f9e-9f5e-3a0c4c9d1b11 soon",
        "0d8f8a52-7c5c-4f9e-9f5e-3a0c4c9d1b11 1 sent",
        "short 1",
    ],
)
def test_an_invalid_tag_is_not_a_rotation_in_flight(text: str | None) -> None:
    assert InFlightNote.from_tag(text) is None
