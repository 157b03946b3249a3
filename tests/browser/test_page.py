"""The page end to end, as an app and as its operators use it: a real browser, a real stack."""

from __future__ import annotations

import re
import threading
import time

import pytest
from playwright.sync_api import Page, expect

from local.loopback import HttpRequest, HttpResponse
from local.stack import LocalStack
from tests.browser.conftest import PATIENCE_MS, OpenPage
from tests.browser.steps import (
    card,
    get_token,
    log_in,
    make_current_what_zego_accepts,
    press,
    report_until_accepted,
    reset_the_secret,
    rotate,
    sign_in,
    stage,
)


def current(stack: LocalStack) -> str:
    """The fingerprint of the secret that ZEGO's console shows."""
    return stack.zego.project.accepted[-1].fingerprint


def test_a_user_signs_in_gets_a_token_and_is_accepted(page: Page, stack: LocalStack) -> None:
    expect(page.get_by_role("button", name="Get a token")).to_be_disabled()
    sign_in(page, "bob")
    page.get_by_label("Room", exact=True).fill("bob_desk")
    page.get_by_label("publish").uncheck()
    get_token(page)
    expect(page.locator("#asked")).to_have_text("A token for bob in room bob_desk: login.")
    envelope = page.get_by_role("table")
    expect(envelope.get_by_role("row", name="IV 12")).to_be_visible()
    expect(envelope.get_by_role("row", name="mode 1")).to_contain_text("AES-GCM")
    expect(page.locator(".sealed")).to_contain_text('"room_id":"bob_desk"')
    expect(page.locator(".sealed")).to_contain_text(current(stack))
    expect(page.get_by_role("timer")).to_contain_text(re.compile(r"Renew in 5\d:\d\d"))
    expect(log_in(page)).to_contain_text("Accepted: bob is in bob_desk")


def test_the_countdown_runs_to_the_renewal_and_to_the_expiry(page: Page) -> None:
    page.clock.install()
    sign_in(page)
    get_token(page)
    timer = page.get_by_role("timer")
    expect(timer).to_contain_text("expires in")
    page.clock.fast_forward("56:00")
    expect(timer).to_contain_text("Renewal is due")
    page.clock.fast_forward("05:00")
    expect(timer).to_contain_text("expired")


def test_signing_out_forgets_the_token(page: Page) -> None:
    sign_in(page)
    get_token(page)
    press(page, "Sign out")
    expect(page.locator("#anatomy")).to_be_hidden()
    expect(page.get_by_role("button", name="Log in")).to_be_disabled()


def test_an_expired_bearer_token_is_replaced_once(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(page)
    ended: set[str | None] = set()
    refused = 0

    def refuse_the_first(request: HttpRequest) -> HttpResponse | None:
        nonlocal refused
        if request.method != "POST":
            return None
        ended.update([] if ended else [request.header("authorization")])
        if request.header("authorization") not in ended:
            return None
        refused += 1
        origin = request.header("origin") or ""
        return HttpResponse(401, (("access-control-allow-origin", origin),))

    monkeypatch.setattr(stack.api, "intercept", refuse_the_first)
    earlier = time.time() - 60  # else the next one may be identical: same second
    monkeypatch.setattr(stack.identity_provider, "_clock", lambda: earlier)
    for _ in range(2):
        with page.expect_response(lambda answer: answer.status == 201):
            get_token(page)
    assert refused == 1


def test_a_login_result_is_cleared_by_the_next_sign_in(page: Page) -> None:
    sign_in(page)
    get_token(page)
    log_in(page)
    sign_in(page, "bob")
    expect(page.locator("#logged-in")).to_have_text(
        "This uses the token above. Try another user or room, too."
    )


def test_a_failed_sign_in_signs_the_user_out(page: Page) -> None:
    sign_in(page)
    page.get_by_label("User", exact=True).fill(" ")
    press(page, "Sign in")
    expect(page.locator("#signed-in")).to_have_text("username is missing.")
    expect(page.get_by_role("button", name="Get a token")).to_be_disabled()


def test_signing_out_during_a_token_request_shows_no_error(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(page)
    may_answer = threading.Event()
    monkeypatch.setattr(
        stack.api, "intercept", lambda _: may_answer.wait(PATIENCE_MS / 1000) and None
    )
    press(page, "Get a token")
    expect(page.locator("#asked")).to_have_text("Requesting a token.")
    press(page, "Sign out")
    expect(page.get_by_role("button", name="Get a token")).not_to_have_attribute(
        "aria-disabled", "true"
    )
    expect(page.locator("#asked")).to_have_text("Sign in first.")
    may_answer.set()


#: The attempts, each with what the caller gets and the reason that the page adds.
REFUSALS = {
    "A room that the access policy does not grant": ("403 not_granted", "no rule matches"),
    "Another user's own room": ("403 not_granted", "no rule matches"),
    "A token that lives a whole day": ("422 lifetime_out_of_range", "at most 7200"),
    "A room id that ZEGO's SDKs refuse": ("422 invalid_identifier", "the character /"),
    "A bearer token with a forged signature": ("401 bearer_bad_signature", "altered"),
    "A login as another user": ("logs 50119; the app gets 1102016", "another user"),
    "A login to another room": ("the app gets 1102020", "another room"),
    "A login with an expired token": ("the app gets 1102018", "It expired"),
    "A login with a JWT": ("logs 20014, 50119; the app gets 1102016", "It is a JWT"),
}


def test_each_refusal_is_explained(page: Page) -> None:
    sign_in(page)
    refusals = card(page, "Refusals and their reasons")
    assert refusals.get_by_role("button").all_inner_texts() == list(REFUSALS)
    for attempt, (response, why) in REFUSALS.items():
        press(refusals, attempt)
        said = refusals.get_by_role("listitem").filter(has_text=attempt).get_by_role("status")
        expect(said).to_contain_text(response)
        expect(said).to_contain_text(why)


def test_a_refusal_is_shown_with_the_reason_from_the_audit_log(page: Page) -> None:
    sign_in(page)
    page.get_by_label("Room", exact=True).fill("bob_desk")
    press(page, "Get a token")
    said = page.locator("#asked")
    expect(said).to_contain_text("403 not_granted")
    expect(said.get_by_role("definition").first).to_have_text("no rule matches")


def test_a_pasted_jwt_is_explained(page: Page) -> None:
    inspection = card(page, "Inspect a token")
    inspection.get_by_label("The token, exactly as the SDK got it").fill(
        "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
    )
    press(inspection, "Inspect")
    said = inspection.get_by_role("status")
    expect(said).to_contain_text("ZEGO refuses this token")
    expect(said).to_contain_text("It is a JWT (HS256), not a Token04")
    expect(said).to_contain_text("20014, 50119, 1102016")


BROKEN = {
    "A JWT": "It is a JWT",
    "Another secret": "none of the secrets tried",
    "Another AppID": "It is for AppID",
    "Another user": "another user",
    "Expired": "It expired",
    "In quotes": "quotes around it",
    "Cut off": "It is cut off",
    "Signed, not encrypted": "signed but never encrypted",
    "Key hex-decoded": "hex-decoded to 16 bytes",
    "Expiry little-endian": "readable expiry, with which the envelope begins, is little-endian",
}


def test_each_broken_token_is_refused_for_its_own_mistake(page: Page) -> None:
    sign_in(page)
    inspection = card(page, "Inspect a token")
    samples = inspection.get_by_role("group", name="Broken tokens to inspect")
    assert samples.get_by_role("button").all_inner_texts() == list(BROKEN)
    for name, finding in BROKEN.items():
        press(samples, name)
        expect(inspection.get_by_role("status")).to_contain_text(finding)
        expect(inspection.get_by_role("status")).not_to_contain_text("Good")


def test_the_later_of_two_inspections_is_shown(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_answer = threading.Event()

    def answer_later(request: HttpRequest) -> None:
        if b"the first" in request.body:
            may_answer.wait(PATIENCE_MS / 1000)

    monkeypatch.setattr(stack.page, "intercept", answer_later)
    inspection = card(page, "Inspect a token")
    inspection.get_by_label("The token, exactly as the SDK got it").fill("the first")
    press(inspection, "Inspect")
    press(inspection, "A JWT")
    expect(inspection.get_by_role("status")).to_contain_text("It is a JWT")
    with page.expect_response("**/operate/inspect"):
        may_answer.set()
    expect(inspection.get_by_role("button", name="Inspect", exact=True)).not_to_have_attribute(
        "aria-disabled", "true"
    )
    expect(inspection.get_by_role("status")).to_contain_text("It is a JWT")


def test_a_good_token_is_found_good(page: Page, stack: LocalStack) -> None:
    sign_in(page)
    get_token(page)
    press(page, "Inspect the app's token")
    expect(card(page, "Inspect a token").get_by_role("status")).to_contain_text("Good: this token")


def steps(page: Page) -> dict[str, str]:
    """The state of each step."""
    shown = page.get_by_role("list", name="Steps of the last rotation").get_by_role("listitem")
    return {
        str(step.get_attribute("data-step")): str(step.get_attribute("data-state"))
        for step in shown.all()
    }


def test_a_mistyped_value_is_refused_and_the_right_one_promoted_in_four_steps(
    page: Page, stack: LocalStack
) -> None:
    page.get_by_label("Keep accepting the old one").check()
    reset_the_secret(page)
    expect(page.locator("#versions .unknown")).to_contain_text(current(stack))

    stage(page, "Stage a mistyped value")
    expect(page.locator("#versions")).to_contain_text("CANDIDATE")
    rotate(page, "Not promoted")
    assert steps(page) == {
        "createSecret": "done",
        "setSecret": "done",
        "testSecret": "failed",
        "finishSecret": "waiting",
    }
    expect(page.locator("#steps")).to_contain_text("ZEGO rejects the candidate")
    expect(page.locator("#standing")).to_contain_text("ZEGO accepts AWSCURRENT")

    stage(page)
    rotate(page)
    assert set(steps(page).values()) == {"done"}
    expect(page.locator("#versions .current")).to_contain_text(current(stack))

    press(page, "Go back to AWSPREVIOUS")
    expect(page.locator("#versions .current")).not_to_contain_text(current(stack))
    expect(page.locator("#rotation-done")).to_contain_text("Promoted")


def test_the_steps_are_shown_while_they_run(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    reset_the_secret(page)
    stage(page)
    zego_may_answer = threading.Event()

    def answer_later(request: HttpRequest) -> None:
        if request.path == "/":  # its server API
            zego_may_answer.wait(PATIENCE_MS / 1000)

    monkeypatch.setattr(stack.zego, "intercept", answer_later)
    press(page, "Rotate")
    expect(page.locator("#steps [data-state=began]")).to_contain_text("testSecret")
    assert steps(page) == {
        "createSecret": "done",
        "setSecret": "done",
        "testSecret": "began",
        "finishSecret": "waiting",
    }
    expect(page.locator("#versions")).to_contain_text("AWSPENDING")
    zego_may_answer.set()
    expect(page.locator("#rotation-done")).to_contain_text("Promoted")


def test_a_reset_secret_is_detected_and_healed(page: Page, stack: LocalStack) -> None:
    make_current_what_zego_accepts(page)
    sign_in(page)
    get_token(page)
    reset_the_secret(page)
    expect(page.locator("#standing")).to_contain_text("ZEGO rejects AWSCURRENT")

    verdict = log_in(page)
    expect(verdict).to_contain_text("logs 20014, 50119; the app gets 1102016")
    expect(verdict).to_contain_text("ZEGO does not accept this secret")

    press(page, "Check now")
    looked = page.locator("#looked")
    expect(looked).to_contain_text("is rejected")
    expect(looked).to_contain_text("No version can replace AWSCURRENT")

    stage(page)
    press(page, "Check now")
    expect(page.locator("#log")).to_contain_text("Started a rotation to")
    expect(page.locator("#rotation-done")).to_contain_text("Promoted")
    expect(page.locator("#standing")).to_contain_text("ZEGO accepts AWSCURRENT")
    expect(looked).to_contain_text("is accepted")

    report_until_accepted(page, PATIENCE_MS / 1000)
    expect(verdict).to_contain_text("Accepted: alice is in call_1")
    expect(page.locator("#log")).to_contain_text("client reported 1102016")


def test_a_refused_action_shows_the_reason_and_the_remedy(page: Page) -> None:
    make_current_what_zego_accepts(page)
    press(page, "Stage the console's value")
    expect(page.locator("#rotation-done")).to_contain_text("is already AWSCURRENT. Reset it")


def hang_up(_request: HttpRequest) -> None:
    raise ConnectionAbortedError


def test_a_part_that_does_not_respond_is_named(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(page)
    get_token(page)
    monkeypatch.setattr(stack.zego, "intercept", hang_up)
    expect(log_in(page)).to_have_text("ZEGO does not respond. Is make run still running?")
    press(page, "Reset the ServerSecret")
    expect(page.locator("#reset-done")).to_have_text("ZEGO's console does not respond.")
    monkeypatch.setattr(stack.identity_provider, "intercept", hang_up)
    press(page, "Sign in")
    said = "The identity provider does not respond. Is make run still running?"
    expect(page.locator("#signed-in")).to_have_text(said)


def test_if_a_token_cannot_be_decrypted_the_reason_is_shown(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: HttpRequest) -> HttpResponse | None:
        if request.path != "/operate/inspect":
            return None
        return HttpResponse(409, (("content-type", "application/json"),), b'{"error": "Not now."}')

    sign_in(page)
    monkeypatch.setattr(stack.page, "intercept", refuse)
    press(page, "Get a token")
    expect(page.locator(".sealed")).to_have_text("Not now.")


def test_a_hidden_page_closes_its_connection(page: Page, stack: LocalStack) -> None:
    """Browsers open six connections per server: six tabs with streams would block a seventh."""
    log = page.get_by_role("list", name="Newest first")
    hide = """(hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.evaluate(hide, True)
    stack.page.reporter.console("unseen")
    expect(page.locator("#connection")).to_have_text("Paused")
    expect(log.get_by_text("console: unseen")).to_have_count(0)
    page.evaluate(hide, False)
    expect(log.get_by_text("console: unseen")).to_have_count(1)
    expect(page.locator("#connection")).to_have_text("Live")


def test_a_page_that_was_cut_off_catches_up(page: Page, stack: LocalStack) -> None:
    log = page.get_by_role("list", name="Newest first")
    stack.page.reporter.console("before")
    expect(log.get_by_text("console: before")).to_have_count(1)
    stack.page.live.close()
    stack.page.reporter.console("meanwhile")
    expect(log.get_by_text("console: meanwhile")).to_have_count(1)
    stack.page.reporter.console("after")
    expect(log.get_by_text("console: after")).to_have_count(1)
    expect(log.get_by_text("console: before")).to_have_count(1)
    expect(page.locator("#connection")).to_have_text("Live")


def test_a_page_of_an_earlier_stack_reloads(page: Page, stack: LocalStack) -> None:
    sign_in(page)
    stack.page.live.run = "0badcafe"
    stack.page.live.close()
    expect(page.get_by_role("button", name="Get a token")).to_be_disabled()  # signed out
    expect(page.locator("#connection")).to_have_text("Live")


def test_two_pages_show_the_same_state(open_page: OpenPage, stack: LocalStack) -> None:
    one, other = open_page(), open_page()
    reset_the_secret(one)
    for page in (one, other):
        expect(page.locator("#versions .unknown")).to_contain_text(current(stack))


def test_neither_a_secret_nor_a_stored_token_is_in_the_page(page: Page, stack: LocalStack) -> None:
    sign_in(page)
    get_token(page)
    content = page.content()
    assert all(secret.value not in content for secret in stack.zego.project.made)
    assert page.evaluate("() => localStorage.length + sessionStorage.length") == 0
    assert page.context.cookies() == []
