"""The search for the secret itself, in the forms in which it leaks."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.scan.values import Form, Value, find

SECRET = hashlib.sha256(b"a value to look for").hexdigest()[:32]
VALUE = Value("AWSCURRENT", SECRET)
#: Any valid ServerSecret, even if ZEGO's look different.
UNUSUAL = "aB3$" + "x+Y/9&<7>\"q'" + "\\%{0}=kLmNoPqRsT"


def found(text: str | bytes, value: Value = VALUE) -> list[tuple[Form, bytes]]:
    """Each form that is found, with its bytes."""
    data = text.encode() if isinstance(text, str) else text
    return [(form, data[start:end]) for _, form, start, end in find(data, [value])]


def each(pattern: str, separator: str = "") -> str:
    return separator.join(pattern.format(ord(c)) for c in SECRET)


@pytest.mark.parametrize(
    ("form", "text"),
    [
        pytest.param("as it is", SECRET, id="as it is"),
        pytest.param("in other letters' case", SECRET.upper(), id="upper case"),
        pytest.param("in hex", SECRET.encode().hex(), id="hex"),
        pytest.param("in hex", SECRET.encode().hex(" ").upper(), id="hex dump"),
        pytest.param("URL-encoded", each("%{:02X}"), id="URL-encoded"),
        pytest.param("in escapes", each("\\x{:02x}"), id="escapes of JavaScript"),
        pytest.param("in escapes", each("\\u{:04x}"), id="escapes of JSON"),
        pytest.param("in escapes", each("&#x{:x};"), id="entities"),
        pytest.param("in escapes", each("\\{:03o}"), id="octal"),
        pytest.param("in escapes", each("0x{:x}", ", "), id="array in hex"),
        pytest.param("as numbers", each("{}", ","), id="array"),
        pytest.param("as numbers", each("&#{};"), id="decimal entities"),
        pytest.param("in pieces", '"+"'.join((SECRET[:9], SECRET[9:20], SECRET[20:])), id="sum"),
        pytest.param("in pieces", "' +\n\t'".join((SECRET[:1], SECRET[1:])), id="sum over lines"),
        pytest.param("in pieces", '","'.join(SECRET), id="characters"),
        pytest.param("in pieces", "-".join((SECRET[:8], SECRET[8:])), id="grouped"),
    ],
)
def test_it_is_found_in(form: Form, text: str) -> None:
    (only,) = found(f'x = ["{text}"]; y')
    assert only[0] == form
    assert text.strip("\\&%#;0xu") in only[1].decode() + ";"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_it_is_found_in_utf_16(encoding: str) -> None:
    ((form, _),) = found(f"serverSecret={SECRET}\r\n".encode(encoding))
    assert form == "in UTF-16"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", '{"app_id":1,"server_secret":"'])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, base64.encodebytes])
def test_it_is_found_in_base64_at_any_offset(before: str, encode: Callable[[bytes], bytes]) -> None:
    encoded = encode(f'{before}{SECRET}"}} and so on, over a line of seventy-six'.encode())
    ((form, _),) = found(b"data:text/plain;base64," + encoded)
    assert form == "in base64"


@pytest.mark.parametrize(
    ("form", "encode"),
    [
        pytest.param("as it is", str, id="as it is"),
        pytest.param("URL-encoded", lambda text: quote(text, safe=""), id="URL-encoded"),
        pytest.param("in escapes", html.escape, id="HTML"),
        pytest.param("in pieces", json.dumps, id="JSON"),
    ],
)
def test_an_unusual_value_is_found_too(form: Form, encode: Callable[[str], str]) -> None:
    assert len(UNUSUAL) == 32
    assert [one for one, _ in found(f"a {encode(UNUSUAL)} b", Value("x", UNUSUAL))] == [form]


@pytest.mark.parametrize(
    "text",
    [
        "",
        SECRET[:-1],
        SECRET[1:],
        SECRET[::-1],
        f"{SECRET[:16]}0{SECRET[16:]}",
        hashlib.sha256(SECRET.encode()).hexdigest(),
        base64.b64encode(SECRET[:30].encode()).decode(),
    ],
    ids=["nothing", "its beginning", "its end", "reversed", "with one more", "its hash", "a part"],
)
def test_a_part_of_it_is_not_found(text: str) -> None:
    assert found(text) == []


def test_each_place_is_found() -> None:
    text = f"{SECRET}\n{SECRET}  {SECRET.upper()}{SECRET.encode().hex()}"
    assert sorted(form for form, _ in found(text)) == [
        "as it is",
        "as it is",
        "in hex",
        "in other letters' case",
    ]


def test_several_values_are_distinguished() -> None:
    other = Value("CANDIDATE", SECRET[::-1])
    text = f"{SECRET}, {SECRET[::-1]}".encode()
    assert [(value.label, start) for value, _, start, _ in find(text, [VALUE, other])] == [
        ("AWSCURRENT", 0),
        ("CANDIDATE", 34),
    ]


def test_a_value_with_few_letters_and_digits_is_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 16 letters and digits"):
        Value("given", "short-value-15c" + "-+*/" * 4)


def test_its_repr_shows_nothing() -> None:
    assert repr(VALUE) == "<Value AWSCURRENT>"


@given(
    before=st.binary(max_size=300),
    separators=st.lists(st.sampled_from(["", '"+"', " ", "\n\t", "\0", "','"]), min_size=31),
    behind=st.binary(max_size=300),
)
def test_its_place_is_exact(before: bytes, separators: list[str], behind: bytes) -> None:
    text = "".join(c + s for c, s in zip(SECRET, [*separators[:31], ""], strict=True)).encode()
    data = b"".join((before, b"<", text, b">", behind))
    start = len(before) + 1
    places = {(begin, end) for _, _, begin, end in find(data, [VALUE])}
    assert (start, start + len(text)) in places
