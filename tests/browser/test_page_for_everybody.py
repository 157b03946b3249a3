"""Accessibility: the page by keyboard, on a phone, in dark mode and with a screen reader."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from local.loopback import HttpResponse
from local.stack import LocalStack
from tests.browser.conftest import OpenPage
from tests.browser.steps import card, get_token, log_in, press, reset_the_secret, sign_in, stage
from tests.support.tiers import IS_EXHAUSTIVE

pytestmark = pytest.mark.exhaustive

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe(npm_package: Callable[[str], Path]) -> str:
    """The source of axe-core."""
    return (npm_package("axe-core") / "axe.min.js").read_text(encoding="utf-8")


def show_everything(page: Page) -> None:
    """Shows results and refusals, a decoded token, a rotation, a long log, open details."""
    for summary in page.locator("summary").all():
        summary.click()
    sign_in(page)
    get_token(page)
    log_in(page)
    refusals = card(page, "Refusals and their reasons").get_by_role("button")
    for button in refusals.all():
        button.click()
    press(page, "Cut off")
    reset_the_secret(page)
    stage(page, "Stage a mistyped value")
    press(page, "Rotate")
    press(page, "Check now")
    expect(page.locator("#rotation-done")).to_contain_text("Not promoted")
    expect(page.locator("#refusals .answer.refused")).to_have_count(refusals.count())
    expect(page.locator("#inspected .finding").first).to_be_visible()
    expect(page.locator("#looked")).to_contain_text("rejected")


def findings(page: Page, axe: str) -> list[str]:
    """Everything that axe finds, whatever its impact, with the place."""
    page.evaluate(axe)
    found = page.evaluate(
        "(tags) => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", WCAG
    )
    assert len(found["passes"]) > 20
    return [
        f"{rule['impact']} {rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


@pytest.fixture(scope="module")
def full_page(browser: Browser, stack: LocalStack) -> Iterator[Page]:
    """A page that shows everything it can, for tests that change nothing."""
    with browser.new_context(viewport=DESKTOP, reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(stack.page.url)
        show_everything(page)
        yield page


def test_axe_finds_nothing_on_the_page_when_it_opens(open_page: OpenPage, axe: str) -> None:
    assert findings(open_page(), axe) == []


@pytest.mark.parametrize(
    ("viewport", "scheme"),
    list(itertools.product((DESKTOP, PHONE), SCHEMES))
    if IS_EXHAUSTIVE
    else [(DESKTOP, "light"), (PHONE, "dark")],
)
def test_axe_finds_nothing_when_everything_is_shown(
    full_page: Page, axe: str, viewport: ViewportSize, scheme: Scheme
) -> None:
    full_page.set_viewport_size(viewport)
    full_page.emulate_media(color_scheme=scheme)
    assert findings(full_page, axe) == []


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1440])
def test_nothing_is_wider_than_the_window(full_page: Page, width: int) -> None:
    full_page.set_viewport_size({"width": width, "height": 800})
    assert full_page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_the_offline_notice_covers_no_control(
    open_page: OpenPage, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page(viewport=PHONE)
    monkeypatch.setattr(
        stack.page, "intercept", lambda asked: asked.path == "/events" and HttpResponse(404)
    )
    stack.page.live.close()
    bar = page.locator("#offline")
    expect(bar).to_be_visible()
    covered = []
    for control in page.locator("button:enabled, input:enabled, textarea, summary").all():
        if control.is_visible():
            page.evaluate("() => scrollTo(0, 0)")
            control.focus()
            one, other = control.bounding_box(), bar.bounding_box()
            assert one
            assert other
            if one["y"] + one["height"] > other["y"]:
                covered.append(control.inner_text())
    assert covered == []


def test_the_longest_ids_fit_on_a_phone(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 360, "height": 740})
    sign_in(page, "w" * 63)
    page.get_by_label("Room", exact=True).fill("call_" + "w" * 122)
    get_token(page)
    expect(log_in(page)).to_contain_text(re.compile("Accepted|Refused"))
    press(page, "A login as another user")
    press(page, "Another user")
    expect(page.locator("#inspected .finding").first).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360


def test_the_page_works_without_a_mouse(open_page: OpenPage) -> None:
    page = open_page()
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("y")  # replaces the text, which is selected
    page.keyboard.press("Enter")
    expect(page.locator("#signed-in")).to_contain_text("Signed in as y")
    for _ in range(20):
        page.keyboard.press("Tab")
        if "Get a token" in focused.inner_text():
            break
    page.keyboard.press("Space")
    expect(page.locator("#asked")).to_contain_text("A token for y")
    expect(focused).to_have_text("Get a token")  # the focus stays


def test_the_focus_is_visible(open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Check now").focus()
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_headings_are_in_order_and_parts_are_landmarks(open_page: OpenPage) -> None:
    page = open_page()
    levels = page.evaluate(
        "() => [...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.tagName[1]))"
    )
    assert levels[:3] == [1, 2, 3]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    for name in ("Your app", "Operations"):
        expect(page.get_by_role("region", name=name)).to_be_visible()


def test_reduced_motion_turns_animations_off(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    scrolling = "() => getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(scrolling) == "smooth"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(scrolling) == "auto"
    assert page.evaluate("() => document.getAnimations().length") == 0
