"""The command `zego-token scan`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Final

import click

from ops.errors import ExitCode
from ops.inspect.secrets import SOURCE_OPTIONS, SecretSource, gather, secret_source
from ops.output import Output, output
from ops.prompt import STANDARD_INPUT, unseen
from ops.scan import report
from ops.scan.files import Tree
from ops.target import TargetOptions, target

_NO_PATH: Final = "Missing argument 'PATH...'."
#: Of options with these names.
_TOOK_IT: Final = " {} takes the next word as its value: put PATH first."
_TAKERS: Final = ("secret_file", "secret_id")


class _Paths(click.Argument):
    def process_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            takers = [f"--{name.replace('_', '-')}" for name in _TAKERS if ctx.params.get(name)]
            why = _TOOK_IT.format(takers[0]) if takers else ""
            raise click.UsageError(f"{_NO_PATH}{why}", ctx) from None


@click.command()
@click.argument("paths", cls=_Paths, nargs=-1, required=True, metavar="PATH...")
@target("optional", unless=SOURCE_OPTIONS)
@secret_source
@click.option(
    "--app-id",
    type=click.IntRange(1, 2**32 - 1),
    metavar="NUMBER",
    help="The AppID, so that fingerprints match `secret status`.  [default: the secret's]",
)
@click.option("--dependencies", is_flag=True, help="Also scan node_modules and similar folders.")
@click.option("--all", "show_all", is_flag=True, help="Also show findings that are only possible.")
@output
def scan(
    target_options: TargetOptions | None,
    out: Output,
    source: SecretSource,
    paths: tuple[str, ...],
    app_id: int | None,
    show_all: bool,
    dependencies: bool,
) -> ExitCode:
    """Find secrets in a built frontend or a repository.

    PATH is a file, a folder, or - for standard input.

    \b
    certain   the secret itself: as it is, in base64, in hex,
              in pieces ...
    likely    32 or 64 hex digits whose name or use marks
              them as a ServerSecret or an AppSign;
              32 characters in a call of one of ZEGO's token
              generators; a secret's name behind
              NEXT_PUBLIC_, VITE_ and similar prefixes;
              tokens that are made in the browser
    possible  32 or 64 hex digits without such a mark

    The secret itself, under all labels, is only searched for if --stage, --stack, --secret-id,
    --local, --secret-file or --ask-secret names one. The command never shows what it finds, only
    its fingerprint. (If the AppID is not known, it shows another digest instead.) A finding that
    is not certain is ignored if zego-token:ignore follows it on its line.

    Exit code: 1 if anything certain or likely is found; 3 if nothing is, but something could not be
    read; 0 otherwise.
    """
    if STANDARD_INPUT in paths and source.is_on_standard_input:
        raise click.UsageError(
            "The data to scan and the secret cannot both come from standard input."
        )
    tree = Tree(paths, dependencies=dependencies)
    with unseen() if source.has_prompt else nullcontext():  # also hides what is pasted early
        tried = gather(target_options, source)
    secrets = report.SecretValues.of(tried, app_id)
    return report.scan(out, tree, secrets, show_all=show_all, options=tried.target)
