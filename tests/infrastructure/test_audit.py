"""What is done about known vulnerabilities of locked packages."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from tests.infrastructure.test_project_files import REQUIREMENTS
from tools import audit

TODAY: Final = date(2026, 11, 30)
GHSA: Final = "GHSA-xxxx-yyyy-zzzz"
#: Source: the README of pip-audit, "JSON" of its output formats.
PIP_AUDIT: Final[Any] = {
    "dependencies": [
        {"name": "fine", "version": "1.0", "vulns": []},
        {
            "name": "vulnerable",
            "version": "2.0",
            "vulns": [
                {
                    "id": "PYSEC-2026-1",
                    "fix_versions": ["2.1"],
                    "aliases": ["CVE-2026-1", GHSA],
                    "description": "...",
                }
            ],
        },
    ],
    "fixes": [],
}
#: Source: npm's package npm-audit-report, version 2 of the report of `npm audit --json`.
NPM_AUDIT: Final[Any] = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "vulnerable": {
            "name": "vulnerable",
            "severity": "high",
            "via": [
                {
                    "source": 1,
                    "name": "vulnerable",
                    "title": "It can be made to hang",
                    "url": f"https://github.com/advisories/{GHSA}",
                    "severity": "high",
                    "range": "<2.1",
                }
            ],
        },
        "outer": {"name": "outer", "severity": "high", "via": ["vulnerable"]},
    },
}


def exception(**changed: object) -> str:
    values = {"id": GHSA, "package": "vulnerable", "reason": "It is not called", **changed}
    lines = "".join(f'{key} = "{value}"\n' for key, value in values.items() if value is not None)
    return f"[[exception]]\n{lines}"


def excepted(until: date, **changed: object) -> list[audit.AuditException]:
    return audit.read_exceptions(f"{exception(**changed)}until = {until}\n")


def found() -> list[tuple[str, audit.Vulnerability]]:
    reports = (audit.from_pip_audit(json.dumps(PIP_AUDIT)), audit.from_npm(json.dumps(NPM_AUDIT)))
    return [("locked.txt", finding) for report in reports for finding in report]


def test_it_audits_every_locked_file() -> None:
    names = {file.relative_to(audit.ROOT).as_posix() for file in audit.locked_files()}
    assert names > {*REQUIREMENTS, "clients/javascript/package-lock.json"}
    pins = audit.ROOT / "tests" / "npm"
    assert names >= {
        path.relative_to(audit.ROOT).as_posix() for path in pins.rglob("package-lock.json")
    }


def test_each_vulnerability_is_reported_with_its_names_and_what_fixes_it() -> None:
    assert [str(finding) for _, finding in found()] == [
        f"vulnerable: CVE-2026-1, {GHSA}, PYSEC-2026-1 (2.0, fixed in 2.1)",
        f"vulnerable: {GHSA} (<2.1, high: It can be made to hang)",
    ]
    problems = [*audit.judged(found(), [], TODAY)]
    assert len(problems) == 2
    assert all("add an exception to tools/audit.toml" in problem for problem in problems)


def test_an_exception_covers_a_vulnerability_until_its_day() -> None:
    assert [*audit.judged(found(), excepted(date(2026, 12, 1)), TODAY)] == []
    problems = [*audit.judged(found(), excepted(TODAY), TODAY)]
    assert len(problems) == 2
    assert all("The exception ended on 2026-11-30." in problem for problem in problems)


def test_an_exception_is_about_one_package() -> None:
    problems = [*audit.judged(found(), excepted(date(2027, 1, 1), package="fine"), TODAY)]
    assert len(problems) == 3
    assert problems[-1].endswith(f"{GHSA} of fine any longer. Remove the exception.")


def test_an_exception_that_is_no_longer_needed_is_reported() -> None:
    (problem,) = audit.judged([], excepted(date(2027, 1, 1)), TODAY)
    assert problem.endswith("Remove the exception.")


@pytest.mark.parametrize(
    "text",
    [
        exception(),
        exception(until="2027-01-31"),
        f"{exception(reason='  ')}until = 2027-01-31\n",
        f"{exception(reason=None)}until = 2027-01-31\n",
        f"{exception()}until = 2027-01-31T00:00:00Z\n",
    ],
)
def test_an_exception_needs_a_reason_and_a_day(text: str) -> None:
    with pytest.raises(audit.AuditError, match="an exception needs"):
        audit.read_exceptions(text)


def test_the_exceptions_of_the_tree_can_be_read() -> None:
    audit.read_exceptions(audit.EXCEPTIONS.read_text(encoding="utf-8"))


def test_a_package_that_the_service_does_not_know_is_not_taken_as_safe() -> None:
    # pip-audit ends with 0 then.
    skipped = {"name": "x", "skip_reason": "Dependency not found on PyPI: x (1.0)"}
    with pytest.raises(audit.AuditError, match=r"not found on PyPI: x \(1\.0\)"):
        [*audit.from_pip_audit(json.dumps({"dependencies": [skipped], "fixes": []}))]


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ('{"message": "405 Method Not Allowed", "statusCode": 405}', "405 Method Not Allowed"),
        ('{"error": {"code": "ENOLOCK"}}', "ENOLOCK"),
        ("<html>", "no report"),
        ("[]", "another report"),
    ],
)
def test_an_audit_that_npm_cannot_do_is_not_taken_as_safe(report: str, message: str) -> None:
    with pytest.raises(audit.AuditError, match=message):
        [*audit.from_npm(report)]


def test_an_audit_without_npm_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = audit.ROOT / "tests" / "npm" / "node_peer" / "package-lock.json"
    monkeypatch.setattr(audit, "locked_files", lambda: [lock])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert audit.main() == 1
    assert "the audit cannot start: npm is not installed" in capsys.readouterr().err
