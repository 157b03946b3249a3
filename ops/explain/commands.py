"""The command `zego-token explain`: what it says of itself, and nothing slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ops.errors import ExitCode
from ops.output import output
from zego.error_codes import PLATFORMS, Platform

if TYPE_CHECKING:
    from ops.output import Output


@click.command()
@click.argument("given", nargs=-1, metavar="CODE...")
@click.option("--all", "all_codes", is_flag=True, help="List every code that is known.")
@click.option(
    "--platform", type=click.Choice(PLATFORMS), help="List those of one platform alone (--all)."
)
@output
def explain(
    given: tuple[str, ...], all_codes: bool, platform: Platform | None, out: Output
) -> ExitCode:
    """Say why ZEGO shows an error code, and what to do.

    A CODE is what an SDK, its log, its telemetry or the server API shows, as it was copied: 20014,
    52050119, "code: 50119", "Error 1102016", 20014,50119. Of a copied sentence the codes count.

    Exit code: 0 if all are known; 1 if one is not, and then codes are named that may have been
    meant; 2 if no code was given.
    """
    from ops.explain import pasted, screen  # noqa: PLC0415  not needed for --help

    if all_codes:
        if given:
            raise click.UsageError("--all lists every code: give it no CODE.")
        screen.show_all(out, platform)
        return ExitCode.DONE
    if platform is not None:
        raise click.UsageError("--platform goes with --all.")
    codes = pasted.codes(given)
    if not codes:
        raise click.UsageError("Which code? Give what the client shows, or --all.")
    return screen.show(out, codes)
