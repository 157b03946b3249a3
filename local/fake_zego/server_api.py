"""ZEGO's server API v2: the signature, and the actions on rooms that the service uses.

Sources: "Calling the server API", "Global return codes", "DescribeUserNum", "KickoutUser" and
"CloseRoom" in the vendor's documentation. The vendor does not document the order in which
parameters are checked, nor what KickoutUser returns if a user is not in the room: here, that user
is ignored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qs

from local.fake_zego.rooms import Rooms
from zego.server_secret import ServerSecret

MAX_SKEW_SECONDS = 600
MAX_ROOMS = 10
MAX_KICKED_USERS = 5
MESSAGES = {
    0: "success",
    2: "Incorrect input parameter.",
    104: "The room does not exist.",
    206: "The rate limit (requests per second) has exceeded the limit.",
    5024: "The room does not exist.",
    50011: "User list length too long.",
    100000001: "Invalid AppId format.",
    100000002: "Timestamp is null.",
    100000003: "Invalid Timestamp format.",
    100000004: "Signature expired.",
    100000005: "Invalid signature.",
    100000006: "Action is null.",
    100000007: "Unsupported Action.",
    100000008: "SignatureNonce is null.",
    100000009: "Signature is null.",
    100000010: "Failed to get ServerSecret.",
    100000011: "Failed to get App configuration.",
    100000013: "SignatureVersion is null.",
    100000014: "Unsupported SignatureVersion.",
    100000015: "API gateway internal error.",
}
"""The message of each code in its responses."""


def document(code: int, data: object = None) -> dict[str, Any]:
    """Returns the content of a response."""
    request_id = str(secrets.randbelow(10**19))
    return {
        "Code": code,
        "Message": MESSAGES[code],
        "RequestId": request_id,
        "Data": {} if data is None else data,
    }


def answer(
    query: str, app_id: int, accepted: Sequence[ServerSecret], rooms: Rooms, now: float
) -> dict[str, Any]:
    """Returns the response to a signed call. `now` is ZEGO's time, in Unix seconds.

    `app_id`, the `accepted` secrets and the `rooms` are the project's.
    """
    given = parse_qs(query, keep_blank_values=True)
    named = {name: values[0] for name, values in given.items()}
    if code := _refusal(named, app_id, accepted, now):
        return document(code)
    return _ACTIONS[named["Action"]](given, rooms)


def _describe_user_num(given: Mapping[str, list[str]], rooms: Rooms) -> dict[str, Any]:
    named = given.get("RoomId[]", [])
    if not 1 <= len(named) <= MAX_ROOMS or not all(named):
        return document(2)
    counts = [
        {"RoomId": room, "UserCount": len(rooms.users(room)), "AdminUserCount": 0} for room in named
    ]
    return document(0, {"UserCountList": counts})


def _kickout_user(given: Mapping[str, list[str]], rooms: Rooms) -> dict[str, Any]:
    room, users = given.get("RoomId", [""])[0], given.get("UserId[]", [])
    if not room or not users or not all(users):
        return document(2)
    if len(users) > MAX_KICKED_USERS:
        return document(50011)
    if not rooms.users(room):
        return document(104)
    rooms.kick(room, users)
    return document(0)


def _close_room(given: Mapping[str, list[str]], rooms: Rooms) -> dict[str, Any]:
    room = given.get("RoomId", [""])[0]
    if not room:
        return document(2)
    if not rooms.users(room):
        return document(5024)
    rooms.close(room)
    return document(0)


_ACTIONS: Final[Mapping[str, Callable[[Mapping[str, list[str]], Rooms], dict[str, Any]]]] = {
    "DescribeUserNum": _describe_user_num,
    "KickoutUser": _kickout_user,
    "CloseRoom": _close_room,
}


def signature(app_id: str, nonce: str, server_secret: str, timestamp: str) -> str:
    """Returns the MD5 of the four texts, concatenated, as lower-case hex digits."""
    digest = hashlib.md5(usedforsecurity=False)
    for part in (app_id, nonce, server_secret, timestamp):
        digest.update(part.encode())
    return digest.hexdigest()


def _refusal(
    named: dict[str, str], app_id: int, accepted: Sequence[ServerSecret], now: float
) -> int:
    """Returns the code for what is wrong with the common parameters, or 0."""
    named_app_id, timestamp = named.get("AppId", ""), named.get("Timestamp", "")
    checks: tuple[tuple[int, object], ...] = (
        (100000001, _is_number(named_app_id) and 0 < int(named_app_id) < 2**32),
        (100000002, timestamp),
        (100000003, _is_number(timestamp)),
        (100000006, named.get("Action")),
        (100000007, named.get("Action") in _ACTIONS),
        (100000008, named.get("SignatureNonce")),
        (100000009, named.get("Signature")),
        (100000013, named.get("SignatureVersion")),
        (100000014, named.get("SignatureVersion") == "2.0"),
    )
    if code := next((code for code, holds in checks if not holds), 0):
        return code
    if abs(now - int(timestamp)) > MAX_SKEW_SECONDS:
        return 100000004
    if int(named_app_id) != app_id:
        return 100000011
    if not accepted:
        return 100000010
    signatures = (
        signature(named_app_id, named["SignatureNonce"], secret.value, timestamp)
        for secret in accepted
    )
    given = named["Signature"].encode()
    matches = [hmac.compare_digest(given, expected.encode()) for expected in signatures]
    return 0 if any(matches) else 100000005


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20
