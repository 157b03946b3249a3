"""The screen of a checklist and its JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from ops.checklist import render
from ops.checklist.check import Check, CheckResult, CheckStatus, Group, examine
from ops.doctor.command import checks
from ops.errors import ExitCode
from ops.output import Output
from tests.unit.ops.doctor.conftest import Patient

CHECKS = checks()

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def check(name: str, group: Group = "ZEGO") -> Check[Any]:
    return Check(name, group, f"Is {name}?", lambda _deployment: (), "")


def shown(capsys: Capture, *found: tuple[Check[Any], CheckResult]) -> tuple[ExitCode, list[str]]:
    exit_code = render.show(Output(as_json=False), "--stage prod", iter(found))
    return exit_code, [text.rstrip() for text in capsys.readouterr().out.splitlines()]


def test_each_check_is_a_line_with_its_mark_under_its_heading(capsys: Capture) -> None:
    verdict = check("verdict")
    exit_code, lines = shown(
        capsys,
        (check("region", "AWS"), CheckResult("ok", "eu-west-1")),
        (verdict, CheckResult("ok", "accepted", of="AWSCURRENT")),
        (verdict, CheckResult("note", "rejected", of="AWSPREVIOUS")),
        (check("clock"), CheckResult("skipped", "no time")),
    )
    assert exit_code is ExitCode.DONE
    assert lines == [
        "--stage prod",
        "",
        "AWS",
        "  ✓ region        eu-west-1",
        "",
        "ZEGO",
        "  ✓ verdict       AWSCURRENT: accepted",
        "  i               AWSPREVIOUS: rejected",
        "  · clock         skipped: no time",
        "",
        "2 ok, 1 skipped, 1 note.",
        "No check failed, but some were skipped.",
    ]


def test_a_remedy_is_below_its_result_and_its_command_can_be_copied(capsys: Capture) -> None:
    remedy = (
        "Copy the ServerSecret from ZEGO's console, and rotate to it: zego-token secret rotate."
    )
    exit_code, lines = shown(capsys, (check("verdict"), CheckResult("failed", "Bad.", remedy)))
    assert exit_code is ExitCode.REFUSED
    assert lines[3:] == [
        "  ✗ verdict       Bad.",
        "                  -> Copy the ServerSecret from ZEGO's console, and rotate to",
        "                     it:",
        "                       zego-token secret rotate --stage prod",
        "",
        "1 failed.",
        "Failed: verdict.",
    ]


def test_all_checks_passed_if_none_was_skipped(capsys: Capture) -> None:
    _, lines = shown(
        capsys, (check("x"), CheckResult("ok", "y")), (check("y"), CheckResult("note", "z"))
    )
    assert lines[-1] == "All checks passed."


def test_a_remedy_that_results_of_one_check_share_is_shown_once(capsys: Capture) -> None:
    one = check("x")
    results = [CheckResult("failed", what, "Fix it.") for what in ("a", "b", "c")]
    _, lines = shown(capsys, *((one, result) for result in results), (check("y"), results[0]))
    assert "\n".join(lines).count("-> Fix it.") == 2


def test_marks_differ_in_ascii_too(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="replace")
    monkeypatch.setattr("sys.stdout", written)
    statuses: list[CheckStatus] = ["ok", "warning", "failed", "skipped", "note"]
    found = [(check("x"), CheckResult(status, "y")) for status in statuses]
    render.show(Output(as_json=False), "--stage prod", found)
    written.seek(0)
    assert [text[2] for text in written.read().splitlines()[3:8]] == ["+", "!", "x", "-", "i"]


def test_a_warning_is_not_a_failure(capsys: Capture) -> None:
    exit_code, lines = shown(capsys, (check("x"), CheckResult("warning", "Hm.", "TargetStatus.")))
    assert (exit_code, lines[-2:]) == (ExitCode.DONE, ["1 warning.", "No check failed."])


def test_long_texts_are_wrapped_but_arns_are_not(capsys: Capture) -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf"
    _, lines = shown(
        capsys, (check("secret"), CheckResult("warning", f"{'a b ' * 40}{arn}", "c " * 60))
    )
    assert f"  {arn}" in lines
    assert all(len(text) <= 80 for text in lines if arn not in text)
    assert all(text.startswith(" " * 18) for text in lines[4:-3] if arn not in text)


def test_text_from_aws_does_not_control_the_terminal(capsys: Capture) -> None:
    _, lines = shown(capsys, (check("x"), CheckResult("ok", "[red]\x1b[2J", of="\x1b]0;")))
    assert lines[3] == "  ✓ x             ?]0;: [red]?[2J"


def test_json_has_an_object_per_result_and_a_summary(patient: Patient, capsys: Capture) -> None:
    patient.issuer.problem("/v1/status", 503, "secret_unavailable")
    found = examine(patient.deployment(), CHECKS)
    exit_code = render.show(Output(as_json=True), "--stage prod", found)
    *checks, summary = (json.loads(text) for text in capsys.readouterr().out.splitlines())
    assert {one["event"] for one in checks} == {"check"}
    assert checks[0].keys() == {
        "event", "check", "theme", "asks", "status", "of", "seen", "remedy"
    }  # fmt: skip
    assert summary["event"] == "summary"
    assert summary["failed"] == ["status"]
    assert summary["exit_code"] == exit_code == ExitCode.REFUSED
    assert sum(summary["counts"].values()) == len(checks)


def test_each_result_is_shown_as_it_comes(capsys: Capture) -> None:
    def found() -> Iterator[tuple[Check[Any], CheckResult]]:
        yield check("first"), CheckResult("ok", "1")
        assert "first" in capsys.readouterr().out
        yield check("second"), CheckResult("ok", "2")

    render.show(Output(as_json=False), "x", found())


@pytest.mark.parametrize("status", ["ok", "warning", "failed", "skipped", "note"])
def test_only_a_failed_check_sets_the_exit_code(capsys: Capture, status: CheckStatus) -> None:
    exit_code, _ = shown(capsys, (check("x"), CheckResult(status, "y")))
    assert exit_code == (1 if status == "failed" else 0)
