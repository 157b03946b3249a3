"""docs/security.md names controls that tests hold, and each permission with its reason."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from tools import permissions

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Threats\n")[2].partition("\n## ")[0]
#: The threats with their controls and the tests of these.
THREATS = [
    row
    for row in re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", SECTION, re.MULTILINE)
    if row[0] != "threat"
]


@functools.cache
def names_in(path: str) -> set[str]:
    """The names of all tests of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[:5] == "test_"
    }


def missing(named: str) -> list[str]:
    """The tests that a text names and that do not exist."""
    found = re.findall(r"`(tests/[\w/.]+\.py)::(\w+)`", named)
    return [
        f"{path}::{name}"
        for path, name in found
        if not (ROOT / path).is_file() or name not in names_in(path)
    ]


def test_every_threat_has_a_control_and_tests_that_exist() -> None:
    assert len(THREATS) > 30
    lacking = {threat: missing(tests) for threat, _, tests in THREATS if missing(tests)}
    assert lacking == {}
    without = [threat for threat, _, tests in THREATS if "::" not in tests]
    assert without == []
    everything = re.findall(r"`(tests/[\w/.]+\.py::\w+)`", PAGE)
    assert len(everything) == sum(tests.count("::") for _, _, tests in THREATS)


@pytest.mark.parametrize(
    "named",
    [
        "`tests/security/test_no_leaks.py::test_nothing`",
        "`tests/security/test_nowhere.py::test_a_leak_is_found`",
    ],
)
def test_a_test_that_does_not_exist_is_found(named: str) -> None:
    assert len(missing(named)) == 1


def test_every_statement_of_a_policy_has_a_reason_and_there_is_no_other_reason() -> None:
    assert {one.sid for one in permissions.statements()} == permissions.REASONS.keys()


def test_every_policy_of_the_templates_is_in_the_tables() -> None:
    documents = sum(
        path.read_text(encoding="utf-8").count("- Sid: ") for path in permissions.TEMPLATES
    )
    assert len(permissions.statements()) == documents
    rows = [*permissions.roles(), *permissions.resources()]
    assert len(rows) == len({(one.owner, one.sid) for one in permissions.statements()})
    for path in (ROOT / "deploy").glob("*.yaml"):
        has_policies = "- Sid: " in path.read_text(encoding="utf-8")
        assert has_policies is (path in permissions.TEMPLATES), path


def test_a_statement_that_a_condition_makes_is_shown_with_each_alternative() -> None:
    (row,) = (
        one
        for one in permissions.roles()
        if one[0] == "issuer" and one[1] == "`kms:Decrypt`" and "ServerSecretKey" in one[2]
    )
    assert row[2] == "`<ServerSecretKey>`, `<ServerSecretKmsKeyArn>`"
    assert row[3].count("kms:EncryptionContext:SecretARN") == 2


def test_a_denial_is_not_shown_as_a_permission() -> None:
    denied = {one.sid for one in permissions.statements() if one.content["Effect"] == "Deny"}
    assert denied == {"DoNotInvokeTheIssuer", "DoNotReadTheSecret"}
    assert sum(row[1].startswith("**not** ") for row in permissions.roles()) == len(denied)
