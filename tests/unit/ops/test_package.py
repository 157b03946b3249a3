"""The wheel: what `pipx install .` and `uv tool install .` put on another machine."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.support.policy_mistakes import GOOD
from tools.sam_template import ROOT

UV = str(Path(sys.executable).with_name("uv"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution as for a package index."""
    made = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [UV, "build", "--quiet", "--offline", "--no-build-isolation", "--out-dir", made, ROOT],
        check=True,
        env=os.environ | {"VIRTUAL_ENV": sys.prefix},
    )
    (built,) = made.glob("*.whl")
    return built


def test_it_contains_the_command_line_and_our_packages_that_it_imports(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(root).as_posix()
        for root, package in ((ROOT, "ops"), (ROOT / "layers" / "domain", "zego"))
        for path in (root / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert held == sources


def test_it_works_without_the_tree(wheel: Path, tmp_path: Path) -> None:
    command = tmp_path / "venv" / "bin" / "zego-token"
    make = [UV, "venv", "-q", "--offline", "-p", sys.executable, "venv"]
    subprocess.run(make, check=True, cwd=tmp_path)
    install = [UV, "pip", "install", "-q", "--offline", "--no-deps"]
    subprocess.run([*install, "-p", str(command.with_name("python")), str(wheel)], check=True)
    # Third-party packages are this environment's; its own ops and zego are the tree's, by a .pth
    # file, which PYTHONPATH does not read.
    environment = {"PYTHONPATH": sysconfig.get_path("purelib"), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        [command, "secret", "status", "--local", "nowhere"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert "No local stack is running here" in done.stderr
    (tmp_path / "policy.toml").write_text(GOOD, encoding="utf-8")
    for words in (["--help"], ["--version"], ["policy", "check", "policy.toml"]):
        subprocess.run(
            [command, *words], cwd=tmp_path, env=environment, check=True, capture_output=True
        )


def test_it_requires_the_versions_that_the_tree_is_tested_with() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = (ROOT / "requirements" / "run.txt").read_text(encoding="utf-8")
    for requirement in project["dependencies"]:
        name, _, lowest = requirement.partition(">=")
        assert re.search(rf"^{name}==", locked, re.MULTILINE), name
        assert as_numbers(importlib.metadata.version(name)) >= as_numbers(lowest)


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
