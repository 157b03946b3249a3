"""Lists third-party packages in SBOMs (CycloneDX 1.6), and checks their licences.

`make build` lists what is deployed, layer by layer; `make release` also lists what the published
Python packages depend on. The JavaScript client depends on no package.

The same packages give the same bytes: a document has no time stamp, and its serial number comes
from its content. Packages that only develop, test or build are not listed: no user gets them.
"""

from __future__ import annotations

import json
import sys
import tomllib
import uuid
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path
from typing import Any, Final

from boolean import AND, OR
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from license_expression import ExpressionError, get_spdx_licensing
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: The licences, by their SPDX identifiers, that a listed package may have. All of them permit
#: commercial use, changes, and any licence for the code that uses the package.
ALLOWED: Final = frozenset(
    {
        *("Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause"),
        *("MIT", "MIT-0", "PSF-2.0", "Unicode-3.0"),
    }
)
#: Licences that the metadata of a package does not state as SPDX, with their source.
STATED_ELSEWHERE: Final[Mapping[str, str]] = {
    "openssl": "Apache-2.0",  # LICENSE.txt, since OpenSSL 3.0
    "python-dateutil": "Apache-2.0 AND BSD-3-Clause",  # LICENSE: by the date of a contribution
}
#: The classifiers that name one licence. "BSD License" could be any of several.
_CLASSIFIERS: Final[Mapping[str, str]] = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: MIT License": "MIT",
}
_OUR_LICENCE: Final = "Apache-2.0"
#: Where the packages run. Requirements for other platforms are left out.
_ENVIRONMENT: Final = {
    "extra": "",
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}
_SPDX: Final = get_spdx_licensing()


class SbomError(Exception):
    """A package cannot be listed, or its licence is not allowed. The message says what to do."""


@dataclass(frozen=True, kw_only=True)
class Package:
    """A package that is listed.

    :ivar licence: an SPDX expression; empty if the package states none.
    :ivar sha256: the digest of the wheel that pip has checked; empty if it is not known.
    :ivar facts: more about it, by name.
    :ivar requires: the names of the packages that it needs.
    :ivar contains: software within the wheel, as its own SBOM lists it (PEP 770).
    """

    name: str
    version: str
    purl: PackageURL
    licence: str
    sha256: str = ""
    facts: Mapping[str, str]
    requires: Collection[str] = ()
    contains: Collection[Package] = ()

    def all(self) -> Iterator[Package]:
        """Yield the package and everything in it."""
        yield self
        for one in self.contains:
            yield from one.all()

    def component(self) -> Component:
        """Return it as CycloneDX's model has it."""
        sha256 = [HashType(alg=HashAlgorithm.SHA_256, content=self.sha256)] if self.sha256 else []
        return Component(
            type=ComponentType.LIBRARY,
            name=self.name,
            version=self.version,
            purl=self.purl,
            bom_ref=str(self.purl),
            licenses=[_licence(self.licence)],
            hashes=sha256,
            properties=[
                Property(name=f"zego-token-service:{name}", value=value)
                for name, value in self.facts.items()
            ],
            components=[one.component() for one in self.contains],
        )


def deployed(layer: str, packages: Path, report: str) -> list[Package]:
    """List the packages of a layer.

    :param packages: the folder into which pip has installed them.
    :param report: what ``pip install --report`` has written: which wheels these were.
        Source: https://pip.pypa.io/en/stable/reference/installation-report/
    :raises SbomError: pip is older than 23.0, whose reports have version 1.
    """
    written = json.loads(report)
    if written["version"] != "1":
        raise SbomError(
            f"pip {written['pip_version']} does not report the digests of what it installs. "
            f"Run: {sys.executable} -m pip install --upgrade pip"
        )
    wheels = {
        canonicalize_name(one["metadata"]["name"]): one["download_info"]
        for one in written["install"]
    }
    listed = []
    for installed in distributions(path=[str(packages)]):
        wheel = wheels[canonicalize_name(installed.name)]
        facts = {"layer": layer, "wheel": wheel["url"].rpartition("/")[2]}
        sha256 = wheel["archive_info"]["hashes"]["sha256"]
        listed.append(package(installed, sha256=sha256, facts=facts))
    return listed


def package(
    installed: Distribution, *, sha256: str = "", facts: Mapping[str, str] | None = None
) -> Package:
    """List an installed package."""
    name = canonicalize_name(installed.name)
    return Package(
        name=name,
        version=installed.version,
        purl=PackageURL("pypi", None, name, installed.version),
        licence=_stated_licence(installed),
        sha256=sha256,
        facts=facts or {},
        requires=needed(installed.requires or ()),
        contains=[*_contained(installed)],
    )


def published(project: Path) -> str:
    """Return the SBOM of one of our Python packages, on Linux and Python 3.13.

    It lists the versions of this environment, with which the release is tested. The package also
    accepts others, and pip chooses between them.

    :param project: the folder of its pyproject.toml.
    :raises SbomError: a licence is not allowed.
    """
    described = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = needed(described["dependencies"])
    found: dict[str, Package] = {}
    left = [*direct]
    while left:
        if (name := left.pop()) not in found:
            found[name] = package(distribution(name))
            left += found[name].requires
    return document(described["name"], described["version"], direct, found.values())


def document(name: str, version: str, direct: Iterable[str], packages: Iterable[Package]) -> str:
    """Return the SBOM of one of our artifacts.

    :param direct: the names of the packages that it uses directly.
    :raises SbomError: a licence is not allowed.
    """
    listed = {one.name: one for one in packages}
    if refused := [*refusals(listed.values())]:
        raise SbomError("\n".join(refused))
    components = {name: one.component() for name, one in listed.items()}
    bom = Bom(serial_number=uuid.UUID(int=0), components=components.values())
    bom.metadata.component = Component(
        type=ComponentType.APPLICATION,
        name=name,
        version=version,
        bom_ref=name,
        licenses=[_licence(_OUR_LICENCE)],
    )
    bom.register_dependency(bom.metadata.component, [components[one] for one in direct])
    for one in listed.values():
        within = [components[other] for other in one.requires if other in components]
        bom.register_dependency(components[one.name], within)
    content = json.loads(JsonV1Dot6(bom).output_as_string())
    del content["metadata"]["timestamp"]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(content, sort_keys=True))
    content["serialNumber"] = serial.urn
    text = json.dumps(content, indent=2, sort_keys=True) + "\n"
    if mistake := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise SbomError(f"the SBOM of {name} does not fit CycloneDX's schema: {mistake}")
    return text


def refusals(packages: Iterable[Package]) -> Iterator[str]:
    """Yield one message per package, or software in it, whose licence is not allowed."""
    for one in (inner for outer in packages for inner in outer.all()):
        if not one.licence:
            yield (
                f"{one.name} {one.version} states no licence as an SPDX expression. Read its "
                f"licence file and add the expression to STATED_ELSEWHERE in tools/sbom.py."
            )
        elif not is_allowed(one.licence):
            yield (
                f"{one.name} {one.version} has the licence {one.licence}, which is not allowed. "
                f"Use another package, or have the licence reviewed and add it to ALLOWED in "
                f"tools/sbom.py."
            )


def is_allowed(licence: str) -> bool:
    """Return whether an SPDX expression can be met with allowed licences alone."""

    def meets(expression: Any) -> bool:
        if isinstance(expression, AND):
            return all(map(meets, expression.args))
        if isinstance(expression, OR):
            return any(map(meets, expression.args))
        return str(expression) in ALLOWED

    return meets(_SPDX.parse(licence))


def needed(requirements: Iterable[str]) -> list[str]:
    """Return the names of the packages that requirements name for Lambda's platform."""
    parsed = map(Requirement, requirements)
    return [
        canonicalize_name(one.name)
        for one in parsed
        if one.marker is None or one.marker.evaluate(_ENVIRONMENT)
    ]


def _licence(expression: str) -> License:
    return LicenseFactory().make_from_string(expression)


def _stated_licence(installed: Distribution) -> str:
    """Return the SPDX expression that a package states, from the best source to the worst."""
    stated = installed.metadata.get_all
    classifiers = [one for one in stated("Classifier") or () if one.startswith("License ::")]
    named = [_CLASSIFIERS.get(one, "") for one in classifiers]
    sources = (
        *(stated("License-Expression") or ()),
        *(stated("License") or ()),
        " AND ".join(named) if all(named) else "",
        STATED_ELSEWHERE.get(canonicalize_name(installed.name), ""),
    )
    return next((one for one in sources if _is_spdx(one)), "")


def _is_spdx(text: str) -> bool:
    try:
        return _SPDX.parse(text, validate=True, strict=True) is not None
    except ExpressionError:
        return False


def _contained(installed: Distribution) -> Iterator[Package]:
    """Yield what the CycloneDX documents in a wheel list, each software once."""
    found: dict[str, Any] = {}
    for file in installed.files or ():
        if file.parent.name == "sboms" and file.suffix == ".json":
            listed = json.loads(file.read_text(encoding="utf-8"))
            if listed.get("bomFormat") == "CycloneDX":
                found |= {one["purl"]: one for one in listed["components"]}
    for purl, one in found.items():
        licences = [
            stated.get("expression") or stated["license"].get("id", "")
            for stated in one.get("licenses", ())
        ]
        digests = [given["content"] for given in one.get("hashes", ()) if given["alg"] == "SHA-256"]
        yield Package(
            name=one["name"],
            version=one["version"],
            purl=PackageURL.from_string(purl),
            licence=" AND ".join(filter(None, licences)) or STATED_ELSEWHERE.get(one["name"], ""),
            sha256=next(iter(digests), ""),
            facts={},
        )
