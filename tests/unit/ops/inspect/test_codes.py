"""Whether a token explains the codes that a client showed."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, get_args

import pytest

from ops import cli
from ops.errors import ExitCode
from ops.inspect.codes import CodeExplanation, SeenCode
from tests.unit.ops.tokens import APP_ID, NOW, SECRET, jwt, room_token, token
from zego.diagnosis.kinds import KINDS
from zego.diagnosis.model import Diagnosis, Expected, Finding, Sdk, TriedSecret, found
from zego.diagnosis.secrets import diagnose
from zego.error_codes import CODES, resolve

Capture = pytest.CaptureFixture[str]
TEXTS = {
    "a JWT": jwt(),
    "a good token": room_token(),
    "an expired token": token(issued_at=NOW - 7200),
    "an expired token of a long id": token(issued_at=NOW - 7200, user_id="u" * 40),
    "no value": "undefined",
    "nothing": "",
}
DETAILS = {
    name: "x"
    for text in (part for kind in KINDS.values() for part in (kind.cause, kind.remedy))
    for name in text.replace("{{", "").replace("}}", "").split("{")[1:]
    for name in [name.partition("}")[0]]
}


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, type_in: Callable[[bytes], None]) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    type_in(b"")


@pytest.fixture
def secret_file(a_file: Callable[[str], str]) -> str:
    return a_file(json.dumps({"app_id": APP_ID, "server_secret": SECRET}))


def explained(
    text: str, code: int, sdk: Sdk | None = None, *, has_secret: bool = True
) -> CodeExplanation:
    known = resolve(code)
    assert known is not None
    secrets = {"given": TriedSecret(SECRET, APP_ID)} if has_secret else {}
    diagnosis = diagnose(TEXTS[text], secrets, Expected(NOW, sdk=sdk))
    return CodeExplanation.of(SeenCode(code, known), diagnosis, sdk)


@pytest.mark.parametrize(
    ("text", "code", "kinds"),
    [
        ("a JWT", 20014, ("jwt",)),
        ("a JWT", 50119, ("jwt",)),
        ("a JWT", 52050119, ("jwt",)),
        ("a JWT", 1102016, ("jwt",)),
        ("a JWT", 1002033, ("jwt",)),
        ("a JWT", 6000103, ("jwt",)),
        ("an expired token", 50117, ("expired",)),
        ("an expired token", 1002078, ("expired",)),
    ],
)
def test_a_finding_explains_its_codes(text: str, code: int, kinds: tuple[str, ...]) -> None:
    about = explained(text, code)
    assert (about.status, about.explained_by, about.causes) == ("explained", kinds, ())
    assert about.explanation.endswith(" is what ZEGO shows for the first finding.")


@pytest.mark.parametrize(
    ("text", "code", "sdk"),
    [
        ("a JWT", 50121, None),
        ("a JWT", 202002, "web"),
        ("a JWT", 6000101, "zim"),
        ("an expired token", 50123, None),
        ("an expired token", 1002056, "web"),
        ("an expired token", 1002056, "native"),
    ],
)
def test_a_code_that_zego_does_not_explain_may_be_that_of_a_finding(
    text: str, code: int, sdk: Sdk | None
) -> None:
    about = explained(text, code, sdk)
    assert about.status == "may-be-explained"
    assert about.explained_by
    assert " may be what ZEGO shows for the first finding." in about.explanation


def test_telemetry_codes_are_shown_with_the_code_behind_them() -> None:
    assert explained("a JWT", 52050119).explanation.startswith(
        "52050119 (50119) is what ZEGO shows"
    )


def test_a_finding_further_down_is_named_by_its_cause() -> None:
    about = explained("an expired token of a long id", 6000103)
    assert about.explained_by == ("user-id-too-long-for-zim",)
    cause = "Its user_id has 40 bytes: fine for calls, but ZIM accepts at most 32."
    assert about.explanation == f"6000103 is what ZEGO shows for this finding: {cause}"


@pytest.mark.parametrize(
    ("text", "code", "has_secret", "status", "says"),
    [
        ("a good token", 20014, True, "not-explained", "Check that the client used exactly this"),
        ("a JWT", 1002078, True, "not-explained", "This token does not explain 1002078. Check"),
        (
            "an expired token",
            20014,
            True,
            "not-explained",
            "This token does not explain 20014. Check",
        ),
        ("a good token", 20014, False, "not-opened", "What is readable without the secret does"),
        ("a JWT", 1002052, True, "not-about-token", "no token causes it. The connection to the"),
        ("a JWT", 20012, True, "not-about-token", "This token does not explain 20012: no token"),
        ("a JWT", 100000005, True, "not-about-token", "no token causes it. "),
    ],
)
def test_a_code_that_the_token_does_not_explain_has_its_causes(
    text: str, code: int, has_secret: bool, status: str, says: str
) -> None:
    about = explained(text, code, has_secret=has_secret)
    assert about.status == status
    assert says in about.explanation
    assert (about.explained_by, about.causes) == ((), CODES[code].causes)


@pytest.mark.parametrize(
    ("sdk", "code"), [("web", 1002033), ("uikit", 6000103), ("native", 20014), ("zim", 1102016)]
)
def test_a_code_of_another_sdk_is_not_explained(sdk: Sdk, code: int) -> None:
    about = explained("a JWT", code, sdk)
    assert (about.status, about.explained_by, about.causes) == ("other-sdk", (), ())
    assert f"--sdk is {sdk}, and only others show it (" in about.explanation


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_explains_each_of_its_codes(kind: str) -> None:
    finding = Finding.of(found(kind, **DETAILS), None)
    diagnosis = Diagnosis((finding,), "token04")
    for code in {code for codes in KINDS[kind].codes.values() for code in codes}:
        about = CodeExplanation.of(SeenCode(code, CODES[code]), diagnosis, None)
        assert about.explained_by == (kind,)


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_explained_or_has_causes(code: int) -> None:
    for text in TEXTS:
        for sdk in (None, *get_args(Sdk)):
            about = explained(text, code, sdk)
            assert about.explanation.startswith(("This token does not explain ", f"{code} "))
            assert about.explained_by or about.causes or about.status == "other-sdk"


class TestTheCommand:
    def test_the_report_has_each_code_once(self, capsys: Capture) -> None:
        words = ["--code", "20014", "--code", "52050119", "--code", "20014", "--code", "1002078"]
        assert cli.main(["inspect", jwt(), *words]) == ExitCode.REFUSED
        printed = capsys.readouterr().out
        assert printed.count("\n20014 is what ZEGO shows for the first finding.\n") == 1
        assert "\n52050119 (50119) is what ZEGO shows for the first finding.\n" in printed
        assert "\nThis token does not explain 1002078. Check" in printed
        assert "\n1. The token was kept too long" in printed
        assert "\n-> More about the code: zego-token explain 1002078\n" in printed

    def test_a_good_token_stays_good(self, secret_file: str, capsys: Capture) -> None:
        words = [room_token(), "--secret-file", secret_file, "--now", str(NOW)]
        assert cli.main(["inspect", *words, "--code", "20014"]) == ExitCode.DONE
        printed = capsys.readouterr().out
        assert printed.startswith("GOOD  ")
        assert "This token does not explain 20014. " in printed

    def test_many_tokens_are_counted(
        self, type_in: Callable[[bytes], None], capsys: Capture
    ) -> None:
        type_in(f"{jwt()}\n{jwt()}\n{TEXTS['an expired token']}\n".encode())
        words = ["--now", str(NOW), "--code", "20014", "--code", "1002052"]
        assert cli.main(["inspect", "-", *words]) == ExitCode.REFUSED
        printed = capsys.readouterr().out
        assert "\n2 of 3 tokens can explain 20014.\n" in printed
        assert "\n0 of 3 tokens can explain 1002052.\n" in printed

    def test_json_has_each_code(self, capsys: Capture) -> None:
        cli.main(["inspect", jwt(), "--json", "--code", "52050119", "--code", "1002055"])
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert document["codes_seen"] == [
            {
                "given": 52050119,
                "code": 50119,
                "status": "explained",
                "explained_by": ["jwt"],
                "explanation": "52050119 (50119) is what ZEGO shows for the first finding.",
                "causes": [],
            },
            {
                "given": 1002055,
                "code": 1002055,
                "status": "not-about-token",
                "explained_by": [],
                "explanation": "This token does not explain 1002055: no token causes it. "
                + CODES[1002055].meaning,
                "causes": list(CODES[1002055].causes),
            },
        ]

    @pytest.mark.parametrize(
        ("given", "says"),
        [
            ("1102061", "1102061 is unknown. Similar codes: 1102016"),
            ("20999", "20999 is unknown. To list all: zego-token explain --all"),
            ("52050911", "52050911 is unknown."),
            ("abc", "'abc' is not a code: pass only its digits."),
            ("-1", "'-1' is not a code: pass only its digits."),
            ("", "'' is not a code: pass only its digits."),
            ("9" * 13, "is not a code: pass only its digits."),
        ],
    )
    def test_an_unknown_code_is_a_usage_error(self, given: str, says: str, capsys: Capture) -> None:
        assert cli.main(["inspect", jwt(), f"--code={given}"]) == ExitCode.USAGE
        printed = capsys.readouterr()
        assert printed.out == ""
        assert says in " ".join(printed.err.split())
