"""The corpus: broken tokens with all their mistakes, and good tokens with their sources.

The broken ones are the product of the fault model in :mod:`.generators`: each mistake alone and
every two of different dimensions, with GCM and CBC.
"""

from __future__ import annotations

import itertools
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from tests.unit.zego.diagnosis.builders import APP_ID, NOW
from tests.unit.zego.diagnosis.generators import (
    CBC,
    CLAIMS,
    GCM,
    MISTAKES,
    SECRET,
    Generator,
    Mistake,
    with_mistakes,
)
from tests.unit.zego.vendor_tokens import vendor_tokens
from zego.diagnosis.model import Expected, Sdk, TriedSecret


@dataclass(frozen=True)
class BrokenToken:
    """A token, its mistakes, and the secrets with which it is diagnosed.

    :ivar kinds: of all findings that name its mistakes.
    :ivar key: with which it was sealed.
    """

    name: str
    text: str = field(repr=False)
    kinds: frozenset[str]
    secrets: Mapping[str, TriedSecret]
    key: bytes = field(repr=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Indistinguishable:
    """Two mistakes, or dimensions, that give a token which something else explains as well.

    :ivar named: the kind of the finding that is expected instead of theirs.
    """

    one: str
    other: str
    named: str
    why: str

    def covers(self, mistakes: tuple[Mistake, ...]) -> bool:
        names = [str(mistake) for mistake in mistakes]
        return any(
            first.startswith(self.one) and second.startswith(self.other)
            for first, second in itertools.permutations(names, 2)
        )


INDISTINGUISHABLE: Final = (
    Indistinguishable(
        "mode: ECB",
        "order:",
        "wrong-mode",
        "ECB uses no IV, so nothing shows which bytes were meant to be one.",
    ),
    Indistinguishable(
        "mode_byte: missing",
        "text: no =",
        "truncated",
        "A good token that lost its last two characters is the same text.",
    ),
    *(
        Indistinguishable(
            f"form: {form}",
            f"length: {length}",
            "sealed-encoded",
            "The length may count the text or what it encodes, and so be right by chance.",
        )
        for form in ("base64", "hex")
        for length in ("of the base64", "one byte", "two bytes", "little-endian")
    ),
)

#: Claims with a ciphertext of less than 256 bytes.
SHORT: Final = {**CLAIMS, "payload": ""}


def broken_tokens(
    number: int, claims: Mapping[str, Any] = CLAIMS, *, is_listed: bool = False
) -> Iterator[BrokenToken]:
    """Every token with this number of mistakes. Left out are those of :data:`INDISTINGUISHABLE`,
    or, with ``is_listed``, all others.
    """
    seen: set[tuple[str, frozenset[str]]] = set()
    for generator, mistakes in itertools.product(
        (replace(GCM, claims=claims), replace(CBC, claims=claims)),
        itertools.combinations(MISTAKES, number),
    ):
        if any(one.covers(mistakes) for one in INDISTINGUISHABLE) != is_listed:
            continue
        token = broken_token(generator, mistakes)
        if token is not None and (token.text, token.kinds) not in seen:
            seen.add((token.text, token.kinds))
            yield token


def broken_token(generator: Generator, mistakes: tuple[Mistake, ...]) -> BrokenToken | None:
    """The token with these mistakes.

    ``None`` if two have the same dimension, or one of them is impossible or changes nothing.
    """
    wrong = with_mistakes(generator, *mistakes)
    if wrong is None or len({mistake.dimension for mistake in mistakes}) < len(mistakes):
        return None
    text = wrong.token()
    for some in itertools.combinations(mistakes, len(mistakes) - 1):
        fewer = with_mistakes(generator, *some)
        if fewer is not None and fewer.token() == text:
            return None
    secrets = {"AWSCURRENT": SECRET}
    for mistake in mistakes:
        secrets |= mistake.given
    return BrokenToken(
        f"{generator.mode}, {' and '.join(map(str, mistakes))}",
        text,
        frozenset[str]().union(*(mistake.kinds for mistake in mistakes)),
        {label: TriedSecret(value, APP_ID) for label, value in secrets.items()},
        wrong.key(wrong.secret),
    )


# --- Good tokens ---------------------------------------------------------------------------------


_SECRET: Final = TriedSecret(SECRET, APP_ID)


@dataclass(frozen=True)
class GoodToken:
    """A token as one of the vendor's generators makes it.

    :ivar source: the code that makes it, or that accepts it.
    :ivar sdks: for which it is diagnosed.
    :ivar refused: the kinds of findings for what the generator was given, if ZEGO refuses that.
    """

    name: str
    source: str
    text: str = field(repr=False)
    secret: TriedSecret = _SECRET
    now: int = NOW
    sdks: tuple[Sdk | None, ...] = (None,)
    refused: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.name} ({self.source})"

    def expected(self, sdk: Sdk | None) -> Expected:
        return Expected(self.now, self.secret.app_id, sdk=sdk)


#: What the generators were given that ZEGO refuses, by the case in ``tests/vectors``.
_REFUSED_INPUT: Final = {"user64": "user-id-too-long", "plain_len_mult16": "payload-not-json"}

_ASSISTANT: Final = "zego_server_assistant, token/"
_TEST: Final = "zego_uikit_prebuilt_web, generateKitTokenForTest in src/sdk/util.ts"
_PRODUCTION: Final = "zego_uikit_prebuilt_web, generateKitTokenForProduction in src/sdk/index.tsx"
_READER: Final = "zego_uikit_prebuilt_web, getConfig in src/sdk/modules/tools/util.ts"

_FIVE: Final = {name: value for name, value in CLAIMS.items() if name != "payload"}
#: UIKit's own generator: five claims, and an IV of decimal digits.
_UIKIT: Final = replace(CBC, claims=_FIVE, iv=b"4839201748392017")
_ABSENT: Final = object()


def _details(encoding: str = "ascii", **changes: object) -> str:
    """The details after the # of a kit token, as btoa(JSON.stringify()) writes them."""
    said: dict[str, object] = {
        "userID": "alice",
        "roomID": "room1",
        "userName": "Alice",
        "appID": APP_ID,
    }
    text = json.dumps(
        {name: value for name, value in (said | changes).items() if value is not _ABSENT},
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return b64encode(text.encode(encoding)).decode()


def _ordered(*names: str, **values: object) -> Mapping[str, Any]:
    """The same claims in the order of another generator."""
    claims = SHORT | values
    return {name: claims[name] for name in names}


def as_php_writes(claims: Mapping[str, Any]) -> str:
    text = json.dumps(claims, separators=(",", ":"))
    return text.replace("/", "\\/").replace("&", "\\u0026")


def _made() -> Iterator[tuple[str, str, Generator]]:
    java = ("payload", "ctime", "user_id", "app_id", "expire", "nonce")
    net = ("app_id", "user_id", "payload", "ctime", "expire", "nonce")
    for cipher, base in (("CBC", CBC), ("GCM", GCM)):
        letters = replace(base, iv=b"cceutxv9vrhfnx0r")
        escaped = replace(base, claims=SHORT | {"user_id": "a/é"}, syntax=as_php_writes)
        negative = replace(base, claims=_ordered(*java, nonce=-1073741824))
        yield f"{cipher}, an IV of letters", _ASSISTANT + "c++", replace(letters, claims=SHORT)
        yield f"{cipher}, with a room", _ASSISTANT + "nodejs", letters
        yield f"{cipher}, escapes", _ASSISTANT + "php", escaped
        yield f"{cipher}, JSON with spaces", _ASSISTANT + "python", replace(base, syntax=json.dumps)
        yield f"{cipher}, a negative nonce", _ASSISTANT + "java", negative
        yield f"{cipher}, another order", _ASSISTANT + ".net", replace(base, claims=_ordered(*net))
    repeated = replace(_UIKIT, iv=b"1234567891234567")
    one_day = replace(_UIKIT, claims=_FIVE | {"expire": NOW - 60 + 86400})
    yield "no payload, an IV of digits", _TEST, _UIKIT
    yield "no payload, an IV of repeated digits", _TEST, repeated
    yield "no payload, valid for a day", _TEST, one_day


def _kit_tokens() -> Iterator[tuple[str, str, str]]:
    token = _UIKIT.token()
    for name, source, details in (
        ("as it is", _TEST, _details()),
        ("a name that is percent-escaped UTF-8", _TEST, _details(userName=quote("用户 é"))),
        ("a room that is null", _TEST, _details(roomID=None)),
        ("an empty room", _TEST, _details(roomID="")),
        ("no room", _TEST, _details(roomID=_ABSENT)),
        ("an AppID as text", _READER, _details(appID=str(APP_ID))),
        ("an AppID as text, and no room", _READER, _details(appID=str(APP_ID), roomID=_ABSENT)),
        ("a name in Latin-1", _READER, _details("latin-1", userName="José Núñez")),
        ("no name", _READER, _details(userName=_ABSENT)),
        ("an empty name", _PRODUCTION, _details(userName="")),
        ("a name that is null", _READER, _details(userName=None)),
        ("more than UIKit reads", _READER, _details(avatar="https://a.example/1.png")),
        ("details without padding", _READER, _details().rstrip("=")),
    ):
        yield name, source, f"{token}#{details}"
    for generator in (GCM, CBC, replace(GCM, claims=SHORT), replace(CBC, claims=SHORT)):
        size = "a room" if "room1" in generator.claims["payload"] else "no room"
        text = f"{generator.token()}#{_details()}"
        yield f"{generator.mode}, payload of {size}", _PRODUCTION, text


def good_tokens() -> Iterator[GoodToken]:
    """All of ``tests/vectors``, UIKit's and further shapes that the vendor's generators make."""
    for vendor in vendor_tokens():
        case = vendor.case.removeprefix("KAT_")
        readable = int.from_bytes(b64decode(vendor.token[2:])[:8], "big")
        yield GoodToken(
            str(vendor),
            f"{_ASSISTANT}{vendor.generator}",
            vendor.token,
            TriedSecret(vendor.secret, vendor.app_id),
            now=readable - vendor.lifetime_seconds,
            refused=frozenset({_REFUSED_INPUT[case]} if case in _REFUSED_INPUT else ()),
        )
    for name, source, generator in _made():
        yield GoodToken(name, source, generator.token())
    for name, source, text in _kit_tokens():
        yield GoodToken(f"kit token, {name}", source, text, sdks=(None, "uikit"))
