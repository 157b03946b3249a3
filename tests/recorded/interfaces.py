"""The interfaces, one line per part: a release records them, and tests notice each change.

Texts are not part of an interface: descriptions, messages, details, remedies.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

import zego_token_client
from tools.sam_template import ROOT, load

RECORDINGS: Final = Path(__file__).parent / "recordings"
#: Keys of OpenAPI, JSON schemas and the template that hold text or examples, in lower case.
_TEXTS: Final = frozenset(
    {
        *("$id", "constraintdescription", "contact", "description", "detail", "example"),
        *("examples", "externaldocs", "info", "license", "meaning", "remedy", "servers"),
        *("summary", "tags", "title"),
    }
)
_COMMENTS: Final = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def interfaces() -> dict[str, list[str]]:
    """Every interface with its parts. docs/upgrading.md describes them."""
    return {
        "HTTP API": [*_flat(yaml.safe_load(_read("docs/openapi.yaml")))],
        "access policy": [
            *_flat(json.loads(_read("functions/issuer/policies/policy.schema.json")))
        ],
        "command line": [*_command_line()],
        "audit event": sorted(set(_audit_events())),
        "metrics and events": sorted({*_metrics("issuer"), *_metrics("rotation"), *_events()}),
        "stack": [*_stack()],
        "JavaScript client": [*_javascript_client()],
        "Python client": sorted(_python_client()),
    }


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _recording(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))


def _flat(value: Any, place: str = "") -> Iterator[str]:
    """Each leaf with the keys that lead to it, without texts. A list of values is a set."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            # Below properties, a key is the name of a field and may be any word.
            if key.lower() not in _TEXTS or place.endswith((".properties", ".patternProperties")):
                yield from _flat(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _flat(inner, f"{place}[]")
    else:
        yield f"{place} = {value}"


def _shape(value: Any, place: str) -> Iterator[str]:
    """Each key with the types that it has."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _shape(inner, f"{place}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _shape(inner, f"{place}[]")
    else:
        yield f"{place}: {type(value).__name__}"


def _command_line() -> Iterator[str]:
    yield from _flat(_recording("command_options"))
    yield from (f"exit code {code}" for code in _recording("command_exit_codes"))
    printed = set[str]()
    for command in ("doctor", "explain", "inspect", "scan", "secret", "usage"):
        for run in _recording(f"command_{command}").values():
            for event in run["json"]:
                printed.update(_shape(event, f"{command} --json: {event['event']}"))
    yield from sorted(printed)


def _audit_events() -> Iterator[str]:
    for lines in _recording("issuer_log").values():
        for line in lines:
            yield from _shape(line.get("audit", {}), "audit")


def _metrics(functions: str) -> Iterator[str]:
    for records in _recording(f"{functions}_metrics").values():
        for record in records:
            dimensions = [",".join(sorted(each)) for each in record["dimensions"]]
            for name, metric in record["metrics"].items():
                yield f"{record['namespace']} {name} {metric['unit']} by {' '.join(dimensions)}"


def _events() -> Iterator[str]:
    for events in _recording("rotation_events").values():
        for event in events:
            yield from _shape(event["detail"], event["detail-type"])


def _stack() -> Iterator[str]:
    template = load()
    for name, parameter in template["Parameters"].items():
        yield from _flat(parameter, f"parameter {name}")
    yield from (f"output {name}" for name in template["Outputs"])


def _javascript_client() -> Iterator[str]:
    for types in sorted((ROOT / "clients" / "javascript").glob("*.d.ts")):
        declarations = _COMMENTS.sub("", types.read_text(encoding="utf-8"))
        yield from (line.strip() for line in declarations.splitlines() if line.strip())


def _python_client() -> Iterator[str]:
    """The signatures and fields of the classes that the package exports."""
    for path in (ROOT / "clients" / "python" / "zego_token_client").glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and node.name in zego_token_client.__all__:
                yield f"class {node.name}({', '.join(map(ast.unparse, node.bases))})"
                yield from _members(node)


def _members(of: ast.ClassDef) -> Iterator[str]:
    for node in of.body:
        match node:
            case ast.FunctionDef(name=name) if not name.startswith("_") or name == "__init__":
                yield f"{of.name}.{name}({ast.unparse(node.args)})"
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield f"{of.name}.{name}: {ast.unparse(node.annotation)}"
