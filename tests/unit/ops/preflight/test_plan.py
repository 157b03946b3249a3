"""The environments of samconfig.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from ops.errors import ExitCode, InputError
from ops.preflight.plan import Environment
from tools.sam_template import ROOT, load


def read(root: Path, text: str, name: str = "prod") -> Environment:
    (root / "samconfig.toml").write_text(text, encoding="utf-8")
    return Environment.read(root, name)


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_the_environments_of_this_repository_are_read(name: str) -> None:
    found = Environment.read(ROOT, name)
    assert (found.stack, found.stage, found.region) == (
        f"zego-token-service-{name}",
        name,
        "eu-west-1",
    )
    assert found.owns_rotation is found.makes_secret is (name == "prod")


@pytest.mark.parametrize(
    "overrides",
    [
        '["file://build/version.toml", "Stage=prod", "AllowedOrigins=https://a,https://b"]',
        '"Stage=prod AllowedOrigins=https://a,https://b"',
        '["Stage=prod AllowedOrigins=\\"https://a,https://b\\""]',
        '["ParameterKey=Stage,ParameterValue=prod", "AllowedOrigins=https://a,https://b"]',
        '{ Stage = "prod", AllowedOrigins = ["https://a", "https://b"] }',
    ],
    ids=["list", "text", "quoted", "long", "table"],
)
def test_all_forms_of_parameters_are_read(tmp_path: Path, overrides: str) -> None:
    text = f'[prod.deploy.parameters]\nstack_name = "s"\nparameter_overrides = {overrides}\n'
    found = read(tmp_path, text).parameters
    assert found == {"Stage": "prod", "AllowedOrigins": "https://a,https://b"}


def test_a_file_of_parameters_is_read_if_it_exists(tmp_path: Path) -> None:
    (tmp_path / "more.toml").write_text('BuildVersion = "1"\n', encoding="utf-8")
    text = '[prod.deploy.parameters]\nstack_name = "s"\nparameter_overrides = ["file://more.toml"]'
    assert read(tmp_path, text).parameters == {"BuildVersion": "1"}


def test_global_settings_of_the_environment_count(tmp_path: Path) -> None:
    text = '[prod.global.parameters]\nstack_name = "s"\nregion = "x"\nprofile = "p"\n'
    found = read(tmp_path, f'{text}[prod.deploy.parameters]\nregion = "y"\n')
    assert (found.stack, found.region, found.profile) == ("s", "y", "p")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[prod", "is not TOML"),
        ('[dev.deploy.parameters]\nstack_name = "s"\n', "has no environment prod"),
        ("[prod.deploy.parameters]\nstack_name = 5\n", "has no environment prod"),
        ("prod = 5\n", "has no environment prod"),
        (
            '[prod.deploy.parameters]\nstack_name = "s"\nparameter_overrides = "A=\'b"\n',
            "unbalanced quote",
        ),
        (
            '[prod.deploy.parameters]\nstack_name = "s"\nparameter_overrides = ["A=b, c"]\n',
            "'c' in parameter_overrides of samconfig.toml is not NAME=VALUE",
        ),
    ],
)
def test_an_unusable_file_is_a_usage_error(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read(tmp_path, text)
    assert caught.value.failure.exit_code is ExitCode.USAGE


def test_an_unusable_file_of_parameters_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("Stage: prod", encoding="utf-8")
    text = '[prod.deploy.parameters]\nstack_name = "s"\nparameter_overrides = ["file://more.yaml"]'
    with pytest.raises(InputError, match=r"more\.yaml is not TOML"):
        read(tmp_path, text)


def test_a_file_that_is_not_text_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "samconfig.toml").write_bytes(b"\xff")
    with pytest.raises(InputError, match="cannot be read: UnicodeDecodeError"):
        Environment.read(tmp_path, "prod")


def test_the_template_has_what_the_checks_name() -> None:
    template = load()
    assert "RotatorFunctionArn" in template["Outputs"]
    parameters = template["Parameters"]
    assert {
        *("Stage", "AllowedOrigins", "ServerSecretArn", "ServerSecretKmsKeyArn", "AlarmEmail"),
        *("AlarmTopicArn", "LogKmsKeyArn", "PermissionsBoundaryArn", "DomainCertificateArn"),
    } <= parameters.keys()
    defaults = {"ReservedConcurrency": 0, "RotateGivenSecret": "No", "AlarmsTellNobody": "No"}
    assert {name: parameters[name]["Default"] for name in defaults} == defaults
    secret = template["Resources"]["ServerSecret"]["Properties"]
    assert secret["Name"] == {"Fn::Sub": "${AWS::StackName}/server-secret"}
