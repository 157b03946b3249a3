"""zego.diagnosis: all findings for each broken token, in order."""

from __future__ import annotations

import hashlib
import re
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise, product
from typing import Any, ClassVar, get_args

import pytest

from tests.support.table import table
from tests.unit.zego.diagnosis import damaged_tokens, not_tokens, other_tokens, sealed, secrets
from tests.unit.zego.diagnosis.builders import (
    CBC,
    CURRENT,
    GCM,
    IV,
    NO_SECRETS,
    NOW,
    ROOM,
    UNPADDED,
    Case,
    expecting,
    token,
)
from tests.unit.zego.diagnosis.corpus import SHORT, broken_tokens
from zego import error_codes
from zego.diagnosis.kinds import KINDS
from zego.diagnosis.model import Expected, Finding, Sdk
from zego.diagnosis.recognise import recognise
from zego.diagnosis.secrets import diagnose
from zego.diagnosis.vendors import VENDOR_TOKENS
from zego.token04 import Cipher

TOPICS = {
    "no token": not_tokens.CASES,
    "unsealed": other_tokens.UNSEALED,
    "vendor": other_tokens.VENDORS,
    "around": damaged_tokens.AROUND,
    "within": damaged_tokens.WITHIN,
    "envelope": damaged_tokens.ENVELOPES,
    "kit token": damaged_tokens.KIT_TOKENS,
    "secret": secrets.CASES,
    "claim": sealed.CLAIMS,
    "time": sealed.TIMES,
    "payload": sealed.PAYLOADS,
    "iv": sealed.IVS,
}
#: Each mistake of a generator alone: all of it is found, and nothing else.
TOPICS["generator"] = [
    Case(
        one.name,
        one.text,
        tuple(kind for kind in KINDS if kind in one.kinds),
        dict(one.secrets),
        verdict="good"
        if {KINDS[kind].severity for kind in one.kinds} != {"refused"}
        else "refused",
        opened_by=[*one.secrets][-1],
    )
    for one in broken_tokens(1, SHORT)
]
#: Found only without a secret; other tests cover it.
OVER_HTTP = {"not-opened-here"}
CASES = [
    pytest.param(case, id=f"{topic}: {case}") for topic, cases in TOPICS.items() for case in cases
]
ALL = [case for cases in TOPICS.values() for case in cases]


@cache
def all_findings() -> dict[str, list[Finding]]:
    """The findings of all cases, by kind."""
    findings: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
    for case in ALL:
        for finding in case.diagnosis.findings:
            findings[finding.kind].append(finding)
    return findings


@table("case", CASES)
def test_every_problem_is_found_the_most_decisive_first(case: Case) -> None:
    diagnosis = case.diagnosis
    assert tuple(finding.kind for finding in diagnosis.findings) == case.finds
    assert (diagnosis.verdict, diagnosis.form) == (case.verdict, case.form)
    assert diagnosis.opened_by == case.opened_by


def test_there_are_at_least_90_broken_tokens() -> None:
    assert sum(bool(case.finds) for case in ALL) >= 90


every_kind = table("kind", KINDS)


class TestKinds:
    @every_kind
    def test_some_case_has_it_as_its_first_finding(self, kind: str) -> None:
        firsts = {case.finds[0] for case in ALL if case.finds}
        assert kind in firsts | OVER_HTTP | {"secret-not-judged"}  # it follows another

    @every_kind
    def test_a_diagnosis_with_secrets_finds_every_kind_but_those_of_http(self, kind: str) -> None:
        assert bool(all_findings()[kind]) == (kind not in OVER_HTTP)

    @every_kind
    def test_its_texts_are_complete_sentences(self, kind: str) -> None:
        for finding in all_findings()[kind]:
            for text in (finding.cause, finding.remedy):
                assert text[0].isupper()
                assert text.endswith((".", "?"))
                assert not text.endswith("..")
                assert "  " not in text
                assert not re.search(r"{\w+}|\b(\w+) \1\b", text), text

    @every_kind
    def test_its_codes_are_known(self, kind: str) -> None:
        codes = {code for codes in KINDS[kind].codes.values() for code in codes}
        assert codes <= error_codes.CODES.keys()

    @every_kind
    def test_each_code_belongs_to_the_sdk_that_shows_it(self, kind: str) -> None:
        for sdk, codes in KINDS[kind].codes.items():
            assert all(sdk in error_codes.CODES[code].platforms for code in codes)

    @every_kind
    def test_the_code_that_the_app_sees_follows_the_logged_ones(self, kind: str) -> None:
        codes = KINDS[kind].codes.get("web", ())
        for before, code in pairwise(codes):
            shown_as = error_codes.CODES[before].shown_as
            assert shown_as in codes, (before, code)
        assert not codes or error_codes.CODES[codes[-1]].shown_as is None

    @every_kind
    def test_a_refusal_names_a_code(self, kind: str) -> None:
        assert KINDS[kind].severity != "refused" or KINDS[kind].codes


class TestSdks:
    """If the SDK is known, codes and severities are those of that SDK."""

    @pytest.mark.parametrize("sdk", get_args(Sdk))
    def test_the_codes_are_those_of_that_sdk(self, sdk: Sdk) -> None:
        finding = diagnose("hello", CURRENT, expecting(sdk=sdk)).findings[0]
        assert set(finding.codes) == {sdk}

    def test_uikit_shows_the_codes_of_web(self) -> None:
        web, uikit = (
            diagnose("hello", CURRENT, expecting(sdk=sdk)).findings[0].codes[sdk]
            for sdk in ("web", "uikit")
        )
        assert web == uikit == (20014, 50119, 1102016)

    def test_without_an_sdk_the_codes_of_all_sdks_are_listed(self) -> None:
        assert diagnose("hello", CURRENT, Expected(NOW)).findings[0].codes == {
            "web": (20014, 50119, 1102016),
            "native": (1002033,),
            "zim": (6000103,),
        }

    @pytest.mark.parametrize(
        ("kind", "codes"),
        [
            ("empty", {"web": (1100001,), "native": (1002067,), "zim": (6000103,)}),
            ("jwt", {"web": (20014, 50119, 1102016), "native": (1002033,), "zim": (6000103,)}),
            ("older-token", {"native": (1002079,), "zim": (6000107,)}),
            ("other-secret", {"web": (20014, 50119, 1102016), "native": (1002033,)}),
            ("app-id-mismatch", {"web": (20014, 50119, 1102016), "native": (1002076,)}),
            ("app-id-wrong-type", {"web": (50120, 1102016), "native": (1002076,)}),
            ("user-id-mismatch", {"web": (50119, 1102016), "native": (1002077,)}),
            ("user-id-wrong-type", {"web": (50120, 1102016), "native": (1002077,)}),
            ("user-id-too-long", {"web": (1002007,), "native": (1002007,)}),
            ("user-id-characters", {"web": (1002006,)}),
            ("room-id-too-long", {"web": (1002013,), "native": (1002013,)}),
            ("room-id-characters", {"web": (1002012,)}),
            ("nonce-wrong-type", {"native": (1002080,)}),
            ("claims-not-json", {"native": (1002074,)}),
            ("payload-wrong-type", {"web": (50120, 1102016), "native": (1002075,)}),
            ("expire-wrong-type", {"native": (1002078,)}),
            ("expired", {"web": (50117, 1102018), "native": (1002078,), "zim": (6000106,)}),
            ("expires-within-30s", {"zim": (6000108,)}),
            ("room-mismatch", {"web": (1102020,)}),
            ("no-publish", {"native": (1002082,)}),
        ],
    )
    def test_the_codes_of_a_kind(self, kind: str, codes: Mapping[str, tuple[int, ...]]) -> None:
        assert codes.items() <= KINDS[kind].codes.items()

    @pytest.mark.parametrize("sdk", get_args(Sdk))
    def test_a_finding_with_a_code_of_the_sdk_is_a_refusal(self, sdk: Sdk) -> None:
        for case in ALL:
            expected = replace(case.expected, sdk=sdk)
            for finding in diagnose(case.text, case.secrets, expected).findings:
                is_alone = finding.kind == "no-publish" or finding.kind.startswith("secret-")
                assert finding.codes.keys() <= {sdk}, case
                assert finding.severity == "refused" or is_alone or not finding.codes, case


class TestTexts:
    """The texts contain the details of the token."""

    @table(
        ("topic", "name", "says"),
        [
            ("no token", "a JWT", "(HS256)"),
            ("no token", "a JWT without a signature", "(none)"),
            ("no token", "a JWT that names no algorithm", "(no algorithm named)"),
            ("no token", "a JWT with a strange algorithm", "(non-standard algorithm)"),
            ("no token", "an encrypted JWT", "(RSA-OAEP-256)"),
            ("no token", "a JWT's beginning, as in a log", "(cut off)"),
            ("no token", "undefined", "JavaScript's undefined"),
            ("no token", "a promise", "a promise that was not awaited"),
            ("no token", "an object", "an object"),
            ("no token", "a Token03", "a Token03,"),
            ("no token", "a Token01", "a Token01,"),
            (
                "no token",
                "a ServerSecret",
                "32 hexadecimal digits, not a token: perhaps a ServerSecret",
            ),
            ("no token", "an AppSign", "64 hexadecimal digits, not a token: perhaps an AppSign"),
            ("no token", "a SHA-1", "40 hexadecimal digits, not a token: perhaps a SHA-1 hash"),
            ("no token", "a longer hash", "128 hexadecimal digits, not a token: perhaps a hash"),
            ("no token", "a UUID", "a UUID"),
            ("no token", "a million characters", "1000006 characters"),
            ("no token", "claims in the clear", "claims that were never encrypted"),
            ("no token", "a refusal of the service", "probably an error"),
            ("no token", "the details of a kit token", "a kit token after the #"),
            ("no token", "claims in base64", "never encrypted: the claims of a token"),
            ("unsealed", "04, base64 of JSON, hex (alice)", "an HMAC-SHA256 (inferred from its 32"),
            ("unsealed", "04, base64 of JSON, hex (alice)", "in base64 that was signed but"),
            ("unsealed", "hex of JSON and bytes (alice)", "in hexadecimal digits that was signed"),
            ("unsealed", "JSON with a payload . hex", "in plain text that was signed"),
            ("unsealed", "a signature that was cut", "with 10 characters that may be a signature"),
            ("unsealed", "signed JSON with names that ZEGO does not know", "does not know, with"),
            ("unsealed", "04 and JSON that was cut", "(cut off, or not valid JSON)"),
            ("unsealed", "04 and the payload unescaped", "(cut off, or not valid JSON)"),
            ("unsealed", "compressed JSON", "in base64 (compressed) that"),
            ("unsealed", "JSON in the envelope, IV b'', padded", "in the envelope of a Token04"),
            (
                "unsealed",
                "04 and JSON",
                "of a token (app_id, user_id, nonce, ctime, expire, payload).",
            ),
            (
                "unsealed",
                "signed JSON in the envelope",
                "ciphertext belongs, with what is probably",
            ),
            ("vendor", "Fernet (1)", "It is a Fernet token, not a Token04."),
            ("around", "HTML's entities", "escaped as in HTML"),
            ("around", "slashes as PHP writes them", "backslashes"),
            ("around", "quoted-printable mail", "escaped as in e-mail"),
            ("within", "a zero-width space", "U+200B"),
            ("within", "a Cyrillic letter", "U+0430"),
            ("within", "all small letters", "changed to lower case"),
            ("within", "all capital letters", "changed to upper case"),
            ("within", "a character that base64 does not have", "character 100 "),
            ("within", "three = at its end", "more than two ="),
            ("within", "a character changed", "its GCM tag does not match"),
            ("within", "the 04 alone", "within its expiry"),
            ("within", "cut at 254 characters", "bytes before the end of its sealed claims"),
            ("within", "cut at 255 characters", "in the middle of a byte"),
            ("envelope", "bytes behind CBC", " 3 bytes"),
            ("envelope", "an IV longer than the token", "9999 bytes"),
            ("kit token", "details with an AppID that is not a number", "appID"),
            ("kit token", "details of another room", "in the token: roomID"),
            ("kit token", "details of another user than was expected", "what was expected: userID"),
            ("kit token", "details of a third user", "in the token: userID"),
            ("secret", "AWSPENDING", "AWSPENDING"),
            ("secret", "CANDIDATE", "CANDIDATE"),
            ("secret", "two other secrets", "(AWSCURRENT, AWSPREVIOUS)"),
            ("secret", "a short secret is given", "it has 31 characters"),
            ("secret", "hex-decoded to AES-128", "to 16 bytes"),
            ("secret", "hex-decoded and filled up", "to 16 bytes"),
            ("secret", "read with a space", "white space in front of it"),
            ("secret", "read with a byte order mark", "a byte order mark in front of it"),
            ("secret", "in upper case", "in upper case"),
            ("secret", "hashed with MD5", "with MD5"),
            ("secret", "cut to 24 bytes", "cut to 24 bytes"),
            ("secret", "decoded as base64", "base64"),
            ("secret", "a secret of another project", "to AppID 5"),
            ("secret", "two other secrets", "Not tried: AppSign, CallbackSecret."),
            ("generator", "gcm, expiry: little-endian", "is little-endian."),
            ("generator", "gcm, expiry: four bytes", "is 4 bytes long."),
            ("generator", "gcm, expiry: milliseconds", "is in milliseconds."),
            ("generator", "gcm, expiry: missing", "is missing."),
            ("generator", "gcm, iv_length: one byte", "is 1 byte long."),
            ("generator", "cbc, length: little-endian", "is little-endian."),
            ("generator", "cbc, length: of the plaintext", "of the claims before encryption."),
            ("generator", "cbc, length: of the base64", "of the base64 of the ciphertext."),
            ("generator", "gcm, length: without the tag", "of the ciphertext without the tag."),
            ("generator", "gcm, tag: in front", "is before the ciphertext."),
            ("generator", "gcm, tag: in its own field", "is in a separate field."),
            ("generator", "gcm, tag: missing", "is missing."),
            ("generator", "gcm, order: the IV behind", "behind the ciphertext"),
            ("generator", "gcm, aad: 04", "the prefix 04"),
            ("generator", "cbc, padding: PKCS#7 twice", "PKCS#7 applied twice"),
            ("generator", "cbc, padding: zero bytes", "zero bytes"),
            ("generator", "cbc, mode: ECB", "the mode ECB"),
            ("generator", "cbc, mode: CTR", "the mode CTR"),
            ("generator", "cbc, encoding: gzip", "are compressed"),
            ("generator", "cbc, syntax: Python's repr", "a Python dict"),
            ("generator", "cbc, names: appId, userId", "appId for app_id, userId for user_id"),
            ("envelope", "the expiry in the upper half of its field", "in the upper 4"),
            ("envelope", "a lifetime", "a lifetime"),
            ("claim", "without an expiry", "missing: expire"),
            ("claim", "app_id as text", "a string"),
            ("claim", "app_id as a fraction", "a fraction"),
            ("claim", "app_id as true", "a boolean"),
            ("claim", "user_id null", "null"),
            ("claim", "nonce of 65 bits", "a number out of range"),
            ("claim", "nonce infinite", "a number out of range"),
            ("claim", "another user", "(bob)."),
            ("claim", "the user in capitals", "only in case"),
            ("claim", "the user and a space", "only in white space"),
            ("claim", "auth0|5", "the character |,"),
            ("time", "expired", "2 h ago"),
            ("time", "lives 29 s", "lifetime is 29 s"),
            ("time", "ends before it begins", "from now"),
            ("time", "expire 3600", "is 3600,"),
            ("time", "milliseconds", "(ctime and expire) are in milliseconds"),
            ("time", "ctime in milliseconds, and expired", "ago"),
            ("time", "nanoseconds", "in nanoseconds"),
            ("time", "expire negative", "negative"),
            ("time", "issued tomorrow", "1 d from now"),
            ("time", "a year, for web", "365 d from now"),
            ("payload", "an empty room", "empty"),
            ("payload", "a room as a number", "a number"),
            ("payload", "streams as numbers", "an array with other values"),
            ("payload", "privileges by name", "keys other than 1 and 2"),
            ("payload", "privileges as true", "values are not"),
            ("payload", "a stream of 256 bytes", "256 bytes"),
            ("iv", "zeros", "all zeros"),
            ("iv", "hexadecimal digits", "only of hexadecimal digits"),
        ],
    )
    def test_the_cause_contains_the_detail(self, topic: str, name: str, says: str) -> None:
        (case,) = (one for one in TOPICS[topic] if one.name == name)
        assert says in case.diagnosis.findings[0].cause


class TestTokensThatWereNeverSealed:
    """They are recognised by their form, and no other text is taken for one."""

    KINDS: ClassVar = {"other-vendor", "signed-not-sealed", "json-in-base64", "jwt"}

    def test_signed_json_is_found_however_it_is_written_and_whatever_its_length(self) -> None:
        said = "the claims of a token (app_id, user_id, nonce, ctime, expire, payload), with"
        missed = {}
        for name, text, size in other_tokens.signed_texts():
            (finding,) = diagnose(text, NO_SECRETS, Expected(NOW)).findings
            if finding.kind != "signed-not-sealed" or said not in finding.cause:
                missed[name] = finding.kind
            elif f"(inferred from its {size} bytes)" not in finding.cause:
                missed[name] = finding.cause
        assert not missed

    @table(("vendor", "texts"), other_tokens.VENDOR_TEXTS.items())
    def test_a_token_of_another_vendor_is_named(self, vendor: str, texts: tuple[str, ...]) -> None:
        for text in texts:
            (finding,) = diagnose(text, CURRENT, Expected(NOW)).findings
            assert vendor in finding.cause

    @table(("vendor", "jwts"), other_tokens.VENDOR_JWTS.items())
    def test_a_jwt_of_a_known_vendor_says_whose_it_is(self, vendor: str, jwts: Any) -> None:
        for header, claims in jwts:
            text = other_tokens.jwt_of(header, claims)
            (finding,) = diagnose(text, CURRENT, Expected(NOW)).findings
            assert " By its header and claims, it is " in finding.cause
            assert vendor in finding.cause

    @table("claims", other_tokens.UNKNOWN_CLAIMS)
    def test_any_other_jwt_says_nothing_more(self, claims: dict[str, object]) -> None:
        text = other_tokens.jwt_of({}, claims)
        (finding,) = diagnose(text, CURRENT, Expected(NOW)).findings
        assert finding.cause.startswith(
            "It is a JWT (HS256), not a Token04. ZEGO refuses every JWT"
        )

    def test_every_vendor_has_a_case(self) -> None:
        causes = [case.diagnosis.findings[0].cause for case in other_tokens.VENDORS]
        names = [vendor.name for vendor in VENDOR_TOKENS]
        assert [name for name in names if not any(name in cause for cause in causes)] == []

    def test_a_compressed_text_is_expanded_only_a_little(self) -> None:
        name = "a small text that expands to a large one"
        (case,) = (one for one in other_tokens.UNSEALED if one.name == name)
        tracemalloc.start()
        try:
            recognise(case.text)
            assert tracemalloc.get_traced_memory()[1] < other_tokens.MANY / 10
        finally:
            tracemalloc.stop()

    def test_a_good_token_is_never_taken_for_one(self) -> None:
        for number in range(500):
            iv = hashlib.sha512(bytes([number % 256, number // 256])).digest()
            for cipher in get_args(Cipher):
                made = token(cipher, iv=iv[: len(IV[cipher])], user_id=f"u{number}")
                assert diagnose(made, CURRENT, Expected(NOW)).findings == ()

    @pytest.mark.parametrize("made", [GCM, CBC, ROOM, UNPADDED], ids=["gcm", "cbc", "room", "bare"])
    def test_a_damaged_token_is_never_taken_for_one(self, made: str) -> None:
        for at, character in product(range(len(made)), "A=.:e"):
            for text in (made[:at], made[at:], made[:at] + character + made[at + 1 :]):
                problems = {problem.kind for problem in recognise(text).problems}
                assert not problems & self.KINDS, (at, character)
