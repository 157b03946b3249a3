"""The rooms of the stand-in for ZEGO tell each client what the web SDK would report."""

from __future__ import annotations

import http.client
import json
import math
import queue
import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

import pytest

from local.fake_zego import ZegoCloud
from local.fake_zego.rooms import (
    LOST_SECONDS,
    MAX_SESSIONS,
    MAX_USERS,
    WARNING_SECONDS,
    FullError,
    Rooms,
)
from tests.local.exchange import Answer, exchange
from tests.support.clock import Clock
from zego import token04

APP_ID = 1234567890
SECRET = "0123456789abcdef" * 2
JSON = ("content-type", "application/json")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rooms(clock: Clock) -> Rooms:
    return Rooms(clock, heartbeat_seconds=0.001)


@pytest.fixture
def cloud(clock: Clock) -> Iterator[ZegoCloud]:
    with ZegoCloud(APP_ID, SECRET, clock=clock) as cloud:
        yield cloud


class Client:
    """A client that reads its stream."""

    def __init__(self, rooms: Rooms, user_id: str, expires_at: float = math.inf) -> None:
        self.session = rooms.enter("call_1", user_id, expires_at)
        self._rooms = rooms
        self.connect()

    def connect(self) -> None:
        """Opens a stream, which begins with the time after which a browser reconnects."""
        self.stream = self._rooms.stream(self.session)
        assert next(self.stream).startswith(b"retry: ")

    def next(self) -> list[tuple[str, Any]]:
        """Returns the next messages; none for a comment, which keeps the stream alive."""
        return messages(next(self.stream))

    def has_no_more(self) -> bool:
        return next(self.stream, None) is None


def messages(chunk: bytes) -> list[tuple[str, Any]]:
    found = []
    for text in chunk.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def users(*names: str) -> tuple[str, Any]:
    return "users", {"users": [*names]}


def ended(reason: str, code: int) -> tuple[str, Any]:
    return "ended", {"reason": reason, "code": code}


class TestStreams:
    def test_a_client_learns_who_is_in_its_room_and_of_every_change(self, rooms: Rooms) -> None:
        alice = Client(rooms, "alice")
        assert alice.next() == [users("alice")]
        bob = Client(rooms, "bob")
        rooms.enter("call_2", "carol", math.inf)
        assert (alice.next(), bob.next()) == ([users("alice", "bob")], [users("alice", "bob")])
        rooms.leave(bob.session)
        assert alice.next() == [users("alice")]

    def test_a_change_wakes_the_streams_at_once(self, clock: Clock) -> None:
        rooms = Rooms(clock, heartbeat_seconds=3600)
        alice = Client(rooms, "alice", clock())
        seen: queue.Queue[list[tuple[str, Any]]] = queue.Queue()

        def read() -> None:
            while chunk := next(alice.stream, None):
                seen.put(messages(chunk))

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        seen.get(timeout=30)
        for _ in range(20):  # now and then, the reader is not waiting yet
            bob = rooms.enter("call_1", "bob", math.inf)
            assert seen.get(timeout=30) == [users("alice", "bob")]
            rooms.leave(bob)
            assert seen.get(timeout=30) == [users("alice")]
            rooms.renew(alice.session, clock() + 1)
            assert seen.get(timeout=30)[0][0] == "token-will-expire"
            rooms.renew(alice.session, clock())
            assert seen.get(timeout=30)[0][0] == "token-will-expire"
        rooms.stop()
        reader.join(30)
        assert not reader.is_alive()

    @pytest.mark.parametrize(
        ("remove", "message"),
        [
            ("kick", ended("kicked", 1002055)),
            ("close", ended("room-closed", 1002055)),
            ("leave", ended("logged-out", 0)),
            ("enter", ended("repeated-login", 1002050)),
        ],
    )
    def test_the_end_of_a_session_says_why_and_is_the_last_message(
        self, rooms: Rooms, remove: str, message: tuple[str, Any]
    ) -> None:
        alice = Client(rooms, "alice")
        alice.next()
        match remove:
            case "kick":
                rooms.kick("call_1", ["alice"])
            case "close":
                rooms.close("call_1")
            case "leave":
                rooms.leave(alice.session)
            case "enter":
                rooms.enter("call_1", "alice", math.inf)
        assert alice.next() == [message]
        assert alice.has_no_more()

    def test_the_others_do_not_notice_a_repeated_login(self, rooms: Rooms) -> None:
        bob = Client(rooms, "bob")
        assert bob.next() == [users("bob")]
        rooms.enter("call_1", "alice", math.inf)
        assert bob.next() == [users("alice", "bob")]
        rooms.enter("call_1", "alice", math.inf)
        assert bob.next() == []

    def test_an_ended_session_cannot_end_the_next_one(self, rooms: Rooms) -> None:
        first = rooms.enter("call_1", "alice", math.inf)
        rooms.enter("call_1", "alice", math.inf)
        rooms.leave(first)
        assert rooms.users("call_1") == {"alice"}

    def test_a_client_without_a_stream_learns_of_its_end_when_it_comes_back(
        self, rooms: Rooms
    ) -> None:
        alice = Client(rooms, "alice")
        alice.stream.close()
        rooms.kick("call_1", ["alice"])
        alice.session = rooms.session(alice.session.id)
        alice.connect()
        assert alice.next() == [ended("kicked", 1002055)]

    def test_a_stop_ends_all_streams(self, rooms: Rooms) -> None:
        alice = Client(rooms, "alice")
        rooms.stop()
        assert alice.has_no_more()


class TestTokens:
    def test_the_end_of_a_token_is_announced_once_and_ends_nothing(
        self, rooms: Rooms, clock: Clock
    ) -> None:
        alice = Client(rooms, "alice", clock() + 60)
        assert alice.next() == [users("alice")]
        clock.turn(60 - WARNING_SECONDS)
        assert alice.next() == [("token-will-expire", {"seconds_left": WARNING_SECONDS})]
        clock.turn(3600)
        assert (alice.next(), alice.next()) == ([], [])
        assert rooms.users("call_1") == {"alice"}

    def test_a_renewed_token_is_announced_again(self, rooms: Rooms, clock: Clock) -> None:
        alice = Client(rooms, "alice", clock() + 20)
        assert alice.next() == [users("alice"), ("token-will-expire", {"seconds_left": 20})]
        rooms.renew(alice.session, clock() + 60)
        assert alice.next() == []
        clock.turn(45)
        assert alice.next() == [("token-will-expire", {"seconds_left": 15})]


class TestLostStreams:
    def test_a_client_that_does_not_come_back_leaves_the_room(
        self, rooms: Rooms, clock: Clock
    ) -> None:
        alice, bob = Client(rooms, "alice"), Client(rooms, "bob")
        bob.next()
        alice.stream.close()
        clock.turn(LOST_SECONDS - 0.1)
        assert bob.next() == []
        clock.turn(0.1)
        assert bob.next() == [users("bob")]
        with pytest.raises(LookupError, match="not known"):
            rooms.session(alice.session.id)

    def test_a_client_that_comes_back_in_time_stays(self, rooms: Rooms, clock: Clock) -> None:
        alice = Client(rooms, "alice")
        alice.stream.close()
        clock.turn(LOST_SECONDS - 0.1)
        alice.connect()
        clock.turn(LOST_SECONDS)
        assert alice.next() == [users("alice")]

    def test_a_session_has_one_stream_and_the_end_of_an_older_one_loses_nothing(
        self, rooms: Rooms, clock: Clock
    ) -> None:
        alice = Client(rooms, "alice")
        alice.next()
        older = alice.stream
        alice.connect()
        assert next(older, None) is None
        clock.turn(LOST_SECONDS)
        assert alice.next() == [users("alice")]

    def test_a_session_that_never_had_a_stream_stays(self, rooms: Rooms, clock: Clock) -> None:
        rooms.enter("call_1", "alice", math.inf)
        clock.turn(86400)
        assert rooms.users("call_1") == {"alice"}


class TestBounds:
    def test_a_room_has_a_bounded_number_of_users(self, rooms: Rooms) -> None:
        for number in range(MAX_USERS):
            rooms.enter("call_1", f"user_{number}", math.inf)
        with pytest.raises(FullError, match=f"{MAX_USERS} users at most"):
            rooms.enter("call_1", "one_more", math.inf)
        rooms.enter("call_1", "user_0", math.inf)
        rooms.enter("call_2", "one_more", math.inf)

    def test_all_rooms_have_a_bounded_number_of_sessions(self, rooms: Rooms) -> None:
        for number in range(MAX_SESSIONS):
            rooms.enter(f"call_{number}", "alice", math.inf)
        with pytest.raises(FullError, match=f"{MAX_SESSIONS} sessions at most"):
            rooms.enter("one_more", "alice", math.inf)
        rooms.close("call_0")
        rooms.enter("one_more", "alice", math.inf)


def post(cloud: ZegoCloud, path: str, content: object, *headers: tuple[str, str]) -> Answer:
    body = json.dumps(content).encode()
    return exchange(f"{cloud.url}/v1/rooms/{path}", "POST", [JSON, *headers], body)


def token(clock: Clock, user_id: str = "alice", secret: str = SECRET, **changes: Any) -> str:
    parts: dict[str, Any] = {"issued_at": int(clock()), "lifetime_seconds": 60}
    return token04.mint(APP_ID, user_id, secret, **parts | changes)


def log_in(cloud: ZegoCloud, clock: Clock, user_id: str = "alice") -> str:
    said = post(
        cloud,
        "login",
        {
            "app_id": APP_ID,
            "user_id": user_id,
            "room_id": "call_1",
            "token": token(clock, user_id),
        },
    ).json()
    session: str = said["session"]
    assert said == {"code": 0, "session": session, "users": said["users"]}
    assert user_id in said["users"]
    return session


def stream_of(cloud: ZegoCloud, session: str) -> Generator[tuple[str, Any], None, None]:
    """Reads a session's stream until it ends."""
    connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=30)
    with closing(connection):
        connection.request("GET", f"/v1/rooms/events?session={session}")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        lines: list[bytes] = []
        for line in answer:
            lines.append(line)
            if line == b"\n":
                yield from messages(b"".join(lines))
                lines.clear()


class TestOverHttp:
    def test_two_clients_meet_and_learn_when_the_other_hangs_up(
        self, cloud: ZegoCloud, clock: Clock
    ) -> None:
        alice = log_in(cloud, clock)
        with closing(stream_of(cloud, alice)) as stream:
            assert next(stream) == users("alice")
            bob = log_in(cloud, clock, "bob")
            assert next(stream) == users("alice", "bob")
            assert post(cloud, "logout", {"session": bob}).json() == {"code": 0}
            assert next(stream) == users("alice")

    def test_a_reload_is_a_new_login_that_ends_the_old_session(
        self, cloud: ZegoCloud, clock: Clock
    ) -> None:
        with closing(stream_of(cloud, log_in(cloud, clock))) as stream:
            next(stream)
            log_in(cloud, clock)
            assert [*stream] == [ended("repeated-login", 1002050)]
        assert cloud.project.rooms.users("call_1") == {"alice"}

    def test_a_renewal_takes_what_a_login_takes(self, cloud: ZegoCloud, clock: Clock) -> None:
        session = log_in(cloud, clock)

        def renew(text: object) -> dict[str, Any]:
            said = post(cloud, "renew", {"session": session, "token": text}).json()
            assert isinstance(said, dict)
            return said

        assert renew(token(clock)) == {"code": 0}
        assert renew(token(clock, secret=SECRET[::-1]))["logged"] == [20014, 50119]
        assert renew(token(clock, "bob"))["code"] == 1102016
        here, elsewhere = (
            token04.room_payload(room, login=True, publish=True) for room in ("call_1", "call_2")
        )
        assert renew(token(clock, payload=here)) == {"code": 0}
        assert renew(token(clock, payload=elsewhere))["code"] == 1102020
        assert renew(None)["code"] == 1100001
        assert cloud.project.rooms.users("call_1") == {"alice"}

    def test_a_reset_secret_ends_no_session_but_refuses_the_next_token(
        self, cloud: ZegoCloud, clock: Clock
    ) -> None:
        session, old = log_in(cloud, clock), token(clock)
        cloud.project.reset()
        assert post(cloud, "renew", {"session": session, "token": old}).json()["raw"] == 50119
        assert cloud.project.rooms.users("call_1") == {"alice"}

    def test_a_session_that_is_not_known_or_has_ended_is_not_found(
        self, cloud: ZegoCloud, clock: Clock
    ) -> None:
        session = log_in(cloud, clock)
        for _ in range(2):  # a second logout changes nothing
            assert post(cloud, "logout", {"session": session}).json() == {"code": 0}
        renewal = post(cloud, "renew", {"session": session, "token": token(clock)})
        assert (renewal.status, renewal.json()) == (404, {"error": "this session has ended"})
        for said in ({"session": "x"}, {"session": 5}, {}):
            assert post(cloud, "logout", said).status == 404
        for query in ("", "?session=", "?session=x"):
            assert exchange(f"{cloud.url}/v1/rooms/events{query}").status == 404

    @pytest.mark.parametrize("room_id", [None, "", 5, True, ["a"], {}, "a b", "a\0", "r" * 128])
    def test_a_room_needs_an_id_that_the_web_sdk_takes(
        self, cloud: ZegoCloud, clock: Clock, room_id: object
    ) -> None:
        login = {"app_id": APP_ID, "user_id": "alice", "room_id": room_id, "token": token(clock)}
        answer = post(cloud, "login", login)
        assert answer.status == 400
        assert answer.json()["error"].startswith("room_id ")
        assert exchange(f"{cloud.url}/console").json()["rooms"] == {}

    def test_a_full_room_is_reported(self, cloud: ZegoCloud, clock: Clock) -> None:
        for number in range(MAX_USERS):
            cloud.project.rooms.enter("call_1", f"user_{number}", math.inf)
        login = {"app_id": APP_ID, "user_id": "alice", "room_id": "call_1", "token": token(clock)}
        answer = post(cloud, "login", login)
        assert (answer.status, [*answer.json()]) == (503, ["error"])

    def test_only_allowed_pages_may_read_a_stream(self, cloud: ZegoCloud, clock: Clock) -> None:
        events = f"{cloud.url}/v1/rooms/events?session={log_in(cloud, clock)}"
        refused = exchange(events, headers=[("origin", "https://evil.example")])
        assert refused.status == 403
        cloud.allowed_origins = ("http://127.0.0.1:8083",)
        connection = http.client.HTTPConnection("127.0.0.1", cloud.port, timeout=30)
        with closing(connection):
            target = events.removeprefix(cloud.url)
            connection.request("GET", target, headers={"Origin": cloud.allowed_origins[0]})
            headers = connection.getresponse().headers
        assert headers["access-control-allow-origin"] == cloud.allowed_origins[0]

    def test_the_console_shows_no_session(self, cloud: ZegoCloud, clock: Clock) -> None:
        session = log_in(cloud, clock)
        assert session not in exchange(f"{cloud.url}/console").body.decode()

    def test_a_stopped_server_ends_its_streams(self, cloud: ZegoCloud, clock: Clock) -> None:
        with closing(stream_of(cloud, log_in(cloud, clock))) as stream:
            next(stream)
            cloud.stop()
            assert [*stream] == []
