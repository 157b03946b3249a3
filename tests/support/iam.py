"""Decides whether the statements of a policy allow a call, as IAM does.

It knows what the policies of this project use: Allow and Deny, ``*`` and ``?``, and the condition
operators of :data:`_OPERATORS`. Anything else raises, so that no call passes because of a condition
that was not understood. Kept evaluators were not good enough: moto's denies a call if a condition
of any statement fails, and the complete one (@cloud-copilot/iam-simulate) is under the AGPL.

Source: "IAM JSON policy elements" and "Policy evaluation logic" in the IAM User Guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

Statements = Sequence[Mapping[str, Any]]


class Call(NamedTuple):
    """One API call, as IAM sees it.

    :ivar context: the values of each condition key that the call has, by the key.
    """

    action: str
    resource: str
    context: tuple[tuple[str, tuple[str, ...]], ...] = ()


def allows(statements: Statements, call: Call) -> bool:
    """Whether one of the statements allows the call, and none denies it."""
    effects = {statement["Effect"] for statement in statements if _matches(statement, call)}
    return effects == {"Allow"}


def _matches(statement: Mapping[str, Any], call: Call) -> bool:
    if unknown := statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}:
        raise ValueError(f"unknown elements: {unknown}")
    if statement["Effect"] not in {"Allow", "Deny"}:
        raise ValueError(f"unknown effect: {statement['Effect']}")
    context = {key.lower(): values for key, values in call.context}
    return (
        any(_like(action.lower(), call.action.lower()) for action in listed(statement["Action"]))
        and any(_like(resource, call.resource) for resource in listed(statement["Resource"]))
        and all(
            _holds(operator, [*listed(values)], context.get(key.lower(), ()))
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def listed(value: str | Sequence[str]) -> Sequence[str]:
    """The values of an element, which may be one or a list."""
    return [value] if isinstance(value, str) else value


def _holds(operator: str, wanted: Sequence[str], found: Iterable[str]) -> bool:
    found = [*found]
    if operator == "Null":
        (is_absent,) = wanted
        return (not found) == {"true": True, "false": False}[is_absent]
    quantifier, _, name = operator.rpartition(":")
    is_negated = "Not" in name
    matches = _OPERATORS[name.removesuffix("IfExists").replace("Not", "")]
    results = [any(matches(one, value) for one in wanted) != is_negated for value in found]
    match quantifier:
        case "ForAllValues":
            return all(results)
        case "ForAnyValue":
            return any(results)
        case "" if len(results) <= 1:  # IAM promises nothing for more values
            return results[0] if results else is_negated or name.endswith("IfExists")
    raise ValueError(f"{operator} for {found}")


def _like(pattern: str, text: str) -> bool:
    if "${" in pattern:
        raise ValueError(f"policy variables are not known: {pattern}")
    wildcards = {"*": ".*", "?": "."}
    expression = "".join(wildcards.get(one) or re.escape(one) for one in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _like_arn(pattern: str, text: str) -> bool:
    """Whether each of the six parts of an ARN is like the pattern's."""
    patterns, parts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(parts) == 6 and all(map(_like, patterns, parts))


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": str.__eq__,
    "StringLike": _like,
    "ArnEquals": _like_arn,
    "ArnLike": _like_arn,
    "Bool": lambda wanted, found: wanted.lower() == found.lower(),
}
