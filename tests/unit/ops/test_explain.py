"""`zego-token explain`: which codes it recognises, and what it prints about them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from ops import cli
from ops.errors import ExitCode
from ops.output import copyable
from zego.error_codes import CODES, near
from zego.error_codes.code import PLATFORMS

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _a_terminal_of_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def printed(capsys: Capture, *arguments: str, exit_code: ExitCode = ExitCode.DONE) -> str:
    """The screen."""
    assert cli.main(["explain", *arguments]) == exit_code
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def objects(
    capsys: Capture, *arguments: str, exit_code: ExitCode = ExitCode.DONE
) -> list[dict[str, Any]]:
    """The JSON objects."""
    lines = printed(capsys, *arguments, "--json", exit_code=exit_code).splitlines()
    return [json.loads(line) for line in lines]


def unbroken(text: str) -> str:
    """As one line, whatever the terminal's width."""
    return " ".join(text.split())


def copied(remedy: str) -> str:
    """As one line: each command is on its own line, without the full stop."""
    return unbroken(copyable(remedy, ""))


class TestOneCode:
    def test_a_person_reads_what_happened_why_and_what_to_do(self, capsys: Capture) -> None:
        said = unbroken(printed(capsys, "20014"))
        known = CODES[20014]
        places = [
            said.index(text)
            for text in ("20014 ACCESSHUB_INVALID_SIGNATURE", known.meaning, *known.causes)
        ]
        assert places == sorted(places)
        assert said.index(copied(known.remedy)) > places[-1]
        assert "1. The token is a JWT" in said
        assert "the app sees 1102016" in said
        assert "observed, not documented" in said

    def test_each_step_of_the_remedy_is_on_its_own_line(self, capsys: Capture) -> None:
        assert printed(capsys, "20014").splitlines()[-6:] == [
            "-> Check the token:",
            "     zego-token inspect",
            "   If it is a Token04, compare its secret with ZEGO's:",
            "     zego-token doctor",
            "   If ZEGO has a different one, store that:",
            "     zego-token secret rotate",
        ]

    def test_a_single_cause_is_not_numbered(self, capsys: Capture) -> None:
        said = printed(capsys, "1002055")
        assert "Cause: A backend called KickoutUser" in said
        assert "1. " not in said
        assert "not about the token" in said

    @pytest.mark.parametrize("code", CODES)
    def test_no_line_is_wider_than_the_terminal_or_ends_in_a_space(
        self, code: int, capsys: Capture
    ) -> None:
        for line in printed(capsys, str(code)).splitlines():
            assert len(line) <= 80
            assert line == line.rstrip()

    @pytest.mark.parametrize(
        ("given", "known", "words"),
        [
            (52050119, 50119, "52050119 in telemetry"),
            (202002, 2002, "202002 in some messages"),
        ],
    )
    def test_a_code_with_something_added_is_the_one_behind_it(
        self, given: int, known: int, words: str, capsys: Capture
    ) -> None:
        said = printed(capsys, str(given))
        assert said.startswith(f"{known}")
        assert words in said
        assert objects(capsys, str(given))[0]["given"] == given
        assert objects(capsys, str(given))[0]["code"] == known

    @pytest.mark.parametrize("code", CODES)
    def test_a_program_reads_all_of_it(self, code: int, capsys: Capture) -> None:
        known = CODES[code]
        assert objects(capsys, str(code)) == [
            {
                "event": "code",
                "given": code,
                "code": code,
                "platforms": list(known.platforms),
                "name": known.name,
                "meaning": known.meaning,
                "causes": list(known.causes),
                "remedy": known.remedy,
                "source": known.source,
                "shown_as": known.shown_as,
                "is_about_token": known.is_about_token,
            }
        ]


class TestWhatPeoplePaste:
    @pytest.mark.parametrize(
        ("line", "codes"),
        [
            (["20014"], [20014]),
            (["20014", "50119"], [20014, 50119]),
            (["20014,50119"], [20014, 50119]),
            (["20014", "20014"], [20014]),
            (["20014 → 50119 → 1102016"], [20014, 50119, 1102016]),
            (["code: 20014"], [20014]),
            (["code:20014"], [20014]),
            (["Error 1102016"], [1102016]),
            (["Error", "1102016"], [1102016]),
            (["errorCode=1002033;"], [1002033]),
            (['{"code":1102016,"msg":"token error"}'], [1102016]),
            (["[20014]"], [20014]),
            (["It says 50119."], [50119]),
            (["#20014"], [20014]),
            (["0"], [0]),
            (["2026-08-01T12:00:00.250Z [3] login failed, 0 retries left: 50119"], [50119]),
            (["attempt 2 of 3 failed: 20014"], [20014]),
            (['{"Code":3,"Message":"failed"}'], [3]),
            (["SDK 3.12.0 on port 443: code 52050119"], [52050119]),
        ],
        ids=str,
    )
    def test_the_codes_are_found(self, line: list[str], codes: list[int], capsys: Capture) -> None:
        assert [one["given"] for one in objects(capsys, *line)] == codes

    def test_a_sentence_without_a_known_code_has_the_unknown_one(self, capsys: Capture) -> None:
        (unknown,) = objects(capsys, "code: 424242", exit_code=ExitCode.REFUSED)
        assert unknown["given"] == 424242

    def test_in_a_list_of_numbers_each_is_a_code(self, capsys: Capture) -> None:
        said = objects(capsys, "20014,424242", exit_code=ExitCode.REFUSED)
        assert [one["event"] for one in said] == ["code", "unknown"]

    @pytest.mark.parametrize("word", ["2OO14", "20014x", "0x4e2e", "1.2.3", "9" * 13, "٢٠٠١٤"])
    def test_digits_without_a_code_are_a_usage_error(self, word: str, capsys: Capture) -> None:
        assert cli.main(["explain", "20014", word]) == ExitCode.USAGE
        captured = capsys.readouterr()
        assert "is not a code" in captured.err
        assert captured.out == ""

    @pytest.mark.parametrize("line", [[], ["Error"], [""]], ids=["none", "a word", "nothing"])
    def test_no_code_at_all_is_a_usage_error(self, line: list[str], capsys: Capture) -> None:
        assert cli.main(["explain", *line]) == ExitCode.USAGE
        assert "No code was given." in capsys.readouterr().err

    def test_a_pasted_token_is_not_repeated(self, capsys: Capture) -> None:
        token = "04AAAAAGVT" + "x1" * 40
        assert cli.main(["explain", token]) == ExitCode.USAGE
        captured = capsys.readouterr()
        assert "x1x1" not in captured.out + captured.err


class TestUnknownCodes:
    def test_similar_codes_are_listed(self, capsys: Capture) -> None:
        said = printed(capsys, "1102061", exit_code=ExitCode.REFUSED)
        assert said.startswith("1102061  is not a known code.\nSimilar codes:\n  1102016  ")
        (unknown,) = objects(capsys, "1102061", exit_code=ExitCode.REFUSED)
        meant = [known.code for known in near(1102061)]
        assert unknown == {"event": "unknown", "given": 1102061, "near": meant}

    def test_without_similar_codes_the_list_of_all_is_named(self, capsys: Capture) -> None:
        assert "explain --all" in printed(capsys, "424242", exit_code=ExitCode.REFUSED)

    def test_known_codes_are_explained_with_unknown_ones(self, capsys: Capture) -> None:
        said = printed(capsys, "424242", "50119", exit_code=ExitCode.REFUSED)
        assert copied(CODES[50119].remedy) in unbroken(said)


class TestAll:
    def test_every_code_is_listed_once(self, capsys: Capture) -> None:
        said = printed(capsys, "--all")
        assert re.findall(r"^ *(\d+)  ", said, re.MULTILINE) == [str(code) for code in CODES]
        assert [one["code"] for one in objects(capsys, "--all")] == [*CODES]

    def test_those_of_a_platform_are_together(self, capsys: Capture) -> None:
        headings = re.findall(r"^[a-zA-Z].*$", printed(capsys, "--all"), re.MULTILINE)
        assert headings[:-1] == [
            "web SDK",
            "web SDK, native SDKs",
            "native SDKs",
            "ZIM",
            "server API",
        ]

    @pytest.mark.parametrize("platform", PLATFORMS)
    def test_one_platform_alone(self, platform: str, capsys: Capture) -> None:
        listed = objects(capsys, "--all", "--platform", platform)
        assert {one["code"] for one in listed} == {
            code for code, known in CODES.items() if platform in known.platforms
        }

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("--all 20014", "cannot be combined with CODE"),
            ("--platform web", "--platform requires --all"),
            ("--platform web 20014", "--platform requires --all"),
            ("--all --platform ios", "'ios' is not one of"),
        ],
    )
    def test_options_that_exclude_each_other_are_a_usage_error(
        self, line: str, words: str, capsys: Capture
    ) -> None:
        assert cli.main(["explain", *line.split()]) == ExitCode.USAGE
        assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "slow"),
    [
        ("explain 20014", {"boto3", "botocore"}),
        ("explain --json 20014", {"boto3", "botocore", "rich"}),
        ("explain --help", {"boto3", "botocore", "rich"}),
    ],
)
def test_it_imports_nothing_slow(line: str, slow: set[str]) -> None:
    code = (
        f"import sys; from ops.cli import main; main({line.split()});"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*done.stdout.splitlines()[-1].split()} & slow
