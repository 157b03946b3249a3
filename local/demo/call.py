"""`make call`: one user calls another, and someone resets the ServerSecret while they talk.

The issuer, its event and the delivery to an app's server are those of `make run`. The browsers and
the app's server are played here.
"""

from __future__ import annotations

import http.client
import json
import queue
import secrets
import time
from contextlib import closing
from typing import Any

from local.aws.api_destination import KEY_HEADER, ApiDestination
from local.demo.scene import PATIENCE_SECONDS, Scene, UnexpectedError, play
from local.loopback import LOOPBACK, HttpRequest, HttpResponse, LoopbackServer, post
from local.samples import log_in

CALLER, CALLEE = "alice", "bob"
PATH = "/incoming-call"
IN_PRODUCTION = (
    (
        "ZEGO's servers carry audio and video between the browsers. This stand-in carries neither;"
        " docs/first-call.md shows a call with your own ZEGO project."
    ),
    (
        "EventBridge posts the event to IncomingCallUrl. It retries for two minutes and then keeps"
        " the event in a dead-letter queue. An event may arrive twice: compare its call_id."
    ),
    "Your server notifies bob over its own connection, such as a WebSocket or a push message.",
    (
        "The JavaScript client requests new tokens and renews them at ZEGO. What a reset does to a"
        " call in progress is not documented by ZEGO."
    ),
)


class AppServer(LoopbackServer):
    """An app's own server: keeps the calls that come with the right key, each once."""

    def __init__(self) -> None:
        super().__init__()
        self.key = secrets.token_urlsafe(32)
        self.deliveries: list[str] = []
        """What the stack reports about its deliveries."""
        self.calls: queue.Queue[dict[str, Any]] = queue.Queue()
        self._seen: set[str] = set()

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Takes an event of EventBridge."""
        if (request.method, request.path) != ("POST", PATH):
            return HttpResponse(404)
        if not secrets.compare_digest(request.header(KEY_HEADER) or "", self.key):
            return HttpResponse(401)
        call = (request.json_object() or {})["detail"]
        if call["call_id"] not in self._seen:
            self._seen.add(call["call_id"])
            self.calls.put(call)
        return HttpResponse(204)


class RoomClient:
    """A user's web client in a room, which reads the room's events."""

    def __init__(self, port: int, session: str) -> None:
        self.session = session
        self._connection = http.client.HTTPConnection(LOOPBACK, port, timeout=PATIENCE_SECONDS)
        self._connection.request("GET", f"/v1/rooms/events?session={session}")
        self._lines = iter(self._connection.getresponse())

    def close(self) -> None:
        """Closes the stream."""
        self._connection.close()

    def learns(self, name: str, data: object) -> None:
        """Waits for an event. Raises `UnexpectedError` if it does not come in time."""
        wanted = [f"event: {name}\n".encode(), f"data: {json.dumps(data)}\n".encode()]
        deadline = time.monotonic() + PATIENCE_SECONDS
        seen: list[bytes] = []
        for line in self._lines:
            seen.append(line)
            if seen[-2:] == wanted:
                return
            if time.monotonic() > deadline:  # a silent stream has a comment every second
                break
        raise UnexpectedError(f"a client in the room gets {name} {json.dumps(data)}")


def play_call() -> int:
    """Plays the call on a new stack. Returns 0 if everything happened as expected, else 1."""
    with AppServer() as app:
        destination = ApiDestination(f"{app.url}{PATH}", app.key, app.deliveries.append)
        return play(lambda scene: call(scene, app), incoming_calls=destination)


def call(scene: Scene, app: AppServer) -> None:
    """Plays a call in its four steps, with a reset of the ServerSecret during the call."""
    scene.heading(f"1. {CALLER} calls {CALLEE}")
    begun = _begin(scene)
    room_id = begun["room_id"]
    scene.tell(f"POST /v1/calls with the callee {CALLEE}: 201, with {CALLER}'s token for the room")
    scene.tell(f"the call is {begun['call_id']}; EventBridge accepted its event")

    scene.heading(f"2. {CALLEE} is notified")
    try:
        incoming = app.calls.get(timeout=PATIENCE_SECONDS)
    except queue.Empty:
        reports = "; ".join(app.deliveries)
        raise UnexpectedError(f"the app's server gets the event ({reports})") from None
    expected = (begun["call_id"], room_id, CALLER, [CALLEE])
    got = tuple(incoming[name] for name in ("call_id", "room_id", "caller", "callees"))
    scene.expect("the event describes the call", got == expected)
    scene.expect("the event contains no token", "token" not in incoming)
    scene.tell(f"the app's server gets POST {PATH} with its key: {CALLER} calls {CALLEE}")

    scene.heading(f"3. {CALLEE} accepts, and both enter the room")
    first = _enter(scene, CALLER, room_id, begun["token"])
    with closing(first):
        scene.tell(f"{CALLER} logs in to the room: accepted")
        second = _enter(scene, CALLEE, room_id, scene.token(room_id, CALLEE))
        with closing(second):
            scene.tell(f"{CALLEE} gets a token for the room and logs in: accepted")
            for client in (first, second):
                client.learns("users", {"users": [CALLER, CALLEE]})
            scene.heading("4. They talk")
            scene.tell(f"both see {CALLER} and {CALLEE} in the room; there is no audio or video")
            _reset(scene, first, room_id)
            _hang_up(scene, first, second)
    scene.in_production(IN_PRODUCTION)


def _begin(scene: Scene) -> dict[str, Any]:
    """The caller's frontend begins the call. Returns the service's response."""
    bearer = log_in(scene.stack.identity_provider.url, CALLER)
    headers = {"authorization": f"Bearer {bearer}", "idempotency-key": secrets.token_urlsafe()}
    answer = post(f"{scene.stack.api.url}/v1/calls", {"callees": [CALLEE]}, headers)
    scene.expect("the issuer begins the call", answer.status == 201)
    begun: dict[str, Any] = answer.json()
    scene.expect("the response names the callee", begun["callees"] == [CALLEE])
    scene.expect("EventBridge accepts the event", begun["event_accepted"] is True)
    return begun


def _enter(scene: Scene, user_id: str, room_id: str, token: str) -> RoomClient:
    answer = scene.log_in(token, room_id, user_id)
    scene.expect(f"ZEGO accepts {user_id}'s login", answer.get("code") == 0)
    return RoomClient(scene.stack.zego.port, answer["session"])


def _renew(scene: Scene, client: RoomClient, room_id: str) -> object:
    """Renews the caller's token with a new one. Returns ZEGO's code."""
    renewal = {"session": client.session, "token": scene.token(room_id, CALLER)}
    return post(f"{scene.stack.zego.url}/v1/rooms/renew", renewal).json().get("code")


def _reset(scene: Scene, client: RoomClient, room_id: str) -> None:
    """Someone resets the ServerSecret, and the operator rotates to the new one."""
    scene.heading("While they talk, someone resets the ServerSecret at ZEGO's console")
    new = scene.project.reset()
    code = _renew(scene, client, room_id)
    scene.expect("ZEGO refuses tokens of the old secret", code == 1102016)
    users = scene.project.rooms.users(room_id)
    scene.expect("no one leaves the room", users == {CALLER, CALLEE})
    scene.tell(f"{CALLER}'s client renews its token: refused with {code}; the call goes on")
    scene.versions.stage(new)
    scene.rotate()
    scene.expect("the new secret is promoted", scene.current() == new.fingerprint)
    scene.issuer_has(new)
    scene.expect("the renewal works again", _renew(scene, client, room_id) == 0)
    scene.tell(f"rotated to {new.fingerprint}; {CALLER}'s client renews its token: accepted")


def _hang_up(scene: Scene, first: RoomClient, second: RoomClient) -> None:
    scene.heading(f"{CALLEE} hangs up")
    post(f"{scene.stack.zego.url}/v1/rooms/logout", {"session": second.session})
    second.learns("ended", {"reason": "logged-out", "code": 0})
    first.learns("users", {"users": [CALLER]})
    scene.tell(f"{CALLER}'s client sees that {CALLEE} has left the room")
