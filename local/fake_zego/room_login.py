"""ZEGO's responses when a web client logs in to a room, renews its token, or logs out.

The codes are those of the web SDK: `code` is what the app gets, `raw` the room server's own code,
and `logged` the codes in the browser's console, in order. In reality, a privilege payload limits a
token to its room only if ZEGO's support has enabled that for the AppID.

A user stays in the room until the server API removes the user: the end of a token removes no one,
unless ZEGO's support has enabled that. A removed user may log in again with a token that has not
expired.

Sources: the vendor's tables of error codes, "Global return codes", and public reports of 20014.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from local.fake_zego.rooms import Rooms
from zego import identifiers, token04
from zego.server_secret import ServerSecret
from zego.token04 import Claims, ClaimsError, Token04Error


@dataclass(frozen=True)
class LoginRefusal:
    """A failed login. `raw` is None if no public report names the code."""

    code: int
    raw: int | None
    logged: tuple[int, ...]
    message: str


NO_TOKEN = LoginRefusal(1100001, None, (1100001,), "The token is missing, or is not a string.")
NOT_OPENED = LoginRefusal(
    1102016,
    50119,
    (20014, 50119),
    "The token cannot be opened: wrong ServerSecret, wrong AppID, or no Token04 at all.",
)
MALFORMED = LoginRefusal(1102016, 50120, (50120,), "The token opens, but its claims are malformed.")
WRONG_APP_ID = LoginRefusal(1102016, 50119, (20014, 50119), "The AppID is not this project's.")
WRONG_USER = LoginRefusal(1102016, 50119, (50119,), "The token is for another user.")
EXPIRED = LoginRefusal(1102018, 50117, (50117,), "The token has expired.")
WRONG_ROOM = LoginRefusal(1102020, None, (1102020,), "The token does not admit to this room.")


def answer(
    request: Mapping[str, Any],
    app_id: int,
    accepted: Sequence[ServerSecret],
    rooms: Rooms,
    now: float,
) -> dict[str, Any]:
    """Returns the response to a login with `app_id`, `user_id`, `room_id` and `token`.

    `app_id`, the `accepted` secrets and the `rooms` are the project's. Raises `FullError`, or
    `IdentifierError` if the web SDK would refuse the room's id.
    """
    claims = _checked(request, app_id, accepted, now)
    if isinstance(claims, LoginRefusal):
        return asdict(claims)
    room_id = request.get("room_id")
    room_id = identifiers.check("room_id", room_id if isinstance(room_id, str) else "")
    session = rooms.enter(room_id, claims.user_id, claims.expires_at)
    return {"code": 0, "session": session.id, "users": sorted(rooms.users(session.room_id))}


def renewal(
    request: Mapping[str, Any],
    app_id: int,
    accepted: Sequence[ServerSecret],
    rooms: Rooms,
    now: float,
) -> dict[str, Any]:
    """Returns the response to a renewal with `session` and the new `token`.

    A refusal is the one of a login with that token, and leaves the session as it is. Raises
    `LookupError` if the session is not known or has ended.
    """
    session = rooms.session(request.get("session"))
    if session.ended:
        raise LookupError("this session has ended")
    login = {
        "app_id": app_id,
        "user_id": session.user_id,
        "room_id": session.room_id,
        "token": request.get("token"),
    }
    claims = _checked(login, app_id, accepted, now)
    if isinstance(claims, LoginRefusal):
        return asdict(claims)
    rooms.renew(session, claims.expires_at)
    return {"code": 0}


def _checked(
    request: Mapping[str, Any], app_id: int, accepted: Sequence[ServerSecret], now: float
) -> Claims | LoginRefusal:
    token = request.get("token")
    if not isinstance(token, str) or not token:
        return NO_TOKEN
    try:
        claims = _opened(token, accepted)
    except ClaimsError:
        return MALFORMED
    if claims is None:
        return NOT_OPENED
    checks = (
        (WRONG_APP_ID, app_id == claims.app_id == request.get("app_id")),
        (WRONG_USER, claims.user_id == request.get("user_id")),
        (EXPIRED, claims.expires_at > now),
        (WRONG_ROOM, _admits(claims.payload, request.get("room_id"))),
    )
    return next((refusal for refusal, holds in checks if not holds), claims)


def _opened(token: str, accepted: Sequence[ServerSecret]) -> Claims | None:
    for secret in accepted:
        try:
            return token04.decode(token, secret.value).claims
        except ClaimsError:
            raise
        except Token04Error:
            continue
    return None


def _admits(payload: str, room_id: object) -> bool:
    """Whether a payload lets its holder into the room; an empty one does not limit the token."""
    if not payload:
        return True
    try:
        grant = json.loads(payload)
        return bool(grant["room_id"] == room_id and grant["privilege"]["1"] == 1)
    except (ValueError, LookupError, TypeError):
        return False
