"""ZEGO's web SDK, from its npm package, in a page of its own with a clock that the test moves.

It cannot reach ZEGO: the page's Content-Security-Policy lets it connect to nothing but what is
named, the rest of its requests is aborted, and the browser resolves no name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, Route

from tests.browser.conftest import PATIENCE_MS

PACKAGE: Final = "zego-express-engine-webrtc"
APP_ID: Final = 1234567890
ROOM: Final = "room1"
USER: Final = "user1"

#: What the SDK is made of, in the order of loading: package, file, the name by which those that
#: follow ask for it, and the global variable that it makes.
_PARTS: Final = (
    ("long", "umd/index.js", "long", "Long"),
    ("protobufjs", "dist/minimal/protobuf.min.js", "protobufjs/minimal", "protobuf"),
    ("localforage", "dist/localforage.min.js", "localforage", "localforage"),
    ("zego-express-logger", "ZegoExpressLogger.js", "zego-express-logger", "window"),
    (PACKAGE, "ZegoExpressWebRTC.js", PACKAGE, "window"),
)
_SERVER: Final = f"wss://webliveroom{APP_ID}-api.zegocloud.com/ws"
_RECORDER: Final = Path(__file__).with_name("zego_web_sdk.js")
_START: Final = 1_800_000_000
#: What the page's clock may run on before it stands still.
_LOADING_SECONDS: Final = 60


class WebSdk:
    """One engine at a time, which logs in to rooms of which ZEGO never hears.

    :ivar page: where it runs.
    :ivar aborted: its requests that were for none of the page's files, WebSockets apart.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.aborted: list[str] = []

    def start(self, app_id: int = APP_ID) -> None:
        """In the place of the engine before, if there is one, of which nothing is left.

        The clock then stands at a whole second.
        """
        self.wait(-self.now_ms % 1000 / 1000)
        self.page.evaluate("([appId, server]) => sdk.start(appId, server)", [app_id, _SERVER])

    @property
    def now_ms(self) -> int:
        """The time by the page's clock, in milliseconds."""
        return int(self.page.evaluate("Date.now()"))

    def wait(self, seconds: float) -> None:
        """Moves the clock: every timer that is due in that time fires, at its own time."""
        self.page.clock.run_for(round(seconds * 1000))

    def jump(self, seconds: float) -> None:
        """Moves the clock as for a machine that slept: what is due fires once, in the end."""
        self.page.clock.fast_forward(round(seconds * 1000))

    def log_in(self, token: object, *, room_id: str = ROOM, user_id: str = USER) -> None:
        """Calls `loginRoom`, and returns while it is under way."""
        self.page.evaluate(
            "([room, token, user]) => sdk.logIn(room, token, user)", [room_id, token, user_id]
        )

    def renew(self, token: object, *, room_id: str = ROOM) -> object:
        """What `renewToken` returns."""
        return self.page.evaluate(
            "([token, room]) => sdk.engine.renewToken(token, room)", [token, room_id]
        )

    @property
    def outcome(self) -> int | None:
        """The code with which the last login ended, 0 where it succeeded; none as yet."""
        code = self.page.evaluate("sdk.outcome")
        return None if code is None else int(code)

    @property
    def timers(self) -> list[tuple[int, str]]:
        """Each timer that says `tokenWillExpire`: its delay in ms, and armed, cleared or fired."""
        return [(each["ms"], each["state"]) for each in self.page.evaluate("sdk.timers")]

    @property
    def said(self) -> list[list[Any]]:
        """The SDK's events, with their arguments: `tokenWillExpire` and `roomStateChanged`."""
        return list(self.page.evaluate("sdk.said"))

    @property
    def will_expire(self) -> list[str]:
        """The rooms for which the SDK said `tokenWillExpire`, once for each time."""
        return [room for event, room, *_ in self.said if event == "tokenWillExpire"]

    @property
    def uncaught(self) -> list[str]:
        """The errors that the SDK let go into nothing, by name."""
        return list(self.page.evaluate("sdk.uncaught"))

    @property
    def blocked(self) -> list[str]:
        """Where this page, with any of its engines, was not let connect to."""
        return list(self.page.evaluate("sdk.blocked"))


@contextmanager
def opened(
    browser: Browser,
    npm_package: Callable[[str], Path],
    *,
    origin: str = "http://127.0.0.1:9",
    start: float = _START,
    may_connect_to: tuple[str, ...] = (),
    modules: tuple[Path, ...] = (),
) -> Iterator[WebSdk]:
    """The SDK in a page whose clock stands still.

    :param origin: the page's, of which every file is given here.
    :param start: what the clock was set to, in Unix seconds; it stands a minute later.
    :param may_connect_to: origins on this machine.
    :param modules: files that the page may import, as `/<name>`.
    """
    files = {f"/{module.name}": module for module in modules}
    html = "<!doctype html><title>ZEGO's web SDK</title>"
    for package, file, name, variable in _PARTS:
        files[f"/{package}/{file}"] = npm_package(package) / file
        html += f'<script src="/{package}/{file}"></script>'
        html += f'<script>window["{name}"] = {variable};</script>'
    policy = f"connect-src {' '.join(may_connect_to)}; webrtc 'block'"
    with browser.new_context() as context:
        sdk = WebSdk(context.new_page())

        def answer(route: Route) -> None:
            url = route.request.url
            path = url.removeprefix(origin)
            if path == "/":
                headers = {"content-security-policy": policy}
                route.fulfill(body=html, content_type="text/html", headers=headers)
            elif path in files:
                route.fulfill(path=files[path], content_type="text/javascript")
            elif url.startswith(may_connect_to):
                route.continue_()
            else:
                sdk.aborted.append(url)
                route.abort()

        context.set_default_timeout(PATIENCE_MS)
        if may_connect_to:  # the browser does not know that a page given so is of this machine
            context.grant_permissions(["local-network-access"], origin=origin)
        context.route("**/*", answer)
        sdk.page.clock.install(time=start)
        sdk.page.add_init_script(path=_RECORDER)
        sdk.page.goto(f"{origin}/")
        sdk.page.clock.pause_at(start + _LOADING_SECONDS)
        yield sdk
