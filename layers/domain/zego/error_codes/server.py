"""The return codes of ZEGO's server API. A ServerSecret signs its calls; it takes no tokens.

So each code also shows whether ZEGO accepts that secret: :class:`zego.server_api.ServerApi` reads
its verdicts here.

Source: "Return codes" of server API v2, "Global return codes" of the RTC products, and "Return
codes" of the chat server's API, in the vendor's documentation, which gives no names. It documents
that a wrong ServerSecret gives 100000005; its causes come from public reports. The pages differ on
two codes: 3 is a failed verification, but in "DescribeUsers" a parameter that is too long; and the
chat server's page calls 100000010 and 100000011 internal errors.
"""

from __future__ import annotations

from typing import Final

from zego.error_codes.code import Outcome, ServerApiCode

_FIX_REQUEST: Final = "Fix the code that makes the request; the ServerSecret is not to blame."
_WAIT: Final = "Try again in a moment. The code says nothing about the ServerSecret."
_WAIT_AND_COMPARE: Final = (
    "Try again in a moment. If ZEGO repeats it, compare the AppID with ZEGO's console; if the AppID"
    " is right, contact ZEGO's support."
)
_OUR_FAULT: Final = "ZEGO found the request malformed, which is a bug in this service: report it"
_BUSY: Final = "ZEGO's gateway is throttling or failing requests: try again"
_NO_ROOM: Final = (
    "The RoomId is wrong, or the room has ended.",
    "Check the RoomId: a room exists only while a user is in it.",
    "report it, because ZEGO documents a count of 0 for such a room",
)
_NO_USER: Final = (
    "The UserId is wrong, or the user has left the room.",
    "Check the UserId: it is the user_id of the user's tokens.",
    "report it, because the check names no user",
)
_CHECK_APP_ID: Final = "compare the AppID with the console; if it is right, ZEGO's gateway fails"


def _request(code: int, meaning: str, cause: str) -> ServerApiCode:
    """A request to the server API that does not follow its documentation."""
    return _server(code, meaning, cause, remedy=_FIX_REQUEST, reason=_OUR_FAULT)


def _busy(code: int, meaning: str, *causes: str) -> ServerApiCode:
    """A request that ZEGO's gateway did not process."""
    return _server(code, meaning, *causes, remedy=_WAIT, reason=_BUSY, temporary=True)


def _no_project(code: int, meaning: str) -> ServerApiCode:
    """A rejection that a fault of ZEGO's gateway may also cause."""
    return _server(
        code,
        meaning,
        "The AppID is wrong.",
        "ZEGO's gateway failed.",
        remedy=_WAIT_AND_COMPARE,
        outcome="rejected",
        advice=_CHECK_APP_ID,
        temporary=True,
    )


def _absent(code: int, meaning: str, cause: str, remedy: str, advice: str) -> ServerApiCode:
    """A room or a user that ZEGO does not know. The check of a secret never gets this code."""
    return _server(code, meaning, cause, remedy=remedy, advice=advice)


def _server(
    code: int,
    meaning: str,
    *causes: str,
    remedy: str,
    outcome: Outcome = "unknown",
    reason: str = "",
    advice: str = "",
    temporary: bool = False,
) -> ServerApiCode:
    """A return code. If it has no reason, its meaning and the advice are the reason."""
    reason = reason or ": ".join(filter(None, (meaning.removesuffix("."), advice)))
    return ServerApiCode(
        code,
        ("server-api",),
        None,
        meaning,
        causes,
        remedy,
        is_about_token=False,
        outcome=outcome,
        reason=reason,
        temporary=temporary,
    )


CODES: Final = (
    _server(
        0,
        "The request succeeded, so the AppID, the ServerSecret and the clock are right.",
        "Nothing is wrong.",
        remedy="Search for the error elsewhere.",
        outcome="accepted",
        reason="ZEGO accepts it",
    ),
    _busy(1, "ZEGO could not process the request.", "ZEGO's server is busy."),
    _request(
        2, "ZEGO reports an invalid parameter.", "A parameter is missing or has a wrong value."
    ),
    _server(
        3,
        "ZEGO could not verify the request.",
        "ZEGO documents no cause.",
        remedy="Contact ZEGO's support. Check whether ZEGO accepts the stored secret: zego-token"
        " secret status.",
        advice="contact ZEGO's support",
    ),
    _busy(
        7,
        "The API was called more often than ZEGO allows.",
        "The AppID sends more requests per second than allowed.",
    ),
    _request(
        100000000,
        "ZEGO does not accept the request's Host.",
        "A proxy changed the header, or the address is not rtc-api.zego.im.",
    ),
    _server(
        100000001,
        "ZEGO does not accept the AppID.",
        "AppId is empty or not a number.",
        "It was sent with quotes or spaces around it.",
        remedy="Compare the AppID with ZEGO's console.",
        outcome="rejected",
        advice="compare it with the console",
    ),
    _request(100000002, "The request has no Timestamp.", "The parameter is missing or empty."),
    _request(100000003, "ZEGO cannot read the Timestamp.", "It is not in whole Unix seconds."),
    _server(
        100000004,
        "The request's timestamp is more than 10 minutes off ZEGO's clock.",
        "The clock of the machine that sent the request is wrong.",
        "The request was made and signed long before it was sent.",
        remedy="Set the clock (NTP). Check how far it is off: zego-token doctor.",
    ),
    _server(
        100000005,
        "The signature is wrong: it was not made with this AppID's ServerSecret.",
        "The ServerSecret was reset in ZEGO's console.",
        "It belongs to another project.",
        "It was read with quotes, spaces or a newline around it.",
        "An AppSign (64 hex digits) or the CallbackSecret was used instead.",
        "The signed text is not AppId, SignatureNonce, ServerSecret, Timestamp, in this order.",
        remedy="Check whether ZEGO accepts the stored one: zego-token secret status. Store the one"
        " from ZEGO's console: zego-token secret rotate.",
        outcome="rejected",
        reason="it is not the ServerSecret of this AppID",
    ),
    _request(100000006, "The request has no Action.", "The parameter is missing or empty."),
    _request(
        100000007,
        "ZEGO does not know the Action.",
        "Its name is misspelt, or belongs to another API.",
    ),
    _request(100000008, "The request has no SignatureNonce.", "The parameter is missing or empty."),
    _request(100000009, "The request has no Signature.", "The parameter is missing or empty."),
    _no_project(100000010, "ZEGO could not get the ServerSecret of this AppID."),
    _no_project(100000011, "ZEGO could not get the configuration of this AppID."),
    _busy(
        100000012,
        "ZEGO's gateway could not read the request's body.",
        "The connection was cut.",
        "ZEGO's gateway failed.",
    ),
    _request(
        100000013, "The request has no SignatureVersion.", "The parameter is missing or empty."
    ),
    _request(100000014, "ZEGO does not know the SignatureVersion.", "It is not 2.0."),
    _busy(100000015, "ZEGO's gateway failed.", "It had an internal error."),
    _server(
        100000016,
        "ZEGO has no production environment for this project.",
        "The project is for tests only: requests need IsTest=true.",
        remedy="Ask ZEGO's support to set up the production environment.",
        advice="ask ZEGO's support to set it up",
    ),
    _server(
        100000017,
        "ZEGO has not enabled this service for the project.",
        "The service was not switched on for it.",
        remedy="Enable it in ZEGO's console.",
        advice="enable it in ZEGO's console",
    ),
    _absent(104, "ZEGO has no room with this RoomId.", *_NO_ROOM),
    _absent(105, "ZEGO has no user with this UserId.", *_NO_USER),
    _busy(
        206,
        "The Action was called more often than ZEGO allows.",
        "The AppID sends more requests per second than allowed.",
    ),
    _busy(
        207,
        "The Action was called more often than ZEGO allows.",
        "The AppID sends more requests than allowed.",
    ),
    _server(
        5018,
        "ZEGO reports that the room's status does not match.",
        "If CloseRoom returns it, the room does not exist. Else, ZEGO documents no cause.",
        remedy=_WAIT,
        advice="try again",
        temporary=True,
    ),
    _absent(5024, "ZEGO has no room with this RoomId.", *_NO_ROOM),
    _absent(50001, "ZEGO has no room with this RoomId.", *_NO_ROOM),
    _absent(50002, "ZEGO has no user with this UserId.", *_NO_USER),
    _absent(50003, "ZEGO finds no user with this UserId online.", *_NO_USER),
    _request(
        50011,
        "The list of users is too long.",
        "KickoutUser takes at most 5 users.",
    ),
)
