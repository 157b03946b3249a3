"""The commands of `zego-token secret`. Keep imports light: ``--help`` loads no botocore."""

from __future__ import annotations

from collections.abc import Callable

import click

from ops.errors import ExitCode
from ops.output import Output, output
from ops.prompt import confirmation
from ops.secret.value import SecretInput, secret_input
from ops.target import Command, TargetOptions, connected, target


@click.group()
def secret() -> None:
    """Stage a ServerSecret, rotate to it, show its status.

    The commands read a ServerSecret from a prompt, a file or standard input, never from an
    argument. They never show the secret, only its fingerprint.
    """


def _waits(command: Command) -> Command:
    """The options for waiting. The command gets ``wait`` and ``issuer_ttl``."""
    for_issuers = click.option(
        "--issuer-ttl",
        type=click.FloatRange(0, 3600),
        default=60,
        show_default=True,
        metavar="SECONDS",
        help="The issuers' SECRET_TTL_SECONDS: how soon all of them use the new secret.",
    )
    for_rotation = click.option(
        "--wait",
        type=click.FloatRange(0, 86400),
        default=300,
        show_default=True,
        metavar="SECONDS",
        help="How long to follow the rotation, which continues by itself.",
    )
    return for_rotation(for_issuers(command))


@secret.command(short_help="Stage a value for the next rotation.")
@secret_input
@target()
@output
def stage(target_options: TargetOptions, out: Output, secret_input: SecretInput) -> ExitCode:
    """Store a value under CANDIDATE, for the next rotation.

    The value is the 32 characters in ZEGO's console, or {"app_id", "server_secret"} in JSON. ZEGO
    may still reject it: once ZEGO accepts it and rejects AWSCURRENT, the watcher promotes it.
    """
    from ops.secret import change  # noqa: PLC0415  imports botocore

    with connected(target_options) as connection:
        change.stage(connection, out, secret_input)
    return ExitCode.DONE


@secret.command(short_help="Stage a value, rotate to it, follow each step.")
@secret_input
@click.option("--staged", is_flag=True, help="Rotate to the staged value, without a prompt.")
@click.option(
    "--compromised",
    is_flag=True,
    help="First mark the current value as compromised: it never becomes AWSCURRENT again.",
)
@_waits
@target()
@output
def rotate(
    target_options: TargetOptions,
    out: Output,
    secret_input: SecretInput,
    staged: bool,
    compromised: bool,
    wait: float,
    issuer_ttl: float,
) -> ExitCode:
    """Stage a value, rotate to it and follow each step.

    The value becomes AWSCURRENT only if ZEGO accepts it. If ZEGO rejects it right away, it stays
    staged and no rotation starts. Ctrl-C does not stop the rotation.

    If the current value has leaked, use --compromised. Without it, the watcher may promote the
    leaked value again: it does so if ZEGO rejects the new value and still accepts the leaked one.
    """
    from ops.secret import change  # noqa: PLC0415  imports botocore

    with connected(target_options) as connection:
        if staged and secret_input != SecretInput():
            raise click.UsageError("--staged cannot be combined with options that give a value.")
        source = None if staged else secret_input
        waits = change.WaitOptions(wait, issuer_ttl)
        return change.rotate(connection, out, source, waits, is_compromised=compromised)


@secret.command(short_help="Rotate back to AWSPREVIOUS.")
@confirmation
@_waits
@target()
@output
def restore(
    target_options: TargetOptions,
    out: Output,
    wait: float,
    issuer_ttl: float,
    confirm: Callable[[str], None],
) -> ExitCode:
    """Rotate back to AWSPREVIOUS, the value that was current before.

    The steps are those of `secret rotate`: ZEGO must accept the value. The staged value stays
    staged.
    """
    from ops.secret import change  # noqa: PLC0415  imports botocore

    with connected(target_options) as connection:
        return change.restore(connection, out, change.WaitOptions(wait, issuer_ttl), confirm)


@secret.command()
@confirmation
@target()
@output
def unstick(target_options: TargetOptions, out: Output, confirm: Callable[[str], None]) -> ExitCode:
    """Give up a rotation that does not end.

    This removes AWSPENDING from its version, so that another rotation can start. Then it checks
    for 20 s whether a step that was still running has promoted the version anyway.
    """
    from ops.secret.unstick import unstick as run  # noqa: PLC0415  imports botocore

    with connected(target_options) as connection:
        return run(connection, out, confirm)


@secret.command(short_help="Show versions, ZEGO's verdicts and drift.")
@target("many")
@output
def status(target_options: list[TargetOptions], out: Output) -> ExitCode:
    """Show the versions, ZEGO's verdict on each, and drift.

    With several stages, secrets, profiles or regions, this reads each secret with each profile in
    each region, and reports drift if AWSCURRENT is not the same everywhere.
    """
    from ops.secret.render import show_status  # noqa: PLC0415  imports botocore
    from ops.secret.status import read_all  # noqa: PLC0415  imports botocore

    report = read_all(target_options)
    show_status(out, report)
    return report.exit_code


@secret.command(short_help="Show each change, until Ctrl-C.")
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 86400),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="The time between two checks.",
)
@click.option(
    "--count",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="How many checks.  [default: no limit]",
)
@target()
@output
def watch(
    target_options: TargetOptions, out: Output, interval: float, count: int | None
) -> ExitCode:
    """Show each change when it is found, until Ctrl-C (exit code 0).

    It shows changes of labels, ZEGO's verdicts, a rotation's steps and the watcher's notes.
    """
    from ops.secret.status import read_status  # noqa: PLC0415  imports botocore
    from ops.secret.watch import watch as run  # noqa: PLC0415  imports botocore

    try:
        with connected(target_options) as connection:
            run(out, lambda: read_status(connection), every_seconds=interval, count=count)
    except KeyboardInterrupt:
        return ExitCode.DONE
    return ExitCode.DONE
