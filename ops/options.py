"""The options that commands share, each as a decorator that hands over what the option means.

Nothing slow is imported here before a command runs.
"""

from __future__ import annotations

import functools
import itertools
import os
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from ops.exit_codes import ExitCode
from ops.failures import CommandError
from ops.streams import can_ask

SECRET_ID_VARIABLE: Final = "ZEGO_TOKEN_SECRET_ID"  # noqa: S105  a name
STACK_FILE: Final = Path(".local", "stack.json")
STAGES: Final = ("dev", "staging", "prod")

Command = Callable[..., ExitCode]

_ABOUT_ONE: Final = "This is about one secret: give --stage or --secret-id, and each option once."


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which secret is meant, as the options say it.

    :ivar stage: whose stack names the secret.
    :ivar local: the file in which a running local stack says where it is.
    :ivar zego_api: where to ask for verdicts; ``None``: ZEGO, or the local stack's stand-in.
    """

    secret_id: str | None = None
    stage: str | None = None
    profile: str | None = None
    region: str | None = None
    local: Path | None = None
    zego_api: str | None = None

    def __str__(self) -> str:
        """As options, to be copied into another command."""
        options = {
            "--local": None if self.local is None else str(self.local),
            "--stage": self.stage,
            "--secret-id": self.secret_id,
            "--profile": self.profile,
            "--region": self.region,
            "--zego-api": self.zego_api,
        }
        words = [word for name, given in options.items() if given for word in (name, given)]
        return shlex.join(words)


def one_wanted(command: Command) -> Command:
    """Options that name one secret; the command gets what they say as ``wanted``."""

    @functools.wraps(command)
    def with_wanted(**options: Any) -> ExitCode:
        return command(wanted=_the_one(options), **options)

    return _target_options(with_wanted, several=False)


def one_target(command: Command) -> Command:
    """The same; the command gets the secret itself as ``target``."""

    @functools.wraps(command)
    def with_target(**options: Any) -> ExitCode:
        wanted = _the_one(options)
        from ops.explanations import explain  # noqa: PLC0415  slow
        from ops.paragraphs import copyable  # noqa: PLC0415  likewise
        from ops.targets import connect  # noqa: PLC0415  likewise
        from zego.secret_store.versions import SecretStoreError  # noqa: PLC0415  likewise

        target = connect(wanted)
        try:
            return command(target=target, **options)
        except (CommandError, SecretStoreError) as error:
            failure = explain(error)
            remedy = copyable(failure.remedy, target.name)
            raise CommandError(failure.message, remedy, failure.exit_code) from None

    return _target_options(with_target, several=False)


def several_targets(command: Command) -> Command:
    """Options that may be repeated; the command gets their combinations as ``wanted``."""

    @functools.wraps(command)
    def with_several(**options: Any) -> ExitCode:
        return command(wanted=_combinations(options), **options)

    return _target_options(with_several, several=True)


def optional_target(*, unless: Collection[str]) -> Callable[[Command], Command]:
    """Options that may name one secret; the command gets a :class:`Wanted`, or none, as ``wanted``.

    :param unless: options of the command, each of which has the environment name no secret.
    """

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def with_optional(**options: Any) -> ExitCode:
            in_environment = not any(options[name] for name in unless)
            wanted = _combinations(options, is_required=False, in_environment=in_environment)
            if len(wanted) > 1:
                raise click.UsageError(_ABOUT_ONE)
            return command(wanted=wanted[0] if wanted else None, **options)

        return _target_options(with_optional, several=False, asks_zego=False)

    return decorate


def output(command: Command) -> Command:
    """`--json`; the command gets an :class:`ops.output.Output` as ``out``."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
    @functools.wraps(command)
    def with_output(*, as_json: bool, **options: Any) -> ExitCode:
        from ops.output import Output  # noqa: PLC0415  slow

        return command(out=Output(as_json=as_json), **options)

    return with_output


def confirmation(command: Command) -> Command:
    """`--yes`; the command gets ``confirm``, which asks, and raises where the answer is no."""

    @click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
    @functools.wraps(command)
    def with_confirmation(*, yes: bool, **options: Any) -> ExitCode:
        return command(confirm=_agreed if yes else _confirm, **options)

    return with_confirmation


def _agreed(_question: str) -> None:
    """`--yes`."""


def _confirm(question: str) -> None:
    if not can_ask():
        raise CommandError(
            "This asks for confirmation, and standard input is not a terminal.",
            "Give --yes.",
            ExitCode.USAGE,
        )
    if not click.confirm(question, err=True):
        raise CommandError("Nothing was changed.", "", ExitCode.INTERRUPTED)


def _target_options(command: Command, *, several: bool, asks_zego: bool = True) -> Command:
    more = " May be repeated." if several else ""
    if asks_zego:
        command = click.option(
            "--zego-api",
            metavar="URL",
            help="Where to ask for ZEGO's verdict.  [default: ZEGO, or the local stack's stand-in]",
        )(command)
    for option in (
        click.option(
            "--local",
            type=click.Path(path_type=Path),
            is_flag=False,
            flag_value=str(STACK_FILE),
            metavar="[PATH]",
            help=f"The local stack that runs (make run); it is described in {STACK_FILE}.",
        ),
        click.option("--region", multiple=True, help=f"The AWS region.{more}"),
        click.option("--profile", multiple=True, help=f"The AWS profile.{more}"),
        click.option(
            "--secret-id",
            multiple=True,
            metavar="ARN|NAME",
            help=f"The secret itself; without it, what {SECRET_ID_VARIABLE} says.{more}",
        ),
        click.option(
            "--stage",
            type=click.Choice(STAGES),
            multiple=True,
            help=f"The secret of the stack zego-token-service-<stage>.{more}",
        ),
    ):
        command = option(command)
    return command


def _the_one(options: dict[str, Any]) -> Wanted:
    """:raises UsageError: the options name several."""
    wanted = _combinations(options)
    if len(wanted) > 1:
        raise click.UsageError(_ABOUT_ONE)
    return wanted[0]


def _combinations(
    options: dict[str, Any], *, is_required: bool = True, in_environment: bool = True
) -> list[Wanted]:
    """What the options name; it is taken out of them. Where none is required it may be nothing."""
    stages, secret_ids, profiles, regions = (
        list(options.pop(name)) for name in ("stage", "secret_id", "profile", "region")
    )
    local, zego_api = options.pop("local"), options.pop("zego_api", None)
    if local is not None:
        if stages or profiles or regions:
            raise click.UsageError("--local goes with none of --stage, --profile and --region.")
        return [Wanted(one, local=local, zego_api=zego_api) for one in _or_none(secret_ids)]
    named: list[tuple[str | None, str | None]] = [(None, stage) for stage in stages]
    named += [(secret_id, None) for secret_id in secret_ids]
    from_environment = os.environ.get(SECRET_ID_VARIABLE) if in_environment else None
    if not named and from_environment:
        named = [(from_environment, None)]
    if not named:
        if not is_required and not profiles and not regions:
            return []
        raise click.UsageError("Which secret? Give --stage, --secret-id or --local.")
    return [
        Wanted(secret_id, stage, profile, region, None, zego_api)
        for (secret_id, stage), profile, region in itertools.product(
            named, _or_none(profiles), _or_none(regions)
        )
    ]


def _or_none(given: list[str]) -> list[str] | list[None]:
    return given or [None]
