"""Denials and budgets: whom the service refuses at run time, and how many tokens a user may get.

Both are in the table of :mod:`zego.denials`. With ``Limits=Off`` there is no table, and this module
is not even imported.

Denials are one cached query, see :mod:`zego.cache`: a denial is in force at most 30 s after it was
written. If DynamoDB cannot be read, the last denials stay in force for 15 minutes. After that, the
access policy's ``denials_unavailable`` decides.

A budget is one atomic update per token: it fails if the user already has all tokens of the hour.
If DynamoDB cannot count, the token is issued and the metric ``BudgetUnavailable`` counts it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any, Final

from issuer.http_event import GatewayClock
from issuer.problems import Problem, refused
from issuer.telemetry import telemetry
from zego.aws import AwsClient, AwsError, unreadable
from zego.cache import Cached, Clocks, Instant, Reading, UnavailableError
from zego.denials import (
    DENIALS_PK,
    Denial,
    DenialError,
    Denials,
    budget_ends_at,
    budget_expires_at,
    budget_key,
)
from zego.policy.model import AccessPolicy, Caller, Grant, not_granted

TTL_SECONDS: Final = 30.0
MAX_STALE_SECONDS: Final = 900.0
#: The most denials that the service reads: twice as many as the command line writes.
MAX_READ: Final = 2000
#: How long reading all pages of denials may take.
_READ_SECONDS: Final = 3.0
#: After DynamoDB failed to count, how long tokens are issued without another attempt.
_COOL_DOWN_SECONDS: Final = 5.0
#: DynamoDB deletes what has ended within days. Until then a query leaves it out, but not at once,
#: in case this environment's clock is fast.
_ENDED_SECONDS: Final = 3600
#: How many users without tokens left are remembered, so that they cause no more calls.
_MAX_SPENT: Final = 10_000
#: The longest text of a sort key in a log line.
_MAX_LOGGED: Final = 100


class TooManyDenialsError(Exception):
    """There are more denials than the service reads, or reading them takes too long."""


class Limits:
    """The denials and the budgets. Creating this reads no clock and no network.

    :param reader: for denials.
    :param counter: for budgets: without retries, because a request waits for each of its calls.
    """

    def __init__(
        self,
        table: str,
        policy: AccessPolicy,
        reader: AwsClient,
        counter: AwsClient,
        gateway_clock: GatewayClock,
    ) -> None:
        self._table = table
        self._refuse_if_unavailable = policy.denials_unavailable == "refuse"
        self._consequence = (
            "every request is refused" if self._refuse_if_unavailable else "none is in force"
        )
        self._reader = reader
        self._counter = counter
        self._clocks = Clocks(time.time, time.monotonic, gateway_clock)
        self._denials = Cached(
            self._read_denials,
            AwsError,
            TooManyDenialsError,
            ttl_seconds=TTL_SECONDS,
            max_stale_seconds=MAX_STALE_SECONDS,
            outside_clock=gateway_clock,
        )
        self._failed_at: Instant | None = None
        self._spent: set[tuple[str, str]] = set()
        self._spent_until = 0

    def check_caller(self, caller: Caller) -> None:
        """Refuse a caller whose identity or user is denied, or signed in too early.

        :raises Problem: ``not_granted``, ``bearer_too_old`` or ``denials_unavailable``.
        """
        now, denials = self._now(), self.denials()
        _refuse(denials.denying(now, identity=caller.identity, user_id=caller.user_id))
        if not caller.claims:
            return  # a role signs each request anew
        signed_out = denials.signed_out(
            now,
            identity=caller.identity,
            user_id=caller.user_id,
            signed_in_at=caller.signed_in_at or 0.0,
        )
        if signed_out is not None:
            raise Problem(
                "bearer_too_old",
                "Sign in again: your earlier sessions have been ended.",
                reason=f"the sign-in is too early: {signed_out.reason}",
                denial=signed_out.sk,
            )

    def check_token(self, user_id: str | None, room_id: str | None) -> None:
        """Refuse a token for a user that a request names, or for a room, if it is denied.

        :raises Problem: ``not_granted`` or ``denials_unavailable``.
        """
        _refuse(self.denials().denying(self._now(), user_id=user_id, room_id=room_id))

    def denials(self) -> Denials:
        """The denials, at most as old as the table above allows.

        :raises Problem: ``denials_unavailable``, if the policy says so.
        """
        try:
            reading = self._denials.get()
        except UnavailableError as error:
            if error.asked:
                _record_failure(str(error), self._consequence)
            if not self._refuse_if_unavailable:
                return _NO_DENIALS
            raise Problem(
                "denials_unavailable",
                "The service cannot check right now whom it must refuse. Retry later.",
                retry_after_seconds=error.retry_after_seconds,
                reason=str(error),
            ) from None
        _record(reading)
        return reading.value

    def look(self) -> tuple[int | None, str | None]:
        """How many denials are in force, and what is wrong, as the next request would find it."""
        try:
            reading = self._denials.get()
        except UnavailableError as error:
            if error.asked:
                _record_failure(str(error), self._consequence)
            return None, str(error)
        _record(reading)
        why = "" if reading.failure is None else f": {reading.failure}"
        problem = f"the last attempt to read them failed{why}" if reading.stale else None
        return reading.value.live(self._now()), problem

    def spend(self, grant: Grant, *, may_call: bool = True) -> None:
        """Count a token in its user's budget of this hour, if the rule has one.

        :param may_call: whether there is time for a call.
        :raises Problem: ``too_many_tokens``. If the count fails, there is no error.
        """
        most = grant.max_tokens_per_hour
        if most is None:
            return
        now = self._now()
        if now >= self._spent_until or len(self._spent) >= _MAX_SPENT:
            self._spent.clear()
            self._spent_until = budget_ends_at(now)
        spender = (grant.rule, grant.user_id)
        if spender not in self._spent:
            if not may_call or self._is_cooling_down():
                telemetry.add("BudgetUnavailable")
                return
            try:
                self._count(grant, most, now)
                return
            except AwsError as error:
                if error.code != "ConditionalCheckFailedException":
                    self._failed_at = self._clocks.now()
                    telemetry.add("BudgetUnavailable")
                    telemetry.logger.error(
                        "A token cannot be counted: it is issued all the same", reason=str(error)
                    )
                    return
            self._spent.add(spender)
        raise Problem(
            "too_many_tokens",
            f"The access policy grants this user {most} tokens per clock hour.",
            retry_after_seconds=max(1, math.ceil(budget_ends_at(now) - now)),
            rule=grant.rule,
        )

    def _count(self, grant: Grant, most: int, now: float) -> None:
        parameters = {
            "TableName": self._table,
            "Key": budget_key(grant.rule, grant.user_id, now),
            "UpdateExpression": "ADD tokens :one SET expires_at = :expires_at",
            "ConditionExpression": "attribute_not_exists(tokens) OR tokens < :most",
            "ExpressionAttributeValues": {
                ":one": {"N": "1"},
                ":most": {"N": str(most)},
                ":expires_at": {"N": str(budget_expires_at(now))},
            },
        }
        self._counter.call("UpdateItem", parameters)

    def _is_cooling_down(self) -> bool:
        failed_at = self._failed_at
        return failed_at is not None and (failed_at.age_at(self._clocks.now()) < _COOL_DOWN_SECONDS)

    def _now(self) -> float:
        """The time by API Gateway, or by this environment until there was a request."""
        outside = self._clocks.outside()
        return self._clocks.wall() if outside is None else outside

    def _read_denials(self) -> Denials:
        """Read all denials. One that cannot be read is skipped.

        :raises AwsError: DynamoDB gave no usable response.
        :raises TooManyDenialsError: there are too many, or they take too long.
        """
        started = self._clocks.monotonic()
        parameters: dict[str, object] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk",
            "FilterExpression": "attribute_not_exists(expires_at) OR expires_at > :ended",
            "ExpressionAttributeValues": {
                ":pk": {"S": DENIALS_PK},
                ":ended": {"N": str(max(0, int(self._now()) - _ENDED_SECONDS))},
            },
            "ConsistentRead": True,
        }
        items: list[Any] = []
        while True:
            page = self._reader.call("Query", parameters)
            more = page.get("Items")
            if not isinstance(more, list) or not all(map(_has_key, more)):
                raise unreadable()
            items += more
            if len(items) > MAX_READ:
                raise TooManyDenialsError(f"there are more than {MAX_READ} denials")
            if not page.get("LastEvaluatedKey"):
                return Denials(_readable(items))
            if self._clocks.monotonic() - started > _READ_SECONDS:
                raise TooManyDenialsError("reading the denials takes too long")
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]


_NO_DENIALS: Final = Denials()


def _has_key(item: object) -> bool:
    """Whether it is an item of the table, which has a text as its sort key."""
    try:
        return isinstance(item["sk"]["S"], str)  # type: ignore[index]
    except (TypeError, KeyError):
        return False


def _readable(items: list[Any]) -> Iterator[Denial]:
    for item in items:
        try:
            yield Denial.from_item(item)
        except DenialError as error:
            telemetry.add("DenialsUnreadable")
            telemetry.logger.error(
                "A denial cannot be read, so it is not in force: remove it or write it again",
                sk=str(item["sk"]["S"])[:_MAX_LOGGED],
                reason=str(error)[:_MAX_LOGGED],
            )


def _refuse(denial: Denial | None) -> None:
    if denial is not None:
        problem = refused(not_granted(f"the {denial.kind} is denied: {denial.reason}"))
        problem.denial = denial.sk
        raise problem


def _record(reading: Reading[Denials]) -> None:
    if reading.refreshed:
        telemetry.add("DenialsRefresh")
    if reading.failure is not None:
        _record_failure(reading.failure, "the last ones stay in force")
    if reading.stale:
        telemetry.add("DenialsStale")


def _record_failure(failure: str, consequence: str) -> None:
    telemetry.add("DenialsRefreshFailed")
    telemetry.logger.error("The denials cannot be read: %s", consequence, reason=failure)
