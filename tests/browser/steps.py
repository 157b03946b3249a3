"""The steps that tests take on the page, each with a wait for its effect."""

from __future__ import annotations

import re
import time

from playwright.sync_api import Locator, Page, expect


def card(page: Page, heading: str) -> Locator:
    return page.get_by_role("article", name=heading)


def press(place: Page | Locator, name: str) -> None:
    place.get_by_role("button", name=name, exact=True).click()


def sign_in(page: Page, user: str = "alice") -> None:
    page.get_by_label("User", exact=True).fill(user)
    press(page, "Sign in")
    expect(card(page, "Sign in")).to_contain_text(f"Signed in as {user}")


def get_token(page: Page) -> None:
    press(page, "Get a token")
    expect(page.locator("#asked")).to_contain_text("A token for")
    expect(page.locator(".sealed")).to_contain_text("encrypted with")


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
    press(page, "Log in")
    expect(verdict).not_to_contain_text("Logging in.")
    return verdict


def reset_the_secret(page: Page) -> None:
    """Resets it at ZEGO's console."""
    press(page, "Reset the ServerSecret")
    expect(page.locator("#reset-done")).to_contain_text("Reset.")


def stage(page: Page, which: str = "Stage the console's value") -> None:
    press(page, which)
    expect(page.locator("#rotation-done")).to_contain_text("Staged")


def rotate(page: Page, end: str = "Promoted") -> None:
    """Rotates to the staged value and waits for the outcome."""
    press(page, "Rotate")
    expect(page.locator("#rotation-done")).to_contain_text(end)


def make_current_what_zego_accepts(page: Page) -> None:
    """Resets the secret and rotates to it, whatever the state was before.

    It waits for the watcher's check after the rotation. A late check would find what the test
    resets next, and heal it once it is staged.
    """
    reset_the_secret(page)
    stage(page)
    rotate(page)
    expect(page.locator("#standing")).to_contain_text("ZEGO accepts AWSCURRENT")
    current = page.locator("#versions .current .fingerprint code").inner_text()
    expect(page.locator("#looked")).to_contain_text(re.compile(f"{current}, is accepted"))


def report_until_accepted(page: Page, seconds: float) -> None:
    """Reports the refusal until the issuer uses the new secret.

    Until the issuer reloads the secret, it uses the old one. Of several reports within a short
    time, it acts on one.
    """
    verdict = page.locator("#logged-in")
    ended = time.monotonic() + seconds
    while True:
        press(page, "Report the refusal, get a new token, log in")
        expect(verdict).to_contain_text(re.compile("Accepted|Refused"))  # not "Reporting." any more
        if "Accepted" in verdict.inner_text() or time.monotonic() > ended:
            return
        page.wait_for_timeout(100)
