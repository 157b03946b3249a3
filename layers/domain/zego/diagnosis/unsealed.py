"""Finds JSON that was never encrypted, however it was written, and what is signed behind it.

Base64 shows the bytes of the JSON whatever follows them and wherever the padding is. So the JSON is
read from the bytes, and the rest is examined as text and as bytes: nothing depends on a length.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from zego.diagnosis.model import Observation, found
from zego.diagnosis.repair import readable_bytes
from zego.diagnosis.vendors import vendor_of_json
from zego.token04 import PREFIX

#: The sizes in bytes by which a signature is recognised.
_SIGNATURES: Final[Mapping[int, str]] = {
    16: "HMAC-MD5",
    20: "HMAC-SHA1",
    28: "HMAC-SHA224",
    32: "HMAC-SHA256",
    48: "HMAC-SHA384",
    64: "HMAC-SHA512",
    256: "RSA signature",
}
#: The bytes of the longest one, as text.
_LONGEST_SIGNATURE: Final = 1024
#: The claims of a token, as ZEGO and as other code writes them.
_CLAIMS: Final[Mapping[str, str]] = {
    name.replace("_", ""): name
    for name in ("app_id", "user_id", "nonce", "ctime", "expire", "payload")
}

_KIT_MARK: Final = "#"
_SEPARATORS: Final = ".:|,;~$"
_SEPARATOR: Final = re.compile("[.:|,;~$]")
#: Parts of a text that is joined by separators.
_MAX_PARTS: Final = 5
_BASE64_RUN: Final = re.compile(r"[0-9A-Za-z+/_-]*")
_HEX_RUN: Final = re.compile(r"(?:[0-9A-Fa-f]{2})*")
_OBJECT: Final = re.compile(rb'\{\s*"')
#: An object with claims, wherever it begins. In random bytes, there is none.
_CLAIMS_OBJECT: Final = re.compile(
    rb'\{\s*"(?i:app_?id|user_?id|room_?id|nonce|ctime|expire|payload|ver|iss|sub|iat|exp)"\s*:',
    re.ASCII,
)
#: The beginning of JSON that does not end. Two bytes alone may be there by chance.
_BEGUN: Final = re.compile(rb'\{\s*"(?:[ -~]{10}|[ -~]*\Z)')
_NAME: Final = re.compile(rb'"([\w.-]{1,40})"\s*:', re.ASCII)
#: The beginning of zlib's bytes in base64; Tencent's alphabet has *, - and _ for +, / and =.
_COMPRESSED: Final = re.compile(r"e[AFJN][0-9A-Za-z+/*-]{20,}[=_]{0,2}")
_TENCENT_ALPHABET: Final = str.maketrans("*-_", "+/=")
#: Claims have some hundred bytes. More is not expanded, so that a small text costs little.
_MAX_EXPANDED: Final = 65_536
_MAX_EXPIRY: Final = 2**42

_decoder: Final = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class _Readable:
    """JSON that was read without a key.

    :ivar names: of its members, as far as they can be read.
    :ivar is_whole: whether it ends.
    :ivar before: bytes in front of it.
    :ivar rest: the characters behind it.
    :ivar rest_bytes: the bytes behind it, if it was decoded.
    """

    encoding: str
    names: frozenset[str]
    is_whole: bool
    before: bytes
    rest: str
    rest_bytes: bytes


def clear_json(text: str) -> Observation | None:
    """What the text is, if it is JSON that was not even encoded, with 04 or a signature."""
    body = text.strip().removeprefix(PREFIX)
    if not body.startswith("{"):
        return None
    readable = _read(body.encode("utf-8", "surrogatepass"), "plain text")
    if readable is None:
        return None
    readable = replace(readable, rest=readable.rest_bytes.decode("ascii", "replace"))
    has_prefix = text.lstrip().startswith(PREFIX)
    return _observation(readable) if has_prefix or _signature(readable) else None


def unsealed_json(text: str) -> Observation | None:
    """What the text is, if it contains encoded JSON that was never encrypted.

    :param text: without white space and 04.
    """
    body = text.partition(_KIT_MARK)[0]
    readable = _in_hex(body) or _in_base64(body) or _in_a_part(body)
    return None if readable is None else _observation(readable)


def _in_hex(body: str) -> _Readable | None:
    run = _HEX_RUN.match(body)
    binary = bytes.fromhex(run[0]) if run else b""
    readable = _read(binary, "hexadecimal digits")
    if readable is None:
        return None
    return replace(readable, rest=body[2 * (len(binary) - len(readable.rest_bytes)) :])


def _in_base64(body: str) -> _Readable | None:
    if _COMPRESSED.fullmatch(body):
        return _compressed(body)
    run = _BASE64_RUN.match(body)
    encoded = run[0] if run else ""
    binary = readable_bytes(encoded)
    readable = _read(binary, "base64")
    if readable is None:
        return None
    end = len(binary) - len(readable.rest_bytes)
    at = -(-end * 4 // 3) if readable.is_whole else len(encoded)
    return replace(readable, rest=body[at:].lstrip("="))


def _compressed(body: str) -> _Readable | None:
    try:
        binary = readable_bytes(body.translate(_TENCENT_ALPHABET))
        expanded = zlib.decompressobj().decompress(binary, _MAX_EXPANDED)
    except zlib.error:
        return None
    return _read(expanded, "base64 (compressed)")


def _in_a_part(body: str) -> _Readable | None:
    """JSON behind a separator, if a signature is in front of it."""
    signature, *parts = _SEPARATOR.split(body, _MAX_PARTS - 1)
    for part in parts:
        if readable := _in_hex(part) or _in_base64(part):
            signed = replace(readable, rest=signature)
            return signed if _signature(signed) else None
    return None


def _read(binary: bytes, encoding: str) -> _Readable | None:
    """The JSON object at the beginning of the bytes, or the claims anywhere in them."""
    start = _OBJECT.match(binary) or _CLAIMS_OBJECT.search(binary)
    if start is None:
        return None
    before, content = binary[: start.start()], binary[start.start() :]
    try:  # in Latin-1, each character is a byte; the names are ASCII
        values, end = _decoder.raw_decode(content.decode("latin-1"))
        names: Iterable[str] = values
    except (ValueError, RecursionError):
        if not _BEGUN.match(content):
            return None
        end = len(content)
        names = (name.decode() for name in _NAME.findall(content[:_MAX_EXPANDED]))
        is_whole = False
    else:
        is_whole = True
    return _Readable(encoding, frozenset(names), is_whole, before, "", content[end:])


def _observation(readable: _Readable) -> Observation:
    if vendor := vendor_of_json(readable.names):
        return found("other-vendor", name=vendor)
    what = _kind(readable.names)
    if _is_envelope(readable.before):
        what += ", in the envelope of a Token04 where its ciphertext belongs"
    if not readable.is_whole:
        what += " (cut off, or not valid JSON)"
    if signature := _signature(readable) or _unknown_signature(readable):
        return found(
            "signed-not-sealed", encoding=readable.encoding, what=what, signature=signature
        )
    return found("json-in-base64", encoding=readable.encoding, what=what)


def _kind(names: frozenset[str]) -> str:
    if {"userID", "roomID"} <= names:
        return "the part of a kit token after the #, without the token before it"
    known = {name.replace("_", "").lower() for name in names}
    claims = [name for short, name in _CLAIMS.items() if short in known]
    if claims:
        return f"the claims of a token ({', '.join(claims)})"
    return "an object that ZEGO does not know"


def _is_envelope(before: bytes) -> bool:
    """Whether the bytes before the JSON begin as a Token04 does, with its expiry."""
    return len(before) > 8 and int.from_bytes(before[:8], "big") < _MAX_EXPIRY


def _signature(readable: _Readable) -> str | None:
    """The signature behind the JSON, or in front of it, if its size tells."""
    for size in _sizes(readable):
        if name := _SIGNATURES.get(size):
            return f"what is probably an {name} (inferred from its {size} bytes)"
    return None


def _sizes(readable: _Readable) -> Iterator[int]:
    """How many bytes the signature may have, the likeliest first.

    Bytes that are all digits or letters are read as text: chance makes no such bytes.
    """
    binary = readable.rest_bytes if len(readable.rest_bytes) <= _LONGEST_SIGNATURE else b""
    texts = (binary.decode() if binary.isascii() else "", readable.rest)
    for text in (_SEPARATOR.split(one)[-1].rstrip("=") for one in texts):
        yield from _encoded_sizes(text)
        if text.startswith(("-", "_")):
            yield from _encoded_sizes(text[1:])
    yield from (len(binary), len(binary) - 1)
    if not _is_envelope(readable.before):  # its first digits may have been taken for the 04
        yield from (len(readable.before), len(readable.before) + 1)


def _encoded_sizes(text: str) -> Iterator[int]:
    if _HEX_RUN.fullmatch(text):
        yield len(text) // 2
    if _BASE64_RUN.fullmatch(text) and len(text) % 4 != 1:
        yield len(text) * 3 // 4


def _unknown_signature(readable: _Readable) -> str | None:
    """What is behind the JSON, if its size does not tell what it is."""
    if not readable.is_whole:
        return None
    rest = readable.rest.strip(_SEPARATORS + "-_=")
    padding = readable.rest_bytes
    is_padding = padding.strip(b"\0\x01 \t\r\n") in (b"", padding[:1] * (padding or b"\0")[0])
    if not rest or (padding and is_padding):
        return None
    return f"{len(rest)} characters that may be a signature"
