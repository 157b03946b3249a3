"""The options that give a value, and those of what follows a rotation."""

from __future__ import annotations

import functools
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import click

from ops.errors import ExitCode
from ops.prompt import unseen
from ops.target import Command


@dataclass(frozen=True, slots=True)
class SecretInput:
    """A value as the options give it.

    :ivar file: see :func:`ops.secret.value.read`.
    :ivar require_accepted: stage only what ZEGO accepts right now.
    :ivar force: replace a staged value that ZEGO accepts even by one that it rejects.
    """

    file: str | None = None
    app_id: int | None = None
    require_accepted: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """How long to wait, in seconds.

    :ivar end: for a rotation's end.
    :ivar issuer_ttl: the longest that an issuer serves what it has read.
    :ivar look: from one look at the rotation to the next.
    """

    end: float = 300.0
    issuer_ttl: float = 60.0
    look: float = 0.5


def value_given(command: Command) -> Command:
    """The command gets a :class:`SecretInput` as ``given``."""

    @click.option(
        "--file",
        metavar="PATH|-",
        help="Take the value from a file, or with - from standard input, instead of asking for it.",
    )
    @click.option(
        "--app-id",
        type=click.IntRange(1, 2**32 - 1),
        metavar="NUMBER",
        help="The AppID of the value.  [default: that of AWSCURRENT, or else of AWSPREVIOUS]",
    )
    @click.option(
        "--require-accepted", is_flag=True, help="Stage it only if ZEGO accepts it right now."
    )
    @click.option(
        "--force",
        is_flag=True,
        help="Replace a staged value that ZEGO accepts, even if it rejects the new one.",
    )
    @functools.wraps(command)
    def with_value(
        *,
        file: str | None,
        app_id: int | None,
        require_accepted: bool,
        force: bool,
        **options: Any,
    ) -> ExitCode:
        is_asked_for = file is None and not options.get("staged")
        with unseen() if is_asked_for else nullcontext():  # also what is pasted before the prompt
            return command(given=SecretInput(file, app_id, require_accepted, force), **options)

    return with_value


def patience(command: Command) -> Command:
    """The command gets a :class:`WaitOptions` as ``patience``."""

    @click.option(
        "--wait",
        type=click.FloatRange(0, 86400),
        default=300,
        show_default=True,
        metavar="SECONDS",
        help="How long to follow the rotation, which goes on by itself.",
    )
    @click.option(
        "--issuer-ttl",
        type=click.FloatRange(0, 3600),
        default=60,
        show_default=True,
        metavar="SECONDS",
        help="The issuers' SECRET_TTL_SECONDS, for the time until all of them have the new one.",
    )
    @functools.wraps(command)
    def with_patience(*, wait: float, issuer_ttl: float, **options: Any) -> ExitCode:
        return command(patience=WaitOptions(wait, issuer_ttl), **options)

    return with_patience
