"""What is wrong with what a token says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from zego import identifiers
from zego.diagnosis.findings import Expected, Found, found
from zego.diagnosis.spans import json_type, span
from zego.diagnosis.verified import Opened
from zego.identifiers import IdentifierError, Kind
from zego.token04 import MAX_APP_ID, MAX_LIFETIME_SECONDS, Envelope

NAMES: Final = ("app_id", "user_id", "nonce", "ctime", "expire", "payload")
#: What a text is that UTF-8 cannot hold.
HALF_A_PAIR: Final = "text with half of a surrogate pair"

_INT64: Final = range(-(2**63), 2**63)
_INT32: Final = range(-(2**31), 2**31)
#: From when on a time is in a smaller unit. As Unix seconds 10^11 is the year 5138, as milliseconds
#: 1973; and so on.
_UNITS: Final = ((10**17, "nanoseconds"), (10**14, "microseconds"), (10**11, "milliseconds"))
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
    if expires_at < 0:
        yield found("expire-wrong-type", what="negative")
    elif unit := _small_unit(expires_at):
        yield found("time-in-milliseconds", names="expire", unit=unit)
    elif expires_at < _LIFETIME:
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


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold it, in which every other token is sealed."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
    if not is_encodable(user_id):
        yield found("user-id-wrong-type", what=HALF_A_PAIR)
    if expected.user_id not in (None, user_id):
        how = _difference(user_id, expected.user_id or "")
        yield found("user-id-mismatch", expected=expected.user_id, how=how)
    yield from identifier("user_id", user_id, expected)
    size = len(user_id.encode("utf-8", "surrogatepass"))
    if _ZIM_MAX_USER_ID_BYTES < size <= identifiers.MAX_BYTES["user_id"] and expected.concerns(
        "zim"
    ):
        yield found("user-id-too-long-for-zim", size=size)


def _difference(one: str, other: str) -> str:
    """How alike two ids are which are not the same, as a sentence; empty where they are not."""
    if "".join(one.split()) == "".join(other.split()):
        return " They differ in white space alone."
    return " They differ in case alone." if one.casefold() == other.casefold() else ""


def _nonce(nonce: object) -> Iterator[Found]:
    if type(nonce) is not int or nonce not in _INT64:
        yield found("nonce-wrong-type", what=json_type(nonce))
    elif nonce not in _INT32:
        yield found("nonce-out-of-range")


def _times(claims: Mapping[str, Any], envelope: Envelope, expected: Expected) -> Iterator[Found]:
    times: dict[str, int] = {}
    for name in ("ctime", "expire"):
        if name in claims:
            value = claims[name]
            if type(value) is not int or value not in _INT64:
                yield found(f"{name}-wrong-type", what=json_type(value))
            elif value < 0:
                yield found(f"{name}-wrong-type", what="negative")
            else:
                times[name] = value
    small = {name: unit for name, value in times.items() if (unit := _small_unit(value))}
    if small:
        unit = next(iter(small.values()))
        yield found("time-in-milliseconds", names=" and ".join(small), unit=unit)
    expires_at = times.get("expire")
    if expires_at is not None and expires_at != envelope.expires_at:
        yield found("expiry-mismatch", readable=envelope.expires_at, sealed=expires_at)
    if "expire" not in claims:
        yield from readable_expiry(envelope.expires_at, expected)
    elif expires_at is not None and "expire" not in small:
        issued_at = None if "ctime" in small else times.get("ctime")
        yield from _life(issued_at, expires_at, expected)


def _small_unit(moment: int) -> str | None:
    """The unit of a time that cannot be in seconds."""
    return next((unit for least, unit in _UNITS if moment >= least), None)


def _life(issued_at: int | None, expires_at: int, expected: Expected) -> Iterator[Found]:
    is_brief = False
    if issued_at is not None and expires_at >= _LIFETIME:
        lifetime = expires_at - issued_at
        if issued_at > expected.now + _SKEW_SECONDS:
            yield found("issued-in-future", ahead=span(issued_at - expected.now))
        if lifetime > MAX_LIFETIME_SECONDS and expected.concerns("zim"):
            yield found("lifetime-over-24-days", lifetime=lifetime, limit=MAX_LIFETIME_SECONDS)
        is_brief = lifetime < _MIN_LIFETIME_SECONDS
        if is_brief:
            what = f"live {span(lifetime)}" if lifetime > 0 else "end before it begins"
            yield found("lifetime-under-30s", what=what)
    if not is_brief or expires_at <= expected.now:
        yield from readable_expiry(expires_at, expected)


def _left(seconds: float, expected: Expected) -> Iterator[Found]:
    if seconds < _MIN_LIFETIME_SECONDS:
        yield found("expires-within-30s", left=span(seconds))
    if seconds > _MAX_TIMER_SECONDS and expected.concerns("web", "uikit"):
        yield found("timer-overflow", left=span(seconds))
