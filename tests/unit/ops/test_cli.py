"""The command line as a whole: what it accepts, and what it prints if it fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ops import cli
from ops.errors import ExitCode
from ops.secret import change, status
from ops.target import SECRET_ID_VARIABLE, STACK_FILE
from zego.secret_store.versions import SecretStoreError
from zego.server_secret import ServerSecretError

SECRET = "0123456789abcdef" * 2
Capture = pytest.CaptureFixture[str]
COMMANDS = ["stage", "rotate", "restore", "unstick", "status", "watch"]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_ID_VARIABLE, raising=False)


@pytest.fixture
def a_stack(tmp_path: Path) -> str:
    """The path of a local stack's file; nothing listens there."""
    parts = {"secrets_manager": "http://127.0.0.1:9", "region": "us-east-1"}
    named = parts | {"zego": "http://127.0.0.1:9", "secret_id": "x"}
    path = tmp_path / "stack.json"
    path.write_text(json.dumps(named), encoding="utf-8")
    return str(path)


class TestHelp:
    def test_it_has_the_table_of_exit_codes(self, capsys: Capture) -> None:
        assert cli.main(["--help"]) == 0
        printed = capsys.readouterr().out
        for code in ExitCode:
            assert re.search(rf"^ +{code.value}  {re.escape(code.meaning)}$", printed, re.MULTILINE)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_the_json_and_target_options(
        self, command: str, capsys: Capture
    ) -> None:
        assert cli.main(["secret", command, "--help"]) == 0
        printed = capsys.readouterr().out
        for option in ("--json", "--secret-id", "--stage", "--profile", "--region", "--local"):
            assert option in printed

    def test_these_are_the_commands(self) -> None:
        group = cli.app.get_command(click.Context(cli.app), "secret")
        assert isinstance(group, click.Group)
        assert sorted(group.commands) == sorted(COMMANDS)

    def test_the_help_shows_each_commands_own_summary(self, capsys: Capture) -> None:
        context = click.Context(cli.app)
        for name, (_, text) in cli.COMMANDS.items():
            command = cli.app.get_command(context, name)
            assert command is not None
            assert command.name == name
            assert command.get_short_help_str(limit=80) == text
        assert cli.app.get_command(context, "scna") is None

    def test_the_help_imports_no_command(self) -> None:
        code = "import sys; from ops.cli import main; main(['--help']); print(*sys.modules)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        loaded = set(done.stdout.splitlines()[-1].split())
        assert not loaded & {module.partition(":")[0] for module, _ in cli.COMMANDS.values()}

    def test_no_option_takes_a_secret(self) -> None:
        group = cli.app.get_command(click.Context(cli.app), "secret")
        assert isinstance(group, click.Group)
        for command in group.commands.values():
            assert all(isinstance(parameter, click.Option) for parameter in command.params)
            names = {name for parameter in command.params for name in parameter.opts}
            assert not names & {"--secret", "--server-secret", "--value", "--password"}

    def test_the_version_is_the_projects(self, capsys: Capture) -> None:
        assert cli.main(["--version"]) == 0
        assert re.fullmatch(r"zego-token, version \d+\.\d+\.\d+\n", capsys.readouterr().out)

    def test_it_imports_nothing_slow(self) -> None:
        code = (
            "import sys; from ops.cli import main; main(['secret', 'rotate', '--help']);"
            "print(*{name.partition('.')[0] for name in sys.modules})"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        loaded = set(done.stdout.splitlines()[-1].split())
        assert not loaded & {"boto3", "botocore", "rich"}

    def test_without_a_command_the_help_is_shown_as_an_error(self, capsys: Capture) -> None:
        assert cli.main([]) == ExitCode.USAGE
        assert "secret" in capsys.readouterr().err


class TestCompletion:
    """As docs/deploy.md turns it on."""

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_it_can_be_turned_on(
        self, shell: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        line = f"_ZEGO_TOKEN_COMPLETE={shell}_source zego-token"
        assert line in Path("docs/deploy.md").read_text(encoding="utf-8")
        name, _, value = line.removesuffix(" zego-token").partition("=")
        monkeypatch.setenv(name, value)
        assert cli.main([]) == ExitCode.DONE
        assert "zego-token" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("typed", "expected"),
        [
            ("zego-token prefl", ["preflight"]),
            ("zego-token secret st", ["stage", "status"]),
            ("zego-token secret status --stage ", ["dev", "staging", "prod"]),
            ("zego-token preflight --stage st", ["staging"]),
            ("zego-token deny ", ["user", "identity", "room"]),
            ("zego-token explain 20014", ["20014"]),
        ],
    )
    def test_it_knows_commands_and_values(
        self, typed: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        monkeypatch.setenv("_ZEGO_TOKEN_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", typed)
        monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
        assert cli.main([]) == ExitCode.DONE
        assert capsys.readouterr().out.split() == [f"plain,{one}" for one in expected]


class TestLocal:
    """Its value may be left out, and the word after it may be the command's."""

    @pytest.mark.parametrize(
        ("line", "takes"),
        [
            ("scan --local dist", False),
            ("deny user --local alice --until 2h", False),
            ("policy explain --local --room call_1", False),
            ("inspect --local 04AAAA", False),
            ("scan --local other.json dist", True),
            ("doctor --local folder", True),
        ],
    )
    def test_a_word_after_it_is_its_value_only_if_it_names_a_stack(
        self, line: str, takes: bool
    ) -> None:
        words = line.split()
        expected = [*words]
        if not takes:
            expected[words.index("--local")] = f"--local={STACK_FILE}"
        assert cli.with_local_alone(words) == expected

    def test_a_folder_with_a_stack_is_its_value(self, tmp_path: Path) -> None:
        words = ["scan", "--local", str(tmp_path), "dist"]
        assert cli.with_local_alone(words) != words
        (tmp_path / STACK_FILE.name).touch()
        assert cli.with_local_alone(words) == words

    def test_the_path_to_scan_may_follow_it(self, tmp_path: Path, capsys: Capture) -> None:
        assert cli.main(["scan", "--local", str(tmp_path)]) == ExitCode.AWS
        assert "No local stack is running here: .local/stack.json" in capsys.readouterr().err


class TestMistakes:
    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("secret stage", "No secret is named."),
            ("secret stage --stage production", "'production' is not one of"),
            ("secret statsu", "No such command 'statsu'"),
            (
                "rotate --stage dev",
                "No such command 'rotate'. Did you mean:\n  zego-token secret rotate\n",
            ),
            ("statsu", "'statsu'. Did you mean:\n  zego-token secret status\n"),
            ("doctr", "'doctr'. Did you mean:\n  zego-token doctor\n"),
            ("help", "No such command 'help'. Did you mean:\n  zego-token --help\n"),
            ("secret status --colour", "No such option"),
            ("secret rotate --local --wait soon", "'soon' is not a valid float"),
            ("secret stage --stage dev --secret-id x", "use --stage, --stack or --secret-id"),
            ("secret stage --stage dev --stage prod", "each option once"),
            ("secret watch --stage dev --region a --region b", "each option once"),
        ],
    )
    def test_a_usage_error_names_the_help(self, line: str, words: str, capsys: Capture) -> None:
        assert cli.main(line.split()) == ExitCode.USAGE
        printed = capsys.readouterr()
        assert words in printed.err
        assert "--help." in printed.err
        assert printed.out == ""

    def test_staged_needs_no_value(self, a_stack: str, capsys: Capture) -> None:
        line = ["secret", "rotate", "--local", a_stack, "--staged", "--app-id", "5"]
        assert cli.main(line) == ExitCode.USAGE
        assert (
            "--staged cannot be combined with options that give a value." in capsys.readouterr().err
        )

    @pytest.mark.parametrize("around", ["{}\n", "x\n{}", "'\"{}", "\\{}"], ids=ascii)
    @pytest.mark.parametrize(
        "line",
        [
            "explain ?",
            "inspect x --now ?",
            "inspect x --sdk ?",
            "inspect x --expect-app ?",
            "inspect x --secret-file ?",
            "inspect x ?",
            "inspect --?",
            "doctor --origin ?",
            "doctor --policy ?",
            "doctor --stage ?",
            "doctor --bearer-file ?",
            "scan ?",
            "?",
        ],
    )
    def test_a_token_in_the_wrong_place_is_not_repeated(
        self, line: str, around: str, capsys: Capture
    ) -> None:
        token = "04AAAAAG" + "xX/+y" * 30
        given = [word.replace("?", around.format(token)) for word in line.split()]
        assert cli.main(given) == ExitCode.USAGE
        printed = capsys.readouterr()
        assert token[20:60] not in printed.out + printed.err

    @pytest.mark.parametrize(
        "argument",
        [
            SECRET,
            f"--secret={SECRET}",
            f"--{SECRET}",
            SECRET[:31],
            f"{SECRET}!",
            f"--app-id={SECRET[:30]}",
            f"--app-id=x{SECRET}",
        ],
    )
    def test_a_secret_among_the_arguments_is_not_repeated(
        self, argument: str, capsys: Capture
    ) -> None:
        assert cli.main(["secret", "stage", "--local", argument]) == ExitCode.USAGE
        printed = capsys.readouterr()
        assert SECRET[:20] not in printed.out + printed.err

    def test_with_json_an_error_is_an_object_too(self, capsys: Capture) -> None:
        assert cli.main(["secret", "status", "--json"]) == ExitCode.USAGE
        printed = capsys.readouterr()
        assert json.loads(printed.out) == {
            "event": "error",
            "message": "No secret is named. Use --stage, --stack, --secret-id or --local.",
            "remedy": "See zego-token secret status --help.",
            "exit_code": 2,
        }
        assert printed.err.startswith("error: No secret is named.")


class TestFailures:
    def test_a_stopped_stack_is_an_aws_error(self, a_stack: str, capsys: Capture) -> None:
        assert cli.main(["secret", "status", "--local", a_stack]) == ExitCode.AWS
        printed = capsys.readouterr().err
        assert printed.startswith("error: AWS could not be reached.\n")
        assert "check that `make run` is running" in printed

    @pytest.mark.parametrize(
        ("error", "exit_code"),
        [
            (SecretStoreError("x", "AccessDeniedException", "get_secret_value"), ExitCode.AWS),
            (RuntimeError(SECRET), ExitCode.BROKEN),
            (KeyboardInterrupt(), ExitCode.INTERRUPTED),
            (EOFError(), ExitCode.INTERRUPTED),
        ],
    )
    def test_no_traceback_and_no_value_is_printed(
        self,
        error: BaseException,
        exit_code: ExitCode,
        a_stack: str,
        capsys: Capture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def fail(*_given: object) -> None:
            raise error

        monkeypatch.setattr(change, "stage", fail)
        assert cli.main(["secret", "stage", "--local", a_stack]) == exit_code
        printed = capsys.readouterr()
        assert "Traceback" not in printed.err
        assert SECRET not in printed.err

    def test_ctrl_c_ends_watch_without_an_error(
        self, a_stack: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_given: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(status, "read_status", interrupt)
        assert cli.main(["secret", "watch", "--local", a_stack]) == ExitCode.DONE

    def test_a_character_that_the_terminal_lacks_is_not_an_error(self) -> None:
        code = "import sys; from ops.cli import main; main(['--version']); print('\\u2713')"
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            env={"PYTHONIOENCODING": "ascii", "PYTHONPATH": ":".join(sys.path)},
            check=True,
        )
        assert done.stdout.endswith(b"?\n")


def test_a_refusal_sets_the_exit_code(
    a_stack: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_given: object) -> None:
        raise ServerSecretError("server_secret has quotes around it")

    monkeypatch.setattr(change, "stage", refuse)
    assert cli.main(["secret", "stage", "--local", a_stack, "--file", "-"]) == ExitCode.REFUSED
    printed = capsys.readouterr().err
    assert "ServerSecret: server_secret has quotes around it.\nNothing was staged." in printed
