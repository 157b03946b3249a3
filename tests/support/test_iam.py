"""The rules of IAM that `tests.support.iam` follows, each from the IAM User Guide."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.iam import Call, allows

ARN = "arn:aws:s3:eu-west-1:111122223333:thing/a:b"


def one(**changes: Any) -> list[dict[str, Any]]:
    return [{"Effect": "Allow", "Action": "s3:GetThing", "Resource": ARN} | changes]


def holds(operator: str, wanted: str | list[str], *found: str) -> bool:
    """Whether a condition holds for a call whose key has these values."""
    context = (("s3:key", found),) if found else ()
    statements = one(Condition={operator: {"S3:Key": wanted}})
    return allows(statements, Call("s3:GetThing", ARN, context))


def test_an_action_and_a_resource_have_to_match() -> None:
    assert allows(one(), Call("s3:GetThing", ARN))
    assert not allows(one(), Call("s3:PutThing", ARN))
    assert not allows(one(), Call("s3:GetThing", f"{ARN}/c"))
    assert not allows([], Call("s3:GetThing", ARN))


def test_one_statement_has_to_allow_the_whole_call() -> None:
    halves = [*one(Resource="arn:*:other"), *one(Action="s3:Other")]
    assert not allows(halves, Call("s3:GetThing", ARN))
    assert allows([*halves, *one()], Call("s3:GetThing", ARN))


def test_a_statement_that_denies_the_call_wins() -> None:
    call = Call("s3:GetThing", ARN)
    assert not allows([*one(), *one(Effect="Deny")], call)
    assert not allows([*one(Effect="Deny"), *one()], call)
    assert allows([*one(), *one(Effect="Deny", Action="s3:Other")], call)
    assert not allows(one(Effect="Deny", Action="s3:Other"), call)


@pytest.mark.parametrize("pattern", ["S3:getthing", "s3:Get*", "s3:G?tThing", "*"])
def test_actions_ignore_case_and_have_wildcards(pattern: str) -> None:
    assert allows(one(Action=["s3:No", pattern]), Call("s3:GetThing", ARN))


def test_resources_have_wildcards_and_heed_case() -> None:
    assert allows(one(Resource=["no", "arn:aws:s3:*/a?b"]), Call("s3:GetThing", ARN))
    assert not allows(one(Resource=ARN.upper()), Call("s3:GetThing", ARN))
    assert not allows(one(Resource="arn.aws.*"), Call("s3:GetThing", ARN))


def test_all_conditions_have_to_hold_and_one_of_their_values() -> None:
    assert holds("StringEquals", ["x", "y"], "y")
    assert not holds("StringEquals", ["x", "y"], "X")
    both = {"StringEquals": {"a": "1"}, "StringLike": {"b": "2*"}}
    call = Call("s3:GetThing", ARN, (("a", ("1",)), ("b", ("22",))))
    assert allows(one(Condition=both), call)
    assert not allows(one(Condition=both), call._replace(context=(("a", ("1",)),)))


def test_a_missing_key_only_matches_if_exists_and_for_all_values() -> None:
    assert not holds("StringEquals", "x")
    assert not holds("ForAnyValue:StringEquals", "x")
    assert holds("StringEqualsIfExists", "x")
    assert holds("ForAllValues:StringEquals", "x")
    assert not holds("StringEqualsIfExists", "x", "y")


def test_quantifiers_are_about_the_values_of_the_call() -> None:
    assert holds("ForAnyValue:StringEquals", ["x"], "x", "y")
    assert not holds("ForAllValues:StringEquals", ["x"], "x", "y")
    assert holds("ForAllValues:StringEquals", ["x", "y", "z"], "x", "y")


def test_a_negated_operator_holds_if_no_value_is_equal_or_the_key_is_missing() -> None:
    assert holds("StringNotEquals", ["x", "y"], "z")
    assert not holds("StringNotEquals", ["x", "y"], "x")
    assert holds("StringNotEquals", "x")
    assert not holds("ForAllValues:StringNotEquals", "x", "x", "y")
    assert holds("ForAnyValue:StringNotEquals", "x", "x", "y")


def test_null_is_about_whether_the_key_exists() -> None:
    assert holds("Null", "true")
    assert not holds("Null", "true", "x")
    assert holds("Null", "false", "x")
    assert not holds("Null", "false")


def test_wildcards_of_an_arn_stay_within_its_parts() -> None:
    assert holds("ArnLike", "arn:aws:s3:*:*:thing/*", ARN)
    assert not holds("ArnLike", "arn:aws:s3:*:thing/*", ARN)
    assert holds("StringLike", "arn:aws:s3:*:thing/*", ARN)


def test_booleans_ignore_case() -> None:
    assert holds("Bool", "False", "false")
    assert not holds("BoolIfExists", "false", "true")


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": "Audit"},
        {"NotResource": "x"},
        {"Resource": "arn:aws:s3:::${aws:username}"},
        {"Condition": {"NumericLessThan": {"s3:key": "5"}}},
        {"Condition": {"ForNoValue:StringEquals": {"s3:key": "5"}}},
        {"Condition": {"Null": {"s3:key": "maybe"}}},
    ],
)
def test_what_it_does_not_know_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        allows(one(**changes), Call("s3:GetThing", ARN, (("s3:key", ("5",)),)))


def test_several_values_need_a_quantifier() -> None:
    with pytest.raises(ValueError, match="StringEquals for"):
        holds("StringEquals", "x", "x", "y")
