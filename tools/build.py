"""Builds the artifacts to deploy, without docker: one folder for the functions, one per layer.

Lambda's disk is read-only, so code without bytecode would be compiled at every cold start. This
compiles everything once, with an interpreter of the runtime's minor version. It uses unchecked
bytecode: Python then does not compare it with the source file, whose time packaging changes.

The same input gives the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from tools import sbom

ROOT: Final = Path(__file__).resolve().parent.parent
OUTPUT: Final = ROOT / "build"

RUNTIME: Final = "3.13"
#: arm64 wheels that the runtime (Amazon Linux 2023, glibc 2.34) can load, newest first.
PLATFORMS: Final = ("manylinux_2_34_aarch64", "manylinux_2_28_aarch64", "manylinux2014_aarch64")

#: The parts that are built, and where Lambda puts them.
PARTS: Final = {
    "functions": "/var/task",
    "layers/domain": "/opt",
    "layers/dependencies": "/opt",
    "layers/aws_sdk": "/opt",
}
#: The parts of the issuer, whose cold start a caller waits for.
ISSUER_PARTS: Final = ("functions", "layers/domain", "layers/dependencies")
#: Layers of third-party packages, locked by the requirements.txt in each folder.
PACKAGE_LAYERS: Final = ("layers/dependencies", "layers/aws_sdk")
#: Files next to the access policies that help their authors, and the modules that open tokens with
#: the secret in every way: a service must not (zego.diagnosis.verified).
NOT_PACKAGED: Final = (
    *("reference.toml", "policy.schema.json"),
    *("secrets.py", "generators.py", "opening.py"),
)
#: The limit for all parts together, unzipped, and the target for the issuer's parts.
BUDGET_MB: Final = 60
AIM_MB: Final = 20

#: What no function loads: parts of wheels for installers and type checkers; of Powertools all but
#: the log and the metrics, which need utilities/jmespath_utils; of cffi all but the compiled module
#: at the top. Licences and METADATA stay.
NOT_DEPLOYED: Final = (
    *("*.pyi", "py.typed", "RECORD", "INSTALLER", "REQUESTED", "sboms"),
    *("aws_lambda_powertools/event_handler", "aws_lambda_powertools/utilities/[!j]*/"),
    *("cffi", "pycparser"),
)
#: The AWS services that are called. botocore has data for about 440.
AWS_SERVICES: Final = ("events", "secretsmanager", "sts")
#: The list of the packages in the layers, in build/.
SBOM: Final = "sbom.cdx.json"
#: 2000-01-01. The zip contains the files' times, so they affect its hash.
FIXED_TIME: Final = 946_684_800


class BuildError(Exception):
    """The artifacts cannot be built. The message tells what to do."""


def main() -> int:
    """Build and print the sizes."""
    parser = argparse.ArgumentParser(description="Build the artifacts for Lambda in build/.")
    parser.add_argument(
        "--host",
        action="store_true",
        help="build for this machine in build/host/, for measurements",
    )
    parser.add_argument(
        "--find-interpreter",
        action="store_true",
        help="print the Python that would compile, and exit",
    )
    options = parser.parse_args()
    try:
        if options.find_interpreter:
            print(find_interpreter())
            return 0
        if options.host:
            return _report_sizes(host_tree())
        tree = lambda_tree()
        print((tree / "version.toml").read_text(encoding="utf-8"), end="")
        return _report_sizes(tree)
    except (BuildError, sbom.SbomError) as error:
        print(f"build: {error}", file=sys.stderr)
        return 1


def lambda_tree() -> Path:
    """Build the parts for python3.13 on arm64 in build/. Return that folder.

    The files version.toml and sbom.cdx.json next to them describe what is in them.
    """
    interpreter = find_interpreter()
    _start(OUTPUT)
    options = "--require-hashes --no-deps --no-compile --only-binary=:all: --implementation=cp"
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    pip = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    listed: list[sbom.Package] = []
    report = OUTPUT / "pip-report.json"
    for layer in PACKAGE_LAYERS:
        packages = OUTPUT / layer / "python"
        source = [f"--requirement={_requirements(layer)}", f"--target={packages}"]
        source += [f"--report={report}"]
        _run([*pip, *options.split(), f"--python-version={RUNTIME}", *platforms, *source])
        listed += sbom.deployed(layer, packages, report.read_text(encoding="utf-8"))
        shutil.rmtree(packages / "bin", ignore_errors=True)
    report.unlink()
    _finish(OUTPUT, interpreter)
    text = sbom.document("zego-token-service", write_version(OUTPUT), _direct(), listed)
    (OUTPUT / SBOM).write_text(text, encoding="utf-8")
    return OUTPUT


def host_tree() -> Path:
    """Build the same parts in build/host/ for this interpreter, from its installed packages."""
    tree = OUTPUT / "host"
    _start(tree)
    for layer in PACKAGE_LAYERS:
        requirements = _requirements(layer).read_text(encoding="utf-8")
        for package in re.findall(r"^([\w.-]+)==", requirements, re.MULTILINE):
            for file in importlib.metadata.files(package) or ():
                if ".." not in file.parts and file.suffix != ".pyc":
                    target = tree / layer / "python" / file
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(file.locate(), target)
    return _finish(tree, sys.executable)


def find_interpreter() -> str:
    """Return an interpreter of the runtime's minor version.

    :raises BuildError: none is installed.
    """
    named = os.environ.get("PYTHON313")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    beside = [
        python
        for versions in (Path(sys.base_prefix).parent, pyenv)  # this Python may be one of pyenv's
        for python in sorted(versions.glob(f"{RUNTIME}.*/bin/python"))
    ]
    candidates = [named] if named else [sys.executable, f"python{RUNTIME}", *beside]
    for candidate in candidates:
        if _minor_version(str(candidate)) == RUNTIME:
            return str(candidate)
    raise BuildError(
        f"The build needs Python {RUNTIME}, the version of Lambda. "
        + (
            f"PYTHON313={named} is not a Python {RUNTIME}."
            if named
            else "None is on PATH, in ~/.pyenv or next to this Python."
        )
        + " Install any patch level of it, or name one: make build PYTHON313=/path/to/python3.13"
    )


def _minor_version(interpreter: str) -> str | None:
    command = [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return result.stdout.strip()


def _requirements(layer: str) -> Path:
    return ROOT / layer / "requirements.txt"


def _direct() -> list[str]:
    """The packages that the functions import themselves."""
    files = [_requirements(layer).with_suffix(".in") for layer in PACKAGE_LAYERS]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    return sbom.needed(line for line in lines if line and not line.startswith("#"))


def _start(tree: Path) -> None:
    """Copy our own packages."""
    for part in PARTS:
        shutil.rmtree(tree / part, ignore_errors=True)
    ignore = shutil.ignore_patterns("__pycache__", *NOT_PACKAGED)
    shutil.copytree(ROOT / "functions", tree / "functions", ignore=ignore)
    zego = tree / "layers" / "domain" / "python" / "zego"
    shutil.copytree(ROOT / "layers" / "domain" / "zego", zego, ignore=ignore)


def _finish(tree: Path, interpreter: str) -> Path:
    for service in (tree / "layers" / "aws_sdk" / "python" / "botocore" / "data").iterdir():
        if service.is_dir() and service.name not in AWS_SERVICES:
            shutil.rmtree(service)
    for part, place in PARTS.items():
        for pattern in NOT_DEPLOYED:
            for path in list((tree / part).rglob(pattern)):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        options = f"-m compileall -q --invalidation-mode unchecked-hash -p {place} -s".split()
        # The order of sets affects the bytecode.
        command = [interpreter, *options, str(tree / part), str(tree / part)]
        _run(command, environment={"PYTHONHASHSEED": "0"})
        for path in [tree / part, *(tree / part).rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
            os.utime(path, (FIXED_TIME, FIXED_TIME))
    return tree


def release() -> str:
    """Return the version of the service, the command line, the HTTP API and the clients."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def write_version(tree: Path) -> str:
    """Write build/version.toml with the parameter BuildVersion: a hash, the release and the commit.

    The hash covers everything that is deployed. It comes first because SAM names the function's
    versions after the first characters.
    """
    digest = hashlib.sha256()
    settings = [ROOT / "template.yaml", ROOT / "samconfig.toml"]
    for path in [*settings, *files(tree, PARTS)]:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    version = f"{digest.hexdigest()[:12]}-{release()}"
    commit = subprocess.run(
        ["git", "rev-parse", "--short=8", "--verify", "--quiet", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    version = f"{version}-{commit}" if commit else version
    (tree / "version.toml").write_text(f'BuildVersion = "{version}"\n', encoding="utf-8")
    return version


def files(tree: Path, parts: Iterable[str] = PARTS) -> Iterator[Path]:
    """The files of some parts of a tree."""
    for part in parts:
        yield from sorted(path for path in (tree / part).rglob("*") if path.is_file())


def size_mb(tree: Path, parts: Iterable[str] = PARTS) -> float:
    """What some parts of a tree measure, unzipped, in megabytes."""
    return sum(path.stat().st_size for path in files(tree, parts)) / 1e6


def _report_sizes(tree: Path) -> int:
    for part in PARTS:
        print(f"{os.path.relpath(tree / part):28} {size_mb(tree, [part]):6.2f} MB")
    total = size_mb(tree)
    print(f"{'the issuer, unzipped':28} {size_mb(tree, ISSUER_PARTS):6.2f} MB   (target {AIM_MB})")
    print(f"{'together, unzipped':28} {total:6.2f} MB   (budget {BUDGET_MB})")
    if total > BUDGET_MB:
        raise BuildError(f"{total:.1f} MB exceeds the budget of {BUDGET_MB} MB")
    return 0


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    try:
        subprocess.run(command, env={**os.environ, **(environment or {})}, check=True)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{' '.join(command[:4])} ... failed with {error.returncode}") from None


if __name__ == "__main__":
    sys.exit(main())
