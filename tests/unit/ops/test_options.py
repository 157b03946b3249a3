"""What the options name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ops import prompt
from ops.errors import CommandError, ExitCode
from ops.prompt import confirmation
from ops.target import SECRET_ID_VARIABLE, STACK_FILE, TargetOptions, target


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECRET_ID_VARIABLE, raising=False)


def named(line: str) -> list[TargetOptions]:
    """What a line of options names."""

    @click.command()
    @target("many")
    def command(target_options: list[TargetOptions]) -> ExitCode:
        found.extend(target_options)
        return ExitCode.DONE

    found: list[TargetOptions] = []
    command.main(shlex.split(line), standalone_mode=False)
    return found


def test_a_stage_names_its_stack() -> None:
    assert named("--stage prod") == [TargetOptions(stage="prod")]


def test_a_secret_may_be_named_itself() -> None:
    assert named("--secret-id zego/x --region eu-west-1 --profile ops") == [
        TargetOptions("zego/x", region="eu-west-1", profile="ops")
    ]


def test_the_targets_are_all_combinations() -> None:
    line = "--stage dev --stage prod --secret-id x --region a --region b --profile p --profile q"
    targets = named(line)
    assert len(set(targets)) == 12
    assert TargetOptions(stage="prod", region="b", profile="p") in targets
    assert TargetOptions("x", region="a", profile="q") in targets


def test_the_environment_names_a_secret_where_nothing_else_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(SECRET_ID_VARIABLE, "zego/x")
    assert named("--region a") == [TargetOptions("zego/x", region="a")]
    assert named("--stage dev") == [TargetOptions(stage="dev")]
    assert named("--local") == [TargetOptions(local=STACK_FILE)]


def test_the_local_stack_is_found_here_or_where_it_is_said(tmp_path: Path) -> None:
    assert named("--local") == [TargetOptions(local=STACK_FILE)]
    assert named(f"--local {tmp_path} --zego-api http://127.0.0.1:1") == [
        TargetOptions(local=tmp_path, zego_api="http://127.0.0.1:1")
    ]
    assert [target.secret_id for target in named("--local --secret-id a --secret-id b")] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize("other", ["--stage dev", "--profile p", "--region r"])
def test_the_local_stack_is_not_in_aws(other: str) -> None:
    with pytest.raises(click.UsageError, match="--local goes with none of"):
        named(f"--local {other}")


def test_something_has_to_be_named() -> None:
    with pytest.raises(click.UsageError, match=re.escape("--stage, --secret-id or --local")):
        named("--region eu-west-1")


class TestAnOptionalTarget:
    @staticmethod
    def named(line: str) -> TargetOptions | None:
        """What a line of options names, of a command that has `--file` too."""

        @click.command()
        @target("optional", unless=["file"])
        @click.option("--file")
        def command(target_options: TargetOptions | None, file: str | None) -> ExitCode:
            found.append(target_options)
            return ExitCode.DONE

        found: list[TargetOptions | None] = []
        command.main(shlex.split(line), standalone_mode=False)
        return found[0]

    def test_none_need_be_named(self) -> None:
        assert self.named("") is None
        assert self.named("--stage dev --region a") == TargetOptions(stage="dev", region="a")
        assert self.named("--local") == TargetOptions(local=STACK_FILE)

    def test_a_region_or_profile_is_of_something(self) -> None:
        for line in ("--region eu-west-1", "--profile ops"):
            with pytest.raises(click.UsageError, match="Which secret"):
                self.named(line)

    def test_it_is_one(self) -> None:
        with pytest.raises(click.UsageError, match="about one secret"):
            self.named("--stage dev --stage prod")

    def test_the_environment_names_one_unless_an_option_is_there_instead(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(SECRET_ID_VARIABLE, "zego/x")
        assert self.named("") == TargetOptions("zego/x")
        assert self.named("--file x") is None
        assert self.named("--file x --stage dev") == TargetOptions(stage="dev")


@pytest.mark.parametrize(
    "line",
    ["--local /a/b", "--stage prod --profile ops --region eu-west-1", "--secret-id 'a b'"],
)
def test_a_target_is_called_by_its_options(line: str) -> None:
    (wanted,) = named(line)
    assert str(wanted) == line


class TestConfirmation:
    @staticmethod
    def answer(*options: str, typed: str = "") -> str:
        @click.command()
        @confirmation
        def command(confirm: Callable[[str], None]) -> ExitCode:
            try:
                confirm("Sure?")
            except CommandError as refused:
                click.echo(refused.failure.message)
            else:
                click.echo("went on")
            return ExitCode.DONE

        return CliRunner().invoke(command, options, input=typed).stdout

    def test_yes_asks_nothing(self) -> None:
        assert self.answer("--yes") == "went on\n"

    def test_without_a_terminal_nobody_can_be_asked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "not a terminal" in self.answer(typed="y\n")
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(CommandError, match="not a terminal"):
            prompt._confirm("Sure?")

    @pytest.mark.parametrize(
        ("typed", "end"), [("y", "went on"), ("n", "Nothing was changed."), ("", "Nothing was")]
    )
    def test_a_person_is_asked(self, typed: str, end: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True)
        assert end in self.answer(typed=f"{typed}\n")
