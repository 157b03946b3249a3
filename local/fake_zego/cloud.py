"""The stand-in's server: the project, its console, and its troubles."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from email.utils import formatdate
from typing import Any, Literal, get_args
from urllib.parse import parse_qs

from local.aws.http_api_access import Cors
from local.fake_zego import room_login, server_api
from local.fake_zego.rooms import FullError, Rooms
from local.loopback import HttpRequest, HttpResponse, LoopbackServer
from zego.identifiers import IdentifierError
from zego.server_secret import ServerSecret

TroubleKind = Literal["none", "rate-limit", "gateway", "bad-gateway", "garbage", "hang-up"]
MAX_SLOW_SECONDS = 60.0
ROOMS = "/v1/rooms/"

_CODES: Mapping[TroubleKind, int] = {"rate-limit": 206, "gateway": 100000015}
_CHANGES = {f"/console/{change}" for change in ("reset", "switch-off", "accept-all", "trouble")}
"""The changes that the console offers."""
_HTML = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>\n"


class Project:
    """A ZEGO project: its AppID, all secrets ever made for it, those that ZEGO accepts, its rooms.

    In reality, ZEGO accepts two at once only if its support has enabled that.
    """

    def __init__(self, app_id: int, server_secret: str, rooms: Rooms) -> None:
        self.app_id = app_id
        self.made: tuple[ServerSecret, ...] = (ServerSecret(app_id, server_secret),)
        self.accepted: tuple[ServerSecret, ...] = self.made
        """Oldest first; the last one is what the console shows."""
        self.rooms = rooms

    def reset(self, *, keep_old: bool = False) -> ServerSecret:
        """Makes a new secret. The old ones are no longer accepted, unless `keep_old` is true."""
        new = ServerSecret(self.app_id, secrets.token_hex(16))
        self.made += (new,)
        self.accepted = (*self.accepted, new) if keep_old else (new,)
        return new

    def switch_off(self, fingerprint: str) -> None:
        """Stops accepting a secret. Raises `LookupError` if it is not accepted."""
        left = tuple(secret for secret in self.accepted if secret.fingerprint != fingerprint)
        if left == self.accepted:
            raise LookupError("no accepted secret has this fingerprint")
        self.accepted = left

    def accept_all(self) -> None:
        """Accepts every secret that was ever made."""
        self.accepted = self.made


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the server API; by default, nothing.

    `clock_skew_seconds` is how far ZEGO's clock is ahead of this machine's, at the login too.
    """

    kind: TroubleKind = "none"
    slow_seconds: float = 0.0
    clock_skew_seconds: float = 0.0

    @classmethod
    def from_json(cls, named: Mapping[str, Any]) -> Trouble:
        """Returns the trouble that a JSON object names. Raises `ValueError` if it is unknown."""
        try:
            trouble = cls(**named)
        except TypeError:
            raise ValueError("use kind, slow_seconds and clock_skew_seconds") from None
        if trouble.kind not in get_args(TroubleKind):
            raise ValueError(f"kind must be one of {', '.join(get_args(TroubleKind))}")
        for seconds in (trouble.slow_seconds, trouble.clock_skew_seconds):
            if isinstance(seconds, bool) or not isinstance(seconds, int | float):
                raise ValueError("seconds must be a number")
        if not 0 <= trouble.slow_seconds <= MAX_SLOW_SECONDS:
            raise ValueError(f"slow_seconds must be 0 to {MAX_SLOW_SECONDS:g}")
        return trouble


class _RequestError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ZegoCloud(LoopbackServer):
    """ZEGO's cloud with one project. See `local.fake_zego` for its routes.

    Within this process the console is `project` and `trouble`. `allowed_origins` are the origins
    whose pages may use the console and the rooms, in addition to its own; pages of `room_origins`
    may use the rooms alone. `on_refused_origin`, if set, is called with each other origin.
    `on_change`, if set, is called after each change at the console, with its name.
    """

    open_to_pages = True

    def __init__(
        self,
        app_id: int,
        server_secret: str,
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(port=port)
        self.project = Project(app_id, server_secret, Rooms(self._now))
        self.trouble = Trouble()
        self.allowed_origins: Sequence[str] = ()
        self.room_origins: Sequence[str] = ()
        self.on_refused_origin: Callable[[str], None] | None = None
        self.on_change: Callable[[str], None] | None = None
        self._clock = clock

    def stop(self) -> None:
        """Closes the port and every open connection, and ends the streams of the rooms."""
        super().stop()
        self.project.rooms.stop()

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to one request, with ZEGO's time in the date header."""
        now = self._now()
        answer = self._server_api(request, now) if request.path == "/" else self._page(request, now)
        return answer.with_headers((("date", formatdate(now, usegmt=True)),))

    def _now(self) -> float:
        return self._clock() + self.trouble.clock_skew_seconds

    def _server_api(self, request: HttpRequest, now: float) -> HttpResponse:
        kind = self.trouble.kind
        time.sleep(self.trouble.slow_seconds)
        if kind == "hang-up":
            raise ConnectionAbortedError
        if kind == "bad-gateway":
            return HttpResponse(502, (("content-type", "text/html"),), _HTML)
        if kind == "garbage":
            return HttpResponse(200, (("content-type", "application/json"),), b'{"Code":')
        if code := _CODES.get(kind):
            return _json(200, server_api.document(code))
        project = self.project
        return _json(
            200,
            server_api.answer(request.query, project.app_id, project.accepted, project.rooms, now),
        )

    def _page(self, request: HttpRequest, now: float) -> HttpResponse:
        """Responds to requests for the login and the console, which pages may send."""
        rooms = self.room_origins if request.path.startswith(ROOMS) else ()
        cors = Cors((*self.origins, *self.allowed_origins, *rooms))
        origin = request.header("origin")
        if origin is not None and origin not in cors.origins:
            if self.on_refused_origin:
                self.on_refused_origin(origin)
            return _json(403, {"error": "this origin is not allowed"})
        if preflight := cors.preflight(request):
            return preflight
        try:
            if (request.method, request.path) == ("GET", "/v1/rooms/events"):
                answer = self._room_events(request)
            else:
                answer = _json(200, self._content(request, now))
        except _RequestError as refused:
            answer = _json(refused.status, {"error": str(refused)})
        except LookupError as unknown:
            answer = _json(404, {"error": str(unknown)})
        except IdentifierError as wrong:
            answer = _json(400, {"error": f"{wrong}"})
        except FullError as full:
            answer = _json(503, {"error": str(full)})
        return answer.with_headers(cors.on_answer(request))

    def _room_events(self, request: HttpRequest) -> HttpResponse:
        rooms = self.project.rooms
        (named,) = parse_qs(request.query).get("session", [""])[:1]
        headers = (("content-type", "text/event-stream"), ("cache-control", "no-store"))
        return HttpResponse(200, headers, stream=rooms.stream(rooms.session(named)))

    def _content(self, request: HttpRequest, now: float) -> dict[str, Any]:
        project, rooms = self.project, self.project.rooms
        match request.method, request.path:
            case "GET", "/console":
                return self._console()
            case "POST", ("/v1/rooms/login" | "/v1/rooms/renew") as path:
                answer = room_login.answer if path.endswith("login") else room_login.renewal
                return answer(_object(request), project.app_id, project.accepted, rooms, now)
            case "POST", "/v1/rooms/logout":
                rooms.leave(rooms.session(_object(request).get("session")))
                return {"code": 0}
            case "POST", path if path in _CHANGES:
                return self._change(path, _object(request))
        raise _RequestError(404, "this page does not exist")

    def _change(self, path: str, said: Mapping[str, Any]) -> dict[str, Any]:
        made = {}
        try:
            match path:
                case "/console/reset":
                    made["server_secret"] = self.project.reset(
                        keep_old=said.get("keep_old") is True
                    ).value
                case "/console/switch-off":
                    self.project.switch_off(str(said.get("fingerprint")))
                case "/console/accept-all":
                    self.project.accept_all()
                case "/console/trouble":
                    self.trouble = Trouble.from_json(said)
        except (ValueError, LookupError) as error:
            raise _RequestError(400, str(error)) from None
        if self.on_change:
            self.on_change(path.rpartition("/")[2])
        return made | self._console()

    def _console(self) -> dict[str, Any]:
        return {
            "app_id": self.project.app_id,
            "accepted": [secret.fingerprint for secret in self.project.accepted],
            "made": [secret.fingerprint for secret in self.project.made],
            "rooms": self.project.rooms.to_json(),
            "trouble": asdict(self.trouble),
        }


def _object(request: HttpRequest) -> dict[str, Any]:
    """Returns the JSON object in a request. Other sites' pages cannot send its content type."""
    if request.media_type != "application/json":
        raise _RequestError(415, "the request must be application/json")
    said = request.json_object()
    if said is None:
        raise _RequestError(400, "the body must be a JSON object")
    return said


def _json(status: int, content: object) -> HttpResponse:
    headers = (("content-type", "application/json"), ("cache-control", "no-store"))
    return HttpResponse(status, headers, json.dumps(content).encode())
