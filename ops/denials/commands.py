"""The commands deny, allow and denials. Keep imports light: ``--help`` loads no botocore."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import click

from ops.errors import ExitCode, InputError
from ops.output import Output, output
from ops.prompt import confirmation
from ops.target import Command, TargetOptions, has_own_project, stack
from zego.denials import KINDS, Effect, Kind

FOREVER: Final = "forever"
_DURATION: Final = re.compile(r"([0-9]{1,4})(m|min|h|d|w)")
_UNIT_SECONDS: Final = {"m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def parse_until(when: str, now: float) -> int | None:
    """The time that WHEN names, in Unix seconds; ``None`` for ``forever``.

    :raises BadParameter: the text is something else, or the time is not in the future.
    """
    if when == FOREVER:
        return None
    if duration := _DURATION.fullmatch(when):
        seconds = int(duration[1]) * _UNIT_SECONDS[duration[2]]
        if not seconds:
            raise click.BadParameter("a denial that lasts no time denies nothing.")
        return int(now) + seconds
    ends = _moment(when, "a duration such as 2h or 7d, a time such as {example}, or forever")
    if ends <= now:
        raise click.BadParameter("this time is in the past.")
    return ends


def parse_not_before(when: str, now: float) -> int:
    """The time that TIME names, in Unix seconds.

    :raises BadParameter: the text is not a time, or the time is in the future.
    """
    moment = _moment(when, "a time such as {example}")
    if moment > now:
        raise click.BadParameter(
            "this time is in the future. To refuse all sign-ins for a time, use only --until."
        )
    return moment


def _moment(when: str, expected: str) -> int:
    try:
        moment = datetime.fromisoformat(when)
    except ValueError:
        moment = None
    if moment is None or "T" not in when.upper():
        example = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT}18:00:00Z"
        raise click.BadParameter(f"use {expected.format(example=example)}.")
    if moment.tzinfo is None:
        raise click.BadParameter(f"which time zone? Add Z for UTC: {when}Z.")
    return int(moment.timestamp())


def _whom(command: Command) -> Command:
    """The arguments that name whom a denial is about, and the option that says why."""
    because = click.option(
        "--reason",
        required=True,
        metavar="TEXT",
        help="Why: the number of a ticket, or a few words. Operators can read it for 90 days.",
    )
    value = click.argument("value")
    return click.argument("kind", type=click.Choice(KINDS))(value(because(command)))


@click.command(short_help="Deny a user, an identity or a room, and remove users from rooms.")
@_whom
@click.option(
    "--until",
    "ends",
    required=True,
    metavar="WHEN",
    callback=lambda _context, _option, when: parse_until(when, time.time()),
    help="When the denial ends: a duration (30m, 2h, 7d), a time (2026-12-01T18:00:00Z), or"
    " forever.",
)
@click.option(
    "--signed-out",
    is_flag=True,
    help="Refuse only who signed in before now. Users can sign in again.",
)
@click.option(
    "--not-before",
    metavar="TIME",
    callback=lambda _context, _option, when: when and parse_not_before(when, time.time()),
    help="As --signed-out, but refuse only who signed in before this time.",
)
@click.option(
    "--kick",
    "rooms",
    multiple=True,
    metavar="ROOM",
    help="Also remove the user from this room at ZEGO; with `deny room`, remove all users. One"
    " room's id, without *. May be repeated.",
)
@click.option(
    "--zego-api",
    metavar="URL",
    help="The API that removes users.  [default: ZEGO's, or the local stack's stand-in]",
)
@confirmation
@stack
@output
def deny(
    target_options: TargetOptions,
    out: Output,
    kind: Kind,
    value: str,
    reason: str,
    ends: int | None,
    signed_out: bool,
    not_before: int | None,
    rooms: tuple[str, ...],
    zego_api: str | None,
    confirm: Callable[[str], None],
) -> ExitCode:
    """Deny a user, an identity or a room: the service gives no token for it.

    \b
    zego-token deny user alice --until 2h --reason spam --kick call_1 --stage prod
    zego-token deny user alice --until 30d --reason theft --signed-out --stage prod
    zego-token deny identity shop --until forever --reason leak --stage prod
    zego-token deny room 'call_*' --until 1h --reason abuse --stage prod

    A user is named by the user_id in the tokens, an identity by its name in the access policy, a
    room by its id. In a room's id alone, * is any text.

    The denial is in force within 60 s. Existing tokens still work until they expire. --kick
    removes users at once, and again when the denial is in force. ZEGO lets a removed user come
    back with a token that has not expired.
    """
    from ops.denials import change  # noqa: PLC0415  imports botocore

    if signed_out and not_before is not None:
        raise click.UsageError("--signed-out means now: it cannot be combined with --not-before.")
    if rooms and target_options.local and has_own_project(target_options.local):
        raise InputError(
            "--kick would remove users at ZEGO: this local stack runs with your own project, and"
            " changes nothing there.",
            "Leave out --kick.",
        )
    options = change.DenyOptions(
        kind, value, reason, ends, int(time.time()) if signed_out else not_before, rooms
    )
    return change.deny(replace(target_options, zego_api=zego_api), out, options, confirm)


@click.command(short_help="Lift a denial.")
@_whom
@click.option(
    "--signed-out", is_flag=True, help="Lift the one that refuses only earlier sign-ins instead."
)
@stack
@output
def allow(
    target_options: TargetOptions,
    out: Output,
    kind: Kind,
    value: str,
    reason: str,
    signed_out: bool,
) -> ExitCode:
    """Lift a denial. Within 60 s the access policy alone decides again.

    VALUE must be the same as in the denial. Exit code: 1 if there is no such denial.
    """
    from ops.denials import change  # noqa: PLC0415  imports botocore

    effect: Effect = "signed-out" if signed_out else "deny"
    return change.allow(target_options, out, effect, kind, value, reason)


@click.command(short_help="List the denials, or who changed them.")
@click.option("--history", is_flag=True, help="List who changed them in the last 90 days, and why.")
@stack
@output
def denials(target_options: TargetOptions, out: Output, history: bool) -> ExitCode:
    """List the denials that have not ended, or who changed them.

    Exit code: 1 if an item in the table is unreadable. The issuer then ignores it.
    """
    from ops.denials.render import show_denials, show_history  # noqa: PLC0415  imports rich
    from ops.denials.table import connected_table  # noqa: PLC0415  imports botocore

    with connected_table(target_options) as table:
        return (show_history if history else show_denials)(out, table, time.time())
