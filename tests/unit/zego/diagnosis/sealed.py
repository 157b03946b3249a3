"""Tokens that open, and what is wrong with their content."""

from __future__ import annotations

import base64
import json
import zlib

from tests.unit.zego.diagnosis.builders import (
    CBC,
    GCM,
    IV,
    NO_SECRETS,
    NOW,
    case,
    claims,
    expecting,
    payload,
    sealed,
    token,
    unopened,
)

DAY = 86400
HALF = "\ud83d"


def lasting(seconds: int) -> str:
    """A token made now that lives that long."""
    return token(ctime=NOW, expire=NOW + seconds)


def changed_expiry(expires_at: int) -> str:
    return sealed(json.dumps(claims()).encode(), expires_at=expires_at)


CLAIMS = [
    case("no JSON", sealed(b"hello"), "claims-not-json"),
    case("no JSON, with CBC", sealed(b"hello", "cbc"), "claims-not-json"),
    case(
        "1,000 spaces behind", sealed(json.dumps(claims()).encode() + b" " * 1000), verdict="good"
    ),
    case(
        "JSON of JSON, as claims",
        sealed(json.dumps(json.dumps(claims())).encode()),
        "claims-not-json",
    ),
    case(
        "JSON in base64", sealed(base64.b64encode(json.dumps(claims()).encode())), "claims-encoding"
    ),
    case(
        "Latin-1",
        sealed(json.dumps(claims(user_id="José"), ensure_ascii=False).encode("latin-1"), "cbc"),
        "claims-encoding",
        "user-id-characters",
    ),
    case("an object of JavaScript", sealed(b"[object Object]", "cbc"), "claims-not-json"),
    case(
        "zlib",
        sealed(zlib.compress(json.dumps(claims()).encode()), "cbc"),
        "claims-encoding",
    ),
    case("JSON in hex", sealed(json.dumps(claims()).encode().hex().encode()), "claims-encoding"),
    case("NaN", sealed(b'{"app_id":NaN}'), "claims-not-json"),
    case("nested without end", sealed(b"[" * 60_000), "claims-not-json"),
    case("an array", sealed(b"[1]"), "claims-not-object"),
    case("a number, with CBC", sealed(b"5", "cbc"), "claims-not-object"),
    case("an empty object", sealed(b"{}"), "claims-missing"),
    case("without a nonce", token(nonce=...), "claims-missing"),
    case("without an expiry", token(expire=...), "claims-missing"),
    case("without a ctime", token(ctime=...), "claims-missing"),
    case(
        "without a payload, with CBC",
        token("cbc", payload=...),
        "payload-missing",
        verdict="good",
    ),
    case(
        "without an expiry, and expired",
        sealed(json.dumps(claims(expire=...)).encode(), expires_at=NOW - 99),
        "claims-missing",
        "expired",
    ),
    case("app_id as text", token(app_id="1234567890"), "app-id-wrong-type"),
    case("app_id as a fraction", token("cbc", app_id=1234567890.5), "app-id-wrong-type"),
    case("app_id as true", token(app_id=True), "app-id-wrong-type"),
    case("app_id 0", token(app_id=0), "app-id-out-of-range"),
    case("app_id of 33 bits", token(app_id=2**32), "app-id-out-of-range"),
    case("user_id as a number", token(user_id=42), "user-id-wrong-type"),
    case("user_id null", token(user_id=None), "user-id-wrong-type"),
    case("user_id empty", token(user_id=""), "user-id-empty"),
    case("an unpaired surrogate", token(user_id=HALF), "user-id-wrong-type", "user-id-characters"),
    case("another user", token(), "user-id-mismatch", expected=expecting(user_id="bob")),
    case("the user in capitals", token(), "user-id-mismatch", expected=expecting(user_id="Alice")),
    case("the user and a space", token(), "user-id-mismatch", expected=expecting(user_id="alice ")),
    case("the user", token(), verdict="good", expected=expecting(user_id="alice")),
    case("64 bytes", token(user_id="u" * 64), "user-id-too-long"),
    case("63 bytes", token(user_id="u" * 63), "user-id-too-long-for-zim", verdict="good"),
    case("32 bytes", token(user_id="u" * 32), verdict="good"),
    case("33 bytes", token(user_id="u" * 33), "user-id-too-long-for-zim", verdict="good"),
    case(
        "33 bytes for ZIM",
        token(user_id="u" * 33),
        "user-id-too-long-for-zim",
        expected=expecting(sdk="zim"),
    ),
    case(
        "33 bytes for web", token(user_id="u" * 33), verdict="good", expected=expecting(sdk="web")
    ),
    case(
        "11 characters of 33 bytes",
        token(user_id="用" * 11),
        "user-id-characters",
        "user-id-too-long-for-zim",
        verdict="good",
    ),
    case("auth0|5", token(user_id="auth0|5"), "user-id-characters", verdict="good"),
    case(
        "auth0|5 for web",
        token(user_id="auth0|5"),
        "user-id-characters",
        expected=expecting(sdk="web"),
    ),
    case(
        "auth0|5 for native",
        token(user_id="auth0|5"),
        verdict="good",
        expected=expecting(sdk="native"),
    ),
    case(
        "auth0|5 for ZIM", token(user_id="auth0|5"), verdict="good", expected=expecting(sdk="zim")
    ),
    case("nonce as text", token(nonce="7"), "nonce-wrong-type"),
    case("nonce as a fraction", token(nonce=0.5), "nonce-wrong-type"),
    case("nonce of 65 bits", token(nonce=2**64), "nonce-wrong-type"),
    case("nonce of 4000 digits", token(nonce=10**3999), "nonce-wrong-type"),
    case(
        "nonce infinite",
        sealed(json.dumps(claims()).replace("1073741824", "1e999").encode()),
        "nonce-wrong-type",
    ),
    case("nonce of 32 bits", token(nonce=2**31), "nonce-out-of-range", verdict="good"),
    case("nonce negative beyond", token(nonce=-(2**31) - 1), "nonce-out-of-range", verdict="good"),
    case("nonce negative", token("cbc", nonce=-(2**31)), verdict="good"),
    case("nonce of 31 bits", token("cbc", nonce=2**31 - 1), verdict="good"),
    case(
        "everything wrong",
        token(app_id="1", user_id=1, nonce="1", ctime="1", expire="1", payload={}),
        "app-id-wrong-type",
        "user-id-wrong-type",
        "nonce-wrong-type",
        "expire-wrong-type",
        "ctime-wrong-type",
        "expiry-mismatch",
        "payload-wrong-type",
    ),
]

TIMES = [
    case("expired", token(expire=NOW - 7200, ctime=NOW - 9000), "expired"),
    case("expired this second", token(expire=NOW), "expired"),
    case("expires in a second", token(expire=NOW + 1), "expires-within-30s", verdict="good"),
    case("expires in 29 s", token(expire=NOW + 29), "expires-within-30s", verdict="good"),
    case("expires in 30 s", token(expire=NOW + 30), verdict="good"),
    case(
        "expires in 29 s, for ZIM",
        token(expire=NOW + 29),
        "expires-within-30s",
        expected=expecting(sdk="zim"),
    ),
    unopened(
        "expires in 29 s, without a secret",
        token(expire=NOW + 29),
        "expires-within-30s",
        verdict="unknown",
        secrets=NO_SECRETS,
    ),
    case("lives 29 s", lasting(29), "lifetime-under-30s", verdict="good"),
    case("lives 30 s", lasting(30), verdict="good"),
    case("lived 5 s", token(ctime=NOW - 60, expire=NOW - 55), "expired", "lifetime-under-30s"),
    case("lives 0 s", token(ctime=NOW - 9, expire=NOW - 9), "expired", "lifetime-under-30s"),
    case(
        "ends before it begins",
        token(ctime=NOW + 7200, expire=NOW + 3600),
        "issued-in-future",
        "lifetime-under-30s",
        verdict="good",
    ),
    case("lives 24 days", lasting(24 * DAY), verdict="good"),
    case("lives a second more", lasting(24 * DAY + 1), "lifetime-over-24-days", verdict="good"),
    case(
        "lives a second more, for ZIM",
        lasting(24 * DAY + 1),
        "lifetime-over-24-days",
        expected=expecting(sdk="zim"),
    ),
    case(
        "lives a second more, for web",
        lasting(24 * DAY + 1),
        verdict="good",
        expected=expecting(sdk="web"),
    ),
    case("2^31 ms", lasting(2147483 + 30), "lifetime-over-24-days", verdict="good"),
    case(
        "more than 2^31 ms",
        lasting(2147483 + 31),
        "timer-overflow",
        "lifetime-over-24-days",
        verdict="good",
    ),
    case(
        "a year, for web",
        lasting(365 * DAY),
        "timer-overflow",
        verdict="good",
        expected=expecting(sdk="web"),
    ),
    case(
        "a year, for UIKit",
        lasting(365 * DAY),
        "kit-details-missing",
        "timer-overflow",
        expected=expecting(sdk="uikit"),
    ),
    case(
        "a year, for native", lasting(365 * DAY), verdict="good", expected=expecting(sdk="native")
    ),
    unopened(
        "a year, without a secret",
        lasting(365 * DAY),
        "timer-overflow",
        verdict="unknown",
        secrets=NO_SECRETS,
    ),
    case("issued in 5 s", token(ctime=NOW + 5), verdict="good"),
    case("issued in 6 s", token(ctime=NOW + 6), "issued-in-future", verdict="good"),
    case(
        "issued tomorrow",
        token(ctime=NOW + DAY, expire=NOW + 2 * DAY),
        "issued-in-future",
        verdict="good",
    ),
    case(
        "milliseconds",
        token(ctime=NOW * 1000, expire=(NOW + 3600) * 1000),
        "time-in-milliseconds",
        verdict="good",
    ),
    case(
        "milliseconds, for ZIM",
        token(expire=(NOW + 3600) * 1000),
        "time-in-milliseconds",
        expected=expecting(sdk="zim"),
    ),
    case(
        "ctime in milliseconds, and expired",
        token(ctime=NOW * 1000, expire=NOW - 5),
        "expired",
        "time-in-milliseconds",
    ),
    case(
        "nanoseconds",
        token(ctime=NOW * 10**9, expire=(NOW + 1) * 10**9),
        "time-in-milliseconds",
        verdict="good",
    ),
    unopened(
        "milliseconds, without a secret",
        token(expire=NOW * 1000),
        "time-in-milliseconds",
        verdict="unknown",
        secrets=NO_SECRETS,
    ),
    case("expire 3600", token(expire=3600), "expire-is-a-lifetime"),
    case("expire 0", token(ctime=0, expire=0), "expire-is-a-lifetime"),
    unopened(
        "expire 7200, without a secret",
        token(expire=7200),
        "expire-is-a-lifetime",
        secrets=NO_SECRETS,
    ),
    case("expire as text", token(expire=str(NOW)), "expire-wrong-type", "expiry-mismatch"),
    case("expire as a fraction", token(expire=NOW + 0.5), "expire-wrong-type"),
    case("expire negative", token(expire=-1), "expire-wrong-type"),
    case("expire of 64 bits", token(expire=2**63), "expire-wrong-type"),
    unopened(
        "expire negative, without a secret",
        token(expire=-1),
        "expire-wrong-type",
        secrets=NO_SECRETS,
    ),
    case("ctime as text", token(ctime=str(NOW)), "ctime-wrong-type"),
    case("ctime negative", token("cbc", ctime=-1), "ctime-wrong-type"),
    case(
        "ctime null, and expired", token(ctime=None, expire=NOW - 1), "ctime-wrong-type", "expired"
    ),
    case("the readable expiry was changed", changed_expiry(NOW + 99999), "expiry-mismatch"),
    case(
        "the readable expiry was changed, and it has expired",
        sealed(json.dumps(claims(expire=NOW - 5)).encode()),
        "expiry-mismatch",
        "expired",
    ),
    case("years from now", GCM, "expired", expected=expecting(now=NOW + 10**9)),
    case("the year 36812", GCM, "expired", expected=expecting(now=2**40)),
    case(
        "before all time",
        GCM,
        "issued-in-future",
        "timer-overflow",
        verdict="good",
        expected=expecting(now=-1),
    ),
    case(
        "a fraction of a second before it ends",
        GCM,
        "expires-within-30s",
        verdict="good",
        expected=expecting(now=NOW + 3539.5),
    ),
]

PAYLOADS = [
    case("for a room", token(payload=payload()), verdict="good"),
    case(
        "for the room",
        token(payload=payload()),
        verdict="good",
        expected=expecting(room_id="room1", publish=True),
    ),
    case(
        "no payload, for a room",
        CBC,
        verdict="good",
        expected=expecting(room_id="room1", publish=True),
    ),
    case("an object", token(payload={"room_id": "room1"}), "payload-wrong-type"),
    case("null", token(payload=None), "payload-wrong-type"),
    case("an unpaired surrogate", token(payload=HALF), "payload-wrong-type"),
    case(
        "an object, for ZIM", token(payload={}), "payload-wrong-type", expected=expecting(sdk="zim")
    ),
    case("a word", token(payload="hello"), "payload-not-json"),
    case("a word, for ZIM", token(payload="hello"), verdict="good", expected=expecting(sdk="zim")),
    case("cut JSON", token(payload=payload()[:20]), "payload-not-json"),
    case("JSON of JSON", token(payload=json.dumps(payload())), "payload-not-object"),
    case("a list", token(payload="[]"), "payload-not-object"),
    case("without a room", token(payload=payload(room_id=...)), "payload-without-room"),
    case("an empty room", token(payload=payload(room_id="")), "payload-without-room"),
    case("a room as a number", token(payload=payload(room_id=5)), "payload-without-room"),
    case(
        "another room",
        token(payload=payload()),
        "room-mismatch",
        expected=expecting(room_id="room2"),
    ),
    case("a room of 128 bytes", token(payload=payload(room_id="r" * 128)), "room-id-too-long"),
    case("a room of 127 bytes", token(payload=payload(room_id="r" * 127)), verdict="good"),
    case(
        "a room with a slash",
        token(payload=payload(room_id="a/b")),
        "room-id-characters",
        verdict="good",
    ),
    case(
        "a room with a slash, for web",
        token(payload=payload(room_id="a/b")),
        "room-id-characters",
        expected=expecting(sdk="web"),
    ),
    case(
        "a room with a slash, for native",
        token(payload=payload(room_id="a/b")),
        verdict="good",
        expected=expecting(sdk="native"),
    ),
    case("without privileges", token(payload=payload(privilege=...)), "privileges-malformed"),
    case("privileges in a list", token(payload=payload(privilege=[1, 2])), "privileges-malformed"),
    case(
        "privileges by name", token(payload=payload(privilege={"login": 1})), "privileges-malformed"
    ),
    case(
        "privileges as text", token(payload=payload(privilege={"1": "1"})), "privileges-malformed"
    ),
    case(
        "privileges as true", token(payload=payload(privilege={"1": True})), "privileges-malformed"
    ),
    case("a privilege of 2", token(payload=payload(privilege={"1": 2})), "privileges-malformed"),
    case("no login", token(payload=payload(privilege={"1": 0, "2": 1})), "no-login"),
    case("no privilege at all", token(payload=payload(privilege={})), "no-login", "no-publish"),
    case(
        "no publish",
        token(payload=payload(privilege={"1": 1, "2": 0})),
        "no-publish",
        verdict="good",
    ),
    case(
        "no publish, which is wanted",
        token(payload=payload(privilege={"1": 1})),
        "no-publish",
        expected=expecting(publish=True),
    ),
    case(
        "no publish, which is not wanted",
        token(payload=payload(privilege={"1": 1})),
        verdict="good",
        expected=expecting(publish=False),
    ),
    case(
        "no publish, for native",
        token(payload=payload(privilege={"1": 1})),
        "no-publish",
        verdict="good",
        expected=expecting(sdk="native"),
    ),
    case("streams as text", token(payload=payload(stream_id_list="s1")), "stream-ids-malformed"),
    case("streams as numbers", token(payload=payload(stream_id_list=[1])), "stream-ids-malformed"),
    case("streams", token(payload=payload(stream_id_list=["s1", "s_2"])), verdict="good"),
    case(
        "a stream with a space",
        token(payload=payload(stream_id_list=["s1", "s 2"])),
        "stream-id-refused",
        verdict="good",
    ),
    case(
        "a stream of 256 bytes",
        token(payload=payload(stream_id_list=["s" * 256])),
        "stream-id-refused",
        verdict="good",
    ),
]

IVS = [
    case("hexadecimal digits", token(iv=b"0123456789ab"), "weak-iv", verdict="good"),
    case(
        "hexadecimal digits, CBC", token("cbc", iv=b"0123456789ABCDEF"), "weak-iv", verdict="good"
    ),
    case("zeros", token(iv=bytes(12)), "weak-iv", verdict="good"),
    case("one byte, as vendors' test tokens have", token("cbc", iv=b"i" * 16), verdict="good"),
    case("letters and digits", token(iv=b"0123456789xy"), verdict="good"),
    case("bytes", token(iv=IV["gcm"]), verdict="good"),
    unopened(
        "zeros, without a secret",
        token(iv=bytes(12)),
        "weak-iv",
        verdict="unknown",
        secrets=NO_SECRETS,
    ),
]
