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
from tests.browser.steps import (
    call,
    choose,
    get_token,
    log_in,
    phone,
    press,
    reset_the_secret,
    says,
    sign_in,
    stage,
    talk,
    unfold,
    unfold_steps,
)
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
    """Shows a call, results and refusals, decoded tokens, a rotation, a long log, all details."""
    talk(page)
    for part in ("bench", "mistakes", "inspector"):
        unfold(page, part)
    unfold_steps(page)
    get_token(page)
    log_in(page)
    mistakes = page.locator("#mistakes").get_by_role("button")
    for button in mistakes.all():
        button.click()
    press(page, "Cut off")
    reset_the_secret(page)
    press(phone(page, "alice"), "Renew the token")
    stage(page, "Store a mistyped value")
    press(page, "Rotate to it")
    press(page, "Check now")
    expect(page.locator("#rotation-done")).to_contain_text("Not promoted")
    expect(page.locator("#refusals .answer.refused")).to_have_count(mistakes.count())
    expect(page.locator("#inspected .finding").first).to_be_visible()
    expect(page.locator("#looked")).to_contain_text("rejected")
    expect(phone(page, "alice").locator(".answer.refused")).to_be_visible()
    for summary in page.locator("main details:not([open]) > summary").all():
        if summary.is_visible():
            summary.click()
    unfold(page, "drawer")  # it covers the rest of a page at its end


def findings(page: Page, axe: str) -> list[str]:
    """Everything that axe finds, whatever its impact, with the place."""
    page.evaluate(axe)
    found = page.evaluate(
        "(tags) => axe.run(document, {runOnly: tags, resultTypes: ['violations']})", WCAG
    )
    assert len(found["passes"]) > 15
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


def test_axe_finds_nothing_in_each_state_of_a_call(open_page: OpenPage, axe: str) -> None:
    page = open_page()
    assert findings(page, axe) == []
    sign_in(page, "alice")
    sign_in(page, "bob")
    call(page, "alice", "bob")
    assert findings(page, axe) == []
    press(page, "Reset the ServerSecret")
    assert findings(page, axe) == []


def test_axe_finds_nothing_on_one_phone_alone(open_page: OpenPage, axe: str) -> None:
    page = open_page("?as=alice", viewport=PHONE)
    sign_in(page, "alice")
    assert findings(page, axe) == []


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


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1440])
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
    for control in page.locator("main :is(button:enabled, input:enabled, textarea, summary)").all():
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
    page = open_page(viewport={"width": 320, "height": 740})
    phone(page, "alice").get_by_label("Name").fill("w" * 63)
    press(phone(page, "alice"), "Sign in")
    expect(says(page, "w" * 63)).to_have_text("Ready")
    choose(page, "w" * 63)
    page.get_by_label("Room", exact=True).fill("call_" + "w" * 122)
    get_token(page)
    expect(log_in(page)).to_contain_text(re.compile("Accepted|refuses"))
    press(unfold(page, "mistakes"), "A login as another user")
    press(unfold(page, "inspector"), "Another user")
    expect(page.locator("#inspected .finding").first).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 320


def test_three_screens_of_a_phone_hold_the_whole_story(open_page: OpenPage) -> None:
    page = open_page(viewport=PHONE)
    talk(page)
    below = page.locator("#more").evaluate("(more) => more.getBoundingClientRect().top + scrollY")
    assert below < 3.3 * PHONE["height"]


def test_the_story_works_without_a_mouse(open_page: OpenPage) -> None:
    page = open_page()
    focused = page.locator(":focus")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("Go to the button")
    page.keyboard.press("Enter")
    expect(focused).to_have_text("Sign in")
    page.keyboard.press("Space")
    expect(says(page, "alice")).to_have_text("Ready")
    expect(focused).to_have_value("bob")  # the focus stays on the phone
    page.get_by_role("button", name="Go to the button").press("Enter")
    page.keyboard.press("Enter")
    expect(says(page, "bob")).to_have_text("Ready")
    phone(page, "alice").get_by_label("Who to call").press("Enter")
    expect(says(page, "bob")).to_have_text("alice is calling")
    page.get_by_role("button", name="Go to the button").press("Enter")
    page.keyboard.press("Enter")
    expect(focused).to_have_text("Hang up")
    page.get_by_role("button", name="Go to the button").press("Enter")
    page.keyboard.press("Enter")
    expect(focused).to_have_text("Cancel")  # the button that breaks nothing


def test_a_running_call_does_not_chatter(open_page: OpenPage) -> None:
    """What changes every second is in no live region."""
    page = open_page()
    talk(page)
    for time in page.locator(".phone .timer, .phone summary span").all():
        assert time.evaluate("(time) => time.closest('[role=status], [aria-live]')") is None


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
    assert levels[:3] == [1, 2, 2]
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    for landmark in ("banner", "main", "contentinfo"):
        expect(page.get_by_role(landmark)).to_have_count(1)
    for name in ("Two phones", "Operations", "Try more"):
        expect(page.get_by_role("region", name=name)).to_be_visible()


def test_reduced_motion_turns_animations_off(open_page: OpenPage) -> None:
    page = open_page(reduced_motion="no-preference")
    scrolling = "() => getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(scrolling) == "smooth"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(scrolling) == "auto"
    assert page.evaluate("() => document.getAnimations().length") == 0
