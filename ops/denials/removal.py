"""Remove users from rooms at ZEGO, once they are denied."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

import click
from botocore.exceptions import BotoCoreError, ClientError

from ops.denials.render import clock_time, say
from ops.denials.table import IN_FORCE_SECONDS
from ops.errors import CommandError, ExitCode, InputError, explain
from ops.output import GOOD, QUIET, UNSURE, Output, timestamp
from ops.prompt import interruptible
from ops.target import TargetOptions, connect, server_api
from zego import identifiers
from zego.denials import Denial, Denials
from zego.identifiers import IdentifierError
from zego.secret_store import CURRENT
from zego.secret_store.versions import SecretStoreError
from zego.server_api import Removal, ServerApi
from zego.server_secret import ServerSecret

#: ZEGO closes one room per second.
_CLOSE_SECONDS: Final = 1.0


def check_rooms(denial: Denial, rooms: Iterable[str]) -> None:
    """:raises InputError: the denial is not about these rooms, or ZEGO has no such rooms."""
    for room in rooms:
        if denial.kind == "identity":
            raise click.UsageError(
                "--kick needs a user or a room: ZEGO does not know who came by an identity."
            )
        try:
            identifiers.check("room_id", room)
        except IdentifierError as error:
            raise InputError(f"--kick: {error}.") from None
        if denial.kind == "room" and Denials([denial]).denying(0, room_id=room) is None:
            raise click.UsageError(f"--kick {room}: this denial is not about that room.")


def remove_from_rooms(
    target_options: TargetOptions,
    out: Output,
    denial: Denial,
    rooms: tuple[str, ...],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Remove the denied user, or all users, from rooms: now, and again once the denial is in force.

    Until then, the user can get another token and come back.

    :raises CommandError: a user may still be in a room.
    """
    try:
        api, secret = server_api(target_options), _current_secret(target_options)
    except (CommandError, SecretStoreError, ClientError, BotoCoreError) as error:
        failure = explain(error)
        raise CommandError(
            f"{_still_there(denial, rooms)} {failure.message}", failure.remedy, failure.exit_code
        ) from None
    in_force_at = time.time() + IN_FORCE_SECONDS
    with interruptible(_still_there(denial, rooms)):
        _remove(api, secret, out, denial, rooms, sleep)
    with interruptible(
        f"The denial is written, but until {clock_time(in_force_at)} {_users(denial)} can still get"
        " tokens and come back.",
        "To remove them again, repeat the command.",
    ):
        say(
            out,
            "waiting",
            f"Waiting until {clock_time(in_force_at)}, when the denial is in force, to remove"
            f" {_users(denial)} again.",
            style=QUIET,
            until=timestamp(in_force_at),
        )
        sleep(max(0.0, in_force_at - time.time()))
        failed = _remove(api, secret, out, denial, rooms, sleep)
    if failed:
        raise _not_removed(denial, failed)
    if denial.kind == "user":
        note = f"ZEGO lets {denial.value} come back with a token that has not expired."
    else:
        note = "ZEGO opens a room again for a user whose token has not expired."
    say(out, "note", note, style=QUIET, note=note)


def _remove(
    api: ServerApi,
    secret: ServerSecret,
    out: Output,
    denial: Denial,
    rooms: tuple[str, ...],
    sleep: Callable[[float], None],
) -> dict[str, Removal]:
    """Remove the users once, and return what failed, by room."""
    failed = {}
    for number, room in enumerate(rooms):
        if denial.kind == "user":
            removal = api.kick(secret, room, [denial.value])
        else:
            if number:
                sleep(_CLOSE_SECONDS)
            removal = api.close_room(secret, room)
        if removal.outcome == "failed":
            failed[room] = removal
        text, style = {
            "removed": (f"Removed {_users(denial)} from {room}.", GOOD),
            "absent": (f"No one was removed from {room}: {removal.reason}.", QUIET),
            "failed": (f"Not removed from {room}: {removal.reason}.", UNSURE),
        }[removal.outcome]
        user_id = denial.value if denial.kind == "user" else None
        say(
            out,
            "removal",
            text,
            style=style,
            room_id=room,
            user_id=user_id,
            outcome=removal.outcome,
            reason=removal.reason,
            code=removal.code,
        )
    return failed


def _current_secret(target_options: TargetOptions) -> ServerSecret:
    """AWSCURRENT, which signs the calls of ZEGO's server API."""
    versions = connect(target_options).versions
    current = versions.version(versions.describe(), CURRENT)
    if current is None or current.secret is None:
        problem = "there is none" if current is None else current.problem
        raise CommandError(
            f"AWSCURRENT is not a ServerSecret: {problem}.",
            "Check the secret: zego-token secret status.",
        )
    return current.secret


def _not_removed(denial: Denial, failed: dict[str, Removal]) -> CommandError:
    codes = sorted({removal.code for removal in failed.values() if removal.code is not None})
    remedy = "To try again, repeat the command; it replaces the denial."
    if codes:
        remedy += f" About the code:\n  zego-token explain {' '.join(map(str, codes))}"
    return CommandError(
        _still_there(denial, failed),
        remedy,
        ExitCode.REFUSED if codes else ExitCode.UNDECIDED,
    )


def _still_there(denial: Denial, rooms: Iterable[str]) -> str:
    return f"The denial is written, but {_users(denial)} may still be in {', '.join(rooms)}."


def _users(denial: Denial) -> str:
    return denial.value if denial.kind == "user" else "all users"
