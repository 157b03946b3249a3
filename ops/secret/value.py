"""The value that a person gives: from a prompt, standard input or a file, and from nowhere else.

Arguments and the environment can be read by other processes, and a shell keeps its history.
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

#: More than any of the forms needs.
MAX_BYTES: Final = 4096

#: What is longer may be a token in the place of a path, and is not shown.
_LONGEST_PATH: Final = 100


@dataclass(frozen=True, slots=True)
class SecretInput:
    """A value as the options give it.

    :ivar file: see :func:`read`.
    :ivar require_accepted: stage only what ZEGO accepts right now.
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
    def with_value(**options: Any) -> ExitCode:
        chosen = SecretInput(**{one.name: options.pop(one.name) for one in fields(SecretInput)})
        is_asked_for = chosen.file is None and not options.get("staged")
        with unseen() if is_asked_for else nullcontext():  # also what is pasted before the prompt
            return command(secret_input=chosen, **options)

    return with_value


def take(source: SecretInput, known: ServerSecret | None) -> ServerSecret:
    """Read the value; nobody is asked for one that could not be taken.

    :raises Exception: as :func:`read` and :func:`parse`.
    """
    if source.file is None and source.app_id is None and known is None:
        raise _which_app_id()
    return parse(read(source.file), app_id=source.app_id, known=known)


def read(file: str | None) -> str:
    """The text that was given, without what a terminal, an editor or ``echo`` put around it.

    These are the marks of a pasted text, a byte order mark, and one newline at the end, none of
    which can be of a ServerSecret.

    :param file: a path, ``-`` for standard input; ``None``: ask for it on the terminal, unseen.
    :raises CommandError: there is nobody to ask, or the file cannot be read as text.
    """
    if file is None:
        if not can_ask():
            raise InputError(
                "The value cannot be asked for: standard input is not a terminal.",
                "Give it with --file PATH, or --file - for standard input.",
            )
        return ask_unseen("ServerSecret of ZEGO's console (not shown): ")
    if file == STANDARD_INPUT and can_ask():
        raise InputError(
            "Standard input is a terminal, which would show the value.",
            "Leave --file out: it is asked for, and not shown.",
        )
    try:
        if file == STANDARD_INPUT:
            if sys.stdin is None:
                raise InputError("Standard input is closed: there is no value on it.")
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        name = file if 0 < len(file) <= _LONGEST_PATH else "The file"
        raise InputError(f"{name} cannot be read: {reason(error)}.") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"The value has more than {MAX_BYTES} bytes: that is another file.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ServerSecretError("the value is not text in UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def parse(text: str, *, app_id: int | None, known: ServerSecret | None) -> ServerSecret:
    """Read the JSON that Secrets Manager holds, or the 32 characters of ZEGO's console alone.

    :param app_id: as the person gave it; without it, that of a secret that is known.
    :param known: AWSCURRENT, or if that cannot be read, AWSPREVIOUS.
    :raises ServerSecretError: it cannot be a ServerSecret.
    :raises CommandError: for which AppID it is, is not known, or said twice and differently.
    """
    if text.lstrip().startswith("{"):
        secret = server_secret.parse(text)
        if app_id not in (None, secret.app_id):
            raise InputError(f"The value is for AppID {secret.app_id}, and --app-id says {app_id}.")
        return secret
    if app_id is None and known is not None:
        app_id = known.app_id
    if app_id is None:
        ServerSecret(1, text)  # what is wrong with the value itself comes first
        raise _which_app_id()
    return ServerSecret(app_id, text)


def _which_app_id() -> CommandError:
    return InputError(
        "For which AppID? AWSCURRENT and AWSPREVIOUS hold none.",
        "Copy it from ZEGO's console, and give it with --app-id.",
    )
