"""A .env file, read as leniently as its many readers do.

A reader's own parser would take off what is looked for here: quotes that others leave on. None is
as lenient as all of them together: names may follow ``export``, ``=`` or ``:`` and spaces may stand
around it, values may be quoted, comments may follow, lines may end as on Windows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from ops.scan.rules import PUBLIC_PREFIX

#: More than any needs.
MAX_BYTES: Final = 262144

_LINE: Final = re.compile(
    r"[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][\w.-]*)[^\S\n]*[=:][^\S\n]*(.*)", re.ASCII
)
_QUOTED: Final = re.compile(r"""(["'`])((?:\\.|(?!\1).)*)\1[^\S\n]*(?:#.*)?""")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*")
_QUOTES: Final = "\"'`\u2018\u2019\u201c\u201d"

Kind = Literal["ServerSecret", "AppSign", "AppID"]

#: What a variable holds, by its name without underscores, in upper case; the first that is found.
_KINDS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("AppSign", re.compile("APPSIGN(?!IN|UP|OUT|OFF|AL|ATURE|ED)")),
    ("ServerSecret", re.compile("SERVERSECRET|ZEGO(?!.*CALLBACK).*SECRET")),
    ("AppID", re.compile("ZEGO.*APPID|^APPIDZEGO")),
)


class EnvFileError(Exception):
    """It cannot be read. The message says why, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable that may be of ZEGO.

    :ivar value: as a careful reader has it, without quotes around it.
    :ivar is_quoted: whether others have it with them.
    """

    name: str
    kind: Kind
    value: str = field(repr=False)
    is_quoted: bool

    @property
    def bare(self) -> str:
        """The value, without what does not belong to one and is around it all the same."""
        return self.value.strip().strip(_QUOTES).strip()

    @property
    def is_published(self) -> bool:
        """Whether a bundler puts it into the page, for everybody to read."""
        return PUBLIC_PREFIX.match(self.name.encode()) is not None


def read(path: Path) -> tuple[Variable, ...]:
    """The variables of ZEGO in a file.

    :raises EnvFileError: it cannot be read, or is no text.
    """
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise EnvFileError(f"it cannot be read: {error.strerror or type(error).__name__}") from None
    if len(content) > MAX_BYTES:
        raise EnvFileError(f"it has more than {MAX_BYTES} bytes: that is another file")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise EnvFileError("it is in UTF-16, as PowerShell writes it, and few can read it so")
    try:
        return tuple(variables(content.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise EnvFileError("it is not text in UTF-8") from None


def variables(text: str) -> Iterator[Variable]:
    """The variables of ZEGO in a text."""
    for line in text.splitlines():
        if (found := _LINE.fullmatch(line)) is None:
            continue
        name, given = found.groups()
        if (kind := _kind(name)) is None:
            continue
        if (quoted := _QUOTED.fullmatch(given)) is not None:
            yield Variable(name, kind, quoted[2], is_quoted=True)
        else:
            yield Variable(name, kind, _COMMENT.sub("", given).strip(), is_quoted=False)


def _kind(name: str) -> Kind | None:
    letters = re.sub("[^A-Z0-9]", "", name.upper())
    return next((kind for kind, pattern in _KINDS if pattern.search(letters)), None)
