"""The command `zego-token inspect`: what it says of itself, and nothing slow to import."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

import click

from ops.errors import ExitCode
from ops.inspect.options import SECRET_OPTIONS, GivenSecret, expectations, secret_given
from ops.output import output
from ops.prompt import unseen
from ops.target import TargetOptions, target

if TYPE_CHECKING:
    from ops.output import Output
    from zego.diagnosis import Expected

_MISTAKEN: Final = (
    "--secret-file and --local take the word that follows as a path, and that is a token here: put"
    " the token first."
)


@click.command()
@click.argument("token", required=False, metavar="[TOKEN | - | FILE]")
@target("optional", unless=SECRET_OPTIONS)
@secret_given
@expectations
@output
def inspect(
    token: str | None,
    target_options: TargetOptions | None,
    secret: GivenSecret,
    expected: Expected,
    is_fixed: bool,
    out: Output,
) -> ExitCode:
    """Say why ZEGO refuses a token, or would, and what to do.

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
    from ops.inspect import candidates, report, tokens  # noqa: PLC0415  slow

    local = None if target_options is None else target_options.local
    if tokens.begins(secret.file or "") or (local and tokens.begins(str(local))):
        raise click.UsageError(_MISTAKEN)
    from_standard_input = tokens.is_standard_input(token)
    if from_standard_input and secret.is_on_standard_input:
        raise click.UsageError(
            "Tokens and secret cannot both come from standard input: give one of them by a file."
        )
    asks = secret.is_asked_for or (token is None and not from_standard_input)
    with unseen() if asks else nullcontext():  # also what is pasted before the prompt
        return report.inspect(
            out,
            tokens.read(token),
            candidates.gather(target_options, secret.file, is_asked_for=secret.is_asked_for),
            expected,
            clock=None if is_fixed else time.time,
        )
