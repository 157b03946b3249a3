"""The codes that ZEGO's SDKs show or log, the web SDK's first.

Source: the vendor's tables of error codes, and the declarations in its npm packages, which have
the names. Which causes are likely, and in which order, is what public reports show.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from zego.error_codes.code import ErrorCode, Platform, Source

_JWT: Final = "It is a JWT, or another string signed with HMAC, in the place of a Token04."
_FOREIGN: Final = "The ServerSecret is of another project, or from before a reset."
_TOO_MUCH: Final = "The ServerSecret was read with quotes, spaces or a newline around it."
_APP_SIGN: Final = "An AppSign (64 hex digits) or the CallbackSecret was used as the ServerSecret."
_APP_ID_TEXT: Final = "app_id was sealed as a text, not as a number."
_PAYLOAD_OBJECT: Final = "payload was sealed as an object, not as JSON in a text."
_OTHER_USER: Final = "The user id at login is not the one that the token is for."
_ID_REFUSED: Final = "The app passed such an id; the SDK refuses it before any token is looked at."
_EXPIRED: Final = "It has expired."
_NOT_OPENED: Final = (_JWT, _FOREIGN, _TOO_MUCH, _APP_SIGN, _APP_ID_TEXT, _PAYLOAD_OBJECT)
_KEPT: Final = (
    "It was kept too long: fetched once, and used again at a later login.",
    "It was not renewed when the SDK said that it will expire.",
    "The clock of what made it is behind, or its lifetime is too short.",
)

_UNPUBLISHED: Final = "The room server refuses the token; which of its checks is not published."

_LOOK: Final = "See what the token is: zego-token inspect."
_LOOK_AND_COMPARE: Final = (
    f"{_LOOK} If it is a Token04, compare its secret with ZEGO's: zego-token doctor. If ZEGO has"
    " another, store that: zego-token secret rotate."
)
_RENEW: Final = (
    "Have a fresh token made for each login, and renew it when the SDK says that it will expire."
    " See its times: zego-token inspect."
)
_COMPARE_APP_ID: Final = (
    "Give the SDK the AppID of the service's answer, as a number. See what ZEGO says of the"
    " service's own: zego-token doctor."
)
_OTHER_CHARACTERS: Final = 'Use printable ASCII without space and " / : ? [ ] { | }.'
_LESS_OFTEN: Final = "Call it less often. The token is not what is wrong."
_LET_IN: Final = "Ask who runs the backend. A fresh token does not help before it lets the user in."


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
    meaning = "The room server finds that the token has expired."
    return _web(code, None, meaning, *_KEPT, remedy=_RENEW, source="observed", shown_as=1102018)


def _id(code: int, name: str, meaning: str, remedy: str) -> ErrorCode:
    """An id that the SDKs refuse before they show ZEGO any token."""
    return _both(code, name, meaning, _ID_REFUSED, remedy=remedy, is_about_token=False)


CODES: Final = (
    # --- The web SDK ------------------------------------------------------------------------------
    _web(
        20014,
        "ACCESSHUB_INVALID_SIGNATURE",
        "ZEGO could not open the token when the SDK fetched its configuration. Login goes on, and"
        " fails with 50119.",
        *_NOT_OPENED,
        remedy=_LOOK_AND_COMPARE,
        source="observed",
        shown_as=1102016,
    ),
    _room(
        50119, "The room server refuses the token: it could not be opened, or is not this user's."
    ),
    _room(
        50120,
        "The room server refuses the token's form.",
        _PAYLOAD_OBJECT,
        _APP_ID_TEXT,
        "Another claim is missing, or of the wrong type.",
        "It is no Token04: another string, or a token of an older version.",
    ),
    _room_expired(50117),
    _room_expired(50123),
    _room(
        2002, "The room server refuses the token's authentication.", name="THIRD_TOKEN_AUTH_ERROR"
    ),
    *(
        _room(code, _UNPUBLISHED)
        for code in (2010, 50116, 50118, 50121, 50122, *range(50124, 50129))
    ),
    _web(
        1102016,
        "TOKEN_ERROR",
        "ZEGO refuses the token. The codes logged just before (20014, 50119 or 50120) say more.",
        *_NOT_OPENED,
        _OTHER_USER,
        remedy=_LOOK_AND_COMPARE,
    ),
    _web(1102018, "TOKEN_EXPIRED", "The token has expired.", *_KEPT, remedy=_RENEW),
    _web(
        1102020,
        "ZEGO_AUTH_ERROR",
        "ZEGO refuses what was asked for with this token.",
        "Its payload does not allow this room, and privileges are switched on for the AppID.",
        *_NOT_OPENED,
        remedy="Compare the token with the room: zego-token inspect --expect-room ID. Ask for a"
        " token of the room that is logged in to.",
    ),
    _web(
        1100001,
        "INPUT_PARAM",
        "What the SDK was called with is missing or of the wrong type: at login, the token is"
        " empty or no text. Where it is undefined or an object, newer SDKs throw a TypeError"
        " instead, and the login never ends.",
        "The app did not wait for the token: it passed an empty text, undefined, or a Promise.",
        "It read a field of the answer that is not there; the token is in the field token.",
        "It passed the whole answer, an object.",
        "Its arguments are in another order than loginRoom's: room, token, user.",
        remedy="Log typeof token and token.length just before loginRoom, never the token itself.",
    ),
    _web(
        20012,
        "ACCESSHUB_INVALID_APPID",
        "ZEGO does not know the AppID for which the SDK fetches its configuration.",
        "The AppID is not set, another project's, or has a digit too many or too few.",
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
        "ZEGO does not take the AppID that the SDK was started with.",
        "The AppID is another project's, or has a digit too many or too few.",
        "It was passed as a text, or is not set and so 0 or NaN.",
        "The project has no production environment, or the SDK asks for the other one.",
        remedy=_COMPARE_APP_ID,
        is_about_token=False,
    ),
    _both(
        1101000,
        "INIT_SDK_WRONG",
        "The SDK could not be started: its AppID or its server is wrong.",
        "The AppID was passed as a text, or is not set and so 0 or NaN.",
        "The AppID is another project's.",
        "The server's address is not the one that ZEGO's console shows for the project.",
        remedy=_COMPARE_APP_ID,
        is_about_token=False,
    ),
    _both(
        1002055,
        "RoomManualKickedOut",
        "A backend put the user out of the room.",
        "Somebody called KickoutUser of the server API for this user.",
        remedy=_LET_IN,
        is_about_token=False,
    ),
    _both(
        1002056,
        "RoomTokenExpiredKickedOut",
        "Native: the user was put out of the room, as the token expired. Web, with several rooms:"
        " the number says that the user logged in again without a logout.",
        "It was not renewed in time, and expiry is switched on to end logins for the AppID.",
        "Web: loginRoom was called twice.",
        remedy="Call renewToken with a fresh token when the SDK says that it will expire, 30 s"
        " ahead.",
    ),
    _both(
        1002066,
        "RoomUserInBlacklist",
        "The user is on the project's blacklist, and may not log in.",
        "Somebody called SetForbidUserRule of the server API for this user.",
        remedy=_LET_IN,
        is_about_token=False,
    ),
    _both(
        1002082,
        "RoomRenewTokenNoPublishAuthError",
        "The renewed token does not allow to publish, and the user publishes.",
        "It was asked for without the privilege publish, other than the first one.",
        "The access policy grants this user no publish.",
        "Its stream ids leave out the one that is published.",
        remedy="Renew with the privileges of the first token. See those of both: zego-token"
        " inspect.",
    ),
    _id(1000014, "CommonStreamIdTooLong", "The stream id is too long.", "Use up to 255 bytes."),
    _id(
        1000016,
        "CommonStreamIdInvalidCharacter",
        "The stream id holds a character that is refused.",
        "Use 0-9 A-Z a-z _ and - alone.",
    ),
    _id(1002005, "RoomUserIdNull", "The user id is empty.", "Name the user who logs in."),
    _id(
        1002006,
        "RoomUserIdInvalidCharacter",
        "The user id holds a character that is refused.",
        _OTHER_CHARACTERS,
    ),
    _id(1002007, "RoomUserIdTooLong", "The user id is too long.", "Use up to 63 bytes."),
    _id(1002011, "RoomRoomidNull", "The room id is empty.", "Name the room."),
    _id(
        1002012,
        "RoomRoomidInvalidCharacter",
        "The room id holds a character that is refused.",
        _OTHER_CHARACTERS,
    ),
    _id(1002013, "RoomRoomidTooLong", "The room id is too long.", "Use up to 127 bytes."),
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
        "It was made for logins with an AppSign, which was left out.",
        remedy="Set the token in the ZegoRoomConfig of loginRoom. Leave the AppSign out of apps.",
    ),
    _native(
        1002074,
        "RoomTokenInnerError",
        "ZEGO failed inside while it looked at the token.",
        "A claim is malformed in a way that none of the other codes names.",
        "ZEGO's servers failed.",
        remedy=f"{_LOOK} If nothing is wrong with it, try again, then ask ZEGO's support.",
    ),
    _native(
        1002075,
        "RoomTokenFormatError",
        "The token's payload is not JSON.",
        _PAYLOAD_OBJECT,
        "It was turned into JSON twice.",
        "It holds another text; without privileges it has to be empty.",
        remedy=f"Seal payload as a text: empty, or JSON. {_LOOK}",
    ),
    _native(
        1002076,
        "RoomTokenAppidError",
        "The token's AppID is not the one that the SDK was started with, or is no number.",
        "The app and the backend use two projects, or two environments' settings.",
        _APP_ID_TEXT,
        remedy="Give the SDK the AppID of the service's answer. See the token's: zego-token inspect"
        " --expect-app NUMBER.",
    ),
    _native(
        1002077,
        "RoomTokenUseridError",
        "The token's user id is not the one at login, or is no text.",
        _OTHER_USER,
        "user_id was sealed as a number, not as a text.",
        remedy="Log in with the user_id of the service's answer, letter for letter. See the"
        " token's: zego-token inspect --expect-user ID.",
    ),
    _native(
        1002078,
        "RoomTokenExpireError",
        "The token has expired, or its expiry is of the wrong type.",
        *_KEPT,
        "expire was sealed as a lifetime or as a text, not as Unix seconds.",
        remedy=_RENEW,
    ),
    _native(
        1002079,
        "RoomTokenVersionError",
        "The token is of a version that ZEGO does not take.",
        "It was made by an older generator (Token03, or before).",
        'Something in front of it hides the "04" with which it begins.',
        _JWT,
        remedy=f"{_LOOK} Have a Token04 made by this service.",
    ),
    _native(
        1002080,
        "RoomTokenNoncetypeError",
        "The token's nonce is of the wrong type.",
        "nonce was sealed as a text or a fraction, not as an integer.",
        remedy=f"Seal nonce as an integer. {_LOOK}",
    ),
    _native(
        1000037,
        "CommonAppOfflineError",
        "The project was taken offline.",
        "ZEGO, or somebody in its console, took the AppID out of production.",
        remedy="Look at the project's state in ZEGO's console, or ask ZEGO's support.",
        is_about_token=False,
    ),
    _native(
        1002052,
        "RoomDisconnect",
        "The connection to the room was lost.",
        "The client's network failed.",
        remedy="See to the network, and log in again.",
        is_about_token=False,
    ),
    _native(
        1002071,
        "RoomAppCallApiTooFrequent",
        "The app calls an interface more often than it may.",
        "All users of the app together passed a limit of the project.",
        remedy=_LESS_OFTEN,
        is_about_token=False,
    ),
    _native(
        1002072,
        "RoomRoomCallApiTooFrequent",
        "The users of the room call an interface more often than they may.",
        "All users of the room together passed its limit.",
        remedy=_LESS_OFTEN,
        is_about_token=False,
    ),
    _native(
        1002073,
        "RoomAppCallTooFrequent",
        "The app sends room messages more often than it may.",
        "Commands and messages together passed a limit of the project.",
        remedy=_LESS_OFTEN,
        is_about_token=False,
    ),
    # --- ZIM --------------------------------------------------------------------------------------
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
        "It lives longer than 24 days, or its user id has more than 32 bytes.",
        remedy=_LOOK_AND_COMPARE,
    ),
    _zim(6000106, "NetworkModuleTokenExpired", "The token has expired.", *_KEPT, remedy=_RENEW),
    _zim(
        6000107,
        "NetworkModuleTokenVersionError",
        "The token is of a version that ZIM does not take.",
        "It was made by an older generator (Token03, or before).",
        'Something in front of it hides the "04" with which it begins.',
        _JWT,
        remedy=f"{_LOOK} Have a Token04 made by this service.",
    ),
    _zim(
        6000108,
        "NetworkModuleTokenTimeIsTooShort",
        "The token has less than 30 s to live.",
        *_KEPT,
        remedy=_RENEW,
    ),
)
