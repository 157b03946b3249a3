"""Tokens of other vendors, by name.

Each entry names its source. Names and the beginnings of values decide: no value is kept or shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class VendorToken:
    """How a token of another vendor is recognised. Every condition must hold.

    :ivar name: what the text is, as in "It is ...".
    :ivar form: what the conditions are about: the text itself, a JWT, or JSON in base64.
    :ivar text: the whole text.
    :ivar names: these are among the claims of the JWT, or in the JSON.
    :ivar only: no other claims are in the JWT; empty if any may be.
    :ivar values: how values in the JWT's header or claims begin.
    """

    name: str
    form: Literal["text", "jwt", "json"]
    text: re.Pattern[str] = re.compile("")
    names: frozenset[str] = frozenset()
    only: frozenset[str] = frozenset()
    values: Mapping[str, re.Pattern[str]] = field(default_factory=dict)


def _text(name: str, pattern: str) -> VendorToken:
    return VendorToken(name, "text", text=re.compile(pattern, re.ASCII))


def _json(name: str, *names: str) -> VendorToken:
    return VendorToken(name, "json", names=frozenset(names))


def _jwt(name: str, *names: str, only: Iterable[str] = (), **values: str) -> VendorToken:
    patterns = {value: re.compile(pattern) for value, pattern in values.items()}
    return VendorToken(name, "jwt", names=frozenset(names), only=frozenset(only), values=patterns)


#: The first entry that fits decides.
VENDOR_TOKENS: Final[tuple[VendorToken, ...]] = (
    # github.com/AgoraIO/Tools, DynamicKey/AgoraDynamicKey/python3/src/AccessToken2.py:
    # "007" and base64 of zlib.
    _text("an Agora token (AccessToken2, version 007)", r"007e[AFJN][0-9A-Za-z+/]{40,}={0,2}"),
    # The same, AccessToken.py: "006", the App ID and base64.
    _text(
        "an Agora token (AccessToken, version 006)",
        r"(?![0-9A-Fa-f]+$)006[0-9A-Fa-f]{32}[0-9A-Za-z+/]{40,}={0,2}",
    ),
    # The same, DynamicKey5.py: "005" and base64 of a service type from 1 to 4 and a signature of 40
    # characters.
    _text("an Agora dynamic key (version 005)", r"005[AB][AQgw]AoA[0-9A-Za-z+/]{60,}={0,2}"),
    # The same, DynamicKey3.py and DynamicKey4.py: a signature, the App ID, times and a random
    # number, each of a fixed length.
    _text(
        "an Agora dynamic key (version 003 or 004)",
        r"00[34][0-9a-f]{40}[0-9A-Fa-f]{32}\d{10}[0-9a-f]{8}(?:\d{10}){1,2}",
    ),
    # The same, SignalingToken.py: "1", the App ID, a time and an MD5 hash.
    _text("an Agora signaling token", r"1:[0-9A-Fa-f]{32}:\d{1,10}:[0-9a-f]{32}"),
    # www.volcengine.com/docs/6348/70121: "001", an AppId of 24 characters, base64.
    _text(
        "a token of Volcengine RTC or BytePlus RTC (version 001)",
        r"(?![0-9a-f]+$)001[0-9a-f]{24}[0-9A-Za-z+/]{40,}={0,2}",
    ),
    # github.com/tencentyun/tls-sig-api-v2-python, TLSSigAPIv2.py: base64 of zlib of JSON.
    _json("a UserSig of Tencent (TRTC or Chat)", "TLS.ver"),
    _json("a UserSig of Tencent (TRTC or Chat)", "TLS.identifier"),
    # github.com/netease-im/G2-API-Examples, server/token_server/nodejs/src/TokenBuilder.js.
    _json("a token of NetEase Yunxin (RTC)", "signature", "curTime", "ttl"),
    # github.com/opentok/OpenTok-Ruby-SDK, lib/opentok/token_generator.rb: a mark, and base64 of a
    # query that begins with partner_id.
    _text("an OpenTok (Vonage Video) token", r"T1==cGFydG5lcl9pZ[0-9A-Za-z+/]{20,}={0,2}"),
    # Tokens that api.rong-api.com/user/getToken.json returns: base64, @ and two host names.
    _text("a token of RongCloud", r"[0-9A-Za-z+/]{20,}={0,2}@[\w.-]+\.rongnav\.com(?:;[\w.-]+)?"),
    # docs-im.easemob.com and docs.agora.io/en/agora-chat: base64url of "ac" and bytes.
    _text("a token of Easemob or Agora Chat", r"YWMt[\w-]{40,}"),
    # www.pubnub.com/docs/general/security/access-control: CBOR that begins with "v": 2, "t".
    _text("a PubNub access token", r"(?:p0|qE)F2AkF0[\w-]{40,}={0,2}"),
    # github.com/paseto-standard/paseto-spec: version, purpose, payload, perhaps a footer.
    _text("a PASETO", r"v[1-4]\.(?:local|public)\.[\w-]{20,}(?:\.[\w-]+)?"),
    # github.com/fernet/spec: base64url of the byte 0x80 and a time; at least 73 bytes.
    _text("a Fernet token", r"gAAAAA[\w-]{91,}={0,2}"),
    # --- JWTs ------------------------------------------------------------------------------------
    # RFC 7516.
    _jwt("an encrypted JWT (JWE)", enc="[A-Z]"),
    # www.twilio.com/docs/iam/access-tokens.
    _jwt("a Twilio access token", cty="twilio-fpa"),
    # docs.livekit.io/home/get-started/authentication.
    _jwt("a LiveKit access token", "iss", "video"),
    # developer.8x8.com/jaas/docs/api-keys-jwt.
    _jwt("a token of JaaS (Jitsi as a Service)", kid="vpaas-magic-cookie-"),
    # github.com/jitsi/lib-jitsi-meet, doc/tokens.md.
    _jwt("a Jitsi token", "room", aud="jitsi$"),
    _jwt("a Jitsi token", "room", "context"),
    # www.100ms.live/docs/get-started/v2/get-started/security-and-tokens.
    _jwt("a 100ms token", "access_key", "type", "version"),
    # docs.daily.co/docs/guides/privacy-and-security/self-signing-tokens.
    _jwt("a Daily meeting token", "d", "r", "iat"),
    # docs.videosdk.live/api-reference/realtime-communication/authentication.
    _jwt("a VideoSDK token", "apikey", "permissions"),
    # docs.dyte.io and developers.cloudflare.com/realtime/realtimekit: a participant's token.
    _jwt("a token of Dyte or Cloudflare RealtimeKit", "orgId", "meetingId", "participantId"),
    # developers.zoom.us/docs/video-sdk/auth.
    _jwt("a Zoom Video SDK token", "app_key", "role_type", "tpc"),
    # developers.zoom.us/docs/meeting-sdk/auth.
    _jwt("a Zoom Meeting SDK token", "appKey", "tokenExp"),
    # github.com/vonage/vonage-ruby-sdk, lib/vonage/video.rb.
    _jwt("a Vonage Video token", "session_id", "scope"),
    _jwt("a Vonage token", "application_id", "jti"),
    # docs.aws.amazon.com/ivs/latest/RealTimeUserGuide/getting-started-distribute-tokens.html.
    _jwt("an Amazon IVS stage token", "whip_url", "events_url"),
    # ably.com/docs/auth/token/jwt.
    _jwt("an Ably token", "x-ably-capability"),
    # firebase.google.com/docs/auth/admin/verify-id-tokens.
    _jwt("a sign-in token of Firebase", iss="https://securetoken.google.com/"),
    # developers.google.com/identity/openid-connect/openid-connect.
    _jwt("a sign-in token of Google", iss="(?:https://)?accounts.google.com$"),
    # docs.aws.amazon.com/cognito: verifying a JSON web token.
    _jwt("a sign-in token of Amazon Cognito", iss=r"https://cognito-idp\."),
    # auth0.com/docs/secure/tokens/id-tokens/id-token-structure.
    _jwt("a sign-in token of Auth0", iss=r"https://[\w.-]+\.auth0\.com/"),
    # supabase.com/docs/guides/auth/jwt-fields.
    _jwt("a sign-in token of Supabase", iss=r"https://\w+\.supabase\.co/auth/v1"),
    # getstream.io/docs/platform/authentication: the user and times, and in a call token the calls.
    _jwt(
        "probably a Stream token (it names only the user)",
        "user_id",
        only=("user_id", "iat", "exp", "nbf", "call_cids"),
    ),
)  # fmt: skip


def vendor_of_text(text: str) -> str | None:
    """Whose token a text is, if its form tells."""
    return next((one.name for one in _of("text") if one.text.fullmatch(text)), None)


def vendor_of_json(names: Iterable[str]) -> str | None:
    """Whose token a JSON object in base64 is, if its names tell."""
    given = frozenset(names)
    return next((one.name for one in _of("json") if one.names <= given), None)


def vendor_of_jwt(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str | None:
    """Whose token a JWT is, if its header and claims tell."""
    values = {**claims, **header}
    for one in _of("jwt"):
        is_named = one.names <= claims.keys() and (not one.only or claims.keys() <= one.only)
        if is_named and all(
            isinstance(value := values.get(name), str) and pattern.match(value)
            for name, pattern in one.values.items()
        ):
            return one.name
    return None


def _of(form: Literal["text", "jwt", "json"]) -> Iterable[VendorToken]:
    return (one for one in VENDOR_TOKENS if one.form == form)
