"""checkov finds nothing in the templates but what their metadata explains."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from samtranslator.yaml_helper import yaml_parse

from tests.infrastructure.test_lifecycle import given, made
from tests.support.environments import part_of
from tests.support.tiers import only_proved
from tools.sam_template import ROOT, load

pytestmark = [pytest.mark.exhaustive, only_proved]

#: A stack in an account with rules: with these parameters, checkov's other findings are gone.
REGULATED: Final = {
    "LogKmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000000",
    "ReservedConcurrency": "50",
}
#: What checkov finds in a stack without them: encryption with AWS' key, and no reservation.
BY_DEFAULT: Final = {
    ("CKV_AWS_158", "AWS::Logs::LogGroup"),
    ("CKV_AWS_115", "AWS::Lambda::Function"),
}

Findings = set[tuple[str, str]]


def findings(templates: dict[str, dict[str, Any]], folder: Path) -> dict[str, Findings]:
    """Return what checkov finds in each template: the check, and the type and id of a resource."""
    for name, template in templates.items():
        (folder / f"{name}.json").write_text(json.dumps(template), encoding="utf-8")
    options = "--framework cloudformation --skip-download --quiet --compact --output json"
    done = subprocess.run(
        [part_of("checkov", "bin/checkov"), "--directory", folder, *options.split()],
        env={"HOME": str(folder), "PATH": os.environ["PATH"], "HTTPS_PROXY": "http://127.0.0.1:1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    found: dict[str, Findings] = {name: set() for name in templates}
    for failed in report["results"]["failed_checks"]:
        name = Path(failed["file_path"]).stem
        found[name].add((failed["check_id"], failed["resource"]))
    return found


def excepted(template: dict[str, Any], written: Iterable[str]) -> Findings:
    """Return the exceptions in the metadata of the resources that are written in a template.

    The transform copies the metadata of a function to the resources that it generates for it.
    """
    exceptions = set()
    for name in template["Resources"].keys() & set(written):
        resource = template["Resources"][name]
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert skip["comment"]
            exceptions.add((skip["id"], f"{resource['Type']}.{name}"))
    return exceptions


def test_checkov_finds_what_the_metadata_of_the_templates_explains_and_nothing_else(
    tmp_path: Path,
) -> None:
    templates = {
        "made": copy.deepcopy(made(**REGULATED).template),
        "given": copy.deepcopy(given(**REGULATED).template),
        "default": copy.deepcopy(made().template),
    }
    written = {*load()["Resources"]}
    for path in (ROOT / "deploy").glob("*.yaml"):
        templates[path.stem] = yaml_parse(path.read_text(encoding="utf-8"))
        written |= templates[path.stem]["Resources"].keys()
    exceptions = {name: excepted(template, written) for name, template in templates.items()}
    for template in templates.values():
        for resource in template["Resources"].values():
            resource.pop("Metadata", None)
    found = findings(templates, tmp_path)
    default = found.pop("default") - exceptions.pop("default")
    assert found == exceptions
    assert {(check, resource.partition(".")[0]) for check, resource in default} == BY_DEFAULT
