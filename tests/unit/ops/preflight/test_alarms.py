"""Checks of the alarms' receivers, topic and trail."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from ops.checklist.check import CannotCheckError
from ops.preflight import alarms
from ops.preflight.plan import Plan
from tests.unit.ops.preflight.conftest import ACCOUNT, REGION, Site

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"


class TestReceivers:
    def test_an_address_is_fine(self, site: Site) -> None:
        assert "operators@acme.test" in site.result("receivers").seen

    def test_prod_without_an_address_is_a_failure(self, site: Site) -> None:
        del site.parameters["AlarmEmail"]
        result = site.result("receivers")
        assert (result.status, "AlarmEmail=" in result.remedy) == ("failed", True)

    def test_the_example_is_not_an_address(self, site: Site) -> None:
        site.parameters["AlarmEmail"] = "EXAMPLE"
        assert site.result("receivers").status == "failed"

    @pytest.mark.parametrize(
        ("name", "value"), [("AlarmsTellNobody", "Yes"), ("Stage", "dev"), ("Stage", "staging")]
    )
    def test_no_address_is_a_choice_and_a_stage(self, site: Site, name: str, value: str) -> None:
        del site.parameters["AlarmEmail"]
        site.parameters[name] = value
        assert site.result("receivers").status == "note"


class TestTopic:
    @pytest.fixture(autouse=True)
    def _given(self, site: Site) -> None:
        site.parameters["AlarmTopicArn"] = TOPIC

    @staticmethod
    def create(site: Site, *statements: dict[str, Any], **attributes: str) -> None:
        if statements:
            attributes["Policy"] = json.dumps({"Version": "2012-10-17", "Statement": statements})
        site.client("sns").create_topic(Name="alarms", Attributes=attributes)

    def test_a_missing_topic_is_a_failure(self, site: Site) -> None:
        assert site.result("topic").seen == "The topic alarms does not exist."

    def test_the_policy_of_a_new_topic_allows_it(self, site: Site) -> None:
        self.create(site)
        assert site.result("topic").status == "ok"
        assert site.result("receivers").seen == TOPIC

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"Principal": {"Service": ["events.amazonaws.com", "cloudwatch.amazonaws.com"]}},
            {"Action": ["SNS:Subscribe", "SNS:Publish"]},
            {"Principal": "*", "Action": "sns:*"},
            {"Action": "sns:Pub*"},
            {"Action": ["sns:Subscribe", "SNS:P?blish"]},
        ],
    )
    def test_a_policy_that_names_cloudwatch_allows_it(
        self, site: Site, changes: dict[str, Any]
    ) -> None:
        self.create(site, STATEMENT | changes)
        assert site.result("topic").status == "ok"

    @pytest.mark.parametrize(
        "changes",
        [
            {"Principal": {"Service": "events.amazonaws.com"}},
            {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}},
            {"Action": "sns:Subscribe"},
            {"Action": "sns:Subs*"},
            {"Effect": "Deny"},
        ],
    )
    def test_another_policy_is_a_failure(self, site: Site, changes: dict[str, Any]) -> None:
        self.create(site, STATEMENT | changes)
        result = site.result("topic")
        assert (result.status, "does not let CloudWatch" in result.seen) == ("failed", True)
        assert "cloudwatch.amazonaws.com" in result.remedy

    def test_the_key_of_sns_is_a_failure(self, site: Site) -> None:
        self.create(site, KmsMasterKeyId="alias/aws/sns")
        assert "CloudWatch cannot use" in site.result("topic").seen

    def test_without_a_given_topic_the_stack_creates_one(self, site: Site) -> None:
        del site.parameters["AlarmTopicArn"]
        assert site.results("topic") == []


STATEMENT = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": TOPIC,
}


class TestTrail:
    @staticmethod
    def create(
        region: str = REGION, name: str = "all", *, is_logging: bool = True, **options: Any
    ) -> Any:
        boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="trails")
        client = boto3.client("cloudtrail", region_name=region)
        client.create_trail(Name=name, S3BucketName="trails", **options)
        if is_logging:
            client.start_logging(Name=name)
        return client

    @staticmethod
    def selects(client: Any, **selector: Any) -> None:
        client.put_event_selectors(TrailName="all", EventSelectors=[selector])

    @staticmethod
    def selects_by_field(client: Any, **fields: str) -> None:
        selector = {"FieldSelectors": [{"Field": k, "Equals": [v]} for k, v in fields.items()]}
        client.put_event_selectors(TrailName="all", AdvancedEventSelectors=[selector])

    def test_a_region_without_a_trail_is_a_warning(self, site: Site) -> None:
        result = site.result("trail")
        assert (result.status, result.seen) == (
            "warning",
            "No trail records management events in eu-west-1.",
        )

    def test_a_trail_of_management_events_is_fine(self, site: Site) -> None:
        self.selects(self.create(), ReadWriteType="WriteOnly", IncludeManagementEvents=True)
        assert site.result("trail").seen.endswith(":trail/all")

    def test_fields_may_select_them_too(self, site: Site) -> None:
        self.selects_by_field(self.create(), eventCategory="Management", readOnly="false")
        assert site.result("trail").status == "ok"

    def test_a_trail_of_all_regions_may_be_at_home_elsewhere(self, site: Site) -> None:
        client = self.create("us-east-1", IsMultiRegionTrail=True)
        self.selects(client, ReadWriteType="All", IncludeManagementEvents=True)
        assert site.result("trail").status == "ok"

    @pytest.mark.parametrize(
        "selector",
        [
            {"ReadWriteType": "ReadOnly", "IncludeManagementEvents": True},
            {"ReadWriteType": "All", "IncludeManagementEvents": False},
        ],
    )
    def test_a_trail_of_other_events_is_a_warning(
        self, site: Site, selector: dict[str, Any]
    ) -> None:
        self.selects(self.create(), **selector)
        assert site.result("trail").status == "warning"

    @pytest.mark.parametrize(
        "fields",
        [{"eventCategory": "Data"}, {"eventCategory": "Management", "readOnly": "true"}],
    )
    def test_a_trail_of_other_fields_is_a_warning(self, site: Site, fields: dict[str, str]) -> None:
        self.selects_by_field(self.create(), **fields)
        assert site.result("trail").status == "warning"

    def test_a_trail_that_is_off_is_a_warning(self, site: Site) -> None:
        client = self.create(is_logging=False)
        self.selects(client, ReadWriteType="All", IncludeManagementEvents=True)
        assert site.result("trail").status == "warning"

    def test_a_trail_that_may_not_be_read_does_not_hide_another(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.create(name="a-trail-of-the-organization")
        self.selects(self.create(), ReadWriteType="All", IncludeManagementEvents=True)
        records = alarms._records

        def denied(plan: Plan, arn: str, home: str) -> bool:
            if "organization" in arn:
                raise CannotCheckError("AWS denied cloudtrail:GetEventSelectors.", "")
            return records(plan, arn, home)

        monkeypatch.setattr(alarms, "_records", denied)
        assert site.result("trail").seen.endswith(":trail/all")

    def test_a_stack_that_rotates_nothing_needs_none(self, site: Site) -> None:
        site.parameters["ServerSecretArn"] = site.create_secret("zego")
        assert site.results("trail") == []
