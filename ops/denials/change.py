"""Deny users, identities and rooms, lift denials, and remove users from rooms."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

import click
from botocore.exceptions import BotoCoreError, ClientError

from ops.denials.render import all_of_it, as_fields, say, sentence, whom
from ops.denials.table import DenialTable, connected_table
from ops.errors import CommandError, ExitCode, InputError, explain
from ops.output import GOOD, QUIET, UNSURE, Output, timestamp
from ops.prompt import interruptible
from ops.target import TargetOptions, connect, copyable_remedies, server_api
from zego import identifiers
from zego.denials import MAX_DENIALS, Denial, DenialError, Effect, Kind, denial_sk
from zego.identifiers import IdentifierError
from zego.secret_store import CURRENT
from zego.secret_store.versions import SecretStoreError
from zego.server_api import Removal, ServerApi
from zego.server_secret import ServerSecret

#: How soon every issuer knows a change, in seconds, while DynamoDB responds.
IN_FORCE_SECONDS: Final = 60
#: ZEGO closes one room per second.
_CLOSE_SECONDS: Final = 1.0
_NOT_DENIED: Final = "Nothing was denied."


@dataclass(frozen=True, slots=True)
class DenyOptions:
    """What to deny.

    :ivar until: when it ends; ``None``: never.
    :ivar not_before: if set, refuse only earlier sign-ins.
    :ivar rooms: the rooms to remove users from.
    """

    kind: Kind
    value: str
    reason: str
    until: int | None
    not_before: int | None
    rooms: tuple[str, ...]

    def denial(self, by: str) -> Denial:
        """The denial, without the time at which it is written.

        :raises DenialError: it is invalid.
        """
        return Denial(self.kind, self.value, self.reason, by, 0, self.until, self.not_before)


def deny(
    target_options: TargetOptions,
    out: Output,
    options: DenyOptions,
    confirm: Callable[[str], None],
) -> ExitCode:
    """Write a denial, then remove users from rooms.

    :param confirm: asks the user; raises an error if the user says no.
    :raises CommandError: the denial is invalid, there are too many, or it is written and a user may
        still be in a room.
    """
    _checked(lambda: options.denial("not known yet"))
    _check_rooms(options)
    with connected_table(target_options) as table:
        denial = _write(table, out, options, confirm)
    with copyable_remedies(target_options):
        if options.rooms:
            remove_from_rooms(target_options, out, denial, options.rooms)
    return ExitCode.DONE


def allow(
    target_options: TargetOptions, out: Output, effect: Effect, kind: Kind, value: str, reason: str
) -> ExitCode:
    """Lift a denial.

    :raises CommandError: there is no such denial.
    """
    now = int(time.time())
    with connected_table(target_options) as table, interruptible("The denial may be lifted."):
        live = {denial.sk: denial for denial in table.denials(now)[0]}
        lifted = live.pop(denial_sk(effect, kind, value), None)
        same = [one for one in live.values() if (one.kind, one.value) == (kind, value)]
        if lifted is None:
            raise _not_denied(effect, kind, value, same, live.values())
        _checked(lambda: replace(lifted, reason=reason))
        table.lift(lifted, reason, now)
    out.go_on()
    by = time.time() + IN_FORCE_SECONDS
    say(
        out,
        "allowed",
        f"Lifted: {sentence(lifted, now)} Every issuer knows it by {_clock_time(by)} (within"
        f" {IN_FORCE_SECONDS} s).",
        style=GOOD,
        **as_fields(lifted),
        allowed_by=table.by,
        allowed_reason=reason,
        in_force_by=timestamp(by),
    )
    for remaining in same:
        say(out, "remaining", f"Not lifted: {sentence(remaining, now)}", **as_fields(remaining))
    return ExitCode.DONE


# --- The denial -------------------------------------------------------------------------------


def _write(
    table: DenialTable, out: Output, options: DenyOptions, confirm: Callable[[str], None]
) -> Denial:
    with interruptible(_NOT_DENIED):
        now = time.time()
        denial = options.denial(table.by)
        live = {one.sk: one for one in table.denials(now)[0]}
        replaced = live.get(denial.sk)
        if replaced is None and len(live) >= MAX_DENIALS:
            raise CommandError(
                f"{_NOT_DENIED} There are {len(live)} denials, and {MAX_DENIALS} is the most.",
                "Lift some (allow), or replace many by one: deny an identity instead of its users,"
                " or a pattern of rooms. List them: zego-token denials.",
            )
        if all_of_it(denial):
            confirm(f"{_effect_on_all(denial)} Continue?")
        denial = replace(denial, at=int(time.time()))
    with interruptible("The denial may be written.", "List the denials: zego-token denials."):
        table.deny(denial)
    out.go_on()
    now, by = time.time(), time.time() + IN_FORCE_SECONDS
    say(
        out,
        "denied",
        f"{sentence(denial, now)} It is in force by {_clock_time(by)} (within"
        f" {IN_FORCE_SECONDS} s).",
        style=GOOD,
        **as_fields(denial),
        replaced=replaced and as_fields(replaced),
        in_force_by=timestamp(by),
    )
    if replaced is not None:
        say(out, "", f"This replaces: {sentence(replaced, now)}")
    for note in _notes(denial):
        say(out, "note", note, style=QUIET, note=note)
    return denial


def _checked(make: Callable[[], Denial]) -> None:
    """:raises InputError: the denial is invalid."""
    try:
        make()
    except DenialError as error:
        raise InputError(f"{_NOT_DENIED} {str(error)[:1].upper()}{str(error)[1:]}.") from None


def _effect_on_all(denial: Denial) -> str:
    if denial.kind == "room":
        return "This denies every room to every user."
    what = "denies" if denial.effect == "deny" else "signs out"
    return f"This {what} every caller of {whom(denial)}."


def _notes(denial: Denial) -> Iterable[str]:
    """What the denial does not do."""
    if denial.kind == "room":
        yield (
            "Identity tokens, which name no room, still open it. So do tokens that exist already,"
            " until they expire."
        )
    else:
        yield "Tokens that exist already work until they expire."
    if denial.kind == "identity":
        yield (
            "The name must be that of an identity in the access policy: this command cannot check"
            " it."
        )
    if denial.effect == "signed-out":
        yield (
            "Also end the sessions at the identity provider: a bearer token that it refreshes may"
            " count as a new sign-in, if the token has no auth_time."
        )


def _not_denied(
    effect: Effect, kind: Kind, value: str, same: Iterable[Denial], live: Iterable[Denial]
) -> CommandError:
    """The error if there is no such denial, with the one that was perhaps meant."""
    state = "denied" if effect == "deny" else "signed out"
    message = f"Nothing was lifted: {kind} {value} is not {state}."
    for _ in same:
        other = "--signed-out" if effect == "deny" else "no --signed-out"
        return CommandError(message, f"Another denial has this value: use {other}.")
    for one in live:
        if kind == "room" and one.kind == "room" and _covers(one.value, value):
            return CommandError(message, f"Rooms {one.value} are denied: lift that one.")
    return CommandError(message, "Is the value exactly the same? List them: zego-token denials.")


# --- Removing users from rooms ----------------------------------------------------------------


def _check_rooms(options: DenyOptions) -> None:
    if not options.rooms:
        return
    if options.kind == "identity":
        raise click.UsageError(
            "--kick needs a user or a room: ZEGO does not know who came by an identity."
        )
    for room in options.rooms:
        try:
            identifiers.check("room_id", room)
        except IdentifierError as error:
            raise InputError(f"--kick: {error}.") from None
        if options.kind == "room" and not _covers(options.value, room):
            raise click.UsageError(f"--kick {room}: this denial is not about that room.")


def _covers(pattern: str, room: str) -> bool:
    """Whether a denial of rooms is about a room."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), room) is not None


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
        f"The denial is written, and the users were removed once. Until {_clock_time(in_force_at)}"
        " they can get a token and come back."
    ):
        say(
            out,
            "waiting",
            f"Waiting until {_clock_time(in_force_at)}, when the denial is in force, to remove"
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
    reasons = "; ".join(f"{room}: {removal.reason}" for room, removal in failed.items())
    codes = sorted({removal.code for removal in failed.values() if removal.code is not None})
    remedy = "To try again, repeat the command; it replaces the denial."
    if codes:
        remedy += f" About the code: zego-token explain {' '.join(map(str, codes))}"
    return CommandError(
        f"{_still_there(denial, failed)} {reasons}.",
        remedy,
        ExitCode.REFUSED if codes else ExitCode.UNDECIDED,
    )


def _still_there(denial: Denial, rooms: Iterable[str]) -> str:
    return f"The denial is written, but {_users(denial)} may still be in {', '.join(rooms)}."


def _users(denial: Denial) -> str:
    return denial.value if denial.kind == "user" else "all users"


def _clock_time(moment: float) -> str:
    return time.strftime("%H:%M:%S UTC", time.gmtime(moment))
