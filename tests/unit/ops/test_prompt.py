"""Prompts: for a value that is not shown, and for yes or no."""

from __future__ import annotations

import io
import os
import termios
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from ops import prompt
from ops.errors import CommandError, ExitCode
from ops.prompt import can_ask, confirmation, unseen


def test_typed_text_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    here, there = os.openpty()
    with open(there) as terminal:  # noqa: PTH123  a number
        monkeypatch.setattr("sys.stdin", terminal)
        assert can_ask()
        before = termios.tcgetattr(there)[3]
        with unseen():
            assert not termios.tcgetattr(there)[3] & termios.ECHO
        assert termios.tcgetattr(there)[3] == before
    os.close(here)


def test_without_a_terminal_nothing_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdin in (None, io.StringIO()):
        monkeypatch.setattr("sys.stdin", stdin)
        with unseen():
            assert not can_ask()


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

    def test_without_a_terminal_confirmation_is_impossible(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "not a terminal" in self.answer(typed="y\n")
        monkeypatch.setattr("sys.stdin", None)
        with pytest.raises(CommandError, match="not a terminal"):
            prompt._confirm("Sure?")

    @pytest.mark.parametrize(
        ("typed", "end"), [("y", "went on"), ("n", "Nothing was changed."), ("", "Nothing was")]
    )
    def test_without_yes_the_user_is_asked(
        self, typed: str, end: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _self: True)
        assert end in self.answer(typed=f"{typed}\n")
