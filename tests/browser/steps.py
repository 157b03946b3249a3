"""What a person does on the page, and waits for."""

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
    expect(page.locator(".sealed")).to_contain_text("sealed with")


def get_a_token_of_the_current_secret(page: Page) -> None:
    """The issuer may have another value for the rest of a second."""
    while True:
        with page.expect_response("**/operate/inspect") as opened:
            get_token(page)
        if opened.value.json()["opened_by"] == "AWSCURRENT":
            return


def log_in(page: Page) -> Locator:
    """The verdict on a login with the token, as soon as there is one."""
    verdict = page.locator("#logged-in")
    press(page, "Log in")
    expect(verdict).not_to_contain_text("Logging in.")
    return verdict


def reset_the_secret(page: Page) -> None:
    """At ZEGO's console."""
    press(page, "Reset the ServerSecret")
    expect(page.locator("#reset-done")).to_contain_text("Reset;")


def stage(page: Page, which: str = "Stage the console's value") -> None:
    press(page, which)
    expect(page.locator("#rotation-done")).to_contain_text("Staged")


def rotate(page: Page, end: str = "Promoted") -> None:
    """What is staged, to the end of the rotation."""
    press(page, "Rotate")
    expect(page.locator("#rotation-done")).to_contain_text(end)


def make_current_what_zego_accepts(page: Page) -> None:
    """By a rotation, whatever stood before."""
    reset_the_secret(page)
    stage(page)
    rotate(page)
    expect(page.locator("#standing")).to_contain_text("ZEGO accepts AWSCURRENT")


def report_until_accepted(page: Page, seconds: float) -> None:
    """Report the refusal until the issuer has the new value.

    Until its next look it seals with the old one, and of several reports in a short time it heeds
    one.
    """
    verdict = page.locator("#logged-in")
    ended = time.monotonic() + seconds
    while True:
        press(page, "Report it, fetch a fresh token, log in")
        expect(verdict).to_contain_text(re.compile("Accepted|Refused"))  # it said: reporting
        if "Accepted" in verdict.inner_text() or time.monotonic() > ended:
            return
        page.wait_for_timeout(100)
