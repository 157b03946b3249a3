"""The command `zego-token scan`."""

from __future__ import annotations

from contextlib import nullcontext

import click

from ops.errors import ExitCode
from ops.inspect.secrets import SOURCE_OPTIONS, SecretSource, gather, secret_source
from ops.output import Output, output
from ops.prompt import STANDARD_INPUT, unseen
from ops.scan import report
from ops.scan.files import Tree
from ops.target import TargetOptions, target


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@target("optional", unless=SOURCE_OPTIONS)
@secret_source
@click.option(
    "--app-id",
    type=click.IntRange(1, 2**32 - 1),
    metavar="NUMBER",
    help="The AppID, so that fingerprints are those of `secret status`.  [default: the secret's]",
)
@click.option("--dependencies", is_flag=True, help="Look into node_modules and such as well.")
@click.option("--all", "show_all", is_flag=True, help="Show what is only possible as well.")
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
    """Find secrets in a built front end or a repository.

    PATH is a file, a folder, or - for standard input.

    \b
    certain   the secret itself: as it is, in base64, in hex, in pieces ...
    likely    digits that a name or a call makes a ServerSecret or an AppSign;
              a secret's name behind NEXT_PUBLIC_, VITE_ and the like;
              tokens that are minted in the browser
    possible  32 or 64 hex digits of which nothing more is known

    The secret itself, under all labels, is looked for where --stage, --secret-id, --local or the
    like names one. Nothing that is found is shown: a fingerprint stands for it, or, where the AppID
    is not known, a digest that is no fingerprint. What is not certain is none where
    zego-token:ignore stands behind it on its line.

    Exit code: 1 if anything certain or likely is found; 3 if nothing is, but not all could be read;
    0 otherwise.
    """
    if STANDARD_INPUT in paths and source.is_on_standard_input:
        raise click.UsageError(
            "What is to be looked at and the secret cannot both come from standard input."
        )
    tree = Tree(paths, dependencies=dependencies)
    with unseen() if source.is_asked_for else nullcontext():  # also what is pasted early
        tried = gather(target_options, source)
    secrets = report.SecretValues.of(tried, app_id)
    return report.scan(out, tree, secrets, show_all=show_all, options=tried.target)
