"""Checks of samconfig.toml and of the access policy, without AWS."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ops.checklist.check import CheckResult, check
from ops.errors import CommandError
from ops.preflight.plan import CONFIG, Plan

#: What the files of this repository have instead of a team's own values.
_EXAMPLE: Final = re.compile(r"EXAMPLE|\bexample\.(?:com|net|org)\b|\b111122223333\b")
_LOCALHOST: Final = re.compile(r"https?://(?:localhost|127\.0\.0\.1)\b")


@check(
    "Are the example values replaced?",
    remedy="Replace them with your own values (docs/deploy.md), or remove them.",
)
def examples(plan: Plan) -> Iterator[CheckResult]:
    """In the parameters, and in the access policy."""
    path = plan.environment.policy
    try:
        policy = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):  # `policy` reports it
        policy = {}
    policy.pop("examples", None)  # requests in them may be invented
    for file, document in ((CONFIG, plan.parameters), (path.name, policy)):
        left = {key: value for key, value in _texts(document) if _EXAMPLE.search(value)}
        if left:
            shown = ", ".join(f"{key} ({value})" for key, value in left.items())
            yield CheckResult("failed", shown, of=file)
        else:
            yield CheckResult("ok", "no example value is left", of=file)


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a document, with the keys that lead to it."""
    match value:
        case str():
            yield key, value
        case list():
            for one in value:
                yield from _texts(one, key)
        case Mapping():
            for name, one in value.items():
                yield from _texts(one, f"{key}.{name}" if key else name)


@check(
    "Does the template take the parameters in samconfig.toml?",
    remedy="Correct parameter_overrides in samconfig.toml; template.yaml describes each parameter.",
)
def parameters(plan: Plan) -> Iterator[CheckResult]:
    """Their names, their values, and the template's rules."""
    given = (f"{name}={value}" for name, value in plan.parameters.items())
    done = plan.tool("tools.sam_template", "--parameters", *given)
    refusals = done.stdout.splitlines()
    if done.returncode and not refusals:
        raise CommandError("template.yaml cannot be read.", "To see why, run make validate.")
    for refusal in refusals:
        yield CheckResult("failed", refusal)
    if not refusals:
        yield CheckResult("ok", f"{len(plan.parameters)} parameters")


@check("May only pages of real hosts call the API of prod?")
def origins(plan: Plan) -> Iterator[CheckResult]:
    """`parameters` checks the form of each."""
    given = plan.parameters.get("AllowedOrigins", "")
    if plan.environment.stage == "prod" and _LOCALHOST.search(given):
        yield CheckResult(
            "warning",
            "AllowedOrigins lets pages on developers' machines call prod.",
            "Remove localhost from AllowedOrigins.",
        )
    else:
        yield CheckResult("ok", given.replace(",", ", "))


@check(
    "Does the stack have what the access policy's limits need?",
    remedy='Remove "Limits=Off" from parameter_overrides in samconfig.toml, or the limits from the'
    " rules.",
)
def limits(plan: Plan) -> Iterator[CheckResult]:
    """Budgets need the table. Other limits, such as max_session_seconds, do not."""
    rules = plan.policy.get("rules")
    budgets = [
        str(one.get("name", position))
        for position, one in enumerate(rules if isinstance(rules, list) else (), start=1)
        if isinstance(one, dict) and "max_tokens_per_hour" in one
    ]
    is_on = plan.parameters.get("Limits", "On") == "On"
    if budgets and not is_on:
        named = ", ".join(budgets)
        seen = f"max_tokens_per_hour of {named} needs a table: with Limits=Off no issuer starts."
        yield CheckResult("failed", seen)
    else:
        yield CheckResult("ok", f"Limits is {'On' if is_on else 'Off'}")


@check("Is the access policy valid?", remedy="Correct it (docs/access-policy.md): make policies.")
def policy(plan: Plan) -> Iterator[CheckResult]:
    """The access policy with its examples, as `make policies` checks it."""
    path = plan.environment.policy
    if not path.exists():
        yield CheckResult("failed", f"{path.relative_to(plan.environment.root)} does not exist.")
        return
    done = plan.tool("ops", "policy", "check", "--json", str(path))
    found = json.loads(done.stdout)
    for mistake in found["mistakes"]:
        yield CheckResult("failed", mistake)
    for warning in found["warnings"]:
        yield CheckResult("warning", warning, "docs/access-policy.md explains the rules.")
    if not found["mistakes"] and found["rules"] == 0:
        seen = f"{path.name} has no rules, so no one gets a token."
        yield CheckResult("warning", seen, "Add rules (docs/access-policy.md).")
    elif not found["mistakes"]:
        seen = f"{path.name}: {found['rules']} rules, {found['examples']} examples pass"
        yield CheckResult("ok", seen)
