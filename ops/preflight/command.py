"""The command `zego-token preflight`. Keep imports light: ``--help`` loads no botocore."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ops.checklist.check import Check, checks_of, examine
from ops.errors import ExitCode, InputError
from ops.output import Output, output

if TYPE_CHECKING:
    from ops.preflight.plan import Plan


def _completed(_context: object, _option: object, typed: str) -> list[str]:
    from ops.preflight.plan import environments  # noqa: PLC0415  imports botocore

    with suppress(InputError):
        return [name for name in environments(Path.cwd()) if name.startswith(typed)]
    return []


@click.command(short_help="Check an environment and its AWS account before it is deployed.")
@click.option(
    "--stage",
    "environment",
    required=True,
    metavar="NAME",
    shell_complete=_completed,
    help="The environment of samconfig.toml to check, such as prod.",
)
@click.option("--profile", help="The AWS profile.")
@output
def preflight(out: Output, environment: str, profile: str | None) -> ExitCode:
    """Check an environment of samconfig.toml and its AWS account before `make deploy`.

    This checks everything that would stop a deployment, leave it without alarms or open to the
    wrong callers, and shows how to fix each problem. It changes nothing. Of secret values it reads
    only the shared keys of the access policy, to check them, if the credentials may.
    It reads samconfig.toml, the template and the access policy, so it needs a checkout: use it in
    its root.

    Exit code: 0 if no check failed, even if there are warnings or skipped checks; 1 if one failed.
    A check without its permission is skipped, and names the permission.
    """
    from ops.checklist.render import show  # noqa: PLC0415  imports rich
    from ops.preflight.plan import Environment, Plan  # noqa: PLC0415  imports botocore

    plan = Plan(Environment.read(Path.cwd(), environment), profile)
    return show(out, f"--stage {environment}", examine(plan, checks()))


def checks() -> tuple[Check[Plan], ...]:
    """All checks, from the account to this machine."""
    from ops.preflight import (  # noqa: PLC0415  as above
        alarms,
        aws,
        incoming_calls,
        secret,
        settings,
        shared_keys,
        stack,
        tools,
    )

    return checks_of(aws, settings, stack, secret, shared_keys, incoming_calls, alarms, tools)
