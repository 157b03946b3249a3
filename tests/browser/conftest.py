"""One browser for all tests here, a stack per file, contexts per test, and packages from npm.

Playwright's loop runs in this thread while the browser does, so the browser ends with this folder's
tests and not with the session.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from local.loopback import post
from local.stack import LocalStack
from tests.browser.chromium import running
from tools import chromium, npm_packages

#: A page that needs longer to show something is broken. It is no measure of speed: rotator and
#: watcher start cold, beside other tests, on cores that a build server may share; a step that they
#: cannot begin in time is tried again.
PATIENCE_MS = 60_000
DESKTOP = {"width": 1280, "height": 900}

NewContext = Callable[..., BrowserContext]
OpenPage = Callable[..., Page]

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def browsers_are_wanted() -> None:
    """Leaves out, where that is asked for, what needs a browser."""
    if chromium.is_left_out():
        pytest.skip(f"left out by {chromium.LEFT_OUT_BY}")


@pytest.fixture(scope="module")
def browser(browsers_are_wanted: None) -> Iterator[Browser]:
    """The system's Chromium. Without one the tests fail and say how to install it."""
    missing = ""
    try:
        chromium.find()
    except chromium.NoBrowserError as error:
        missing = str(error)
    if missing:
        pytest.fail(missing, pytrace=False)  # here, and with nothing else to read
    with running() as browser:
        yield browser


@pytest.fixture
def new_context(browser: Browser) -> Iterator[NewContext]:
    """Makes contexts (a profile each, with Playwright's options); they end with the test."""
    with ExitStack() as contexts:

        def new(**options: Any) -> BrowserContext:
            context = browser.new_context(**options)
            contexts.callback(context.close)
            context.set_default_timeout(PATIENCE_MS)
            return context

        yield new


@pytest.fixture(scope="session")
def npm_package(browsers_are_wanted: None) -> Callable[[str], Path]:
    """Gives the folder of one of the packages that `tests/npm/` pins."""
    return npm_packages.fetch


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """One per file, whatever order the files run in.

    Its issuer looks for a new secret every second, and nothing happens by itself.
    """
    environment = {"SECRET_TTL_SECONDS": "1"}
    directory = tmp_path_factory.mktemp("stack")
    with LocalStack(directory=directory, environment=environment, watch_seconds=None) as running:
        yield running


@pytest.fixture
def server_secret(stack: LocalStack) -> str:
    """The current one, as the test begins: another test may have rotated it."""
    kept = stack.secrets_manager
    current = kept.call("GetSecretValue", SecretId=kept.secret_id)
    return str(json.loads(current["SecretString"])["server_secret"])


@pytest.fixture
def calls_work(stack: LocalStack, server_secret: str) -> None:
    """ZEGO accepts the current secret alone, whatever another test left."""

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
    """Opens the stack's page, in a context with Playwright's options.

    In the end nothing must have gone wrong in it that it did not say.
    """
    wrong: list[str] = []

    def listen(said: ConsoleMessage) -> None:
        """Chromium notes every request that is refused or hung up on; those are meant here."""
        meant = r"status of 4\d\d|net::ERR_EMPTY_RESPONSE"
        if said.type == "error" and not re.search(meant, said.text):
            wrong.append(said.text)

    def opened(**options: Any) -> Page:
        defaults = {"viewport": DESKTOP, "reduced_motion": "reduce"}
        page = new_context(**(defaults | options)).new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", listen)
        page.goto(stack.page.url)
        expect(page.locator("#connection")).to_have_text("Live")
        expect(page.locator("#standing")).to_contain_text("AWSCURRENT")
        return page

    yield opened
    assert wrong == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """The stack's page, opened, on a desktop."""
    return open_page()
