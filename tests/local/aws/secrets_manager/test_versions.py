"""A secret's versions and labels, as the Secrets Manager API reference describes them."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.aws.secrets_manager import SECRET_ID
from local.aws.secrets_manager.conditions import Conditions, SecretsManagerError
from tests.local.rotated import Rotated
from tests.local.secret import CANDIDATE, CURRENT, PENDING, PREVIOUS, Secret

DAY = 24 * 60 * 60.0


class TestReading:
    def test_a_read_without_a_label_returns_the_current_version(self, secret: Secret) -> None:
        new = secret.put("new", CANDIDATE)
        secret.move(CURRENT, to=new, off=secret.first)
        assert secret.text() == secret.text(VersionStage=CURRENT) == "new"
        batch = secret.api.batch_get_secret_value(SecretIdList=[SECRET_ID])
        assert [value["SecretString"] for value in batch["SecretValues"]] == ["new"]

    def test_an_id_and_a_label_must_mean_the_same_version(self, secret: Secret) -> None:
        secret.put("new", CANDIDATE)
        secret.refuses(
            "InvalidRequestException",
            lambda: secret.text(VersionId=secret.first, VersionStage=CANDIDATE),
            "not associated",
        )

    def test_a_missing_version_is_not_found(self, secret: Secret) -> None:
        for which in ({"VersionId": str(uuid.uuid4())}, {"VersionStage": CANDIDATE}):
            secret.refuses(
                "ResourceNotFoundException",
                lambda which=which: secret.text(**which),  # type: ignore[misc]
                "can't find the specified secret value",
            )

    def test_a_version_has_its_creation_time(self, secret: Secret) -> None:
        first = secret.api.get_secret_value(SecretId=SECRET_ID)
        assert first["CreatedDate"].timestamp() == secret.clock.now
        secret.clock.turn(10.5)
        secret.put("new")
        response = secret.api.get_secret_value(SecretId=SECRET_ID)
        assert response["CreatedDate"].timestamp() == secret.clock.now

    def test_a_secret_marked_for_deletion_can_be_described_but_not_read(
        self, secret: Secret
    ) -> None:
        secret.api.delete_secret(SecretId=SECRET_ID)
        secret.refuses("InvalidRequestException", secret.text, "marked for deletion")


class TestListing:
    """ListSecretVersionIds."""

    def test_versions_without_a_label_are_listed_only_as_deprecated(self, secret: Secret) -> None:
        """IncludeDeprecated: "By default, versions without staging labels aren't included." """
        old = secret.put("old", CANDIDATE)
        secret.put("new", CANDIDATE)
        assert old not in secret.labels()
        listed = secret.api.list_secret_version_ids(SecretId=SECRET_ID)
        assert {version["VersionId"] for version in listed["Versions"]} == set(secret.labels())
        assert set(secret.versions()) == {*secret.labels(), old}
        assert secret.text(VersionId=old) == "old"

    def test_the_list_has_pages(self, secret: Secret) -> None:
        """NextToken: it is present "if there's more output available than what is included in the
        current response"."""
        put = [secret.put(str(number), f"L{number}") for number in range(4)]
        assert pages(secret, MaxResults=2) == [[secret.first, put[0]], put[1:3], put[3:]]
        assert pages(secret, MaxResults=5) == [[secret.first, *put]]
        assert pages(secret) == [[secret.first, *put]]

    @pytest.mark.parametrize("size", [0, 101])
    def test_a_page_has_1_to_100_entries(self, secret: Secret, size: int) -> None:
        """MaxResultsType."""
        secret.refuses("InvalidParameterException", lambda: pages(secret, MaxResults=size))

    def test_a_token_that_was_never_returned_is_invalid(self, secret: Secret) -> None:
        """InvalidNextTokenException: "The NextToken value is invalid." """
        secret.refuses("InvalidNextTokenException", lambda: pages(secret, NextToken="made up"))


class TestListingIfTheFirstPageIsEmpty:
    """NextToken: "This can occur even when the response includes no values at all." """

    @pytest.fixture
    def conditions(self) -> Conditions:
        return Conditions(empty_first_page=True)

    def test_the_token_leads_to_the_entries(self, secret: Secret) -> None:
        new = secret.put("new", CANDIDATE)
        assert pages(secret, MaxResults=1) == [[], [secret.first], [new]]


def pages(secret: Secret, **parameters: object) -> list[list[str]]:
    """The versions on each page of ListSecretVersionIds."""
    found = []
    while True:
        page = secret.secrets_manager.call("ListSecretVersionIds", SecretId=SECRET_ID, **parameters)
        found.append([version["VersionId"] for version in page["Versions"]])
        if "NextToken" not in page:
            return found
        parameters["NextToken"] = page["NextToken"]


class TestStoring:
    def test_the_same_token_with_the_same_value_changes_nothing(self, secret: Secret) -> None:
        token = secret.put("new", CANDIDATE)
        before = secret.labels()
        assert secret.put("new", CANDIDATE, token=token) == token
        assert secret.put("new", token=token) == token
        assert secret.labels() == before

    def test_the_same_token_with_another_value_is_refused(self, secret: Secret) -> None:
        token = secret.put("new", CANDIDATE)
        secret.refuses(
            "ResourceExistsException", lambda: secret.put("other", CANDIDATE, token=token)
        )
        assert secret.text(VersionId=token) == "new"

    def test_a_value_without_labels_becomes_current_at_once(self, secret: Secret) -> None:
        new = secret.put("new")
        assert secret.labels() == {new: [CURRENT], secret.first: [PREVIOUS]}

    def test_a_value_with_a_label_gets_only_that_label(self, secret: Secret) -> None:
        old = secret.put("old", CANDIDATE)
        secret.move("MINE", to=old)
        new = secret.put("new", CANDIDATE)
        assert secret.labels() == {secret.first: [CURRENT], old: ["MINE"], new: [CANDIDATE]}

    def test_a_new_current_value_does_not_move_other_labels(self, secret: Secret) -> None:
        secret.move(CANDIDATE, to=secret.first)
        new = secret.put("new")
        assert secret.labels() == {new: [CURRENT], secret.first: [CANDIDATE, PREVIOUS]}

    def test_an_update_with_a_value_does_the_same(self, secret: Secret) -> None:
        secret.move(CANDIDATE, to=secret.first)
        new = secret.api.update_secret(SecretId=SECRET_ID, SecretString="new")["VersionId"]
        assert secret.labels() == {new: [CURRENT], secret.first: [CANDIDATE, PREVIOUS]}

    def test_an_update_of_the_description_changes_no_version(self, secret: Secret) -> None:
        before = secret.labels()
        secret.api.update_secret(SecretId=SECRET_ID, Description="ours")
        assert secret.labels() == before
        assert secret.api.describe_secret(SecretId=SECRET_ID)["Description"] == "ours"

    def test_the_first_value_of_a_secret_is_current_whatever_its_label(
        self, secret: Secret
    ) -> None:
        secret.api.create_secret(Name="empty")
        secret.api.put_secret_value(SecretId="empty", SecretString="x", VersionStages=[CANDIDATE])
        response = secret.api.get_secret_value(SecretId="empty")
        assert response["VersionStages"] == [CANDIDATE, CURRENT]

    def test_a_version_needs_one_value(self, secret: Secret) -> None:
        secret.refuses(
            "InvalidRequestException",
            lambda: secret.api.put_secret_value(SecretId=SECRET_ID),
            "SecretString or SecretBinary",
        )

    def test_a_value_may_be_binary(self, secret: Secret) -> None:
        secret.api.put_secret_value(SecretId=SECRET_ID, SecretBinary=b"\0\1")
        assert secret.api.get_secret_value(SecretId=SECRET_ID)["SecretBinary"] == b"\0\1"

    def test_a_token_has_32_to_64_characters(self, secret: Secret) -> None:
        with pytest.raises(SecretsManagerError, match="InvalidParameterException"):
            secret.secrets_manager.call(
                "PutSecretValue", SecretId=SECRET_ID, SecretString="x", ClientRequestToken="short"
            )


class TestMovingALabel:
    def test_a_move_of_awscurrent_is_a_compare_and_swap(self, secret: Secret) -> None:
        one, two = secret.put("one", "ONE"), secret.put("two", "TWO")
        secret.move(CURRENT, to=one, off=secret.first)
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(CURRENT, to=two, off=secret.first),
            "not found in version",
        )
        assert secret.holder(CURRENT) == one

    def test_awsprevious_moves_by_itself(self, secret: Secret) -> None:
        one, two = secret.put("one", "ONE"), secret.put("two", "TWO")
        secret.move(CURRENT, to=one, off=secret.first)
        assert secret.labels() == {
            secret.first: [PREVIOUS],
            one: ["ONE", CURRENT],
            two: ["TWO"],
        }
        secret.move(CURRENT, to=two, off=one)
        assert secret.labels() == {one: ["ONE", PREVIOUS], two: ["TWO", CURRENT]}

    def test_a_restored_version_is_not_the_previous_one_too(self, secret: Secret) -> None:
        new = secret.put("new")
        secret.move(CURRENT, to=secret.first, off=new)
        assert secret.labels() == {secret.first: [CURRENT], new: [PREVIOUS]}

    @pytest.mark.parametrize("label", [CURRENT, CANDIDATE, PENDING])
    def test_a_label_on_another_version_moves_only_if_the_request_names_that_version(
        self, secret: Secret, label: str
    ) -> None:
        holder = secret.first if label == CURRENT else secret.put("a", label)
        other = secret.put("b", "OTHER")
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(label, to=other),
            f"RemoveFromVersionId can't be empty. Staging label {label} is currently",
        )
        secret.move(label, to=other, off=holder)
        assert secret.holder(label) == other

    def test_a_label_on_no_version_needs_no_remove_from_version_id(self, secret: Secret) -> None:
        secret.move(CANDIDATE, to=secret.first)
        secret.move(CANDIDATE, to=secret.first)
        assert secret.labels() == {secret.first: [CURRENT, CANDIDATE]}

    def test_moving_a_label_to_its_own_version_changes_nothing(self, secret: Secret) -> None:
        new = secret.put("new")
        secret.move(CURRENT, to=new, off=new)
        assert secret.labels() == {secret.first: [PREVIOUS], new: [CURRENT]}

    @pytest.mark.parametrize("label", [CURRENT, CANDIDATE])
    def test_a_target_that_does_not_exist_is_refused(self, secret: Secret, label: str) -> None:
        holder = secret.first if label == CURRENT else secret.put("a", label)
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(label, to=str(uuid.uuid4()), off=holder),
        )
        assert secret.holder(label) == holder

    def test_a_label_can_be_dropped_but_not_awscurrent(self, secret: Secret) -> None:
        new = secret.put("new", CANDIDATE)
        secret.move(CANDIDATE, off=new)
        assert new not in secret.labels()
        secret.refuses(
            "InvalidParameterException",
            lambda: secret.move(CURRENT, off=secret.first),
            "only move staging label AWSCURRENT",
        )

    def test_only_one_of_several_simultaneous_moves_succeeds(self, secret: Secret) -> None:
        ends = [secret.put(str(number), f"L{number}") for number in range(8)]

        def move(version: str) -> bool:
            try:
                secret.secrets_manager.call(
                    "UpdateSecretVersionStage",
                    SecretId=SECRET_ID,
                    VersionStage=CURRENT,
                    MoveToVersionId=version,
                    RemoveFromVersionId=secret.first,
                )
            except SecretsManagerError:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            moved = list(threads.map(move, ends))
        assert moved.count(True) == 1
        assert secret.holder(CURRENT) == ends[moved.index(True)]


class TestVersionsWithoutALabel:
    """The quotas page: "Secrets Manager removes unlabeled versions when there are more than 100,
    but it does not remove versions created less than 24 hours ago." """

    def test_they_stay_while_there_are_no_more_than_100_versions(self, secret: Secret) -> None:
        put = [secret.put(str(number), CANDIDATE) for number in range(99)]
        secret.clock.turn(DAY)
        assert secret.versions() == [secret.first, *put]
        assert secret.text(VersionId=put[0]) == "0"

    def test_with_another_version_the_oldest_one_is_removed(self, secret: Secret) -> None:
        put = [secret.put(str(number), CANDIDATE) for number in range(99)]
        secret.clock.turn(DAY)
        new = secret.put("new", CANDIDATE)
        assert secret.versions() == [secret.first, *put[1:], new]

    def test_one_with_a_label_is_never_removed(self, secret: Secret) -> None:
        """The user guide's "Version": "Secrets Manager never removes labeled versions"."""
        labelled = secret.put("labelled", "OURS")
        for number in range(150):
            secret.clock.turn(DAY)
            secret.put(str(number), CANDIDATE)
        assert secret.versions()[:2] == [secret.first, labelled]
        assert len(secret.versions()) == 100

    def test_one_from_the_last_24_hours_is_not_removed(self, secret: Secret) -> None:
        for number in range(99):
            secret.put(str(number), CANDIDATE)
        secret.clock.turn(DAY - 1)
        secret.refuses("LimitExceededException", lambda: secret.put("new", CANDIDATE))
        assert len(secret.versions()) == 100


class TestVersionsWithoutALabelIfTheyAreDeletedAtOnce:
    """UpdateSecretVersionStage: "If this action results in the last label being removed from a
    version, then the version is considered to be 'deprecated' and can be deleted"."""

    @pytest.fixture
    def conditions(self) -> Conditions:
        return Conditions(delete_unlabelled=True)

    def test_the_last_label_is_dropped(self, secret: Secret) -> None:
        version = secret.put("new", CANDIDATE)
        secret.move(CANDIDATE, off=version)
        assert secret.versions() == [secret.first]
        secret.refuses("ResourceNotFoundException", lambda: secret.text(VersionId=version))

    def test_the_last_label_moves_to_another_version(self, secret: Secret) -> None:
        version = secret.put("new", CANDIDATE)
        secret.move(CANDIDATE, to=secret.first, off=version)
        assert secret.versions() == [secret.first]

    def test_a_new_version_takes_the_last_label(self, secret: Secret) -> None:
        secret.put("old", CANDIDATE)
        new = secret.put("new", CANDIDATE)
        assert secret.versions() == [secret.first, new]

    def test_awsprevious_moves_on(self, secret: Secret) -> None:
        one = secret.put("one")
        two = secret.put("two")
        assert secret.labels() == {one: [PREVIOUS], two: [CURRENT]}
        assert secret.versions() == [one, two]

    @pytest.mark.usefixtures("driver")
    def test_a_rotation_is_abandoned(self, rotated: Rotated) -> None:
        token = rotated.rotate()
        rotated.put("filled", CANDIDATE, token=token)
        rotated.move(CANDIDATE, off=token)
        new = rotated.put("by hand")
        assert rotated.versions() == [rotated.first, new]

    def test_one_with_another_label_stays(self, secret: Secret) -> None:
        version = secret.put("new", CANDIDATE, "OURS")
        secret.move(CANDIDATE, off=version)
        assert secret.labels() == {secret.first: [CURRENT], version: ["OURS"]}
