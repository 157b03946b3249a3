"""The table of denials, as an operator reads and changes it.

Each change of a denial is one transaction with a record of who changed it and why, so there is none
without the other. Records are kept for 90 days.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, Self, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import CommandError, ExitCode, explain
from ops.target import (
    TargetOptions,
    client_of,
    connect_table,
    copyable_remedies,
    open_session,
)
from zego.denials import (
    CHANGE_SECONDS,
    CHANGES_PK,
    DENIALS_PK,
    Denial,
    DenialError,
    change_key,
)

Action = Literal["deny", "allow"]
_Found = TypeVar("_Found")

#: How soon every issuer knows a change, in seconds, while DynamoDB responds.
IN_FORCE_SECONDS: Final = 60
_OPTIONAL: Final = ("until", "not_before")


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed a denial, when, and why.

    :ivar denial: the denial that was written or lifted.
    :ivar at: when it was changed.
    """

    action: Action
    denial: Denial
    reason: str
    by: str
    at: int

    def to_item(self, random: bytes) -> dict[str, dict[str, str]]:
        """The item to store. For `random`, see :func:`zego.denials.change_key`."""
        denial = self.denial
        texts = {"action": self.action, "kind": denial.kind, "value": denial.value}
        texts |= {"reason": self.reason, "by": self.by}
        numbers = {"at": self.at, "until": denial.until, "not_before": denial.not_before}
        numbers["expires_at"] = self.at + CHANGE_SECONDS
        return (
            change_key(self.at, random)
            | {name: {"S": text} for name, text in texts.items()}
            | {name: {"N": str(number)} for name, number in numbers.items() if number is not None}
        )

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """:raises DenialError: the item is not a change."""
        try:
            action, reason, by = (str(item[name]["S"]) for name in ("action", "reason", "by"))
            at = int(item["at"]["N"])
            numbers = {name: int(item[name]["N"]) for name in _OPTIONAL if name in item}
            kind, value = item["kind"]["S"], item["value"]["S"]
        except (KeyError, TypeError, ValueError) as error:
            raise DenialError(f"an attribute is missing or invalid: {error}") from None
        if action not in ("deny", "allow"):
            raise DenialError("action is neither deny nor allow")
        denial = Denial(kind, value, reason, by, at, **numbers)
        return cls(action, denial, reason, by, at)  # type: ignore[arg-type]  # checked above


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """An item with the key of a denial or a change that cannot be read as one.

    :ivar sk: its sort key.
    :ivar problem: what is wrong with it.
    """

    sk: str
    problem: str


@contextmanager
def connected_table(options: TargetOptions) -> Iterator[DenialTable]:
    """The table. If the command fails, the commands in its remedy get the target's options."""
    session = open_session(options)
    client, name = connect_table(options, session)

    def caller() -> str:
        if options.local is not None:
            return "the local stack"
        return str(client_of(session, "sts").get_caller_identity()["Arn"])

    with copyable_remedies(options):
        yield DenialTable(client, name, caller)


class DenialTable:
    """The denials and changes in a DynamoDB table.

    :param client: boto3's client of DynamoDB.
    :param caller: finds out who changes denials.
    """

    def __init__(self, client: Any, name: str, caller: Callable[[], str]) -> None:
        self._client = client
        self.name = name
        self._caller = caller

    @cached_property
    def by(self) -> str:
        """Who changes denials."""
        return self._caller()

    def denials(self, now: float) -> tuple[list[Denial], list[UnreadableItem]]:
        """The denials that have not ended, and the items that are unreadable.

        :raises CommandError: there is no such table.
        :raises ClientError: DynamoDB refused.
        :raises BotoCoreError: DynamoDB could not be reached.
        """
        found, unreadable = _read(self._items(DENIALS_PK), Denial.from_item)
        return [denial for denial in found if denial.is_live(now)], unreadable

    def changes(self) -> tuple[list[Change], list[UnreadableItem]]:
        """The changes of the last 90 days, the newest first, and the items that are unreadable.

        :raises Exception: as :meth:`denials`.
        """
        return _read(self._items(CHANGES_PK, newest_first=True), Change.from_item)

    def deny(self, denial: Denial) -> None:
        """Write a denial. It replaces the one with the same effect, kind and value.

        :raises CommandError: there is no such table, or the denial may or may not be written.
        :raises Exception: as :meth:`denials`.
        """
        change = Change("deny", denial, denial.reason, denial.by, denial.at)
        self._write(change, {"Put": {"TableName": self.name, "Item": denial.to_item()}})

    def lift(self, denial: Denial, reason: str, now: int) -> None:
        """Delete a denial.

        :raises Exception: as :meth:`deny`.
        """
        key = {name: denial.to_item()[name] for name in ("pk", "sk")}
        change = Change("allow", denial, reason, self.by, now)
        self._write(change, {"Delete": {"TableName": self.name, "Key": key}})

    def _items(self, pk: str, *, newest_first: bool = False) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": pk}},
            ConsistentRead=True,
            ScanIndexForward=not newest_first,
        )
        with self._explained():
            for page in pages:
                yield from page["Items"]

    def _write(self, change: Change, write: Mapping[str, Any]) -> None:
        record = {"Put": {"TableName": self.name, "Item": change.to_item(os.urandom(4))}}
        with self._explained():
            try:
                self._client.transact_write_items(TransactItems=[write, record])
            except ClientError:
                raise
            except BotoCoreError as error:  # perhaps only the response is missing
                failure = explain(error)
                raise CommandError(
                    failure.message,
                    f"{failure.remedy} AWS may have made the change anyway. Check it: zego-token"
                    " denials.",
                    failure.exit_code,
                ) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
                raise
            raise CommandError(
                f"This account and region have no table {self.name}.",
                "Check --stage or --stack, --region and --profile.",
                ExitCode.AWS,
            ) from None


def _read(
    items: Iterator[Mapping[str, Any]], read: Callable[[Mapping[str, Any]], _Found]
) -> tuple[list[_Found], list[UnreadableItem]]:
    found: list[_Found] = []
    unreadable: list[UnreadableItem] = []
    for item in items:
        try:
            found.append(read(item))
        except DenialError as error:
            unreadable.append(UnreadableItem(item["sk"]["S"], str(error)))
    return found, unreadable
