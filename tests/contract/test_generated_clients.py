"""Clients that other people's tools generate from docs/openapi.yaml work, refusals included.

The generators are openapi-python-client and datamodel-code-generator (`requirements/generators.in`)
and openapi-typescript (`tests/npm/openapi_typescript/`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.contract.openapi import DOCUMENT
from tests.contract.services import Api
from tests.support.environments import part_of
from tests.support.node import find_node
from tests.support.tiers import only_proved
from tools import npm_packages

pytestmark = [pytest.mark.exhaustive, only_proved]

USES: Final = Path(__file__).with_name("generated_clients")
PINS: Final = npm_packages.PINS / "openapi_typescript"
BOTH: Final = {"login": True, "publish": True}


@pytest.fixture
def environment(api: Api, throttling_api: Api) -> dict[str, str]:
    """The settings of a client: a service, one that throttles it, and a bearer token."""
    return {
        "API": api.gateway.url,
        "THROTTLED_API": throttling_api.gateway.url,
        "BEARER": api.identity_provider.bearer("alice"),
        "PATH": os.environ["PATH"],
    }


def run(directory: Path, environment: dict[str, str], *command: str | Path) -> str:
    """Run a command and return its output; fail with its output if it fails."""
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(f"{command} failed:\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def printed(output: str) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


def test_generated_python_has_a_type_for_each_response(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    shutil.copy(DOCUMENT, tmp_path)
    (tmp_path / "config.yaml").write_text("post_hooks: []\n")
    commands = (
        (
            "openapi-python-client generate --path openapi.yaml --output-path generated_client"
            " --meta none --config config.yaml --fail-on-warning"
        ),
        (
            "datamodel-codegen --input openapi.yaml --output generated_models.py"
            " --output-model-type pydantic_v2.BaseModel --formatters builtin"
        ),
    )
    for program, *options in map(str.split, commands):
        run(tmp_path, environment, part_of("generators", f"bin/{program}"), *options)
    shutil.copy(USES / "python_client.py", tmp_path)
    python = part_of("generators", "bin/python")
    assert printed(run(tmp_path, environment, python, "python_client.py")) == [
        [403, "GatewayAnswer", "Forbidden"],
        [201, "TokenResponse", BOTH],
        [201, "CallResponse", BOTH],
        [201, "CallTokenResponse", BOTH],
        [422, "BeginCallResponse422", "invalid_callees"],
        [401, "IssueTokenResponse401", "bearer_missing"],
        [403, "IssueTokenResponse403", "not_granted"],
        [422, "IssueTokenResponse422", "lifetime_out_of_range"],
        [429, "GatewayAnswer", "Too Many Requests"],
    ]


def test_generated_typescript_has_a_type_for_each_response(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    node, packages = find_node(), npm_packages.fetch("openapi-typescript", PINS).parent
    (tmp_path / "node_modules").symlink_to(packages)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copy(USES / "typescript_client.ts", tmp_path)
    generator = packages / "openapi-typescript" / "bin" / "cli.js"
    run(tmp_path, environment, node, generator, DOCUMENT, "--output", "api.ts")
    options = "--strict --module nodenext --target es2022 --lib es2022,dom --skipLibCheck"
    compiler = packages / "typescript" / "bin" / "tsc"
    run(tmp_path, environment, node, compiler, *options.split(), "typescript_client.ts")
    assert printed(run(tmp_path, environment, node, "typescript_client.js")) == [
        [201, BOTH],
        [401, "bearer_missing"],
        [403, "not_granted"],
        [422, "lifetime_out_of_range"],
        [429, "Too Many Requests"],
        [201, "call_"],
        [["bob"], True, True],
    ]
