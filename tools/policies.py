"""Check access policies and run the examples in them: ``make policies``."""

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
#: Shows every key. It is not packaged.
REFERENCE: Final = _FOLDER / "reference.toml"
#: One per stage in AWS.
POLICIES: Final = sorted({*_FOLDER.glob("*.toml")} - {REFERENCE})
#: The local stack fills in where its identity provider is.
LOCAL: Final = ROOT / "local" / "access_policy.toml"


class ExampleError(ValueError):
    """An example that does not hold, or cannot: the message says why."""


def main() -> int:
    """Check the files given, or all of the project's. Says what does not hold, and where."""
    parser = argparse.ArgumentParser(prog="make policies", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, default=[*POLICIES, REFERENCE, LOCAL])
    mistakes = [mistake for path in parser.parse_args().files for mistake in check(path)]
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    return 1 if mistakes else 0


def check(path: Path) -> list[str]:
    """What is wrong with a policy file and its examples. Prints a line where nothing is."""
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
        print(f"{path.name}: {len(policy.rules)} rules, {len(examples)} examples hold")
    return mistakes


def load(path: Path) -> AccessPolicy:
    """The policy as its stage would load it.

    :raises PolicyError: it cannot be meant.
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

    :raises ExampleError: it comes out otherwise, or names what the policy does not have.
    """
    if example.rule is not None and example.rule not in {rule.name for rule in policy.rules}:
        raise ExampleError(f"names {example.rule!r}, and no rule is called that")
    caller = caller_of(policy, example)
    names_user = caller.user_id is None
    try:
        request = token_request.token_request(dict(example.request), names_user=names_user)
    except Problem as problem:
        raise ExampleError(f"has a request that is refused unread: {problem.detail}") from None
    try:
        rule, granted, outcome = policy.decide(caller, request).rule, True, "granted"
    except Problem as problem:
        rule, granted, outcome = problem.rule or "", False, f"refused ({problem.reason})"
    decided = f"{outcome} by {rule!r}" if rule else outcome
    if granted != example.granted:
        raise ExampleError(f"should be {'refused' if granted else 'granted'}, and is {decided}")
    if example.rule not in (None, rule):
        raise ExampleError(f"should be decided by {example.rule!r}, and is {decided}")


def caller_of(policy: AccessPolicy, example: Example) -> Caller:
    """The caller of an example, as the service would make it from a proof.

    :raises ExampleError: there is no such identity, or its claims are not what it has.
    """
    for oidc in policy.issuers.values():
        if oidc.name == example.caller:
            subject = example.claims.get("sub")
            if not isinstance(subject, str) or not subject:
                raise ExampleError("has claims without a sub")
            user_id = identifiers.user_id_for_subject(
                oidc.issuer, subject, always_hash=oidc.hashed_user_ids
            )
            return Caller(oidc.name, f"{oidc.issuer} {subject}", user_id, example.claims)
    for role in policy.roles.values():
        if role.name == example.caller:
            if example.claims:
                raise ExampleError("has claims, and a role has none")
            return Caller(role.name, role.role, None, {}, role.read_status, role.diagnose_tokens)
    raise ExampleError(f"names the caller {example.caller!r}, and no identity is called that")


if __name__ == "__main__":
    sys.exit(main())
