"""The codes that ZEGO's SDKs show or log, starting with the web SDK.

Source: the vendor's tables of error codes, and the declarations in its npm packages, which contain
the names. The likely causes, and their order, come from public reports.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from zego.error_codes.code import ErrorCode, Platform, Source

_JWT: Final = "The token is a JWT, or another string signed with HMAC, instead of a Token04."
_FOREIGN: Final = "The ServerSecret belongs to another project, or is from before a reset."
_TOO_MUCH: Final = "The ServerSecret was read with quotes, spaces or a newline around it."
_APP_SIGN: Final = "An AppSign (64 hex digits) or the CallbackSecret was used as the ServerSecret."
_APP_ID_TEXT: Final = "app_id is a string in the token, not a number."
_PAYLOAD_OBJECT: Final = "payload is an object in the token, not a string that contains JSON."
_OTHER_USER: Final = "The user id at login is not the one in the token."
_ID_REFUSED: Final = "The app passed such an id; the SDK refuses it before it checks any token."
_EXPIRED: Final = "The token has expired."
_NOT_OPENED: Final = (_JWT, _FOREIGN, _TOO_MUCH, _APP_SIGN, _APP_ID_TEXT, _PAYLOAD_OBJECT)
_KEPT: Final = (
    "The token was kept too long: fetched once, and used again at a later login.",
    "The token was not renewed when the SDK reported that it will expire.",
    "The clock of the machine that made the token is behind, or the lifetime is too short.",
)

_UNPUBLISHED: Final = "The room server refuses the token; ZEGO does not publish which check fails."

_LOOK: Final = "Check the token: zego-token inspect."
_LOOK_AND_COMPARE: Final = (
    f"{_LOOK} If it is a Token04, compare its secret with ZEGO's: zego-token doctor. If ZEGO has a"
    " different one, store that: zego-token secret rotate."
)
_RENEW: Final = (
    "Get a new token for each login, and renew it when the SDK reports that it will expire. Check"
    " its times: zego-token inspect."
)
_COMPARE_APP_ID: Final = (
    "Give the SDK the AppID from the service's response, as a number. Check whether ZEGO accepts"
    " the service's AppID: zego-token doctor."
)
_OTHER_CHARACTERS: Final = 'Use printable ASCII except space and " / : ? [ ] { | }.'
_LESS_OFTEN: Final = "Call it less often. The token is not the problem."
_LET_IN: Final = (
    "Ask whoever runs the backend. A new token does not help until it lets the user in."
)


def _code(
    platforms: tuple[Platform, ...],
    code: int,
    name: str | None,
    meaning: str,
    *causes: str,
    remedy: str,
    source: Source = "documented",
    shown_as: int | None = None,
    is_about_token: bool = True,
) -> ErrorCode:
    return ErrorCode(
        code, platforms, name, meaning, causes, remedy, source, shown_as, is_about_token
    )


_web = partial(_code, ("web",))
_both = partial(_code, ("web", "native"))
_native = partial(_code, ("native",))
_zim = partial(_code, ("zim",))


def _room(code: int, meaning: str, *causes: str, name: str | None = None) -> ErrorCode:
    """A raw code of the room server, which the app sees as 1102016."""
    return _web(
        code,
        name,
        meaning,
        *(causes or (*_NOT_OPENED, _OTHER_USER)),
        remedy=_LOOK_AND_COMPARE,
        source="observed",
        shown_as=1102016,
    )


def _room_expired(code: int) -> ErrorCode:
    meaning = "The room server reports that the token has expired."
    return _web(code, None, meaning, *_KEPT, remedy=_RENEW, source="observed", shown_as=1102018)


def _id(code: int, name: str, meaning: str, remedy: str) -> ErrorCode:
    """An id that the SDKs refuse before they send ZEGO any token."""
    return _both(code, name, meaning, _ID_REFUSED, remedy=remedy, is_about_token=False)


CODES: Final = (
    # --- The web SDK ------------------------------------------------------------------------------
    _web(
        20014,
        "ACCESSHUB_INVALID_SIGNATURE",
        "ZEGO could not open the token when the SDK fetched its configuration. The login continues,"
        " and fails with 50119.",
        *_NOT_OPENED,
        remedy=_LOOK_AND_COMPARE,
        source="observed",
        shown_as=1102016,
    ),
    _room(50119, "The room server could not open the token, or the token is for another user."),
    _room(
        50120,
        "The room server refuses the token's format.",
        _PAYLOAD_OBJECT,
        _APP_ID_TEXT,
        "Another claim is missing, or of the wrong type.",
        "It is not a Token04, but another string or a token of an older version.",
    ),
    _room_expired(50117),
    _room_expired(50123),
    _room(
        2002, "The room server refuses the token at authentication.", name="THIRD_TOKEN_AUTH_ERROR"
    ),
    *(
        _room(code, _UNPUBLISHED)
        for code in (2010, 50116, 50118, 50121, 50122, *range(50124, 50129))
    ),
    _web(
        1102016,
        "TOKEN_ERROR",
        "ZEGO refuses the token. The codes logged just before (20014, 50119 or 50120) tell more.",
        *_NOT_OPENED,
        _OTHER_USER,
        remedy=_LOOK_AND_COMPARE,
    ),
    _web(1102018, "TOKEN_EXPIRED", "The token has expired.", *_KEPT, remedy=_RENEW),
    _web(
        1102020,
        "ZEGO_AUTH_ERROR",
        "ZEGO refuses what the client requested with this token.",
        "Its payload does not allow this room, and privileges are switched on for the AppID.",
        *_NOT_OPENED,
        remedy="Compare the token with the room: zego-token inspect --expect-room ID. Request a"
        " token for the room that the client logs in to.",
    ),
    _web(
        1100001,
        "INPUT_PARAM",
        "An argument of the SDK call is missing or has the wrong type: at login, the token is empty"
        " or not a string. If it is undefined or an object, newer SDKs throw a TypeError instead,"
        " and the login never ends.",
        "The app did not wait for the token: it passed an empty string, undefined, or a Promise.",
        "It read a field that the response does not have; the token is in the field token.",
        "It passed the whole response, an object.",
        "The arguments of loginRoom are in the wrong order; it takes room, token, user.",
        remedy="Log typeof token and token.length just before loginRoom, never the token itself.",
    ),
    _web(
        20012,
        "ACCESSHUB_INVALID_APPID",
        "ZEGO does not know the AppID for which the SDK fetches its configuration.",
        "The AppID is not set, belongs to another project, or has a digit too many or too few.",
        "The server's address is not the one that ZEGO's console shows for the project.",
        remedy=_COMPARE_APP_ID,
        source="observed",
        shown_as=1001004,
        is_about_token=False,
    ),
    # --- The web SDK and the native ones ----------------------------------------------------------
    _both(
        1001004,
        "EngineAppidIncorrectOrNotOnline",
        "ZEGO does not accept the AppID that the SDK was started with.",
        "The AppID belongs to another project, or has a digit too many or too few.",
        "It was passed as a string, or is not set and so is 0 or NaN.",
        "The project has no production environment, or the SDK uses the wrong environment.",
        remedy=_COMPARE_APP_ID,
        is_about_token=False,
    ),
    _both(
        1101000,
        "INIT_SDK_WRONG",
        "The SDK could not be started: its AppID or its server is wrong.",
        "The AppID was passed as a string, or is not set and so is 0 or NaN.",
        "The AppID belongs to another project.",
        "The server's address is not the one that ZEGO's console shows for the project.",
        remedy=_COMPARE_APP_ID,
        is_about_token=False,
    ),
    _both(
        1002055,
        "RoomManualKickedOut",
        "A backend removed the user from the room.",
        "A backend called KickoutUser of the server API for this user.",
        remedy=_LET_IN,
        is_about_token=False,
    ),
    _both(
        1002056,
        "RoomTokenExpiredKickedOut",
        "Native: the user was removed from the room because the token expired. Web, with several"
        " rooms: the user logged in again without logging out.",
        "It was not renewed in time, and the AppID is set to end logins at expiry.",
        "Web: loginRoom was called twice.",
        remedy="Call renewToken with a new token when the SDK reports that the old one will expire,"
        " 30 s before it does.",
    ),
    _both(
        1002066,
        "RoomUserInBlacklist",
        "The user is on the project's blacklist and may not log in.",
        "A backend called SetForbidUserRule of the server API for this user.",
        remedy=_LET_IN,
        is_about_token=False,
    ),
    _both(
        1002082,
        "RoomRenewTokenNoPublishAuthError",
        "The renewed token does not allow publishing, but the user publishes.",
        "It was requested without the privilege publish, unlike the first one.",
        "The access policy does not grant this user the privilege publish.",
        "Its stream ids do not include the published one.",
        remedy="Renew with the privileges of the first token. Compare both: zego-token inspect.",
    ),
    _id(1000014, "CommonStreamIdTooLong", "The stream id is too long.", "Use at most 255 bytes."),
    _id(
        1000016,
        "CommonStreamIdInvalidCharacter",
        "The stream id contains a character that is not allowed.",
        "Use only 0-9 A-Z a-z _ and -.",
    ),
    _id(1002005, "RoomUserIdNull", "The user id is empty.", "Set the id of the user."),
    _id(
        1002006,
        "RoomUserIdInvalidCharacter",
        "The user id contains a character that is not allowed.",
        _OTHER_CHARACTERS,
    ),
    _id(1002007, "RoomUserIdTooLong", "The user id is too long.", "Use at most 63 bytes."),
    _id(1002011, "RoomRoomidNull", "The room id is empty.", "Set the id of the room."),
    _id(
        1002012,
        "RoomRoomidInvalidCharacter",
        "The room id contains a character that is not allowed.",
        _OTHER_CHARACTERS,
    ),
    _id(1002013, "RoomRoomidTooLong", "The room id is too long.", "Use at most 127 bytes."),
    # --- The native SDKs --------------------------------------------------------------------------
    _native(
        1002033,
        "RoomErrorAuthenticationFailed",
        "Authentication at login failed.",
        *_NOT_OPENED,
        _EXPIRED,
        _OTHER_USER,
        remedy=_LOOK_AND_COMPARE,
    ),
    _native(
        1002067,
        "RoomNoToken",
        "The SDK was given neither an AppSign nor a token.",
        "loginRoom was called without a token in its ZegoRoomConfig.",
        "The app did not wait for the token, and passed an empty one.",
        "The app was made for logins with an AppSign, but got none.",
        remedy="Set the token in the ZegoRoomConfig of loginRoom. Keep the AppSign out of apps.",
    ),
    _native(
        1002074,
        "RoomTokenInnerError",
        "ZEGO had an internal error while it checked the token.",
        "A claim is malformed in a way that no other code covers.",
        "ZEGO's servers failed.",
        remedy=f"{_LOOK} If nothing is wrong with it, try again, then ask ZEGO's support.",
    ),
    _native(
        1002075,
        "RoomTokenFormatError",
        "The token's payload is not JSON.",
        _PAYLOAD_OBJECT,
        "It was serialised to JSON twice.",
        "It contains other text; without privileges it must be empty.",
        remedy=f"Make payload a string: empty, or JSON. {_LOOK}",
    ),
    _native(
        1002076,
        "RoomTokenAppidError",
        "The token's AppID is not the one that the SDK was started with, or is not a number.",
        "The app and the backend use different projects or environments.",
        _APP_ID_TEXT,
        remedy="Give the SDK the AppID from the service's response. Compare the token's: zego-token"
        " inspect --expect-app NUMBER.",
    ),
    _native(
        1002077,
        "RoomTokenUseridError",
        "The token's user id is not the one at login, or is not a string.",
        _OTHER_USER,
        "user_id is a number in the token, not a string.",
        remedy="Log in with exactly the user_id from the service's response. Compare the token's:"
        " zego-token inspect --expect-user ID.",
    ),
    _native(
        1002078,
        "RoomTokenExpireError",
        "The token has expired, or its expiry has the wrong type.",
        *_KEPT,
        "expire is a lifetime or a string in the token, not a time in Unix seconds.",
        remedy=_RENEW,
    ),
    _native(
        1002079,
        "RoomTokenVersionError",
        "ZEGO does not accept the token's version.",
        "An older generator made it (Token03 or before).",
        'The token does not begin with "04", because other text is in front of it.',
        _JWT,
        remedy=f"{_LOOK} Get a Token04 from this service.",
    ),
    _native(
        1002080,
        "RoomTokenNoncetypeError",
        "The token's nonce has the wrong type.",
        "nonce is a string or a fraction in the token, not an integer.",
        remedy=f"Make nonce an integer. {_LOOK}",
    ),
    _native(
        1000037,
        "CommonAppOfflineError",
        "The project was taken offline.",
        "ZEGO, or someone in its console, took the AppID out of production.",
        remedy="Check the project's state in ZEGO's console, or ask ZEGO's support.",
        is_about_token=False,
    ),
    _native(
        1002052,
        "RoomDisconnect",
        "The connection to the room was lost.",
        "The client's network failed.",
        remedy="Check the network, and log in again.",
        is_about_token=False,
    ),
    _native(
        1002071,
        "RoomAppCallApiTooFrequent",
        "The app calls an API more often than ZEGO allows.",
        "All users of the app together exceeded a limit of the project.",
        remedy=_LESS_OFTEN,
        is_about_token=False,
    ),
    _native(
        1002072,
        "RoomRoomCallApiTooFrequent",
        "The users of the room call an API more often than ZEGO allows.",
        "All users of the room together exceeded its limit.",
        remedy=_LESS_OFTEN,
        is_about_token=False,
    ),
    _native(
        1002073,
        "RoomAppCallTooFrequent",
        "The app sends room messages more often than ZEGO allows.",
        "Commands and messages together exceeded a limit of the project.",
        remedy=_LESS_OFTEN,
        is_about_token=False,
    ),
    # --- ZIM --------------------------------------------------------------------------------------
    _zim(
        6000004,
        "CommonModuleTriggerSDKFrequencyLimit",
        "The SDK was called more often than it allows.",
        "renewToken was called twice within half a second.",
        "Commands were sent, or rooms created, in quick succession.",
        remedy="Renew a token once, and wait for the result before you call the SDK again.",
        is_about_token=False,
    ),
    _zim(
        6000101,
        "NetworkModuleCommonError",
        "The login failed.",
        *_NOT_OPENED,
        "The AppID is wrong.",
        remedy=_LOOK_AND_COMPARE,
    ),
    _zim(
        6000103,
        "NetworkModuleTokenInvalid",
        "The token is invalid.",
        *_NOT_OPENED,
        _OTHER_USER,
        "Its lifetime is over 24 days, or its user id has more than 32 bytes.",
        remedy=_LOOK_AND_COMPARE,
    ),
    _zim(6000106, "NetworkModuleTokenExpired", "The token has expired.", *_KEPT, remedy=_RENEW),
    _zim(
        6000107,
        "NetworkModuleTokenVersionError",
        "ZIM does not accept the token's version.",
        "An older generator made it (Token03 or before).",
        'The token does not begin with "04", because other text is in front of it.',
        _JWT,
        remedy=f"{_LOOK} Get a Token04 from this service.",
    ),
    _zim(
        6000108,
        "NetworkModuleTokenTimeIsTooShort",
        "The token has less than 30 s to live.",
        *_KEPT,
        remedy=_RENEW,
    ),
    _zim(  # the name in the declarations differs from the text that the SDK shows
        6000109,
        "NetworkModuleRspProtoParseError",
        "The token lives longer than 24 days.",
        "Its lifetime is over 24 days, or its times are in milliseconds.",
        "The clock of the device is far behind.",
        remedy="Use a lifetime of at most 24 days, in seconds. Check it: zego-token inspect.",
    ),
)
