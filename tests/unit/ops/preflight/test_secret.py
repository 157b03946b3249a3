"""Checks of the secret, its key and its rotation."""

from __future__ import annotations

import json

import pytest

from ops.preflight.secret import key as KEY  # noqa: N812  the check; the fixture is a key
from tests.unit.ops.preflight.conftest import ACCOUNT, REGION, STACK, Site

NAME = f"{STACK}/server-secret"
ROTATOR = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-RotatorFunction-1"
OTHER_ROTATOR = ROTATOR.replace("prod", "staging")


class TestASecretOfTheStack:
    def test_a_free_name_is_fine(self, site: Site) -> None:
        assert site.result("secret").seen == f"the name {NAME} is free"

    def test_a_secret_that_the_stack_created_or_imported_is_fine(self, site: Site) -> None:
        site.create_stack()
        site.own_secret = site.create_secret()
        assert site.result("secret").seen == f"{NAME} belongs to the stack"

    def test_a_kept_secret_without_its_stack_is_a_failure(self, site: Site) -> None:
        arn = site.create_secret(KmsKeyId="arn:aws:kms:eu-west-1:1:key/k")
        result = site.result("secret")
        assert result.status == "failed"
        assert f"{NAME} exists, and does not belong to the stack" in result.seen
        assert f"ServerSecretArn={arn}" in result.remedy
        assert "ServerSecretKmsKeyArn=arn:aws:kms:eu-west-1:1:key/k" in result.remedy
        assert f"delete-secret --secret-id {NAME} --region {REGION} --force" in result.remedy

    def test_a_kept_secret_and_a_stack_that_was_rolled_back_are_a_failure(self, site: Site) -> None:
        site.create_secret()
        site.create_stack("ROLLBACK_COMPLETE")
        assert site.result("secret").status == "failed"

    def test_a_given_secret_that_is_no_longer_given_is_a_failure(self, site: Site) -> None:
        arn = site.create_secret()
        site.create_stack(outputs={"SecretArn": arn}, ServerSecretArn=arn)
        assert site.result("secret").status == "failed"

    def test_a_secret_that_is_scheduled_for_deletion_is_a_failure(self, site: Site) -> None:
        site.create_secret()
        site.client("secretsmanager").delete_secret(SecretId=NAME)
        result = site.result("secret")
        assert result.status == "failed"
        assert "scheduled for deletion" in result.seen
        assert "restore-secret" in result.remedy
        assert "--force-delete-without-recovery" in result.remedy

    def test_a_stack_with_another_secret_does_not_own_it(self, site: Site) -> None:
        site.create_stack()
        site.own_secret = f"{site.create_secret()}-before"
        assert site.result("secret").status == "failed"

    def test_its_owner_is_not_known_without_the_permission(self, site: Site) -> None:
        site.create_stack()
        site.create_secret()
        site.denied = {"DescribeStackResource"}
        result = site.result("secret")
        assert result.seen == "AWS denied cloudformation:DescribeStackResource."

    def test_while_the_stack_changes_it_is_not_checked(self, site: Site) -> None:
        site.create_stack("CREATE_IN_PROGRESS")
        site.create_secret()
        assert site.result("secret").status == "skipped"

    def test_a_change_set_that_was_not_executed_changes_nothing(self, site: Site) -> None:
        site.create_stack("REVIEW_IN_PROGRESS")
        assert site.result("secret").status == "ok"
        site.create_secret()
        assert site.result("secret").status == "failed"

    def test_its_key_is_the_stacks(self, site: Site) -> None:
        assert site.results("key") == []


class TestAGivenSecret:
    @pytest.fixture
    def key(self, site: Site) -> str:
        return str(site.client("kms").create_key()["KeyMetadata"]["Arn"])

    def test_it_is_found_with_its_key(self, site: Site, key: str) -> None:
        arn = site.create_secret("zego", KmsKeyId=key)
        site.parameters |= {"ServerSecretArn": arn, "ServerSecretKmsKeyArn": key}
        assert (site.result("secret").seen, site.result("key").seen) == (arn, key)

    def test_an_alias_names_the_same_key(self, site: Site, key: str) -> None:
        site.client("kms").create_alias(AliasName="alias/zego", TargetKeyId=key)
        arn = site.create_secret("zego", KmsKeyId="alias/zego")
        site.parameters |= {"ServerSecretArn": arn, "ServerSecretKmsKeyArn": key}
        assert site.result("key").status == "ok"

    def test_a_missing_one_is_a_failure(self, site: Site) -> None:
        arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:absent-AbCdEf"
        site.parameters["ServerSecretArn"] = arn
        result = site.result("secret")
        assert (result.status, "no secret with this ARN" in result.seen) == ("failed", True)
        assert site.result("rotation").seen == "needs secret"

    def test_the_owner_in_another_account_must_allow_it(self, site: Site) -> None:
        site.parameters["ServerSecretArn"] = (
            f"arn:aws:secretsmanager:{REGION}:444455556666:secret:zego-AbCdEf"
        )
        site.denied = {"DescribeSecret"}
        result = site.result("secret")
        assert result.seen == "AWS denied secretsmanager:DescribeSecret."
        assert f"let account {ACCOUNT} read it: SecretReaderAccounts" in result.remedy

    def test_an_example_is_not_read(self, site: Site) -> None:
        site.parameters["ServerSecretArn"] = "arn:aws:secretsmanager:x:1:secret:zego-EXAMPLE"
        assert site.result("secret").status == "skipped"
        assert "secretsmanager:DescribeSecret" not in site.called

    def test_one_that_is_scheduled_for_deletion_is_a_failure(self, site: Site) -> None:
        site.parameters["ServerSecretArn"] = site.create_secret("zego")
        site.client("secretsmanager").delete_secret(SecretId="zego")
        result = site.result("secret")
        assert result.status == "failed"
        assert "restore-secret" in result.remedy
        assert "delete-secret" not in result.remedy

    def test_a_key_that_is_not_named_is_a_failure(self, site: Site, key: str) -> None:
        site.parameters["ServerSecretArn"] = site.create_secret("zego", KmsKeyId=key)
        result = site.result("key")
        assert result.status == "failed"
        assert f"ServerSecretKmsKeyArn={key}" in result.remedy

    def test_another_key_is_a_failure(self, site: Site, key: str) -> None:
        other = site.client("kms").create_key()["KeyMetadata"]["Arn"]
        arn = site.create_secret("zego", KmsKeyId=key)
        site.parameters |= {"ServerSecretArn": arn, "ServerSecretKmsKeyArn": other}
        assert f"encrypted with {key}, not with" in site.result("key").seen

    def test_a_key_for_a_secret_without_one_is_a_failure(self, site: Site, key: str) -> None:
        arn = site.create_secret("zego")
        site.parameters |= {"ServerSecretArn": arn, "ServerSecretKmsKeyArn": key}
        result = site.result("key")
        assert "Remove ServerSecretKmsKeyArn" in result.remedy

    def test_a_secret_without_a_key_is_fine_in_its_own_account(self, site: Site) -> None:
        arn = site.create_secret("zego")
        site.parameters["ServerSecretArn"] = arn
        assert site.result("key").seen == "aws/secretsmanager"

    def test_a_key_that_is_disabled_is_a_failure(self, site: Site, key: str) -> None:
        site.client("kms").disable_key(KeyId=key.rpartition("/")[2])
        arn = site.create_secret("zego", KmsKeyId=key)
        site.parameters |= {"ServerSecretArn": arn, "ServerSecretKmsKeyArn": key}
        result = site.result("key")
        assert result.seen == "The key is Disabled: no one can use it."
        assert "enable-key" in result.remedy

    def test_it_is_read_in_its_own_region(self, site: Site) -> None:
        site.settings["region"] = "us-east-1"
        site.parameters["ServerSecretArn"] = arn = site.create_secret("zego")
        assert site.result("secret").seen == arn

    def test_without_a_key_another_account_cannot_read_it(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.parameters["ServerSecretArn"] = site.create_secret("zego")
        policy = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}]}
        site.client("secretsmanager").put_resource_policy(
            SecretId="zego", ResourcePolicy=json.dumps(policy)
        )
        plan = site.plan()
        vars(plan)["identity"] = {"Account": "444455556666"}
        (result,) = KEY.run(plan)
        assert (result.status, "no other account reads it" in result.seen) == ("failed", True)


class TestRotation:
    def test_a_new_secret_is_rotated_by_no_one(self, site: Site) -> None:
        assert site.results("rotation") == []

    def test_the_stacks_own_rotation_is_fine(self, site: Site) -> None:
        site.create_stack(outputs={"RotatorFunctionArn": ROTATOR})
        site.own_secret = site.create_secret()
        site.rotate_secret(ROTATOR)
        assert site.result("rotation").seen == "this stack rotates it"

    def test_a_stack_that_made_the_secret_but_lost_its_rotation_is_a_failure(
        self, site: Site
    ) -> None:
        site.create_stack(outputs={"RotatorFunctionArn": ROTATOR})
        site.own_secret = site.create_secret()
        site.rotate_secret(OTHER_ROTATOR)
        assert site.result("rotation").status == "failed"

    def test_two_stacks_that_own_one_rotation_are_a_failure(self, site: Site) -> None:
        arn = site.create_secret("zego")
        site.parameters |= {"ServerSecretArn": arn, "RotateGivenSecret": "Yes"}
        assert site.result("rotation").seen == "no other stack rotates it"
        site.rotate_secret(OTHER_ROTATOR)
        result = site.result("rotation")
        assert result.status == "failed"
        assert "zego-token-service-staging-RotatorFunction-1 already rotates it" in result.seen
        assert f"cancel-rotate-secret --secret-id {arn} --region {REGION}" in result.remedy

    def test_a_rotation_that_is_off_belongs_to_no_one(self, site: Site) -> None:
        arn = site.create_secret("zego")
        site.parameters |= {"ServerSecretArn": arn, "RotateGivenSecret": "Yes"}
        site.rotate_secret(OTHER_ROTATOR, is_on=False)
        assert site.result("rotation").status == "ok"

    def test_a_stack_that_only_reads_the_secret_may_have_any_owner(self, site: Site) -> None:
        site.parameters["ServerSecretArn"] = site.create_secret("zego")
        site.rotate_secret(OTHER_ROTATOR)
        assert site.result("rotation").status == "ok"

    def test_a_given_secret_that_no_stack_rotates_is_a_warning(self, site: Site) -> None:
        site.parameters["ServerSecretArn"] = site.create_secret("zego")
        result = site.result("rotation")
        assert result.status == "warning"
        assert "RotateGivenSecret=Yes" in result.remedy
