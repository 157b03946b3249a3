"""The package that `pip install ./clients/python` installs."""

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
from typing import Final

import pytest

from tools.sam_template import ROOT
from zego_token_client.answers import GATEWAY_CODES

UV: Final = str(Path(sys.executable).with_name("uv"))
PACKAGE: Final = ROOT / "clients" / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, like a release."""
    made = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [UV, "build", "--quiet", "--offline", "--no-build-isolation", "--out-dir", made, PACKAGE],
        check=True,
        env=os.environ | {"VIRTUAL_ENV": sys.prefix},
    )
    (built,) = made.glob("*.whl")
    return built


def test_the_wheel_contains_the_package_and_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = set(opened.namelist())
    package = PACKAGE / "zego_token_client"
    sources = {path.relative_to(PACKAGE).as_posix() for path in package.iterdir() if path.is_file()}
    assert {name for name in held if ".dist-info/" not in name} == sources
    assert "zego_token_client/py.typed" in held
    assert any(name.endswith("/licenses/LICENSE") for name in held)


def test_it_works_outside_of_the_tree(wheel: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    make = [UV, "venv", "-q", "--offline", "-p", sys.executable, "venv"]
    subprocess.run(make, check=True, cwd=tmp_path)
    install = [UV, "pip", "install", "-q", "--offline", "--no-deps", "-p", str(python), str(wheel)]
    subprocess.run(install, check=True)
    program = """
import zego_token_client
try:
    zego_token_client.TokenClient("http://127.0.0.1:1", attempts=1).token("alice")
except zego_token_client.CredentialsError:
    print(zego_token_client.__file__)
"""
    done = subprocess.run(
        [python, "-c", program],
        cwd=tmp_path,
        env={
            "PYTHONPATH": sysconfig.get_path("purelib"),  # botocore
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


def test_the_oldest_botocore_is_not_newer_than_the_tested_one() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (requirement,) = project["dependencies"]
    name, _, lowest = requirement.partition(">=")
    assert name == "botocore"
    assert as_numbers(importlib.metadata.version(name)) >= as_numbers(lowest)


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


def test_its_licence_is_the_projects() -> None:
    assert (PACKAGE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_readme_lists_the_codes_of_api_gateway() -> None:
    readme = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(gateway_\w+)`", readme)) == {
        code for code, _ in GATEWAY_CODES.values()
    }
