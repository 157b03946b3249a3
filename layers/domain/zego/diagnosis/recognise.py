"""Finds out what a text is: a Token04, a kit token, or something else that was used as a token.

:func:`recognise` first lets :mod:`.repair` undo what happened to the text on its way. Then it
checks for text that is not a token (a missing value, a placeholder, a page, another response) and
for text that resembles one (a JWT, another vendor's token, JSON that was never encrypted, a hash,
an older token). Any other text begins as a Token04 does, and :mod:`.envelope` reads it.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from zego import strict_json
from zego.diagnosis.envelope import has_head, read_envelope, readable_expiry
from zego.diagnosis.model import Observation, TokenForm, found
from zego.diagnosis.repair import readable_bytes, standard_base64, unwrap
from zego.diagnosis.unsealed import clear_json, unsealed_json
from zego.diagnosis.vendors import vendor_of_jwt, vendor_of_text
from zego.token04 import PREFIX, Envelope

#: A Token04's two length fields have 16 bits each, so it has fewer than 174,800 characters.
MAX_CHARACTERS: Final = 200_000

#: How logs and people mark that something is left out.
_LEFT_OUT: Final = re.compile(
    "\u2026|\u2022{2,}|\\.{2,}|\\*{2,}"
    r"|[\[<(](?i:redacted|removed|hidden|masked|filtered|truncated|snip(?:ped)?|cut|omitted)[\])>]"
)
_NON_ASCII: Final = re.compile(r"[^\x00-\x7f]")
#: A shorter text may begin with 04 by chance, as a date or a telephone number does.
_MIN_MALFORMED: Final = 60
_KIT_MARK: Final = "#"
_KIT_TYPES: Final[Mapping[str, type]] = {"userID": str, "roomID": str, "appID": int}
_APP_ID: Final = re.compile(" *[0-9]{1,10} *", re.ASCII)

#: How languages convert a value that is not text to text.
_NO_VALUES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile("undefined"), "JavaScript's undefined (a variable or field that does not exist)"),
    (re.compile("(?i:null|none|nil|<nil>|nullptr)"), "a missing value (null, None, nil)"),
    (re.compile("(?i:true|false)"), "a boolean (whether there is a token)"),
    (re.compile("NaN"), "NaN (a token was converted to a number)"),
    (re.compile(r"\[object Promise\]|Promise \{.*", re.DOTALL), "a promise that was not awaited"),
    (re.compile("<coroutine object .*", re.DOTALL), "a coroutine that was not awaited"),
    (re.compile(r"\[object \w+\]|Array"), "an object (the token is one of its fields)"),
    (
        re.compile(r"(?:async )?function\b.*|\([\w, ]*\) ?=>.*", re.DOTALL),
        "a function that was not called",
    ),
)
#: A URL parameter or a field that has such a value.
_FIELD: Final = re.compile(r"token[\"']?\s*[=:]\s*(undefined|null|NaN|\[object \w+\])(?![\w-])")
_PLACEHOLDER: Final = re.compile(
    r"\$\{?\w+\}?|%\w+%|<[\w -]+>|\{\{[^{}]*\}\}|\{\w+\}|(?:process|import\.meta)\.env\.\w+"
    r"|(?i:(?:enter|insert|paste|put)?[ _-]*(?:your|my|the)[ _-](?:\w+[ _-])?token(?:[ _-]here)?"
    r"|change[ _-]?me|replace[ _-]?me|todo|token|placeholder|x{3,})"
)
_PAGE: Final = re.compile(r"<(?:!doctype|html|head|body|\?xml|script|!--)", re.IGNORECASE)
#: A longer text is not a single word.
_LONGEST_WORD: Final = 300

_CLAIM_NAMES: Final = {"app_id", "user_id", "ctime", "expire"}
_ERROR_NAMES: Final = {"error", "errors", "message", "detail", "title", "code", "Code"}

_HEX: Final = re.compile(r"[0-9A-Fa-f]{32,}")
_UUID: Final = re.compile(r"\{?[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\}?")
_OLDER: Final = re.compile(r"0[1-3][0-9A-Za-z+/_-]{16,}=*")
#: Base64 of a text that begins with 04, or as a JWT does.
_BASE64_TEXT: Final = re.compile(r"(?:MD[QRST]|ZX[kl])[0-9A-Za-z+/_-]{30,}={0,2}")
#: What every JWT's header has at least one of; claims have none of them.
_JOSE_NAMES: Final = {"alg", "typ", "kid", "enc"}
#: The beginnings of a JWT's header, often all that is left of it: {"alg, {"typ, {"kid.
_JOSE_BEGINS: Final = ("eyJhbGci", "eyJ0eXAi", "eyJraWQi")
#: The algorithms of RFC 7518 and 8037. Any other text is not repeated: it may be anything.
_ALGORITHM: Final = re.compile(
    r"none|dir|(?:HS|RS|PS)(?:256|384|512)|ES(?:256K?|384|512)|EdDSA|Ed25519|Ed448|RSA1_5"
    r"|RSA-OAEP(?:-256)?|A(?:128|192|256)(?:GCM)?KW|ECDH-ES(?:\+A(?:128|192|256)KW)?"
)


@dataclass(frozen=True, slots=True)
class TokenText:
    """What a text is.

    :ivar envelope: of the Token04 in it; ``None`` if there is no Token04, or it cannot be read.
    :ivar header_expires_at: Unix seconds, if that much of a Token04 can be read.
    :ivar kit_details: the part of a kit token after its #.
    """

    form: TokenForm
    problems: tuple[Observation, ...]
    envelope: Envelope | None = field(default=None, repr=False)
    header_expires_at: int | None = None
    kit_details: Mapping[str, Any] | None = field(default=None, repr=False)


def recognise(text: str) -> TokenText:
    """Find out what a text is. If a Token04 was changed on its way, that is undone and reported;
    for any other text, only what it is.
    """
    if len(text) > MAX_CHARACTERS:
        return _other(found("too-long", length=len(text), limit=MAX_CHARACTERS))
    if clear := clear_json(text):  # before a repair changes the JSON
        return _other(clear)
    text, problems = unwrap(text)
    if non_token := _known_non_token(text):
        return _other(non_token)
    return _lookalike(text) or _named_token(text, problems)


def _named_token(text: str, problems: list[Observation]) -> TokenText:
    """A Token04 or a kit token; or neither."""
    token, mark, details = text.partition(_KIT_MARK)
    token, prefix_problem = _with_prefix(token)
    if not token:
        return _other(found("not-a-token"))
    if prefix_problem:
        problems.append(prefix_problem)
    if mark:
        return _kit_token(token, details, problems)
    return _token04(token, problems)


def _with_prefix(token: str) -> tuple[str, Observation | None]:
    """The token with its 04, once; empty if the text is not a token."""
    if token.startswith(PREFIX + PREFIX + "AAA"):
        return token[len(PREFIX) :], found("prefix-twice")
    if token.startswith(PREFIX):
        is_one = len(token) >= _MIN_MALFORMED or has_head(token)
        return token if is_one else "", None
    for missing in (PREFIX, PREFIX[:1]):
        whole = missing + token
        if whole.startswith(PREFIX + "AA") and read_envelope(whole)[0] is not None:
            return whole, found("prefix-missing")
    return "", None


def _token04(token: str, problems: list[Observation]) -> TokenText:
    """A Token04, whole or damaged."""
    if _LEFT_OUT.search(token):
        hopeless = found("shortened")
    elif foreign := _NON_ASCII.search(token):
        hopeless = found("non-ascii", codepoint=f"{ord(foreign[0]):04X}")
    else:
        envelope, expires_at, damages = read_envelope(token)
        return TokenText("token04", (*problems, *damages), envelope, expires_at)
    return TokenText("token04", (*problems, hopeless), None, readable_expiry(token))


def _kit_token(token: str, details: str, problems: list[Observation]) -> TokenText:
    kit_details, kit_problem = _kit_details(details)
    problems = [*problems, found("kit-token"), *([kit_problem] if kit_problem else ())]
    return replace(_token04(token, problems), form="kit-token", kit_details=kit_details)


def _kit_details(text: str) -> tuple[Mapping[str, Any] | None, Observation | None]:
    """The user's details that UIKit reads after the #, or what is wrong with them.

    ``roomID`` is ``None`` in an invitation. Source: the vendor's generators of kit tokens write
    base64 of ``{userID, roomID, userName, appID}``; UIKit reads it with ``atob``, so Latin-1
    passes, and multiplies ``appID`` by 1, so a numeric text passes.
    """
    try:
        binary = b64decode(standard_base64(text))
        try:
            values = strict_json.loads_object(binary)
        except UnicodeDecodeError:
            values = strict_json.loads_object(binary.decode("latin-1"))
    except ValueError:
        return None, found("kit-details-malformed", what="they are not a JSON object in base64")
    app_id = values.get("appID")
    if isinstance(app_id, str) and _APP_ID.fullmatch(app_id):
        app_id = int(app_id)
    details = {
        "userID": values.get("userID"),
        "roomID": values.get("roomID") or None,
        "appID": app_id,
    }
    wrong = [
        name
        for name, kind in _KIT_TYPES.items()
        if type(details[name]) is not kind and (name, details[name]) != ("roomID", None)
    ]
    if wrong:
        what = f"{', '.join(wrong)} missing or of the wrong type"
        return None, found("kit-details-malformed", what=what)
    return details, None


def _other(problem: Observation) -> TokenText:
    return TokenText("other", (problem,))


def _known_non_token(text: str) -> Observation | None:
    """What the text is, if it is a known text that is not a token, else ``None``."""
    if not text:
        return found("empty")
    if text.startswith(PREFIX):
        return None
    if _PAGE.match(text):
        return found("html-page")
    if text.startswith(("{", "[")) and (what := _response_kind(text)):
        return found("answer-without-token", what=what)
    return None if len(text) > _LONGEST_WORD else _word(text)


def _word(text: str) -> Observation | None:
    named = _FIELD.search(text)
    value = named[1] if named else text
    for pattern, what in _NO_VALUES:
        if pattern.fullmatch(value):
            return found("no-value", what=what)
    return found("placeholder") if _PLACEHOLDER.fullmatch(value) else None


def _response_kind(text: str) -> str | None:
    """What a JSON object or array without a token may be; ``None`` if the text is not JSON."""
    try:
        values = strict_json.loads(text)
    except ValueError:
        return None
    names = set(values) if isinstance(values, dict) else set[str]()
    if _CLAIM_NAMES & names:
        return "claims that were never encrypted"
    return (
        "probably an error" if _ERROR_NAMES & names else "another response, or the token is missing"
    )


def _lookalike(text: str) -> TokenText | None:
    """What the text is, if it resembles a token; ``None`` if it may be a Token04 or is unknown."""
    compact = "".join(text.split())
    for reading in _readings(compact.removeprefix(PREFIX)):
        if readable := _readable(reading):
            return readable
    if _UUID.fullmatch(compact):
        return _other(found("hex-string", length=32, what="a UUID"))
    if _HEX.fullmatch(compact):
        return _other(found("hex-string", length=len(compact), what=_hex_kind(len(compact))))
    if _OLDER.fullmatch(compact):
        return TokenText("older-token", (found("older-token", version=compact[:2]),))
    return None


def _readings(text: str) -> Iterator[str]:
    """The text, and what it is in base64, if that is a token's text again."""
    yield text
    if _BASE64_TEXT.fullmatch(text):
        binary = readable_bytes(text)
        if binary.isascii():
            yield "".join(binary.decode().split()).removeprefix(PREFIX)


def _readable(text: str) -> TokenText | None:
    """What can be read in a text without a key: another vendor's token, a JWT, or plain JSON."""
    if jwt := _jwt(text):
        return TokenText("jwt", (jwt,))
    vendor = vendor_of_text(text)
    observation = found("other-vendor", name=vendor) if vendor else unsealed_json(text)
    return None if observation is None else _other(observation)


def _jwt(text: str) -> Observation | None:
    """What a JWT is, even if only its header is left."""
    if not text.startswith("ey"):
        return None
    header_text, _, rest = text.partition(".")
    header = _json_in_base64(header_text)
    if header is None:
        is_begun = text.startswith(_JOSE_BEGINS)
        return found("jwt", algorithm="cut off", whose="") if is_begun else None
    if not _JOSE_NAMES & header.keys():
        return None
    claims = _json_in_base64(rest.partition(".")[0]) or {}
    vendor = vendor_of_jwt(header, claims)
    whose = f" By its header and claims, it is {vendor}." if vendor else ""
    return found("jwt", algorithm=_algorithm(header.get("alg")), whose=whose)


def _algorithm(value: object) -> str:
    if value is None:
        return "no algorithm named"
    is_known = isinstance(value, str) and _ALGORITHM.fullmatch(value)
    return str(value) if is_known else "non-standard algorithm"


def _hex_kind(length: int) -> str:
    return {
        32: "perhaps a ServerSecret or an MD5 hash",
        40: "perhaps a SHA-1 hash or its HMAC",
        64: "perhaps an AppSign, a SHA-256 hash or its HMAC",
    }.get(length, "perhaps a hash")


def _json_in_base64(text: str) -> dict[str, Any] | None:
    if not text.startswith(("ey", "ew")):  # a JSON object begins so: {" or { and a line break
        return None
    try:
        return strict_json.loads_object(b64decode(standard_base64(text)))
    except ValueError:
        return None
