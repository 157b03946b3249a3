"""The policies that are shipped load, and say what their own examples claim."""

from __future__ import annotations

from pathlib import Path

import pytest

import issuer
from issuer import policy_file, token_request
from issuer.access_policy import AccessPolicy, Caller
from issuer.policy_file import Example
from issuer.problems import Problem
from zego import identifiers

ROOT = Path(__file__).parents[3]
PACKAGED = sorted((Path(issuer.__file__).parent / "policies").glob("*.toml"))
LOCAL = ROOT / "local" / "access_policy.toml"
EXAMPLES = [
    pytest.param(path, example, id=f"{path.parent.name}/{path.name}: {example.description}")
    for path in (*PACKAGED, LOCAL)
    for example in policy_file.load_examples(path)
]


def load(path: Path, folder: Path) -> AccessPolicy:
    """The policy as its stage loads it; the local stack fills in where its provider is."""
    if path != LOCAL:
        return policy_file.load(path)
    filled_in = folder / path.name
    text = path.read_text(encoding="utf-8")
    filled_in.write_text(text.replace("{identity_provider}", "http://127.0.0.1:8081"))
    return policy_file.load(filled_in, allow_loopback=True)


def caller_of(example: Example, policy: AccessPolicy) -> Caller:
    """The caller of an example, as the service would make it from a proof."""
    for identity in policy.issuers.values():
        if identity.name == example.caller:
            subject = example.claims["sub"]
            assert isinstance(subject, str)
            user_id = identifiers.user_id_for_subject(
                identity.issuer, subject, always_hash=identity.hashed_user_ids
            )
            return Caller(identity.name, f"{identity.issuer} {subject}", user_id, example.claims)
    (role,) = (role for role in policy.roles.values() if role.name == example.caller)
    assert not example.claims, "a role has no claims"
    return Caller(role.name, role.role, None, {}, role.read_status)


def test_there_is_a_policy_for_each_stage() -> None:
    assert [path.stem for path in PACKAGED] == ["dev", "prod", "staging"]


@pytest.mark.parametrize("path", PACKAGED, ids=lambda path: path.name)
def test_a_packaged_policy_takes_no_plain_http(path: Path) -> None:
    policy = policy_file.load(path)
    assert all(each.jwks_uri.startswith("https://") for each in policy.issuers.values())


@pytest.mark.parametrize("path", [*PACKAGED, LOCAL], ids=lambda path: path.name)
class TestEveryPolicy:
    def test_it_loads_and_has_rules(self, path: Path, tmp_path: Path) -> None:
        assert load(path, tmp_path).rules

    def test_it_has_examples_of_what_is_granted_and_of_what_is_refused(
        self, path: Path, tmp_path: Path
    ) -> None:
        assert {example.granted for example in policy_file.load_examples(path)} == {True, False}

    def test_each_of_its_rules_decides_an_example(self, path: Path, tmp_path: Path) -> None:
        policy = load(path, tmp_path)
        decided = {
            rule for example in policy_file.load_examples(path) for rule in [deciding(example, policy)]
        }
        assert {rule.name for rule in policy.rules} <= decided

    def test_its_examples_name_rules_that_are_there(self, path: Path, tmp_path: Path) -> None:
        names = {rule.name for rule in load(path, tmp_path).rules}
        named = {example.rule for example in policy_file.load_examples(path)} - {None}
        assert named <= names

    def test_somebody_may_read_the_status(self, path: Path, tmp_path: Path) -> None:
        assert any(role.read_status for role in load(path, tmp_path).roles.values())


def deciding(example: Example, policy: AccessPolicy) -> str | None:
    """The name of the rule that decides an example."""
    caller = caller_of(example, policy)
    request = token_request.token_request(
        dict(example.request), names_user=caller.user_id is None
    )
    try:
        return policy.decide(caller, request).rule
    except Problem as problem:
        return problem.rule


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_an_example_holds(path: Path, example: Example, tmp_path: Path) -> None:
    policy = load(path, tmp_path)
    caller = caller_of(example, policy)
    request = token_request.token_request(dict(example.request), names_user=caller.user_id is None)
    if example.granted:
        grant = policy.decide(caller, request)
        assert example.rule in (None, grant.rule)
    else:
        with pytest.raises(Problem) as refused:
            policy.decide(caller, request)
        assert refused.value.code == "not_granted"
        assert example.rule in (None, refused.value.rule)


def test_a_suspended_member_is_refused_in_prod_before_any_rule_that_grants() -> None:
    policy = policy_file.load(next(path for path in PACKAGED if path.stem == "prod"))
    assert policy.rules[0].deny
