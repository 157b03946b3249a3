"""The page's server: a fixed table of files, the operators' actions, and `/events`.

====================  ============================================================================
`GET /`, files        `FILES`, and no other file
`GET /call/`          examples/call: a call by ZEGO's web SDK
`GET /stack`          the addresses of the parts, for the page's modules
`GET /codes`          the meanings of ZEGO's codes that a web client shows
`GET /events`         what happens, as server-sent events
`POST /operate/...`   one of the actions of `Operations`, with a JSON object; from this page only
`POST /signal`        what a phone reports about a call, for `/events`; from this page only
====================  ============================================================================
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local import PROJECT
from local.aws.lambda_host import InvocationResult
from local.fake_zego import Project
from local.identity_provider import PASSWORD
from local.loopback import Headers, HttpRequest, HttpResponse, LoopbackServer
from local.page.broken_tokens import MISTAKES
from local.page.feed import Reporter
from local.page.sse import Live
from local.samples import curl_bearer
from local.stack_file import StackDescription
from zego.error_codes import CODES

if TYPE_CHECKING:
    from local.page.operations import Operations

WEB = PROJECT / "local" / "page" / "web"
EXAMPLE = PROJECT / "examples" / "call"
CLIENT = PROJECT / "clients" / "javascript" / "token-source.js"
ACTIONS = "/operate/"
SIGNALS = ("joined", "declined", "ended")
"""What a phone reports about a call. ZEGO carries none of it: apps use their own server or ZIM."""
LONGEST_ID = 128
MAX_BODY_KIB = 100
"""More than the longest token that `Operations` takes, whatever its characters, as UTF-8."""
AGAIN_SECONDS = 1.0
"""How long to wait before reading the secret again after an error of Secrets Manager."""
SDK_ORIGIN = "https://cdn.jsdelivr.net"
"""Where the example loads ZEGO's web SDK from; its hash is in the example."""
EXAMPLE_POLICY = (
    f"default-src 'none'; script-src 'self' {SDK_ORIGIN} blob: 'unsafe-inline' 'unsafe-eval';"
    " style-src 'unsafe-inline'; connect-src 'self' {parts} https: wss:; media-src blob:;"
    " worker-src blob:; img-src data:;"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
"""ZEGO's web SDK needs this: it makes scripts, worklets, WebAssembly and styles at run time, and
connects to servers whose names ZEGO changes."""
STARTING = b"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="1">
<title>zego-token-service is starting</title>
<h1>zego-token-service is starting</h1>
<p>This page reloads every second until it is ready.</p>
</html>
"""
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FILES = {
    "/": WEB / "index.html",
    "/token-source.js": CLIENT,
    **{f"/{path.name}": path for path in sorted(WEB.iterdir()) if path.name != "index.html"},
}
"""The files by path. The client is the same file that applications use."""
FILES |= {"/call/": EXAMPLE / "index.html", "/call/call.js": EXAMPLE / "call.js"}


@dataclass(frozen=True)
class StackView:
    """What the page needs of the stack.

    `project` is what ZEGO's console shows. `look` runs the watcher once; it also runs every
    `watch_seconds`, unless that is None. `unstick` is the command that gives a rotation up.
    """

    stack: StackDescription
    project: Project
    look: Callable[[], InvocationResult]
    watch_seconds: float | None
    unstick: str


class Page(LoopbackServer):
    """Serves the page of a stack. The parts report to it through `reporter`."""

    open_to_pages = True

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port, max_body_bytes=MAX_BODY_KIB * 1024)
        self.live = Live()
        self._changed = threading.Event()
        self.reporter = Reporter(self.live, self._changed.set)
        self._parts: StackView | None = None
        self._operations: Operations | None = None
        self._once = threading.Lock()

    def connect(self, parts: StackView) -> None:
        """Gives the page the parts, once they run. Until then it responds with 503."""
        self._parts = parts

    def stop(self) -> None:
        """Closes the port and every open connection, and ends the streams."""
        super().stop()
        with self._once:
            self._operations = None
        self._changed.set()
        self.live.close()

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Responds to one request."""
        if self._parts is None and request.path == "/":
            return HttpResponse(503, _headers(CONTENT_TYPES[".html"]), STARTING)
        if self._parts is None:
            return _error(503, "The stack is starting. Try again in a second.")
        if request.method == "POST":
            return self._acted(request, self._parts)
        if request.method not in ("GET", "HEAD"):
            return _error(405, "Use GET or POST.")
        return self._shown(request, self._parts)

    def _shown(self, request: HttpRequest, parts: StackView) -> HttpResponse:
        match request.path:
            case "/events":
                return self._events(request, parts)
            case "/stack":
                return _json(200, _description(parts))
            case "/codes":
                return _json(200, _codes())
            case "/call":
                return HttpResponse(308, (("location", "/call/"),))
            case path if path in FILES:
                return _file(FILES[path], parts.stack)
        return _error(404, "This page does not exist.")

    def _events(self, request: HttpRequest, parts: StackView) -> HttpResponse:
        # Browsers send this header if another site makes the request; other clients may not.
        if request.header("sec-fetch-site") in ("cross-site", "same-site"):
            return _error(403, "Only this page may read the events.")
        self._operate(parts)
        stream = self.live.stream(request.header("last-event-id"))
        return HttpResponse(200, _headers("text/event-stream"), stream=stream)

    def _acted(self, request: HttpRequest, parts: StackView) -> HttpResponse:
        if not _is_own(request, self.origins):
            return _error(403, "Only this page may do that.")
        if request.media_type != "application/json":  # a form of another site cannot send this type
            return _error(415, "The content type must be application/json.")
        if request.body_too_large:
            what = "token" if request.path == f"{ACTIONS}inspect" else "request"
            return _error(413, f"The {what} is longer than {MAX_BODY_KIB} KiB.")
        said = request.json_object()
        if said is None:
            return _error(400, "The body must be a JSON object.")
        if request.path == "/signal":
            return self._signalled(said)
        return self._performed(request.path.removeprefix(ACTIONS), said, parts)

    def _signalled(self, said: dict[str, Any]) -> HttpResponse:
        ids = [said.get("call_id"), said.get("user_id")]
        call_id, user_id = (one if isinstance(one, str) else "" for one in ids)
        if not all(0 < len(one) <= LONGEST_ID for one in (call_id, user_id)):
            return _error(409, f"call_id and user_id must be text of 1 to {LONGEST_ID} characters.")
        if said.get("said") not in SIGNALS:
            return _error(409, f"said must be one of {', '.join(SIGNALS)}.")
        self.reporter.signal(call_id, user_id, said["said"])
        return _json(200, {})

    def _performed(self, action: str, said: dict[str, Any], parts: StackView) -> HttpResponse:
        from local.page.operations import RefusedError, UnknownActionError  # noqa: PLC0415  slow

        try:
            return _json(200, self._operate(parts).perform(action, said))
        except RefusedError as refused:
            return _json(409, {"error": str(refused), "code": refused.code})
        except UnknownActionError:
            return _error(404, "This action does not exist.")

    def _operate(self, parts: StackView) -> Operations:
        """Creates the operations at the first request (boto3 loads slowly) and shows the secret."""
        from local.page.operations import Operations  # noqa: PLC0415  slow

        with self._once:
            if self._operations is None:
                self._operations = Operations(parts.stack, parts.project, parts.look)
                self._changed.set()
                arguments = (self._operations,)
                threading.Thread(target=self._keep_shown, args=arguments, daemon=True).start()
            return self._operations

    def _keep_shown(self, operations: Operations) -> None:
        """Shows the state of the secret after every change, until the page stops.

        After an error of Secrets Manager, it retries.
        """
        from zego.secret_store.versions import SecretStoreError  # noqa: PLC0415  slow

        fingerprints: dict[str, str | None] = {}
        again: float | None = None
        while True:
            self._changed.wait(again)
            if operations is not self._operations:
                return
            self._changed.clear()
            try:
                standing = operations.standing()
            except SecretStoreError:
                again = AGAIN_SECONDS
                continue
            again = None
            self.live.show("secret", standing)
            before, fingerprints = (
                fingerprints,
                {
                    label: one["fingerprint"]
                    for one in standing["versions"]
                    for label in one["labels"]
                },
            )
            self.reporter.labels(before, fingerprints)


def _is_own(request: HttpRequest, origins: Sequence[str]) -> bool:
    """Whether the page itself sent the request, from one of its `origins`.

    Browsers tell this in headers that no page can set: `Sec-Fetch-Site` (Fetch Metadata), or
    `Origin` if the browser is too old for that.
    """
    site, origin = request.header("sec-fetch-site"), request.header("origin")
    if origin is not None and origin not in origins:
        return False
    return site == "same-origin" if site is not None else origin is not None


def _file(file: Path, stack: StackDescription) -> HttpResponse:
    parts = f"{stack.api} {stack.identity_provider}"
    content_type = CONTENT_TYPES[file.suffix]
    if file.parent == EXAMPLE:
        headers = _headers(content_type, policy=EXAMPLE_POLICY.format(parts=parts))
    else:
        headers = _headers(content_type, f"'self' {parts} {stack.zego}")
    return HttpResponse(200, headers, file.read_bytes())


def _description(parts: StackView) -> dict[str, Any]:
    """What the page may know about the stack: everything but the access key."""
    stack = parts.stack
    return {
        "api": stack.api,
        "identity_provider": stack.identity_provider,
        "zego": "mine" if stack.own_project else stack.zego,
        "secrets_manager": stack.secrets_manager,
        "events": stack.events,
        "app_id": stack.app_id,
        "watch_seconds": parts.watch_seconds,
        "unstick": parts.unstick,
        "password": PASSWORD,
        "curl": curl_bearer(stack),
        "mistakes": MISTAKES,
    }


def _codes() -> dict[str, Any]:
    return {
        str(known.code): {
            "meaning": known.meaning,
            "causes": known.causes,
            "remedy": known.remedy,
        }
        for known in CODES.values()
        if "web" in known.platforms
    }


def _headers(content_type: str, connect: str = "'none'", policy: str = "") -> Headers:
    policy = policy or (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        f" connect-src {connect}; form-action 'none'; base-uri 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    )
    return (
        ("content-type", content_type),
        ("content-security-policy", policy),
        ("cross-origin-resource-policy", "same-origin"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    )


def _json(status: int, content: object) -> HttpResponse:
    return HttpResponse(status, _headers("application/json"), json.dumps(content).encode())


def _error(status: int, message: str) -> HttpResponse:
    return _json(status, {"error": message})
