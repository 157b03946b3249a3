"""zego.diagnosis with the tokens of the vendor's generators."""

from __future__ import annotations

from tests.support.table import table
from tests.unit.zego.diagnosis.builders import IV
from tests.unit.zego.vendor_tokens import VendorToken, vendor_tokens
from zego import token04
from zego.diagnosis.model import Diagnosis, Expected, TriedSecret
from zego.diagnosis.secrets import diagnose
from zego.token04 import Claims

VENDOR_TOKENS = vendor_tokens()

#: The findings that the cases were made for. A case that is missing here has no findings.
WRONG = {
    "unicode_user": ("user-id-characters",),
    "rtc_login_only": ("no-publish",),
    "rtc_publish_streams_24d": ("room-id-characters",),
    "escapes": ("user-id-characters", "room-id-characters", "lifetime-under-30s", "no-publish"),
    "user64": ("user-id-too-long",),
    "plain_len_mult16": ("payload-not-json",),
}


def kinds(diagnosis: Diagnosis) -> tuple[str, ...]:
    return tuple(finding.kind for finding in diagnosis.findings)


def when_made(vendor: VendorToken) -> int:
    return token04.decode(vendor.token, vendor.secret).claims.issued_at


def looked_at(vendor: VendorToken, token: str) -> Diagnosis:
    expected = Expected(when_made(vendor), vendor.app_id, vendor.user_id)
    return diagnose(token, {"AWSCURRENT": TriedSecret(vendor.secret, vendor.app_id)}, expected)


@table("vendor", VENDOR_TOKENS, ids=str)
def test_only_the_intended_problem_of_a_case_is_found(vendor: VendorToken) -> None:
    is_drawn = vendor.fixed is None  # by the generator, of which this one draws hex digits
    has_weak_iv = is_drawn and (vendor.generator, vendor.cipher) == ("python", "cbc")
    wrong = WRONG.get(vendor.case.removeprefix("KAT_"), ())
    expected = {*wrong, "weak-iv"} if has_weak_iv else {*wrong}
    diagnosis = looked_at(vendor, vendor.token)
    assert (set(kinds(diagnosis)), len(kinds(diagnosis))) == (expected, len(expected))
    assert (diagnosis.cipher, diagnosis.opened_by) == (vendor.cipher, "AWSCURRENT")


@table("vendor", VENDOR_TOKENS, ids=str)
def test_a_good_token_of_its_project_has_no_finding(vendor: VendorToken) -> None:
    user_id = (
        "alice" if vendor.case.endswith(("unicode_user", "escapes", "user64")) else vendor.user_id
    )
    now = when_made(vendor)
    good = token04.encode(
        Claims(vendor.app_id, user_id, 7, now, now + 3600),
        vendor.secret,
        cipher=vendor.cipher,
        iv=IV[vendor.cipher],
    )
    expected = Expected(now, vendor.app_id, user_id)
    diagnosis = diagnose(good, {"given": TriedSecret(vendor.secret, vendor.app_id)}, expected)
    assert (kinds(diagnosis), diagnosis.verdict) == ((), "good")


@table("vendor", VENDOR_TOKENS, ids=str)
def test_years_later_it_has_expired(vendor: VendorToken) -> None:
    expected = Expected(when_made(vendor) + 10 * 365 * 86400)
    diagnosis = diagnose(vendor.token, {"given": TriedSecret(vendor.secret)}, expected)
    assert "expired" in kinds(diagnosis)
