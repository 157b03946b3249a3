"""The commands of `zego-token local`: what other programs need to use the local stack."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from ops.errors import ExitCode
from ops.target import STACK_FILE, local_environment


@click.group()
def local() -> None:
    """Use the local stack from your own programs."""


@local.command(short_help="Print the shell commands that point a backend at the local stack.")
@click.argument(
    "path", required=False, default=STACK_FILE, type=click.Path(path_type=Path), metavar="[PATH]"
)
def env(path: Path) -> ExitCode:
    """Print the shell commands that point a backend at the local stack: its URL and credentials.

    PATH is the stack's stack.json or the folder with it; by default .local/stack.json. In bash or
    zsh, set the variables with

    \b
        eval "$(zego-token local env)"

    The credentials change at each start of the stack, and only that stack accepts them.

    Exit code: 0, or 5 if no stack is running.
    """
    variables = local_environment(path)
    if sys.stdout.isatty():
        print('To set these variables: eval "$(zego-token local env)"', file=sys.stderr)
    print("unset AWS_PROFILE AWS_SESSION_TOKEN")  # some SDKs prefer a profile
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
    return ExitCode.DONE
