"""The page stays up to date: when opened late, when cut off, and next to other pages."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from local.fake_zego import ZegoCloud
from local.fake_zego.cloud import Trouble
from local.loopback import HttpRequest, HttpResponse
from local.own_project import OwnProject
from local.page import sse
from local.page.sse import KEPT
from local.stack import LocalStack
from tests.browser.conftest import NewContext, OpenPage, settle
from tests.browser.steps import (
    HIDE,
    card,
    console_secret,
    get_a_token_of_the_current_secret,
    get_token,
    log_in,
    make_current_what_zego_accepts,
    press,
    reset_the_secret,
    rotate,
    sign_in,
    stage,
)
from tests.support.tiers import only_proved
from zego.server_secret import ServerSecret

#: Enough for five attempts, in each of which the rotator retries its requests to ZEGO.
ALL_ATTEMPTS_MS = 60_000


@pytest.fixture
def quick_retries(stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stack.rotation, "delay_seconds", 0.2)


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
    expect(said).to_contain_text(
        "Promoted: the new secret is in use. The service uses it when its cache expires"
    )
    expect(page.locator("#steps [data-state=done]")).to_have_count(4)


def test_the_last_rotation_and_check_are_shown_however_much_happened_since(
    open_page: OpenPage, stack: LocalStack
) -> None:
    page = open_page()
    make_current_what_zego_accepts(page)
    expect(page.locator("#looked")).to_contain_text("ZEGO accepted")
    have_many_requests(stack)
    late = open_page()
    expect_promoted(late)
    expect(late.locator("#looked")).to_contain_text("ZEGO accepted")


def test_a_rotation_that_ends_while_the_page_is_hidden_is_shown_as_ended(
    page: Page, stack: LocalStack
) -> None:
    reset_the_secret(page)
    stage(page)
    expect(page.locator("#rotate")).not_to_have_attribute("aria-disabled", "true")
    page.evaluate(HIDE, True)  # from here on, the page hears of no change
    press(page, "Rotate to it")
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
    press(page, "Rotate to it")
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
    press(page, "Rotate to it")
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
        press(page, "Rotate to it")
        expect(said).to_have_text("Not now.")
    for button in ("Rotate to it", "Store the console's value"):
        press(page, button)
        expect(said).to_contain_text("Not done. The last rotation is stuck.")
        expect(said).to_contain_text(f"zego-token secret unstick --local {stack.file}")
        expect(said).not_to_contain_text("under way")
    drop_pending(stack)
    expect(said).to_contain_text("Not promoted")
    rotate(page)


def test_a_reason_disappears_on_every_page_once_it_is_gone(
    open_page: OpenPage, stack: LocalStack
) -> None:
    one, other = open_page(), open_page()
    make_current_what_zego_accepts(one)
    why = one.locator("#stage-why")
    expect(why).to_contain_text("Reset it at the console first.")
    other.get_by_label("Keep accepting the old one").check()
    reset_the_secret(other)
    expect(why).to_have_text("")
    expect(one.locator("#console-shows")).to_contain_text("ZEGO also accepts 1 older.")
    expect(one.locator("#console-shows")).to_contain_text(f"It shows {console_secret(stack)}.")


def test_results_are_struck_out_when_they_are_no_longer_true(page: Page) -> None:
    make_current_what_zego_accepts(page)
    get_a_token_of_the_current_secret(page)
    verdict, looked = log_in(page), page.locator("#looked")
    expect(verdict).to_contain_text("Accepted")
    expect(looked).not_to_have_class(re.compile("outdated"))
    reset_the_secret(page)
    for place in (verdict, looked):
        expect(place).to_have_class(re.compile("outdated"))
    expect(verdict).to_contain_text("Out of date: the secrets have changed at")
    expect(log_in(page)).not_to_have_class(re.compile("outdated"))
    press(page, "Check now")
    expect(looked).to_contain_text("ZEGO rejected")
    expect(looked).not_to_have_class(re.compile("outdated"))


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
    sign_in(page, "alice")


def test_the_page_is_live_only_after_all_earlier_messages(
    new_context: NewContext, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = new_context().new_page()
    connection = page.locator("#connection")
    with monkeypatch.context() as patched:
        patched.setattr(sse, "UP_TO_DATE", b"")
        page.goto(stack.page.url)
        expect(page.locator("#standing")).to_contain_text("the secret in use")
        expect(connection).to_have_text("Connecting")
        expect(page.locator("body")).not_to_have_attribute("data-connection", "live")
    stack.page.live.close()
    expect(connection).to_have_text("Live")


def test_a_change_made_on_another_page_is_shown(open_page: OpenPage, stack: LocalStack) -> None:
    one, other = open_page(), open_page()
    reset_the_secret(one)
    stage(one)
    expect(one.locator("#rotation-done")).to_contain_text(f"next secret: {console_secret(stack)}")
    reset_the_secret(other)
    expect(one.locator("#console-shows")).to_contain_text(f"It shows {console_secret(stack)}.")
    stage(other)
    expect(one.locator("#rotation-done")).to_contain_text(f"next secret: {console_secret(stack)}")
    rotate(other)
    expect_promoted(one)


def test_a_page_without_a_connection_is_grey_and_always_shows_a_notice(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    how = "(card) => getComputedStyle(card).filter"
    secret = card(page, "The secret ServerSecret")
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
    get_token(page)
    page.get_by_text("What is in it").last.click()
    colour: Callable[[str], str] = "(part) => getComputedStyle(part).{}".format
    parts = page.locator(".bytes i").all()
    assert len({part.evaluate(colour("backgroundColor")) for part in parts}) >= 5
    for shown, style in ((".swatch", "backgroundImage"), (".track i", "backgroundColor")):
        kept = page.locator(f"#bench {shown}").first.evaluate(colour("forcedColorAdjust"))
        assert kept == "none", (shown, style)


@pytest.mark.exhaustive
@only_proved
def test_with_an_own_project_the_page_leads_to_the_real_call_and_changes_nothing(
    new_context: NewContext, tmp_path: Path
) -> None:
    secret = ServerSecret(1234567890, "0123456789abcdef" * 2)
    with ZegoCloud(secret.app_id, secret.value) as zego:
        project = OwnProject(secret, zego.url)
        with LocalStack(
            directory=tmp_path, workers=1, own_project=project, watch_seconds=None
        ) as stack:
            page = new_context().new_page()
            page.goto(stack.page.url)
            expect(page.get_by_role("link", name="Open the call page")).to_be_visible()
            expect(page.locator("#standing")).to_contain_text("ZEGO accepts the secret in use")
            for name in ("Reset the ServerSecret", "Store the console's value", "Rotate to it"):
                button = page.get_by_role("button", name=name)
                expect(button).to_have_attribute("aria-disabled", "true")
                why = page.locator(f"#{button.get_attribute('aria-describedby')}")
                expect(why).not_to_have_text("")
            get_token(page)
            assert len(zego.project.accepted) == 1


def test_a_check_without_a_verdict_shows_the_reason(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_current_what_zego_accepts(page)
    monkeypatch.setattr(stack.zego, "trouble", Trouble("garbage"))
    press(page, "Check now")
    said = page.locator("#looked")
    expect(said).to_contain_text(
        f"ZEGO gave no verdict on the secret in use, {console_secret(stack)}. ZEGO's"
    )


def test_without_a_schedule_the_watcher_checks_after_rotations_only(page: Page) -> None:
    expect(page.locator("#watched")).to_contain_text("After each rotation, it asks ZEGO")


def test_the_watchers_interval_is_shown_exactly(
    open_page: OpenPage, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stack.page._parts
    parts = dataclasses.replace(stack.page._parts, watch_seconds=300.0)
    monkeypatch.setattr(stack.page, "_parts", parts)
    page = open_page()
    expect(page.locator("#watched")).to_contain_text("Every 5 min, and after each")
    intervals = "import('/times.js').then(({ interval }) => [90, 300, 5400, 0.5].map(interval))"
    assert page.evaluate(intervals) == ["90 s", "5 min", "90 min", "0.5 s"]


def test_a_current_version_without_a_server_secret_is_not_shown_as_rejected(
    page: Page, stack: LocalStack
) -> None:
    kept = stack.secrets_manager
    good = kept.call("GetSecretValue", SecretId=kept.secret_id)["SecretString"]
    said = page.locator("#standing")
    try:
        kept.call("PutSecretValue", SecretId=kept.secret_id, SecretString="{}")
        stack.page.reporter.changed()
        expect(said).to_contain_text("The secret in use is not a ServerSecret: ")
        expect(said).not_to_contain_text("rejects")
    finally:
        kept.call("PutSecretValue", SecretId=kept.secret_id, SecretString=good)
        stack.page.reporter.changed()
    expect(said).to_contain_text("ZEGO accepts the secret in use")


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
        expect(page.locator("#versions .unknown").first).to_contain_text(console_secret(stack))
    shown = page.locator("#versions .unknown")
    expect(shown.nth(0)).to_contain_text("Shown in ZEGO's console")
    expect(shown.nth(1)).to_contain_text("Not stored here.")
