"""The commands of `zego-token policy`. Keep imports light: ``--help`` loads no botocore."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from ops.errors import ExitCode, InputError
from ops.output import Output, output
from zego import DEPLOYED_STAGES

_FOLDER: Final = Path("functions", "issuer", "policies")


@click.group()
def policy() -> None:
    """Check and try access policies (docs/access-policy.md)."""


@policy.command(short_help="Check policy files, and run their examples.")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option(
    "--stage",
    "stages",
    type=click.Choice(DEPLOYED_STAGES),
    multiple=True,
    help=f"Check {_FOLDER}/<stage>.toml. May be repeated.",
)
@click.option("--strict", is_flag=True, help="Fail if there are warnings, too.")
@output
def check(
    files: tuple[Path, ...], stages: tuple[str, ...], out: Output, *, strict: bool
) -> ExitCode:
    """Check access policies as the service does when it starts, and run their examples.

    Warnings are about what is valid and probably not meant, such as a bound that bounds nothing.

    Exit code: 0 if all policies are valid and all examples pass; otherwise 1.
    """
    named = [*files, *(stage_file(stage) for stage in stages)]
    if not named:
        raise click.UsageError("Name a policy file, or use --stage.")
    from ops.policy.check import check_all  # noqa: PLC0415  imports the policy's reader

    return check_all(out, named, strict=strict)


def stage_file(stage: str) -> Path:
    """The policy of a stage in this checkout.

    :raises InputError: the working directory has no such file.
    """
    path = _FOLDER / f"{stage}.toml"
    if not path.is_file():
        raise InputError(
            f"{path} does not exist here.", "Run the command in the checkout, or name the file."
        )
    return path
