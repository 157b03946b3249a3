"""What a piece of a file holds: the values in question, and what the rules say of the rest.

No regular expression runs over all of the data, as that takes fifty times as long as a search for
fixed bytes: each has a hint that is searched for, and looks at the bytes around it alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal

from ops.scan import rules, values
from ops.scan.rules import Kind, Severity
from ops.scan.values import Form, Value

#: How far before and behind a match anything is looked at, in bytes.
MARGIN: Final = 8192

_NAME_REACH: Final = 128
_CALL_REACH: Final = 400
_IGNORE_REACH: Final = 300

_HEX_DIGITS: Final = b"0123456789abcdefABCDEF"
_IS_HEX: Final = bytes(ord("h") if byte in _HEX_DIGITS else ord(".") for byte in range(256))
_SECRET_DIGITS: Final = 32
_APP_SIGN_DIGITS: Final = 64
_RUN: Final = b"h" * _SECRET_DIGITS
_REST_OF_RUN: Final = re.compile(rb"h+")
#: What makes digits part of something longer, such as a file's name, at either end.
_GOES_BEFORE: Final = re.compile(rb"\w|(?<=\w)[./-]")
_GOES_ON: Final = re.compile(rb"\w|[./-]\w")
_PERIODIC: Final = re.compile(rb"(.{1,16})\1+", re.DOTALL)
_WORD: Final = re.compile(rb"[A-Za-z_$][\w$-]+")
_NAME_CHARACTERS: Final = re.compile(rb"[A-Z0-9_]*")

#: From the name to the bracket: ``.f(``, ``?.(``, ``["f"](``, ``(0, x.f)(``.
_CALL: Final = re.compile(rb"(?P<name>\w{1,64}+)[\"'`\])\s?.!]{0,16}+\((?P<arguments>[^)]{0,300}+)")
#: What stands before a function that is called, and not before one that is defined.
_CALLED: Final = re.compile(rb"(?:[.=(:?&|!\[\"'`]|\breturn|\bawait)\s{0,16}\Z")
_SECRET_ARGUMENT: Final = re.compile(
    rb"secret|app_?sign|(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])", re.IGNORECASE
)
#: The secret is the third of at least four arguments.
_TOKEN04_COMMAS: Final = 3


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file's name says of it."""

    is_front_end: bool = False
    is_document: bool = False

    @classmethod
    def of(cls, path: PurePath) -> Origin:
        """:param path: from the folder that was named on; ``.gz`` counts for nothing."""
        name = path.name.lower().removesuffix(".gz")
        suffix = PurePath(name).suffix
        if suffix in rules.DOCUMENT_SUFFIXES or name.endswith(rules.DECLARATIONS):
            return cls(is_document=True)
        folders = {part.lower() for part in path.parts[:-1]}
        if folders & rules.SERVER_FOLDERS:
            return cls()
        is_built = suffix in rules.SCRIPT_SUFFIXES and folders & rules.FRONT_END_FOLDERS
        return cls(is_front_end=suffix in rules.FRONT_END_SUFFIXES or bool(is_built))


@dataclass(frozen=True, slots=True, repr=False)
class Match:
    """Something in the data; its repr shows nothing.

    :ivar start: its first byte.
    :ivar text: the digits that are likely a secret; empty where it is about a name.
    :ivar value: which value it is, and
    :ivar form: in which form.
    :ivar is_ignored: whoever wrote it says that it is none.
    """

    kind: Kind
    severity: Severity
    start: int
    end: int
    text: str = ""
    value: Value | None = None
    form: Form | None = None
    is_ignored: bool = False

    def __repr__(self) -> str:
        return f"<Match {self.kind}>"


def find(data: bytes, looked_for: Sequence[Value], origin: Origin) -> list[Match]:
    """The matches in the data, in order.

    Those in the first and last :data:`MARGIN` bytes may be incomplete, if the data goes on there.
    """
    certain = [
        Match("secret-value", "certain", start, end, value=value, form=form)
        for value, form, start, end in values.find(data, looked_for)
    ]
    taken = bytearray(len(data) if certain else 0)
    for match in certain:
        taken[match.start : match.end] = b"\1" * (match.end - match.start)
    others = [*_digits(data), *_public_names(data, origin), *_calls(data, origin)]
    found = [match for match in others if not any(taken[match.start : match.end])]
    return sorted((*certain, *found), key=lambda match: (match.start, match.end, match.kind))


def _digits(data: bytes) -> Iterator[Match]:
    """Hex digits, exactly as many as a ServerSecret or an AppSign has."""
    classes = data.translate(_IS_HEX)
    start = classes.find(_RUN)
    while start >= 0:
        rest = _REST_OF_RUN.match(classes, start)
        end = rest.end() if rest else start
        if end - start in {_SECRET_DIGITS, _APP_SIGN_DIGITS} and _stands_alone(data, start, end):
            yield _judged(data, start, end)
        start = classes.find(_RUN, end)


def _stands_alone(data: bytes, start: int, end: int) -> bool:
    digits = data[start:end]
    if end - start == _SECRET_DIGITS and digits != digits.lower():
        return False
    if _PERIODIC.fullmatch(digits) or digits in rules.PUBLISHED:
        return False  # made up
    if digits.isdigit() or digits.isalpha():
        return False
    return not (_GOES_BEFORE.match(data, max(0, start - 1), start) or _GOES_ON.match(data, end))


def _judged(data: bytes, start: int, end: int) -> Match:
    kind: Kind = "server-secret" if end - start == _SECRET_DIGITS else "app-sign"
    before = data[max(0, start - _NAME_REACH) : start]
    is_secret = rules.NAME_HINT.search(before) is not None and _is_named(before)
    if kind == "server-secret":
        is_secret = is_secret or _is_in_call(data, start, end)
    severity: Severity = "likely" if is_secret else "possible"
    text = data[start:end].decode("ascii")
    return Match(kind, severity, start, end, text, is_ignored=_is_ignored(data, end))


def _is_named(before: bytes) -> bool:
    """Whether the nearest name says that what comes is a secret."""
    for name in reversed(_WORD.findall(before)):
        if name.lower() in rules.BETWEEN and not rules.SECRET_NAME.search(name):
            continue
        if rules.NO_SECRET.search(name):
            return False
        if rules.SECRET_NAME.search(name) or rules.ZEGO.search(name):
            return True
        return bool(rules.SHORT_NAME.fullmatch(name) and rules.ZEGO.search(before))
    return False


def _is_in_call(data: bytes, start: int, end: int) -> bool:
    first = max(0, start - _CALL_REACH)
    return any(
        data.find(name, first, end + _CALL_REACH) >= 0 for name in (rules.KIT_TOKEN, rules.TOKEN04)
    )


def _public_names(data: bytes, origin: Origin) -> Iterator[Match]:
    seen = -1
    for at in sorted(at for hint in rules.PUBLIC_HINTS for at in _all(data, hint)):
        before = data[max(0, at - _NAME_REACH) : at][::-1]
        name_before = _NAME_CHARACTERS.match(before)
        start = at - (name_before.end() if name_before else 0)
        rest = _NAME_CHARACTERS.match(data, at, at + _NAME_REACH)
        end = rest.end() if rest else at
        name = data[start:end]
        prefix = rules.PUBLIC_PREFIX.match(name)
        if start == seen or prefix is None:
            continue
        has_secret = rules.PUBLIC_SECRET.search(name, prefix.end())
        if has_secret and not rules.NO_SECRET.search(name.replace(b"_", b" "), has_secret.end()):
            seen = start
            yield _about(data, "public-name", start, end, is_likely=not origin.is_document)


def _calls(data: bytes, origin: Origin) -> Iterator[Match]:
    for at in _all(data, rules.KIT_TOKEN):
        call = _CALL.match(data, at)
        if call is None or not _CALLED.search(data[max(0, at - 32) : at]):
            continue
        is_likely = not origin.is_document
        which = call["name"].removeprefix(rules.KIT_TOKEN)
        if which == b"Test":
            yield _about(data, "kit-token-for-test", at, call.end("name"), is_likely=is_likely)
        elif which == b"Production" and _SECRET_ARGUMENT.search(call["arguments"]):
            end = call.end("name")
            yield _about(data, "kit-token-for-production", at, end, is_likely=is_likely)
    for at in _all(data, rules.TOKEN04):
        call = _CALL.match(data, at)
        if call is None or call["name"] != rules.TOKEN04:
            continue
        arguments = call["arguments"]
        if arguments.count(b",") >= _TOKEN04_COMMAS or _SECRET_ARGUMENT.search(arguments):
            end = call.end("name")
            yield _about(data, "token-minted", at, end, is_likely=origin.is_front_end)
    for at in _all(data, rules.GENERATOR):
        end = at + len(rules.GENERATOR)
        yield _about(data, "token-generator", at, end, is_likely=origin.is_front_end)


def _all(data: bytes, hint: bytes) -> Iterator[int]:
    at = data.find(hint)
    while at >= 0:
        yield at
        at = data.find(hint, at + len(hint))


def _about(data: bytes, kind: Kind, start: int, end: int, *, is_likely: bool) -> Match:
    severity: Literal["likely", "possible"] = "likely" if is_likely else "possible"
    return Match(kind, severity, start, end, is_ignored=_is_ignored(data, end))


def _is_ignored(data: bytes, end: int) -> bool:
    """Whether the rest of the line says so; a line in a source map ends in a ``\\n`` of two."""
    rest = data[end : end + _IGNORE_REACH].split(b"\n", 1)[0].split(b"\\n", 1)[0]
    return rules.IGNORE in rest
