"""Texts of all kinds, random and not, that are almost never good tokens."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

from tests.unit.zego.diagnosis import damaged_tokens, not_tokens, other_tokens, sealed, secrets
from tests.unit.zego.diagnosis.builders import CBC, GCM, ROOM, UNPADDED, kit_details

TOKENS: Final = (GCM, CBC, ROOM, UNPADDED, f"{GCM}#{kit_details()}", not_tokens.HS256)
LONG: Final = 200_000
SHORT: Final = 1024

_BASE64: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_SPECIAL: Final = "=#%\\\"'{}[]()<>&;:,.-_/+$ \t\r\n\0\x1b~|^`!?*@"
_UNICODE: Final = "\u200b\ufeff\u00ad\u2026\u201c\u0430\u7528\u00a0\u2028\ud83d\U0001f600\uffff\xe9"
_PIECES: Final = (
    "04", "04AAA", "03", "eyJ", "eyJhbGciOi", "ew0K", "MDRBQUFB", "Bearer ", "token=", '{"token":"',
    "%25", "%2B", "%3D", "%", "\\u003d", "\\n", "\\", "&#x3D;", "&quot;", "&", "=3D", "=\r\n", "#",
    "://", "undefined", "null", "[object Object]", "<html>", "...", "x-zego: ", "0" * 32, "",
    "7b22", '04{"app_id":', "eyJhcHBfaWQi", "007eJx", "T1==", "gAAAAA",
)  # fmt: skip

Sort = Callable[[random.Random], str]
Mutation = Callable[[random.Random, str], str]


def _flip(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) + 1)
    return text[:at] + chance.choice(_BASE64 + _SPECIAL + _UNICODE) + text[at + 1 :]


def _insert(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) + 1)
    more = chance.choice(_PIECES) or chance.choice(_SPECIAL + _UNICODE)
    return text[:at] + more * chance.choice((1, 1, 1, 2, 9)) + text[at:]


def _cut(chance: random.Random, text: str) -> str:
    ends = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    return chance.choice((text[: ends[0]], text[ends[0] :], text[ends[0] : ends[1]]))


def _swap(chance: random.Random, text: str) -> str:
    one, other = sorted(chance.randrange(len(text) + 1) for _ in range(2))
    return text[other:] + text[one:other] + text[:one]


def _wrap(chance: random.Random, text: str) -> str:
    columns = chance.choice((1, 4, 60, 64, 76))
    end = chance.choice(("\n", "\r\n", " ", "=\n", "\\\n", ",", "\u200b"))
    return end.join(text[at : at + columns] for at in range(0, min(len(text), SHORT), columns))


def _binary(chance: random.Random, text: str) -> str:
    """The same token with a bit or a few bytes changed before base64."""
    try:
        content = bytearray(base64.b64decode(text[2:]))
    except ValueError:
        return text
    for _ in range(chance.randrange(4)):
        if content:
            content[chance.randrange(min(len(content), chance.choice((26, 9999))))] = (
                chance.randrange(256)
            )
    more = chance.randbytes(chance.choice((0, 0, 1, 9)))
    return "04" + base64.b64encode(bytes(content) + more).decode()


def _characters(chance: random.Random, text: str) -> str:
    """The same token with one or a few characters changed, added or left out after its 04."""
    at = chance.randrange(2, len(text) + 1)
    new = "".join(chance.choices(_BASE64[:-1], k=chance.choice((0, 1, 1, 1, 4))))
    return text[:at] + new + text[at + chance.choice((0, 1, 1, 1, 4)) :]


def altered(chance: random.Random, token: str) -> str:
    """A token after one to three changes to its bytes or to their base64."""
    for _ in range(chance.choice((1, 1, 2, 3))):
        token = chance.choice((_binary, _characters))(chance, token)
    return token


def _encode(chance: random.Random, text: str) -> str:
    plain = text.encode("utf-8", "replace")
    return chance.choice(
        (
            lambda: quote(plain, safe=""),
            lambda: quote(plain),
            lambda: base64.b64encode(plain).decode(),
            lambda: json.dumps(text),
            lambda: json.dumps({"token": text}),
            lambda: json.dumps({"a": [{"b": {"zegoToken": text}}, text]}),
            lambda: f"Authorization: Bearer {text}\r\n",
            lambda: f"“{text}”",
            text.lower,
            text.upper,
            lambda: text.replace("+", " "),
            lambda: text.replace("+", "-").replace("/", "_"),
            lambda: text.replace("=", "&#61;"),
            lambda: text.replace("/", "\\/"),
            lambda: text[::-1],
            lambda: text + text,
            lambda: f"{text}#{text}",
        )
    )()


def _nest(chance: random.Random, text: str) -> str:
    opening, closing = chance.choice((("[", "]"), ('{"token":', "}"), ('"', '"'), ("(", ")")))
    times = chance.choice((1, 5, 30))
    return opening * times + text + closing * times


_MUTATIONS: Final[tuple[Mutation, ...]] = (
    _flip, _flip, _insert, _insert, _cut, _swap, _wrap, _binary, _binary, _encode, _encode, _nest,
)  # fmt: skip


def mutated(chance: random.Random) -> str:
    """A token, or something that was one, after up to four mutations; at most SHORT long."""
    text = chance.choice(TOKENS)
    for _ in range(chance.choice((1, 1, 2, 3, 4))):
        text = chance.choice(_MUTATIONS)(chance, text)[:SHORT]
    return text


def made_up(chance: random.Random) -> str:
    """A random text."""
    of = chance.choice((_BASE64, _SPECIAL, _SPECIAL + _UNICODE, _BASE64 + "%", "%0123456789ABCDEF"))
    before = chance.choice(_PIECES)
    return before + "".join(chance.choices(of, k=chance.choice((3, 30, 100))))


def soup(chance: random.Random) -> str:
    """A text of pieces that mean something to the code that reads tokens."""
    return "".join(chance.choices(_PIECES, k=chance.randrange(1, 25)))[:SHORT]


def broken(chance: random.Random) -> str:
    """A text of the corpus, mutated once more."""
    text = chance.choice(_CORPUS)
    return chance.choice(_MUTATIONS)(chance, text)[:SHORT]


def long(chance: random.Random) -> str:
    """One or two pieces repeated, up to the longest text that is read."""
    piece = "".join(
        chance.choices((*_PIECES, *_SPECIAL, *_UNICODE, *TOKENS), k=chance.choice((1, 2)))
    )
    before = chance.choice((*_PIECES, GCM[:99]))
    length = chance.choice((5_000, 50_000, LONG))
    return (before + (piece or "A") * length)[:length]


_CORPUS: Final = [
    case.text
    for case in (
        *not_tokens.CASES,
        *other_tokens.UNSEALED,
        *other_tokens.VENDORS,
        *damaged_tokens.AROUND,
        *damaged_tokens.WITHIN,
        *damaged_tokens.ENVELOPES,
        *damaged_tokens.KIT_TOKENS,
        *secrets.CASES,
        *sealed.CLAIMS,
        *sealed.PAYLOADS,
    )
    if len(case.text) <= SHORT
]
