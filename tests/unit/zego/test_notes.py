"""zego.secret_store.notes: what is written is read again, and what nobody wrote is absent."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zego.rotation import OUTCOMES, STEPS
from zego.secret_store.notes import HealsNote, RotationNote, VerdictNote

FINGERPRINTS = st.text("0123456789abcdef", min_size=12, max_size=12)
TIMES = st.integers(0, 10**11)
TOKENS = st.uuids().map(str)

#: "Tag naming and usage conventions" of AWS: up to 256 of these.
TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}", re.ASCII)


@given(
    st.sampled_from(["accepted", "rejected", "unknown"]),
    st.none() | FINGERPRINTS,
    TIMES,
    st.none() | st.integers(0, 10**9),
)
def test_a_verdict_survives_its_tag(
    outcome: str, fingerprint: str | None, since: int, code: int | None
) -> None:
    note = VerdictNote(outcome, fingerprint, since, code)  # type: ignore[arg-type]
    assert TAG_VALUE.fullmatch(note.to_tag())
    assert VerdictNote.from_tag(note.to_tag()) == note


@given(TOKENS, st.sampled_from(STEPS), st.sampled_from(sorted(OUTCOMES)), TIMES)
def test_a_rotation_survives_its_tag(token: str, step: str, outcome: str, at: int) -> None:
    note = RotationNote(token, step, outcome, at)  # type: ignore[arg-type]
    assert TAG_VALUE.fullmatch(note.to_tag())
    assert RotationNote.from_tag(note.to_tag()) == note


@given(st.dictionaries(FINGERPRINTS, TIMES, max_size=30))
def test_of_the_heals_the_newest_survive_their_tag(heals: dict[str, int]) -> None:
    tag = HealsNote(heals).to_tag()
    assert TAG_VALUE.fullmatch(tag)
    read = HealsNote.from_tag(tag).at
    assert set(read.items()) <= set(heals.items())
    assert len(read) == min(len(heals), 9)
    left = [when for fingerprint, when in heals.items() if fingerprint not in read]
    assert max(left, default=0) <= min(read.values(), default=0)


def test_a_heal_replaces_the_one_before_of_the_same_value() -> None:
    note = HealsNote({"0" * 12: 5}).with_heal("0" * 12, 7).with_heal("1" * 12, 8)
    assert dict(note.at) == {"0" * 12: 7, "1" * 12: 8}


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
    ],
)
def test_a_tag_that_nobody_wrote_is_no_verdict(text: str | None) -> None:
    assert VerdictNote.from_tag(text) is None
    assert HealsNote.from_tag(text).at == {}


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
def test_a_tag_that_nobody_wrote_is_no_rotation(text: str | None) -> None:
    assert RotationNote.from_tag(text) is None
