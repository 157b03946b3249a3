"""The return codes of ZEGO's server API. It takes no tokens: a ServerSecret signs its calls.

So each code also says whether ZEGO accepts that secret: :class:`zego.server_api.ServerApi` reads
its verdicts here.

Source: "Return codes" of server API v2, "Global return codes" of the RTC products, and "Return
codes" of the chat server's API, in the vendor's documentation, which gives no names. It documents
that a wrong ServerSecret gives 100000005; its causes come from public reports. The pages differ on
two codes: 3 is a failed verification, but a parameter that is too long in "DescribeUsers"; and the
chat server's page calls 100000010 and 100000011 internal errors.
"""

from __future__ import annotations

from typing import Final

from zego.error_codes.code import Outcome, ServerApiCode

_FIX_REQUEST: Final = "Fix the code that makes the request; the ServerSecret is not to blame."
_WAIT: Final = "Try again in a moment. It says nothing of the ServerSecret."
_WAIT_AND_COMPARE: Final = (
    "Try again in a moment. If ZEGO repeats it, compare the AppID with ZEGO's console; if the AppID"
    " is right, contact ZEGO's support."
)
_OUR_FAULT: Final = "ZEGO found the request malformed, which is this service's fault: report it"
_BUSY: Final = "ZEGO's gateway is limiting or failing requests: try again"
_CHECK_APP_ID: Final = "compare the AppID with the console; if it is right, ZEGO's gateway fails"


def _request(code: int, meaning: str, cause: str) -> ServerApiCode:
    """A request to the server API that was not made as the documentation has it."""
    return _server(code, meaning, cause, remedy=_FIX_REQUEST, reason=_OUR_FAULT)


def _busy(code: int, meaning: str, *causes: str) -> ServerApiCode:
    """A request that ZEGO's gateway did not get to."""
    return _server(code, meaning, *causes, remedy=_WAIT, reason=_BUSY, passing=True)


def _no_project(code: int, meaning: str) -> ServerApiCode:
    """A rejection that a fault of ZEGO's gateway may give too."""
    return _server(
        code,
        meaning,
        "The AppID is wrong.",
        "ZEGO's gateway failed.",
        remedy=_WAIT_AND_COMPARE,
        outcome="rejected",
        advice=_CHECK_APP_ID,
        passing=True,
    )


def _server(
    code: int,
    meaning: str,
    *causes: str,
    remedy: str,
    outcome: Outcome = "unknown",
    reason: str = "",
    advice: str = "",
    passing: bool = False,
) -> ServerApiCode:
    """A return code; its reason is its meaning with an advice, if it has no other."""
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
        passing=passing,
    )


CODES: Final = (
    _server(
        0,
        "The request succeeded, and so the AppID, the ServerSecret and the clock are right.",
        "Nothing is wrong.",
        remedy="Nothing: look for the error elsewhere.",
        outcome="accepted",
        reason="ZEGO accepts it",
    ),
    _busy(1, "ZEGO could not process the request.", "ZEGO's server is busy."),
    _request(2, "ZEGO finds a parameter wrong.", "A parameter is missing or has a wrong value."),
    _server(
        3,
        "ZEGO could not verify the request.",
        "ZEGO documents no cause.",
        remedy="Contact ZEGO's support. See what ZEGO says of the stored secret: zego-token secret"
        " status.",
        advice="contact ZEGO's support",
    ),
    _busy(
        7,
        "ZEGO limits how often the API is called.",
        "The AppID sends more requests per second than it may.",
    ),
    _request(
        100000000,
        "ZEGO does not take the request's Host.",
        "A proxy changed the header, or the address is not rtc-api.zego.im.",
    ),
    _server(
        100000001,
        "ZEGO does not take the AppID.",
        "AppId is empty or no number.",
        "It was sent with quotes or spaces around it.",
        remedy="Compare the AppID with ZEGO's console.",
        outcome="rejected",
        advice="compare it with the console",
    ),
    _request(100000002, "ZEGO finds no Timestamp.", "The parameter is missing or empty."),
    _request(100000003, "ZEGO cannot read the Timestamp.", "It is not in whole Unix seconds."),
    _server(
        100000004,
        "ZEGO finds the time of the request more than 10 minutes off.",
        "The clock of the machine that asks is wrong.",
        "The request was made and signed long before it was sent.",
        remedy="Set the clock (NTP). See how far it is off: zego-token doctor.",
    ),
    _server(
        100000005,
        "ZEGO finds the signature wrong: another ServerSecret than this AppID's made it.",
        "The ServerSecret was reset at ZEGO's console.",
        "It is another project's.",
        "It was read with quotes, spaces or a newline around it.",
        "An AppSign (64 hex digits) or the CallbackSecret was used in its place.",
        "What is signed is not AppId, SignatureNonce, ServerSecret, Timestamp, in this order.",
        remedy="See what ZEGO says of the stored one: zego-token secret status. Store the one of"
        " ZEGO's console: zego-token secret rotate.",
        outcome="rejected",
        reason="it is not the ServerSecret of this AppID",
    ),
    _request(100000006, "ZEGO finds no Action.", "The parameter is missing or empty."),
    _request(
        100000007, "ZEGO does not know the Action.", "Its name is misspelt, or of another API."
    ),
    _request(100000008, "ZEGO finds no SignatureNonce.", "The parameter is missing or empty."),
    _request(100000009, "ZEGO finds no Signature.", "The parameter is missing or empty."),
    _no_project(100000010, "ZEGO could not get the ServerSecret of this AppID."),
    _no_project(100000011, "ZEGO could not get the configuration of this AppID."),
    _busy(
        100000012,
        "ZEGO's gateway could not read the request's body.",
        "The connection was cut.",
        "ZEGO's gateway failed.",
    ),
    _request(100000013, "ZEGO finds no SignatureVersion.", "The parameter is missing or empty."),
    _request(100000014, "ZEGO does not know the SignatureVersion.", "It is another than 2.0."),
    _busy(100000015, "ZEGO's gateway failed.", "It failed inside."),
    _server(
        100000016,
        "ZEGO has no production environment for this project.",
        "The project is for tests alone: requests need IsTest=true.",
        remedy="Have the production environment set up by ZEGO's support.",
        advice="have it set up by ZEGO's support",
    ),
    _server(
        100000017,
        "ZEGO has not enabled this service for the project.",
        "The service was not switched on for it.",
        remedy="Enable it in ZEGO's console.",
        advice="enable it in ZEGO's console",
    ),
    _server(
        104,
        "ZEGO has no room with this RoomId.",
        "The RoomId is wrong, or the room has ended.",
        remedy="Check the RoomId: a room exists only while a user is in it.",
        advice="report it, as ZEGO documents a count of 0 for it",
    ),
    _busy(
        206,
        "ZEGO limits how often this is called.",
        "More requests a second than the AppID may send.",
    ),
    _busy(207, "ZEGO limits how often this is called.", "More requests than the AppID may send."),
    _server(
        5018,
        "ZEGO finds that the room's status does not match.",
        "ZEGO documents no cause.",
        remedy=_WAIT,
        advice="try again",
        passing=True,
    ),
)
