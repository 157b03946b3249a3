"""Builds the packages of a release, checks them and tries them: ``make release``.

The packages are in build/release/:

=====================================  ===========================================================
``zego_token_service-*.whl, .tar.gz``  the command line ``zego-token``
``zego_token_client-*.whl, .tar.gz``   the Python client
``zego-token-service-client-*.tgz``    the JavaScript client
``zego-token-service-*-sam.zip``       the template, the settings and the built functions and layers
``*.cdx.json``                         the SBOMs of that package and of the two Python packages
``SHA256SUMS``                         the digests of all files
=====================================  ===========================================================

Everything is built twice, the second time under other circumstances, and both builds must be
identical. Then each package is installed into an empty environment outside the tree and used with
the local stack.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from local.samples import log_in
from local.stack import LocalStack
from local.stack_file import StackDescription
from tools import build, npm_packages, sbom
from tools.build import FIXED_TIME, ROOT, release

OUTPUT: Final = ROOT / "build" / "release"
PYTHON_CLIENT: Final = ROOT / "clients" / "python"
JAVASCRIPT_CLIENT: Final = ROOT / "clients" / "javascript"
#: The files of the SAM package, in addition to the built parts.
_SAM_FILES: Final = ("LICENSE", "samconfig.toml", "template.yaml", "build/version.toml")
#: The command line is an application with two top-level packages, ``ops`` and ``zego``. pipx or uv
#: installs it into a separate environment.
_CHECK_WHEEL: Final = {"zego_token_service": ["--ignore", "W009"], "zego_token_client": []}
_ZIP_TIME: Final = (2000, 1, 1, 0, 0, 0)
#: What make and npm created, and git's data.
_NOT_COPIED: Final = shutil.ignore_patterns(
    *(".git", ".venv*", ".cache", ".local", ".*_cache", ".hypothesis", ".aws-sam"),
    *("build", "node_modules", "__pycache__", "cjs"),
)

_USE_PYTHON: Final = """
import sys, zego_token_client
with zego_token_client.TokenClient(sys.argv[1]) as client:
    issued = client.token("alice", room_id="call_1")
    print(issued.user_id, issued.room_id, issued.token[:2])
"""
_USE_JAVASCRIPT: Final = """
import { createTokenSource } from "zego-token-service-client";
const source = createTokenSource({ url: process.argv[2], getBearer: () => process.env.BEARER });
const { userId, roomId, token } = await source.token({ roomId: "call_1" });
source.close();
console.log(userId, roomId, token.slice(0, 2));
"""
_USED: Final = "alice call_1 04"


class ReleaseError(Exception):
    """A package cannot be released. The message tells why."""


def main() -> int:
    """Build, check and use all packages, then list them.

    The Python client is used with the Python that the command line names; without one, with this.
    """
    client_python, *_ = [*sys.argv[1:], sys.executable]
    try:
        with tempfile.TemporaryDirectory() as directory:
            temporary = Path(directory)
            _say("building twice")
            first = _sums(build_packages(OUTPUT))
            second = _sums(build_again(temporary))
            if changed := [name for name in first if first[name] != second.get(name)]:
                raise ReleaseError(f"two builds of these files differ: {', '.join(changed)}")
            (OUTPUT / "SHA256SUMS").write_text(
                "".join(f"{digest}  {name}\n" for name, digest in first.items()), encoding="utf-8"
            )
            check()
            with LocalStack(directory=temporary / "stack", watch_seconds=None) as stack:
                use(stack.description(), temporary, client_python)
    except (ReleaseError, build.BuildError, sbom.SbomError, npm_packages.NotFetchedError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    for name, digest in first.items():
        print(f"{(OUTPUT / name).stat().st_size / 1e3:9.1f} kB  {digest[:12]}  {name}")
    return 0


def build_packages(folder: Path) -> Path:
    """Build all packages into a folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    uv = Path(sys.executable).with_name("uv")
    options = ("--quiet", "--no-build-isolation", "--python", sys.executable)
    for source in (ROOT, PYTHON_CLIENT):
        _run(uv, "build", *options, "--out-dir", folder, source)
    (folder / ".gitignore").unlink(missing_ok=True)  # uv made it
    _pack_javascript(folder)
    tree = build.lambda_tree()
    files = [*map(Path, _SAM_FILES), *(path.relative_to(ROOT) for path in build.files(tree))]
    with zipfile.ZipFile(folder / f"zego-token-service-{release()}-sam.zip", "w") as package:
        for file in sorted(files):
            entry = zipfile.ZipInfo(file.as_posix(), _ZIP_TIME)
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, (ROOT / file).read_bytes())
    shutil.copyfile(tree / build.SBOM, folder / f"zego-token-service-{release()}-sam.cdx.json")
    for project, name in ((ROOT, "zego_token_service"), (PYTHON_CLIENT, "zego_token_client")):
        listed = folder / f"{name}-{release()}.cdx.json"
        listed.write_text(sbom.published(project), encoding="utf-8")
    return folder


def _pack_javascript(folder: Path) -> None:
    """Pack the client from a copy whose files have fixed modes: npm packs the modes it finds."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, "client")
        shutil.copytree(JAVASCRIPT_CLIENT, copy, ignore=_NOT_COPIED)
        for path in [copy, *copy.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
        pack = ("pack", "--silent", "--pack-destination", folder)
        _run(_npm(), *pack, cwd=copy, umask=0o022)


def build_again(temporary: Path) -> Path:
    """Build all packages from a copy of the tree, as another machine would. Return their folder.

    The copy has another path, other times and other modes than the tree; the build has another
    umask, time zone, locale and order of sets. Only the commit is the same: it is in the version.
    """
    copy, folder = temporary / "copy of the tree", temporary / "again"
    shutil.copytree(ROOT, copy, ignore=_NOT_COPIED, copy_function=_copy_privately)
    if (ROOT / ".git").exists():
        (copy / ".git").symlink_to(ROOT / ".git")
    program = "import sys, pathlib, tools.release as r; r.build_packages(pathlib.Path(sys.argv[1]))"
    variables = {
        "PYTHONPATH": os.pathsep.join(str(copy / part) for part in ("", "layers/domain")),
        "PYTHONHASHSEED": "1",
        "TZ": "Asia/Kathmandu",
        "LC_ALL": "C",
    }
    _run(sys.executable, "-c", program, folder, cwd=copy, variables=variables, umask=0o077)
    return folder


def _copy_privately(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o700 if os.access(source, os.X_OK) else 0o600)


def check() -> None:
    """Check the packages as package indexes and users would."""
    wheels, archives = sorted(OUTPUT.glob("*.whl")), sorted(OUTPUT.glob("*.tar.gz"))
    (tarball,) = OUTPUT.glob("*.tgz")
    _say("checking the wheels: twine, check-wheel-contents")
    _run(sys.executable, "-m", "twine", "check", "--strict", *wheels, *archives)
    for wheel in wheels:
        options = _CHECK_WHEEL[wheel.name.partition("-")[0]]
        _run(sys.executable, "-m", "check_wheel_contents", *options, wheel)
    _say("checking the npm package: publint, attw")
    publint, attw = (
        npm_packages.fetch(name, JAVASCRIPT_CLIENT).parents[name.count("/")] / ".bin" / command
        for name, command in (("publint", "publint"), ("@arethetypeswrong/cli", "attw"))
    )
    _run(publint, "run", tarball, "--strict")
    _run(attw, tarball)
    _say("checking the SAM package: cfn-lint")
    with tempfile.TemporaryDirectory() as directory:
        with zipfile.ZipFile(next(OUTPUT.glob("*-sam.zip"))) as package:
            package.extractall(directory)
        _run(Path(sys.executable).with_name("cfn-lint"), Path(directory, "template.yaml"))
        if missing := [part for part in build.PARTS if not Path(directory, "build", part).is_dir()]:
            raise ReleaseError(f"the SAM package lacks {', '.join(missing)}")


def use(stack: StackDescription, folder: Path, client_python: str) -> None:
    """Install each package into an empty environment and use it against a local stack."""
    service, client = sorted(OUTPUT.glob("*.whl"), reverse=True)
    _say("using zego-token")
    python = _environment(folder / "service", service)
    zego_token = python.with_name("zego-token")
    if release() not in _run(zego_token, "--version", cwd=folder):
        raise ReleaseError(f"zego-token --version does not name {release()}")
    for command in (("secret", "status"), ("doctor",)):
        _run(zego_token, *command, "--local", folder / "stack", cwd=folder)

    _say("using the Python client, and checking its types: pyright --verifytypes")
    python = _environment(folder / "client", client, "boto3", python=client_python)
    credentials = {
        "AWS_ACCESS_KEY_ID": stack.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.secret_access_key,
        "AWS_DEFAULT_REGION": stack.region,
    }
    printed = _run(python, "-c", _USE_PYTHON, stack.api, cwd=folder, variables=credentials)
    _expect(_USED, printed)
    pyright = Path(sys.executable).with_name("pyright")
    _run(
        *(pyright, "--verifytypes", "zego_token_client", "--ignoreexternal"),
        cwd=folder,
        # It ignores --pythonpath here, and uses the first Python on the path.
        variables={"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"},
    )

    _say("using the JavaScript client")
    app = folder / "app"
    app.mkdir()
    (app / "package.json").write_text('{"private": true, "type": "module"}', encoding="utf-8")
    (tarball,) = OUTPUT.glob("*.tgz")
    _run(_npm(), "install", "--no-audit", "--no-fund", "--silent", tarball, cwd=app)
    (app / "use.js").write_text(_USE_JAVASCRIPT, encoding="utf-8")
    bearer = {"BEARER": log_in(stack.identity_provider, "alice")}
    _expect(_USED, _run("node", "use.js", stack.api, cwd=app, variables=bearer))


def _environment(folder: Path, *packages: Path | str, python: str = sys.executable) -> Path:
    """The Python of a new environment with some packages and what they depend on."""
    _run(python, "-m", "venv", folder)
    installed = folder / "bin" / "python"
    _run(installed, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *packages)
    return installed


def _sums(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def _npm() -> str:
    if (npm := shutil.which("npm")) is None:
        raise ReleaseError("npm is not on PATH. It is needed to pack the JavaScript client.")
    return npm


def _say(step: str) -> None:
    print(f"release: {step}", flush=True)


def _expect(expected: str, printed: str) -> None:
    if printed.strip() != expected:
        raise ReleaseError(f"expected {expected!r}, but got {printed.strip()!r}")


def _run(
    *command: str | Path,
    cwd: Path = ROOT,
    variables: Mapping[str, str] | None = None,
    umask: int = -1,
) -> str:
    """Run a command and return its output.

    :param variables: more environment variables. Secrets go here, never into the command.
    :raises ReleaseError: the command failed.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"SOURCE_DATE_EPOCH": str(FIXED_TIME), "NO_COLOR": "1", **(variables or {})}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, umask=umask
    )
    if done.returncode:
        named = " ".join([Path(command[0]).name, *map(str, command[1:4])])
        raise ReleaseError(f"{named} failed with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
