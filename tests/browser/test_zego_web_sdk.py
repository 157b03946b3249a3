"""ZEGO's own web SDK with our tokens: when it emits `tokenWillExpire`, and what a renewal does.

These tests run `zego-express-engine-webrtc` from npm in Chromium, without access to ZEGO's servers.
They test what it reads in a token, the timer that `loginRoom` starts, `renewToken`, the ids and
tokens that it refuses itself, and our own client bound to it.

They cannot test what needs a response from ZEGO:

- a successful login. According to the package's source, the SDK then corrects a client's clock that
  is 5 s or more ahead of the server's, but not one that is behind; and if privileges are enabled
  for the AppID, the server decides how long the token lives, and is asked at a renewal;
- a token that ZEGO refuses or that has expired (20014, 50119 and others), and so our client's
  second login with a new one. Below, the source shows under which code an app gets these;
- that ZEGO accepts our tokens. Tokens from ZEGO's generators replace that (`tests/vectors`).
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import jwt
import pytest
from playwright.sync_api import Browser

from local.stack import LocalStack
from tests.browser import zego_web_sdk
from tests.browser.zego_web_sdk import APP_ID, PACKAGE, ROOM, USER, WebSdk
from tools.sam_template import ROOT
from zego.diagnosis.kinds import KINDS
from zego.error_codes import CODES
from zego.error_codes.code import ErrorCode
from zego.identifiers import MAX_BYTES, REFUSED_CHARACTERS
from zego.token04 import MAX_LIFETIME_SECONDS, Cipher, Claims, decode, encode, mint

SECRET = "0123456789abcdef" * 2
CLIENT = ROOT / "clients" / "javascript" / "token-source.js"
#: How long before a token's expiry the SDK emits `tokenWillExpire`.
AHEAD = 30
#: The longest delay of a browser's timer; with a longer one, it fires at once.
LONGEST_TIMER_MS = 2**31 - 1
NpmPackage = Callable[[str], Path]
ByCipher = pytest.mark.parametrize("cipher", ["gcm", "cbc"])


@pytest.fixture(scope="module")
def opened_sdk(browser: Browser, npm_package: NpmPackage) -> Iterator[WebSdk]:
    with zego_web_sdk.opened(browser, npm_package) as sdk:
        yield sdk


@pytest.fixture
def sdk(opened_sdk: WebSdk) -> WebSdk:
    """Starts a new engine."""
    opened_sdk.start()
    return opened_sdk


def token(sdk: WebSdk, lifetime: int, *, cipher: Cipher = "gcm", clock_ahead: int = 0) -> str:
    """Makes a token now, by a clock that differs from the page's by this many seconds."""
    now = sdk.now_ms // 1000 - clock_ahead
    return mint(APP_ID, USER, SECRET, issued_at=now, lifetime_seconds=lifetime, cipher=cipher)


def armed(seconds: int) -> list[tuple[int, str]]:
    """Asserts that exactly one timer is running."""
    return [(seconds * 1000, "armed")]


# --- When it emits tokenWillExpire ---------------------------------------------------------------


@ByCipher
def test_it_emits_token_will_expire_once_30_seconds_ahead(sdk: WebSdk, cipher: Cipher) -> None:
    sdk.log_in(token(sdk, 45, cipher=cipher))
    sdk.wait(45 - AHEAD - 0.001)
    assert sdk.will_expire == []
    sdk.wait(0.002)  # it calls its listeners 1 ms later
    assert sdk.will_expire == [ROOM]
    sdk.wait(AHEAD + 15)
    assert sdk.will_expire == [ROOM]
    assert sdk.timers == [((45 - AHEAD) * 1000, "fired")]


@ByCipher
@pytest.mark.parametrize("lifetime", [31, 3600, MAX_LIFETIME_SECONDS])
def test_a_token_of_any_issued_lifetime_starts_one_timer(
    sdk: WebSdk, cipher: Cipher, lifetime: int
) -> None:
    sdk.log_in(token(sdk, lifetime, cipher=cipher))
    assert sdk.timers == armed(lifetime - AHEAD)
    assert sdk.outcome is None


@pytest.mark.parametrize(
    ("lifetime", "age"), [(30, 0), (29, 0), (60, 59), (60, 61), (60, 86_400)], ids=str
)
def test_a_token_with_30_seconds_or_less_will_expire_at_once(
    sdk: WebSdk, lifetime: int, age: int
) -> None:
    sdk.log_in(token(sdk, lifetime, clock_ahead=age))
    assert sdk.timers == armed(0)
    sdk.wait(0.002)
    assert sdk.will_expire == [ROOM]


def test_a_lifetime_too_long_for_a_timer_is_cut_to_the_longest_delay(sdk: WebSdk) -> None:
    now = sdk.now_ms // 1000
    sdk.log_in(encode(Claims(APP_ID, USER, 1, now, now + 40 * 86_400), SECRET))
    assert sdk.timers == [(LONGEST_TIMER_MS, "armed")]
    sdk.wait(1)
    assert sdk.will_expire == []


def test_if_the_clients_clock_is_ahead_the_event_comes_early(sdk: WebSdk) -> None:
    sdk.log_in(token(sdk, 7200, clock_ahead=3600))
    assert sdk.timers == armed(3600 - AHEAD)


def test_if_the_clients_clock_is_behind_the_event_comes_too_late(sdk: WebSdk) -> None:
    sdk.log_in(token(sdk, 7200, clock_ahead=-3600))
    assert sdk.timers == armed(7200 + 3600 - AHEAD)


def test_leaving_the_room_clears_the_timer(sdk: WebSdk) -> None:
    sdk.log_in(token(sdk, 3600))
    sdk.page.evaluate("room => sdk.engine.logoutRoom(room)", ROOM)
    assert sdk.timers == [((3600 - AHEAD) * 1000, "cleared")]


# --- A renewal ------------------------------------------------------------------------------------


@ByCipher
def test_a_renewed_token_restarts_the_timer(sdk: WebSdk, cipher: Cipher) -> None:
    sdk.log_in(token(sdk, 45))
    sdk.wait(10)
    assert sdk.renew(token(sdk, 60, cipher=cipher)) is True
    assert sdk.timers == [(15_000, "cleared"), (30_000, "armed")]
    sdk.wait(29.999)
    assert sdk.will_expire == []
    sdk.wait(0.002)
    assert sdk.will_expire == [ROOM]


def test_repeating_a_token_renews_nothing_but_returns_true(sdk: WebSdk) -> None:
    repeated = token(sdk, 45)
    sdk.log_in(repeated)
    sdk.wait(10)
    assert sdk.renew(repeated) is True
    assert sdk.timers == armed(15)
    sdk.wait(5.001)
    assert sdk.renew(repeated) is True
    sdk.wait(120)
    assert sdk.will_expire == [ROOM]


def test_repeating_a_renewed_token_renews_nothing_either(sdk: WebSdk) -> None:
    renewed = token(sdk, 600)
    sdk.log_in(token(sdk, 300))
    assert [sdk.renew(renewed), sdk.renew(renewed)] == [True, True]
    assert sdk.timers == [(270_000, "cleared"), (570_000, "armed")]


@pytest.mark.parametrize("renewed", ["eyJhbGciOiJIUzI1NiJ9.e30.c2ln", ""], ids=["jwt", "empty"])
def test_renewing_with_text_that_is_not_a_token_returns_true_and_keeps_the_timer(
    sdk: WebSdk, renewed: str
) -> None:
    sdk.log_in(token(sdk, 300))
    assert sdk.renew(renewed) is True
    assert sdk.timers == armed(270)


def test_a_renewal_for_another_room_applies_to_the_current_one(sdk: WebSdk) -> None:
    sdk.log_in(token(sdk, 300))
    assert sdk.renew(token(sdk, 600), room_id="elsewhere") is True
    assert sdk.timers == [(270_000, "cleared"), (570_000, "armed")]


def test_before_a_login_a_renewal_has_no_effect(sdk: WebSdk) -> None:
    assert sdk.renew(token(sdk, 300)) is False
    assert sdk.timers == []


# --- Text that is not a token ---------------------------------------------------------------------

NO_TOKENS: dict[str, Callable[[str], str]] = {
    "jwt": lambda _: jwt.encode({"app_id": APP_ID, "user_id": USER}, SECRET, algorithm="HS256"),
    "quoted": '"{}"'.format,
    "bearer": "Bearer {}".format,
    "prefix-missing": lambda token: token.removeprefix("04"),
}


@pytest.mark.parametrize("form", NO_TOKENS)
def test_text_that_is_not_a_token04_starts_no_timer_but_the_login_continues(
    sdk: WebSdk, form: str
) -> None:
    sdk.log_in(NO_TOKENS[form](token(sdk, 300)))
    before = len(sdk.blocked)
    until_it_connects(sdk, after=before)
    assert sdk.timers == []
    assert sdk.outcome is None
    assert sdk.said == [["roomStateChanged", ROOM, "LOGINING", 0, ""]]


def test_a_damaged_token04_is_treated_as_expired(sdk: WebSdk) -> None:
    sdk.log_in("04" + "!" * 100)
    assert sdk.timers == armed(0)


def test_an_empty_token_is_refused_with_the_findings_code(sdk: WebSdk) -> None:
    sdk.log_in("")
    assert (sdk.outcome,) == KINDS["empty"].codes["web"]


@pytest.mark.parametrize("missing", [None, 7, {"token": "04"}], ids=["none", "number", "object"])
def test_a_token_that_is_not_text_fails_silently_and_the_login_never_ends(
    sdk: WebSdk, missing: object
) -> None:
    sdk.log_in(missing)
    sdk.jump(3600)
    sdk.wait(0.002)
    assert sdk.uncaught == ["TypeError"]
    assert (sdk.outcome, sdk.said) == (None, [])


# --- Ids, and other ends of a login ---------------------------------------------------------------

#: The argument of `log_in`, and the kinds of findings about it.
IDS = {"user_id": "user-id", "room_id": "room-id"}
ByKind = pytest.mark.parametrize("kind", IDS)


@ByKind
def test_every_character_of_the_table_is_refused_with_the_findings_code(
    sdk: WebSdk, kind: str
) -> None:
    others = "\t\x00\x7f\xa0é漢\u200b"
    codes = {}
    for character in sorted(REFUSED_CHARACTERS) + list(others):
        sdk.log_in(token(sdk, 300), **{kind: f"a{character}b"})
        codes[character] = (sdk.outcome,)
    expected = KINDS[f"{IDS[kind]}-characters"].codes["web"]
    assert codes == dict.fromkeys([*REFUSED_CHARACTERS, *others], expected)


@ByKind
def test_every_other_printable_character_is_accepted(sdk: WebSdk, kind: str) -> None:
    taken = [c for c in map(chr, range(0x21, 0x7F)) if c not in REFUSED_CHARACTERS]
    for begin in range(0, len(taken), 60):
        sdk.start()
        sdk.log_in(token(sdk, 300), **{kind: "".join(taken[begin : begin + 60])})
        assert sdk.outcome is None


@ByKind
def test_the_sdk_accepts_ids_one_byte_longer_than_documented(sdk: WebSdk, kind: str) -> None:
    most = MAX_BYTES["user_id" if kind == "user_id" else "room_id"]
    sdk.log_in(token(sdk, 300), **{kind: "a" * (most + 2)})
    assert (sdk.outcome,) == KINDS[f"{IDS[kind]}-too-long"].codes["web"]
    sdk.log_in(
        token(sdk, 300), **{kind: "a" * (most + 1)}
    )  # ZEGO's documentation forbids this length
    assert sdk.outcome is None


def test_a_refused_login_is_reported_and_keeps_its_timer(sdk: WebSdk) -> None:
    sdk.log_in(token(sdk, 45), user_id="user 1")
    sdk.wait(15.001)
    told = [event for event in sdk.said if event[2:3] == ["LOGIN_FAILED"]]
    assert [code for _, _, _, code, *_ in told] == [1002006]
    assert sdk.will_expire == [ROOM]
    assert sdk.renew(token(sdk, 45)) is False


def test_a_second_login_exceeds_the_number_of_rooms(sdk: WebSdk) -> None:
    sdk.log_in(token(sdk, 300))
    sdk.log_in(token(sdk, 300))
    assert sdk.outcome == 1002001


def test_a_login_without_a_response_ends_after_five_minutes(sdk: WebSdk) -> None:
    sdk.log_in(token(sdk, 3600))
    sdk.jump(299)
    before = sdk.outcome
    sdk.jump(1)
    assert (before, sdk.outcome) == (None, 1002031)
    assert sdk.timers == [((3600 - AHEAD) * 1000, "cleared")]


# --- The network ----------------------------------------------------------------------------------


def until_it_connects(sdk: WebSdk, *, after: int) -> None:
    """Moves the clock until the SDK tries to connect to its login servers."""
    for _ in range(60):
        if any("accesshub" in url for url in sdk.blocked[after:]):
            return
        sdk.wait(0.5)
    pytest.fail("the SDK does not connect")


def test_no_request_leaves_the_page_and_no_address_contains_a_token(sdk: WebSdk) -> None:
    before = len(sdk.blocked)
    issued = token(sdk, 300)
    sdk.log_in(issued)
    until_it_connects(sdk, after=before)
    assert sdk.aborted == []
    assert {urlsplit(url).scheme for url in sdk.blocked} == {"wss"}
    hosts = {urlsplit(url).hostname or "" for url in sdk.blocked}
    assert {host.partition(".")[2] for host in hosts} <= {"coolbcloud.com", "coolgcloud.com"}
    assert not any(issued[2:40] in url for url in sdk.blocked)


# --- Codes ----------------------------------------------------------------------------------------

WEB = [it for it in CODES.values() if "web" in it.platforms]
NAMED = [it for it in WEB if it.platforms == ("web",) and it.name]


@pytest.fixture(scope="module")
def text(npm_package: NpmPackage) -> str:
    """The SDK's source, which declares its servers' codes (it adds 200000 to some)."""
    package = npm_package(PACKAGE)
    files = ("ZegoExpressWebRTC.js", "sdk/src/rtm/serviceErrorCode.d.ts")
    return "\n".join((package / file).read_text() for file in files)


@pytest.mark.parametrize("code", NAMED, ids=lambda it: it.name)
def test_a_code_of_the_web_sdk_has_the_name_of_the_table(text: str, code: ErrorCode) -> None:
    numbers = f"{code.code}|{code.code + 200_000}"
    assert re.search(rf"\b{code.name}(?::\{{code:| ?= ?)(?:{numbers})\b", text)


def test_the_web_sdk_has_every_code_of_the_table_that_an_app_can_get(text: str) -> None:
    numbers = {int(float(number)) for number in re.findall(r"\bcode:(\d[\de]+)", text)}
    assert {it.code for it in WEB if not it.is_raw} - numbers == set()


@pytest.mark.parametrize("name", ["TOKEN_ERROR", "TOKEN_EXPIRED"])
def test_an_app_gets_a_servers_code_as_in_the_table(text: str, name: str) -> None:
    (shown_as,) = (it.code for it in WEB if it.name == name)
    place = text.index("50119:")  # in a table of the servers' codes, after the variables
    variable = re.findall(rf'\b(\w+)="{name}"', text[:place])[-1]
    table = re.findall(rf"\b(\d+):{variable}\b", text[place - 500 : place + 300])
    raw = {
        it.code for it in WEB if it.shown_as == shown_as and it.code != 20014
    }  # it is only logged
    assert set(map(int, table)) == raw


# --- Our own client -------------------------------------------------------------------------------


@contextmanager
def opened_client(
    browser: Browser, npm_package: NpmPackage, stack: LocalStack, *, clock_ahead: int = 0
) -> Iterator[WebSdk]:
    """The SDK and our client in a page that may request tokens."""
    with zego_web_sdk.opened(
        browser,
        npm_package,
        origin=stack.page.url,
        start=time.time() + clock_ahead,
        may_connect_to=(stack.api.url,),
        modules=(CLIENT,),
    ) as sdk:
        sdk.start(stack.secrets_manager.app_id)
        yield sdk


@pytest.fixture
def client(browser: Browser, npm_package: NpmPackage, stack: LocalStack) -> Iterator[WebSdk]:
    with opened_client(browser, npm_package, stack) as sdk:
        yield sdk


@pytest.fixture
def client_ahead(browser: Browser, npm_package: NpmPackage, stack: LocalStack) -> Iterator[WebSdk]:
    """The same page, with a clock by which every token of the issuer has expired."""
    with opened_client(browser, npm_package, stack, clock_ahead=3 * 3600) as sdk:
        yield sdk


#: Logs in as an app that binds our client to its engine. The first token lives four minutes,
#: because a login without a response from ZEGO ends after five.
AN_APP = """async ([url, bearer, roomId]) => {
  const { createTokenSource } = await import("/token-source.js");
  const source = createTokenSource({ url, getBearer: () => bearer });
  const { renewToken } = sdk.engine;
  Object.assign(sdk, { renewals: [], errors: [] });
  sdk.engine.renewToken = (token, room) => {
    sdk.renewals.push(token);
    return renewToken.call(sdk.engine, token, room);
  };
  const onError = ({ code }) => sdk.errors.push(code);
  source.bindTo(sdk.engine, { roomId, lifetimeSeconds: 7200, onError });
  source.token({ roomId, lifetimeSeconds: 240 }).then(({ token, userId, expiresAt }) => {
    sdk.firstExpiresAt = expiresAt;
    sdk.logIn(roomId, token, userId);
  });
}"""


def test_our_client_renews_with_the_issuers_tokens_at_token_will_expire(
    client: WebSdk, stack: LocalStack, server_secret: str
) -> None:
    page, room = client.page, "call_1"
    page.evaluate(AN_APP, [stack.api.url, stack.identity_provider.bearer("alice"), room])
    page.wait_for_function("sdk.timers.length === 1")
    first = page.evaluate("sdk.firstExpiresAt") * 1000 - client.now_ms - AHEAD * 1000
    assert client.timers == [(first, "armed")]

    client.jump(first / 1000)
    client.wait(0.001)
    assert client.will_expire == [room]
    page.wait_for_function("sdk.timers.length === 2")
    (renewed,) = page.evaluate("sdk.renewals")
    claims = decode(renewed, server_secret).claims
    assert claims.user_id == "alice"
    assert json.loads(claims.payload)["room_id"] == room
    second = (claims.expires_at - AHEAD) * 1000 - client.now_ms
    assert client.timers == [(first, "fired"), (second, "armed")]
    assert second > 6000 * 1000
    assert page.evaluate("sdk.errors") == []
    assert client.aborted == []


def test_an_sdk_with_a_fast_clock_gets_one_token_although_it_asks_again_at_once(
    client_ahead: WebSdk, stack: LocalStack
) -> None:
    page = client_ahead.page
    page.evaluate(AN_APP, [stack.api.url, stack.identity_provider.bearer("alice"), "call_1"])
    page.wait_for_function("sdk.timers.length === 1")
    client_ahead.wait(0.1)
    page.wait_for_function("sdk.renewals.length === 1")
    for _ in range(20):  # as long as a slow response may take
        client_ahead.wait(0.1)
        page.wait_for_timeout(50)
    assert client_ahead.will_expire == ["call_1", "call_1"]
    assert page.evaluate("sdk.renewals.length") == 1
    assert page.evaluate("sdk.errors") == []
