"""The quotas of a secret. `local.aws.secrets_manager.versions` names the source of each."""

from __future__ import annotations

import pytest

from local.aws.secrets_manager import SECRET_ID
from tests.local.rotated import Rotated
from tests.local.secret import CANDIDATE, CURRENT, PENDING, PREVIOUS, Secret


class TestTags:
    """TagResource refers to "Service quotas for Tagging": 50 tags, and TagKeyType and TagValueType
    bound their lengths.
    """

    def test_a_secret_has_50_at_most(self, secret: Secret) -> None:
        secret.tag(**{f"key{number}": "value" for number in range(50)})
        secret.refuses("InvalidParameterException", lambda: secret.tag(one_more="value"), "50")

    def test_a_new_value_for_a_tag_does_not_add_a_tag(self, secret: Secret) -> None:
        secret.tag(**{f"key{number}": "value" for number in range(50)})
        secret.tag(key0="new")
        assert secret.tags()["key0"] == "new"

    @pytest.mark.parametrize("length", [0, 129])
    def test_a_key_has_1_to_128_characters(self, secret: Secret, length: int) -> None:
        secret.tag(**{"k" * 128: "value"})
        secret.refuses("InvalidParameterException", lambda: secret.tag(**{"k" * length: "value"}))

    def test_a_value_has_256_characters_at_most(self, secret: Secret) -> None:
        secret.tag(key="v" * 256, other="")
        secret.refuses("InvalidParameterException", lambda: secret.tag(key="v" * 257))

    def test_a_new_secret_has_50_at_most_too(self, secret: Secret) -> None:
        tags = [{"Key": str(number), "Value": ""} for number in range(51)]
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.secrets_manager.call("CreateSecret", Name="other", Tags=tags),
        )


class TestLabels:
    """The quotas page: 20 "staging labels attached across all versions of a secret"."""

    def test_all_versions_together_have_20_at_most(self, secret: Secret) -> None:
        for number in range(19):
            secret.put(str(number), f"L{number}")
        secret.refuses("LimitExceededException", lambda: secret.put("new", CANDIDATE))
        secret.refuses("LimitExceededException", lambda: secret.move(CANDIDATE, to=secret.first))
        assert len(secret.versions()) == 20

    def test_an_attached_label_can_move(self, secret: Secret) -> None:
        version = secret.put("new", *(f"L{number}" for number in range(19)))
        secret.move("L0", to=secret.first, off=version)
        new = secret.put("new", "L1")
        assert secret.holder("L1") == new

    def test_awsprevious_counts_when_awscurrent_moves_for_the_first_time(
        self, secret: Secret
    ) -> None:
        version = secret.put("new", *(f"L{number}" for number in range(19)))
        secret.move(CURRENT, to=secret.first, off=secret.first)
        secret.refuses(
            "LimitExceededException", lambda: secret.move(CURRENT, to=version, off=secret.first)
        )
        secret.move("L0", off=version)
        secret.move(CURRENT, to=version, off=secret.first)
        assert secret.labels()[secret.first] == [PREVIOUS]

    @pytest.mark.parametrize("length", [0, 257])
    def test_one_has_1_to_256_characters(self, secret: Secret, length: int) -> None:
        """SecretVersionStageType."""
        label = "L" * length
        secret.put("new", "L" * 256)
        for action, parameters in {
            "PutSecretValue": {"SecretString": "x", "VersionStages": [label]},
            "UpdateSecretVersionStage": {"VersionStage": label, "MoveToVersionId": secret.first},
        }.items():
            secret.refuses(
                "InvalidParameterException",
                lambda action=action, parameters=parameters: secret.secrets_manager.call(  # type: ignore[misc]
                    action, SecretId=SECRET_ID, **parameters
                ),
            )

    @pytest.mark.parametrize("count", [0, 21])
    def test_a_request_has_1_to_20(self, secret: Secret, count: int) -> None:
        """SecretVersionStagesType."""
        labels = [f"L{number}" for number in range(count)]
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.secrets_manager.call(
                "PutSecretValue", SecretId=SECRET_ID, SecretString="x", VersionStages=labels
            ),
        )


class TestVersions:
    """The quotas page: about 100 "versions of a secret". `test_versions` has the rest."""

    def test_a_secret_has_100_at_most(self, secret: Secret) -> None:
        for number in range(99):
            secret.put(str(number), CANDIDATE)
        secret.refuses("LimitExceededException", lambda: secret.put("new", CANDIDATE), "100")
        secret.refuses("LimitExceededException", lambda: secret.put("new"), "100")

    def test_a_repeated_request_creates_no_version(self, secret: Secret) -> None:
        put = [secret.put(str(number), CANDIDATE) for number in range(99)]
        assert secret.put("0", CANDIDATE, token=put[0]) == put[0]

    @pytest.mark.usefixtures("driver")
    def test_a_rotation_is_not_refused(self, rotated: Rotated) -> None:
        """Undocumented: RotateSecret lists no LimitExceededException."""
        for number in range(99):
            rotated.put(str(number), CANDIDATE)
        token = rotated.rotate()
        assert rotated.holder(PENDING) == token
        rotated.put("new", PENDING, token=token)
