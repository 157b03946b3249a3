"""The check of the stack: whether CloudFormation would update or create it now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from ops.checklist.check import CheckResult, check
from ops.preflight.plan import Plan

_OF_STACK: Final = "--stack-name {stack} --region {region}"
_EVENTS: Final = f"\n  aws cloudformation describe-stack-events {_OF_STACK}"
_DELETE: Final = f"Read why:{_EVENTS}\nThen delete it:\n  sam delete {_OF_STACK}"
_ROLL_BACK: Final = (
    f"Read why:{_EVENTS}\nThen roll it back:\n  aws cloudformation rollback-stack {_OF_STACK}"
)
_REPAIR: Final = f"Read why, and repair that:{_EVENTS}"
_CONTINUE: Final = (
    f"{_REPAIR}\nThen continue:\n  aws cloudformation continue-update-rollback {_OF_STACK}"
)
_WAIT: Final = (
    f"Wait until it ends. To follow it:{_EVENTS}\nTo stop an update, which rolls it back:\n"
    f"  aws cloudformation cancel-update-stack {_OF_STACK}"
)
#: The states in which AWS refuses a deployment: why, and what to do.
_REFUSED: Final[Mapping[str, tuple[str, str]]] = {
    "CREATE_FAILED": ("The stack was not created completely.", _DELETE),
    "ROLLBACK_COMPLETE": (
        "The first deployment failed and was rolled back: this stack can only be deleted.",
        _DELETE,
    ),
    "ROLLBACK_FAILED": ("The first deployment failed, and so did its rollback.", _DELETE),
    "DELETE_FAILED": ("Deleting the stack failed.", _DELETE),
    "UPDATE_FAILED": ("The last deployment failed and was not rolled back.", _ROLL_BACK),
    "UPDATE_ROLLBACK_FAILED": (
        "The last deployment failed, and so did its rollback.",
        _CONTINUE,
    ),
    "IMPORT_ROLLBACK_FAILED": ("The last import failed, and so did its rollback.", _REPAIR),
}


@check(
    "Can the stack be deployed?",
    remedy="Check stack_name and region in samconfig.toml.",
    needs=("credentials",),
)
def stack(plan: Plan) -> Iterator[CheckResult]:
    name, found = plan.environment.stack, plan.stack
    names = {"stack": name, "region": plan.region}
    if found is None or found.status == "REVIEW_IN_PROGRESS":
        yield CheckResult("ok", f"{name} is new")
    elif found.is_changing:
        yield CheckResult("failed", f"{name} is {found.status}.", _WAIT.format(**names))
    elif found.status in _REFUSED:
        seen, remedy = _REFUSED[found.status]
        yield CheckResult("failed", f"{name} is {found.status}. {seen}", remedy.format(**names))
    else:
        yield CheckResult("ok", f"{name} is {found.status}")
