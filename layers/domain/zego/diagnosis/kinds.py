"""Every kind of finding: what a client shows, why, and what to do. In the order of precedence.

A kind that stands earlier explains more: with a JWT there is no point in talking of its room. The
codes are those of each SDK, in the order in which it shows them; which of them ZEGO gives for
which mistake is documented for its native SDK (1002074 to 1002082) and for expiry, observed for
20014 and 50119, and inferred elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

FindingSeverity = Literal["refused", "warning", "note"]
#: Whose codes they are. UIKit is built on the web SDK, and shows its codes.
SdkFamily = Literal["web", "native", "zim"]
Codes = Mapping[SdkFamily, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class FindingKind:
    """What all findings of one kind have in common.

    :ivar severity: ``refused``: ZEGO or its SDK does not take the token; ``warning``: it takes it,
        but not everywhere or not for long; ``note``: nothing is wrong, but good to know. It is
        that where it is not said which SDK is meant.
    :ivar codes: what the SDKs that refuse it show; none where the code is not known.
    :ivar cause: what is wrong; in braces what differs from token to token.
    :ivar remedy: what to do.
    """

    severity: FindingSeverity
    codes: Codes
    cause: str
    remedy: str


_NO_CODES: Final[Codes] = {}
_NOT_OPENED: Final[Codes] = {
    "web": (20014, 50119, 1102016),
    "native": (1002033,),
    "zim": (6000103,),
}
_EXPIRED: Final[Codes] = {"web": (50117, 1102018), "native": (1002078,), "zim": (6000106,)}
_OTHER_PROJECT: Final[Codes] = {**_NOT_OPENED, "native": (1002076,)}
_OTHER_USER: Final[Codes] = {"web": (50119, 1102016), "native": (1002077,), "zim": (6000103,)}
_OTHER_ROOM: Final[Codes] = {"web": (1102020,), "native": (1002033,)}
_TOO_SHORT: Final[Codes] = {"zim": (6000108,)}

_refused = partial(FindingKind, "refused")
#: A text that ZEGO cannot open as a token.
_not_opened = partial(_refused, _NOT_OPENED)


def _malformed(native: int, cause: str, remedy: str) -> FindingKind:
    """A claim, or all of them, not as ZEGO reads them."""
    codes: Codes = {"web": (50120, 1102016), "native": (native,), "zim": (6000103,)}
    return _refused(codes, cause, remedy)


def _warning(cause: str, remedy: str, codes: Codes = _NO_CODES) -> FindingKind:
    return FindingKind("warning", codes, cause, remedy)


_MINT: Final = "Have a Token04 made by the token service (POST /v1/tokens)."
_WHOLE: Final = "Pass the token on as the service answered it, every character, and nothing else."
_HEADER: Final = (
    "Send it in a JSON body or an Authorization header; in a URL, encode it once and decode it once"
    " (encodeURIComponent)."
)
_ROTATE: Final = (
    "Compare fingerprints: zego-token doctor. If the console shows another ServerSecret than the"
    " service has: zego-token secret rotate."
)
_GENERATOR: Final = "Mend the code that makes the claims, or have the token service make the token."
_SECONDS: Final = "Use whole seconds: Math.floor(Date.now() / 1000), int(time.time())."
_FRESH: Final = "Have a fresh token made; a client renews when the SDK says tokenWillExpire."
_AS_SHOWN: Final = "Use the 32 characters as ZEGO's console shows them, with nothing around them."

KINDS: Final[Mapping[str, FindingKind]] = {
    # --- It is no Token04 ------------------------------------------------------------------------
    "empty": _refused(
        {"web": (1100001,), "native": (1002067,), "zim": (6000103,)},
        "There is no token: the text is empty.",
        "See why the client has none: did it wait for the answer, and read its field token?",
    ),
    "too-long": _not_opened(
        "It has {length} characters; no Token04 has more than {limit}.",
        "Look at what was passed as the token: it is something else.",
    ),
    "no-value": _not_opened(
        "It is the text of {what}, not a token.",
        "Wait for the answer (await) and read its field token (zegoRoom.token of a call); see that"
        " it is there before it is used.",
    ),
    "placeholder": _not_opened(
        "It is a placeholder, which nothing replaced by a token.",
        "See why it was not filled in: is the variable set where the template is read? " + _MINT,
    ),
    "html-page": _not_opened(
        "It is a web page: the address that was asked for a token answers with HTML or XML.",
        "Check the address, and the answer's status before its body is read. A proxy, a login page"
        " or a single-page app answers so where there is no such route.",
    ),
    "answer-without-token": _not_opened(
        "It is JSON, and no token is in it: {what}.",
        "Check the answer's status before its body is read; the token is in the field token"
        " (zegoRoom.token of a call).",
    ),
    "jwt": _not_opened(
        "It is a JWT ({algorithm}), not a Token04. ZEGO takes no JWTs, whatever secret signs them,"
        " so the ServerSecret may well be right.",
        "Replace the code that signs a JWT. " + _MINT,
    ),
    "json-in-base64": _not_opened("It is JSON in base64, which nothing encrypts: {what}.", _MINT),
    "older-token": _refused(
        {**_NOT_OPENED, "native": (1002079,), "zim": (6000107,)},
        "It is a Token{version}, of an older generation. This service, and ZEGO's SDKs of today,"
        " use Token04.",
        "Replace the code that makes it. " + _MINT,
    ),
    "hex-string": _not_opened(
        "It is {length} hexadecimal digits, not a token: {what}.",
        _MINT + " If it is a secret, whoever saw it has it: reset it in ZEGO's console.",
    ),
    "not-a-token": _not_opened(
        'A Token04 begins with "04" and its expiry; nothing in this text does.',
        "Look at what was passed as the token. " + _MINT,
    ),
    # --- A Token04 that something happened to on its way -----------------------------------------
    "whole-answer": _not_opened(
        "It is a whole JSON answer; the token is one field of it.",
        "Pass on the field token (zegoRoom.token of /api/v1/calls/initiate) alone.",
    ),
    "shortened": _not_opened(
        "Part of it is left out, as logs and people shorten tokens: nobody can check the rest.",
        "Copy the whole token from where it was made.",
    ),
    "surrounded": _not_opened(
        "Other text stands around the token, such as Bearer, a name or a URL.", _WHOLE
    ),
    "url-encoded": _not_opened(
        "It is URL-encoded: %2B, %2F and %3D stand for its + / and =.", _HEADER
    ),
    "escaped": _not_opened(
        "Its characters are written as {what}.",
        "Read it with the parser of that format, once; or copy it from where it was made.",
    ),
    "base64-twice": _not_opened(
        "It was encoded in base64 once more: a Token04 is base64 already.",
        "Leave out the second encoding, or decode it where it is read (as with a Kubernetes"
        " Secret).",
    ),
    "quoted": _not_opened("There are quotes around it.", _WHOLE),
    "plus-lost": _not_opened(
        "Each + of it became a space: it was in a URL or form without being encoded, or was decoded"
        " twice.",
        _HEADER,
    ),
    "white-space": _not_opened(
        "White space or a line's end stands in it or around it.",
        "Trim what was read from a file or a variable, and wrap no lines. " + _WHOLE,
    ),
    "invisible": _not_opened(
        "Characters that do not show stand in it, the first is U+{codepoint}: it was copied from a"
        " page, a chat or a document.",
        "Copy it from where it was made, as plain text.",
    ),
    "non-ascii": _not_opened(
        "It holds U+{codepoint}; a Token04 is ASCII.",
        "Copy it from where it was made, as plain text; read it as UTF-8.",
    ),
    "prefix-missing": _not_opened(
        'The "04" in front, or a part of it, is missing; the rest is a Token04.',
        'Put "04" in front of the base64, as ZEGO\'s generators do; or copy its beginning too.',
    ),
    "prefix-twice": _not_opened(
        'The "04" stands in front twice.',
        'Leave one out: the generator puts "04" in front already.',
    ),
    "base64url": _not_opened(
        "It is in the URL-safe alphabet of base64 (- and _ for + and /); a Token04 is not.",
        "Encode with standard base64, with padding.",
    ),
    "padding-missing": _not_opened(
        "Its padding is missing: one or two = at the end.",
        "Encode with standard base64, with padding; keep the = when it is passed on.",
    ),
    "doubled": _not_opened("The token stands there twice, or two are joined.", _WHOLE),
    "trailing-text": _not_opened("Other text follows the token's end.", _WHOLE),
    "truncated": _not_opened(
        "It is cut off: {what}.",
        "Look for what has room for fewer characters (a column, a header, a log line, a URL).",
    ),
    "mode-missing": _not_opened(
        "Its last byte is missing, which says that it is sealed with GCM.",
        "Add the byte 1 behind the GCM tag, before base64; or it was cut off by one byte.",
    ),
    "trailing-bytes": _not_opened(
        "Behind the sealed claims stand {extra} bytes, where at most one may.",
        "Mend the code that puts the envelope together, or what joins texts on the way.",
    ),
    "damaged": _not_opened(
        "It is damaged: {what}.", "Compare it with the token as it was made. " + _WHOLE
    ),
    "malformed-envelope": _not_opened(
        "Its envelope is not a Token04's: {what}.",
        "Mend the code that puts the envelope together (its integers are big-endian), or have the"
        " token service make the token.",
    ),
    # --- A kit token -----------------------------------------------------------------------------
    "kit-token": _warning(
        "It is a kit token, for UIKit alone: a Token04, a #, and the user's details in base64.",
        "Express and ZIM SDKs take the part before the #. The other findings are of that part.",
        _NOT_OPENED,
    ),
    "kit-details-malformed": _not_opened(
        "What follows the # is not the details that UIKit reads: {what}.",
        'Put base64 of {{"userID","roomID","userName","appID"}}, as JSON, behind the #.',
    ),
    "kit-details-missing": _not_opened(
        "UIKit takes a kit token: the Token04, a #, and base64 of the user's details.",
        "Make it with ZegoUIKitPrebuilt.generateKitTokenForProduction(appId, token, room, user).",
    ),
    # --- Which secret ----------------------------------------------------------------------------
    "secret-app-sign": _not_opened(
        "The secret {label} has 64 hexadecimal digits: that is an AppSign.",
        "Take the ServerSecret of ZEGO's console, which has 32 characters.",
    ),
    "secret-quoted": _not_opened(
        "The secret {label} has quotes around it; a server that reads it so makes tokens"
        " that ZEGO cannot open.",
        _AS_SHOWN,
    ),
    "secret-white-space": _not_opened(
        "The secret {label} has white space or a newline around it.", _AS_SHOWN
    ),
    "secret-malformed": _not_opened("The secret {label} is no ServerSecret: {what}.", _AS_SHOWN),
    "made-with-app-sign": _not_opened(
        "It was sealed with an AppSign ({label}), which is for logins without a token.",
        "Seal with the ServerSecret of ZEGO's console, which has 32 characters.",
    ),
    "hex-decoded-secret": _not_opened(
        "It was sealed with the secret {label} hex-decoded to {size} bytes. A ServerSecret looks"
        " like hex, but its 32 characters are the key as they stand.",
        "Leave out the decoding: the key is the text's bytes.",
    ),
    "altered-secret": _not_opened("It was sealed with the secret {label} {how}.", _AS_SHOWN),
    "made-with-previous": _not_opened(
        "It was made with AWSPREVIOUS, the ServerSecret before the current one.",
        "Have a fresh token made. If new ones are still made so, an environment keeps an old"
        " secret. Look for it: zego-token doctor. Mend that environment and restart it.",
    ),
    "made-with-staged": _not_opened(
        "It was made with {label}, a ServerSecret that is not current yet.",
        "See whether it is to be promoted: zego-token secret status. Then look for what made a"
        " token with it already.",
    ),
    "other-secret": _not_opened(
        "None of the secrets tried ({labels}) opens it: it was made with another ServerSecret (of"
        " another project, or from before a reset), with a CallbackSecret, or it was altered.",
        _ROTATE,
    ),
    "not-opened-here": FindingKind(
        "note",
        _NO_CODES,
        "The service did not open it. Over HTTP it opens only tokens that AWSCURRENT or AWSPREVIOUS"
        " sealed with GCM. This does not mean that a secret is wrong.",
        "Run zego-token inspect with access to the secret: it tries CBC and common mistakes too. If"
        " this service issued the token, its audit log has the token's SHA-256 (token_sha256)."
        " GET /v1/status shows in last_verdict whether ZEGO accepts the current secret.",
    ),
    "app-id-mismatch": _refused(
        _OTHER_PROJECT,
        "It is for AppID {found}; the login is with AppID {expected}.",
        "Use one project on both sides: the client's AppID is the one in the service's answer.",
    ),
    "other-project": _refused(
        _OTHER_PROJECT,
        "It is for AppID {found}, and the secret that opens it ({label}) is of AppID {expected}.",
        "AppID and ServerSecret belong together: take both from one project of ZEGO's console.",
    ),
    # --- What it says ----------------------------------------------------------------------------
    "claims-not-json": _malformed(1002074, "It opens, but what is sealed is not JSON.", _GENERATOR),
    "claims-not-object": _malformed(
        1002074, "It opens, but what is sealed is no JSON object.", _GENERATOR
    ),
    "claims-missing": _malformed(1002074, "It opens, but its claims lack {names}.", _GENERATOR),
    "app-id-wrong-type": _malformed(
        1002076,
        "Its app_id is {what}; it must be a number.",
        "Read the AppID as a number: Number(process.env.ZEGO_APP_ID), int(os.environ[...]).",
    ),
    "app-id-out-of-range": _malformed(
        1002076, "Its app_id is outside 1 to 4294967295.", "Copy the AppID from ZEGO's console."
    ),
    "user-id-wrong-type": _malformed(
        1002077,
        "Its user_id is {what}; it must be a string.",
        "Turn it into text before the token is made: String(id), str(id).",
    ),
    "user-id-empty": _malformed(1002077, "Its user_id is empty.", "Name the user who logs in."),
    "user-id-mismatch": _refused(
        _OTHER_USER,
        "It is for another user than the one who logs in ({expected}).{how}",
        "Log in with the user_id of the service's answer, letter for letter.",
    ),
    # The SDKs refuse such a user or room id before they look at any token.
    "user-id-too-long": _refused(
        {"web": (1002007,), "native": (1002007,), "zim": (6000103,)},
        "Its user_id has {size} bytes; ZEGO takes fewer than 64.",
        "Use a shorter id, the same at every login.",
    ),
    "nonce-wrong-type": _malformed(
        1002080, "Its nonce is {what}; it must be an integer of 64 bits.", _GENERATOR
    ),
    "expire-wrong-type": _malformed(
        1002078, "Its expire is {what}; it must be whole Unix seconds.", _SECONDS
    ),
    "ctime-wrong-type": _malformed(
        1002074, "Its ctime is {what}; it must be whole Unix seconds.", _SECONDS
    ),
    "expire-is-a-lifetime": _refused(
        _EXPIRED,
        "Its expiry is {found}, which is a lifetime (or a time before 2001): wanted is the time at"
        " which it ends.",
        "Set expire to ctime plus the lifetime, in Unix seconds.",
    ),
    "expiry-mismatch": _not_opened(
        "The readable expiry ({readable}) is not the sealed one ({sealed}): it was changed after it"
        " was made, or two clocks were read.",
        "Write one value in both places; never edit a token.",
    ),
    "expired": _refused(_EXPIRED, "It expired {ago} ago.", _FRESH),
    "payload-wrong-type": _malformed(
        1002075,
        "Its payload is {what}; it must be a string: empty, or JSON as text.",
        "Serialise the payload before the claims: JSON.stringify(payload), json.dumps(payload).",
    ),
    "payload-not-json": _malformed(
        1002075,
        "Its payload is neither empty nor JSON.",
        'Leave it "" for a token of any room, or write the privilege payload as JSON.',
    ),
    "payload-not-object": _malformed(
        1002075,
        "Its payload is JSON, but no object.",
        'Write {{"room_id","privilege","stream_id_list"}}; serialise it once, not twice.',
    ),
    "payload-without-room": _malformed(
        1002075,
        "Its payload names no room: room_id is {what}.",
        "Name the room in room_id, as a string; or leave the payload empty for any room.",
    ),
    "room-mismatch": _refused(
        _OTHER_ROOM,
        "It is for another room than the one that is logged in to ({expected}), which ZEGO refuses"
        " where its support has switched privileges on.",
        "Ask for a token of that room; log in with the room_id of the service's answer.",
    ),
    "room-id-too-long": _refused(
        {"web": (1002013,), "native": (1002013,)},
        "Its room_id has {size} bytes; ZEGO takes fewer than 128.",
        "Use a shorter room id.",
    ),
    "privileges-malformed": _malformed(
        1002075,
        "Its payload's privilege is malformed: {what}.",
        'Write {{"1":1,"2":1}}: 1 is login, 2 is publish; 1 allows, 0 denies.',
    ),
    "no-login": _refused(
        _OTHER_ROOM,
        "Its payload does not allow to log in to the room (privilege 1), which ZEGO refuses where"
        " its support has switched privileges on.",
        "Ask for the privilege login, if the access policy grants it.",
    ),
    "no-publish": FindingKind(
        "note",
        {"native": (1002082,)},
        "Its payload does not allow to publish a stream (privilege 2): its holder watches and"
        " listens. As a renewal for one who publishes, it is refused.",
        "Ask for the privilege publish, if this user is to be seen or heard.",
    ),
    "stream-ids-malformed": _malformed(
        1002075,
        "Its payload's stream_id_list is {what}; it must be null or an array of strings.",
        "Write null for any stream, or the ids.",
    ),
    "stream-id-refused": _warning(
        "A stream id in the payload is none that ZEGO takes: {what}.",
        "Use up to 255 of 0-9 A-Z a-z _ -; ZEGO answers 1000014 to longer ones.",
    ),
    "kit-mismatch": _refused(
        _OTHER_USER,
        "The kit token's details differ from {what}: {names}.",
        "Make both of the same user, room and AppID, and log in with those.",
    ),
    # --- What ZEGO takes, but not everywhere, or not for long ------------------------------------
    "user-id-characters": _warning(
        "Its {what}.",
        'Use printable ASCII without space and " / : ? [ ] {{ | }}; hash what has others.',
        {"web": (1002006,)},
    ),
    "room-id-characters": _warning(
        "Its {what}.",
        'Use printable ASCII without space and " / : ? [ ] {{ | }}.',
        {"web": (1002012,)},
    ),
    "issued-in-future": _warning(
        "Its ctime is {ahead} from now: the clock that made it is ahead, or yours is behind. What"
        " ZEGO does with it is not documented.",
        "Set the clock (NTP) of what makes tokens. Measure it against ZEGO's: zego-token doctor.",
    ),
    "time-in-milliseconds": _warning(
        "Its times ({names}) are in {unit}: as Unix seconds they are thousands of years away. What"
        " ZEGO does with it is not documented; ZIM takes a life of 24 days at most.",
        _SECONDS,
        {"zim": (6000103,)},
    ),
    "timer-overflow": _warning(
        "It lives {left} from now. The web SDK's timers hold 24.8 days (2^31 ms): tokenWillExpire"
        " comes then, not 30 s before the expiry; before version 2.16, at once.",
        "Make it live 24 days at most.",
    ),
    "lifetime-over-24-days": _warning(
        "It lives {lifetime} s; ZIM takes {limit} s (24 days) at most.",
        "Make it live 24 days at most; hours are enough, as clients renew.",
        {"zim": (6000103,)},
    ),
    "lifetime-under-30s": _warning(
        "It was made to {what}. ZIM refuses less than 30 s, and the web SDK asks for a renewal at"
        " once.",
        "Make it live 60 s or more.",
        _TOO_SHORT,
    ),
    "expires-within-30s": _warning(
        "It expires in {left}. ZIM refuses less than 30 s, and the web SDK asks for a renewal at"
        " once.",
        _FRESH,
        _TOO_SHORT,
    ),
    "nonce-out-of-range": _warning(
        "Its nonce takes more than 32 bits, which is all that some of ZEGO's code reads.",
        "Draw 31 random bits.",
    ),
    "weak-iv": _warning(
        "Its IV is {what}, and so has far fewer values than {size} random bytes. ZEGO takes it, but"
        " the encryption is weaker.",
        "Draw the IV from the operating system as bytes: os.urandom, crypto.randomBytes.",
    ),
    "user-id-too-long-for-zim": FindingKind(
        "note",
        {"zim": (6000103,)},
        "Its user_id has {size} bytes: fine for calls, more than the 32 that ZIM takes.",
        "Use a shorter id, if the same users are to chat.",
    ),
}
