"""The packaged policies load, and decide as their own examples say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.policy_mistakes import GOOD
from tools import policies
from zego.policy import examples
from zego.policy import file as policy_file
from zego.policy.decide import decide
from zego.policy.file import Example
from zego.policy.model import Caller, Grant, Refusal, TokenRequest

SHIPPED = [*policies.POLICIES, policies.REFERENCE, policies.LOCAL]
EXAMPLES = [
    pytest.param(path, example, id=f"{path.parent.name}/{path.name}: {example.description}")
    for path in SHIPPED
    for example in policy_file.load_examples(path)
]


def decision(path: Path, example: Example) -> tuple[bool, str | None]:
    """Whether the service would grant an example, and the rule that decides it."""
    policy = policies.load(path)
    caller = examples.caller_of(policy, example)
    decided = decide(policy, caller, example.request, now=examples.NOW)
    if isinstance(decided, Grant):
        return True, decided.rule
    assert decided.code == "not_granted"
    return False, decided.rule


def test_there_is_a_policy_for_each_stage() -> None:
    assert [path.stem for path in policies.POLICIES] == ["dev", "prod", "staging"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_no_spelling_and_no_absence_of_a_claim_escapes_a_rule_that_denies(path: Path) -> None:
    """A policy that people copy denies by default, whatever the identity provider sends."""
    for rule in policies.load(path).rules:
        assert not (rule.deny and rule.claims) or rule.unless_claims


def test_only_a_member_who_is_known_not_to_be_suspended_gets_a_token_in_prod() -> None:
    (prod,) = (path for path in policies.POLICIES if path.stem == "prod")
    policy = policy_file.load(prod)
    assert policy.rules[0].deny
    verified = {"sub": "mallory", "email_verified": True}
    spellings = [*(True, "true", "false", 1, 0, [True], [[True]], {"value": True}, None, "")]
    for claims in (verified, *(verified | {"suspended": one} for one in spellings)):
        caller = Caller("web", "mallory", "mallory", claims)
        decided = decide(policy, caller, TokenRequest(room_id="call_1"), now=0)
        assert isinstance(decided, Refusal)
        assert decided.rule == policy.rules[0].name


@pytest.mark.parametrize("path", policies.POLICIES, ids=lambda path: path.name)
def test_a_packaged_policy_accepts_no_plain_http(path: Path) -> None:
    issuers = policy_file.load(path).bearers
    assert issuers
    assert all(str(each.jwks_uri).startswith("https://") for each in issuers)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
class TestEveryPolicy:
    def test_it_loads_and_has_rules(self, path: Path) -> None:
        assert policies.load(path).rules

    def test_it_has_examples_of_what_is_granted_and_of_what_is_refused(self, path: Path) -> None:
        assert {example.granted for example in policy_file.load_examples(path)} == {True, False}

    def test_each_of_its_rules_decides_an_example(self, path: Path) -> None:
        examples = policy_file.load_examples(path)
        decided = {decision(path, example)[1] for example in examples}
        assert {rule.name for rule in policies.load(path).rules} <= decided

    def test_an_identity_may_read_the_status(self, path: Path) -> None:
        assert any(role.read_status for role in policies.load(path).roles.values())

    def test_an_identity_may_diagnose_tokens(self, path: Path) -> None:
        assert any(role.diagnose_tokens for role in policies.load(path).roles.values())


@pytest.mark.parametrize(("path", "example"), EXAMPLES)
def test_an_example_holds(path: Path, example: Example) -> None:
    granted, rule = decision(path, example)
    assert granted is example.granted
    assert example.rule in (None, rule)


def example(**changes: str) -> str:
    """An example of the good policy, as TOML, with changed values; an empty one is left out."""
    keys = {
        "description": '"alice joins a call"',
        "caller": '"web"',
        "claims": '{ sub = "alice", email_verified = true }',
        "request": '{ room_id = "call_1", stream_ids = ["alice_cam"] }',
        "expect": '"granted"',
    } | changes
    return "[[examples]]\n" + "\n".join(f"{key} = {value}" for key, value in keys.items() if value)


class TestChecking:
    """`make policies` reports which example fails, and why."""

    @pytest.fixture
    def file(self, tmp_path: Path) -> Path:
        return tmp_path / "prod.toml"

    def mistakes(self, file: Path, text: str) -> list[str]:
        file.write_text(f"{GOOD}\n{text}", encoding="utf-8")
        return policies.check(file)

    def test_examples_that_hold_are_counted(
        self, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.mistakes(file, example()) == []
        assert capsys.readouterr().out == "prod.toml: 2 rules, 1 examples pass\n"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"expect": '"refused"'}, "should be refused, but is granted by 'members'"),
            ({"claims": '{ sub = "alice" }'}, "should be granted, but is refused"),
            ({"rule": '"servers"'}, "should be decided by 'servers', but is granted by 'members'"),
            ({"rule": '"member"'}, "names the rule 'member', which does not exist"),
            ({"caller": '"webb"'}, "names the caller 'webb', but no identity has this name"),
            ({"claims": "{ email_verified = true }"}, "has claims without sub"),
            ({"caller": '"backend"'}, "has claims, but its caller is a role, which has none"),
        ],
    )
    def test_an_example_that_does_not_hold_is_named(
        self, file: Path, changes: dict[str, str], words: str
    ) -> None:
        (mistake,) = self.mistakes(file, example(**changes))
        assert mistake.startswith("prod.toml: 'alice joins a call'")
        assert words in mistake

    @pytest.mark.parametrize(
        "request_", ['{ room = "call_1" }', "{ room_id = 5 }", '{ room_id = "a b" }']
    )
    def test_an_invalid_request_does_not_count_as_a_refusal(
        self, file: Path, request_: str
    ) -> None:
        (mistake,) = self.mistakes(file, example(request=request_, expect='"refused"'))
        assert "'alice joins a call'" in mistake

    def test_an_invalid_policy_is_the_only_mistake(self, file: Path) -> None:
        (mistake,) = self.mistakes(file, example(expects='"granted"'))
        assert mistake.startswith("prod.toml: examples[1]: unknown key 'expects'")

    def test_the_shipped_policies_pass(self) -> None:
        assert [policies.check(path) for path in SHIPPED] == [[]] * len(SHIPPED)
