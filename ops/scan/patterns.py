"""The patterns of likely secrets, and the search for them. `values` finds the secret itself.

No regular expression runs over all of the data, because that takes fifty times as long as a search
for fixed bytes: each has a hint to search for, and examines only the bytes around it.

Sources: the documentation of each build tool for the prefixes; ZEGO's server assistant, UIKit and
samples for Flutter for the functions; public repositories for ``ZEGO_SERVER_ID``, where many keep
the ServerSecret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, Literal

from ops.scan import values
from ops.scan.values import Form, Value
from zego.diagnosis.model import APP_SIGN, CALLBACK_SECRET

#: How many bytes before and after a match are checked.
MARGIN: Final = 8192

#: ``certain``: the secret itself. ``likely``: by its name or place. ``possible``: only by its form.
Severity = Literal["certain", "likely", "possible"]
SEVERITIES: Final[tuple[Severity, ...]] = ("certain", "likely", "possible")

LeakKind = Literal[
    "secret-value",
    "server-secret",
    "app-sign",
    "public-name",
    "kit-token-for-test",
    "kit-token-for-production",
    "prebuilt-token",
    "token-minted",
    "token-generator",
]


@dataclass(frozen=True, slots=True)
class LeakRule:
    """A kind of finding.

    :ivar what: what was found, a clause.
    :ivar remedy: what to do; a command at a sentence's end is put on its own line.
    """

    what: str
    remedy: str


_MINT_ELSEWHERE: Final = (
    "Request tokens from the service (POST /v1/tokens): no browser may have the secret. If one had"
    " it, reset it in ZEGO's console, and rotate to the new one: zego-token secret rotate."
)

RULES: Final[Mapping[LeakKind, LeakRule]] = {
    "secret-value": LeakRule(
        "the secret itself",
        "Remove it. Everyone who had the file has the secret: reset it in ZEGO's console, and"
        " rotate to the new one: zego-token secret rotate.",
    ),
    "server-secret": LeakRule(
        "32 characters, named or used as a ServerSecret",
        "If it is a ServerSecret, remove it, reset it in ZEGO's console, and rotate to the new one:"
        " zego-token secret rotate.",
    ),
    "app-sign": LeakRule(
        "64 hex digits, named as an AppSign",
        "If it is an AppSign, remove it, log in with tokens, and have ZEGO's support switch off"
        " AppSign logins for the AppID.",
    ),
    "public-name": LeakRule(
        "the name of a secret that builds send to every browser",
        "Remove it from the frontend, and request tokens from the service (POST /v1/tokens). If it"
        " had a value in any build, reset it in ZEGO's console, and rotate to the new one:"
        " zego-token secret rotate.",
    ),
    "kit-token-for-test": LeakRule(
        "generateKitTokenForTest, which needs the ServerSecret in the browser", _MINT_ELSEWHERE
    ),
    "kit-token-for-production": LeakRule(
        "generateKitTokenForProduction, called with a secret instead of a token", _MINT_ELSEWHERE
    ),
    "prebuilt-token": LeakRule(
        "generatePrebuiltToken, which needs the ServerSecret in the browser", _MINT_ELSEWHERE
    ),
    "token-minted": LeakRule(
        "generateToken04 in a frontend, which needs the ServerSecret there", _MINT_ELSEWHERE
    ),
    "token-generator": LeakRule("ZEGO's token generator in a frontend", _MINT_ELSEWHERE),
}

#: What to do about a value under another label than AWSCURRENT.
LABEL_REMEDIES: Final[Mapping[str, str]] = {
    "AWSPREVIOUS": (
        "Remove it. ZEGO may still accept it; if so, reset it in ZEGO's console. To check:"
        " zego-token secret status."
    ),
    "AWSPENDING": (
        "Remove it. A rotation is about to promote it: reset it in ZEGO's console, and rotate to"
        " the new one: zego-token secret rotate."
    ),
    APP_SIGN: (
        "Remove it, log in with tokens, and have ZEGO's support switch off AppSign logins for the"
        " AppID."
    ),
    CALLBACK_SECRET: (
        "Remove it, and get another one from ZEGO: whoever has it can send your backend callbacks"
        " as if they came from ZEGO."
    ),
    "CANDIDATE": (
        "Remove it, and do not rotate to it: reset it in ZEGO's console, and rotate to the new one:"
        " zego-token secret rotate."
    ),
}

#: After a finding on its line: ignore the finding, unless it is the secret itself.
_IGNORE: Final = b"zego-token:ignore"

#: Names of secrets: their values are secrets.
_SECRET_NAME: Final = re.compile(
    rb"(?:server|callback)[_-]?secret"
    rb"|app[_-]?sign(?!_?(?:in|up|out|off|al|ature|ed|ing)(?![a-z])|ature)",
    re.IGNORECASE,
)
#: Names that are a secret's if ZEGO is mentioned shortly before.
_SHORT_NAME: Final = re.compile(
    rb"(?:app_?)?(?:secret|sign)(?:_?key)?|key|create_?engine\w*", re.IGNORECASE
)
_ZEGO: Final = re.compile(rb"zego", re.IGNORECASE)
#: One of these is near each match of the three patterns above.
_NAME_HINT: Final = re.compile(rb"secret|sign|zego", re.IGNORECASE)
#: In a name: the value is about a secret, or about ZEGO, but is not a secret.
_NO_SECRET: Final = re.compile(
    rb"hash|sha\d|md5|digest|sum|fingerprint|integrity|etag|version|build|commit|revision"
    rb"|room|user|stream|(?:id|arn|url|nonce)s?\b",
    re.IGNORECASE,
)
#: Words that may come between a name and its value; also words of one letter.
_BETWEEN: Final = frozenset(
    b"byte cast char const content data default default_value defaultvalue env fallback field final"
    b" freeze get getenv joi key let name null nsstring or or_else orelse process readonly ref"
    b" required return state static str string text trim type undefined unwrap_or unwrap_or_else"
    b" useref usestate val value var".split()
)

#: Digits that are not a secret: ZEGO published them to show how a request is signed.
_PUBLISHED: Final = frozenset({b"9193cc662a4c0ec135ec71fb57194b38"})

#: With these prefixes, builds put the value of an environment variable into what browsers load.
PUBLIC_PREFIX: Final = re.compile(
    rb"(?:(?:BUN|EXPO|NEXT|NUXT|PLASMO|SNOWPACK)_PUBLIC|(?:NG|PREACT|REACT|TARO|UMI|VUE)_APP"
    rb"|GATSBY|PUBLIC|RAZZLE|REDWOOD_ENV|STORYBOOK|VITE)_"
)
#: What such a name must not contain.
_PUBLIC_SECRET: Final = re.compile(
    rb"(?:SERVER|CALLBACK)_?SECRET|ZEGO[A-Z0-9_]*(?:SECRET|SERVER_ID)"
    rb"|APP_?SIGN(?!_?(?:IN|UP|OUT|OFF|AL|ATURE|ED|ING)(?![A-Z]))"
)
#: Each such name contains one of these.
_PUBLIC_HINTS: Final = (b"SECRET", b"ZEGO_SERVER_ID", b"APP_SIGN", b"APPSIGN")
#: Names of ids whose value, if it has as many digits as a secret, is one: an AppID has at most ten.
_SECRET_ID: Final = re.compile(
    rb"(?!\w*(?:room|user|stream))(?:%b\w*zego\w*|\w*zego\w*(?:app|server))_?id"
    % PUBLIC_PREFIX.pattern,
    re.IGNORECASE,
)

#: UIKit's helpers; the first is for tests, and makes the token itself.
_KIT_TOKEN: Final = b"generateKitTokenFor"
#: UIKit's own generator, which ZEGO also publishes as a script for web pages.
_PREBUILT: Final = b"generatePrebuiltToken"
#: The function of ZEGO's server assistant.
_TOKEN04: Final = b"generateToken04"
#: All functions of ZEGO that take a ServerSecret, in lower case.
_GENERATORS: Final = (
    b"assistant.generatetoken",
    b"assistant::generatetoken",
    b"generate_token04",
    b"generatekittoken",
    b"generateprebuilttoken",
    b"generatetoken04",
    b"zegotokenutils.generatetoken",
)
#: Its message for a bad secret, which stays when a build shortens names.
_GENERATOR: Final = b"secret must be a 32 byte string"

#: A file with one of these suffixes belongs to a frontend.
_FRONT_END_SUFFIXES: Final = frozenset(
    {".astro", ".htm", ".html", ".jsx", ".svelte", ".tsx", ".vue"}
)
#: So does a file with one of these suffixes in one of these folders,
_SCRIPT_SUFFIXES: Final = frozenset({".bundle", ".cjs", ".js", ".jsbundle", ".map", ".mjs", ".ts"})
_FRONT_END_FOLDERS: Final = frozenset(
    {"assets", "browser", "build", "client", "dist", "frontend", "out", "public", "static", "www"}
)
#: unless a folder is one of these.
_SERVER_FOLDERS: Final = frozenset(
    {"api", "backend", "functions", "lambda", "netlify", "node_modules", "server"}
)
#: In documents, a name leaks nothing; nor in TypeScript declarations, which have no values.
_DOCUMENT_SUFFIXES: Final = frozenset({".adoc", ".markdown", ".md", ".rst", ".txt"})
_DECLARATIONS: Final = (".d.ts", ".d.mts", ".d.cts")

# --- The search -------------------------------------------------------------------------------

_NAME_REACH: Final = 128
_CALL_REACH: Final = 400
_IGNORE_REACH: Final = 300

_HEX_DIGITS: Final = b"0123456789abcdefABCDEF"
_IS_HEX: Final = bytes(ord("h") if byte in _HEX_DIGITS else ord(".") for byte in range(256))
_SECRET_DIGITS: Final = 32
_APP_SIGN_DIGITS: Final = 64
_RUN: Final = b"h" * _SECRET_DIGITS
_REST_OF_RUN: Final = re.compile(rb"h+")
#: Before or after digits: they are part of something longer, such as a file's name.
_GOES_BEFORE: Final = re.compile(rb"\w|(?<=\w)[./-]")
_GOES_ON: Final = re.compile(rb"\w|[./-]\w")
_PERIODIC: Final = re.compile(rb"(.{1,16})\1+", re.DOTALL)
_WORD: Final = re.compile(rb"[A-Za-z_$][\w$-]+")
_NAME_CHARACTERS: Final = re.compile(rb"[A-Z0-9_]*")

#: From the name to the bracket: ``.f(``, ``?.(``, ``["f"](``, ``(0, x.f)(``.
_CALL: Final = re.compile(rb"(?P<name>\w{1,64}+)[\"'`\])\s?.!]{0,16}+\((?P<arguments>[^)]{0,300}+)")
#: What comes before a function that is called, but not before one that is defined.
_CALLED: Final = re.compile(rb"(?:[.=(:?&|!\[\"'`]|\breturn|\bawait)\s{0,16}\Z")
_SECRET_ARGUMENT: Final = re.compile(
    rb"secret|app_?sign|(?<![0-9A-Za-z])[0-9a-f]{32}(?![0-9A-Za-z])", re.IGNORECASE
)
#: The secret is the third of at least four arguments.
_TOKEN04_COMMAS: Final = 3
#: A literal as long as a ServerSecret, with letters and digits, but not only its hex digits.
_LITERAL: Final = re.compile(
    rb"[\"'`](?![0-9a-f]{32})(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])([0-9A-Za-z]{32})(?![0-9A-Za-z])"
)
#: The name of an argument or a variable, just before its value.
_NAME_OF_VALUE: Final = re.compile(rb"([A-Za-z_$][\w$]*)[\\\"'`]*\s*[:=]\s*[@r]?[\\\"'`]*\Z")
#: The name of the function whose bracket comes next; in a build, a shorter one tells nothing.
_FUNCTION: Final = re.compile(rb"([A-Za-z_$][\w$.:]{2,})\s*\Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file's name tells about its content."""

    is_front_end: bool = False
    is_server: bool = False
    is_document: bool = False

    @classmethod
    def of(cls, path: PurePath) -> Origin:
        """:param path: relative to the given folder; ``.gz`` is ignored."""
        name = path.name.lower().removesuffix(".gz")
        suffix = PurePath(name).suffix
        if suffix in _DOCUMENT_SUFFIXES or name.endswith(_DECLARATIONS):
            return cls(is_document=True)
        folders = {part.lower() for part in path.parts[:-1]}
        if folders & _SERVER_FOLDERS:
            return cls(is_server=True)
        is_built = suffix in _SCRIPT_SUFFIXES and folders & _FRONT_END_FOLDERS
        return cls(is_front_end=suffix in _FRONT_END_SUFFIXES or bool(is_built))


@dataclass(frozen=True, slots=True, repr=False)
class Match:
    """Something in the data; its repr shows nothing.

    :ivar start: its first byte.
    :ivar text: the digits that are likely a secret; empty if the match is a name.
    :ivar value: the value that was found.
    :ivar form: the form in which it was found.
    :ivar is_ignored: the author has marked it as not a secret.
    """

    kind: LeakKind
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

    Those in the first and last :data:`MARGIN` bytes may be incomplete if the data continues there.
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
    """Runs of exactly as many hex digits as a ServerSecret or an AppSign has."""
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
    if _PERIODIC.fullmatch(digits) or digits in _PUBLISHED:
        return False  # invented
    if digits.isdigit() or digits.isalpha():
        return False
    return not (_GOES_BEFORE.match(data, max(0, start - 1), start) or _GOES_ON.match(data, end))


def _judged(data: bytes, start: int, end: int) -> Match:
    kind: LeakKind = "server-secret" if end - start == _SECRET_DIGITS else "app-sign"
    before = data[max(0, start - _NAME_REACH) : start]
    is_secret = _NAME_HINT.search(before) is not None and _is_named(before)
    if kind == "server-secret":
        is_secret = is_secret or _is_in_call(data, start, end)
    return _about(data, kind, start, end, is_likely=is_secret, text=data[start:end].decode("ascii"))


def _is_named(before: bytes) -> bool:
    """Whether the nearest name is a secret's."""
    for name in reversed(_WORD.findall(before)):
        if name.lower() in _BETWEEN and not _SECRET_NAME.search(name):
            continue
        if _NO_SECRET.search(name) and not _SECRET_ID.fullmatch(name):
            return False
        if _SECRET_NAME.search(name) or _ZEGO.search(name):
            return True
        return bool(_SHORT_NAME.fullmatch(name) and _ZEGO.search(before))
    return False


def _is_in_call(data: bytes, start: int, end: int) -> bool:
    """Whether a generator of tokens is near, and the value is not clearly for something else."""
    before = data[max(0, start - _CALL_REACH) : start]
    if not _has_generator(before + data[end : end + _CALL_REACH]):
        return False
    named = _NAME_OF_VALUE.search(before)
    if named and _NO_SECRET.search(named[1]):
        return False
    function = _function(before)
    return function is None or _has_generator(function)


def _has_generator(text: bytes) -> bool:
    small = text.lower()
    return any(name in small for name in _GENERATORS)


def _function(before: bytes) -> bytes | None:
    """The function whose argument follows; ``None``: there is none, or its name tells nothing."""
    depth = 0
    for at in range(len(before) - 1, -1, -1):
        if before[at] in b")]}":
            depth += 1
        elif before[at] in b"([{" and depth:
            depth -= 1
        elif before[at] in b"([{":
            named = _FUNCTION.search(before, max(0, at - _NAME_REACH), at)
            is_known = before[at : at + 1] == b"(" and named and named[1].lower() not in _BETWEEN
            return named[1] if named and is_known else None
    return None


def _public_names(data: bytes, origin: Origin) -> Iterator[Match]:
    seen = -1
    for at in sorted(at for hint in _PUBLIC_HINTS for at in _all(data, hint)):
        before = data[max(0, at - _NAME_REACH) : at][::-1]
        name_before = _NAME_CHARACTERS.match(before)
        start = at - (name_before.end() if name_before else 0)
        rest = _NAME_CHARACTERS.match(data, at, at + _NAME_REACH)
        end = rest.end() if rest else at
        name = data[start:end]
        prefix = PUBLIC_PREFIX.match(name)
        if start == seen or prefix is None:
            continue
        has_secret = _PUBLIC_SECRET.search(name, prefix.end())
        if has_secret and not _NO_SECRET.search(name.replace(b"_", b" "), has_secret.end()):
            seen = start
            yield _about(data, "public-name", start, end, is_likely=not origin.is_document)


def _calls(data: bytes, origin: Origin) -> Iterator[Match]:
    for name in (_KIT_TOKEN, _PREBUILT, _TOKEN04):
        for at in _all(data, name):
            if call := _CALL.match(data, at):
                yield from _literals(data, call)
                kind = _call_kind(data, call)
                if kind is not None:
                    is_likely = _is_in_browser(name, origin)
                    yield _about(data, kind, *call.span("name"), is_likely=is_likely)
    for at in _all(data, _GENERATOR):
        end = at + len(_GENERATOR)
        yield _about(data, "token-generator", at, end, is_likely=origin.is_front_end)


def _call_kind(data: bytes, call: re.Match[bytes]) -> LeakKind | None:
    """What a call leaks, whatever its arguments are; a name alone may be a definition."""
    name, arguments = call["name"], call["arguments"]
    if name == _TOKEN04:
        has_secret = _SECRET_ARGUMENT.search(arguments)
        return "token-minted" if has_secret or arguments.count(b",") >= _TOKEN04_COMMAS else None
    if not _CALLED.search(data[max(0, call.start() - 32) : call.start()]):
        return None
    if name == _KIT_TOKEN + b"Test":
        return "kit-token-for-test"
    if name == _PREBUILT and not _is_uikits_own(data, call.start()):
        return "prebuilt-token"
    if name == _KIT_TOKEN + b"Production" and _SECRET_ARGUMENT.search(arguments):
        return "kit-token-for-production"
    return None


def _is_uikits_own(data: bytes, at: int) -> bool:
    """Whether the call is the body of UIKit's helper for tests, as in a page that contains UIKit.

    If a call of that helper is before it instead, that call is found.
    """
    return _KIT_TOKEN + b"Test" in data[max(0, at - _CALL_REACH) : at]


def _is_in_browser(name: bytes, origin: Origin) -> bool:
    """Servers also have ``generateToken04``, and a few a copy of UIKit's own generator."""
    if name == _TOKEN04:
        return origin.is_front_end
    return not origin.is_document and not (name == _PREBUILT and origin.is_server)


def _literals(data: bytes, call: re.Match[bytes]) -> Iterator[Match]:
    """Arguments of a generator that may be a ServerSecret, although they are not its usual digits.

    The generators take any 32 characters.
    """
    for literal in _LITERAL.finditer(data, *call.span("arguments")):
        start, end = literal.span(1)
        named = _NAME_OF_VALUE.search(data, max(0, start - _NAME_REACH), start)
        if named is None or not _NO_SECRET.search(named[1]):
            text = literal[1].decode("ascii")
            yield _about(data, "server-secret", start, end, is_likely=True, text=text)


def _all(data: bytes, hint: bytes) -> Iterator[int]:
    at = data.find(hint)
    while at >= 0:
        yield at
        at = data.find(hint, at + len(hint))


def _about(
    data: bytes, kind: LeakKind, start: int, end: int, *, is_likely: bool, text: str = ""
) -> Match:
    """Ignored if the rest of its line says so; in a source map, a line ends in a ``\\n`` of two."""
    rest = data[end : end + _IGNORE_REACH].split(b"\n", 1)[0].split(b"\\n", 1)[0]
    severity: Severity = "likely" if is_likely else "possible"
    return Match(kind, severity, start, end, text, is_ignored=_IGNORE in rest)
