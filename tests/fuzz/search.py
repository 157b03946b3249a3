"""Runs the search of one target in a process of libFuzzer, or without atheris its corpus alone."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz import corpora, targets

FINDINGS: Final = corpora.ROOT / "build" / "fuzz"
#: The longest input. The seeds are shorter.
MAX_LENGTH: Final = 4096
#: An input that takes longer is a finding, even on a busy machine.
HANG_SECONDS: Final = 60
HAS_ATHERIS: Final = importlib.util.find_spec("atheris") is not None

_PROGRESS: Final = re.compile(r"^#(\d+)\s.*\bcov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_EXCEPTION: Final = "=== Uncaught Python exception: ==="


@dataclass
class SearchReport:
    """What the search of a target found.

    :ivar executions: how many inputs were checked.
    :ivar edges: the branches of the code that they reached; ``None`` without atheris.
    :ivar features: the same, with how often each branch was taken.
    :ivar corpus: how many inputs reach all of that.
    :ivar finding: the file of the input that breaks the invariant.
    :ivar reason: what broke.
    """

    executions: int = 0
    edges: int | None = None
    features: int | None = None
    corpus: int = 0
    seconds: float = 0.0
    finding: Path | None = None
    reason: str = ""


def replay(target: str) -> SearchReport:
    """Check the kept inputs and the seeds, without atheris."""
    started = time.monotonic()
    report = SearchReport()
    check = targets.load(target).check
    inputs = corpora.starting_inputs(target)
    for data in inputs:
        report.executions += 1
        try:
            check(data)
        except Exception:  # noqa: BLE001  each is a finding
            report.finding = _saved(target, data)
            report.reason = traceback.format_exc(limit=-3)
            break
    report.corpus, report.seconds = len(inputs), time.monotonic() - started
    return report


def search(
    target: str, *, seed: int | None, seconds: int | None = None, runs: int | None = None
) -> SearchReport:
    """Search for inputs that break the invariant of a target.

    :param seed: with one, the search does not begin with what earlier runs found, and is the same
        each time if ``runs`` is given.
    :param seconds: for how long.
    :param runs: instead, how many inputs.
    """
    started = time.monotonic()
    FINDINGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        corpora.unpack(corpora.starting_inputs(target), folder / "start")
        words = folder / "words"
        words.write_text(_dictionary(targets.load(target).WORDS), encoding="ascii")
        own = corpora.grown(target) if seed is None else folder / "grown"
        own.mkdir(exist_ok=True)
        options = [
            f"-seed={seed or 0}",
            f"-max_total_time={seconds}" if runs is None else f"-runs={runs}",
            f"-max_len={MAX_LENGTH}",
            f"-timeout={HANG_SECONDS}",
            f"-dict={words}",
            f"-artifact_prefix={FINDINGS}/{target}-",
        ]
        done = _libfuzzer(target, *options, own, folder / "start")
    report = SearchReport(seconds=time.monotonic() - started)
    for number, edges, features, corpus in _PROGRESS.findall(done.stderr):
        report.executions, report.edges = int(number), int(edges)
        report.features, report.corpus = int(features), int(corpus)
    if done.returncode != 0:
        named = re.search(r"Test unit written to (.+)", done.stderr)
        report.finding = Path(named[1]) if named else None
        _, _, reason = done.stdout.partition(_EXCEPTION)
        report.reason = reason or f"libFuzzer ended with {done.returncode}: {done.stderr[-1000:]}"
    return report


class MergeError(Exception):
    """Inputs could not be added to a kept corpus. The message says why."""


def merge(target: str) -> int:
    """Add to the kept corpus what reaches more than it, and return how many inputs that are.

    :raises MergeError: libFuzzer could not compare them, such as for an input that is a finding.
    """
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        kept, seeds = Path(name, "kept"), Path(name, "seeds")
        corpora.unpack(corpora.kept(target), kept)
        corpora.unpack(targets.load(target).seeds(), seeds)
        given = (kept, seeds, corpora.grown(target))
        done = _libfuzzer(target, f"-max_len={MAX_LENGTH}", "-set_cover_merge=1", *given)
        if done.returncode != 0:
            raise MergeError(f"libFuzzer could not merge the corpora: {done.stderr[-2000:]}")
        return corpora.keep(target, (file.read_bytes() for file in kept.iterdir()))


def _libfuzzer(target: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.guided", target, *arguments],
        cwd=corpora.ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _saved(target: str, data: bytes) -> Path:
    FINDINGS.mkdir(parents=True, exist_ok=True)
    file = FINDINGS / f"{target}-replayed"
    file.write_bytes(data)
    return file


def _dictionary(words: tuple[str, ...]) -> str:
    """The words in libFuzzer's format: one in quotes per line, with escapes for most bytes."""
    lines = []
    for word in dict.fromkeys(words):
        data = word.encode("utf-8", "surrogatepass")
        lines.append('"' + "".join(f"\\x{byte:02x}" for byte in data) + '"')
    return "\n".join(lines) + "\n"
