"""Reads the envelope of a text: :func:`read_envelope` that of a Token04, after each repair that it
needs; :func:`decodings` the bytes of any text that a generator may have made instead.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import Final

from zego.diagnosis.model import Observation, found
from zego.diagnosis.repair import Repair, RepairResult, standard_base64
from zego.token04 import PREFIX, Envelope, FormatError, TrailingBytesError, TruncatedError, parse

_NOT_BASE64: Final = re.compile(r"[^0-9A-Za-z+/]")
_RUN: Final = re.compile(rf"{PREFIX}[0-9A-Za-z+/_-]*=*")
#: The beginning of a second token; within a token, one in ten million has these six characters.
_SECOND: Final = re.compile(PREFIX + "AAA[A-P]")
_URL_ALPHABET: Final = str.maketrans("-_", "+/")
_MIN_TOKEN: Final = 30
#: In a shorter piece of base64, all letters may have the same case by chance.
_MIN_ONE_CASE: Final = 60
_IV_LENGTHS: Final = (12, 16)
#: The year 2109 in milliseconds; a larger number is not an expiry.
_MAX_EXPIRY: Final = 2**42
#: The characters of a ciphertext that is written as text within an envelope.
_MIN_PART: Final = 100
#: How many of its beginnings and ends are tried: more would leave no operations for all keys.
_MOST_ENDS: Final = 3
_TAG: Final = 16
_OF_URLS: Final = re.compile("[-_]")
_ANY_OTHER: Final = re.compile("[^0-9A-Za-z+/_-]")
#: What some generators write before the envelope, such as a version or an HMAC, in bytes.
_IN_FRONT: Final = (1, 2, 4, 8, 16, 20, 32)
#: An expiry before the year 2106, and the length of an IV.
_FOLLOWS: Final = re.compile(rb"\0{4}[\x3b-\xff].{3}\0[\x0c\x10]", re.DOTALL)
_TEXT: Final = re.compile(rb"[0-9A-Za-z+/_-]{60,}={0,2}")
_SEPARATOR: Final = re.compile("[:.|,]")
_HEX_TEXT: Final = re.compile("(?:[0-9A-Fa-f]{2})+")
#: The characters that contain the expiry and the IV's length, and how many bytes both have.
_HEAD: Final = slice(len(PREFIX), len(PREFIX) + 16)
_HEAD_BYTES: Final = 10


def read_envelope(token: str) -> tuple[Envelope | None, int | None, list[Observation]]:
    """The envelope, the readable expiry, and what is wrong with them.

    The expiry is also returned if only the beginning of the token can be read.
    """
    if whole := _parse(token):
        return whole, whole.expires_at, []
    if problem := _is_hopeless(token):
        return None, None, [problem]
    problems: list[Observation] = []
    for repair in _REPAIRS:
        token, problem = repair(token)
        if problem is not None:
            problems.append(problem)
    envelope, problem = _parsed(token)
    if problem is not None:
        problems.append(problem)
    return envelope, readable_expiry(token) if envelope is None else envelope.expires_at, problems


def readable_expiry(token: str) -> int | None:
    """The expiry of a token of which only the beginning can be read, in Unix seconds."""
    return _expiry_in(_head(token))


def has_head(token: str) -> bool:
    """Whether an expiry or an IV length follows the 04, as far as can be read."""
    head = _head(token)
    if len(head) < _HEAD_BYTES:
        return token[len(PREFIX) :].lstrip()[:1] in ("", "A")  # six zero bits of the expiry
    return _expiry_in(head) is not None or _iv_length_in(head) in _IV_LENGTHS


def _is_hopeless(token: str) -> Observation | None:
    """What is wrong with a text that no repair can make a token, if it is one."""
    if len(token) >= _MIN_ONE_CASE and token in (token.upper(), token.lower()):
        case = "lower" if token == token.lower() else "upper"
        return found("damaged", what=f"all its letters were changed to {case} case")
    return None if has_head(token) else found("malformed-envelope", what=_NO_HEAD)


_NO_HEAD: Final = "neither an expiry nor the length of an IV follows the 04"


def _head(token: str) -> bytes:
    """The bytes of the expiry and the IV length, as many as can be read."""
    text = "".join(token[:_MIN_TOKEN].split()).translate(_URL_ALPHABET)[_HEAD]
    end = _NOT_BASE64.search(text)
    readable = text[: end.start() if end else None]
    return b64decode(readable[: len(readable) // 4 * 4])[:_HEAD_BYTES]


def _expiry_in(head: bytes) -> int | None:
    expires_at = int.from_bytes(head[:8], "big", signed=True)
    return expires_at if len(head) >= 8 and 0 <= expires_at < _MAX_EXPIRY else None


def _iv_length_in(head: bytes) -> int:
    return int.from_bytes(head[8:10], "big")


def _parsed(token: str) -> tuple[Envelope | None, Observation | None]:
    """The envelope, and what is wrong with it or with what follows it."""
    try:
        return parse(token), None
    except TrailingBytesError as error:
        return _cut(token, error.extra), found("trailing-bytes", extra=error.extra)
    except TruncatedError as error:
        head = _head(token)
        iv_length = _iv_length_in(head)
        if len(head) == _HEAD_BYTES and iv_length not in _IV_LENGTHS:
            what = f"the IV has {iv_length} bytes; GCM takes 12, CBC 16"
            return None, found("malformed-envelope", what=what)
        return None, found("truncated", what=str(error).replace("the token", "it", 1))
    except FormatError as error:
        with_mode = _with_mode(token)
        return with_mode, found("mode-missing") if with_mode else _format_problem(token, error)


def _without_rest(token: str) -> RepairResult:
    """The first token if two are joined, or the part before any other text."""
    if second := _SECOND.search(token, _MIN_TOKEN):
        return token[: second.start()].rstrip(" \t\r\n,;|"), found("doubled")
    run = _RUN.match(token)
    first, rest = (run[0], token[run.end() :]) if run else (token, "")
    if not "".join(rest.split()).strip("="):  # only a line break in or after the padding
        return token, None
    if first.endswith("=") or _parse(_padded(first.translate(_URL_ALPHABET))) is not None:
        return first, found("trailing-text")
    return token, None


def _without_url_alphabet(token: str) -> RepairResult:
    if "-" not in token and "_" not in token:
        return token, None
    return token.translate(_URL_ALPHABET), found("base64url")


def _without_space(token: str) -> RepairResult:
    """Remove white space within the token: it was a +, or a line break was added."""
    compact = "".join(token.split())
    if compact == token:
        return token, None
    with_plus = token.replace(" ", "+")
    is_spaces = "".join(with_plus.split()) == with_plus
    if is_spaces and (_parse(_padded(with_plus)) or not _parse(_padded(compact))):
        return with_plus, found("plus-lost")
    return compact, found("white-space")


def _with_padding(token: str) -> RepairResult:
    padded = _padded(token)
    if padded == token or _parse(padded) is None:
        return token, None
    return padded, found("padding-missing")


_REPAIRS: Final[tuple[Repair, ...]] = (
    _without_rest,
    _without_url_alphabet,
    _without_space,
    _with_padding,
)


def _padded(token: str) -> str:
    missing = -(len(token) - len(PREFIX)) % 4
    return token + "=" * missing if missing in (1, 2) else token


def _parse(token: str) -> Envelope | None:
    try:
        return parse(token)
    except FormatError:
        return None


def _cut(token: str, extra: int) -> Envelope | None:
    """The envelope without the bytes that follow it, except a mode."""
    binary = b64decode(token[len(PREFIX) :])
    end = len(binary) - extra
    return _parse(PREFIX + b64encode(binary[: end + (binary[end] == 1)]).decode())


def _with_mode(token: str) -> Envelope | None:
    """The envelope of a GCM token whose last byte is missing."""
    try:
        binary = b64decode(token[len(PREFIX) :], validate=True)
    except ValueError:
        return None
    return _parse(PREFIX + b64encode(binary + b"\x01").decode())


def _format_problem(token: str, error: FormatError) -> Observation:
    body = token[len(PREFIX) :]
    bare = body.rstrip("=")
    wrong = _NOT_BASE64.search(bare)
    if wrong:
        at = wrong.start() + len(PREFIX) + 1
        return found("damaged", what=f"character {at} is not a base64 character")
    if len(body) - len(bare) > 2:
        return found("damaged", what="it ends with more than two =")
    if len(body) % 4:
        return found("truncated", what="its base64 ends in the middle of a byte")
    if b64encode(b64decode(body)).decode() != body:
        return found("damaged", what=str(error))
    return found("malformed-envelope", what=str(error))


# --- Texts that encode an envelope in another way -----------------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """An encoding of a ciphertext within an envelope.

    :ivar step: the characters that encode whole bytes.
    """

    what: str
    pattern: re.Pattern[bytes]
    step: int
    decode: Callable[[str], bytes]


_BASE64_PART: Final = _Part("base64", re.compile(rb"[0-9A-Za-z+/]{100,}={0,2}"), 4, b64decode)
_HEX_PART: Final = _Part("hexadecimal digits", re.compile(rb"[0-9A-Fa-f]{100,}"), 2, bytes.fromhex)


def decodings(
    text: str, *, has_prefix: bool = False, levels: int = 3
) -> Iterator[tuple[bytes, tuple[Observation, ...]]]:
    """The bytes that a text encodes, and what is wrong with how it does. There may be several.

    A character that is not of base64 is read as an A.
    """
    has_prefix = has_prefix or text.startswith(PREFIX)
    for content, about in _decoded(text.removeprefix(PREFIX)):
        if levels and _TEXT.fullmatch(content):
            twice = () if about and about[0].kind == "hex-encoded" else (found("base64-twice"),)
            inner = decodings(content.decode(), has_prefix=has_prefix, levels=levels - 1)
            yield from ((one, (*about, *twice, *others)) for one, others in inner)
        binary = content.removeprefix(PREFIX.encode())
        problems = about if has_prefix else (*about, found("prefix-missing"))
        if binary != content:
            problems = (*about, found("prefix-inside"))
        if not _FOLLOWS.match(binary):
            for size in _IN_FRONT:
                if _FOLLOWS.match(binary, size) and binary[:size] != b"\1":  # GCM's mode
                    yield binary[size:], (*problems, found("leading-bytes", size=size))
        part = _HEX_PART if _HEX_PART.pattern.search(binary) else _BASE64_PART
        for decoded in _with_decoded(binary, part):
            yield decoded, (*problems, found("sealed-encoded", what=part.what))
        yield binary, problems
        if (latin_1 := _from_latin_1(binary)) is not None:
            yield latin_1, (*problems, found("bytes-as-text"))


def _from_latin_1(binary: bytes) -> bytes | None:
    """The bytes that were taken for Latin-1 and written as UTF-8; ``None``: they were not."""
    try:
        return None if binary.isascii() else binary.decode().encode("latin-1")
    except UnicodeError:
        return None


def _decoded(body: str) -> Iterator[tuple[bytes, tuple[Observation, ...]]]:
    if len(body) >= _MIN_PART and _HEX_PART.pattern.fullmatch(body.encode(errors="replace")):
        yield bytes.fromhex(body[: len(body) // 2 * 2]), (found("hex-encoded"),)
    parts = _SEPARATOR.split(body)
    if len(parts) > 1 and len(body) >= _MIN_PART:  # such as IV:ciphertext
        with suppress(ValueError):
            if all(_HEX_TEXT.fullmatch(part) for part in parts):
                yield b"".join(map(bytes.fromhex, parts)), (found("hex-encoded"),)
            else:
                joined = (b64decode(standard_base64(part), validate=True) for part in parts)
                yield (
                    b"".join(joined),
                    (found("sealed-encoded", what="base64, joined to that of the IV"),),
                )
    problems = []
    if _OF_URLS.search(body):
        problems.append(found("base64url"))
    if len(body) % 4:
        problems.append(found("padding-missing"))
    standard = _ANY_OTHER.sub("A", body.rstrip("="))
    if len(standard) % 4 == 1:  # no base64 has such a length: it was cut
        standard = standard[:-1]
    yield b64decode(standard_base64(standard)), tuple(problems)


def _with_decoded(binary: bytes, part: _Part) -> Iterator[bytes]:
    """The envelope with the text in it decoded, as PHP's ``openssl_encrypt`` returns base64.

    A length that counts the text then counts what it encodes.
    """
    run = part.pattern.search(binary)
    ends = {} if run is None else dict.fromkeys(_ends_of(binary, *run.span(), part))
    for start, end in [*ends][:_MOST_ENDS]:
        try:
            decoded = part.decode(binary[start:end].decode())
        except ValueError:
            continue
        fewer = end - start - len(decoded)
        head = binary[:start]
        for at in (start - 2, start - 2 - _TAG):  # a tag may be between
            length = int.from_bytes(binary[max(at, 0) : max(at, 0) + 2])
            if length in (end - start, end - start + _TAG):
                head = binary[:at] + (length - fewer).to_bytes(2) + binary[at + 2 : start]
        yield head + decoded + binary[end:]


def _ends_of(binary: bytes, first: int, last: int, part: _Part) -> Iterator[tuple[int, int]]:
    """Where a text may begin and end, as bytes next to it may look like a part of it."""
    starts, ends = range(first, first + part.step), range(last, last - 4, -1)
    declared = [
        (start, start + size)
        for at in (2, 2 + _TAG)  # a tag may be between
        for start in starts
        for length in [int.from_bytes(binary[max(start - at, 0) : start][:2])]
        for size in (length, length - _TAG)
        if start + size in ends
    ]
    for start, end in (*declared, *product(starts, ends)):
        if (end - start) % part.step == 0 and part.pattern.fullmatch(binary, start, end):
            yield start, end
