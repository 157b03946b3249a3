"""The fuzz targets: their corpora break nothing, a short search neither, and faults are found."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.contract.openapi import load
from tests.fuzz import corpora, search
from tests.fuzz.targets import TARGETS
from tests.support.environments import part_of
from tests.support.tiers import only_proved, seed

pytestmark = pytest.mark.exhaustive

ROOT: Final = Path(__file__).parents[2]
#: How many inputs `make prove` tries for each target: each takes a few seconds.
RUNS: Final = {
    "codec": 10_000,
    "bearer": 4_000,
    "policy": 500,
    "secret": 5_000,
    "body": 600,
    "diagnosis": 200,
}
#: How many requests it sends to each route.
REQUESTS: Final = 20

#: For each target, a line of the code and what makes it wrong.
FAULTS: Final = {
    "codec": (
        "layers/domain/zego/token04.py",
        "if claims.expires_at != envelope.expires_at:",
        "if False:",
    ),
    "bearer": (
        "functions/issuer/authentication.py",
        "    if not verified:",
        "    if False:",
    ),
    "policy": (
        "layers/domain/zego/policy/decide.py",
        "elif lifetime > rule.max_lifetime_seconds:",
        "elif lifetime > 2**31:",
    ),
    "secret": (
        "layers/domain/zego/server_secret.py",
        '"server_secret has white space or a newline around it"',
        'f"{value} has white space or a newline around it"',
    ),
    "body": (
        "functions/issuer/token_request.py",
        "not 1 <= len(ids) <= MAX_STREAM_IDS or len(set(ids)) < len(ids)",
        "not 1 <= len(ids) <= MAX_STREAM_IDS",
    ),
    "diagnosis": (
        "functions/issuer/diagnose.py",
        'if envelope.cipher == "gcm":',
        "if False:",
    ),
}
#: A fault that few inputs reach: the path to it has to be found by its coverage.
HIDDEN: Final = (
    "layers/domain/zego/server_secret.py",
    "    if not isinstance(values, dict):",
    "    if not isinstance(values, dict) and 1 / (not isinstance(values, float) or values < 99):",
)


def fuzz(
    *arguments: str, python: Path = Path(sys.executable), code: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run the command. Without atheris, it checks the corpora alone."""
    path = os.pathsep.join([f"{code}/functions", f"{code}/layers/domain", str(ROOT)])
    return subprocess.run(
        [python, "-m", "tests.fuzz", *arguments],
        env=os.environ | {"PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def fuzzing_python() -> Path:
    """The interpreter of the environment with schemathesis and, where it exists, atheris."""
    return part_of("fuzz", "bin/python")


def test_the_kept_corpora_are_small_and_have_no_input_twice() -> None:
    files = {corpora.kept_file(target) for target in TARGETS}
    assert files == {*corpora.KEPT.iterdir()}
    assert all(0 < file.stat().st_size <= corpora.MAX_KEPT for file in files)
    for target in TARGETS:
        inputs = corpora.kept(target)
        assert len(inputs) == len(set(inputs)), target
        assert all(len(data) <= search.MAX_LENGTH for data in inputs), target


def test_no_kept_input_and_no_seed_breaks_its_target() -> None:
    done = fuzz(*TARGETS)
    assert done.returncode == 0, done.stdout
    assert "only the corpora and the seeds are checked" in done.stderr
    assert re.findall(r"^(\w+) .*: no finding$", done.stdout, re.MULTILINE) == [*TARGETS]


@only_proved
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_search_finds_nothing(
    target: str, record_property: Callable[[str, object], None]
) -> None:
    options = ("--runs", str(RUNS[target]), "--seed", str(seed()))
    done = fuzz(target, *options, python=fuzzing_python())
    assert done.returncode == 0, done.stdout + done.stderr
    record_property("how much", done.stdout.strip())


@only_proved
def test_generated_requests_to_all_routes_find_nothing(
    record_property: Callable[[str, object], None],
) -> None:
    options = ("--runs", str(REQUESTS), "--seed", str(seed()))
    done = fuzz("api", *options, python=fuzzing_python())
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^  (\S+ /\S+) +(\d+)  ", done.stdout, re.MULTILINE))
    assert counts.keys() == load().routes.keys()
    record_property("how much", f"{sum(map(int, counts.values()))} requests")


def with_faults(folder: Path, *faults: tuple[str, str, str]) -> Path:
    """Return a copy of the code in which lines are wrong."""
    for part in ("functions", "layers/domain"):
        shutil.copytree(ROOT / part, folder / part)
    for file, line, wrong in faults:
        text = (folder / file).read_text(encoding="utf-8")
        assert text.count(line) == 1
        (folder / file).write_text(text.replace(line, wrong), encoding="utf-8")
    return folder


def inputs_of(found: subprocess.CompletedProcess[str]) -> dict[str, list[str]]:
    """For each target with a finding, the arguments that repeat it, as the command prints them."""
    assert found.returncode == 1, found.stdout + found.stderr
    named = re.findall(r'^To repeat it: make fuzz ARGS="((\w+) .+)"$', found.stdout, re.MULTILINE)
    return {target: arguments.split() for arguments, target in named}


@only_proved
def test_the_inputs_of_each_target_find_a_fault_of_its_code(tmp_path: Path) -> None:
    code = with_faults(tmp_path, *FAULTS.values())
    repeats = inputs_of(fuzz(*TARGETS, code=code))
    assert repeats.keys() == FAULTS.keys() == {*TARGETS}
    assert fuzz(*repeats["codec"], code=code).returncode == 1
    assert fuzz(*repeats["codec"]).returncode == 0


@only_proved
def test_the_search_finds_a_fault_that_no_kept_input_reaches(tmp_path: Path) -> None:
    if part_of("fuzz", "lib/*/site-packages/schemathesis").with_name("atheris").exists():
        code = with_faults(tmp_path, HIDDEN)
        assert fuzz("secret", code=code).returncode == 0
        options = ("--runs", "50000", "--seed", str(seed()))
        found = fuzz("secret", *options, python=fuzzing_python(), code=code)
        assert "ZeroDivisionError" in found.stdout
        assert inputs_of(found).keys() == {"secret"}
