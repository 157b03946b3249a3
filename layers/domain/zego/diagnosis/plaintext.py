"""Reads the claims from the bytes that were sealed, however the generator wrote them.

ZEGO takes a JSON object in UTF-8 with its own names. :func:`read` also reads what generators
write instead (another encoding, gzip, Python's repr, a payload that was not escaped, names in camel
case), and reports it.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from zego import strict_json
from zego.diagnosis.model import Observation, found
from zego.token04 import Cipher

NAMES: Final = ("app_id", "user_id", "nonce", "ctime", "expire", "payload")
#: One of the names, in claims of which the rest may be damaged.
ANY_NAME: Final = re.compile("|".join(NAMES).encode())
#: Other names that generators give the claims, in lower case and without anything but letters.
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "appid": "app_id",
    "userid": "user_id",
    "nonce": "nonce",
    "ctime": "ctime",
    "createtime": "ctime",
    "createdat": "ctime",
    "iat": "ctime",
    "expire": "expire",
    "expiretime": "expire",
    "expiredtime": "expire",
    "expiresat": "expire",
    "exp": "expire",
    "payload": "payload",
}
#: So many names of claims do not come together by chance.
_ENOUGH_NAMES: Final = 3
_NAME: Final = re.compile(r"[\"']?\b(\w{3,12})[\"']? ?[:=]", re.ASCII)
_HEX: Final = re.compile(rb"7b22(?:[0-9A-Fa-f]{2}){20,}")
_BASE64: Final = re.compile(rb"eyJ[0-9A-Za-z+/](?:[0-9A-Za-z+/]{4})+(?:[0-9A-Za-z+/]{2,3}={0,2})?")
#: gzip, and zlib at three levels.
COMPRESSED: Final = (b"\x1f\x8b\x08", b"\x78\x9c", b"\x78\xda", b"\x78\x01")
#: What may follow JSON.
WHITE_SPACE: Final = b" \t\r\n"
#: A token holds fewer bytes.
_MAX_BYTES: Final = 2**16
#: What begins so, is in this encoding: byte order marks, or a { of UTF-16.
_ENCODINGS: Final = (
    (b"\xef\xbb\xbf", 3, "utf-8", "UTF-8 with a byte order mark"),
    (b"\xff\xfe", 2, "utf-16-le", "UTF-16"),
    (b"\xfe\xff", 2, "utf-16-be", "UTF-16"),
    *((b"{\0" + quote + b"\0", 0, "utf-16-le", "UTF-16") for quote in (b'"', b"'")),
    *((b"\0{\0" + quote, 0, "utf-16-be", "UTF-16") for quote in (b'"', b"'")),
)
#: The beginnings of sealed claims.
BEGINNINGS: Final = (
    *(b'{"', b"{'", b"{ ", b"{\n", b"{\r", b"{\t", b'"{', b"eyJ", b"7b22", *COMPRESSED),
    *(b"\xef\xbb\xbf{", b"\xff\xfe{\0", b"\xfe\xff\0{"),
    *(b'{\0"\0', b"{\0'\0", b'\0{\0"', b"\0{\0'"),
)
_READABLE: Final = re.compile("[\t\n\r -~\xa0-\ud7ff\ue000-\uffff\U00010000-\U0010ffff]*")
_NOT_UTF_8: Final = re.compile("[\udc80-\udcff]")
_PYTHON_STRING: Final = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_PYTHON_WORDS: Final = {"None": "null", "True": "true", "False": "false"}
_PYTHON_WORD: Final = re.compile(r"\b(?:None|True|False)\b")
_DIGITS: Final = re.compile("[0-9]{1,18}", re.ASCII)
_PAYLOAD: Final = re.compile(r"[\"']payload[\"']\s*:\s*\"")
_END_OF_TEXT: Final = re.compile(r"\"\s*[,}]")
#: The places where a payload that was not escaped may end.
_MAX_ENDS: Final = 200

_decoder = json.JSONDecoder(parse_constant=strict_json.refuse)


@dataclass(frozen=True, slots=True, repr=False)
class Plaintext:
    """What was sealed.

    :ivar content: the claims under ZEGO's names; ``None`` if they cannot be read.
    :ivar problems: how it differs from a JSON object as ZEGO takes it.
    :ivar size: how many bytes the claims take, if they can be read; anything may follow.
    :ivar names: how many names of claims it contains.
    """

    content: dict[str, Any] | None
    problems: tuple[Observation, ...]
    size: int
    names: int

    @property
    def is_claims(self) -> bool:
        """Whether it looks like claims: another key would not give this by chance."""
        return self.names >= _ENOUGH_NAMES


def read(binary: bytes) -> Plaintext:
    """Read sealed bytes, which other bytes may follow. Never raises."""
    if binary.startswith(COMPRESSED):
        return _compressed(binary)
    if encoded := _BASE64.match(binary):
        return _encoded(encoded[0])
    if encoded := _HEX.match(binary):
        inner = read(bytes.fromhex(encoded[0].decode()))
        in_hex = found("claims-encoding", what="in hexadecimal digits")
        return Plaintext(inner.content, (in_hex, *inner.problems), len(encoded[0]), inner.names)
    fits = (one for one in _ENCODINGS if binary.startswith(one[0]))
    _, mark, codec, encoding = next(fits, (b"", 0, "utf-8", ""))
    lenient = "surrogateescape" if codec == "utf-8" else "replace"
    text = binary[mark:].decode(codec, lenient)
    value, end, how = _value(text)
    size = mark + len(text[:end].encode(codec, lenient))
    if value is not None and _NOT_UTF_8.search(text, 0, end):
        encoding = "an encoding that is not UTF-8, such as Latin-1"
        value = _value(binary[mark:size].decode("latin-1"))[0]
    problems = [found("claims-encoding", what=f"in {encoding}")] if encoding else []
    if isinstance(value, str):
        with suppress(ValueError):
            value, how = strict_json.loads_object(value), "it was serialised to JSON twice"
    if how:
        problems.append(found("claims-not-json", what=how))
    names = len(_names_in(text))
    renamed, about_names = _with_our_names(value) if isinstance(value, dict) else ({}, [])
    known = sum(one in renamed for one in NAMES)
    if known < _ENOUGH_NAMES <= names:  # only the beginning of damaged claims is JSON
        value = None
        problems = problems if how else [*problems, found("claims-not-json", what=_OTHER)]
    elif not isinstance(value, dict) and not how:
        problems.append(found("claims-not-object"))
    if not isinstance(value, dict):
        return Plaintext(None, tuple(problems), size, names)
    return Plaintext(renamed, (*problems, *about_names), size, known)


def about_rest(binary: bytes, claims: Plaintext, cipher: Cipher) -> tuple[Observation, ...]:
    """What is wrong with the bytes after the claims, once the padding of CBC is removed."""
    rest, missing = binary[claims.size :], 16 - claims.size % 16
    if claims.content is None or not rest:
        return ()
    once = bytes([missing]) * missing
    if rest in (once, once + bytes([16]) * 16):
        what = "PKCS#7 applied twice" if cipher == "cbc" else "PKCS#7, which GCM does not take"
        return (found("wrong-padding", what=what),)
    if not rest.strip(b"\0"):
        return (found("wrong-padding", what="zero bytes"),)
    is_space = not rest.strip(WHITE_SPACE)
    return () if is_space else (found("claims-not-json", what="other bytes follow it"),)


def _compressed(binary: bytes) -> Plaintext:
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        content = unpacker.decompress(binary, _MAX_BYTES)
    except zlib.error:
        return Plaintext(None, (found("claims-not-json", what=_OTHER),), len(binary), 0)
    inner = read(content)
    problems = (found("claims-encoding", what="compressed"), *inner.problems)
    return Plaintext(inner.content, problems, len(binary) - len(unpacker.unused_data), inner.names)


def _encoded(text: bytes) -> Plaintext:
    inner = read(b64decode(text + b"=" * (-len(text) % 4)))
    problems = (found("claims-encoding", what="in base64"), *inner.problems)
    return Plaintext(inner.content, problems, len(text), inner.names)


_OTHER: Final = "it is something else, or damaged"
_IS_PYTHON: Final = "it is the text of a Python dict, with single quotes"
_IS_UNESCAPED: Final = "the payload was put between quotes as it is, so its own quotes end the text"


def _value(text: str) -> tuple[Any, int, str]:
    """The value, where its text ends, and how that differs from JSON; empty: it is JSON."""
    start = len(text) - len(text.lstrip())
    with suppress(ValueError, RecursionError):
        return *_decoder.raw_decode(text, start), ""
    readable = _READABLE.match(text)
    end = text.rfind("}", 0, readable.end() if readable else 0) + 1
    part = text[:end]
    with suppress(ValueError):
        python = _PYTHON_STRING.sub(lambda one: strict_json.dumps(one[1].replace("\\'", "'")), part)
        python = _PYTHON_WORD.sub(lambda one: _PYTHON_WORDS[one[0]], python)
        return strict_json.loads_object(python), end, _IS_PYTHON
    for escaped in _with_escaped_payload(part):
        with suppress(ValueError):
            return strict_json.loads_object(escaped), end, _IS_UNESCAPED
    return None, end or len(text), _OTHER


def _with_escaped_payload(text: str) -> list[str]:
    """The text with its payload escaped, for each place where the payload may end."""
    begins = _PAYLOAD.search(text)
    if begins is None:
        return []
    ends = [one.start() for one in _END_OF_TEXT.finditer(text, begins.end())][-_MAX_ENDS:]
    head = text[: begins.end() - 1]
    payloads = [(text[begins.end() : end], end) for end in reversed(ends)]
    payloads.sort(key=lambda one: not _is_object(one[0]))
    return [head + strict_json.dumps(payload) + text[end + 1 :] for payload, end in payloads]


def _is_object(text: str) -> bool:
    with suppress(ValueError):
        return isinstance(strict_json.loads(text), dict)
    return False


def number(value: object) -> int | None:
    """A whole number of 63 bits, even if it is written as text; ``None``: it is not one."""
    if type(value) is str and _DIGITS.fullmatch(value):
        return int(value)
    return value if type(value) is int and 0 <= value < 2**63 else None


def _names_in(text: str) -> set[str]:
    """The claims that a text names, which need not be JSON."""
    names = (_our_name(one[1]) for one in _NAME.finditer(text))
    return {name for name in names if name in NAMES}


def _our_name(name: str) -> str:
    return _OTHER_NAMES.get(re.sub("[^a-z]", "", name.lower()), name)


def _with_our_names(values: dict[str, Any]) -> tuple[dict[str, Any], list[Observation]]:
    """The claims under ZEGO's names, and what is wrong with the names that they had."""
    ours = {name: value for name, value in values.items() if name in NAMES}
    problems: list[Observation] = []
    wrong: list[str] = []
    extra = 0
    for name, value in values.items():
        meant = _our_name(name)
        if name in NAMES:
            continue
        if meant in NAMES and meant not in ours:
            ours[meant] = value
            wrong.append(f"{name} for {meant}")
        else:
            extra += 1
    if wrong:
        problems.append(found("claim-names", names=", ".join(wrong)))
    if extra:
        problems.append(found("claims-extra", count=extra))
    return ours, problems
