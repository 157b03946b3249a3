"""Checks of this machine: the programs that build and deploy."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Final

from ops.checklist.check import CheckResult, check
from ops.preflight.plan import Plan

#: The first SAM CLI that reads parameters from files (aws-sam-cli#7876).
_SAM: Final = (1, 152)


@check("Can Python 3.13 compile the bytecode for Lambda?", remedy="Install it (docs/deploy.md).")
def python(plan: Plan) -> Iterator[CheckResult]:
    done = plan.tool("tools.build", "--find-interpreter")
    if done.returncode == 0:
        yield CheckResult("ok", done.stdout.strip())
    else:
        yield CheckResult("failed", done.stderr.strip().removeprefix("build: "))


@check(
    "Is the AWS SAM CLI installed, and recent enough?",
    remedy="Install or upgrade the AWS SAM CLI, and put it on PATH (docs/deploy.md).",
)
def sam(_plan: Plan) -> Iterator[CheckResult]:
    path = shutil.which("sam")
    if path is None:
        yield CheckResult("failed", "There is no program sam on PATH.")
        return
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    version = re.search(r"version (\d+)\.(\d+)\.\d+", done.stdout)
    if version is None:
        yield CheckResult("failed", f"{path} --version prints no version.")
    elif (int(version[1]), int(version[2])) < _SAM:
        least = ".".join(map(str, _SAM))
        yield CheckResult("failed", f"{path} is {version[0]}, but {least} is needed.")
    else:
        yield CheckResult("ok", f"{path}, {version[0]}")
