"""The files below the given paths, and their content in pieces of bounded size."""

from __future__ import annotations

import math
import os
import stat
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from pathlib import Path, PurePath
from typing import IO, Final, Literal, cast

from ops.errors import InputError, reason
from ops.prompt import STANDARD_INPUT, can_ask
from ops.scan.patterns import MARGIN

#: How much of a file is scanned at once, in bytes.
PIECE: Final = 2**20
#: The most to unpack from one file, in bytes: it may unpack to a thousand times its size.
UNPACKED: Final = 2**29

#: Kinds of files and folders that are not scanned.
Skipped = Literal["dependencies", "history", "links", "packed", "special"]

#: A longer path that does not exist may be a token instead, and is not shown.
_LONGEST_MISSING: Final = 100
_GZIP: Final = b"\x1f\x8b"
_VENV: Final = "pyvenv.cfg"
#: Folders that are not scanned, by kind. Caches count as dependencies: tools made them, from files
#: that are scanned.
_HISTORY: Final = frozenset({".git", ".hg", ".svn"})
_DEPENDENCIES: Final = frozenset(
    [
        ".mypy_cache",
        ".pytest_cache",
        ".ruff_cache",
        ".venv",
        "__pycache__",
        "bower_components",
        "node_modules",
        "site-packages",
    ]
)
#: Packed files, which are not unpacked.
_PACKED_SUFFIXES: Final = frozenset(
    {".7z", ".aab", ".apk", ".br", ".bz2", ".ipa", ".jar", ".rar", ".whl", ".xz", ".zip", ".zst"}
)
#: Parts of a value of this length are not shown.
_PART: Final = 8
_HIDDEN: Final = "*"


class UnreadError(Exception):
    """A file or a folder could not be read, or not to its end.

    :ivar path: of that file or folder.
    :ivar why: a clause.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


@dataclass(frozen=True, slots=True)
class File:
    """A file to scan.

    :ivar path: to open it; ``-``: standard input.
    :ivar place: its path relative to the given folder, with that folder's name.
    """

    path: str
    place: PurePath


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file, with some bytes before and after it.

    :ivar start: where the part begins in the data; before it is the end of the last piece.
    :ivar end: where it ends; after it is the beginning of the next piece.
    """

    data: bytes
    start: int
    end: int


class Tree:
    """The files below the paths, in order of names. Symbolic links below them are not followed.

    :param dependencies: also scan folders of package managers.
    :ivar skipped: the number of skipped files and folders by kind.
    :ivar unread: folders that cannot be listed.
    :raises CommandError: a path does not exist, or is neither a file nor a folder.
    """

    def __init__(self, paths: Sequence[str], *, dependencies: bool) -> None:
        self._roots: dict[str, str] = {}
        for path in paths:
            self._roots.setdefault(_identity(path), path)
        self._dependencies = dependencies
        self.skipped: Counter[Skipped] = Counter()
        self.unread: list[UnreadError] = []

    def files(self) -> Iterator[File]:
        for path in self._roots.values():
            if path == STANDARD_INPUT:
                yield File(path, PurePath())
            elif Path(path).is_dir():
                yield from self._below(path)
            else:
                yield File(path, PurePath(Path(path).name))

    def _below(self, root: str) -> Iterator[File]:
        waiting = [(root, PurePath(Path(root).resolve().name))]
        while waiting:
            folder, place = waiting.pop()
            folders = []
            for entry in self._entries(folder):
                if entry.is_dir(follow_symlinks=False):
                    if (what := self._kind(entry)) is None:
                        folders.append((entry.path, place / entry.name))
                    else:
                        self.skipped[what] += 1
                elif entry.is_file(follow_symlinks=False):
                    if PurePath(entry.name).suffix.lower() in _PACKED_SUFFIXES:
                        self.skipped["packed"] += 1
                    yield File(entry.path, place / entry.name)
                else:
                    self.skipped["links" if entry.is_symlink() else "special"] += 1
            waiting += reversed(folders)

    def _entries(self, folder: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            self.unread.append(UnreadError(folder, reason(error)))
            return []

    def _kind(self, folder: os.DirEntry[str]) -> Literal["dependencies", "history"] | None:
        """Why a folder is skipped; ``None``: it is scanned."""
        if folder.name in _HISTORY:
            return "history"
        is_venv = os.path.isfile(os.path.join(folder.path, _VENV))  # noqa: PTH113, PTH118
        is_others = is_venv or folder.name in _DEPENDENCIES
        return "dependencies" if is_others and not self._dependencies else None


def _identity(path: str) -> str:
    """The same text for all spellings of a path.

    :raises CommandError: there is nothing to scan.
    """
    if path == STANDARD_INPUT:
        if sys.stdin is None or can_ask():
            raise InputError("Standard input is closed or a terminal: there is nothing to scan.")
        return path
    if not path:  # Path would take it for this folder
        raise InputError("PATH is empty.")
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError) as error:
        name = shown(path) if len(path) <= _LONGEST_MISSING else "The path"
        raise InputError(f"{name}: {reason(error)}.") from None
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise InputError(
            f"{shown(path)} is neither a file nor a folder.",
            "To scan a program's output, pipe it to zego-token scan -",
        )
    return str(Path(path).resolve())


def pieces(file: File, *, size: int = PIECE) -> Iterator[Piece]:
    """The content in pieces, unpacked if it is gzip. Together the parts are the whole content.

    :param size: the size of a part in bytes, at least :data:`ops.scan.patterns.MARGIN`.
    :raises UnreadError: it cannot be read, or not to its end.
    """
    try:
        with _opened(file) as (content, limit):
            left = limit
            for piece in _cut(content, size):
                yield piece
                left -= piece.end - piece.start
                if left < 0:
                    why = f"it unpacks to more than {UNPACKED >> 20} MiB"
                    raise UnreadError(file.path, why)
    except (BadGzipFile, EOFError, zlib.error):
        raise UnreadError(file.path, "it is a damaged gzip file") from None
    except (OSError, ValueError) as error:
        raise UnreadError(file.path, reason(error)) from None


@contextmanager
def _opened(file: File) -> Iterator[tuple[IO[bytes], float]]:
    """The content, and how much of it to read."""
    if file.path == STANDARD_INPUT:
        yield sys.stdin.buffer, math.inf
        return
    with Path(file.path).open("rb") as opened:
        if opened.peek(len(_GZIP))[: len(_GZIP)] != _GZIP:
            yield opened, math.inf
            return
        with GzipFile(fileobj=opened) as unpacked:
            yield cast("IO[bytes]", unpacked), UNPACKED


def _cut(content: IO[bytes], size: int) -> Iterator[Piece]:
    before, part = b"", content.read(size)
    while part:
        following = content.read(size)
        data = b"".join((before, part, following[:MARGIN]))
        yield Piece(data, len(before), len(before) + len(part))
        before, part = data[: len(before) + len(part)][-MARGIN:], following


def shown(path: str, values: Iterable[str] = ()) -> str:
    """The path with only printable characters, and without the values or long parts of them.

    The name of a file may contain a secret.
    """
    hidden = set[int]()
    small = path.lower()
    for value in values:
        parts = {value[at : at + _PART].lower() for at in range(len(value) - _PART + 1)}
        for at in range(len(small) - _PART + 1):
            if small[at : at + _PART] in parts:
                hidden.update(range(at, at + _PART))
    text = "".join(_HIDDEN if at in hidden else c for at, c in enumerate(path))
    readable = os.fsencode(text).decode(errors="replace")
    return "".join(c if c.isprintable() else "?" for c in readable)
