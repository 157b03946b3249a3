"""Runs the examples in a policy file: requests that must be granted, and such that must not."""

from __future__ import annotations

from typing import Final

from zego.policy import identify
from zego.policy.decide import decide
from zego.policy.file import Example
from zego.policy.model import AccessPolicy, BearerIdentity, Caller, Grant

#: When the requests of examples are made: a time of -60 in their claims is a minute earlier.
NOW: Final = 0.0


class ExampleError(ValueError):
    """An example fails or is invalid. The message tells why."""


def run(policy: AccessPolicy, example: Example) -> str | None:
    """Decide an example as the service would. Return the rule that decided.

    :raises ExampleError: the decision differs, or the example names something unknown.
    """
    if example.rule is not None and example.rule not in {rule.name for rule in policy.rules}:
        raise ExampleError(f"names the rule {example.rule!r}, which does not exist")
    caller = caller_of(policy, example)
    if (caller.user_id is None) == (example.request.user_id is None):
        problem = "lacks" if caller.user_id is None else "has"
        raise ExampleError(f"has an invalid request: for this caller it {problem} user_id")
    decision = decide(policy, caller, example.request, now=NOW)
    granted = isinstance(decision, Grant)
    outcome = "granted" if isinstance(decision, Grant) else f"refused ({decision.reason})"
    decided = f"{outcome} by {decision.rule!r}" if decision.rule else outcome
    if granted != example.granted:
        raise ExampleError(f"should be {'refused' if granted else 'granted'}, but is {decided}")
    if example.rule not in (None, decision.rule):
        raise ExampleError(f"should be decided by {example.rule!r}, but is {decided}")
    return decision.rule


def caller_of(policy: AccessPolicy, example: Example) -> Caller:
    """Return the caller of an example, as the service would authenticate it.

    :raises ExampleError: the identity does not exist, or the claims do not fit it.
    """
    for bearer in policy.bearers:
        if bearer.name == example.caller:
            return _bearer_caller(bearer, example)
    for role in policy.roles.values():
        if role.name == example.caller:
            if example.claims:
                raise ExampleError("has claims, but its caller is a role, which has none")
            return Caller(role.name, role.role, None, {}, role.read_status, role.diagnose_tokens)
    raise ExampleError(f"names the caller {example.caller!r}, but no identity has this name")


def _bearer_caller(bearer: BearerIdentity, example: Example) -> Caller:
    name = bearer.user_id_claim
    subject = example.claims.get(name)
    is_number = name != "sub" and type(subject) is int
    if not bearer.names_users and not is_number and not (isinstance(subject, str) and subject):
        raise ExampleError(f"has claims without {name}")
    user_id = identify.user_id(bearer, example.claims)
    return Caller(bearer.name, f"{bearer.issuer} {subject}", user_id, example.claims)
