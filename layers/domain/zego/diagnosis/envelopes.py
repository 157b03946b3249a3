"""From a text that begins as a Token04 to its envelope, after each repair that it needs."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Final

from zego.diagnosis.findings import Found, found
from zego.diagnosis.wrapping import Undone
from zego.token04 import PREFIX, Envelope, FormatError, TrailingBytesError, TruncatedError, parse

_NOT_BASE64: Final = re.compile(r"[^0-9A-Za-z+/]")
_MIN_TOKEN: Final = 30
#: The year 36812; a larger expiry is not one.
_MAX_EXPIRY: Final = 2**40


def read(token: str) -> tuple[Envelope | None, int | None, list[Found]]:
    """The envelope, the readable expiry, and what is wrong with them.

    The expiry is there too where only the beginning of the token can be read.
    """
    problems: list[Found] = []
    for repair in _REPAIRS:
        token, problem = repair(token)
        if problem is not None:
            problems.append(problem)
    envelope, problem = _parsed(token)
    if problem is not None:
        problems.append(problem)
    return envelope, _expiry(token) if envelope is None else envelope.expires_at, problems


def _parsed(token: str) -> tuple[Envelope | None, Found | None]:
    """The envelope, and what is wrong with it or with what stands behind it."""
    try:
        return parse(token), None
    except TrailingBytesError as error:
        return _parse(_cut(token, error.extra)), found("trailing-bytes", extra=error.extra)
    except TruncatedError as error:
        return None, found("truncated", what=str(error).replace("the token", "it", 1))
    except FormatError as error:
        with_mode = _with_mode(token)
        return with_mode, found("mode-missing") if with_mode else _format_problem(token, error)


def _without_space(token: str) -> Undone:
    """White space within: a + that was lost, or a line's end that came in."""
    compact = "".join(token.split())
    if compact == token:
        return token, None
    with_plus = token.replace(" ", "+")
    is_spaces = "".join(with_plus.split()) == with_plus
    if is_spaces and (_parse(with_plus) is not None or _parse(compact) is None):
        return with_plus, found("plus-lost")
    return compact, found("white-space")


def _without_url_alphabet(token: str) -> Undone:
    if "-" not in token and "_" not in token:
        return token, None
    return token.replace("-", "+").replace("_", "/"), found("base64url")


def _without_second(token: str) -> Undone:
    """The first token where two are joined, or what stands before any other text."""
    half = len(token) // 2
    if half >= _MIN_TOKEN and token[:half] == token[half:]:
        return token[:half], found("doubled")
    first, padding, rest = _parts(token)
    if not rest:
        return token, None
    is_second = rest.startswith(PREFIX) and len(rest) >= _MIN_TOKEN
    return first + padding, found("doubled" if is_second else "trailing-text")


def _parts(token: str) -> tuple[str, str, str]:
    """A token up to its padding, the padding, and what follows it."""
    first, _, rest = token.partition("=")
    after = rest.lstrip("=")
    return first, "=" * (len(token) - len(first) - len(after)), after


def _with_padding(token: str) -> Undone:
    missing = -(len(token) - len(PREFIX)) % 4
    if missing not in (1, 2):
        return token, None
    padded = token + "=" * missing
    envelope, _ = _parsed(padded)
    return (token, None) if envelope is None else (padded, found("padding-missing"))


_REPAIRS: Final[tuple[Callable[[str], Undone], ...]] = (
    _without_space,
    _without_url_alphabet,
    _without_second,
    _with_padding,
)


def _parse(token: str) -> Envelope | None:
    try:
        return parse(token)
    except FormatError:
        return None


def _cut(token: str, extra: int) -> str:
    """The token without what follows its sealed claims, but for a mode."""
    binary = b64decode(token[len(PREFIX) :])
    end = len(binary) - extra
    return PREFIX + b64encode(binary[: end + (binary[end] == 1)]).decode()


def _with_mode(token: str) -> Envelope | None:
    """The envelope of a GCM token whose last byte is gone."""
    try:
        binary = b64decode(token[len(PREFIX) :], validate=True)
    except ValueError:
        return None
    envelope = _parse(PREFIX + b64encode(binary + b"\x01").decode())
    return envelope if envelope is not None and envelope.cipher == "gcm" else None


def _format_problem(token: str, error: FormatError) -> Found:
    body = token[len(PREFIX) :]
    bare = body.rstrip("=")
    wrong = _NOT_BASE64.search(bare)
    if wrong:
        at = wrong.start() + len(PREFIX) + 1
        return found("damaged", what=f"character {at} is not one of base64")
    if len(body) % 4:
        return found("truncated", what="its base64 ends in the middle of a byte")
    if len(body) - len(bare) > 2 or _is_loose(body):
        return found("damaged", what=str(error))
    return found("malformed-envelope", what=str(error))


def _is_loose(body: str) -> bool:
    """Whether base64 was altered at its end, such that bits are set behind it."""
    return b64encode(b64decode(body)).decode() != body


def _expiry(token: str) -> int | None:
    """The readable expiry of a token that cannot be read to its end."""
    try:
        binary = b64decode(token[len(PREFIX) : len(PREFIX) + 12], validate=True)
    except ValueError:
        return None
    expires_at = int.from_bytes(binary[:8], "big", signed=True)
    return expires_at if len(binary) >= 8 and 0 <= expires_at < _MAX_EXPIRY else None
