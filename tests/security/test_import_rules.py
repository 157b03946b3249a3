"""The rules on which package may import which."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.sam_template import ROOT

#: The roots of packages, and which of our packages their modules may import.
ROOTS = {
    "layers/domain": {"zego"},
    "functions": {"runtime", "zego"},
    "local": {"local", "zego"},
    "ops": {"ops", "zego"},
    "tools": {"tools", "issuer", "local", "ops", "zego"},
    "clients": set[str](),
}
#: Modules without I/O, clock or randomness.
PURE = (
    "token04",
    "identifiers",
    "server_secret",
    "strict_json",
    "__init__",
    "error_codes",
    "diagnosis",
)
PURE_MAY_IMPORT = {
    "__future__",
    "base64",
    "binascii",
    "collections",
    "contextlib",
    "cryptography",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "html",
    "itertools",
    "json",
    "math",
    "os",  # only urandom, see below
    "re",
    "string",
    "struct",
    "typing",
    "urllib",  # only urllib.parse, see below
    "zego",
    "zlib",
}
#: The layers of third-party packages, and the packages imported from them.
IN_THE_LAYER = {
    "dependencies": {"aws_lambda_powertools", "cryptography"},
    "aws_sdk": {"boto3", "botocore"},
}
PROVIDED_BY_LAMBDA = {"snapshot_restore_py"}
#: Code that may use the AWS SDK. The SDK starts slowly, but no caller waits for this code.
MAY_USE_THE_AWS_SDK = (
    "functions/rotator/",
    "functions/watcher/",
    "layers/domain/zego/secret_store/versions.py",
)


def modules(root: str) -> list[Path]:
    return sorted((ROOT / root).rglob("*.py"))


class _WithoutTypes(ast.NodeTransformer):
    """Removes imports that are only for a type checker."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        for_types = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return None if for_types else self.generic_visit(node)


def imported(path: Path) -> Iterator[str]:
    """Yields a module's imports, at its top or later: each name with its module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(_WithoutTypes().visit(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively: name the package"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def ours() -> set[str]:
    functions = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}
    return functions | {"clients", "local", "ops", "tests", "tools", "zego"}


@pytest.mark.parametrize("root", ROOTS)
def test_packages_import_only_what_the_design_allows(root: str) -> None:
    for path in modules(root):
        own = {path.relative_to(ROOT / root).parts[0]} if root == "functions" else set[str]()
        wrong = top_level(path) & ours() - ROOTS[root] - own
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("root", ["layers/domain", "functions"])
def test_production_imports_nothing_that_is_not_deployed(root: str) -> None:
    for path in modules(root):
        place = path.relative_to(ROOT).as_posix()
        deployed = IN_THE_LAYER["dependencies"] | PROVIDED_BY_LAMBDA
        if place.startswith(MAY_USE_THE_AWS_SDK):
            deployed = deployed | IN_THE_LAYER["aws_sdk"]
        third_party = top_level(path) - set(sys.stdlib_module_names) - ours()
        assert third_party <= deployed, place


@pytest.mark.parametrize("layer", IN_THE_LAYER)
def test_what_production_imports_is_in_a_layer(layer: str) -> None:
    requirements = ROOT / "layers" / layer / "requirements.in"
    names = re.findall(r"^[\w-]+", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    as_imported = {"boto3": {"boto3", "botocore"}}  # boto3 is made on botocore
    imports = [as_imported.get(name, {name.replace("-", "_")}) for name in names]
    assert set().union(*imports) == IN_THE_LAYER[layer]


def reached_from(module: str) -> set[str]:
    """All that a function's module imports, directly or by way of other modules of ours."""
    reached, ahead = set[str](), [module]
    while ahead:
        name = ahead.pop()
        if name not in reached:
            reached.add(name)
            ahead += [more for path in files_of(name) for more in imported(path)]
    return reached


def files_of(name: str) -> Iterator[Path]:
    """Our files that importing a name runs: its module's, and before that each package's."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        for root in ("functions", "layers/domain"):
            place = ROOT.joinpath(root, *parts[:depth])
            files = (place.with_suffix(".py"), place / "__init__.py")
            yield from (file for file in files if file.is_file())


@pytest.mark.parametrize(
    ("module", "uses_it"), [("issuer.app", False), ("rotator.app", True), ("watcher.app", True)]
)
def test_the_issuer_never_imports_the_aws_sdk(module: str, uses_it: bool) -> None:
    reached = {name.partition(".")[0] for name in reached_from(module)}
    assert {"zego", "cryptography"} <= reached  # cryptography through zego
    assert reached & IN_THE_LAYER["aws_sdk"] == (IN_THE_LAYER["aws_sdk"] if uses_it else set[str]())


#: The names of the codec that a diagnosis over HTTP may use: it reads envelopes, decrypts none.
CODEC_WITHOUT_A_SECRET = {
    "Cipher",
    "Envelope",
    "FormatError",
    "MAX_APP_ID",
    "MAX_LIFETIME_SECONDS",
    "PREFIX",
    "TrailingBytesError",
    "TruncatedError",
    "parse",
}


def callable_from(module: str) -> set[str]:
    """Returns the names that a module imports, and those that their modules import in turn.

    Importing a submodule also runs its package, but does not make the package's functions callable.
    So only imports by name are followed, but not into the codec: its names are the result.
    """
    found, ahead = set[str](), [module]
    while ahead:
        name = ahead.pop()
        if name in found:
            continue
        found.add(name)
        if not f"{name}.".startswith("zego.token04."):
            for defined_in in [*files_of(name)][-1:]:
                ahead += imported(defined_in)
    return found


def ciphers_of(module: str) -> tuple[set[str], set[str]]:
    """Returns the functions of the codec and of cryptography that a module can call."""
    names = callable_from(module)
    codec = {name.removeprefix("zego.token04.") for name in names if "zego.token04" in name}
    return codec, {name for name in names if name.startswith("cryptography")}


def test_a_diagnosis_over_http_can_only_call_gcm_with_its_tag() -> None:
    codec, cryptography = ciphers_of("issuer.diagnose")
    assert codec <= CODEC_WITHOUT_A_SECRET
    assert cryptography == {
        "cryptography.exceptions.InvalidTag",
        "cryptography.hazmat.primitives.ciphers.aead.AESGCM",
    }


def test_a_diagnosis_over_http_does_not_load_the_other_ciphers() -> None:
    loaded = (
        "import sys, issuer.diagnose;"
        "print({'zego.diagnosis.secrets', 'zego.diagnosis.generators'} & sys.modules.keys())"
    )
    run = subprocess.run(
        [sys.executable, "-c", loaded],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "set()\n"


def test_a_diagnosis_with_the_secret_can_call_all_ciphers() -> None:
    codec, _ = ciphers_of("zego.diagnosis.secrets.diagnose")
    assert "unseal" in codec


def pure_modules() -> list[Path]:
    domain = ROOT / "layers" / "domain" / "zego"
    found = {
        path: path.relative_to(domain).parts[0].removesuffix(".py") for path in domain.rglob("*.py")
    }
    return sorted(path for path, name in found.items() if name in PURE)


def test_the_pure_modules_are_found() -> None:
    assert {"token04.py", "claims.py", "kinds.py", "identifiers.py"} <= {
        path.name for path in pure_modules()
    }


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_pure_modules_do_no_io_and_read_no_clock(path: Path) -> None:
    assert top_level(path) <= PURE_MAY_IMPORT
    for name in imported(path):
        if name.startswith("zego."):
            assert name == "zego.duration" or name.split(".")[1] in PURE
        if name.startswith("urllib"):
            assert name.startswith("urllib.parse.")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert [alias.name for alias in node.names] == ["urandom"]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id != "os" or node.attr == "urandom", f"os.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "__import__", "exec", "eval")
