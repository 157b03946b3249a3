"""What is left of a stack: when it is deleted, and when its creation failed.

CloudFormation deletes what a failed creation made, except what has DeletionPolicy Retain. A fixed
name that is left makes every retry fail. RetainExceptOnCreate is the policy for that:
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html

It does not fit a table with deletion protection, which CloudFormation cannot delete either: the
rollback would fail. Such a table has Retain and no fixed name.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html#WorkingWithTables.Basics.DeletionProtection
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from tests.infrastructure.stacks import Stack, stack, stack_that_rotates_a_given_secret
from tools.sam_template import REGION, load

#: What outlives its stack: values, the log of what was issued, and who may read the secret.
KEPT: Final = {
    "ServerSecret",
    "ServerSecretKey",
    "ServerSecretReaders",
    "IssuerLog",
    "RotatorLog",
    "WatcherLog",
}
#: What AWS refuses to delete while it is protected.
PROTECTED: Final = {"LimitsTable"}
SHARED: Final = stack(SecretReaderAccounts="444455556666", AlarmEmail="operators@example.com")
GIVEN: Final = stack_that_rotates_a_given_secret()


def names(resource: dict[str, Any]) -> dict[str, Any]:
    """The properties of a resource that name it, so that no second one may have their values.

    AWS' schema of a type lists the properties that cannot change. Those that end in Name name the
    resource. If one of them refers to another resource, the name only has to be unique in that one.
    """
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, resource["Type"]).schema
    create_only = [path.rpartition("/")[2] for path in schema.get("createOnlyProperties", [])]
    given = {
        name: resource["Properties"][name] for name in create_only if name in resource["Properties"]
    }
    if any(refers(value) for value in given.values()):
        return {}
    return {name: value for name, value in given.items() if name.endswith("Name")}


def refers(value: Any) -> bool:
    """Whether this is the name of another resource."""
    return isinstance(value, dict) and not value.keys() <= {"Fn::Sub"}


def is_protected(resource: dict[str, Any]) -> bool:
    """Whether AWS refuses to delete this resource."""
    return bool(resource.get("Properties", {}).get("DeletionProtectionEnabled"))


def test_what_outlives_the_stack_is_deleted_if_the_creation_fails() -> None:
    kept = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in load()["Resources"].items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert kept == dict.fromkeys(KEPT, ("RetainExceptOnCreate", "Retain")) | dict.fromkeys(
        PROTECTED, ("Retain", "Retain")
    )


@pytest.mark.parametrize("of", [SHARED, GIVEN], ids=["made", "given"])
def test_the_transform_keeps_nothing_but_versions_which_their_function_takes_with_it(
    of: Stack,
) -> None:
    retained = {
        resource["Type"]
        for name, resource in of.template["Resources"].items()
        if resource.get("DeletionPolicy") == "Retain" and name not in PROTECTED
    }
    assert retained == {"AWS::Lambda::Version"}


@pytest.mark.parametrize("of", [SHARED, GIVEN], ids=["made", "given"])
def test_every_fixed_name_belongs_to_the_stack(of: Stack) -> None:
    fixed = {
        logical_id: value
        for logical_id, resource in of.template["Resources"].items()
        for value in names(resource).values()
    }
    assert {"AccessLog", "Dashboard", "DiagnosesNotOpenedRule"} <= fixed.keys()
    for logical_id, name in fixed.items():
        assert "zego-token-service" in str(name), logical_id


def test_only_the_secret_has_a_fixed_name_and_outlives_the_stack() -> None:
    kept = {
        name: resource for name, resource in SHARED.template["Resources"].items() if name in KEPT
    }
    assert {name for name, resource in kept.items() if names(resource)} == {"ServerSecret"}


@pytest.mark.parametrize("of", [SHARED, GIVEN], ids=["made", "given"])
def test_what_is_protected_is_always_kept_and_has_no_fixed_name(of: Stack) -> None:
    protected = {
        name: resource
        for name, resource in of.template["Resources"].items()
        if is_protected(resource)
    }
    assert protected.keys() == PROTECTED
    for resource in protected.values():
        assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"
        assert not names(resource)


def test_layers_of_two_stacks_have_different_names() -> None:
    layers = SHARED.all("AWS::Lambda::LayerVersion").values()
    assert {layer["Properties"]["LayerName"] for layer in layers} == {
        f"zego-token-service-{name}" for name in ("domain", "dependencies", "aws-sdk")
    }
