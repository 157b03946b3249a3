"""Denials of users, identities and rooms, and the keys of the DynamoDB table that has them.

The table has three kinds of items, each with the partition key ``pk`` and the sort key ``sk``:

======= ======================== =============================== ==============================
item    ``pk``                   ``sk``                          says
======= ======================== =============================== ==============================
denial  ``denials``              ``<effect>#<kind>#<value>``     whom the service refuses
change  ``changes``              ``<RFC 3339 time>#<8 hex>``     who changed a denial, and why
budget  ``tokens#<rule>#<user>`` the hour, ``2026-11-29T20``     how many tokens a user got
======= ======================== =============================== ==============================

Times are Unix seconds. DynamoDB deletes an item some time after its ``expires_at``, so code that
reads a denial must still check whether it has ended. This module makes no calls.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Self, cast, get_args

from zego import identifiers
from zego.identifiers import IdentifierError
from zego.policy import patterns
from zego.policy.patterns import Pattern

Effect = Literal["deny", "signed-out"]
Kind = Literal["user", "identity", "room"]
#: An item, or a part of one, as DynamoDB's JSON has it: ``{"pk": {"S": "denials"}}``.
Item = Mapping[str, Mapping[str, str]]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
#: How many live denials there may be. The command line refuses the next one.
MAX_DENIALS: Final = 1000
#: The longest reason, and the longest name of an identity, in characters.
MAX_REASON: Final = 200
MAX_IDENTITY: Final = 200
#: The longest text that says who made a change. An ARN has at most 2048 characters.
MAX_BY: Final = 2048

#: The partition keys of denials and of changes.
DENIALS_PK: Final = "denials"
CHANGES_PK: Final = "changes"
#: How long a change is kept, and a budget after its hour has ended.
CHANGE_SECONDS: Final = 90 * 86400
_BUDGET_SECONDS: Final = 2 * 3600
#: How far ahead the clock of an identity provider may be.
LEEWAY_SECONDS: Final = 60

_SECONDS: Final = re.compile(r"[0-9]{1,12}")
#: 9999-12-31T23:59:59Z
_MAX_TIME: Final = 253402300799


class DenialError(ValueError):
    """The denial is invalid. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Denial:
    """A user, an identity or rooms that get no token.

    :ivar value: a user id, the name of an identity, or a room id in which ``*`` is any text.
    :ivar by: who denied it, for the audit.
    :ivar at: when it was denied.
    :ivar until: when it ends; ``None`` if it holds until it is lifted.
    :ivar not_before: if set, only bearer tokens of sign-ins before this time are refused.
    :raises DenialError: a value is out of its bounds.
    """

    kind: Kind
    value: str
    reason: str
    by: str
    at: int
    until: int | None = None
    not_before: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DenialError(f"kind must be {', '.join(KINDS[:-1])} or {KINDS[-1]}")
        _check_value(self.kind, self.value)
        _check_text("reason", self.reason, MAX_REASON)
        _check_text("by", self.by, MAX_BY)
        for name in ("at", "until", "not_before"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 <= seconds <= _MAX_TIME:
                raise DenialError(f"{name} is out of range")
        if self.not_before is not None and self.kind == "room":
            raise DenialError("a room cannot be signed out: deny it instead")

    @property
    def effect(self) -> Effect:
        """``signed-out`` if it refuses only earlier sign-ins."""
        return "deny" if self.not_before is None else "signed-out"

    @property
    def sk(self) -> str:
        """Its sort key, also its name in logs. There is one denial per effect, kind and value."""
        return denial_sk(self.effect, self.kind, self.value)

    def is_live(self, now: float) -> bool:
        """Whether it has not ended."""
        return self.until is None or self.until > now

    def to_item(self) -> dict[str, dict[str, str]]:
        """The item to store."""
        texts = {"pk": DENIALS_PK, "sk": self.sk, "kind": self.kind, "value": self.value}
        texts |= {"reason": self.reason, "by": self.by}
        numbers = {"at": self.at, "until": self.until, "not_before": self.not_before}
        numbers["expires_at"] = self.until
        return {name: {"S": text} for name, text in texts.items()} | {
            name: {"N": str(number)} for name, number in numbers.items() if number is not None
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        """Read an item. Attributes that it does not know are ignored.

        :raises DenialError: the item is not a denial.
        """
        denial = cls(
            kind=cast("Kind", _text(item, "kind")),
            value=_text(item, "value"),
            reason=_text(item, "reason"),
            by=_text(item, "by"),
            at=_time(item, "at"),
            until=_time(item, "until") if "until" in item else None,
            not_before=_time(item, "not_before") if "not_before" in item else None,
        )
        if _text(item, "sk") != denial.sk:
            raise DenialError(f"sk does not fit the other attributes; it must be {denial.sk}")
        return denial


class Denials:
    """Many denials, arranged so that those that concern a request are found quickly."""

    def __init__(self, denials: Iterable[Denial] = ()) -> None:
        self._by_sk = {denial.sk: denial for denial in denials}
        #: Each with the text before its first star, which decides fast that most do not match.
        self._rooms: list[tuple[str, Pattern, Denial]] = [
            (denial.value.partition("*")[0], patterns.parse(denial.value), denial)
            for denial in self._by_sk.values()
            if denial.kind == "room"
        ]

    def __len__(self) -> int:
        return len(self._by_sk)

    def live(self, now: float) -> int:
        """How many of them have not ended."""
        return sum(denial.is_live(now) for denial in self._by_sk.values())

    def denying(
        self,
        now: float,
        *,
        identity: str | None = None,
        user_id: str | None = None,
        room_id: str | None = None,
    ) -> Denial | None:
        """A live denial of the identity, the user or the room; ``None`` if there is none."""
        found = self._find("deny", "identity", identity, now)
        if found is None:
            found = self._find("deny", "user", user_id, now)
        if found is None and room_id is not None:
            for start, pattern, denial in self._rooms:
                if (
                    room_id.startswith(start)
                    and pattern.matches(room_id, _no_values)
                    and denial.is_live(now)
                ):
                    return denial
        return found

    def signed_out(
        self, now: float, *, identity: str, user_id: str | None, signed_in_at: float
    ) -> Denial | None:
        """A live denial of sign-ins at that time; ``None`` if there is none.

        It also refuses a sign-in in the future, whose time must be wrong.
        """
        named: tuple[tuple[Kind, str | None], ...] = (("identity", identity), ("user", user_id))
        for kind, value in named:
            denial = self._find("signed-out", kind, value, now)
            if denial is not None and not (
                (denial.not_before or 0) <= signed_in_at <= now + LEEWAY_SECONDS
            ):
                return denial
        return None

    def _find(self, effect: Effect, kind: Kind, value: str | None, now: float) -> Denial | None:
        denial = None if value is None else self._by_sk.get(denial_sk(effect, kind, value))
        return denial if denial is not None and denial.is_live(now) else None


def denial_sk(effect: Effect, kind: Kind, value: str) -> str:
    """The sort key of a denial."""
    return f"{effect}#{kind}#{value}"


def denial_key(effect: Effect, kind: Kind, value: str) -> dict[str, dict[str, str]]:
    """The primary key of a denial."""
    return _key(DENIALS_PK, denial_sk(effect, kind, value))


def change_key(now: float, random: bytes) -> dict[str, dict[str, str]]:
    """The primary key of a change.

    :param random: 4 bytes, so that two changes in the same second have different keys.
    """
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    return _key(CHANGES_PK, f"{at}#{random.hex()}")


def budget_key(rule: str, user_id: str, now: float) -> dict[str, dict[str, str]]:
    """The primary key of what a user got by a rule in the clock hour of ``now``.

    :param rule: a name without ``#``, so that no other rule and user have the same key.
    """
    hour = time.strftime("%Y-%m-%dT%H", time.gmtime(now))
    return _key(f"tokens#{rule}#{user_id}", hour)


def budget_ends_at(now: float) -> int:
    """When the clock hour of ``now`` ends."""
    return int(now // 3600 + 1) * 3600


def budget_expires_at(now: float) -> int:
    """When DynamoDB may delete the budget of that hour."""
    return budget_ends_at(now) + _BUDGET_SECONDS


def _no_values(_name: str) -> None:
    """A denied room has no placeholder."""


def _key(pk: str, sk: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def _check_value(kind: Kind, value: str) -> None:
    try:
        if kind == "user":
            identifiers.check("user_id", value)
        elif kind == "room":
            identifiers.check("room_id", value)
        else:
            _check_text("the name of an identity", value, MAX_IDENTITY)
    except IdentifierError as error:
        raise DenialError(str(error)) from None


def _check_text(name: str, text: str, most: int) -> None:
    if not 1 <= len(text) <= most:
        raise DenialError(f"{name} must have 1 to {most} characters, not {len(text)}")
    if not text.isprintable():
        raise DenialError(f"{name} contains a line break or another control character")


def _text(item: Item, name: str) -> str:
    value = _attribute(item, name, "S")
    if not isinstance(value, str):
        raise DenialError(f"{name} is missing or not a string")
    return value


def _time(item: Item, name: str) -> int:
    value = _attribute(item, name, "N")
    if not isinstance(value, str) or not _SECONDS.fullmatch(value):
        raise DenialError(f"{name} is missing or not a time in whole seconds")
    return int(value)


def _attribute(item: Item, name: str, kind: str) -> object:
    attribute = item.get(name)
    return attribute.get(kind) if isinstance(attribute, Mapping) else None
