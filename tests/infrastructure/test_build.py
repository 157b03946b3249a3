"""What `make build` does before it needs the network, and what it makes, built for this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import snapshot_restore_py

from tests.infrastructure.stacks import OWN_SECRET
from tools import build
from tools.sam_template import load

FUNCTIONS: Final = ("Issuer", "Rotator", "Watcher")


def run(tree: Path, function: str, program: str, tmp_path: Path) -> Any:
    """The JSON that a program prints if it can import only what the function has.

    That is its zip, its layers and, as in Lambda, the runtime's snapshot hooks. There are no
    credentials, and no way to a network.
    """
    properties = load()["Resources"][f"{function}Function"]["Properties"]
    layers = [load()["Resources"][layer["Ref"]]["Properties"] for layer in properties["Layers"]]
    contents = [layer["ContentUri"].removeprefix("build/") for layer in layers]
    hooks = Path(snapshot_restore_py.__file__)
    (tmp_path / hooks.name).symlink_to(hooks)
    path = [tree / "functions", *(tree / content / "python" for content in contents), tmp_path]
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_REGION": "eu-west-1",
        "SERVER_SECRET_ARN": OWN_SECRET,
        "STAGE": "dev",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    prologue = f"import json, sys; sys.path[:0] = {[str(place) for place in path]}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", prologue + program],
        env=environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_function_starts_with_what_is_deployed_and_nothing_else(
    tree: Path, function: str, tmp_path: Path
) -> None:
    handler = load()["Resources"][f"{function}Function"]["Properties"]["Handler"]
    module, _, name = handler.rpartition(".")
    program = (
        f"from {module} import {name}; print(json.dumps([callable({name}), list(sys.modules)]))"
    )
    starts, modules = run(tree, function, program, tmp_path)
    assert starts
    assert ("boto3" in modules) is (function != "Issuer")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_all_that_a_function_imports_late_is_deployed_too(
    tree: Path, function: str, tmp_path: Path
) -> None:
    program = f"""
import importlib, pkgutil
packages = [importlib.import_module(name) for name in ("runtime", "{function.lower()}")]
names = [
    module.name
    for package in packages
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
]
for name in names:
    importlib.import_module(name)
print(json.dumps(names))
"""
    imported = run(tree, function, program, tmp_path)
    assert {f"{function.lower()}.app", "runtime.settings"} <= set(imported)


def test_the_deployed_aws_sdk_makes_the_clients_it_was_trimmed_for_and_no_others(
    tree: Path, tmp_path: Path
) -> None:
    program = """
import boto3, botocore.exceptions, jmespath
def make(service):
    try:
        return boto3.client(service, region_name="eu-west-1").meta.endpoint_url
    except botocore.exceptions.UnknownServiceError:
        return None
endpoints = {service: make(service) for service in ("secretsmanager", "events", "sts", "s3")}
print(json.dumps([boto3.__file__, endpoints]))
"""
    place, endpoints = run(tree, "Watcher", program, tmp_path)
    assert Path(place).is_relative_to(tree / "layers" / "aws_sdk")
    assert endpoints == {
        "secretsmanager": "https://secretsmanager.eu-west-1.amazonaws.com",
        "events": "https://events.eu-west-1.amazonaws.com",
        "sts": "https://sts.eu-west-1.amazonaws.com",
        "s3": None,
    }


def test_only_the_policies_of_the_stages_are_packaged(tree: Path) -> None:
    packaged = sorted(path.name for path in (tree / "functions" / "issuer" / "policies").iterdir())
    assert packaged == ["dev.toml", "prod.toml", "staging.toml"]


def test_what_opens_tokens_in_every_way_is_not_deployed(tree: Path) -> None:
    deployed = {path.name for path in (tree / "layers/domain/python/zego/diagnosis").iterdir()}
    assert "verified.py" in deployed
    assert deployed.isdisjoint({"secrets.py", "generators.py", "opening.py"})


def test_no_package_is_in_two_layers(tree: Path) -> None:
    packages = [
        {path.name for path in (tree / layer / "python").iterdir()} - {"__pycache__"}
        for layer in build.PACKAGE_LAYERS
    ]
    assert packages[0] & packages[1] == set()


def test_what_is_deployed_is_within_its_budgets(tree: Path) -> None:
    assert build.size_mb(tree) < build.BUDGET_MB
    assert build.size_mb(tree, build.ISSUER_PARTS) < build.AIM_MB


def test_all_that_is_deployed_has_bytecode_and_python_reads_no_source(tree: Path) -> None:
    for source in tree.rglob("*.py"):
        (bytecode,) = (source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")
        flags = int.from_bytes(bytecode.read_bytes()[4:8], "little")
        assert flags == 0b01, bytecode  # by hash, not checked (PEP 552)


def test_the_template_deploys_what_the_build_makes() -> None:
    deployed = {
        resource["Properties"].get("CodeUri") or resource["Properties"].get("ContentUri")
        for resource in load()["Resources"].values()
        if resource["Type"] in ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")
    }
    assert deployed == {f"build/{part}" for part in build.PARTS}


def test_the_bytecode_is_of_the_runtime_that_the_template_names() -> None:
    for function in FUNCTIONS:
        properties = load()["Resources"][f"{function}Function"]["Properties"]
        assert properties["Runtime"] == f"python{build.RUNTIME}"
    assert all(platform.endswith("_aarch64") for platform in build.PLATFORMS)


def test_an_interpreter_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.12\n", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PYTHON313", str(other))
    message = r"PYTHON313=.* is not a Python 3\.13\..*make build PYTHON313="
    with pytest.raises(build.BuildError, match=message):
        build.find_interpreter()


def test_a_changed_file_changes_the_build_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    tree = tmp_path / "build"
    (tree / "functions").mkdir(parents=True)
    for name in ("template.yaml", "samconfig.toml"):
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"', encoding="utf-8")
    versions = set()
    for content in ("a", "b"):
        (tree / "functions" / "app.py").write_text(content, encoding="utf-8")
        versions.add(build.write_version(tree))
    assert len(versions) == 2
    assert all(re.fullmatch(r"[0-9a-f]{12}-1\.2\.3", version) for version in versions)
    written = tomllib.loads((tree / "version.toml").read_text(encoding="utf-8"))
    assert written["BuildVersion"] in versions
