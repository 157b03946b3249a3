"""The page's verdicts on tokens and logins match ZEGO's, and concern the signed-in user."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from local.loopback import HttpRequest, HttpResponse
from local.stack import PYTHON_PATH, LocalStack
from tests.browser.conftest import PATIENCE_MS, NewContext
from tests.browser.steps import (
    card,
    get_a_token_of_the_current_secret,
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
from tests.unit.zego.diagnosis.generators import CBC, MISTAKES, with_mistakes

#: Of the issuer that reloads its secret soon.
HANDLERS = Path(__file__).parents[1] / "support" / "handlers"
REPORT = "Report the refusal, get a new token, log in"


def inspect_own(page: Page) -> Locator:
    press(page, "Inspect the app's token")
    return page.locator("#inspected")


def attempt(page: Page, what: str) -> Locator:
    """Makes one of the refused attempts and returns its result."""
    refusals = card(page, "Refusals and their reasons")
    press(refusals, what)
    return refusals.get_by_role("listitem").filter(has_text=what).locator("[role=status]")


@pytest.fixture
def remembering_stack(tmp_path: Path) -> Iterator[LocalStack]:
    """A separate stack whose issuer caches a secret for the usual 60 s.

    It acts on a report after 0.5 s rather than 10 s.
    """
    with LocalStack(
        directory=tmp_path,
        watch_seconds=None,
        issuer="impatient_issuer.handler",
        python_path=(*PYTHON_PATH, HANDLERS),
    ) as stack:
        yield stack


class TestTheSecretOfAToken:
    def test_awsprevious_is_good_while_zego_accepts_it(self, page: Page) -> None:
        make_current_what_zego_accepts(page)
        sign_in(page)
        get_a_token_of_the_current_secret(page)
        page.get_by_label("Keep accepting the old one").check()
        reset_the_secret(page)
        stage(page)
        rotate(page)
        expect(log_in(page)).to_contain_text("Accepted: alice is in call_1")
        said = inspect_own(page)
        expect(said).to_contain_text("Good: this token is valid.")
        expect(said).to_contain_text("(AWSPREVIOUS)")
        expect(said).to_contain_text("Its secret is not AWSCURRENT, but ZEGO still accepts it.")
        expect(said).not_to_contain_text("restart")

    def test_awscurrent_is_not_good_once_zego_rejects_it(self, page: Page) -> None:
        make_current_what_zego_accepts(page)
        sign_in(page)
        get_a_token_of_the_current_secret(page)
        reset_the_secret(page)
        said = inspect_own(page)
        expect(said).to_contain_text("The token is well formed, but ZEGO rejects its secret.")
        expect(said).to_contain_text("20014, 50119, 1102016")
        expect(said).to_contain_text("An operator must rotate to the console's value.")
        expect(said).not_to_contain_text("Good")

    def test_one_that_is_no_longer_stored_is_good_while_zego_accepts_it(self, page: Page) -> None:
        make_current_what_zego_accepts(page)
        sign_in(page)
        get_a_token_of_the_current_secret(page)
        sealed_with = page.locator(".sealed")
        expect(sealed_with).to_contain_text("AWSCURRENT")
        page.get_by_label("Keep accepting the old one").check()
        for label in ("AWSPREVIOUS", "not stored here"):
            reset_the_secret(page)
            stage(page)
            rotate(page)
            expect(sealed_with).to_contain_text(label)
        expect(log_in(page)).to_contain_text("Accepted: alice is in call_1")
        said = inspect_own(page)
        expect(said).to_contain_text("Good: this token is valid.")
        expect(said).to_contain_text("(not stored here)")
        page.get_by_label("User id").fill("mallory")
        verdict = log_in(page)
        expect(verdict).to_contain_text("another user")
        expect(verdict).not_to_contain_text("none of the secrets tried")

    def test_after_two_rotations_the_remedy_is_a_new_token(self, page: Page) -> None:
        make_current_what_zego_accepts(page)
        sign_in(page)
        get_a_token_of_the_current_secret(page)
        for _ in range(2):
            make_current_what_zego_accepts(page)
        verdict = log_in(page)
        expect(verdict).to_contain_text("(not stored here). ZEGO does not accept this secret")
        expect(verdict).to_contain_text("get a new token.")
        expect(verdict).not_to_contain_text("none of the secrets tried")

    def test_a_rejected_secret_is_explained_before_other_findings(self, page: Page) -> None:
        sign_in(page)
        reset_the_secret(page)
        for what, also in (
            ("A login with an expired token", "It expired"),
            ("A login to another room", "another room"),
        ):
            said = attempt(page, what)
            main = "logs 20014, 50119.*ZEGO does not accept this secret"
            in_order = f"{main}.*would also refuse it for this:.*{also}"
            expect(said).to_contain_text(re.compile(in_order, re.DOTALL))

    def test_the_incident_scenario_works_with_the_usual_cache_time(
        self, new_context: NewContext, remembering_stack: LocalStack
    ) -> None:
        page = new_context().new_page()
        page.goto(remembering_stack.page.url)
        sign_in(page)
        get_token(page)
        reset_the_secret(page)
        expect(log_in(page)).to_contain_text("An operator must rotate to the console's value.")
        press(page, "Check now")
        expect(page.locator("#looked")).to_contain_text("is rejected")
        stage(page)
        press(page, "Check now")
        expect(page.locator("#rotation-done")).to_contain_text("Promoted")
        get_token(page)
        verdict = log_in(page)
        expect(verdict).to_contain_text("(AWSPREVIOUS)")
        expect(verdict).to_contain_text("A report makes the issuer reload the secret.")
        expect(verdict).not_to_contain_text("restart")
        report_until_accepted(page, PATIENCE_MS / 1000)
        expect(verdict).to_contain_text("Accepted: alice is in call_1")


def test_a_login_needs_a_user_and_a_room(page: Page) -> None:
    sign_in(page)
    get_token(page)
    for name in ("User id", "Room id"):
        field = page.get_by_label(name)
        before = field.input_value()
        for nothing in ("", " "):
            field.fill(nothing)
            press(page, "Log in")
            expect(page.locator("#logged-in")).to_contain_text("This uses the token above.")
            assert field.evaluate("(field) => !field.validity.valid")
        field.fill(before)


def test_every_user_name_works(page: Page, stack: LocalStack) -> None:
    stack.zego.project.accept_all()
    for name in ("a b", "ユーザー", "a/b", "mallory", "not"):
        sign_in(page, name)
        expect(attempt(page, "Another user's own room")).to_contain_text("403 not_granted")
        expect(attempt(page, "A login as another user")).to_contain_text("another user")
        for what, why in (
            ("A login to another room", "another room"),
            ("A login with an expired token", "It expired"),
        ):
            said = attempt(page, what)
            expect(said).to_contain_text(why)
            expect(said).not_to_contain_text("another user")
        get_token(page)
        expect(inspect_own(page)).to_contain_text("Good: this token is valid.")


def test_after_a_rotation_the_attempt_is_refused_for_its_room_again(
    new_context: NewContext, remembering_stack: LocalStack
) -> None:
    what = "A login to another room"
    page = new_context().new_page()
    page.goto(remembering_stack.page.url)
    sign_in(page)

    def tried() -> str:
        said = attempt(page, what)
        button = page.get_by_role("button", name=what)
        expect(button).not_to_have_attribute("aria-disabled", "true")
        return said.inner_text()

    assert "another room" in tried()
    make_current_what_zego_accepts(page)
    ended = time.monotonic() + PATIENCE_MS / 1000
    said = tried()
    while "ZEGO does not accept this secret" in said and time.monotonic() < ended:
        time.sleep(0.2)  # the issuer acts on one report per 0.5 s
        said = tried()
    assert "another room" in said
    assert "ZEGO does not accept this secret" not in said
    expect(page.locator("#log")).to_contain_text("reported 1102016")


def test_another_users_token_is_refused_before_anyone_signs_in(page: Page) -> None:
    said = page.locator("#inspected")
    press(page, "Another user")
    expect(said).to_contain_text("It is for another user, not the one who logs in (alice).")
    press(page, "Inspect")
    expect(said).to_contain_text("It is for another user, not the one who logs in (alice).")


class TestAChangeOfSession:
    @pytest.fixture
    def zego_may_answer(
        self, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
    ) -> threading.Event:
        """Until it is set, ZEGO does not respond to logins."""
        event = threading.Event()

        def answer_later(request: HttpRequest) -> None:
            if request.path == "/v1/rooms/login" and request.method == "POST":
                event.wait(PATIENCE_MS / 1000)

        monkeypatch.setattr(stack.zego, "intercept", answer_later)
        return event

    def test_drops_the_result_of_a_login(
        self, page: Page, zego_may_answer: threading.Event
    ) -> None:
        sign_in(page)
        get_token(page)
        page.get_by_label("User id").fill("bob")
        press(page, "Log in")
        press(page, "Sign out")
        with page.expect_response("**/operate/inspect"):
            zego_may_answer.set()
        expect(page.locator("#login button")).not_to_have_attribute("aria-disabled", "true")
        expect(page.locator("#logged-in")).to_contain_text("This uses the token above.")

    def test_drops_the_result_of_an_attempt(
        self, page: Page, zego_may_answer: threading.Event
    ) -> None:
        sign_in(page)
        with page.expect_request("**/v1/rooms/login"):
            said = attempt(page, "A login with a JWT")
        press(page, "Sign out")
        with page.expect_response("**/operate/inspect"):
            zego_may_answer.set()
        button = page.get_by_role("button", name="A login with a JWT")
        expect(button).not_to_have_attribute("aria-disabled", "true")
        expect(said).to_have_text("")

    def test_forgets_the_token_and_all_results(self, page: Page) -> None:
        sign_in(page)
        get_token(page)
        expect(inspect_own(page)).to_contain_text("A Token04")
        said = attempt(page, "A room that the access policy does not grant")
        expect(said).to_contain_text("403")
        press(page, "Sign out")
        expect(said).to_have_text("")
        expect(page.locator("#inspected")).to_have_text("")
        expect(card(page, "Inspect a token").get_by_role("textbox")).to_have_value("")


def test_all_mistakes_of_a_generator_are_shown_in_order(page: Page, server_secret: str) -> None:
    names = ("key: hex-decoded", "padding: PKCS#7 twice", "values: no payload")
    mistakes = [mistake for mistake in MISTAKES if str(mistake) in names]
    generator = with_mistakes(replace(CBC, secret=server_secret), *mistakes)
    assert generator is not None
    inspection = card(page, "Inspect a token")
    inspection.get_by_role("textbox").fill(generator.token())
    press(inspection, "Inspect")
    said = page.locator("#inspected")
    in_order = "refuses.*hex-decoded to 16 bytes.*PKCS#7 applied twice.*have no payload"
    expect(said).to_contain_text(re.compile(in_order, re.DOTALL))
    expect(said).not_to_contain_text("secret rotate")


def test_a_verdict_disappears_when_the_text_changes(page: Page) -> None:
    press(page, "Cut off")
    expect(page.locator("#inspected")).to_contain_text("It is cut off")
    card(page, "Inspect a token").get_by_role("textbox").press("End")
    page.keyboard.type("A")
    expect(page.locator("#inspected")).to_have_text("")


def test_an_hour_later_the_refusals_are_the_same(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.clock.install()
    earlier = time.time() - 7200
    with monkeypatch.context() as two_hours_ago:
        two_hours_ago.setattr(stack.identity_provider, "_clock", lambda: earlier)
        sign_in(page)
    until = page.locator("#signed-in time")
    before = until.inner_text()
    page.clock.fast_forward("02:00")
    expect(attempt(page, "A token that lives a whole day")).to_contain_text(
        "422 lifetime_out_of_range"
    )
    expect(until).not_to_have_text(before)


def test_the_focus_stays_if_a_report_fails(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: HttpRequest) -> HttpResponse | None:
        if request.method != "POST":
            return None
        allowed = ("access-control-allow-origin", request.header("origin") or "")
        return HttpResponse(403, (allowed,))

    sign_in(page)
    get_token(page)
    page.get_by_label("User id").fill("bob")
    verdict = log_in(page)
    monkeypatch.setattr(stack.api, "intercept", refuse)
    press(page, REPORT)
    expect(verdict).to_contain_text("not from the token service")
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_focused()


def test_privileges_are_for_a_room(page: Page) -> None:
    room = page.get_by_label("Room", exact=True)
    reason = page.get_by_text("Only a token for one room has privileges.")
    expect(page.get_by_label("publish")).to_be_enabled()
    expect(reason).to_be_hidden()
    room.fill(" ")
    expect(page.get_by_label("publish")).to_be_disabled()
    expect(reason).to_be_visible()
    room.fill("lobby")
    expect(page.get_by_label("publish")).to_be_enabled()


def test_the_meaning_of_the_codes_opens_by_keyboard(page: Page) -> None:
    sign_in(page)
    get_token(page)
    page.get_by_label("User id").fill("bob")
    verdict = log_in(page)
    meaning = verdict.get_by_text("ZEGO refuses the token. The codes logged just before")
    expect(meaning).to_be_hidden()
    verdict.get_by_text("What the codes mean").press("Enter")
    expect(meaning).to_be_visible()
    press(page, "A JWT")
    expect(page.locator("#inspected").get_by_text("What the codes mean")).to_be_visible()
