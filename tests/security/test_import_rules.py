"""Who may import whom."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.sam_template import ROOT

#: A root of packages, and what its modules may import of ours.
ROOTS = {
    "layers/domain": {"zego"},
    "functions": {"zego"},
    "local": {"local", "zego"},
    "ops": {"ops", "zego"},
    "tools": {"tools", "issuer", "zego"},
    "clients": set[str](),
}
#: Knowledge without I/O, a clock or chance of its own.
PURE = (
    "token04",
    "identifiers",
    "server_secret",
    "strict_json",
    "error_codes",
    "diagnosis",
)
PURE_MAY_IMPORT = {
    "__future__",
    "base64",
    "binascii",
    "collections",
    "cryptography",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "itertools",
    "json",
    "math",
    "os",  # urandom alone, see below
    "re",
    "string",
    "struct",
    "typing",
    "zego",
}
IN_THE_LAYER = {"aws_lambda_powertools", "cryptography", "jwt"}
PROVIDED_BY_LAMBDA = {"snapshot_restore_py"}


def modules(root: str) -> list[Path]:
    return sorted((ROOT / root).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively: name the package"
            if node.module == "zego":
                yield from (f"zego.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


def top_level(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)}


def ours() -> set[str]:
    functions = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}
    return functions | {"clients", "local", "ops", "tests", "tools", "zego"}


@pytest.mark.parametrize("root", ROOTS)
def test_packages_import_only_what_the_design_lets_them(root: str) -> None:
    for path in modules(root):
        own = {path.relative_to(ROOT / root).parts[0]} if root == "functions" else set[str]()
        wrong = top_level(path) & ours() - ROOTS[root] - own
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("root", ["layers/domain", "functions"])
def test_production_imports_nothing_that_is_not_deployed(root: str) -> None:
    for path in modules(root):
        third_party = top_level(path) - set(sys.stdlib_module_names) - ours()
        assert third_party <= IN_THE_LAYER | PROVIDED_BY_LAMBDA, path.relative_to(ROOT)


def test_what_production_imports_is_in_the_layer() -> None:
    requirements = ROOT / "layers" / "dependencies" / "requirements.in"
    names = re.findall(r"^[\w-]+", requirements.read_text(encoding="utf-8"), re.MULTILINE)
    as_imported = {"PyJWT": "jwt"}
    assert {as_imported.get(name, name.replace("-", "_")) for name in names} == IN_THE_LAYER


def pure_modules() -> list[Path]:
    domain = ROOT / "layers" / "domain" / "zego"
    found = {
        path: path.relative_to(domain).parts[0].removesuffix(".py") for path in domain.rglob("*.py")
    }
    return sorted(path for path, name in found.items() if name in PURE)


def test_the_pure_modules_are_found() -> None:
    assert {"errors.py", "claims.py", "envelope.py", "identifiers.py"} <= {
        path.name for path in pure_modules()
    }


@pytest.mark.parametrize("path", pure_modules(), ids=lambda path: path.name)
def test_pure_modules_do_no_io_and_read_no_clock(path: Path) -> None:
    assert top_level(path) <= PURE_MAY_IMPORT
    for name in imported(path):
        if name.startswith("zego"):
            assert name.split(".")[1] in PURE
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            assert [alias.name for alias in node.names] == ["urandom"]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert node.value.id != "os" or node.attr == "urandom", f"os.{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("open", "print", "input", "__import__", "exec", "eval")
