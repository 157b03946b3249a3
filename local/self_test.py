"""Checks, once the stack runs, that the identities of its access policy can work.

The issuer itself says which keys it has, by its status document, so the check is the same as in
AWS. A problem does not end the stack: a provider may start later.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from local import PROJECT
from local.access_policy import SELF_TEST_ROLE
from local.stack import LocalStack
from zego import shared_key
from zego.policy.model import BearerIdentity
from zego.shared_key import SharedKeyError

_STATUS = PROJECT / "events" / "status.json"
_ATTEMPTS = 5
_PAUSE_SECONDS = 3
"""The issuer may fail at first on a busy machine, on which the secret cannot be read in time."""


def identity_report(stack: LocalStack) -> dict[str, str]:
    """Returns what can be said of each identity with a bearer token, by its name."""
    keys = {one["identity"]: one for one in _signing_keys(stack)}
    return {
        identity.name: _about_shared_key(identity, stack.shared_keys)
        if identity.shared_key
        else _about_keys(keys.get(identity.name))
        for identity in stack.access_policy.bearers
    }


def _signing_keys(stack: LocalStack) -> list[dict[str, Any]]:
    event = json.loads(_STATUS.read_text())
    iam = event["requestContext"]["authorizer"]["iam"]
    iam["userArn"] = f"arn:aws:sts::000000000000:assumed-role/{SELF_TEST_ROLE}/start"
    for _ in range(_ATTEMPTS):
        answer = json.loads(stack.function.invoke(event).raw)
        if answer.get("statusCode") == 200:
            keys: list[dict[str, Any]] = json.loads(answer["body"])["signing_keys"]
            return keys
        time.sleep(_PAUSE_SECONDS)
    return []


def _about_keys(reading: dict[str, Any] | None) -> str:
    if reading is None:
        return "PROBLEM: not checked, because the issuer fails. See its log"
    of = f"of {reading['issuer']}"
    if reading["problem"]:
        return f"PROBLEM: no keys {of}: {reading['problem']}"
    return f"{reading['keys']} keys {of}"


def _about_shared_key(identity: BearerIdentity, given: Mapping[str, str]) -> str:
    name = identity.shared_key or ""
    if name not in given:
        return f"PROBLEM: no shared key. Start with --shared-key {name}=FILE"
    try:
        shared_key.parse(given[name], identity.shared_key_field)
    except SharedKeyError as error:
        return f"PROBLEM: the shared key {name}: {error}"
    return f"a shared key, {name}"
