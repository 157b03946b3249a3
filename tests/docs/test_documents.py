"""The documents match the code: their tables, links and commands."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import botocore.session
import click
import pytest
from botocore import xform_name

from local.__main__ import main as local_stack
from ops import cli
from ops.errors import ExitCode
from runtime.settings import ISSUER_VARIABLES, ROTATOR_VARIABLES, WATCHER_VARIABLES, Setting
from tests.contract import openapi
from tests.unit.zego.diagnosis.generators import CBC, MISTAKES, with_mistakes
from tools import doc_tables
from zego.diagnosis.kinds import KINDS
from zego.error_codes import CODES, SERVER_API_CODES
from zego.policy import keys as policy_keys
from zego.policy.model import ALGORITHMS
from zego.rotation import OUTCOMES

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "events").glob("*.md"),
        *ROOT.glob("clients/*/README.md"),
        *ROOT.glob("examples/*/README.md"),
    ]
)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
#: Each command line in the documents, with its output.
EXAMPLES = {
    command: printed
    for document in DOCUMENTS
    for command, printed in re.findall(
        r"^```console\n\$ (zego-token .+)\n((?s:.*?))^```$",
        document.read_text("utf-8"),
        re.MULTILINE,
    )
}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def shown(default: str | None) -> str:
    if default is None:
        return "required"
    return f"`{default}`" if default else "none"


@pytest.mark.parametrize(
    ("function", "variables"),
    [
        ("issuer", ISSUER_VARIABLES),
        ("rotator", ROTATOR_VARIABLES),
        ("watcher", WATCHER_VARIABLES),
    ],
)
def test_the_tables_of_variables_match_the_code(
    function: str, variables: tuple[Setting, ...]
) -> None:
    section = read("docs/configuration.md").partition(f"## The {function}\n")[2].partition("##")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [
        (variable.name, variable.meaning, shown(variable.default)) for variable in variables
    ]


def test_the_runbook_lists_every_outcome() -> None:
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (\w+) \| (.+?) \| (.*?) ?\|$", read("docs/rotation.md"), re.MULTILINE
    )
    assert rows == [
        (name, ending.kind, ending.meaning, ending.remedy) for name, ending in OUTCOMES.items()
    ]


def test_the_runbook_lists_every_code_of_zegos_server_api() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+) \|$", read("docs/rotation.md"), re.MULTILINE)
    assert rows == [
        (str(code), known.outcome, known.reason) for code, known in SERVER_API_CODES.items()
    ]


def test_the_api_page_lists_every_route() -> None:
    listed = re.findall(r"^\| `((?:GET|POST) \S+)` \|", read("docs/api.md"), re.MULTILINE)
    assert sorted(listed) == sorted(openapi.load().routes)


def test_the_policy_document_names_every_key_and_algorithm() -> None:
    document = read("docs/access-policy.md")
    tables = (policy_keys.OIDC_KEYS, policy_keys.ROLE_KEYS, policy_keys.GRANTING_KEYS)
    keys = {key.name for table in tables for key in table}
    assert keys <= set(re.findall(r"^\| `(\w+)` \|", document, re.MULTILINE))
    assert ", ".join(ALGORITHMS) in document


def test_the_operations_document_lists_every_metric() -> None:
    units = "Count|Milliseconds|Seconds|None"
    listed = re.findall(rf"^\| `(\w+)` \| (?:{units}) \|", read("docs/operations.md"), re.MULTILINE)
    code = "".join(path.read_text("utf-8") for path in (ROOT / "functions").glob("*/*.py"))
    written = re.findall(r'telemetry\.(?:add|count_by)\(\s*"(\w+)"', code)
    assert set(listed) == set(written)


def test_the_runbook_lists_the_exit_codes() -> None:
    rows = re.findall(r"^\| (\d{1,3}) \| ([^|]+) \|$", read("docs/rotation.md"), re.MULTILINE)
    assert rows == [(str(code.value), code.meaning) for code in ExitCode]


def lacking(words: Sequence[str]) -> list[str]:
    """The words after `zego-token` that are not commands or options of it."""
    command: click.Command = cli.app
    missing = []
    for word in words:
        if word.startswith("--"):
            options = {option for parameter in command.params for option in parameter.opts}
            missing += [word] if word.partition("=")[0] not in {*options, "--help"} else []
        elif isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            if found is None:
                return [word]
            command = found
    return missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_zego_token_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    lines = re.findall(r"(?:`|^|^\$ )zego-token ([^`#|;<\n]+)", text, re.MULTILINE)
    assert {line: lacking(line.split()) for line in lines if lacking(line.split())} == {}


def test_the_commands_in_remedies_exist() -> None:
    remedies = [one.remedy for table in (CODES, KINDS, OUTCOMES) for one in table.values()]
    lines = [line for text in remedies for line in re.findall(r"zego-token ([a-z -]+)", text)]
    assert len(lines) > 20
    assert {line: lacking(line.split()) for line in lines if lacking(line.split())} == {}


def test_the_generated_tables_are_up_to_date() -> None:
    texts = [document.read_text(encoding="utf-8") for document in doc_tables.DOCUMENTS]
    for file, text in doc_tables.written().items():
        assert file.read_text(encoding="utf-8") == text, f"run make docs: {file.name} is old"
    named = [re.findall(r"^<!-- table: (.+) -->$", text, re.MULTILINE) for text in texts]
    assert [*chain(*named)] == [*doc_tables.TABLES]


def test_the_architecture_names_every_module_of_the_service() -> None:
    """A table of the page lists each module of the functions and of the domain layer."""
    tables = read("docs/architecture.md").partition("\n## The command line and the local stack")[0]
    rows = re.findall(r"^\| .+ \| (`.+) \|$", tables, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w.]+)`", row)}
    modules = {
        ".".join(path.relative_to(ROOT / root).with_suffix("").parts)
        for root in ("functions", "layers/domain")
        for path in (ROOT / root).rglob("*.py")
        if path.read_text(encoding="utf-8").count("\n") > 5  # an empty package has no door
    }
    assert {name.removesuffix(".__init__") for name in modules} == named


def test_the_modules_of_ops_and_local_in_the_architecture_exist() -> None:
    named = re.findall(r"`((?:ops|local)\.[\w.]+)`", read("docs/architecture.md"))
    files = [ROOT / name.replace(".", "/") for name in named]
    missing = [file for file in files if not (file.is_dir() or file.with_suffix(".py").is_file())]
    assert len(named) > 10
    assert missing == []


def test_every_code_and_every_finding_is_in_a_table() -> None:
    text = read("docs/troubleshooting.md")
    listed = [
        cell
        for row in re.findall(r"^\| (\d[^|]*) \|", text, re.MULTILINE)
        for cell in re.findall(r"\b\d+\b", re.sub("`.*?`", "", row))
    ]
    assert sorted(map(int, listed)) == sorted(CODES)
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", text, re.MULTILINE)) == KINDS.keys()


@pytest.fixture
def hand_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of the example of a hand-written generator, in the current directory."""
    names = ("key: hex-decoded", "padding: PKCS#7 twice", "values: no payload")
    generator = with_mistakes(CBC, *(mistake for mistake in MISTAKES if str(mistake) in names))
    assert generator is not None
    secret = {"app_id": generator.claims["app_id"], "server_secret": generator.secret}
    monkeypatch.chdir(tmp_path)
    Path("secret.json").write_text(json.dumps(secret), encoding="utf-8")
    Path("token.txt").write_text(generator.token(), encoding="utf-8")


@pytest.mark.usefixtures("hand_written")
@pytest.mark.parametrize("command", EXAMPLES)
def test_an_example_matches_the_commands_output(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    cli.main(shlex.split(command)[1:])
    assert capsys.readouterr().out == EXAMPLES[command]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_links_exist(document: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_make_commands_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    commands = re.findall(r"(?:`|^)make ([a-z][a-z -]*)((?: ?[A-Z0-9]+=)?)", text, re.MULTILINE)
    named = {target for targets, _ in commands for target in targets.split()}
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert named - targets == set()
    variables = {variable.strip(" =") for _, variable in commands if variable}
    assert {name for name in variables if f"$({name})" not in MAKEFILE} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_options_of_make_run_exist(document: Path) -> None:
    given = re.findall(r"RUN_ARGS='([^']*)'", document.read_text(encoding="utf-8"))
    named = {word for words in given for word in words.split() if word.startswith("--")}
    assert named <= {option for parameter in local_stack.params for option in parameter.opts}


#: Options of the AWS CLI that every command takes. Source: its user guide, "Global options".
AWS_OPTIONS = {"--profile", "--region", "--query", "--output", "--no-cli-pager"}

#: From https://docs.aws.amazon.com/cli/latest/reference/cloudformation/deploy/
AWS_DEPLOY_OPTIONS = AWS_OPTIONS | {
    *("--capabilities", "--no-execute-changeset", "--no-fail-on-empty-changeset"),
    *("--parameter-overrides", "--stack-name", "--tags", "--template-file"),
}


def unknown_to_aws(service: str, command: str, arguments: str) -> list[str]:
    """The words that the AWS CLI does not know, by the models that it is made from."""
    model = botocore.session.Session().get_service_model(service)
    if command == "wait":
        waiters = botocore.session.Session().get_waiter_model(service)
        waiter = {xform_name(name, "-"): name for name in waiters.waiter_names}
        command, _, arguments = arguments.strip().partition(" ")
        if command not in waiter:
            return [f"wait {command}"]
        operation = waiters.get_waiter(waiter[command]).operation
    elif (service, command) == ("cloudformation", "deploy"):  # the CLI's own command
        return sorted(set(re.findall(r"(?<!\S)--[a-z-]+", arguments)) - AWS_DEPLOY_OPTIONS)
    else:
        operations = {xform_name(name, "-"): name for name in model.operation_names}
        if command not in operations:
            return [command]
        operation = operations[command]
    shape = model.operation_model(operation).input_shape
    known = {f"--{xform_name(name, '-')}" for name in ({} if shape is None else shape.members)}
    known |= {f"--no-{option[2:]}" for option in known} | AWS_OPTIONS
    return [option for option in re.findall(r"(?<!\S)--[a-z-]+", arguments) if option not in known]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_its_commands_of_the_aws_cli_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8").replace("\\\n", "")
    lines = re.findall(r"(?:`|^ *|\()aws ([a-z0-9]+) ([a-z-]+)([^`\n]*)", text, re.MULTILINE)
    found = {" ".join(line): unknown_to_aws(*line) for line in lines if line[0] != "configure"}
    assert {line: unknown for line, unknown in found.items() if unknown} == {}
    environments = re.findall(r"sam \w+ --config-env (\w+)", text)
    assert set(environments) <= set(tomllib.loads(read("samconfig.toml")))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_files_it_names_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:functions|layers|tests|docs|local|tools|events)/[\w./-]+)`", text)
    assert [name for name in named if not (ROOT / name).exists()] == []
