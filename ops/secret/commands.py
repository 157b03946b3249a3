"""The commands of `zego-token secret`: what they say of themselves, and nothing slow to import."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ops.exit_codes import ExitCode
from ops.options import Wanted, confirmation, one_target, output, several_targets
from ops.secret.options import Given, Patience, patience, value_given

if TYPE_CHECKING:
    from ops.output import Output
    from ops.targets import Target


@click.group()
def secret() -> None:
    """Stage a ServerSecret, rotate to it, see how it stands.

    A ServerSecret is asked for, or read from a file or standard input. It is never an argument,
    and never shown: a fingerprint stands for it.
    """


@secret.command()
@value_given
@one_target
@output
def stage(target: Target, out: Output, given: Given) -> ExitCode:
    """Store a value under CANDIDATE, for the next rotation.

    The value is the 32 characters in ZEGO's console, or {"app_id", "server_secret"} in JSON. It may
    be one that ZEGO still rejects: once ZEGO accepts it and rejects AWSCURRENT, the watcher
    promotes it.
    """
    from ops.secret import change  # noqa: PLC0415  slow

    change.stage(target, out, given)
    return ExitCode.DONE


@secret.command()
@value_given
@click.option("--staged", is_flag=True, help="Rotate to what is staged, and ask for no value.")
@click.option(
    "--compromised",
    is_flag=True,
    help="Mark the present value as compromised first: it never becomes AWSCURRENT again.",
)
@patience
@one_target
@output
def rotate(
    target: Target,
    out: Output,
    given: Given,
    staged: bool,
    compromised: bool,
    patience: Patience,
) -> ExitCode:
    """Stage a value, rotate to it, follow each step to the end.

    It becomes AWSCURRENT only if ZEGO accepts it. A value that ZEGO rejects right away stays
    staged, and no rotation is started. Ctrl-C does not stop the rotation.

    If the present value has leaked, use --compromised. Otherwise the watcher promotes it again
    when ZEGO rejects the new value and still accepts the old one.
    """
    from ops.secret import change  # noqa: PLC0415  slow

    if staged and given != Given():
        raise click.UsageError("--staged cannot be combined with options that give a value.")
    return change.rotate(
        target, out, None if staged else given, patience, is_compromised=compromised
    )


@secret.command()
@confirmation
@patience
@one_target
@output
def restore(
    target: Target, out: Output, patience: Patience, confirm: Callable[[str], None]
) -> ExitCode:
    """Rotate back to AWSPREVIOUS, the value that was current before.

    It goes through the same steps: ZEGO has to accept it. What is staged stays staged.
    """
    from ops.secret import change  # noqa: PLC0415  slow

    return change.restore(target, out, patience, confirm)


@secret.command()
@confirmation
@one_target
@output
def unstick(target: Target, out: Output, confirm: Callable[[str], None]) -> ExitCode:
    """Give up a rotation that does not end.

    Takes AWSPENDING off its version, so that another rotation can begin. Then it checks for 20 s
    whether a step that was still running has promoted the version all the same.
    """
    from ops.secret.unstick import unstick as run  # noqa: PLC0415  slow

    return run(target, out, confirm)


@secret.command()
@several_targets
@output
def status(wanted: list[Wanted], out: Output) -> ExitCode:
    """Show the versions, ZEGO's verdict on each, and drift.

    With several stages, secrets, profiles or regions, each secret is looked at with each profile
    in each region, and it is a drift if AWSCURRENT is not the same everywhere.
    """
    from ops.secret import report, screen  # noqa: PLC0415  slow

    seen = report.look_at_all(wanted)
    screen.show_status(out, seen)
    return seen.exit_code


@secret.command()
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 86400),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="From one look to the next.",
)
@click.option(
    "--count", type=click.IntRange(1), metavar="NUMBER", help="How many looks.  [default: no end]"
)
@one_target
@output
def watch(target: Target, out: Output, interval: float, count: int | None) -> ExitCode:
    """Say what changes, a line each, until Ctrl-C, which ends it with 0.

    Labels, ZEGO's verdicts, a rotation's steps, what the watcher noted.
    """
    from ops.secret import report  # noqa: PLC0415  slow
    from ops.secret.watch import watch as run  # noqa: PLC0415  slow

    try:
        run(out, lambda: report.look(target), every_seconds=interval, count=count)
    except KeyboardInterrupt:
        return ExitCode.DONE
    return ExitCode.DONE
