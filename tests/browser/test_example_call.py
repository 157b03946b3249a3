"""examples/call: what it says and does, as far as it goes without ZEGO's servers.

ZEGO's web SDK itself, from npm, replaces the CDN's files: the page loads it by the hashes in the
example, under the stack's Content-Security-Policy, and begins a login that reaches no server. What
comes after a login runs with `express_engine.js`, whose logins go to a stand-in for ZEGO: so the
token, the user and the room are right. Sound and picture need ZEGO.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, Route, expect

from local import own_project
from local.fake_zego import ZegoCloud
from local.loopback import HttpRequest, HttpResponse
from local.own_project import OwnProject
from local.stack import LocalStack
from tests.browser.conftest import NewContext
from tools.sam_template import ROOT
from zego.server_secret import ServerSecret

EXAMPLE = ROOT / "examples" / "call" / "call.js"
ENGINE = Path(__file__).with_name("express_engine.js")
CDN = "https://cdn.jsdelivr.net/npm/"
FILES = re.findall(
    r'\["(?P<package>[a-z-]+)@(?P<version>[\d.]+)/(?P<file>[^"]+)", "sha384-(?P<hash>[^"]+)"',
    EXAMPLE.read_text(encoding="utf-8"),
)
SECRET = "fedcba9876543210" * 2
APP_ID = 987654321
NpmPackage = Callable[[str], Path]
READS_THE_PAST = """() => new Promise((resolve) => {
  new EventSource("/events").addEventListener("up-to-date", () => resolve());
})"""


@pytest.fixture(scope="module")
def zego() -> Iterator[ZegoCloud]:
    with ZegoCloud(APP_ID, SECRET) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def own(zego: ZegoCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """A stack with an own project."""
    with LocalStack(
        directory=tmp_path_factory.mktemp("own"),
        own_project=OwnProject(ServerSecret(APP_ID, SECRET), zego.url),
        environment={"SECRET_TTL_SECONDS": "1"},
        watch_seconds=None,
    ) as running:
        zego.allowed_origins = running.page.origins
        yield running


@pytest.fixture
def phone(own: LocalStack, zego: ZegoCloud, new_context: NewContext) -> Callable[[str], Page]:
    """Opens the example as a user, with the engine of the tests."""

    def opened(user: str) -> Page:
        context = new_context(bypass_csp=True)
        add_engine(context, zego)
        page = context.new_page()
        page.goto(f"{own.page.url}/call/?as={user}")
        expect(status(page)).to_have_text(f"You are {user}.")
        return page

    return opened


def add_engine(context: BrowserContext, zego: ZegoCloud) -> None:
    """Replaces the SDK in a context without a policy: its requests go to the stand-in."""
    context.add_init_script(f"window.zegoRooms = {json.dumps(zego.url)};")
    context.add_init_script(path=ENGINE)


def status(page: Page) -> Locator:
    return page.locator("#status")


def says(page: Page, text: str) -> None:
    expect(page.locator("#status")).to_have_text(text)


def warns(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.locator("#problem")).to_contain_text(text)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


# --- With the stand-in for ZEGO's rooms -----------------------------------------------------------


def test_two_people_talk_and_one_hangs_up(phone: Callable[[str], Page]) -> None:
    alice, bob = phone("alice"), phone("bob")
    expect(alice.get_by_label("Call", exact=True)).to_have_value("bob")
    press(alice, "Call")
    expect(bob.locator("#caller")).to_have_text("alice calls you.")
    says(alice, "You are in the room. Waiting for bob.")
    press(bob, "Accept")
    says(bob, "You are talking with alice.")
    says(alice, "You are talking with bob.")
    assert alice.evaluate("engines.length") == bob.evaluate("engines.length") == 1
    assert bob.evaluate("engines[0].appID") == APP_ID
    assert bob.evaluate("engines[0].server") == f"wss://webliveroom{APP_ID}-api.zegocloud.com/ws"
    assert re.fullmatch(r"[\da-f-]{36}", bob.evaluate("engines[0].published"))
    press(bob, "Hang up")
    says(bob, "You have hung up.")
    expect(status(alice)).to_have_text(re.compile("bob has (hung up|left)."))
    assert alice.evaluate("engines[0].destroyed")
    expect(alice.get_by_role("button", name="Call", exact=True)).to_be_visible()


def test_a_call_can_be_declined(phone: Callable[[str], Page]) -> None:
    alice, bob = phone("alice"), phone("bob")
    press(alice, "Call")
    press(bob, "Decline")
    says(bob, "You have declined.")
    says(alice, "bob has declined.")


def test_a_call_that_is_not_accepted_is_missed(phone: Callable[[str], Page]) -> None:
    alice, bob = phone("alice"), phone("bob")
    for page in (alice, bob):
        page.clock.install()
    press(alice, "Call")
    says(alice, "You are in the room. Waiting for bob.")
    expect(bob.locator("#caller")).to_be_visible()
    for page in (alice, bob):
        page.clock.fast_forward(61_000)
    says(alice, "bob has not accepted.")
    says(bob, "You missed a call from alice.")
    expect(bob.locator("#caller")).to_be_hidden()
    press(alice, "Hang up")


def test_the_caller_can_hang_up_first(phone: Callable[[str], Page]) -> None:
    alice, bob = phone("alice"), phone("bob")
    press(alice, "Call")
    expect(bob.locator("#caller")).to_be_visible()
    says(alice, "You are in the room. Waiting for bob.")
    press(alice, "Hang up")
    says(bob, "alice has hung up.")
    expect(bob.locator("#caller")).to_be_hidden()


def test_a_window_that_opens_later_rings_unless_the_call_has_ended(
    phone: Callable[[str], Page],
) -> None:
    alice = phone("alice")
    press(alice, "Call")
    says(alice, "You are in the room. Waiting for bob.")
    expect(phone("bob").locator("#caller")).to_have_text("alice calls you.")
    press(alice, "Hang up")
    says(alice, "You have hung up.")
    late = phone("bob")
    late.evaluate(READS_THE_PAST)
    assert late.locator("#incoming").is_hidden()  # now: later, it would be a missed call


def test_the_other_windows_of_a_user_stop_ringing(phone: Callable[[str], Page]) -> None:
    alice, *windows = phone("alice"), phone("bob"), phone("bob")
    press(alice, "Call")
    for bob in windows:
        expect(bob.locator("#caller")).to_be_visible()
    press(windows[0], "Accept")
    says(windows[0], "You are talking with alice.")
    expect(windows[1].locator("#incoming")).to_be_hidden(timeout=20_000)  # before it is missed
    press(alice, "Hang up")


def test_a_callee_who_is_not_allowed_is_explained(phone: Callable[[str], Page]) -> None:
    alice = phone("alice")
    alice.get_by_label("Call", exact=True).fill("alice")
    press(alice, "Call")
    says(alice, "The call has ended.")
    warns(alice, "callees")


def test_a_refused_token_is_replaced(
    phone: Callable[[str], Page], zego: ZegoCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = phone("alice")
    logins: list[str] = []

    def refuse_the_first(request: HttpRequest) -> HttpResponse | None:
        if request.method != "POST" or not request.path.endswith("/login"):
            return None
        logins.append(request.json_object()["token"])  # type: ignore[index]
        allowed = (("access-control-allow-origin", request.header("origin") or ""),)
        return HttpResponse(200, allowed, b'{"code": 1102016}') if len(logins) == 1 else None

    monkeypatch.setattr(zego, "intercept", refuse_the_first)
    press(alice, "Call")
    says(alice, "You are in the room. Waiting for bob.")
    expect(alice.locator("#problem")).to_be_empty()
    assert len(set(logins)) == len(logins) == 2


def test_a_secret_that_zego_no_longer_accepts_is_explained(
    phone: Callable[[str], Page], zego: ZegoCloud
) -> None:
    alice = phone("alice")
    zego.project.reset()
    try:
        press(alice, "Call")
        says(alice, "You are not in the room.")
        warns(alice, "ZEGO refused (1102016)")
        warns(alice, "ZEGO refuses a new token too")
        press(alice, "Hang up")
        says(alice, "You have hung up.")
    finally:
        zego.project.accept_all()


# --- The tutorial ---------------------------------------------------------------------------------

TUTORIAL = (ROOT / "docs" / "first-call.md").read_text(encoding="utf-8")
#: What the steps of the tutorial say to do, and what they say to expect.
STEP = re.compile(
    r"(?P<window>first|second) window|type `(?P<type>\w+)`|press \*\*(?P<press>[\w ]+)\*\*"
    r"|(?<!\*)\*(?P<says>[^*]+)\*(?!\*)"
)


def expect_words(page: Page, text: str) -> None:
    """Waits until the page shows a text that the tutorial quotes."""
    where = "#caller" if text.endswith("calls you.") else "#status"
    expect(page.locator(where)).to_have_text(text)


def test_the_tutorial_is_followed_word_by_word(
    own: LocalStack, zego: ZegoCloud, new_context: NewContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ZEGO lets no user in before the page has shown that it waits for ZEGO."""
    may_enter = threading.Event()

    def hold(request: HttpRequest) -> None:
        if request.method == "POST" and request.path.endswith("/login"):
            may_enter.wait(60)

    monkeypatch.setattr(zego, "intercept", hold)
    context = new_context(bypass_csp=True)
    add_engine(context, zego)
    windows = {name: context.new_page() for name in ("first", "second")}
    for window in windows.values():
        window.goto(f"{own.page.url}/call/")
    page = windows["first"]
    steps = TUTORIAL.partition("4. In the first")[2].partition("A test follows")[0]
    done = []
    for step in STEP.finditer(" ".join(f"first {steps}".split())):
        if step["window"]:
            page = windows[step["window"]]
        elif step["says"]:
            expect_words(windows["first"] if "talking" in step["says"] else page, step["says"])
        elif step["type"]:
            page.get_by_label("Your name").fill(step["type"])
        else:
            press(page, step["press"])
        if step["says"] == "Entering the room at ZEGO.":
            may_enter.set()
        done.append(step.lastgroup)
    assert [done.count(kind) for kind in ("type", "press", "says")] == [2, 5, 7]


def test_the_commands_of_the_tutorial_exist() -> None:
    commands = re.findall(r"^ *(make .+)$", TUTORIAL, re.MULTILINE)
    assert commands == ["make call", "make run", "make run ZEGO=mine"]
    for command, runs in zip(commands, ("local.demo call", "local ", "--zego mine"), strict=True):
        arguments = ["make", "--dry-run", "--no-print-directory", *command.split()[1:]]
        shown = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True, check=True)
        assert runs in shown.stdout


def test_the_problems_of_the_tutorial_are_in_the_words_of_the_page_and_the_terminal() -> None:
    table = TUTORIAL.partition("## If it does not work")[2].partition("## Next")[0]
    problems = re.findall(r"^\| (?!the page|---)(.+?) \|", table, re.MULTILINE)
    said = EXAMPLE.read_text(encoding="utf-8") + inspect.getsource(own_project)
    for problem in problems:
        text = problem.strip("`").replace("1102016", "${code}").replace("bob", "${callee}")
        assert text in said, text
    assert len(problems) == 8


# --- With ZEGO's web SDK --------------------------------------------------------------------------


def test_the_hashes_are_those_of_the_packages_that_the_tests_pin(npm_package: NpmPackage) -> None:
    pinned = json.loads((ROOT / "tests" / "npm" / "package.json").read_text())["devDependencies"]
    assert [package for package, *_ in FILES][-1] == "zego-express-engine-webrtc"
    for package, version, file, digest in FILES:
        assert version == pinned[package]
        content = (npm_package(package) / file).read_bytes()
        assert digest == base64.b64encode(hashlib.sha384(content).digest()).decode()


def serve_the_sdk(context: BrowserContext, npm_package: NpmPackage, own: LocalStack) -> list[str]:
    """Responds as the CDN. Returns the list of all other requests that leave this machine."""
    others: list[str] = []

    def respond(route: Route) -> None:
        url = route.request.url
        if url.startswith(CDN):
            package, _, file = url.removeprefix(CDN).partition("@")
            route.fulfill(
                path=npm_package(package) / file.partition("/")[2],
                content_type="text/javascript",
                headers={"access-control-allow-origin": "*"},
            )
        elif url.startswith((own.page.url, own.api.url, own.identity_provider.url)):
            route.continue_()
        else:
            others.append(url)
            route.abort()

    context.route("**/*", respond)
    return others


def test_zegos_sdk_begins_a_login_and_a_silent_server_is_explained(
    own: LocalStack, new_context: NewContext, npm_package: NpmPackage
) -> None:
    context = new_context()
    serve_the_sdk(context, npm_package, own)
    context.add_init_script(
        "window.blocked = [];"
        "addEventListener('securitypolicyviolation', (event) => blocked.push(event.blockedURI));"
    )
    page = context.new_page()
    page.clock.install()
    page.goto(f"{own.page.url}/call/?as=alice")
    says(page, "You are alice.")
    press(page, "Call")
    says(page, "Entering the room at ZEGO.")
    page.clock.fast_forward(21_000)
    warns(page, "Compare the server address with ZEGO's console")
    assert page.evaluate("blocked") == []
    press(page, "Hang up")
    says(page, "You have hung up.")


@pytest.mark.parametrize("change", ["is not reached", "has another file"])
def test_without_the_sdk_the_page_says_what_is_missing(
    own: LocalStack, new_context: NewContext, change: str
) -> None:
    context = new_context()
    if change == "has another file":
        headers = {"access-control-allow-origin": "*"}
        context.route(
            f"{CDN}**", lambda route: route.fulfill(body="window.Long = 1", headers=headers)
        )
    page = context.new_page()
    page.goto(f"{own.page.url}/call/")
    says(page, "ZEGO's web SDK is not loaded.")
    warns(page, f"{CDN}long@5.2.0/umd/index.js cannot be loaded, or is not the expected file.")


# --- With the stand-in for ZEGO -------------------------------------------------------------------


def test_without_an_own_project_it_names_the_command_and_loads_no_sdk(
    stack: LocalStack, new_context: NewContext
) -> None:
    context = new_context()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(f"{stack.page.url}/call")
    says(page, "This page makes real calls, so it needs your own ZEGO project.")
    warns(page, "make run ZEGO=mine")
    assert [url for url in asked if not url.startswith(stack.page.url)] == []
