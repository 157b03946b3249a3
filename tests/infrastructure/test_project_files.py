"""The files around the code: environments, requirements, commands."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.sam_template import ROOT, load, refusals

REQUIREMENTS = [
    "layers/dependencies/requirements.txt",
    "layers/aws_sdk/requirements.txt",
    "requirements/run.txt",
    "requirements/dev.txt",
    "requirements/publish.txt",
    "requirements/install.txt",
    "requirements/sam.txt",
    "requirements/checkov.txt",
    "requirements/generators.txt",
    "requirements/audit.txt",
    "requirements/fuzz.txt",
]


#: The parameters whose example values in samconfig.toml the template refuses.
EXAMPLES = ("ServerSecretArn", "AlarmEmail")


def samconfig() -> dict[str, Any]:
    return tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))


def environments() -> dict[str, dict[str, str]]:
    """The template parameters of each environment of samconfig.toml that can be deployed."""
    return {
        name: dict(
            override.split("=", 1)
            for override in commands["deploy"]["parameters"]["parameter_overrides"]
            if not override.startswith("file://")
        )
        for name, commands in samconfig().items()
        if name not in ("version", "default")
    }


def test_there_is_an_environment_for_each_stage() -> None:
    assert environments().keys() == set(load()["Parameters"]["Stage"]["AllowedValues"])
    for name, parameters in environments().items():
        assert parameters["Stage"] == name


def test_the_environments_share_one_secret() -> None:
    makers = [name for name, given in environments().items() if "ServerSecretArn" not in given]
    assert makers == ["prod"]
    named = {
        (given["ServerSecretArn"], given["ServerSecretKmsKeyArn"])
        for name, given in environments().items()
        if name not in makers
    }
    assert len(named) == 1


@pytest.mark.parametrize("environment", environments())
def test_the_template_takes_the_parameters_of_each_environment(environment: str) -> None:
    declared = load()["Parameters"]
    given = environments()[environment]
    assert given.keys() <= declared.keys()
    needed = {name for name, parameter in declared.items() if "Default" not in parameter}
    assert needed - given.keys() == {"BuildVersion"}
    for name, value in given.items():
        if "EXAMPLE" in value and name in EXAMPLES:
            continue  # see below
        values = value.split(",") if declared[name]["Type"] == "CommaDelimitedList" else [value]
        for one in values:
            assert re.fullmatch(declared[name].get("AllowedPattern", ".*"), one)
        if allowed := declared[name].get("AllowedValues"):
            assert value in [str(choice) for choice in allowed]


@pytest.mark.parametrize("environment", environments())
def test_the_rules_of_the_template_accept_each_environment(environment: str) -> None:
    assert refusals(environments()[environment]) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ServerSecretArn", "AbCdEf"),
        ("AlarmEmail", "operators@example.com"),
    ],
)
def test_an_example_is_refused_before_anything_is_made(name: str, value: str) -> None:
    pattern = load()["Parameters"][name]["AllowedPattern"]
    (example,) = {values[name] for values in environments().values() if name in values}
    assert not re.fullmatch(pattern, example)
    assert re.fullmatch(pattern, example.replace("EXAMPLE", value))


def test_nothing_is_deployed_that_a_new_account_refuses() -> None:
    # Its quota of concurrent executions is 10, and AWS leaves none of them to reserve.
    assert not any("ReservedConcurrency" in given for given in environments().values())


def test_only_a_stage_that_is_always_in_use_starts_from_snapshots() -> None:
    # A version that nothing has invoked for 14 days fails its first invocation.
    using = [name for name, given in environments().items() if given.get("SnapStart") == "On"]
    assert using == ["prod"]


def test_sam_finds_the_stack_of_each_environment_for_every_command() -> None:
    of_all_commands = {
        name: commands["global"]["parameters"]
        for name, commands in samconfig().items()
        if name != "version"
    }
    assert of_all_commands.pop("default") == of_all_commands["dev"]
    for stage, parameters in of_all_commands.items():
        assert (parameters["stack_name"], parameters["region"]) == (
            f"zego-token-service-{stage}",
            "eu-west-1",
        )


def test_sam_can_read_the_template_without_the_parameters_of_a_deployment() -> None:
    # `sam list` transforms it, and the transform needs BuildVersion as text.
    pattern = load()["Parameters"]["BuildVersion"]["AllowedPattern"]
    for name, commands in samconfig().items():
        if name != "version":
            (given,) = commands["global"]["parameters"]["parameter_overrides"]
            parameter, _, value = given.partition("=")
            assert (parameter, bool(re.fullmatch(pattern, value))) == ("BuildVersion", True)


def test_each_stack_is_tagged_with_its_stage() -> None:
    for stage in environments():
        tags = samconfig()[stage]["deploy"]["parameters"]["tags"]
        assert tags == ["service=zego-token-service", f"stage={stage}"]


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_every_requirement_is_pinned_with_hashes_and_no_index_address(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for requirement in re.split(r"\n(?=[^\s#])", text.strip()):
        assert re.match(r"[\w.-]+==[\w.+!-]+( ; [^\\]+)? \\\n", requirement), requirement
        assert "--hash=sha256:" in requirement
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


@pytest.mark.parametrize(
    ("narrow", "wide"), [(0, 2), (1, 2), (2, 3)], ids=["layer-run", "aws-sdk-run", "run-dev"]
)
def test_tests_run_against_the_versions_that_are_deployed(narrow: int, wide: int) -> None:
    pins, more_pins = pinned(REQUIREMENTS[narrow]), pinned(REQUIREMENTS[wide])
    assert pins <= more_pins


def pinned(file: str) -> set[tuple[str, str]]:
    return set(
        re.findall(r"^([\w.-]+)==(\S+)", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE)
    )


def test_make_alone_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (\w+)$", makefile, re.MULTILINE))
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"^  make (\w+) +\w", shown, re.MULTILINE)) == targets
    assert {"run", "test", "check", "build", "bench", "invoke", "deploy", "validate"} <= targets


@pytest.mark.parametrize("name", [".env", ".env.local", "key.pem"])
def test_git_ignores_files_that_hold_credentials(name: str, tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", name], cwd=tmp_path, check=False
    ).returncode
    assert ignored == 0


@pytest.mark.parametrize(
    "workflow", sorted((ROOT / ".github" / "workflows").iterdir()), ids=lambda path: path.name
)
def test_a_workflow_pins_its_actions_by_digest_and_says_which_version_that_is(
    workflow: Path,
) -> None:
    used = re.findall(r"uses: (.+)", workflow.read_text(encoding="utf-8"))
    assert used
    assert [
        line for line in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v[\d.]+", line)
    ] == []
