"""The check of the stack's state."""

from __future__ import annotations

import boto3
import pytest

from ops.preflight.stack import _REFUSED
from tests.unit.ops.preflight.conftest import Site

#: All states, from the API's own model.
STATES = (
    boto3.Session()
    .client("cloudformation", region_name="eu-west-1")
    .meta.service_model.shape_for("StackStatus")
    .enum
)
#: In these, CloudFormation takes a deployment ("Stack status codes" in its user guide).
TAKEN = {
    *("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"),
    *("IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"),
    "REVIEW_IN_PROGRESS",  # a change set that created no resource
    "DELETE_COMPLETE",  # AWS does not describe it by the stack's name
}


def test_a_new_stack_is_fine(site: Site) -> None:
    result = site.result("stack")
    assert (result.status, result.seen) == ("ok", "zego-token-service-prod is new")


@pytest.mark.parametrize("state", sorted({*STATES} - {"DELETE_COMPLETE"}))
def test_a_state_in_which_aws_refuses_a_deployment_is_a_failure(site: Site, state: str) -> None:
    site.create_stack(state)
    result = site.result("stack")
    assert (result.status == "ok") is (state in TAKEN)
    if state not in TAKEN:
        assert f"is {state}." in result.seen
        assert "describe-stack-events --stack-name zego-token-service-prod" in result.remedy
        assert "{" not in result.remedy


@pytest.mark.parametrize(
    ("state", "command"),
    [
        ("ROLLBACK_COMPLETE", "sam delete --stack-name zego-token-service-prod --region"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback"),
        ("UPDATE_FAILED", "aws cloudformation rollback-stack"),
        ("UPDATE_IN_PROGRESS", "aws cloudformation cancel-update-stack"),
    ],
)
def test_the_remedy_is_the_command_for_the_state(site: Site, state: str, command: str) -> None:
    site.create_stack(state)
    assert f"\n  {command}" in site.result("stack").remedy


def test_only_states_that_exist_are_named() -> None:
    assert _REFUSED.keys() <= {*STATES}
