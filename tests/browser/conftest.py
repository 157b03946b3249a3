"""One browser for all tests here, one stack per file, contexts per test, and npm packages.

Playwright's event loop runs in this thread while the browser is open. So the browser closes after
this folder's tests, not at the end of the session.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from local.loopback import post
from local.samples import request_token
from local.stack import LocalStack
from tests.browser.chromium import running
from tools import chromium, npm_packages

#: A page that takes longer to show something is broken. It does not measure speed: rotator and
#: watcher start cold, in parallel with other tests, on cores that a build server may share, and a
#: step that they cannot begin in time is retried.
PATIENCE_MS = 60_000
DESKTOP = {"width": 1280, "height": 900}

NewContext = Callable[..., BrowserContext]
OpenPage = Callable[..., Page]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browsers_are_wanted() -> None:
    """Skips tests that need a browser, if the environment says so."""
    if chromium.is_left_out():
        pytest.skip(f"skipped because {chromium.LEFT_OUT_BY} is set")


@pytest.fixture(scope="session")
def browser(browsers_are_wanted: None) -> Iterator[Browser]:
    """The system's Chromium. Without it, the tests fail and tell how to install it."""
    missing = ""
    try:
        chromium.find()
    except chromium.NoBrowserError as error:
        missing = str(error)
    if missing:
        pytest.fail(missing, pytrace=False)  # outside `except`: only this message is shown
    with running() as browser:
        yield browser


@pytest.fixture
def new_context(browser: Browser) -> Iterator[NewContext]:
    """Opens browser contexts (separate profiles) with Playwright's options, until the test ends."""
    with ExitStack() as contexts:

        def new(**options: Any) -> BrowserContext:
            context = browser.new_context(**options)
            contexts.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            return context

        yield new


@pytest.fixture(scope="session")
def npm_package(browsers_are_wanted: None) -> Callable[[str], Path]:
    """Returns the folder of a package that `tests/npm/` pins."""
    return npm_packages.fetch


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One stack per file. Its issuer caches the secret for 1 s, and nothing runs on a schedule."""
    environment = {"SECRET_TTL_SECONDS": "1"}
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory=directory, environment=environment, watch_seconds=None) as running:
        # After its first token, the issuer has a secret to use if a busy machine delays a read.
        ended = time.monotonic() + PATIENCE_MS / 1000
        while request_token(running.api.url, running.identity_provider.url, "alice").status != 201:
            assert time.monotonic() < ended, running.function.log_lines()
        yield running


@pytest.fixture
def server_secret(stack: LocalStack) -> str:
    """The current secret when the test begins: another test may have rotated it."""
    kept = stack.secrets_manager
    current = kept.call("GetSecretValue", SecretId=kept.secret_id)
    return str(json.loads(current["SecretString"])["server_secret"])


def settle(stack: LocalStack) -> None:
    """Waits for the rotations, for the watcher's check after each, and for the heal that it starts.

    Such a check may come late. If it finds what was reset and staged after its rotation, it heals
    that.
    """
    for _ in ("rotations", "heals"):
        assert stack.rotation.wait(PATIENCE_MS / 1000)
        assert stack.watch_schedule.wait(PATIENCE_MS / 1000)


@pytest.fixture
def at_rest(stack: LocalStack) -> None:
    """Ends what an earlier test began."""
    settle(stack)


@pytest.fixture
def calls_work(stack: LocalStack, at_rest: None, server_secret: str) -> None:
    """Makes ZEGO accept only the current secret, whatever an earlier test did."""

    def operate(action: str, **said: str) -> None:
        url = f"{stack.zego.url}/console/{action}"
        assert post(url, said).status == 200

    if server_secret not in {secret.value for secret in stack.zego.project.accepted}:
        operate("accept-all")
    for secret in list(stack.zego.project.accepted):
        if secret.value != server_secret:
            operate("switch-off", fingerprint=secret.fingerprint)


@pytest.fixture
def open_page(stack: LocalStack, new_context: NewContext, calls_work: None) -> Iterator[OpenPage]:
    """Opens the stack's page, in a context with Playwright's options; `query` names one phone.

    It shows no call of an earlier test. At the end of the test, its console may have no unexpected
    error.
    """
    wrong: list[str] = []
    stack.page.live._told.clear()

    def listen(said: ConsoleMessage) -> None:
        """Chromium logs every refused or dropped request; the tests cause those on purpose."""
        meant = r"status of 4\d\d|net::ERR_EMPTY_RESPONSE"
        if said.type == "error" and not re.search(meant, said.text):
            wrong.append(said.text)

    def opened(query: str = "", **options: Any) -> Page:
        defaults = {"viewport": DESKTOP, "reduced_motion": "reduce"}
        page = new_context(**(defaults | options)).new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", listen)
        page.goto(f"{stack.page.url}/{query}")
        expect(page.locator("#connection")).to_have_text("Live")
        expect(page.locator("#standing")).to_contain_text("the secret in use")
        return page

    yield opened
    assert wrong == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """The stack's page, open in a desktop window."""
    return open_page()
