"""The template with which a new stack imports the secret and the key that an old one left."""

from __future__ import annotations

from tests.infrastructure.stacks import stack
from tools import sam_template

#: What is kept too, but is in no new stack's way: it has no fixed name.
UNNAMED = {"AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::Lambda::Version"}


def test_it_has_everything_with_a_name_that_a_deleted_stack_keeps() -> None:
    kept = {
        name: resource["Type"]
        for name, resource in stack().template["Resources"].items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    imported = {name for name, type_ in kept.items() if type_ not in UNNAMED}
    assert imported == sam_template.KEPT.keys() == sam_template.kept()["Resources"].keys()


def test_it_does_not_change_the_value() -> None:
    """CloudFormation writes a SecretString that differs from the one in the last template."""
    imported = sam_template.kept()["Resources"]["ServerSecret"]["Properties"]
    assert imported["SecretString"] == stack().properties("ServerSecret")["SecretString"]


def test_it_needs_no_parameter() -> None:
    """An import makes nothing else, so that a parameter could have no effect."""
    assert sam_template.kept().keys() == {"AWSTemplateFormatVersion", "Resources"}
