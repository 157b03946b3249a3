"""The JavaScript client in Chromium: a page on another origin gets tokens from the real issuer.

Only the tests move the page's clock, so timers fire exactly when a test lets time pass.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from local.aws.http_api_access import Cors
from local.loopback import HttpRequest, HttpResponse, Intercept, LoopbackServer
from local.stack import LocalStack
from tests.browser.conftest import NewContext
from zego.token04 import decode

HERE = Path(__file__).parent
CLIENT = HERE.parents[1] / "clients" / "javascript" / "token-source.js"
HTML = b"""<!doctype html><title>A frontend</title><link rel="icon" href="data:,">
<script type="module" src="/frontend.js"></script>"""
FILES = {
    "/frontend": ("text/html", HTML),
    "/frontend.js": ("text/javascript", (HERE / "token_source.js").read_bytes()),
    "/token-source.js": ("text/javascript", CLIENT.read_bytes()),
}
HOUR = 3600
REQUEST = {"roomId": "call_1", "lifetimeSeconds": 600}
#: A token of 600 s is renewed at 540 s, or earlier by a jitter of up to a tenth.
FRESH, STALE = 485, 541
#: The longest pause before the first retry, if the service does not name one.
FIRST_BACKOFF = 0.5
#: Matches a token or a JWT of the identity provider.
SECRETS = re.compile(r"\b04[A-Za-z0-9+/]{40,}|\beyJ[\w-]+\.")

Given = dict[str, Any]


def frontend_file(request: HttpRequest) -> HttpResponse | None:
    """Returns the frontend's file that the request names, if any."""
    if request.path not in FILES:
        return None
    content_type, body = FILES[request.path]
    return HttpResponse(200, (("content-type", content_type),), body)


class Elsewhere(LoopbackServer):
    """The frontend on an origin that the API does not allow."""

    open_to_pages = True

    def respond(self, request: HttpRequest) -> HttpResponse:
        return frontend_file(request) or HttpResponse(404)


@contextmanager
def elsewhere() -> Iterator[str]:
    server = Elsewhere()
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@dataclass
class Api:
    """The stack's API, which keeps its responses to token requests.

    Each entry of `script` responds to one request instead of the API, unless it returns None.
    """

    stack: LocalStack
    script: list[Intercept] = field(default_factory=list)
    answers: list[HttpResponse] = field(default_factory=list)

    def intercept(self, request: HttpRequest) -> HttpResponse | None:
        if request.method != "POST":
            return None
        scripted = self.script.pop(0)(request) if self.script else None
        answer = scripted or self.stack.api.respond(request)
        self.answers.append(answer)
        return answer

    def problem(self, status: int, code: str, *headers: tuple[str, str]) -> Intercept:
        """Makes an intercept that returns this problem, with the CORS headers of the API."""

        def answer(request: HttpRequest) -> HttpResponse:
            said = {"code": code, "detail": "Later.", "request_id": "r1", "retryable": True}
            kind = ("content-type", "application/problem+json")
            cors = Cors(origins=self.stack.page.origins).on_answer(request)
            return HttpResponse(status, (kind, *headers, *cors), json.dumps(said).encode())

        return answer

    @property
    def tokens(self) -> list[str]:
        """The tokens issued so far."""
        return [json.loads(answer.body)["token"] for answer in self.answers]

    def repeat(self, request: HttpRequest) -> HttpResponse:
        """Repeats the last response."""
        return self.answers[-1]


@dataclass
class Tab:
    """An open frontend, whose clock only the test moves."""

    page: Page

    def start(self, stack: LocalStack, bearers: Sequence[str] = (), **options: object) -> None:
        """Creates the page's token source, for alice unless bearer tokens are given."""
        bearers = bearers or [stack.identity_provider.bearer("alice")]
        given = [stack.api.url, list(bearers), options]
        self.page.evaluate("given => frontend.start(...given)", given)

    def ask(self, **request: object) -> None:
        """Calls `source.token` without waiting for its result."""
        self.page.evaluate("request => frontend.ask(request)", REQUEST | request)

    def outcome(self) -> Given:
        """Returns the result of the call; the page's clock need not move for it."""
        self.page.wait_for_function("frontend.outcome !== null")
        return dict(self.page.evaluate("frontend.outcome"))

    def token(self, **request: object) -> str:
        self.ask(**request)
        return str(self.outcome()["token"])

    def until_settled(self, count: int) -> None:
        """Waits until this many requests have ended and the client has handled their results."""
        self.page.wait_for_function("count => frontend.settled === count", arg=count)

    @property
    def is_waiting(self) -> bool:
        return self.page.evaluate("frontend.outcome") is None

    @property
    def sent(self) -> int:
        return int(self.page.evaluate("frontend.sent"))

    def sleep(self, seconds: float) -> None:
        """Moves the clock as if the machine had slept."""
        self.page.clock.fast_forward(round(seconds * 1000))

    def wait(self, seconds: float) -> None:
        """Moves the clock and fires every timer at its due time."""
        self.page.clock.run_for(round(seconds * 1000))

    def set_clock(self, ahead: float) -> None:
        """Sets the wall clock ahead of the service's, but not the monotonic clock."""
        self.page.clock.set_system_time(time.time() + ahead)


OpenTab = Callable[..., Tab]


@pytest.fixture
def api(stack: LocalStack) -> Iterator[Api]:
    api = Api(stack)
    stack.api.intercept = api.intercept
    stack.page.intercept = frontend_file
    yield api
    stack.api.intercept = stack.page.intercept = None


@pytest.fixture
def told() -> list[str]:
    """The consoles' messages, including those of the browser and uncaught errors."""
    return []


@pytest.fixture
def open_tab(api: Api, new_context: NewContext, told: list[str]) -> Iterator[OpenTab]:
    """Opens a frontend in a new or given context, with options of `createTokenSource`.

    At the end, no token or bearer token may be anywhere outside the page's memory.
    """
    tabs: list[Tab] = []
    addresses: list[str] = []

    def opened(
        context: BrowserContext | None = None,
        *,
        ahead: float = 0,
        bearers: Sequence[str] = (),
        origin: str = api.stack.page.url,
        **options: object,
    ) -> Tab:
        page = (context or new_context()).new_page()
        page.on("request", lambda request: addresses.append(request.url))
        page.on("console", lambda said: told.append(said.text))
        page.on("pageerror", lambda error: told.append(f"{error} {error.stack}"))
        now = time.time() + ahead
        page.clock.install(time=now)
        page.goto(f"{origin}/frontend")
        page.clock.pause_at(now + 60)
        tab = Tab(page)
        tab.start(api.stack, bearers, **options)
        tabs.append(tab)
        return tab

    yield opened
    for tab in tabs:
        kept = tab.page.evaluate("frontend.kept()")
        assert {where: what for where, what in kept.items() if what} == {}
        assert tab.page.context.cookies() == []
    assert addresses
    assert not SECRETS.search(" ".join(told + addresses))


# --- Renewal --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [3 * HOUR, -3 * HOUR], ids=["ahead", "behind"])
def test_a_token_is_renewed_in_time_even_if_the_clock_is_wrong(
    open_tab: OpenTab, api: Api, stack: LocalStack, server_secret: str, ahead: int
) -> None:
    tab = open_tab(ahead=ahead)
    first = tab.token()
    tab.sleep(FRESH)
    assert tab.token() == first
    tab.sleep(STALE - FRESH)
    second = tab.token()
    tab.sleep(2 * HOUR)
    third = tab.token()
    assert len({first, second, third}) == len(api.answers) == 3
    for token in (first, second, third):
        claims = decode(token, server_secret).claims
        assert (claims.user_id, claims.app_id) == ("alice", stack.secrets_manager.app_id)
        assert json.loads(claims.payload)["room_id"] == "call_1"


def test_setting_the_clock_back_keeps_no_token_too_long(open_tab: OpenTab) -> None:
    tab = open_tab()
    first = tab.token()
    tab.set_clock(-3 * HOUR)
    tab.wait(FRESH)
    assert tab.token() == first
    tab.wait(STALE - FRESH)
    assert tab.token() != first


def test_if_the_clock_jumps_ahead_the_token_is_renewed(
    open_tab: OpenTab,
) -> None:
    tab = open_tab()
    first = tab.token()
    tab.set_clock(3 * HOUR)
    second = tab.token()
    assert second != first
    assert tab.token() == second


def test_if_the_server_repeats_a_token_the_request_is_retried(open_tab: OpenTab, api: Api) -> None:
    tab = open_tab()
    first = tab.token()
    api.script = [api.repeat]
    tab.sleep(STALE)
    tab.ask()
    tab.until_settled(2)
    assert tab.is_waiting
    tab.wait(FIRST_BACKOFF)
    second = tab.outcome()["token"]
    assert second != first
    assert api.tokens == [first, first, second]


# --- Two tabs -------------------------------------------------------------------------------------


def test_two_tabs_have_separate_tokens(
    open_tab: OpenTab, new_context: NewContext, api: Api
) -> None:
    context = new_context()
    one, other = open_tab(context), open_tab(context)
    first, second = one.token(), other.token()
    assert first != second
    renewed = one.token(refresh=True)
    one.page.evaluate("frontend.source.close()")
    assert other.token() == second
    assert api.tokens == [first, second, renewed]
    assert [tab.page.evaluate("frontend.stored") for tab in (one, other)] == [0, 0]
    assert other.page.evaluate("navigator.locks.query()") == {"held": [], "pending": []}


def test_a_reloaded_tab_has_lost_its_token(open_tab: OpenTab, api: Api, stack: LocalStack) -> None:
    tab = open_tab()
    first = tab.token()
    tab.page.reload()
    tab.start(stack)
    assert tab.token() != first
    assert len(api.answers) == 2


# --- The network ----------------------------------------------------------------------------------


def test_an_offline_page_gets_its_token_as_soon_as_it_is_online(
    open_tab: OpenTab, new_context: NewContext, api: Api
) -> None:
    context = new_context()
    tab = open_tab(context)
    context.set_offline(True)
    tab.ask()
    tab.until_settled(1)
    assert tab.is_waiting
    assert api.answers == []
    context.set_offline(False)  # without letting time pass
    assert tab.outcome()["userId"] == "alice"
    assert tab.sent == 2


def test_while_offline_it_keeps_its_token(open_tab: OpenTab, new_context: NewContext) -> None:
    context = new_context()
    tab = open_tab(context)
    first = tab.token(lifetimeSeconds=7200)
    tab.sleep(6901)
    context.set_offline(True)
    tab.ask(lifetimeSeconds=7200)
    tab.until_settled(2)
    assert tab.is_waiting
    tab.wait(30)
    assert tab.outcome()["token"] == first
    context.set_offline(False)
    assert tab.token(lifetimeSeconds=7200) != first


def test_a_page_of_another_origin_gets_a_network_error(
    open_tab: OpenTab, api: Api, told: list[str]
) -> None:
    with elsewhere() as origin:
        tab = open_tab(origin=origin, maxRetries=0)
        tab.ask()
        assert tab.outcome() == {"code": "network_error"}
    assert api.answers == []
    assert any("blocked by CORS policy" in text for text in told)
    assert any(f"To allow it: make run RUN_ARGS='--allow-origin {origin}'" in text for text in told)


# --- Refusals -------------------------------------------------------------------------------------


def test_after_a_401_it_retries_once_with_a_new_bearer_token(
    open_tab: OpenTab, api: Api, stack: LocalStack
) -> None:
    provider = stack.identity_provider
    expired = provider.sign(provider.claims("alice", exp=int(time.time()) - HOUR))
    tab = open_tab(bearers=(expired, provider.bearer("alice")))
    tab.ask()
    assert tab.outcome()["userId"] == "alice"
    assert [answer.status for answer in api.answers] == [401, 201]
    assert tab.page.evaluate("frontend.bearersAsked") == [False, True]


@pytest.mark.parametrize(
    ("status", "code"), [(429, "gateway_error"), (503, "secret_unavailable")], ids=str
)
def test_it_waits_for_retry_after(open_tab: OpenTab, api: Api, status: int, code: str) -> None:
    tab = open_tab()
    api.script = [api.problem(status, code, ("retry-after", "7"))]
    tab.ask()
    tab.until_settled(1)
    tab.wait(6.999)
    assert (tab.is_waiting, tab.sent) == (True, 1)
    tab.wait(0.001 + FIRST_BACKOFF)
    assert tab.outcome()["userId"] == "alice"
    assert [answer.status for answer in api.answers] == [status, 201]


def test_without_retry_after_it_retries_within_500_ms(open_tab: OpenTab, api: Api) -> None:
    tab = open_tab()
    api.script = [api.problem(429, "gateway_error")]
    tab.ask()
    tab.until_settled(1)
    tab.wait(FIRST_BACKOFF)
    assert tab.outcome()["userId"] == "alice"


def test_a_wait_beyond_its_deadline_is_an_error_for_the_app(open_tab: OpenTab, api: Api) -> None:
    tab = open_tab()
    api.script = [api.problem(503, "secret_unavailable", ("retry-after", "31"))]
    tab.ask()
    expected = {"code": "secret_unavailable", "status": 503, "retryAfterSeconds": 31}
    assert tab.outcome() == expected


# --- Secrecy --------------------------------------------------------------------------------------


def test_errors_in_the_console_contain_no_token_and_no_bearer_token(
    open_tab: OpenTab, told: list[str], stack: LocalStack
) -> None:
    bearer = stack.identity_provider.bearer("alice")
    tab = open_tab(bearers=[bearer])
    assert SECRETS.search(tab.token())
    assert SECRETS.search(bearer)
    tab.ask(roomId="of_bob")
    assert tab.outcome() == {"code": "not_granted", "status": 403}
    with tab.page.expect_event("pageerror"):
        request = REQUEST | {"roomId": "of_bob"}
        tab.page.evaluate("request => frontend.askInPassing(request)", request)
    assert len([text for text in told if "not_granted" in text]) == 2
