"""Counts the processor's instructions: ``python -m tests.benchmarks.instructions``.

Times vary with the load of the machine; instructions hardly do. valgrind counts them. The handler
runs from a tree built as for Lambda, with the modules of AWS' runtime client loaded. It reads keys,
secret and denials over HTTP from servers that are not counted. Each count is compared with plain
Python of the same interpreter, so that a new patch version of Python hardly changes the ratios.

``cold`` is a whole process from its start to its first token, as a multiple of one with an empty
handler. ``warm`` and ``mint`` are one further request, or token, as a multiple of a fixed piece of
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
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from tests.benchmarks.invocations import Subjects, subjects
from tools import build

_VERSION: Final = f"{sys.version_info[0]}.{sys.version_info[1]}"
_HERE: Final = Path(__file__).parent
_PROGRAM: Final = _HERE / "counted.py"
#: What Lambda's runtime has in addition to the standard library.
_RUNTIME_MODULES: Final = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")
_EMPTY: Final = {"kind": "handler", "name": "empty.handler"}
_ISSUER: Final = {"kind": "handler", "name": "issuer.app.handler"}
#: How often the work is done in two processes. Their difference is what each further time takes.
_TURNS: Final = {"issuer": (1, 201), "plain": (1000, 6000), "mint": (100, 1100)}
#: OpenSSL and glibc choose code by the processor. This limits them to what every x86-64 machine of
#: the last ten years has: https://docs.openssl.org/3.0/man3/OPENSSL_ia32cap/.
_SAME_PROCESSOR: Final = {
    "OPENSSL_ia32cap": "~0x1000000000000000:0",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX2_Unaligned_Load",
}
#: The largest ratios, for each version of Python. Raise one if a change is worth it, and lower it
#: after a change that saves instructions: repeated runs differ by 0.5 %.
BOUNDS: Final[Mapping[str, Mapping[str, float]]] = {
    "3.11": {"cold": 3.96, "warm": 41.6, "mint": 1.05},
    "3.13": {"cold": 3.58, "warm": 48.0, "mint": 1.27},
}


class NoCounterError(Exception):
    """Instructions cannot be counted here. The message says why."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The instructions of each kind of work.

    :ivar plain: one turn of the fixed piece of plain Python.
    :ivar empty: a process with an empty handler, to its first response.
    :ivar load: a process with the issuer, loaded, before its first request.
    :ivar cold: a process with the issuer, ``Limits=On``, to its first token.
    :ivar warm: one further token over HTTP.
    :ivar mint: one token of :mod:`zego.token04`.
    """

    plain: float
    empty: float
    load: float
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

    @property
    def bounds(self) -> Mapping[str, float]:
        """What the ratios must not exceed with this version of Python."""
        return BOUNDS[_VERSION]

    def summary(self) -> str:
        """Return the ratios in one line."""
        return ", ".join(f"{name} {ratio:.3f}" for name, ratio in self.ratios.items())


def check_counter() -> None:
    """Raise :class:`NoCounterError` unless instructions can be counted here."""
    if shutil.which("valgrind") is None:
        raise NoCounterError("valgrind is not installed, so instructions cannot be counted")
    if (machine := os.uname().machine) != "x86_64":
        raise NoCounterError(f"the bounds were set on x86_64, and this machine is {machine}")
    if _VERSION not in BOUNDS:
        raise NoCounterError(f"there are no bounds for Python {_VERSION}")


def count(tree: Path) -> Counts:
    """Count everything once, with as many processes at a time as there are cores.

    :raises NoCounterError: instructions cannot be counted here.
    """
    check_counter()
    tasks: dict[str, Mapping[str, Any]] = {
        "empty": _EMPTY | {"times": 1},
        "load": _ISSUER | {"times": 0},
    }
    for name, task in (
        ("issuer", _ISSUER),
        ("plain", {"kind": "plain"}),
        ("mint", {"kind": "mint"}),
    ):
        few, many = _TURNS[name]
        tasks |= {f"{name}, few": task | {"times": few}, f"{name}, many": task | {"times": many}}
    with _programs(tree) as programs, ThreadPoolExecutor(os.cpu_count()) as pool:
        results = dict(zip(tasks, pool.map(programs.count, tasks.values()), strict=True))

    def each(name: str) -> float:
        few, many = _TURNS[name]
        return (results[f"{name}, many"] - results[f"{name}, few"]) / (many - few)

    return Counts(
        plain=each("plain"),
        empty=results["empty"],
        load=results["load"],
        cold=results["issuer, few"],
        warm=each("issuer"),
        mint=each("mint"),
    )


def loaded_modules(tree: Path) -> set[str]:
    """Return the modules that the issuer loads to its first token, besides the runtime client's."""
    with _programs(tree) as programs:
        output, _ = programs.run(_ISSUER | {"times": 1, "modules": True})
    return set(json.loads(output.splitlines()[-1]))


@dataclass(frozen=True, slots=True)
class _Programs:
    """Runs :mod:`tests.benchmarks.counted` as Lambda would."""

    measured: Subjects
    runtime: Path

    def count(self, task: Mapping[str, Any]) -> int:
        """Return the instructions of a task."""
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no"]
        _, messages = self.run(task, [*valgrind, "--cachegrind-out-file=/dev/null"])
        counted = re.search(r"I\s+refs:\s+([\d,]+)", messages)
        if counted is None:
            raise RuntimeError(f"valgrind did not count: {messages[-2000:]}")
        return int(counted[1].replace(",", ""))

    def run(self, task: Mapping[str, Any], before: Sequence[str] = ()) -> tuple[str, str]:
        """Run a task, with another command before Python's; return what both wrote."""
        own = [_HERE / "handlers"] if task.get("name") == "empty.handler" else []
        path = [*own, *self.measured.python_path, self.runtime]
        document = {"event": self.measured.event} | dict(task) | {"path": [str(p) for p in path]}
        python = [sys.executable, "-P", "-S", "-s", "-B", str(_PROGRAM), json.dumps(document)]
        done = subprocess.run(
            [*before, *python],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"a program failed: {(done.stdout + done.stderr)[-2000:]}")
        return done.stdout, done.stderr

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


@contextmanager
def _programs(tree: Path) -> Iterator[_Programs]:
    """Start what the issuer reads, and collect what Lambda's runtime has, with bytecode."""
    with subjects(tree) as measured, TemporaryDirectory() as directory:
        runtime = Path(directory)
        for name in _RUNTIME_MODULES:
            spec = importlib.util.find_spec(name)
            if spec is None or spec.origin is None:
                raise RuntimeError(f"{name} is not installed")
            origin = Path(spec.origin)
            if origin.name == "__init__.py":
                shutil.copytree(origin.parent, runtime / name)
            else:
                shutil.copy(origin, runtime)
        subprocess.run([sys.executable, "-m", "compileall", "-q", runtime], check=True)
        yield _Programs(measured, runtime)


def main() -> int:
    """Build the tree, count, and print the counts and ratios."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.instructions",
        description="Count the instructions of cold starts, warm requests and mints.",
    )
    parser.parse_args()
    try:
        check_counter()
    except NoCounterError as error:
        print(error, file=sys.stderr)
        return 2
    counts = count(build.host_tree())
    print("        instructions    ratio  bound")
    for name in ("plain", "empty", "load", "cold", "warm", "mint"):
        print(f"{name:5} {getattr(counts, name):14,.0f}", end="")
        ratio = counts.ratios.get(name)
        print("" if ratio is None else f" {ratio:8.3f} {counts.bounds[name]:6}")
    return int(any(ratio > counts.bounds[name] for name, ratio in counts.ratios.items()))


if __name__ == "__main__":
    sys.exit(main())
