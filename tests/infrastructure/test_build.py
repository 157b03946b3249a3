"""What `make build` does before it needs the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import build
from tools.sam_template import load


def test_the_template_deploys_what_the_build_makes() -> None:
    deployed = {
        resource["Properties"].get("CodeUri") or resource["Properties"].get("ContentUri")
        for resource in load()["Resources"].values()
        if resource["Type"] in ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")
    }
    assert deployed == {f"build/{part}" for part in build.PARTS}


def test_the_bytecode_is_of_the_runtime_that_the_template_names() -> None:
    issuer = load()["Resources"]["IssuerFunction"]["Properties"]
    assert issuer["Runtime"] == f"python{build.RUNTIME}"
    assert all(platform.endswith("_aarch64") for platform in build.PLATFORMS)


def test_an_interpreter_of_another_version_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "python"
    other.write_text("#!/bin/sh\necho 3.12\n", encoding="utf-8")
    other.chmod(0o755)
    monkeypatch.setenv("PYTHON313", str(other))
    with pytest.raises(build.BuildError, match=r"PYTHON313=.* is none.*make build PYTHON313="):
        build.find_interpreter()


def test_a_changed_file_changes_the_build_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "ROOT", tmp_path)
    tree = tmp_path / "build"
    (tree / "functions").mkdir(parents=True)
    for name in ("template.yaml", "samconfig.toml"):
        (tmp_path / name).write_text("", encoding="utf-8")
    versions = set()
    for content in ("a", "b"):
        (tree / "functions" / "app.py").write_text(content, encoding="utf-8")
        versions.add(build.write_version(tree))
    assert len(versions) == 2
    assert (tree / "version.toml").read_text(encoding="utf-8").startswith('BuildVersion = "')
