"""Reading a secret value: from a prompt, standard input or a file only.

Other processes can read arguments and the environment, and a shell keeps its history.
"""

from __future__ import annotations

import functools
import sys
from contextlib import nullcontext
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import click

from ops.errors import CommandError, ExitCode, InputError, reason
from ops.prompt import STANDARD_INPUT, ask_unseen, can_ask, unseen
from ops.target import Command
from zego import server_secret
from zego.server_secret import ServerSecret, ServerSecretError

#: More than any form of the value needs.
MAX_BYTES: Final = 4096

#: A longer path may be a token instead, and is not shown.
_LONGEST_PATH: Final = 100


@dataclass(frozen=True, slots=True)
class SecretInput:
    """The options that give a value.

    :ivar file: see :func:`read`.
    :ivar require_accepted: stage the value only if ZEGO accepts it right now.
    :ivar force: replace a staged value that ZEGO accepts even by one that it rejects.
    """

    file: str | None = None
    app_id: int | None = None
    require_accepted: bool = False
    force: bool = False


def secret_input(command: Command) -> Command:
    """The command gets a :class:`SecretInput` as ``secret_input``."""

    @click.option(
        "--file",
        metavar="PATH|-",
        help="Read the value from a file, or with - from standard input, without a prompt.",
    )
    @click.option(
        "--app-id",
        type=click.IntRange(1, 2**32 - 1),
        metavar="NUMBER",
        help="The value's AppID.  [default: AWSCURRENT's, or else AWSPREVIOUS's]",
    )
    @click.option(
        "--require-accepted", is_flag=True, help="Stage the value only if ZEGO accepts it now."
    )
    @click.option(
        "--force",
        is_flag=True,
        help="Replace a staged value that ZEGO accepts, even if ZEGO rejects the new one.",
    )
    @functools.wraps(command)
    def with_value(**options: Any) -> ExitCode:
        chosen = SecretInput(**{one.name: options.pop(one.name) for one in fields(SecretInput)})
        needs_prompt = chosen.file is None and not options.get("staged")
        with (
            unseen() if needs_prompt else nullcontext()
        ):  # also hides what is pasted before the prompt
            return command(secret_input=chosen, **options)

    return with_value


def take(source: SecretInput, known: ServerSecret | None) -> ServerSecret:
    """Read the value; there is no prompt if the value could not be used.

    :raises Exception: as :func:`read` and :func:`parse`.
    """
    if source.file is None and source.app_id is None and known is None:
        raise _which_app_id()
    return parse(read(source.file), app_id=source.app_id, known=known)


def read(file: str | None) -> str:
    """The given text, without what a terminal, an editor or ``echo`` put around it.

    That is the marks of pasted text, a byte order mark, and one newline at the end. A ServerSecret
    contains none of them.

    :param file: a path, ``-`` for standard input; ``None``: prompt on the terminal, without echo.
    :raises CommandError: a prompt is impossible, or the file cannot be read as text.
    """
    if file is None:
        if not can_ask():
            raise InputError(
                "Cannot prompt for the value: standard input is not a terminal.",
                "Use --file PATH, or --file - for standard input.",
            )
        return ask_unseen("ServerSecret from ZEGO's console (not shown): ")
    if file == STANDARD_INPUT and can_ask():
        raise InputError(
            "Standard input is a terminal, which would show the value.",
            "Leave out --file: the prompt does not show it.",
        )
    try:
        if file == STANDARD_INPUT:
            if sys.stdin is None:
                raise InputError("Standard input is closed, so there is no value.")
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        name = file if 0 < len(file) <= _LONGEST_PATH else "The file"
        raise InputError(f"{name} cannot be read: {reason(error)}.") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"The value has more than {MAX_BYTES} bytes: it is not a ServerSecret.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:  # outside of the except block: the error above holds the value
        raise ServerSecretError("the value is not text in UTF-8")
    return text.removesuffix("\n").removesuffix("\r")


def parse(text: str, *, app_id: int | None, known: ServerSecret | None) -> ServerSecret:
    """Parse the JSON of Secrets Manager, or only the 32 characters from ZEGO's console.

    :param app_id: the user's AppID; ``None``: the known secret's.
    :param known: AWSCURRENT, or if that cannot be read, AWSPREVIOUS.
    :raises ServerSecretError: it cannot be a ServerSecret.
    :raises CommandError: its AppID is not known, or contradicts ``app_id``.
    """
    if text.lstrip().startswith("{"):
        secret = server_secret.parse(text)
        if app_id not in (None, secret.app_id):
            raise InputError(f"The value is for AppID {secret.app_id}, but --app-id is {app_id}.")
        return secret
    if app_id is None and known is not None:
        app_id = known.app_id
    if app_id is None:
        ServerSecret(1, text)  # a problem of the value itself comes first
        raise _which_app_id()
    return ServerSecret(app_id, text)


def _which_app_id() -> CommandError:
    return InputError(
        "The AppID is not known: neither AWSCURRENT nor AWSPREVIOUS has one.",
        "Copy it from ZEGO's console, and pass it with --app-id.",
    )
