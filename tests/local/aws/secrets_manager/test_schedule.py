"""Rotation rules and dates. `local.aws.secrets_manager.schedule` names the sources."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from local.aws.secrets_manager import SECRET_ID
from local.aws.secrets_manager.rotation import RotationDriver
from tests.local.rotated import Rotated, failing
from tests.local.secret import CANDIDATE, PENDING

DAY = 24 * 60 * 60.0
TODAY = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
"""The time of the tests' clock."""


def next_date(rotated: Rotated) -> str:
    date = rotated.described()["NextRotationDate"]
    assert isinstance(date, datetime)
    return date.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def test_the_clock_matches_the_dates_below(rotated: Rotated) -> None:
    assert rotated.clock.now == TODAY.timestamp()


@pytest.mark.usefixtures("driver")
class TestRules:
    """RotationRulesType."""

    @pytest.mark.parametrize(
        "rules",
        [
            {"AutomaticallyAfterDays": 1},
            {"AutomaticallyAfterDays": 1000},
            {"AutomaticallyAfterDays": 30, "Duration": "24h"},
            {"ScheduleExpression": "rate(4 hours)", "Duration": "4h"},
            {"ScheduleExpression": "rate(1 day)"},
            {"ScheduleExpression": "rate(999 days)", "Duration": "3h"},
            {"ScheduleExpression": "cron(0 8 1 * ? *)", "Duration": "12h"},
        ],
        ids=str,
    )
    def test_rules_are_kept_and_described(self, rotated: Rotated, rules: dict[str, object]) -> None:
        rotated.rotate(RotationRules=rules)
        assert rotated.described()["RotationRules"] == rules

    @pytest.mark.parametrize(
        "rules",
        [
            {"AutomaticallyAfterDays": 0},
            {"AutomaticallyAfterDays": 1001},
            {"AutomaticallyAfterDays": 30, "ScheduleExpression": "rate(30 days)"},
            {"ScheduleExpression": "rate(3 hours)"},
            {"ScheduleExpression": "rate(0 days)"},
            {"ScheduleExpression": "rate(1000 days)"},
            {"ScheduleExpression": "rate(10 weeks)"},
            {"ScheduleExpression": "every day"},
            {"ScheduleExpression": "cron(0 8 1 * ? *); drop"},
            {"ScheduleExpression": f"cron({'*' * 256})"},
            {"AutomaticallyAfterDays": 30, "Duration": "3"},
            {"AutomaticallyAfterDays": 30, "Duration": "3d"},
            {"AutomaticallyAfterDays": 30, "Duration": "100h"},
            {"AutomaticallyAfterDays": 30, "Duration": "0h"},
            {"AutomaticallyAfterDays": 30, "Duration": "25h"},
            {"ScheduleExpression": "rate(4 hours)", "Duration": "5h"},
        ],
        ids=str,
    )
    def test_invalid_ones_are_refused(self, rotated: Rotated, rules: dict[str, object]) -> None:
        rotated.refuses(
            "InvalidParameterException",
            lambda: rotated.secrets_manager.call(
                "RotateSecret", SecretId=SECRET_ID, RotationRules=rules
            ),
        )
        assert rotated.described()["RotationRules"] == {"AutomaticallyAfterDays": 365}

    def test_without_new_rules_the_old_ones_stay(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        """RotateSecret: it "starts a rotation with the values already stored in the secret"."""
        rules = {"ScheduleExpression": "rate(10 days)", "Duration": "3h"}
        driver.run(rotated.rotate(RotationRules=rules))
        rotated.rotate()
        assert rotated.described()["RotationRules"] == rules


@pytest.mark.usefixtures("driver")
class TestNextRotationDate:
    """DescribeSecret: "the latest date that rotation will occur"."""

    @pytest.mark.parametrize(
        ("rules", "date"),
        [
            ({"AutomaticallyAfterDays": 30}, "2023-12-14 23:59:59"),
            ({"AutomaticallyAfterDays": 30, "Duration": "3h"}, "2023-12-14 02:59:59"),
            ({"ScheduleExpression": "rate(10 days)"}, "2023-11-24 23:59:59"),
            ({"ScheduleExpression": "rate(1 day)", "Duration": "1h"}, "2023-11-15 00:59:59"),
            ({"ScheduleExpression": "rate(6 hours)"}, "2023-11-15 04:59:59"),
            ({"ScheduleExpression": "rate(6 hours)", "Duration": "2h"}, "2023-11-15 05:59:59"),
        ],
        ids=str,
    )
    def test_it_is_the_end_of_the_next_window(
        self, rotated: Rotated, rules: dict[str, object], date: str
    ) -> None:
        """The user guide's "Rotation schedules": in days, a window "starts at midnight" and closes
        "at the end of the day"; in hours, it starts on the hour and "closes after one hour"."""
        rotated.rotate(RotationRules=rules)
        assert next_date(rotated) == date

    def test_a_cron_expression_has_no_next_date_here(self, rotated: Rotated) -> None:
        rotated.rotate(RotationRules={"ScheduleExpression": "cron(0 8 1 * ? *)"})
        assert "NextRotationDate" not in rotated.described()

    def test_a_successful_rotation_moves_it(self, rotated: Rotated, driver: RotationDriver) -> None:
        """AutomaticallyAfterDays: "Secrets Manager calculates the next rotation date based on the
        previous rotation." """
        token = rotated.rotate(RotationRules={"AutomaticallyAfterDays": 30})
        rotated.clock.turn(DAY)
        assert driver.run(token)
        assert next_date(rotated) == "2023-12-15 23:59:59"
        assert rotated.described()["LastRotatedDate"].timestamp() == rotated.clock.now

    def test_a_failed_rotation_does_not_move_it(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        """NextRotationDate: "If rotation is unsuccessful, this date may be in the past." """
        rotated.before = failing("testSecret")
        token = rotated.rotate(RotationRules={"AutomaticallyAfterDays": 30})
        rotated.clock.turn(40 * DAY)
        assert not driver.run(token)
        assert next_date(rotated) == "2023-12-14 23:59:59"

    def test_the_start_of_a_rotation_does_not_move_it(self, rotated: Rotated) -> None:
        rotated.clock.turn(DAY)
        rotated.rotate()
        assert next_date(rotated) == "2024-11-13 23:59:59"

    @pytest.mark.parametrize("label", [CANDIDATE, "AWSCURRENT"])
    def test_storing_a_value_counts_as_a_rotation(self, rotated: Rotated, label: str) -> None:
        """AutomaticallyAfterDays: "Manually updating the secret value by calling PutSecretValue or
        UpdateSecret is considered a valid rotation." """
        rotated.clock.turn(DAY)
        rotated.put("by hand", label)
        assert next_date(rotated) == "2024-11-14 23:59:59"
        assert "LastRotatedDate" not in rotated.described()

    def test_updating_the_value_counts_too(self, rotated: Rotated) -> None:
        rotated.clock.turn(DAY)
        rotated.api.update_secret(SecretId=SECRET_ID, SecretString="by hand")
        assert next_date(rotated) == "2024-11-14 23:59:59"

    def test_the_value_of_a_rotation_does_not_count(self, rotated: Rotated) -> None:
        token = rotated.rotate(RotationRules={"AutomaticallyAfterDays": 30})
        rotated.clock.turn(DAY)
        rotated.put("new", PENDING, token=token)
        assert next_date(rotated) == "2023-12-14 23:59:59"

    def test_while_rotation_is_off_there_are_no_dates(
        self, rotated: Rotated, driver: RotationDriver
    ) -> None:
        """DescribeSecret: if "rotation has been disabled, Secrets Manager returns null"."""
        driver.run(rotated.rotate(RotationRules={"AutomaticallyAfterDays": 30}))
        rotated.cancel()
        rotated.put("by hand")
        described = rotated.described()
        assert "NextRotationDate" not in described
        assert "LastRotatedDate" not in described

    def test_rules_are_described_while_rotation_is_off(self, rotated: Rotated) -> None:
        """RotationRules: if rotation "is now turned off, this field shows the previous rotation
        schedule and rotation function"."""
        rotated.cancel()
        described = rotated.described()
        assert described["RotationRules"] == {"AutomaticallyAfterDays": 365}
        assert described["RotationLambdaARN"]

    def test_turning_rotation_on_again_sets_a_new_date(self, rotated: Rotated) -> None:
        rotated.cancel()
        rotated.clock.turn(DAY)
        rotated.rotate()
        assert next_date(rotated) == "2024-11-14 23:59:59"


def test_a_secret_that_never_rotated_has_no_rules(rotated: Rotated) -> None:
    """RotationRules: "If the secret never had rotation turned on, this field is omitted." """
    described = rotated.described()
    for name in ("RotationEnabled", "RotationRules", "NextRotationDate", "LastRotatedDate"):
        assert name not in described
