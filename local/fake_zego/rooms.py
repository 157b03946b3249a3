"""Who is in which room of the stand-in, and the streams of events to the clients.

A login makes a session, which is one client in one room. The streams are server-sent events:

===================  ===============================================================================
`users`              `{"users": ["alice", "bob"]}`: first, and again after each change
`token-will-expire`  `{"seconds_left": 30}`: once per token, 30 s before its end
`ended`              `{"reason": "kicked", "code": 1002055}`: the client is no longer in the room,
                     and the stream ends. The reason is one of `ENDS`, the code the web SDK's
===================  ===============================================================================

A session with a stream ends without a message if its stream is lost for `LOST_SECONDS`. In reality
the web SDK reconnects for much longer. A session that never had a stream stays.

Sources: `roomStateChanged`, `roomUserUpdate` and `tokenWillExpire` in the web SDK's reference;
"KickoutUser" and "CloseRoom"; for the codes, the table of codes in the published web SDK, which
names 1002050 MULTIPLE_LOGIN_KICKOUT and 1002055 MANUAL_KICKOUT. The vendor documents no code for
CloseRoom: here it is the one of a kick.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

LOST_SECONDS = 5.0
HEARTBEAT_SECONDS = 1.0
"""How often a silent stream is tried. A closed connection is noticed at the second try."""
WARNING_SECONDS = 30
MAX_USERS = 100
"""In one room."""
MAX_SESSIONS = 1000
RETRY_MS = 500
"""How long a browser waits before it opens a lost stream again."""

Reason = Literal["logged-out", "kicked", "repeated-login", "room-closed"]
ENDS: Final[Mapping[Reason, int]] = {
    "logged-out": 0,
    "kicked": 1002055,
    "repeated-login": 1002050,
    "room-closed": 1002055,
}
"""Why a session ended, and the code with which the web SDK reports it."""


class FullError(Exception):
    """The stand-in takes no more sessions, or no more users in this room. The message says so."""


@dataclass(eq=False)
class Session:
    """One client in one room. `id` is known to that client only."""

    id: str
    room_id: str
    user_id: str
    expires_at: float
    """When its token ends, in Unix seconds."""
    ended: Reason | None = None
    newest_stream: int = 0
    lost_at: float | None = None
    """When its stream was lost; None while it has one, and before the first one."""


class Rooms:
    """The sessions in each room. A room exists while a user is in it. Thread-safe.

    `clock` returns ZEGO's time, in Unix seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._clock = clock
        self._heartbeat_seconds = heartbeat_seconds
        self._present: dict[tuple[str, str], Session] = {}
        """By room and user: a user is in a room once."""
        self._ended: deque[Session] = deque(maxlen=MAX_SESSIONS)
        """Kept so that a client whose stream was lost at the end still learns the reason."""
        self._stopped = 0
        self._changed = threading.Condition()

    def users(self, room_id: str) -> frozenset[str]:
        """Returns the users in a room."""
        with self._changed:
            return frozenset(self._users(room_id))

    def enter(self, room_id: str, user_id: str, expires_at: float) -> Session:
        """Adds a user to a room. An earlier session of the user there ends. Raises `FullError`."""
        with self._changed:
            users = self._users(room_id)
            if user_id not in users:
                if len(self._present) >= MAX_SESSIONS:
                    raise FullError(
                        f"this stand-in has {MAX_SESSIONS} sessions at most: log out, or restart it"
                    )
                if len(users) >= MAX_USERS:
                    raise FullError(f"a room of this stand-in has {MAX_USERS} users at most")
            else:
                self._end(self._present[room_id, user_id], "repeated-login")
            session = Session(secrets.token_urlsafe(16), room_id, user_id, expires_at)
            self._present[room_id, user_id] = session
            self._changed.notify_all()
            return session

    def session(self, session_id: object) -> Session:
        """Returns a session, even if it has ended. Raises `LookupError` if it is not known."""
        with self._changed:
            self._drop_lost()
            for session in (*self._present.values(), *self._ended):
                if session.id == session_id:
                    return session
        raise LookupError("this session is not known")

    def renew(self, session: Session, expires_at: float) -> None:
        """Notes that a session has a new token, and when it ends."""
        with self._changed:
            session.expires_at = expires_at
            self._changed.notify_all()

    def leave(self, session: Session) -> None:
        """Ends a session at its user's wish, if it has not ended."""
        with self._changed:
            self._end(session, "logged-out")

    def kick(self, room_id: str, user_ids: Iterable[str]) -> None:
        """Removes users from a room."""
        self._remove(room_id, user_ids, "kicked")

    def close(self, room_id: str) -> None:
        """Removes all users from a room."""
        self._remove(room_id, self.users(room_id), "room-closed")

    def to_json(self) -> dict[str, list[str]]:
        """Returns the users of every room."""
        with self._changed:
            self._drop_lost()
            return {room_id: self._users(room_id) for room_id, _ in self._present}

    def stop(self) -> None:
        """Ends all streams. Sessions stay, as if their clients had lost the connection."""
        with self._changed:
            self._stopped += 1
            self._changed.notify_all()

    def stream(self, session: Session) -> Generator[bytes, None, None]:
        """Yields the messages for a session's client. A newer stream of the session ends it."""
        with self._changed:
            session.newest_stream += 1
            session.lost_at = None
            number, stopped = session.newest_stream, self._stopped
            self._changed.notify_all()
        sent = _Sent()
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            while True:
                with self._changed:
                    messages = self._news(session, sent)
                    if not messages:
                        self._changed.wait(self._heartbeat_seconds)
                        messages = self._news(session, sent)
                    if self._stopped != stopped or session.newest_stream != number:
                        return
                yield messages or b":\n\n"
                if sent.end:
                    return
        finally:
            with self._changed:
                if session.newest_stream == number:
                    session.lost_at = self._clock()

    def _users(self, room_id: str) -> list[str]:
        self._drop_lost()
        return sorted(user for room, user in self._present if room == room_id)

    def _drop_lost(self) -> None:
        latest = self._clock() - LOST_SECONDS
        for key, session in list(self._present.items()):
            if session.lost_at is not None and session.lost_at <= latest:
                del self._present[key]
                self._changed.notify_all()

    def _remove(self, room_id: str, user_ids: Iterable[str], reason: Reason) -> None:
        with self._changed:
            for user_id in user_ids:
                if session := self._present.get((room_id, user_id)):
                    self._end(session, reason)

    def _end(self, session: Session, reason: Reason) -> None:
        key = session.room_id, session.user_id
        if self._present.get(key) is session:
            del self._present[key]
            session.ended = reason
            self._ended.append(session)
            self._changed.notify_all()

    def _news(self, session: Session, sent: _Sent) -> bytes:
        """Returns the messages that a stream has not sent yet, and notes them as sent."""
        if session.ended:
            sent.end = True
            return _message("ended", {"reason": session.ended, "code": ENDS[session.ended]})
        news = b""
        if (users := self._users(session.room_id)) != sent.users:
            sent.users = users
            news += _message("users", {"users": users})
        left = session.expires_at - self._clock()
        if left <= WARNING_SECONDS and sent.warned_of != session.expires_at:
            sent.warned_of = session.expires_at
            news += _message("token-will-expire", {"seconds_left": max(0, round(left))})
        return news


@dataclass
class _Sent:
    """What a stream has sent to its client."""

    users: list[str] | None = None
    warned_of: float | None = None
    end: bool = False


def _message(name: str, data: Mapping[str, object]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()
