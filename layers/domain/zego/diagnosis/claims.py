"""What is wrong with what a token says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from zego import identifiers
from zego.diagnosis.findings import Expected, Found, found
from zego.diagnosis.sealing import Opened
from zego.diagnosis.spans import json_type, span
from zego.identifiers import IdentifierError, Kind
from zego.token04 import MAX_APP_ID, MAX_LIFETIME_SECONDS, Envelope

NAMES: Final = ("app_id", "user_id", "nonce", "ctime", "expire", "payload")

_INT64: Final = range(-(2**63), 2**63)
_INT31: Final = range(2**31)
#: As Unix seconds this is the year 5138, as milliseconds 1973.
_MILLISECONDS: Final = 10**11
#: As Unix seconds this is 2001; no lifetime is as long.
_LIFETIME: Final = 10**9
_ZIM_MAX_USER_ID_BYTES: Final = 32
_MIN_LIFETIME_SECONDS: Final = 30
#: Clocks that are kept by NTP differ by less.
_SKEW_SECONDS: Final = 5
#: The web SDK wakes 30 s before the expiry, with a timer of 31 bits of milliseconds.
_MAX_TIMER_SECONDS: Final = (2**31 - 1) / 1000 + 30


def about(opened: Opened, envelope: Envelope, expected: Expected) -> Iterator[Found]:
    """All that is wrong with the sealed claims, their payload aside."""
    if not opened.is_json:
        yield found("claims-not-json")
        return
    if not isinstance(opened.content, dict):
        yield found("claims-not-object")
        return
    claims: Mapping[str, Any] = opened.content
    missing = [name for name in NAMES if name not in claims]
    if missing:
        yield found("claims-missing", names=", ".join(missing))
    if "app_id" in claims:
        yield from _app_id(claims["app_id"], opened, expected)
    if "user_id" in claims:
        yield from _user_id(claims["user_id"], expected)
    if "nonce" in claims:
        yield from _nonce(claims["nonce"])
    yield from _times(claims, envelope, expected)


def readable_expiry(expires_at: int, expected: Expected) -> Iterator[Found]:
    """What the expiry says that is readable without a secret."""
    if expires_at >= _MILLISECONDS:
        yield found("time-in-milliseconds", name="expire")
    elif 0 <= expires_at < _LIFETIME:
        yield found("expire-is-a-lifetime", found=expires_at)
    elif expires_at <= expected.now:
        yield found("expired", ago=span(expected.now - expires_at))
    else:
        yield from _left(expires_at - expected.now, expected)


def identifier(kind: Kind, value: str, expected: Expected) -> Iterator[Found]:
    """What is wrong with a user's or a room's id."""
    name = "user-id" if kind == "user_id" else "room-id"
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > identifiers.MAX_BYTES[kind]:
        yield found(f"{name}-too-long", size=size)
    if expected.concerns("web", "uikit"):
        try:
            identifiers.check_characters(kind, value)
        except IdentifierError as error:
            yield found(f"{name}-characters", what=str(error))


def _app_id(app_id: object, opened: Opened, expected: Expected) -> Iterator[Found]:
    if type(app_id) is not int:
        yield found("app-id-wrong-type", what=json_type(app_id))
    elif not 1 <= app_id <= MAX_APP_ID:
        yield found("app-id-out-of-range")
    elif expected.app_id not in (None, app_id):
        yield found("app-id-mismatch", found=app_id, expected=expected.app_id)
    elif opened.app_id not in (None, app_id):
        yield found("other-project", found=app_id, label=opened.label, expected=opened.app_id)


def _user_id(user_id: object, expected: Expected) -> Iterator[Found]:
    if type(user_id) is not str:
        yield found("user-id-wrong-type", what=json_type(user_id))
        return
    if not user_id:
        yield found("user-id-empty")
        return
    if expected.user_id not in (None, user_id):
        yield found("user-id-mismatch", expected=expected.user_id)
    yield from identifier("user_id", user_id, expected)
    size = len(user_id.encode("utf-8", "surrogatepass"))
    if size > _ZIM_MAX_USER_ID_BYTES and expected.concerns("zim"):
        yield found("user-id-too-long-for-zim", size=size)


def _nonce(nonce: object) -> Iterator[Found]:
    if type(nonce) is not int or nonce not in _INT64:
        yield found("nonce-wrong-type", what=json_type(nonce))
    elif nonce not in _INT31:
        yield found("nonce-out-of-range")


def _times(claims: Mapping[str, Any], envelope: Envelope, expected: Expected) -> Iterator[Found]:
    times: dict[str, int] = {}
    for name in ("ctime", "expire"):
        value = claims.get(name)
        if name not in claims:
            continue
        if type(value) is not int or value not in _INT64:
            yield found("time-wrong-type", name=name, what=json_type(value))
        elif value >= _MILLISECONDS:
            yield found("time-in-milliseconds", name=name)
        else:
            times[name] = value
    issued_at, expires_at = times.get("ctime"), times.get("expire")
    if "expire" in claims and expires_at is None:
        return  # what is readable says no more
    if expires_at is None:
        yield from readable_expiry(envelope.expires_at, expected)
        return
    if expires_at != envelope.expires_at:
        yield found("expiry-mismatch", readable=envelope.expires_at, sealed=expires_at)
    if issued_at is None:
        yield from readable_expiry(expires_at, expected)
        return
    yield from _life(issued_at, expires_at, expected)


def _life(issued_at: int, expires_at: int, expected: Expected) -> Iterator[Found]:
    lifetime = expires_at - issued_at
    if issued_at > expected.now + _SKEW_SECONDS:
        yield found("issued-in-future", ahead=span(issued_at - expected.now))
    if lifetime > MAX_LIFETIME_SECONDS and expected.concerns("zim"):
        yield found("lifetime-over-24-days", lifetime=span(lifetime))
    if _LIFETIME > expires_at >= 0:
        yield from readable_expiry(expires_at, expected)
        return
    if lifetime < _MIN_LIFETIME_SECONDS:
        yield found("lifetime-under-30s", lifetime=span(lifetime))
        if expires_at > expected.now:
            return
    yield from readable_expiry(expires_at, expected)


def _left(seconds: float, expected: Expected) -> Iterator[Found]:
    if seconds < _MIN_LIFETIME_SECONDS:
        yield found("expires-within-30s", left=span(seconds))
    if seconds > _MAX_TIMER_SECONDS and expected.concerns("web", "uikit"):
        yield found("timer-overflow", left=span(seconds))
