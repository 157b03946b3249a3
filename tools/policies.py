"""Checks access policies and runs the examples in them: ``make policies``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from issuer import policy_file, token_request
from issuer.access_policy import AccessPolicy, Caller
from issuer.policy_file import Example, PolicyError
from issuer.problems import Problem
from zego import identifiers

ROOT: Final = Path(__file__).resolve().parent.parent
_FOLDER: Final = ROOT / "functions" / "issuer" / "policies"
#: A policy with every key. It is not packaged.
REFERENCE: Final = _FOLDER / "reference.toml"
#: The policies of the stages in AWS.
POLICIES: Final = sorted({*_FOLDER.glob("*.toml")} - {REFERENCE})
#: The local stack fills in the address of its identity provider.
LOCAL: Final = ROOT / "local" / "access_policy.toml"


class ExampleError(ValueError):
    """An example fails or is invalid. The message tells why."""


def main() -> int:
    """Check the given files, or all policies of the project. Print what is wrong, and where."""
    parser = argparse.ArgumentParser(prog="make policies", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[*POLICIES, REFERENCE, LOCAL])
    mistakes = [mistake for path in parser.parse_args().files for mistake in check(path)]
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    return 1 if mistakes else 0


def check(path: Path) -> list[str]:
    """Return what is wrong with a policy file and its examples. If nothing is, print that."""
    try:
        policy, examples = load(path), policy_file.load_examples(path)
    except PolicyError as error:
        return [str(error)]
    mistakes = []
    for example in examples:
        try:
            run(policy, example)
        except ExampleError as error:
            mistakes.append(f"{path.name}: {example.description!r} {error}")
    if not mistakes:
        print(f"{path.name}: {len(policy.rules)} rules, {len(examples)} examples pass")
    return mistakes


def load(path: Path) -> AccessPolicy:
    """Return the policy as its stage would load it.

    :raises PolicyError: the policy is invalid.
    """
    if path.resolve() != LOCAL:
        return policy_file.load(path)
    with tempfile.TemporaryDirectory() as directory:
        filled_in = Path(directory, path.name)
        text = path.read_text(encoding="utf-8")
        filled_in.write_text(text.replace("{identity_provider}", "http://127.0.0.1:8081"))
        return policy_file.load(filled_in, allow_loopback=True)


def run(policy: AccessPolicy, example: Example) -> None:
    """Decide an example as the service would.

    :raises ExampleError: the decision differs, or the example names something unknown.
    """
    if example.rule is not None and example.rule not in {rule.name for rule in policy.rules}:
        raise ExampleError(f"names the rule {example.rule!r}, which does not exist")
    caller = caller_of(policy, example)
    names_user = caller.user_id is None
    try:
        request = token_request.token_request(dict(example.request), names_user=names_user)
    except Problem as problem:
        raise ExampleError(f"has an invalid request: {problem.detail}") from None
    try:
        rule, granted, outcome = policy.decide(caller, request).rule, True, "granted"
    except Problem as problem:
        rule, granted, outcome = problem.rule or "", False, f"refused ({problem.reason})"
    decided = f"{outcome} by {rule!r}" if rule else outcome
    if granted != example.granted:
        raise ExampleError(f"should be {'refused' if granted else 'granted'}, but is {decided}")
    if example.rule not in (None, rule):
        raise ExampleError(f"should be decided by {example.rule!r}, but is {decided}")


def caller_of(policy: AccessPolicy, example: Example) -> Caller:
    """Return the caller of an example, as the service would authenticate it.

    :raises ExampleError: the identity does not exist, or the claims do not fit it.
    """
    for oidc in policy.issuers.values():
        if oidc.name == example.caller:
            subject = example.claims.get("sub")
            if not isinstance(subject, str) or not subject:
                raise ExampleError("has claims without sub")
            user_id = identifiers.user_id_for_subject(
                oidc.issuer, subject, always_hash=oidc.hashed_user_ids
            )
            return Caller(oidc.name, f"{oidc.issuer} {subject}", user_id, example.claims)
    for role in policy.roles.values():
        if role.name == example.caller:
            if example.claims:
                raise ExampleError("has claims, but its caller is a role, which has none")
            return Caller(role.name, role.role, None, {}, role.read_status, role.diagnose_tokens)
    raise ExampleError(f"names the caller {example.caller!r}, but no identity has this name")


if __name__ == "__main__":
    sys.exit(main())
