"""What a backend asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal

Privilege = Literal["login", "publish"]

_LISTS: Final = ("privileges", "stream_ids")


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request for one token. What is ``None`` falls to the access policy.

    Bounds are the service's to check; its answer names the field at fault.

    :ivar user_id: who the token is for; must equal the user id at ZEGO's login.
    :ivar room_id: the room that it opens; ``None`` asks for an identity token.
    :ivar privileges: what it shall grant. With a room alone, as are ``stream_ids``.
    :ivar stream_ids: the streams that may be published with it; at most 50.
    :ivar lifetime_seconds: 60 to 2 073 600 (24 days), or less where the access policy says so.
    :ivar refused_with: the code with which ZEGO refused the last token, if it did: 20014, 50119,
        1102016, 1002033, 1002070 to 1002079, or 6000103. The service then looks for a new
        ServerSecret at once.
    """

    user_id: str
    room_id: str | None = None
    privileges: Collection[Privilege] | None = None
    stream_ids: Collection[str] | None = None
    lifetime_seconds: int | None = None
    refused_with: int | None = None

    def __post_init__(self) -> None:
        for name in _LISTS:
            value = getattr(self, name)
            if isinstance(value, Iterator):  # gone after one call, and the next would send none
                object.__setattr__(self, name, tuple(value))

    def document(self) -> dict[str, object]:
        """The request as the API takes it.

        :raises TypeError: a text stands where a list belongs; its letters would be sent.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        for name in _LISTS:
            if isinstance(values[name], str):
                raise TypeError(f"{name} is a list, not a text")
            if values[name] is not None:
                values[name] = list(values[name])
        return without_none(values)


def without_none(values: Mapping[str, object]) -> dict[str, object]:
    """A JSON object with what is said. The API takes no null for what is not."""
    return {name: value for name, value in values.items() if value is not None}
