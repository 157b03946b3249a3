"""The output of commands: texts, times, widths, and output that cannot be written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ops import cli
from ops.errors import ExitCode
from ops.output import Output, copyable, date_and_time, relative, wrapped
from tests.unit.ops.fakes import Broken


@pytest.mark.parametrize(
    ("columns", "width"), [("80", 80), ("100", 100), ("300", 100), ("20", 40), ("0", 80), ("", 80)]
)
def test_the_width_stays_readable(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr("sys.__stdout__", None)
    assert Output(as_json=False).width == width


ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (
            "Follow it: zego-token secret watch. Or go on: zego-token secret rotate --staged.",
            [
                "Follow it:",
                "  zego-token secret watch X",
                "Or go on:",
                "  zego-token secret rotate --staged X",
            ],
        ),
        ("Compare: zego-token doctor.", ["Compare:", "  zego-token doctor X"]),
        (
            "See it: zego-token inspect --expect-room ID. Then log in.",
            ["See it:", "  zego-token inspect --expect-room ID X", "Then log in."],
        ),
        ("It ends. See docs/deploy.md.", ["It ends. See docs/deploy.md."]),
    ],
    ids=["two commands", "a command without a part", "an option with its value", "none"],
)
def test_a_command_in_a_text_gets_its_own_line_and_the_targets_options(
    text: str, lines: list[str]
) -> None:
    assert copyable(text, "X").splitlines() == lines


def test_lines_have_the_given_width_and_prefix() -> None:
    shown = wrapped("a bc " * 40, 40, first="-> ", then="   ").plain.split("\n")
    assert [text[:3] for text in shown] == ["-> ", *["   "] * (len(shown) - 1)]
    assert 36 < max(map(len, shown)) <= 40


@pytest.mark.parametrize("text", [f"It is {ARN}, and", f"See: zego-token doctor --secret-id {ARN}"])
def test_text_to_copy_is_not_broken(text: str) -> None:
    assert ARN in wrapped(text, 40, then="   ").plain


def test_a_command_is_not_broken_and_is_bold() -> None:
    shown = wrapped(
        "See: zego-token doctor.", 20, first="> ", then="  ", target=f"--secret-id {ARN}"
    )
    assert shown.plain == f"> See:\n  zego-token doctor --secret-id {ARN}"
    (span,) = shown.spans
    assert shown.plain[span.start : span.end].strip() == shown.plain.split("\n")[1].strip()


def test_what_is_too_long_for_its_prefix_is_alone_on_its_line() -> None:
    assert wrapped(f"{ARN} and more", 40, first="  + secret  ", then=" " * 12).plain.split(
        "\n"
    ) == [
        "  + secret",
        ARN,
        f"{'':12}and more",
    ]


def test_a_sentence_is_one_line_in_a_file_and_wrapped_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = Output(as_json=False)
    sentence = "word " * 30
    out.tell("event", sentence, then="    ")
    assert capsys.readouterr().out == f"{sentence.rstrip()}\n"
    monkeypatch.setenv("COLUMNS", "60")
    out.tell("event", sentence, then="    ")
    first, *others = capsys.readouterr().out.splitlines()
    assert 55 < max(map(len, (first, *others))) <= 60
    assert all(text.startswith("    word") for text in others)


def test_without_a_target_a_text_is_left_as_it_is() -> None:
    said = "alice. zego-token doctor."
    assert wrapped(said, 80).plain == said


def test_terminal_control_characters_are_not_shown() -> None:
    assert wrapped("\x1b[2J\u202e", 80).plain == "?[2J?"


@pytest.mark.parametrize(
    ("moment", "words"), [(160, "in 1 min"), (101, "in 1 s"), (100, "0 s ago"), (40, "1 min ago")]
)
def test_a_time_is_in_the_future_or_the_past(moment: float, words: str) -> None:
    assert relative(moment, 100) == words


def test_a_time_is_shown_in_utc() -> None:
    assert date_and_time(1_800_000_000) == "2027-01-15 08:00:00 UTC"


@pytest.mark.parametrize("number", [-(2**63), 2**63, 1e300, 10**400])
def test_an_invalid_time_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match=r"not a valid time|range"):
        date_and_time(number)


COMMAND = str(Path(sys.executable).with_name("zego-token"))


@pytest.mark.parametrize("as_json", [False, True])
def test_a_write_error_ends_a_command_unless_a_change_has_begun(
    as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout", Broken(errno.ENOSPC))
    out = Output(as_json=as_json)
    with pytest.raises(OSError, match="No space left"):
        out.tell("event", "text")
    out.go_on()
    out.tell("event", "text")
    out.show("text")
    monkeypatch.setattr("sys.stdout", Broken(errno.EPIPE))
    out.tell("event", "text")


@pytest.mark.parametrize(
    ("number", "words", "exit_code"),
    [
        (errno.EPIPE, "", ExitCode.UNREAD),
        (errno.ENOSPC, "cannot be written: No space left on device", ExitCode.UNWRITTEN),
    ],
)
def test_a_write_error_is_reported_once(
    number: int,
    words: str,
    exit_code: ExitCode,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdout", Broken(number))
    assert cli.main(["explain", "20014", "--json"]) == exit_code
    assert words in capsys.readouterr().err


@pytest.fixture(params=["", "1"])
def unbuffered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run Python with or without buffered output."""
    monkeypatch.setenv("PYTHONUNBUFFERED", request.param)


pytestmark = pytest.mark.usefixtures("unbuffered")


def run(shell: str) -> subprocess.CompletedProcess[str]:
    """Run a line of bash in which `$Z` is the command."""
    return subprocess.run(
        ["bash", "-c", shell],
        env=os.environ | {"Z": COMMAND},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("words", ["--help", "--version", "secret status --help"])
def test_help_into_a_closed_pipe_is_not_a_refusal(words: str) -> None:
    done = run(f"(sleep 0.05; exec $Z {words}) | true; exit ${{PIPESTATUS[0]}}")
    assert (done.returncode, done.stderr) == (ExitCode.UNREAD, "")


def test_help_on_a_full_disk_says_so() -> None:
    done = run("$Z --help > /dev/full")
    assert done.returncode == ExitCode.UNWRITTEN
    assert done.stderr == "error: The output cannot be written: No space left on device.\n"


@pytest.mark.parametrize("broken", [">/dev/full", "2>/dev/full", ">&-", "2>&-", ">&- 2>&-"])
def test_a_failure_keeps_its_exit_code_if_it_cannot_be_printed(broken: str) -> None:
    done = run(f"$Z secret status --json --local /nowhere {broken}")
    assert done.returncode == ExitCode.AWS
    assert "Traceback" not in done.stderr
    assert all(json.loads(text)["event"] == "error" for text in done.stdout.splitlines())
