"""How rules compare a claim with the values in the policy: exactly to grant, loosely to deny.

A rule that grants fails safe if it does not recognise a claim; a rule that denies fails safe if it
does. So the same claim, ``"True"``, satisfies ``suspended = true`` in a rule that denies but not in
one that grants.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

Claim = str | int | float | bool

#: The claims that hold scopes, as one text with spaces (RFC 6749, RFC 8693) or as an array.
SCOPES: Final = frozenset({"scope", "scp"})

#: Texts for a boolean, by which of the two they mean.
_BOOLEANS: Final = {
    **dict.fromkeys(("1", "yes", "on"), "true"),
    **dict.fromkeys(("0", "no", "off"), "false"),
}


def items(name: str, claim: object) -> list[object]:
    """What may equal one of the values: the items of an array, each scope, or the claim itself."""
    if name in SCOPES and isinstance(claim, str):
        return [*claim.split()]
    return claim if isinstance(claim, list) else [claim]


def equals(name: str, claim: object, values: tuple[Claim, ...]) -> bool:
    """Whether an item has the type of one of the values and equals it."""
    return any(
        type(item) is type(value) and item == value
        for item in items(name, claim)
        for value in values
    )


def resembles(name: str, claim: object, values: tuple[Claim, ...]) -> bool:
    """Whether anything in the claim, at any depth, means one of the values, however it is spelled.

    Texts, numbers and booleans compare as text, without case or spaces around them, and ``1``,
    ``yes`` and ``on`` are ``true``. Whatever does not clearly mean one boolean resembles the other.
    """
    spelled = [_spelling(part) for leaf in _leaves(claim) for part in (*items(name, leaf), leaf)]
    return any(
        any(one != _spelling(not value) for one in spelled)
        if isinstance(value, bool)
        else _spelling(value) in spelled
        for value in values
    )


def _leaves(claim: object) -> Iterator[object]:
    """The texts, numbers and booleans in a claim, in any order; none for null."""
    rest = [claim]
    while rest:
        one = rest.pop()
        if isinstance(one, list):
            rest += one
        elif isinstance(one, dict):
            rest += one.values()
        elif one is not None:
            yield one


def _spelling(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip().casefold()
    return _BOOLEANS.get(text, text)
