"""Checks of region, credentials, ARNs and concurrency."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.ops.preflight.conftest import ACCOUNT, REGION, STACK, Site

OTHER = "444455556666"


def test_the_region_is_the_one_of_samconfig_and_of_the_shell(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", REGION)
    assert (site.result("region").status, site.result("region").seen) == ("ok", REGION)


def test_no_region_in_the_shell_is_a_warning(site: Site) -> None:
    result = site.result("region")
    assert result.status == "warning"
    assert "zego-token and aws have no region in this shell" in result.seen
    assert "export AWS_REGION=eu-west-1" in result.remedy


def test_another_region_in_the_shell_is_a_warning(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    result = site.result("region")
    assert result.status == "warning"
    assert "deploys to eu-west-1, but zego-token and aws use us-east-1" in result.seen
    assert "AWS_REGION=eu-west-1" in result.remedy


def test_without_any_region_nothing_else_of_aws_is_checked(site: Site) -> None:
    del site.settings["region"]
    assert site.result("region").seen == "No AWS region is set."
    assert site.result("concurrency").seen == "needs region"


def test_the_owner_of_the_credentials_is_shown(site: Site) -> None:
    assert f":{ACCOUNT}:" in site.result("credentials").seen


def test_missing_credentials_are_a_failure(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = "botocore.credentials.CredentialResolver.load_credentials"
    monkeypatch.setattr(resolver, lambda _resolver: None)
    result = site.result("credentials")
    assert (result.status, result.seen) == ("failed", "No AWS credentials were found.")


def test_another_profile_than_the_one_that_sam_uses_is_a_failure(
    site: Site, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("[profile mine]\n[profile theirs]\n", encoding="utf-8")
    site.settings["profile"], site.profile = "theirs", "mine"
    result = site.result("credentials")
    assert result.status == "failed"
    assert "sam deploy uses the profile theirs" in result.seen


class TestArns:
    @pytest.mark.parametrize(
        ("name", "arn", "words"),
        [
            ("AlarmTopicArn", f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms", "in region us-east-1"),
            ("DomainCertificateArn", f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/1", "us-east-1"),
            ("LogKmsKeyArn", f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1", "in region us-east-1"),
            ("PermissionsBoundaryArn", f"arn:aws:iam::{OTHER}:policy/x", f"in account {OTHER}"),
        ],
    )
    def test_an_arn_of_elsewhere_is_a_failure(
        self, site: Site, name: str, arn: str, words: str
    ) -> None:
        site.parameters[name] = arn
        result = site.result("arns")
        assert (result.status, result.of) == ("failed", name)
        assert words in result.seen

    @pytest.mark.parametrize(
        "arn",
        [
            f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:zego-AbCdEf",
            f"arn:aws:secretsmanager:{REGION}:{OTHER}:secret:zego-AbCdEf",
        ],
        ids=["region", "account"],
    )
    def test_a_secret_of_elsewhere_can_be_read_but_not_rotated(self, site: Site, arn: str) -> None:
        site.parameters["ServerSecretArn"] = arn
        assert site.result("arns").status == "ok"
        site.parameters["RotateGivenSecret"] = "Yes"
        result = site.result("arns")
        assert result.status == "failed"
        assert "only possible in the secret's own account and region" in result.seen

    def test_a_role_of_another_account_is_a_warning(self, site: Site) -> None:
        text = site.policy.read_text(encoding="utf-8")
        site.policy.write_text(text.replace(ACCOUNT, OTHER, 1), encoding="utf-8")
        result = site.result("arns")
        assert (result.status, result.of) == ("warning", "identities.backend")
        assert f"the stack's account, {ACCOUNT}" in result.seen

    def test_roles_of_another_account_are_one_warning(self, site: Site) -> None:
        text = site.policy.read_text(encoding="utf-8")
        roles = text.count(f"arn:aws:iam::{ACCOUNT}:role/")
        assert roles > 1
        site.policy.write_text(text.replace(ACCOUNT, OTHER), encoding="utf-8")
        result = site.result("arns")
        assert result.of.count("identities.") == roles
        assert result.remedy.startswith("Name a role of this account")

    def test_a_boundary_that_aws_manages_is_of_every_account(self, site: Site) -> None:
        site.parameters["PermissionsBoundaryArn"] = "arn:aws:iam::aws:policy/PowerUserAccess"
        assert site.result("arns").status == "ok"

    def test_an_invalid_policy_is_left_to_the_check_of_it(self, site: Site) -> None:
        site.policy.write_text("identities = 5", encoding="utf-8")
        assert site.result("arns").status == "ok"


class TestConcurrency:
    @pytest.mark.parametrize(
        ("quota", "unreserved", "reserved", "most"),
        [
            (10, 10, 1, 0),  # a new account: "below its minimum value of [10]"
            (50, 50, 10, 0),
            (1000, 1000, 901, 900),
            (1000, 120, 50, 20),
            (100, 100, 1, 0),
        ],
    )
    def test_a_reservation_that_aws_refuses_is_a_failure(
        self, site: Site, quota: int, unreserved: int, reserved: int, most: int
    ) -> None:
        site.quota = (quota, unreserved)
        site.parameters["ReservedConcurrency"] = str(reserved)
        result = site.result("concurrency")
        assert result.status == "failed"
        assert f"AWS refuses to reserve {reserved}: the quota is {quota}, and {most} can" in (
            result.seen
        )
        assert f"Set ReservedConcurrency to {most}" in result.remedy
        assert "request-service-quota-increase" in result.remedy

    @pytest.mark.parametrize("reserved", ["900", "0"])
    def test_a_reservation_that_leaves_100_is_fine(self, site: Site, reserved: str) -> None:
        site.parameters["ReservedConcurrency"] = reserved
        assert site.result("concurrency").status == "ok"

    def test_the_stack_may_keep_its_reservation(self, site: Site) -> None:
        site.create_stack(outputs={"ApiUrl": "https://x"}, ReservedConcurrency="50")
        site.quota = (150, 100)
        site.parameters["ReservedConcurrency"] = "50"
        assert site.result("concurrency").status == "ok"
        site.parameters["ReservedConcurrency"] = "51"
        assert site.result("concurrency").status == "failed"

    def test_a_stack_that_was_rolled_back_reserves_nothing(self, site: Site) -> None:
        site.create_stack("ROLLBACK_COMPLETE", ReservedConcurrency="50")
        site.quota = (150, 100)
        site.parameters["ReservedConcurrency"] = "50"
        assert site.result("concurrency").status == "failed"

    def test_a_quota_of_10_without_a_reservation_is_a_warning(self, site: Site) -> None:
        site.quota = (10, 10)
        result = site.result("concurrency")
        assert result.status == "warning"
        assert "only 10 concurrent executions" in result.seen

    def test_a_reservation_that_is_not_a_number_is_left_to_the_template(self, site: Site) -> None:
        site.parameters["ReservedConcurrency"] = "many"
        assert site.result("concurrency").status == "skipped"


def test_the_stack_is_found_by_its_name(site: Site) -> None:
    site.create_stack(outputs={"ApiUrl": "https://x"}, Stage="prod")
    found = site.plan().stack
    assert found is not None
    assert (found.parameters, found.outputs) == ({"Stage": "prod"}, {"ApiUrl": "https://x"})
    assert site.plan().environment.stack == STACK
