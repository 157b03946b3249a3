"""What a token says, and how that is written: JSON with these keys, in this order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from zego.token04.envelope import Cipher, not_opened
from zego.token04.errors import ClaimsError

MAX_APP_ID: Final = 2**32 - 1

#: Names in the JSON, in the order of the fields of :class:`Claims`.
_JSON_NAMES: Final = ("app_id", "user_id", "nonce", "ctime", "expire", "payload")
_INT64_MAX: Final = 2**63 - 1
_json_string = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says.

    :ivar app_id: the project's AppID, 1 to 2^32-1.
    :ivar user_id: who may log in with it; any non-empty text (the SDKs take less, see
        :mod:`zego.identifiers`).
    :ivar nonce: any 64-bit integer; :func:`mint` draws 31 random bits.
    :ivar issued_at: Unix seconds (``ctime``).
    :ivar expires_at: Unix seconds (``expire``).
    :ivar payload: ``""``, or JSON as text such as :func:`room_payload` makes.
    """

    app_id: int
    user_id: str
    nonce: int
    issued_at: int
    expires_at: int
    payload: str = ""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An opened token.

    :ivar claims: what was sealed in it.
    :ivar cipher: how it was sealed.
    :ivar header_expires_at: the expiry that is readable without the secret, Unix seconds.
    """

    claims: Claims
    cipher: Cipher
    header_expires_at: int


def room_payload(
    room_id: str, *, login: bool, publish: bool, stream_ids: tuple[str, ...] | None = None
) -> str:
    """The payload of a privilege token: what its holder may do in one room.

    :param stream_ids: the streams that may be published; ``None`` is any.

    ZEGO enforces it only where its support has switched privilege tokens on for the AppID.
    """
    streams = "null" if stream_ids is None else f"[{','.join(map(_json_string, stream_ids))}]"
    return (
        f'{{"room_id":{_json_string(room_id)},"privilege":{{"1":{login:d},"2":{publish:d}}},'
        f'"stream_id_list":{streams}}}'
    )


def to_plaintext(claims: Claims) -> bytes:
    """The claims as ZEGO's generators write them: UTF-8, no white space, keys in this order."""
    _check(claims)
    try:
        return (
            f'{{"app_id":{claims.app_id},"user_id":{_json_string(claims.user_id)},'
            f'"nonce":{claims.nonce},"ctime":{claims.issued_at},"expire":{claims.expires_at},'
            f'"payload":{_json_string(claims.payload)}}}'
        ).encode()
    except UnicodeEncodeError:
        raise ClaimsError("user_id or payload holds half of a surrogate pair") from None


def from_plaintext(plaintext: bytes, cipher: Cipher) -> Claims:
    """Read what was sealed; the keys may stand in any order.

    :raises SealError: not JSON, from a cipher that does not tell whether the key was the right one.
    :raises ClaimsError: not claims that :func:`to_plaintext` would write.
    """
    try:
        values = json.loads(plaintext.decode())
    except (ValueError, RecursionError):
        if cipher == "cbc":  # it has no tag that would have told
            raise not_opened() from None
        raise ClaimsError("the sealed claims are not JSON") from None
    if not isinstance(values, dict):
        raise ClaimsError("the sealed claims are JSON, but not an object")
    missing = [name for name in _JSON_NAMES if name not in values]
    if missing:
        raise ClaimsError(f"the sealed claims lack {', '.join(missing)}")
    claims = Claims(*(values[name] for name in _JSON_NAMES))
    to_plaintext(claims)  # refuses what encode would refuse
    return claims


def _check(claims: Claims) -> None:
    app_id, user_id, nonce = claims.app_id, claims.user_id, claims.nonce
    if type(app_id) is not int or not 0 < app_id <= MAX_APP_ID:
        raise ClaimsError(_wrong("app_id", app_id, "a number from 1 to 4294967295"))
    if type(user_id) is not str or not user_id:
        raise ClaimsError(_wrong("user_id", user_id, "a non-empty string"))
    if type(nonce) is not int or not -_INT64_MAX - 1 <= nonce <= _INT64_MAX:
        raise ClaimsError(_wrong("nonce", nonce, "a 64-bit integer"))
    if type(claims.issued_at) is not int or not 0 <= claims.issued_at <= _INT64_MAX:
        raise ClaimsError(_wrong("ctime", claims.issued_at, "a time in Unix seconds"))
    if type(claims.expires_at) is not int or not 0 <= claims.expires_at <= _INT64_MAX:
        raise ClaimsError(_wrong("expire", claims.expires_at, "a time in Unix seconds"))
    if type(claims.payload) is not str:
        raise ClaimsError(_wrong("payload", claims.payload, "a string (JSON as text, or empty)"))


def _wrong(name: str, value: object, expected: str) -> str:
    """Say what is wrong with a claim by its type, or its value where that is a number."""
    if type(value) is int:
        shown = str(value) if abs(value) < 2**64 else "one so large"
    elif value == "":
        shown = "an empty one"
    else:
        shown = _JSON_TYPES.get(type(value), type(value).__name__)
    return f"{name} must be {expected}, not {shown}"


_JSON_TYPES: Final[dict[type, str]] = {
    str: "a string",
    bool: "a boolean",
    float: "a fraction",
    type(None): "null",
    dict: "an object",
    list: "an array",
}
