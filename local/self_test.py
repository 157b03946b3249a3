"""Checks, once the stack runs, that the identities of its access policy can work.

The issuer itself says which keys it has, by its status document, so the check is the same as in
AWS. A problem does not end the stack: a provider may start later.
"""

from __future__ import annotations

import json
import time
from itertools import chain
from typing import Any

from local import PROJECT
from local.access_policy import SELF_TEST_ROLE
from local.stack import LocalStack

_STATUS = PROJECT / "events" / "status.json"
_ATTEMPTS = 5
_PAUSE_SECONDS = 3
"""The issuer may fail at first on a busy machine, on which the secret cannot be read in time."""


def identity_report(stack: LocalStack) -> dict[str, str]:
    """Returns what can be said of each identity with a bearer token, by its name."""
    status = _status(stack)
    kinds = (status.get(kind, ()) for kind in ("signing_keys", "shared_keys"))
    readings = {one["identity"]: one for one in chain.from_iterable(kinds)}
    return {
        identity.name: _about(readings.get(identity.name), stack)
        for identity in stack.access_policy.bearers
    }


def _status(stack: LocalStack) -> dict[str, Any]:
    event = json.loads(_STATUS.read_text())
    iam = event["requestContext"]["authorizer"]["iam"]
    iam["userArn"] = f"arn:aws:sts::000000000000:assumed-role/{SELF_TEST_ROLE}/start"
    for _ in range(_ATTEMPTS):
        answer = json.loads(stack.function.invoke(event).raw)
        if answer.get("statusCode") == 200:
            status: dict[str, Any] = json.loads(answer["body"])
            return status
        time.sleep(_PAUSE_SECONDS)
    return {}


def _about(reading: dict[str, Any] | None, stack: LocalStack) -> str:
    if reading is None:
        return "PROBLEM: not checked, because the issuer fails. See its log"
    secret = reading.get("secret")
    source = f"of {reading['issuer']}" if secret is None else f"in the secret {secret}"
    if reading["problem"]:
        if secret is None or secret in stack.shared_keys:
            return f"PROBLEM: no keys {source}: {reading['problem']}"
        return f"PROBLEM: there is no secret {secret}. Start with --shared-key {secret}=FILE"
    return f"{reading['keys']} key{'s' if reading['keys'] != 1 else ''} {source}"
