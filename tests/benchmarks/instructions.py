"""Counts the processor's instructions: ``python -m tests.benchmarks.instructions``.

Times vary with the load of the machine; instructions hardly do. valgrind counts them. The handler
runs from a tree built as for Lambda, with the modules of AWS' runtime client loaded. It reads keys,
secret and denials over HTTP from servers that are not counted. Each count is compared with plain
Python of the same interpreter, so that a new patch version of Python hardly changes the ratios.

``cold`` is a whole process from its start to its first token, as a multiple of one with an empty
handler. ``warm`` and ``mint`` are one further request, or token, in turns of a fixed piece of
plain Python.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.benchmarks.invocations import Subjects, subjects
from tools import build

_HERE: Final = Path(__file__).parent
_PROGRAM: Final = _HERE / "counted.py"
#: What Lambda's runtime has in addition to the standard library.
_RUNTIME_MODULES: Final = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
#: How often the counted work runs. The costs of the first times are not counted.
_TURNS: Final = {"plain": (1000, 6000), "handler": (50, 250), "mint": (100, 1100)}
#: OpenSSL and glibc choose code by the processor. This limits them to what every x86-64 machine of
#: the last ten years has: https://docs.openssl.org/3.0/man3/OPENSSL_ia32cap/.
_SAME_PROCESSOR: Final = {
    "OPENSSL_ia32cap": "~0x1000000000000000:0",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX2_Unaligned_Load",
}


class NoCounterError(Exception):
    """Instructions cannot be counted here. The message says why."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The instructions of each kind of work.

    :ivar plain: one turn of the fixed piece of plain Python.
    :ivar empty: a process with an empty handler, to its first response.
    :ivar cold: a process with the issuer, ``Limits=On``, to its first token.
    :ivar warm: one further token over HTTP.
    :ivar mint: one token of :mod:`zego.token04`.
    """

    plain: float
    empty: float
    cold: float
    warm: float
    mint: float

    @property
    def ratios(self) -> dict[str, float]:
        """What the budgets limit."""
        return {
            "cold": self.cold / self.empty,
            "warm": self.warm / self.plain,
            "mint": self.mint / self.plain,
        }


def check_counter() -> None:
    """Raise :class:`NoCounterError` unless instructions can be counted here."""
    if shutil.which("valgrind") is None:
        raise NoCounterError("valgrind is not installed, so instructions cannot be counted")
    if (machine := os.uname().machine) != "x86_64":
        raise NoCounterError(f"the bounds were set on x86_64, and this machine is {machine}")


def count(tree: Path) -> Counts:
    """Count everything once, with as many processes at a time as there are cores.

    :raises NoCounterError: instructions cannot be counted here.
    """
    check_counter()
    with subjects(tree) as measured, TemporaryDirectory() as directory:
        counter = _Counter(measured, _runtime(Path(directory)))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            issuer = {"kind": "handler", "name": "issuer.app.handler"}
            few, many = _TURNS["handler"]
            tasks: dict[str, dict[str, Any]] = {
                "many": issuer | {"times": many},
                "few": issuer | {"times": few},
                "cold": issuer | {"times": 1},
                "empty": {"kind": "handler", "name": "empty.handler", "times": 1},
            }
            for kind in ("plain", "mint"):
                for name, times in zip(("few", "many"), _TURNS[kind], strict=True):
                    tasks[f"{kind} {name}"] = {"kind": kind, "times": times}
            results = dict(zip(tasks, pool.map(counter.count, tasks.values()), strict=True))
    return Counts(
        plain=_each("plain", results["plain few"], results["plain many"]),
        empty=results["empty"],
        cold=results["cold"],
        warm=_each("handler", results["few"], results["many"]),
        mint=_each("mint", results["mint few"], results["mint many"]),
    )


def _each(kind: str, few: int, many: int) -> float:
    return (many - few) / (_TURNS[kind][1] - _TURNS[kind][0])


@dataclass(frozen=True, slots=True)
class _Counter:
    measured: Subjects
    runtime: Path

    def count(self, task: Mapping[str, Any]) -> int:
        """Run a task of :mod:`tests.benchmarks.counted`; return its instructions."""
        own = [_HERE / "handlers"] if task.get("name") == "empty.handler" else []
        path = [*own, *self.measured.python_path, self.runtime]
        document = {"event": self.measured.event} | dict(task) | {"path": [str(p) for p in path]}
        command = [sys.executable, "-P", "-S", "-s", str(_PROGRAM), json.dumps(document)]
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
        done = subprocess.run(
            [*valgrind, "--cachegrind-out-file=/dev/null", *command],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        counted = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
        if done.returncode or counted is None:
            raise RuntimeError(f"a counted process failed: {(done.stdout + done.stderr)[-2000:]}")
        return int(counted[1].replace(",", ""))

    @property
    def _environment(self) -> dict[str, str]:
        return {
            **self.measured.environment,
            **self.measured.limits,
            **_SAME_PROCESSOR,
            "PATH": os.environ["PATH"],
            "LANG": "en_US.UTF-8",
            "PYTHONHASHSEED": "0",
            "AWS_LAMBDA_FUNCTION_NAME": "issuer",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        }


def _runtime(directory: Path) -> Path:
    """A folder with the modules of Lambda's runtime, and no other packages."""
    for name in _RUNTIME_MODULES:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise RuntimeError(f"{name} is not installed")
        origin = Path(spec.origin)
        source = origin.parent if origin.name == "__init__.py" else origin
        (directory / source.name).symlink_to(source)
    return directory


def main() -> int:
    """Build the tree, count, and print the counts and ratios."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.instructions")
    parser.parse_args()
    try:
        check_counter()
    except NoCounterError as error:
        print(error, file=sys.stderr)
        return 2
    counts = count(build.host_tree())
    for name in ("plain", "empty", "cold", "warm", "mint"):
        ratio = counts.ratios.get(name)
        shown = "" if ratio is None else f"{ratio:8.3f}"
        print(f"{name:6} {getattr(counts, name):15,.0f} {shown}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
