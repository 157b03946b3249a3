"""Checks of `IncomingCallUrl`: whether the access policy allows callees, and the key's version.

The stack creates the key, a secret. `IncomingCallKeyVersion` names the version that EventBridge
sends; CloudFormation cannot deploy a stack with one that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ops.checklist.check import CannotCheckError, CheckResult, check
from ops.preflight.plan import CONFIG, Plan
from ops.preflight.secret import DELETE, belongs_to_stack

_URL: Final = "IncomingCallUrl"
_VERSION: Final = "IncomingCallKeyVersion"
_ROTATE: Final = "docs/calls.md, Rotate the key"


@check("Can a call have callees, if the stack posts incoming calls?")
def incoming_calls(plan: Plan) -> Iterator[CheckResult]:
    rules = plan.policy.get("rules")
    inviting = [
        str(rule.get("name", position))
        for position, rule in enumerate(rules if isinstance(rules, list) else (), start=1)
        if isinstance(rule, dict) and rule.get("callees")
    ]
    if inviting:
        yield CheckResult("ok", f"the access policy allows callees: {', '.join(inviting)}")
    elif plan.parameters.get(_URL):
        yield CheckResult(
            "warning",
            f"No rule of the access policy has callees, so nothing is posted to {_URL}.",
            f"Add callees to a rule (docs/access-policy.md), or remove {_URL} from {CONFIG}.",
        )


@check(
    "Can EventBridge get the key for incoming calls?",
    remedy=f"Correct {_VERSION} in {CONFIG} ({_ROTATE}).",
    needs=("credentials",),
)
def incoming_call_key(plan: Plan) -> Iterator[CheckResult]:
    if not plan.parameters.get(_URL):
        return
    if plan.stack is not None and plan.stack.is_changing:
        raise CannotCheckError("the stack is changing", "See the check stack.")
    name = f"{plan.environment.stack}/incoming-call-key"
    version = plan.parameters.get(_VERSION, "")
    found = plan.described(name)
    if found is None and version:
        seen = f"The stack has no key yet, so {_VERSION} names a version that does not exist."
        yield CheckResult("failed", seen, f"Remove {_VERSION} from {CONFIG}.")
    elif found is None:
        yield CheckResult("ok", f"the name {name} is free")
    elif found.get("DeletedDate"):
        seen = f"{name} is scheduled for deletion, and until then its name is taken."
        yield CheckResult("failed", seen, DELETE.format(id=name, region=plan.region))
    elif not belongs_to_stack(plan, str(found["ARN"]), "IncomingCallKey"):
        seen = f"{name} exists, and does not belong to the stack {plan.environment.stack}."
        yield CheckResult("failed", seen, DELETE.format(id=name, region=plan.region))
    else:
        yield _of_version(found, version)


def _of_version(found: Mapping[str, Any], version: str) -> CheckResult:
    """Whether the version exists, and whether a rotation of the key has ended."""
    labels: Mapping[str, list[str]] = found.get("VersionIdsToStages", {})
    current = next((one for one, of in labels.items() if "AWSCURRENT" in of), "")
    if version and version not in labels:
        return CheckResult("failed", f"{_VERSION} is {version}, which the key does not have.")
    if version != current and (version or len(labels) > 1):
        return CheckResult(
            "warning",
            "A newer key is stored, and EventBridge sends the old one.",
            f'If your server accepts both, set "{_VERSION}={current}" in {CONFIG} ({_ROTATE}).',
        )
    return CheckResult("ok", f"the version {current} is AWSCURRENT")
