"""Checks of the secret: its name or ARN, its key, and which stack rotates it. No value is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from botocore.exceptions import ClientError

from ops.checklist.check import CannotCheckError, CheckResult, check
from ops.preflight.plan import CONFIG, Arn, Plan, error_code

DELETE: Final = (
    "To delete it for ever:\n  aws secretsmanager delete-secret --secret-id {id} --region {region}"
    " --force-delete-without-recovery"
)
_RESTORE: Final = (
    "To keep it, restore it first:\n"
    "  aws secretsmanager restore-secret --secret-id {id} --region {region}"
)
_OF_OTHERS: Final = (
    "Its owner must let account {account} read it: SecretReaderAccounts of the stack that created"
    " it. To check that before the deployment, also use credentials that have the permission."
)
_EXAMPLE: Final = (
    "To share prod's secret, deploy prod first, and copy its outputs SecretArn and SecretKeyArn."
    " For a ZEGO test project, remove ServerSecretArn and ServerSecretKmsKeyArn: the stack then"
    " creates its own secret."
)
_ADOPT: Final = (
    "To keep its value, import it (docs/deploy.md, Adopt a kept secret), or name it in"
    ' samconfig.toml: "ServerSecretArn={arn}", "ServerSecretKmsKeyArn={key}",'
    ' "RotateGivenSecret=Yes".'
)


@check(
    "Can the stack create its secret, or use the given one?",
    remedy="Check ServerSecretArn in samconfig.toml.",
    needs=("credentials",),
)
def secret(plan: Plan) -> Iterator[CheckResult]:
    if "EXAMPLE" in plan.secret_id:
        raise CannotCheckError("ServerSecretArn is an example", _EXAMPLE)
    if plan.stack is not None and plan.stack.is_changing:
        raise CannotCheckError("the stack is changing", "See the check stack.")
    try:
        found = plan.secret
    except CannotCheckError as error:
        arn = Arn.of(plan.secret_id)
        if arn is None or arn.account == plan.account:
            raise
        raise CannotCheckError(f"{error}", _OF_OTHERS.format(account=plan.account)) from None
    names = {"id": plan.secret_id, "region": plan.secret_region}
    if found is None:
        if plan.environment.makes_secret:
            yield CheckResult("ok", f"the name {plan.secret_id} is free")
        else:
            yield CheckResult("failed", "Secrets Manager has no secret with this ARN.")
    elif found.get("DeletedDate"):
        remedy = f"{_RESTORE}\n{DELETE}" if plan.environment.makes_secret else _RESTORE
        seen = f"{plan.secret_id} is scheduled for deletion, and until then its name is taken."
        yield CheckResult("failed", seen, remedy.format(**names))
    elif not plan.environment.makes_secret:
        yield CheckResult("ok", str(found["ARN"]))
    elif belongs_to_stack(plan, str(found["ARN"]), "ServerSecret"):
        yield CheckResult("ok", f"{plan.secret_id} belongs to the stack")
    else:
        key = found.get("KmsKeyId", "")
        adopt = _ADOPT.format(arn=found["ARN"], key=key)
        yield CheckResult(
            "failed",
            f"{plan.secret_id} exists, and does not belong to the stack {plan.environment.stack}:"
            " another deployment left it.",
            f"{adopt}\n{DELETE.format(**names)}",
        )


def belongs_to_stack(plan: Plan, arn: str, logical_id: str) -> bool:
    """Whether the stack created a secret as this resource, or imported it."""
    if plan.stack is None:
        return False
    name = {"StackName": plan.environment.stack, "LogicalResourceId": logical_id}
    try:
        found = plan.call("cloudformation", "describe_stack_resource", **name)
    except ClientError as error:
        if error_code(error) == "ValidationError":  # the stack has no such resource
            return False
        raise
    return bool(found["StackResourceDetail"].get("PhysicalResourceId") == arn)


@check(
    "Can the stack use the key of the given secret?",
    remedy="Enable the key, or cancel its deletion (aws kms enable-key, cancel-key-deletion).",
    needs=("secret",),
)
def key(plan: Plan) -> Iterator[CheckResult]:
    """A secret that the stack creates gets its own key."""
    found, arn = plan.secret, Arn.of(plan.secret_id)
    if found is None or arn is None:
        return
    given = plan.parameters.get("ServerSecretKmsKeyArn", "")
    used = found.get("KmsKeyId", "")
    if not used or used.endswith("alias/aws/secretsmanager"):
        if arn.account != plan.account:
            seen = "The secret is encrypted with aws/secretsmanager, so no other account reads it."
            yield CheckResult("failed", seen, "Let its owner encrypt it with their own key.")
        elif given:
            seen = (
                "The secret is encrypted with aws/secretsmanager, not with ServerSecretKmsKeyArn."
            )
            yield CheckResult("failed", seen, f"Remove ServerSecretKmsKeyArn from {CONFIG}.")
        else:
            yield CheckResult("ok", "aws/secretsmanager")
        return
    described = plan.call("kms", "describe_key", arn.region, KeyId=used)["KeyMetadata"]
    if described["Arn"] != given:
        yield CheckResult(
            "failed",
            f"The secret is encrypted with {described['Arn']}, not with ServerSecretKmsKeyArn.",
            f'Add "ServerSecretKmsKeyArn={described["Arn"]}" to parameter_overrides in {CONFIG}.',
        )
    elif described["KeyState"] != "Enabled":
        yield CheckResult("failed", f"The key is {described['KeyState']}: no one can use it.")
    else:
        yield CheckResult("ok", given)


@check("Does exactly one stack rotate the secret?", needs=("secret",))
def rotation(plan: Plan) -> Iterator[CheckResult]:
    """One stack owns the rotation of a secret; the others only read it."""
    if plan.secret is None:
        return
    function = str(plan.secret.get("RotationLambdaARN", ""))
    is_rotated = function and plan.secret.get("RotationEnabled")
    if not plan.environment.owns_rotation:
        if is_rotated:
            yield CheckResult("ok", "another stack rotates it")
        else:
            yield CheckResult("warning", "No stack rotates the secret or watches it.", _NO_OWNER)
    elif not is_rotated:
        yield CheckResult("ok", "no other stack rotates it")
    elif plan.stack is not None and plan.stack.outputs.get("RotatorFunctionArn") == function:
        yield CheckResult("ok", "this stack rotates it")
    else:
        other = Arn.of(function)
        name = other.resource.removeprefix("function:") if other else function
        yield CheckResult(
            "failed",
            f"{name} already rotates it, and is not this stack's. Two stacks would both heal it.",
            "Let one stack rotate it: remove RotateGivenSecret here, or deploy the other stack"
            " without it first. If the other stack is deleted, turn its rotation off:\n"
            f"  aws secretsmanager cancel-rotate-secret --secret-id {plan.secret_id}"
            f" --region {plan.secret_region}",
        )


_NO_OWNER: Final = (
    "Add RotateGivenSecret=Yes to one stack in the secret's account and region (docs/deploy.md, Who"
    " rotates)."
)
