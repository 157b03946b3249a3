"""A secret's rotation schedule: AWS' rules, in moto's storage.

Nothing here waits for the schedule. The rules are checked and kept, and DescribeSecret shows them
with the date of the next rotation.

Sources:

* RotationRulesType in the API reference: 1 to 1000 days; AutomaticallyAfterDays or
  ScheduleExpression, "but not both"; "You can rotate a secret as often as every four hours";
  "Secrets Manager calculates the next rotation date based on the previous rotation. Manually
  updating the secret value by calling PutSecretValue or UpdateSecret is considered a valid
  rotation."
* DescribeSecret in the API reference: "If the secret isn't configured for rotation or rotation has
  been disabled, Secrets Manager returns null" for both dates; if rotation "is now turned off",
  RotationRules "shows the previous rotation schedule"; NextRotationDate is "the latest date that
  rotation will occur".
* "Rotation schedules" in the user guide: the windows, and 999 days at most for a rate.

Undocumented: the second at which NextRotationDate lies (the last one of the window, here), and
whether PutSecretValue counts for a rate() too (it does, here). A cron() expression is stored but
not evaluated: it has no NextRotationDate. AWS also shows an AutomaticallyAfterDays that it
calculates from a ScheduleExpression; that is not imitated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from moto.secretsmanager.exceptions import InvalidParameterException
from moto.secretsmanager.models import FakeSecret

_HOUR = 60 * 60
_DAY = 24 * _HOUR
_EXPRESSION = re.compile(
    r"(?=.{1,256}\Z)(?:rate\(([1-9][0-9]*) (hour|day)s?\)|cron\([0-9A-Za-z()#?*\-/, ]+\))"
)
_DURATION = re.compile(r"(?=.{2,3}\Z)([0-9]+)h")


class Schedule:
    """Whether, by which function and how often a secret is rotated."""

    def __init__(self, secret: FakeSecret) -> None:
        self._secret = secret

    def turn_on(self, function_arn: str, rules: Mapping[str, Any] | None, *, now: float) -> None:
        """Turns rotation on, as RotateSecret does. Without `rules`, it keeps the schedule."""
        if rules:
            # moto stores only the days, for ListSecrets.
            vars(self._secret)["rotation_rules"] = dict(rules)
            self._secret.auto_rotate_after_days = rules.get("AutomaticallyAfterDays", 0)
        if rules or not self._secret.rotation_enabled:
            self._secret.next_rotation_date = next_date(self._rules, now)
        self._secret.rotation_requested = self._secret.rotation_enabled = True
        self._secret.rotation_lambda_arn = function_arn

    def turn_off(self) -> None:
        """Turns rotation off, as CancelRotateSecret does, and keeps the rules and the function."""
        self._secret.rotation_enabled = False
        self._secret.next_rotation_date = None

    def note_rotation(self, now: float) -> None:
        """Notes that a rotation has succeeded."""
        self._secret.last_rotation_date = int(now)
        self.note_value(now)

    def note_value(self, now: float) -> None:
        """Notes that a value was stored, which moves the next date as a rotation does."""
        if self._secret.rotation_enabled:
            self._secret.next_rotation_date = next_date(self._rules, now)

    def described(self) -> dict[str, Any]:
        """Returns the fields in which DescribeSecret differs from moto. None means omitted."""
        is_on = self._secret.rotation_enabled
        return {
            "RotationRules": self._rules or None,
            "LastRotatedDate": self._secret.last_rotation_date if is_on else None,
        }

    @property
    def _rules(self) -> dict[str, Any]:
        rules: dict[str, Any] = vars(self._secret).get("rotation_rules", {})
        return rules


def check_rules(rules: Mapping[str, Any]) -> None:
    """Checks RotationRules. Raises moto's InvalidParameterException."""
    days, expression = rules.get("AutomaticallyAfterDays"), rules.get("ScheduleExpression")
    period, unit = _period(rules) or (_DAY, _DAY)
    checks = {
        "RotationRules has AutomaticallyAfterDays or ScheduleExpression, but not both.": (
            days is None or expression is None
        ),
        "AutomaticallyAfterDays is a number from 1 to 1000.": days is None or 1 <= days <= 1000,
        "ScheduleExpression is rate(...) or cron(...).": (
            expression is None or _EXPRESSION.fullmatch(expression)
        ),
        "A secret can be rotated every four hours at most.": period >= 4 * _HOUR,
        "A rate is 999 days at most.": days or period <= 999 * _DAY,
        "Duration is a number of hours, for example 3h.": (
            "Duration" not in rules or _DURATION.fullmatch(rules["Duration"])
        ),
        "The rotation window has one hour or more, and ends before the next UTC day and the"
        " next window.": _HOUR <= _window(rules, unit) <= min(period, _DAY),
    }
    for rule, holds in checks.items():
        if not holds:
            raise InvalidParameterException(rule)


def next_date(rules: Mapping[str, Any], since: float) -> int | None:
    """Returns the end of the next rotation window after `since`, both in Unix seconds."""
    if (found := _period(rules)) is None:
        return None
    period, unit = found
    start = int(since) + period
    start -= start % unit  # midnight UTC, or the full hour
    return start + _window(rules, unit) - 1


def _period(rules: Mapping[str, Any]) -> tuple[int, int] | None:
    """Returns the seconds between rotations, and those of the unit: an hour or a day."""
    if days := rules.get("AutomaticallyAfterDays"):
        return days * _DAY, _DAY
    rate = _EXPRESSION.fullmatch(rules.get("ScheduleExpression", ""))
    if rate is None or rate[1] is None:
        return None
    unit = _HOUR if rate[2] == "hour" else _DAY
    return int(rate[1]) * unit, unit


def _window(rules: Mapping[str, Any], unit: int) -> int:
    """Returns the seconds of a rotation window: without a Duration, one hour or the whole day."""
    duration = _DURATION.fullmatch(rules.get("Duration", ""))
    return int(duration[1]) * _HOUR if duration else unit
