"""Builds the services that the issuer is compared with, in build/peers/.

Both do the issuer's main job as tutorials do it: ``handlers/everyday.py`` and
``handlers/everyday.mjs``. The Python service has its packages as pip installs them, and bytecode as
our artifacts have; boto3 is one of them, because AWS recommends to deploy the version that was
tested. The Node.js service is one file, bundled and minified by esbuild.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools import build, npm_packages

_HANDLERS: Final = Path(__file__).parent / "handlers"
NODE_PINS: Final = npm_packages.PINS / "node_peer"
#: What ``pip install aws-lambda-powertools[aws-sdk] PyJWT[crypto]`` installs.
PACKAGES: Final = (
    *("aws-lambda-powertools", "jmespath", "typing_extensions"),
    *("boto3", "botocore", "s3transfer", "python-dateutil", "six", "urllib3"),
    *("PyJWT", "cryptography", "cffi", "pycparser"),
)
#: The folders that Lambda's runtime has too.
AWS_SDK: Final = ("boto3", "botocore", "s3transfer", "dateutil", "urllib3")


@dataclass(frozen=True, slots=True)
class Peers:
    """The services that were built.

    :ivar python: the folder of the Python service and its packages.
    :ivar node: the Node.js service, a file; ``None`` if Node.js or npm is not installed.
    """

    python: Path
    node: Path | None


def built(output: Path = build.OUTPUT / "peers") -> Peers:
    """Build what can be built here.

    :raises NotFetchedError: npm cannot install the packages.
    """
    has_node = shutil.which("node") is not None and shutil.which("npm") is not None
    return Peers(
        everyday_python(output / "python"), bundled_node(output / "node") if has_node else None
    )


def everyday_python(folder: Path) -> Path:
    """Build the Python service and its packages in a folder. Return it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(_HANDLERS / "everyday.py", folder)
    for package in PACKAGES:
        for file in importlib.metadata.files(package) or ():
            if ".." not in file.parts and file.suffix != ".pyc":
                target = folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file.locate(), target)
    options = ["-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([sys.executable, "-m", "compileall", *options, folder], check=True)
    return folder


def bundled_node(folder: Path) -> Path:
    """Build the Node.js service in a folder. Return its file.

    :raises NotFetchedError: npm is missing, or cannot install its packages.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bundle = folder / "everyday.cjs"
    modules = npm_packages.fetch("esbuild", NODE_PINS).parent
    options = "--bundle --minify --platform=node --target=node20 --format=cjs --log-level=warning"
    subprocess.run(
        [
            str(modules / ".bin" / "esbuild"),
            str(_HANDLERS / "everyday.mjs"),
            *options.split(),
            f"--outfile={bundle}",
        ],
        env={"NODE_PATH": str(modules), "PATH": str(Path(_node()).parent)},
        check=True,
    )
    return bundle


def node_command() -> list[str]:
    """The command that runs a Node.js handler under Lambda's Runtime API."""
    return [_node(), str(_HANDLERS / "node_runtime.mjs")]


def node_version() -> str | None:
    """The version of Node.js, such as 22.1.0; ``None`` if it is not installed."""
    if shutil.which("node") is None:
        return None
    done = subprocess.run([_node(), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip().removeprefix("v")


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        raise npm_packages.NotFetchedError("Node.js is not installed.")
    return found
