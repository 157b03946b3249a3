"""Compares the locked packages with the databases of known vulnerabilities: ``make audit``.

pip-audit checks every requirements file, ``npm audit`` every package-lock.json. Both ask a service
on the internet, so CI runs this in a separate job, each night too. A package that a service does
not know, and an audit that fails, are reported like a finding.

``tools/audit.toml`` has exceptions: findings that are not reported until a day, with a reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
EXCEPTIONS: Final = ROOT / "tools" / "audit.toml"
_PIP_AUDIT: Final = ("--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off")
_NPM_AUDIT: Final = ("npm", "audit", "--json", "--package-lock-only")


class AuditError(Exception):
    """The audit cannot say whether there is a finding. The message says why."""


@dataclass(frozen=True)
class Vulnerability:
    """A known vulnerability of a locked package.

    :ivar ids: its identifiers in several databases, such as GHSA-... and CVE-...
    :ivar detail: which versions fix it, or what npm says of it.
    """

    package: str
    ids: frozenset[str]
    detail: str

    def __str__(self) -> str:
        """Return it in one line."""
        return f"{self.package}: {', '.join(sorted(self.ids))} ({self.detail})"


@dataclass(frozen=True)
class AuditException:
    """A finding that is not reported before a day."""

    id: str
    package: str
    reason: str
    until: date

    def fits(self, finding: Vulnerability) -> bool:
        """Return whether it is about a finding."""
        return self.id in finding.ids and self.package == finding.package


def main() -> int:
    """Audit all locked packages. Return 1 if there is something to do."""
    exceptions = read_exceptions(EXCEPTIONS.read_text(encoding="utf-8"))
    findings: list[tuple[str, Vulnerability]] = []
    failed = False
    for file in locked_files():
        place = file.relative_to(ROOT).as_posix()
        try:
            found = [*(from_npm if file.suffix == ".json" else from_pip_audit)(_report(file))]
        except AuditError as error:
            print(f"{place}: {error}", file=sys.stderr)
            failed = True
        else:
            findings += [(place, finding) for finding in found]
            print(f"{place}: {len(found)} known vulnerabilities")
    problems = [*judged(findings, exceptions, datetime.now(UTC).date())]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if failed or problems else 0


def locked_files() -> list[Path]:
    """Return the requirements files and the npm locks of the tree."""
    patterns = ("*requirements*.txt", "requirements/*.txt", "*package-lock.json")
    command = ["git", "ls-files", "-z", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name]


def read_exceptions(text: str) -> list[AuditException]:
    """Read tools/audit.toml.

    :raises AuditError: an exception lacks a key, its reason is empty, or ``until`` is not a date.
    """
    exceptions = []
    for table in tomllib.loads(text).get("exception", ()):
        if table.keys() != {"id", "package", "reason", "until"}:
            raise AuditError(f"an exception needs id, package, reason and until: {table}")
        if type(table["until"]) is not date or not table["reason"].strip():
            raise AuditError(f"an exception needs a reason and a date: {table}")
        exceptions.append(AuditException(**table))
    return exceptions


def judged(
    findings: Sequence[tuple[str, Vulnerability]], exceptions: Sequence[AuditException], today: date
) -> Iterator[str]:
    """Yield what is left to do: findings that no exception covers, and useless exceptions."""
    for place, finding in findings:
        covering = [exception for exception in exceptions if exception.fits(finding)]
        if not any(today < exception.until for exception in covering):
            expired = "".join(f" The exception ended on {one.until}." for one in covering)
            yield (
                f"{place}: {finding}.{expired} Update it with `make lock ARGS=--upgrade`, or npm. "
                f"If that is not possible or it does not concern this project, add an exception "
                f"to tools/audit.toml."
            )
    for exception in exceptions:
        if not any(exception.fits(finding) for _, finding in findings):
            yield (
                f"tools/audit.toml: no locked package has {exception.id} of {exception.package} "
                f"any longer. Remove the exception."
            )


def from_pip_audit(report: str) -> Iterator[Vulnerability]:
    """Read what ``pip-audit --format=json`` prints.

    :raises AuditError: a package was skipped: pip-audit itself then ends without an error.
    """
    dependencies = _loaded(report).get("dependencies", ())
    if skipped := [one["skip_reason"] for one in dependencies if "skip_reason" in one]:
        raise AuditError("; ".join(skipped))
    for package in dependencies:
        for found in package["vulns"]:
            ids = frozenset({found["id"], *found["aliases"]})
            fixed = ", ".join(found["fix_versions"]) or "no version"
            yield Vulnerability(package["name"], ids, f"{package['version']}, fixed in {fixed}")


def from_npm(report: str) -> Iterator[Vulnerability]:
    """Read what ``npm audit --json`` prints, in version 2 of its report.

    Source: https://docs.npmjs.com/cli/v11/commands/npm-audit; a package that is vulnerable only
    through another has that one's name in ``via``, and is not a finding itself.

    :raises AuditError: npm could not ask its service.
    """
    content = _loaded(report)
    if "vulnerabilities" not in content:
        raise AuditError(f"npm audit failed: {content.get('message') or content.get('error')}")
    advisories: dict[str, Any] = {
        one["url"]: one
        for package in content["vulnerabilities"].values()
        for one in package["via"]
        if not isinstance(one, str)
    }
    for url, one in advisories.items():
        ids = frozenset({url.rpartition("/")[2]})
        yield Vulnerability(one["name"], ids, f"{one['range']}, {one['severity']}: {one['title']}")


def _loaded(report: str) -> Mapping[str, Any]:
    try:
        content = json.loads(report)
    except ValueError:
        raise AuditError("the audit printed no report. Check the network.") from None
    if not isinstance(content, dict):
        raise AuditError("the audit printed another report than expected: not a JSON object.")
    return content


def _report(file: Path) -> str:
    """Run an audit and return its report. Both tools end with 1 for a finding.

    :raises AuditError: the tool is missing, takes too long or prints nothing.
    """
    pip_audit = Path(sys.executable).parents[1] / "audit" / "bin" / "pip-audit"
    command: Iterable[str | Path] = (
        _NPM_AUDIT if file.suffix == ".json" else (pip_audit, *_PIP_AUDIT, "--requirement", file)
    )
    try:
        done = subprocess.run(
            [*command], cwd=file.parent, capture_output=True, text=True, check=False, timeout=300
        )
    except FileNotFoundError as error:
        raise AuditError(f"the audit cannot start: {error.filename} is not installed") from None
    except subprocess.TimeoutExpired:
        raise AuditError("the audit took more than 300 s. Check the network.") from None
    if not done.stdout.strip():
        *_, last = [*done.stderr.strip().splitlines(), "no output"]
        raise AuditError(f"the audit ended with {done.returncode}: {last}")
    return done.stdout


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AuditError as error:
        sys.exit(f"tools/audit.toml: {error}")
