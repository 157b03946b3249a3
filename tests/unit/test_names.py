"""One name, one meaning: a class or a type alias is defined once in the whole tree."""

from __future__ import annotations

import ast
import functools
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("functions", "layers/domain/zego", "ops", "local", "tools", "clients/python")
CLIENT = ROOT / "clients" / "python"

#: What the Python client has under the names that the HTTP API gives it; the service has them too.
MIRRORED = {
    "CredentialsError",
    "Diagnosis",
    "Finding",
    "IssuedToken",
    "Limits",
    "Privilege",
    "SharedKeys",
    "SigningKeys",
    "TokenRequest",
}


def names(module: ast.Module) -> Iterator[str]:
    """The classes of a module, and its type aliases: names in CamelCase that are assigned."""
    for statement in module.body:
        match statement:
            case ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name.lstrip("_")[:1].isupper() and not name.isupper():
                    yield name


@functools.cache
def places() -> dict[str, list[Path]]:
    """Every name, and the files that define it."""
    found = defaultdict(list)
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            for name in names(ast.parse(file.read_text(encoding="utf-8"))):
                found[name].append(file)
    return found


def test_a_name_is_defined_once_but_for_what_the_client_mirrors() -> None:
    twice = {
        name: [str(file.relative_to(ROOT)) for file in files]
        for name, files in places().items()
        if len(files) > 1 and name not in MIRRORED
    }
    assert twice == {}


def test_the_client_mirrors_the_service_and_neither_says_it_twice() -> None:
    for name in MIRRORED:
        is_clients = sorted(file.is_relative_to(CLIENT) for file in places()[name])
        assert is_clients == [False, True], name


def test_names_are_found() -> None:
    source = (
        "class A:\n  class Inner: ...\n_Bc = dict[str, int]\nCd: TypeAlias = int\nE_F = 1\ng = 2"
    )
    assert [*names(ast.parse(source))] == ["A", "_Bc", "Cd"]
