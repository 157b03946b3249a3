"""The policies of all roles, for the deployment of :mod:`tests.support.aws_calls`."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from ops.iam import derived, document, names_of
from tests.infrastructure.stacks import Stack, stack_that_posts_incoming_calls
from tests.support.aws_calls import ACCOUNT, ARNS, INCOMING_CALL_KEY, REGION, STACK
from tests.support.iam import Statements, listed

FUNCTIONS: Final = ("issuer", "rotator", "watcher")
PRINTED: Final = ("deployer", "operator", "backend", "support")
LOGS: Final = {
    name: f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{STACK}-{name.title()}Log-0A1B2C3D"
    for name in FUNCTIONS
}
#: What the references to the stack's resources become.
_RESOURCES: Final = {
    "ServerSecret": ARNS["secretsmanager"],
    "ServerSecretKey.Arn": ARNS["kms"],
    "RotatorFunction.Arn": ARNS["lambda"],
    "LimitsTable": ARNS["dynamodb"].rpartition("/")[2],
    "LimitsTable.Arn": ARNS["dynamodb"],
    "IncomingCallKey": INCOMING_CALL_KEY,
    "IncomingCallDeadLetters": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/"
    + ARNS["sqs"].rpartition(":")[2],
    "HttpApi": ARNS["execute-api"].rpartition(":")[2].partition("/")[0],
    **{f"{name.title()}Log.Arn": f"{arn}:*" for name, arn in LOGS.items()},
}


class Grant(NamedTuple):
    """The smallest part of a policy: without it, the policy allows less.

    :ivar place: where it is: a statement's number and the keys in it.
    """

    place: tuple[int | str, ...]
    value: str


@functools.cache
def made_stack() -> Stack:
    """A stack that creates and rotates the secret, and posts incoming calls."""
    return stack_that_posts_incoming_calls(Stage="prod", AlarmEmail="operators@example.com")


@functools.cache
def statements(role: str) -> Statements:
    """The statements of a role's policy."""
    if role in FUNCTIONS:
        (policy,) = made_stack().properties(f"{role.title()}Role")["Policies"]
        return list(_resolved(policy["PolicyDocument"]["Statement"]))
    outputs = {
        name: value
        for name, output in made_stack().template["Outputs"].items()
        if (value := _resolved(output["Value"])) is not None
    }
    names = names_of(REGION, ACCOUNT, STACK) | derived(outputs)
    return list(document(role, names)["Statement"])


def grants(role: str) -> Iterator[Grant]:
    """Each action and each value of a condition that a policy lists."""
    for number, statement in enumerate(statements(role)):
        for value in listed(statement["Action"]):
            yield Grant((number, "Action"), value)
        for value in listed(statement["Resource"]):
            yield Grant((number, "Resource"), value)
        for operator, keys in statement.get("Condition", {}).items():
            for key, values in keys.items() if operator != "Null" else ():
                for value in listed(values):
                    yield Grant((number, "Condition", operator, key), value)


def without(role: str, grant: Grant) -> Statements:
    """The statements of a policy that lacks a grant."""

    def rest(node: Any, place: tuple[int | str, ...]) -> Any:
        if place:
            first, *others = place
            copied: Any = dict(node) if isinstance(node, Mapping) else list(node)
            copied[first] = rest(node[first], tuple(others))
            return copied
        return [value for value in listed(node) if value != grant.value]

    return list(rest(statements(role), grant.place))


def _resolved(node: Any) -> Any:
    """A value of the template; ``None`` for one that no policy here is made from."""
    match node:
        case {"Ref": name}:
            return _RESOURCES.get(name)
        case {"Fn::GetAtt": [name, attribute]}:
            return _RESOURCES.get(f"{name}.{attribute}")
        case {"Fn::Sub": str(text)}:
            parts = re.split(r"\$\{(\w+)\}", text)
            parts[1::2] = [_RESOURCES.get(name) for name in parts[1::2]]
            return None if None in parts else "".join(parts)
        case Mapping():
            node = {key: _resolved(value) for key, value in node.items()}
        case list():
            node = [_resolved(one) for one in node]
    return node
