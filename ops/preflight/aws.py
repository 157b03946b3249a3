"""Checks of the AWS account: region, credentials, the ARNs in the configuration, and its quota."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ops.checklist.check import CannotCheckError, CheckResult, check
from ops.preflight.plan import CONFIG, Arn, Plan

#: The concurrency that AWS keeps unreserved. An account with a lower quota can reserve nothing.
_UNRESERVED: Final = 100
_MORE: Final = (
    "ask AWS, as an administrator, for a higher quota, such as 1000:\n"
    "  aws service-quotas request-service-quota-increase --service-code lambda"
    " --quota-code L-B99A9384 --desired-value 1000 --region {region}"
)
#: By parameter, what the stack and the resource of this ARN must have in common.
_SHARED: Final[Mapping[str, tuple[str, ...]]] = {
    "AlarmTopicArn": ("region",),
    "LogKmsKeyArn": ("region",),
    "DomainCertificateArn": ("region", "account"),
    "PermissionsBoundaryArn": ("account",),
}


@check(
    "Does samconfig.toml name the region that the shell uses?",
    remedy="Set region in samconfig.toml, or AWS_REGION.",
)
def region(plan: Plan) -> Iterator[CheckResult]:
    found, shell = plan.region, plan.shell_region
    if shell == found:
        yield CheckResult("ok", found)
        return
    used = "have no region" if shell is None else f"use {shell}"
    yield CheckResult(
        "warning",
        f"{CONFIG} deploys to {found}, but zego-token and aws {used} in this shell.",
        f"Run export AWS_REGION={found}, or add --region {found} to their commands.",
    )


@check(
    "Are there AWS credentials, and whose are they?",
    remedy="Log in (aws sso login, aws login), or set AWS_PROFILE.",
    needs=("region",),
)
def credentials(plan: Plan) -> Iterator[CheckResult]:
    deploys = plan.environment.profile
    if plan.profile is not None and deploys not in {None, plan.profile}:
        yield CheckResult(
            "failed",
            f"sam deploy uses the profile {deploys}, which {CONFIG} names, not {plan.profile}.",
            "Remove --profile, or profile from samconfig.toml.",
        )
        return
    yield CheckResult("ok", str(plan.identity["Arn"]))


@check(
    "Are the ARNs in the configuration of this account and region?",
    remedy="Name one of the stack's account and region, or change the credentials or the region.",
    needs=("credentials",),
)
def arns(plan: Plan) -> Iterator[CheckResult]:
    shared = dict(_SHARED)
    if plan.parameters.get("RotateGivenSecret") == "Yes":  # its rotator is in the stack
        shared["ServerSecretArn"] = ("region", "account")
    is_right = True
    for name, parts in shared.items():
        arn = Arn.of(plan.parameters.get(name, ""))
        if arn is None or arn.account == "aws":  # a policy that AWS manages
            continue
        for part in parts:
            named, own = getattr(arn, part), getattr(plan, part)
            if named != own:
                is_right = False
                yield CheckResult("failed", _elsewhere(name, part, named, own), of=name)
    elsewhere = {name: account for name, account in _roles(plan) if account != plan.account}
    if elsewhere:
        is_right = False
        accounts = ", ".join(sorted(set(elsewhere.values())))
        yield CheckResult(
            "warning",
            f"A role of account {accounts} cannot call the service: API Gateway only lets roles of"
            f" the stack's account, {plan.account}, call it.",
            "Name a role of this account, which the backend assumes (docs/backends.md).",
            ", ".join(elsewhere),
        )
    if is_right:
        yield CheckResult("ok", f"account {plan.account}, {plan.region}")


def _elsewhere(name: str, part: str, named: str, own: str) -> str:
    seen = f"It is in {part} {named}, but the stack will be in {own}."
    if name == "ServerSecretArn":
        seen += " RotateGivenSecret=Yes is only possible in the secret's own account and region."
    return seen


def _roles(plan: Plan) -> Iterator[tuple[str, str]]:
    """The identities of the access policy that are roles, with their accounts."""
    for name, identity in plan.identities.items():
        role = identity.get("role")
        if isinstance(role, str) and (arn := Arn.of(role)):
            yield f"identities.{name}", arn.account


@check(
    "Does the account have enough concurrency for ReservedConcurrency?",
    remedy="Try again in a moment.",
    needs=("credentials",),
)
def concurrency(plan: Plan) -> Iterator[CheckResult]:
    text = plan.parameters.get("ReservedConcurrency", "0")
    if not text.isascii() or not text.isdecimal():
        raise CannotCheckError(f"ReservedConcurrency is {text}.", "Set a number.")
    reserved = int(text)
    limits = plan.call("lambda", "get_account_settings")["AccountLimit"]
    quota, free = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    if plan.stack is not None and plan.stack.outputs:  # its present reservation becomes free
        free += int(plan.stack.parameters.get("ReservedConcurrency") or 0)
    most = max(free - _UNRESERVED, 0)
    seen = f"the quota is {quota}, and {most} can be reserved"
    more = _MORE.format(region=plan.region)
    if reserved > most:
        limit = f"Set ReservedConcurrency to {most} in samconfig.toml (0 reserves none), or {more}"
        yield CheckResult("failed", f"AWS refuses to reserve {reserved}: {seen}.", limit)
    elif quota < _UNRESERVED:
        seen = f"The quota is only {quota} concurrent executions, for all functions together."
        yield CheckResult("warning", seen, f"Before users depend on it, {more}")
    else:
        yield CheckResult("ok", f"{seen}; ReservedConcurrency is {reserved}")
