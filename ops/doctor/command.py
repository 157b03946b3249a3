"""The command `zego-token doctor`. Keep imports light: ``--help`` loads no botocore."""

from __future__ import annotations

import re
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click

from ops.checklist.check import Check, checks_of, examine
from ops.errors import ExitCode
from ops.output import Output, output
from ops.prompt import read_bearer
from ops.target import TargetOptions, api_url, target

if TYPE_CHECKING:
    from ops.doctor.deployment import Deployment

_ORIGIN: Final = re.compile(r"https?://[0-9A-Za-z.-]+(:[0-9]{1,5})?|http://\[[0-9a-f:]+\](:\d+)?")


def _origins(
    _context: click.Context, _option: click.Parameter, origins: tuple[str, ...]
) -> tuple[str, ...]:
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise click.BadParameter(
                "write the origin as the browser sends it: https://calls.example.com (a scheme,"
                " a host and perhaps a port; no path, no slash at the end)."
            )
    return origins


@click.command(short_help="Check everything from the configuration to a token that ZEGO accepts.")
@target()
@click.option(
    "--api",
    metavar="URL",
    callback=api_url,
    help="The issuer's URL, for instance at your own domain.  [default: the output ApiUrl of the"
    " stack of --stage or --stack, or the local stack's]",
)
@click.option(
    "--app-id",
    type=click.IntRange(1, 2**32 - 1),
    metavar="NUMBER",
    help="The AppID that your clients use: the secret's must be the same.",
)
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PATH",
    help="The policy file that the issuer should run with; compared by SHA-256.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="ORIGIN",
    callback=_origins,
    help="Check whether pages of this origin may call the API (CORS), such as"
    " https://calls.example.com. May be repeated.",
)
@click.option(
    "--env-file",
    "env_files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="PATH",
    help="Check a .env that still contains ZEGO_APP_ID or ZEGO_SERVER_SECRET: is it the value in"
    " Secrets Manager? No value is shown. May be repeated.",
)
@click.option(
    "--user",
    metavar="ID",
    help="The user of the test token. The audit log shows the request.  [default: a new one,"
    " doctor_...]",
)
@click.option(
    "--room",
    metavar="ID",
    help="The room of the test token.  [default: a new one, doctor_...; with --bearer-file"
    " call_doctor_...]",
)
@click.option(
    "--bearer-file",
    type=click.File("rb"),
    metavar="PATH|-",
    help="Request the test token as a frontend does, with the bearer token in this file or on"
    " standard input, instead of with the AWS credentials.",
)
@click.option(
    "--without-secret",
    is_flag=True,
    help="Do not read the secret, as a deployment pipeline that may not: the issuer opens the test"
    " token (POST /v1/diagnose). A check that the credentials may not make then fails.",
)
@output
def doctor(
    target_options: TargetOptions,
    out: Output,
    user: str | None,
    bearer_file: IO[bytes] | None,
    without_secret: bool,
    **options: Any,
) -> ExitCode:
    """Check everything between the configuration and a token that ZEGO accepts.

    This checks AWS, the secret and its versions, ZEGO's verdict on each, the issuer and a token
    from it, and that what must be refused is refused. It shows how to fix each problem. It changes
    nothing and shows no secret and no token.

    Exit code: 0 if no check failed, even if there are warnings or skipped checks; 1 if one failed.
    """
    if bearer_file is not None and user is not None:
        raise click.UsageError(
            "--user cannot be combined with --bearer-file: the token names the user."
        )
    if without_secret and options["env_files"]:
        raise click.UsageError(
            "--env-file cannot be combined with --without-secret: it compares with the secret."
        )
    bearer = None if bearer_file is None else read_bearer(bearer_file)

    from ops.checklist.render import show  # noqa: PLC0415  imports rich
    from ops.doctor.deployment import Deployment, DoctorOptions  # noqa: PLC0415  imports botocore

    doctor_options = DoctorOptions(
        user=user, bearer=bearer, without_secret=without_secret, **options
    )
    deployment = Deployment(target_options, doctor_options)
    found = examine(deployment, checks(without_secret=without_secret))
    return show(out, str(target_options), found)


def checks(*, without_secret: bool = False) -> tuple[Check[Deployment], ...]:
    """All checks, from the configuration to what must be refused; or those without the secret."""
    from ops.doctor import (  # noqa: PLC0415  as above
        aws,
        env_files,
        incoming_calls,
        issuer,
        refusals,
        secret,
        token,
        zego,
    )

    if without_secret:
        return checks_of(aws, issuer, token, refusals)
    return checks_of(aws, secret, zego, issuer, token, refusals, incoming_calls, env_files)
