"""The corpora: one file of inputs per target in the tree, and a folder that runs let grow.

A line of a kept file is an input as a literal of Python, such as ``b'\\x02{"app_id":1}'``. So what
an input is can be read and reviewed, and a check of the tree for secrets reads it as well. A
search makes up values that look like real secrets: ``zego-token scan`` ignores these lines.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.fuzz import targets

ROOT: Final = Path(__file__).parents[2]
KEPT: Final = Path(__file__).with_name("corpus")
GROWN: Final = ROOT / ".cache" / "fuzz"
#: The largest size of a kept file, in bytes.
MAX_KEPT: Final = 48 * 1024
_LOOKS_REAL: Final = re.compile(r"[0-9A-Za-z]{32}")


def kept_file(target: str) -> Path:
    """Where the kept inputs of a target are."""
    return KEPT / f"{target}.txt"


def kept(target: str) -> list[bytes]:
    """The kept inputs of a target."""
    lines = kept_file(target).read_text(encoding="ascii").splitlines()
    return [ast.literal_eval(line) for line in lines]


def starting_inputs(target: str) -> list[bytes]:
    """What each search begins with: the kept inputs and the seeds."""
    return list(dict.fromkeys([*kept(target), *targets.load(target).seeds()]))


def grown(target: str) -> Path:
    """The folder that the runs of a target let grow."""
    folder = GROWN / target
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def unpack(inputs: Iterable[bytes], folder: Path) -> None:
    """Write inputs to a folder, one file each, as libFuzzer reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (folder / hashlib.sha256(data).hexdigest()[:20]).write_bytes(data)


def keep(target: str, inputs: Iterable[bytes]) -> int:
    """Add inputs to the kept ones, the shortest first, and return how many fit in the file."""
    file, old = kept_file(target), kept(target)
    new = sorted({*inputs} - {*old}, key=lambda one: (len(one), one))
    lines, size = [_line(one) for one in old], file.stat().st_size
    for line in map(_line, new):
        size += len(line)
        if size > MAX_KEPT:
            break
        lines.append(line)
    file.write_text("".join(lines), encoding="ascii")
    return len(lines) - len(old)


def _line(data: bytes) -> str:
    text = repr(data)
    return f"{text}  # zego-token:ignore\n" if _LOOKS_REAL.search(text) else f"{text}\n"
