"""The options that give a secret, and those that say what the token was to be good for."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import click

from ops.errors import ExitCode
from ops.prompt import can_ask
from ops.target import Command

SECRET_OPTIONS: Final = ("secret_file", "ask_secret")

_STANDARD_INPUT: Final = "-"
#: From 1973 on: what is shorter is a year, or a date without dashes.
_SECONDS: Final = re.compile(r"[0-9]{9,11}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class GivenSecret:
    """A secret as the options give it.

    :ivar file: a path, or ``-`` for standard input.
    """

    file: str | None
    is_asked_for: bool

    @property
    def is_on_standard_input(self) -> bool:
        return self.is_asked_for or self.file == _STANDARD_INPUT


class _Moment(click.ParamType[float]):
    """Unix seconds, or a time of ISO 8601, which is in UTC unless it says otherwise."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        if _SECONDS.fullmatch(value):
            return float(value)
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: 1767225600, or 2026-01-01T00:00:00Z.", param, ctx)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def secret_given(command: Command) -> Command:
    """The command gets a :class:`GivenSecret` as ``secret``."""

    @click.option(
        "--secret-file",
        metavar="PATH|-",
        help="Try the secret in this file too (or on standard input): the 32 characters, or JSON.",
    )
    @click.option("--ask-secret", is_flag=True, help="Ask for a secret to try, unseen.")
    @functools.wraps(command)
    def with_secret(*, secret_file: str | None, ask_secret: bool, **options: Any) -> ExitCode:
        if secret_file is not None and ask_secret:
            raise click.UsageError("Give --secret-file or --ask-secret, not both.")
        if ask_secret and not can_ask():
            raise click.UsageError(
                "The secret cannot be asked for, as standard input is not a terminal. Give it by"
                " --secret-file."
            )
        if secret_file == _STANDARD_INPUT and can_ask():
            raise click.UsageError(
                "Standard input is a terminal, which would show the secret. Give --ask-secret."
            )
        return command(secret=GivenSecret(secret_file, ask_secret), **options)

    return with_secret


def expectations(command: Command) -> Command:
    """The command gets :class:`zego.diagnosis.Expected` as ``expected``, and as ``is_fixed``
    whether its moment was given.
    """

    @click.option("--expect-user", metavar="ID", help="The user id with which the client logs in.")
    @click.option("--expect-room", metavar="ID", help="The room which it logs in to.")
    @click.option(
        "--expect-app",
        type=click.IntRange(1, 2**32 - 1),
        metavar="NUMBER",
        help="The AppID with which it makes its engine.",
    )
    @click.option("--expect-publish", is_flag=True, help="It is to publish a stream there.")
    @click.option(
        "--sdk",
        type=click.Choice(["web", "native", "zim", "uikit"]),
        help="Which of ZEGO's SDKs it uses.  [default: any]",
    )
    @click.option(
        "--now",
        type=_Moment(),
        metavar="TIME",
        help="When it was refused: Unix seconds, or ISO 8601 in UTC.  [default: now]",
    )
    @functools.wraps(command)
    def with_expectations(
        *,
        expect_user: str | None,
        expect_room: str | None,
        expect_app: int | None,
        expect_publish: bool,
        sdk: Any,
        now: float | None,
        **options: Any,
    ) -> ExitCode:
        from zego.diagnosis import Expected  # noqa: PLC0415  slow

        expected = Expected(
            now or 0.0, expect_app, expect_user, expect_room, expect_publish or None, sdk
        )
        return command(expected=expected, is_fixed=now is not None, **options)

    return with_expectations
