"""Write the JSON schema of an access policy from the keys that the issuer reads: ``make docs``.

Editors that know TOML schemas (Taplo, Even Better TOML) complete and check a policy by it, because
each policy names it in its first line. The schema sees the structure of a policy: unknown, missing
and misspelt keys, types, bounds. ``make policies`` sees the rest.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

from issuer.policy_keys import (
    DENYING_KEYS,
    EXAMPLE_KEYS,
    GRANTING_KEYS,
    OIDC_KEYS,
    POLICY_KEYS,
    ROLE_KEYS,
    Keys,
    KeyType,
    PolicyKey,
)

ROOT: Final = Path(__file__).resolve().parent.parent
SCHEMA: Final = ROOT / "functions" / "issuer" / "policies" / "policy.schema.json"

_TEXT: Final = {"type": "string", "minLength": 1}
_CLAIM: Final = {"type": ["string", "number", "boolean"]}
_CLAIMS: Final = {"type": "array", "minItems": 1, "items": _CLAIM}


def main() -> int:
    """Write the schema, and say whether that changed it."""
    after = schema_file()
    is_new = not SCHEMA.exists() or SCHEMA.read_text(encoding="utf-8") != after
    if is_new:
        SCHEMA.write_text(after, encoding="utf-8")
    print(f"{SCHEMA.relative_to(ROOT)}: {'written' if is_new else 'as it was'}")
    return 0


def schema_file() -> str:
    """The schema as it is in the file."""
    return json.dumps(schema(), indent=2) + "\n"


def schema() -> dict[str, Any]:
    """The schema, JSON Schema draft 7."""
    policy = _table(POLICY_KEYS)
    has_role = {"required": ["role"]}
    denies = {"properties": {"deny": {"const": True}}, "required": ["deny"]}
    properties = policy["properties"]
    properties["identities"]["additionalProperties"] = _either(has_role, ROLE_KEYS, OIDC_KEYS)
    properties["rules"]["items"] = _either(denies, DENYING_KEYS, GRANTING_KEYS)
    properties["examples"]["items"] = _table(EXAMPLE_KEYS)
    head = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Access policy of the ZEGO token service",
    }
    return head | policy


def _table(keys: Keys) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key.name: _value(key) for key in keys},
        "required": _required(keys),
        "additionalProperties": False,
    }


def _either(condition: dict[str, Any], keys: Keys, others: Keys) -> dict[str, Any]:
    """A table with the one set of keys if a condition holds, else with the other set.

    The properties of both come first, so that an editor can complete them and show a misspelt one.
    """
    return {
        "type": "object",
        "properties": {key.name: _value(key) for key in (*keys, *others)},
        "additionalProperties": False,
        "if": condition,
        "then": {"required": _required(keys), "properties": _without(others, keys)},
        "else": {"required": _required(others), "properties": _without(keys, others)},
    }


def _required(keys: Keys) -> list[str]:
    return [key.name for key in keys if key.required]


def _without(excluded: Keys, keys: Keys) -> dict[str, bool]:
    """No key of these but those of the other set."""
    names = {key.name for key in keys}
    return {key.name: False for key in excluded if key.name not in names}


def _value(key: PolicyKey) -> dict[str, Any]:
    value = _type(key) | {"description": key.description}
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


if __name__ == "__main__":
    sys.exit(main())
