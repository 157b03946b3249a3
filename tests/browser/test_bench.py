"""The test bench: any token, each mistake, and verdicts that match ZEGO's."""

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
    HIDE,
    choose,
    console_secret,
    get_a_token_of_the_current_secret,
    get_token,
    log_in,
    make_current_what_zego_accepts,
    press,
    renew_until,
    report_until_accepted,
    reset_the_secret,
    rotate,
    says,
    stage,
    talk,
    unfold,
)
from tests.support.tiers import only_proved, tier
from tests.unit.zego.diagnosis.generators import CBC, MISTAKES, with_mistakes

#: Of the issuer that reloads its secret soon.
HANDLERS = Path(__file__).parents[1] / "support" / "handlers"
REPORT = "Report the refusal, get a new token, log in"


def inspect_own(page: Page) -> Locator:
    press(unfold(page, "inspector"), "Inspect the token above")
    return page.locator("#inspected")


def attempt(page: Page, what: str) -> Locator:
    """Makes one of the refused attempts and returns its result."""
    mistakes = unfold(page, "mistakes")
    press(mistakes, what)
    return mistakes.get_by_role("listitem").filter(has_text=what).locator("[role=status]")


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
        get_a_token_of_the_current_secret(page)
        page.get_by_label("Keep accepting the old one").check()
        reset_the_secret(page)
        stage(page)
        rotate(page)
        expect(log_in(page)).to_contain_text("Accepted: alice is in call_1")
        said = inspect_own(page)
        expect(said).to_contain_text("Good: this token is valid.")
        expect(said).to_contain_text("(AWSPREVIOUS)")
        expect(said).to_contain_text("Its secret is no longer in use, but ZEGO still accepts it.")
        expect(said).not_to_contain_text("restart")

    def test_awscurrent_is_not_good_once_zego_rejects_it(self, page: Page) -> None:
        make_current_what_zego_accepts(page)
        get_a_token_of_the_current_secret(page)
        reset_the_secret(page)
        said = inspect_own(page)
        expect(said).to_contain_text("The token is well formed, but ZEGO rejects its secret.")
        expect(said).to_contain_text("20014, 50119, 1102016")
        expect(said).to_contain_text("An operator must rotate to the console's value.")
        expect(said).not_to_contain_text("Good")

    def test_one_that_is_no_longer_stored_is_good_while_zego_accepts_it(self, page: Page) -> None:
        make_current_what_zego_accepts(page)
        get_a_token_of_the_current_secret(page)
        sealed_with = page.locator("#bench .sealed")
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
        unfold(page, "bench").get_by_label("User id").fill("mallory")
        verdict = log_in(page)
        expect(verdict).to_contain_text("another user")
        expect(verdict).not_to_contain_text("none of the secrets tried")

    def test_after_two_rotations_the_remedy_is_a_new_token(self, page: Page) -> None:
        make_current_what_zego_accepts(page)
        get_a_token_of_the_current_secret(page)
        for _ in range(2):
            make_current_what_zego_accepts(page)
        verdict = log_in(page)
        expect(verdict).to_contain_text("(not stored here).")
        expect(verdict).to_contain_text("get a new token.")
        expect(verdict).not_to_contain_text("none of the secrets tried")

    def test_a_rejected_secret_is_explained_before_other_findings(self, page: Page) -> None:
        reset_the_secret(page)
        for what, also in (
            ("A login with an expired token", "It expired"),
            ("A login to another room", "another room"),
        ):
            said = attempt(page, what)
            main = "ZEGO does not accept the secret.*would also refuse it for this:"
            in_order = f"{main}.*{also}.*logs 20014, 50119"
            expect(said).to_contain_text(re.compile(in_order, re.DOTALL))

    def test_the_incident_scenario_works_with_the_usual_cache_time(
        self, new_context: NewContext, remembering_stack: LocalStack
    ) -> None:
        page = new_context().new_page()
        page.goto(remembering_stack.page.url)
        get_token(page)
        reset_the_secret(page)
        expect(log_in(page)).to_contain_text("An operator must rotate to the console's value.")
        press(page, "Check now")
        expect(page.locator("#looked")).to_contain_text("ZEGO rejected")
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
    get_token(page)
    for name in ("User id", "Room id"):
        field = page.get_by_label(name)
        before = field.input_value()
        for nothing in ("", " "):
            field.fill(nothing)
            press(unfold(page, "bench"), "Log in")
            expect(page.locator("#logged-in")).to_contain_text("This uses the token above.")
            assert field.evaluate("(field) => !field.validity.valid")
        field.fill(before)


@pytest.mark.exhaustive
def test_every_user_name_works(page: Page, stack: LocalStack) -> None:
    stack.zego.project.accept_all()
    names = ("a b", "ユーザー", "a/b", "mallory", "not")
    for name in tier(test=names[1:4:2], prove=names):
        choose(page, name)
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


@pytest.mark.exhaustive
@only_proved
def test_after_a_rotation_the_attempt_is_refused_for_its_room_again(
    new_context: NewContext, remembering_stack: LocalStack
) -> None:
    what = "A login to another room"
    page = new_context().new_page()
    page.goto(remembering_stack.page.url)

    def tried() -> str:
        said = attempt(page, what)
        button = page.get_by_role("button", name=what)
        expect(button).not_to_have_attribute("aria-disabled", "true")
        return said.inner_text()

    assert "another room" in tried()
    make_current_what_zego_accepts(page)
    ended = time.monotonic() + PATIENCE_MS / 1000
    said = tried()
    while "ZEGO does not accept the secret" in said and time.monotonic() < ended:
        time.sleep(0.2)  # the issuer acts on one report per 0.5 s
        said = tried()
    assert "another room" in said
    assert "ZEGO does not accept the secret" not in said
    expect(page.locator("#log")).to_contain_text("reported 1102016")


@pytest.mark.exhaustive
@only_proved
def test_a_call_goes_on_while_its_client_logs_in_with_a_token_of_the_new_secret(
    new_context: NewContext, remembering_stack: LocalStack
) -> None:
    """The issuer has the old secret cached, so `bindTo` reports a refusal and logs in again."""
    page = new_context().new_page()
    page.goto(remembering_stack.page.url)
    talk(page)
    make_current_what_zego_accepts(page)
    renewed = renew_until(page, "alice", "accepts", PATIENCE_MS / 1000)
    expect(renewed).to_contain_text("ZEGO accepts the token")
    expect(page.locator("#log")).to_contain_text("reported 1102016")
    for name, other in (("alice", "bob"), ("bob", "alice")):
        expect(says(page, name)).to_have_text(f"In a call with {other}")


def test_another_users_token_is_refused_before_anyone_signs_in(page: Page) -> None:
    said = page.locator("#inspected")
    press(unfold(page, "inspector"), "Another user")
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
        get_token(page)
        unfold(page, "bench").get_by_label("User id").fill("bob")
        press(unfold(page, "bench"), "Log in")
        choose(page, "bob")
        with page.expect_response("**/operate/inspect"):
            zego_may_answer.set()
        expect(page.locator("#login button")).not_to_have_attribute("aria-disabled", "true")
        expect(page.locator("#logged-in")).to_contain_text("This uses the token above.")

    def test_drops_the_result_of_an_attempt(
        self, page: Page, zego_may_answer: threading.Event
    ) -> None:
        with page.expect_request("**/v1/rooms/login"):
            said = attempt(page, "A login with a JWT")
        choose(page, "bob")
        with page.expect_response("**/operate/inspect"):
            zego_may_answer.set()
        button = page.get_by_role("button", name="A login with a JWT")
        expect(button).not_to_have_attribute("aria-disabled", "true")
        expect(said).to_have_text("")

    def test_forgets_the_token_and_all_results(self, page: Page) -> None:
        get_token(page)
        expect(inspect_own(page)).to_contain_text("A Token04")
        said = attempt(page, "A room that the access policy does not grant")
        expect(said).to_contain_text("403")
        choose(page, "bob")
        expect(said).to_have_text("")
        expect(page.locator("#inspected")).to_have_text("")
        expect(unfold(page, "inspector").get_by_role("textbox")).to_have_value("")


def test_all_mistakes_of_a_generator_are_shown_in_order(page: Page, server_secret: str) -> None:
    names = ("key: hex-decoded", "padding: PKCS#7 twice", "values: no payload")
    mistakes = [mistake for mistake in MISTAKES if str(mistake) in names]
    generator = with_mistakes(replace(CBC, secret=server_secret), *mistakes)
    assert generator is not None
    inspection = unfold(page, "inspector")
    inspection.get_by_role("textbox").fill(generator.token())
    press(inspection, "Inspect")
    said = page.locator("#inspected")
    in_order = "refuses.*hex-decoded to 16 bytes.*PKCS#7 applied twice.*have no payload"
    expect(said).to_contain_text(re.compile(in_order, re.DOTALL))
    expect(said).not_to_contain_text("secret rotate")


def test_a_verdict_disappears_when_the_text_changes(page: Page) -> None:
    press(unfold(page, "inspector"), "Cut off")
    expect(page.locator("#inspected")).to_contain_text("It is cut off")
    unfold(page, "inspector").get_by_role("textbox").press("End")
    page.keyboard.type("A")
    expect(page.locator("#inspected")).to_have_text("")


def test_an_hour_later_the_refusals_are_the_same(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.clock.install()
    earlier = time.time() - 7200
    moments = iter([earlier])  # of the first sign-in
    monkeypatch.setattr(stack.identity_provider, "_clock", lambda: next(moments, time.time()))
    page.clock.fast_forward("02:00")
    expect(attempt(page, "A token that lives a whole day")).to_contain_text(
        "422 lifetime_out_of_range"
    )


def test_the_focus_stays_if_a_report_fails(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: HttpRequest) -> HttpResponse | None:
        if request.method != "POST":
            return None
        allowed = ("access-control-allow-origin", request.header("origin") or "")
        return HttpResponse(403, (allowed,))

    get_token(page)
    unfold(page, "bench").get_by_label("User id").fill("bob")
    verdict = log_in(page)
    monkeypatch.setattr(stack.api, "intercept", refuse)
    press(page, REPORT)
    expect(verdict).to_contain_text("not from the token service")
    expect(page.get_by_role("button", name="Log in", exact=True)).to_be_focused()


def test_privileges_are_for_a_room(page: Page) -> None:
    room = unfold(page, "bench").get_by_label("Room", exact=True)
    reason = page.get_by_text("Only a token for one room has privileges.")
    expect(unfold(page, "bench").get_by_label("publish")).to_be_enabled()
    expect(reason).to_be_hidden()
    room.fill(" ")
    expect(unfold(page, "bench").get_by_label("publish")).to_be_disabled()
    expect(reason).to_be_visible()
    room.fill("lobby")
    expect(unfold(page, "bench").get_by_label("publish")).to_be_enabled()


def test_the_meaning_of_the_codes_opens_by_keyboard(page: Page) -> None:
    get_token(page)
    unfold(page, "bench").get_by_label("User id").fill("bob")
    verdict = log_in(page)
    meaning = verdict.get_by_text("ZEGO refuses the token. The codes logged just before")
    expect(meaning).to_be_hidden()
    verdict.get_by_text("What the codes mean").press("Enter")
    expect(meaning).to_be_visible()
    press(unfold(page, "inspector"), "A JWT")
    expect(page.locator("#inspected").get_by_text("What the codes mean")).to_be_visible()


def test_a_user_gets_a_token_and_is_accepted(page: Page, stack: LocalStack) -> None:
    press(unfold(page, "inspector"), "Inspect the token above")
    expect(page.locator("#inspected")).to_have_text("Get a token first.")
    choose(page, "bob")
    unfold(page, "bench").get_by_label("Room", exact=True).fill("bob_desk")
    unfold(page, "bench").get_by_label("publish").uncheck()
    get_token(page)
    expect(page.locator("#asked")).to_contain_text("A token for bob in room bob_desk: login.")
    page.get_by_text("What is in it").last.click()
    envelope = page.get_by_role("table")
    expect(envelope.get_by_role("row", name="IV 12")).to_be_visible()
    expect(envelope.get_by_role("row", name="mode 1")).to_contain_text("AES-GCM")
    expect(page.locator("#bench .sealed")).to_contain_text('"room_id":"bob_desk"')
    expect(page.locator("#bench .sealed")).to_contain_text(console_secret(stack))
    expect(page.locator("#asked-token [role=timer]")).to_contain_text(
        re.compile(r"Renew in 5\d:\d\d")
    )
    expect(log_in(page)).to_contain_text("Accepted: bob is in bob_desk")


def test_the_countdown_runs_to_the_renewal_and_to_the_expiry(page: Page) -> None:
    page.clock.install()
    get_token(page)
    timer = page.locator("#asked-token [role=timer]")
    expect(timer).to_contain_text("expires in")
    page.clock.fast_forward("56:00")
    expect(timer).to_contain_text("Renewal is due")
    page.clock.fast_forward("05:00")
    expect(timer).to_contain_text("expired")


def test_an_expired_bearer_token_is_replaced_once(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_token(page)
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
    refusals = unfold(page, "mistakes")
    assert refusals.get_by_role("button").all_inner_texts() == list(REFUSALS)
    for attempt, (response, why) in REFUSALS.items():
        press(refusals, attempt)
        said = refusals.get_by_role("listitem").filter(has_text=attempt).get_by_role("status")
        expect(said).to_contain_text(response)
        expect(said).to_contain_text(why)


def test_a_refusal_is_shown_with_the_reason_from_the_audit_log(page: Page) -> None:
    unfold(page, "bench").get_by_label("Room", exact=True).fill("bob_desk")
    press(unfold(page, "bench"), "Get a token")
    said = page.locator("#asked")
    expect(said).to_contain_text("403 not_granted")
    expect(said.get_by_role("definition").first).to_have_text("no rule matches")


def test_a_pasted_jwt_is_explained(page: Page) -> None:
    inspection = unfold(page, "inspector")
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
    inspection = unfold(page, "inspector")
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
    inspection = unfold(page, "inspector")
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


def test_if_a_token_cannot_be_decrypted_the_reason_is_shown(
    page: Page, stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(request: HttpRequest) -> HttpResponse | None:
        if request.path != "/operate/inspect":
            return None
        return HttpResponse(409, (("content-type", "application/json"),), b'{"error": "Not now."}')

    monkeypatch.setattr(stack.page, "intercept", refuse)
    press(unfold(page, "bench"), "Get a token")
    expect(page.locator("#bench .sealed")).to_have_text("Not now.")


def test_below_a_refusal_the_earlier_token_is_labelled(page: Page) -> None:
    room = unfold(page, "bench").get_by_label("Room", exact=True)
    said = page.locator("#asked")
    below = "The token below is the previous one, for"
    room.fill("bob_desk")
    press(unfold(page, "bench"), "Get a token")
    expect(said).to_contain_text("403 not_granted")
    expect(said).not_to_contain_text(below)
    room.fill("call_1")
    get_token(page)
    room.fill("bob_desk")
    press(unfold(page, "bench"), "Get a token")
    expect(said).to_contain_text(f"{below} room call_1.")


def test_a_reason_that_arrives_late_is_filled_in(page: Page) -> None:
    unfold(page, "bench").get_by_label("Room", exact=True).fill("bob_desk")
    page.evaluate(HIDE, True)
    press(unfold(page, "bench"), "Get a token")
    said = page.locator("#asked")
    expect(said).to_contain_text("waiting for it")
    page.evaluate(HIDE, False)
    expect(said).to_contain_text("no rule matches")


def test_a_text_that_is_too_long_for_a_token_is_refused_not_cut(page: Page) -> None:
    inspection = unfold(page, "inspector")
    inspection.get_by_label("The token, exactly as the SDK got it").fill("x" * 40_000)
    press(inspection, "Inspect")
    said = inspection.get_by_role("status")
    expect(said).to_contain_text("This text has 40000 characters; a token has at most 16384")
