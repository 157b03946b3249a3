"""The packaged policies load, and decide as their own examples say."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.policy.check import check, load
from tools import policy_schema
from zego.policy import examples
from zego.policy import file as policy_file
from zego.policy.decide import decide
from zego.policy.file import Example
from zego.policy.model import Caller, Grant, Refusal, TokenRequest

SHIPPED = [*policy_schema.POLICIES, policy_schema.REFERENCE, policy_schema.LOCAL]
EXAMPLES = [
    pytest.param(path, example, id=f"{path.parent.name}/{path.name}: {example.description}")
    for path in SHIPPED
    for example in policy_file.load_examples(path)
]


def decision(path: Path, example: Example) -> tuple[bool, str | None]:
    """Whether the service would grant an example, and the rule that decides it."""
    policy = load(path)
    caller = examples.caller_of(policy, example)
    decided = decide(policy, caller, example.request, now=examples.NOW)
    if isinstance(decided, Grant):
        return True, decided.rule
    assert decided.code == "not_granted"
    return False, decided.rule


def test_there_is_a_policy_for_each_stage() -> None:
    assert [path.stem for path in policy_schema.POLICIES] == ["dev", "prod", "staging"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_no_spelling_and_no_absence_of_a_claim_escapes_a_rule_that_denies(path: Path) -> None:
    """A policy that people copy denies by default, whatever the identity provider sends."""
    for rule in load(path).rules:
        assert not (rule.deny and rule.claims) or rule.unless_claims


def test_only_a_member_who_is_known_not_to_be_suspended_gets_a_token_in_prod() -> None:
    (prod,) = (path for path in policy_schema.POLICIES if path.stem == "prod")
    policy = policy_file.load(prod)
    assert policy.rules[0].deny
    verified = {"sub": "mallory", "email_verified": True}
    spellings = [*(True, "true", "false", 1, 0, [True], [[True]], {"value": True}, None, "")]
    for claims in (verified, *(verified | {"suspended": one} for one in spellings)):
        caller = Caller("web", "mallory", "mallory", claims)
        decided = decide(policy, caller, TokenRequest(room_id="call_1"), now=0)
        assert isinstance(decided, Refusal)
        assert decided.rule == policy.rules[0].name


@pytest.mark.parametrize("path", policy_schema.POLICIES, ids=lambda path: path.name)
def test_a_packaged_policy_accepts_no_plain_http(path: Path) -> None:
    issuers = policy_file.load(path).bearers
    assert issuers
    assert all(str(each.jwks_uri).startswith("https://") for each in issuers)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
class TestEveryPolicy:
    def test_it_loads_and_has_rules(self, path: Path) -> None:
        assert load(path).rules

    def test_it_has_examples_of_what_is_granted_and_of_what_is_refused(self, path: Path) -> None:
        assert {example.granted for example in policy_file.load_examples(path)} == {True, False}

    def test_each_of_its_rules_decides_an_example(self, path: Path) -> None:
        examples = policy_file.load_examples(path)
        decided = {decision(path, example)[1] for example in examples}
        assert {rule.name for rule in load(path).rules} <= decided

    def test_an_identity_may_read_the_status(self, path: Path) -> None:
        assert any(role.read_status for role in load(path).roles.values())

    def test_an_identity_may_diagnose_tokens(self, path: Path) -> None:
        assert any(role.diagnose_tokens for role in load(path).roles.values())


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_an_example_holds(path: Path, example: Example) -> None:
    granted, rule = decision(path, example)
    assert granted is example.granted
    assert example.rule in (None, rule)


def test_the_shipped_policies_pass_without_a_warning() -> None:
    for path in SHIPPED:
        found = check(path)
        assert (found.mistakes, found.warnings) == ((), ())
