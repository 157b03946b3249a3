"""Two people use the page of the example apps: one calls, the other accepts, both get a token."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.support.example_apps import ringing_stack, serving_app


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("app")
    with ringing_stack(folder / "stack") as stack, serving_app("fastapi", stack, folder) as url:
        yield url


def signed_in(page: Page, app: str, user: str) -> Page:
    page.goto(app)
    page.get_by_label("User").fill(user)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#ring")).to_have_text(f"Signed in as {user}.")
    return page


def test_a_call_rings_in_the_other_window_and_both_get_a_token(
    app: str, new_context: NewContext
) -> None:
    alice, bob = (signed_in(new_context().new_page(), app, user) for user in ("alice", "bob"))
    alice.get_by_label("Call").fill("bob")
    alice.get_by_role("button", name="Call").click()
    expect(alice.locator("#ring")).to_have_text("bob is being called.")
    expect(bob.locator("#ring")).to_have_text("alice calls bob.")
    bob.get_by_role("button", name="Accept").click()
    for page, user in ((alice, "alice"), (bob, "bob")):
        expect(page.locator("#token")).to_contain_text(f"{user} may enter call_")
        expect(page.locator("#token")).to_contain_text("\n04")


def test_a_refused_call_says_so_on_the_page(app: str, new_context: NewContext) -> None:
    alice = signed_in(new_context().new_page(), app, "alice")
    alice.get_by_label("Call").fill("alice")
    alice.get_by_role("button", name="Call").click()
    expect(alice.locator("#token")).to_contain_text("invalid_callees")
    expect(alice.locator("#ring")).to_have_text("alice was not called.")
