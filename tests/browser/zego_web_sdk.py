"""ZEGO's web SDK, from its npm package, in a separate page with a clock that the test moves.

It cannot reach ZEGO: the page's Content-Security-Policy allows connections only to named origins,
all other requests are aborted, and the browser resolves no names.
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

#: The parts of the SDK in the order of loading: package, file, the name under which later parts
#: import it, and the global variable that it defines.
PARTS: Final = (
    ("long", "umd/index.js", "long", "Long"),
    ("protobufjs", "dist/minimal/protobuf.min.js", "protobufjs/minimal", "protobuf"),
    ("localforage", "dist/localforage.min.js", "localforage", "localforage"),
    ("zego-express-logger", "ZegoExpressLogger.js", "zego-express-logger", "window"),
    (PACKAGE, "ZegoExpressWebRTC.js", PACKAGE, "window"),
)
_SERVER: Final = f"wss://webliveroom{APP_ID}-api.zegocloud.com/ws"
_RECORDER: Final = Path(__file__).with_name("zego_web_sdk.js")
_START: Final = 1_800_000_000
#: How long the page's clock may run before it is stopped.
_LOADING_SECONDS: Final = 60


class WebSdk:
    """One engine at a time. Its logins never reach ZEGO.

    :ivar page: the page in which it runs.
    :ivar aborted: its requests for anything but the page's files, without WebSockets.
    """

    def __init__(self, page: Page) -> None:
        self.page = page
        self.aborted: list[str] = []

    def start(self, app_id: int = APP_ID) -> None:
        """Replaces the previous engine, if any, and moves the clock to a whole second."""
        self.wait(-self.now_ms % 1000 / 1000)
        self.page.evaluate("([appId, server]) => sdk.start(appId, server)", [app_id, _SERVER])

    @property
    def now_ms(self) -> int:
        """The time of the page's clock, in milliseconds."""
        return int(self.page.evaluate("Date.now()"))

    def wait(self, seconds: float) -> None:
        """Moves the clock and fires every timer at its due time."""
        self.page.clock.run_for(round(seconds * 1000))

    def jump(self, seconds: float) -> None:
        """Moves the clock as if the machine had slept: due timers fire once, at the end."""
        self.page.clock.fast_forward(round(seconds * 1000))

    def log_in(self, token: object, *, room_id: str = ROOM, user_id: str = USER) -> None:
        """Calls `loginRoom` without waiting for its result."""
        self.page.evaluate(
            "([room, token, user]) => sdk.logIn(room, token, user)", [room_id, token, user_id]
        )

    def renew(self, token: object, *, room_id: str = ROOM) -> object:
        """Calls `renewToken` and returns its result."""
        return self.page.evaluate(
            "([token, room]) => sdk.engine.renewToken(token, room)", [token, room_id]
        )

    @property
    def outcome(self) -> int | None:
        """The code of the last login, 0 if it succeeded; None until it ends."""
        code = self.page.evaluate("sdk.outcome")
        return None if code is None else int(code)

    @property
    def timers(self) -> list[tuple[int, str]]:
        """The timers that emit `tokenWillExpire`: delay in ms, and armed, cleared or fired."""
        return [(each["ms"], each["state"]) for each in self.page.evaluate("sdk.timers")]

    @property
    def said(self) -> list[list[Any]]:
        """The SDK's events, with their arguments: `tokenWillExpire` and `roomStateChanged`."""
        return list(self.page.evaluate("sdk.said"))

    @property
    def will_expire(self) -> list[str]:
        """The rooms for which the SDK emitted `tokenWillExpire`, one entry per event."""
        return [room for event, room, *_ in self.said if event == "tokenWillExpire"]

    @property
    def uncaught(self) -> list[str]:
        """The names of the SDK's unhandled errors."""
        return list(self.page.evaluate("sdk.uncaught"))

    @property
    def blocked(self) -> list[str]:
        """The addresses to which this page was not allowed to connect, with any engine."""
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
    """Opens the SDK in a page whose clock is stopped.

    :param origin: the page's origin, whose files all come from here.
    :param start: the time at which the clock starts, in Unix seconds; it stops a minute later.
    :param may_connect_to: origins on this machine to which the page may connect.
    :param modules: files that the page may import, as `/<name>`.
    """
    files = {f"/{module.name}": module for module in modules}
    html = "<!doctype html><title>ZEGO's web SDK</title>"
    for package, file, name, variable in PARTS:
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
        if may_connect_to:  # the browser cannot tell that such a page is local
            context.grant_permissions(["local-network-access"], origin=origin)
        context.route("**/*", answer)
        sdk.page.clock.install(time=start)
        sdk.page.add_init_script(path=_RECORDER)
        sdk.page.goto(f"{origin}/")
        sdk.page.clock.pause_at(start + _LOADING_SECONDS)
        yield sdk
