"""The page stays up to date: when opened late, when cut off, and next to other pages."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from local.fake_zego.cloud import Trouble
from local.loopback import HttpRequest, HttpResponse
from local.page import sse
from local.page.sse import KEPT
from local.stack import LocalStack
from tests.browser.conftest import NewContext, OpenPage, settle
from tests.browser.steps import (
    card,
    get_token,
    make_current_what_zego_accepts,
    press,
    reset_the_secret,
    rotate,
    sign_in,
    stage,
)

#: Enough for five attempts, in each of which the rotator retries its requests to ZEGO.
ALL_ATTEMPTS_MS = 60_000

HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def quick_retries(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.rotation, "delay_seconds", 0.2)


def current(stack: LocalStack) -> str:
    """The fingerprint of the secret that ZEGO's console shows."""
    return stack.zego.project.accepted[-1].fingerprint


def have_many_requests(stack: LocalStack) -> None:
    """Sends more messages than are kept for pages that connect later."""
    request = {"at": 1, "method": "GET", "path": "/v1/health", "status": 200, "milliseconds": 1}
    for _ in range(KEPT + 10):
        stack.page.live.tell("access", request)


def drop_pending(stack: LocalStack) -> None:
    """Gives the rotation up as `zego-token secret unstick` does."""
    kept = stack.secrets_manager
    labels = kept.call("DescribeSecret", SecretId=kept.secret_id)["VersionIdsToStages"]
    (pending,) = (version for version, on_it in labels.items() if "AWSPENDING" in on_it)
    kept.call(
        "UpdateSecretVersionStage",
        SecretId=kept.secret_id,
        VersionStage="AWSPENDING",
        RemoveFromVersionId=pending,
    )
    stack.page.reporter.changed()


def expect_promoted(page: Page) -> None:
    said = page.locator("#rotation-done")
    expect(said).to_contain_text("Promoted. The issuer uses it when its cache expires")
    expect(page.locator("#steps [data-state=done]")).to_have_count(4)


def test_the_last_rotation_and_check_are_shown_however_much_happened_since(
    open_page: OpenPage, stack: LocalStack
) -> None:
    page = open_page()
    make_current_what_zego_accepts(page)
    expect(page.locator("#looked")).to_contain_text("is accepted")
    have_many_requests(stack)
    late = open_page()
    expect_promoted(late)
    expect(late.locator("#looked")).to_contain_text("is accepted")


def test_a_rotation_that_ends_while_the_page_is_hidden_is_shown_as_ended(
    page: Page, stack: LocalStack
) -> None:
    reset_the_secret(page)
    stage(page)
    page.evaluate(HIDE, True)
    press(page, "Rotate")
    expect(page.locator("#rotate")).not_to_have_attribute("aria-disabled", "true")
    assert stack.rotation.wait(ALL_ATTEMPTS_MS / 1000)
    have_many_requests(stack)
    page.evaluate(HIDE, False)
    expect_promoted(page)


def test_a_rotation_that_fails_after_the_promotion_is_shown_as_promoted(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch, quick_retries: None
) -> None:
    reset_the_secret(page)
    stage(page)
    asked = itertools.count(1)

    def reset_after_the_promotion(request: HttpRequest) -> None:
        """testSecret asks ZEGO, finishSecret asks before the promotion and once more after it."""
        if request.path == "/" and next(asked) == 3:
            stack.zego.project.reset()

    monkeypatch.setattr(stack.zego, "intercept", reset_after_the_promotion)
    press(page, "Rotate")
    said = page.locator("#rotation-done")
    expect(said).to_contain_text("Promoted, but finishSecret failed afterwards")
    expect(said).not_to_contain_text("retries it", timeout=ALL_ATTEMPTS_MS)
    expect(said).to_contain_text("Promoted, but")
    expect(page.locator("#steps [data-step=finishSecret]")).to_contain_text("ZEGO rejects it now")


def test_a_rotation_that_was_given_up_is_reported_with_the_remedy(
    page: Page, stack: LocalStack, quick_retries: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reset_the_secret(page)
    stage(page)
    monkeypatch.setattr(stack.zego, "trouble", Trouble("garbage"))
    press(page, "Rotate")
    said = page.locator("#rotation-done")
    expect(said).to_contain_text("Failed; Secrets Manager retries it (2 of 5).")
    expect(said).not_to_have_class(re.compile("refused"))
    expect(said).to_contain_text("Failed 5 times", timeout=ALL_ATTEMPTS_MS)
    expect(said).to_contain_text(f"zego-token secret unstick --local {stack.file}")
    settle(stack)
    monkeypatch.undo()

    with monkeypatch.context() as patched:
        patched.setattr(
            stack.page, "intercept", lambda _: HttpResponse(409, body=b'{"error": "Not now."}')
        )
        press(page, "Rotate")
        expect(said).to_have_text("Not now.")
    for button in ("Rotate", "Stage the console's value"):
        press(page, button)
        expect(said).to_contain_text("Not done. The last rotation is stuck.")
        expect(said).to_contain_text(f"zego-token secret unstick --local {stack.file}")
        expect(said).not_to_contain_text("under way")
    drop_pending(stack)
    expect(said).to_contain_text("Not promoted")
    rotate(page)


def test_a_message_is_cleared_once_its_reason_is_gone(
    open_page: OpenPage, stack: LocalStack
) -> None:
    one, other = open_page(), open_page()
    make_current_what_zego_accepts(one)
    said = one.locator("#rotation-done")
    press(one, "Stage the console's value")
    expect(said).to_contain_text("Reset it at the console first.")
    reset_the_secret(one)
    expect(said).not_to_contain_text("Reset it at the console first.")
    done = one.locator("#reset-done")
    expect(done).to_have_text("Reset. The old ServerSecret no longer works.")
    other.get_by_label("Keep accepting the old one").check()
    reset_the_secret(other)
    expect(done).to_have_text("")
    expect(one.locator("#console-shows")).to_contain_text("ZEGO also accepts 1 older.")
    expect(other.locator("#reset-done")).to_have_text("Reset. The old ServerSecret still works.")


@pytest.mark.parametrize("path", ["/stack", "/codes", "/token-source.js"])
def test_a_page_that_fails_to_load_reports_it_and_retries(
    new_context: NewContext, stack: LocalStack, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter([HttpResponse(503)])
    monkeypatch.setattr(
        stack.page, "intercept", lambda asked: next(fails, None) if asked.path == path else None
    )
    page = new_context().new_page()
    page.clock.install()
    page.goto(stack.page.url)
    expect(page.locator("#connection")).to_have_text("Not loaded, trying again")
    expect(page.locator("#offline")).to_contain_text("could not be loaded")
    expect(page.locator("main")).to_have_attribute("inert", "")
    page.clock.fast_forward(5_000)
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#offline")).to_be_hidden()
    sign_in(page)


def test_the_page_is_live_only_after_all_earlier_messages(
    new_context: NewContext, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = new_context().new_page()
    connection = page.locator("#connection")
    with monkeypatch.context() as patched:
        patched.setattr(sse, "UP_TO_DATE", b"")
        page.goto(stack.page.url)
        expect(page.locator("#standing")).to_contain_text("AWSCURRENT")
        expect(connection).to_have_text("Connecting")
        expect(page.locator("body")).not_to_have_attribute("data-connection", "live")
    stack.page.live.close()
    expect(connection).to_have_text("Live")


def test_a_change_made_on_another_page_is_shown(open_page: OpenPage, stack: LocalStack) -> None:
    one, other = open_page(), open_page()
    reset_the_secret(one)
    stage(one)
    expect(one.locator("#rotation-done")).to_contain_text(f"CANDIDATE: {current(stack)}")
    reset_the_secret(other)
    expect(one.locator("#console-shows")).to_contain_text(f"The console shows {current(stack)}.")
    stage(other)
    expect(one.locator("#rotation-done")).to_contain_text(f"CANDIDATE: {current(stack)}")
    rotate(other)
    expect_promoted(one)


def test_a_page_without_a_connection_is_grey_and_always_shows_a_notice(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = "(card) => getComputedStyle(card).filter"
    secret = card(page, "The ServerSecret")
    assert secret.evaluate(how) == "none"
    monkeypatch.setattr(
        stack.page, "intercept", lambda asked: asked.path == "/events" and HttpResponse(404)
    )
    stack.page.live.close()
    page.evaluate("() => scrollTo(0, document.body.scrollHeight)")
    expect(page.locator("#offline")).to_contain_text("Not connected since")
    expect(page.locator("#offline")).to_be_in_viewport()
    assert "grayscale" in secret.evaluate(how)
    monkeypatch.undo()
    expect(page.locator("#offline")).to_be_hidden()
    assert secret.evaluate(how) == "none"


def test_the_graphics_keep_their_colours_in_forced_colors_mode(open_page: OpenPage) -> None:
    page = open_page(forced_colors="active")
    sign_in(page)
    get_token(page)
    colour: Callable[[str], str] = "(part) => getComputedStyle(part).{}".format
    parts = page.locator(".bytes i").all()
    assert len({part.evaluate(colour("backgroundColor")) for part in parts}) >= 5
    for shown, style in ((".swatch", "backgroundImage"), (".track i", "backgroundColor")):
        kept = page.locator(shown).first.evaluate(colour("forcedColorAdjust"))
        assert kept == "none", (shown, style)


def test_a_check_without_a_verdict_shows_the_reason(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_current_what_zego_accepts(page)
    monkeypatch.setattr(stack.zego, "trouble", Trouble("garbage"))
    press(page, "Check now")
    said = page.locator("#looked")
    expect(said).to_contain_text(f"ZEGO gave no verdict on AWSCURRENT, {current(stack)}. ZEGO's")


def test_without_a_schedule_the_watcher_checks_after_rotations_only(page: Page) -> None:
    expect(page.locator("#watched")).to_contain_text("After each rotation, it asks ZEGO")


@pytest.mark.parametrize(
    ("seconds", "interval"), [(90.0, "90 s"), (300.0, "5 min"), (5400.0, "90 min"), (0.5, "0.5 s")]
)
def test_the_watchers_interval_is_shown_exactly(
    open_page: OpenPage,
    stack: LocalStack,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    interval: str,
) -> None:
    assert stack.page._parts
    parts = dataclasses.replace(stack.page._parts, watch_seconds=seconds)
    monkeypatch.setattr(stack.page, "_parts", parts)
    expect(open_page().locator("#watched")).to_contain_text(f"Every {interval}, and after each")


def test_a_current_version_without_a_server_secret_is_not_shown_as_rejected(
    page: Page, stack: LocalStack
) -> None:
    kept = stack.secrets_manager
    good = kept.call("GetSecretValue", SecretId=kept.secret_id)["SecretString"]
    said = page.locator("#standing")
    try:
        kept.call("PutSecretValue", SecretId=kept.secret_id, SecretString="{}")
        stack.page.reporter.changed()
        expect(said).to_contain_text("AWSCURRENT contains no valid ServerSecret: ")
        expect(said).not_to_contain_text("rejects")
    finally:
        kept.call("PutSecretValue", SecretId=kept.secret_id, SecretString=good)
        stack.page.reporter.changed()
    expect(said).to_contain_text("ZEGO accepts AWSCURRENT")


@pytest.mark.parametrize("place", ["#looked p", "#console-shows"])
def test_no_line_begins_with_the_punctuation_after_a_fingerprint(page: Page, place: str) -> None:
    press(page, "Check now")
    said = page.locator(place).first
    expect(said.locator(".fingerprint")).to_be_visible()
    wrong = said.evaluate("""(said) => {
      const fingerprint = said.querySelector(".fingerprint");
      const mark = document.createRange();
      const text = document.createTreeWalker(said, NodeFilter.SHOW_TEXT);
      text.currentNode = fingerprint.querySelector("code").firstChild;
      mark.setStart(text.nextNode(), 0);
      mark.setEnd(text.currentNode, 1);
      const wrong = [];
      for (let width = 120; width < 400; width += 1) {
        said.style.width = `${width}px`;
        const [before, after] = [fingerprint, mark].map((one) => one.getBoundingClientRect());
        if (after.left < before.right - 1) wrong.push(width);
      }
      return wrong;
    }""")
    assert wrong == []


def test_the_newest_secret_that_zego_accepts_is_shown_as_the_consoles(
    page: Page, stack: LocalStack
) -> None:
    page.get_by_label("Keep accepting the old one").check()
    for _ in range(2):
        reset_the_secret(page)
        expect(page.locator("#versions .unknown").first).to_contain_text(current(stack))
    shown = page.locator("#versions .unknown")
    expect(shown.nth(0)).to_contain_text("Shown in ZEGO's console")
    expect(shown.nth(1)).to_contain_text("Not stored here.")


def test_below_a_refusal_the_earlier_token_is_labelled(page: Page) -> None:
    sign_in(page)
    room = page.get_by_label("Room", exact=True)
    said = page.locator("#asked")
    below = "The token below is the previous one, for"
    room.fill("bob_desk")
    press(page, "Get a token")
    expect(said).to_contain_text("403 not_granted")
    expect(said).not_to_contain_text(below)
    room.fill("call_1")
    get_token(page)
    room.fill("bob_desk")
    press(page, "Get a token")
    expect(said).to_contain_text(f"{below} room call_1.")


def test_a_reason_that_arrives_late_is_filled_in(page: Page) -> None:
    sign_in(page)
    page.get_by_label("Room", exact=True).fill("bob_desk")
    page.evaluate(HIDE, True)
    press(page, "Get a token")
    said = page.locator("#asked")
    expect(said).to_contain_text("waiting for it")
    page.evaluate(HIDE, False)
    expect(said).to_contain_text("no rule matches")


def test_a_text_that_is_too_long_for_a_token_is_refused_not_cut(page: Page) -> None:
    inspection = card(page, "Inspect a token")
    inspection.get_by_label("The token, exactly as the SDK got it").fill("x" * 40_000)
    press(inspection, "Inspect")
    said = inspection.get_by_role("status")
    expect(said).to_contain_text("This text has 40000 characters; a token has at most 16384")
