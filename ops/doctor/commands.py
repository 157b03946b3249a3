"""What `zego-token doctor` says of itself, and nothing slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ops.doctor.options import Asked, asked
from ops.exit_codes import ExitCode
from ops.options import Wanted, one_wanted, output

if TYPE_CHECKING:
    from ops.output import Output


@click.command(short_help="Check all from the configuration to a token that ZEGO accepts.")
@one_wanted
@asked
@output
def doctor(wanted: Wanted, asked: Asked, out: Output) -> ExitCode:
    """Check everything between the configuration and a token that ZEGO accepts.

    AWS, the secret and its versions, ZEGO's verdict on each, the issuer, a token made by it; and
    what to do where something is not well. Nothing is changed. No value and no token is shown.

    Exit code: 0 if nothing has failed, whatever the warnings, and whatever could not be looked at;
    1 if something has.
    """
    from ops.doctor.check import examine  # noqa: PLC0415  slow
    from ops.doctor.checks import CHECKS  # noqa: PLC0415  likewise
    from ops.doctor.deployment import Deployment  # noqa: PLC0415  likewise
    from ops.doctor.screen import show  # noqa: PLC0415  likewise

    deployment = Deployment(wanted, asked)
    return show(out, deployment.name, examine(deployment, CHECKS))
