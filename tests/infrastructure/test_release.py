"""The workflow that publishes a release, with its provenance and its SBOMs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatch
from typing import Any, Final

from tests.infrastructure.test_pipeline import WORKFLOWS, needed, workflow
from tools import build, release

JOBS: Final[Mapping[str, Any]] = workflow("release.yml")["jobs"]
VERSION: Final = "${{ steps.version.outputs.version }}"
#: What `make release` writes, by its docstring.
FILES: Final = (
    f"zego_token_service-{build.release()}-py3-none-any.whl",
    f"zego_token_service-{build.release()}.tar.gz",
    f"zego_token_service-{build.release()}.cdx.json",
    f"zego_token_client-{build.release()}-py3-none-any.whl",
    f"zego_token_client-{build.release()}.tar.gz",
    f"zego_token_client-{build.release()}.cdx.json",
    f"zego-token-service-client-{build.release()}.tgz",
    f"zego-token-service-{build.release()}-sam.zip",
    f"zego-token-service-{build.release()}-sam.cdx.json",
    "SHA256SUMS",
)


def attestations() -> dict[str, list[str]]:
    """What is attested: the files of each SBOM, and under an empty name those with provenance."""
    steps = [step for step in JOBS["attest"]["steps"] if "attest@" in step.get("uses", "")]
    return {
        step["with"].get("sbom-path", "").replace(VERSION, build.release()): [
            f"release/{file}"
            for pattern in step["with"]["subject-path"].split()
            for file in FILES
            if fnmatch(f"release/{file}", pattern)
        ]
        for step in steps
    }


def test_every_file_of_a_release_has_provenance() -> None:
    assert attestations()[""] == [f"release/{file}" for file in FILES]


def test_each_sbom_is_attested_for_the_files_that_it_describes() -> None:
    found = {sbom: subjects for sbom, subjects in attestations().items() if sbom}
    assert found == {
        f"release/{FILES[8]}": [f"release/{FILES[7]}"],
        f"release/{FILES[2]}": [f"release/{file}" for file in FILES[:2]],
        f"release/{FILES[5]}": [f"release/{file}" for file in FILES[3:5]],
    }


def test_make_release_names_the_files_like_the_workflow() -> None:
    patterns = re.findall(r"``([^`]*\*[^`]*)``", release.__doc__ or "")
    expected = {
        file
        for pattern in patterns
        for first, *others in [pattern.split(", ")]
        for one in (first, *(first.partition("*")[0] + f"*{other}" for other in others))
        for file in FILES
        if fnmatch(file, one)
    }
    assert expected | {"SHA256SUMS"} == {*FILES}


def test_nothing_is_published_that_is_not_attested() -> None:
    assert needed(JOBS["attest"]) == ["build"]
    publishing = JOBS.keys() - {"build", "attest"}
    assert publishing == {"pypi", "npm", "github"}
    assert all(needed(JOBS[name]) == ["attest"] for name in publishing)


def test_each_job_may_do_what_it_needs_and_the_build_may_only_read() -> None:
    assert {name: job.get("permissions") for name, job in JOBS.items()} == {
        "build": None,
        "attest": {"id-token": "write", "attestations": "write"},
        "pypi": {"id-token": "write"},
        "npm": {"id-token": "write"},
        "github": {"contents": "write"},
    }


def test_no_code_of_the_tree_or_of_a_dependency_runs_where_a_job_may_write() -> None:
    for path in WORKFLOWS:
        for name, job in workflow(path.name)["jobs"].items():
            may_write = "write" in (job.get("permissions") or {}).values()
            if may_write and job.get("environment") not in ("dev", "prod"):  # those install sam
                scripts = " ".join(step.get("run", "") for step in job["steps"])
                assert not re.search(r"\b(make|python|pip|pipx|uv|npx)\b", scripts), (path, name)
                assert "npm ci" not in scripts
                assert "npm install" not in scripts


def test_no_workflow_runs_a_tool_of_any_version() -> None:
    for path in WORKFLOWS:
        assert not re.search(r"\b(pipx run|uvx|npx|pip install)\b", path.read_text("utf-8")), path


def test_known_vulnerabilities_are_looked_up_each_night() -> None:
    check = workflow("check.yml")
    assert "schedule" in check[True]
    assert {"run": "make audit"} in check["jobs"]["audit"]["steps"]
    assert "if" not in check["jobs"]["audit"]
