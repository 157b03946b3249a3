"""The schema and the reference of an access policy match exactly what the service reads."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from runtime.settings import IssuerSettings, SettingsError
from tests.support.policy_mistakes import GOOD, MISTAKES
from tests.support.table import table
from tools import policy_schema
from zego.policy import file as policy_file
from zego.policy import keys as policy_keys
from zego.policy.keys import Keys, PolicyKey

SCHEMA = Draft7Validator(policy_schema.schema())
FILES = [*policy_schema.POLICIES, policy_schema.LOCAL, policy_schema.REFERENCE]

#: Kinds of mistakes in the structure of a policy. The service alone sees those of the other kinds.
STRUCTURAL = (
    "unknown key",
    "missing key",
    "wrong type",
    "algorithm",
    "role",
    "privileges",
    "lifetime",
    "too many",
)
#: Python's $ matches before a newline too; an editor's does not.
NOT_SEEN_HERE = ("role", "a newline")
STRUCTURAL_MISTAKES = {
    f"{kind}: {mistake.name}": mistake.policy
    for kind in STRUCTURAL
    for mistake in MISTAKES[kind]
    if (kind, mistake.name) != NOT_SEEN_HERE
}


def accepts(policy: str) -> bool:
    return SCHEMA.is_valid(tomllib.loads(policy))


class TestSchema:
    def test_it_is_a_schema(self) -> None:
        Draft7Validator.check_schema(policy_schema.schema())

    def test_the_file_is_as_make_docs_writes_it(self) -> None:
        written = policy_schema.SCHEMA.read_text(encoding="utf-8")
        assert written == policy_schema.schema_file(), "make docs writes it anew"

    @pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
    def test_each_packaged_policy_fits_it_and_names_it(self, path: Path) -> None:
        policy = path.read_text(encoding="utf-8")
        assert accepts(policy)
        named = re.match("#:schema (.+)\n", policy)
        assert named is not None
        assert (path.parent / named[1]).resolve() == policy_schema.SCHEMA

    @table("policy", STRUCTURAL_MISTAKES.values(), ids=STRUCTURAL_MISTAKES)
    def test_a_mistake_in_the_structure_is_refused(self, policy: str) -> None:
        assert not accepts(policy)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            pytest.param("", "", id="as it is"),
            pytest.param('algorithms = ["RS256"]\nuser_ids = "subject"\n', "", id="no defaults"),
            pytest.param("read_status = true\n", "", id="a role without flags"),
            pytest.param(":role/Call", ":role/a/path/Call", id="a role with a path"),
            pytest.param('rooms = ["*"]\n', "identity_tokens = true\n", id="no rooms"),
            pytest.param(
                "{ email_verified = true }", '{ a = 1, b = [1.5, "x", false] }', id="claims"
            ),
            pytest.param("{ email_verified = true }", "{}", id="claims that ask for nothing"),
            pytest.param("= 86400", "= 2073600", id="the longest lifetime"),
            pytest.param("= 86400", "= 60", id="the shortest lifetime"),
            pytest.param(
                'rooms = ["*"]\nmax_lifetime_seconds = 86400', "deny = true", id="deny everything"
            ),
        ],
    )
    def test_what_the_service_reads_is_accepted(self, tmp_path: Path, old: str, new: str) -> None:
        policy = GOOD.replace(old, new) if old else GOOD
        assert policy != GOOD or not old
        file = tmp_path / "prod.toml"
        file.write_text(policy, encoding="utf-8")
        policy_file.load(file)
        assert accepts(policy)

    @pytest.mark.parametrize("key", ["description", "caller", "expect"])
    def test_the_reference_examples_have_every_key(self, key: str) -> None:
        example = {"description": "x", "caller": "web", "expect": "granted"}
        policy = tomllib.loads(GOOD)
        assert SCHEMA.is_valid(policy | {"examples": [example]})
        del example[key]
        assert not SCHEMA.is_valid(policy | {"examples": [example]})


def keys_of(tables: Iterable[Mapping[str, Any]]) -> set[str]:
    return {key for table in tables for key in table}


def names(*keys: Keys) -> set[str]:
    return {key.name for group in keys for key in group}


EVERY_KEY = {
    f"{place}: {key.name}": (place, key)
    for place, keys in {
        "[identities.web]": policy_keys.OIDC_KEYS,
        "[identities.app]": tuple(key for key in policy_keys.SHARED_KEY_KEYS if "key" in key.name),
        "[identities.backend]": policy_keys.ROLE_KEYS,
        "[[rules]]": policy_keys.GRANTING_KEYS,
        "[[examples]]": policy_keys.EXAMPLE_KEYS,
    }.items()
    for key in keys
}


class TestReference:
    def test_it_is_a_policy(self) -> None:
        assert len(policy_file.load(policy_schema.REFERENCE).rules) == 3

    def test_it_has_every_key_and_no_other(self) -> None:
        reference = tomllib.loads(policy_schema.REFERENCE.read_text(encoding="utf-8"))
        identities = reference["identities"].values()
        assert reference.keys() == names(policy_keys.POLICY_KEYS)
        assert [set(identity) for identity in identities] == [
            names(policy_keys.OIDC_KEYS),
            names(policy_keys.SHARED_KEY_KEYS),
            names(policy_keys.ROLE_KEYS),
        ]
        rules = names(policy_keys.GRANTING_KEYS, policy_keys.DENYING_KEYS)
        assert keys_of(reference["rules"]) == rules
        assert keys_of(reference["examples"]) == names(policy_keys.EXAMPLE_KEYS)

    @table(("place", "key"), EVERY_KEY.values(), ids=EVERY_KEY)
    def test_a_comment_says_what_a_key_does_its_default_and_its_bounds(
        self, place: str, key: PolicyKey
    ) -> None:
        text = policy_schema.REFERENCE.read_text(encoding="utf-8").partition(place)[2]
        comment = re.search(rf"((?:^#.*\n)+){key.name} = ", text, re.MULTILINE)
        assert comment is not None
        said = " ".join(comment[1].replace("#", "").split())
        assert len(said) > 25
        assert ("Required" in said) >= key.required
        if key.default is not None:
            assert f"Default: {toml(key.default)}" in said
        for bound in (*(key.bounds or ()), *key.choices, key.most or ""):
            assert str(bound) in said

    def test_its_comments_describe_the_keys_in_the_schema(self) -> None:
        rules = policy_schema.schema()["properties"]["rules"]
        assert rules["description"].startswith("What callers may get. The first rule that matches")
        described = rules["items"]["properties"]["stream_ids"]["description"]
        assert described.endswith("patterns, at most 50. Without this key, any stream.")

    def test_no_stage_selects_it(self) -> None:
        environment = {"STAGE": "reference", "SERVER_SECRET_ARN": "a", "AWS_REGION": "eu-west-1"}
        with pytest.raises(SettingsError, match="STAGE is 'reference'; it must be one of"):
            IssuerSettings.read(environment)


def toml(value: object) -> str:
    """A default as TOML has it, which is as JSON has it: no table has entries."""
    return json.dumps(value)
