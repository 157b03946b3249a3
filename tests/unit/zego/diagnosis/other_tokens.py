"""Texts that resemble a Token04 but were never sealed: signed JSON, and tokens of other vendors.

The forms are those of `zego.diagnosis.vendors`, which names the source of each.
"""

from __future__ import annotations

import base64
import hmac
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Final

from tests.unit.zego.diagnosis.builders import APP_ID, NOW, SECRET, claims, kit_details, no_token
from tests.unit.zego.diagnosis.not_tokens import base64url, jwt

#: Characters of a text that was compressed to a few thousand.
MANY: Final = 5_000_000

Encoding = Callable[[bytes], str]


def base64_of(content: bytes) -> str:
    return base64.b64encode(content).decode()


def base64url_of(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode()


def bare(encoding: Encoding) -> Encoding:
    """The same without padding."""
    return lambda content: encoding(content).rstrip("=")


ENCODINGS: Final[dict[str, Encoding]] = {
    "base64": base64_of,
    "base64 without padding": bare(base64_of),
    "base64url": base64url_of,
    "base64url without padding": bare(base64url_of),
    "hex": bytes.hex,
}
HASHES: Final = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
SEPARATORS: Final = (".", ":", "|", "-", "_", "")
#: User ids that give the JSON each length modulo 3.
USERS: Final = ("alice", "alice1", "alice12")


def json_of(user_id: str) -> bytes:
    return json.dumps(claims(user_id=user_id), separators=(",", ":")).encode()


def signature_of(content: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(SECRET.encode(), content, algorithm).digest()


def signed_texts() -> Iterator[tuple[str, str, int]]:
    """Every way to write JSON and its signature: a name, the text, and the signature's size."""
    for user_id, algorithm, prefix in product(USERS, HASHES, ("04", "")):
        content = json_of(user_id)
        signature = signature_of(content, algorithm)
        size = len(signature)
        for (one, encode), (other, encode_signature) in product(ENCODINGS.items(), repeat=2):
            for separator in SEPARATORS:
                text = prefix + encode(content) + separator + encode_signature(signature)
                yield f"{prefix} {one} {separator} {other} {algorithm} {user_id}", text, size
        for separator, (inner, encode_signature) in product((".", ":", ""), ENCODINGS.items()):
            together = content + separator.encode() + encode_signature(signature).encode()
            for one, encode in ENCODINGS.items():
                name = f"{prefix} {one} of JSON {separator} {inner} {algorithm} {user_id}"
                yield name, prefix + encode(together), size
        for (one, encode), joined in product(
            ENCODINGS.items(),
            (content + signature, content + b"." + signature, signature + content),
        ):
            yield f"{prefix} {one} of bytes {algorithm} {user_id}", prefix + encode(joined), size


def envelope(content: bytes, iv: bytes, end: bytes = b"") -> str:
    """A Token04's envelope in which the JSON was not encrypted."""
    head = struct.pack(">qH", NOW + 3540, len(iv)) + iv
    return "04" + base64_of(head + struct.pack(">H", len(content)) + content + end)


_SIGNED: Final[dict[str, Callable[[bytes, bytes], str]]] = {
    "04, base64 of JSON, hex": lambda content, tag: "04" + base64_of(content) + tag.hex(),
    "04, base64 of JSON and hex": lambda content, tag: (
        "04" + base64_of(content + tag.hex().encode())
    ),
    "04, base64 of JSON and bytes": lambda content, tag: "04" + base64_of(content + tag),
    "base64 of JSON . hex": lambda content, tag: f"{base64_of(content)}.{tag.hex()}",
    "base64url of JSON . base64url": lambda content, tag: ".".join(
        bare(base64url_of)(part) for part in (content, tag)
    ),
    "base64 of JSON : base64": lambda content, tag: f"{base64_of(content)}:{base64_of(tag)}",
    "hex of JSON and bytes": lambda content, tag: (content + tag).hex(),
    "04, JSON . hex": lambda content, tag: f"04{content.decode()}.{tag.hex()}",
    "JSON : hex": lambda content, tag: f"{content.decode()}:{tag.hex()}",
    "hex : base64 of JSON": lambda content, tag: f"{tag.hex()}:{base64_of(content)}",
    "in a URL": lambda content, tag: (
        f"https://a.example/?token=04{base64_of(content)}{tag.hex()}&room=1"
    ),
    "behind Bearer": lambda content, tag: f"Bearer {bare(base64_of)(content)}.{tag.hex()}",
}
#: The claims and a payload that is JSON as text, which has backslashes.
_WITH_PAYLOAD: Final = json.dumps(claims(payload='{"room_id":"room1"}')).encode()
_CONTENT: Final = json_of("alice")

UNSEALED: Final = [
    *(
        no_token(f"{name} ({user_id})", text(json_of(user_id), signature_of(json_of(user_id))),
                 "signed-not-sealed")
        for name, text in _SIGNED.items()
        for user_id in USERS
    ),
    no_token(
        "JSON with a payload . hex",
        f"{_WITH_PAYLOAD.decode()}.{signature_of(_WITH_PAYLOAD).hex()}",
        "signed-not-sealed",
    ),
    no_token(
        "JSON, a time and a signature, as itsdangerous writes them",
        f"{base64_of(_CONTENT)}.ZVPxAA.{bare(base64url_of)(signature_of(_CONTENT, 'sha1'))}",
        "signed-not-sealed",
    ),
    no_token(
        "a signature that was cut",
        f"04{base64_of(_CONTENT)}.{signature_of(_CONTENT).hex()[:10]}",
        "signed-not-sealed",
    ),
    no_token(
        "signed JSON with names that ZEGO does not know",
        f"{base64url({'a': 1})}.{signature_of(b'').hex()}",
        "signed-not-sealed",
    ),
    no_token(
        "signed JSON, made into a kit token",
        f"04{base64_of(_CONTENT)}.{signature_of(_CONTENT).hex()}#{kit_details()}",
        "signed-not-sealed",
    ),
    *(
        no_token(f"04 and JSON in {name} ({user_id})", "04" + encode(json_of(user_id)),
                 "json-in-base64")
        for name, encode in ENCODINGS.items()
        for user_id in USERS
    ),
    no_token("04 and JSON", "04" + _CONTENT.decode(), "json-in-base64"),
    no_token("04 and JSON with a line break", "04" + base64_of(_CONTENT + b"\n"), "json-in-base64"),
    no_token("04 and JSON that was cut", "04" + base64_of(_CONTENT)[:75], "json-in-base64"),
    no_token("a ServerSecret that begins as JSON in hex does", "7b22" + "9c" * 14, "hex-string"),
    no_token("a text that begins as JSON in base64 does", "eyJ" + "_Z8w" * 9, "not-a-token"),
    no_token("04 and JSON that was masked", "04eyJhcHBfaWQiOjEyMzQ1Njc****", "json-in-base64"),
    no_token("JSON in the envelope that begins with another name",
             envelope(json.dumps({"roomId": "r", "exp": NOW}).encode(), b"i" * 16),
             "json-in-base64"),
    no_token("04 and JSON that was shortened", "04eyJhcHBfaWQiOjEyMzQ1Njc...", "json-in-base64"),
    no_token("04 and the payload unescaped", "04" + base64_of(
        _CONTENT.replace(b'"payload":""', b'"payload":"{"room_id":"room1"}"')), "json-in-base64"),
    no_token("compressed JSON", base64_of(zlib.compress(_CONTENT)), "json-in-base64"),
    no_token("a small text that expands to a large one",
             base64_of(zlib.compress(b'{"a":"' + b"a" * MANY)), "json-in-base64"),
    *(
        no_token(f"JSON in the envelope, IV {iv!r}, {name}", envelope(content, iv, end),
                 "json-in-base64")
        for iv in (b"i" * 12, b"i" * 16, b"", b'{"{"{"{"{"{"')
        for name, content, end in (
            ("alone", _CONTENT, b""),
            ("and a mode", _CONTENT, b"\x01"),
            ("padded", _CONTENT + b"\x07" * 7, b""),
        )
    ),
    no_token("signed JSON in the envelope",
             envelope(_CONTENT + signature_of(_CONTENT), b"i" * 16), "signed-not-sealed"),
]  # fmt: skip


def _packed(content: bytes) -> bytes:
    """As Agora and Volcengine write a text: its length in two bytes, little-endian, and itself."""
    return struct.pack("<H", len(content)) + content


_ID32: Final = "970CA35de60c4464" * 2
_TAG: Final = signature_of(b"")
_TIMES: Final = struct.pack("<III", NOW, 3600, 99)
_AGORA_007: Final = _packed(_TAG) + _packed(_ID32.encode()) + _TIMES
_AGORA_005: Final = _packed(_TAG.hex()[:40].upper().encode()) + _packed(bytes(16)) + _TIMES
_AGORA_004: Final = f"{_TAG.hex()[:40]}{_ID32}{NOW}0000beef"
_USER_SIG: Final = json.dumps(
    {"TLS.ver": "2.0", "TLS.identifier": "alice", "TLS.sdkappid": 1, "TLS.sig": base64_of(_TAG)}
)
_OPENTOK: Final = f"partner_id=123456&sig={_TAG.hex()[:40]}:session_id=1_MX4&create_time={NOW}"
_FERNET: Final = b"\x80" + struct.pack(">Q", NOW) + bytes(16) + bytes(range(32)) + _TAG


def user_sig(level: int = -1) -> str:
    compressed = base64_of(zlib.compress(_USER_SIG.encode(), level))
    return compressed.translate(str.maketrans("+/=", "*-_"))


#: A name that the finding contains, and texts of that vendor.
VENDOR_TEXTS: Final[dict[str, tuple[str, ...]]] = {
    "Agora token (AccessToken2, version 007)": (
        "007" + base64_of(zlib.compress(_AGORA_007)),
        "007" + base64_of(zlib.compress(_AGORA_007, 9)),
        "007" + base64_of(zlib.compress(_AGORA_007, 1)),
    ),
    "Agora token (AccessToken, version 006)": (
        f"006{_ID32}{base64_of(_packed(_TAG) + _TIMES + _packed(_TIMES))}",
    ),
    "Agora dynamic key (version 005)": tuple(
        "005" + base64_of(struct.pack("<H", service) + _AGORA_005) for service in (1, 2, 3, 4)
    ),
    "Agora dynamic key (version 003 or 004)": (
        f"004{_AGORA_004}{NOW}", f"003{_AGORA_004}{0:010}{NOW}",
    ),
    "Agora signaling token": (f"1:{_ID32}:{NOW}:{_TAG.hex()[:32]}",),
    "Volcengine": (f"001{'5b1c' * 6}{base64_of(_packed(_TIMES + _TAG) + _packed(_TAG))}",),
    "UserSig of Tencent": (user_sig(), user_sig(1), user_sig(9), user_sig()[:80]),
    "NetEase": (base64url({"signature": _TAG.hex()[:40], "curTime": NOW * 1000, "ttl": 600}),),
    "OpenTok": ("T1==" + base64_of(_OPENTOK.encode()),),
    "RongCloud": (
        f"{base64_of(_TAG)}@abcd.cn.rongnav.com;abcd.cn.rongcfg.com",
        f"{base64_of(_TAG[:24])}@abcd.sg.rongnav.com",
    ),
    "Easemob or Agora Chat": ("YWMt" + bare(base64url_of)(_TAG * 2),),
    "PubNub": (
        base64url_of(b"\xa7\x41v\x02\x41t\x1a" + _TAG * 2),
        base64url_of(b"\xa8\x41v\x02\x41t\x1a" + _TAG * 2),
    ),
    "PASETO": (
        f"v4.local.{bare(base64url_of)(_TAG * 2)}",
        f"v2.public.{bare(base64url_of)(b'{}' + _TAG * 2)}.{bare(base64url_of)(b'key')}",
    ),
    "Fernet": (base64url_of(_FERNET),),
}  # fmt: skip
_TIMED: Final[dict[str, object]] = {"iat": NOW, "exp": NOW + 60}
#: A name that the finding of a JWT contains, and such headers and claims.
VENDOR_JWTS: Final[dict[str, tuple[tuple[dict[str, object], dict[str, object]], ...]]] = {
    "a Twilio access token": (({"cty": "twilio-fpa;v=1"}, {"grants": {"identity": "alice"}}),),
    "a LiveKit access token": (
        ({}, _TIMED | {"iss": "API1", "sub": "alice", "video": {"room": "r", "roomJoin": True}}),
    ),
    "JaaS": (
        ({"kid": "vpaas-magic-cookie-1fc/4f4910"}, {"aud": "jitsi", "room": "*", "context": {}}),
    ),
    "a Jitsi token": (
        ({}, {"aud": "jitsi", "iss": "app", "room": "*"}),
        ({}, {"aud": "app", "iss": "app", "room": "*", "context": {"user": {}}}),
    ),
    "a 100ms token": (
        ({}, {"access_key": "k", "room_id": "r", "user_id": "u", "type": "app", "version": 2}),
    ),
    "a Daily meeting token": (({}, {"r": "test", "iat": NOW, "d": "30f866c3"}),),
    "a VideoSDK token": (({}, _TIMED | {"apikey": "k", "permissions": ["allow_join"]}),),
    "Dyte": (({}, {"orgId": "o", "meetingId": "m", "participantId": "p", "presetId": "s"}),),
    "a Zoom Video SDK token": (({}, _TIMED | {"app_key": "k", "role_type": 1, "tpc": "t"}),),
    "a Zoom Meeting SDK token": (({}, _TIMED | {"appKey": "k", "tokenExp": NOW}),),
    "a Vonage Video token": (
        ({}, {"application_id": "a", "scope": "session.connect", "session_id": "s", "jti": "j"}),
    ),
    "a Vonage token": (({}, _TIMED | {"application_id": "a", "jti": "j"}),),
    "Amazon IVS": (({}, {"topic": "t", "whip_url": "w", "events_url": "e"}),),
    "an Ably token": (({"kid": "app.key"}, _TIMED | {"x-ably-capability": "{}"}),),
    "Firebase": (({}, {"iss": "https://securetoken.google.com/project", "user_id": "u"}),),
    "Google": (
        ({}, {"iss": "https://accounts.google.com", "sub": "1"}),
        ({}, {"iss": "accounts.google.com", "sub": "1"}),
    ),
    "Cognito": (({}, {"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_a"}),),
    "Auth0": (({}, {"iss": "https://tenant.eu.auth0.com/"}),),
    "Supabase": (({}, {"iss": "https://abcd.supabase.co/auth/v1", "role": "authenticated"}),),
    "probably a Stream token": (
        ({}, {"user_id": "alice"}),
        ({}, _TIMED | {"user_id": "alice", "call_cids": ["default:1"]}),
    ),
    "an encrypted JWT (JWE)": (({"alg": "RSA-OAEP-256", "enc": "A256GCM"}, {}),),
}  # fmt: skip
#: Claims that no vendor has.
UNKNOWN_CLAIMS: Final[tuple[dict[str, object], ...]] = (
    {},
    {"sub": "alice", "app_id": APP_ID},
    _TIMED | {"user_id": "alice", "role": "admin"},
    {"iss": "https://accounts.google.com.a.example"},
    {"iss": ["https://securetoken.google.com/"]},
)


def jwt_of(header: dict[str, object], said: dict[str, object]) -> str:
    whole_header: dict[str, object] = {"alg": "HS256", "typ": "JWT"}
    return f"{base64url(whole_header | header)}.{base64url(said)}.{bare(base64url_of)(_TAG)}"


VENDORS: Final = [
    *(
        no_token(f"{vendor} ({number})", text, "other-vendor")
        for vendor, texts in VENDOR_TEXTS.items()
        for number, text in enumerate(texts, start=1)
    ),
    *(
        no_token(f"{vendor} ({number})", jwt_of(header, said), "jwt", form="jwt")
        for vendor, jwts in VENDOR_JWTS.items()
        for number, (header, said) in enumerate(jwts, start=1)
    ),
    no_token("another vendor's token behind 04", "04" + VENDOR_TEXTS["OpenTok"][0], "other-vendor"),
    no_token("a JWT behind 04", "04" + jwt(alg="HS256"), "jwt", form="jwt"),
    no_token("04 and base64 of a JWT", "04" + base64_of(jwt(alg="HS256").encode()), "jwt",
             form="jwt"),
    no_token("a text that begins as an Agora token does", "006-0000000", "not-a-token"),
    no_token("a text that begins as a Token00 would", "00" + base64_of(_TAG), "not-a-token"),
]  # fmt: skip
