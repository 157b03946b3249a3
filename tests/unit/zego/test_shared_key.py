"""The shared key in a secret: as it is, in a field, and what is refused."""

from __future__ import annotations

import json

import pytest

from tests.support.table import table
from zego.shared_key import MIN_KEY_BYTES, SharedKeyError, parse

KEY = "k" * MIN_KEY_BYTES


@table(
    ("text", "field", "key"),
    [
        (KEY, None, KEY.encode()),
        (f" {KEY} ", None, f" {KEY} ".encode()),
        ("é" * 16, None, ("é" * 16).encode()),
        (json.dumps(KEY), None, f'"{KEY}"'.encode()),
        (json.dumps({"a": 1, "key": KEY}), "key", KEY.encode()),
        (json.dumps({"key": f"{KEY}\n"}), "key", f"{KEY}\n".encode()),
    ],
)
def test_the_key_is_the_text_without_any_change(text: str, field: str | None, key: bytes) -> None:
    assert parse(text, field) == key


@table(
    ("text", "field", "words"),
    [
        (KEY[1:], None, "has 31 bytes, and needs at least 32"),
        ("", None, "has 0 bytes"),
        (json.dumps({"key": KEY}), None, "set shared_key_field"),
        (f"{KEY}\n", None, "line break"),
        (f"{KEY}\r", None, "line break"),
        (KEY, "key", "no text in the field key"),
        (json.dumps([KEY]), "key", "no text in the field key"),
        (json.dumps({"key": None}), "key", "no text in the field key"),
        (json.dumps({"key": KEY[1:]}), "key", "has 31 bytes"),
    ],
)
def test_an_invalid_key_is_refused_without_repeating_it(
    text: str, field: str | None, words: str
) -> None:
    with pytest.raises(SharedKeyError, match=words) as caught:
        parse(text, field)
    assert KEY[:8] not in str(caught.value)
