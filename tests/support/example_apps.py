"""Starts the apps of `examples/` that have a backend, as their READMEs do, with a local stack."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from local.aws.api_destination import ApiDestination
from local.stack import LocalStack
from ops.target import local_environment
from tests.support.node import find_node
from tools import npm_packages

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"
KEY: Final = "made-up-key-of-the-webhook"
#: The key before a rotation, which the app still accepts.
OLD_KEY: Final = "made-up-key-before-the-rotation"
FAKE_PROVIDERS: Final = ROOT / "tests" / "docs" / "quick_starts" / "credential_providers.js"
SIGNER: Final = ("@smithy/core", "@smithy/signature-v4", "@smithy/types", "tslib")


@contextmanager
def ringing_stack(directory: Path) -> Iterator[LocalStack]:
    """A local stack that posts incoming calls to the app that `serving_app` has started last."""
    nowhere = "http://127.0.0.1:9/incoming-call"
    calls = ApiDestination(nowhere, KEY, lambda _line: None)
    with LocalStack(
        directory=directory, workers=1, watch_seconds=None, incoming_calls=calls
    ) as stack:
        yield stack


@contextmanager
def serving_app(name: str, stack: LocalStack, directory: Path) -> Iterator[str]:
    """Run an example until the end of the block; the value is its address."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {
        **kept,
        **local_environment(stack.file),
        "AWS_EC2_METADATA_DISABLED": "true",
        "INCOMING_CALL_KEYS": f"{OLD_KEY} {KEY}",
        "PORT": "0",
        "PYTHONPATH": str(ROOT / "clients" / "python"),
    }
    with (directory / f"{name}.log").open("w+") as written:
        process = subprocess.Popen(
            COMMANDS[name](directory), env=environment, stdout=written, stderr=subprocess.STDOUT
        )
        try:
            url = _address(process, Path(written.name))
            assert stack.incoming_calls
            stack.incoming_calls.url = f"{url}/incoming-call"
            yield url
        finally:
            process.kill()
            process.wait()


def _fastapi(_directory: Path) -> list[str | Path]:
    options = ("--app-dir", EXAMPLES / "fastapi", "app:app", "--port", "0")
    return [sys.executable, "-m", "uvicorn", *options]


def _express(directory: Path) -> list[str | Path]:
    node = find_node()
    for part in ("express", "page"):
        shutil.copytree(EXAMPLES / part, directory / part, dirs_exist_ok=True)
    express = npm_packages.fetch("express", npm_packages.PINS / "express").parent
    packages = {path.name: path for path in express.iterdir() if not path.name.startswith(".")}
    packages |= {name: npm_packages.fetch(name) for name in SIGNER}
    packages["zego-token-service-client"] = ROOT / "clients" / "javascript"
    modules = directory / "express" / "node_modules"
    for name, files in packages.items():
        (modules / name).parent.mkdir(parents=True, exist_ok=True)
        (modules / name).symlink_to(files)
    providers = modules / "@aws-sdk" / "credential-providers"
    providers.mkdir(parents=True)
    shutil.copy(FAKE_PROVIDERS, providers / "index.js")
    (providers / "package.json").write_text('{"type": "module", "exports": "./index.js"}')
    links = ("--preserve-symlinks", "--preserve-symlinks-main")  # all packages are in one folder
    return [node, *links, directory / "express" / "app.js"]


COMMANDS: Final[dict[str, Callable[[Path], list[str | Path]]]] = {
    "fastapi": _fastapi,
    "express": _express,
}


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until the app prints its address; fail with its output if it ends first."""
    while True:
        said = log.read_text(encoding="utf-8")
        found = re.search(r"http://(?:localhost|127\.0\.0\.1):\d+", said)
        if found:
            return found[0].replace("localhost", "127.0.0.1")
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"{log.stem} ended:\n{said}", pytrace=False)
