"""The JSON schema of an access policy, which ``make docs`` writes.

It has the keys that the issuer reads, described by the comments of the reference policy.

Each policy names the schema in its first line, so editors with TOML schemas (Taplo, Even Better
TOML) complete and check it. The schema checks the structure of a policy: unknown, missing and
misspelt keys, types and bounds. ``make policies`` checks the rest.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from zego.policy.keys import (
    DENYING_KEYS,
    EXAMPLE_KEYS,
    GRANTING_KEYS,
    OIDC_KEYS,
    POLICY_KEYS,
    ROLE_KEYS,
    SHARED_KEY_KEYS,
    Keys,
    KeyType,
    PolicyKey,
)

ROOT: Final = Path(__file__).resolve().parent.parent
_FOLDER: Final = ROOT / "functions" / "issuer" / "policies"
#: A policy with every key. It is not packaged.
REFERENCE: Final = _FOLDER / "reference.toml"
#: The policies of the stages in AWS.
POLICIES: Final = sorted({*_FOLDER.glob("*.toml")} - {REFERENCE})
#: The local stack fills in the address of its identity provider.
LOCAL: Final = ROOT / "local" / "access_policy.toml"
SCHEMA: Final = REFERENCE.with_name("policy.schema.json")

_TEXT: Final = {"type": "string", "minLength": 1}
_CLAIM: Final = {"type": ["string", "number", "boolean"]}
_CLAIMS: Final = {"type": "array", "minItems": 1, "items": _CLAIM}


def schema_file() -> str:
    """Return the text of the schema's file."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> dict[str, Any]:
    """Return the schema (JSON Schema draft 7)."""
    about = descriptions(REFERENCE.read_text(encoding="utf-8"))
    denies = {"properties": {"deny": {"const": True}}, "required": ["deny"]}
    policy = _table(POLICY_KEYS, about[""])
    properties = policy["properties"]
    properties["identities"]["additionalProperties"] = _one_of(
        [({"required": ["role"]}, ROLE_KEYS), ({"required": ["shared_key"]}, SHARED_KEY_KEYS)],
        OIDC_KEYS,
        about["identities"],
    )
    properties["rules"]["items"] = _one_of([(denies, DENYING_KEYS)], GRANTING_KEYS, about["rules"])
    properties["examples"]["items"] = _table(EXAMPLE_KEYS, about["examples"])
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Access policy of the ZEGO token service",
    }
    return head | policy


def descriptions(policy: str) -> dict[str, dict[str, str]]:
    """Return the comment right before the first use of each key, per kind of table.

    The comment before the first table of a kind describes that key of the policy, of kind "".
    """
    found: dict[str, dict[str, str]] = {"": {}}
    kind, comment = "", ""
    for line in policy.splitlines():
        text = line.removeprefix("# ")
        if text != line:
            comment = f"{comment} {text}".strip()
            continue
        if table := re.match(r"\[+(\w+)", line):
            kind = table[1]
            found.setdefault(kind, {})
            found[""].setdefault(kind, comment)
        elif comment and (key := re.match(r"\w+", line)):
            found[kind].setdefault(key[0], comment)
        comment = ""
    return found


def _table(keys: Keys, about: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key.name: _value(key, about[key.name]) for key in keys},
        "required": _required(keys),
        "additionalProperties": False,
    }


def _one_of(
    kinds: list[tuple[dict[str, Any], Keys]], others: Keys, about: dict[str, str]
) -> dict[str, Any]:
    """Return a table that has the keys of the first kind whose condition holds, else the others.

    All properties are listed first, so an editor can complete them and find misspelt ones.
    """
    every: dict[str, PolicyKey] = {}
    for key in (key for keys in (*(keys for _, keys in kinds), others) for key in keys):
        known = every.get(key.name, key)
        default = key.default if key.default == known.default else None
        choices = tuple(dict.fromkeys((*known.choices, *key.choices)))
        every[key.name] = key._replace(default=default, choices=choices)
    chosen = _chosen(others, every)
    for condition, keys in reversed(kinds):
        chosen = {"if": condition, "then": _chosen(keys, every), "else": chosen}
    return {
        "type": "object",
        "properties": {name: _value(key, about[name]) for name, key in every.items()},
        "additionalProperties": False,
    } | chosen


def _chosen(keys: Keys, every: dict[str, PolicyKey]) -> dict[str, Any]:
    """Return the requirements of one kind of table: no key of another, and its own choices."""
    names = {key.name for key in keys}
    others: dict[str, Any] = {name: False for name in every if name not in names}
    own = {key.name: _type(key) for key in keys if key.choices != every[key.name].choices}
    return {"required": _required(keys), "properties": others | own}


def _required(keys: Keys) -> list[str]:
    return [key.name for key in keys if key.required]


def _value(key: PolicyKey, description: str) -> dict[str, Any]:
    value = _type(key) | {"description": description}
    if key.default is not None:
        value["default"] = key.default
    return value


def _type(key: PolicyKey) -> dict[str, Any]:
    text: dict[str, Any] = {"enum": [*key.choices]} if key.choices else dict(_TEXT)
    if key.pattern:
        text["pattern"] = f"^{key.pattern}$"
    texts = {"type": "array", "minItems": 1, "items": text}
    if key.most is not None:
        texts["maxItems"] = key.most
    number: dict[str, Any] = {"type": "integer"}
    if key.bounds is not None:
        number["minimum"], number["maximum"] = key.bounds
    types: dict[KeyType, dict[str, Any]] = {
        "text": text,
        "flag": {"type": "boolean"},
        "number": number,
        "texts": texts,
        "claims": {"type": "object", "additionalProperties": {"anyOf": [_CLAIM, _CLAIMS]}},
        "table": {"type": "object"},
        "tables": {"type": "array"},
    }
    return types[key.type]
