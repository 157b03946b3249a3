"""The policies against AWS' own reference: each action exists, and can have that resource and key.

A statement with a misspelled action, or with an ARN for an action that takes none, is valid and
allows nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest

from tests.permissions import roles
from tests.permissions.reference import actions, can_have, has_key, has_several_values, is_unlisted
from tests.support import aws_calls
from tests.support.iam import listed

POLICIES: Final = (*roles.FUNCTIONS, *roles.PRINTED)


def rows(role: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each action that a policy lists, with its statement."""
    for statement in roles.statements(role):
        for pattern in listed(statement["Action"]):
            yield pattern, statement


@pytest.mark.parametrize("role", POLICIES)
def test_every_action_exists(role: str) -> None:
    assert [
        pattern for pattern, _ in rows(role) if not actions(pattern) and not is_unlisted(pattern)
    ] == []


@pytest.mark.parametrize("role", POLICIES)
def test_every_action_can_be_about_a_resource_of_its_statement(role: str) -> None:
    assert [
        (pattern, statement["Resource"])
        for pattern, statement in rows(role)
        if not is_unlisted(pattern)
        and not any(
            can_have(pattern.partition(":")[0], action, resource)
            for action in actions(pattern)
            for resource in listed(statement["Resource"])
        )
    ] == []


@pytest.mark.parametrize("role", POLICIES)
def test_every_action_has_the_condition_keys_of_its_statement(role: str) -> None:
    assert [
        (pattern, key)
        for pattern, statement in rows(role)
        for condition in statement.get("Condition", {}).values()
        for key in condition
        if not any(has_key(pattern.partition(":")[0], action, key) for action in actions(pattern))
    ] == []


@pytest.mark.parametrize("role", POLICIES)
def test_a_key_with_several_values_is_compared_with_a_quantifier(role: str) -> None:
    """IAM promises nothing without one. ForAllValues also matches a call without the key."""
    for statement in roles.statements(role):
        conditions = statement.get("Condition", {})
        for operator, condition in conditions.items():
            for key in condition if operator != "Null" else ():
                quantifier = operator.rpartition(":")[0]
                assert quantifier or not has_several_values(key), key
                if quantifier == "ForAllValues":
                    assert conditions["Null"][key] == "false"


def test_the_recorded_condition_keys_are_those_of_the_actions() -> None:
    assert [
        (pattern, key)
        for pattern, of_action in aws_calls.KEYS.items()
        for key in of_action
        if not any(has_key(pattern.partition(":")[0], action, key) for action in actions(pattern))
    ] == []
