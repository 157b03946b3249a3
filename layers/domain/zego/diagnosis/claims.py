"""Checks the content of a token: the claims, their payload, and a kit token's details.

The claims name the user and the time; the payload says what the user may do in one room; the
details after the # of a kit token repeat some of both for UIKit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from zego import duration, identifiers, strict_json
from zego.diagnosis.layout import written_expiry
from zego.diagnosis.model import Expected, Observation, OpenedToken, found
from zego.diagnosis.plaintext import NAMES, number
from zego.identifiers import IdentifierError, IdentifierKind
from zego.token04 import MAX_APP_ID, MAX_LIFETIME_SECONDS

#: Describes text that UTF-8 cannot encode.
_HALF_A_PAIR: Final = "text with an unpaired surrogate"

_LOGIN: Final = "1"
_PUBLISH: Final = "2"
_INT64: Final = range(-(2**63), 2**63)
_INT32: Final = range(-(2**31), 2**31)
#: A time of at least this is in a smaller unit. 10^11 is the year 5138 in Unix seconds, but 1973 in
#: milliseconds; and so on.
_UNITS: Final = ((10**17, "nanoseconds"), (10**14, "microseconds"), (10**11, "milliseconds"))
#: In Unix seconds this is 2001; no lifetime is this long.
_LIFETIME: Final = 10**9
_ZIM_MAX_USER_ID_BYTES: Final = 32
_MIN_LIFETIME_SECONDS: Final = 30
#: Clocks that NTP sets differ by less.
_SKEW_SECONDS: Final = 5
#: The web SDK wakes 30 s before the expiry, with a timer of 31 bits of milliseconds.
_MAX_TIMER_SECONDS: Final = (2**31 - 1) / 1000 + 30


def about_claims(
    opened: OpenedToken, header_expires_at: int | None, expected: Expected
) -> Iterator[Observation]:
    """Everything that is wrong with the claims, except their payload."""
    yield from opened.problems
    if opened.content is None:
        return
    claims = opened.content
    missing = [name for name in NAMES if name not in claims]
    if missing == ["payload"]:
        yield found("payload-missing")
    elif missing:
        yield found("claims-missing", names=", ".join(missing))
    if "app_id" in claims:
        yield from _app_id(claims["app_id"], opened, expected)
    if "user_id" in claims:
        yield from _user_id(claims["user_id"], expected)
    if "nonce" in claims:
        yield from _nonce(claims["nonce"])
    yield from _times(claims, header_expires_at, expected)


def readable_expiry(expires_at: int, expected: Expected) -> Iterator[Observation]:
    """What is wrong with the expiry that is readable without a secret."""
    if expires_at < 0:
        yield found("expire-wrong-type", what="negative")
    elif unit := _small_unit(expires_at):
        yield found("time-in-milliseconds", names="expire", unit=unit)
    elif expires_at < _LIFETIME:
        yield found("expire-is-a-lifetime", found=expires_at)
    elif expires_at <= expected.now:
        yield found("expired", ago=duration(expected.now - expires_at))
    else:
        yield from _left(expires_at - expected.now, expected)


def about_payload(payload: object, expected: Expected) -> Iterator[Observation]:
    """Everything that is wrong with the payload. ZIM does not read it, so accepts any text."""
    if type(payload) is not str:
        yield found("payload-wrong-type", what=_json_type(payload))
        return
    if not _is_encodable(payload):
        yield found("payload-wrong-type", what=_HALF_A_PAIR)
        return
    if not payload or expected.sdk == "zim":
        return
    try:
        grant = strict_json.loads(payload)
    except ValueError:
        yield found("payload-not-json")
        return
    if not isinstance(grant, dict):
        yield found("payload-not-object")
        return
    yield from _room(grant, expected)
    yield from _privileges(grant.get("privilege"), expected)
    yield from _streams(grant.get("stream_id_list"))


def about_kit_details(
    details: Mapping[str, Any], sealed: Mapping[str, Any] | None, expected: Expected
) -> Iterator[Observation]:
    """Details that differ from the claims or from what was expected.

    :param sealed: the claims; ``None`` if they are not known.
    """
    wanted: dict[str, dict[str, Any]] = {
        "what was expected": {
            "userID": expected.user_id,
            "roomID": expected.room_id,
            "appID": expected.app_id,
        }
    }
    if sealed is not None:
        wanted = {"the claims in the token": _as_kit_details(sealed), **wanted}
    for what, values in wanted.items():
        known = {name: one for name, one in values.items() if None not in (one, details[name])}
        names = [name for name, one in known.items() if one != details[name]]
        if names:
            yield found("kit-mismatch", names=", ".join(names), what=what)


def _app_id(app_id: object, opened: OpenedToken, expected: Expected) -> Iterator[Observation]:
    if type(app_id) is not int:
        yield found("app-id-wrong-type", what=_json_type(app_id))
    elif not 1 <= app_id <= MAX_APP_ID:
        yield found("app-id-out-of-range")
    elif expected.app_id not in (None, app_id):
        yield found("app-id-mismatch", found=app_id, expected=expected.app_id)
    elif opened.app_id not in (None, app_id):
        yield found("other-project", found=app_id, label=opened.label, expected=opened.app_id)


def _user_id(user_id: object, expected: Expected) -> Iterator[Observation]:
    if type(user_id) is not str:
        yield found("user-id-wrong-type", what=_json_type(user_id))
        return
    if not user_id:
        yield found("user-id-empty")
        return
    if not _is_encodable(user_id):
        yield found("user-id-wrong-type", what=_HALF_A_PAIR)
    if expected.user_id not in (None, user_id):
        how = _difference(user_id, expected.user_id or "")
        yield found("user-id-mismatch", expected=expected.user_id, how=how)
    yield from _identifier("user_id", user_id, expected)
    size = len(user_id.encode("utf-8", "surrogatepass"))
    if _ZIM_MAX_USER_ID_BYTES < size <= identifiers.MAX_BYTES["user_id"] and expected.concerns(
        "zim"
    ):
        yield found("user-id-too-long-for-zim", size=size)


def _difference(one: str, other: str) -> str:
    """A sentence that says how little two ids differ; empty if they differ in more than that."""
    if "".join(one.split()) == "".join(other.split()):
        return " The two ids differ only in white space."
    return " The two ids differ only in case." if one.casefold() == other.casefold() else ""


def _nonce(nonce: object) -> Iterator[Observation]:
    if type(nonce) is not int or nonce not in _INT64:
        yield found("nonce-wrong-type", what=_json_type(nonce))
    elif nonce not in _INT32:
        yield found("nonce-out-of-range")


def _times(
    claims: Mapping[str, Any], header_expires_at: int | None, expected: Expected
) -> Iterator[Observation]:
    times: dict[str, int] = {}
    for name in ("ctime", "expire"):
        if name in claims:
            value = claims[name]
            if type(value) is not int or value not in _INT64:
                yield found(f"{name}-wrong-type", what=_json_type(value))
            elif value < 0:
                yield found(f"{name}-wrong-type", what="negative")
            else:
                times[name] = value
    small = {name: unit for name, value in times.items() if (unit := _small_unit(value))}
    if small:
        unit = next(iter(small.values()))
        yield found("time-in-milliseconds", names=" and ".join(small), unit=unit)
    expires_at = times.get("expire")
    sealed = number(claims.get("expire"))
    if sealed is not None and header_expires_at is not None:
        yield from _other_expiry(header_expires_at, sealed)
    if "expire" not in claims:
        if header_expires_at is not None:
            yield from readable_expiry(header_expires_at, expected)
    elif expires_at is not None and "expire" not in small:
        issued_at = None if "ctime" in small else times.get("ctime")
        yield from _life(issued_at, expires_at, expected)


def _other_expiry(readable: int, sealed: int) -> Iterator[Observation]:
    how = written_expiry(readable, sealed)
    if how:
        yield found("expiry-field", what=how)
    elif how is None and 0 <= readable < _LIFETIME:
        yield found("expiry-field", what="a lifetime, or a time before 2001")
    elif how is None:
        yield found("expiry-mismatch", readable=readable, sealed=sealed)


def _small_unit(moment: int) -> str | None:
    """The unit of a time that is too large to be in seconds, if it is."""
    return next((unit for least, unit in _UNITS if moment >= least), None)


def _life(issued_at: int | None, expires_at: int, expected: Expected) -> Iterator[Observation]:
    is_brief = False
    if issued_at is not None and expires_at >= _LIFETIME:
        lifetime = expires_at - issued_at
        if issued_at > expected.now + _SKEW_SECONDS:
            yield found("issued-in-future", ahead=duration(issued_at - expected.now))
        if lifetime > MAX_LIFETIME_SECONDS and expected.concerns("zim"):
            yield found("lifetime-over-24-days", lifetime=lifetime, limit=MAX_LIFETIME_SECONDS)
        is_brief = lifetime < _MIN_LIFETIME_SECONDS
        if is_brief:
            what = duration(lifetime) if lifetime > 0 else "not longer than 0 s"
            yield found("lifetime-under-30s", what=what)
    if not is_brief or expires_at <= expected.now:
        yield from readable_expiry(expires_at, expected)


def _left(seconds: float, expected: Expected) -> Iterator[Observation]:
    if seconds < _MIN_LIFETIME_SECONDS:
        yield found("expires-within-30s", left=duration(seconds))
    if seconds > _MAX_TIMER_SECONDS and expected.concerns("web", "uikit"):
        yield found("timer-overflow", left=duration(seconds))


def _room(grant: Mapping[str, Any], expected: Expected) -> Iterator[Observation]:
    room_id = grant.get("room_id")
    if type(room_id) is not str or not room_id:
        what = "missing" if "room_id" not in grant else _json_type(room_id)
        yield found("payload-without-room", what="empty" if room_id == "" else what)
        return
    if expected.room_id not in (None, room_id):
        yield found("room-mismatch", expected=expected.room_id)
    yield from _identifier("room_id", room_id, expected)


def _privileges(privileges: object, expected: Expected) -> Iterator[Observation]:
    if not isinstance(privileges, dict):
        yield found("privileges-malformed", what=f"it is {_json_type(privileges)}, not an object")
    elif privileges.keys() - {_LOGIN, _PUBLISH}:
        yield found("privileges-malformed", what="it has keys other than 1 and 2")
    elif any(type(value) is not int or value not in (0, 1) for value in privileges.values()):
        yield found("privileges-malformed", what="its values are not the numbers 0 and 1")
    else:
        if not privileges.get(_LOGIN):
            yield found("no-login")
        if not privileges.get(_PUBLISH) and expected.publish is not False:
            yield found("no-publish", "refused" if expected.publish else "note")


def _streams(stream_ids: object) -> Iterator[Observation]:
    if stream_ids is None:
        return
    if not isinstance(stream_ids, list) or any(type(one) is not str for one in stream_ids):
        what = (
            "an array with other values" if isinstance(stream_ids, list) else _json_type(stream_ids)
        )
        yield found("stream-ids-malformed", what=what)
        return
    for stream_id in stream_ids:
        try:
            identifiers.check("stream_id", stream_id)
        except IdentifierError as error:
            yield found("stream-id-refused", what=str(error))
            return


def _identifier(kind: IdentifierKind, value: str, expected: Expected) -> Iterator[Observation]:
    """What is wrong with a user id or a room id."""
    name = "user-id" if kind == "user_id" else "room-id"
    size = len(value.encode("utf-8", "surrogatepass"))
    if size > identifiers.MAX_BYTES[kind]:
        yield found(f"{name}-too-long", size=size)
    if expected.concerns("web", "uikit"):
        try:
            identifiers.check_characters(kind, value)
        except IdentifierError as error:
            yield found(f"{name}-characters", what=str(error))


def _as_kit_details(sealed: Mapping[str, Any]) -> dict[str, Any]:
    """The details that a kit token would have with these claims, as far as they are known."""
    try:
        room_id = strict_json.loads_object(sealed["payload"]).get("room_id")
    except (LookupError, TypeError, ValueError):  # no payload, an object, or not JSON
        room_id = None
    return {"userID": sealed.get("user_id"), "roomID": room_id, "appID": sealed.get("app_id")}


def _is_encodable(text: str) -> bool:
    """Whether UTF-8, the encoding of all sealed claims, can encode it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json_type(value: object) -> str:
    """What a JSON value is, such as ``a string``; or that it is a number out of range."""
    if isinstance(value, int | float) and not -(2**63) <= value < 2**63:
        return "a number out of range"
    return strict_json.type_name(value)
