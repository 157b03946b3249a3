"""The steps that tests take on the page, each with a wait for its effect."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Locator, Page, expect

from local.stack import LocalStack

#: Hides a page as another tab does, or shows it again.
HIDE = """(hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def console_secret(stack: LocalStack) -> str:
    """The fingerprint of the secret that ZEGO's console shows."""
    return stack.zego.project.accepted[-1].fingerprint


def card(page: Page, heading: str) -> Locator:
    return page.get_by_role("article", name=heading)


def press(place: Page | Locator, name: str) -> None:
    place.get_by_role("button", name=name, exact=True).click()


def unfold(page: Page, part: str) -> Locator:
    """Opens a part of the page that is folded away: `bench`, `mistakes` or `inspector`."""
    place = page.locator(f"#{part}")
    if not place.evaluate("(place) => place.open"):
        place.locator("> summary").click()
    return place


# The phones


def phone(page: Page, name: str) -> Locator:
    return page.get_by_role("article", name=f"{name}'s phone")


def says(page: Page, name: str) -> Locator:
    """What a phone says about itself."""
    return phone(page, name).locator(".status")


def sign_in(page: Page, name: str) -> None:
    press(phone(page, name), "Sign in")
    expect(says(page, name)).not_to_have_text("Signed out")


def call(page: Page, caller: str, callee: str, callees_page: Page | None = None) -> None:
    """Calls, and waits until the other phone rings."""
    press(phone(page, caller), "Call")
    expect(says(callees_page or page, callee)).to_have_text(f"{caller} is calling")


def accept(page: Page, callee: str, caller: str) -> None:
    press(phone(page, callee), "Accept")
    expect(says(page, callee)).to_have_text(f"In a call with {caller}")


def talk(page: Page) -> None:
    """Lets alice and bob talk, each on their phone of the page."""
    sign_in(page, "alice")
    sign_in(page, "bob")
    call(page, "alice", "bob")
    accept(page, "bob", "alice")


def renew_until(page: Page, name: str, end: str, seconds: float) -> Locator:
    """Renews the token of a phone until ZEGO's verdict is the expected one.

    Until the issuer reloads the secret, it uses the old one.
    """
    note = phone(page, name).locator(".answer")
    ended = time.monotonic() + seconds
    while True:
        press(phone(page, name), "Renew the token")
        expect(note).to_contain_text(re.compile("ZEGO (accepts|refuses) the token"))
        if end in note.inner_text() or time.monotonic() > ended:
            return note
        page.wait_for_timeout(200)


# The test bench


def choose(page: Page, user: str) -> None:
    """Chooses the user of the test bench."""
    unfold(page, "bench").get_by_label("User", exact=True).fill(user)


def get_token(page: Page) -> None:
    press(unfold(page, "bench"), "Get a token")
    expect(page.locator("#asked")).to_contain_text("A token for")
    expect(page.locator("#bench .sealed")).to_contain_text("encrypted with")


def get_a_token_of_the_current_secret(page: Page) -> None:
    """Gets tokens until one is made with AWSCURRENT: the issuer caches a secret for up to 1 s."""
    while True:
        with page.expect_response("**/operate/inspect") as opened:
            get_token(page)
        if opened.value.json()["opened_by"] == "AWSCURRENT":
            return


def log_in(page: Page) -> Locator:
    """Logs in with the token and waits for the verdict."""
    verdict = page.locator("#logged-in")
    press(unfold(page, "bench"), "Log in")
    expect(verdict).not_to_contain_text("Logging in.")
    return verdict


def report_until_accepted(page: Page, seconds: float) -> None:
    """Reports the refusal until the issuer uses the new secret.

    Until the issuer reloads the secret, it uses the old one. Of several reports within a short
    time, it acts on one.
    """
    verdict = page.locator("#logged-in")
    ended = time.monotonic() + seconds
    while True:
        press(page, "Report the refusal, get a new token, log in")
        expect(verdict).to_contain_text(re.compile("Accepted|refuses"))  # not "Reporting." any more
        if "Accepted" in verdict.inner_text() or time.monotonic() > ended:
            return
        page.wait_for_timeout(100)


# Operations


def reset_the_secret(page: Page) -> None:
    """Resets it at ZEGO's console, and waits until the page shows the new one."""
    before = page.locator("#console-shows code").inner_text()
    press(page, "Reset the ServerSecret")
    if not page.get_by_label("Keep accepting the old one").is_checked():
        press(page.get_by_role("dialog"), "Reset it")
    expect(page.locator("#console-shows")).not_to_contain_text(before)


def stage(page: Page, which: str = "Store the console's value") -> None:
    if which != "Store the console's value":
        unfold_steps(page)
    press(page, which)
    expect(page.locator("#rotation-done")).to_contain_text("Stored as the next secret")


def unfold_steps(page: Page) -> None:
    """Shows the steps of the last rotation, and the buttons that an operator rarely needs."""
    summary = page.get_by_text("More, and the steps of the last rotation")
    if not summary.evaluate("(summary) => summary.parentElement.open"):
        summary.click()


def rotate(page: Page, end: str = "Promoted") -> None:
    """Rotates to the staged value and waits for the outcome."""
    press(page, "Rotate to it")
    expect(page.locator("#rotation-done")).to_contain_text(end)


def make_current_what_zego_accepts(page: Page) -> None:
    """Resets the secret and rotates to it, whatever the state was before.

    It waits for the watcher's check after the rotation. A late check would find what the test
    resets next, and heal it once it is staged.
    """
    reset_the_secret(page)
    stage(page)
    rotate(page)
    expect(page.locator("#standing")).to_contain_text("ZEGO accepts the secret in use")
    current = page.locator("#versions .current .fingerprint code").inner_text()
    accepted = f"ZEGO accepted the secret in use, {current}"
    expect(page.locator("#looked")).to_contain_text(accepted)
