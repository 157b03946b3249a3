"""The rules refuse parameters that contradict each other or have no effect."""

from __future__ import annotations

import re
from typing import Final

import pytest

from tests.infrastructure.stacks import INCOMING_CALL_URL, OWN_KEY, OWN_SECRET
from tools.sam_template import load, refusals

EMAIL: Final = {"AlarmEmail": "operators@example.com"}
TOPIC: Final = {"AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:alarms"}
NOBODY: Final = {"AlarmsTellNobody": "Yes"}
PROD: Final = {"Stage": "prod"}
READER: Final = {"ServerSecretArn": OWN_SECRET}
OWNER: Final = {**READER, "RotateGivenSecret": "Yes"}
SHARED: Final = {"SecretReaderAccounts": "444455556666"}
KEYS: Final = {"SharedKeySecretArns": f"{OWN_SECRET},{OWN_SECRET}"}
CALLS: Final = {"IncomingCallUrl": INCOMING_CALL_URL}
KEY_VERSION: Final = {"IncomingCallKeyVersion": "00000000-0000-4000-8000-000000000000"}
#: A setting of the rotation, with a value other than its default.
OF_THE_ROTATION: Final = {
    "RotationReminderDays": "90",
    "HealCooldownSeconds": "60",
    "ZegoServerApiUrl": "https://rtc-api-sgp.zego.im/",
}
OF_THE_ROTATION_CASES: Final = [{name: value} for name, value in OF_THE_ROTATION.items()]


def ids(given: dict[str, str]) -> str:
    return ",".join(given) or "nothing"


@pytest.mark.parametrize(
    "given",
    [
        {},
        EMAIL,
        TOPIC,
        PROD | EMAIL,
        PROD | TOPIC,
        PROD | NOBODY,
        SHARED,
        READER,
        READER | {"ServerSecretKmsKeyArn": OWN_KEY},
        OWNER,
        OF_THE_ROTATION,
        OWNER | OF_THE_ROTATION,
        KEYS,
        KEYS | {"SharedKeyKmsKeyArns": OWN_KEY},
        CALLS,
        CALLS | KEY_VERSION,
    ],
    ids=ids,
)
def test_parameters_that_have_an_effect_together_are_accepted(given: dict[str, str]) -> None:
    assert refusals(given) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (PROD, "prod needs AlarmEmail or AlarmTopicArn"),
        (PROD | READER, "prod needs AlarmEmail or AlarmTopicArn"),
        (EMAIL | TOPIC, "Set one of them"),
        ({"SharedKeySecretArns": f"{OWN_SECRET},"}, "SharedKeySecretArns has an empty ARN"),
        ({"SharedKeyKmsKeyArns": OWN_KEY}, "so it needs that parameter"),
        (KEYS | {"SharedKeyKmsKeyArns": f",{OWN_KEY}"}, "SharedKeyKmsKeyArns has an empty ARN"),
        (PROD | NOBODY | EMAIL, "cannot be combined with AlarmEmail or AlarmTopicArn"),
        (PROD | NOBODY | TOPIC, "cannot be combined with AlarmEmail or AlarmTopicArn"),
        (NOBODY, "AlarmsTellNobody has an effect in prod only"),
        (READER | SHARED, "SecretReaderAccounts has no effect"),
        (OWNER | SHARED, "SecretReaderAccounts has no effect"),
        ({"SecretReaderAccounts": "444455556666,"}, "SecretReaderAccounts has an empty account"),
        ({"SecretReaderAccounts": ",444455556666"}, "SecretReaderAccounts has an empty account"),
        ({"RotateGivenSecret": "Yes"}, "RotateGivenSecret needs ServerSecretArn"),
        ({"ServerSecretKmsKeyArn": OWN_KEY}, "it needs ServerSecretArn"),
        (KEY_VERSION, "IncomingCallKeyVersion needs IncomingCallUrl"),
        *((READER | one, f"{next(iter(one))} has no effect") for one in OF_THE_ROTATION_CASES),
    ],
)
def test_parameters_that_would_do_nothing_are_refused_with_what_to_do(
    given: dict[str, str], message: str
) -> None:
    (refusal,) = refusals(given)
    assert message in refusal


def test_a_setting_of_the_rotation_counts_as_given_if_it_is_not_the_default() -> None:
    parameters, rules = load()["Parameters"], load()["Rules"]
    compared = {
        assertion["Assert"]["Fn::Equals"][0]["Ref"]: assertion["Assert"]["Fn::Equals"][1]
        for assertion in rules["OnlyTheStackThatRotatesHasSettingsForIt"]["Assertions"]
    }
    assert compared == {name: str(parameters[name]["Default"]) for name in OF_THE_ROTATION}


def test_the_settings_of_the_rotation_are_the_parameters_that_only_it_uses() -> None:
    """Every parameter that only resources of the owner use, and the conditions of those."""
    template = load()
    used = {
        name: {
            logical_id
            for logical_id, resource in template["Resources"].items()
            if re.search(rf"'Ref': '{name}'", str(resource))
        }
        for name in template["Parameters"]
    }
    of_the_owner = {
        logical_id
        for logical_id, resource in template["Resources"].items()
        if resource.get("Condition") == "OwnRotation"
    }
    assert {
        name for name, users in used.items() if users and users <= of_the_owner
    } == OF_THE_ROTATION.keys()


@pytest.mark.parametrize("rule", load()["Rules"].values(), ids=load()["Rules"])
def test_a_refusal_names_the_parameter_to_change(rule: dict[str, list[dict[str, str]]]) -> None:
    for assertion in rule["Assertions"]:
        named = set(re.findall(r"\b[A-Z][A-Za-z]+[a-z]\b", assertion["AssertDescription"]))
        assert named & load()["Parameters"].keys()
