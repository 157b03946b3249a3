"""Reading the value from a prompt, a file or standard input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import pytest

from ops import cli
from ops.errors import CommandError, ExitCode
from ops.secret import value
from ops.secret.value import SecretInput
from zego.server_secret import PlaceholderError, ServerSecret, ServerSecretError

SECRET = "0123456789abcdef" * 2
CURRENT = ServerSecret(7, "fedcba9876543210" * 2)


@pytest.mark.parametrize(
    ("line", "is_hidden"),
    [("", True), ("--file value", False), ("--staged", False)],
    ids=["prompted", "from a file", "staged before"],
)
def test_typing_is_hidden_only_during_a_prompt(
    line: str, is_hidden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = []

    @contextmanager
    def unseen() -> Iterator[None]:
        hidden.append(True)
        yield

    @click.command()
    @click.option("--staged", is_flag=True)
    @value.secret_input
    def command(secret_input: SecretInput, staged: bool) -> ExitCode:
        return ExitCode.DONE

    monkeypatch.setattr(value, "unseen", unseen)
    command.main(line.split(), standalone_mode=False)
    assert bool(hidden) is is_hidden


class TestReading:
    @pytest.mark.parametrize("newline", ["", "\n", "\r\n"])
    def test_a_file_may_end_in_one_newline(
        self, a_file: Callable[[str], str], newline: str
    ) -> None:
        assert value.read(a_file(SECRET + newline)) == SECRET

    def test_a_byte_order_mark_is_not_part_of_the_value(self, a_file: Callable[[str], str]) -> None:
        assert value.read(a_file(f"\ufeff{SECRET}\r\n")) == SECRET

    def test_only_one_newline_at_the_end_is_removed(self, a_file: Callable[[str], str]) -> None:
        assert value.read(a_file(f"{SECRET}\n\n")) == f"{SECRET}\n"

    def test_a_dash_is_standard_input(self, type_in: Callable[[bytes], None]) -> None:
        type_in(f"{SECRET}\n".encode())
        assert value.read("-") == SECRET

    def test_the_prompt_does_not_show_the_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr(
            "getpass.getpass", lambda prompt: SECRET if "not shown" in prompt else ""
        )
        assert value.read(None) == SECRET

    @pytest.mark.parametrize("typed", [f"\x1b[200~{SECRET}\x1b[201~", ""])
    def test_the_marks_around_a_paste_are_not_part_of_the_value(
        self, typed: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", lambda _prompt: typed)
        if typed:
            assert value.read(None) == SECRET
        else:
            with pytest.raises(CommandError, match="Nothing was typed"):
                value.read(None)

    @pytest.mark.parametrize(
        ("file", "words"), [(None, "not a terminal"), ("-", "Standard input is closed")]
    )
    def test_a_closed_standard_input_is_an_error(
        self, file: str | None, words: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(CommandError, match=words) as caught:
            value.read(file)
        assert caught.value.failure.exit_code is ExitCode.USAGE

    def test_there_is_no_prompt_for_a_value_that_could_not_be_used(self) -> None:
        with pytest.raises(CommandError, match="The AppID is not known"):
            value.take(SecretInput(), None)

    def test_a_terminal_is_not_read_as_standard_input(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        with pytest.raises(CommandError, match="would show the value"):
            value.read("-")

    def test_without_a_terminal_the_options_are_named(
        self, type_in: Callable[[bytes], None]
    ) -> None:
        type_in(SECRET.encode())
        with pytest.raises(CommandError, match="not a terminal") as caught:
            value.read(None)
        assert "--file -" in caught.value.failure.remedy
        assert caught.value.failure.exit_code is ExitCode.USAGE

    def test_a_missing_file_is_a_usage_error(self) -> None:
        with pytest.raises(
            CommandError, match="/nowhere/at/all cannot be read: No such file"
        ) as caught:
            value.read("/nowhere/at/all")
        assert caught.value.failure.exit_code is ExitCode.USAGE

    def test_a_file_that_is_too_long_is_refused(self, a_file: Callable[[str], str]) -> None:
        with pytest.raises(CommandError, match="not a ServerSecret"):
            value.read(a_file("x" * (value.MAX_BYTES + 1)))

    def test_a_binary_file_is_refused(self, type_in: Callable[[bytes], None]) -> None:
        type_in(b"\xff" * 32)
        with pytest.raises(ServerSecretError, match="UTF-8") as caught:
            value.read("-")
        assert caught.value.__context__ is None  # it would hold the value


class TestParsing:
    def test_the_bare_value_is_for_the_current_app_id(self) -> None:
        assert value.parse(SECRET, app_id=None, known=CURRENT) == ServerSecret(7, SECRET)

    def test_the_bare_value_is_for_the_given_app_id(self) -> None:
        assert value.parse(SECRET, app_id=8, known=CURRENT) == ServerSecret(8, SECRET)

    def test_the_json_of_secrets_manager_has_its_app_id(self) -> None:
        text = f' {{"app_id": 9, "server_secret": "{SECRET}"}}'
        assert value.parse(text, app_id=None, known=CURRENT) == ServerSecret(9, SECRET)
        assert value.parse(text, app_id=9, known=None) == ServerSecret(9, SECRET)

    def test_two_app_ids_are_an_error(self) -> None:
        text = f'{{"app_id": 9, "server_secret": "{SECRET}"}}'
        with pytest.raises(CommandError, match=r"AppID 9, but --app-id is 8"):
            value.parse(text, app_id=8, known=None)

    def test_without_an_app_id_the_option_is_named(self) -> None:
        with pytest.raises(CommandError, match="The AppID is not known") as caught:
            value.parse(SECRET, app_id=None, known=None)
        assert "--app-id" in caught.value.failure.remedy

    @pytest.mark.parametrize("known", [CURRENT, None])
    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (SECRET * 2, "AppSign"),
            (f'"{SECRET}"', "quotes"),
            (f"{SECRET}\n", "newline"),
            (f" {SECRET}", "white space"),
            (SECRET[:31], "31 characters"),
            ("", "0 characters"),
            ('{"app_id": "9", "server_secret": "' + SECRET + '"}', "whole number"),
            ('{"app_id": 9}', "lacks server_secret"),
        ],
    )
    def test_a_problem_of_the_value_is_reported(
        self, text: str, why: str, known: ServerSecret | None
    ) -> None:
        with pytest.raises(ServerSecretError, match=why) as caught:
            value.parse(text, app_id=None, known=known)
        assert SECRET not in str(caught.value)

    def test_a_placeholder_is_reported(self) -> None:
        with pytest.raises(PlaceholderError):
            value.parse("REPLACE-ME", app_id=None, known=None)


class TestArguments:
    @pytest.mark.parametrize(
        "argument",
        [
            SECRET,
            SECRET.upper(),
            SECRET * 2,
            f'"{SECRET}"',
            f" {SECRET}\n",
            f"--{SECRET}",
            f"--secret={SECRET}",
            f"--file='{SECRET}'",
            '{"app_id": 9, "server_secret": "x"}',
            "Zz9" * 10 + "Aa",
        ],
    )
    def test_a_secret_is_refused_and_not_repeated(self, argument: str) -> None:
        with pytest.raises(CommandError) as caught:
            cli.refuse_in_arguments(["secret", "stage", argument])
        assert SECRET not in str(caught.value).lower()
        assert caught.value.failure.exit_code is ExitCode.USAGE

    @pytest.mark.parametrize("option", ["--expect-user", "--expect-room", "--user", "--room"])
    @pytest.mark.parametrize(
        "id_",
        ["507f1f77bcf86cd799439011", "550e8400e29b41d4a716446655440000", "Zz9" * 10 + "Aa"],
        ids=["an ObjectId", "a UUID", "letters and digits"],
    )
    def test_an_id_may_look_like_a_secret(self, option: str, id_: str) -> None:
        cli.refuse_in_arguments(["inspect", option, id_, f"{option}={id_}"])
        with pytest.raises(CommandError):
            cli.refuse_in_arguments(["inspect", option, id_, id_])

    @pytest.mark.parametrize(
        "argument",
        [
            "--require-accepted",
            "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego/server-secret-AbCdEf",
            "11111111-1111-4111-8111-111111111111",
            f"/tmp/{SECRET}/stack.json",
            "https://rtc-api.zego.im/",
            "zego/server_secret",
        ],
    )
    def test_names_are_accepted(self, argument: str) -> None:
        cli.refuse_in_arguments([argument, f"--option={argument}"])
