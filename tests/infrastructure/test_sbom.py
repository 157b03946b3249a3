"""The lists of third-party packages, and which licences these may have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import PathDistribution, distribution
from pathlib import Path
from typing import Any, Final

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.infrastructure.test_project_files import pinned
from tools import build, release, sbom

#: What `pip install --report` writes. Source: pip's documentation, "Installation Report".
REPORT: Final = {
    "version": "1",
    "pip_version": "26.0",
    "install": [
        {
            "download_info": {
                "url": "https://index.example.com/ab/cd/Some_Package-1.0-py3-none-any.whl",
                "archive_info": {"hash": f"sha256={'a' * 64}", "hashes": {"sha256": "a" * 64}},
            },
            "metadata": {"name": "Some_Package", "version": "1.0"},
        }
    ],
}
MIT: Final = "Classifier: License :: OSI Approved :: MIT License\n"
APACHE: Final = "Classifier: License :: OSI Approved :: Apache Software License\n"


def deployed() -> list[sbom.Package]:
    """The packages of the layers, as this environment has them."""
    return [
        sbom.package(distribution(name))
        for layer in build.PACKAGE_LAYERS
        for name, _ in sorted(pinned(f"{layer}/requirements.txt"))
    ]


def installed(folder: Path, metadata: str, files: Mapping[str, str] | None = None) -> Path:
    """A folder with one installed package."""
    info = folder / "some_package-1.0.dist-info"
    heading = "Metadata-Version: 2.4\nName: Some_Package\nVersion: 1.0\n"
    written = {"METADATA": heading + metadata, **(files or {})}
    record = "".join(f"{info.name}/{name},,\n" for name in written)
    for name, text in {**written, "RECORD": record}.items():
        (info / name).parent.mkdir(parents=True, exist_ok=True)
        (info / name).write_text(text, encoding="utf-8")
    return folder


def package(folder: Path, metadata: str, files: Mapping[str, str] | None = None) -> sbom.Package:
    listed = installed(folder, metadata, files) / "some_package-1.0.dist-info"
    return sbom.package(PathDistribution(listed))


def one_package(folder: Path, metadata: str) -> Any:
    return json.loads(sbom.document("ours", "1", ["some-package"], [package(folder, metadata)]))


def test_the_sbom_of_what_is_deployed_lists_each_locked_package() -> None:
    text = sbom.document("zego-token-service", "0123456789ab-1.2.3", ["boto3"], deployed())
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    content = json.loads(text)
    assert content["specVersion"] == "1.6"
    root = content["metadata"]["component"]
    assert (root["name"], root["version"]) == ("zego-token-service", "0123456789ab-1.2.3")
    locked = {
        f"pkg:pypi/{name}@{version}"
        for layer in build.PACKAGE_LAYERS
        for name, version in pinned(f"{layer}/requirements.txt")
    }
    assert {one["purl"] for one in content["components"]} == locked


def test_it_lists_the_openssl_that_is_linked_into_a_wheel() -> None:
    (cryptography,) = (one for one in deployed() if one.name == "cryptography")
    (openssl,) = (one for one in cryptography.contains if one.purl.type == "generic")
    assert (openssl.name, openssl.licence) == ("openssl", "Apache-2.0")
    assert len(openssl.sha256) == 64


@pytest.mark.parametrize("project", [build.ROOT, release.PYTHON_CLIENT], ids=["ops", "client"])
def test_the_sbom_of_a_published_package_lists_what_it_depends_on(project: Path) -> None:
    text = sbom.published(project)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    content = json.loads(text)
    listed = {(one["name"], one["version"]) for one in content["components"]}
    assert listed <= pinned("requirements/run.txt")
    name = content["metadata"]["component"]["name"]
    (direct,) = (one["dependsOn"] for one in content["dependencies"] if one["ref"] == name)
    expected = {
        "zego-token-service": ["boto3", "click", "cryptography", "rich"],
        "zego-token-client": ["botocore"],
    }
    assert [ref.partition("@")[0] for ref in direct] == [
        f"pkg:pypi/{one}" for one in expected[name]
    ]
    used = {other for one in content["dependencies"] for other in one.get("dependsOn", ())}
    assert used == {one["purl"] for one in content["components"]}


def test_the_javascript_client_depends_on_no_package() -> None:
    package_json = json.loads((release.JAVASCRIPT_CLIENT / "package.json").read_text("utf-8"))
    assert "dependencies" not in package_json
    optional = package_json["peerDependenciesMeta"]
    assert {name for name in package_json["peerDependencies"] if optional[name]["optional"]} == {
        *package_json["peerDependencies"]
    }


def test_the_same_packages_give_the_same_bytes_in_any_order() -> None:
    listed = deployed()
    one = sbom.document("ours", "1", ["boto3", "cryptography"], listed)
    other = sbom.document("ours", "1", ["cryptography", "boto3"], reversed(listed))
    assert one == other
    assert "timestamp" not in one


def test_the_serial_number_is_that_of_the_content(tmp_path: Path) -> None:
    numbers = {
        one_package(tmp_path / licence, f"License-Expression: {licence}\n")["serialNumber"]
        for licence in ("MIT", "MIT-0")
    }
    assert len(numbers) == 2


def test_a_deployed_package_has_its_layer_and_the_digest_of_its_wheel(tmp_path: Path) -> None:
    folder = installed(tmp_path, "License-Expression: MIT\n")
    listed = sbom.deployed("layers/x", folder, json.dumps(REPORT))
    text = sbom.document("ours", "1", ["some-package"], listed)
    (component,) = json.loads(text)["components"]
    assert component["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert component["properties"] == [
        {"name": "zego-token-service:layer", "value": "layers/x"},
        {"name": "zego-token-service:wheel", "value": "Some_Package-1.0-py3-none-any.whl"},
    ]
    assert "index.example.com" not in text


def test_a_pip_that_reports_no_digests_is_named(tmp_path: Path) -> None:
    report = json.dumps({**REPORT, "version": "0", "pip_version": "22.3"})
    with pytest.raises(sbom.SbomError, match=r"^pip 22\.3 does not report .* install --upgrade"):
        sbom.deployed("layers/x", tmp_path, report)


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: BSD-2-Clause\nLicense: MIT\n", "BSD-2-Clause"),
        ("License: MIT\n", "MIT"),
        (f"License: see the file\n{MIT}{APACHE}", "MIT AND Apache-2.0"),
        (f"{MIT}Classifier: License :: OSI Approved :: BSD License\n", ""),
        ("License: Some Licence\n", ""),
        ("", ""),
    ],
)
def test_the_licence_of_a_package_is_what_its_metadata_states_most_exactly(
    tmp_path: Path, metadata: str, licence: str
) -> None:
    assert package(tmp_path, metadata).licence == licence


def test_a_package_with_another_licence_is_not_packaged(tmp_path: Path) -> None:
    message = (
        r"^some-package 1\.0 has the licence GPL-3\.0-only, which is not allowed\. "
        r"Use another package, or have the licence reviewed and add it to ALLOWED"
    )
    with pytest.raises(sbom.SbomError, match=message):
        one_package(tmp_path, "License-Expression: GPL-3.0-only\n")


def test_a_package_without_a_licence_is_not_packaged(tmp_path: Path) -> None:
    message = r"^some-package 1\.0 states no licence .* STATED_ELSEWHERE in tools/sbom\.py\.$"
    with pytest.raises(sbom.SbomError, match=message):
        one_package(tmp_path, "")


def test_what_a_wheel_contains_needs_an_allowed_licence_too(tmp_path: Path) -> None:
    inner = {"name": "inner", "version": "2", "purl": "pkg:cargo/inner@2"}
    listed = {
        "bomFormat": "CycloneDX",
        "components": [{**inner, "licenses": [{"license": {"id": "AGPL-3.0-only"}}]}],
    }
    outer = package(tmp_path, "License-Expression: MIT\n", {"sboms/inner.json": json.dumps(listed)})
    (refused,) = sbom.refusals([outer])
    assert refused.startswith("inner 2 has the licence AGPL-3.0-only, which is not allowed.")


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("Apache-2.0 OR GPL-2.0-only", True),
        ("Apache-2.0 AND GPL-2.0-only", False),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
    ],
)
def test_a_choice_of_licences_is_allowed_if_one_of_them_is(licence: str, allowed: bool) -> None:
    assert sbom.is_allowed(licence) is allowed
