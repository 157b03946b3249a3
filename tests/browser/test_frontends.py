"""The code of docs/frontends.md in Chromium, with the real client and tokens of the local stack.

ZEGO's Express SDK is the client's engine for tests. UIKit and, for the first snippet, the Express
SDK are the vendor's own, as far as they go without ZEGO: the browser resolves no names. Modules
are loaded by an import map instead of a bundler. A bundler would also resolve React's CommonJS.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from playwright.sync_api import Page

from local.loopback import HttpRequest, HttpResponse, post
from local.stack import LocalStack
from tests.browser import zego_web_sdk
from tests.browser.conftest import NewContext
from tests.docs.test_quick_starts import API, CLIENT, module, snippet
from tests.support.node import find_node
from tools import npm_packages

CLIENT_MODULES = {
    "zego-token-service-client": "token-source",
    "zego-token-service-client/react": "react",
    "zego-token-service-client/testing": "testing",
}
#: React's modules in the order in which they need each other, and the names that modules import.
REACT = {
    "react": ("react/cjs/react.production.js", "useEffect, useState, createElement, StrictMode"),
    "react/jsx-runtime": ("react/cjs/react-jsx-runtime.production.js", "jsx, jsxs"),
    "scheduler": ("scheduler/cjs/scheduler.production.js", ""),
    "react-dom": ("react-dom/cjs/react-dom.production.js", ""),
    "react-dom/client": ("react-dom/cjs/react-dom-client.production.js", "createRoot"),
}
EXPRESS = "zego-express-engine-webrtc"
UIKIT = "@zegocloud/zego-uikit-prebuilt"
TEST_ENGINE = """import { TestEngine } from "zego-token-service-client/testing";
export class ZegoExpressEngine extends TestEngine {
  constructor(...given) { super(...given); window.engine = this; }
}"""
#: It keeps the kit for the test: the snippet has it in a constant.
REAL_UIKIT = """export const { ZegoUIKitPrebuilt } = window;
const { create } = ZegoUIKitPrebuilt;
ZegoUIKitPrebuilt.create = (...given) => (window.kit = create.call(ZegoUIKitPrebuilt, ...given));"""
#: It records the states for the test.
REAL_EXPRESS = """export class ZegoExpressEngine extends window.ZegoExpressEngine {
  constructor(...given) {
    super(...given);
    window.states = [];
    this.on("roomStateChanged", (room, state, code) => states.push([room, state, code]));
  }
}"""
REACT_APP = """import { createElement, StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Call } from "/react.js";
const root = createRoot(document.getElementById("call"));
window.show = (props) => root.render(createElement(StrictMode, null, createElement(Call, props)));
window.unmount = () => root.unmount();
show({ roomId: "call_0123", userName: "Alice" });"""

#: The app's own backend, and what it asks of the service.
ROUTES = {"/zego-token": "/v1/tokens", "/calls": "/v1/calls"}

NpmPackage = Callable[[str], Path]


def commonjs(npm_package: NpmPackage) -> str:
    """A module that loads React's CommonJS files."""
    sources = {
        name: (npm_package(file.partition("/")[0]) / file.partition("/")[2]).read_text()
        for name, (file, _) in REACT.items()
    }
    return f"""const sources = {json.dumps(sources)}, loaded = {{}};
export function require(name) {{
  if (name in loaded) return loaded[name].exports;
  const module = (loaded[name] = {{ exports: {{}} }});
  new Function("module", "exports", "require", sources[name])(module, module.exports, require);
  return module.exports;
}}"""


def javascript(code: str) -> str:
    """Code without its types and JSX."""
    script = """const { transpile } = require(process.argv[1]);
    const options = { jsx: "react-jsx", module: "esnext", target: "es2022" };
    process.stdout.write(transpile(require("fs").readFileSync(0, "utf8"), options));"""
    command = (find_node(), "-e", script, npm_packages.fetch("typescript"))
    done = subprocess.run(
        command, input=code, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


class OpenApp:
    """Opens pages with the snippet of a section, at the origin of the stack's page.

    :ivar files: what the origin serves, by path.
    :ivar before: HTML before the module, such as other scripts.
    :ivar wrong: uncaught errors.
    """

    def __init__(self, stack: LocalStack, new_context: NewContext) -> None:
        self.stack = stack
        self.new_context = new_context
        self.bearer = stack.identity_provider.bearer("alice")
        self.files = {
            f"/client/{name}.js": (CLIENT / f"{name}.js").read_text()
            for name in CLIENT_MODULES.values()
        }
        self.imports = {name: f"/client/{file}.js" for name, file in CLIENT_MODULES.items()}
        self.before = ""
        self.wrong: list[str] = []

    def __call__(
        self, section: str, script: str = "", modules: Mapping[str, str] = MappingProxyType({})
    ) -> Page:
        """Opens a page.

        :param script: the page's module; by default, it imports the snippet as `app`.
        :param modules: the text of modules that are not the client's, by name.
        """
        for name, text in {EXPRESS: TEST_ENGINE, **modules}.items():
            self.files[f"/modules/{name}.js"] = text
            self.imports[name] = f"/modules/{name}.js"
        file = f"/{module(section)}.js"
        text = javascript(snippet("React", "tsx")) if section == "React" else snippet(section, "js")
        self.files[file] = text.replace(API, self.stack.api.url)
        main = script or f'window.app = await import("{file}");'
        self.files["/app"] = f"""<!doctype html><title>An app</title><link rel="icon" href="data:,">
            <script type="importmap">{json.dumps({"imports": self.imports})}</script>
            <div id="call" style="width: 900px; height: 600px"></div>
            <script>window.auth = {{ getAccessToken: async () => "{self.bearer}" }};</script>
            {self.before}
            <script type="module">{main} window.ready = true;</script>"""
        page = self.new_context().new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.goto(f"{self.stack.page.url}/app")
        page.wait_for_function("window.ready")
        return page

    def respond(self, request: HttpRequest) -> HttpResponse | None:
        if request.path in ROUTES:
            return self._backend(request)
        if (text := self.files.get(request.path)) is None:
            return None
        kind = "text/html" if request.path == "/app" else "text/javascript"
        return HttpResponse(200, (("content-type", f"{kind}; charset=utf-8"),), text.encode())

    def _backend(self, request: HttpRequest) -> HttpResponse:
        """Passes on what the service says. A real backend signs for the user of its session."""
        asked = json.loads(request.body)
        said = {"room_id": asked["roomId"]} if "roomId" in asked else {"callees": asked["callees"]}
        headers = {"authorization": f"Bearer {self.bearer}", "content-type": "application/json"}
        if "idempotencyKey" in asked:
            headers["idempotency-key"] = asked["idempotencyKey"]
        url = self.stack.api.url + ROUTES[request.path]
        answer = post(url, json.dumps(said).encode(), headers)
        kept = [(name, value) for name, value in answer.headers if name.lower() == "content-type"]
        return HttpResponse(answer.status, tuple(kept), answer.body)


@pytest.fixture
def open_app(stack: LocalStack, new_context: NewContext) -> Iterator[OpenApp]:
    """Opens apps. At the end, no error may be uncaught."""
    opens = OpenApp(stack, new_context)
    stack.page.intercept = opens.respond
    yield opens
    stack.page.intercept = None
    assert opens.wrong == []


def test_the_web_snippet_enters_renews_and_survives_a_refused_token(open_app: OpenApp) -> None:
    page = open_app("Web")
    assert page.evaluate("engine.rooms") == ["call_0123"]
    page.evaluate('engine.emit("tokenWillExpire", "call_0123")')
    page.wait_for_function("engine.renewals.length === 1")
    page.evaluate('engine.lose("call_0123", "KICKOUT", 20014)')
    page.wait_for_function("engine.logins.length === 2 && engine.rooms.length === 1")
    tokens = page.evaluate("[...engine.logins, ...engine.renewals].map(({ token }) => token)")
    assert len(set(tokens)) == 3


def test_the_react_snippet_enters_and_leaves_its_room_under_strict_mode(
    open_app: OpenApp, npm_package: NpmPackage
) -> None:
    modules = {
        name: f'import {{ require }} from "commonjs";export const {{ {names} }}=require("{name}");'
        for name, (_, names) in REACT.items()
    }
    page = open_app("React", REACT_APP, {"commonjs": commonjs(npm_package), **modules})
    page.get_by_text("In the call").wait_for()
    assert page.evaluate("engine.logins.length") == 1
    page.evaluate('show({ roomId: "of_another", userName: "Alice" })')
    page.get_by_role("alert").get_by_text("No call: not_granted").wait_for()
    page.evaluate("unmount()")
    page.wait_for_function("engine.rooms.length + engine.listenerCount === 0")


def test_the_snippet_of_an_own_backend_gets_tokens_and_calls(open_app: OpenApp) -> None:
    page = open_app("Own backend")
    issued = page.evaluate('app.source.token({ roomId: "call_0123" })')
    assert (issued["userId"], issued["roomId"]) == ("alice", "call_0123")
    refused = (
        'app.source.token({ roomId: "of_another" }).catch(({ code, status }) => [code, status])'
    )
    assert page.evaluate(refused) == ["not_granted", 403]
    call = page.evaluate('app.source.startCall({ callees: ["bob"] })')
    assert call["roomId"] == f"call_{call['callId']}"
    assert call["callees"] == ["bob"]


def test_zegos_uikit_reads_the_kit_token_and_offers_to_join(
    open_app: OpenApp, npm_package: NpmPackage
) -> None:
    uikit = npm_package(UIKIT) / "zego-uikit-prebuilt.js"
    open_app.files["/vendor/uikit.js"] = uikit.read_text(encoding="utf-8")
    open_app.before = '<script src="/vendor/uikit.js"></script>'
    page = open_app("UIKit", modules={UIKIT: REAL_UIKIT})
    page.locator("#call").get_by_text("Join").first.wait_for()
    assert page.locator("#call input").first.input_value() == "Alice"


def test_with_zegos_express_sdk_the_web_snippet_waits_for_zego(
    open_app: OpenApp, npm_package: NpmPackage
) -> None:
    """Without ZEGO it ends in the state that the document names. The SDK emits no error."""
    for package, file, _, _ in zego_web_sdk.PARTS:
        open_app.files[f"/vendor/{package}.js"] = (npm_package(package) / file).read_text()
    open_app.before = "".join(
        f'<script src="/vendor/{package}.js"></script>'
        f'<script>window["{name}"] = {variable};</script>'
        for package, _, name, variable in zego_web_sdk.PARTS
    )
    page = open_app("Web", 'import("/web.js");', {EXPRESS: REAL_EXPRESS})
    page.wait_for_function("window.states?.length")
    assert page.evaluate("states") == [["call_0123", "LOGINING", 0]]
