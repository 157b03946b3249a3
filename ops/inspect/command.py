"""The command `zego-token inspect`."""

from __future__ import annotations

import re
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, Final

import click

from ops.errors import ExitCode
from ops.inspect import report, tokens
from ops.inspect.secrets import SOURCE_OPTIONS, SecretSource, gather, secret_source
from ops.output import Output, output
from ops.prompt import unseen
from ops.target import TargetOptions, target
from zego.diagnosis.model import Expected

_MISTAKEN: Final = (
    "--secret-file and --local take the word that follows as a path, and that is a token here: put"
    " the token first."
)
#: From 1973 on: what is shorter is a year, or a date without dashes.
_SECONDS: Final = re.compile(r"[0-9]{9,11}(\.[0-9]{1,6})?")


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


@click.command()
@click.argument("token", required=False, metavar="[TOKEN | - | FILE]")
@target("optional", unless=SOURCE_OPTIONS)
@secret_source
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
    now: float | None,
    out: Output,
) -> ExitCode:
    """Explain why ZEGO refuses a token, or would, and what to do about it.

    Without a TOKEN it is read from standard input if that is piped, else asked for, unseen. An
    argument can be read by other users of this machine and stays in the shell's history: give what
    is still valid by -, by a FILE or when it is asked for. What begins as a token does (04AAA, eyJ)
    is never opened as a file.

    A file, or standard input, may hold many tokens, one a line; of many each has a line of the
    report. A damaged one that is broken over lines is seen as one.

    Secrets to open it with are those of Secrets Manager, under all labels, where --stage,
    --secret-id or --local names one, and the one of --secret-file or --ask-secret. Without any,
    all is said that can be known without.

    Exit code: 0 if ZEGO takes all of them; 1 if one is refused; 3 if none is, but one was not
    opened, so that it cannot be said; 2 if there is no token.
    """
    local = None if target_options is None else target_options.local
    if tokens.begins(source.file or "") or (local and tokens.begins(str(local))):
        raise click.UsageError(_MISTAKEN)
    from_standard_input = tokens.is_standard_input(token)
    if from_standard_input and source.is_on_standard_input:
        raise click.UsageError(
            "Tokens and secret cannot both come from standard input: give one of them by a file."
        )
    expected = Expected(
        now or 0.0, expect_app, expect_user, expect_room, expect_publish or None, sdk
    )
    asks = source.is_asked_for or (token is None and not from_standard_input)
    with unseen() if asks else nullcontext():  # also what is pasted before the prompt
        secrets = gather(target_options, source)
        clock = time.time if now is None else None
        return report.inspect(out, tokens.read(token), secrets, expected, clock=clock)
