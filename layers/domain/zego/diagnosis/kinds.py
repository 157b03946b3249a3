"""Every kind of finding: what a client shows, why, and what to do. In the order of precedence.

An earlier kind explains more: if the text is a JWT, nothing about its room matters. The codes are
those of each SDK, in the order in which it shows them. Which mistake gives which code is documented
for the native SDK (1002074 to 1002082) and for expiry, observed for 20014 and 50119, and inferred
for the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

FindingSeverity = Literal["refused", "warning", "note"]
#: The SDKs whose codes differ. UIKit is built on the web SDK, and shows its codes.
SdkFamily = Literal["web", "native", "zim"]
Codes = Mapping[SdkFamily, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class FindingKind:
    """What all findings of one kind have in common.

    :ivar severity: ``refused``: ZEGO or its SDK refuses the token; ``warning``: it accepts the
        token, but not everywhere or not for long; ``note``: nothing is wrong, but good to know.
        If the SDK is known and has a code here, a finding is ``refused`` instead.
    :ivar codes: what the SDKs that refuse it show; empty if the code is not known.
    :ivar cause: what is wrong. The names in braces are filled in for each token.
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
    """One claim, or all of them, in a form that ZEGO cannot read."""
    codes: Codes = {"web": (50120, 1102016), "native": (native,), "zim": (6000103,)}
    return _refused(codes, cause, remedy)


def _warning(cause: str, remedy: str, codes: Codes = _NO_CODES) -> FindingKind:
    return FindingKind("warning", codes, cause, remedy)


_MINT: Final = "Get a Token04 from the token service (POST /v1/tokens)."
_WHOLE: Final = (
    "Pass the token on exactly as the service returned it: every character, and nothing else."
)
_HEADER: Final = (
    "Send it in a JSON body or an Authorization header; in a URL, encode it once and decode it once"
    " (encodeURIComponent)."
)
_ROTATE: Final = (
    "Compare fingerprints: zego-token doctor. If ZEGO's console shows a different ServerSecret than"
    " the service has, store that one: zego-token secret rotate."
)
_GENERATOR: Final = "Fix the code that makes the claims, or let the token service make the token."
_SECONDS: Final = "Use whole seconds: Math.floor(Date.now() / 1000), int(time.time())."
_FRESH: Final = "Get a new token. Clients renew theirs when the SDK reports tokenWillExpire."
_AS_SHOWN: Final = (
    "Use the 32 characters exactly as ZEGO's console shows them, with nothing around them."
)
_IF_ENFORCED: Final = "ZEGO refuses it if its support has switched privileges on for the AppID."

KINDS: Final[Mapping[str, FindingKind]] = {
    # --- Not a Token04 ---------------------------------------------------------------------------
    "empty": _refused(
        {"web": (1100001,), "native": (1002067,), "zim": (6000103,)},
        "There is no token: the text is empty.",
        "Check why the client has no token: did it wait for the response and read its token field?",
    ),
    "too-long": _not_opened(
        "It has {length} characters; a Token04 never has more than {limit}.",
        "Check what was passed as the token: it is something else.",
    ),
    "no-value": _not_opened(
        "It is the text of {what}, not a token.",
        "Wait for the response (await), read its token field (zegoRoom.token of a call), and check"
        " that it has a value before you use it.",
    ),
    "placeholder": _not_opened(
        "It is a placeholder that was never replaced by a token.",
        "Check why it was not filled in: is the variable set where the template is read? " + _MINT,
    ),
    "html-page": _not_opened(
        "It is a web page: the address that should return a token returned HTML or XML.",
        "Check the address, and check the response's status before you read its body. A proxy, a"
        " login page or a single-page app may return a page if the route does not exist.",
    ),
    "answer-without-token": _not_opened(
        "It is JSON without a token in it: {what}.",
        "Check the response's status before you read its body. The token is in the field token"
        " (zegoRoom.token of a call).",
    ),
    "jwt": _not_opened(
        "It is a JWT ({algorithm}), not a Token04.{whose} ZEGO refuses every JWT, whatever secret"
        " signed it, so the ServerSecret may well be right.",
        "Replace the code that signs a JWT. " + _MINT,
    ),
    "other-vendor": _not_opened(
        "It is {name}, not a Token04. ZEGO refuses it, whatever the ServerSecret is.",
        "Find where the app gets this token, and replace it there. " + _MINT,
    ),
    "signed-not-sealed": _not_opened(
        "It is JSON in {encoding} that was signed but never encrypted: {what}, with {signature}."
        " Everyone can read it. ZEGO refuses it, whatever secret signed it.",
        "Encrypt the claims with AES and the ServerSecret instead of signing them, as ZEGO's"
        " generators do; or let the token service make the token.",
    ),
    "json-in-base64": _not_opened(
        "It is JSON in {encoding} that was never encrypted: {what}.", _MINT
    ),
    "older-token": _refused(
        {**_NOT_OPENED, "native": (1002079,), "zim": (6000107,)},
        "It is a Token{version}, an older version. This service and ZEGO's current SDKs use"
        " Token04.",
        "Replace the code that makes it. " + _MINT,
    ),
    "hex-string": _not_opened(
        "It is {length} hexadecimal digits, not a token: {what}.",
        _MINT + " If it is a secret, everyone who saw it has it: reset it in ZEGO's console.",
    ),
    "not-a-token": _not_opened(
        'No part of this text is a Token04. A Token04 is "04" and over 100 characters of base64,'
        " which begin with its expiry.",
        "Check what was passed as the token. " + _MINT,
    ),
    # --- A Token04 that was changed on its way ---------------------------------------------------
    "whole-answer": _not_opened(
        "It is a whole JSON response; the token is one field of it.",
        "Pass on only the field token (zegoRoom.token of /api/v1/calls/initiate).",
    ),
    "shortened": _not_opened(
        "Part of it was left out, as logs and people shorten tokens. The rest cannot be checked.",
        "Copy the whole token from where it was made.",
    ),
    "surrounded": _not_opened(
        "There is other text around the token, such as Bearer, a name or a URL.", _WHOLE
    ),
    "url-encoded": _not_opened(
        "It is URL-encoded: %2B, %2F and %3D stand for its +, / and =.", _HEADER
    ),
    "escaped": _not_opened(
        "Its characters are escaped as in {what}.",
        "Decode it once, with the parser of that format; or copy it from where it was made.",
    ),
    "base64-twice": _not_opened(
        "It was encoded in base64 a second time: a Token04 is base64 already.",
        "Leave out the second encoding, or decode it where it is read (as with a Kubernetes"
        " Secret).",
    ),
    "quoted": _not_opened("There are quotes around it.", _WHOLE),
    "plus-lost": _not_opened(
        "Each + in it became a space: it was in a URL or form without being encoded, or it was"
        " decoded twice.",
        _HEADER,
    ),
    "white-space": _not_opened(
        "There is white space or a line break in it or around it.",
        "Trim what you read from a file or a variable, and do not wrap lines. " + _WHOLE,
    ),
    "invisible": _not_opened(
        "It contains invisible characters, first U+{codepoint}: it was copied from a page, a chat"
        " or a document.",
        "Copy it from where it was made, as plain text.",
    ),
    "non-ascii": _not_opened(
        "It contains U+{codepoint}; a Token04 is ASCII.",
        "Copy it from where it was made, as plain text, and read it as UTF-8.",
    ),
    "prefix-missing": _not_opened(
        'The "04" at its beginning, or a part of it, is missing; the rest is a Token04.',
        'Put "04" before the base64, as ZEGO\'s generators do; or copy the token from its first'
        " character.",
    ),
    "prefix-twice": _not_opened(
        'It begins with "04" twice.',
        'Leave one out: the generator already puts "04" at the beginning.',
    ),
    "base64url": _not_opened(
        "It uses the URL-safe alphabet of base64 (- and _ instead of + and /); a Token04 uses the"
        " standard one.",
        "Encode with standard base64, with padding.",
    ),
    "padding-missing": _not_opened(
        "Its padding is missing: one or two = at the end.",
        "Encode with standard base64, with padding; keep the = when you pass it on.",
    ),
    "doubled": _not_opened("It contains the token twice, or two tokens joined.", _WHOLE),
    "trailing-text": _not_opened("There is other text after the token's end.", _WHOLE),
    "truncated": _not_opened(
        "It is cut off: {what}.",
        "Find what is too short for it: a column, a header, a log line or a URL.",
    ),
    "trailing-bytes": _not_opened(
        "There are {extra} bytes after its sealed claims; at most one is allowed.",
        "Fix the code that builds the envelope, or that appends text to the token on its way.",
    ),
    "damaged": _not_opened(
        "It is damaged: {what}.", "Compare it with the token as it was made. " + _WHOLE
    ),
    "malformed-envelope": _not_opened(
        "Its envelope is not that of a Token04: {what}.",
        "Fix the code that builds the envelope (its integers are big-endian), or let the token"
        " service make the token.",
    ),
    # --- A kit token -----------------------------------------------------------------------------
    "kit-token": _warning(
        "It is a kit token, which only UIKit accepts: a Token04, a #, and the user's details in"
        " base64.",
        "Give the Express and ZIM SDKs only the part before the #. The other findings are about"
        " that part.",
        _NOT_OPENED,
    ),
    "kit-details-malformed": _not_opened(
        "UIKit cannot read the user's details after the #: {what}.",
        'Put base64 of the JSON object {{"userID","roomID","userName","appID"}} after the #.',
    ),
    "kit-details-missing": _not_opened(
        "UIKit needs a kit token: the Token04, a #, and base64 of the user's details.",
        "Make one with ZegoUIKitPrebuilt.generateKitTokenForProduction(appId, token, room, user).",
    ),
    # --- Which secret ----------------------------------------------------------------------------
    "secret-app-sign": _not_opened(
        "The secret {label} has 64 hexadecimal digits, so it is an AppSign.",
        "Use the ServerSecret from ZEGO's console, which has 32 characters.",
    ),
    "secret-quoted": _not_opened(
        "The secret {label} has quotes around it. A server that keeps the quotes makes tokens"
        " that ZEGO cannot open.",
        _AS_SHOWN,
    ),
    "secret-white-space": _not_opened(
        "The secret {label} has white space or a newline around it.", _AS_SHOWN
    ),
    "secret-malformed": _not_opened("The secret {label} is not a ServerSecret: {what}.", _AS_SHOWN),
    "made-with-app-sign": _not_opened(
        "It was sealed with an AppSign ({label}), which is for logins without a token.",
        "Seal it with the ServerSecret from ZEGO's console, which has 32 characters.",
    ),
    "hex-decoded-secret": _not_opened(
        "It was sealed with the secret {label} hex-decoded to {size} bytes. A ServerSecret looks"
        " like hex, but the key is its 32 characters as they are.",
        "Do not decode it: the key is the bytes of the text.",
    ),
    "altered-secret": _not_opened(
        "It was sealed with the secret {label} {how}.",
        "Use the 32 characters as they are in ZEGO's console: do not cut, convert or hash them.",
    ),
    "made-with-callback-secret": _not_opened(
        "It was sealed with the CallbackSecret, which signs ZEGO's callbacks.",
        "Seal it with the ServerSecret from ZEGO's console.",
    ),
    "made-with-previous": _not_opened(
        "It was made with AWSPREVIOUS, the ServerSecret before the current one.",
        "Get a new token. If new tokens are still made with it a minute after a rotation, an"
        " environment keeps the old secret. Find it: zego-token doctor. Fix that environment and"
        " restart it.",
    ),
    "made-with-staged": _not_opened(
        "It was made with {label}, a ServerSecret that is not current yet.",
        "Check whether it is about to be promoted: zego-token secret status. Then find what already"
        " makes tokens with it.",
    ),
    "other-secret": _not_opened(
        "It is whole and well-formed, but none of the secrets tried ({labels}) opens it, even with"
        " the usual mistakes.{untried} It was made with (inferred, most likely first) the"
        " ServerSecret of another project or from before a reset (AWSPREVIOUS); a value read with"
        " quotes, spaces or a newline; an AppSign or a CallbackSecret. Or it was altered: check a"
        " second, new token.",
        _ROTATE,
    ),
    "secret-not-judged": FindingKind(
        "note",
        _NO_CODES,
        "None of the secrets tried ({labels}) opens it. As the token is not as it was made, this"
        " does not mean that a secret is wrong.",
        "Check the token first.",
    ),
    "not-opened-here": FindingKind(
        "note",
        _NO_CODES,
        "The service did not open it. Over HTTP it opens only GCM tokens that were sealed with"
        " AWSCURRENT or AWSPREVIOUS. This does not mean that a secret is wrong.",
        "Run zego-token inspect with access to the secret: it also tries CBC and common mistakes."
        " If this service issued the token, its audit log contains the token's SHA-256"
        " (token_sha256). GET /v1/status shows in last_verdict whether ZEGO accepts the current"
        " secret.",
    ),
    "app-id-mismatch": _refused(
        _OTHER_PROJECT,
        "It is for AppID {found}, but the login uses AppID {expected}.",
        "Use the same project on both sides: give the client the AppID from the service's"
        " response.",
    ),
    "other-project": _refused(
        _OTHER_PROJECT,
        "It is for AppID {found}, but the secret that opens it ({label}) belongs to AppID"
        " {expected}.",
        "AppID and ServerSecret belong together: take both from one project in ZEGO's console.",
    ),
    # --- How its generator sealed it, and wrote its envelope -------------------------------------
    "wrong-mode": _not_opened(
        "It was encrypted in the mode {mode}; ZEGO takes CBC and GCM.",
        "Use AES-256-GCM, or AES-256-CBC with PKCS#7.",
    ),
    "wrong-padding": _not_opened(
        "Its padding is wrong: {what}.",
        "Let the library pad, and do not pad yourself: CBC takes PKCS#7 once, GCM no padding.",
    ),
    "gcm-iv": _not_opened(
        "It was sealed with GCM and an IV of {size} bytes; ZEGO's generators use 12.",
        "Draw 12 random bytes as the IV, and write 12 as its length.",
    ),
    "aad": _not_opened(
        "Its GCM tag also covers {what} as additional data (AAD).",
        "Seal without additional data: leave out setAAD, updateAAD or the last argument.",
    ),
    "tag-mismatch": _not_opened(
        "The secret opens it, but its GCM tag does not match: it was altered after it was made, or"
        " its generator used additional data (AAD).",
        "Compare it with the token as it was made. Seal without additional data. The secret is"
        " right.",
    ),
    "iv-misplaced": _not_opened(
        "Its IV is {what}.",
        "Write the IV's length (2 bytes, big-endian) and the IV that was used, then the length of"
        " the ciphertext and the ciphertext.",
    ),
    "expiry-field": _not_opened(
        "Its readable expiry, with which the envelope begins, is {what}.",
        "Write expire as 8 bytes, big-endian, in Unix seconds: writeBigInt64BE, putLong,"
        ' struct.pack(">q", expire).',
    ),
    "iv-length-field": _not_opened(
        "The length of its IV is {what}.",
        "Write it before the IV as 2 bytes, big-endian: 0, 12 for GCM; 0, 16 for CBC.",
    ),
    "sealed-length-field": _not_opened(
        "The length of its sealed claims is {what}.",
        "Write the bytes of the ciphertext (with GCM also those of its tag) before it, as 2 bytes,"
        ' big-endian: writeUInt16BE(sealed.length), struct.pack(">H", len(sealed)).',
    ),
    "sealed-encoded": _not_opened(
        "Its ciphertext is text ({what}); the envelope takes bytes.",
        "Put the bytes of the ciphertext into the envelope: OPENSSL_RAW_DATA in PHP; no output"
        " encoding in Node.",
    ),
    "tag-misplaced": _not_opened(
        "Its GCM tag is {what}.",
        "Append the 16 bytes of the tag to the ciphertext, and count them in its length.",
    ),
    "mode-byte": _not_opened(
        "The byte that marks its mode is {what}.",
        "Append the byte 1 as the last one after GCM, and nothing after CBC.",
    ),
    "mode-missing": _not_opened(
        "Its last byte, which marks it as sealed with GCM, is missing.",
        "Append the byte 1 after the GCM tag, then encode in base64; or find what cut off the"
        " last byte.",
    ),
    "prefix-inside": _not_opened(
        'The "04" was encoded with the envelope; it belongs in front of the base64.',
        'Write "04" + base64(envelope).',
    ),
    "leading-bytes": _not_opened(
        "There are {size} bytes in front of its envelope, such as a version or an HMAC.",
        'Begin the envelope with the expiry, and write the version only as the "04" before the'
        " base64.",
    ),
    "bytes-as-text": _not_opened(
        "Its bytes were turned into text as Latin-1 and written as UTF-8.",
        "Keep them as bytes until the base64: no toString('binary'), new String(bytes) or"
        " utf8_encode.",
    ),
    "hex-encoded": _not_opened(
        "Its envelope is written in hexadecimal digits.",
        'Write "04" + base64(envelope), with standard base64.',
    ),
    # --- Its content -----------------------------------------------------------------------------
    "claims-encoding": _malformed(
        1002074,
        "It opens, but its claims are {what}.",
        "Encrypt the bytes of the JSON in UTF-8, without a byte order mark and uncompressed.",
    ),
    "claims-not-json": _malformed(
        1002074,
        "It opens, but its content is not JSON: {what}.",
        "Let a JSON library write the claims, and the payload before them: JSON.stringify,"
        " json.dumps.",
    ),
    "claim-names": _malformed(
        1002074,
        "It opens, but its claims have other names than ZEGO's: {names}.",
        "Name them app_id, user_id, nonce, ctime, expire and payload.",
    ),
    "claims-not-object": _malformed(
        1002074, "It opens, but its content is not a JSON object.", _GENERATOR
    ),
    "claims-missing": _malformed(
        1002074, "It opens, but these claims are missing: {names}.", _GENERATOR
    ),
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
        "Convert it to a string before you make the token: String(id), str(id).",
    ),
    "user-id-empty": _malformed(
        1002077, "Its user_id is empty.", "Set it to the id of the user who logs in."
    ),
    "user-id-mismatch": _refused(
        _OTHER_USER,
        "It is for another user, not the one who logs in ({expected}).{how}",
        "Log in with exactly the user_id from the service's response.",
    ),
    # The SDKs refuse such a user or room id before they check any token.
    "user-id-too-long": _refused(
        {"web": (1002007,), "native": (1002007,), "zim": (6000103,)},
        "Its user_id has {size} bytes; ZEGO accepts at most 63.",
        "Use a shorter id, the same at every login.",
    ),
    "nonce-wrong-type": _malformed(
        1002080, "Its nonce is {what}; it must be a 64-bit integer.", _GENERATOR
    ),
    "expire-wrong-type": _malformed(
        1002078, "Its expire is {what}; it must be a time in whole Unix seconds.", _SECONDS
    ),
    "ctime-wrong-type": _malformed(
        1002074, "Its ctime is {what}; it must be a time in whole Unix seconds.", _SECONDS
    ),
    "expire-is-a-lifetime": _refused(
        _EXPIRED,
        "Its expiry is {found}, which is a lifetime (or a time before 2001). It must be the time"
        " at which the token expires.",
        "Set expire to ctime plus the lifetime, in Unix seconds.",
    ),
    "expiry-mismatch": _not_opened(
        "The readable expiry ({readable}) differs from the sealed one ({sealed}): it was changed"
        " after the token was made, or the generator read the clock twice.",
        "Write the same value in both places, and never edit a token.",
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
        'Leave it "" for a token that opens every room, or write the privileges as JSON.',
    ),
    "payload-not-object": _malformed(
        1002075,
        "Its payload is JSON, but not an object.",
        'Write {{"room_id","privilege","stream_id_list"}}; serialise it once, not twice.',
    ),
    "payload-without-room": _malformed(
        1002075,
        "Its payload names no room: room_id is {what}.",
        "Name the room in room_id, as a string; or leave the payload empty to open every room.",
    ),
    "room-mismatch": _refused(
        _OTHER_ROOM,
        "It is for another room, not the one that the client logs in to ({expected}). "
        + _IF_ENFORCED,
        "Request a token for that room, and log in with the room_id from the service's response.",
    ),
    "room-id-too-long": _refused(
        {"web": (1002013,), "native": (1002013,)},
        "Its room_id has {size} bytes; ZEGO accepts at most 127.",
        "Use a shorter room id.",
    ),
    "privileges-malformed": _malformed(
        1002075,
        "Its payload's privilege is malformed: {what}.",
        'Write {{"1":1,"2":1}}: the keys are 1 for login and 2 for publish; 1 allows, 0 denies.',
    ),
    "no-login": _refused(
        _OTHER_ROOM,
        "Its payload does not allow logging in to the room (privilege 1). " + _IF_ENFORCED,
        "Request the privilege login, if the access policy grants it.",
    ),
    "no-publish": FindingKind(
        "note",
        {"native": (1002082,)},
        "Its payload does not allow publishing a stream (privilege 2): the user can only watch and"
        " listen. ZEGO refuses it as a renewal for a user who publishes.",
        "Request the privilege publish, if this user should be seen or heard.",
    ),
    "stream-ids-malformed": _malformed(
        1002075,
        "Its payload's stream_id_list is {what}; it must be null or an array of strings.",
        "Write null to allow any stream, or list the ids.",
    ),
    "stream-id-refused": _warning(
        "ZEGO does not accept a stream id in the payload: {what}.",
        "Use up to 255 of 0-9 A-Z a-z _ -; ZEGO reports 1000014 for longer ones.",
    ),
    "kit-mismatch": _refused(
        _OTHER_USER,
        "The kit token's details differ from {what}: {names}.",
        "Use the same user, room and AppID in the token, in the details and at login.",
    ),
    # --- What ZEGO accepts, but not everywhere, or not for long ----------------------------------
    "user-id-characters": _warning(
        "Its {what}.",
        'Use printable ASCII except space and " / : ? [ ] {{ | }}; hash any other id.',
        {"web": (1002006,)},
    ),
    "room-id-characters": _warning(
        "Its {what}.",
        'Use printable ASCII except space and " / : ? [ ] {{ | }}.',
        {"web": (1002012,)},
    ),
    "issued-in-future": _warning(
        "Its ctime is {ahead} from now: the clock of the machine that made it is ahead, or yours is"
        " behind. ZEGO does not document what it does with such a token.",
        "Set the clock (NTP) of the machine that makes tokens. Measure it against ZEGO's:"
        " zego-token doctor.",
    ),
    "time-in-milliseconds": _warning(
        "Its times ({names}) are in {unit}: read as Unix seconds, they are thousands of years away."
        " ZEGO does not document what it does then; ZIM accepts a lifetime of at most 24 days.",
        _SECONDS,
        {"zim": (6000103, 6000109)},
    ),
    "timer-overflow": _warning(
        "It expires {left} from now. The web SDK's timers are limited to 24.8 days (2^31 ms):"
        " tokenWillExpire comes then, not 30 s before the expiry; before version 2.16, at once.",
        "Use a lifetime of at most 24 days.",
    ),
    "lifetime-over-24-days": _warning(
        "Its lifetime is {lifetime} s; ZIM accepts at most {limit} s (24 days).",
        "Use a lifetime of at most 24 days; hours are enough, because clients renew.",
        {"zim": (6000103, 6000109)},
    ),
    "lifetime-under-30s": _warning(
        "Its lifetime is {what}. ZIM refuses less than 30 s, and the web SDK requests a renewal at"
        " once.",
        "Use a lifetime of at least 60 s.",
        _TOO_SHORT,
    ),
    "expires-within-30s": _warning(
        "It expires in {left}. ZIM refuses less than 30 s, and the web SDK requests a renewal at"
        " once.",
        _FRESH,
        _TOO_SHORT,
    ),
    "nonce-out-of-range": _warning(
        "Its nonce needs more than 32 bits; some of ZEGO's code reads only 32.",
        "Use 31 random bits.",
    ),
    "weak-iv": _warning(
        "Its IV is {what}, so it has far fewer possible values than {size} random bytes. ZEGO"
        " accepts it, but the encryption is weaker.",
        "Draw the IV from the operating system as bytes: os.urandom, crypto.randomBytes.",
    ),
    "payload-missing": FindingKind(
        "note",
        _NO_CODES,
        "Its claims have no payload. UIKit's own generator makes such tokens, and they work; ZEGO's"
        ' other generators write "".',
        'Write "payload":"" if you make tokens yourself.',
    ),
    "claims-extra": FindingKind(
        "note",
        _NO_CODES,
        "It also contains {count} claims that ZEGO does not document. It should ignore them"
        " (inferred).",
        "Leave them out, and send such values to the client separately.",
    ),
    "user-id-too-long-for-zim": FindingKind(
        "note",
        {"zim": (6000103,)},
        "Its user_id has {size} bytes: fine for calls, but ZIM accepts at most 32.",
        "Use a shorter id if the same users are to chat.",
    ),
}
