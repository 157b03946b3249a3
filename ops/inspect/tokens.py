"""Reading the tokens: one from the argument or a prompt, or many from a file or a pipe."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import click

from ops.errors import CommandError, InputError, reason
from ops.prompt import STANDARD_INPUT, ask_unseen, can_ask
from zego import token04

#: The limit for one token with the text around it: over three times the longest Token04.
MAX_BYTES: Final = 2**18

#: How a token begins: its version, and the zeros of its expiry; or a JSON object in base64.
_BEGINNING: Final = re.compile(r"(?:0\d)?(?:AAA|eyJ)")
#: The same in a line, after a name, a quote or "Bearer"; or a JSON object.
_BEGINS: Final = re.compile(rf"(?:^|[^\w+/.#-]){_BEGINNING.pattern}|^\s*\{{")
#: After these, part of the same token must follow, which may begin like a token.
_GOES_ON: Final = (".", "#")
_TOKEN04: Final = re.compile(r"04AAA[A-Za-z0-9+/]+={0,2}")
#: The version and expiry of a Token04, or the start of a JSON object in base64: not secret.
_TELLING: Final = re.compile(r"(?:04AAA|eyJ)[A-Za-z0-9+/_-]{3,5}")
_TELLING_LENGTH: Final = 8
#: Three parts, of which the last is at least an HMAC-SHA256.
_JWT: Final = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]{43,}")
_PATH: Final = re.compile(r"[./\\~]")
#: Longer text with a slash or a dot is a token that lost its beginning.
_LONGEST_PATH: Final = 100
_ABSOLUTE: Final = ("/", "./", "../", "~")
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A text that was given as a token.

    :ivar line: where it begins in the file or in what was typed; ``None``: it is the argument.
    """

    text: str
    line: int | None = None

    def __repr__(self) -> str:
        return f"<Token of {len(self.text)} characters>"

    @property
    def sha256(self) -> str:
        """The SHA-256 in hex, as in the audit log (``docs/operations.md``): of the Token04 in the
        text (a kit token or JSON may contain one); without a whole one, of the whole text.
        """
        found = _TOKEN04.search(self.text)
        text = found[0] if found and _is_token04(found[0]) else self.text
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()

    @property
    def beginning(self) -> str:
        """The first 8 characters, if they only tell the form and the expiry."""
        start = self.text[:_TELLING_LENGTH]
        return start if _TELLING.fullmatch(start) else ""


def begins(text: str) -> bool:
    """Whether a text begins like a token, even in quotes."""
    return _BEGINNING.match(text.strip("\"' ")) is not None


def is_standard_input(argument: str | None) -> bool:
    """Whether to read standard input: it is named, or there is no argument and it is a pipe."""
    return argument == STANDARD_INPUT or (argument is None and not can_ask())


def read(argument: str | None) -> Iterator[Token]:
    """The tokens, as they come in.

    Text that begins like a token is never opened as a file. Other text that names an existing file
    is that file; other text that looks like a path is a missing file.

    :param argument: a token, a path, ``-`` for standard input; ``None``: standard input if it is a
        pipe, otherwise a prompt that does not show the token.
    :raises UsageError: the file does not exist.
    :raises CommandError: it cannot be read, contains no token, or a prompt is impossible.
    """
    if is_standard_input(argument):
        yield from _of_standard_input()
    elif argument is None:
        yield Token(ask_unseen("Token (not shown): "), line=1)
    elif _is_file(argument):
        yield from _of_file(Path(argument))
    else:
        yield Token(argument)


def _is_file(argument: str) -> bool:
    """:raises UsageError: it looks like a path that does not exist."""
    if begins(argument):
        return False
    if os.path.exists(argument):  # noqa: PTH110  Path.exists raises if a name is too long
        return True
    is_short = len(argument) <= _LONGEST_PATH or argument.startswith(_ABSOLUTE)
    if is_short and _PATH.search(argument):
        raise click.UsageError(
            f"The file {argument} does not exist. If it is a token, pass it on standard input."
        )
    return False


def _of_standard_input() -> Iterator[Token]:
    if sys.stdin is None:
        raise InputError("Standard input is closed, so there is no token.")
    if can_ask():
        raise InputError(
            "Standard input is a terminal, which would show the token.",
            "Leave out the -: the prompt does not show it.",
        )
    yield from _of(sys.stdin.buffer, "Standard input")


def _of_file(path: Path) -> Iterator[Token]:
    try:
        with path.open("rb") as opened:
            yield from _of(opened, "The file")
    except OSError as error:
        raise InputError(f"The file cannot be read: {reason(error)}.") from None


def _of(stream: IO[bytes], name: str) -> Iterator[Token]:
    """:raises CommandError: there is no token, or the text is too long to be one."""
    token = None
    for token in tokens(lines(stream, name), name):
        yield token
    if token is None:
        raise InputError(f"{name} contains no token.", "Put one token on each line.")


def lines(stream: IO[bytes], name: str) -> Iterator[str]:
    """The lines without their ends, as they come in.

    :raises CommandError: one has more than :data:`MAX_BYTES`, or it is UTF-16.
    """
    is_first = True
    while content := stream.readline(MAX_BYTES + 1):
        if len(content) > MAX_BYTES:
            raise _too_long(name)
        if is_first and content.startswith(_UTF_16):
            raise InputError(f"{name} is in UTF-16.", "Convert it to UTF-8.")
        text = content.decode("utf-8-sig" if is_first else "utf-8", errors="replace")
        yield text.removesuffix("\n").removesuffix("\r")
        is_first = False


def tokens(texts: Iterator[str], name: str) -> Iterator[Token]:
    """One token per line, except for a damaged token that is broken over several.

    A line that does not begin like a token continues the token before it, unless that is whole. So
    a whole token is yielded at once, and a damaged one as soon as the next token begins. Blank
    lines are skipped.

    :raises CommandError: one token has more than :data:`MAX_BYTES` characters.
    """
    partial: _PartialToken | None = None
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        if partial is not None and partial.ends_before(text):
            yield partial.token
            partial = None
        if partial is None:
            partial = _PartialToken(number, text)
        else:
            partial.take(text)
        if partial.length > MAX_BYTES:
            raise _too_long(name)
        if partial.is_whole:
            yield partial.token
            partial = None
    if partial is not None:
        yield partial.token


class _PartialToken:
    """The lines of one token so far; more may follow."""

    def __init__(self, number: int, text: str) -> None:
        self._first = number
        self._lines: list[str] = []
        self._is_json = text.lstrip().startswith("{")
        self._open_braces = 0
        self.length = 0
        self.take(text)

    def take(self, text: str) -> None:
        self._lines.append(text)
        self._open_braces += text.count("{") - text.count("}")
        self.length += len(text) + 1

    @property
    def token(self) -> Token:
        return Token("\n".join(self._lines), self._first)

    def ends_before(self, text: str) -> bool:
        """Whether a line begins another token."""
        if self._is_json:  # it contains tokens in quotes, and its inner objects are indented
            return text.startswith("{") or _BEGINNING.match(text) is not None
        return not self._lines[-1].endswith(_GOES_ON) and _BEGINS.search(text) is not None

    @property
    def is_whole(self) -> bool:
        """Whether no other line can belong to it."""
        if self._is_json:
            return self._open_braces == 0 and _is_json_value(self.token.text)
        if len(self._lines) > 1:
            return False
        (text,) = self._lines
        head, kit, details = text.partition("#")
        if _is_token04(head):
            return bool(details) or not kit
        return _JWT.fullmatch(text) is not None


def _is_json_value(text: str) -> bool:
    with suppress(ValueError, RecursionError):
        json.loads(text)
        return True
    return False


def _is_token04(text: str) -> bool:
    with suppress(token04.FormatError):
        token04.parse(text)
        return True
    return False


def _too_long(name: str) -> CommandError:
    return InputError(
        f"{name} has more than {MAX_BYTES} bytes in a row that are not a token.",
        "Put one token on each line.",
    )
