"""Anchored glob patterns with placeholders, for the ids in an access policy.

``*`` matches any text, even an empty one; other characters match themselves. A placeholder such as
``{user_id}`` or ``{claims.team}`` is replaced with the caller's value, *as a literal*: a ``*`` in a
claim is a star, never a wildcard. Matching takes linear time.

Two callers must never share an id by accident. ``{user_id}.*`` would match the room ``al.ice.1``
for the user ``al`` and for the user ``al.ice``. So a value must not contain the text that separates
its placeholder from the next one or from a star: for ``al.ice`` this pattern matches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

#: Returns the value of a placeholder; ``None`` if the caller has none, so that nothing matches.
Values = Callable[[str], str | None]

_TOKEN: Final = re.compile(r"\*|\{([^{}]*)\}|[{}]|[^*{}]+")
_PLACEHOLDER: Final = re.compile(r"user_id|claims\.\S+")


class PatternError(ValueError):
    """The pattern is invalid. The message says where."""


class Placeholder(NamedTuple):
    """A name in braces.

    :ivar ends_before: the text that marks the end of its value, if another variable part follows.
    :ivar starts_after: the text that marks the start of its value, if a star comes before it.
    """

    name: str
    ends_before: str | None = None
    starts_after: str | None = None

    def accepts(self, value: str) -> bool:
        """Whether the value does not contain the separator next to it."""
        ends, starts = self.ends_before, self.starts_after
        return (ends is None or (value + ends).find(ends) == len(value)) and (
            starts is None or (starts + value).rfind(starts) == 0
        )


class Star:
    """A wildcard."""


STAR: Final = Star()
Atom = str | Placeholder | Star


class Pattern(NamedTuple):
    """A parsed pattern with its text."""

    text: str
    atoms: tuple[Atom, ...]

    @property
    def has_placeholder(self) -> bool:
        """Whether what it matches depends on the caller."""
        return any(isinstance(atom, Placeholder) for atom in self.atoms)

    def fill_in(self, values: Values) -> list[str] | None:
        """The literals between the stars; ``None`` if a placeholder has no acceptable value."""
        literals = [""]
        for atom in self.atoms:
            if isinstance(atom, Star):
                literals.append("")
            elif isinstance(atom, str):
                literals[-1] += atom
            else:
                value = values(atom.name)
                if not value or not atom.accepts(value):
                    return None
                literals[-1] += value
        return literals

    def matches(self, text: str, values: Values) -> bool:
        """Whether the pattern matches the whole text."""
        literals = self.fill_in(values)
        if literals is None:
            return False
        first, *middle_and_last = literals
        if not middle_and_last:
            return text == first
        *middle, last = middle_and_last
        start, end = len(first), len(text) - len(last)
        if end < start or not text.startswith(first) or not text.endswith(last):
            return False
        for literal in middle:
            found = text.find(literal, start, end)
            if found < 0:
                return False
            start = found + len(literal)
        return True

    def covers(self, other: Pattern) -> bool:
        """Whether this pattern matches everything that the other one does, for every caller.

        A yes is always right. A no may be wrong only if several stars together cover one.
        """
        return _covers(_units(self.atoms), _units(other.atoms))


def parse(text: str) -> Pattern:
    """Read a pattern.

    :raises PatternError: it is empty, or has an unknown placeholder or an unmatched brace.
    """
    if not text:
        raise PatternError("a pattern is empty")
    atoms: list[Atom] = []
    for match in _TOKEN.finditer(text):
        part = match.group()
        if part == "*":
            if not (atoms and isinstance(atoms[-1], Star)):
                atoms.append(STAR)
        elif part in ("{", "}"):
            raise PatternError(f"{text!r} has an unmatched brace")
        elif part.startswith("{"):
            name = match.group(1)
            if not _PLACEHOLDER.fullmatch(name):
                raise PatternError(
                    f"{text!r} has the unknown placeholder {{{name}}};"
                    " use {user_id} or {claims.<name>}"
                )
            atoms.append(Placeholder(name))
        else:
            atoms.append(part)
    return Pattern(text, tuple(_separated(text, atoms)))


def _separated(text: str, atoms: list[Atom]) -> Iterator[Atom]:
    """The atoms, each placeholder with the separator that its value must not contain.

    A value before the first star is read from the left, up to its separator; a value after the last
    star is read from the right. A value between two stars could be anywhere, so it is refused.
    """
    stars = [index for index, atom in enumerate(atoms) if isinstance(atom, Star)]
    for index, atom in enumerate(atoms):
        if not isinstance(atom, Placeholder):
            yield atom
            continue
        before, following = atoms[:index][-2:], atoms[index + 1 :][:2]
        if any(not isinstance(part, str) for part in (*before[-1:], *following[:1])):
            raise PatternError(
                f"{text!r}: put a separator between {{{atom.name}}} and the star or placeholder"
                " next to it"
            )
        if stars and stars[0] < index < stars[-1]:
            raise PatternError(f"{text!r}: {{{atom.name}}} has a star on both sides")
        if stars and stars[-1] < index:
            yield Placeholder(atom.name, starts_after=str(before[-1]))
        else:
            yield Placeholder(atom.name, ends_before=str(following[0]) if following[1:] else None)


def _units(atoms: tuple[Atom, ...]) -> list[Atom]:
    """Atoms with literals split into characters, so that they compare one by one."""
    return [unit for atom in atoms for unit in (atom if isinstance(atom, str) else (atom,))]


def _covers(wide: list[Atom], narrow: list[Atom]) -> bool:
    """Match ``narrow`` as if it were a text whose characters include stars and placeholders."""
    reachable = _behind_stars(wide, {0})
    for unit in narrow:
        following = set()
        for index in reachable - {len(wide)}:
            if isinstance(wide[index], Star):
                following.add(index)
            elif _stands_for(wide[index], unit):
                following.add(index + 1)
        reachable = _behind_stars(wide, following)
    return len(wide) in reachable


def _behind_stars(wide: list[Atom], reachable: set[int]) -> set[int]:
    """The positions reached, and those after the stars there: a star may match nothing."""
    behind = {i + 1 for i in reachable if i < len(wide) and isinstance(wide[i], Star)}
    return reachable | behind


def _stands_for(wide: Atom, narrow: Atom) -> bool:
    if isinstance(wide, Placeholder) and isinstance(narrow, Placeholder):
        return (
            wide.name == narrow.name
            and wide.ends_before in (None, narrow.ends_before)
            and wide.starts_after in (None, narrow.starts_after)
        )
    return isinstance(wide, str) and wide == narrow
