"""The command `zego-token inspect`."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any, Final

import click

from ops.errors import ExitCode
from ops.inspect import report, tokens
from ops.inspect.codes import SeenCode, SeenCodeType
from ops.inspect.secrets import SOURCE_OPTIONS, SecretSource, gather, secret_source
from ops.moment import MomentType
from ops.output import Output, output
from ops.prompt import unseen
from ops.target import TargetOptions, target
from zego.diagnosis.model import Expected

_MISTAKEN: Final = (
    "{} takes the next word as its value, but here it is a token: put the token first."
)


@click.command()
@click.argument("token", required=False, metavar="[TOKEN | - | FILE]")
@target("optional", unless=SOURCE_OPTIONS)
@secret_source
@click.option("--expect-user", metavar="ID", help="The user id with which the client logs in.")
@click.option("--expect-room", metavar="ID", help="The room that the client logs in to.")
@click.option(
    "--expect-app",
    type=click.IntRange(1, 2**32 - 1),
    metavar="NUMBER",
    help="The AppID with which the client creates its engine.",
)
@click.option("--expect-publish", is_flag=True, help="The client publishes a stream in that room.")
@click.option(
    "--sdk",
    type=click.Choice(["any", "web", "native", "zim", "uikit"]),
    default="any",
    show_default=True,
    help="The ZEGO SDK that the client uses.",
)
@click.option(
    "--code",
    "codes",
    type=SeenCodeType(),
    multiple=True,
    metavar="NUMBER",
    help="A code that the client showed: report whether the token explains it. May be repeated.",
)
@click.option(
    "--now",
    type=MomentType(),
    metavar="TIME",
    help="When ZEGO refused the token: Unix seconds, or ISO 8601 in UTC.  [default: now]",
)
@output
def inspect(
    token: str | None,
    target_options: TargetOptions | None,
    source: SecretSource,
    expect_user: str | None,
    expect_room: str | None,
    expect_app: int | None,
    expect_publish: bool,
    sdk: Any,
    codes: tuple[SeenCode, ...],
    now: float | None,
    out: Output,
) -> ExitCode:
    """Explain why ZEGO refuses a token, or would, and what to do about it.

    Without TOKEN, the command reads standard input if it is a pipe, and otherwise prompts for the
    token without showing it. Other users of this machine can read arguments, and the shell keeps
    them in its history: pass a token that is still valid with -, in a FILE or at the prompt. Text
    that begins like a token (04AAA, eyJ) is never opened as a file.

    A file or standard input may contain many tokens, one per line; the report then has one line per
    token. A damaged token that is broken over several lines counts as one.

    To open a token, the command tries the secrets of Secrets Manager, under all labels, if --stage,
    --stack, --secret-id or --local names one, and the secret of --secret-file or --ask-secret.
    Without a secret, it reports what can be read without one.

    Exit code: 0 if all tokens are valid; 1 if ZEGO refuses one; 3 if none is refused, but one was
    not opened, so its verdict is unknown; 2 if there is no token.
    """
    named = target_options or TargetOptions()
    values = {
        "--secret-file": source.file,
        "--stack": named.stack,
        "--secret-id": named.secret_id,
        "--local": named.local,
    }
    for option, value in values.items():
        if value is not None and tokens.begins(str(value)):
            raise click.UsageError(_MISTAKEN.format(option))
    from_standard_input = tokens.is_standard_input(token)
    if from_standard_input and source.is_on_standard_input:
        raise click.UsageError(
            "Tokens and secret cannot both come from standard input: put one of them in a file."
        )
    expected = Expected(
        now or 0.0,
        expect_app,
        expect_user,
        expect_room,
        expect_publish or None,
        None if sdk == "any" else sdk,
    )
    asks = source.has_prompt or (token is None and not from_standard_input)
    with unseen() if asks else nullcontext():  # also hides what is pasted before the prompt
        secrets = gather(target_options, source)
        clock = time.time if now is None else None
        return report.inspect(
            out, tokens.read(token), secrets, expected, dict.fromkeys(codes), clock=clock
        )
