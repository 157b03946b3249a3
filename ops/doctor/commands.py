"""What `zego-token doctor` says of itself, and nothing slow to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ops.doctor.options import DoctorOptions, asked
from ops.errors import ExitCode
from ops.output import output
from ops.target import TargetOptions, target

if TYPE_CHECKING:
    from ops.output import Output


@click.command(short_help="Check all from the configuration to a token that ZEGO accepts.")
@target()
@asked
@output
def doctor(target_options: TargetOptions, asked: DoctorOptions, out: Output) -> ExitCode:
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

    deployment = Deployment(target_options, asked)
    return show(out, deployment.name, examine(deployment, CHECKS))
