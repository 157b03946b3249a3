"""The page end to end, as two people and their operators use it: a real browser, a real stack."""

from __future__ import annotations

import re
import time

import pytest
from playwright.sync_api import Page, expect

from local.loopback import HttpRequest, HttpResponse
from local.stack import LocalStack
from tests.browser.conftest import PATIENCE_MS, OpenPage
from tests.browser.steps import (
    HIDE,
    accept,
    call,
    console_secret,
    make_current_what_zego_accepts,
    phone,
    press,
    renew_until,
    reset_the_secret,
    rotate,
    says,
    sign_in,
    stage,
    talk,
    unfold_steps,
)


def hang_up(_request: HttpRequest) -> None:
    raise ConnectionAbortedError


def test_the_story_leads_from_the_first_call_to_the_healed_secret(page: Page) -> None:
    """One button is highlighted at a time; pressing only that tells the whole story."""
    told: list[tuple[str, str]] = []
    next_step, story = page.locator("button.next"), page.locator("#next")
    ended = time.monotonic() + PATIENCE_MS / 1000
    while "Healed" not in story.inner_text():
        assert time.monotonic() < ended, told
        chapter = page.locator("#chapters [aria-current=step]").inner_text()
        pressed = next_step.inner_text()
        told += [(chapter, pressed)] if (chapter, pressed) not in told else []
        said = story.inner_text()
        next_step.click()
        if pressed == "Reset the ServerSecret":
            press(page.get_by_role("dialog"), "Reset it")
        # The issuer may still have the old secret: then the same step comes again.
        if (chapter, pressed) != ("Heal", "Renew the token"):
            expect(story).not_to_have_text(said)
        expect(story).not_to_have_text(re.compile("is tested|rings, in each"))
        expect(next_step).to_have_count(1)
        expect(next_step).not_to_have_attribute("aria-disabled", "true")
    assert told == [
        ("Sign in", "Sign in"),
        ("Call", "Call"),
        ("Accept", "Accept"),
        ("Reset", "Reset the ServerSecret"),
        ("Notice", "Renew the token"),
        ("Notice", "Check now"),
        ("Heal", "Store the console's value"),
        ("Heal", "Check now"),
        ("Heal", "Renew the token"),
    ]
    for name, other in (("alice", "bob"), ("bob", "alice")):
        expect(says(page, name)).to_have_text(f"In a call with {other}")
    expect(page.locator("#chapters [data-state=done]")).to_have_count(7)
    next_step.click()
    expect(says(page, "bob")).to_have_text("Ready")
    expect(page.locator("#chapters [aria-current=step]")).to_have_text("Call")


def test_a_call_between_two_windows_goes_on_while_the_secret_is_reset(
    open_page: OpenPage, stack: LocalStack
) -> None:
    alice, bob, operator = open_page("?as=alice"), open_page("?as=bob"), open_page()
    sign_in(alice, "alice")
    sign_in(bob, "bob")
    call(alice, "alice", "bob", bob)
    accept(bob, "bob", "alice")
    for window, name in ((alice, "alice"), (bob, "bob")):
        people = phone(window, name).get_by_role("list", name="In the room")
        expect(people.get_by_role("listitem")).to_have_count(2)
        expect(phone(window, name).get_by_role("timer").first).to_have_text(re.compile(r"0:\d\d"))
    reset_the_secret(operator)
    said = renew_until(alice, "alice", "refuses", 0)
    expect(said).to_contain_text("ZEGO does not accept the secret that encrypted it")
    expect(said).to_contain_text("console logs 20014, 50119; the app gets 1102016")
    expect(said).to_contain_text("The call goes on")
    expect(says(alice, "alice")).to_have_text("In a call with bob")
    press(operator, "Check now")
    expect(operator.locator("#looked")).to_contain_text("ZEGO rejected the secret in use")
    expect(operator.locator("#looked")).to_contain_text("No version can replace AWSCURRENT")
    stage(operator)
    press(operator, "Check now")
    expect(operator.locator("#rotation-done")).to_contain_text("Promoted")
    expect(operator.locator("#versions .current")).to_contain_text(console_secret(stack))
    expect(said).to_have_class(re.compile("outdated"))
    said = renew_until(alice, "alice", "accepts", PATIENCE_MS / 1000)
    expect(said).to_contain_text("ZEGO accepts the token")
    expect(says(bob, "bob")).to_have_text("In a call with alice")
    press(phone(bob, "bob"), "Hang up")
    expect(says(alice, "alice")).to_have_text("Ready")
    expect(phone(alice, "alice")).to_contain_text("bob hung up.")


def test_a_declined_call_ends_and_says_so(page: Page) -> None:
    sign_in(page, "alice")
    sign_in(page, "bob")
    call(page, "alice", "bob")
    press(phone(page, "bob"), "Decline")
    expect(phone(page, "alice")).to_contain_text("bob declined.")
    expect(says(page, "alice")).to_have_text("Ready")


def test_a_caller_who_hangs_up_first_ends_the_ringing(page: Page) -> None:
    sign_in(page, "alice")
    sign_in(page, "bob")
    call(page, "alice", "bob")
    press(phone(page, "alice"), "Hang up")
    expect(says(page, "bob")).to_have_text("Ready")


def test_a_callee_who_accepts_too_late_hears_that_the_caller_has_hung_up(
    open_page: OpenPage,
) -> None:
    alice, bob = open_page("?as=alice"), open_page("?as=bob")
    sign_in(alice, "alice")
    sign_in(bob, "bob")
    call(alice, "alice", "bob", bob)
    bob.evaluate(HIDE, True)  # bob's phone gets no messages
    press(phone(alice, "alice"), "Hang up")
    expect(says(alice, "alice")).to_have_text("Ready")
    press(phone(bob, "bob"), "Accept")
    expect(says(bob, "bob")).to_have_text("Waiting for alice")
    bob.evaluate(HIDE, False)
    expect(phone(bob, "bob")).to_contain_text("alice hung up.")
    expect(says(bob, "bob")).to_have_text("Ready")


def test_a_call_that_no_one_accepts_rings_for_a_minute(page: Page) -> None:
    page.clock.install()
    sign_in(page, "alice")
    sign_in(page, "bob")
    call(page, "alice", "bob")
    page.clock.fast_forward("01:01")
    expect(phone(page, "alice")).to_contain_text("bob did not respond.")
    expect(says(page, "bob")).to_have_text("Ready")


def test_a_phone_stops_ringing_even_if_the_caller_is_gone(open_page: OpenPage) -> None:
    alice, bob = open_page("?as=alice"), open_page("?as=bob")
    bob.clock.install()
    sign_in(alice, "alice")
    sign_in(bob, "bob")
    call(alice, "alice", "bob", bob)
    alice.close()
    bob.clock.fast_forward("01:01")
    expect(says(bob, "bob")).to_have_text("Ready")


def test_a_call_whose_login_zego_refuses_ends_with_the_reason(page: Page) -> None:
    make_current_what_zego_accepts(page)
    sign_in(page, "alice")
    sign_in(page, "bob")
    reset_the_secret(page)
    press(phone(page, "alice"), "Call")
    said = phone(page, "alice").locator(".answer")
    expect(said).to_contain_text("ZEGO does not accept the secret that encrypted it")
    expect(said).to_contain_text("console logs 20014, 50119; the app gets 1102016")
    for name in ("alice", "bob"):
        expect(says(page, name)).to_have_text("Ready")


def test_a_phone_returns_to_its_call_after_a_reload(open_page: OpenPage) -> None:
    alice, bob = open_page("?as=alice"), open_page("?as=bob")
    sign_in(alice, "alice")
    sign_in(bob, "bob")
    call(alice, "alice", "bob", bob)
    accept(bob, "bob", "alice")
    bob.reload()
    sign_in(bob, "bob")
    expect(says(bob, "bob")).to_have_text("Your call with alice is still open")
    press(phone(bob, "bob"), "Return to the call")
    for window, name, other in ((alice, "alice", "bob"), (bob, "bob", "alice")):
        expect(says(window, name)).to_have_text(f"In a call with {other}")


def test_the_story_says_that_the_other_window_has_left(open_page: OpenPage) -> None:
    alice, bob = open_page("?as=alice"), open_page("?as=bob")
    sign_in(alice, "alice")
    sign_in(bob, "bob")
    call(alice, "alice", "bob", bob)
    accept(bob, "bob", "alice")
    expect(alice.locator("#next")).to_have_text(re.compile("^The call runs."))
    bob.close()
    expect(alice.locator("#next")).to_have_text(re.compile("^No one else is in the room now."))


@pytest.mark.parametrize(
    ("name", "says"),
    [("alice smith", "made this user id from the name"), ("  ", "Enter a name.")],
)
def test_a_name_that_becomes_another_user_id_or_none_is_explained(
    page: Page, name: str, says: str
) -> None:
    place = page.locator(".phone").first
    place.get_by_label("Name").fill(name)
    press(place, "Sign in")
    expect(place).to_contain_text(says)


def test_of_two_windows_of_a_person_the_later_one_has_the_call(open_page: OpenPage) -> None:
    page, other = open_page(), open_page("?as=bob")
    sign_in(other, "bob")
    talk(page)
    expect(says(other, "bob")).to_have_text("Your call with alice is still open")
    press(phone(other, "bob"), "Return to the call")
    expect(says(other, "bob")).to_have_text("In a call with alice")
    expect(phone(page, "bob")).to_contain_text("This call continues in another window.")
    expect(says(page, "alice")).to_have_text("In a call with bob")


def test_a_call_whose_event_is_not_confirmed_says_so(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack.event_bus, "intercept", lambda _: HttpResponse(500))
    sign_in(page, "alice")
    press(phone(page, "alice"), "Call")
    expect(phone(page, "alice")).to_contain_text("EventBridge did not confirm the event")
    expect(says(page, "alice")).to_have_text("Calling bob")


def test_a_refused_call_is_explained(page: Page) -> None:
    sign_in(page, "alice")
    phone(page, "alice").get_by_label("Who to call").fill("alice")
    press(phone(page, "alice"), "Call")
    expect(phone(page, "alice")).to_contain_text("422 invalid_callees")
    expect(says(page, "alice")).to_have_text("Ready")


def test_a_person_whom_zego_removes_is_notified(page: Page, stack: LocalStack) -> None:
    talk(page)
    rooms = stack.zego.project.rooms
    rooms.kick([*rooms.to_json()][-1], ["bob"])
    expect(phone(page, "bob")).to_contain_text("ZEGO removed you from the room.")
    expect(says(page, "alice")).to_have_text("Waiting for bob")


def test_the_token_of_a_phone_can_be_read_and_copied(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    talk(page)
    alice = phone(page, "alice")
    alice.get_by_text(re.compile("^Token expires in")).click()
    press(alice, "Copy the token")
    expect(alice.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith("04AAAA")
    expect(alice.get_by_label("Token", exact=True)).to_have_value(copied)
    alice.get_by_text("What is in it").click()
    expect(alice.locator(".sealed")).to_contain_text('"room_id":"call_')


def test_the_log_shows_what_the_last_press_caused(page: Page) -> None:
    sign_in(page, "alice")
    sign_in(page, "bob")
    call(page, "alice", "bob")
    page.locator("#drawer > summary").click()
    newest = page.get_by_role("list", name="Newest first", exact=True).locator("> li").first
    expect(newest.locator("> p")).to_contain_text("alice: Call")
    expect(newest).to_contain_text("POST /v1/calls: 201")
    expect(newest).to_contain_text("Incoming Call: alice calls bob")
    expect(newest).to_contain_text("alice joined the call")
    press(phone(page, "bob"), "Decline")
    expect(newest.locator("> p")).to_contain_text("bob: Decline")
    expect(newest).to_contain_text("bob declined the call")
    expect(newest).not_to_contain_text("POST /v1/calls")


def test_a_reset_that_breaks_logins_needs_a_confirmation(page: Page, stack: LocalStack) -> None:
    before = console_secret(stack)
    press(page, "Reset the ServerSecret")
    dialog = page.get_by_role("dialog", name="Reset the ServerSecret?")
    expect(dialog).to_contain_text("every new login and every renewal fails")
    press(dialog, "Cancel")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Reset the ServerSecret").press("Enter")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert console_secret(stack) == before


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
    unfold_steps(page)
    page.get_by_label("Keep accepting the old one").check()
    reset_the_secret(page)
    expect(page.locator("#versions .unknown")).to_contain_text(console_secret(stack))

    stage(page, "Store a mistyped value")
    expect(page.locator("#versions")).to_contain_text("stored as the next")
    rotate(page, "Not promoted")
    assert steps(page) == {
        "createSecret": "done",
        "setSecret": "done",
        "testSecret": "failed",
        "finishSecret": "waiting",
    }
    expect(page.locator("#rotation-done")).to_contain_text("ZEGO rejects the candidate")
    expect(page.locator("#standing")).to_contain_text("ZEGO accepts the secret in use")

    stage(page)
    rotate(page)
    assert set(steps(page).values()) == {"done"}
    expect(page.locator("#versions .current")).to_contain_text(console_secret(stack))

    press(page, "Go back to the one used before")
    expect(page.locator("#versions .current")).not_to_contain_text(console_secret(stack))
    expect(page.locator("#rotation-done")).to_contain_text("Promoted")


def test_what_an_operator_cannot_do_now_is_off_with_the_reason(page: Page) -> None:
    def reason(button: str) -> str:
        offered = page.get_by_role("button", name=button)
        expect(offered).to_have_attribute("aria-disabled", "true")
        described = offered.get_attribute("aria-describedby")
        return page.locator(f"#{described}").inner_text()

    make_current_what_zego_accepts(page)
    unfold_steps(page)
    assert reason("Store the console's value").startswith("The console's value is in use already.")
    assert reason("Rotate to it") == "No next secret is stored yet."
    before = "ZEGO no longer accepts the secret used before."
    assert reason("Go back to the one used before") == before
    reset_the_secret(page)
    stored = page.get_by_role("button", name="Store the console's value")
    expect(stored).not_to_have_attribute("aria-disabled", "true")
    expect(page.locator("#stage-why")).to_have_text("")


def test_a_part_that_does_not_respond_is_named(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in(page, "alice")
    with monkeypatch.context() as patched:
        patched.setattr(stack.zego, "intercept", hang_up)
        press(phone(page, "alice"), "Call")
        said = "ZEGO does not respond. Is make run still running?"
        expect(phone(page, "alice")).to_contain_text(said)
        expect(says(page, "alice")).to_have_text("Ready")
        press(page, "Reset the ServerSecret")
        press(page.get_by_role("dialog"), "Reset it")
        expect(page.locator("#reset-done")).to_have_text("ZEGO's console does not respond.")
    monkeypatch.setattr(stack.identity_provider, "intercept", hang_up)
    press(phone(page, "bob"), "Sign in")
    said = "The identity provider does not respond. Is make run still running?"
    expect(phone(page, "bob")).to_contain_text(said)


def test_a_hidden_page_closes_its_connection_and_catches_up(page: Page, stack: LocalStack) -> None:
    """Browsers open six connections per server: six tabs with streams would block a seventh."""
    page.locator("#drawer > summary").click()
    log = page.get_by_role("list", name="Newest first", exact=True)
    page.evaluate(HIDE, True)
    stack.page.reporter.console("unseen")
    expect(page.locator("#connection")).to_have_text("Paused")
    expect(log.get_by_text("console: unseen")).to_have_count(0)
    page.evaluate(HIDE, False)
    expect(log.get_by_text("console: unseen")).to_have_count(1)
    expect(page.locator("#connection")).to_have_text("Live")
    stack.page.live.close()
    stack.page.reporter.console("cut off")
    expect(log.get_by_text("console: cut off")).to_have_count(1)
    expect(log.get_by_text("console: unseen")).to_have_count(1)


def test_a_page_of_an_earlier_stack_reloads(page: Page, stack: LocalStack) -> None:
    sign_in(page, "alice")
    stack.page.live.run = "0badcafe"
    stack.page.live.close()
    expect(says(page, "alice")).to_have_text("Signed out")
    expect(page.locator("#connection")).to_have_text("Live")


def test_neither_a_secret_nor_a_stored_token_is_in_the_page(page: Page, stack: LocalStack) -> None:
    talk(page)
    content = page.content()
    assert all(secret.value not in content for secret in stack.zego.project.made)
    assert page.evaluate("() => localStorage.length + sessionStorage.length") == 0
    assert page.context.cookies() == []
